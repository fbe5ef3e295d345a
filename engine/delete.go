package engine

import (
	"errors"
	"slices"
	"time"

	"github.com/tael-sql/tael-sql/wal/record"
)

// A deletion is rows of a table to mark as dead, by their running numbers,
// ascending.
type deletion struct {
	table   *table
	numbers []uint64
}

// deletionsOf gives the deletes of a write set.
func (db *DB) deletionsOf(list []record.Deleted) []deletion {
	var out []deletion
	for _, d := range list {
		if t := db.byType[d.Type]; t != nil && len(d.Rows) > 0 {
			out = append(out, deletion{t, d.Rows})
		}
	}
	return out
}

// between gives the numbers from least to greatest.
func (d *deletion) between(least, greatest uint64) []uint64 {
	from, _ := slices.BinarySearch(d.numbers, least)
	to, found := slices.BinarySearch(d.numbers, greatest)
	if found {
		to++
	}
	return d.numbers[from:max(from, to)]
}

// findDeleted collects the places in blocks and parts of rows to delete.
func (db *DB) findDeleted(tv *tableView, d *deletion, kills blockKills) error {
	for _, ref := range tv.blocks {
		m := ref.meta
		wanted := d.between(m.MinRow, m.MaxRow)
		if len(wanted) == 0 {
			continue
		}
		b, err := db.openBlock(d.table, m)
		if err == nil {
			err = blockError(d.table, m, addPlaces(b, wanted, m.ID, 0, kills))
		}
		if err := db.deleteError(d.table, err); err != nil {
			return err
		}
	}
	for _, ref := range tv.parts {
		err := partError(d.table, ref.meta, db.findDeletedIn(ref, d, kills))
		if err := db.deleteError(d.table, err); err != nil {
			return err
		}
	}
	return nil
}

func (db *DB) findDeletedIn(ref *partRef, d *deletion, kills blockKills) error {
	m := ref.meta
	if len(d.between(m.MinRow, m.MaxRow)) == 0 {
		return nil
	}
	index, err := db.parts.index(d.table, m)
	if err != nil {
		return err
	}
	for k, c := range index.Chunks {
		wanted := d.between(c.MinRow, c.MaxRow)
		if len(wanted) == 0 {
			continue
		}
		part, err := db.parts.part(d.table, m)
		if err != nil {
			return err
		}
		if err := addPlaces(part.Chunk(k), wanted, m.ID, k*m.ChunkRows, kills); err != nil {
			return err
		}
	}
	return nil
}

// addPlaces adds the rows of a block or chunk, which begins at row first of its
// part, whose numbers are wanted.
func addPlaces(from stored, wanted []uint64, id uint64, first int, kills blockKills) error {
	numbers, err := from.RowNumbers()
	if err != nil {
		return err
	}
	for row, n := range numbers.Ints {
		if _, ok := slices.BinarySearch(wanted, uint64(n)); ok {
			kills[id] = append(kills[id], first+row)
		}
	}
	return nil
}

// deleteError makes damage a message: rows that cannot be read cannot be found,
// and nobody sees them.
func (db *DB) deleteError(t *table, err error) error {
	if errors.Is(err, ErrCorrupt) {
		db.opts.Logger.Error("rows to delete cannot be found in damaged storage", "table", t.Schema.Name, "error", err)
		return nil
	}
	return err
}

// deleteInMemtable marks the rows that are in the memtable.
func (tv *tableView) deleteInMemtable(numbers []uint64) {
	byBatch := make(map[int][]int) // place in mem -> rows
	for _, n := range numbers {
		if at, row, ok := findRow(tv.mem, n); ok {
			byBatch[at] = append(byBatch[at], row)
		}
	}
	if len(byBatch) == 0 {
		return
	}
	tv.mem = slices.Clone(tv.mem) // other views share the array
	for at, rows := range byBatch {
		killed, n := tv.mem[at].kill(rows)
		tv.mem[at] = killed
		tv.dead += int64(n)
	}
}

// findAllDeleted adds to kills, by table, what the entries delete from blocks
// and parts. A record cannot be taken back: while the object store is not
// available it is waited for.
func (db *DB) findAllDeleted(base *View, entries []*entry, kills []blockKills) error {
	for _, e := range entries {
		for i := range e.deletes {
			d := &e.deletes[i]
			n := d.table.number
			for {
				found := make(blockKills)
				err := db.findDeleted(base.tables[n], d, found)
				if errors.Is(err, ErrUnavailable) && db.Err() == nil {
					db.opts.Logger.Error("waiting for the object store: rows in parts are to be deleted", "error", err)
					time.Sleep(deleteRetry)
					continue
				}
				if err != nil {
					return err
				}
				if kills[n] == nil {
					kills[n] = make(blockKills)
				}
				for id, rows := range found {
					kills[n][id] = append(kills[n][id], rows...)
				}
				break
			}
		}
	}
	return nil
}

const deleteRetry = time.Second
