package block

import (
	"encoding/binary"
	"hash/crc32"
	"math"
	"slices"
	"strings"

	"github.com/pierrec/lz4/v4"

	"github.com/tael-sql/tael-sql/internal/pgtypes"
	"github.com/tael-sql/tael-sql/internal/vector"
)

// A Pick is one row of a block to be: its place among the sources.
type Pick struct{ Source, Row uint32 }

// Encode writes picked rows of the sources, in the order of picks, as one
// block, with each row's running number within the table and the LSN of its
// record. The output depends on nothing else.
func Encode(schema *vector.Schema, sources []*vector.Rows, picks []Pick, rowNumbers, lsns []uint64) ([]byte, error) {
	if len(picks) > MaxRows {
		return nil, corrupt("%d rows are more than a block holds", len(picks))
	}
	e := &encoder{sources: sources, picks: picks}
	for i, f := range schema.Fields {
		if err := e.field(i, f); err != nil {
			return nil, err
		}
	}
	numbers, records := make([]int64, len(picks)), make([]int64, len(picks))
	for i := range picks {
		numbers[i], records[i] = int64(rowNumbers[i]), int64(lsns[i])
	}
	e.ints(rowNumberName, numbers, nil)
	e.ints(lsnName, records, nil)
	return e.finish(), nil
}

type encoder struct {
	sources []*vector.Rows
	picks   []Pick
	chunks  []chunk
	data    []byte
	lz4     lz4.Compressor
}

// add compresses a chunk if that pays, and enters it.
func (e *encoder) add(name string, kind vector.Kind, enc encoding, raw []byte) {
	stored := raw
	if len(raw) >= 64 {
		buf := make([]byte, lz4.CompressBlockBound(len(raw)))
		// A compressed chunk must be shorter, since equal lengths mean plain.
		if n, err := e.lz4.CompressBlock(raw, buf); err == nil && n > 0 && n < len(raw)-len(raw)/16 {
			stored = buf[:n]
		}
	}
	e.chunks = append(e.chunks, chunk{
		name: name, kind: kind, encoding: enc, offset: len(e.data),
		stored: len(stored), raw: len(raw), crc: crc32.Checksum(stored, castagnoli),
	})
	e.data = append(e.data, stored...)
}

func (e *encoder) finish() []byte {
	var dir []byte
	for _, c := range e.chunks {
		dir = binary.AppendUvarint(dir, uint64(len(c.name)))
		dir = append(dir, c.name...)
		dir = append(dir, byte(c.kind), byte(c.encoding))
		dir = binary.AppendUvarint(dir, uint64(c.offset))
		dir = binary.AppendUvarint(dir, uint64(c.stored))
		dir = binary.AppendUvarint(dir, uint64(c.raw))
		dir = binary.LittleEndian.AppendUint32(dir, c.crc)
	}
	out := make([]byte, 0, headerSize+len(dir)+len(e.data)+padding)
	out = append(out, magic...)
	out = binary.LittleEndian.AppendUint32(out, uint32(len(e.picks)))
	out = binary.LittleEndian.AppendUint32(out, uint32(len(e.chunks)))
	out = binary.LittleEndian.AppendUint32(out, uint32(len(dir)))
	crc := crc32.Update(crc32.Checksum(out, castagnoli), castagnoli, dir)
	out = binary.LittleEndian.AppendUint32(out, crc)
	out = append(append(out, dir...), e.data...)
	return append(out, make([]byte, padding)...)
}

// column gives the source column of a pick.
func (e *encoder) column(field int, p Pick) *vector.Column { return e.sources[p.Source].Cols[field] }

// valid gives which rows are not NULL, nil if all are.
func (e *encoder) valid(field int) vector.Bitmap {
	var valid vector.Bitmap
	for i, p := range e.picks {
		if e.column(field, p).IsNull(int(p.Row)) {
			if valid == nil {
				valid = vector.Ones(len(e.picks))
			}
			valid.Clear(i)
		}
	}
	return valid
}

// start begins a chunk with its validity bitmap.
func (e *encoder) start(valid vector.Bitmap) []byte {
	if valid == nil {
		return []byte{0}
	}
	out := []byte{1}
	var word [8]byte
	for _, w := range valid {
		binary.LittleEndian.PutUint64(word[:], w)
		out = append(out, word[:]...)
	}
	return out[:1+(len(e.picks)+7)/8]
}

