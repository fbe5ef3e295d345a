package ingest

import (
	"google.golang.org/grpc/encoding"
	_ "google.golang.org/grpc/encoding/proto"
	"google.golang.org/grpc/mem"
)

// rawBytes is an encoded message: as received, its own copy.
type rawBytes []byte

// A codec leaves the bytes of an export as they are. gRPC forces it on every
// service, so that it gives all other messages to the codec for protobuf.
type codec struct {
	messages encoding.CodecV2
}

func newCodec() codec { return codec{encoding.GetCodecV2("proto")} }

// Name is that of the content type application/grpc+proto.
func (codec) Name() string { return "proto" }

// Marshal encodes a message to send.
func (c codec) Marshal(v any) (mem.BufferSlice, error) {
	if raw, ok := v.(rawBytes); ok {
		return mem.BufferSlice{mem.SliceBuffer(raw)}, nil
	}
	return c.messages.Marshal(v)
}

// Unmarshal decodes a message received.
func (c codec) Unmarshal(b mem.BufferSlice, v any) error {
	if raw, ok := v.(*rawBytes); ok {
		*raw = b.Materialize()
		return nil
	}
	return c.messages.Unmarshal(b, v)
}
