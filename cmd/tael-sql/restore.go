package main

import (
	"fmt"
	"log/slog"

	"github.com/spf13/cobra"

	"github.com/tael-sql/tael-sql/engine"
)

func newRestore() *cobra.Command {
	var from string
	cmd := &cobra.Command{
		Use: "restore --from DIR", Short: "Make a data folder of a backup",
		Long: "restore verifies every file of a backup, copies it into a data folder that is absent or empty, and compares\n" +
			"the rows there with those that were backed up.",
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := loadConfig(cmd.Flags())
			if err != nil {
				return err
			}
			b, err := engine.Restore(cmd.Context(), from, c.DataDir, engineOptions(c, slog.New(slog.DiscardHandler)))
			if err != nil {
				return err
			}
			fmt.Fprintf(cmd.OutOrStdout(), "%s has every record up to %d, as they were backed up at %s\n", c.DataDir, b.LSN, b.Taken.Format("2006-01-02 15:04:05Z"))
			return printHashes(cmd.OutOrStdout(), b.Tables)
		},
	}
	folderFlags(cmd)
	cmd.Flags().StringVar(&from, "from", "", "folder of the backup")
	_ = cmd.MarkFlagRequired("from") // it exists
	return cmd
}
