package cold

import (
	"encoding/binary"
	"io"
	"slices"

	"github.com/apache/arrow-go/v18/parquet"
	"github.com/apache/arrow-go/v18/parquet/compress"
	"github.com/apache/arrow-go/v18/parquet/metadata"
	"github.com/apache/arrow-go/v18/parquet/schema"
	"github.com/cespare/xxhash/v2"

	"github.com/tael-sql/tael-sql/engine/layout"
)

// A Part reads one part. It keeps where its pages are, and nothing else; it is
// safe for concurrent use.
type Part struct {
	spec    *Spec
	meta    *layout.PartMeta
	cache   *Cache
	file    io.ReaderAt
	columns *columns
	groups  [][]columnChunk // by row group and leaf
	first   []int           // by row group: its first chunk
	held    int64
}

// A columnChunk says where the pages of a column are in a row group.
type columnChunk struct {
	missing    bool  // the file does not have the column
	empty      bool  // it has no value, only NULLs and empty rows
	values     int64 // NULLs and empty rows included
	nulls      int64 // of these
	raw        int64 // bytes of all pages, decompressed
	encoding   parquet.Encoding
	dictionary location
	pages      []location // by chunk of the row group
}

type location struct {
	offset int64
	size   int32
}

// Open reads the footer and the offset index. spec and meta must be those that
// the part was written with and that Writer.Close gave. r may be Pieced.
func Open(r io.ReaderAt, size int64, spec *Spec, meta *layout.PartMeta, cache *Cache) (*Part, error) {
	const trailer = 8 // length of the footer and magic
	if size != meta.Bytes || meta.Tail < trailer || meta.Tail > size {
		return nil, corrupt("%s has %d bytes, expected %d", meta.Name, size, meta.Bytes)
	}
	if meta.ChunkRows < 64 || meta.ChunkRows%64 != 0 {
		return nil, corrupt("%s has chunks of %d rows", meta.Name, meta.ChunkRows)
	}
	tail := make([]byte, meta.Tail)
	if n, err := r.ReadAt(tail, size-meta.Tail); n < len(tail) {
		return nil, err
	}
	if xxhash.Sum64(tail) != meta.TailChecksum {
		return nil, corrupt("%s: checksum of the footer at %d", meta.Name, size-meta.Tail)
	}
	length := int64(binary.LittleEndian.Uint32(tail[len(tail)-trailer:]))
	if length > meta.Tail-trailer {
		return nil, corrupt("%s: footer of %d bytes", meta.Name, length)
	}
	footer, err := metadata.NewFileMetaData(tail[meta.Tail-trailer-length:meta.Tail-trailer], nil)
	if err != nil {
		return nil, corrupt("%s: footer: %v", meta.Name, err)
	}
	p := &Part{spec: spec, meta: meta, cache: cache, file: r}
	if file, ok := r.(Pieced); ok {
		p.file = &pieces{file, size, meta, cache}
	}
	if err := p.directory(footer, tail); err != nil {
		return nil, err
	}
	return p, nil
}

// directory notes where the pages are.
func (p *Part) directory(footer *metadata.FileMetaData, tail []byte) error {
	kv := footer.KeyValueMetadata()
	if v := kv.FindValue(versionName); v == nil || *v != version {
		return corrupt("%s is of another version than %s", p.meta.Name, version)
	}
	if v := kv.FindValue(tableName); v == nil || *v != p.spec.Schema.Name {
		return corrupt("%s is not of table %s", p.meta.Name, p.spec.Schema.Name)
	}
	frequent := kv.FindValue(frequentName)
	if frequent == nil {
		return corrupt("%s names no frequent keys", p.meta.Name)
	}
	keys, err := parseFrequent(*frequent)
	if err != nil {
		return err
	}
	if p.columns, err = newColumns(p.spec, keys); err != nil {
		return err
	}
	p.columns.root = nil            // it is for writers
	numbers := make(map[string]int) // of the columns of the file
	for i := range footer.Schema.NumColumns() {
		numbers[footer.Schema.Column(i).Path()] = i
	}
	before := 0 // rows of the groups in front
	for g := range footer.NumRowGroups() {
		group := footer.RowGroup(g)
		size, last := group.NumRows(), g == footer.NumRowGroups()-1
		if size < 1 || size > int64(min(GroupChunks*p.meta.ChunkRows, p.meta.Rows-before)) || size%int64(p.meta.ChunkRows) != 0 && !last {
			return corrupt("%s: row group %d has %d rows after %d of %d", p.meta.Name, g, size, before, p.meta.Rows)
		}
		rows := int(size)
		p.first = append(p.first, before/p.meta.ChunkRows)
		before += rows
		chunks := make([]columnChunk, len(p.columns.leaves))
		for i, l := range p.columns.leaves {
			n, ok := numbers[l.path]
			if !ok {
				chunks[i] = columnChunk{missing: true, empty: true}
				continue
			}
			if !sameColumn(footer.Schema.Column(n), l) {
				return corrupt("%s: column %q is of another type", p.meta.Name, l.path)
			}
			c, err := group.ColumnChunk(n)
			if err != nil {
				return corrupt("%s: column %q: %v", p.meta.Name, l.path, err)
			}
			if chunks[i], err = p.columnChunk(c, tail, rows); err != nil {
				return err
			}
			p.held += 64 + 16*int64(len(chunks[i].pages))
		}
		p.groups = append(p.groups, chunks)
	}
	if before != p.meta.Rows {
		return corrupt("%s has %d rows, expected %d", p.meta.Name, before, p.meta.Rows)
	}
	p.held += 256 * int64(len(p.columns.leaves))
	return nil
}

