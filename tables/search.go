package tables

import (
	"cmp"
	"context"
	"errors"
	"math"
	"slices"
	"strings"

	"github.com/tael-sql/tael-sql/catalog"
	"github.com/tael-sql/tael-sql/engine"
	"github.com/tael-sql/tael-sql/engine/search"
	"github.com/tael-sql/tael-sql/internal/exec"
	"github.com/tael-sql/tael-sql/internal/expr"
	"github.com/tael-sql/tael-sql/internal/pgerr"
	"github.com/tael-sql/tael-sql/internal/pgtypes"
	"github.com/tael-sql/tael-sql/internal/vector"
)

// searchFunction is search(): it asks the index of texts for what matches, looks
// through the rows that are not in it, and reads the rows of what it found from
// the statement's view, the best first and only as far as somebody reads on. So
// it finds what the statement sees, and nothing else.
type searchFunction struct {
	rel  *catalog.Relation
	from []searched
}

// searched is a table that has texts, with the columns that a search reads.
type searched struct {
	table   *telemetry
	may     func(c *vector.Column, row int) bool
	of      func(cols []*vector.Column, row int, each func(source uint8, text string))
	mayHave string
	texts   []string // columns that of is given
	time    string
	filters []catalog.Filter
	payload bool // its texts are payloads, which may expire before their rows
}

// Places of the columns of every search, before those of the texts.
const (
	atNumber = iota
	atTrace
	atSpan
	atService
	atTime
	atMayHave
	atTexts
)

func newSearch(spans, logs *telemetry) *searchFunction {
	rel := &catalog.Relation{
		OID: functionOID("search"), Schema: catalog.PublicSchema, Name: "search", Kind: 'f',
		Comment: "Prompts, completions and long log bodies that have the words of a query, the best first: words all of which must be there, \"words in a row\", -without, field:word of prompt, completion, log_body or service.",
		Columns: []catalog.Column{
			col("score", pgtypes.Float8, "How well it matches; compares within one call"),
			col("source", pgtypes.Text, "prompt, completion or log_body"),
			col("trace_id", pgtypes.Text, "Trace"),
			col("span_id", pgtypes.Text, "Span"),
			col("service", pgtypes.Text, "Service"),
			col("timestamp", pgtypes.Timestamptz, "Start of the span, or time of the log record"),
			col("snippet", pgtypes.Text, "The text around the first match"),
		},
	}
	spec, body := spanTexts(), logTexts()
	kind := catalog.ColumnRef{Index: spans.rel.Index("kind")}
	return &searchFunction{rel: rel, from: []searched{
		{
			table: spans, may: spec.May, of: spec.Of, mayHave: "kind", texts: []string{"attributes", "events"}, time: "start_time", payload: true,
			filters: []catalog.Filter{{Column: kind, Op: catalog.Equal, Values: []any{"llm"}}},
		},
		{table: logs, may: body.May, of: body.Of, mayHave: "body_sha256", texts: []string{"body"}, time: "timestamp"},
	}}
}

// Relation describes the result.
func (f *searchFunction) Relation() *catalog.Relation { return f.rel }

// Order says that the best come first.
func (f *searchFunction) Order() (column string, descending bool) { return "score", true }

// Args describes the arguments.
func (f *searchFunction) Args() []catalog.Arg {
	return []catalog.Arg{
		{Name: "query", Type: pgtypes.Of(pgtypes.Text)},
		{Name: "service", Type: pgtypes.Of(pgtypes.Text), Default: "NULL"},
		{Name: "since", Type: pgtypes.Of(pgtypes.Timestamptz), Default: "NULL"},
		{Name: "until", Type: pgtypes.Of(pgtypes.Timestamptz), Default: "NULL"},
		{Name: "max_hits", Type: pgtypes.Of(pgtypes.Int4), Default: "NULL"},
	}
}

// A searchCall is one call.
type searchCall struct {
	function     *searchFunction
	env          *expr.Env
	snap         *Snapshot
	query        *search.Query
	service      *string
	since, until int64 // µs: [since, until)
	left         int64 // hits to give
	hits         []textHit
	taken        int64 // bytes of the account

	batch int // hits whose rows are read next
	kinds []vector.Kind
}

// A textHit is a text that matches. It is given if the statement sees its row.
type textHit struct {
	from   int   // place in searchFunction.from
	number int64 // of the row
	time   int64 // ns
	source uint8
	match  search.Match
	score  float64
}

