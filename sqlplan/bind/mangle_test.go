package bind_test

import (
	"math/rand/v2"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/tael-sql/tael-sql/internal/pgerr"
)

// Statements with words taken out, doubled or swapped must bind or be refused:
// never an error without a SQLSTATE of its own, never a panic.
func TestMangled(t *testing.T) {
	text, err := os.ReadFile("testdata/oracle.sql")
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSpace(string(text)), "\n")
	seed := uint64(time.Now().UnixNano())
	r := rand.New(rand.NewPCG(seed, 1))
	var words []string
	for _, l := range lines {
		words = append(words, strings.Fields(l)...)
	}
	for range 4000 {
		w := strings.Fields(lines[r.IntN(len(lines))])
		for range 1 + r.IntN(2) {
			i := r.IntN(len(w))
			switch r.IntN(4) {
			case 0:
				w = append(w[:i:i], w[i+1:]...)
			case 1:
				w[i] = words[r.IntN(len(words))]
			case 2:
				w = append(w[:i+1:i+1], w[i:]...)
			case 3:
				j := r.IntN(len(w))
				w[i], w[j] = w[j], w[i]
			}
			if len(w) == 0 {
				break
			}
		}
		sql := strings.Join(w, " ")
		func() {
			defer func() {
				if p := recover(); p != nil {
					t.Errorf("seed %d: %s\npanic: %v", seed, sql, p)
				}
			}()
			if _, err := bindText(sql); pgerr.HasCode(err, pgerr.Internal) {
				t.Errorf("seed %d: %s\n%v", seed, sql, err)
			}
		}()
	}
}
