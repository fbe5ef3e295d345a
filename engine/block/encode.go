package block

import (
	"encoding/binary"
	"hash/crc32"

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
	e := &encoder{sources: sources, picks: picks, raws: make(map[uint64]stored), bitmaps: make(map[uint64]int), data: make([]byte, 0, 48*len(picks))}
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
