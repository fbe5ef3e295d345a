package expr

import (
	"errors"
	"math"
	"strconv"
	"strings"
	"sync"
	"unicode/utf8"

	"github.com/tael-sql/tael-sql/internal/pgerr"
	"github.com/tael-sql/tael-sql/internal/pgtypes"
)

// keywordsText is the words that an identifier must be quoted for: those of
// pg_get_keywords() that are not unreserved.
const keywordsText = `all analyse analyze and any array as asc asymmetric authorization between bigint binary bit boolean
both case cast char character check coalesce collate collation column concurrently constraint
create cross current_catalog current_date current_role current_schema current_time
current_timestamp current_user dec decimal default deferrable desc distinct do else end except
exists extract false fetch float for foreign freeze from full grant greatest group grouping having
ilike in initially inner inout int integer intersect interval into is isnull join lateral leading
least left like limit localtime localtimestamp national natural nchar none normalize not notnull
null nullif numeric offset on only or order out outer overlaps overlay placing position precision
primary real references returning right row select session_user setof similar smallint some
substring symmetric table tablesample then time timestamp to trailing treat trim true union unique
user using values varchar variadic verbose when where window with xmlattributes xmlconcat
xmlelement xmlexists xmlforest xmlnamespaces xmlparse xmlpi xmlroot xmlserialize xmltable`

var keywords = sync.OnceValue(func() map[string]bool {
	m := make(map[string]bool)
	for _, w := range strings.Fields(keywordsText) {
		m[w] = true
	}
	return m
})

// QuoteIdent quotes an identifier if it must be, as quote_ident does.
func QuoteIdent(name string) string { return quoteIdent(name) }

// quoteIdent quotes an identifier if it must be.
func quoteIdent(s string) string {
	safe := s != "" && (s[0] == '_' || s[0] >= 'a' && s[0] <= 'z')
	for i := 0; safe && i < len(s); i++ {
		c := s[i]
		safe = c == '_' || c >= 'a' && c <= 'z' || c >= '0' && c <= '9'
	}
	if safe && !keywords()[s] {
		return s
	}
	return `"` + strings.ReplaceAll(s, `"`, `""`) + `"`
}

