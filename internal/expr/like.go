package expr

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/tael-sql/tael-sql/internal/pgerr"
	"github.com/tael-sql/tael-sql/internal/vector"
)

// A matcher tests text against a compiled pattern. It may be used by several
// goroutines at once.
type matcher func(s string) bool

// compileLike makes a matcher of a LIKE pattern with the escape character \.
func compileLike(pattern string, fold bool) (matcher, error) {
	if fold {
		pattern = lower(pattern)
	}
	// runs are the literal runs between % signs, with any where _ stands.
	const anyRune = -1
	var runs [][]rune
	run := []rune{}
	plain := true
	for i := 0; i < len(pattern); {
		r, n := utf8.DecodeRuneInString(pattern[i:])
		i += n
		switch r {
		case '%':
			runs = append(runs, run)
			run = []rune{}
			continue
		case '_':
			r, plain = anyRune, false
		case '\\':
			if i == len(pattern) {
				return nil, pgerr.New(pgerr.InvalidEscapeSequence, "LIKE pattern must not end with escape character")
			}
			r, n = utf8.DecodeRuneInString(pattern[i:])
			i += n
		}
		run = append(run, r)
	}
	runs = append(runs, run)
	if plain {
		texts := make([]string, len(runs))
		for i, r := range runs {
			texts[i] = string(r)
		}
		return plainLike(texts, fold), nil
	}
	test := func(s string) bool { return likeRuns([]rune(s), runs) }
	if fold {
		return func(s string) bool { return test(lower(s)) }, nil
	}
	return test, nil
}

// plainLike matches runs of plain text with % between them.
func plainLike(runs []string, fold bool) matcher {
	first, last := runs[0], runs[len(runs)-1]
	var test matcher
	switch {
	case len(runs) == 1:
		test = func(s string) bool { return s == first }
	case len(runs) == 2 && last == "":
		test = func(s string) bool { return strings.HasPrefix(s, first) }
	case len(runs) == 2 && first == "":
		test = func(s string) bool { return strings.HasSuffix(s, last) }
	case len(runs) == 3 && first == "" && last == "":
		if fold && isASCII(runs[1]) && runs[1] != "" {
			return containsFold(runs[1])
		}
		test = func(s string) bool { return strings.Contains(s, runs[1]) }
	default:
		middle := runs[1 : len(runs)-1]
		test = func(s string) bool {
			if len(s) < len(first)+len(last) || !strings.HasPrefix(s, first) || !strings.HasSuffix(s, last) {
				return false
			}
			s = s[len(first) : len(s)-len(last)]
			for _, m := range middle {
				i := strings.Index(s, m)
				if i < 0 {
					return false
				}
				s = s[i+len(m):]
			}
			return true
		}
	}
	if fold {
		return func(s string) bool { return test(lower(s)) }
	}
	return test
}

func isASCII(s string) bool {
	for len(s) >= 8 {
		if (s[0]|s[1]|s[2]|s[3]|s[4]|s[5]|s[6]|s[7])&utf8.RuneSelf != 0 {
			return false
		}
		s = s[8:]
	}
	for i := range len(s) {
		if s[i] >= utf8.RuneSelf {
			return false
		}
	}
	return true
}

// containsFold looks for lower-case ASCII text in any letter case. (The Kelvin
// sign lowers to k: text with other characters goes the long way.)
func containsFold(want string) matcher {
	test := containsFoldASCII(want)
	return func(s string) bool {
		if !isASCII(s) {
			return strings.Contains(lower(s), want)
		}
		return test(s)
	}
}

// rareFirst has the letters of English, the rarest first; digits and signs,
// which have no case, are looked for before them.
const rareFirst = "zqxjkvbwpgyfmuchldrsnioate"

