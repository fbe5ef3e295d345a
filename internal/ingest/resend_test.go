package ingest

import (
	"net/http"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"

	logspb "go.opentelemetry.io/proto/otlp/collector/logs/v1"
	common "go.opentelemetry.io/proto/otlp/common/v1"
	logs "go.opentelemetry.io/proto/otlp/logs/v1"

	"github.com/tael-sql/tael-sql/engine"
	"github.com/tael-sql/tael-sql/internal/otlp"
	"github.com/tael-sql/tael-sql/internal/vector"
	"github.com/tael-sql/tael-sql/tables"
	"github.com/tael-sql/tael-sql/wal/record"
)

// A client that loses every answer sends everything again, over either
// transport: each record is stored once, also over a restart. What has no time
// is stored as often as it is sent.
func TestResend(t *testing.T) {
	o := engine.Options{
		FS: vfs.NewMem(), Tables: tables.Specs(), MinFreeShare: -1,
		Decode: func(h record.Header, body []byte) (*vector.Rows, int, error) {
			d, err := otlp.Decode(h, body)
			if err != nil {
				return nil, 0, err
			}
			return d.Rows, d.Items, nil
		},
	}
	request := func(i int, nanos uint64) []byte {
		return marshal(t, &logspb.ExportLogsServiceRequest{ResourceLogs: []*logs.ResourceLogs{{ScopeLogs: []*logs.ScopeLogs{{LogRecords: []*logs.LogRecord{{
			TimeUnixNano: nanos, SeverityNumber: logs.SeverityNumber(i), Body: &common.AnyValue{Value: &common.AnyValue_StringValue{StringValue: "x"}},
		}}}}}}})
	}
	const text = `{"resourceLogs": [{"scopeLogs": [{"logRecords": [{"timeUnixNano": "77", "body": {"stringValue": "json"}}]}]}]}`
	for round := range 2 {
		db, err := engine.Open("db", o)
		if err != nil {
			t.Fatal(err)
		}
		_, addr := startWeb(t, db, Options{})
		_, conn := start(t, db, Options{})
		for i := range 10 {
			for range 2 {
				if answer, _ := (call{path: "/v1/logs", body: request(i, 5)}).do(t, addr); answer.StatusCode != http.StatusOK {
					t.Fatal(answer.Status)
				}
				if _, err := Export(t.Context(), conn, "/"+services[1].name+"/Export", request(i, 5)); err != nil {
					t.Fatal(err)
				}
				if answer, _ := (call{path: "/v1/logs", typ: typeJSON, body: []byte(text)}).do(t, addr); answer.StatusCode != http.StatusOK {
					t.Fatal(answer.Status)
				}
			}
		}
		for range 2 {
			if _, err := Export(t.Context(), conn, "/"+services[1].name+"/Export", request(1, 0)); err != nil {
				t.Fatal(err)
			}
		}
		v := db.View()
		if got, want := v.Rows("logs"), int64(11+2*(round+1)); got != want {
			t.Errorf("round %d: %d logs, want %d", round, got, want)
		}
		v.Release()
		if err := db.Close(); err != nil {
			t.Fatal(err)
		}
	}
}
