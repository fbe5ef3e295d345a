package main

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"runtime/debug"
	"syscall"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
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
			level, log, err := newLogger(c)
			if err != nil {
				return err
			}
			if c.Limits.GoMemory > 0 {
				debug.SetMemoryLimit(c.Limits.GoMemory)
			}
			hangUps := make(chan os.Signal, 1)
			signal.Notify(hangUps, syscall.SIGHUP)
			defer signal.Stop(hangUps)
			g, err := startGateway(c, log)
			if err != nil {
				return err
			}
			for cmd.Context().Err() == nil {
				select {
				case <-cmd.Context().Done():
				case <-hangUps:
					g.reload(cmd.Flags(), level)
				}
			}
			log.Info("stopping")
			ctx, cancel := context.WithTimeout(context.Background(), stopWithin)
			defer cancel()
			return g.stop(ctx)
		},
	}
	serveFlags(cmd.Flags())
	return cmd
}

// reload reads the settings again and takes up those that can change under
// way: the log's level, the limits but for limits.total_memory, and the audit
// log's file, which may have been moved. Settings with a mistake change nothing.
func (g *gateway) reload(flags *pflag.FlagSet, level *slog.LevelVar) {
	var to slog.Level
	c, err := loadConfig(flags)
	if err == nil {
		err = to.UnmarshalText([]byte(c.Log.Level))
	}
	if err == nil {
		err = g.audit.reopen(c.Audit.File)
	}
	if err != nil {
		g.log.Error("the settings were not read again", "error", err)
		return
	}
	level.Set(to)
	if c.Limits.GoMemory > 0 {
		debug.SetMemoryLimit(c.Limits.GoMemory)
	}
	g.pg.SetLimits(c.Limits.Connections, c.Limits.ConnectionsPerHost)
	g.sessions.SetQueryMemory(c.Limits.QueryMemory)
	g.log.Info("the settings were read again: log.level, limits and audit.file are in force, others need a restart")
}

func newLogger(c *config) (*slog.LevelVar, *slog.Logger, error) {
	level := new(slog.LevelVar)
	if err := level.UnmarshalText([]byte(c.Log.Level)); err != nil {
		return nil, nil, fmt.Errorf("log.level: %w", err)
	}
	return level, slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: level})), nil
}
