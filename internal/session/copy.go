package session

import (
	"context"
	"encoding/binary"
	"slices"
	"strconv"
	"strings"

	"github.com/tael-sql/tael-sql/internal/expr"
	"github.com/tael-sql/tael-sql/internal/pgerr"
	"github.com/tael-sql/tael-sql/internal/pgtypes"
	"github.com/tael-sql/tael-sql/internal/vector"
	"github.com/tael-sql/tael-sql/pgwire"
	"github.com/tael-sql/tael-sql/sqlplan"
	"github.com/tael-sql/tael-sql/sqlplan/bind"
	"github.com/tael-sql/tael-sql/sqlplan/syntax"
)

// describeCopy binds the query whose rows COPY sends.
func (st *statement) describeCopy() error {
	n := st.node.Node.GetCopyStmt()
	if n.IsFrom {
		return st.describeCopyFrom(n)
	}
	if n.IsProgram || n.Filename != "" {
		return pgerr.New(pgerr.FeatureNotSupported, "COPY to a file or a program is not supported").
			WithHint("COPY TO STDOUT and psql's \\copy are.")
	}
	if n.Query != nil {
		if n.Query.GetSelectStmt() == nil {
			return pgerr.New(pgerr.FeatureNotSupported, "COPY of a statement that is no SELECT is not supported")
		}
		return st.describeExplained(n.Query)
	}
	relation := quoted(n.Relation.Relname)
	if n.Relation.Schemaname != "" {
		relation = quoted(n.Relation.Schemaname) + "." + relation
	}
	s := st.session
	_, rel := s.names().Relation(n.Relation.Schemaname, n.Relation.Relname, s.settings.path())
	if rel != nil && rel.Kind == 'v' {
		return pgerr.New(pgerr.WrongObjectType, "cannot copy from view \"%s\"", rel.Name).
			WithHint("Try the COPY (SELECT ...) TO variant.")
	}
	columns := "*"
	if len(n.Attlist) > 0 {
		names := make([]string, len(n.Attlist))
		for i, a := range n.Attlist {
			name := a.GetString_().Sval
			if rel != nil && rel.Index(name) < 0 {
				return pgerr.New(pgerr.UndefinedColumn, "column \"%s\" of relation \"%s\" does not exist", name, rel.Name)
			}
			names[i] = quoted(name)
		}
		columns = strings.Join(names, ", ")
	}
	query, err := syntax.ParseOne("SELECT " + columns + " FROM " + relation)
	if err != nil {
		return err
	}
	q, err := bind.Bind(query, s.environment(nil))
	if err != nil {
		if e := pgerr.From(err); e.Position > 0 { // it counts in a text that the client did not write
			moved := *e
			moved.Position = 0
			err = &moved
		}
		return err
	}
	st.setQuery(q)
	return nil
}

func quoted(name string) string { return `"` + strings.ReplaceAll(name, `"`, `""`) + `"` }

// copyOut is COPY TO STDOUT.
func (p *portal) copyOut(ctx context.Context, w *pgwire.RowWriter) (tag string, err error) {
	s := p.session
	columns := p.stmt.query.Columns
	format, err := copyOptions(p.stmt.node, columnNames(columns), false)
	if err != nil {
		return "", err
	}
	p.env = s.env(ctx)
	reader, err := sqlplan.Run(p.env, p.stmt.query.Root, sqlplan.Options{Workers: s.handler.opts.Workers})
	if err != nil {
		return "", err
	}
	defer reader.Close()
	w.BeginCopy(len(columns), format.format == "binary")
	out := &copyWriter{copyFormat: format, columns: columns, env: p.env, to: w}
	if err := out.begin(); err != nil {
		return "", err
	}
	for {
		b, err := reader.Next(ctx)
		if err != nil {
			return "", err
		}
		if b == nil {
			break
		}
		if b.N == 0 { // the next may be long in coming
			err = w.Flush()
		} else {
			err = out.batch(b)
		}
		if err != nil {
			return "", err
		}
	}
	if err := out.end(); err != nil {
		return "", err
	}
	p.Close()
	return "COPY " + strconv.Itoa(out.rows), nil
}

// A copyWriter turns rows into chunks of COPY.
type copyWriter struct {
	copyFormat
	columns []bind.Column
	env     *expr.Env
	to      *pgwire.RowWriter

	rows       int
	line, cell []byte
	escapes    [256]byte // by character: what stands for it behind a backslash in text, 0 if it stands for itself
	head       []byte    // goes out with the first row, as PostgreSQL sends it
}

