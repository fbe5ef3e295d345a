package ingest

import (
	"context"

	"google.golang.org/grpc"
	"google.golang.org/grpc/encoding"
)

// Codec is how a client sends requests as they are.
func Codec() encoding.CodecV2 { return newCodec() }

// Export sends an encoded request to an Export method as it is, and gives the
// encoded answer: empty for full success.
func Export(ctx context.Context, conn *grpc.ClientConn, method string, body []byte) ([]byte, error) {
	var answer rawBytes
	err := conn.Invoke(ctx, method, rawBytes(body), &answer, grpc.ForceCodecV2(Codec()))
	return answer, err
}
