package engine

import (
	"github.com/tael-sql/tael-sql/engine/layout"
	"github.com/tael-sql/tael-sql/internal/vector"
)

// A pruner is a filter prepared for asking many manifest entries.
type pruner struct {
	reason string
	may    func(m *layout.BlockMeta) bool // false: no row of the block matches
}

func compileFilters(t *table, filters []Filter) []pruner {
	var out []pruner
	for _, f := range filters {
		if p, ok := compileFilter(t, f); ok {
			out = append(out, p)
		}
	}
	return out
}

func compileFilter(t *table, f Filter) (pruner, bool) {
	if f.Ref.Field == RowNumber {
		return pruner{}, false
	}
	field := t.Schema.Fields[f.Ref.Field]
	switch {
	case f.Contains != "":
		if !field.Tokens {
			return pruner{}, false
		}
		var words []uint64
		layout.InnerWords(f.Contains, func(token []byte) { words = append(words, layout.Hash(token)) })
		return pruner{"tokens", func(m *layout.BlockMeta) bool {
			tokens, ok := m.Tokens[field.Name]
			for _, w := range words {
				if ok && !tokens.Contains(w) {
					return false
				}
			}
			return true
		}}, len(words) > 0
	case f.Equals == nil && field.Kind == vector.Int64:
		return pruner{"zone of " + field.Name, func(m *layout.BlockMeta) bool {
			z, ok := m.Zones[field.Name]
			return !ok || z.Min <= f.Max && z.Max >= f.Min
		}}, true
	case f.Equals != nil && field.Kind == vector.Hex:
		return hexPruner(t, f)
	case f.Equals != nil && (field.Kind == vector.String || f.Ref.Key != ""):
		return valuePruner(field, f)
	}
	return pruner{}, false
}

func hexPruner(t *table, f Filter) (pruner, bool) {
	if f.Ref.Field != t.trace {
		return pruner{}, false
	}
	hashes := make([]uint64, 0, len(f.Equals))
	for _, v := range f.Equals {
		id, ok := v.([]byte)
		if !ok {
			return pruner{}, false
		}
		hashes = append(hashes, layout.Hash(id))
	}
	return pruner{"trace filter", func(m *layout.BlockMeta) bool {
		for _, h := range hashes {
			if m.Trace.Contains(h) {
				return true
			}
		}
		return false
	}}, true
}

func valuePruner(field vector.Field, f Filter) (pruner, bool) {
	values := make([]string, 0, len(f.Equals))
	for _, v := range f.Equals {
		s, ok := v.(string)
		if !ok {
			return pruner{}, false
		}
		values = append(values, s)
	}
	name, reason := field.Name, "values of "+field.Name
	if f.Ref.Key != "" {
		name, reason = field.Name+"\x00"+f.Ref.Key, "values of "+field.Name+" "+f.Ref.Key
	}
	return pruner{reason, func(m *layout.BlockMeta) bool {
		set, ok := m.Values[name]
		if !ok { // an attribute that no row of the block has
			return f.Ref.Key == "" || !m.AttributeAll[field.Name]
		}
		for _, v := range values {
			if set.Contains(v) {
				return true
			}
		}
		return false
	}}, true
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
