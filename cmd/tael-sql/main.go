// Command tael-sql is a PostgreSQL-wire SQL gateway over OpenTelemetry data.
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := newRoot().ExecuteContext(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "tael-sql:", err)
		os.Exit(1)
	}
}

func newRoot() *cobra.Command {
	root := &cobra.Command{
		Use:           "tael-sql",
		Short:         "OpenTelemetry in, PostgreSQL SQL out",
		Long:          "tael-sql takes traces, logs and metrics over OTLP and answers SQL over PostgreSQL's protocol.",
		SilenceUsage:  true,
		SilenceErrors: true,
	}
	root.AddCommand(newServe(), newDemo(), newImport(), newExport(), newBackup(), newRestore(), newCheck(), newUser(), newTop(), newConfig(), newVersion())
	completeFlags(root)
	return root
}
