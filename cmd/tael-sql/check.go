package main

import (
	"fmt"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/spf13/cobra"

	"github.com/tael-sql/tael-sql/engine"
	"github.com/tael-sql/tael-sql/tables"
)

func newCheck() *cobra.Command {
	return &cobra.Command{
		Use: "check DATA-DIR", Short: "Verify every checksum and cross-reference of a data folder, offline",
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			r, err := engine.Check(vfs.Default, args[0], tables.Specs())
			for _, p := range r.Problems {
				fmt.Fprintln(cmd.OutOrStdout(), p)
			}
			if err != nil {
				return err
			}
			if len(r.Problems) > 0 {
				return fmt.Errorf("%d problems in %s", len(r.Problems), args[0])
			}
			_, err = fmt.Fprintf(cmd.OutOrStdout(), "%s is sound: %d blocks with %d rows, %d WAL records up to %d\n",
				args[0], r.Blocks, r.Rows, r.Records, r.LastLSN)
			return err
		},
	}
}
