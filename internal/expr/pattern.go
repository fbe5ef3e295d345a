package expr

import (
	"regexp"
	"strings"

	"github.com/tael-sql/tael-sql/internal/pgtypes"
)

// splitFlags takes g out of the flags of a regexp function.
func splitFlags(name, flags string, allowGlobal bool) (rest string, global bool, err error) {
	if !strings.Contains(flags, "g") {
		return flags, false, nil
	}
	if !allowGlobal {
		e := invalidParameter("%s() does not support the \"global\" option", name)
		if name == "regexp_match" {
			e = e.WithHint("Use the regexp_matches function instead.")
		}
		return "", false, e
	}
	return strings.ReplaceAll(flags, "g", ""), true, nil
}

// regexCall compiles the pattern of a regexp function; flags is the place of
// its flags, if it has them.
func regexCall(name string, args []any, flags int, allowGlobal bool) (re *regexp.Regexp, global bool, err error) {
	text := ""
	if flags < len(args) {
		text = args[flags].(string)
	}
	if text, global, err = splitFlags(name, text, allowGlobal); err != nil {
		return nil, false, err
	}
	re, err = compileRegex(args[1].(string), text)
	return re, global, err
}

// expandReplacement appends a replacement with \1 … \9 and \& filled in.
func expandReplacement(dst []byte, replacement, s string, match []int) []byte {
	for i := 0; i < len(replacement); i++ {
		c := replacement[i]
		if c != '\\' || i+1 == len(replacement) {
			dst = append(dst, c)
			continue
		}
		i++
		switch c = replacement[i]; {
		case c >= '1' && c <= '9':
			if g := 2 * int(c-'0'); g < len(match) && match[g] >= 0 {
				dst = append(dst, s[match[g]:match[g+1]]...)
			}
		case c == '&':
			dst = append(dst, s[match[0]:match[1]]...)
		case c == '\\':
			dst = append(dst, '\\')
		default:
			dst = append(dst, '\\', c)
		}
	}
	return dst
}

// replaceMatches replaces the n-th match from character start on, or with n 0
// every one.
func replaceMatches(re *regexp.Regexp, s, replacement string, start, n int64) string {
	if start > runeCount(s)+1 {
		return s
	}
	from := runeOffset(s, start-1)
	var out []byte
	last := 0
	for _, match := range allMatches(re, s, from, n == 1) {
		if n > 1 {
			n--
			continue
		}
		out = append(out, s[last:match[0]]...)
		out = expandReplacement(out, replacement, s, match)
		last = match[1]
		if n == 1 {
			break
		}
	}
	return string(append(out, s[last:]...))
}

func regexpReplace(_ *Env, _ *Call, args []any) (any, error) {
	re, global, err := regexCall("regexp_replace", args, 3, true)
	if err != nil {
		return nil, err
	}
	n := int64(1)
	if global {
		n = 0
	}
	return replaceMatches(re, args[0].(string), args[2].(string), 1, n), nil
}

func positive(name string, n int64) error {
	if n <= 0 {
		return invalidParameter("invalid value for parameter \"%s\": %d", name, n)
	}
	return nil
}

// regexpReplaceFrom has start, and optionally n and flags.
func regexpReplaceFrom(_ *Env, _ *Call, args []any) (any, error) {
	start, n := args[3].(int64), int64(1)
	if err := positive("start", start); err != nil {
		return nil, err
	}
	if len(args) > 4 {
		n = args[4].(int64)
		if n < 0 {
			return nil, positive("n", n)
		}
	}
	re, global, err := regexCall("regexp_replace", args, 5, true)
	if err != nil {
		return nil, err
	}
	if global && len(args) <= 4 {
		n = 0
	}
	return replaceMatches(re, args[0].(string), args[2].(string), start, n), nil
}

// groupsOf gives the groups of a match, or the whole match where there are none.
func groupsOf(s string, match []int) *pgtypes.Array {
	if len(match) == 2 {
		return pgtypes.NewArray(pgtypes.Text, []any{s[match[0]:match[1]]})
	}
	vals := make([]any, 0, len(match)/2-1)
	for g := 2; g < len(match); g += 2 {
		if match[g] < 0 {
			vals = append(vals, nil)
		} else {
			vals = append(vals, s[match[g]:match[g+1]])
		}
	}
	return pgtypes.NewArray(pgtypes.Text, vals)
}

