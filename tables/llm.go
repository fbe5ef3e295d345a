package tables

import (
	"github.com/tael-sql/tael-sql/catalog"
	"github.com/tael-sql/tael-sql/engine"
	"github.com/tael-sql/tael-sql/internal/otlp"
	"github.com/tael-sql/tael-sql/internal/vector"
)

// llmCalls is the column llm of one batch: computed once, for itself and for
// all keys that are asked of it.
type llmCalls struct {
	messages bool // some of it follows from messages
	docs     *vector.Column
}

// newLLMCalls makes one for the columns that a scan asks for.
func (p *projection) newLLMCalls() *llmCalls {
	return &llmCalls{messages: p.llmFrom(otlp.LLMFromMessages)}
}

// llmFrom reports whether the whole of llm is asked for, or a member that
// follows from what is meant.
func (p *projection) llmFrom(follows func(name string) bool) bool {
	for _, ref := range p.refs {
		if ref.Index != catalog.RowNumber && p.table.columns[ref.Index].source[0] == "llm" && (ref.Key == "" || follows(ref.Key)) {
			return true
		}
	}
	return false
}

// planMember enters a member of llm that can be had by itself: kind, and the
// attributes that it follows from.
func (p *projection) planMember(m *otlp.LLMMember, kind, attributes string) {
	inputs := []int{p.need(engine.ColumnRef{Field: p.table.schema.Index(kind)})}
	for _, key := range m.Attributes() {
		inputs = append(inputs, p.need(engine.ColumnRef{Field: p.table.schema.Index(attributes), Key: key}))
	}
	if p.members == nil {
		p.members = make(map[int]*otlp.LLMMember)
	}
	p.members[len(p.inputs)] = m
	p.inputs = append(p.inputs, inputs)
}

// member computes such a member.
func member(b *vector.Batch, inputs []int, m *otlp.LLMMember) (*vector.Column, error) {
	cols := make([]*vector.Column, len(inputs))
	for i, at := range inputs {
		c, err := b.Column(at)
		if err != nil {
			return nil, err
		}
		cols[i] = c
	}
	kinds, keys := cols[0], cols[1:]
	out := &vector.Column{Kind: vector.String, Len: kinds.Len, Strs: make([]string, kinds.Len), Valid: vector.NewBitmap(kinds.Len)}
	for row := range kinds.Len {
		if kinds.Str(row) != "llm" {
			continue
		}
		text, ok := m.Text(func(i int) (string, bool) {
			if keys[i].IsNull(row) {
				return "", true
			}
			return keys[i].Str(row), false
		})
		if ok {
			out.Strs[row] = text
			out.Valid.Set(row)
		}
	}
	return out, nil
}

// column computes it of the stored columns kind, attributes and events. Those
// are read only if there is such a span.
func (l *llmCalls) column(b *vector.Batch, inputs []int) (*vector.Column, error) {
	if l.docs != nil {
		return l.docs, nil
	}
	kinds, err := b.Column(inputs[0])
	if err != nil {
		return nil, err
	}
	var rows []int
	for row := range kinds.Len {
		if kinds.Str(row) == "llm" {
			rows = append(rows, row)
		}
	}
	if rows == nil {
		l.docs = vector.Const(vector.String, nil, kinds.Len)
		return l.docs, nil
	}
	attributes, err := b.Column(inputs[1])
	if err != nil {
		return nil, err
	}
	events, err := b.Column(inputs[2])
	if err != nil {
		return nil, err
	}
	docs := &vector.Column{Kind: vector.String, Len: kinds.Len, Strs: make([]string, kinds.Len), Valid: vector.NewBitmap(kinds.Len)}
	for _, row := range rows {
		docs.Strs[row] = otlp.LLM(attributes.Attrs, row, events.Str(row), l.messages)
		docs.Valid.Set(row)
	}
	l.docs = docs
	return docs, nil
}
