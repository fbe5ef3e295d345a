package pgwire

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/cockroachdb/apd/v3"

	"github.com/tael-sql/tael-sql/internal/pgerr"
	"github.com/tael-sql/tael-sql/internal/pgtypes"
	"github.com/tael-sql/tael-sql/internal/vector"
)

// toy is a Handler of a small language, statements separated by semicolons:
//
//	rows N          N rows (id int8, name text)
//	wide N BYTES    N rows of one text of so many bytes
//	types           a row of every kind of column, and a row of NULLs
//	echo            one row of the parameters, as text and format
//	sum $1 $2       one int8, of two parameters
//	copy N [bad]    N rows of COPY TO STDOUT, and perhaps an error
//	declare NAME N  a portal of "rows N" that outlives its transaction if NAME is upper case
//	fetch NAME N    rows of a portal
//	prepare NAME STATEMENT, deallocate, close all, begin, commit, rollback
//	set NAME VALUE  reports a setting
//	notice TEXT, fail CODE TEXT, sleep, nap SECONDS, panic, unsendable, nothing
type toy struct{}

func (h toy) Open(_ context.Context, s Startup) (Session, error) {
	if s.User == "nobody" {
		return nil, pgerr.New(pgerr.InvalidAuthorization, "role \"%s\" does not exist", s.User)
	}
	if s.Database == "missing" {
		return nil, pgerr.New(pgerr.InvalidCatalogName, "database \"%s\" does not exist", s.Database)
	}
	// w11: the settings that PostgreSQL reports.
	for _, kv := range []string{
		"application_name=", "client_encoding=UTF8", "DateStyle=ISO, MDY", "default_transaction_read_only=off",
		"in_hot_standby=off", "integer_datetimes=on", "IntervalStyle=postgres", "is_superuser=on",
		"server_encoding=UTF8", "server_version=15.13", "session_authorization=" + s.User,
		"standard_conforming_strings=on", "TimeZone=UTC",
	} {
		name, value, _ := strings.Cut(kv, "=")
		if v, ok := s.Parameters[name]; ok {
			value = v
		}
		s.Conn.ParameterStatus(name, value)
	}
	for name := range s.Parameters {
		if name == "no_such_setting" {
			return nil, pgerr.New(pgerr.UndefinedObject, "unrecognized configuration parameter \"%s\"", name)
		}
	}
	return &toySession{startup: s, status: 'I'}, nil
}

type toySession struct {
	startup Startup
	status  byte
}

func (s *toySession) Close() {}

func (s *toySession) Sync(_ context.Context, failed bool) (byte, error) {
	if failed && s.status == 'T' {
		s.status = 'E'
	}
	return s.status, nil
}

func (s *toySession) Parse(_ context.Context, sql string, oids []pgtypes.OID) ([]Statement, error) {
	var out []Statement
	for text := range strings.SplitSeq(sql, ";") {
		words := strings.Fields(text)
		if len(words) == 0 || words[0] == "--" {
			continue
		}
		words[0] = strings.ToLower(words[0])
		if !toyFits(words) {
			return nil, pgerr.New(pgerr.SyntaxError, "wrong arguments of %s", words[0])
		}
		st := &toyStatement{session: s, words: words, params: oids}
		if err := st.describe(); err != nil {
			return nil, err
		}
		out = append(out, st)
	}
	return out, nil
}

// toyFits checks the arguments of a statement: words and small numbers.
func toyFits(words []string) bool {
	args := map[string]string{
		"rows": "n", "wide": "nn", "declare": "wn", "fetch": "wn", "prepare": "ww", "sum": "ww", "set": "ww",
		"fail": "ww", "many": "n", "nap": "n", "copy": "n",
	}[words[0]]
	if len(words) <= len(args) {
		return false
	}
	for i, kind := range args {
		if n, err := strconv.Atoi(words[i+1]); kind == 'n' && (err != nil || n < 0 || n > 1_000_000) {
			return false
		}
	}
	return true
}

func (s *toySession) Bind(_ context.Context, st Statement, params []Param) (Portal, error) {
	if s.status == 'E' && !strings.Contains("rollback commit", st.(*toyStatement).words[0]) {
		return nil, pgerr.New(pgerr.InFailedSQLTransaction, "current transaction is aborted")
	}
	p := &toyPortal{toyStatement: st.(*toyStatement)}
	for i, v := range params {
		if p.words[0] != "sum" {
			p.values = append(p.values, fmt.Sprintf("%d:%q", v.Format, v.Value))
			continue
		}
		n, err := pgtypes.DecodeText(pgtypes.Of(p.params[i]), string(v.Value), nil)
		if v.Format == 1 {
			n, err = pgtypes.DecodeBinary(pgtypes.Of(p.params[i]), v.Value)
		}
		if err != nil {
			return nil, err
		}
		p.values = append(p.values, n)
	}
	return p, nil
}

