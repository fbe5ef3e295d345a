// Package files reads OTLP requests in the forms that files have.
//
// A file's name says its signal, with .traces., .logs. or .metrics. in it. Its
// content may be compressed, as the name's end says: .gz or .zst. Inside
// are either protobuf messages, each after its length in 4 bytes, big-endian,
// or JSON requests, one a line, or the JSON of Jaeger.
//
// The package knows nothing of what becomes of the requests.
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

	"github.com/tael-sql/tael-sql/wal/record"
)

// MaxMessageBytes limits one request.
const MaxMessageBytes = 64 << 20

// ErrFormat says that a file holds something else than requests.
var ErrFormat = errors.New("files: not a file of OTLP requests")

// A File is open for reading its requests once.
type File struct {
	signal record.Type
	file   *os.File
	in     *bufio.Reader
	close  func() error           // of the decompressor
	next   func() ([]byte, error) // reads what the file holds; nil before the first
	read   int                    // requests so far
}

// Open opens a file whose requests are of the given signal.
func Open(path string, signal record.Type) (*File, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	out := &File{signal: signal, file: f, close: func() error { return nil }}
	var in io.Reader = f
	switch filepath.Ext(path) {
	case ".gz":
		z, err := gzip.NewReader(bufio.NewReader(f))
		if err != nil {
			return nil, errors.Join(fmt.Errorf("open %s: %w: %w", path, ErrFormat, err), f.Close())
		}
		in, out.close = z, z.Close
	case ".zst":
		z, err := zstd.NewReader(f, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxMemory(MaxMessageBytes))
		if err != nil {
			return nil, errors.Join(fmt.Errorf("open %s: %w: %w", path, ErrFormat, err), f.Close())
		}
		in, out.close = z, func() error { z.Close(); return nil }
	}
	out.in = bufio.NewReaderSize(in, 64<<10)
	return out, nil
}

// IsJaeger says whether the content looks like the JSON of Jaeger, as which
// Next then reads it. Only before the first Next.
func (f *File) IsJaeger() bool { return looksLikeJaeger(f.in) }

// AsJaeger has Next read the JSON of Jaeger, whatever the content looks like.
func (f *File) AsJaeger() { f.next = (&jaegerReader{in: json.NewDecoder(f.in)}).next }

// Offset says how much of the file, as it is on disk, has been read.
func (f *File) Offset() int64 {
	at, err := f.file.Seek(0, io.SeekCurrent)
	if err != nil {
		return 0 // a pipe
	}
	return at
}

// SignalOf tells a file's signal from its name.
func SignalOf(path string) (signal record.Type, ok bool) {
	name := filepath.Base(path)
	for _, signal := range []record.Type{record.Traces, record.Logs, record.Metrics} {
		if strings.HasPrefix(name, signal.String()+".") || strings.Contains(name, "."+signal.String()+".") {
			return signal, true
		}
	}
	return 0, false
}

// Close closes the file.
func (f *File) Close() error { return errors.Join(f.close(), f.file.Close()) }

// Next gives the body of the next request in protobuf, which is the caller's
// to keep; io.EOF at the end.
func (f *File) Next() ([]byte, error) {
	if f.next == nil {
		f.next = f.message
		if first, err := f.in.Peek(1); err == nil && (first[0] == '{' || isSpace(first[0])) {
			if f.next = f.line; f.IsJaeger() {
				f.AsJaeger()
			}
		}
	}
	body, err := f.next()
	if err != nil && err != io.EOF {
		return nil, fmt.Errorf("read request %d: %w", f.read+1, err)
	}
	f.read++
	return body, err
}

// message reads a message after its length. A length that begins with { would
// be over the limit, so that JSON cannot be mistaken for one.
func (f *File) message() ([]byte, error) {
	var length [4]byte
	if _, err := io.ReadFull(f.in, length[:]); err == io.EOF {
		return nil, io.EOF
	} else if err != nil {
		return nil, fmt.Errorf("%w: a length: %w", ErrFormat, err)
	}
	n := binary.BigEndian.Uint32(length[:])
	if n > MaxMessageBytes {
		return nil, fmt.Errorf("%w: a request of %d bytes", ErrFormat, n)
	}
	var body bytes.Buffer // grows with what is there, not with what the length claims
	if _, err := io.CopyN(&body, f.in, int64(n)); err != nil {
		if err == io.EOF {
			err = io.ErrUnexpectedEOF
		}
		return nil, fmt.Errorf("%w: a request of %d bytes: %w", ErrFormat, n, err)
	}
	return body.Bytes(), nil
}

// line reads a JSON request; empty lines are skipped.
func (f *File) line() ([]byte, error) {
	for {
		line, err := f.readLine()
		if err != nil {
			return nil, err
		}
		if line = bytes.TrimSpace(line); len(line) > 0 {
			return FromJSON(f.signal, line)
		}
	}
}

func (f *File) readLine() ([]byte, error) {
	var line []byte
	for {
		part, err := f.in.ReadSlice('\n')
		line = append(line, part...)
		switch {
		case len(line) > MaxMessageBytes:
			return nil, fmt.Errorf("%w: a line of more than %d bytes", ErrFormat, MaxMessageBytes)
		case err == io.EOF && len(line) > 0, err == nil:
			return line, nil
		case !errors.Is(err, bufio.ErrBufferFull):
			return nil, err
		}
	}
}

func isSpace(c byte) bool { return c == ' ' || c == '\t' || c == '\n' || c == '\r' }