// containsFoldASCII is containsFold of ASCII text: it looks for the rarest
// character.
func containsFoldASCII(want string) matcher {
	place := 0
	for i := range len(want) {
		if strings.IndexByte(rareFirst, want[i]) < strings.IndexByte(rareFirst, want[place]) {
			place = i
		}
	}
	lo, hi := want[place], byte(unicode.ToUpper(rune(want[place])))
	from := func(s string, at int, c byte) int { // of c at or behind at, len(s) if there is none
		if i := strings.IndexByte(s[at:], c); i >= 0 {
			return at + i
		}
		return len(s)
	}
	return func(s string) bool {
		if len(s) < len(want) {
			return false
		}
		in := s[place : len(s)-len(want)+place+1]
		i, j := from(in, 0, lo), len(in)
		if lo != hi {
			j = from(in, 0, hi)
		}
		for i < len(in) || j < len(in) {
			k := min(i, j)
			if strings.EqualFold(s[k:k+len(want)], want) {
				return true
			}
			if k == i {
				i = from(in, i+1, lo)
			} else {
				j = from(in, j+1, hi)
			}
		}
		return false
	}
}

// likeRuns matches runs in which -1 stands for any character.
func likeRuns(s []rune, runs [][]rune) bool {
	at := func(i int, run []rune) bool {
		if i+len(run) > len(s) {
			return false
		}
		for k, r := range run {
			if r >= 0 && s[i+k] != r {
				return false
			}
		}
		return true
	}
	first, last := runs[0], runs[len(runs)-1]
	if len(runs) == 1 {
		return len(s) == len(first) && at(0, first)
	}
	if len(s) < len(first)+len(last) || !at(0, first) || !at(len(s)-len(last), last) {
		return false
	}
	i, end := len(first), len(s)-len(last)
	for _, run := range runs[1 : len(runs)-1] {
		for ; ; i++ {
			if i+len(run) > end {
				return false
			}
			if at(i, run) {
				break
			}
		}
		i += len(run)
	}
	return true
}

// likeOp is ~~, ~~* and their negations.
func likeOp(fold, negate bool) impl {
	kind := patternLike
	if fold {
		kind = patternLikeFold
	}
	return matchOp(kind, negate)
}

// matchOp tests text against a pattern, compiled once and kept in the cache.
func matchOp(kind patternKind, negate bool) impl {
	return impl{
		row: func(_ *Env, _ *Call, args []any) (any, error) {
			test, err := compilePattern(kind, args[1].(string))
			if err != nil {
				return nil, err
			}
			return test(args[0].(string)) != negate, nil
		},
		vec: func(_ *Env, call *Call, args []*vector.Column, b *vector.Batch) (*vector.Column, error) {
			c, ok := call.Args[1].(*Const)
			if !ok || args[0] == nil || args[0].Kind != vector.String || b.Live() == 0 {
				return nil, nil
			}
			test, err := compilePattern(kind, c.Val.(string))
			if err != nil {
				return nil, err
			}
			return testText(args[0], b, func(s string) bool { return test(s) != negate }), nil
		},
	}
}

// testText applies a predicate to a text column: once for each value of a
// dictionary that is not larger than the batch.
func testText(col *vector.Column, b *vector.Batch, test matcher) *vector.Column {
	out := &vector.Column{Kind: vector.Bool, Len: b.N, Bools: make([]bool, b.N), Valid: col.Valid}
	if col.Dict != nil && len(col.Dict) <= 2*b.Live() {
		lut := make([]bool, len(col.Dict))
		for i, s := range col.Dict {
			lut[i] = test(s)
		}
		for k := range b.Live() {
			if i := b.Row(k); !col.IsNull(i) { // a column of NULLs has no texts
				out.Bools[i] = lut[col.Codes[i]]
			}
		}
		return out
	}
	for k := range b.Live() {
		if i := b.Row(k); !col.IsNull(i) {
			out.Bools[i] = test(col.Str(i))
		}
	}
	return out
}

// likeEscape rewrites a pattern with another escape character to one with \.
func likeEscape(pattern, escape string) (any, error) {
	if runeCount(escape) > 1 {
		return nil, pgerr.New(pgerr.InvalidEscapeSequence, "invalid escape string").
			WithHint("Escape string must be empty or one character.")
	}
	if escape == `\` {
		return pattern, nil
	}
	var sb strings.Builder
	after := false
	for _, r := range pattern {
		switch {
		case string(r) == escape && !after:
			sb.WriteByte('\\')
			after = true
			continue
		case r == '\\':
			sb.WriteByte('\\')
			if !after {
				sb.WriteByte('\\')
			}
		default:
			sb.WriteRune(r)
		}
		after = false
	}
	return sb.String(), nil
}
