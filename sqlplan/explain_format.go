package sqlplan

import (
	"fmt"
	"strings"

	"github.com/tael-sql/tael-sql/internal/pgtypes"
)

// facts are what EXPLAIN says of a step in the formats but TEXT, in order.
type facts []fact

// A fact is a name with a string, a number (literal), a list of strings, more
// facts, or a list of those, which has the name of one of them.
type fact struct {
	name  string
	value any
}

// A literal is printed as it is.
type literal string

// A group is a list of facts. XML calls each of them item.
type group struct {
	item string
	list []facts
}

func (f *facts) put(name string, value any) { *f = append(*f, fact{name, value}) }

func (f *facts) int(name string, n int64) { f.put(name, literal(fmt.Sprint(n))) }

func quoted(s string) string { return string(pgtypes.JSONQuote(nil, s)) }

func indent(depth int) string { return strings.Repeat("  ", depth) }

// json prints an object that begins where its line does.
func (f facts) json(depth int) string {
	members := make([]string, len(f))
	for i, one := range f {
		members[i] = indent(depth+1) + quoted(one.name) + ": " + one.json(depth+1)
	}
	return "{\n" + strings.Join(members, ",\n") + "\n" + indent(depth) + "}"
}

func (f fact) json(depth int) string {
	switch v := f.value.(type) {
	case string:
		return quoted(v)
	case []string:
		items := make([]string, len(v))
		for i, s := range v {
			items[i] = quoted(s)
		}
		return "[" + strings.Join(items, ", ") + "]"
	case facts:
		return v.json(depth)
	case group:
		items := make([]string, len(v.list))
		for i, one := range v.list {
			items[i] = indent(depth+1) + one.json(depth+1)
		}
		return strings.TrimSuffix("[\n"+strings.Join(items, ",\n"), "\n") + "\n" + indent(depth) + "]"
	}
	return string(f.value.(literal))
}

// xml appends the facts as elements, a line each.
func (f facts) xml(out *strings.Builder, depth int) {
	for _, one := range f {
		switch v := one.value.(type) {
		case string:
			fmt.Fprintf(out, "%s<%s>%s</%[2]s>\n", indent(depth), xmlTag(one.name), xmlText.Replace(v))
		case literal:
			fmt.Fprintf(out, "%s<%s>%s</%[2]s>\n", indent(depth), xmlTag(one.name), v)
		case []string:
			items := make(facts, len(v))
			for i, s := range v {
				items[i] = fact{"Item", s}
			}
			xmlElement(out, depth, one.name, items)
		case facts:
			xmlElement(out, depth, one.name, v)
		case group:
			items := make(facts, len(v.list))
			for i, of := range v.list {
				items[i] = fact{v.item, of}
			}
			xmlElement(out, depth, one.name, items)
		}
	}
}

func xmlElement(out *strings.Builder, depth int, name string, inner facts) {
	fmt.Fprintf(out, "%s<%s>\n", indent(depth), xmlTag(name))
	inner.xml(out, depth+1)
	fmt.Fprintf(out, "%s</%s>\n", indent(depth), xmlTag(name))
}

var xmlText = strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;", "\r", "&#x0d;")

// xmlTag makes a name that of an element.
func xmlTag(name string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case 'a' <= r && r <= 'z', 'A' <= r && r <= 'Z', '0' <= r && r <= '9', r == '-', r == '_', r == '.':
			return r
		}
		return '-'
	}, name)
}

// yaml appends the facts, a line each, to a line that has begun.
func (f facts) yaml(out *strings.Builder, depth int) {
	for i, one := range f {
		if i > 0 {
			out.WriteString("\n" + indent(depth))
		}
		out.WriteString(one.name + ": ")
		switch v := one.value.(type) {
		case string:
			out.WriteString(quoted(v))
		case literal:
			out.WriteString(string(v))
		case []string:
			for _, s := range v {
				out.WriteString("\n" + indent(depth+1) + "- " + quoted(s))
			}
		case facts:
			out.WriteString("\n" + indent(depth+1))
			v.yaml(out, depth+1)
		case group:
			for _, of := range v.list {
				out.WriteString("\n" + indent(depth+1) + "- ")
				of.yaml(out, depth+2)
			}
		}
	}
}
