// Package files reads what the OpenTelemetry Collector's file exporter writes.
package files

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/klauspost/compress/zstd"
	"go.opentelemetry.io/collector/pdata/plog/plogotlp"
	"go.opentelemetry.io/collector/pdata/pmetric/pmetricotlp"
	"go.opentelemetry.io/collector/pdata/ptrace/ptraceotlp"

	"github.com/tael-sql/tael-sql/wal/record"
)

// maxMessage bounds one message of a file.
const maxMessage = 64 << 20

// SignalOf tells the signal from a file's name: .traces., .logs. or .metrics.
// in it. ok is false if it has none.
func SignalOf(path string) (typ record.Type, ok bool) {
	name := filepath.Base(path)
	for part, typ := range map[string]record.Type{"traces": record.Traces, "logs": record.Logs, "metrics": record.Metrics} {
		if strings.Contains(name, "."+part+".") || strings.HasPrefix(name, part+".") {
			return typ, true
		}
	}
	return 0, false
}

// A File gives the requests of one file. Protobuf messages each stand behind
// their length, 4 bytes big-endian; JSON requests are a line each. A name in
// .gz or .zst is decompressed.
type File struct {
	Type   record.Type
	in     *bufio.Reader
	json   bool
	closes []func() error
	line   int
}

// Open opens a file; typ is its signal.
func Open(path string, typ record.Type) (*File, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	r := &File{Type: typ, closes: []func() error{f.Close}}
	var in io.Reader = f
	switch filepath.Ext(path) {
	case ".gz":
		z, err := gzip.NewReader(f)
		if err != nil {
			return nil, errors.Join(fmt.Errorf("%s: %w", path, err), f.Close())
		}
		in = z
	case ".zst":
		z, err := zstd.NewReader(f)
		if err != nil {
			return nil, errors.Join(fmt.Errorf("%s: %w", path, err), f.Close())
		}
		r.closes = append(r.closes, func() error { z.Close(); return nil })
		in = z
	}
	r.in = bufio.NewReaderSize(in, 1<<20)
	first, err := r.in.Peek(1)
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, errors.Join(fmt.Errorf("%s: %w", path, err), r.Close())
	}
	r.json = len(first) == 1 && (first[0] == '{' || first[0] == ' ' || first[0] == '\n')
	return r, nil
}

// Next gives the next request as protobuf, io.EOF after the last.
func (f *File) Next() ([]byte, error) {
	if f.json {
		return f.nextLine()
	}
	var head [4]byte
	if _, err := io.ReadFull(f.in, head[:]); err != nil {
		if errors.Is(err, io.ErrUnexpectedEOF) {
			return nil, fmt.Errorf("the file ends within a length: %w", err)
		}
		return nil, err
	}
	n := binary.BigEndian.Uint32(head[:])
	if n > maxMessage {
		return nil, fmt.Errorf("a message of %d bytes: not a file of length-prefixed OTLP", n)
	}
	body := make([]byte, n)
	if _, err := io.ReadFull(f.in, body); err != nil {
		return nil, fmt.Errorf("the file ends within a message: %w", err)
	}
	return body, nil
}

func (f *File) nextLine() ([]byte, error) {
	for {
		line, err := f.in.ReadBytes('\n')
		f.line++
		if len(bytes.TrimSpace(line)) > 0 {
			body, err := fromJSON(f.Type, line)
			if err != nil {
				return nil, fmt.Errorf("line %d: %w", f.line, err)
			}
			return body, nil
		}
		if err != nil {
			return nil, err
		}
	}
}

// Close closes the file.
func (f *File) Close() error {
	var errs []error
	for i := len(f.closes) - 1; i >= 0; i-- {
		errs = append(errs, f.closes[i]())
	}
	return errors.Join(errs...)
}

// fromJSON turns an OTLP/JSON request into protobuf. Anything behind the JSON
// value is refused.
func fromJSON(typ record.Type, line []byte) ([]byte, error) {
	if !json.Valid(line) {
		return nil, errors.New("not one JSON value")
	}
	switch typ {
	case record.Traces:
		r := ptraceotlp.NewExportRequest()
		if err := r.UnmarshalJSON(line); err != nil {
			return nil, err
		}
		return r.MarshalProto()
	case record.Logs:
		r := plogotlp.NewExportRequest()
		if err := r.UnmarshalJSON(line); err != nil {
			return nil, err
		}
		return r.MarshalProto()
	default:
		r := pmetricotlp.NewExportRequest()
		if err := r.UnmarshalJSON(line); err != nil {
			return nil, err
		}
		return r.MarshalProto()
	}
}
