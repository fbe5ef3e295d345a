package redact

import (
	"bytes"
	"errors"
	"strings"
	"testing"
	"time"

	"go.opentelemetry.io/collector/pdata/plog/plogotlp"
	"go.opentelemetry.io/collector/pdata/pmetric/pmetricotlp"
	"go.opentelemetry.io/collector/pdata/ptrace/ptraceotlp"

	"github.com/tael-sql/tael-sql/internal/otlp"
	"github.com/tael-sql/tael-sql/internal/otlp/otlptest"
	"github.com/tael-sql/tael-sql/wal/record"
)

func mustNew(t testing.TB, o Options) *Redactor {
	t.Helper()
	r, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// Rules that match nothing change no byte.
func TestRewriteKeeps(t *testing.T) {
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	r := mustNew(t, Options{DenyKeys: []string{"no such key"}, Rules: []Rule{{Pattern: "no such text", In: []string{Attributes, Bodies, Names}}}})
	for i := range uint64(200) {
		for signal, body := range otlptest.Requests(seed + i) {
			if got, err := r.Rewrite(signal, body); err != nil || !bytes.Equal(got, body) {
				t.Fatalf("seed %d, %s: %v\n%q\nnot\n%q", seed+i, signal, err, got, body)
			}
		}
	}
}

// What every text is replaced by stands in all places that a rule looks in.
func TestRewriteEverywhere(t *testing.T) {
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	r := mustNew(t, Options{DenyKeys: []string{"rpc.*", "k"}, Rules: []Rule{{Pattern: "(?s).*deployment.*", Replace: "gone", In: []string{Attributes, Bodies, Names}}}})
	for i := range uint64(50) {
		for signal, body := range otlptest.Requests(seed + i) {
			got, err := r.Rewrite(signal, body)
			if err != nil {
				t.Fatal(err)
			}
			text := asJSON(t, signal, got)
			for _, secret := range []string{`"key":"rpc.method"`, `"key":"k"`, `"stringValue":"deployment`} {
				if strings.Contains(text, secret) {
					t.Fatalf("seed %d: %s in %s", seed+i, secret, text)
				}
			}
			if signal == record.Traces && strings.Contains(text, `"name":"deployment.environment","kind"`) {
				t.Fatalf("seed %d: a name in %s", seed+i, text)
			}
		}
	}
}

func asJSON(t *testing.T, signal record.Type, body []byte) string {
	t.Helper()
	var r interface {
		UnmarshalProto([]byte) error
		MarshalJSON() ([]byte, error)
	}
	switch signal {
	case record.Traces:
		r = ptraceotlp.NewExportRequest()
	case record.Logs:
		r = plogotlp.NewExportRequest()
	default:
		r = pmetricotlp.NewExportRequest()
	}
	if err := r.UnmarshalProto(body); err != nil {
		t.Fatalf("pdata: %v", err)
	}
	text, err := r.MarshalJSON()
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func fromJSON(t *testing.T, text string) []byte {
	t.Helper()
	r := plogotlp.NewExportRequest()
	if err := r.UnmarshalJSON([]byte(text)); err != nil {
		t.Fatal(err)
	}
	body, err := r.MarshalProto()
	if err != nil {
		t.Fatal(err)
	}
	return body
}

func TestRewriteLog(t *testing.T) {
	record1 := func(attributes, body, name string) string {
		return `{"resourceLogs":[{"resource":{},"scopeLogs":[{"scope":{},"logRecords":[{"body":` + body + `,"attributes":[` + attributes + `]` + name + `}]}]}]}`
	}
	card := Rule{Pattern: `\d{4}-(\d{4})`, Replace: "x-${1}"}
	for _, c := range []struct {
		what     string
		o        Options
		in, want string
	}{
		{
			"values are replaced inside lists and objects, and in bodies",
			Options{Rules: []Rule{card}},
			record1(`{"key":"a","value":{"arrayValue":{"values":[{"stringValue":"1111-2222"},{"kvlistValue":{"values":[{"key":"b","value":{"stringValue":"is 3333-4444."}}]}}]}}}`, `{"stringValue":"5555-6666"}`, ""),
			record1(`{"key":"a","value":{"arrayValue":{"values":[{"stringValue":"x-2222"},{"kvlistValue":{"values":[{"key":"b","value":{"stringValue":"is x-4444."}}]}}]}}}`, `{"stringValue":"x-6666"}`, ""),
		},
		{
			"a rule looks only where it is asked to",
			Options{Rules: []Rule{{Pattern: card.Pattern, Replace: "-", In: []string{Bodies}}}},
			record1(`{"key":"a","value":{"stringValue":"1111-2222"}}`, `{"kvlistValue":{"values":[{"key":"c","value":{"stringValue":"5555-6666"}}]}}`, ""),
			record1(`{"key":"a","value":{"stringValue":"1111-2222"}}`, `{"kvlistValue":{"values":[{"key":"c","value":{"stringValue":"-"}}]}}`, ""),
		},
		{
			"denied keys are left out, also of objects",
			Options{DenyKeys: []string{"*.password", "ssn?"}},
			record1(`{"key":"db.password","value":{"intValue":"7"}},{"key":"password","value":{"boolValue":true}},{"key":"ssn","value":{"boolValue":true}}`, `{"kvlistValue":{"values":[{"key":"ssn1","value":{"stringValue":"5"}}]}}`, ""),
			record1(`{"key":"password","value":{"boolValue":true}},{"key":"ssn","value":{"boolValue":true}}`, `{"kvlistValue":{}}`, ""),
		},
		{
			"payloads are hashed",
			Options{Payloads: HashPayloads},
			record1(`{"key":"gen_ai.input.messages","value":{"stringValue":"hello"}},{"key":"gen_ai.request.model","value":{"stringValue":"m"}}`, `{"stringValue":"hello"}`, `,"eventName":"gen_ai.choice"`),
			record1(`{"key":"gen_ai.input.messages","value":{"stringValue":"sha256:2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824"}},{"key":"gen_ai.request.model","value":{"stringValue":"m"}}`, `{"stringValue":"sha256:2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824"}`, `,"eventName":"gen_ai.choice"`),
		},
		{
			"payloads are dropped",
			Options{Payloads: DropPayloads},
			record1(`{"key":"gen_ai.input.messages","value":{"stringValue":"hello"}},{"key":"event.name","value":{"stringValue":"gen_ai.choice"}}`, `{"stringValue":"hello"}`, ""),
			record1(`{"key":"event.name","value":{"stringValue":"gen_ai.choice"}}`, `{}`, ""),
		},
	} {
		got, err := mustNew(t, c.o).Rewrite(record.Logs, fromJSON(t, c.in))
		if err != nil {
			t.Fatal(err)
		}
		if got, want := asJSON(t, record.Logs, got), asJSON(t, record.Logs, fromJSON(t, c.want)); got != want {
			t.Errorf("%s:\n%s\nnot\n%s", c.what, got, want)
		}
	}
}

func TestNewRefuses(t *testing.T) {
	for want, o := range map[string]Options{
		"missing closing": {Rules: []Rule{{Pattern: "("}}}, "no pattern": {Rules: []Rule{{}}}, "denied key is empty": {DenyKeys: []string{""}},
		`not "nowhere"`: {Rules: []Rule{{Pattern: "a", In: []string{"nowhere"}}}}, `not "lose"`: {Payloads: "lose"},
	} {
		if _, err := New(o); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", want, err)
		}
	}
	if r, err := New(Options{Payloads: KeepPayloads}); r != nil || err != nil {
		t.Errorf("a redactor of nothing: %v, %v", r, err)
	}
}

// Damaged requests are errors or stay requests; a value nested without end
// does not take the stack.
func TestRewriteDamaged(t *testing.T) {
	r := mustNew(t, Options{DenyKeys: []string{"a*"}, Payloads: DropPayloads})
	for signal, body := range otlptest.Requests(3) {
		for cut := range body {
			if _, err := r.Rewrite(signal, body[:cut]); err != nil && !errors.Is(err, otlp.ErrMalformed) {
				t.Fatal(err)
			}
		}
	}
	w := &writer{Redactor: r}
	var nested []byte
	for range 2000 {
		w.dst = nil
		w.text(1, nested)
		inner := bytes.Clone(w.dst)
		w.dst = nil
		w.text(5, inner)
		nested = bytes.Clone(w.dst)
	}
	w.dst = nil
	if err := w.message(nested, bodyValue, 0); err != nil || len(w.dst) > 1000 {
		t.Errorf("%d bytes, %v", len(w.dst), err)
	}
}

func FuzzRewrite(f *testing.F) {
	for signal, body := range otlptest.Requests(1) {
		f.Add(byte(signal), body)
	}
	r := mustNew(f, Options{DenyKeys: []string{"a*"}, Rules: []Rule{{Pattern: "e", Replace: "ee"}}, Payloads: HashPayloads})
	f.Fuzz(func(t *testing.T, signal byte, body []byte) {
		typ := record.Type(signal)
		if kindOf[typ] == nil {
			t.Skip()
		}
		once, err := r.Rewrite(typ, body)
		if err != nil {
			return
		}
		if _, err := r.Rewrite(typ, once); err != nil {
			t.Fatalf("what was rewritten is malformed: %v", err)
		}
	})
}

func BenchmarkRewrite(b *testing.B) {
	r := mustNew(b, Options{DenyKeys: []string{"http.request.header.*"}, Rules: []Rule{{Pattern: `\b\d{16}\b`, Replace: "x"}}})
	body := otlptest.Requests(1)[record.Traces]
	b.SetBytes(int64(len(body)))
	for b.Loop() {
		if _, err := r.Rewrite(record.Traces, body); err != nil {
			b.Fatal(err)
		}
	}
}
