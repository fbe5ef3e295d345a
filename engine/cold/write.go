package cold

import (
	"fmt"
	"slices"
	"strings"
	"unsafe"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"
	"github.com/apache/arrow-go/v18/parquet"
	"github.com/apache/arrow-go/v18/parquet/file"
	"github.com/apache/arrow-go/v18/parquet/metadata"

	"github.com/tael-sql/tael-sql/engine/layout"
	"github.com/tael-sql/tael-sql/internal/pgtypes"
	"github.com/tael-sql/tael-sql/internal/vector"
)

// field writes the leaves of a field.
func (g *group) field(i int, c *vector.Column) error {
	p := g.writer.columns.places[i]
	switch p.form {
	case formInt:
		return g.ints(c.Ints, c.Valid)
	case formTime:
		if c.Valid != nil {
			return fmt.Errorf("cold: a row without time")
		}
		return g.times(c.Ints)
	case formRelative:
		values, err := g.relative(c)
		if err != nil {
			return err
		}
		return g.ints(values, c.Valid)
	case formHex:
		return g.fixed(c.Raw, c.Width, c.Valid)
	case formBool:
		return g.bools(c.Bools, c.Valid)
	case formFloat:
		return g.floats(c.Floats, c.Valid)
	case formText:
		return g.texts(c)
	case formOutside:
		return g.outside(c)
	case formMap:
		return g.attributes(i, p, c)
	}
	return g.lists(p, c)
}

// flusher ends a page.
type flusher interface{ FlushCurrentPage() error }

// pages calls write for the rows of each page, and ends it.
func (g *group) pages(write func(cw file.ColumnChunkWriter, from, to int) error) error {
	cw, err := g.file.NextColumn()
	if err != nil {
		return err
	}
	size, n := g.writer.spec.chunkRows(), len(g.picks)
	for from := 0; from < n; from += size {
		if err := write(cw, from, min(from+size, n)); err != nil {
			return err
		}
		if err := cw.(flusher).FlushCurrentPage(); err != nil {
			return err
		}
	}
	return cw.Close()
}

// levels gives the definition levels of rows of a flat column, nil if it is
// required.
func (g *group) levels(cw file.ColumnChunkWriter, valid vector.Bitmap, from, to int) []int16 {
	if cw.Descr().MaxDefinitionLevel() == 0 {
		return nil
	}
	out := g.writer.scratch.levels[:0]
	for i := from; i < to; i++ {
		level := int16(1)
		if valid != nil && !valid.Get(i) {
			level = 0
		}
		out = append(out, level)
	}
	g.writer.scratch.levels = out
	return out
}

func (g *group) ints(values []int64, valid vector.Bitmap) error {
	return g.pages(func(cw file.ColumnChunkWriter, from, to int) error {
		if from == 0 && cw.CurrentEncoder().Encoding() == parquet.Encodings.PlainDict && !dictionaryIsSmaller(values, valid) {
			cw.FallbackToPlain()
		}
		_, err := cw.(*file.Int64ColumnChunkWriter).WriteBatch(
			dense(&g.writer.scratch.ints, values, valid, from, to), g.levels(cw, valid, from, to), nil)
		return err
	})
}

func (g *group) times(nanos []int64) error {
	whole := micros(nanos)
	if err := g.ints(whole, nil); err != nil {
		return err
	}
	return g.pages(func(cw file.ColumnChunkWriter, from, to int) error {
		small := g.writer.scratch.small[:0]
		for i := from; i < to; i++ {
			small = append(small, int32(nanos[i]-whole[i]*1000))
		}
		g.writer.scratch.small = small
		_, err := cw.(*file.Int32ColumnChunkWriter).WriteBatch(small, nil, nil)
		return err
	})
}

func (g *group) fixed(raw []byte, width int, valid vector.Bitmap) error {
	return g.pages(func(cw file.ColumnChunkWriter, from, to int) error {
		values := g.writer.scratch.fixed[:0]
		for i := from; i < to; i++ {
			if valid == nil || valid.Get(i) {
				values = append(values, raw[i*width:(i+1)*width])
			}
		}
		g.writer.scratch.fixed = values
		_, err := cw.(*file.FixedLenByteArrayColumnChunkWriter).WriteBatch(values, g.levels(cw, valid, from, to), nil)
		return err
	})
}

