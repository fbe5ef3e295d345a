package otlp

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/cockroachdb/datadriven"
	"go.opentelemetry.io/collector/pdata/ptrace"
	"go.opentelemetry.io/collector/pdata/ptrace/ptraceotlp"

	"github.com/tael-sql/tael-sql/internal/pgtypes"
	"github.com/tael-sql/tael-sql/internal/vector"
	"github.com/tael-sql/tael-sql/wal/record"
)

// checkMembers compares the members that can be had by themselves with those of
// the whole object of the one row of a.
func checkMembers(t *testing.T, pos, doc string, a *vector.Attrs) {
	names := slices.Collect(maps.Keys(derivedFrom))
	for _, f := range llmFields {
		names = append(names, f.name)
	}
	for _, name := range names {
		m, ok := FindLLMMember(name)
		if !ok {
			continue
		}
		text, has := m.Text(func(i int) (string, bool) {
			c := a.KeyColumn(m.Attributes()[i], 1)
			if c.IsNull(0) {
				return "", true
			}
			return c.Str(0), false
		})
		raw, inDoc := pgtypes.JSONGet(doc, name)
		want, _ := pgtypes.JSONText(raw)
		if has != inDoc || has && text != want {
			t.Errorf("%s: %s by itself is %q, %v; in the object %q, %v", pos, name, text, has, want, inDoc)
		}
	}
}

// TestLLM runs testdata/llm. The input is attributes, one a line: a name and a
// jsonb value; a line that begins with "event NAME" adds an event, to which the
// attributes below belong. The output is the members of the object.
func TestLLM(t *testing.T) {
	datadriven.RunTest(t, "testdata/llm", func(t *testing.T, d *datadriven.TestData) string {
		request := ptraceotlp.NewExportRequest()
		span := request.Traces().ResourceSpans().AppendEmpty().ScopeSpans().AppendEmpty().Spans().AppendEmpty()
		span.SetTraceID([16]byte{1})
		span.SetSpanID([8]byte{1})
		to := span.Attributes()
		for line := range strings.Lines(d.Input) {
			name, value, _ := strings.Cut(strings.TrimSpace(line), " ")
			if name == "event" {
				e := span.Events().AppendEmpty()
				e.SetName(value)
				to = e.Attributes()
				continue
			}
			text := `{"resourceSpans":[{"scopeSpans":[{"spans":[{"attributes":[{"key":"k","value":` + value + `}]}]}]}]}`
			m, err := (&ptrace.JSONUnmarshaler{}).UnmarshalTraces([]byte(text))
			if err != nil {
				t.Fatalf("%s: %v", line, err)
			}
			v, _ := m.ResourceSpans().At(0).ScopeSpans().At(0).Spans().At(0).Attributes().Get("k")
			v.CopyTo(to.PutEmpty(name))
		}
		body, err := request.MarshalProto()
		if err != nil {
			t.Fatal(err)
		}
		rows := mustDecode(t, record.Traces, body).Rows
		if kind := rows.Cols[spanKind].Str(0); kind != "llm" {
			t.Errorf("%s: the kind is %s", d.Pos, kind)
		}
		doc := LLM(rows.Cols[rows.Schema.Index("attributes")].Attrs, 0, rows.Cols[spanEvents].Str(0), true)
		if canonical, err := pgtypes.CanonicalJSON(doc); err != nil || canonical != doc {
			t.Errorf("%s: no canonical jsonb: %s", d.Pos, doc)
		}
		prompt, completion, hasPrompt, hasCompletion := LLMTexts(rows.Cols[rows.Schema.Index("attributes")].Attrs, 0, rows.Cols[spanEvents].Str(0))
		for _, c := range []struct {
			name, text string
			has        bool
		}{{"prompt", prompt, hasPrompt}, {"completion", completion, hasCompletion}} {
			raw, has := pgtypes.JSONGet(doc, c.name)
			if text, _ := pgtypes.JSONText(raw); has != c.has || has && text != c.text {
				t.Errorf("%s: the %s alone is %q, %v", d.Pos, c.name, c.text, c.has)
			}
		}
		checkMembers(t, d.Pos, doc, rows.Cols[rows.Schema.Index("attributes")].Attrs)
		var b strings.Builder
		for key, raw := range pgtypes.JSONEach(doc) {
			b.WriteString(key + ": " + raw + "\n")
		}
		return b.String()
	})
}

func BenchmarkLLM(b *testing.B) {
	request := ptraceotlp.NewExportRequest()
	span := request.Traces().ResourceSpans().AppendEmpty().ScopeSpans().AppendEmpty().Spans().AppendEmpty()
	span.SetTraceID([16]byte{1})
	span.SetSpanID([8]byte{1})
	a := span.Attributes()
	a.PutStr("gen_ai.provider.name", "openai")
	a.PutStr("gen_ai.request.model", "gpt-5")
	a.PutStr("gen_ai.operation.name", "chat")
	a.PutInt("gen_ai.usage.input_tokens", 1000)
	a.PutInt("gen_ai.usage.output_tokens", 100)
	a.PutStr("gen_ai.input.messages", `[{"role": "user", "parts": [{"type": "text", "content": "`+strings.Repeat("word ", 800)+`"}]}]`)
	body, err := request.MarshalProto()
	if err != nil {
		b.Fatal(err)
	}
	rows := mustDecode(b, record.Traces, body).Rows
	for _, messages := range []bool{false, true} {
		b.Run(fmt.Sprintf("prompt=4KB/messages=%t", messages), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				LLM(rows.Cols[rows.Schema.Index("attributes")].Attrs, 0, "[]", messages)
			}
		})
	}
}
