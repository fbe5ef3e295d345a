package engine

import (
	"bytes"
	"fmt"
	"strconv"

	"github.com/tael-sql/tael-sql/engine/layout"
	"github.com/tael-sql/tael-sql/internal/vector"
)

// A pruner is a filter prepared for asking many manifest entries.
type pruner struct {
	reason string
	may    func(m *layout.BlockMeta) bool // false: no row of the block matches
	times  *Filter                        // the filter, if it is a range of the table's time
}

// compileFilters gives the filters that metadata can answer, and the trace ids
// that the rows must have, nil if any do.
func compileFilters(t *table, filters []Filter) (out []pruner, ids *idSet, err error) {
	for _, f := range filters {
		if f.Ref.Field == RowNumber {
			continue
		}
		if f.Ref.Field < 0 || f.Ref.Field >= len(t.Schema.Fields) {
			return nil, nil, fmt.Errorf("BUG: a filter of field %d of %s", f.Ref.Field, t.Schema.Name)
		}
		field := t.Schema.Fields[f.Ref.Field]
		var p pruner
		switch {
		case f.Contains != "":
			p = tokenPruner(field, f)
		case f.Equals == nil && field.Kind == vector.Int64 && f.Ref.Key == "":
			p = zonePruner(t, field, f)
		case f.Equals != nil && f.Ref.Field == t.trace:
			set, ok := newIDSet(f.Equals)
			if !ok {
				continue
			}
			if ids == nil {
				ids = set
			}
			p = pruner{reason: "trace filter", may: func(m *layout.BlockMeta) bool { return set.mayBeIn(&m.Trace) }}
		case f.Equals != nil:
			p = valuePruner(field, f)
		}
		if p.may != nil {
			out = append(out, p)
		}
	}
	return out, ids, nil
}

func tokenPruner(field vector.Field, f Filter) pruner {
	if !field.Tokens {
		return pruner{}
	}
	hashes := layout.InnerTokenHashes(f.Contains)
	if f.Fold {
		hashes = layout.InnerFoldedHashes(f.Contains)
	}
	if len(hashes) == 0 {
		return pruner{}
	}
	return pruner{reason: "tokens of " + field.Name, may: func(m *layout.BlockMeta) bool {
		tokens, ok := m.Tokens[field.Name]
		if !ok {
			return true
		}
		for _, h := range hashes {
			if !tokens.Contains(h) {
				return false
			}
		}
		return true
	}}
}

func zonePruner(t *table, field vector.Field, f Filter) pruner {
	p := pruner{reason: "zone of " + field.Name, may: func(m *layout.BlockMeta) bool {
		z, ok := m.Zones[field.Name]
		return !ok || z.Min <= f.Max && z.Max >= f.Min
	}}
	if field.Name == t.Time {
		p.times = &f
	}
	return p
}

// valuePruner asks the value sets, whose texts layout.ValueSet describes.
func valuePruner(field vector.Field, f Filter) pruner {
	texts := make([]string, 0, len(f.Equals))
	for _, v := range f.Equals {
		switch v := v.(type) {
		case string:
			texts = append(texts, v)
		case []byte:
			texts = append(texts, string(v))
		case int64:
			texts = append(texts, strconv.FormatInt(v, 10))
		default:
			return pruner{}
		}
	}
	name, reason := field.Name, "values of "+field.Name
	if f.Ref.Key != "" {
		name, reason = layout.AttributeName(field.Name, f.Ref.Key), reason+"->>"+f.Ref.Key
	}
	zone := field.Kind == vector.Int64 && f.Ref.Key == ""
	return pruner{reason: reason, may: func(m *layout.BlockMeta) bool {
		if zone && !anyInZone(m, field.Name, f.Equals) {
			return false
		}
		set, ok := m.Values[name]
		if !ok { // an attribute that no row of the block has, or a field without a set
			return f.Ref.Key == "" || !m.AttributeAll[field.Name]
		}
		for _, text := range texts {
			if set.Contains(text) {
				return true
			}
		}
		return false
	}}
}

func anyInZone(m *layout.BlockMeta, field string, values []any) bool {
	z, ok := m.Zones[field]
	if !ok {
		return true
	}
	for _, v := range values {
		if n, ok := v.(int64); !ok || n >= z.Min && n <= z.Max {
			return true
		}
	}
	return false
}

// prune gives the reason why no row of a block can match, "" if one may.
func prune(filters []pruner, m *layout.BlockMeta) string {
	for _, f := range filters {
		if !f.may(m) {
			return f.reason
		}
	}
	return ""
}

// mayHaveTime reports whether a row of the batch may be in the times asked for.
func mayHaveTime(filters []pruner, b *memBatch) bool {
	for _, f := range filters {
		if f.times != nil && (b.maxTime < f.times.Min || b.minTime > f.times.Max) {
			return false
		}
	}
	return true
}

// An idSet is trace ids to look up. The nil set means that any id will do.
type idSet struct {
	ids    [][]byte
	hashes []uint64
	set    map[string]struct{} // nil while there are few
}

// fewIDs is how many ids are compared one by one.
const fewIDs = 4

func newIDSet(values []any) (*idSet, bool) {
	s := &idSet{}
	for _, v := range values {
		id, ok := v.([]byte)
		if !ok {
			return nil, false
		}
		s.ids, s.hashes = append(s.ids, id), append(s.hashes, layout.Hash(id))
	}
	if len(s.ids) > fewIDs {
		s.set = make(map[string]struct{}, len(s.ids))
		for _, id := range s.ids {
			s.set[string(id)] = struct{}{}
		}
	}
	return s, true
}

func (s *idSet) mayBeIn(f *layout.Filter) bool {
	for _, h := range s.hashes {
		if f.Contains(h) {
			return true
		}
	}
	return false
}

// has reports whether a row has one of the ids.
func (s *idSet) has(c *vector.Column, row int) bool {
	if c.IsNull(row) {
		return false
	}
	id := c.HexBytes(row)
	if s.set != nil {
		_, ok := s.set[string(id)]
		return ok
	}
	for _, want := range s.ids {
		if bytes.Equal(id, want) {
			return true
		}
	}
	return false
}

// in gives the test of rows that are decoded, nil for any row.
func (s *idSet) in(t *table, cols []*vector.Column) func(row int) bool {
	if s == nil {
		return nil
	}
	return func(row int) bool { return s.has(cols[t.trace], row) }
}
