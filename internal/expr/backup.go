package expr

import (
	"context"

	"github.com/tael-sql/tael-sql/internal/pgerr"
)

// A backuper is a session that can copy the data folder.
type backuper interface {
	Backup(ctx context.Context, dir string, withCold bool) (lsn int64, err error)
}

func backupFunctions() map[string]impl {
	backup := raw(func(env *Env, _ *Call, args []any) (any, error) {
		s, ok := env.Session.(backuper)
		if !ok {
			return nil, pgerr.New(pgerr.FeatureNotSupported, "tael_backup is not supported here")
		}
		return s.Backup(env.Ctx, args[0].(string), len(args) > 1 && args[1].(bool))
	})
	return map[string]impl{"tael_backup(text)": backup, "tael_backup(text,bool)": backup}
}
