package layout

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"unicode"

	"github.com/cockroachdb/datadriven"
)

func TestTokens(t *testing.T) {
	datadriven.RunTest(t, "testdata/tokens", func(t *testing.T, d *datadriven.TestData) string {
		var out []string
		each := func(token []byte) { out = append(out, fmt.Sprintf("%q", token)) }
		switch d.Cmd {
		case "words":
			Words(d.Input, each)
		case "inner":
			InnerWords(d.Input, each)
		default:
			d.Fatalf(t, "unknown command %s", d.Cmd)
		}
		if len(out) == 0 {
			return "nothing\n"
		}
		return strings.Join(out, " ") + "\n"
	})
}

// A text that contains a literal has every inner token of it.
func TestInnerTokensNeverLie(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	rng := rand.New(rand.NewPCG(seed, 1))
	letters := []string{"a", "B", "7", " ", "-", "é", "_", "\xff", "ab", "=", "k", "K", "\u212a", "i", "İ", "É"}
	random := func(n int) string {
		var s strings.Builder
		for range rng.IntN(n) {
			s.WriteString(letters[rng.IntN(len(letters))])
		}
		return s.String()
	}
	pruned := 0
	for range 20_000 {
		text, literal := random(14), random(5)
		has := map[uint64]bool{}
		for _, h := range TokenHashes(text) {
			has[h] = true
		}
		may := true
		for _, h := range InnerTokenHashes(literal) {
			may = may && has[h]
		}
		if !may {
			pruned++
		}
		if strings.Contains(text, literal) && !may {
			t.Fatalf("%q contains %q, and would be pruned", text, literal)
		}
		for _, h := range InnerFoldedHashes(literal) {
			if !has[h] && strings.Contains(lower(text), lower(literal)) {
				t.Fatalf("%q contains %q in another case, and would be pruned", text, literal)
			}
		}
	}
	if pruned == 0 {
		t.Error("nothing was pruned")
	}
}

func lower(s string) string { return strings.Map(unicode.ToLower, s) }

func BenchmarkTokens(b *testing.B) {
	body := strings.Repeat("2026-11-23T12:00:00Z INFO request GET /api/v1/orders/4711 took 12.5ms user=user-831 status=200 ", 2)
	b.SetBytes(int64(len(body)))
	for b.Loop() {
		Words(body, func(token []byte) { Hash(token) })
	}
}
