package vector

import "slices"

// Concat makes one run of rows of several of the same schema. Ordinals are not
// kept: whoever numbers rows does it before.
func Concat(schema *Schema, parts []*Rows) *Rows {
	out := &Rows{Schema: schema, Cols: make([]*Column, len(schema.Fields))}
	for _, p := range parts {
		out.N += p.N
	}
	for i := range schema.Fields {
		cols := make([]*Column, len(parts))
		for k, p := range parts {
			cols[k] = p.Cols[i]
		}
		out.Cols[i] = concatColumns(cols, out.N)
	}
	return out
}

func concatColumns(cols []*Column, n int) *Column {
	first := cols[0]
	out := &Column{Kind: first.Kind, Len: n, Width: first.Width}
	at := 0
	for _, c := range cols {
		if c.Valid != nil && out.Valid == nil {
			out.Valid = Ones(n)
		}
		for i := range c.Len {
			if c.IsNull(i) {
				out.Valid.Clear(at + i)
			}
		}
		at += c.Len
	}
	switch first.Kind {
	case Bool:
		for _, c := range cols {
			out.Bools = append(out.Bools, c.Bools...)
		}
	case Int64:
		out.Ints = make([]int64, 0, n)
		for _, c := range cols {
			out.Ints = append(out.Ints, c.Ints...)
		}
	case Float:
		for _, c := range cols {
			out.Floats = append(out.Floats, c.Floats...)
		}
	case Hex:
		out.Raw = make([]byte, 0, n*first.Width)
		for _, c := range cols {
			out.Raw = append(out.Raw, c.Raw...)
		}
	case String:
		concatStrings(out, cols, n)
	case Map:
		out.Attrs = concatAttrs(cols, n)
	default:
		for _, c := range cols {
			out.Anys = append(out.Anys, c.Anys...)
		}
	}
	return out
}

// concatStrings merges dictionaries; plain texts stay plain if any part is.
func concatStrings(out *Column, cols []*Column, n int) {
	dict := true
	for _, c := range cols {
		dict = dict && c.Dict != nil
	}
	if !dict {
		out.Strs = make([]string, 0, n)
		for _, c := range cols {
			for i := range c.Len {
				out.Strs = append(out.Strs, c.Str(i))
			}
		}
		return
	}
	codes := newInterner()
	out.Codes = make([]uint32, 0, n)
	for _, c := range cols {
		mapped := codes.all(c.Dict)
		for _, code := range c.Codes {
			out.Codes = append(out.Codes, mapped[code])
		}
	}
	out.Dict = codes.list
}

func concatAttrs(cols []*Column, n int) *Attrs {
	out := &Attrs{Off: make([]uint32, 1, n+1)}
	keys, strs := newInterner(), newInterner()
	pairs := 0
	for _, c := range cols {
		pairs += len(c.Attrs.Keys)
	}
	out.Keys, out.Tags, out.Vals = slices.Grow(out.Keys, pairs), slices.Grow(out.Tags, pairs), slices.Grow(out.Vals, pairs)
	for _, c := range cols {
		a := c.Attrs
		mappedKeys, mappedStrs := keys.all(a.KeyDict), strs.all(a.Strs)
		base := uint32(len(out.Keys))
		for e, k := range a.Keys {
			out.Keys = append(out.Keys, mappedKeys[k])
			out.Tags = append(out.Tags, a.Tags[e])
			v := a.Vals[e]
			switch a.Tags[e] {
			case TagString, TagBytes, TagJSON:
				v = uint64(mappedStrs[v])
			}
			out.Vals = append(out.Vals, v)
		}
		for i := range c.Len {
			out.Off = append(out.Off, base+a.Off[i+1])
		}
	}
	out.KeyDict, out.Strs = keys.list, strs.list
	return out
}

// interner numbers distinct strings.
type interner struct {
	codes map[string]uint32
	list  []string
}

func newInterner() *interner { return &interner{codes: make(map[string]uint32), list: []string{}} }

// all gives the numbers of a list of strings.
func (in *interner) all(list []string) []uint32 {
	out := make([]uint32, len(list))
	for i, s := range list {
		code, ok := in.codes[s]
		if !ok {
			code = uint32(len(in.list))
			in.codes[s] = code
			in.list = append(in.list, s)
		}
		out[i] = code
	}
	return out
}

// KeyColumn gives one attribute of every row as ->> does: a String column, NULL
// where the row lacks the key or has null.
func (a *Attrs) KeyColumn(key string, rows int) *Column {
	out := &Column{Kind: String, Len: rows, Valid: NewBitmap(rows), Codes: make([]uint32, rows)}
	code, ok := a.Key(key)
	texts := newInterner()
	byStr := make(map[uint64]uint32) // code in Strs → code in the dictionary
	var buf []byte
	for i := range rows {
		e := -1
		if ok {
			e = a.Find(i, code)
		}
		if e < 0 || a.Tags[e] == TagNull {
			continue
		}
		out.Valid.Set(i)
		if a.Tags[e] == TagString {
			n, known := byStr[a.Vals[e]]
			if !known {
				n = texts.all([]string{a.Strs[a.Vals[e]]})[0]
				byStr[a.Vals[e]] = n
			}
			out.Codes[i] = n
			continue
		}
		buf = a.AppendText(buf[:0], e)
		out.Codes[i] = texts.all([]string{string(buf)})[0]
	}
	if out.Dict = texts.list; len(out.Dict) == 0 {
		out.Dict = []string{""}
	}
	return out
}

// Bytes estimates the memory that rows hold.
func (r *Rows) Bytes() int64 {
	n := int64(0)
	for _, c := range r.Cols {
		n += int64(len(c.Valid)*8 + len(c.Bools) + len(c.Ints)*8 + len(c.Floats)*8 + len(c.Strs)*16 +
			len(c.Codes)*4 + len(c.Dict)*32 + len(c.Raw) + len(c.Anys)*64)
		if c.Attrs != nil {
			n += int64(len(c.Attrs.Off)*4 + len(c.Attrs.Keys)*13 + len(c.Attrs.Strs)*32)
		}
	}
	return n
}