func (c *copyWriter) begin() error {
	c.escapes[c.delimiter] = c.delimiter
	for i, ch := range []byte("\b\f\n\r\t\v\\") {
		c.escapes[ch] = `bfnrtv\`[i]
	}
	switch {
	case c.format == "binary":
		c.head = []byte("PGCOPY\n\xff\r\n\x00\x00\x00\x00\x00\x00\x00\x00\x00")
	case c.header:
		c.line = c.line[:0]
		for i, col := range c.columns {
			c.field(i, []byte(col.Name), false)
		}
		return c.to.CopyData(append(c.line, '\n'))
	}
	return nil
}

func (c *copyWriter) end() error {
	if c.format == "binary" {
		if err := c.to.CopyData(append(c.head, 0xff, 0xff)); err != nil {
			return err
		}
	}
	c.to.EndCopy()
	return nil
}

func (c *copyWriter) batch(b *vector.Batch) error {
	cols := make([]*vector.Column, len(c.columns))
	for i := range cols {
		col, err := b.Column(i)
		if err != nil {
			return err
		}
		cols[i] = col
	}
	cells := make([]pgwire.Cell, len(cols))
	for i, col := range cols {
		cells[i] = pgwire.NewCell(c.columns[i].Type, c.env.Style, c.format == "binary", col)
	}
	for k := range b.Live() {
		if err := c.row(cols, cells, b.Row(k)); err != nil {
			return err
		}
	}
	return nil
}

func (c *copyWriter) row(cols []*vector.Column, cells []pgwire.Cell, row int) (err error) {
	c.line = append(c.line[:0], c.head...)
	c.head = nil
	if c.format == "binary" {
		c.line = binary.BigEndian.AppendUint16(c.line, uint16(len(cols)))
	}
	for i, col := range cols {
		typ := c.columns[i].Type
		switch {
		case c.format != "binary" && col.IsNull(row):
			c.separate(i)
			c.line = append(c.line, c.null...)
		case c.format == "text" && cells[i] != nil:
			c.separate(i)
			at := len(c.line)
			c.line = cells[i](c.line, row)
			if c.needsEscape(c.line[at:]) {
				c.cell = append(c.cell[:0], c.line[at:]...)
				c.line = c.escaped(c.line[:at], c.cell)
			}
		case c.format != "binary":
			if c.cell, err = pgtypes.AppendText(c.cell[:0], typ, col.Value(row), c.env.Style); err != nil {
				return err
			}
			c.field(i, c.cell, c.force[i])
		case col.IsNull(row):
			c.line = append(c.line, 0xff, 0xff, 0xff, 0xff)
		case cells[i] != nil:
			at := len(c.line)
			c.line = cells[i](append(c.line, 0, 0, 0, 0), row)
			binary.BigEndian.PutUint32(c.line[at:], uint32(len(c.line)-at-4))
		default:
			if c.cell, err = pgtypes.AppendBinary(c.cell[:0], typ, col.Value(row)); err != nil {
				return err
			}
			c.line = append(binary.BigEndian.AppendUint32(c.line, uint32(len(c.cell))), c.cell...)
		}
	}
	if c.format != "binary" {
		c.line = append(c.line, '\n')
	}
	c.rows++
	return c.to.CopyData(c.line)
}

func (c *copyWriter) separate(i int) {
	if i > 0 {
		c.line = append(c.line, c.delimiter)
	}
}

// field appends a value, escaped or quoted.
func (c *copyWriter) field(i int, text []byte, force bool) {
	c.separate(i)
	if c.format == "text" {
		c.line = c.escaped(c.line, text)
		return
	}
	single := len(c.columns) == 1 && string(text) == `\.` // alone on a line it would end the data
	if !force && !single && string(text) != c.null && !slices.ContainsFunc(text, c.needsQuote) {
		c.line = append(c.line, text...)
		return
	}
	c.line = append(c.line, c.quote)
	for _, ch := range text {
		if ch == c.quote || ch == c.escape {
			c.line = append(c.line, c.escape)
		}
		c.line = append(c.line, ch)
	}
	c.line = append(c.line, c.quote)
}

func (c *copyWriter) needsQuote(ch byte) bool {
	return ch == c.delimiter || ch == c.quote || ch == '\n' || ch == '\r'
}

// needsEscape reports whether text has a character that escaped changes.
func (c *copyWriter) needsEscape(text []byte) bool {
	for _, ch := range text {
		if c.escapes[ch] != 0 {
			return true
		}
	}
	return false
}

func (c *copyWriter) escaped(dst, text []byte) []byte {
	for _, ch := range text {
		if letter := c.escapes[ch]; letter != 0 {
			dst = append(dst, '\\', letter)
			continue
		}
		dst = append(dst, ch)
	}
	return dst
}
