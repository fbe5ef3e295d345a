package otlp

import (
	"slices"

	"github.com/tael-sql/tael-sql/internal/pgtypes"
)

// An LLMMember is a member of the object that LLM gives which can be had without
// the others: it follows from a few attributes, of which only the text counts.
type LLMMember struct {
	name       string
	fields     []llmField
	derived    bool
	attributes []string
}

// otherParameters is where OpenInference has parameters of the request.
const otherParameters = "llm.invocation_parameters"

// derivedFrom names the fields that other members follow from.
var derivedFrom = map[string][]string{
	"model": {"request_model", "response_model"}, "llm_operation": {"gen_ai_operation"},
	"total_tokens": {"total_tokens", "input_tokens", "output_tokens"}, "cost_source": {"cost_usd"},
}

// FindLLMMember gives the member of a name; ok is false where it takes more.
func FindLLMMember(name string) (m *LLMMember, ok bool) {
	from, derived := derivedFrom[name]
	if !derived {
		from = []string{name}
	}
	m = &LLMMember{name: name, derived: derived, attributes: []string{otherParameters}}
	for _, f := range llmFields {
		if slices.Contains(from, f.name) && f.kind != llmJSON {
			m.fields = append(m.fields, f)
			m.attributes = append(m.attributes, f.from...)
		}
	}
	if name == "llm_operation" {
		m.attributes = append(m.attributes, "openinference.span.kind")
	}
	return m, len(m.fields) > 0
}

// Attributes gives the keys of the attributes that it follows from.
func (m *LLMMember) Attributes() []string { return m.attributes }

// Text gives the member's text, as ->> does, from the texts of Attributes; null
// says which of these are absent.
func (m *LLMMember) Text(texts func(i int) (text string, null bool)) (text string, ok bool) {
	c := &llmCall{attributes: make(map[string]string, 2)}
	for i, key := range m.attributes {
		if text, null := texts(i); !null {
			c.attributes[key] = string(pgtypes.JSONQuote(nil, text))
		}
	}
	known := make(map[string]string, len(m.fields))
	for _, f := range m.fields {
		if raw, ok := c.field(f); ok {
			c.add(f.name, raw)
			known[f.name] = raw
		}
	}
	if m.derived {
		c.addDerived(known)
	}
	at := slices.Index(c.names, m.name)
	if at < 0 {
		return "", false
	}
	text, null := pgtypes.JSONText(c.raws[at])
	return text, !null
}
