package engine

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/tael-sql/tael-sql/engine/cold"
	"github.com/tael-sql/tael-sql/engine/hot"
	"github.com/tael-sql/tael-sql/engine/layout"
	"github.com/tael-sql/tael-sql/engine/live"
	"github.com/tael-sql/tael-sql/internal/vector"
	"github.com/tael-sql/tael-sql/wal"
	"github.com/tael-sql/tael-sql/wal/record"
)

// checkParts takes out the parts that are missing or cannot be read.
func (r *tableRepair) checkParts() error {
	parts := make(map[uint64]*partRef)
	lostEntries := false
	err := r.each(layout.PartKind, func(key, value []byte) error {
		id, ok := layout.ParsePartKey(key)
		m, err := layout.DecodePartMeta(value)
		if ok && err == nil && m.Table == r.t.ID && m.ID == id {
			parts[id] = newPartRef(m)
			return nil
		}
		r.say("the manifest entry of part %d of %s is damaged: its rows are lost", id, r.t.Schema.Name)
		lostEntries = true
		r.remove(key)
		return r.keepKey(key, value)
	})
	if err != nil {
		return err
	}
	err = r.each(layout.VectorKind, func(key, value []byte) error {
		id, ok := layout.ParsePartKey(key)
		p := parts[id]
		if ok && p != nil {
			if p.dead, err = layout.DecodeDead(value, p.meta.Rows); err == nil {
				p.deadCount = p.dead.Count()
				return nil
			}
			p.dead = nil
			r.say("the deletion vector of part %s is damaged: rows of it that were dead are back, unless newer versions of them are there", p.meta.Name)
			r.back[id] = true
		}
		r.remove(key)
		return r.keepKey(key, value)
	})
	if err != nil {
		return err
	}
	err = r.each(layout.UnsettledKind, func(key, value []byte) error {
		id, ok := layout.ParsePartKey(key)
		if _, err := layout.DecodeUnsettled(value); ok && err == nil && parts[id] != nil {
			return nil
		}
		r.say("what newer rows have replaced in part %d of %s, but was not found yet, is lost: older versions may be back", id, r.t.Schema.Name)
		r.back[id] = true
		r.remove(key)
		return r.keepKey(key, value)
	})
	if err != nil {
		return err
	}
	named := make(map[string]bool)
	c := &checker{report: &Report{}, known: make(map[layout.Reference]bool), store: r.store, blobs: r.blobs, cold: r.parts.store, parts: r.parts}
	for _, id := range slices.Sorted(maps.Keys(parts)) {
		p := parts[id]
		if err := r.markPartTexts(p.meta); err != nil {
			return err
		}
		err := partError(r.t, p.meta, c.part(r.t, p, make(map[string][]int64)))
		if err == nil {
			named[p.meta.Name] = true
			continue
		}
		if !errors.Is(err, ErrCorrupt) {
			return err
		}
		again, problem := r.rewritePart(p)
		if problem != nil {
			return problem
		}
		if again != "" {
			r.say("%v; every page of it can be read: it is written again as %s", err, again)
			named[again] = true
			if err := r.keepObject(p.meta.Name); err != nil {
				return err
			}
			continue
		}
		r.say("%v; lost: %s", err, describePart(p.meta, p.deadCount))
		r.out.LostRows += int64(p.meta.Rows - p.deadCount)
		for _, key := range [][]byte{
			layout.PartKey(r.t.ID, id), layout.PartIndexKey(r.t.ID, id), layout.PartDeadKey(r.t.ID, id), layout.UnsettledKey(r.t.ID, id), layout.DigestKey(r.t.ID, id),
		} {
			value, err := r.store.Get(key)
			if err == nil && value != nil {
				r.remove(key)
				err = r.keepKey(key, value)
			}
			if err != nil {
				return err
			}
		}
		if err := r.keepObject(p.meta.Name); err != nil {
			return err
		}
	}
	if err := r.checkList(c, parts); err != nil {
		return err
	}
	err = r.each(layout.IndexKind, func(key, value []byte) error {
		if id, ok := layout.ParsePartKey(key); !ok || parts[id] == nil {
			r.remove(key)
			return r.keepKey(key, value)
		}
		return nil
	})
	if err != nil || !lostEntries {
		return err
	}
	// Among the files without an entry are those of the damaged entries, which the
	// next start would delete.
	var others []string
	err = r.parts.store.List(context.Background(), r.t.Schema.Name+"/", func(name string, _ int64) error {
		if layout.IsPartName(name) && !named[name] {
			others = append(others, name)
		}
		return nil
	})
	for _, name := range others {
		if err == nil {
			err = r.keepObject(name)
		}
	}
	return err
}

