package otlp

import (
	"testing"
	"time"

	"github.com/tael-sql/tael-sql/internal/otlp/otlptest"
)

// Random requests come out as pdata reads them.
func TestDecodeRandom(t *testing.T) {
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	for i := range uint64(100) {
		for signal, body := range otlptest.Requests(seed + i) {
			sameRequest(t, signal, body)
			if t.Failed() {
				t.Fatalf("seed %d", seed+i)
			}
		}
	}
}