func (e *encoder) field(i int, f vector.Field) error {
	if f.Kind == vector.Map {
		e.attributes(i, f.Name)
		return nil
	}
	valid := e.valid(i)
	if valid != nil && valid.Count() == 0 {
		e.add(f.Name, f.Kind, encAbsent, nil)
		return nil
	}
	switch f.Kind {
	case vector.Bool:
		e.bools(i, f.Name, valid)
	case vector.Int64:
		values := make([]int64, len(e.picks))
		for k, p := range e.picks {
			values[k] = e.column(i, p).Ints[p.Row]
		}
		e.ints(f.Name, values, valid)
	case vector.Float:
		e.floats(i, f.Name, valid)
	case vector.String:
		values := make([]string, len(e.picks))
		for k, p := range e.picks {
			if c := e.column(i, p); !c.IsNull(int(p.Row)) {
				values[k] = c.Str(int(p.Row))
			}
		}
		e.strings(f.Name, values, valid)
	case vector.Hex:
		e.hex(i, f, valid)
	default:
		return e.anys(i, f.Name, valid)
	}
	return nil
}

func (e *encoder) bools(field int, name string, valid vector.Bitmap) {
	out := e.start(valid)
	bits := make([]byte, (len(e.picks)+7)/8)
	for k, p := range e.picks {
		if e.column(field, p).Bools[p.Row] {
			bits[k>>3] |= 1 << (k & 7)
		}
	}
	e.add(name, vector.Bool, encBits, append(out, bits...))
}

// ints packs integers as their distance from the least. NULL rows take the
// least value, so that they widen nothing.
func (e *encoder) ints(name string, values []int64, valid vector.Bitmap) {
	least, most := int64(math.MaxInt64), int64(math.MinInt64)
	for k, v := range values {
		if valid == nil || valid.Get(k) {
			least, most = min(least, v), max(most, v)
		}
	}
	out := e.start(valid)
	if len(values) == 0 {
		least, most = 0, 0
	}
	if least == most {
		e.add(name, vector.Int64, encConstant, binary.LittleEndian.AppendUint64(out, uint64(least)))
		return
	}
	width := widthOf(uint64(most) - uint64(least))
	packed := make([]uint64, len(values))
	for k, v := range values {
		if valid == nil || valid.Get(k) {
			packed[k] = uint64(v) - uint64(least)
		}
	}
	out = binary.LittleEndian.AppendUint64(out, uint64(least))
	out = append(out, byte(width))
	e.add(name, vector.Int64, encPacked, appendPacked(out, packed, width))
}

func (e *encoder) floats(field int, name string, valid vector.Bitmap) {
	out := e.start(valid)
	constant, first, have := true, uint64(0), false
	for k, p := range e.picks {
		if valid != nil && !valid.Get(k) {
			continue
		}
		bits := math.Float64bits(e.column(field, p).Floats[p.Row])
		if !have {
			first, have = bits, true
		}
		constant = constant && bits == first
	}
	if constant {
		e.add(name, vector.Float, encConstant, binary.LittleEndian.AppendUint64(out, first))
		return
	}
	for _, p := range e.picks {
		out = binary.LittleEndian.AppendUint64(out, math.Float64bits(e.column(field, p).Floats[p.Row]))
	}
	e.add(name, vector.Float, encRaw, out)
}

// strings chooses between a constant, a dictionary, and plain texts where most
// differ.
func (e *encoder) strings(name string, values []string, valid vector.Bitmap) {
	out := e.start(valid)
	dict, codes, ok := e.dictionary(values, valid, len(values)/2+64)
	switch {
	case !ok:
		for _, s := range values {
			out = binary.AppendUvarint(out, uint64(len(s)))
		}
		for _, s := range values {
			out = append(out, s...)
		}
		e.add(name, vector.String, encPlain, out)
	case len(dict) == 1:
		out = binary.AppendUvarint(out, uint64(len(dict[0])))
		e.add(name, vector.String, encConstant, append(out, dict[0]...))
	default:
		e.add(name, vector.String, encDictionary, appendDictionary(out, dict, codes))
	}
}

