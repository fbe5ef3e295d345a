package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strings"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/spf13/cobra"

	"github.com/tael-sql/tael-sql/engine"
)

// checkFlags are what check was asked for beyond a check.
type checkFlags struct{ rowHash, repair, yes bool }

func newCheck() *cobra.Command {
	var f checkFlags
	cmd := &cobra.Command{
		Use: "check DATA-DIR", Short: "Verify every checksum and cross-reference of a data folder, offline",
		Long: "check reads a data folder that no gateway has open, says what is damaged, and changes nothing.\n" +
			"With --repair it then takes out what is damaged, once that is confirmed: the bytes go to quarantine/ in the\n" +
			"folder, with a report of what is lost. Restore a backup instead where there is one.",
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := loadConfig(cmd.Flags())
			if err != nil {
				return err
			}
			return f.run(cmd, args[0], engineOptions(c, slog.New(slog.DiscardHandler)))
		},
	}
	cmd.Flags().String("config", "", "YAML file with settings, where cold.url is set")
	cmd.Flags().BoolVar(&f.rowHash, "row-hash", false, "print for each table how many rows it has and their hash")
	cmd.Flags().BoolVar(&f.repair, "repair", false, "take out what is damaged, into quarantine/ of the folder")
	cmd.Flags().BoolVar(&f.yes, "yes", false, "with --repair: do not ask")
	return cmd
}

func (f checkFlags) run(cmd *cobra.Command, dir string, o engine.Options) error {
	out := cmd.OutOrStdout()
	problems, err := check(out, dir, o)
	if err != nil {
		return err
	}
	if problems > 0 && f.repair {
		if err := f.repairFolder(cmd, dir, o); err != nil {
			return err
		}
		if problems, err = check(out, dir, o); err != nil {
			return err
		}
	}
	if problems > 0 {
		return fmt.Errorf("%d problems in %s", problems, dir)
	}
	if !f.rowHash {
		return nil
	}
	lsn, tables, err := engine.RowHashes(cmd.Context(), dir, o)
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "rows of the records up to %d:\n", lsn)
	return printHashes(out, tables)
}

// check prints what a check finds.
func check(out io.Writer, dir string, o engine.Options) (problems int, err error) {
	var r engine.Report
	if o.Cold == nil {
		r, err = engine.Check(vfs.Default, dir, o.Tables)
	} else {
		r, err = engine.CheckParts(vfs.Default, dir, o.Tables, o.Cold)
	}
	for _, p := range r.Problems {
		fmt.Fprintln(out, p)
	}
	for _, n := range r.Notes {
		fmt.Fprintln(out, "note:", n)
	}
	if err == nil && len(r.Problems) == 0 {
		_, err = fmt.Fprintf(out, "%s is sound: %d blocks and %d parts with %d rows, %d WAL records up to %d\n",
			dir, r.Blocks, r.Parts, r.Rows, r.Records, r.LastLSN)
	}
	return len(r.Problems), err
}

// repairFolder repairs after the operator's word.
func (f checkFlags) repairFolder(cmd *cobra.Command, dir string, o engine.Options) error {
	if !f.yes {
		fmt.Fprintf(cmd.OutOrStdout(), "Take out what is damaged? What is lost with it, only a backup brings back. Type yes: ")
		answer, err := bufio.NewReader(cmd.InOrStdin()).ReadString('\n')
		if err != nil && !errors.Is(err, io.EOF) {
			return err
		}
		if strings.TrimSpace(answer) != "yes" {
			return errors.New("nothing was changed")
		}
	}
	r, err := engine.Repair(dir, o)
	for _, line := range r.Lines {
		fmt.Fprintln(cmd.OutOrStdout(), "repair:", line)
	}
	if r.Quarantine != "" {
		fmt.Fprintln(cmd.OutOrStdout(), "repair: what was taken out is in", r.Quarantine)
	}
	return err
}
