package main

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"runtime/debug"
	"time"

	"github.com/spf13/cobra"
)

// stopWithin bounds a graceful stop: running statements are cancelled then.
const stopWithin = 20 * time.Second

func newServe() *cobra.Command {
	cmd := &cobra.Command{
		Use: "serve", Short: "Run the gateway", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := loadConfig(cmd.Flags())
			if err != nil {
				return err
			}
			log, err := newLogger(c)
			if err != nil {
				return err
			}
			if c.Limits.GoMemory > 0 {
				debug.SetMemoryLimit(c.Limits.GoMemory)
			}
			g, err := startGateway(c, log)
			if err != nil {
				return err
			}
			<-cmd.Context().Done()
			log.Info("stopping")
			ctx, cancel := context.WithTimeout(context.Background(), stopWithin)
			defer cancel()
			return g.stop(ctx)
		},
	}
	serveFlags(cmd.Flags())
	return cmd
}

func newLogger(c *config) (*slog.Logger, error) {
	var level slog.Level
	if err := level.UnmarshalText([]byte(c.Log.Level)); err != nil {
		return nil, fmt.Errorf("log.level: %w", err)
	}
	return slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: level})), nil
}
