package remotewrite

import (
	"encoding/binary"
	"errors"
	"flag"
	"math"
	"os"
	"strings"
	"testing"

	"go.opentelemetry.io/collector/pdata/pmetric/pmetricotlp"
)

var rewrite = flag.Bool("rewrite", false, "rewrite testdata from what is")

func labels(pairs ...string) (out []byte) {
	for i := 0; i < len(pairs); i += 2 {
		out = appendBytes(out, 1, appendBytes(appendBytes(nil, 1, []byte(pairs[i])), 2, []byte(pairs[i+1])))
	}
	return out
}

func withSample(series []byte, value float64, millis int64) []byte {
	s := appendFixed(nil, 1, math.Float64bits(value))
	s = binary.AppendUvarint(append(s, 2<<3), uint64(millis))
	return appendBytes(series, 2, s)
}

func metadata(typ byte, name string) []byte {
	return appendBytes([]byte{1 << 3, typ}, 2, []byte(name))
}

// Everything that a request may have, in the form that it is stored in.
func TestTranslate(t *testing.T) {
	const at = 1_700_000_000_000
	var body []byte
	body = appendBytes(body, 3, metadata(1, "old_counter"))
	body = appendBytes(body, 3, metadata(2, "up"))
	for _, s := range [][]byte{
		withSample(labels("__name__", "up", "instance", "b:1", "job", "node"), 1, at),
		// Out of order, and ended.
		withSample(withSample(labels("__name__", "requests_total", "code", "200", "instance", "a:1", "job", "api"), 7, at+1000), 6, at),
		withSample(labels("__name__", "requests_total", "code", "500", "instance", "a:1", "job", "api"), math.Float64frombits(staleMarker), at),
		withSample(labels("__name__", "old_counter", "instance", "a:1", "job", "api"), 3, at),
		withSample(labels("__name__", "plain", "x", "é"), math.Inf(1), at),
		// An exemplar: of labels, with a value and a time.
		appendBytes(withSample(labels("__name__", "lat_bucket", "le", "+Inf", "instance", "a:1", "job", "api"), 9, at), 3,
			binary.AppendUvarint(append(appendFixed(labels("trace_id", "0af7"), 2, math.Float64bits(0.25)), 3<<3), at)),
		// What is rejected.
		withSample(labels("job", "x"), 1, at),
		withSample(labels("__name__", "early"), 1, -5),
		appendBytes(labels("__name__", "native"), 4, nil),
	} {
		body = appendBytes(body, 1, s)
	}
	r, err := new(Translator).Translate(body)
	if err != nil {
		t.Fatal(err)
	}
	if r.Points != 7 || r.Rejected != 3 || r.Reason != "a series has no __name__" {
		t.Errorf("%d points, %d rejected: %s", r.Points, r.Rejected, r.Reason)
	}
	q := pmetricotlp.NewExportRequest()
	if err := q.UnmarshalProto(r.OTLP); err != nil {
		t.Fatal(err)
	}
	got, err := q.MarshalJSON()
	if err != nil {
		t.Fatal(err)
	}
	const golden = "testdata/request.json"
	if *rewrite {
		if err := os.WriteFile(golden, []byte(strings.ReplaceAll(string(got), `{"metrics"`, "\n{\"metrics\"")+"\n"), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil || strings.ReplaceAll(string(want), "\n", "") != string(got) {
		t.Errorf("%v\n%s\nnot\n%s", err, got, want)
	}
}

// A counter that only metadata tells is one in later requests, too.
func TestTranslateRemembersTypes(t *testing.T) {
	tr := new(Translator)
	sample := appendBytes(nil, 1, withSample(labels("__name__", "jobs"), 1, 1000))
	before, err := tr.Translate(sample)
	if err != nil {
		t.Fatal(err)
	}
	if r, err := tr.Translate(appendBytes(nil, 3, metadata(1, "jobs"))); err != nil || r.Points != 0 || len(r.OTLP) != 0 {
		t.Errorf("%+v, %v", r, err)
	}
	after, err := tr.Translate(sample)
	if err != nil || string(before.OTLP) == string(after.OTLP) {
		t.Errorf("the same before and after the type was known: %v", err)
	}
}

func TestTranslateDamaged(t *testing.T) {
	body := appendBytes(appendBytes(nil, 1, withSample(labels("__name__", "a"), 1, 1000)), 3, metadata(1, "a"))
	for cut := 1; cut < len(body); cut++ {
		if _, err := new(Translator).Translate(body[:cut]); err != nil && !errors.Is(err, ErrMalformed) {
			t.Errorf("cut at %d: %v", cut, err)
		}
	}
	for _, bad := range []string{"x", "\x0a\x05", "\x08\x01\x0a", "\x0a\x02\x08\x01"} {
		if _, err := new(Translator).Translate([]byte(bad)); !errors.Is(err, ErrMalformed) {
			t.Errorf("%q: %v", bad, err)
		}
	}
}

func FuzzTranslate(f *testing.F) {
	f.Add(appendBytes(appendBytes(nil, 1, withSample(labels("__name__", "a_total", "job", "j"), 1, 1000)), 3, metadata(1, "a")))
	f.Fuzz(func(t *testing.T, body []byte) {
		r, err := new(Translator).Translate(body)
		if err != nil {
			return
		}
		q := pmetricotlp.NewExportRequest()
		if err := q.UnmarshalProto(r.OTLP); err != nil {
			t.Fatalf("what was written is no OTLP: %v", err)
		}
		if n := q.Metrics().DataPointCount(); n != r.Points {
			t.Fatalf("%d points, not %d", n, r.Points)
		}
	})
}
