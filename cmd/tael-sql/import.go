package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"github.com/tael-sql/tael-sql/engine/layout"
	"github.com/tael-sql/tael-sql/internal/ingest"
	"github.com/tael-sql/tael-sql/internal/ingest/files"
	"github.com/tael-sql/tael-sql/wal/record"
)

func newImport() *cobra.Command {
	var to, signal, dataDir string
	var shift time.Duration
	var toNow bool
	cmd := &cobra.Command{
		Use:   "import FILE…",
		Short: "Send files of OTLP to a running gateway",
		Long: "import sends files that the OpenTelemetry Collector's file exporter wrote: JSON lines, or protobuf\n" +
			"messages each behind a 4-byte big-endian length, plain or in .gz or .zst.",
		Args: cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			im := &importer{out: cmd.OutOrStdout(), shift: int64(shift)}
			if signal != "" {
				typ, ok := files.SignalOf("file." + signal + ".x")
				if !ok {
					return fmt.Errorf("--signal is traces, logs or metrics, not %q", signal)
				}
				im.signal = typ
			}
			if toNow {
				newest, err := im.newest(args)
				if err != nil {
					return err
				}
				im.shift = time.Now().UnixNano() - newest
			}
			target, err := importTarget(to, dataDir)
			if err != nil {
				return err
			}
			return im.run(cmd.Context(), target, args)
		},
	}
	cmd.Flags().StringVar(&to, "to", "", "grpc://HOST:PORT or http://HOST:PORT of the gateway (default: the one of --data-dir)")
	cmd.Flags().StringVar(&dataDir, "data-dir", "./tael-data", "data folder of the local gateway, whose endpoints.json says where it listens")
	cmd.Flags().StringVar(&signal, "signal", "", "traces, logs or metrics; default: from .traces., .logs. or .metrics. in the name")
	cmd.Flags().DurationVar(&shift, "shift", 0, "move all time stamps by this much")
	cmd.Flags().BoolVar(&toNow, "shift-to-now", false, "move all time stamps so that the newest is now")
	return cmd
}

// importTarget finds the address to send to.
func importTarget(to, dataDir string) (string, error) {
	if to != "" {
		return to, nil
	}
	raw, err := os.ReadFile(filepath.Join(dataDir, layout.EndpointsFile))
	if err != nil {
		return "grpc://127.0.0.1:4317", nil // the default port of a gateway elsewhere
	}
	var e endpoints
	if err := json.Unmarshal(raw, &e); err != nil {
		return "", fmt.Errorf("read %s: %w", layout.EndpointsFile, err)
	}
	return "grpc://" + e.OTLPGRPC, nil
}

// An importer sends files.
type importer struct {
	out    io.Writer
	signal record.Type // 0: from each file's name
	shift  int64       // ns

	requests int
	bytes    int64
}

// each calls fn with every request of a file.
func (im *importer) each(path string, fn func(typ record.Type, body []byte) error) (err error) {
	typ := im.signal
	if typ == 0 {
		var ok bool
		if typ, ok = files.SignalOf(path); !ok {
			return fmt.Errorf("%s: the name does not tell the signal; use --signal", path)
		}
	}
	f, err := files.Open(path, typ)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	for {
		body, err := f.Next()
		if errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
			return nil
		}
		if err == nil {
			err = fn(typ, body)
		}
		if err != nil {
			return fmt.Errorf("%s: %w", path, err)
		}
	}
}

// newest gives the latest time stamp of all files.
func (im *importer) newest(paths []string) (int64, error) {
	latest := int64(0)
	for _, path := range paths {
		err := im.each(path, func(typ record.Type, body []byte) error {
			_, newest, err := files.Shift(typ, body, 0)
			latest = max(latest, newest)
			return err
		})
		if err != nil {
			return 0, err
		}
	}
	return latest, nil
}

func (im *importer) run(ctx context.Context, target string, paths []string) (err error) {
	client, err := ingest.NewClient(target)
	if err != nil {
		return fmt.Errorf("--to: %w", err)
	}
	defer func() { err = errors.Join(err, client.Close()) }()
	start := time.Now()
	for _, path := range paths {
		err := im.each(path, func(typ record.Type, body []byte) error {
			if im.shift != 0 {
				if body, _, err = files.Shift(typ, body, im.shift); err != nil {
					return err
				}
			}
			return im.send(ctx, client, typ, body)
		})
		if err != nil {
			return err
		}
	}
	took := time.Since(start)
	_, err = fmt.Fprintf(im.out, "%d requests with %.1f MB acknowledged in %s\n", im.requests, float64(im.bytes)/1e6, took.Round(time.Millisecond))
	return err
}

// maxAttempts bounds how often a request is sent while the gateway asks to wait.
const maxAttempts = 60

func (im *importer) send(ctx context.Context, client *ingest.Client, typ record.Type, body []byte) error {
	for attempt := 1; ; attempt++ {
		answer, passes, err := client.Send(ctx, typ, body)
		switch {
		case err == nil:
			im.requests++
			im.bytes += int64(len(body))
			if len(answer) > 0 {
				fmt.Fprintf(im.out, "some items were rejected: %q\n", answer)
			}
			return nil
		case attempt < maxAttempts && passes:
			select {
			case <-ctx.Done():
				return ctx.Err()
			case <-time.After(time.Second):
			}
		default:
			return err
		}
	}
}
