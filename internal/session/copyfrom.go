package session

import (
	"bufio"
	"context"
	"errors"
	"io"
	"strconv"

	pg "github.com/pganalyze/pg_query_go/v6"

	"github.com/tael-sql/tael-sql/catalog"
	"github.com/tael-sql/tael-sql/internal/expr"
	"github.com/tael-sql/tael-sql/internal/pgerr"
	"github.com/tael-sql/tael-sql/internal/pgtypes"
	"github.com/tael-sql/tael-sql/pgwire"
	"github.com/tael-sql/tael-sql/sqlplan/bind"
)

// describeCopyFrom finds the table that COPY FROM STDIN fills.
func (st *statement) describeCopyFrom(n *pg.CopyStmt) (err error) {
	switch {
	case n.IsProgram || n.Filename != "":
		return pgerr.New(pgerr.FeatureNotSupported, "COPY from a file or a program is not supported").
			WithHint("COPY FROM STDIN and psql's \\copy are.")
	case n.WhereClause != nil:
		return pgerr.New(pgerr.FeatureNotSupported, "COPY FROM with WHERE is not supported")
	}
	st.target, err = bind.BindCopyFrom(st.node, n, st.session.environment(nil))
	return err
}

// copyFrom is COPY FROM STDIN. Its rows are those of one statement: if one
// cannot be inserted, none is.
func (p *portal) copyFrom(ctx context.Context, w *pgwire.RowWriter) (tag string, err error) {
	s, target := p.session, p.stmt.target
	rel := target.Table.Relation()
	names := make([]string, len(target.Places))
	for i, at := range target.Places {
		names[i] = rel.Columns[at].Name
	}
	format, err := copyOptions(p.stmt.node, names, true)
	if err != nil {
		return "", err
	}
	if s.settings.get("transaction_read_only") == "on" {
		return "", pgerr.New(pgerr.ReadOnlySQLTransaction, "cannot execute COPY FROM in a read-only transaction")
	}
	p.env = s.env(ctx)
	if err := p.env.Denied("INSERT", "table", rel.Schema, rel.Name); err != nil {
		return "", err
	}
	mark := s.current().Mark()
	from, err := w.CopyIn(ctx, len(names), format.format == "binary")
	if err != nil {
		return "", err
	}
	in := &copyIn{target: target, rel: rel, env: p.env, style: s.settings.style()}
	source := newCopySource(format, rel.Name, names, bufio.NewReaderSize(from, 64<<10))
	if err := in.all(ctx, source); err != nil {
		s.tx.RollbackTo(mark)
		return "", err
	}
	if err := from.Drain(); err != nil { // what follows the end of the data
		s.tx.RollbackTo(mark)
		return "", err
	}
	p.Close()
	return "COPY " + strconv.Itoa(in.rows), nil
}

// A copySource gives the fields of one row after the other; nil is NULL. The
// fields are valid until the next call. Where tells which row that was, and
// what it looks like.
type copySource interface {
	next() (fields [][]byte, err error)
	where() (line int, text string, hasText bool)
	binary() bool
}

// A copyIn inserts the rows of a COPY.
type copyIn struct {
	target *bind.CopyTarget
	rel    *catalog.Relation
	env    *expr.Env
	style  *pgtypes.TextStyle
	rows   int
}

func (c *copyIn) all(ctx context.Context, from copySource) error {
	for {
		if err := ctx.Err(); err != nil {
			return err
		}
		fields, err := from.next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err == nil {
			err = c.row(fields, from)
		}
		if err != nil {
			return c.at(err, from)
		}
		c.rows++
	}
}

// at says in which row an error came.
func (c *copyIn) at(err error, from copySource) error {
	e, ok := errors.AsType[*pgerr.Error](err)
	if !ok {
		return err
	}
	line, text, hasText := from.where()
	if line == 0 && e.Code != pgerr.QueryCanceled {
		return err
	}
	if e.Code == pgerr.QueryCanceled { // the client gave up
		return e.In("COPY %s, line %d", c.rel.Name, line+1)
	}
	if !hasText || e.Code == pgerr.UniqueViolation { // which PostgreSQL sees after the line
		return e.In("COPY %s, line %d", c.rel.Name, line)
	}
	return e.In("COPY %s, line %d: \"%s\"", c.rel.Name, line, shortened(text))
}

// shortened is what PostgreSQL shows of a line or a field (MAX_COPY_DATA_DISPLAY).
func shortened(text string) string {
	const longest = 100
	if len(text) <= longest {
		return text
	}
	cut := longest
	for cut > 0 && text[cut]&0xc0 == 0x80 { // not within a character
		cut--
	}
	return text[:cut] + "..."
}

// row inserts one row.
func (c *copyIn) row(fields [][]byte, from copySource) error {
	row := make([]any, len(c.rel.Columns))
	size := int64(64 + 16*len(row))
	line, _, _ := from.where()
	for i, at := range c.target.Places {
		if fields[i] == nil {
			continue
		}
		col := &c.rel.Columns[at]
		size += int64(len(fields[i]))
		var err error
		if from.binary() {
			row[at], err = pgtypes.DecodeBinary(col.Type, fields[i])
		} else {
			row[at], err = pgtypes.DecodeText(col.Type, string(fields[i]), c.style)
		}
		if e, ok := errors.AsType[*pgerr.Error](err); ok {
			if from.binary() {
				return e.In("COPY %s, line %d, column %s", c.rel.Name, line, col.Name)
			}
			return e.In("COPY %s, line %d, column %s: \"%s\"", c.rel.Name, line, col.Name, shortened(string(fields[i])))
		}
		if err != nil {
			return err
		}
	}
	for at, d := range c.target.Defaults {
		if d == nil {
			continue
		}
		var err error
		if row[at], err = d.Eval(c.env, nil); err != nil {
			return err
		}
	}
	if err := c.env.Account.Grow(size); err != nil { // the transaction keeps it
		return err
	}
	existing, err := c.target.Table.Insert(c.env, row)
	if err == nil && existing != nil {
		err = catalog.DuplicateKey(c.rel, row, c.env.Style)
	}
	return err
}