func (g *group) bools(values []bool, valid vector.Bitmap) error {
	return g.pages(func(cw file.ColumnChunkWriter, from, to int) error {
		_, err := cw.(*file.BooleanColumnChunkWriter).WriteBatch(
			dense(&g.writer.scratch.bools, values, valid, from, to), g.levels(cw, valid, from, to), nil)
		return err
	})
}

func (g *group) floats(values []float64, valid vector.Bitmap) error {
	return g.pages(func(cw file.ColumnChunkWriter, from, to int) error {
		_, err := cw.(*file.Float64ColumnChunkWriter).WriteBatch(
			dense(&g.writer.scratch.floats, values, valid, from, to), g.levels(cw, valid, from, to), nil)
		return err
	})
}

// maxDictionaryBytes is the most text that a dictionary holds: a look-up reads
// all of it.
const maxDictionaryBytes = 1 << 20

// texts writes a String column by its dictionary, or without one.
func (g *group) texts(c *vector.Column) error {
	if c.Dict != nil && g.hasDictionary(c) {
		return g.codes(c.Dict, c.Codes, c.Valid)
	}
	return g.pages(func(cw file.ColumnChunkWriter, from, to int) error {
		if from == 0 {
			cw.FallbackToPlain()
		}
		values := g.writer.scratch.texts[:0]
		for i := from; i < to; i++ {
			if !c.IsNull(i) {
				values = append(values, byteArray(c.Str(i)))
			}
		}
		g.writer.scratch.texts = values
		_, err := cw.(*file.ByteArrayColumnChunkWriter).WriteBatch(values, g.levels(cw, c.Valid, from, to), nil)
		return err
	})
}

// hasDictionary reports whether texts are written by their dictionary.
func (g *group) hasDictionary(c *vector.Column) bool {
	size, texts, rows := 0, 0, 0
	for _, s := range c.Dict {
		size += len(s)
	}
	if size <= maxDictionaryBytes {
		return true
	}
	for i := range c.Len {
		if !c.IsNull(i) {
			texts += len(c.Str(i))
			rows++
		}
	}
	return g.writer.spec.dictionaryFits(size, texts, rows)
}

// byteArray gives the bytes of a text, which are not changed.
func byteArray(s string) parquet.ByteArray {
	return unsafe.Slice(unsafe.StringData(s), len(s))
}

// codes writes texts that have a dictionary. arrow-go takes codes as they are,
// but leaves the statistics to who gives them.
func (g *group) codes(dict []string, codes []uint32, valid vector.Bitmap) error {
	seen := make([]int32, len(dict)) // 1 + the last page that has it
	return g.pages(func(cw file.ColumnChunkWriter, from, to int) error {
		if from == 0 {
			builder := array.NewStringBuilder(memory.DefaultAllocator)
			builder.AppendValues(dict, nil)
			err := cw.CurrentEncoder().(interface{ PutDictionary(arrow.Array) error }).PutDictionary(builder.NewArray())
			if err != nil {
				return err
			}
		}
		page := int32(from/g.writer.spec.chunkRows()) + 1
		values := g.writer.scratch.texts[:0]
		n := 0
		for i := from; i < to; i++ {
			if valid != nil && !valid.Get(i) {
				continue
			}
			n++
			if code := codes[i]; seen[code] != page {
				seen[code] = page
				values = append(values, byteArray(dict[code]))
			}
		}
		g.writer.scratch.texts = values
		// Only whether there is a value is told by their count.
		cw.PageStatistics().(*metadata.ByteArrayStatistics).Update(extremes(values), int64(to-from-n))
		return cw.WriteDictIndices(int32Array(codes, valid, from, to, n), g.levels(cw, valid, from, to), nil)
	})
}

// extremes gives the least and the greatest of some texts.
func extremes(values []parquet.ByteArray) []parquet.ByteArray {
	if len(values) == 0 {
		return nil
	}
	least, greatest := values[0], values[0]
	for _, v := range values[1:] {
		if string(v) < string(least) {
			least = v
		}
		if string(v) > string(greatest) {
			greatest = v
		}
	}
	return []parquet.ByteArray{least, greatest}
}

// int32Array gives codes of rows, n of which are not NULL, without copying them.
func int32Array(codes []uint32, valid vector.Bitmap, from, to, n int) arrow.Array {
	raw := unsafe.Slice((*byte)(unsafe.Pointer(&codes[from])), 4*(to-from))
	buffers := []*memory.Buffer{nil, memory.NewBufferBytes(raw)}
	if n < to-from {
		words := valid[from/64:]
		buffers[0] = memory.NewBufferBytes(unsafe.Slice((*byte)(unsafe.Pointer(&words[0])), 8*len(words)))
	}
	return array.NewInt32Data(array.NewData(arrow.PrimitiveTypes.Int32, to-from, buffers, nil, to-from-n, 0))
}

