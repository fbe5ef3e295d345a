package pgtypes

import (
	"math/rand/v2"
	"strings"
	"testing"
)

// TestJSONPathPrint: what is printed of a path reads back as the same path, and
// no text makes the parser panic.
func TestJSONPathPrint(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	rng := rand.New(rand.NewPCG(seed, 1))
	pieces := strings.Split(`$ @ .a ."b c" .* [*] [0] [last] [1 to $.x] .** .**{1 to last} ? ( ) && || ! == != < >= + - * / % 1 2.5e3 -7 "t\u0041" $v true null exists like_regex "^a" flag "is" starts with .size() .type() .keyvalue() is unknown strict lax ?(@>1) (1+2) /*c*/ \ , }`, " ")
	good := 0
	for range 30_000 {
		var b strings.Builder
		for range 1 + rng.IntN(7) {
			b.WriteString(pieces[rng.IntN(len(pieces))])
			if rng.IntN(2) == 0 {
				b.WriteByte(' ')
			}
		}
		path, err := ParseJSONPath(b.String())
		if err != nil {
			continue
		}
		good++
		again, err := ParseJSONPath(path.String())
		if err != nil || again.String() != path.String() {
			t.Fatalf("%s is printed as %s, which reads as %v, %v", b.String(), path, again, err)
		}
	}
	if good < 100 {
		t.Errorf("only %d paths are valid", good)
	}
}
