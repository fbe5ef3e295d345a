// Package syntax turns SQL text into classified statements.
//
// The grammar is PostgreSQL's own, through pg_query_go. Before text reaches
// it, a scan of the text bounds how deep its tree can become, because the C
// parser would overflow its stack instead of failing.
//
// Errors carry SQLSTATE 42601 and the position in characters that PostgreSQL
// would report.
package syntax

import (
	"errors"
	"strings"
	"unicode/utf8"

	pg "github.com/pganalyze/pg_query_go/v6"
	"github.com/pganalyze/pg_query_go/v6/parser"

	"github.com/tael-sql/tael-sql/internal/pgerr"
)

// MaxBytes is the longest text that Parse accepts.
const MaxBytes = 16 << 20

// A Statement is one statement of the text that a client sent.
type Statement struct {
	Source string // the whole text: positions in errors count its characters
	Text   string // this statement, without surrounding space and semicolon
	Offset int    // where Text starts in Source, in bytes
	Kind   Kind
	Tag    string // PostgreSQL's command tag, without counts: SELECT, BEGIN, CREATE TABLE
	Node   *pg.Node

	marks []int // characters of Source before each multiple of markBytes
}

// markBytes is how far Position counts at most.
const markBytes = 1024

// Parse splits text into its statements. Text without any gives none.
func Parse(text string) ([]*Statement, error) {
	if len(text) > MaxBytes {
		return nil, pgerr.New(pgerr.ProgramLimitExceeded, "statement text of %d bytes is longer than %d bytes", len(text), MaxBytes)
	}
	if !utf8.ValidString(text) || strings.IndexByte(text, 0) >= 0 {
		return nil, pgerr.New(pgerr.CharacterNotInRepertoire, `invalid byte sequence for encoding "UTF8"`)
	}
	if tooDeep(text) {
		return nil, pgerr.New(pgerr.StatementTooComplex, "stack depth limit exceeded").
			WithHint("Expressions and sub-queries may nest %d levels deep.", maxNesting)
	}
	tree, err := pg.Parse(text)
	if err != nil {
		return nil, parseError(err)
	}
	marks := []int{0}
	for at := 0; at+markBytes <= len(text); at += markBytes {
		marks = append(marks, marks[len(marks)-1]+characters(text[at:at+markBytes]))
	}
	statements := make([]*Statement, 0, len(tree.Stmts))
	for _, raw := range tree.Stmts {
		st := newStatement(text, raw)
		st.marks = marks
		statements = append(statements, st)
	}
	return statements, nil
}

// ParseOne is Parse for text that must hold exactly one statement, such as the
// definition of a view.
func ParseOne(text string) (*Statement, error) {
	statements, err := Parse(text)
	if err != nil {
		return nil, err
	}
	if len(statements) != 1 {
		return nil, pgerr.New(pgerr.SyntaxError, "one statement is expected, not %d", len(statements))
	}
	return statements[0], nil
}

func newStatement(source string, raw *pg.RawStmt) *Statement {
	start := int(raw.StmtLocation)
	end := len(source)
	if raw.StmtLen > 0 {
		end = start + int(raw.StmtLen)
	}
	for {
		rest := strings.TrimLeft(source[start:end], " \t\r\n\f\v;")
		start = end - len(rest)
		n := commentLen(rest)
		if n == 0 {
			break
		}
		start += n
	}
	kind, tag := Classify(raw.Stmt)
	return &Statement{
		Source: source,
		Text:   strings.TrimRight(source[start:end], " \t\r\n\f\v;"),
		Offset: start,
		Kind:   kind,
		Tag:    tag,
		Node:   raw.Stmt,
	}
}

// Position turns a location of a node, a byte offset or -1, into a 1-based
// character of the text that the client sent; 0 when it is unknown.
func (s *Statement) Position(location int32) int {
	if location < 0 || int(location) > len(s.Source) {
		return 0
	}
	k := int(location) / markBytes
	return s.marks[k] + characters(s.Source[k*markBytes:location]) + 1
}

// characters counts those that begin in a piece of UTF-8, which may be cut
// within one.
func characters(piece string) (n int) {
	for i := range len(piece) {
		if piece[i]&0xC0 != 0x80 {
			n++
		}
	}
	return n
}

// Unsupported is the error for a statement that the gateway does not know.
func (s *Statement) Unsupported() error {
	return pgerr.New(pgerr.FeatureNotSupported, "%s is not supported", s.Tag)
}

func parseError(err error) error {
	e, ok := errors.AsType[*parser.Error](err)
	if !ok {
		return pgerr.From(err)
	}
	code := pgerr.SyntaxError
	switch {
	case strings.HasPrefix(e.Message, "invalid Unicode escape"):
		code = pgerr.InvalidEscapeSequence
	case strings.HasPrefix(e.Message, "invalid byte sequence"):
		code = pgerr.CharacterNotInRepertoire
	case strings.HasPrefix(e.Message, "LIMIT #,#"):
	case strings.HasSuffix(e.Message, "is not supported"), strings.Contains(e.Message, "not yet implemented"),
		strings.HasPrefix(e.Message, "cross-database references are not implemented"):
		code = pgerr.FeatureNotSupported
	case strings.Contains(e.Message, "window frame"), strings.HasPrefix(e.Message, "frame start"), strings.HasPrefix(e.Message, "frame end"), strings.HasPrefix(e.Message, "frame starting from"):
		code = pgerr.WindowingError
	}
	return pgerr.New(code, "%s", e.Message).At(e.Cursorpos)
}