type toyStatement struct {
	session *toySession
	words   []string
	params  []pgtypes.OID
	columns []Column
}

func (st *toyStatement) Params() []pgtypes.OID { return st.params }
func (st *toyStatement) Columns() []Column     { return st.columns }

func (st *toyStatement) arg(i int) int {
	n, err := strconv.Atoi(st.words[i])
	if err != nil {
		panic(err)
	}
	return n
}

func (st *toyStatement) describe() error {
	text := pgtypes.Of(pgtypes.Text)
	rows := []Column{
		{Name: "id", TableOID: 16384, Attr: 1, Type: pgtypes.Of(pgtypes.Int8)},
		{Name: "name", TableOID: 16384, Attr: 2, Type: text},
	}
	switch st.words[0] {
	case "rows":
		st.columns = rows
	case "fetch":
		p, err := st.session.startup.Registry.Portal(st.words[1])
		if err != nil {
			return err
		}
		st.columns = p.Columns()
	case "wide":
		st.columns = []Column{{Name: "text", Type: text}}
	case "types":
		for _, o := range toyTypes {
			st.columns = append(st.columns, Column{Name: pgtypes.FormatType(pgtypes.Of(o)), Type: pgtypes.Of(o)})
		}
	case "echo":
		for i := range st.params {
			st.columns = append(st.columns, Column{Name: fmt.Sprint("p", i+1), Type: text})
		}
	case "sum":
		st.params = []pgtypes.OID{pgtypes.Int8, pgtypes.Int8}
		st.columns = []Column{{Name: "sum", Type: pgtypes.Of(pgtypes.Int8)}}
	case "many":
		st.columns = make([]Column, st.arg(1))
	case "unsendable":
		st.columns = []Column{{Name: "text", Type: text}}
	case "syntax":
		return pgerr.New(pgerr.SyntaxError, "syntax error at or near \"syntax\"").At(1).
			WithDetail("A detail.").WithHint("A hint.")
	}
	return nil
}

type toyPortal struct {
	*toyStatement
	values []any
	at     int
	closed bool
}

func (p *toyPortal) Close() {
	if p.closed {
		panic("BUG: a portal is closed twice")
	}
	p.closed = true
}

func (p *toyPortal) Run(ctx context.Context, w *RowWriter, maxRows int) (tag string, suspended bool, err error) {
	defer func() {
		if p.closed {
			panic("BUG: a portal is closed while it runs")
		}
	}()
	s, registry := p.session, p.session.startup.Registry
	switch verb := p.words[0]; verb {
	case "rows":
		n := p.arg(1) - p.at
		if maxRows > 0 && n >= maxRows {
			n, suspended = maxRows, true
		}
		err = w.WriteBatch(toyRows(p.at, n))
		p.at += n
		return "SELECT " + strconv.Itoa(w.Written()), suspended, err
	case "wide":
		row := []any{strings.Repeat("x", p.arg(2))}
		for range p.arg(1) {
			if err := w.WriteRow(row); err != nil {
				return "", false, err
			}
		}
		return "SELECT " + p.words[1], false, nil
	case "types":
		return "SELECT 2", false, w.WriteBatch(toyTypesBatch())
	case "echo":
		return "SELECT 1", false, w.WriteRow(p.values)
	case "sum":
		return "SELECT 1", false, w.WriteRow([]any{p.values[0].(int64) + p.values[1].(int64)})
	case "copy":
		w.BeginCopy(2, false)
		for i := range p.arg(1) {
			if err := w.CopyData(fmt.Appendf(nil, "%d\trow %d\n", i, i)); err != nil {
				return "", false, err
			}
		}
		if len(p.words) > 2 {
			return "", false, pgerr.New(pgerr.DivisionByZero, "division by zero")
		}
		w.EndCopy()
		return "COPY " + p.words[1], false, nil
	case "declare":
		list, err := s.Parse(ctx, "rows "+p.words[2], nil)
		if err != nil {
			return "", false, err
		}
		name := p.words[1]
		return "DECLARE CURSOR", false, registry.PutPortal(name, &toyPortal{toyStatement: list[0].(*toyStatement)}, strings.ToUpper(name) == name)
	case "fetch":
		cursor, err := registry.Portal(p.words[1])
		if err != nil {
			return "", false, err
		}
		_, _, err = cursor.Run(ctx, w, p.arg(2))
		return "FETCH " + strconv.Itoa(w.Written()), false, err
	case "prepare":
		list, err := s.Parse(ctx, strings.Join(p.words[2:], " "), nil)
		if err != nil {
			return "", false, err
		}
		return "PREPARE", false, registry.PutStatement(p.words[1], list[0])
	case "deallocate":
		registry.DropStatements()
		return "DEALLOCATE ALL", false, nil
	case "close":
		registry.DropPortals()
		return "CLOSE CURSOR ALL", false, nil
	case "names":
		s.startup.Conn.Notice("INFO", pgerr.New(pgerr.SuccessfulCompletion, "statements %q, portals %q",
			registry.StatementNames(), registry.PortalNames()))
		return "NAMES", false, nil
	case "begin":
		s.status = 'T'
		return "BEGIN", false, nil
	case "commit", "rollback":
		s.status = 'I'
		registry.EndTransaction()
		return strings.ToUpper(verb), false, nil
	case "set":
		s.startup.Conn.ParameterStatus(p.words[1], strings.Join(p.words[2:], " "))
		return "SET", false, nil
	case "notice":
		s.startup.Conn.Notice("WARNING", pgerr.New(pgerr.Warning, "%s", strings.Join(p.words[1:], " ")))
		return "NOTICE", false, nil
	case "fail":
		return "", false, pgerr.New(pgerr.Code(p.words[1]), "%s", strings.Join(p.words[2:], " "))
	case "leak":
		return "", false, fmt.Errorf("open /secret/path: denied")
	case "sleep":
		<-ctx.Done()
		return "", false, ctx.Err()
	case "nap":
		time.Sleep(time.Duration(p.arg(1)) * time.Second) // synctest's clock
		return "NAP", false, nil
	case "panic":
		panic("a toy's panic")
	case "unsendable": // half a row must not reach the client
		return "", false, w.WriteRow([]any{struct{}{}})
	case "nothing":
		return "NOTHING", false, nil
	}
	return "", false, pgerr.New(pgerr.FeatureNotSupported, "%s is not supported", p.words[0])
}

