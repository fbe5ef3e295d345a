package cold

import (
	"fmt"
	"io"
	"sort"
	"strconv"
	"strings"

	"github.com/apache/arrow-go/v18/parquet"
	"github.com/apache/arrow-go/v18/parquet/compress"
	"github.com/apache/arrow-go/v18/parquet/file"

	"github.com/tael-sql/tael-sql/engine/block"
	"github.com/tael-sql/tael-sql/engine/layout"
	"github.com/tael-sql/tael-sql/internal/vector"
)

const (
	createdBy = "tael-sql"
	version   = "1"

	versionName  = "tael-sql.version"
	tableName    = "tael-sql.table"
	orderName    = "tael-sql.order"
	frequentName = "tael-sql.frequent"
)

// maxStatistic is the longest value that statistics have.
const maxStatistic = 256

// unlimited is a size that no page or dictionary reaches: where they end is
// decided here.
const unlimited = 1 << 40

// A Writer writes one part. The first row group decides which attributes are
// frequent and how integers are encoded.
type Writer struct {
	spec *Spec
	text func(stored string) (string, error)
	sink *sink
	rows int
	last bool // a chunk was not full: none follows

	groups int // row groups that are done

	columns *columns // nil until the first row group
	file    *file.Writer
	index   layout.PartIndex
	traces  []uint64 // hashes of the trace ids
	scratch scratch
}

// NewWriter begins a part. text gives what is meant by a text that one of the
// fields Outside holds; it is asked only for fields with tokens.
func NewWriter(w io.Writer, spec *Spec, text func(stored string) (string, error)) (*Writer, error) {
	if spec.chunkRows()%64 != 0 {
		return nil, fmt.Errorf("cold: chunks of %d rows", spec.chunkRows())
	}
	return &Writer{spec: spec, text: text, sink: newSink(w)}, nil
}

// groupRows is how many rows a full row group has.
func (s *Spec) groupRows() int { return GroupChunks * s.chunkRows() }

// sorted reports whether rows are sorted by the trace field.
func (s *Spec) sorted() bool {
	return s.Trace != "" && len(s.Order) > 0 && s.Order[0] == s.Trace
}

// WriteGroup writes a row group: picked rows of the sources, in that order, one
// to GroupChunks whole chunks of them but in the last call. In memory are the
// group's rows of one column, and the column of one source.
func (w *Writer) WriteGroup(sources []Source, picks []block.Pick) error {
	if w.last || len(picks) == 0 || len(picks) > w.spec.groupRows() {
		return fmt.Errorf("cold: a row group of %d rows after %d", len(picks), w.rows)
	}
	g := &group{
		writer: w, sources: sources, picks: picks, by: bySource(len(sources), picks),
		columns: make(map[int]*vector.Column), describe: layout.NewChunks(w.spec.Description, len(picks), w.spec.chunkRows(), w.spec.sorted(), w.text),
	}
	if err := g.write(); err != nil {
		return fmt.Errorf("write row group %d: %w", w.groups, err)
	}
	chunks, traces := g.describe.Finish()
	w.index.Chunks = append(w.index.Chunks, chunks...)
	w.traces = append(w.traces, traces...)
	w.rows += len(picks)
	w.last = len(picks)%w.spec.chunkRows() != 0
	w.groups++
	return nil
}

// begin opens the file, once the first row group has told what is in it.
func (w *Writer) begin(g *group) error {
	frequent := make(map[string][]frequentKey)
	for i, f := range w.spec.Schema.Fields {
		if f.Kind == vector.Map {
			c, err := g.column(i)
			if err != nil {
				return err
			}
			frequent[f.Name] = frequentKeys(c)
		}
	}
	var err error
	if w.columns, err = newColumns(w.spec, frequent); err != nil {
		return err
	}
	options := []parquet.WriterProperty{
		parquet.WithVersion(parquet.V2_6), parquet.WithDataPageVersion(parquet.DataPageV1), parquet.WithCreatedBy(createdBy),
		parquet.WithCompression(compress.Codecs.Zstd), parquet.WithCompressionLevel(1),
		parquet.WithStats(true), parquet.WithMaxStatsSize(maxStatistic), parquet.WithPageIndexEnabled(true),
		parquet.WithDataPageSize(unlimited), parquet.WithBatchSize(unlimited), parquet.WithDictionaryPageSizeLimit(unlimited),
		parquet.WithMaxRowGroupLength(int64(w.spec.groupRows())),
		parquet.WithDictionaryDefault(false),
	}
	for i, l := range w.columns.leaves {
		switch l.typ {
		case parquet.Types.ByteArray:
			options = append(options, parquet.WithDictionaryFor(l.path, true))
		case parquet.Types.Int32:
			options = append(options, parquet.WithDictionaryFor(l.path, true))
		case parquet.Types.Int64:
			if l.rep > 0 {
				continue
			}
			// arrow-go panics at a page of packed differences without values.
			dictionary := l.def > 0
			if !dictionary {
				values, err := g.integers(i)
				if err != nil {
					return err
				}
				dictionary = dictionaryIsSmaller(values, nil)
			}
			if dictionary {
				options = append(options, parquet.WithDictionaryFor(l.path, true))
			} else {
				options = append(options, parquet.WithEncodingFor(l.path, parquet.Encodings.DeltaBinaryPacked))
			}
		}
	}
	w.file, err = file.NewParquetWriterWithError(w.sink, w.columns.root, file.WithWriterProps(parquet.NewWriterProperties(options...)))
	return err
}

