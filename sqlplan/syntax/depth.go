package syntax

import "strings"

const (
	// maxNesting bounds parentheses, brackets and CASE within each other.
	maxNesting = 200
	// maxChain bounds the operators that stand beside each other, as in
	// 1+1+1: each makes the tree one level deeper. The C parser's stack of
	// 8 MiB holds several times as many.
	maxChain = 2000
)

// A level counts, inside one pair of parentheses, what makes the tree deeper.
type level struct {
	isCase    bool // opened by CASE, not by a parenthesis
	operators int  // since the last comma or clause
	setOps    int  // UNION and JOIN, which chain over clauses
}

// tooDeep reports whether the parse tree of text could become deeper than the
// limits. It errs on the safe side and knows only tokens, no grammar.
func tooDeep(text string) bool {
	levels := make([]level, 1, 16)
	chain := 0 // the sum over levels
	for i := 0; i < len(text); {
		top := &levels[len(levels)-1]
		c := text[i]
		switch {
		case c == '\'' || c == '"':
			i += quotedLen(text[i:], c, false)
		case c == '$':
			i += dollarLen(text[i:])
		case commentLen(text[i:]) > 0:
			i += commentLen(text[i:])
		case c == '(' || c == '[':
			levels = append(levels, level{})
			i++
		case c == ')' || c == ']':
			for len(levels) > 1 {
				closed := levels[len(levels)-1]
				chain -= closed.operators + closed.setOps
				levels = levels[:len(levels)-1]
				if !closed.isCase {
					break
				}
			}
			i++
		case c == ',' || c == ';':
			chain -= top.operators
			top.operators = 0
			if c == ';' {
				chain -= top.setOps
				top.setOps = 0
			}
			i++
		case isOperator(c):
			n := 1
			for i+n < len(text) && isOperator(text[i+n]) && commentLen(text[i+n:]) == 0 {
				n++
			}
			top.operators += n // a run such as "- -" or "--" never counts too little
			chain += n
			i += n
		case isWord(c):
			n := 1
			for i+n < len(text) && (isWord(text[i+n]) || text[i+n] == '$') {
				n++
			}
			word := ""
			if n <= 9 && (i == 0 || text[i-1] != '.') {
				word = strings.ToUpper(text[i : i+n])
			}
			i += n
			switch word {
			case "E":
				if i < len(text) && text[i] == '\'' {
					i += quotedLen(text[i:], '\'', true)
				}
			case "CASE":
				levels = append(levels, level{isCase: true})
			case "END":
				if top.isCase {
					chain -= top.operators + top.setOps
					levels = levels[:len(levels)-1]
				}
			case "NOT", "IS", "ISNULL", "NOTNULL", "COLLATE", "AT", "LIKE", "ILIKE", "SIMILAR", "BETWEEN", "IN":
				top.operators++
				chain++
			case "UNION", "INTERSECT", "EXCEPT", "JOIN":
				top.setOps++
				chain++
			case "SELECT", "WHERE", "VALUES":
				chain -= top.operators
				top.operators = 0
			}
		default:
			i++
		}
		if len(levels) > maxNesting || chain > maxChain {
			return true
		}
	}
	return false
}

func isOperator(c byte) bool { return strings.IndexByte("+-*/<>=~!@#%^&|`?:", c) >= 0 }

func isWord(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '_' || c >= 0x80
}

// commentLen gives the length of the comment that s starts with, or 0.
func commentLen(s string) int {
	switch {
	case strings.HasPrefix(s, "--"):
		if n := strings.IndexByte(s, '\n'); n >= 0 {
			return n + 1
		}
		return len(s)
	case strings.HasPrefix(s, "/*"):
		depth := 1
		for i := 2; i < len(s); i++ {
			switch {
			case strings.HasPrefix(s[i:], "/*"):
				depth++
				i++
			case strings.HasPrefix(s[i:], "*/"):
				depth--
				i++
				if depth == 0 {
					return i + 1
				}
			}
		}
		return len(s)
	}
	return 0
}

// quotedLen gives the length of the string or quoted name that s starts with.
func quotedLen(s string, quote byte, escapes bool) int {
	for i := 1; i < len(s); i++ {
		switch {
		case s[i] == '\\' && escapes:
			i++
		case s[i] == quote:
			return i + 1 // a doubled quote starts the next string: same effect
		}
	}
	return len(s)
}

// dollarLen gives the length of the dollar-quoted string, or parameter, that s
// starts with.
func dollarLen(s string) int {
	n := 1
	for n < len(s) && isWord(s[n]) {
		n++
	}
	if n >= len(s) || s[n] != '$' || n > 1 && s[1] >= '0' && s[1] <= '9' {
		return n
	}
	tag := s[:n+1]
	if end := strings.Index(s[n+1:], tag); end >= 0 {
		return n + 1 + end + len(tag)
	}
	return len(s)
}
