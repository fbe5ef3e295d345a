package pgtypes

import (
	"fmt"
	"math"
	"strings"
)

// A JSONPath is a value of type jsonpath.
type JSONPath struct {
	Strict bool
	Root   *PathItem
}

// A PathItem is an item of a path with what is applied to its result.
type PathItem struct {
	Kind        PathKind
	Text        string    // key, string, name of a variable, number, pattern
	Flags       string    // of like_regex
	Left, Right *PathItem // operands; of a filter, a method and exists only Left
	Subscripts  []PathSubscript
	First, Last uint32 // levels of **
	Next        *PathItem
}

// A PathSubscript is one of the subscripts in [ ].
type PathSubscript struct{ From, To *PathItem } // To: nil for one index

// PathLast is the level last of **.
const PathLast = math.MaxUint32

// A PathKind is what an item does; operators have the text of the operator.
type PathKind string

// The kinds.
const (
	PathRoot       PathKind = "$"
	PathCurrent    PathKind = "@"
	PathLastIndex  PathKind = "last"
	PathNull       PathKind = "null"
	PathTrue       PathKind = "true"
	PathFalse      PathKind = "false"
	PathNumber     PathKind = "number"
	PathString     PathKind = "string"
	PathVariable   PathKind = "variable"
	PathKey        PathKind = "key"
	PathAnyKey     PathKind = ".*"
	PathAnyArray   PathKind = "[*]"
	PathIndex      PathKind = "[]"
	PathAny        PathKind = "**"
	PathFilter     PathKind = "?"
	PathMethod     PathKind = "method"
	PathExists     PathKind = "exists"
	PathIsUnknown  PathKind = "is unknown"
	PathNot        PathKind = "!"
	PathAnd        PathKind = "&&"
	PathOr         PathKind = "||"
	PathStartsWith PathKind = "starts with"
	PathLikeRegex  PathKind = "like_regex"
	PathPlus       PathKind = "unary +"
	PathMinus      PathKind = "unary -"
)

// Predicate reports whether the item gives a truth value.
func (p *PathItem) Predicate() bool {
	switch p.Kind {
	case PathExists, PathIsUnknown, PathNot, PathAnd, PathOr, PathStartsWith, PathLikeRegex, "==", "!=", "<", "<=", ">", ">=":
		return true
	}
	return false
}

func (p *PathItem) priority() int {
	switch p.Kind {
	case PathOr:
		return 0
	case PathAnd:
		return 1
	case "==", "!=", "<", "<=", ">", ">=", PathStartsWith:
		return 2
	case "+", "-":
		return 3
	case "*", "/", "%":
		return 4
	case PathPlus, PathMinus:
		return 5
	}
	return 6
}

// String prints the path as PostgreSQL does, but always one that reads back.
func (j *JSONPath) String() string {
	var b strings.Builder
	if j.Strict {
		b.WriteString("strict ")
	}
	j.Root.print(&b, false, true)
	return b.String()
}

// operand prints an operand, in brackets where the operator binds no less.
func (p *PathItem) operand(b *strings.Builder, of *PathItem) {
	p.print(b, false, p.priority() <= of.priority())
}

func (p *PathItem) print(b *strings.Builder, inKey, brackets bool) {
	quoted := func(s string) { b.Write(JSONQuote(nil, s)) }
	open, shut := "", ""
	if brackets || p.Next != nil { // PostgreSQL 15 forgets the second, and prints another path
		open, shut = "(", ")"
	}
	switch p.Kind {
	case PathString:
		quoted(p.Text)
	case PathVariable:
		b.WriteByte('$')
		quoted(p.Text)
	case PathNumber:
		if p.Next != nil {
			b.WriteString("(" + p.Text + ")")
		} else {
			b.WriteString(p.Text)
		}
	case PathKey:
		if inKey {
			b.WriteByte('.')
		}
		quoted(p.Text)
	case PathAnyKey:
		if inKey {
			b.WriteByte('.')
		}
		b.WriteByte('*')
	case PathAny:
		if inKey {
			b.WriteByte('.')
		}
		b.WriteString(p.levels())
	case PathIndex:
		b.WriteByte('[')
		for i, s := range p.Subscripts {
			if i > 0 {
				b.WriteByte(',')
			}
			s.From.print(b, false, false)
			if s.To != nil {
				b.WriteString(" to ")
				s.To.print(b, false, false)
			}
		}
		b.WriteByte(']')
	case PathFilter:
		b.WriteString("?(")
		p.Left.print(b, false, false)
		b.WriteByte(')')
	case PathNot:
		b.WriteString("!(")
		p.Left.print(b, false, false)
		b.WriteByte(')')
	case PathIsUnknown:
		b.WriteByte('(')
		p.Left.print(b, false, false)
		b.WriteString(") is unknown")
	case PathExists:
		b.WriteString("exists (")
		p.Left.print(b, false, false)
		b.WriteByte(')')
	case PathMethod:
		b.WriteString("." + p.Text + "()")
	case PathPlus, PathMinus:
		b.WriteString(open + string(p.Kind[len(p.Kind)-1]))
		p.Left.operand(b, p)
		b.WriteString(shut)
	case PathLikeRegex:
		b.WriteString(open)
		p.Left.operand(b, p)
		b.WriteString(" like_regex ")
		quoted(p.Text)
		if p.Flags != "" {
			b.WriteString(" flag \"" + p.Flags + "\"")
		}
		b.WriteString(shut)
	case PathRoot, PathCurrent, PathLastIndex, PathNull, PathTrue, PathFalse, PathAnyArray:
		b.WriteString(string(p.Kind))
	default:
		b.WriteString(open)
		p.Left.operand(b, p)
		b.WriteString(" " + string(p.Kind) + " ")
		p.Right.operand(b, p)
		b.WriteString(shut)
	}
	if p.Next != nil {
		p.Next.print(b, true, true)
	}
}

// levels prints ** with its levels.
func (p *PathItem) levels() string {
	level := func(n uint32) string {
		if n == PathLast {
			return "last"
		}
		return fmt.Sprint(n)
	}
	switch {
	case p.First == 0 && p.Last == PathLast:
		return "**"
	case p.First == p.Last:
		return "**{" + level(p.First) + "}"
	}
	return "**{" + level(p.First) + " to " + level(p.Last) + "}"
}
