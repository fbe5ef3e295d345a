package cold

import (
	"encoding/binary"
	"math"
	"math/bits"
	"sync"

	"github.com/apache/arrow-go/v18/parquet"

	"github.com/tael-sql/tael-sql/engine/layout"
	"github.com/tael-sql/tael-sql/internal/vector"
)

// A flatPage is one of a column that is not nested, its levels taken off.
type flatPage struct {
	rows   int           // that are asked for
	valid  vector.Bitmap // of these; nil: none is NULL
	total  int           // values in the page
	at     []int32       // which of them are asked for, ascending; nil: all
	values []byte        // padding lies behind them
	page   *page         // nil: there is no value to decode
}

// n is how many values are asked for.
func (f *flatPage) n() int {
	switch {
	case f.page == nil:
		return 0
	case f.at != nil:
		return len(f.at)
	}
	return f.total
}

// flat reads the levels of a page and finds the values of some rows, nil: of
// all. Where a column has no value in the row group nothing is read.
func (c *Chunk) flat(leaf int, rows []int32) (f flatPage, err error) {
	f.rows = c.count(rows)
	optional := c.part.columns.leaves[leaf].def > 0
	if optional && c.chunk(leaf).empty {
		f.valid = vector.NewBitmap(f.rows)
		return f, nil
	}
	if f.page, err = c.page(leaf); err != nil {
		return f, err
	}
	f.total, f.values = c.Rows(), f.page.data
	if optional {
		levels, rest, ok := section(f.values)
		if !ok {
			return f, c.fail(leaf)
		}
		f.values = rest
		if f.valid, f.total, ok = levelBits(levels, c.Rows()); !ok {
			return f, c.fail(leaf)
		}
	}
	if rows != nil {
		f.pick(rows)
	}
	if f.n() == 0 {
		f.page = nil
	}
	return f, nil
}

// pick narrows the page to some rows.
func (f *flatPage) pick(rows []int32) {
	if f.valid == nil {
		f.at = rows
		return
	}
	valid, at := vector.NewBitmap(len(rows)), make([]int32, 0, len(rows))
	word, before := 0, 0 // the values of the words in front of that
	for k, row := range rows {
		for ; word < int(row)>>6; word++ {
			before += bits.OnesCount64(f.valid[word])
		}
		if f.valid.Get(int(row)) {
			valid.Set(k)
			at = append(at, int32(before+bits.OnesCount64(f.valid[word]&(1<<(row&63)-1))))
		}
	}
	if f.at = at; len(at) < len(rows) {
		f.valid = valid
	} else {
		f.valid = nil
	}
}

// section splits off bytes whose length stands before them.
func section(data []byte) (head, rest []byte, ok bool) {
	if len(data) < 4 {
		return nil, nil, false
	}
	n := binary.LittleEndian.Uint32(data)
	if data = data[4:]; uint64(n) > uint64(len(data)) {
		return nil, nil, false
	}
	return data[:n], data[n:], true
}

// codes decodes the codes of a page with a dictionary of that many entries.
func (f *flatPage) codes(out []uint32, count int) bool {
	if len(f.values) == 0 {
		return false
	}
	width, packed := int(f.values[0]), f.values[1:]
	if f.at != nil {
		return runsAt(out, packed, width, f.total, f.at) && below(out, count)
	}
	return runs(out, packed, width) && below(out, count)
}

func below(codes []uint32, count int) bool {
	if len(codes) == 0 {
		return true
	}
	var a, b, c, d uint32
	for ; len(codes) >= 4; codes = codes[4:] {
		a, b, c, d = max(a, codes[0]), max(b, codes[1]), max(c, codes[2]), max(d, codes[3])
	}
	for _, code := range codes {
		a = max(a, code)
	}
	return int(max(a, b, c, d)) < count
}

// Memory for codes that are only looked up, and for integers of which few are
// asked for.
var (
	codeBuffers = sync.Pool{New: func() any { return new([]uint32) }}
	intBuffers  = sync.Pool{New: func() any { return new([]int64) }}
)

// resized gives a buffer of n elements of any values.
func resized[T any](buf *[]T, n int) []T {
	if cap(*buf) < n {
		*buf = make([]T, n)
	}
	return (*buf)[:n]
}

