package session

import (
	"slices"
	"strings"

	pg "github.com/pganalyze/pg_query_go/v6"

	"github.com/tael-sql/tael-sql/internal/pgerr"
	"github.com/tael-sql/tael-sql/sqlplan/bind"
	"github.com/tael-sql/tael-sql/sqlplan/syntax"
)

// copyFormat is the options of a COPY, as ProcessCopyOptions of PostgreSQL
// checks them.
type copyFormat struct {
	format    string // text, csv or binary
	delimiter byte
	null      string
	header    bool
	match     bool // the header has to have the columns' names
	quote     byte
	escape    byte
	// By column: CSV that is quoted whatever it is, that is NULL even if quoted,
	// and that is never NULL.
	force, forceNull, forceNotNull []bool
}

func columnNames(columns []bind.Column) []string {
	names := make([]string, len(columns))
	for i, c := range columns {
		names[i] = c.Name
	}
	return names
}

// copyOptions reads the options of a COPY of columns.
func copyOptions(st *syntax.Statement, columns []string, from bool) (f copyFormat, err error) {
	n := len(columns)
	f = copyFormat{format: "text", quote: '"', force: make([]bool, n), forceNull: make([]bool, n), forceNotNull: make([]bool, n)}
	given := make(map[string]*pg.DefElem)
	for _, o := range st.Node.GetCopyStmt().Options {
		d := o.GetDefElem()
		if given[d.Defname] != nil {
			return f, pgerr.New(pgerr.SyntaxError, "conflicting or redundant options").At(st.Position(d.Location))
		}
		given[d.Defname] = d
		if err := f.option(st, d, columns); err != nil {
			return f, err
		}
	}
	if f.format == "binary" {
		for _, name := range []string{"delimiter", "null"} {
			if given[name] != nil {
				return f, pgerr.New(pgerr.SyntaxError, "cannot specify %s in BINARY mode", strings.ToUpper(name))
			}
		}
	}
	if given["delimiter"] == nil {
		f.delimiter = map[string]byte{"text": '\t', "csv": ','}[f.format]
	}
	if given["null"] == nil {
		f.null = map[string]string{"text": `\N`}[f.format]
	}
	if given["escape"] == nil {
		f.escape = f.quote
	}
	return f, f.check(given, from)
}

// option takes over one option.
func (f *copyFormat) option(st *syntax.Statement, d *pg.DefElem, columns []string) (err error) {
	value := constText(d.Arg)
	one := func(what string) byte {
		if len(value) != 1 {
			err = pgerr.New(pgerr.FeatureNotSupported, "COPY %s must be a single one-byte character", what)
			return 0
		}
		return value[0]
	}
	switch d.Defname {
	case "format":
		if f.format = value; !slices.Contains([]string{"text", "csv", "binary"}, value) {
			return pgerr.New(pgerr.InvalidParameterValue, "COPY format \"%s\" not recognized", value).At(st.Position(d.Location))
		}
	case "delimiter":
		f.delimiter = one("delimiter")
	case "null":
		f.null = value
	case "header":
		on, ok := boolean(strings.ToLower(value))
		f.match = strings.EqualFold(value, "match")
		if d.Arg != nil && !ok && !f.match {
			return pgerr.New(pgerr.SyntaxError, "header requires a Boolean value or \"match\"")
		}
		f.header = d.Arg == nil || on || f.match
	case "quote":
		f.quote = one("quote")
	case "escape":
		f.escape = one("escape")
	case "force_quote":
		return markColumns(f.force, "FORCE_QUOTE", d.Arg, columns)
	case "force_null":
		return markColumns(f.forceNull, "FORCE_NULL", d.Arg, columns)
	case "force_not_null":
		return markColumns(f.forceNotNull, "FORCE_NOT_NULL", d.Arg, columns)
	case "encoding":
		_, err = check("client_encoding", value, "")
	case "freeze":
		if on, _ := boolean(strings.ToLower(value)); d.Arg == nil || on {
			return pgerr.New(pgerr.ObjectNotInPrerequisiteState,
				"cannot perform COPY FREEZE because the table was not created or truncated in the current subtransaction")
		}
	default:
		return pgerr.New(pgerr.SyntaxError, "option \"%s\" not recognized", d.Defname).At(st.Position(d.Location))
	}
	return err
}

// check refuses options that do not go together.
func (f *copyFormat) check(given map[string]*pg.DefElem, from bool) error {
	csv := f.format == "csv"
	unsupported := func(format string, args ...any) error {
		return pgerr.New(pgerr.FeatureNotSupported, format, args...)
	}
	invalid := func(format string, args ...any) error {
		return pgerr.New(pgerr.InvalidParameterValue, format, args...)
	}
	switch {
	case f.delimiter == '\n' || f.delimiter == '\r':
		return invalid("COPY delimiter cannot be newline or carriage return")
	case strings.ContainsAny(f.null, "\r\n"):
		return invalid("COPY null representation cannot use newline or carriage return")
	case f.format == "text" && strings.IndexByte("\\.abcdefghijklmnopqrstuvwxyz0123456789", f.delimiter) >= 0:
		return invalid("COPY delimiter cannot be \"%c\"", f.delimiter)
	case f.format == "binary" && f.header:
		return unsupported("cannot specify HEADER in BINARY mode")
	case !csv && given["quote"] != nil:
		return unsupported("COPY quote available only in CSV mode")
	case csv && f.delimiter == f.quote:
		return invalid("COPY delimiter and quote must be different")
	case !csv && given["escape"] != nil:
		return unsupported("COPY escape available only in CSV mode")
	case !csv && given["force_quote"] != nil:
		return unsupported("COPY force quote available only in CSV mode")
	case from && given["force_quote"] != nil:
		return unsupported("COPY force quote only available using COPY TO")
	case !csv && given["force_not_null"] != nil:
		return unsupported("COPY force not null available only in CSV mode")
	case !from && given["force_not_null"] != nil:
		return unsupported("COPY force not null only available using COPY FROM")
	case !csv && given["force_null"] != nil:
		return unsupported("COPY force null available only in CSV mode")
	case !from && given["force_null"] != nil:
		return unsupported("COPY force null only available using COPY FROM")
	case f.format != "binary" && strings.IndexByte(f.null, f.delimiter) >= 0:
		return unsupported("COPY delimiter must not appear in the NULL specification")
	case csv && strings.IndexByte(f.null, f.quote) >= 0:
		return unsupported("CSV quote character must not appear in the NULL specification")
	case !from && f.match:
		return unsupported("cannot use \"match\" with HEADER in COPY TO")
	}
	return nil
}

// markColumns marks the columns that an option names.
func markColumns(marks []bool, option string, arg *pg.Node, columns []string) error {
	if arg.GetAStar() != nil {
		for i := range marks {
			marks[i] = true
		}
		return nil
	}
	for _, n := range arg.GetList().GetItems() {
		name := n.GetString_().GetSval()
		i := slices.Index(columns, name)
		if i < 0 {
			return pgerr.New(pgerr.InvalidColumnReference, "%s column \"%s\" not referenced by COPY", option, name)
		}
		marks[i] = true
	}
	return nil
}
