package cold

import (
	"io"

	"github.com/cespare/xxhash/v2"
)

// A sink counts and hashes what it writes, through a buffer.
type sink struct {
	w    io.Writer
	buf  []byte
	size int64
	all  *xxhash.Digest
	tail *xxhash.Digest // of what was written since mark
	from int64          // where mark was called
	err  error
}

const sinkBuffer = 256 << 10

func newSink(w io.Writer) *sink {
	return &sink{w: w, buf: make([]byte, 0, sinkBuffer), all: xxhash.New(), tail: xxhash.New()}
}

func (s *sink) Write(p []byte) (int, error) {
	if len(s.buf)+len(p) > sinkBuffer {
		s.flush()
	}
	if s.err != nil {
		return 0, s.err
	}
	s.size += int64(len(p))
	if s.buf = append(s.buf, p...); len(s.buf) > sinkBuffer {
		s.flush()
	}
	return len(p), s.err
}

// Close lets the Parquet writer end the file; the destination is its owner's.
func (s *sink) Close() error {
	s.flush()
	return s.err
}

func (s *sink) flush() {
	if s.err == nil && len(s.buf) > 0 {
		_, _ = s.all.Write(s.buf)
		_, _ = s.tail.Write(s.buf)
		_, s.err = s.w.Write(s.buf)
	}
	s.buf = s.buf[:0]
}

func (s *sink) mark() {
	s.flush()
	s.tail.Reset()
	s.from = s.size
}