// ints decodes the values of a page of integers into as many.
func (c *Chunk) ints(leaf int, f *flatPage, out []int64) error {
	if len(out) == 0 {
		return nil
	}
	ok := false
	switch f.page.encoding {
	case parquet.Encodings.Plain:
		if ok = len(f.values) == 8*f.total; ok {
			f.each(func(i, at int) { out[i] = int64(binary.LittleEndian.Uint64(f.values[8*at:])) })
		}
	case parquet.Encodings.DeltaBinaryPacked:
		if f.at == nil {
			ok = deltas(out, f.values)
			break
		}
		buf := intBuffers.Get().(*[]int64)
		all := resized(buf, f.total)
		if ok = deltas(all, f.values); ok {
			f.each(func(i, at int) { out[i] = all[at] })
		}
		intBuffers.Put(buf)
	case parquet.Encodings.RLEDict:
		d, err := c.dictionary(leaf)
		if err != nil {
			return err
		}
		buf := codeBuffers.Get().(*[]uint32)
		numbers := resized(buf, len(out))
		if ok = f.codes(numbers, len(d.ints)); ok {
			for i, code := range numbers {
				out[i] = d.ints[code]
			}
		}
		codeBuffers.Put(buf)
	}
	if !ok {
		return c.fail(leaf)
	}
	return nil
}

// each calls do with the number of each value that is asked for and its place
// in the page.
func (f *flatPage) each(do func(i, at int)) {
	if f.at == nil {
		for i := range f.total {
			do(i, i)
		}
		return
	}
	for i, at := range f.at {
		do(i, int(at))
	}
}

func (c *Chunk) integers(leaf int, rows []int32) (*vector.Column, error) {
	f, err := c.flat(leaf, rows)
	if err != nil {
		return nil, err
	}
	values := make([]int64, f.n())
	if err := c.ints(leaf, &f, values); err != nil {
		return nil, err
	}
	return &vector.Column{Kind: vector.Int64, Len: f.rows, Valid: f.valid, Ints: spread(values, f.valid, f.rows, 1)}, nil
}

// times puts microseconds and nanoseconds together.
func (c *Chunk) times(leaf int, rows []int32) (*vector.Column, error) {
	if rows == nil {
		if known := c.whole.Load(); known != nil {
			return known, nil
		}
	}
	whole, err := c.integers(leaf, rows)
	if err != nil {
		return nil, err
	}
	f, err := c.flat(leaf+1, rows)
	if err != nil {
		return nil, err
	}
	buf := intBuffers.Get().(*[]int64)
	defer intBuffers.Put(buf)
	small := resized(buf, f.n())
	if err := c.ints(leaf+1, &f, small); err != nil {
		return nil, err
	}
	for i, n := range small {
		whole.Ints[i] = whole.Ints[i]*1000 + n
	}
	if rows == nil {
		c.whole.Store(whole)
	}
	return whole, nil
}

// relative adds the time to a distance from it.
func (c *Chunk) relative(leaf int, rows []int32) (*vector.Column, error) {
	out, err := c.integers(leaf, rows)
	if err != nil {
		return nil, err
	}
	times, err := c.times(c.part.columns.places[c.part.columns.time].first, rows)
	if err != nil {
		return nil, err
	}
	if out.Valid == nil {
		for i, t := range times.Ints {
			out.Ints[i] += t
		}
		return out, nil
	}
	eachBit(out.Valid, func(i int) { out.Ints[i] += times.Ints[i] })
	return out, nil
}

func (c *Chunk) hex(leaf int, rows []int32) (*vector.Column, error) {
	f, err := c.flat(leaf, rows)
	if err != nil {
		return nil, err
	}
	width := c.part.columns.leaves[leaf].width
	out := &vector.Column{Kind: vector.Hex, Len: f.rows, Width: width, Valid: f.valid}
	if f.page == nil {
		out.Raw = make([]byte, f.rows*width)
		return out, nil
	}
	if f.page.encoding != parquet.Encodings.Plain || len(f.values) != f.total*width {
		return nil, c.fail(leaf)
	}
	raw := f.values
	if f.at != nil {
		raw = make([]byte, 0, len(f.at)*width)
		for _, at := range f.at {
			raw = append(raw, f.values[int(at)*width:(int(at)+1)*width]...)
		}
	}
	out.Raw = spread(raw, f.valid, f.rows, width)
	return out, nil
}

func (c *Chunk) bools(leaf int, rows []int32) (*vector.Column, error) {
	f, err := c.flat(leaf, rows)
	if err != nil {
		return nil, err
	}
	values := make([]bool, f.n())
	if f.page != nil {
		if f.page.encoding != parquet.Encodings.Plain || len(f.values) != (f.total+7)/8 {
			return nil, c.fail(leaf)
		}
		f.each(func(i, at int) { values[i] = f.values[at>>3]>>(at&7)&1 != 0 })
	}
	return &vector.Column{Kind: vector.Bool, Len: f.rows, Valid: f.valid, Bools: spread(values, f.valid, f.rows, 1)}, nil
}

