package pgwire

import (
	"context"
	"math"
	"strings"

	"github.com/jackc/pgx/v5/pgproto3"

	"github.com/tael-sql/tael-sql/internal/pgerr"
	"github.com/tael-sql/tael-sql/internal/pgtypes"
)

// extended serves a message of the extended protocol.
func (c *conn) extended(typ byte, body []byte) error {
	switch typ {
	case 'D':
		return c.describeNamed(body)
	case 'C':
		return c.closeNamed(body)
	}
	ctx, done := c.running()
	defer done()
	switch typ {
	case 'P':
		return c.parse(ctx, body)
	case 'B':
		return c.bind(ctx, body)
	default:
		return c.execute(ctx, body)
	}
}

func (c *conn) parse(ctx context.Context, body []byte) error {
	var m pgproto3.Parse
	if err := decode(&m, body); err != nil {
		return err
	}
	for _, text := range []string{m.Name, m.Query} {
		if err := checkText([]byte(text)); err != nil {
			return err
		}
	}
	if m.Name == "" {
		c.registry.DropStatement("") // even if the new one fails
	}
	oids := make([]pgtypes.OID, len(m.ParameterOIDs))
	for i, o := range m.ParameterOIDs {
		oids[i] = pgtypes.OID(o)
	}
	list, err := c.session.Parse(ctx, m.Query, oids)
	if err != nil {
		return err
	}
	var st Statement = empty{}
	switch len(list) {
	case 0:
	case 1:
		st = list[0]
	default:
		return pgerr.New(pgerr.SyntaxError, "cannot insert multiple commands into a prepared statement")
	}
	if err := c.registry.PutStatement(m.Name, st); err != nil {
		return err
	}
	c.send(&pgproto3.ParseComplete{})
	return nil
}

func (c *conn) bind(ctx context.Context, body []byte) error {
	var m pgproto3.Bind
	if err := decode(&m, body); err != nil {
		return err
	}
	if err := checkText([]byte(m.DestinationPortal)); err != nil {
		return err
	}
	st, err := c.registry.Statement(m.PreparedStatement)
	if err != nil {
		return err
	}
	params, err := bindParams(&m, len(st.Params()))
	if err != nil {
		return err
	}
	if m.DestinationPortal == "" {
		c.registry.DropPortal("")
	}
	if err := c.registry.freePortal(m.DestinationPortal); err != nil {
		return err
	}
	p := &portal{Portal: empty{}}
	if _, none := st.(empty); !none {
		if p.Portal, err = c.session.Bind(ctx, st, params); err != nil {
			return err
		}
	}
	if p.formats, err = resultFormats(m.ResultFormatCodes, len(p.Columns())); err == nil {
		err = c.registry.putPortal(m.DestinationPortal, p)
	}
	if err != nil {
		p.Close()
		return err
	}
	c.send(&pgproto3.BindComplete{})
	return nil
}

// bindParams takes the parameter values of a Bind for a statement that wants n.
func bindParams(m *pgproto3.Bind, n int) ([]Param, error) {
	codes := m.ParameterFormatCodes
	if len(codes) > 1 && len(codes) != len(m.Parameters) {
		return nil, pgerr.New(pgerr.ProtocolViolation, "bind message has %d parameter formats but %d parameters",
			len(codes), len(m.Parameters))
	}
	if len(m.Parameters) != n {
		return nil, pgerr.New(pgerr.ProtocolViolation,
			"bind message supplies %d parameters, but prepared statement \"%s\" requires %d",
			len(m.Parameters), m.PreparedStatement, n)
	}
	params := make([]Param, n)
	for i, v := range m.Parameters {
		params[i] = Param{Format: formatAt(codes, i), Value: v}
		switch params[i].Format {
		case 0:
			if err := checkText(v); err != nil {
				return nil, err
			}
		case 1:
		default:
			return nil, errFormat(params[i].Format)
		}
	}
	return params, nil
}

// resultFormats gives the format of each of n result columns.
func resultFormats(codes []int16, n int) ([]int16, error) {
	if n > maxColumns {
		return nil, errColumns()
	}
	if len(codes) > 1 && len(codes) != n {
		return nil, pgerr.New(pgerr.ProtocolViolation, "bind message has %d result formats but query has %d columns", len(codes), n)
	}
	formats := make([]int16, n)
	for i := range formats {
		formats[i] = formatAt(codes, i)
		if f := formats[i]; f != 0 && f != 1 {
			return nil, errFormat(f)
		}
	}
	return formats, nil
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

func errFormat(code int16) error {
	return pgerr.New(pgerr.InvalidParameterValue, "unsupported format code: %d", code)
}

func (c *conn) describeNamed(body []byte) error {
	var m pgproto3.Describe
	if err := decode(&m, body); err != nil {
		return err
	}
	var columns []Column
	var formats []int16
	switch m.ObjectType {
	case 'S':
		st, err := c.registry.Statement(m.Name)
		if err != nil {
			return err
		}
		d := &pgproto3.ParameterDescription{}
		for _, o := range st.Params() {
			d.ParameterOIDs = append(d.ParameterOIDs, uint32(o))
		}
		if columns = st.Columns(); len(columns) > maxColumns {
			return errColumns()
		}
		c.send(d)
	case 'P':
		p, err := c.registry.portal(m.Name)
		if err != nil {
			return err
		}
		columns, formats = p.Columns(), p.formats
	default:
		return pgerr.New(pgerr.ProtocolViolation, "invalid DESCRIBE message subtype %d", m.ObjectType)
	}
	if columns == nil {
		c.send(&pgproto3.NoData{})
		return nil
	}
	c.describe(columns, formats)
	return nil
}

func (c *conn) execute(ctx context.Context, body []byte) error {
	var m pgproto3.Execute
	if err := decode(&m, body); err != nil {
		return err
	}
	p, err := c.registry.portal(m.Portal)
	if err != nil {
		return err
	}
	columns := p.Columns()
	if p.ended {
		if columns == nil {
			return pgerr.New(pgerr.ObjectNotInPrerequisiteState, "portal \"%s\" cannot be run", m.Portal)
		}
		c.complete(countless(p.tag))
		return nil
	}
	maxRows := 0 // as are numbers that PostgreSQL takes for negative
	if m.MaxRows <= math.MaxInt32 {
		maxRows = int(m.MaxRows)
	}
	p.running = true
	defer func() { p.running = false }()
	tag, suspended, err := p.Run(ctx, newRowWriter(c, columns, p.formats), maxRows)
	if c.terminated.Load() {
		return errShutdown
	}
	if err != nil {
		return err
	}
	if suspended {
		c.send(&pgproto3.PortalSuspended{})
		return nil
	}
	p.ended, p.tag = tag != "", tag
	c.complete(tag)
	return nil
}

// countless is the tag of a portal that is run again after its end: no rows.
func countless(tag string) string {
	verb := strings.TrimRight(tag, "0123456789")
	if verb == tag {
		return tag
	}
	return verb + "0"
}

func (c *conn) closeNamed(body []byte) error {
	var m pgproto3.Close
	if err := decode(&m, body); err != nil {
		return err
	}
	switch m.ObjectType { // what does not exist is closed already
	case 'S':
		c.registry.DropStatement(m.Name)
	case 'P':
		c.registry.DropPortal(m.Name)
	default:
		return pgerr.New(pgerr.ProtocolViolation, "invalid CLOSE message subtype %d", m.ObjectType)
	}
	c.send(&pgproto3.CloseComplete{})
	return nil
}