// checkList takes out the list for other programs if it is damaged.
func (r *tableRepair) checkList(c *checker, parts map[uint64]*partRef) error {
	var m tableManifest
	for _, p := range parts {
		m.parts = append(m.parts, p)
	}
	c.report = &Report{}
	if err := c.objects(r.t, m); err != nil || len(c.report.Problems) == 0 {
		return err
	}
	r.say("%s; the list is made again when the gateway runs", strings.Join(c.report.Problems, "; "))
	return r.keepObject(r.t.Schema.Name + "/" + live.ListName)
}

// markPartTexts marks the lost texts of a part, as far as it can be read.
func (r *tableRepair) markPartTexts(m *layout.PartMeta) error {
	if len(r.t.offload) == 0 {
		return nil
	}
	part, err := r.parts.openFile(r.t, m, cold.NewCache(0))
	if err != nil {
		return nil // what is wrong with it the check says
	}
	for k := range part.Chunks() {
		err := r.t.outsideTextsOfChunk(part.Chunk(k), r.markLostText("part "+m.Name))
		if err != nil {
			if errors.Is(partError(r.t, m, err), ErrCorrupt) {
				return nil
			}
			return err
		}
	}
	return nil
}

// dropReplaced takes out blocks and parts that others have replaced: where
// deletions were among what could not be read, they may be there again. Whatever
// replaces something has a higher id.
func (r *tableRepair) dropReplaced() error {
	if !r.gap {
		return nil
	}
	var m tableManifest
	if err := (&manifest{}).load(r.store, r.t, &m); err != nil {
		return err
	}
	type source struct {
		id   uint64
		keys [][]byte
		what string
		read func() ([]*vector.Column, error)
	}
	var sources []source
	for _, ref := range m.blocks {
		id, hour := ref.meta.ID, ref.meta.Hour
		sources = append(sources, source{
			id,
			[][]byte{layout.BlockKey(r.t.ID, hour, id), layout.MetaKey(r.t.ID, hour, id), layout.DeadKey(r.t.ID, hour, id), layout.DigestKey(r.t.ID, id)},
			"block " + strconv.FormatUint(id, 10), func() ([]*vector.Column, error) {
				b, err := readBlock(r.store, r.t, ref.meta)
				if err != nil {
					return nil, err
				}
				c, err := b.RowNumbers()
				return []*vector.Column{c}, err
			},
		})
	}
	for _, ref := range m.parts {
		id := ref.meta.ID
		sources = append(sources, source{
			id,
			[][]byte{layout.PartKey(r.t.ID, id), layout.PartIndexKey(r.t.ID, id), layout.PartDeadKey(r.t.ID, id), layout.UnsettledKey(r.t.ID, id), layout.DigestKey(r.t.ID, id)},
			"part " + ref.meta.Name, func() ([]*vector.Column, error) {
				part, err := r.parts.openFile(r.t, ref.meta, cold.NewCache(0))
				if err != nil {
					return nil, err
				}
				var all []*vector.Column
				for k := range part.Chunks() {
					c, err := part.Chunk(k).RowNumbers()
					if err != nil {
						return nil, err
					}
					all = append(all, c)
				}
				return all, nil
			},
		})
	}
	slices.SortFunc(sources, func(a, b source) int { return cmp.Compare(b.id, a.id) })
	seen := make(map[int64]vector.Bitmap) // bits by row number / each
	const each = 1 << 16
	for _, s := range sources {
		columns, err := s.read()
		if err != nil {
			return err
		}
		replaced := false
		for _, c := range columns {
			for _, n := range c.Ints {
				if seen[n/each] == nil {
					seen[n/each] = vector.NewBitmap(each)
				}
				replaced = replaced || seen[n/each].Get(int(n%each))
				if !replaced {
					seen[n/each].Set(int(n % each))
				}
			}
		}
		if replaced {
			r.say("%s of %s was replaced by others before, and is out again", s.what, r.t.Schema.Name)
			r.remove(s.keys...)
		}
	}
	return nil
}

