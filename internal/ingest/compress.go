package ingest

import (
	"compress/gzip"
	"compress/zlib"
	"crypto/rand"
	"errors"
	"io"
	"sync"

	"github.com/klauspost/compress/snappy"
	"github.com/klauspost/compress/zstd"
	"google.golang.org/grpc/encoding"
	_ "google.golang.org/grpc/encoding/gzip" // registers its own before ours
)

// errCorrupt says that a body cannot be decompressed.
var errCorrupt = errors.New("the body is not what its compression says")

// maxWindowBytes bounds what a zstd frame makes its reader keep.
const maxWindowBytes = 8 << 20

// openers decompress, by the names that both transports use.
var openers = map[string]func(io.Reader) (io.ReadCloser, error){
	"gzip":            func(r io.Reader) (io.ReadCloser, error) { return gzip.NewReader(r) },
	"deflate":         zlib.NewReader,
	"zstd":            openZstd,
	"snappy":          openSnappy, // over gRPC; over HTTP also a block without frames
	"x-snappy-framed": openSnappy,
}

func openSnappy(r io.Reader) (io.ReadCloser, error) { return io.NopCloser(snappy.NewReader(r)), nil }

// snappyFramed is how a stream of snappy's frames begins, a block cannot
// (github.com/google/snappy/blob/main/framing_format.txt).
const snappyFramed = "\xff\x06\x00\x00sNaPpY"

var zstdDecoders = sync.Pool{New: func() any {
	d, err := zstd.NewReader(nil, zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(true), zstd.WithDecoderMaxWindow(maxWindowBytes))
	if err != nil {
		panic("BUG: options of zstd: " + err.Error())
	}
	return d
}}

// A zstdReader gives its decoder back when it is closed.
type zstdReader struct{ *zstd.Decoder }

func openZstd(r io.Reader) (io.ReadCloser, error) {
	d := zstdDecoders.Get().(*zstd.Decoder)
	if err := d.Reset(r); err != nil {
		return nil, err
	}
	return zstdReader{d}, nil
}

// Close implements io.Closer.
func (z zstdReader) Close() error {
	if err := z.Reset(nil); err != nil {
		return err
	}
	zstdDecoders.Put(z.Decoder)
	return nil
}

// gRPC knows compressors by name, for the whole process.
var _ = registerCompressors()

func registerCompressors() bool {
	encoding.RegisterCompressor(grpcCompressor{"gzip", func(w io.Writer) (io.WriteCloser, error) { return gzip.NewWriter(w), nil }})
	encoding.RegisterCompressor(grpcCompressor{"zstd", func(w io.Writer) (io.WriteCloser, error) {
		return zstd.NewWriter(w, zstd.WithEncoderConcurrency(1), zstd.WithWindowSize(maxWindowBytes))
	}})
	encoding.RegisterCompressor(grpcCompressor{"snappy", func(w io.Writer) (io.WriteCloser, error) { return snappy.NewBufferedWriter(w), nil }})
	return true
}

// A grpcCompressor never fails to decompress: gRPC would answer INTERNAL before
// any handler could. Instead the message ends with corruptMark.
type grpcCompressor struct {
	name     string
	compress func(io.Writer) (io.WriteCloser, error)
}

// Name implements encoding.Compressor.
func (c grpcCompressor) Name() string { return c.name }

// Compress implements encoding.Compressor.
func (c grpcCompressor) Compress(w io.Writer) (io.WriteCloser, error) { return c.compress(w) }

// Decompress implements encoding.Compressor.
func (c grpcCompressor) Decompress(r io.Reader) (io.Reader, error) {
	z, err := openers[c.name](r)
	if err != nil {
		return &markedReader{mark: corruptMark}, nil
	}
	return &markedReader{in: z}, nil
}

// corruptMark ends what could not be decompressed. Nobody can guess it.
var corruptMark = []byte(rand.Text() + rand.Text())

// A markedReader reads the mark where in fails.
type markedReader struct {
	in   io.ReadCloser // nil: closed, or failed to open
	mark []byte        // what is left of it; nil: in has not failed
}

func (r *markedReader) Read(p []byte) (int, error) {
	if r.mark == nil {
		n, err := r.in.Read(p)
		if err == nil || err == io.EOF {
			return n, err
		}
		r.mark = corruptMark
		return n, nil
	}
	n := copy(p, r.mark)
	if r.mark = r.mark[n:]; n == 0 && len(p) > 0 {
		return 0, io.EOF
	}
	return n, nil
}

// Close implements io.Closer.
func (r *markedReader) Close() error {
	if r.in != nil {
		_ = r.in.Close() // the mark has told of all errors
		r.in = nil
	}
	return nil
}
