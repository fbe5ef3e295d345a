package pgtypes

import (
	"slices"
	"strconv"
	"strings"

	"github.com/tael-sql/tael-sql/internal/pgerr"
)

// ParseJSONPath reads the SQL/JSON path language as PostgreSQL 15 does, but for
// the method datetime.
func ParseJSONPath(text string) (path *JSONPath, err error) {
	p := &pathParser{text: text}
	defer func() {
		switch e := recover().(type) {
		case nil:
		case *pgerr.Error:
			err = e
		default:
			panic(e)
		}
	}()
	p.advance()
	if p.token.kind == endToken && strings.TrimSpace(text) == "" {
		panic(pgerr.New(pgerr.InvalidTextRepresentation, "invalid input syntax for type %s: \"%s\"", "jsonpath", text))
	}
	path = &JSONPath{}
	if p.word("strict") {
		path.Strict = true
	} else {
		p.word("lax")
	}
	path.Root = p.or()
	if p.token.kind != endToken {
		p.fail()
	}
	return path, nil
}

// A pathParser is a recursive descent over tokens; it panics with the error.
type pathParser struct {
	text   string
	at     int
	token  pathToken
	filter int // filters around
	index  int // subscripts around
	depth  int
}

func (p *pathParser) fail() {
	if p.token.kind == endToken || p.token.kind == wordToken && p.at == len(p.text) { // the end tells where a word ends
		panic(pgerr.New(pgerr.SyntaxError, "syntax error at end of jsonpath input"))
	}
	panic(pgerr.New(pgerr.SyntaxError, "syntax error at or near \"%s\" of jsonpath input", p.token.raw))
}

// next reports whether one of the signs is next.
func (p *pathParser) next(list ...string) bool {
	return p.token.kind == signToken && slices.Contains(list, p.token.text)
}

// sign takes one of the signs if it is next.
func (p *pathParser) sign(list ...string) string {
	if !p.next(list...) {
		return ""
	}
	s := p.token.text
	p.advance()
	return s
}

func (p *pathParser) must(sign string) {
	if p.sign(sign) == "" {
		p.fail()
	}
}

// word takes a key word if it is next.
func (p *pathParser) word(w string) bool {
	if p.token.kind != wordToken || !strings.EqualFold(p.token.text, w) {
		return false
	}
	p.advance()
	return true
}

// enter bounds how deep items nest.
func (p *pathParser) enter() func() {
	if p.depth++; p.depth > maxJSONDepth {
		panic(pgerr.New(pgerr.StatementTooComplex, "stack depth limit exceeded"))
	}
	return func() { p.depth-- }
}

func (p *pathParser) want(item *PathItem, predicate bool) *PathItem {
	if item.Predicate() != predicate || predicate && item.Next != nil {
		p.fail()
	}
	return item
}

// value says that an item stands where predicates cannot: one in brackets with
// an accessor behind it is a value.
func (p *pathParser) value(item *PathItem) *PathItem {
	if item.Predicate() && item.Next == nil {
		p.fail()
	}
	return item
}

func (p *pathParser) or() *PathItem {
	defer p.enter()()
	left := p.and()
	for p.next("||") {
		p.want(left, true)
		p.advance()
		left = &PathItem{Kind: PathOr, Left: left, Right: p.want(p.and(), true)}
	}
	return left
}

func (p *pathParser) and() *PathItem {
	left := p.comparison()
	for p.next("&&") {
		p.want(left, true)
		p.advance()
		left = &PathItem{Kind: PathAnd, Left: left, Right: p.want(p.comparison(), true)}
	}
	return left
}