// A liveRow is a row that may be another version of one that is live.
type liveRow struct {
	time   int64
	number uint64 // running number: of two versions the higher is the newer
	place  uint64 // id of the block or part
	row    int
}

// killVersions marks as dead what newer versions have replaced, where lost
// deletion vectors had said so.
func (r *tableRepair) killVersions() error {
	if len(r.t.key) == 0 || len(r.back) == 0 && !r.gap {
		return nil
	}
	var m tableManifest
	if err := (&manifest{}).load(r.store, r.t, &m); err != nil {
		return err
	}
	dead := make(map[uint64]vector.Bitmap)
	rows := make(map[uint64]int)
	byKey := make(map[string][]liveRow)
	kill := func(v liveRow) {
		if dead[v.place] == nil {
			dead[v.place] = vector.NewBitmap(rows[v.place])
		}
		dead[v.place].Set(v.row)
	}
	horizon := int64(r.opts.ReplaceHorizon)
	// First the rows that may be back, then all others against them.
	for _, back := range []bool{true, false} {
		err := r.eachLive(&m, func(id uint64) bool { return (r.gap || r.back[id]) == back }, rows, func(key string, v liveRow) {
			known, ok := byKey[key]
			if !back && !ok {
				return
			}
			for _, other := range known {
				switch {
				case !within(other.time, v.time, horizon):
				case other.number < v.number:
					kill(other)
				default:
					kill(v)
				}
			}
			byKey[key] = append(known, v)
		})
		if err != nil {
			return err
		}
	}
	total := 0
	for _, ref := range m.blocks {
		if d := dead[ref.meta.ID]; d != nil {
			total += d.Count()
			d = union(d, ref.dead)
			r.writes = append(r.writes, hot.Write{Key: layout.DeadKey(r.t.ID, ref.meta.Hour, ref.meta.ID), Value: layout.AppendDead(nil, d, ref.meta.Rows)})
		}
	}
	for _, p := range m.parts {
		if d := dead[p.meta.ID]; d != nil {
			total += d.Count()
			d = union(d, p.dead)
			r.writes = append(r.writes, hot.Write{Key: layout.PartDeadKey(r.t.ID, p.meta.ID), Value: layout.AppendDead(nil, d, p.meta.Rows)})
		}
	}
	r.say("%d rows of %s are dead again, since newer versions of them are there", total, r.t.Schema.Name)
	return nil
}

func union(a, b vector.Bitmap) vector.Bitmap {
	for i := range b {
		a[i] |= b[i]
	}
	return a
}

// eachLive calls fn with the live rows of the blocks and parts that are wanted.
func (r *tableRepair) eachLive(m *tableManifest, wanted func(id uint64) bool, rows map[uint64]int, fn func(key string, v liveRow)) error {
	walk := func(id uint64, from stored, n, offset int, isDead vector.Bitmap) error {
		keys, err := newBlockKeys(r.t, from, n)
		if err != nil {
			return err
		}
		numbers, err := from.RowNumbers()
		if err != nil {
			return err
		}
		for row := range n {
			if isDead == nil || !isDead.Get(row) {
				fn(string(keys.append(nil, row)), liveRow{keys.times[row], uint64(numbers.Ints[row]), id, offset + row})
			}
		}
		return nil
	}
	for _, ref := range m.blocks {
		if !wanted(ref.meta.ID) {
			continue
		}
		rows[ref.meta.ID] = ref.meta.Rows
		b, err := readBlock(r.store, r.t, ref.meta)
		if err == nil {
			err = walk(ref.meta.ID, b, ref.meta.Rows, 0, ref.dead)
		}
		if err != nil {
			return err
		}
	}
	for _, p := range m.parts {
		if !wanted(p.meta.ID) {
			continue
		}
		rows[p.meta.ID] = p.meta.Rows
		part, err := r.parts.openFile(r.t, p.meta, cold.NewCache(0))
		if err != nil {
			return err
		}
		for k := range part.Chunks() {
			chunk := part.Chunk(k)
			dead, _ := p.deadIn(k)
			if err := walk(p.meta.ID, chunk, chunk.Rows(), k*p.meta.ChunkRows, dead); err != nil {
				return err
			}
		}
	}
	return nil
}