func toyRows(from, n int) *vector.Batch {
	id, name := vector.NewBuilder(vector.Int64, n), vector.NewBuilder(vector.String, n)
	for i := range n {
		id.Append(int64(from + i))
		name.Append("row " + strconv.Itoa(from+i))
	}
	return vector.NewBatch(n, []*vector.Column{id.Finish(), name.Finish()})
}

var toyTypes = []pgtypes.OID{
	pgtypes.Bool, pgtypes.Int2, pgtypes.Int4, pgtypes.Int8, pgtypes.Float4, pgtypes.Float8, pgtypes.Text, pgtypes.Text,
	pgtypes.Text, pgtypes.Jsonb, pgtypes.Timestamptz, pgtypes.Timestamp, pgtypes.Date, pgtypes.Date, pgtypes.Time,
	pgtypes.Numeric, pgtypes.TextArray, pgtypes.Jsonb,
}

// toyTypesBatch has a column of each of toyTypes, in every kind of vector;
// its third row is not selected.
func toyTypesBatch() *vector.Batch {
	valid := vector.NewBitmap(3)
	valid.Set(0)
	col := func(c vector.Column) *vector.Column {
		c.Len, c.Valid = 3, valid
		return &c
	}
	ints := func(v int64) *vector.Column { return col(vector.Column{Kind: vector.Int64, Ints: []int64{v, 0, 0}}) }
	anys := func(v any) *vector.Column { return col(vector.Column{Kind: vector.Any, Anys: []any{v, nil, nil}}) }
	const micros = 812_345_678_901_234
	b := vector.NewBatch(3, []*vector.Column{
		col(vector.Column{Kind: vector.Bool, Bools: []bool{true, false, false}}),
		ints(-2), ints(70_000), ints(-9_000_000_000),
		col(vector.Column{Kind: vector.Float, Floats: []float64{1.5, 0, 0}}),
		col(vector.Column{Kind: vector.Float, Floats: []float64{-0.1, 0, 0}}),
		col(vector.Column{Kind: vector.String, Strs: []string{"plain", "", ""}}),
		col(vector.Column{Kind: vector.String, Codes: []uint32{1, 0, 0}, Dict: []string{"", "coded"}}),
		col(vector.Column{Kind: vector.Hex, Raw: []byte{0xde, 0xad, 0, 0, 0, 0}, Width: 2}),
		col(vector.Column{Kind: vector.Map, Attrs: &vector.Attrs{
			Off: []uint32{0, 1, 1, 1}, Keys: []uint32{0}, Tags: []vector.Tag{vector.TagInt}, Vals: []uint64{7}, KeyDict: []string{"k"},
		}}),
		ints(micros), ints(micros), ints(9_000), ints(pgtypes.NoEnd), ints(3_600_000_001),
		anys(apd.New(-12345, -2)),
		anys(pgtypes.NewArray(pgtypes.Text, []any{"a", nil, "b,c"})),
		col(vector.Column{Kind: vector.String, Strs: []string{`{"a": 1}`, "", ""}}),
	})
	return b.Select([]int32{0, 1})
}
