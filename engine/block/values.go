package block

import (
	"encoding/binary"
	"math/bits"

	"github.com/cespare/xxhash/v2"
	"github.com/cockroachdb/apd/v3"

	"github.com/tael-sql/tael-sql/internal/pgtypes"
	"github.com/tael-sql/tael-sql/internal/vector"
)

// appendBools appends truth values.
func appendBools(dst []byte, values []bool) (encoding, []byte) {
	bitmap, some, all := make([]byte, (len(values)+7)/8), false, true
	for i, v := range values {
		some, all = some || v, all && v
		if v {
			bitmap[i>>3] |= 1 << (i & 7)
		}
	}
	switch {
	case all:
		return encConstant, append(dst, 1)
	case !some:
		return encConstant, append(dst, 0)
	}
	return encPlain, append(dst, bitmap...)
}

func (r *reader) bools(enc encoding, n int) []bool {
	out := make([]bool, n)
	switch enc {
	case encConstant:
		if r.byte() == 1 {
			for i := range out {
				out[i] = true
			}
		}
	case encPlain:
		for w, word := range readBitmap(r, n) {
			for ; word != 0; word &= word - 1 {
				out[64*w+bits.TrailingZeros64(word)] = true
			}
		}
	default:
		r.fail()
	}
	return out
}

// idHash is the hash of an id: of 8 bytes these.
func idHash(id []byte) uint64 {
	if len(id) == 8 {
		return binary.LittleEndian.Uint64(id)
	}
	return xxhash.Sum64(id)
}

// appendHex appends values of width bytes that stand one after the other.
func appendHex(dst, raw []byte, width int) (encoding, []byte) {
	n := len(raw) / width
	seen := newCodeTable(256)
	codes := make([]uint32, n)
	var dict []byte
	for i := range n {
		v := raw[i*width : (i+1)*width]
		code := seen.code(idHash(v))
		switch at := int(code) * width; {
		case at == len(dict):
			dict = append(dict, v...)
		case string(dict[at:at+width]) != string(v): // two ids with one hash
			return encPlain, append(dst, raw...)
		}
		codes[i] = code
		if i >= 512 && len(seen.keys) > i-i/8 { // nearly all differ
			return encPlain, append(dst, raw...)
		}
	}
	switch count := len(seen.keys); {
	case count == 1:
		return encConstant, append(dst, dict...)
	case len(dict)+n*widthOf(uint64(count))/8 < len(raw):
		dst = append(binary.AppendUvarint(dst, uint64(count)), dict...)
		return encDictionary, appendCodes(dst, codes, count)
	}
	return encPlain, append(dst, raw...)
}

// hex reads the values of a Hex chunk.
func (b *Block) hex(c chunk, r *reader, width int, valid vector.Bitmap) ([]byte, error) {
	n := c.count
	switch c.encoding {
	case encPlain:
		return r.bytes(n * width), nil
	case encReference:
		return b.reference(c, r, width, valid)
	}
	count, codes := 1, []uint32(nil)
	if c.encoding == encDictionary {
		count = r.int(n)
	} else if c.encoding != encConstant {
		return nil, corrupt("encoding of column %q", c.name)
	}
	dict := r.bytes(count * width)
	if c.encoding == encConstant {
		codes = make([]uint32, n)
	} else {
		codes = r.codes(n, count)
	}
	if r.bad {
		return nil, r.err(c)
	}
	out := make([]byte, n*width)
	le := binary.LittleEndian
	switch width {
	case 8:
		for i, code := range codes {
			le.PutUint64(out[8*i:], le.Uint64(dict[8*code:]))
		}
	case 16:
		for i, code := range codes {
			to, from := out[16*i:16*i+16], dict[16*code:16*code+16]
			le.PutUint64(to, le.Uint64(from))
			le.PutUint64(to[8:], le.Uint64(from[8:]))
		}
	default:
		for i, code := range codes {
			copy(out[i*width:(i+1)*width], dict[int(code)*width:])
		}
	}
	return out, nil
}

// reference reads ids of which most are those of rows of the block.
func (b *Block) reference(c chunk, r *reader, width int, valid vector.Bitmap) ([]byte, error) {
	target, err := b.base(r.text(), vector.Hex, width)
	if err != nil {
		return nil, err
	}
	relative := r.byte() == 1
	rows := r.nested(c.count)
	out := make([]byte, c.count*width)
	own := int64(-1)
	for i, row := range rows {
		for own++; valid != nil && own < int64(b.rows) && !valid.Get(int(own)); own++ {
		}
		if row == 0 {
			if id := r.bytes(width); id != nil {
				copy(out[i*width:], id)
			}
			continue
		}
		if row--; relative {
			row = own - (int64(uint64(row)>>1) ^ -(row & 1))
		}
		if row < 0 || row >= int64(b.rows) {
			return nil, corrupt("column %q refers to row %d", c.name, row)
		}
		if width == 8 {
			binary.NativeEndian.PutUint64(out[8*i:], binary.NativeEndian.Uint64(target.Raw[8*row:]))
		} else {
			copy(out[i*width:(i+1)*width], target.HexBytes(int(row)))
		}
	}
	return out, r.err(c)
}

// maxElements bounds the elements of arrays, since equal ones take no space.
const maxElements = 1 << 22

// The element types of arrays.
const (
	elemInt8   = 1
	elemFloat8 = 2
)

