package pgwire

import (
	"github.com/jackc/pgx/v5/pgproto3"

	"github.com/tael-sql/tael-sql/internal/pgerr"
	"github.com/tael-sql/tael-sql/internal/pgtypes"
)

// maxNamed bounds the prepared statements, and the portals, of a connection.
const maxNamed = 10_000

// portal is a bound statement with the formats of its result.
type portal struct {
	Portal
	formats []int16
	writer  *RowWriter
	tag     string // of a portal that has ended
	ended   bool
}

// typeLen is the size that RowDescription gives of a type.
func typeLen(t pgtypes.Type) int16 {
	if info := pgtypes.Lookup(t.OID); info != nil {
		return info.Len
	}
	return -1
}

// extended serves a message of the extended protocol.
func (c *conn) extended(m pgproto3.FrontendMessage) error {
	ctx, done := c.statement()
	defer done()
	switch m := m.(type) {
	case *pgproto3.Parse:
		oids := make([]pgtypes.OID, len(m.ParameterOIDs))
		for i, o := range m.ParameterOIDs {
			oids[i] = pgtypes.OID(o)
		}
		if _, dup := c.statements[m.Name]; dup && m.Name != "" {
			return pgerr.New(pgerr.DuplicatePreparedStatement, "prepared statement \"%s\" already exists", m.Name)
		}
		if len(c.statements) >= maxNamed {
			return pgerr.New(pgerr.ProgramLimitExceeded, "too many prepared statements")
		}
		list, err := c.session.Parse(ctx, m.Query, oids)
		if err != nil {
			return err
		}
		if len(list) > 1 {
			return pgerr.New(pgerr.SyntaxError, "cannot insert multiple commands into a prepared statement")
		}
		var st Statement // nil: an empty statement
		if len(list) == 1 {
			st = list[0]
		}
		c.statements[m.Name] = st
		c.send(&pgproto3.ParseComplete{})
		return nil
	case *pgproto3.Bind:
		return c.bind(m)
	case *pgproto3.Describe:
		return c.describeNamed(m)
	case *pgproto3.Execute:
		return c.execute(m)
	default:
		cl, ok := m.(*pgproto3.Close)
		if !ok {
			return pgerr.New(pgerr.ProtocolViolation, "unexpected message")
		}
		if cl.ObjectType == 'S' {
			delete(c.statements, cl.Name)
		} else if p := c.portals[cl.Name]; p != nil {
			p.Close()
			delete(c.portals, cl.Name)
		}
		c.send(&pgproto3.CloseComplete{})
		return nil
	}
}

func (c *conn) named(name string) (Statement, error) {
	st, ok := c.statements[name]
	if !ok {
		if name == "" {
			return nil, pgerr.New(pgerr.InvalidStatementName, "unnamed prepared statement does not exist")
		}
		return nil, pgerr.New(pgerr.InvalidStatementName, "prepared statement \"%s\" does not exist", name)
	}
	return st, nil
}

func (c *conn) bind(m *pgproto3.Bind) error {
	st, err := c.named(m.PreparedStatement)
	if err != nil {
		return err
	}
	if old := c.portals[m.DestinationPortal]; old != nil {
		if m.DestinationPortal != "" {
			return pgerr.New(pgerr.DuplicateCursor, "cursor \"%s\" already exists", m.DestinationPortal)
		}
		old.Close()
		delete(c.portals, "")
	}
	if len(c.portals) >= maxNamed {
		return pgerr.New(pgerr.ProgramLimitExceeded, "too many portals")
	}
	var want []pgtypes.OID
	if st != nil {
		want = st.Params()
	}
	if len(m.Parameters) != len(want) {
		return pgerr.New(pgerr.ProtocolViolation, "bind message supplies %d parameters, but prepared statement \"%s\" requires %d",
			len(m.Parameters), m.PreparedStatement, len(want))
	}
	codes := m.ParameterFormatCodes
	if len(codes) > 1 && len(codes) != len(m.Parameters) {
		return pgerr.New(pgerr.ProtocolViolation, "bind message has %d parameter formats but %d parameters", len(codes), len(m.Parameters))
	}
	params := make([]Param, len(m.Parameters))
	for i, v := range m.Parameters {
		params[i] = Param{Format: formatAt(codes, i), Value: v}
		if f := params[i].Format; f != 0 && f != 1 {
			return pgerr.New(pgerr.InvalidParameterValue, "unsupported format code: %d", f)
		}
	}
	ctx, done := c.statement()
	defer done()
	p := &portal{}
	if st != nil {
		if p.Portal, err = c.session.Bind(ctx, st, params); err != nil {
			return err
		}
		columns := p.Columns()
		if n := len(m.ResultFormatCodes); n > 1 && n != len(columns) {
			p.Portal.Close()
			return pgerr.New(pgerr.ProtocolViolation, "bind message has %d result formats but query has %d columns", n, len(columns))
		}
		p.formats = make([]int16, len(columns))
		for i := range columns {
			p.formats[i] = formatAt(m.ResultFormatCodes, i)
		}
		p.writer = &RowWriter{conn: c, columns: columns, formats: p.formats}
	}
	c.portals[m.DestinationPortal] = p
	c.send(&pgproto3.BindComplete{})
	return nil
}

// Close closes the portal; that of an empty statement has nothing below.
func (p *portal) Close() {
	if p.Portal != nil {
		p.Portal.Close()
	}
}

// formatAt gives the format of value i: none given means text, one is for all.
func formatAt(codes []int16, i int) int16 {
	switch {
	case len(codes) == 0:
		return 0
	case len(codes) == 1:
		return codes[0]
	default:
		return codes[i]
	}
}

func (c *conn) describeNamed(m *pgproto3.Describe) error {
	var columns []Column
	var formats []int16
	if m.ObjectType == 'S' {
		st, err := c.named(m.Name)
		if err != nil {
			return err
		}
		d := &pgproto3.ParameterDescription{}
		if st != nil {
			for _, o := range st.Params() {
				d.ParameterOIDs = append(d.ParameterOIDs, uint32(o))
			}
			columns = st.Columns()
		}
		c.send(d)
	} else {
		p, ok := c.portals[m.Name]
		if !ok {
			return pgerr.New(pgerr.InvalidCursorName, "portal \"%s\" does not exist", m.Name)
		}
		if p.Portal != nil {
			columns, formats = p.Columns(), p.formats
		}
	}
	if columns == nil {
		c.send(&pgproto3.NoData{})
		return nil
	}
	c.describe(columns, formats)
	return nil
}

func (c *conn) execute(m *pgproto3.Execute) error {
	p, ok := c.portals[m.Portal]
	if !ok {
		return pgerr.New(pgerr.InvalidCursorName, "portal \"%s\" does not exist", m.Portal)
	}
	switch {
	case p.Portal == nil:
		c.send(&pgproto3.EmptyQueryResponse{})
		return nil
	case p.ended:
		c.complete(p.tag)
		return nil
	}
	ctx, done := c.statement()
	defer done()
	maxRows := int(min(m.MaxRows, 1<<30))
	tag, suspended, err := p.Run(ctx, p.writer, maxRows)
	if err != nil {
		return err
	}
	if suspended {
		c.send(&pgproto3.PortalSuspended{})
		return nil
	}
	p.ended, p.tag = true, tag
	c.complete(tag)
	return nil
}
