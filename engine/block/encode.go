package block

import (
	"encoding/binary"
	"hash/crc32"
	"math"
	"slices"
	"unsafe"

	"github.com/cespare/xxhash/v2"
	"github.com/pierrec/lz4/v4"

	"github.com/tael-sql/tael-sql/internal/vector"
)

// A Pick is one row of a block to be: its place among the sources.
type Pick struct{ Source, Row uint32 }

// Encode writes picked rows of the sources, in the order of picks, as one
// block, with each row's running number within the table and the LSN of its
// record. The output depends on nothing else.
func Encode(schema *vector.Schema, sources []*vector.Rows, picks []Pick, rowNumbers, lsns []uint64) ([]byte, error) {
	if len(picks) > MaxRows || len(rowNumbers) != len(picks) || len(lsns) != len(picks) {
		panic("BUG: too many rows for a block, or too few numbers")
	}
	e := &encoder{sources: sources, picks: picks, raws: make(map[uint64]stored), bitmaps: make(map[uint64]int)}
	// Others are derived from integers and attributes, so these come first.
	for pass := range 3 {
		for i, f := range schema.Fields {
			first := f.Kind == vector.Int64
			second := f.Kind == vector.Map
			if pass == 0 && first || pass == 1 && second || pass == 2 && !first && !second {
				if err := e.field(i, f); err != nil {
					return nil, err
				}
			}
		}
	}
	e.bookkeeping(rowNumberName, rowNumbers)
	e.bookkeeping(lsnName, lsns)
	return e.finish(), nil
}

type encoder struct {
	sources []*vector.Rows
	picks   []Pick
	chunks  []chunk
	data    []byte
	raws    map[uint64]stored // by hash of the bytes before compression
	bitmaps map[uint64]int    // validity bitmaps by hash: place in the directory's order
	lz4     lz4.Compressor
	buf     []byte

	ints   []intBase
	ids    []idBase
	coded  []codeBase
	keyBuf []byte
}

// stored is a chunk's bytes that another with the same may share.
type stored struct {
	raw   []byte
	chunk chunk
}

// What other columns may be derived from: columns without NULLs.
type (
	intBase struct {
		name    string
		values  []int64
		derived bool
	}
	idBase struct {
		name  string
		width int
		raw   []byte
		table *codeTable // by idHash
		rows  []int32    // by code: a row with that id
	}
	codeBase struct {
		name  string
		codes []uint32
		count int
	}
)

// add compresses a chunk if that pays, and enters it. raw is kept.
func (e *encoder) add(c chunk, raw []byte) {
	hash := xxhash.Sum64(raw)
	if same, ok := e.raws[hash]; ok && string(same.raw) == string(raw) {
		c.offset, c.stored, c.raw, c.crc = same.chunk.offset, same.chunk.stored, same.chunk.raw, same.chunk.crc
		e.chunks = append(e.chunks, c)
		return
	}
	bytes := raw
	if len(raw) >= 64 {
		if bound := lz4.CompressBlockBound(len(raw)); len(e.buf) < bound {
			e.buf = make([]byte, bound)
		}
		// A compressed chunk must be shorter, since equal lengths mean plain.
		n, err := e.lz4.CompressBlock(raw, e.buf)
		if err == nil && n > 0 && n < len(raw)-len(raw)/16 {
			bytes = e.buf[:n]
		}
	}
	c.offset, c.stored, c.raw, c.crc = len(e.data), len(bytes), len(raw), crc32.Checksum(bytes, castagnoli)
	e.chunks = append(e.chunks, c)
	e.data = append(e.data, bytes...)
	e.raws[hash] = stored{raw, c}
}