// outside writes texts of which some are stored outside the rows.
func (g *group) outside(c *vector.Column) error {
	in := &vector.Column{Kind: vector.String, Len: c.Len, Valid: c.Valid, Dict: slices.Clone(c.Dict), Codes: c.Codes, Strs: slices.Clone(c.Strs)}
	digests, lengths := make([]byte, 32*c.Len), make([]int64, c.Len)
	var away vector.Bitmap
	for i := range c.Len {
		if c.IsNull(i) || !strings.HasPrefix(c.Str(i), "\x00") {
			continue
		}
		text, ref, outside, err := layout.ParseStored(c.Str(i))
		if err != nil {
			return err
		}
		if !outside {
			if c.Dict == nil {
				in.Strs[i] = text
			}
			continue
		}
		if away == nil {
			away = vector.NewBitmap(c.Len)
		}
		away.Set(i)
		copy(digests[32*i:], ref.Hash[:])
		lengths[i] = int64(ref.Len)
	}
	for k, stored := range in.Dict {
		text, _, outside, err := layout.ParseStored(stored)
		if err != nil {
			return err
		}
		if in.Dict[k] = text; outside { // no row has it, and the texts must differ
			in.Dict[k] = stored
		}
	}
	if away == nil {
		away = vector.NewBitmap(c.Len)
	} else {
		in = without(in, away)
	}
	if err := g.texts(in); err != nil {
		return err
	}
	if err := g.fixed(digests, 32, away); err != nil {
		return err
	}
	return g.ints(lengths, away)
}

// without makes some rows NULL and drops their texts from the dictionary.
func without(c *vector.Column, rows vector.Bitmap) *vector.Column {
	out := &vector.Column{Kind: vector.String, Len: c.Len, Valid: vector.NewBitmap(c.Len), Strs: c.Strs}
	numbers := make([]uint32, len(c.Dict)) // 1 + the new code
	if c.Dict != nil {
		out.Codes, out.Dict = make([]uint32, c.Len), []string{}
	}
	for i := range c.Len {
		if c.IsNull(i) || rows.Get(i) {
			continue
		}
		out.Valid.Set(i)
		if c.Dict == nil {
			continue
		}
		code := c.Codes[i]
		if numbers[code] == 0 {
			out.Dict = append(out.Dict, c.Dict[code])
			numbers[code] = uint32(len(out.Dict))
		}
		out.Codes[i] = numbers[code] - 1
	}
	return out
}

// lists writes arrays of one dimension.
func (g *group) lists(p place, c *vector.Column) error {
	typ := g.writer.columns.leaves[p.first].typ
	return g.pages(func(cw file.ColumnChunkWriter, from, to int) error {
		full := cw.Descr().MaxDefinitionLevel()
		var defs, reps []int16
		var ints []int64
		var floats []float64
		for i := from; i < to; i++ {
			if c.IsNull(i) {
				defs, reps = append(defs, 0), append(reps, 0)
				continue
			}
			a, ok := c.Anys[i].(*pgtypes.Array)
			if !ok || len(a.Dims) > 1 || len(a.Dims) == 1 && a.Dims[0].Lower != 1 {
				return fmt.Errorf("cold: a value %v cannot be stored", c.Anys[i])
			}
			if len(a.Elems) == 0 {
				defs, reps = append(defs, full-2), append(reps, 0)
			}
			for k, x := range a.Elems {
				level := full
				switch x := x.(type) {
				case int64:
					ints = append(ints, x)
				case float64:
					floats = append(floats, x)
				default:
					level--
				}
				defs, reps = append(defs, level), append(reps, int16(min(k, 1)))
			}
		}
		var err error
		if typ == parquet.Types.Double && len(ints) == 0 {
			_, err = cw.(*file.Float64ColumnChunkWriter).WriteBatch(floats, defs, reps)
		} else if typ == parquet.Types.Int64 && len(floats) == 0 {
			_, err = cw.(*file.Int64ColumnChunkWriter).WriteBatch(ints, defs, reps)
		} else {
			err = fmt.Errorf("cold: an array of another type cannot be stored")
		}
		return err
	})
}
