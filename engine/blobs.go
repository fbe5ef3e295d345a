package engine

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"unsafe"

	"github.com/tael-sql/tael-sql/engine/blob"
	"github.com/tael-sql/tael-sql/engine/hot"
	"github.com/tael-sql/tael-sql/engine/layout"
	"github.com/tael-sql/tael-sql/internal/vector"
)

// defaultBlobFileBytes is Options.BlobFileBytes where it is not set.
const defaultBlobFileBytes = 64 << 10

// blobs is the texts that are stored outside the rows, under their hashes: in
// the hot store, or above fileBytes as files. A flush makes them durable with
// or before the blocks that refer to them.
type blobs struct {
	hot       *hot.Store
	files     *blob.Store
	fileBytes int
}

// read gives the text that a reference stands for, verified.
func (b *blobs) read(ref layout.Reference) (string, error) {
	small := ref.Len <= b.fileBytes
	if text, err := b.readFrom(small, ref); !errors.Is(err, blob.ErrCorrupt) {
		return text, err
	}
	// The limit was another once. If it is nowhere, the error of its place now
	// is the better one.
	if text, err := b.readFrom(!small, ref); err == nil {
		return text, nil
	}
	return b.readFrom(small, ref)
}

func (b *blobs) readFrom(inHot bool, ref layout.Reference) (string, error) {
	if !inHot {
		text, err := b.files.Get(ref.Hash, ref.Len)
		return asText(text), err
	}
	text, err := b.hot.Get(layout.BlobKey(ref.Hash))
	switch {
	case err != nil:
		return "", err
	case text == nil:
		return "", fmt.Errorf("%w: %x is missing", blob.ErrCorrupt, ref.Hash)
	case string(text) == layout.LostText(ref.Hash), string(text) == layout.ExpiredText(ref.Hash):
	case len(text) != ref.Len || sha256.Sum256(text) != ref.Hash:
		return "", fmt.Errorf("%w: %x is not what its key says", blob.ErrCorrupt, ref.Hash)
	}
	return asText(text), nil
}

// asText gives bytes that never change again as a text.
func asText(b []byte) string { return unsafe.String(unsafe.SliceData(b), len(b)) }

// text gives what a stored text stands for. What a flush has taken out of its
// rows is in taken.
func (b *blobs) text(stored string, taken takenTexts) (string, error) {
	text, ref, outside, err := layout.ParseStored(stored)
	if err != nil || !outside {
		return text, err
	}
	if text, ok := taken[ref.Hash]; ok {
		return text, nil
	}
	return b.read(ref)
}

// resolve replaces the references of a column by their texts, each read once.
// Rows outside the selection, which nobody reads, may stay empty.
func (b *blobs) resolve(c *vector.Column, sel []int32, o *Offload) (*vector.Column, error) {
	if !slices.ContainsFunc(textsOf(c), isMarked) {
		return c, nil
	}
	out := &vector.Column{Kind: vector.String, Len: c.Len, Valid: c.Valid, Strs: make([]string, c.Len)}
	known := make(map[string]string)
	gone := make(map[int]bool)
	n := c.Len
	if sel != nil {
		n = len(sel)
	}
	for k := range n {
		i := k
		if sel != nil {
			i = int(sel[k])
		}
		stored := c.Str(i)
		if c.IsNull(i) || !isMarked(stored) {
			out.Strs[i] = stored
			continue
		}
		text, ok := known[stored]
		if !ok {
			var err error
			if text, err = b.text(stored, nil); err != nil {
				return nil, err
			}
			known[stored] = text
		}
		if out.Strs[i] = text; isGone(stored, text) {
			gone[i] = true
		}
	}
	if len(gone) > 0 {
		out = o.replace(out, func(row int) bool { return gone[row] })
	}
	return out, nil
}

// resolveAttributes is resolve of a Map field. The attributes of other rows may
// keep their references.
func (b *blobs) resolveAttributes(c *vector.Column, sel []int32) (*vector.Column, error) {
	a := c.Attrs
	if !slices.ContainsFunc(a.Strs, isMarked) {
		return c, nil
	}
	strs := slices.Clone(a.Strs)
	gone := make(map[uint64]bool) // codes of texts
	n := c.Len
	if sel != nil {
		n = len(sel)
	}
	for k := range n {
		row := k
		if sel != nil {
			row = int(sel[k])
		}
		for e := a.Off[row]; e < a.Off[row+1]; e++ {
			if !a.Tags[e].IsText() || !isMarked(strs[a.Vals[e]]) {
				continue
			}
			text, err := b.text(strs[a.Vals[e]], nil)
			if err != nil {
				return nil, err
			}
			if isGone(strs[a.Vals[e]], text) {
				gone[a.Vals[e]] = true
			}
			strs[a.Vals[e]] = text
		}
	}
	out, attrs := *c, *a
	attrs.Strs, out.Attrs = strs, &attrs
	if len(gone) > 0 {
		return dropEntries(&out, func(_ int, e uint32) bool { return a.Tags[e].IsText() && gone[a.Vals[e]] }), nil
	}
	return &out, nil
}

// isMarked reports whether a stored text is not simply a text.
func isMarked(stored string) bool { return len(stored) > 0 && stored[0] == 0 }

// textsOf gives the texts of a String column, without their rows.
func textsOf(c *vector.Column) []string {
	if c.Dict != nil {
		return c.Dict
	}
	return c.Strs
}

// Digests gives the SHA-256 in hex of each text longer than limit, NULL for
// every other row.
func Digests(c *vector.Column, limit int) *vector.Column {
	return digests(c, func(text string) (hash [32]byte, ok bool) {
		if len(text) <= limit {
			return hash, false
		}
		return sha256.Sum256([]byte(text)), true
	})
}

// storedDigests is Digests of a column as a block holds it: the references know.
func storedDigests(c *vector.Column, limit int) (out *vector.Column, err error) {
	out = digests(c, func(stored string) ([32]byte, bool) {
		text, ref, outside, problem := layout.ParseStored(stored)
		err = cmp.Or(err, problem)
		if outside || len(text) <= limit {
			return ref.Hash, outside
		}
		return sha256.Sum256([]byte(text)), true
	})
	return out, err
}

func digests(c *vector.Column, of func(text string) (hash [32]byte, ok bool)) *vector.Column {
	out := vector.NewBuilder(vector.String, c.Len)
	known := make(map[string]any)
	for i := range c.Len {
		if c.IsNull(i) {
			out.AppendNull()
			continue
		}
		text := c.Str(i)
		value, ok := known[text]
		if !ok {
			if hash, long := of(text); long {
				value = hex.EncodeToString(hash[:])
			}
			if c.Dict != nil || value != nil {
				known[text] = value
			}
		}
		if value == nil {
			out.AppendNull()
		} else {
			out.Append(value)
		}
	}
	return out.Finish()
}
