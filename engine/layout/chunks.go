package layout

import (
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/tael-sql/tael-sql/internal/vector"
)

// Chunks collects what a part's index says of the chunks of one row group,
// column by column.
type Chunks struct {
	Description
	rows, size int
	sorted     bool
	text       func(stored string) (string, error)
	metas      []ChunkMeta
	traces     []uint64
	keys       []*vector.Column // of Description.Key, where filters are made of them
	seen       []uint32         // by code: 1 + the last chunk that has it
}

// maxChunkFilter is the most bytes of a filter of values that a chunk keeps:
// larger ones say little and there are many. A set that is left out holds
// anything.
const maxChunkFilter = 512

// maxChunkValues is more distinct values than such a filter holds.
const maxChunkValues = 512

// NewChunks begins a row group of that many rows in chunks of size. Where the
// rows are sorted by the trace field, chunks have its first and last value
// instead of filters. text is as for Describe.
func NewChunks(d Description, rows, size int, sorted bool, text func(stored string) (string, error)) *Chunks {
	c := &Chunks{Description: d, rows: rows, size: size, sorted: sorted, text: text}
	for from := 0; from < rows; from += size {
		c.metas = append(c.metas, ChunkMeta{BlockMeta: &BlockMeta{
			Rows: min(size, rows-from), Zones: make(map[string]Zone), Values: make(map[string]ValueSet),
			Tokens: make(map[string]Filter), AttributeAll: make(map[string]bool),
		}})
	}
	return c
}

// Bookkeeping takes the rows' running numbers and the LSNs of their records.
func (c *Chunks) Bookkeeping(numbers, lsns *vector.Column) {
	c.each(func(m *ChunkMeta, from, to int) {
		m.MinRow, m.MaxRow = uint64(slices.Min(numbers.Ints[from:to])), uint64(slices.Max(numbers.Ints[from:to]))
		m.MinLSN, m.MaxLSN = uint64(slices.Min(lsns.Ints[from:to])), uint64(slices.Max(lsns.Ints[from:to]))
	})
}

func (c *Chunks) each(do func(m *ChunkMeta, from, to int)) {
	for k := range c.metas {
		do(&c.metas[k], k*c.size, min((k+1)*c.size, c.rows))
	}
}

// Column takes a field of the whole row group. The texts of an attribute must
// be distinct.
func (c *Chunks) Column(field int, col *vector.Column) error {
	f := c.Schema.Fields[field]
	if f.Name == c.Time || slices.Contains(c.Zones, f.Name) {
		c.zones(f.Name, col)
	}
	if f.Name == c.Trace {
		c.trace(col)
	}
	if slices.Contains(c.Key, f.Name) && !c.sorted {
		if c.keys = append(c.keys, col); len(c.keys) == len(c.Key) {
			c.keyFilters()
		}
	}
	if f.Tokens {
		if err := c.tokens(f.Name, col); err != nil {
			return err
		}
	}
	if !f.Filter {
		return nil
	}
	c.seen = nil
	c.each(func(m *ChunkMeta, from, to int) {
		switch f.Kind {
		case vector.Map:
			c.attributes(m, f.Name, col, from, to)
		case vector.String:
			c.keep(m, f.Name, c.distinct(col, from, to))
		default:
			c.keep(m, f.Name, scalars(f, col, from, to))
		}
	})
	return nil
}

func (c *Chunks) zones(name string, col *vector.Column) {
	c.each(func(m *ChunkMeta, from, to int) {
		z := Zone{math.MaxInt64, math.MinInt64}
		for i := from; i < to; i++ {
			if !col.IsNull(i) {
				z.Min, z.Max = min(z.Min, col.Ints[i]), max(z.Max, col.Ints[i])
			}
		}
		if m.Zones[name] = z; name == c.Time {
			m.MinTime, m.MaxTime = z.Min, z.Max
		}
	})
}

func (c *Chunks) trace(col *vector.Column) {
	hashes := make([]uint64, 0, col.Len)
	c.each(func(m *ChunkMeta, from, to int) {
		start, last := len(hashes), ""
		for i := from; i < to; i++ {
			if id := col.HexBytes(i); !col.IsNull(i) && (len(hashes) == start || string(id) != last) {
				hashes, last = append(hashes, Hash(id)), string(id)
			}
		}
		if c.sorted {
			m.First, m.Last = slices.Clone(col.HexBytes(from)), slices.Clone(col.HexBytes(to-1))
		} else {
			m.Trace = BuildFilter(hashes[start:], TraceFilterBits)
		}
	})
	c.traces = hashes
}

func (c *Chunks) keyFilters() {
	c.each(func(m *ChunkMeta, from, to int) {
		hashes := make([]uint64, 0, to-from)
		var key []byte
		for i := from; i < to; i++ {
			key = key[:0]
			for _, col := range c.keys {
				key = append(key, col.HexBytes(i)...)
			}
			hashes = append(hashes, Hash(key))
		}
		m.Keys = BuildFilter(hashes, KeyFilterBits)
	})
}

