package expr

import (
	"context"

	"github.com/tael-sql/tael-sql/internal/pgerr"
)

// An administrator is a session that can have the store do its background work
// at once.
type administrator interface {
	// Administer gives the rows of the function of that name.
	Administer(ctx context.Context, function string, args []any) ([][]any, error)
}

func adminFunctions() map[string]impl {
	admin := set(func(env *Env, call *Call, args []any, emit func([]any) error) error {
		s, ok := env.Session.(administrator)
		if !ok {
			return pgerr.New(pgerr.FeatureNotSupported, "%s is not supported here", call.Fn.Name)
		}
		if on, _ := env.Session.Setting("transaction_read_only"); on == "on" {
			return pgerr.New(pgerr.ReadOnlySQLTransaction, "cannot execute %s() in a read-only transaction", call.Fn.Name)
		}
		if len(args) == 0 && len(call.Fn.Args) == 1 { // its default is now()
			args = []any{env.Now}
		}
		rows, err := s.Administer(env.Ctx, call.Fn.Name, args)
		for _, row := range rows {
			if err == nil {
				err = emit(row)
			}
		}
		return err
	})
	return map[string]impl{
		"tael_compact(timestamptz)": admin,
		"tael_apply_retention()":    admin,
		"tael_sweep_blobs()":        admin,
	}
}