func (p *pathParser) comparison() *PathItem {
	if p.sign("!") != "" {
		if p.token.raw != "(" && !(p.token.kind == wordToken && strings.EqualFold(p.token.text, "exists")) {
			p.fail()
		}
		return &PathItem{Kind: PathNot, Left: p.want(p.primary(), true)}
	}
	left := p.sum()
	switch op := p.sign("==", "!=", "<>", "<", "<=", ">", ">="); {
	case op != "":
		if op == "<>" {
			op = "!="
		}
		return &PathItem{Kind: PathKind(op), Left: p.value(left), Right: p.value(p.sum())}
	case p.word("starts"):
		if !p.word("with") || p.token.kind != stringToken && p.token.kind != variableToken {
			p.fail()
		}
		return &PathItem{Kind: PathStartsWith, Left: p.value(left), Right: p.scalar()}
	case p.word("like_regex"):
		return p.regex(p.value(left))
	}
	return left
}

// regex reads what follows like_regex.
func (p *pathParser) regex(left *PathItem) *PathItem {
	if p.token.kind != stringToken {
		p.fail()
	}
	item := &PathItem{Kind: PathLikeRegex, Left: left, Text: p.token.text}
	p.advance()
	if !p.word("flag") {
		return item
	}
	if p.token.kind != stringToken {
		p.fail()
	}
	given := p.token.text
	p.advance()
	for _, c := range given {
		if !strings.ContainsRune("ismxq", c) {
			panic(pgerr.New(pgerr.SyntaxError, "invalid input syntax for type %s", "jsonpath").
				WithDetail("Unrecognized flag character \"%c\" in LIKE_REGEX predicate.", c))
		}
		if c == 'x' && !strings.ContainsRune(given, 'q') {
			panic(pgerr.New(pgerr.FeatureNotSupported, "XQuery \"x\" flag (expanded regular expressions) is not implemented"))
		}
	}
	for _, c := range "ismxq" {
		if strings.ContainsRune(given, c) {
			item.Flags += string(c)
		}
	}
	return item
}

func (p *pathParser) sum() *PathItem {
	left := p.product()
	for p.next("+", "-") {
		p.value(left)
		op := p.sign("+", "-")
		left = &PathItem{Kind: PathKind(op), Left: left, Right: p.value(p.product())}
	}
	return left
}

func (p *pathParser) product() *PathItem {
	left := p.unary()
	for p.next("*", "/", "%") {
		p.value(left)
		op := p.sign("*", "/", "%")
		left = &PathItem{Kind: PathKind(op), Left: left, Right: p.value(p.unary())}
	}
	return left
}

func (p *pathParser) unary() *PathItem {
	defer p.enter()()
	switch p.sign("+", "-") {
	case "+":
		item := p.value(p.unary())
		if item.Kind == PathNumber && item.Next == nil {
			return item
		}
		return &PathItem{Kind: PathPlus, Left: item}
	case "-":
		item := p.value(p.unary())
		if item.Kind == PathNumber && item.Next == nil {
			return negated(item)
		}
		return &PathItem{Kind: PathMinus, Left: item}
	}
	item := p.primary()
	last := item
	for last.Next != nil {
		last = last.Next
	}
	for next := p.accessor(); next != nil; next = p.accessor() {
		last.Next = next
		last = next
	}
	return item
}

// negated is a number with the other sign.
func negated(item *PathItem) *PathItem {
	d, err := ParseNumeric(item.Text)
	if err != nil {
		panic("BUG: " + err.Error())
	}
	return &PathItem{Kind: PathNumber, Text: string(AppendNumeric(nil, NumericNeg(d)))}
}

