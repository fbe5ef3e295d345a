package cold

// Footprint estimates the memory of a field's decoded column. Nothing is read:
// the footer tells the bytes of a row group, and the sizes of the pages whose
// they are.
func (c *Chunk) Footprint(field int) (int, error) {
	p, rows := c.part.columns.places[field], c.Rows()
	switch p.form {
	case formText, formOutside:
		return c.textBytes(p.first, 16*rows), nil
	case formHex:
		return c.part.columns.leaves[p.first].width * rows, nil
	case formList:
		return 16*rows + 32*c.chunk(p.first).share(c.place), nil
	case formMap:
		const entry = 13 // bytes of one in vector.Attrs, without its text
		n := 4 * rows
		for leaf := p.first; leaf < p.first+len(p.frequent); leaf++ {
			values := c.chunk(leaf).perPage()
			n += entry*values + c.textBytes(leaf, 16*values)
		}
		rest := p.first + len(p.frequent)
		for _, leaf := range []int{rest, rest + 2} {
			n += entry*c.chunk(leaf).perPage() + c.textBytes(leaf+1, 16*c.chunk(leaf).perPage())
		}
		return n, nil
	}
	return 8 * rows, nil
}

// textBytes estimates texts whose headers have so many bytes, unless they are in
// a dictionary.
func (c *Chunk) textBytes(leaf, headers int) int {
	cc := c.chunk(leaf)
	switch {
	case cc.empty:
		return 0
	case cc.dictionary.size > 0:
		return cc.scaled(int64(cc.dictionary.size))/len(cc.pages) + headers/4
	}
	return cc.share(c.place) + headers
}

// scaled gives what stored bytes of the column are once decompressed.
func (cc *columnChunk) scaled(stored int64) int {
	all := int64(cc.dictionary.size)
	for _, page := range cc.pages {
		all += int64(page.size)
	}
	return int(float64(cc.raw) * float64(stored) / float64(max(all, 1)))
}

// share gives the bytes of a page.
func (cc *columnChunk) share(page int) int {
	if cc.empty {
		return 0
	}
	return cc.scaled(int64(cc.pages[page].size))
}

// perPage gives the values of a page that are not NULL, on an average.
func (cc *columnChunk) perPage() int {
	if cc.empty {
		return 0
	}
	return int(cc.values-cc.nulls) / len(cc.pages)
}
