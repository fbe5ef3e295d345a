package expr

import (
	"fmt"
	"strings"
	"testing"
)

// A pattern over bodies of logs none of which matches, one by one: what a scan
// costs beyond reading.
func BenchmarkPatterns(b *testing.B) {
	bodies, size := make([]string, 8192), 0
	for i := range bodies {
		bodies[i] = fmt.Sprintf("2026-11-23T12:00:%02dZ INFO request GET /api/v1/orders/%d took %d.5ms user=user-%d status=200 %s", i%60, i, i%97, i%831, strings.Repeat("x", i%64))
		size += len(bodies[i])
	}
	for _, c := range []struct {
		kind    patternKind
		pattern string
	}{
		{patternLike, "%connection refused%"},
		{patternLikeFold, "%Connection Refused%"},
		{patternRegex, "connection refused"},
		{patternRegex, "refused.*peer"},
		{patternRegexFold, "connection refused"},
	} {
		match, err := compilePattern(c.kind, c.pattern)
		if err != nil {
			b.Fatal(err)
		}
		b.Run(fmt.Sprintf("kind=%d/pattern=%s", c.kind, c.pattern), func(b *testing.B) {
			b.SetBytes(int64(size))
			for b.Loop() {
				for _, body := range bodies {
					if match(body) {
						b.Fatal("a match")
					}
				}
			}
		})
	}
}
