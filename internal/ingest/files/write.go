package files

import (
	"bufio"
	"compress/gzip"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/klauspost/compress/zstd"

	"github.com/tael-sql/tael-sql/wal/record"
)

// A Writer writes requests into a new file, in the form that its name says:
// .json or .jsonl is a line of JSON each, anything else protobuf messages
// behind their lengths; .gz or .zst at the end compresses.
//
// The file has its name only once it is whole: until Commit it is called
// .partial.
type Writer struct {
	path   string
	signal record.Type
	lines  bool
	file   *os.File
	close  func() error // of the compressor
	out    *bufio.Writer
}

// Create begins a file. One that exists is an error.
func Create(path string, signal record.Type) (*Writer, error) {
	if _, err := os.Lstat(path); err == nil {
		return nil, fmt.Errorf("create %s: %w", path, os.ErrExist)
	}
	f, err := os.OpenFile(path+".partial", os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return nil, err
	}
	w := &Writer{path: path, signal: signal, file: f, close: func() error { return nil }}
	var out io.Writer = f
	name := path
	switch ext := filepath.Ext(path); ext {
	case ".gz":
		z := gzip.NewWriter(f)
		out, w.close, name = z, z.Close, strings.TrimSuffix(path, ext)
	case ".zst":
		z, err := zstd.NewWriter(f, zstd.WithEncoderConcurrency(1))
		if err != nil {
			return nil, errors.Join(err, f.Close())
		}
		out, w.close, name = z, z.Close, strings.TrimSuffix(path, ext)
	}
	w.lines = strings.HasSuffix(name, ".json") || strings.HasSuffix(name, ".jsonl")
	w.out = bufio.NewWriterSize(out, 64<<10)
	return w, nil
}

// Write adds a request in protobuf.
func (w *Writer) Write(body []byte) error {
	if w.lines {
		line, err := toJSON(w.signal, body)
		if err != nil {
			return err
		}
		_, err = w.out.Write(append(line, '\n'))
		return err
	}
	if len(body) > MaxMessageBytes {
		return fmt.Errorf("%w: a request of %d bytes", ErrFormat, len(body))
	}
	if _, err := w.out.Write(binary.BigEndian.AppendUint32(nil, uint32(len(body)))); err != nil {
		return err
	}
	_, err := w.out.Write(body)
	return err
}

// Commit ends the file and gives it its name.
func (w *Writer) Commit() error {
	if err := errors.Join(w.out.Flush(), w.close(), w.file.Sync(), w.file.Close()); err != nil {
		return err
	}
	return os.Rename(w.path+".partial", w.path)
}

// Abandon ends the file and removes what is there of it.
func (w *Writer) Abandon() {
	_ = errors.Join(w.close(), w.file.Close(), os.Remove(w.path+".partial")) // another error is being told
}
