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
	var to, signal, dataDir, format, statePath string
	var shift time.Duration
	var toNow, again bool
	cmd := &cobra.Command{
		Use:   "import FILE…",
		Short: "Send files of OTLP to a running gateway",
		Long: "import sends files that the OpenTelemetry Collector's file exporter wrote: JSON lines, or protobuf\n" +
			"messages each behind a 4-byte big-endian length; or the JSON of Jaeger; plain or in .gz or .zst.\n\n" +
			"What the gateway of --data-dir has acknowledged is noted in its folder (imports.jsonl), by the hash of the file:\n" +
			"an import that was interrupted goes on where it was, one that was complete sends nothing.",
		Args: cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) (err error) {
			im := &importer{out: cmd.OutOrStdout(), terminal: cmd.ErrOrStderr(), shift: int64(shift), toNow: toNow}
			if im.jaeger = format == "jaeger"; !im.jaeger && format != "" && format != "otlp" {
				return fmt.Errorf("--format is otlp or jaeger, not %q", format)
			}
			if signal != "" {
				typ, ok := files.SignalOf("file." + signal + ".x")
				if !ok {
					return fmt.Errorf("--signal is traces, logs or metrics, not %q", signal)
				}
				im.signal = typ
			}
			target, err := importTarget(to, dataDir)
			if err != nil {
				return err
			}
			if statePath == "" && to == "" {
				if _, err := os.Stat(filepath.Join(dataDir, layout.EndpointsFile)); err == nil {
					statePath = filepath.Join(dataDir, importsFile)
				}
			}
			if statePath != "" {
				if im.state, err = openImports(statePath, again); err != nil {
					return err
				}
				defer func() { err = errors.Join(err, im.state.close()) }()
			}
			if toNow {
				if im.shift, err = im.shiftToNow(args); err != nil {
					return err
				}
			}
			return im.run(cmd.Context(), target, args)
		},
	}
	cmd.Flags().StringVar(&to, "to", "", "grpc://HOST:PORT or http://HOST:PORT of the gateway (default: the one of --data-dir)")
	cmd.Flags().StringVar(&dataDir, "data-dir", "./tael-data", "data folder of the local gateway, whose endpoints.json says where it listens")
	cmd.Flags().StringVar(&signal, "signal", "", "traces, logs or metrics; default: from .traces., .logs. or .metrics. in the name")
	cmd.Flags().DurationVar(&shift, "shift", 0, "move all time stamps by this much")
	cmd.Flags().BoolVar(&toNow, "shift-to-now", false, "move all time stamps so that the newest is now")
	cmd.Flags().StringVar(&format, "format", "", "otlp or jaeger; default: from the content")
	cmd.Flags().StringVar(&statePath, "state", "", "file that notes what was acknowledged (default: imports.jsonl in --data-dir; none with --to)")
	cmd.Flags().BoolVar(&again, "again", false, "send files that were imported before once more")
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
	out      io.Writer
	terminal io.Writer   // where progress is drawn
	signal   record.Type // 0: from each file's name
	jaeger   bool        // whatever the content looks like
	shift    int64       // ns
	toNow    bool        // whence shift
	state    *imports    // nil: nothing is noted

	bar      *progress
	read     int64 // bytes of the files before
	requests int
	bytes    int64
}

// each calls fn with every request of a file.
func (im *importer) each(path string, fn func(typ record.Type, body []byte) error) (err error) {
	typ, known := im.signal, true
	if typ == 0 {
		if typ, known = files.SignalOf(path); !known {
			typ = record.Traces // if it is of Jaeger
		}
	}
	f, err := files.Open(path, typ)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	switch {
	case im.jaeger:
		f.AsJaeger()
	case !known && !f.IsJaeger():
		return fmt.Errorf("%s: the name does not tell the signal; use --signal", path)
	}
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
		if im.bar != nil {
			im.bar.at(im.read + f.Offset())
		}
	}
}

// shiftToNow finds how far to move the files' times. An import that was
// interrupted goes on with its own.
func (im *importer) shiftToNow(paths []string) (int64, error) {
	for _, path := range paths {
		hash, err := fileHash(path)
		if err != nil {
			return 0, err
		}
		if shift, ok := im.state.interrupted(hash); ok {
			return shift, nil
		}
	}
	newest, err := im.newest(paths)
	return time.Now().UnixNano() - newest, err
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
	var total int64
	sizes := make([]int64, len(paths))
	for i, path := range paths {
		if info, err := os.Stat(path); err == nil { // else opening it tells
			sizes[i] = info.Size()
			total += info.Size()
		}
	}
	im.bar = newProgress(im.terminal, "bytes", total)
	defer im.bar.end()
	for i, path := range paths {
		if err := im.file(ctx, client, path); err != nil {
			return err
		}
		im.read += sizes[i]
	}
	im.bar.end()
	took := time.Since(start)
	_, err = fmt.Fprintf(im.out, "%d requests with %.1f MB acknowledged in %s\n", im.requests, float64(im.bytes)/1e6, took.Round(time.Millisecond))
	return err
}

// file sends what of a file has not been acknowledged before.
func (im *importer) file(ctx context.Context, client *ingest.Client, path string) error {
	var entry imported
	if im.state != nil {
		hash, err := fileHash(path)
		if err != nil {
			return err
		}
		entry = imported{File: hash, Shift: im.shift, ToNow: im.toNow}
		if im.signal != 0 {
			entry.Signal = im.signal.String()
		}
		entry = im.state.find(entry)
	}
	skip := entry.Requests
	switch {
	case entry.Done:
		_, err := fmt.Fprintf(im.out, "%s was imported before: nothing is sent (--again sends it)\n", path)
		return err
	case skip > 0:
		fmt.Fprintf(im.out, "%s: going on after %d requests\n", path, skip)
	}
	at := 0
	err := im.each(path, func(typ record.Type, body []byte) (err error) {
		if at++; at <= skip {
			return nil
		}
		if im.shift != 0 {
			if body, _, err = files.Shift(typ, body, im.shift); err != nil {
				return err
			}
		}
		if err := im.send(ctx, client, typ, body); err != nil {
			return err
		}
		entry.Requests = at
		return im.state.note(entry)
	})
	if err != nil {
		return err
	}
	entry.Done = true
	return im.state.note(entry)
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
