package ingest

import (
	"google.golang.org/grpc/encoding"
	_ "google.golang.org/grpc/encoding/gzip" // accepts gzip
	_ "google.golang.org/grpc/encoding/proto"
	"google.golang.org/grpc"
	"google.golang.org/grpc/encoding"
	"google.golang.org/grpc/mem"
)

// A rawBody is a message as received, its own copy.
type rawBody []byte

// A codec leaves the bytes of an export as they are. gRPC forces it on every
// service, so that it gives all other messages to the codec for protobuf.
type codec struct {
	messages encoding.CodecV2
}

func newCodec() codec { return codec{encoding.GetCodecV2("proto")} }

// Name is that of the content type application/grpc+proto.
func (codec) Name() string { return "proto" }

// Marshal encodes an answer.
func (c codec) Marshal(v any) (mem.BufferSlice, error) { return c.messages.Marshal(v) }

// Unmarshal decodes a request.
func (c codec) Unmarshal(b mem.BufferSlice, v any) error {
	if raw, ok := v.(*rawBody); ok {
		*raw = b.Materialize()
		return nil
	}
	return c.messages.Unmarshal(b, v)
}

// Codec is how clients of this package send requests as they are.
func Codec() encoding.CodecV2 { return codec{} }

// Export sends an encoded request to an Export method and gives the encoded
// answer: empty for full success.
func Export(ctx context.Context, conn *grpc.ClientConn, method string, body []byte) ([]byte, error) {
	var answer rawBytes
	err := conn.Invoke(ctx, method, rawBytes(body), &answer)
	return answer, err
}
