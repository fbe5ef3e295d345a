package ingest

import (
	"errors"
	"math"
	"net/http"
	"strings"
	"testing"

	"github.com/klauspost/compress/snappy"
	"google.golang.org/protobuf/encoding/protowire"

	"github.com/tael-sql/tael-sql/engine"
	"github.com/tael-sql/tael-sql/wal/record"
)

// writeRequest is a WriteRequest with one sample.
func writeRequest(name string, millis int64) []byte {
	message := func(dst []byte, num protowire.Number, b []byte) []byte {
		return protowire.AppendBytes(protowire.AppendTag(dst, num, protowire.BytesType), b)
	}
	label := message(message(nil, 1, []byte("__name__")), 2, []byte(name))
	sample := protowire.AppendFixed64(protowire.AppendTag(nil, 1, protowire.Fixed64Type), math.Float64bits(1.5))
	sample = protowire.AppendVarint(protowire.AppendTag(sample, 2, protowire.VarintType), uint64(millis))
	return message(nil, 1, message(message(nil, 1, label), 2, sample))
}

// What senders of Prometheus are answered: they repeat a 5xx, and nothing else.
func TestRemoteWriteAnswers(t *testing.T) {
	good := snappy.Encode(nil, writeRequest("m", 1_700_000_000_000))
	for _, c := range []struct {
		what  string
		call  call
		err   error
		code  int
		wait  string
		items int
	}{
		{"stored", call{body: good}, nil, http.StatusNoContent, "", 1},
		{"empty", call{body: snappy.Encode(nil, nil)}, nil, http.StatusNoContent, "", 0},
		{"rejected", call{body: snappy.Encode(nil, append(writeRequest("m", -1), writeRequest("m", 1_700_000_000_000)...))}, nil, http.StatusBadRequest, "", 1},
		{"not protobuf", call{body: snappy.Encode(nil, []byte("x"))}, nil, http.StatusBadRequest, "", 0},
		{"not snappy", call{body: []byte("x")}, nil, http.StatusBadRequest, "", 0},
		{"too large", call{body: snappy.Encode(nil, make([]byte, 1<<20))}, nil, http.StatusRequestEntityTooLarge, "", 0},
		{"2.0", call{body: good, typ: typeProtobuf + ";proto=io.prometheus.write.v2.Request"}, nil, http.StatusUnsupportedMediaType, "", 0},
		{"GET", call{method: http.MethodGet}, nil, http.StatusMethodNotAllowed, "", 0},
		{"overloaded", call{body: good}, engine.ErrOverloaded, http.StatusServiceUnavailable, "1", 0},
		{"disk full", call{body: good}, engine.ErrDiskFull, http.StatusServiceUnavailable, "15", 0},
		{"shutting down", call{body: good}, engine.ErrClosed, http.StatusServiceUnavailable, "1", 0},
		{"broken", call{body: good}, errors.New("disk on fire"), http.StatusServiceUnavailable, "15", 0},
	} {
		a := &recorder{err: c.err}
		_, addr := startWeb(t, a, Options{MaxMessageBytes: 64 << 10})
		c.call.path, c.call.encoding = remoteWritePath, "snappy"
		if c.call.typ == "" {
			c.call.typ = typeProtobuf
		}
		answer, body := c.call.do(t, addr)
		if answer.StatusCode != c.code || answer.Header.Get("Retry-After") != c.wait || strings.Contains(string(body), "fire") {
			t.Errorf("%s: %d %q %q", c.what, answer.StatusCode, answer.Header.Get("Retry-After"), body)
		}
		items := 0
		for _, q := range a.requests {
			if items += q.Rows.N; q.Header.Source != record.RemoteWrite || q.Header.Hash == [16]byte{} {
				t.Errorf("%s: %+v", c.what, q.Header)
			}
		}
		if items != c.items {
			t.Errorf("%s: %d points stored", c.what, items)
		}
	}
}
