package block

import (
	"encoding/binary"
	"math"
	"slices"

	"github.com/tael-sql/tael-sql/internal/vector"
)

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
	numbers := make([]uint32, len(e.picks)) // 1 + code, 0 for NULL
	if valid == nil {
		for i, code := range t.codes {
			numbers[i] = code + 1
		}
	} else {
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
