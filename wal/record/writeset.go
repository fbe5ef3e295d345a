package record

import (
	"encoding/binary"
	"fmt"
)

// A WriteSetBody is the payload of a WriteSet record: what one transaction
// wrote. It is applied as a whole or not at all.
//
//	version   u8
//	rows      uvarint, then for each row of a keyed table
//	            table u8 · form u8 (0 put, 1 delete) · key · value (put only)
//	requests  uvarint, then for each request
//	            type u8 · codec u8 · mapping u16 · firstRow u64 · payload
//	deletes   uvarint, then for each list of rows
//	            type u8 · count uvarint · count numbers, each as a uvarint: the
//	            first, then how far each is behind the one before
//
// key, value and payload are each a uvarint length and as many bytes; other
// integers are little-endian. What receive time and source a request has is
// in the record's header, which has no codec and no first row of its own.
type WriteSetBody struct {
	Rows     []KeyedRow
	Requests []Part
	Deletes  []Deleted
}

// A KeyedRow is a row of a keyed table as it is after the transaction.
type KeyedRow struct {
	Table   uint8
	Key     []byte
	Value   []byte
	Deleted bool // there is no Value
}

// A Part is a request within a write set.
type Part struct {
	Type           Type
	Codec          Codec
	MappingVersion uint16
	FirstRow       uint64
	Payload        []byte
}

// Deleted is rows of the table of a type of requests, by their running numbers,
// ascending. Those that are not there any more are ignored.
type Deleted struct {
	Type Type
	Rows []uint64
}

// writeSetVersion is the version of the format above.
//
//	1: first version, without deletes.
//	2: deletes.
const writeSetVersion = 2

const (
	putForm    = 0
	deleteForm = 1
)

// Append encodes the write set.
func (w *WriteSetBody) Append(dst []byte) []byte {
	le := binary.LittleEndian
	dst = binary.AppendUvarint(append(dst, writeSetVersion), uint64(len(w.Rows)))
	for _, r := range w.Rows {
		if r.Deleted {
			dst = appendBytes(append(dst, r.Table, deleteForm), r.Key)
			continue
		}
		dst = appendBytes(appendBytes(append(dst, r.Table, putForm), r.Key), r.Value)
	}
	dst = binary.AppendUvarint(dst, uint64(len(w.Requests)))
	for _, p := range w.Requests {
		dst = le.AppendUint16(append(dst, byte(p.Type), byte(p.Codec)), p.MappingVersion)
		dst = appendBytes(le.AppendUint64(dst, p.FirstRow), p.Payload)
	}
	dst = binary.AppendUvarint(dst, uint64(len(w.Deletes)))
	for _, d := range w.Deletes {
		dst = binary.AppendUvarint(append(dst, byte(d.Type)), uint64(len(d.Rows)))
		last := uint64(0)
		for _, n := range d.Rows {
			dst = binary.AppendUvarint(dst, n-last)
			last = n
		}
	}
	return dst
}

func appendBytes(dst, b []byte) []byte {
	return append(binary.AppendUvarint(dst, uint64(len(b))), b...)
}

// DecodeWriteSet is the inverse of Append. What it gives refers to raw. The
// error is ErrInvalid.
func DecodeWriteSet(raw []byte) (w WriteSetBody, err error) {
	r := reader{rest: raw}
	version := r.byte()
	if version < 1 || version > writeSetVersion {
		return w, fmt.Errorf("%w: write set of version %d", ErrInvalid, version)
	}
	for n := r.count(); n > 0 && !r.bad; n-- {
		row := KeyedRow{Table: r.byte()}
		form := r.byte()
		row.Key, row.Deleted = r.bytes(), form == deleteForm
		if form == putForm {
			row.Value = r.bytes()
		}
		r.bad = r.bad || form > deleteForm
		w.Rows = append(w.Rows, row)
	}
	for n := r.count(); n > 0 && !r.bad; n-- {
		p := Part{Type: Type(r.byte()), Codec: Codec(r.byte())}
		fixed := r.take(10)
		if r.bad {
			break
		}
		p.MappingVersion, p.FirstRow = binary.LittleEndian.Uint16(fixed), binary.LittleEndian.Uint64(fixed[2:])
		p.Payload = r.bytes()
		r.bad = r.bad || p.Type < Traces || p.Type > Metrics || p.Codec == NoCodec || p.Codec > JSONS2
		w.Requests = append(w.Requests, p)
	}
	if version > 1 {
		w.Deletes = r.deletes()
	}
	if r.bad || len(r.rest) > 0 {
		return WriteSetBody{}, fmt.Errorf("%w: malformed write set", ErrInvalid)
	}
	return w, nil
}

func (r *reader) deletes() (list []Deleted) {
	for n := r.count(); n > 0 && !r.bad; n-- {
		d := Deleted{Type: Type(r.byte())}
		d.Rows = make([]uint64, r.count())
		last := uint64(0)
		for i := range d.Rows {
			gap, used := binary.Uvarint(r.rest)
			if used <= 0 || i > 0 && gap == 0 || last+gap < last {
				r.bad = true
				return nil
			}
			r.rest = r.rest[used:]
			last += gap
			d.Rows[i] = last
		}
		r.bad = r.bad || d.Type < Traces || d.Type > Metrics
		list = append(list, d)
	}
	return list
}

// A reader takes an encoding apart; bad is set once something is missing.
type reader struct {
	rest []byte
	bad  bool
}

func (r *reader) take(n int) []byte {
	if r.bad || n > len(r.rest) {
		r.bad = true
		return nil
	}
	b := r.rest[:n:n]
	r.rest = r.rest[n:]
	return b
}

func (r *reader) byte() byte {
	if b := r.take(1); b != nil {
		return b[0]
	}
	return 0
}

// count reads a number of things, each of which takes at least a byte.
func (r *reader) count() int {
	n, used := binary.Uvarint(r.rest)
	if r.bad || used <= 0 || n > uint64(len(r.rest)-used) {
		r.bad = true
		return 0
	}
	r.rest = r.rest[used:]
	return int(n)
}

func (r *reader) bytes() []byte { return r.take(r.count()) }