func (e *encoder) finish() []byte {
	var dir []byte
	for _, c := range e.chunks {
		dir = binary.AppendUvarint(dir, uint64(len(c.name)))
		dir = append(dir, c.name...)
		dir = append(dir, byte(c.kind), byte(c.encoding))
		for _, n := range []int{c.valid, c.count, c.offset, c.stored, c.raw} {
			dir = binary.AppendUvarint(dir, uint64(n))
		}
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

// A gathered column is the picked rows of a field that are not NULL.
type gathered struct {
	cols  []*vector.Column // by source
	valid vector.Bitmap    // nil: no row is NULL
	rows  []Pick
}

func (e *encoder) gather(field int) gathered {
	g := gathered{cols: make([]*vector.Column, len(e.sources)), rows: e.picks}
	nulls := false
	for s, rows := range e.sources {
		g.cols[s] = rows.Cols[field]
		nulls = nulls || g.cols[s].Valid != nil
	}
	if !nulls {
		return g
	}
	valid, dense := vector.NewBitmap(len(e.picks)), make([]Pick, 0, len(e.picks))
	for i, p := range e.picks {
		if !g.cols[p.Source].IsNull(int(p.Row)) {
			valid.Set(i)
			dense = append(dense, p)
		}
	}
	if len(dense) < len(e.picks) {
		g.valid, g.rows = valid, dense
	}
	return g
}

// validity enters a bitmap, or finds the same one, and gives its number.
func (e *encoder) validity(valid vector.Bitmap) int {
	if valid == nil {
		return 0
	}
	raw := make([]byte, 0, 8*len(valid))
	for _, w := range valid {
		raw = binary.LittleEndian.AppendUint64(raw, w)
	}
	raw = raw[:(len(e.picks)+7)/8]
	hash := xxhash.Sum64(raw)
	number, ok := e.bitmaps[hash]
	if !ok || string(e.raws[hash].raw) != string(raw) {
		number = 1
		for _, c := range e.chunks {
			if c.name == "" {
				number++
			}
		}
		e.bitmaps[hash] = number
		e.add(chunk{encoding: encPlain, count: len(e.picks)}, raw)
	}
	return number
}

func (e *encoder) field(i int, f vector.Field) (err error) {
	g := e.gather(i)
	if len(g.rows) == 0 && f.Nullable {
		return nil // no entry: NULL in every row
	}
	c := chunk{name: f.Name, kind: f.Kind, count: len(g.rows)}
	var raw []byte
	switch f.Kind {
	case vector.Map:
		e.attributes(c, g)
		return nil
	case vector.Int64:
		values := make([]int64, len(g.rows))
		for k, p := range g.rows {
			values[k] = g.cols[p.Source].Ints[p.Row]
		}
		c.encoding, raw = e.intColumn(f.Name, g.valid == nil, values)
	case vector.Float:
		c.encoding, raw = e.floatColumn(g)
	case vector.String:
		if c.encoding, raw = e.stringColumn(f.Name, g); c.encoding == encMapped {
			c.count, g.valid = 0, nil
		}
	case vector.Hex:
		c.encoding, raw = e.hexColumn(f, g)
	case vector.Bool:
		values := make([]bool, len(g.rows))
		for k, p := range g.rows {
			values[k] = g.cols[p.Source].Bools[p.Row]
		}
		c.encoding, raw = appendBools(nil, values)
	default:
		values := make([]any, len(g.rows))
		for k, p := range g.rows {
			values[k] = g.cols[p.Source].Anys[p.Row]
		}
		c.encoding, raw, err = appendAnys(nil, values)
	}
	c.valid = e.validity(g.valid)
	e.add(c, raw)
	return err
}

func (e *encoder) bookkeeping(name string, numbers []uint64) {
	values := make([]int64, len(numbers))
	for i, n := range numbers {
		values[i] = int64(n)
	}
	c := chunk{name: name, kind: vector.Int64, count: len(values)}
	var raw []byte
	c.encoding, raw = appendInts(nil, values)
	e.add(c, raw)
}

func appendName(dst []byte, name string) []byte {
	return append(binary.AppendUvarint(dst, uint64(len(name))), name...)
}

// intColumn finds an integer column to be the sum or the difference of two
// others, as an end is of a start and a duration.
func (e *encoder) intColumn(name string, complete bool, values []int64) (encoding, []byte) {
	enc, raw := appendInts(nil, values)
	if !complete || enc == encConstant || len(values) < 2 {
		return enc, raw
	}
	for i, x := range e.ints {
		for k, y := range e.ints {
			if x.derived || y.derived || k == i {
				continue
			}
			if k > i && combines(values, x.values, y.values, 1) {
				e.ints = append(e.ints, intBase{name, values, true})
				return encSum, appendName(appendName(nil, x.name), y.name)
			}
			if combines(values, x.values, y.values, -1) {
				e.ints = append(e.ints, intBase{name, values, true})
				return encDifference, appendName(appendName(nil, x.name), y.name)
			}
		}
	}
	e.ints = append(e.ints, intBase{name, values, false})
	return enc, raw
}

// combines reports whether values are x + sign × y.
func combines(values, x, y []int64, sign int64) bool {
	for i, v := range values {
		if v != x[i]+sign*y[i] {
			return false
		}
	}
	return true
}

// floatColumn finds a float column to be an integer one in another unit.
func (e *encoder) floatColumn(g gathered) (encoding, []byte) {
	values := make([]float64, len(g.rows))
	for k, p := range g.rows {
		values[k] = g.cols[p.Source].Floats[p.Row]
	}
	if g.valid == nil {
		for _, x := range e.ints {
			for exponent := range powers {
				if scales(values, x.values, powers[exponent]) {
					return encScaled, append(appendName(nil, x.name), byte(exponent))
				}
			}
		}
	}
	return appendFloats(nil, values)
}

// scales reports whether values are those of x divided, bit by bit.
func scales(values []float64, x []int64, divisor float64) bool {
	for i, v := range values {
		if math.Float64bits(float64(x[i])/divisor) != math.Float64bits(v) {
			return false
		}
	}
	return true
}

// maxReferences bounds the columns that a column is tried to be derived from.
const maxReferences = 8

func (e *encoder) hexColumn(f vector.Field, g gathered) (encoding, []byte) {
	raw := make([]byte, 0, len(g.rows)*f.Width)
	for _, p := range g.rows {
		raw = append(raw, g.cols[p.Source].HexBytes(int(p.Row))...)
	}
	enc, out := appendHex(nil, raw, f.Width)
	if enc == encConstant {
		return enc, out
	}
	for _, base := range e.ids {
		if base.width != f.Width {
			continue
		}
		if ref := e.references(base, raw, g.valid); len(ref) < len(out)-len(out)/8 {
			return encReference, ref
		}
	}
	if enc != encPlain {
		return enc, out
	}
	if g.valid == nil && len(e.ids) < maxReferences {
		base := idBase{name: f.Name, width: f.Width, raw: raw, table: newCodeTable(len(g.rows))}
		for k := range g.rows {
			if int(base.table.code(idHash(raw[k*f.Width:(k+1)*f.Width]))) == len(base.rows) {
				base.rows = append(base.rows, int32(k))
			}
		}
		e.ids = append(e.ids, base)
	}
	return enc, out
}

// row gives a row with an id.
func (b *idBase) row(id []byte) (int32, bool) {
	code, ok := b.table.lookup(idHash(id))
	if !ok {
		return 0, false
	}
	row := b.rows[code]
	at := int(row) * b.width
	return row, string(b.raw[at:at+b.width]) == string(id)
}

// references makes ids references to the rows of another column.
func (e *encoder) references(base idBase, raw []byte, valid vector.Bitmap) []byte {
	rows := make([]int64, len(raw)/base.width)
	distances := make([]int64, len(rows))
	var others []byte
	own := int64(-1)
	for k := range rows {
		for own++; valid != nil && !valid.Get(int(own)); own++ {
		}
		id := raw[k*base.width : (k+1)*base.width]
		row, ok := base.row(id)
		if !ok {
			others = append(others, id...)
			continue
		}
		rows[k] = int64(row) + 1
		distances[k] = zigzag(own-int64(row)) + 1
	}
	name := appendName(nil, base.name)
	absolute := appendNested(append(name, 0), rows)
	if relative := appendNested(append(slices.Clone(name), 1), distances); len(relative) < len(absolute) {
		absolute = relative
	}
	return append(absolute, others...)
}

// zigzag makes a small number of a small one of any sign.
func zigzag(v int64) int64 { return v<<1 ^ v>>63 }

// stringColumn chooses between codes of a dictionary, plain texts where most
// differ, and a function of another column's codes.
func (e *encoder) stringColumn(name string, g gathered) (encoding, []byte) {
	t, ok := gatherTexts(g, len(g.rows)/2+64)
	if !ok {
		t = textColumn{strs: make([]string, len(g.rows))}
		for k, p := range g.rows {
			t.strs[k] = g.cols[p.Source].Str(int(p.Row))
		}
		return appendTextColumn(nil, t)
	}
	if g.valid != nil || len(t.dict) > 1 {
		if raw := e.mapFrom(t, g.valid); raw != nil {
			return encMapped, raw
		}
	}
	if g.valid == nil {
		e.addBase(codeBase{name, t.codes, len(t.dict)})
	}
	return appendTextColumn(nil, t)
}

// addBase remembers codes that other columns may be mapped from.
func (e *encoder) addBase(b codeBase) {
	if b.count > 1 && b.count <= 1024 && b.count <= len(b.codes)/4 && len(e.coded) < maxReferences {
		e.coded = append(e.coded, b)
	}
}

// mapFrom makes a column a function of the codes of another, if it is.
func (e *encoder) mapFrom(t textColumn, valid vector.Bitmap) []byte {
	numbers := t.codes // 1 + code, 0 for NULL
	if valid == nil {
		numbers = make([]uint32, len(t.codes))
		for i, code := range t.codes {
			numbers[i] = code + 1
		}
	} else {
		numbers = make([]uint32, len(e.picks))
		at := 0
		for i := range numbers {
			if valid.Get(i) {
				numbers[i] = t.codes[at] + 1
				at++
			}
		}
	}
	for _, base := range e.coded {
		if table := function(base, numbers); table != nil {
			raw := appendName(nil, base.name)
			raw = appendTexts(binary.AppendUvarint(raw, uint64(len(t.dict))), t.dict)
			raw = binary.AppendUvarint(raw, uint64(len(table)))
			return appendCodes(raw, table, len(t.dict)+1)
		}
	}
	return nil
}

// function gives the number that goes with each code, nil if one has several.
func function(base codeBase, numbers []uint32) []uint32 {
	const unknown = math.MaxUint32
	table := make([]uint32, base.count)
	for i := range table {
		table[i] = unknown
	}
	for i, code := range base.codes {
		if table[code] != numbers[i] {
			if table[code] != unknown {
				return nil
			}
			table[code] = numbers[i]
		}
	}
	return table
}

// gatherTexts numbers the distinct texts in order of appearance; ok is false
// beyond limit of them.
func gatherTexts(g gathered, limit int) (t textColumn, ok bool) {
	oneDict := true
	for _, c := range g.cols {
		oneDict = oneDict && c.Dict != nil && unsafe.SliceData(c.Dict) == unsafe.SliceData(g.cols[0].Dict)
	}
	in := newTextNumbers(64, !oneDict)
	t.codes = make([]uint32, len(g.rows))
	for k, p := range g.rows {
		c := g.cols[p.Source]
		if c.Dict != nil {
			t.codes[k] = in.coded(c.Dict, c.Codes[p.Row])
		} else {
			t.codes[k] = in.text(c.Strs[p.Row])
		}
		if len(in.list) > limit {
			return t, false
		}
	}
	t.dict = in.list
	return t, true
}

// textNumbers numbers distinct texts in order of appearance. Codes of a shared
// dictionary are looked up once.
type textNumbers struct {
	list    []string
	byText  *codeTable // by hash; nil: there is one dictionary, without duplicates
	byHash  []uint32   // of these the number
	clashes map[string]uint32
	dicts   map[*string]uint64
	codes   *codeTable // dictionary<<32 | code
	numbers []uint32   // of these
	last    *string
	lastNo  uint64
}

func newTextNumbers(size int, several bool) *textNumbers {
	t := &textNumbers{list: []string{}, dicts: make(map[*string]uint64), codes: newCodeTable(size)}
	if several {
		t.byText = newCodeTable(size)
	}
	return t
}

func (t *textNumbers) text(s string) uint32 {
	n := uint32(len(t.list))
	if t.byText != nil {
		code := t.byText.code(xxhash.Sum64String(s))
		switch {
		case int(code) == len(t.byHash):
			t.byHash = append(t.byHash, n)
		case t.list[t.byHash[code]] == s:
			return t.byHash[code]
		default: // two texts with one hash
			if known, ok := t.clashes[s]; ok {
				return known
			}
			if t.clashes == nil {
				t.clashes = make(map[string]uint32)
			}
			t.clashes[s] = n
		}
	}
	t.list = append(t.list, s)
	return n
}

func (t *textNumbers) coded(dict []string, code uint32) uint32 {
	if first := unsafe.SliceData(dict); first != t.last {
		no, ok := t.dicts[first]
		if !ok {
			no = uint64(len(t.dicts)) << 32
			t.dicts[first] = no
		}
		t.last, t.lastNo = first, no
	}
	n := t.codes.code(t.lastNo | uint64(code))
	if int(n) == len(t.numbers) {
		t.numbers = append(t.numbers, t.text(dict[code]))
	}
	return t.numbers[n]
}
