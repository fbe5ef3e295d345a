package engine

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/cespare/xxhash/v2"

	"github.com/tael-sql/tael-sql/engine/cold"
	"github.com/tael-sql/tael-sql/engine/hot"
	"github.com/tael-sql/tael-sql/engine/layout"
	"github.com/tael-sql/tael-sql/engine/live"
	"github.com/tael-sql/tael-sql/engine/object"
	"github.com/tael-sql/tael-sql/internal/vector"
)

// tableParts verifies the parts of one table. An object store that is not
// available makes the check impossible.
func (c *checker) tableParts(t *table, m tableManifest, live map[string][]int64) error {
	known := make(map[uint64]bool)
	for _, ref := range m.parts {
		p := ref.meta
		known[p.ID] = true
		c.report.Parts++
		c.report.Dead += int64(ref.deadCount)
		c.report.Rows += int64(p.Rows - ref.deadCount)
		if p.MaxLSN > m.state.AppliedLSN || p.MaxRow >= m.state.Rows || p.ID >= m.state.NextBlock {
			c.problem("part %s has record %d, row %d and id %d, but the state of %s is %+v", p.Name, p.MaxLSN, p.MaxRow, p.ID, t.Schema.Name, m.state)
		}
		if err := c.part(t, ref, live); err != nil {
			err = partError(t, p, err)
			if !errors.Is(err, ErrCorrupt) {
				return err
			}
			c.problem("%v (%s)", err, describePart(p, ref.deadCount))
		}
	}
	for _, kind := range []layout.KeyKind{layout.IndexKind, layout.VectorKind, layout.UnsettledKind} {
		lower, upper := layout.TableRange(kind, t.ID)
		err := c.store.Each(lower, upper, func(key, _ []byte) error {
			if id, ok := layout.ParsePartKey(key); !ok || !known[id] {
				c.problem("key %x belongs to no part of %s", key, t.Schema.Name)
			}
			return nil
		})
		if errors.Is(err, hot.ErrCorrupt) {
			c.problem("%v", err)
		} else if err != nil {
			return err
		}
	}
	return c.objects(t, m)
}

// describePart says what is lost with a part.
func describePart(p *layout.PartMeta, dead int) string {
	at := func(nanos int64) string { return time.Unix(0, nanos).UTC().Format(time.RFC3339) }
	return fmt.Sprintf("%d rows from %s to %s, records %d to %d", p.Rows-dead, at(p.MinTime), at(p.MaxTime), p.MinLSN, p.MaxLSN)
}

// part verifies a part: its file as a whole, every page, and that its index
// leaves nothing out.
func (c *checker) part(t *table, ref *partRef, live map[string][]int64) error {
	m := ref.meta
	if err := verifyPartFile(c.cold, m); err != nil {
		return err
	}
	part, err := c.parts.openFile(t, m, cold.NewCache(0))
	if err != nil {
		return err
	}
	if err := part.Verify(); err != nil {
		return err
	}
	index, _, err := c.parts.readIndex(m)
	if err != nil {
		return err
	}
	if len(ref.unsettled) > 0 {
		ref, err = ref.settled(t, index, func() (*cold.Part, error) { return part, nil },
			func(k int) (*blockKeys, error) { return newBlockKeys(t, part.Chunk(k), index.Chunks[k].Rows) })
		if err != nil {
			return err
		}
	}
	for k, meta := range index.Chunks {
		chunk := part.Chunk(k)
		if chunk.Rows() != meta.Rows {
			return fmt.Errorf("%w: chunk %d has %d rows, its index says %d", layout.ErrCorrupt, k, chunk.Rows(), meta.Rows)
		}
		if err := indexLeavesOut(t, index, &meta, chunk); err != nil {
			return fmt.Errorf("chunk %d: %w", k, err)
		}
		if err := t.outsideTextsOfChunk(chunk, c.reference); err != nil {
			return err
		}
		if len(t.key) == 0 {
			continue
		}
		keys, err := newBlockKeys(t, chunk, meta.Rows)
		if err != nil {
			return err
		}
		dead, _ := ref.deadIn(k)
		c.keys(t, "part "+m.Name, meta.Rows, dead, keys, live)
	}
	return nil
}

// outsideTextsOfChunk is outsideTexts of a chunk, with values more than once.
func (t *table) outsideTextsOfChunk(chunk *cold.Chunk, fn func(stored string) error) error {
	for field, o := range t.offload {
		col, err := chunk.Column(field)
		if err != nil {
			return err
		}
		if o.Key == nil {
			for _, stored := range textsOf(col) {
				if err := fn(stored); err != nil {
					return err
				}
			}
			continue
		}
		a := col.Attrs
		for e, key := range a.Keys {
			if !a.Tags[e].IsText() || !o.Key(a.KeyDict[key]) {
				continue
			}
			if err := fn(a.Strs[a.Vals[e]]); err != nil {
				return err
			}
		}
	}
	return nil
}

