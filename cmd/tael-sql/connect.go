package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/tael-sql/tael-sql/engine/layout"
)

// connectSocket connects to the gateway that runs on a data folder, over its
// Unix socket there.
func connectSocket(ctx context.Context, dataDir string) (*pgx.Conn, error) {
	raw, err := os.ReadFile(filepath.Join(dataDir, layout.EndpointsFile))
	if err != nil {
		return nil, fmt.Errorf("another process holds %s, and does not say where it listens: %w", dataDir, err)
	}
	var e endpoints
	if err := json.Unmarshal(raw, &e); err != nil {
		return nil, fmt.Errorf("%s: %w", layout.EndpointsFile, err)
	}
	if e.PGSocket == "" {
		return nil, fmt.Errorf("the gateway on %s has no Unix socket (its log says why), over which alone it can be asked", dataDir)
	}
	// The data folder may have been moved since, or be mounted elsewhere here.
	return connectAt(ctx, filepath.Join(dataDir, filepath.Base(e.PGSocket)))
}

// connectAt connects as the owner to a socket of the name .s.PGSQL.PORT.
func connectAt(ctx context.Context, socket string) (*pgx.Conn, error) {
	cfg, err := pgx.ParseConfig(fmt.Sprintf("user=%s database=%s sslmode=disable", user, database))
	if err != nil {
		return nil, err
	}
	cfg.Port = 0
	if _, err := fmt.Sscanf(strings.TrimPrefix(filepath.Base(socket), ".s.PGSQL."), "%d", &cfg.Port); err != nil {
		return nil, fmt.Errorf("socket %q: its name has no port", socket)
	}
	if cfg.Host, err = filepath.Abs(filepath.Dir(socket)); err != nil {
		return nil, err
	}
	cfg.Fallbacks = nil
	return pgx.ConnectConfig(ctx, cfg)
}

// plainError is what a person is told of an error of the gateway.
func plainError(err error) error {
	e, ok := errors.AsType[*pgconn.PgError](err)
	if !ok {
		return err
	}
	text := e.Message
	for _, more := range []string{e.Detail, e.Hint} {
		if more != "" {
			text += ". " + strings.TrimSuffix(more, ".")
		}
	}
	return errors.New(text)
}
