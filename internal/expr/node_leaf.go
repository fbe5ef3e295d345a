package expr

import (
	"fmt"
	"strings"

	"github.com/tael-sql/tael-sql/internal/pgerr"
	"github.com/tael-sql/tael-sql/internal/pgtypes"
	"github.com/tael-sql/tael-sql/internal/vector"
)

// Type gives the column's type.
func (c *Col) Type() pgtypes.Type { return c.Typ }

// Children gives none.
func (c *Col) Children() []Expr { return nil }

// With gives the column itself.
func (c *Col) With([]Expr) Expr { return c }

// Eval gives the value in the row.
func (c *Col) Eval(_ *Env, row []any) (any, error) { return row[c.Slot], nil }

// Vec gives the batch's column.
func (c *Col) Vec(_ *Env, b *vector.Batch) (*vector.Column, error) { return b.Column(c.Slot) }

// String gives the column's name.
func (c *Col) String() string {
	if c.Name == "" {
		return fmt.Sprintf("#%d", c.ID)
	}
	return c.Name
}

// Type gives the constant's type.
func (c *Const) Type() pgtypes.Type { return c.Typ }

// Children gives none.
func (c *Const) Children() []Expr { return nil }

// With gives the constant itself.
func (c *Const) With([]Expr) Expr { return c }

// Eval gives the value.
func (c *Const) Eval(*Env, []any) (any, error) { return c.Val, nil }

// Vec repeats the value.
func (c *Const) Vec(_ *Env, b *vector.Batch) (*vector.Column, error) {
	return vector.Const(KindOf(c.Typ.OID), c.Val, b.N), nil
}

// printing is the style in which constants are printed in plans: independent
// of the session, so that String is canonical.
var printing = &pgtypes.TextStyle{}

// textOf gives the text of a value that is not NULL, whatever the session's style.
func textOf(t pgtypes.Type, v any) string {
	text, err := pgtypes.AppendText(nil, t, v, printing)
	if err != nil {
		return fmt.Sprint(v)
	}
	return string(text)
}

// String gives a literal, with its type where the literal alone would not say it.
func (c *Const) String() string {
	name := pgtypes.FormatType(pgtypes.Type{OID: c.Typ.OID, Mod: -1})
	if c.Val == nil {
		return "NULL::" + name
	}
	text := textOf(c.Typ, c.Val)
	switch c.Typ.OID {
	case pgtypes.Bool:
		if c.Val.(bool) {
			return "true"
		}
		return "false"
	case pgtypes.Int4, pgtypes.Numeric:
		if !strings.HasPrefix(text, "-") && text != "" && text[0] <= '9' {
			return text
		}
	}
	return "'" + strings.ReplaceAll(text, "'", "''") + "'::" + name
}

// Type gives the parameter's type.
func (p *Param) Type() pgtypes.Type { return p.Typ }

// Children gives none.
func (p *Param) Children() []Expr { return nil }

// With gives the parameter itself.
func (p *Param) With([]Expr) Expr { return p }

// Eval fails: parameters are replaced before a plan is run.
func (p *Param) Eval(*Env, []any) (any, error) {
	return nil, pgerr.New(pgerr.UndefinedParameter, "there is no parameter $%d", p.N)
}

// Vec fails as Eval does.
func (p *Param) Vec(*Env, *vector.Batch) (*vector.Column, error) {
	_, err := p.Eval(nil, nil)
	return nil, err
}

// String gives $n.
func (p *Param) String() string { return fmt.Sprintf("$%d", p.N) }
