package search

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// ErrSyntax says that a query cannot be read; the wrapping error tells why.
var ErrSyntax = errors.New("search: syntax error")

// A Query is what is looked for: every clause has to hold.
//
//	word            the text has the word
//	"some words"    the text has the words one after the other
//	field:word      the field has it; so field:"some words"
//	-clause         it does not
//
// What has separators within, such as rate-limit, is read as if it were quoted.
// Case does not count.
type Query struct {
	clauses []clause
}

type clause struct {
	negate bool
	field  string // of textFields
	source uint8  // of documents that may match; 0: any
	words  []string
}

// Fields that can be named beside the sources, and what all clauses without a
// name ask.
const (
	textField    = "text"
	serviceField = "service"
)

// Parse reads a query. Sources are the names of the sources of documents, from 1
// on: a clause may name them as fields.
func Parse(text string, sources []string) (*Query, error) {
	q := &Query{}
	if !utf8.ValidString(text) {
		return nil, fmt.Errorf("%w: the query is not valid UTF-8", ErrSyntax)
	}
	for rest := skipSpace(text); rest != ""; rest = skipSpace(rest) {
		c := clause{field: textField}
		item := rest
		if rest[0] == '-' {
			c.negate, rest = true, rest[1:]
		}
		if name, after, ok := fieldName(rest); ok {
			if name == serviceField {
				c.field = serviceField
			} else if i := slices.Index(sources, name); i >= 0 {
				c.source = uint8(i + 1)
			} else {
				return nil, fmt.Errorf("%w: there is no field %q; to search for a text with a colon, quote it", ErrSyntax, name)
			}
			rest = after
		}
		var value string
		if strings.HasPrefix(rest, `"`) {
			end := strings.IndexByte(rest[1:], '"')
			if end < 0 {
				return nil, fmt.Errorf("%w: a quotation mark at %q has no partner", ErrSyntax, excerpt(rest))
			}
			value, rest = rest[1:1+end], rest[end+2:]
		} else {
			end := strings.IndexFunc(rest, func(r rune) bool { return unicode.IsSpace(r) || r == '"' })
			if end < 0 {
				end = len(rest)
			}
			value, rest = rest[:end], rest[end:]
		}
		words(value, func(w word) { c.words = append(c.words, string(w.text)) })
		if len(c.words) == 0 {
			return nil, fmt.Errorf("%w: there is no word in %q", ErrSyntax, excerpt(item[:len(item)-len(rest)]))
		}
		q.clauses = append(q.clauses, c)
	}
	if len(q.clauses) == 0 {
		return nil, fmt.Errorf("%w: the query has no word", ErrSyntax)
	}
	return q, nil
}

func skipSpace(text string) string { return strings.TrimLeftFunc(text, unicode.IsSpace) }

// fieldName cuts the name of a field, and its colon, off what follows.
func fieldName(text string) (name, rest string, ok bool) {
	n := strings.IndexFunc(text, func(r rune) bool { return r != '_' && (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') })
	if n <= 0 || text[n] != ':' {
		return "", text, false
	}
	return strings.ToLower(text[:n]), text[n+1:], true
}

func excerpt(text string) string {
	if r := []rune(text); len(r) > 40 {
		return string(r[:40]) + "…"
	}
	return text
}

// OfService narrows the query to documents whose service has the words of a
// name: all that are of that service, and perhaps others.
func (q *Query) OfService(name string) *Query {
	c := clause{field: serviceField}
	words(name, func(w word) { c.words = append(c.words, string(w.text)) })
	if len(c.words) == 0 {
		return q
	}
	return &Query{clauses: append(slices.Clone(q.clauses), c)}
}

// scored reports whether a clause counts for the score.
func (c *clause) scored() bool { return !c.negate && c.field == textField }
