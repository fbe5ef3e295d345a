package expr

import (
	"context"

	"github.com/tael-sql/tael-sql/internal/pgerr"
)

// A backuper is a session that can copy the data folder.
type backuper interface {
	Backup(ctx context.Context, dir string) (lsn int64, err error)
}

func backupFunctions() map[string]impl {
	return map[string]impl{
		"tael_backup(text)": raw(func(env *Env, _ *Call, args []any) (any, error) {
			s, ok := env.Session.(backuper)
			if !ok {
				return nil, pgerr.New(pgerr.FeatureNotSupported, "tael_backup is not supported here")
			}
			return s.Backup(env.Ctx, args[0].(string))
		}),
	}
}