// appendAnys appends values in the form of package pgtypes: the distinct ones,
// and which each is.
func appendAnys(dst []byte, values []any) (encoding, []byte, error) {
	seen := make(map[string]uint32)
	codes := make([]uint32, len(values))
	var texts []string
	var dict []any
	var buf []byte
	for i, v := range values {
		var err error
		if buf, err = AppendAny(buf[:0], v); err != nil {
			return 0, nil, err
		}
		code, known := seen[string(buf)]
		if !known {
			code = uint32(len(dict))
			text := string(buf)
			seen[text] = code
			texts, dict = append(texts, text), append(dict, v)
		}
		codes[i] = code
	}
	dst = binary.AppendUvarint(dst, uint64(len(dict)))
	if elem := elementOf(dict); elem != 0 {
		return encArrays, appendCodes(appendArrays(append(dst, elem), elem, dict), codes, len(dict)), nil
	}
	return encAny, appendCodes(appendTexts(dst, texts), codes, len(dict)), nil
}

// AppendAny appends a value of an Any column: the OID of its type, then
// PostgreSQL's binary form.
func AppendAny(dst []byte, v any) ([]byte, error) {
	oid, ok := oidOf(v)
	if !ok {
		return dst, corrupt("a value of type %T cannot be stored", v)
	}
	return pgtypes.AppendBinary(binary.BigEndian.AppendUint32(dst, uint32(oid)), pgtypes.Of(oid), v)
}

// oidOf gives the type whose binary form brings a value back.
func oidOf(v any) (pgtypes.OID, bool) {
	switch v := v.(type) {
	case *pgtypes.Array:
		oid := pgtypes.ArrayOf(v.Elem)
		return oid, oid != 0
	case []byte:
		return pgtypes.Bytea, true
	case *apd.Decimal:
		return pgtypes.Numeric, true
	case pgtypes.Interval:
		return pgtypes.IntervalOID, true
	case pgtypes.TimeTZ:
		return pgtypes.Timetz, true
	case pgtypes.UUID:
		return pgtypes.UUIDOID, true
	}
	return 0, false
}

// elementOf gives the element type if all values are plain arrays of one of
// the two that have an encoding of their own, else 0.
func elementOf(values []any) byte {
	elem, total := byte(0), 0
	for _, v := range values {
		a, ok := v.(*pgtypes.Array)
		if !ok || len(a.Dims) > 1 || len(a.Dims) == 1 && (a.Dims[0].Lower != 1 || a.Dims[0].Len == 0) {
			return 0
		}
		this := byte(0)
		switch a.Elem {
		case pgtypes.Int8:
			this = elemInt8
		case pgtypes.Float8:
			this = elemFloat8
		}
		if this == 0 || elem != 0 && this != elem {
			return 0
		}
		elem = this
		if total += len(a.Elems); total > maxElements {
			return 0
		}
		for _, x := range a.Elems {
			if x == nil {
				return 0
			}
		}
	}
	return elem
}

func appendArrays(dst []byte, elem byte, arrays []any) []byte {
	lengths := make([]int64, len(arrays))
	var ints []int64
	var floats []float64
	for i, v := range arrays {
		elems := v.(*pgtypes.Array).Elems
		lengths[i] = int64(len(elems))
		for _, x := range elems {
			if elem == elemInt8 {
				ints = append(ints, x.(int64))
			} else {
				floats = append(floats, x.(float64))
			}
		}
	}
	dst = appendNested(dst, lengths)
	if elem == elemInt8 {
		return appendNested(dst, ints)
	}
	at := len(dst)
	enc, dst := appendFloats(append(dst, 0), floats)
	dst[at] = byte(enc)
	return dst
}

// anys reads n values that appendAnys wrote. Equal values are the same.
func (r *reader) anys(enc encoding, n int) []any {
	count := r.int(n)
	dict := make([]any, count)
	switch enc {
	case encArrays:
		r.arrays(dict)
	case encAny:
		for i, text := range r.texts(count) {
			if len(text) < 4 {
				r.fail()
				break
			}
			oid := pgtypes.OID(binary.BigEndian.Uint32([]byte(text[:4])))
			v, err := pgtypes.DecodeBinary(pgtypes.Of(oid), []byte(text[4:]))
			if err != nil {
				r.fail()
				break
			}
			dict[i] = v
		}
	default:
		r.fail()
	}
	out := make([]any, n)
	for i, code := range r.codes(n, count) {
		if !r.bad {
			out[i] = dict[code]
		}
	}
	return out
}

func (r *reader) arrays(out []any) {
	elem := r.byte()
	lengths, total := r.nested(len(out)), int64(0)
	for _, l := range lengths {
		if l < 0 || l > maxElements {
			r.fail()
			return
		}
		total += l
	}
	if total > maxElements {
		r.fail()
		return
	}
	elems := make([]any, total)
	oid := pgtypes.Int8
	if elem == elemInt8 {
		for i, v := range r.nested(int(total)) {
			elems[i] = v
		}
	} else {
		oid = pgtypes.Float8
		for i, v := range r.floats(encoding(r.byte()), int(total)) {
			elems[i] = v
		}
	}
	for i, l := range lengths {
		out[i] = pgtypes.NewArray(oid, elems[:l:l])
		elems = elems[l:]
	}
}