// Call searches.
func (f *searchFunction) Call(ctx context.Context, env *expr.Env, args []any) (vector.Reader, error) {
	kinds := exec.Kinds(columnTypes(f.rel))
	text, ok := args[0].(string)
	if !ok {
		return exec.FromSlice(kinds, nil), nil
	}
	query, err := search.Parse(text, textSources)
	if err != nil {
		return nil, pgerr.New(pgerr.SyntaxError, "syntax error in search query: %s", strings.TrimPrefix(err.Error(), search.ErrSyntax.Error()+": ")).Wrap(err)
	}
	snap, err := snapshot(env)
	if err != nil {
		return nil, err
	}
	c := &searchCall{function: f, env: env, snap: snap, query: query, since: math.MinInt64, until: math.MaxInt64, left: math.MaxInt64, batch: firstSearchBatch, kinds: kinds}
	if service, ok := args[1].(string); ok {
		c.service = &service
	}
	if since, ok := args[2].(int64); ok {
		c.since = since
	}
	if until, ok := args[3].(int64); ok {
		c.until = until
	}
	if n, ok := args[4].(int64); ok {
		if n <= 0 {
			return nil, pgerr.New(pgerr.InvalidParameterValue, "max_hits of %d is not positive", n)
		}
		c.left = n
	}
	if err := c.find(ctx); err != nil {
		c.Close()
		return nil, err
	}
	return c, nil
}

// find gathers what matches, the best first.
func (c *searchCall) find(ctx context.Context) (err error) {
	index, err := c.snap.View.Texts()
	if err != nil {
		return err
	}
	defer func() { err = cmp.Or(err, index.Release()) }()
	stats, err := c.findIndexed(ctx, index)
	if errors.Is(err, engine.ErrTextIndex) {
		c.hits = nil
		stats, err = search.Stats{}, index.Forget()
	}
	if err != nil {
		return err
	}
	matcher := c.query.NewMatcher()
	for i := range c.function.from {
		if err := c.findUnindexed(ctx, i, index.From(c.function.from[i].table.rel.Name), matcher); err != nil {
			return err
		}
	}
	stats.Add(matcher.Stats)
	for i := range c.hits {
		c.hits[i].score = c.query.Score(c.hits[i].match, stats)
	}
	slices.SortFunc(c.hits, func(a, b textHit) int {
		return cmp.Or(cmp.Compare(b.score, a.score), cmp.Compare(b.time, a.time), cmp.Compare(a.from, b.from), cmp.Compare(b.number, a.number), cmp.Compare(a.source, b.source))
	})
	return nil
}

// hitBytes is about what a textHit takes.
const hitBytes = 96

func (c *searchCall) add(h textHit) error {
	if t := pgtypes.MicrosFromUnixNanos(h.time); t < c.since || t >= c.until {
		return nil
	}
	if err := c.env.Account.Grow(hitBytes); err != nil {
		return err
	}
	c.taken += hitBytes
	c.hits = append(c.hits, h)
	return nil
}

func (c *searchCall) findIndexed(ctx context.Context, index *engine.TextIndex) (search.Stats, error) {
	query := c.query
	if c.service != nil {
		query = query.OfService(*c.service)
	}
	least := make([]int64, len(c.function.from)) // time of the oldest text of each table
	for i, from := range c.function.from {
		least[i] = from.table.since(c.snap, c.env)
		if from.payload {
			least[i] = max(least[i], c.snap.payloadsSince(from.table.rel.Name, c.env))
		}
		if least[i] == 0 {
			least[i] = math.MinInt64
		}
	}
	return index.Find(ctx, query, func(table string, h search.Hit) error {
		for i, from := range c.function.from {
			if from.table.rel.Name == table && h.ID.Time >= least[i] {
				return c.add(textHit{from: i, number: int64(h.ID.Number), time: h.ID.Time, source: h.ID.Source, match: h.Match})
			}
		}
		return nil
	})
}

// request asks for the columns of a search.
func (f *searched) request(env *expr.Env) *catalog.ScanRequest {
	ref := func(name string) catalog.ColumnRef { return catalog.ColumnRef{Index: f.table.rel.Index(name)} }
	req := &catalog.ScanRequest{Env: env, Workers: 1, Columns: []catalog.ColumnRef{
		{Index: catalog.RowNumber}, ref("trace_id"), ref("span_id"), ref("service"), ref(f.time), ref(f.mayHave),
	}}
	for _, name := range f.texts {
		req.Columns = append(req.Columns, ref(name))
	}
	return req
}

// findUnindexed tries the texts of the rows from a number on, and those of the
// transaction.
func (c *searchCall) findUnindexed(ctx context.Context, i int, number uint64, matcher *search.Matcher) error {
	from := &c.function.from[i]
	req := from.request(c.env)
	req.Filters = timeRange(from.table, c.since, c.until, from.filters)
	if c.service != nil {
		req.Filters = append(req.Filters, catalog.Filter{Column: req.Columns[atService], Op: catalog.Equal, Values: []any{*c.service}})
	}
	readers, err := from.table.scan(req, rowChoice{from: number})
	if err != nil {
		return err
	}
	in := exec.Concat(readers...)
	defer in.Close()
	for {
		b, err := in.Next(ctx)
		if err != nil || b == nil {
			return err
		}
		if err := c.tryBatch(i, b, matcher); err != nil {
			return err
		}
	}
}

