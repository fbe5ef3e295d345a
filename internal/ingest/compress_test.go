package ingest

import (
	"bytes"
	"io"
	"strings"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/encoding"
	"google.golang.org/protobuf/proto"

	tracepb "go.opentelemetry.io/proto/otlp/collector/trace/v1"
)

// The process knows gRPC's compressors by name: "broken" is for tests.
var _ = registerBroken()

func registerBroken() bool {
	encoding.RegisterCompressor(broken{})
	return true
}

// broken sends the first half of what gzip makes, as gzip.
type broken struct{ encoding.Compressor }

func (broken) Name() string { return "broken" }

type halving struct {
	out io.Writer
	gz  bytes.Buffer
	io.WriteCloser
}

func (broken) Compress(w io.Writer) (io.WriteCloser, error) {
	h := &halving{out: w}
	var err error
	h.WriteCloser, err = encoding.GetCompressor("gzip").Compress(&h.gz)
	return h, err
}

func (h *halving) Close() error {
	if err := h.WriteCloser.Close(); err != nil {
		return err
	}
	_, err := h.out.Write(h.gz.Bytes()[:h.gz.Len()/2])
	return err
}

func (broken) Decompress(r io.Reader) (io.Reader, error) {
	return encoding.GetCompressor("gzip").Decompress(r)
}

// Corrupt compression is INVALID_ARGUMENT, not INTERNAL.
func TestGRPCCorruptCompression(t *testing.T) {
	r := &recorder{}
	_, conn := start(t, r, Options{})
	s := span("01234567")
	s.Name = strings.Repeat("abc", 1000)
	_, err := tracepb.NewTraceServiceClient(conn).Export(t.Context(), traces(s), grpc.UseCompressor("broken"))
	checkStatus(t, err, codes.InvalidArgument, false)
	if len(r.taken()) != 0 {
		t.Error("something was stored")
	}
}

func TestGRPCCompressed(t *testing.T) {
	for _, name := range []string{"zstd", "snappy"} {
		r := &recorder{}
		_, conn := start(t, r, Options{MaxMessageBytes: 1 << 20})
		req := traces(span("01234567"))
		if _, err := tracepb.NewTraceServiceClient(conn).Export(t.Context(), req, grpc.UseCompressor(name)); err != nil {
			t.Fatal(name, err)
		}
		if body, err := proto.Marshal(req); err != nil || !bytes.Equal(r.taken()[0].Body, body) {
			t.Errorf("%s: %v, stored %x", name, err, r.taken()[0].Body)
		}
		large := span("01234567")
		large.Name = strings.Repeat("x", 64<<20)
		_, err := tracepb.NewTraceServiceClient(conn).Export(t.Context(), traces(large), grpc.UseCompressor(name))
		checkStatus(t, err, codes.ResourceExhausted, false)
	}
}

// Whatever follows the damage, what is read ends with the mark and no error.
func TestDecompressMarks(t *testing.T) {
	good := bytes.Repeat([]byte("some text, "), 500)
	for _, name := range []string{"gzip", "zstd", "snappy"} {
		z := compressed(t, strings.Replace(name, "snappy", "x-snappy-framed", 1), good)
		for i := range z {
			for _, bad := range [][]byte{z[:i], append(bytes.Clone(z[:i]), append([]byte{z[i] ^ 0xff}, z[i+1:]...)...)} {
				r, err := encoding.GetCompressor(name).Decompress(bytes.NewReader(bad))
				if err != nil {
					t.Fatal(err)
				}
				got, err := io.ReadAll(r)
				if err != nil {
					t.Fatal(err)
				}
				if !bytes.Equal(got, good) && !bytes.HasSuffix(got, corruptMark) && len(got) > 0 {
					t.Fatalf("%s, byte %d: %d bytes without a mark", name, i, len(got))
				}
				if err := r.(io.Closer).Close(); err != nil {
					t.Fatal(err)
				}
			}
		}
	}
}
