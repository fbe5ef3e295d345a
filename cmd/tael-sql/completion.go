package main

import "github.com/spf13/cobra"

// completeFlags tells the shells what flags take, on all commands: those with
// few values, and those that name a folder or a file of settings.
func completeFlags(cmd *cobra.Command) {
	for name, values := range map[string][]string{
		"signal": {"traces", "logs", "metrics"}, "format": {"otlp", "jaeger"},
	} {
		if cmd.Flags().Lookup(name) != nil {
			_ = cmd.RegisterFlagCompletionFunc(name, cobra.FixedCompletions(values, cobra.ShellCompDirectiveNoFileComp)) // it exists
		}
	}
	if cmd.Flags().Lookup("data-dir") != nil {
		_ = cmd.MarkFlagDirname("data-dir") // it exists
	}
	if cmd.Flags().Lookup("config") != nil {
		_ = cmd.MarkFlagFilename("config", "yaml", "yml") // it exists
	}
	for _, sub := range cmd.Commands() {
		completeFlags(sub)
	}
}
