package expr

import (
	"math/rand/v2"
	"regexp"
	"strings"
	"testing"
)

// The short ways of ILIKE and ~* say what the long ones say.
func TestFoldedPatterns(t *testing.T) {
	seed := rand.Uint64()
	rnd := rand.New(rand.NewPCG(seed, 0))
	letters := []string{"a", "A", "b", "B", "k", "K", "z", "Z", "1", " ", "s", "\u017f", "\u212a", "é"}
	random := func(letters []string, n int) string {
		var s strings.Builder
		for range rnd.IntN(n) {
			s.WriteString(letters[rnd.IntN(len(letters))])
		}
		return s.String()
	}
	for range 50_000 {
		text, want := random(letters[:11+rnd.IntN(4)], 24), random(letters[:11], 4)+"b"
		like, err := compilePattern(patternLikeFold, "%"+want+"%")
		if err != nil {
			t.Fatal(err)
		}
		regex, err := compilePattern(patternRegexFold, want)
		if err != nil {
			t.Fatal(err)
		}
		if got := like(text); got != strings.Contains(lower(text), lower(want)) {
			t.Fatalf("seed %d: %q ILIKE %q: %v", seed, text, want, got)
		}
		if got := regex(text); got != regexp.MustCompile("(?i)"+want).MatchString(text) {
			t.Fatalf("seed %d: %q ~* %q: %v", seed, text, want, got)
		}
	}
}
