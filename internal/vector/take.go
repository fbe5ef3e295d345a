package vector

// Take copies rows of c; a negative row number gives NULL. A dictionary is kept.
func Take(c *Column, rows []int32) *Column {
	if c.Kind == Map {
		b := NewBuilder(String, len(rows))
		for _, r := range rows {
			if r < 0 {
				b.AppendNull()
			} else {
				b.AppendRow(c, int(r))
			}
		}
		return b.Finish()
	}
	out := &Column{Kind: c.Kind, Len: len(rows), Width: c.Width, Dict: c.Dict}
	for k, r := range rows {
		if r >= 0 && !c.IsNull(int(r)) {
			continue
		}
		if out.Valid == nil {
			out.Valid = Ones(len(rows))
		}
		out.Valid.Clear(k)
	}
	switch {
	case c.Kind == Bool:
		out.Bools = takeSlice(c.Bools, rows)
	case c.Kind == Int64:
		out.Ints = takeSlice(c.Ints, rows)
	case c.Kind == Float:
		out.Floats = takeSlice(c.Floats, rows)
	case c.Kind == String && c.Dict != nil:
		out.Codes = takeSlice(c.Codes, rows)
	case c.Kind == String:
		out.Strs = takeSlice(c.Strs, rows)
	case c.Kind == Hex:
		out.Raw = make([]byte, len(rows)*c.Width)
		for k, r := range rows {
			if r >= 0 {
				copy(out.Raw[k*c.Width:], c.HexBytes(int(r)))
			}
		}
	default:
		out.Anys = takeSlice(c.Anys, rows)
	}
	return out
}

func takeSlice[T any](from []T, rows []int32) []T {
	out := make([]T, len(rows))
	for k, r := range rows {
		if r >= 0 {
			out[k] = from[r]
		}
	}
	return out
}
