package record

import (
	"errors"
	"fmt"

	"github.com/klauspost/compress/s2"
)

// ErrTooLarge says that a payload would exceed the reader's limit.
var ErrTooLarge = errors.New("record: payload too large")

// A Codec says how a payload is written.
type Codec uint8

// The codecs, as stored.
const (
	NoCodec    Codec = 0 // control records
	Protobuf   Codec = 1
	ProtobufS2 Codec = 2
	JSON       Codec = 3
	JSONS2     Codec = 4
)

// String names the codec.
func (c Codec) String() string {
	switch c {
	case NoCodec:
		return "none"
	case Protobuf:
		return "protobuf"
	case ProtobufS2:
		return "protobuf+s2"
	case JSON:
		return "json"
	case JSONS2:
		return "json+s2"
	}
	return fmt.Sprintf("codec(%d)", uint8(c))
}

// IsJSON says whether the decompressed payload is JSON.
func (c Codec) IsJSON() bool { return c == JSON || c == JSONS2 }

// Compress returns the payload for a record with the given codec. It returns
// raw itself where the codec does not compress.
func Compress(codec Codec, raw []byte) []byte {
	if codec == ProtobufS2 || codec == JSONS2 {
		return s2.Encode(nil, raw)
	}
	return raw
}

// Decompress undoes Compress. A result of more than limit bytes is refused
// before it is allocated.
func Decompress(h Header, payload []byte, limit int) ([]byte, error) {
	n := len(payload)
	compressed := h.Codec == ProtobufS2 || h.Codec == JSONS2
	if compressed {
		var err error
		if n, err = s2.DecodedLen(payload); err != nil {
			return nil, fmt.Errorf("decompress record %d: %w", h.LSN, err)
		}
	}
	if n > limit {
		return nil, fmt.Errorf("decompress record %d: %w: %d bytes, limit %d", h.LSN, ErrTooLarge, n, limit)
	}
	if !compressed {
		return payload, nil
	}
	raw, err := s2.Decode(nil, payload)
	if err != nil {
		return nil, fmt.Errorf("decompress record %d: %w", h.LSN, err)
	}
	return raw, nil
}