func regexpMatch(_ *Env, _ *Call, args []any) (any, error) {
	re, _, err := regexCall("regexp_match", args, 2, false)
	if err != nil {
		return nil, err
	}
	s := args[0].(string)
	match := re.FindStringSubmatchIndex(s)
	if match == nil {
		return nil, nil
	}
	return groupsOf(s, match), nil
}

func regexpMatches(_ *Env, _ *Call, args []any, emit func([]any) error) error {
	re, global, err := regexCall("regexp_matches", args, 2, true)
	if err != nil {
		return err
	}
	s := args[0].(string)
	for _, match := range allMatches(re, s, 0, !global) {
		if err := emit([]any{groupsOf(s, match)}); err != nil {
			return err
		}
	}
	return nil
}

// splitRegex cuts s at the matches; empty ones at its ends, and behind another
// match, do not count.
func splitRegex(re *regexp.Regexp, s string) []any {
	var parts []any
	last := 0
	for _, match := range re.FindAllStringIndex(s, -1) {
		if match[0] == match[1] && (match[0] == last || match[0] == len(s)) {
			continue
		}
		parts = append(parts, s[last:match[0]])
		last = match[1]
	}
	return append(parts, s[last:])
}

func regexpSplitToArray(_ *Env, _ *Call, args []any) (any, error) {
	re, _, err := regexCall("regexp_split_to_array", args, 2, false)
	if err != nil {
		return nil, err
	}
	return pgtypes.NewArray(pgtypes.Text, splitRegex(re, args[0].(string))), nil
}

func regexpSplitToTable(_ *Env, _ *Call, args []any, emit func([]any) error) error {
	re, _, err := regexCall("regexp_split_to_table", args, 2, false)
	if err != nil {
		return err
	}
	for _, part := range splitRegex(re, args[0].(string)) {
		if err := emit([]any{part}); err != nil {
			return err
		}
	}
	return nil
}

// matchesFrom gives the matches that begin at or behind character start.
func matchesFrom(re *regexp.Regexp, s string, start int64) [][]int {
	if start > runeCount(s)+1 {
		return nil
	}
	return allMatches(re, s, runeOffset(s, start-1), false)
}

func regexpCount(_ *Env, _ *Call, args []any) (any, error) {
	start := int64(1)
	if len(args) > 2 {
		start = args[2].(int64)
		if err := positive("start", start); err != nil {
			return nil, err
		}
	}
	re, _, err := regexCall("regexp_count", args, 3, false)
	if err != nil {
		return nil, err
	}
	return int64(len(matchesFrom(re, args[0].(string), start))), nil
}

func regexpLike(_ *Env, _ *Call, args []any) (any, error) {
	re, _, err := regexCall("regexp_like", args, 2, false)
	if err != nil {
		return nil, err
	}
	return re.MatchString(args[0].(string)), nil
}

// nthMatch finds what regexp_substr and regexp_instr ask for: arguments from
// place 2 are start and n.
func nthMatch(name string, args []any, flags int) (match []int, err error) {
	at := [2]int64{1, 1}
	for i, param := range []string{"start", "n"} {
		if len(args) > 2+i {
			at[i] = args[2+i].(int64)
			if err := positive(param, at[i]); err != nil {
				return nil, err
			}
		}
	}
	re, _, err := regexCall(name, args, flags, false)
	if err != nil {
		return nil, err
	}
	matches := matchesFrom(re, args[0].(string), at[0])
	if at[1] > int64(len(matches)) {
		return nil, nil
	}
	return matches[at[1]-1], nil
}

func regexpSubstr(_ *Env, _ *Call, args []any) (any, error) {
	group := int64(0)
	if len(args) > 5 {
		if group = args[5].(int64); group < 0 {
			return nil, positive("subexpr", group)
		}
	}
	match, err := nthMatch("regexp_substr", args, 4)
	if err != nil || 2*group >= int64(len(match)) || match[2*group] < 0 {
		return nil, err
	}
	return args[0].(string)[match[2*group]:match[2*group+1]], nil
}

