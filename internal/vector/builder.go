package vector

import "slices"

// A Builder makes a Column row by row. It takes values in the form of package
// pgtypes or copies rows of other columns of a compatible kind. A Map becomes
// a String column of jsonb text.
type Builder struct {
	kind  Kind
	col   Column
	nulls bool
}

// NewBuilder makes a builder. Map and Hex become String: a Hex value is its text.
func NewBuilder(kind Kind, capacity int) *Builder {
	if kind == Map || kind == Hex {
		kind = String
	}
	b := &Builder{kind: kind}
	b.col.Kind = kind
	switch kind {
	case Bool:
		b.col.Bools = make([]bool, 0, capacity)
	case Int64:
		b.col.Ints = make([]int64, 0, capacity)
	case Float:
		b.col.Floats = make([]float64, 0, capacity)
	case String:
		b.col.Strs = make([]string, 0, capacity)
	default:
		b.col.Anys = make([]any, 0, capacity)
	}
	return b
}

// grow adds a row and keeps its validity bit.
func (b *Builder) grow(valid bool) {
	i := b.col.Len
	b.col.Len++
	if !valid && !b.nulls {
		b.nulls = true
		b.col.Valid = Ones(i)
	}
	if !b.nulls {
		return
	}
	if need := (i + 64) / 64; len(b.col.Valid) < need {
		b.col.Valid = append(b.col.Valid, 0)
	}
	if valid {
		b.col.Valid.Set(i)
	}
}

// AppendNull adds a NULL.
func (b *Builder) AppendNull() {
	switch b.kind {
	case Bool:
		b.col.Bools = append(b.col.Bools, false)
	case Int64:
		b.col.Ints = append(b.col.Ints, 0)
	case Float:
		b.col.Floats = append(b.col.Floats, 0)
	case String:
		b.col.Strs = append(b.col.Strs, "")
	default:
		b.col.Anys = append(b.col.Anys, nil)
	}
	b.grow(false)
}

// Append adds a value in the form of package pgtypes; nil is NULL. A value of
// another Go type than the kind asks for is a bug.
func (b *Builder) Append(v any) {
	if v == nil {
		b.AppendNull()
		return
	}
	switch b.kind {
	case Bool:
		b.col.Bools = append(b.col.Bools, v.(bool))
	case Int64:
		b.col.Ints = append(b.col.Ints, v.(int64))
	case Float:
		b.col.Floats = append(b.col.Floats, v.(float64))
	case String:
		b.col.Strs = append(b.col.Strs, v.(string))
	default:
		b.col.Anys = append(b.col.Anys, v)
	}
	b.grow(true)
}

// AppendRow copies row i of c.
func (b *Builder) AppendRow(c *Column, i int) {
	if c.IsNull(i) {
		b.AppendNull()
		return
	}
	switch {
	case b.kind == Bool && c.Kind == Bool:
		b.col.Bools = append(b.col.Bools, c.Bools[i])
	case b.kind == Int64 && c.Kind == Int64:
		b.col.Ints = append(b.col.Ints, c.Ints[i])
	case b.kind == Float && c.Kind == Float:
		b.col.Floats = append(b.col.Floats, c.Floats[i])
	case b.kind == String && c.Kind == String:
		b.col.Strs = append(b.col.Strs, c.Str(i))
	default:
		b.Append(c.Value(i))
		return
	}
	b.grow(true)
}

// Finish gives the column; the builder must not be used afterwards.
func (b *Builder) Finish() *Column { return &b.col }

// Const makes a column of n rows with the same value, nil for NULL.
func Const(kind Kind, v any, n int) *Column {
	c := &Column{Kind: kind, Len: n}
	if v == nil {
		c.Valid = NewBitmap(n)
	}
	switch kind {
	case Bool:
		c.Bools = make([]bool, n)
		if x, _ := v.(bool); x {
			for i := range c.Bools {
				c.Bools[i] = true
			}
		}
	case Int64:
		x, _ := v.(int64)
		c.Ints = slices.Repeat([]int64{x}, n)
	case Float:
		x, _ := v.(float64)
		c.Floats = slices.Repeat([]float64{x}, n)
	case String:
		x, _ := v.(string)
		c.Dict, c.Codes = []string{x}, make([]uint32, n)
	default:
		c.Kind = Any
		c.Anys = slices.Repeat([]any{v}, n)
	}
	return c
}
