package engine

import (
	"errors"
	"maps"
	"slices"

	"github.com/tael-sql/tael-sql/engine/cold"
	"github.com/tael-sql/tael-sql/engine/layout"
	"github.com/tael-sql/tael-sql/wal/record"
)

// A deletion is rows of a table to mark as dead, by their running numbers,
// ascending.
type deletion struct {
	table   *table
	numbers []uint64

	unsettled map[uint64][]layout.Unsettled // by part that cannot be read, until the next look
}

// deletionsOf gives the deletes of a write set.
func (db *DB) deletionsOf(list []record.Deleted) []deletion {
	var out []deletion
	for _, d := range list {
		if t := db.byType[d.Type]; t != nil && len(d.Rows) > 0 {
			out = append(out, deletion{table: t, numbers: d.Rows})
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
	d.unsettled = nil
	for _, ref := range tv.parts {
		found := make(blockKills)
		err := partError(d.table, ref.meta, db.findDeletedIn(ref, d, found))
		if db.parts.mayComeBack(ref.meta, err) {
			db.opts.Logger.Error("rows to delete cannot be found in a part", "table", d.table.Schema.Name, "error", err)
			if d.unsettled == nil {
				d.unsettled = make(map[uint64][]layout.Unsettled)
			}
			d.unsettled[ref.meta.ID] = d.unsettledIn(ref.meta)
			continue
		}
		if err := db.deleteError(d.table, err); err != nil {
			return err
		}
		maps.Copy(kills, found)
	}
	return nil
}

// unsettledIn gives the rows that are to be looked for in a part.
func (d *deletion) unsettledIn(m *layout.PartMeta) []layout.Unsettled {
	numbers := d.between(m.MinRow, m.MaxRow)
	rows := make([]layout.Unsettled, len(numbers))
	for i, n := range numbers {
		rows[i].Nanos = int64(n)
	}
	return rows
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
	return d.findIn(m, index, kills, func() (*cold.Part, error) { return db.parts.part(d.table, m) })
}

// findIn opens the part only if a chunk may have one of the rows.
func (d *deletion) findIn(m *layout.PartMeta, index *layout.PartIndex, kills blockKills, open func() (*cold.Part, error)) error {
	for k, c := range index.Chunks {
		wanted := d.between(c.MinRow, c.MaxRow)
		if len(wanted) == 0 {
			continue
		}
		part, err := open()
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
// and parts.
func (db *DB) findAllDeleted(base *View, entries []*entry, kills []blockKills) error {
	for _, e := range entries {
		for i := range e.deletes {
			d := &e.deletes[i]
			n := d.table.number
			found := make(blockKills)
			if err := db.findDeleted(base.tables[n], d, found); err != nil {
				return err
			}
			if kills[n] == nil {
				kills[n] = make(blockKills)
			}
			for id, rows := range found {
				kills[n][id] = append(kills[n][id], rows...)
			}
		}
	}
	return nil
}