func regexpInstr(_ *Env, _ *Call, args []any) (any, error) {
	group, end := int64(0), int64(0)
	if len(args) > 4 {
		if end = args[4].(int64); end != 0 && end != 1 {
			return nil, invalidParameter("invalid value for parameter \"%s\": %d", "endoption", end)
		}
	}
	if len(args) > 6 {
		if group = args[6].(int64); group < 0 {
			return nil, positive("subexpr", group)
		}
	}
	match, err := nthMatch("regexp_instr", args, 5)
	if err != nil || 2*group >= int64(len(match)) || match[2*group] < 0 {
		return int64(0), err
	}
	return runeCount(args[0].(string)[:match[2*group+end]]) + 1, nil
}

// substringRegex gives the first group of the first match, or the match.
func substringRegex(s, pattern string) (any, error) {
	re, err := compileRegex(pattern, "")
	if err != nil {
		return nil, err
	}
	match := re.FindStringSubmatchIndex(s)
	switch {
	case match == nil:
		return nil, nil
	case len(match) == 2:
		return s[match[0]:match[1]], nil
	case match[2] < 0:
		return nil, nil
	}
	return s[match[2]:match[3]], nil
}

func substringSimilar(s, pattern, escape string) (any, error) {
	re, err := similarToRegex(pattern, escape)
	if err != nil {
		return nil, err
	}
	return substringRegex(s, re.(string))
}

// patternFunctions is LIKE, regular expressions and SIMILAR TO.
func patternFunctions() map[string]impl {
	m := make(map[string]impl)
	for _, typ := range []string{"text", "name"} {
		m[typ+" ~~ text"] = likeOp(false, false)
		m[typ+" !~~ text"] = likeOp(false, true)
		m[typ+" ~~* text"] = likeOp(true, false)
		m[typ+" !~~* text"] = likeOp(true, true)
		m[typ+" ~ text"] = matchOp(patternRegex, false)
		m[typ+" !~ text"] = matchOp(patternRegex, true)
		m[typ+" ~* text"] = matchOp(patternRegexFold, false)
		m[typ+" !~* text"] = matchOp(patternRegexFold, true)
	}
	backslash := func(s string) (any, error) { return similarToRegex(s, `\`) }
	m["like_escape(text,text)"] = fn2(likeEscape)
	m["similar_to_escape(text)"] = fn1(backslash)
	m["similar_to_escape(text,text)"] = fn2(similarToRegex)
	m["substring(text,text)"] = fn2(substringRegex)
	m["substring(text,text,text)"] = fn3(substringSimilar)
	m["regexp_replace(text,text,text)"] = raw(regexpReplace)
	m["regexp_replace(text,text,text,text)"] = raw(regexpReplace)
	m["regexp_replace(text,text,text,int4)"] = raw(regexpReplaceFrom)
	m["regexp_replace(text,text,text,int4,int4)"] = raw(regexpReplaceFrom)
	m["regexp_replace(text,text,text,int4,int4,text)"] = raw(regexpReplaceFrom)
	for _, args := range []string{"(text,text)", "(text,text,text)"} {
		m["regexp_match"+args] = raw(regexpMatch)
		m["regexp_matches"+args] = set(regexpMatches)
		m["regexp_split_to_array"+args] = raw(regexpSplitToArray)
		m["regexp_split_to_table"+args] = set(regexpSplitToTable)
		m["regexp_like"+args] = raw(regexpLike)
	}
	for _, args := range []string{"(text,text)", "(text,text,int4)", "(text,text,int4,text)"} {
		m["regexp_count"+args] = raw(regexpCount)
	}
	for _, args := range []string{"(text,text)", "(text,text,int4)", "(text,text,int4,int4)", "(text,text,int4,int4,text)", "(text,text,int4,int4,text,int4)"} {
		m["regexp_substr"+args] = raw(regexpSubstr)
	}
	for _, args := range []string{"(text,text)", "(text,text,int4)", "(text,text,int4,int4)", "(text,text,int4,int4,int4)", "(text,text,int4,int4,int4,text)", "(text,text,int4,int4,int4,text,int4)"} {
		m["regexp_instr"+args] = raw(regexpInstr)
	}
	return m
}
