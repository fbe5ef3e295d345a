package block

import "github.com/tael-sql/tael-sql/internal/vector"

// Footprint estimates the memory of a field's decoded column.
func (b *Block) Footprint(field int) (int, error) {
	f := b.schema.Fields[field]
	c, ok := b.chunks[f.Name]
	if !ok {
		return 8 * b.rows, nil
	}
	switch f.Kind {
	case vector.Hex:
		return f.Width * b.rows, nil
	case vector.Any:
		return 16*b.rows + 32*c.raw, nil // numbers that are packed there are boxed here
	case vector.String:
		return b.textBytes(c)
	case vector.Map:
		return b.setBytes(c)
	}
	return 8 * b.rows, nil
}

// textBytes decodes what is short: a list of texts may say in few bytes what
// takes many.
func (b *Block) textBytes(c chunk) (int, error) {
	const short, header = 64 << 10, 16
	if c.raw > short {
		return c.raw + header*b.rows, nil
	}
	col, err := b.decode(c, vector.String, 0)
	if err != nil {
		return 0, err
	}
	n := 4*len(col.Codes) + header*(len(col.Dict)+len(col.Strs))
	for _, list := range [][]string{col.Dict, col.Strs} {
		for _, s := range list {
			n += len(s)
		}
	}
	return n, nil
}

// setBytes counts the entries of all rows, and the texts of the distinct sets.
func (b *Block) setBytes(c chunk) (int, error) {
	m, err := b.sets(c)
	if err != nil {
		return 0, err
	}
	if err := m.unpackBitsets(); err != nil {
		return 0, err
	}
	const entry, text = 13, 24 // of vector.Attrs; a header and a short text
	n, inSets := 4*b.rows, 0
	for _, key := range m.keys {
		inSets += key.count
		n += text * key.count
		if !key.rare {
			n += b.chunks[m.chunk.name+"\x00"+key.name].raw
		}
	}
	n += b.chunks[m.chunk.name+"\x01"].raw
	if m.rowSets == nil {
		return n + entry*inSets, nil
	}
	for _, set := range m.rowSets {
		keys := m.setKeys[set]
		n += entry * int(m.keyOff[keys+1]-m.keyOff[keys])
	}
	return n, nil
}
