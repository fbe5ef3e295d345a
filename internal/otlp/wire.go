package otlp

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math"
	"strings"
	"unicode/utf8"

	"github.com/VictoriaMetrics/easyproto"
)

// A message reads the fields of one protobuf message. Once bad is set, it was
// malformed and next ends. Texts and bytes alias the message.
type message struct {
	field easyproto.FieldContext
	rest  []byte
	bad   bool
}

func (m *message) next() bool {
	if len(m.rest) == 0 || m.bad {
		return false
	}
	rest, err := m.field.NextField(m.rest)
	if err != nil || m.field.FieldNum == 0 {
		m.bad = true
		return false
	}
	m.rest = rest
	return true
}

func (m *message) err() error {
	if m.bad {
		return ErrMalformed
	}
	return nil
}

func (m *message) num() uint32 { return m.field.FieldNum }

func (m *message) text() string {
	s, ok := m.field.String()
	m.bad = m.bad || !ok
	return s
}

func (m *message) bytes() []byte {
	b, ok := m.field.MessageData()
	m.bad = m.bad || !ok
	return b
}

func (m *message) varint() uint64 {
	v, ok := m.field.Uint64()
	m.bad = m.bad || !ok
	return v
}

// uint32 reads a varint as protobuf does: higher bits are cut off.
func (m *message) uint32() int64 { return int64(uint32(m.varint())) }

// int32 reads a varint of an enum or an int32.
func (m *message) int32() int32 { return int32(m.varint()) }

// sint32 reads a zigzag varint.
func (m *message) sint32() int64 {
	v := uint32(m.varint())
	return int64(int32(v>>1) ^ -int32(v&1))
}

func (m *message) fixed64() uint64 {
	v, ok := m.field.Fixed64()
	m.bad = m.bad || !ok
	return v
}

func (m *message) double() float64 { return math.Float64frombits(m.fixed64()) }

func (m *message) fixed32() int64 {
	v, ok := m.field.Fixed32()
	m.bad = m.bad || !ok
	return int64(v)
}

// fields calls do with the bytes of every field num of message b.
func fields(b []byte, num uint32, do func([]byte) error) error {
	m := message{rest: b}
	for m.next() {
		if m.num() != num {
			continue
		}
		sub := m.bytes()
		if m.bad {
			break
		}
		if err := do(sub); err != nil {
			return err
		}
	}
	return m.err()
}

// count gives the number of messages at the end of a path of field numbers.
// Malformed parts count for nothing: who reads them later says so.
func count(b []byte, path ...uint32) int {
	n := 0
	m := message{rest: b}
	for m.next() {
		if m.num() != path[0] {
			continue
		}
		if len(path) == 1 {
			n++
		} else if sub, ok := m.field.MessageData(); ok {
			n += count(sub, path[1:]...)
		}
	}
	return n
}

// A rejection says why an item cannot be a row.
type rejection string

func (r rejection) Error() string { return string(r) }

func rejectf(format string, args ...any) error { return rejection(fmt.Sprintf(format, args...)) }

// clean gives a text that PostgreSQL can hold; ok is false when it had to be
// changed.
func clean(s string) (text string, ok bool) {
	if utf8.ValidString(s) && strings.IndexByte(s, 0) < 0 {
		return s, true
	}
	return strings.ReplaceAll(strings.ToValidUTF8(s, "\uFFFD"), "\x00", "\uFFFD"), false
}

// nanos checks a time.
func nanos(t uint64, what string) (int64, error) {
	if t > math.MaxInt64 {
		return 0, rejectf("%s %d is beyond the largest time of 2262", what, t)
	}
	return int64(t), nil
}

// identifier checks an id of width bytes. Empty and zero ids give nil.
func identifier(id []byte, width int, what string) ([]byte, error) {
	if len(id) != width && len(id) != 0 {
		return nil, rejectf("%s has %d bytes, not %d", what, len(id), width)
	}
	if len(bytes.TrimLeft(id, "\x00")) == 0 {
		return nil, nil
	}
	return id, nil
}

// The writing side: what protobuf calls wire types.
const (
	wireVarint  = 0
	wireFixed64 = 1
	wireBytes   = 2
	wireFixed32 = 5
)

func appendTag(dst []byte, num, wire uint64) []byte {
	return binary.AppendUvarint(dst, num<<3|wire)
}

func appendBytes[T string | []byte](dst []byte, num uint64, b T) []byte {
	dst = binary.AppendUvarint(appendTag(dst, num, wireBytes), uint64(len(b)))
	return append(dst, b...)
}

func appendVarint(dst []byte, num, v uint64) []byte {
	return binary.AppendUvarint(appendTag(dst, num, wireVarint), v)
}