func (c *Chunk) floats(leaf int, rows []int32) (*vector.Column, error) {
	f, err := c.flat(leaf, rows)
	if err != nil {
		return nil, err
	}
	values := make([]float64, f.n())
	if f.page != nil {
		if f.page.encoding != parquet.Encodings.Plain || len(f.values) != 8*f.total {
			return nil, c.fail(leaf)
		}
		f.each(func(i, at int) { values[i] = math.Float64frombits(binary.LittleEndian.Uint64(f.values[8*at:])) })
	}
	return &vector.Column{Kind: vector.Float, Len: f.rows, Valid: f.valid, Floats: spread(values, f.valid, f.rows, 1)}, nil
}

// texts decodes a column of texts: by codes of the row group's dictionary, or
// plain.
func (c *Chunk) texts(leaf int, rows []int32) (*vector.Column, error) {
	f, err := c.flat(leaf, rows)
	if err != nil {
		return nil, err
	}
	out := &vector.Column{Kind: vector.String, Len: f.rows, Valid: f.valid}
	if f.page == nil {
		out.Dict, out.Codes = []string{""}, make([]uint32, f.rows)
		return out, nil
	}
	switch f.page.encoding {
	case parquet.Encodings.RLEDict:
		d, err := c.dictionary(leaf)
		if err != nil {
			return nil, err
		}
		numbers := make([]uint32, f.n())
		if !f.codes(numbers, len(d.texts)) {
			return nil, c.fail(leaf)
		}
		out.Dict = used(d.texts, numbers)
		out.Codes = spread(numbers, f.valid, f.rows, 1)
		return out, nil
	case parquet.Encodings.Plain:
		texts, ok := plainTexts(f.values, f.total, f.at)
		if ok {
			out.Strs = spread(texts, f.valid, f.rows, 1)
			return out, nil
		}
	}
	return nil, c.fail(leaf)
}

// usedTables are zero between uses.
var usedTables = sync.Pool{New: func() any { return new([]uint32) }}

// used gives the dictionary of a row group, or where it is larger than the run
// of codes, what they use of it, and changes them to that: whoever gets a
// column may look at all of its dictionary.
func used(dict []string, codes []uint32) []string {
	if len(dict) <= len(codes)+64 {
		return dict
	}
	buf := usedTables.Get().(*[]uint32)
	defer usedTables.Put(buf)
	if cap(*buf) < len(dict) {
		*buf = make([]uint32, len(dict))
	}
	numbers := (*buf)[:len(dict)] // 1 + the new code
	kept := make([]uint32, 0, min(len(codes), 1024))
	for i, code := range codes {
		if numbers[code] == 0 {
			kept = append(kept, code)
			numbers[code] = uint32(len(kept))
		}
		codes[i] = numbers[code] - 1
	}
	out := make([]string, len(kept))
	for i, code := range kept {
		out[i] = dict[code]
		numbers[code] = 0
	}
	return out
}

// outside gives texts and references as they are stored.
func (c *Chunk) outside(leaf int, rows []int32) (*vector.Column, error) {
	in, err := c.texts(leaf, rows)
	if err != nil {
		return nil, err
	}
	digests, err := c.hex(leaf+1, rows)
	if err != nil {
		return nil, err
	}
	lengths, err := c.integers(leaf+2, rows)
	if err != nil {
		return nil, err
	}
	none := digests.Valid != nil && digests.Valid.Count() == 0
	if in.Dict != nil {
		plain := true
		for _, s := range in.Dict {
			plain = plain && (s == "" || s[0] != 0)
		}
		if none && plain {
			return in, nil
		}
	}
	out := &vector.Column{Kind: vector.String, Len: in.Len, Valid: in.Valid, Strs: make([]string, in.Len)}
	for i := range out.Strs {
		switch {
		case !digests.IsNull(i):
			ref := layout.Reference{Hash: [32]byte(digests.HexBytes(i)), Len: int(lengths.Ints[i])}
			out.Strs[i] = string(ref.Append(nil))
		case !in.IsNull(i):
			out.Strs[i] = layout.StoredText(in.Str(i))
		}
	}
	if !none && in.Valid != nil {
		out.Valid = in.Valid.Clone()
		for w := range out.Valid {
			if digests.Valid == nil {
				out.Valid = nil
				break
			}
			out.Valid[w] |= digests.Valid[w]
		}
	}
	if out.Valid != nil && out.Valid.Count() == out.Len {
		out.Valid = nil
	}
	return out, nil
}
