package cold

import (
	"slices"
	"unicode/utf8"

	"github.com/apache/arrow-go/v18/parquet"
	"github.com/apache/arrow-go/v18/parquet/file"

	"github.com/tael-sql/tael-sql/internal/vector"
)

// entriesByKey lists the entries of each key: those of key k are
// entry[off[k]:off[k+1]], ascending, in rows row[off[k]:off[k+1]].
type entriesByKey struct {
	off, entry, row []uint32
}

func byKey(a *vector.Attrs) entriesByKey {
	s := entriesByKey{off: make([]uint32, len(a.KeyDict)+1), entry: make([]uint32, len(a.Keys)), row: make([]uint32, len(a.Keys))}
	for _, k := range a.Keys {
		s.off[k+1]++
	}
	for k := range a.KeyDict {
		s.off[k+1] += s.off[k]
	}
	next := slices.Clone(s.off)
	for row := range len(a.Off) - 1 {
		for e := a.Off[row]; e < a.Off[row+1]; e++ {
			at := next[a.Keys[e]]
			next[a.Keys[e]]++
			s.entry[at], s.row[at] = e, uint32(row)
		}
	}
	return s
}

// fits reports whether an entry can stand in the column of its key.
func fits(k frequentKey, a *vector.Attrs, e uint32) bool {
	if a.Tags[e] != k.Tag {
		return false
	}
	if k.Tag != vector.TagString {
		return true
	}
	s := a.Strs[a.Vals[e]]
	return utf8.ValidString(s) && (s == "" || s[0] != 0)
}

// attributes writes the columns of a Map field.
func (g *group) attributes(field int, p place, c *vector.Column) error {
	a := c.Attrs
	entries := byKey(a)
	stays := make([]bool, len(a.Keys)) // in the map: not in a column
	for e := range stays {
		stays[e] = true
	}
	number := g.writer.groups
	for i, k := range p.frequent {
		var list, rows []uint32
		if code, ok := a.Key(k.Key); ok {
			list, rows = entries.entry[entries.off[code]:entries.off[code+1]], entries.row[entries.off[code]:entries.off[code+1]]
		}
		valid := vector.NewBitmap(c.Len)
		taken := 0
		for n, e := range list {
			if fits(k, a, e) {
				valid.Set(int(rows[n]))
				stays[e] = false
				taken++
			}
		}
		if taken < len(list) {
			k.Else = append(k.Else, number)
			g.writer.columns.places[field].frequent[i] = k
		}
		if taken == c.Len {
			valid = nil
		}
		if err := g.attribute(k, a, list, rows, stays, valid); err != nil {
			return err
		}
	}
	outside, err := g.pairs(c, stays, false, appendRest)
	if err != nil {
		return err
	}
	if !outside {
		stays = make([]bool, len(a.Keys))
	}
	_, err = g.pairs(c, stays, true, appendOutsideEntry)
	return err
}

// attribute writes the column of a frequent key: the entries that do not stay
// in the map.
func (g *group) attribute(k frequentKey, a *vector.Attrs, list, rows []uint32, stays []bool, valid vector.Bitmap) error {
	n := len(g.picks)
	switch k.Tag {
	case vector.TagInt:
		values := make([]int64, n)
		for i, e := range list {
			if !stays[e] {
				values[rows[i]] = int64(a.Vals[e])
			}
		}
		return g.ints(values, valid)
	case vector.TagBool:
		values := make([]bool, n)
		for i, e := range list {
			if !stays[e] {
				values[rows[i]] = a.Vals[e] != 0
			}
		}
		return g.bools(values, valid)
	case vector.TagDouble:
		values := make([]float64, n)
		for i, e := range list {
			if !stays[e] {
				values[rows[i]] = floatOf(a.Vals[e])
			}
		}
		return g.floats(values, valid)
	}
	col := &vector.Column{Kind: vector.String, Len: n, Valid: valid, Codes: make([]uint32, n), Dict: []string{}}
	if cap(g.writer.scratch.numbers) < len(a.Strs) {
		g.writer.scratch.numbers = make([]uint32, len(a.Strs))
	}
	numbers := g.writer.scratch.numbers[:len(a.Strs)] // 1 + the code of a text; 0 between calls
	for i, e := range list {
		if stays[e] {
			continue
		}
		text := a.Vals[e]
		if numbers[text] == 0 {
			col.Dict = append(col.Dict, a.Strs[text])
			numbers[text] = uint32(len(col.Dict))
		}
		col.Codes[rows[i]] = numbers[text] - 1
	}
	for _, e := range list {
		if !stays[e] {
			numbers[a.Vals[e]] = 0
		}
	}
	if len(col.Dict) > len(list)/2+64 {
		col.Strs = make([]string, n)
		for i := range n {
			if !col.IsNull(i) {
				col.Strs[i] = col.Dict[col.Codes[i]]
			}
		}
		col.Dict, col.Codes = nil, nil
	}
	return g.texts(col)
}

