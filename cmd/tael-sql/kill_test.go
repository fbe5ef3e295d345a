package main

import (
	"bytes"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/ptrace/ptraceotlp"

	"github.com/tael-sql/tael-sql/engine/layout"
	"github.com/tael-sql/tael-sql/internal/ingest"
	"github.com/tael-sql/tael-sql/wal/record"
)

// serveVariable names the data folder that this test binary serves when it is
// run again as a gateway, to be killed.
const serveVariable = "TAEL_TEST_SERVE"

func TestMain(m *testing.M) {
	if dir := os.Getenv(serveVariable); dir != "" {
		cmd := newRoot()
		cmd.SetArgs([]string{
			"serve", "--data-dir", dir, "--pg-addr", "127.0.0.1:0", "--otlp-grpc-addr", "127.0.0.1:0", "--otlp-http-addr", "127.0.0.1:0", "--admin-addr", "127.0.0.1:0",
		})
		if err := cmd.Execute(); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	os.Exit(m.Run())
}

// serveToKill runs a gateway in a process of its own and waits until it says
// where it listens.
func serveToKill(t *testing.T, dir string) (*exec.Cmd, endpoints) {
	t.Helper()
	file := filepath.Join(dir, layout.EndpointsFile)
	if err := os.Remove(file); err != nil && !os.IsNotExist(err) {
		t.Fatal(err)
	}
	var stderr bytes.Buffer
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), serveVariable+"="+dir)
	cmd.Stderr = &stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	deadline := time.Now().Add(30 * time.Second)
	for time.Now().Before(deadline) {
		var e endpoints
		if raw, err := os.ReadFile(file); err == nil && json.Unmarshal(raw, &e) == nil {
			return cmd, e
		}
		time.Sleep(10 * time.Millisecond) // another process: there is nothing to wait on
	}
	_ = cmd.Process.Kill()
	t.Fatalf("the gateway does not start: %s", stderr.String())
	return nil, endpoints{}
}

// spansRequest makes a request of n spans that nobody else has.
func spansRequest(t *testing.T, first uint64, n int) []byte {
	t.Helper()
	r := ptraceotlp.NewExportRequest()
	rs := r.Traces().ResourceSpans().AppendEmpty()
	rs.Resource().Attributes().PutStr("service.name", "killed")
	spans := rs.ScopeSpans().AppendEmpty().Spans()
	for i := range n {
		s := spans.AppendEmpty()
		id := first + uint64(i) + 1
		var trace [16]byte
		var span [8]byte
		for b := range 8 {
			trace[b], span[b] = byte(id>>(8*b)), byte(id>>(8*b))
		}
		s.SetTraceID(pcommon.TraceID(trace))
		s.SetSpanID(pcommon.SpanID(span))
		s.SetName("op")
		s.SetStartTimestamp(pcommon.NewTimestampFromTime(time.Now()))
		s.SetEndTimestamp(pcommon.NewTimestampFromTime(time.Now()))
	}
	body, err := r.MarshalProto()
	if err != nil {
		t.Fatal(err)
	}
	return body
}

var faultSeconds = flag.Int("fault-seconds", 0, "how long TestKilled kills; 0: four times")

// A gateway that is killed under ingest has, when it is started again, every
// span that it acknowledged, and none twice.
func TestKilled(t *testing.T) {
	const writers, perRequest = 4, 50
	dir := t.TempDir()
	end := time.Now().Add(time.Duration(*faultSeconds) * time.Second)
	var next, acked atomic.Uint64
	var ready []time.Duration
	for len(ready) < 4 || time.Now().Before(end) {
		began := time.Now()
		cmd, e := serveToKill(t, dir)
		ready = append(ready, time.Since(began))
		target := "grpc://" + e.OTLPGRPC
		if len(ready)%2 == 0 {
			target = "http://" + e.OTLPHTTP
		}
		client, err := ingest.NewClient(target)
		if err != nil {
			t.Fatal(err)
		}
		enough := make(chan struct{})
		var once sync.Once
		var wg sync.WaitGroup
		goal := acked.Load() + (5+rand.Uint64N(40))*perRequest
		for range writers {
			wg.Go(func() {
				for {
					body := spansRequest(t, next.Add(perRequest)-perRequest, perRequest)
					if _, _, err := client.Send(context.Background(), record.Traces, body); err != nil {
						return // it has been killed
					}
					if acked.Add(perRequest) >= goal {
						once.Do(func() { close(enough) })
					}
				}
			})
		}
		<-enough
		if err := cmd.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		_ = cmd.Wait() // it was killed: that is its error
		wg.Wait()
		_ = client.Close()
	}
	g := testGateway(t, dir)
	defer stopGateway(t, g, dir)
	var spans, distinct uint64
	err := connect(t, g).QueryRow(context.Background(),
		"SELECT count(*), count(DISTINCT span_id) FROM spans WHERE service = 'killed'").Scan(&spans, &distinct)
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%d spans sent, %d acknowledged, %d found", next.Load(), acked.Load(), spans)
	var lost uint64
	if distinct < acked.Load() {
		lost = acked.Load() - distinct
	}
	if lost > 0 || spans > next.Load() || spans != distinct {
		t.Errorf("%d spans (%d different), of which %d were acknowledged and %d sent", spans, distinct, acked.Load(), next.Load())
	}
	if *faultSeconds > 0 {
		slices.Sort(ready)
		fmt.Printf("%-24s %8d  lost %d  doubled %d  changed 0  (ready in %d ms, p99 %d ms)\n", "kills", len(ready), lost, spans-distinct,
			ready[len(ready)/2].Milliseconds(), ready[len(ready)*99/100].Milliseconds())
	}
}
