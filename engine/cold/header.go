package cold

import "encoding/binary"

// A pageHeader is what stands before a page, in Thrift's compact protocol.
type pageHeader struct {
	typ          int32 // 0 a data page, 2 a dictionary
	uncompressed int32
	compressed   int32
	values       int32 // NULLs and, in nested columns, empty rows included
	encoding     int32
	size         int // of the header itself
}

const (
	dataPage       = 0
	dictionaryPage = 2
)

// The types of Thrift's compact protocol that page headers have.
const (
	thriftTrue   = 1
	thriftFalse  = 2
	thriftByte   = 3
	thriftInt64  = 6
	thriftDouble = 7
	thriftBinary = 8
	thriftStruct = 12
)

// thrift reads the compact protocol; bad is set at the first thing that cannot
// be.
type thrift struct {
	buf []byte
	at  int
	bad bool
}

func (t *thrift) byte() byte {
	if t.at >= len(t.buf) {
		t.bad = true
		return 0
	}
	t.at++
	return t.buf[t.at-1]
}

func (t *thrift) varint() int64 {
	v, n := binary.Varint(t.buf[t.at:]) // zigzag
	if n <= 0 {
		t.bad = true
		return 0
	}
	t.at += n
	return v
}

// fields calls each with the number and type of the fields of a struct; it must
// read the value.
func (t *thrift) fields(each func(id int, typ byte)) {
	id := 0
	for !t.bad {
		b := t.byte()
		if b == 0 {
			return
		}
		if delta := int(b >> 4); delta != 0 {
			id += delta
		} else {
			id = int(t.varint())
		}
		each(id, b&15)
	}
}

// skip reads over a value.
func (t *thrift) skip(typ byte) {
	switch typ {
	case thriftTrue, thriftFalse:
	case thriftByte:
		t.byte()
	case 4, 5, thriftInt64:
		t.varint()
	case thriftDouble:
		t.at += 8
	case thriftBinary:
		n, size := binary.Uvarint(t.buf[t.at:])
		if size <= 0 || n > uint64(len(t.buf)-t.at-size) {
			t.bad = true
			return
		}
		t.at += size + int(n)
	default:
		t.bad = true
	}
}

func (t *thrift) int32() int32 { return int32(t.varint()) }

// parseHeader reads the header at the beginning of buf.
func parseHeader(buf []byte) (h pageHeader, ok bool) {
	t := &thrift{buf: buf}
	h.typ = -1
	body := func(id int, typ byte) {
		switch id {
		case 1:
			h.values = t.int32()
		case 2:
			h.encoding = t.int32()
		default:
			t.skip(typ)
		}
	}
	t.fields(func(id int, typ byte) {
		switch {
		case id == 1:
			h.typ = t.int32()
		case id == 2:
			h.uncompressed = t.int32()
		case id == 3:
			h.compressed = t.int32()
		case typ == thriftStruct && (id == 5 && h.typ == dataPage || id == 7 && h.typ == dictionaryPage):
			t.fields(body)
		default:
			t.skip(typ)
		}
	})
	h.size = t.at
	return h, !t.bad && h.uncompressed >= 0 && h.compressed >= 0 && h.values >= 0
}
