package engine

import (
	"errors"
	"slices"
	"time"

	"github.com/tael-sql/tael-sql/engine/layout"
)

// apply adds records to the memtable, marks the rows that they replace as
// dead, and publishes one view that has all of it. Records come in LSN order,
// from one goroutine.
//
// Blocks are read, to verify that a key is there, before stateMu is taken. If
// the list of blocks changes in between, because a flush ends, they are looked
// through again.
func (db *DB) apply(entries []*entry) error {
	var batch []*pending
	for _, e := range entries {
		batch = append(batch, e.parts...)
	}
	for {
		base := db.View()
		kills, err := db.replacedInBlocks(base, batch)
		if err == nil {
			err = db.findAllDeleted(base, entries, kills)
		}
		published := err == nil && db.publishBatch(base, entries, kills)
		base.Release()
		if err != nil || published {
			return err
		}
	}
}

// blockKills is rows of blocks and parts, by their ids.
type blockKills map[uint64][]int

// replacedInBlocks gives, by table, the rows of blocks that the batch replaces.
func (db *DB) replacedInBlocks(base *View, batch []*pending) ([]blockKills, error) {
	kills := make([]blockKills, len(db.tables))
	for _, p := range batch {
		t := p.table
		if len(t.key) == 0 || p.rows == nil || p.rows.N == 0 || len(base.tables[t.number].blocks)+len(base.tables[t.number].parts) == 0 {
			continue
		}
		if kills[t.number] == nil {
			kills[t.number] = make(blockKills)
		}
		if err := db.findInBlocks(base, p, kills[t.number]); err != nil {
			return nil, err
		}
	}
	return kills, nil
}

// findInBlocks collects the places in blocks of the rows that p replaces.
func (db *DB) findInBlocks(base *View, p *pending, kills blockKills) error {
	t := p.table
	index := db.blockIndexes[t.number]
	index.follow(base, base.tables[t.number])
	horizon := int64(db.opts.ReplaceHorizon)
	times := p.rows.Cols[t.time].Ints

	hashes := make([]uint64, p.rows.N)
	froms, tos := make([]int64, p.rows.N), make([]int64, p.rows.N)
	from, to := hourRange(times[0], horizon)
	var key []byte
	for i := range hashes {
		key = t.keyBytes(key[:0], p.rows, i)
		hashes[i] = layout.Hash(key)
		froms[i], tos[i] = hourRange(times[i], horizon)
		from, to = min(from, froms[i]), max(to, tos[i])
	}
	for hour, h := range index.hours {
		late := hour == layout.LateHour
		if !late && (hour < from || hour > to) || len(h.blocks) == 0 {
			continue
		}
		if err := h.load(func(m *layout.BlockMeta) (*blockKeys, error) { return db.soundKeys(t, m) }); err != nil {
			return err
		}
		for i, hash := range hashes {
			if (late || hour >= froms[i] && hour <= tos[i]) && h.filter.contains(hash) {
				if err := db.verifyKey(p, i, hash, h, kills); err != nil {
					return err
				}
			}
		}
	}
	return db.findInParts(base.tables[t.number].parts, p, kills)
}

// soundKeys gives the keys of a block, nil of a damaged one: its rows are no
// longer replaced, ingest goes on, and scans and the check name it.
func (db *DB) soundKeys(t *table, m *layout.BlockMeta) (*blockKeys, error) {
	keys, err := db.readKeys(t, m)
	if errors.Is(err, ErrCorrupt) {
		db.opts.Logger.Error("replaced rows cannot be found in a damaged block", "table", t.Schema.Name, "error", err)
		return nil, nil
	}
	return keys, err
}

// verifyKey collects the rows of an hour's blocks that row i of p replaces.
func (db *DB) verifyKey(p *pending, i int, hash uint64, h *hourIndex, kills blockKills) error {
	t := p.table
	key := t.keyBytes(nil, p.rows, i)
	for _, m := range h.blocks {
		if !m.Keys.Contains(hash) {
			continue
		}
		keys, err := db.soundKeys(t, m)
		if err != nil {
			return err
		}
		if keys == nil {
			continue
		}
		keys.find(hash, key, p.rows.Cols[t.time].Ints[i], int64(db.opts.ReplaceHorizon), func(row int) {
			kills[m.ID] = append(kills[m.ID], row)
		})
	}
	return nil
}