func (c *searchCall) tryBatch(i int, b *vector.Batch, matcher *search.Matcher) error {
	from := &c.function.from[i]
	may, err := b.Column(atMayHave)
	if err != nil {
		return err
	}
	var cols []*vector.Column
	for k := range b.Live() {
		row := b.Row(k)
		if !from.may(may, row) {
			continue
		}
		if cols == nil {
			if cols, err = decode(b); err != nil {
				return err
			}
		}
		service := cols[atService].Str(row)
		hit := textHit{from: i, number: cols[atNumber].Ints[row], time: pgtypes.UnixNanosFromMicros(cols[atTime].Ints[row])}
		var problem error
		from.of(cols[atTexts:], row, func(source uint8, text string) {
			if match, ok := matcher.Try(source, service, text); ok && problem == nil {
				hit.source, hit.match = source, match
				problem = c.add(hit)
			}
		})
		if problem != nil {
			return problem
		}
	}
	return nil
}

// How many hits have their rows read at once: few for who reads few.
const (
	firstSearchBatch = 64
	lastSearchBatch  = 4096
)

// A foundRow is a row that the statement sees.
type foundRow struct {
	batch *vector.Batch
	row   int
}

// Next gives the next best hits.
func (c *searchCall) Next(ctx context.Context) (*vector.Batch, error) {
	for len(c.hits) > 0 && c.left > 0 {
		some := c.hits[:min(c.batch, len(c.hits))]
		c.hits, c.batch = c.hits[len(some):], min(4*c.batch, lastSearchBatch)
		rows := make([]map[int64]foundRow, len(c.function.from))
		for i := range c.function.from {
			var err error
			if rows[i], err = c.read(ctx, i, some); err != nil {
				return nil, err
			}
		}
		var hits []textHit
		var found []foundRow
		for _, h := range some {
			if r, ok := rows[h.from][h.number]; ok && c.left > 0 {
				hits, found = append(hits, h), append(found, r)
				c.left--
			}
		}
		if len(hits) > 0 {
			return vector.NewLazyBatch(len(hits), len(c.kinds), func(i int) (*vector.Column, error) { return c.column(i, hits, found) }), nil
		}
	}
	return nil, nil
}

// read finds the rows of some hits in one table.
func (c *searchCall) read(ctx context.Context, i int, hits []textHit) (map[int64]foundRow, error) {
	from := &c.function.from[i]
	choice := rowChoice{rows: []engine.RowAt{}}
	want := make(map[int64]bool)
	for _, h := range hits {
		if h.from == i && !want[h.number] {
			want[h.number] = true
			if h.number >= 0 {
				choice.rows = append(choice.rows, engine.RowAt{Number: uint64(h.number), Time: h.time})
			}
		}
	}
	if len(want) == 0 {
		return nil, nil
	}
	readers, err := from.table.scan(from.request(c.env), choice)
	if err != nil {
		return nil, err
	}
	in := exec.Concat(readers...)
	defer in.Close()
	found := make(map[int64]foundRow, len(want))
	for {
		b, err := in.Next(ctx)
		if err != nil || b == nil {
			return found, err
		}
		numbers, err := b.Column(atNumber)
		if err != nil {
			return nil, err
		}
		services, err := b.Column(atService)
		if err != nil {
			return nil, err
		}
		for k := range b.Live() {
			row := b.Row(k)
			if want[numbers.Ints[row]] && (c.service == nil || services.Str(row) == *c.service) {
				found[numbers.Ints[row]] = foundRow{b, row}
			}
		}
	}
}

// Columns of the result, in their order.
const (
	scoreColumn = iota
	sourceColumn
	traceColumn
	spanColumn
	serviceColumn
	timeColumn
	snippetColumn
)

// storedColumn tells where a column of the result is among those of a search.
var storedColumn = map[int]int{traceColumn: atTrace, spanColumn: atSpan, serviceColumn: atService, timeColumn: atTime}

func (c *searchCall) column(i int, hits []textHit, rows []foundRow) (*vector.Column, error) {
	out := vector.NewBuilder(c.kinds[i], len(hits))
	for k, h := range hits {
		switch i {
		case scoreColumn:
			out.Append(h.score)
		case sourceColumn:
			out.Append(textSources[h.source-1])
		case snippetColumn:
			text, err := c.text(h, rows[k])
			if err != nil {
				return nil, err
			}
			out.Append(c.query.Snippet(text))
		default:
			col, err := rows[k].batch.Column(storedColumn[i])
			if err != nil {
				return nil, err
			}
			if col.IsNull(rows[k].row) {
				out.AppendNull()
			} else {
				out.Append(col.Value(rows[k].row))
			}
		}
	}
	return out.Finish(), nil
}

// text gives the text of a hit.
func (c *searchCall) text(h textHit, r foundRow) (found string, err error) {
	from := &c.function.from[h.from]
	cols := make([]*vector.Column, len(from.texts))
	for i := range cols {
		if cols[i], err = r.batch.Column(atTexts + i); err != nil {
			return "", err
		}
	}
	from.of(cols, r.row, func(source uint8, text string) {
		if source == h.source {
			found = text
		}
	})
	return found, nil
}

// Close gives back what the hits take.
func (c *searchCall) Close() {
	c.env.Account.Shrink(c.taken)
	c.hits, c.taken = nil, 0
}