// Close ends the file. Table, ID, Level and Name are the caller's to set.
func (w *Writer) Close() (*layout.PartMeta, *layout.PartIndex, error) {
	if w.file == nil {
		return nil, nil, fmt.Errorf("cold: a part without rows")
	}
	frequent := make(map[string][]frequentKey)
	for i, f := range w.spec.Schema.Fields {
		if keys := w.columns.places[i].frequent; len(keys) > 0 {
			frequent[f.Name] = keys
		}
	}
	text, err := appendFrequent(frequent)
	if err != nil {
		return nil, nil, err
	}
	for _, pair := range [][2]string{
		{versionName, version},
		{tableName, w.spec.Schema.Name},
		{orderName, strings.Join(w.spec.Order, ",")},
		{frequentName, text},
	} {
		if err := w.file.AppendKeyValueMetadata(pair[0], pair[1]); err != nil {
			return nil, nil, fmt.Errorf("close part: %w", err)
		}
	}
	if err := w.file.Close(); err != nil {
		return nil, nil, fmt.Errorf("close part: %w", err)
	}
	w.sink.flush()
	if w.sink.err != nil {
		return nil, nil, fmt.Errorf("close part: %w", w.sink.err)
	}
	if w.spec.Trace != "" {
		w.index.Trace = layout.BuildFilter(w.traces, layout.TraceFilterBits)
	}
	meta := layout.SummarizeChunks(w.index.Chunks)
	meta.ChunkRows, meta.Bytes = w.spec.chunkRows(), w.sink.size
	meta.Checksum, meta.Tail, meta.TailChecksum = w.sink.all.Sum64(), w.sink.size-w.sink.from, w.sink.tail.Sum64()
	return meta, &w.index, nil
}

// A group is a row group being written.
type group struct {
	writer   *Writer
	sources  []Source
	picks    []block.Pick
	by       picksOf
	columns  map[int]*vector.Column // gathered so far and still needed, by field
	describe *layout.Chunks
	file     file.SerialRowGroupWriter
}

// column gathers a field; it is kept until forget.
func (g *group) column(field int) (*vector.Column, error) {
	if c, ok := g.columns[field]; ok {
		return c, nil
	}
	c, err := g.gather(g.writer.spec.Schema.Fields[field], func(s Source) (*vector.Column, error) { return s.Column(field) })
	if err == nil {
		g.columns[field] = c
	}
	return c, err
}

// bookkeeping gathers the running numbers, or the LSNs.
func (g *group) bookkeeping(leaf int) (*vector.Column, error) {
	read := Source.RowNumbers
	if leaf == g.writer.columns.lsn {
		read = Source.LSNs
	}
	return g.gather(vector.Field{Kind: vector.Int64}, read)
}

// integers gives the values of a required INT64 column.
func (g *group) integers(leaf int) ([]int64, error) {
	cs := g.writer.columns
	if leaf == cs.row || leaf == cs.lsn {
		c, err := g.bookkeeping(leaf)
		if err != nil {
			return nil, err
		}
		return c.Ints, nil
	}
	field := sort.Search(len(cs.places), func(i int) bool { return cs.places[i].first > leaf }) - 1
	c, err := g.column(field)
	if err != nil {
		return nil, err
	}
	switch cs.places[field].form {
	case formTime:
		return micros(c.Ints), nil
	case formRelative:
		return g.relative(c)
	}
	return c.Ints, nil
}

// relative gives times less those of the time field.
func (g *group) relative(c *vector.Column) ([]int64, error) {
	times, err := g.column(g.writer.columns.time)
	if err != nil {
		return nil, err
	}
	out := make([]int64, c.Len)
	for i, v := range c.Ints {
		if !c.IsNull(i) {
			out[i] = v - times.Ints[i]
		}
	}
	return out, nil
}

func (g *group) write() error {
	w := g.writer
	if w.file == nil {
		if err := w.begin(g); err != nil {
			return err
		}
	}
	var err error
	if g.file, err = w.file.AppendRowGroupChecked(); err != nil {
		return err
	}
	for i := range w.columns.places {
		c, err := g.column(i)
		if err != nil {
			return err
		}
		if err := g.describe.Column(i, c); err != nil {
			return err
		}
		if err := g.field(i, c); err != nil {
			return fmt.Errorf("field %s: %w", strconv.Quote(w.spec.Schema.Fields[i].Name), err)
		}
		if i != w.columns.time {
			delete(g.columns, i)
		}
	}
	rows, err := g.bookkeeping(w.columns.row)
	if err != nil {
		return err
	}
	lsns, err := g.bookkeeping(w.columns.lsn)
	if err != nil {
		return err
	}
	g.describe.Bookkeeping(rows, lsns)
	for _, c := range []*vector.Column{rows, lsns} {
		if err := g.ints(c.Ints, nil); err != nil {
			return err
		}
	}
	if err := g.file.Close(); err != nil {
		return err
	}
	w.sink.mark()
	return w.sink.err
}

// dictionaryIsSmaller compares what integers take as codes of a dictionary with
// what they take as packed differences.
func dictionaryIsSmaller(values []int64, valid vector.Bitmap) bool {
	seen := make(map[int64]struct{})
	n, changes, packed, last := 0, 0, 0, int64(0)
	var width, in int
	for i, v := range values {
		if valid != nil && !valid.Get(i) {
			continue
		}
		if n == 0 || v != last {
			changes++
			seen[v] = struct{}{}
		}
		width = max(width, widthOf(zigzag(v-last)))
		if in++; in == 32 {
			packed, width, in = packed+4*width+1, 0, 0
		}
		last = v
		if n++; n > 1024 && len(seen) > n/2 {
			return false
		}
	}
	codes := min(n*widthOf(uint64(len(seen)))/8, 4*changes)
	return 8*len(seen)+codes <= packed+in*width/8
}
