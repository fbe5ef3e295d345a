package record

import (
	"bytes"
	"encoding/hex"
	"errors"
	"flag"
	"os"
	"strings"
	"testing"
)

var rewrite = flag.Bool("rewrite", false, "rewrite the golden file, which must stay readable for ever")

func sample() Header {
	return Header{
		LSN: 0x1112131415161718, Durable: 0x0102030405060708, FirstRow: 0x2122232425262728,
		ReceiveNanos: -2, Hash: [16]byte{0xa0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 0xaf},
		Epoch: 0x31323334, MappingVersion: 0x4142, Type: Metrics, Codec: JSONS2, Source: SQL,
	}
}

// The golden file holds records of version 1 in segment 7.
func TestGolden(t *testing.T) {
	const name = "testdata/v1.hex"
	h := sample()
	b := Append(nil, 7, h, []byte("payload"))
	b = Append(b, 7, Header{LSN: 9, Durable: 9, Type: Control}, nil)
	b = Append(b, 7, Header{LSN: 10, Durable: 9, Type: Traces, Codec: Protobuf, Source: OTLPGRPC}, bytes.Repeat([]byte{0xff}, 63))
	if *rewrite {
		if err := os.WriteFile(name, []byte(hexLines(b)), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	golden, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	if string(golden) != hexLines(b) {
		t.Fatalf("the encoding changed without a new version:\n%s", hexLines(b))
	}
	buf, err := hex.DecodeString(strings.Join(strings.Fields(string(golden)), ""))
	if err != nil {
		t.Fatal(err)
	}
	got, payload, n, err := Decode(7, buf)
	if err != nil || got != h || string(payload) != "payload" || n != 128 {
		t.Fatalf("%+v %q %d %v", got, payload, n, err)
	}
	if got, _, n, err = Decode(7, buf[128:]); err != nil || got.Type != Control || n != 128 {
		t.Fatalf("%+v %d %v", got, n, err)
	}
	if got, payload, n, err = Decode(7, buf[256:]); err != nil || got.Source != OTLPGRPC || len(payload) != 63 || n != 128 {
		t.Fatalf("%+v %d %v", got, n, err)
	}
}

func hexLines(b []byte) string {
	var s strings.Builder
	for ; len(b) > 0; b = b[16:] {
		s.WriteString(hex.EncodeToString(b[:16]))
		s.WriteByte('\n')
	}
	return s.String()
}

// Every bit counts, except those of the padding; so does the segment.
func TestBitFlips(t *testing.T) {
	payload := []byte("some bytes")
	b := Append(nil, 3, sample(), payload)
	for bit := range len(b) * 8 {
		b[bit/8] ^= 1 << (bit % 8)
		_, _, _, err := Decode(3, b)
		if padding := bit/8 >= HeaderBytes+len(payload); (err == nil) != padding {
			t.Errorf("flip of bit %d: %v", bit, err)
		}
		b[bit/8] ^= 1 << (bit % 8)
	}
	if _, _, _, err := Decode(4, b); !errors.Is(err, ErrInvalid) {
		t.Errorf("segment 4 accepts a record of segment 3: %v", err)
	}
	for n := range len(b) {
		if _, _, _, err := Decode(3, b[:n]); !errors.Is(err, ErrInvalid) {
			t.Errorf("%d of %d bytes: %v", n, len(b), err)
		}
	}
}

func FuzzDecode(f *testing.F) {
	f.Add(uint64(3), Append(nil, 3, sample(), []byte("some bytes")))
	f.Add(uint64(0), make([]byte, 128))
	f.Add(uint64(1), Append(nil, 1, Header{Type: Control}, nil))
	f.Fuzz(func(t *testing.T, segment uint64, b []byte) {
		h, payload, n, err := Decode(segment, b)
		if err != nil {
			return
		}
		if n > len(b) || n != Size(len(payload)) {
			t.Fatalf("size %d of %d bytes, payload %d", n, len(b), len(payload))
		}
		again := Append(nil, segment, h, payload)
		if !bytes.Equal(again[:HeaderBytes+len(payload)], b[:HeaderBytes+len(payload)]) {
			t.Fatal("another encoding of the same record")
		}
	})
}

// FuzzRoundTrip also reaches what the checksum hides from FuzzDecode.
func FuzzRoundTrip(f *testing.F) {
	f.Add(uint64(1), uint64(2), uint8(1), uint8(2), uint8(3), []byte("x"))
	f.Fuzz(func(t *testing.T, segment, lsn uint64, typ, codec, source uint8, payload []byte) {
		h := Header{LSN: lsn, Durable: lsn / 2, Type: Type(typ), Codec: Codec(codec), Source: Source(source)}
		b := Append(make([]byte, Align), segment, h, payload)[Align:]
		got, p, n, err := Decode(segment, b)
		if valid := typ >= 1 && typ <= 5 && codec <= 4 && source <= 4; (err == nil) != valid {
			t.Fatalf("%+v: %v", h, err)
		}
		if err == nil && (got != h || !bytes.Equal(p, payload) || n != len(b)) {
			t.Fatalf("%+v, want %+v", got, h)
		}
	})
}

func TestCompress(t *testing.T) {
	raw := bytes.Repeat([]byte("tael "), 1000)
	for _, codec := range []Codec{Protobuf, ProtobufS2, JSON, JSONS2} {
		compressed := codec == ProtobufS2 || codec == JSONS2
		h := Header{LSN: 5, Codec: codec}
		b := Compress(codec, raw)
		if (len(b) < len(raw)) != compressed {
			t.Errorf("%v: %d bytes", codec, len(b))
		}
		got, err := Decompress(h, b, len(raw))
		if err != nil || !bytes.Equal(got, raw) {
			t.Errorf("%v: %v", codec, err)
		}
		if _, err := Decompress(h, b, len(raw)-1); !errors.Is(err, ErrTooLarge) {
			t.Errorf("%v over the limit: %v", codec, err)
		}
		if codec.IsJSON() != strings.HasPrefix(codec.String(), "json") {
			t.Errorf("%v: IsJSON", codec)
		}
		if compressed {
			if _, err := Decompress(h, b[:len(b)-1], len(raw)); err == nil {
				t.Errorf("%v: a shortened payload is accepted", codec)
			}
		}
	}
}
