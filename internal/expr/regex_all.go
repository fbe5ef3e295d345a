package expr

import (
	"regexp"
	"regexp/syntax"
	"slices"
	"unicode/utf8"
)

// allMatches gives the matches of re in s from byte from on, each behind the
// one before; with first, no more than one. Unlike those of package regexp they have the empty ones that
// begin where another match ends.
func allMatches(re *regexp.Regexp, s string, from int, first bool) [][]int {
	if from > 0 && !looksBehind(re) {
		matches := allMatches(re, s[from:], 0, first)
		for _, m := range matches {
			moveMatch(m, from)
		}
		return matches
	}
	if first && from == 0 {
		return re.FindAllStringSubmatchIndex(s, 1)
	}
	matches := re.FindAllStringSubmatchIndex(s, -1)
	for len(matches) > 0 && matches[0][0] < from {
		matches = matches[1:]
	}
	if !re.MatchString("") {
		return matches
	}
	var all [][]int
	for i, m := range matches {
		all = append(all, m)
		if m[0] == m[1] || i+1 < len(matches) && matches[i+1][0] == m[1] {
			continue
		}
		_, width := utf8.DecodeLastRuneInString(s[:m[1]])
		before := m[1] - width
		if empty := behindOne(re).FindStringSubmatchIndex(s[before:]); empty != nil {
			moveMatch(empty, before)
			empty[0] = m[1]
			all = append(all, empty)
		}
	}
	return all
}

func moveMatch(match []int, by int) {
	for i := range match {
		if match[i] >= 0 {
			match[i] += by
		}
	}
}

// followers are expressions by the text of another: what behindOne compiled.
var followers patternCache[string, *regexp.Regexp]

// behindOne is re for a match that begins with the second character of a text.
func behindOne(re *regexp.Regexp) *regexp.Regexp {
	out, err := followers.get(re.String(), func() (*regexp.Regexp, error) {
		return regexp.Compile(`\A(?s:.)(?:` + re.String() + `)`)
	})
	if err != nil {
		panic("BUG: a regular expression does not compile again: " + err.Error())
	}
	return out
}

// looksBehind reports whether a match depends on what stands before it.
func looksBehind(re *regexp.Regexp) bool {
	parsed, err := syntax.Parse(re.String(), syntax.Perl)
	if err != nil {
		return true
	}
	var within func(e *syntax.Regexp) bool
	within = func(e *syntax.Regexp) bool {
		switch e.Op {
		case syntax.OpBeginLine, syntax.OpBeginText, syntax.OpWordBoundary, syntax.OpNoWordBoundary:
			return true
		}
		return slices.ContainsFunc(e.Sub, within)
	}
	return within(parsed)
}