// publishBatch stores the view after the batch; false if the list of blocks is
// no longer that of base.
func (db *DB) publishBatch(base *View, entries []*entry, kills []blockKills) bool {
	now := db.opts.Now()
	db.stateMu.Lock()
	defer db.stateMu.Unlock()
	current := db.view.Load()
	if current.generation != base.generation {
		return false
	}
	next := current.clone()
	for _, e := range entries {
		next.lsn = max(next.lsn, e.header.LSN)
		db.noteArrival(e.header.ReceiveNanos)
		if len(e.keyed) > 0 {
			next.keyed.add(e.keyed, now)
		}
		for _, p := range e.parts {
			tv := next.tables[p.table.number]
			tv.nextRow = p.header.FirstRow + uint64(p.items)
			switch {
			case p.rows == nil || p.rows.N == 0 || db.opts.faults.writeSetInPart && e.keyed != nil:
			case len(p.table.key) > 0:
				db.replaceInMemtable(p, tv, now)
			default:
				tv.add(p.table, newMemBatch(p), now, db.opts.BlockRows, db.fan)
			}
		}
		for _, d := range e.deletes {
			next.tables[d.table.number].deleteInMemtable(d.numbers)
		}
	}
	for _, e := range entries {
		for _, p := range e.parts {
			for id, keys := range p.unsettled {
				next.tables[p.table.number].unsettle(id, keys)
			}
		}
		for _, d := range e.deletes {
			for id, rows := range d.unsettled {
				next.tables[d.table.number].unsettle(id, rows)
			}
		}
	}
	for number, byBlock := range kills {
		for id, rows := range byBlock {
			next.tables[number].killStored(id, rows)
		}
	}
	db.publishLocked(next)
	return true
}

// replaceInMemtable adds the rows of p, after marking those that they replace.
// The later of two equal keys within one request wins too.
func (db *DB) replaceInMemtable(p *pending, tv *tableView, now time.Time) {
	t, index, horizon := p.table, db.memKeys[p.table.number], int64(db.opts.ReplaceHorizon)
	batch := newMemBatch(p)
	byBatch := make(map[int][]int) // place in tv.mem → rows
	var own []int
	var chain []uint64 // rows of the same hash that stay
	var key, other []byte
	times := p.rows.Cols[t.time].Ints
	for i := range p.rows.N {
		key = t.keyBytes(key[:0], p.rows, i)
		hash := layout.Hash(key)
		chain = chain[:0]
		number, ok := index.newest[hash]
		for ; ok; number, ok = index.older[number] {
			if number >= batch.numbers[0] {
				row, _ := batch.row(number)
				other = t.keyBytes(other[:0], p.rows, row)
				if string(other) == string(key) && within(times[row], times[i], horizon) {
					own = append(own, row)
				} else {
					chain = append(chain, number)
				}
				continue
			}
			at, row, found := findRow(tv.mem, number)
			if !found {
				continue
			}
			rows := tv.mem[at].rows
			other = t.keyBytes(other[:0], rows, row)
			if string(other) == string(key) && within(rows.Cols[t.time].Ints[row], times[i], horizon) {
				byBatch[at] = append(byBatch[at], row)
			} else {
				chain = append(chain, number)
			}
		}
		index.add(hash, batch.numbers[i], chain)
	}
	if len(byBatch) > 0 {
		tv.mem = slices.Clone(tv.mem) // other views share the array
		for at, rows := range byBatch {
			killed, n := tv.mem[at].kill(rows)
			tv.mem[at] = killed
			tv.dead += int64(n)
		}
	}
	if len(own) > 0 {
		var n int
		batch, n = batch.kill(own)
		tv.dead += int64(n)
	}
	tv.add(t, batch, now, db.opts.BlockRows, db.fan)
}