// verifyPartFile compares a part's file with its manifest entry.
func verifyPartFile(store object.Store, m *layout.PartMeta) (err error) {
	file, err := store.Open(context.Background(), m.Name)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	if file.Size() != m.Bytes {
		return fmt.Errorf("%w: it has %d bytes, not %d", layout.ErrCorrupt, file.Size(), m.Bytes)
	}
	var sum xxhash.Digest
	sum.Reset()
	if _, err := io.Copy(&sum, object.Stream(file)); err != nil {
		return err
	}
	if sum.Sum64() != m.Checksum {
		return fmt.Errorf("%w: the checksum of the file", layout.ErrCorrupt)
	}
	return nil
}

// indexLeavesOut finds a value of a chunk that its index denies.
func indexLeavesOut(t *table, index *layout.PartIndex, meta *layout.ChunkMeta, chunk *cold.Chunk) error {
	denied := func(field string) error {
		return fmt.Errorf("%w: its index leaves out a value of %s", layout.ErrCorrupt, field)
	}
	for i, f := range t.Schema.Fields {
		zone, hasZone := meta.Zones[f.Name]
		values, hasValues := meta.Values[f.Name]
		isTrace := i == t.trace
		if !hasZone && !hasValues && !isTrace {
			continue
		}
		col, err := chunk.Column(i)
		if err != nil {
			return err
		}
		for row := range meta.Rows {
			if col.IsNull(row) {
				continue
			}
			switch {
			case hasZone && (col.Ints[row] < zone.Min || col.Ints[row] > zone.Max):
				return denied(f.Name)
			case hasValues && f.Kind == vector.String && !values.Contains(col.Str(row)):
				return denied(f.Name)
			}
			if !isTrace {
				continue
			}
			id := col.HexBytes(row)
			inside := meta.First == nil || bytes.Compare(id, meta.First) >= 0 && bytes.Compare(id, meta.Last) <= 0
			if !inside || !index.Trace.Contains(layout.Hash(id)) {
				return denied(f.Name)
			}
		}
	}
	return nil
}

// objects compares what the object store has of a table with the manifest, and
// the list for other programs with both.
func (c *checker) objects(t *table, m tableManifest) error {
	byName := make(map[string]*partRef)
	for _, ref := range m.parts {
		byName[ref.meta.Name] = ref
	}
	there := make(map[string]bool)
	err := c.cold.List(context.Background(), t.Schema.Name+"/", func(name string, _ int64) error {
		there[name] = true
		if byName[name] == nil && layout.IsPartName(name) {
			c.note("%s is in no manifest: the next start deletes it", name)
		}
		return nil
	})
	if err != nil {
		return partError(t, &layout.PartMeta{Name: t.Schema.Name}, err)
	}
	list := t.Schema.Name + "/" + live.ListName
	if !there[list] {
		return nil
	}
	file, err := c.cold.Open(context.Background(), list)
	if err != nil {
		return err
	}
	raw, err := io.ReadAll(object.Stream(file))
	if err = errors.Join(err, file.Close()); err != nil {
		return err
	}
	listed := make(map[string]bool)
	for line := range strings.Lines(string(raw)) {
		var l live.Line
		if err := json.Unmarshal([]byte(line), &l); err != nil {
			c.problem("%s: %v", list, err)
			continue
		}
		name := t.Schema.Name + "/" + l.File
		listed[name] = true
		switch ref := byName[name]; {
		case ref == nil:
			c.note("%s names %s, which is in no manifest", list, name)
		case ref.meta.Bytes != l.Bytes || fmt.Sprintf("%016x", ref.meta.Checksum) != l.Checksum || ref.meta.Rows != l.Rows:
			c.problem("%s says of %s what its manifest entry does not", list, name)
		case !there[t.Schema.Name+"/"+l.DeadFile]:
			c.problem("%s names %s, which is missing", list, l.DeadFile)
		case ref.deadCount != l.Dead:
			c.note("%s says that %d rows of %s are dead, its deletion vector %d", list, l.Dead, name, ref.deadCount)
		}
	}
	for name := range byName {
		if !listed[name] {
			c.note("%s does not name %s yet", list, name)
		}
	}
	return nil
}

func (c *checker) note(format string, args ...any) {
	c.report.Notes = append(c.report.Notes, fmt.Sprintf(format, args...))
}
