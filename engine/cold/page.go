package cold

import (
	"encoding/binary"
	"math"
	"sync"

	"github.com/apache/arrow-go/v18/parquet"
	"github.com/klauspost/compress/zstd"
)

// padding bytes lie behind a decompressed page, so that packed numbers can be
// read by words.
const padding = 16

// A page is decompressed and its header checked.
type page struct {
	values   int // NULLs and empty rows included
	encoding parquet.Encoding
	data     []byte // padding lies behind it
}

// maxPage is the most bytes of a page, as Parquet has it.
const maxPage = math.MaxInt32

// decoder is used for single pages, by any number of goroutines at once.
var decoder = sync.OnceValue(func() *zstd.Decoder {
	d, err := zstd.NewReader(nil, zstd.WithDecoderConcurrency(0), zstd.WithDecoderMaxMemory(maxPage))
	if err != nil {
		panic("BUG: " + err.Error())
	}
	return d
})

// readBuffers are for compressed pages.
var readBuffers = sync.Pool{New: func() any { return new([]byte) }}

// read reads a page of a column.
func (p *Part) read(cc *columnChunk, at location, typ int32) (page, error) {
	buf := readBuffers.Get().(*[]byte)
	defer readBuffers.Put(buf)
	raw := resized(buf, int(at.size))
	if n, err := p.file.ReadAt(raw, at.offset); n < len(raw) {
		return page{}, err
	}
	h, ok := parseHeader(raw)
	if !ok || h.typ != typ || h.size+int(h.compressed) != len(raw) || int64(h.uncompressed) > cc.raw {
		return page{}, corrupt("%s: header of the page at %d", p.meta.Name, at.offset)
	}
	out := make([]byte, 0, int(h.uncompressed)+padding)
	out, err := decoder().DecodeAll(raw[h.size:], out)
	if err != nil || len(out) != int(h.uncompressed) {
		return page{}, corrupt("%s: page at %d does not decompress", p.meta.Name, at.offset)
	}
	if cap(out) < len(out)+padding {
		out = append(make([]byte, 0, len(out)+padding), out...)
	}
	return page{values: int(h.values), encoding: parquet.Encoding(h.encoding), data: out}, nil
}

// page gives the page of a column.
func (c *Chunk) page(leaf int) (*page, error) {
	key := cacheKey{c.part.meta, int32(leaf), int32(c.k)}
	if v, ok := c.part.cache.get(key); ok {
		return v.(*page), nil
	}
	cc := c.chunk(leaf)
	at := cc.pages[c.place]
	p, err := c.part.read(cc, at, dataPage)
	if err != nil {
		return nil, err
	}
	c.bytes.Add(int64(at.size))
	if p.encoding != cc.encoding || c.part.columns.leaves[leaf].rep == 0 && p.values != c.Rows() {
		return nil, corrupt("%s: header of the page at %d", c.part.meta.Name, at.offset)
	}
	return c.part.cache.put(key, &p, int64(cap(p.data))).(*page), nil
}

// fail is the error of a page that cannot be decoded.
func (c *Chunk) fail(leaf int) error {
	p := c.part
	return corrupt("%s: page at %d of column %q cannot be decoded", p.meta.Name,
		c.chunk(leaf).pages[c.place].offset, p.columns.leaves[leaf].path)
}

// A dictionary is that of a column in a row group.
type dictionary struct {
	texts []string // without duplicates
	ints  []int64

	numbers    func() []string                 // the texts of ints, made at first use
	attributes func() ([]attributeText, error) // what texts say, if they are those of a MAP column
}

// dictionary gives the dictionary of a column.
func (c *Chunk) dictionary(leaf int) (*dictionary, error) {
	p := c.part
	key := cacheKey{p.meta, int32(leaf), ^int32(c.group)}
	if v, ok := p.cache.get(key); ok {
		return v.(*dictionary), nil
	}
	cc := c.chunk(leaf)
	at := cc.dictionary
	if at.size == 0 {
		return nil, c.fail(leaf)
	}
	raw, err := p.read(cc, at, dictionaryPage)
	if err != nil {
		return nil, err
	}
	c.bytes.Add(int64(at.size))
	d := &dictionary{}
	size := int64(cap(raw.data))
	ok := raw.encoding == parquet.Encodings.Plain && raw.values <= len(raw.data)
	switch p.columns.leaves[leaf].typ {
	case parquet.Types.ByteArray:
		if ok {
			d.texts, ok = plainTexts(raw.data, raw.values, nil)
		}
		if len(d.texts) == 0 {
			d.texts = []string{""}
		}
		d.attributes = sync.OnceValues(func() ([]attributeText, error) { return parseTexts(d.texts) })
		size += 16 * int64(raw.values)
	case parquet.Types.Int64:
		if ok = ok && len(raw.data) == 8*raw.values; ok {
			d.ints = make([]int64, raw.values)
			for i := range d.ints {
				d.ints[i] = int64(binary.LittleEndian.Uint64(raw.data[8*i:]))
			}
		}
		d.numbers = sync.OnceValue(func() []string { return decimals(d.ints) })
		size += 40 * int64(raw.values)
	case parquet.Types.Int32:
		if ok = ok && len(raw.data) == 4*raw.values; ok {
			d.ints = make([]int64, raw.values)
			for i := range d.ints {
				d.ints[i] = int64(int32(binary.LittleEndian.Uint32(raw.data[4*i:])))
			}
		}
		size += 8 * int64(raw.values)
	default:
		ok = false
	}
	if !ok {
		return nil, corrupt("%s: dictionary at %d cannot be decoded", p.meta.Name, at.offset)
	}
	return p.cache.put(key, d, size).(*dictionary), nil
}
