package engine

import (
	"slices"

	"github.com/tael-sql/tael-sql/engine/layout"
	"github.com/tael-sql/tael-sql/internal/vector"
)

// apply adds records to the memtable, marks the rows that they replace as
// dead, and publishes one view that has all of it. Records come in LSN order,
// from one goroutine.
//
// Blocks are read, to verify that a key is there, before stateMu is taken. A
// flush that ends in between moves rows from the memtable to blocks that were
// not looked at: the generation tells, and the blocks are looked through again.
func (db *DB) apply(batch []*pending) {
	for {
		generation := db.generation.Load()
		kills := db.replacedInBlocks(batch)
		if db.publish(batch, kills, generation) {
			return
		}
	}
}

// replacedInBlocks gives, by table, the rows of blocks that the batch replaces.
func (db *DB) replacedInBlocks(batch []*pending) []map[uint64][]int {
	kills := make([]map[uint64][]int, len(db.tables))
	for _, p := range batch {
		if len(p.table.key) == 0 || p.rows == nil || p.rows.N == 0 {
			continue
		}
		if kills[p.table.number] == nil {
			kills[p.table.number] = make(map[uint64][]int)
		}
		db.findInBlocks(p, kills[p.table.number])
	}
	return kills
}

// publish stores the view after the batch; false if a flush has ended since
// generation.
func (db *DB) publish(batch []*pending, kills []map[uint64][]int, generation uint64) bool {
	db.stateMu.Lock()
	defer db.stateMu.Unlock()
	if db.generation.Load() != generation {
		return false
	}
	next := db.view.Load().clone()
	for _, p := range batch {
		next.lsn = max(next.lsn, p.header.LSN)
		next.tables[p.table.number].nextRow = p.header.FirstRow + uint64(p.items)
		if p.rows == nil || p.rows.N == 0 {
			continue
		}
		tv := next.tables[p.table.number]
		if len(p.table.key) > 0 {
			db.replaceInMemtable(p, tv)
		} else {
			tv.add(p.table, newMemBatch(p))
		}
	}
	for number, byBlock := range kills {
		for id, rows := range byBlock {
			next.tables[number].killInBlock(id, rows)
		}
	}
	db.view.Store(next)
	return true
}

// findInBlocks collects the places in blocks of the rows that p replaces.
func (db *DB) findInBlocks(p *pending, kills map[uint64][]int) {
	t := p.table
	index := db.keys[t.number]
	times := p.rows.Cols[t.time].Ints
	var key []byte
	opened := make(map[*blockRef]*blockKeys)
	for i := range p.rows.N {
		key = t.keyBytes(key[:0], p.rows, i)
		hash := layout.Hash(key)
		db.stateMu.Lock()
		var maybe []*blockRef
		index.candidates(hash, times[i], func(b *blockRef) { maybe = append(maybe, b) })
		db.stateMu.Unlock()
		for _, ref := range maybe {
			keys, ok := opened[ref]
			if !ok {
				var err error
				if keys, err = db.cache.keys(ref, func() (*blockKeys, error) { return db.readKeys(t, ref) }); err != nil {
					// The row stays beside its older version; check and scans name the block.
					db.opts.Logger.Error("a block cannot be read to find replaced rows", "block", ref.meta.ID, "error", err)
				}
				opened[ref] = keys
			}
			if keys == nil {
				continue
			}
			if row, ok := keys.find(hash, key); ok {
				kills[ref.meta.ID] = append(kills[ref.meta.ID], row)
			}
		}
	}
}

// replaceInMemtable adds the rows of p, after marking those that they replace.
// The later of two equal keys within one request wins too.
func (db *DB) replaceInMemtable(p *pending, tv *tableView) {
	t, index := p.table, db.keys[p.table.number]
	batch := newMemBatch(p)
	byBatch := make(map[int][]int) // place in tv.mem → rows
	var own []int
	var key []byte
	for i := range p.rows.N {
		key = t.keyBytes(key[:0], p.rows, i)
		hash := layout.Hash(key)
		if number, ok := index.mem[hash]; ok {
			if number >= batch.numbers[0] {
				row, _ := slices.BinarySearch(batch.numbers, number)
				if string(t.keyBytes(nil, p.rows, row)) == string(key) {
					own = append(own, row)
				}
			} else if at, row, ok := findRow(tv.mem, number); ok && string(t.keyBytes(nil, tv.mem[at].rows, row)) == string(key) {
				byBatch[at] = append(byBatch[at], row)
			}
		}
		index.mem[hash] = batch.numbers[i]
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
	tv.add(t, batch)
}

// killInBlock marks rows of a block as dead.
func (tv *tableView) killInBlock(id uint64, rows []int) {
	at, ok := slices.BinarySearchFunc(tv.blocks, id, func(b *blockRef, id uint64) int {
		switch {
		case b.meta.ID < id:
			return -1
		case b.meta.ID > id:
			return 1
		}
		return 0
	})
	if !ok {
		return
	}
	next := *tv.blocks[at]
	if next.dead == nil {
		next.dead = vector.NewBitmap(next.meta.Rows)
	} else {
		next.dead = next.dead.Clone()
	}
	n := 0
	for _, row := range rows {
		if !next.dead.Get(row) {
			next.dead.Set(row)
			n++
		}
	}
	if n == 0 {
		return
	}
	next.deadCount += n
	next.deadChanged = true
	tv.blocks = slices.Clone(tv.blocks)
	tv.blocks[at] = &next
	tv.dead += int64(n)
}