// distinct gives the texts of some rows, each once.
func (c *Chunks) distinct(col *vector.Column, from, to int) []string {
	var out []string
	if col.Dict == nil {
		var seen hashSet
		for i := from; i < to; i++ {
			if col.IsNull(i) {
				continue
			}
			if seen.add(HashString(col.Strs[i])); len(seen.list) > len(out) {
				out = append(out, col.Strs[i])
			}
		}
		return out
	}
	if c.seen == nil {
		c.seen = make([]uint32, len(col.Dict))
	}
	mark := uint32(from/c.size) + 1
	for i := from; i < to; i++ {
		if code := col.Codes[i]; c.seen[code] != mark && !col.IsNull(i) {
			c.seen[code] = mark
			out = append(out, col.Dict[code])
		}
	}
	return out
}

func (c *Chunks) tokens(name string, col *vector.Column) error {
	outside := slices.Contains(c.Outside, name)
	c.seen = nil
	var failed error
	c.each(func(m *ChunkMeta, from, to int) {
		texts := c.distinct(col, from, to)
		for k, stored := range texts {
			if outside {
				text, err := c.text(stored)
				if err != nil {
					failed = err
				}
				texts[k] = text
			}
		}
		m.Tokens[name] = tokenFilter(texts)
	})
	return failed
}

// scalars gives the distinct values of an Int64 or Hex field as ValueSet has
// them; of very many only as many as say that there are.
func scalars(f vector.Field, col *vector.Column, from, to int) []string {
	var out []string
	var seen hashSet
	for i := from; i < to && len(out) <= maxChunkValues; i++ {
		if col.IsNull(i) {
			continue
		}
		before := len(seen.list)
		if f.Kind == vector.Hex {
			id := col.HexBytes(i)
			if seen.add(Hash(id)); len(seen.list) > before {
				out = append(out, string(id))
			}
			continue
		}
		if seen.add(mix(uint64(col.Ints[i]), 1)); len(seen.list) > before {
			out = append(out, strconv.FormatInt(col.Ints[i], 10))
		}
	}
	return out
}

// keep enters the values of a field if that is small.
func (c *Chunks) keep(m *ChunkMeta, name string, values []string) {
	if set, ok := smallSet(values); ok {
		m.Values[name] = set
	}
}

func smallSet(values []string) (ValueSet, bool) {
	if len(values) > maxChunkValues || slices.ContainsFunc(values, isReference) {
		return ValueSet{}, false
	}
	set := newValueSet(values)
	return set, set.Exact != nil || set.Filter.Bytes() <= maxChunkFilter
}

// attributes makes a value set for each attribute, as ->> gives its values.
func (c *Chunks) attributes(m *ChunkMeta, name string, col *vector.Column, from, to int) {
	a := col.Attrs
	values := make([][]string, len(a.KeyDict))
	has := make([]bool, len(a.KeyDict))
	var seen hashSet
	for e := a.Off[from]; e < a.Off[to]; e++ {
		key, tag := a.Keys[e], a.Tags[e]
		has[key] = true
		if tag == vector.TagNull || len(values[key]) > maxChunkValues {
			continue
		}
		before := len(seen.list)
		if seen.add(mix(mix(a.Vals[e], uint64(tag)), uint64(key)+1)); len(seen.list) > before {
			values[key] = append(values[key], string(a.AppendText(nil, int(e))))
		}
	}
	var keys []uint32
	for key, ok := range has {
		if ok {
			keys = append(keys, uint32(key))
		}
	}
	if len(keys) <= maxAttributeSets {
		m.AttributeAll[name] = true
	}
	slices.SortFunc(keys, func(x, y uint32) int { return strings.Compare(a.KeyDict[x], a.KeyDict[y]) })
	for _, key := range keys[:min(len(keys), maxAttributeSets)] {
		set, ok := smallSet(values[key])
		if !ok {
			set = ValueSet{} // anything
		}
		m.Values[AttributeName(name, a.KeyDict[key])] = set
	}
}

// Finish gives the chunks, and the hashes of their trace ids.
func (c *Chunks) Finish() (chunks []ChunkMeta, traces []uint64) { return c.metas, c.traces }

// SummarizeChunks begins the manifest entry of a part with what its chunks say.
func SummarizeChunks(chunks []ChunkMeta) *PartMeta {
	first := chunks[0]
	m := &PartMeta{
		MinTime: first.MinTime, MaxTime: first.MaxTime, MinLSN: first.MinLSN, MaxLSN: first.MaxLSN,
		MinRow: first.MinRow, MaxRow: first.MaxRow, Zones: make(map[string]Zone),
	}
	for _, c := range chunks {
		m.Rows += c.Rows
		m.MinTime, m.MaxTime = min(m.MinTime, c.MinTime), max(m.MaxTime, c.MaxTime)
		m.MinLSN, m.MaxLSN = min(m.MinLSN, c.MinLSN), max(m.MaxLSN, c.MaxLSN)
		m.MinRow, m.MaxRow = min(m.MinRow, c.MinRow), max(m.MaxRow, c.MaxRow)
		for name, z := range c.Zones {
			if all, ok := m.Zones[name]; ok {
				z = Zone{min(z.Min, all.Min), max(z.Max, all.Max)}
			}
			m.Zones[name] = z
		}
	}
	return m
}
