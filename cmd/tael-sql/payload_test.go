package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/cockroachdb/datadriven"
	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/tael-sql/tael-sql/engine"
	"github.com/tael-sql/tael-sql/engine/hot"
	"github.com/tael-sql/tael-sql/engine/layout"
	"github.com/tael-sql/tael-sql/tables"
)

// Payloads of calls to models read the same in their rows and outside of them,
// in attributes, events and what follows from both.
func TestPayloads(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "data")
	g := testGateway(t, dir)
	conn := connect(t, g)
	walk := func(placement string) {
		t.Helper()
		datadriven.RunTest(t, "testdata/payloads/queries", func(t *testing.T, d *datadriven.TestData) string { return ask(conn, d.Input) })
		if t.Failed() {
			t.Fatalf("with the data in the placement %q", placement)
		}
	}
	datadriven.RunTest(t, "testdata/payloads/rows", func(t *testing.T, d *datadriven.TestData) string { return ask(conn, d.Input) })
	for _, placement := range placements {
		walk(placement)
		move(t, g, placement)
	}
	_ = conn.Close(context.Background())
	stopGateway(t, g, dir)
	g = testGateway(t, dir)
	conn = connect(t, g)
	walk("after a restart")
	stopGateway(t, g, dir)
	r, err := engine.Check(vfs.Default, dir, tables.Specs())
	if err != nil || r.Blobs != 4 { // the prompt of two spans once
		t.Fatalf("%d texts are stored outside the rows: %v", r.Blobs, err)
	}

	replacePayloads(t, filepath.Join(dir, layout.HotDir), func([32]byte) []byte { return nil })
	g = testGateway(t, dir)
	defer func() { _ = g.stop(context.Background()) }()
	conn = connect(t, g)
	if out := ask(conn, "SELECT model, sum(input_tokens) FROM llm_spans WHERE model = 'gpt' GROUP BY 1"); out != "model | sum\ngpt | 1401\nSELECT 1\n" {
		t.Errorf("what does not follow from payloads reads them: %s", out)
	}
	if out := ask(conn, "SELECT prompt FROM llm_spans"); !strings.HasPrefix(out, "XX001 ") {
		t.Errorf("payloads that are lost: %s", out)
	}
}

// replacePayloads puts something else in the place of what is stored outside the
// rows; nil: nothing.
func replacePayloads(t *testing.T, dir string, by func(hash [32]byte) []byte) {
	t.Helper()
	store, err := hot.Open(vfs.Default, dir, hot.Options{Logger: slog.New(slog.DiscardHandler), CacheBytes: 1 << 20})
	if err != nil {
		t.Fatal(err)
	}
	var writes []hot.Write
	lower, upper := layout.KindRange(layout.BlobKind)
	if err := store.Each(lower, upper, func(key, _ []byte) error {
		writes = append(writes, hot.Write{Key: slices.Clone(key), Value: by([32]byte(key[1:]))})
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(store.Commit(writes), store.Close()); err != nil {
		t.Fatal(err)
	}
}

// Payloads that have expired are in no column, however long they were and
// wherever they are; everything else of their rows is.
func TestPayloadRetention(t *testing.T) {
	t.Setenv("TAEL_SQL_RETENTION_PAYLOADS", "2d")
	dir := filepath.Join(t.TempDir(), "data")
	g := testGateway(t, dir)
	conn := connect(t, g)
	defer func() { stopGateway(t, g, dir) }()
	for i, age := range []string{"3 days", "1 day"} {
		for k, repeat := range []int{1, 300} {
			out := ask(conn, fmt.Sprintf(`INSERT INTO spans (trace_id, span_id, service, operation, start_time, duration_ms, kind, attributes, events) VALUES
				('0000000000000000000000000000000a', '000000000000000%d', 'agent', 'chat', now() - interval '%s', 1, 'llm',
				jsonb_build_object('gen_ai.request.model', 'gpt', 'gen_ai.usage.input_tokens', 7, 'gen_ai.prompt.0.role', 'user',
					'gen_ai.prompt.0.content', repeat('secret ', %d), 'gen_ai.completion.0.finish_reason', 'stop'),
				jsonb_build_array(jsonb_build_object('name', 'gen_ai.content.completion', 'time_unix_nano', 1,
					'attributes', jsonb_build_object('gen_ai.completion', repeat('secret ', %[3]d)))))`, 2*i+k+1, age, repeat))
			if out != "INSERT 0 1\n" {
				t.Fatal(out)
			}
		}
	}
	want := map[string]string{
		"SELECT string_agg(right(span_id, 1), ',' ORDER BY span_id) FROM spans WHERE attributes->>'gen_ai.prompt.0.content' LIKE 'secret%'": "3,4",
		"SELECT string_agg(right(span_id, 1), ',' ORDER BY span_id) FROM spans WHERE attributes::text LIKE '%secret%'":                      "3,4",
		"SELECT string_agg(right(span_id, 1), ',' ORDER BY span_id) FROM spans WHERE attributes ? 'gen_ai.prompt.0.content'":                "3,4",
		"SELECT string_agg(right(span_id, 1), ',' ORDER BY span_id) FROM spans WHERE events = '[]'":                                         "1,2",
		"SELECT string_agg(right(span_id, 1), ',' ORDER BY span_id) FROM spans WHERE llm::text LIKE '%secret%'":                             "3,4",
		"SELECT string_agg(right(span_id, 1), ',' ORDER BY span_id) FROM llm_spans WHERE prompt LIKE 'secret%'":                             "3,4",
		"SELECT count(*) FROM attribute_keys WHERE examples::text LIKE '%secret%'":                                                          "0",
		"SELECT count(*) FROM span_events":                                                                        "2",
		"SELECT sum(input_tokens) FROM llm_spans":                                                                 "28",
		"SELECT string_agg(finish_reason, ',') FROM llm_spans":                                                    "stop,stop,stop,stop",
		"SELECT count(*) FROM spans WHERE attributes->>'gen_ai.prompt.0.role' = 'user'":                           "4",
		"SELECT count(*) FROM spans WHERE trace_id = '0000000000000000000000000000000a' AND events::text <> '[]'": "2",
	}
	check := func(place string) {
		t.Helper()
		for sql, want := range want {
			var got string
			if err := conn.QueryRow(context.Background(), "SELECT ("+sql+")::text").Scan(&got); err != nil || got != want {
				t.Errorf("%s: %s: %q, %v, want %q", place, sql, got, err, want)
			}
		}
	}
	for _, placement := range placements {
		check(placement)
		move(t, g, placement)
	}
	_ = conn.Close(context.Background())
	stopGateway(t, g, dir)

	// What a sweep has taken away is not read under any setting.
	t.Setenv("TAEL_SQL_RETENTION_PAYLOADS", "0")
	replacePayloads(t, filepath.Join(dir, layout.HotDir), func(hash [32]byte) []byte { return []byte(layout.ExpiredText(hash)) })
	for sql := range want {
		want[sql] = strings.NewReplacer("3,4", "1,3", "1,2", "2,4").Replace(want[sql])
	}
	g = testGateway(t, dir)
	conn = connect(t, g)
	check("swept")
}