// primary reads what accessors are applied to.
func (p *pathParser) primary() *PathItem {
	switch {
	case p.sign("(") != "":
		item := p.or()
		p.must(")")
		if item.Predicate() && item.Next == nil && p.word("is") {
			if !p.word("unknown") {
				p.fail()
			}
			return &PathItem{Kind: PathIsUnknown, Left: item}
		}
		return item
	case p.sign("$") != "":
		return &PathItem{Kind: PathRoot}
	case p.token.raw == "@":
		if p.filter == 0 {
			panic(pgerr.New(pgerr.SyntaxError, "@ is not allowed in root expressions"))
		}
		p.advance()
		return &PathItem{Kind: PathCurrent}
	case p.token.kind == wordToken && strings.EqualFold(p.token.text, "last"):
		if p.index == 0 {
			panic(pgerr.New(pgerr.SyntaxError, "LAST is allowed only in array subscripts"))
		}
		p.advance()
		return &PathItem{Kind: PathLastIndex}
	case p.word("exists"):
		p.must("(")
		item := &PathItem{Kind: PathExists, Left: p.value(p.sum())}
		p.must(")")
		return item
	}
	return p.scalar()
}

func (p *pathParser) scalar() *PathItem {
	t := p.token
	var item *PathItem
	switch {
	case t.kind == stringToken:
		item = &PathItem{Kind: PathString, Text: t.text}
	case t.kind == variableToken:
		item = &PathItem{Kind: PathVariable, Text: t.text}
	case t.kind == numberToken:
		d, err := ParseNumeric(t.text)
		if err != nil {
			panic(pgerr.From(err))
		}
		item = &PathItem{Kind: PathNumber, Text: string(AppendNumeric(nil, d))}
	case t.kind == wordToken && (t.text == "null" || t.text == "true" || t.text == "false"):
		item = &PathItem{Kind: PathKind(t.text)}
	default:
		p.fail()
	}
	p.advance()
	return item
}

// accessor reads one accessor, nil if none is next.
func (p *pathParser) accessor() *PathItem {
	switch p.sign(".", "[", "?") {
	case ".":
		return p.member()
	case "[":
		return p.subscripts()
	case "?":
		p.must("(")
		p.filter++
		item := &PathItem{Kind: PathFilter, Left: p.want(p.or(), true)}
		p.filter--
		p.must(")")
		return item
	}
	return nil
}

var pathMethods = []string{"abs", "ceiling", "double", "floor", "keyvalue", "size", "type"}

// member reads what follows a point.
func (p *pathParser) member() *PathItem {
	t := p.token
	switch {
	case p.sign("*") != "":
		return &PathItem{Kind: PathAnyKey}
	case p.sign("**") != "":
		return p.anyLevels()
	case t.kind != stringToken && t.kind != wordToken:
		p.fail()
	}
	p.advance()
	if t.kind == wordToken && p.token.raw == "(" {
		name := strings.ToLower(t.text)
		switch {
		case name == "datetime":
			panic(pgerr.New(pgerr.FeatureNotSupported, "jsonpath item method .datetime() is not supported"))
		case !slices.Contains(pathMethods, name):
			p.fail()
		}
		p.advance()
		p.must(")")
		return &PathItem{Kind: PathMethod, Text: name}
	}
	return &PathItem{Kind: PathKey, Text: t.text}
}

// anyLevels reads what follows **.
func (p *pathParser) anyLevels() *PathItem {
	item := &PathItem{Kind: PathAny, Last: PathLast}
	if p.sign("{") == "" {
		return item
	}
	level := func() uint32 {
		if p.word("last") {
			return PathLast
		}
		n, err := strconv.ParseUint(p.token.text, 10, 31)
		if p.token.kind != numberToken || err != nil {
			p.fail()
		}
		p.advance()
		return uint32(n)
	}
	item.First = level()
	item.Last = item.First
	if p.word("to") {
		item.Last = level()
	}
	p.must("}")
	return item
}

func (p *pathParser) subscripts() *PathItem {
	if p.sign("*") != "" {
		p.must("]")
		return &PathItem{Kind: PathAnyArray}
	}
	item := &PathItem{Kind: PathIndex}
	p.index++
	for {
		s := PathSubscript{From: p.value(p.sum())}
		if p.word("to") {
			s.To = p.value(p.sum())
		}
		item.Subscripts = append(item.Subscripts, s)
		if p.sign(",") == "" {
			break
		}
	}
	p.index--
	p.must("]")
	return item
}