// dictionary numbers the distinct values in order of appearance; ok is false
// beyond limit of them. NULL rows have code 0.
func (e *encoder) dictionary(values []string, valid vector.Bitmap, limit int) (dict []string, codes []uint64, ok bool) {
	seen := make(map[string]uint64)
	codes = make([]uint64, len(values))
	last, lastCode := "", uint64(0)
	for k, s := range values {
		if valid != nil && !valid.Get(k) {
			continue
		}
		if len(dict) > 0 && s == last {
			codes[k] = lastCode
			continue
		}
		code, known := seen[s]
		if !known {
			if len(dict) == limit {
				return nil, nil, false
			}
			code = uint64(len(dict))
			seen[s] = code
			dict = append(dict, s)
		}
		codes[k] = code
		last, lastCode = s, code
	}
	return dict, codes, true
}

func appendDictionary(out []byte, dict []string, codes []uint64) []byte {
	out = binary.AppendUvarint(out, uint64(len(dict)))
	for _, s := range dict {
		out = binary.AppendUvarint(out, uint64(len(s)))
	}
	for _, s := range dict {
		out = append(out, s...)
	}
	width := widthOf(uint64(max(len(dict)-1, 0)))
	return appendPacked(append(out, byte(width)), codes, width)
}

func (e *encoder) hex(field int, f vector.Field, valid vector.Bitmap) {
	out := e.start(valid)
	var first []byte
	constant := true
	for k, p := range e.picks {
		if valid == nil || valid.Get(k) {
			v := e.column(field, p).HexBytes(int(p.Row))
			if first == nil {
				first = v
			}
			constant = constant && string(v) == string(first)
		}
	}
	if constant && first != nil {
		e.add(f.Name, vector.Hex, encConstant, append(out, first...))
		return
	}
	zeros := make([]byte, f.Width)
	for k, p := range e.picks {
		if valid == nil || valid.Get(k) {
			out = append(out, e.column(field, p).HexBytes(int(p.Row))...)
		} else {
			out = append(out, zeros...)
		}
	}
	e.add(f.Name, vector.Hex, encRaw, out)
}

func (e *encoder) anys(field int, name string, valid vector.Bitmap) error {
	out := e.start(valid)
	values := make([][]byte, len(e.picks))
	for k, p := range e.picks {
		a, ok := e.column(field, p).Anys[p.Row].(*pgtypes.Array)
		if !ok {
			continue
		}
		v, err := pgtypes.AppendBinary(nil, pgtypes.Of(pgtypes.ArrayOf(a.Elem)), a)
		if err != nil {
			return err
		}
		values[k] = v
	}
	for _, v := range values {
		out = binary.AppendUvarint(out, uint64(len(v)))
	}
	for _, v := range values {
		out = append(out, v...)
	}
	e.add(name, vector.Any, encAnys, out)
	return nil
}

// attributes writes the keys of a Map field and one chunk for each key.
func (e *encoder) attributes(field int, name string) {
	type column struct {
		values []string
		valid  vector.Bitmap
	}
	byKey := make(map[string]*column)
	columns := make(map[*vector.Attrs][]*column) // by source: key code → column
	var buf []byte
	for k, p := range e.picks {
		a := e.column(field, p).Attrs
		cols, ok := columns[a]
		if !ok {
			cols = make([]*column, len(a.KeyDict))
			columns[a] = cols
		}
		for at := a.Off[p.Row]; at < a.Off[p.Row+1]; at++ {
			c := cols[a.Keys[at]]
			if c == nil {
				key := a.KeyDict[a.Keys[at]]
				if c = byKey[key]; c == nil {
					c = &column{values: make([]string, len(e.picks)), valid: vector.NewBitmap(len(e.picks))}
					byKey[key] = c
				}
				cols[a.Keys[at]] = c
			}
			buf = tagged(buf[:0], a, int(at))
			c.values[k] = string(buf)
			c.valid.Set(k)
		}
	}
	keys := make([]string, 0, len(byKey))
	for key := range byKey {
		keys = append(keys, key)
	}
	slices.SortFunc(keys, func(a, b string) int {
		if len(a) != len(b) {
			return len(a) - len(b)
		}
		return strings.Compare(a, b)
	})
	out := binary.AppendUvarint([]byte{0}, uint64(len(keys)))
	for _, key := range keys {
		out = binary.AppendUvarint(out, uint64(len(key)))
		out = append(out, key...)
	}
	e.add(name, vector.Map, encKeys, out)
	for _, key := range keys {
		c := byKey[key]
		if c.valid.Count() == len(e.picks) {
			c.valid = nil
		}
		dict, codes, _ := e.dictionary(c.values, c.valid, len(e.picks)+1)
		e.add(name+"\x00"+key, vector.String, encAttribute, appendDictionary(e.start(c.valid), dict, codes))
	}
}
