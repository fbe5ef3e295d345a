package session

import (
	"context"
	"errors"
	"io/fs"
	"path/filepath"

	"github.com/tael-sql/tael-sql/engine"
	"github.com/tael-sql/tael-sql/internal/pgerr"
)

// Backup is tael_backup. The server writes the files, with its own rights: only
// who can reach its socket in the data folder may ask for that.
func (s *Session) Backup(ctx context.Context, dir string, withCold bool) (lsn int64, err error) {
	if s.startup.RemoteAddr.Network() != "unix" || !s.isAdmin() {
		return 0, pgerr.New(pgerr.InsufficientPrivilege, "permission denied for function tael_backup").
			WithHint("It can be called over the Unix socket in the data folder; tael-sql backup does.")
	}
	if !filepath.IsAbs(dir) {
		return 0, pgerr.New(pgerr.InvalidName, "relative path not allowed for backup stored on server")
	}
	at, err := s.handler.opts.Backup(ctx, filepath.Clean(dir), withCold)
	if err != nil {
		return 0, backupError(dir, err)
	}
	return int64(at), nil
}

// backupError says what stands in the way of a backup.
func backupError(dir string, err error) error {
	code, detail := pgerr.IOError, ""
	var path *fs.PathError
	switch {
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return err
	case errors.Is(err, engine.ErrNotEmpty):
		code, detail = pgerr.ObjectNotInPrerequisiteState, "The folder is not empty."
	case errors.Is(err, engine.ErrBackupRuns), errors.Is(err, engine.ErrLocked):
		code, detail = pgerr.ObjectInUse, "Another backup is running."
	case errors.Is(err, engine.ErrDiskFull):
		code, detail = pgerr.DiskFull, "The disk would be below the watermark."
	case errors.As(err, &path):
		detail = path.Op + ": " + path.Err.Error()
	}
	e := pgerr.New(code, "could not back up to \"%s\"", dir)
	if detail != "" {
		e = e.WithDetail("%s", detail)
	}
	e.Err = err
	return e
}

// Administer is tael_compact and the like.
func (s *Session) Administer(ctx context.Context, function string, args []any) ([][]any, error) {
	if !s.isAdmin() {
		return nil, pgerr.New(pgerr.InsufficientPrivilege, "permission denied for function %s", function)
	}
	if function == "tael_apply_retention" {
		if err := s.handler.RollUp(ctx); err != nil {
			return nil, err
		}
	}
	return s.handler.opts.Store.Administer(ctx, function, args)
}
