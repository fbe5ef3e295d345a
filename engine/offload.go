package engine

import (
	"bytes"
	"crypto/sha256"
	"slices"

	"github.com/tael-sql/tael-sql/engine/blob"
	"github.com/tael-sql/tael-sql/engine/hot"
	"github.com/tael-sql/tael-sql/engine/layout"
	"github.com/tael-sql/tael-sql/internal/vector"
)

// fits reports whether the schema has such a field.
func (o *Offload) fits(schema *vector.Schema) bool {
	i := schema.Index(o.Field)
	if i < 0 || o.Limit < 1 {
		return false
	}
	f := schema.Fields[i]
	return f.Kind == vector.Map && o.Key != nil && o.Text == nil || f.Kind == vector.String && !f.Filter && o.Key == nil
}

// takes reports whether a text of the field leaves its row.
func (o *Offload) takes(text string) bool {
	return len(text) > o.Limit && (o.Text == nil || o.Text(text))
}

// takenTexts is the texts that a flush takes out of its rows, by their hashes.
type takenTexts map[[32]byte]string

// offload gives rows with references for the texts that do not stay.
func (n takenTexts) offload(t *table, rows *vector.Rows) *vector.Rows {
	out := rows
	for field, o := range t.offload {
		c := rows.Cols[field]
		if c.Kind == vector.Map {
			c = n.attributes(c, o)
		} else {
			c = n.column(c, o)
		}
		if c == rows.Cols[field] {
			continue
		}
		if out == rows {
			copied := *rows
			copied.Cols = slices.Clone(rows.Cols)
			out = &copied
		}
		out.Cols[field] = c
	}
	return out
}

// take notes a text and gives the reference to it, as it is stored.
func (n takenTexts) take(text string) string {
	ref := layout.Reference{Hash: sha256.Sum256([]byte(text)), Len: len(text)}
	n[ref.Hash] = text
	return string(ref.Append(nil))
}

func (n takenTexts) column(c *vector.Column, o *Offload) *vector.Column {
	changes := func(text string) bool { return o.takes(text) || isMarked(text) }
	if !slices.ContainsFunc(textsOf(c), changes) {
		return c
	}
	out := &vector.Column{Kind: vector.String, Len: c.Len, Valid: c.Valid, Strs: make([]string, c.Len)}
	known := make(map[string]string)
	for i := range c.Len {
		if c.IsNull(i) {
			continue
		}
		text := c.Str(i)
		if !o.takes(text) {
			out.Strs[i] = layout.StoredText(text)
			continue
		}
		stored, ok := known[text]
		if !ok {
			stored = n.take(text)
			known[text] = stored
		}
		out.Strs[i] = stored
	}
	return out
}

// attributes does it for the attributes of a Map field, whose texts have no
// zero bytes.
func (n takenTexts) attributes(c *vector.Column, o *Offload) *vector.Column {
	a := c.Attrs
	if !slices.ContainsFunc(a.Strs, o.takes) {
		return c
	}
	chosen := make([]bool, len(a.KeyDict))
	for k, key := range a.KeyDict {
		chosen[k] = o.Key(key)
	}
	out := *a
	moved := make(map[uint64]uint64) // code of a text -> that of its reference
	for e, key := range a.Keys {
		if !chosen[key] || !a.Tags[e].IsText() || !o.takes(a.Strs[a.Vals[e]]) {
			continue
		}
		if len(moved) == 0 {
			out.Vals, out.Strs = slices.Clone(a.Vals), slices.Clone(a.Strs)
		}
		code, ok := moved[a.Vals[e]]
		if !ok {
			code = uint64(len(out.Strs))
			out.Strs = append(out.Strs, n.take(a.Strs[a.Vals[e]]))
			moved[a.Vals[e]] = code
		}
		out.Vals[e] = code
	}
	if len(moved) == 0 {
		return c
	}
	copied := *c
	copied.Attrs = &out
	return &copied
}

// write makes the large texts durable and gives the writes of the small ones,
// which the batch of their blocks is to have.
func (n takenTexts) write(b *blobs) ([]hot.Write, error) {
	var files []blob.Content
	var writes []hot.Write
	for hash, text := range n {
		if len(text) > b.fileBytes {
			files = append(files, blob.Content{Hash: hash, Text: text})
			continue
		}
		key := layout.BlobKey(hash)
		known, err := b.hot.Get(key)
		if err != nil {
			return nil, err
		}
		if string(known) != text {
			writes = append(writes, hot.Write{Key: key, Value: []byte(text)})
		}
	}
	slices.SortFunc(files, func(x, y blob.Content) int { return bytes.Compare(x.Hash[:], y.Hash[:]) })
	return writes, b.files.Put(files)
}
