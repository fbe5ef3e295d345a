package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/spf13/cobra"

	"github.com/tael-sql/tael-sql/engine"
	"github.com/tael-sql/tael-sql/engine/layout"
)

func newBackup() *cobra.Command {
	var out string
	var withCold bool
	cmd := &cobra.Command{
		Use: "backup --out DIR", Short: "Copy the data of a running or stopped gateway",
		Long: "backup copies the data folder, as it is at one moment, into a folder that is absent or empty. A running\n" +
			"gateway does it itself and goes on meanwhile; it is asked over its Unix socket in the data folder.",
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := loadConfig(cmd.Flags())
			if err != nil {
				return err
			}
			return backUp(cmd.Context(), c, out, withCold, cmd.OutOrStdout())
		},
	}
	folderFlags(cmd)
	cmd.Flags().StringVar(&out, "out", "", "folder to write to, absent or empty")
	cmd.Flags().BoolVar(&withCold, "with-cold", false, "copy the parts that are in an object store too (cold.url)")
	_ = cmd.MarkFlagRequired("out") // it exists
	return cmd
}

// folderFlags adds the flags of commands that work on a data folder.
func folderFlags(cmd *cobra.Command) {
	cmd.Flags().String("config", "", "YAML file with settings (see tael-sql.example.yaml)")
	cmd.Flags().String("data-dir", "./tael-data", "folder that holds everything")
}

func backUp(ctx context.Context, c *config, dir string, withCold bool, out io.Writer) error {
	start := time.Now()
	dir, err := filepath.Abs(dir)
	if err != nil {
		return err
	}
	if _, err := os.Stat(filepath.Join(c.DataDir, layout.LockFile)); err != nil {
		return fmt.Errorf("%s is not a data folder: %w", c.DataDir, err)
	}
	db, err := openEngine(c, slog.New(slog.DiscardHandler))
	switch {
	case errors.Is(err, engine.ErrLocked):
		err = askForBackup(ctx, c.DataDir, dir, withCold)
	case err == nil:
		_, err = db.Backup(ctx, dir, withCold)
		err = errors.Join(err, db.Close())
	}
	if err != nil {
		return err
	}
	b, err := engine.ReadBackup(vfs.Default, dir)
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "%s has every record up to %d, in %d files with %d bytes, after %s\n",
		dir, b.LSN, len(b.Files), b.Bytes(), time.Since(start).Round(time.Millisecond))
	return printHashes(out, b.Tables)
}

// askForBackup has the running gateway do it.
func askForBackup(ctx context.Context, dataDir, dir string, withCold bool) error {
	conn, err := connectSocket(ctx, dataDir)
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close(context.WithoutCancel(ctx)) }() // nothing is lost with it
	_, err = conn.Exec(ctx, "SELECT tael_backup($1, $2)", dir, withCold)
	return plainError(err)
}

// printHashes prints a line a table.
func printHashes(out io.Writer, tables []engine.RowHash) error {
	for _, t := range tables {
		if _, err := fmt.Fprintf(out, "%-12s %10d rows  %s\n", t.Table, t.Rows, t.Hash); err != nil {
			return err
		}
	}
	return nil
}