func sameColumn(c *schema.Column, l leaf) bool {
	return c.PhysicalType() == l.typ && (l.typ != parquet.Types.FixedLenByteArray || c.TypeLength() == l.width) &&
		int(c.MaxDefinitionLevel()) == l.def && int(c.MaxRepetitionLevel()) == l.rep
}

func (p *Part) columnChunk(c *metadata.ColumnChunkMetaData, tail []byte, rows int) (columnChunk, error) {
	bad := func(what string) (columnChunk, error) {
		return columnChunk{}, corrupt("%s: column %q: %s", p.meta.Name, c.PathInSchema(), what)
	}
	out := columnChunk{encoding: -1, values: c.NumValues(), raw: c.TotalUncompressedSize()}
	if c.Compression() != compress.Codecs.Zstd {
		return bad("compression")
	}
	for _, s := range c.EncodingStats() {
		if s.PageType == dataPage {
			if out.encoding >= 0 && out.encoding != s.Encoding {
				return bad("several encodings")
			}
			out.encoding = s.Encoding
		}
	}
	if stats, err := c.Statistics(); err == nil && stats != nil {
		if stats.HasNullCount() {
			out.nulls = stats.NullCount()
			out.empty = out.nulls == out.values
		}
	}
	start := p.meta.Bytes - p.meta.Tail // where the pages end
	at := c.GetOffsetIndexLocation()
	if at == nil || at.Offset < start || at.Length < 0 || at.Offset+int64(at.Length) > p.meta.Bytes {
		return bad("no offset index")
	}
	index := metadata.NewOffsetIndex(tail[at.Offset-start:at.Offset-start+int64(at.Length)], nil, nil)
	for k, page := range index.GetPageLocations() {
		if page.FirstRowIndex != int64(k*p.meta.ChunkRows) || page.Offset < 4 || page.CompressedPageSize < 0 || page.Offset+int64(page.CompressedPageSize) > start {
			return bad("offset index")
		}
		out.pages = append(out.pages, location{page.Offset, page.CompressedPageSize})
	}
	if len(out.pages) != (rows+p.meta.ChunkRows-1)/p.meta.ChunkRows {
		return bad("offset index")
	}
	if c.HasDictionaryPage() {
		from := c.DictionaryPageOffset()
		if from < 4 || from >= out.pages[0].offset {
			return bad("dictionary")
		}
		out.dictionary = location{from, int32(out.pages[0].offset - from)}
	}
	return out, nil
}

// Chunks gives the number of chunks.
func (p *Part) Chunks() int { return p.meta.Chunks() }

// GroupEnd gives the chunk behind the row group that has chunk k.
func (p *Part) GroupEnd(k int) int {
	if next := p.Chunk(k).group + 1; next < len(p.first) {
		return p.first[next]
	}
	return p.Chunks()
}

// Held gives the bytes of memory that the open part holds.
func (p *Part) Held() int64 { return p.held }

// Verify checks and decodes every page.
func (p *Part) Verify() error {
	for k := range p.Chunks() {
		c := p.Chunk(k)
		for i := range p.spec.Schema.Fields {
			if _, err := c.Column(i); err != nil {
				return err
			}
		}
		if _, err := c.RowNumbers(); err != nil {
			return err
		}
		if _, err := c.LSNs(); err != nil {
			return err
		}
		for i := range p.columns.leaves {
			if !c.chunk(i).missing {
				if _, err := c.page(i); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

// mixed reports whether rows of a row group have a frequent key in the map.
func (k frequentKey) mixed(group int) bool { return slices.Contains(k.Else, group) }
