package clients

import (
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"testing"
)

// A part of a generated query is pieces of text with smaller parts between
// them, so that a query that fails can be made smaller.
type part struct {
	typ   string // of an expression; "" of a clause
	text  []string
	kids  []*part
	spare bool // may be left out
}

func word(text string) *part { return &part{text: []string{text}} }

func (p *part) String() string {
	var b strings.Builder
	p.write(&b)
	return b.String()
}

func (p *part) write(b *strings.Builder) {
	for i, text := range p.text {
		b.WriteString(text)
		if i < len(p.kids) {
			p.kids[i].write(b)
		}
	}
}

// add appends a piece of text and the part after it.
func (p *part) add(text string, kid *part) {
	if len(p.text) == 0 {
		p.text = []string{""}
	}
	p.text[len(p.text)-1] += text
	p.kids, p.text = append(p.kids, kid), append(p.text, "")
}

// smaller leaves out and simplifies parts of p while it still fails.
func (p *part) smaller(literals map[string][]string, fails func() bool) {
	try := func(q *part, with part) bool {
		was := *q
		*q = with
		if len(was.String()) > len(q.String()) && fails() {
			return true
		}
		*q = was
		return false
	}
	var visit func(q *part) bool
	visit = func(q *part) bool {
		if q.spare && try(q, part{text: []string{""}}) {
			return true
		}
		if q.typ != "" && len(q.kids) > 0 {
			if l := literals[q.typ]; len(l) > 0 && try(q, part{typ: q.typ, text: l[:1]}) {
				return true
			}
			var inner []*part
			var collect func(*part)
			collect = func(r *part) {
				for _, kid := range r.kids {
					inner = append(inner, kid)
					collect(kid)
				}
			}
			collect(q)
			for _, r := range inner {
				if r.typ == q.typ && try(q, *r) {
					return true
				}
			}
		}
		return slices.ContainsFunc(q.kids, visit)
	}
	for visit(p) {
	}
}

// A grammar is the templates of expressions and the literals, by type.
type grammar struct {
	plain, aggregates, windows, literals map[string][]string
}

// read takes in a file of testdata/generated: lines of a type, a tab and a template.
func (g *grammar) read(t *testing.T, file string, plain map[string][]string) {
	t.Helper()
	raw, err := os.ReadFile("testdata/generated/" + file)
	if err != nil {
		t.Fatal(err)
	}
	into, typ := plain, ""
	for line := range strings.Lines(string(raw)) {
		line = strings.TrimRight(line, "\n")
		if strings.HasPrefix(line, "#") {
			continue
		}
		before, template, found := strings.Cut(line, "\t")
		if !found { // a literal of several lines
			into[typ][len(into[typ])-1] += "\n" + line
			continue
		}
		into, typ = plain, before
		if name, found := strings.CutPrefix(before, "agg "); found {
			into, typ = g.aggregates, name
		} else if name, found := strings.CutPrefix(before, "win "); found {
			into, typ = g.windows, name
		}
		into[typ] = append(into[typ], template)
	}
}

func readGrammar(t *testing.T) *grammar {
	t.Helper()
	g := &grammar{map[string][]string{}, map[string][]string{}, map[string][]string{}, map[string][]string{}}
	g.read(t, "expressions.txt", g.plain)
	g.read(t, "literals.txt", g.literals)
	return g
}

// compared are the types of {c} in templates.
var compared = []string{"int4", "int8", "float8", "numeric", "text", "bool", "date", "timestamp", "timestamptz", "interval"}

// types are those of results.
var types = append(slices.Clone(compared), "jsonb", "bytea", "texts", "ints")

// sqlType is the name of a type in a cast.
func sqlType(typ string) string {
	switch typ {
	case "texts":
		return "text[]"
	case "ints":
		return "int4[]"
	}
	return typ
}

// A column is what an expression may name.
type column struct{ name, typ string }

// A generator makes expressions over the columns in scope.
type generator struct {
	*grammar
	rng     *rand.Rand
	columns []column
	keys    string // columns that no two rows share
}

func (g *generator) one(in int) bool { return g.rng.IntN(in) == 0 }

func pick[T any](g *generator, from []T) T { return from[g.rng.IntN(len(from))] }

// literal is one of a type; words that are no type, as regex, are never NULL.
func (g *generator) literal(typ string) *part {
	if slices.Contains(types, typ) && g.one(12) {
		return &part{typ: typ, text: []string{"NULL::" + sqlType(typ)}}
	}
	text := pick(g, g.literals[typ])
	if typ == "text" && g.one(2) {
		text += "::text"
	}
	return &part{typ: typ, text: []string{text}}
}

// expression is a random one of a type, of templates nested to a depth.
func (g *generator) expression(typ string, depth int) *part {
	if depth <= 0 || g.one(6) {
		var named []column
		for _, c := range g.columns {
			if c.typ == typ {
				named = append(named, c)
			}
		}
		if len(named) == 0 || g.one(5) {
			return g.literal(typ)
		}
		return &part{typ: typ, text: []string{pick(g, named).name}}
	}
	templates := g.plain[typ]
	if g.one(6) {
		return g.fill(pick(g, g.plain["any"]), typ, typ, depth)
	}
	return g.fill(pick(g, templates), typ, pick(g, compared), depth)
}

// fill puts expressions into a template; c is the type of its {c}.
func (g *generator) fill(template, typ, c string, depth int) *part {
	p := &part{typ: typ}
	text := "("
	for {
		before, rest, found := strings.Cut(template, "{")
		hole, after, closed := strings.Cut(rest, "}")
		name, literal := strings.CutPrefix(hole, "=")
		if name == "c" {
			name = c
		}
		if !found {
			p.text = append(p.text, text+before+")")
			return p
		}
		_, known := g.literals[name]
		switch {
		case closed && name == "same":
			p.text, p.kids = append(p.text, text+before), append(p.kids, p.kids[len(p.kids)-1])
			text, template = "", after
			continue
		case closed && name == "keys":
			text += before + g.keys
			template = after
			continue
		case !closed || !known: // a brace of JSON or of an array
			text += before + "{"
			template = rest
			continue
		}
		var kid *part
		if literal || !slices.Contains(types, name) {
			kid = g.literal(name)
		} else {
			kid = g.expression(name, depth-1)
		}
		p.text, p.kids = append(p.text, text+before), append(p.kids, kid)
		text, template = "", after
	}
}

// call is one of an aggregate or window function, over expressions of the rows.
func (g *generator) call(of map[string][]string) *part {
	var names []string
	for typ := range of {
		names = append(names, typ)
	}
	slices.Sort(names)
	typ := pick(g, names)
	return g.fill(pick(g, of[typ]), typ, pick(g, compared), 1+g.rng.IntN(2))
}