// states makes the states of the tables again that are lost, and true of what
// there is.
func (p *repairer) states() error {
	applied, err := p.applied()
	if err != nil || applied == 0 {
		return err // nothing was ever flushed
	}
	next, err := p.firstRows(applied)
	if err != nil {
		return err
	}
	var writes []hot.Write
	mend := func(id uint8, name string, lost layout.TableState, least layout.TableState) error {
		raw, err := p.store.Get(layout.StateKey(id))
		if err != nil {
			return err
		}
		s, err := layout.DecodeState(raw)
		if err != nil {
			p.say("the state of %s was lost: it is made again of what there is", name)
			s = lost
		}
		if s.AppliedLSN < least.AppliedLSN || p.gap { // then the state may be of an older time
			s.AppliedLSN = applied
		}
		s.Rows, s.NextBlock = max(s.Rows, least.Rows), max(s.NextBlock, least.NextBlock)
		if encoded := s.Append(nil); !bytes.Equal(encoded, raw) {
			writes = append(writes, hot.Write{Key: layout.StateKey(id), Value: encoded})
		}
		return nil
	}
	for _, t := range p.tables {
		var m tableManifest
		if err := (&manifest{}).load(p.store, t, &m); err != nil {
			return err
		}
		var least layout.TableState
		note := func(lsn, row, id uint64) {
			least.AppliedLSN, least.Rows, least.NextBlock = max(least.AppliedLSN, lsn), max(least.Rows, row+1), max(least.NextBlock, id+1)
		}
		for _, ref := range m.blocks {
			note(ref.meta.MaxLSN, ref.meta.MaxRow, ref.meta.ID)
		}
		for _, ref := range m.parts {
			note(ref.meta.MaxLSN, ref.meta.MaxRow, ref.meta.ID)
		}
		lost := layout.TableState{AppliedLSN: applied, Rows: next[t.Record], NextBlock: 1}
		if p.gap {
			least.Rows = max(least.Rows, next[t.Record])
		}
		if err := mend(t.ID, t.Schema.Name, lost, least); err != nil {
			return err
		}
	}
	lost := layout.TableState{AppliedLSN: applied}
	if err := mend(layout.KeyedState, "the keyed tables", lost, layout.TableState{}); err != nil || len(writes) == 0 {
		return err
	}
	return p.store.Commit(writes)
}

// firstRows gives the running number of the first row behind the applied LSN of
// each kind of record, where the log tells.
func (p *repairer) firstRows(applied uint64) (map[record.Type]uint64, error) {
	next := make(map[record.Type]uint64)
	note := func(typ record.Type, row uint64) {
		if have, known := next[typ]; !known || row < have {
			next[typ] = row
		}
	}
	return next, wal.Walk(p.fs, p.fs.PathJoin(p.dir, layout.WALDir), func(h record.Header, payload []byte) {
		if h.LSN <= applied {
			return
		}
		if h.Type != record.WriteSet {
			note(h.Type, h.FirstRow)
			return
		}
		if set, err := record.DecodeWriteSet(payload); err == nil {
			for _, r := range set.Requests {
				part := partHeader(h, r)
				note(part.Type, part.FirstRow)
			}
		}
	})
}