// appendRest appends an attribute that is stored in its row.
func appendRest(dst []byte, a *vector.Attrs, e int) ([]byte, bool) {
	if isOutside(a, e) {
		return dst, false
	}
	return appendAttribute(dst, a, e), true
}

// appendOutsideEntry appends an attribute that is stored outside its row.
func appendOutsideEntry(dst []byte, a *vector.Attrs, e int) ([]byte, bool) {
	if !isOutside(a, e) {
		return dst, false
	}
	return appendOutside(dst, a.Tags[e], a.Strs[a.Vals[e]])
}

func isOutside(a *vector.Attrs, e int) bool {
	switch a.Tags[e] {
	case vector.TagString, vector.TagBytes, vector.TagJSON:
		_, ok := appendOutside(nil, a.Tags[e], a.Strs[a.Vals[e]])
		return ok
	}
	return false
}

// pairs writes a MAP of the entries that stay and for which text gives one; a
// row of an optional map without entries is NULL. It reports whether there was
// an entry without text.
func (g *group) pairs(c *vector.Column, stays []bool, optional bool, text func(dst []byte, a *vector.Attrs, e int) ([]byte, bool)) (left bool, err error) {
	a := c.Attrs
	var defs, reps []int16
	var keys, values []parquet.ByteArray
	size := g.writer.spec.chunkRows()
	var levelEnds, valueEnds []int // by page
	distinct := make(map[string]struct{})
	for i := range c.Len {
		first := int16(0)
		for e := a.Off[i]; e < a.Off[i+1]; e++ {
			if !stays[e] {
				continue
			}
			value, ok := text(nil, a, int(e))
			if !ok {
				left = true
				continue
			}
			keys, values = append(keys, byteArray(a.KeyDict[a.Keys[e]])), append(values, value)
			defs, reps = append(defs, 0), append(reps, first)
			first = 1
		}
		if first == 0 {
			defs, reps = append(defs, -1), append(reps, 0)
			if optional || c.IsNull(i) {
				defs[len(defs)-1] = -2
			}
		}
		if (i+1)%size == 0 || i == c.Len-1 {
			levelEnds, valueEnds = append(levelEnds, len(defs)), append(valueEnds, len(keys))
		}
	}
	for _, v := range values {
		if distinct[string(v)] = struct{}{}; len(distinct) > len(values)/2+64 {
			break
		}
	}
	for k, texts := range [][]parquet.ByteArray{keys, values} {
		err := g.pages(func(cw file.ColumnChunkWriter, from, to int) error {
			if k == 0 && from == 0 {
				full := cw.Descr().MaxDefinitionLevel()
				for i := range defs {
					defs[i] += full
				}
			}
			if k == 1 && from == 0 && len(distinct) > len(values)/2+64 {
				cw.FallbackToPlain()
			}
			page := from / size
			levels, texts := defs[:levelEnds[page]], texts[:valueEnds[page]]
			rep := reps[:levelEnds[page]]
			if page > 0 {
				levels, rep, texts = levels[levelEnds[page-1]:], rep[levelEnds[page-1]:], texts[valueEnds[page-1]:]
			}
			if texts == nil {
				texts = []parquet.ByteArray{}
			}
			_, err := cw.(*file.ByteArrayColumnChunkWriter).WriteBatch(texts, levels, rep)
			return err
		})
		if err != nil {
			return left, err
		}
	}
	return left, nil
}