func quoteLiteral(s string) string {
	prefix := ""
	if strings.Contains(s, `\`) {
		prefix = "E"
		s = strings.ReplaceAll(s, `\`, `\\`)
	}
	return prefix + "'" + strings.ReplaceAll(s, "'", "''") + "'"
}

func quoteAny(env *Env, call *Call, args []any) (any, error) {
	text, err := outputText(env, call.Args[0].Type(), args[0])
	if err != nil {
		return nil, err
	}
	return quoteLiteral(text), nil
}

func quoteNullable(env *Env, call *Call, args []any) (any, error) {
	if args[0] == nil {
		return "NULL", nil
	}
	return quoteAny(env, call, args)
}

// format is PostgreSQL's format(): %[n$][-][width]s, I, L and %%.
func format(env *Env, call *Call, args []any) (any, error) {
	if args[0] == nil {
		return nil, nil
	}
	pattern := args[0].(string)
	vals, typeAt, ok := spread(call, args, 1)
	if !ok {
		vals = nil // VARIADIC NULL counts as no arguments
	}
	var sb strings.Builder
	next := 0
	for i := 0; i < len(pattern); i++ {
		if pattern[i] != '%' {
			sb.WriteByte(pattern[i])
			continue
		}
		f := formatSpec{text: pattern, at: i + 1}
		if err := f.parse(); err != nil {
			return nil, err
		}
		i = f.at
		if f.verb == '%' {
			sb.WriteByte('%')
			continue
		}
		if f.widthArg != 0 {
			if f.widthArg > 0 {
				next = f.widthArg - 1
			}
			if next >= len(vals) {
				return nil, invalidParameter("too few arguments for format()")
			}
			if n, isInt := vals[next].(int64); isInt {
				if err := f.setWidth(n); err != nil {
					return nil, err
				}
			} else if s, isText := vals[next].(string); isText {
				n, err := strconv.ParseInt(s, 10, 32)
				if err != nil {
					return nil, pgerr.New(pgerr.InvalidTextRepresentation, "invalid input syntax for type integer: \"%s\"", s)
				}
				if err := f.setWidth(n); err != nil {
					return nil, err
				}
			}
			next++
		}
		if f.position > 0 {
			next = f.position - 1
		}
		if next >= len(vals) {
			return nil, invalidParameter("too few arguments for format()")
		}
		text, err := formatArgument(env, f.verb, vals[next], typeAt(next))
		if err != nil {
			return nil, err
		}
		next++
		missing := max(f.width-utf8.RuneCountInString(text), 0)
		if sb.Len()+len(text)+missing > maxText {
			return nil, pgerr.New("54000", "out of memory").
				WithDetail("Cannot enlarge string buffer containing %d bytes by %d more bytes.", sb.Len(), missing)
		}
		if err := env.room(int64(sb.Len() + len(text) + missing)); err != nil {
			return nil, err
		}
		padding := strings.Repeat(" ", missing)
		if f.left {
			sb.WriteString(text + padding)
		} else {
			sb.WriteString(padding + text)
		}
	}
	return sb.String(), nil
}

func formatArgument(env *Env, verb byte, v any, oid pgtypes.OID) (string, error) {
	if v == nil {
		switch verb {
		case 's':
			return "", nil
		case 'L':
			return "NULL", nil
		}
		return "", pgerr.New(pgerr.Code("22004"), "null values cannot be formatted as an SQL identifier")
	}
	text, err := outputText(env, pgtypes.Of(oid), v)
	if err != nil {
		return "", err
	}
	switch verb {
	case 'I':
		return quoteIdent(text), nil
	case 'L':
		return quoteLiteral(text), nil
	}
	return text, nil
}

// A formatSpec is one specifier of format().
type formatSpec struct {
	text     string
	at       int // of the verb, after parse
	position int // n$; 0: the next argument
	widthArg int // *n$; -1 for *
	width    int
	left     bool
	verb     byte

	outOfRange bool // a number of it
}

func (f *formatSpec) setWidth(n int64) error {
	if n < 0 {
		f.left, n = true, -n
	}
	if n > math.MaxInt32 {
		return pgerr.New("22003", "number is out of range")
	}
	f.width = int(n)
	return nil
}

func (f *formatSpec) digits() (int, bool) {
	start := f.at
	for f.at < len(f.text) && f.text[f.at] >= '0' && f.text[f.at] <= '9' {
		f.at++
	}
	n, err := strconv.ParseInt(f.text[start:f.at], 10, 32)
	f.outOfRange = f.outOfRange || errors.Is(err, strconv.ErrRange)
	return int(n), f.at > start
}

func (f *formatSpec) peek(c byte) bool { return f.at < len(f.text) && f.text[f.at] == c }

func (f *formatSpec) parse() error {
	start := f.at
	if n, ok := f.digits(); ok && f.peek('$') {
		if n == 0 {
			return invalidParameter("format specifies argument 0, but arguments are numbered from 1")
		}
		f.position = n
		f.at++
	} else {
		f.at = start
	}
	for f.peek('-') {
		f.left = true
		f.at++
	}
	if f.peek('*') {
		f.at++
		f.widthArg = -1
		mark := f.at
		if n, ok := f.digits(); ok && f.peek('$') {
			f.widthArg = n
			f.at++
		} else {
			f.at = mark
		}
	} else if n, ok := f.digits(); ok {
		f.width = n
	}
	if f.outOfRange {
		return pgerr.New("22003", "number is out of range")
	}
	if f.at >= len(f.text) {
		return invalidParameter("unterminated format() type specifier").
			WithHint("For a single \"%%\" use \"%%%%\".")
	}
	f.verb = f.text[f.at]
	if strings.IndexByte("sIL%", f.verb) < 0 {
		r, _ := utf8.DecodeRuneInString(f.text[f.at:])
		return invalidParameter("unrecognized format() type specifier \"%c\"", r).
			WithHint("For a single \"%%\" use \"%%%%\".")
	}
	return nil
}

// parseIdent splits a qualified name; strict refuses what follows it.
func parseIdent(s string, strict bool) (any, error) {
	bad := func(detail string) (any, error) {
		e := invalidParameter("string is not a valid identifier: \"%s\"", s)
		if detail != "" {
			e = e.WithDetail("%s", detail)
		}
		return nil, e
	}
	const spaces = " \t\n\r\f\v"
	var parts []any
	rest := strings.TrimLeft(s, spaces)
	for {
		switch {
		case strings.HasPrefix(rest, `"`):
			rest = rest[1:]
			var sb strings.Builder
			for {
				i := strings.IndexByte(rest, '"')
				if i < 0 {
					return bad("String has unclosed double quotes.")
				}
				sb.WriteString(rest[:i])
				rest = rest[i+1:]
				if !strings.HasPrefix(rest, `"`) {
					break
				}
				sb.WriteByte('"')
				rest = rest[1:]
			}
			if sb.Len() == 0 {
				return bad("Quoted identifier must not be empty.")
			}
			parts = append(parts, sb.String())
		default:
			n := 0
			for n < len(rest) {
				c := rest[n]
				if c == '_' || c|0x20 >= 'a' && c|0x20 <= 'z' || c >= 0x80 || n > 0 && (c >= '0' && c <= '9' || c == '$') {
					n++
					continue
				}
				break
			}
			if n == 0 {
				switch {
				case strings.HasPrefix(rest, "."):
					return bad("No valid identifier before \".\".")
				case len(parts) > 0:
					return bad("No valid identifier after \".\".")
				}
				return bad("")
			}
			parts = append(parts, strings.ToLower(rest[:n]))
			rest = rest[n:]
		}
		rest = strings.TrimLeft(rest, spaces)
		if !strings.HasPrefix(rest, ".") {
			break
		}
		rest = strings.TrimLeft(rest[1:], spaces)
	}
	if rest != "" && strict {
		return bad("")
	}
	return pgtypes.NewArray(pgtypes.Text, parts), nil
}
