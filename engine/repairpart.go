package engine

import (
	"context"
	"errors"
	"io"
	"time"

	"github.com/tael-sql/tael-sql/engine/block"
	"github.com/tael-sql/tael-sql/engine/cold"
	"github.com/tael-sql/tael-sql/engine/hot"
	"github.com/tael-sql/tael-sql/engine/layout"
)

// rewritePart writes a part again, with another index, where each of its pages
// can be read: what was damaged was the index, or bytes of the file that hold no
// rows. It gives the new name; "" if there are damaged pages.
func (r *tableRepair) rewritePart(ref *partRef) (name string, err error) {
	old := ref.meta
	part, err := r.parts.openFile(r.t, old, cold.NewCache(0))
	if err == nil {
		err = part.Verify()
	}
	if err != nil {
		if errors.Is(partError(r.t, old, err), ErrCorrupt) {
			return "", nil
		}
		return "", err
	}
	name = layout.PartName(r.t.Schema.Name, time.Unix(0, old.MinTime))
	var meta *layout.PartMeta
	var index *layout.PartIndex
	spec := r.t.cold
	spec.ChunkRows = old.ChunkRows
	written, err := r.parts.store.Put(context.Background(), name, func(out io.Writer) error {
		w, err := cold.NewWriter(out, &spec, func(stored string) (string, error) { return r.blobs.text(stored, nil) })
		if err != nil {
			return err
		}
		for k := 0; k < part.Chunks(); {
			var sources []cold.Source
			var picks []block.Pick
			for end := part.GroupEnd(k); k < end; k++ {
				chunk := part.Chunk(k)
				for row := range chunk.Rows() {
					picks = append(picks, block.Pick{Source: uint32(len(sources)), Row: uint32(row)})
				}
				sources = append(sources, chunk)
			}
			if err := w.WriteGroup(sources, picks); err != nil {
				return err
			}
		}
		meta, index, err = w.Close()
		return err
	})
	if err != nil {
		return "", err
	}
	meta.Table, meta.ID, meta.Level, meta.Name, meta.Bytes, meta.Checksum = old.Table, old.ID, old.Level, name, written.Bytes, written.Checksum
	r.writes = append(r.writes,
		hot.Write{Key: layout.PartKey(r.t.ID, old.ID), Value: meta.Append(nil)},
		hot.Write{Key: layout.PartIndexKey(r.t.ID, old.ID), Value: index.Append(nil)})
	return name, r.commit() // before the old file goes
}
