package engine

import (
	"context"
	"fmt"

	"github.com/tael-sql/tael-sql/wal/record"
)

// Commit makes a write set durable and visible as one record, as Append does
// for a request, and gives its LSN. Where a row has another version than the
// one that was seen it gives ErrConflict, and nothing was written. No row comes
// twice in a write set.
func (db *DB) Commit(ctx context.Context, ws *WriteSet) (lsn uint64, err error) {
	if err := db.Err(); err != nil {
		return 0, err
	}
	if db.opts.Standby {
		return 0, ErrStandby
	}
	size := int64(0)
	for _, r := range ws.Requests {
		size += int64(len(r.Body))
	}
	for _, w := range ws.Keyed {
		size += int64(len(w.Key) + len(w.Value))
	}
	for _, d := range ws.Deletes {
		size += 4 * int64(len(d.Rows))
	}
	if err := db.admit(size); err != nil {
		return 0, err
	}
	defer db.inFlight.Add(-size)
	e := &entry{header: ws.Header, done: make(chan struct{})}
	e.header.Type, e.header.Codec = record.WriteSet, record.NoCodec
	if e.header.ReceiveNanos == 0 {
		e.header.ReceiveNanos = db.opts.Now().UnixNano()
	}
	body := &record.WriteSetBody{Deletes: ws.Deletes}
	e.deletes = db.deletionsOf(ws.Deletes)
	for _, w := range ws.Keyed {
		body.Rows = append(body.Rows, record.KeyedRow{Table: w.Table, Key: w.Key, Value: w.Value, Deleted: w.Value == nil})
		e.keyed = append(e.keyed, keyedVersion{table: w.Table, key: w.Key, value: w.Value, deleted: w.Value == nil})
	}
	for _, r := range ws.Requests {
		t, ok := db.byType[r.Header.Type]
		if !ok {
			return 0, fmt.Errorf("engine: no table takes records of type %v", r.Header.Type)
		}
		part := record.Part{
			Type: r.Header.Type, Codec: r.Header.Codec, MappingVersion: r.Header.MappingVersion,
			Payload: record.Compress(r.Header.Codec, r.Body),
		}
		body.Requests = append(body.Requests, part)
		e.parts = append(e.parts, &pending{header: partHeader(e.header, part), table: t, rows: r.Rows, items: r.Items})
	}
	if err := db.enqueueSet(e, ws, body); err != nil {
		return 0, err
	}
	return e.header.LSN, db.await(ctx, e)
}

// partHeader is the header that a request within a write set would have as a
// record of its own.
func partHeader(h record.Header, p record.Part) record.Header {
	h.Type, h.Codec, h.MappingVersion, h.FirstRow = p.Type, p.Codec, p.MappingVersion, p.FirstRow
	return h
}

// enqueueSet verifies what the write set has seen, and enqueues it. The rows
// are read before appendMu is taken; if a write set was applied in between,
// they are read again.
func (db *DB) enqueueSet(e *entry, ws *WriteSet, body *record.WriteSetBody) error {
	for {
		v := db.View()
		err := v.verifySeen(ws.Keyed)
		lsn := v.lsn
		v.Release()
		if err != nil {
			return err
		}
		db.appendMu.Lock()
		if db.keyedApplied > lsn {
			db.appendMu.Unlock()
			continue
		}
		err = db.enqueueVerified(e, ws, body)
		db.appendMu.Unlock()
		return err
	}
}

// verifySeen compares the versions in the view with those that were seen.
func (v *View) verifySeen(writes []KeyedWrite) error {
	for _, w := range writes {
		row, _, err := v.KeyedGet(w.Table, w.Key)
		if err != nil {
			return err
		}
		if row.LSN != w.Seen {
			return fmt.Errorf("%w: record %d wrote it, %d was seen", ErrConflict, row.LSN, w.Seen)
		}
	}
	return nil
}

// enqueueVerified numbers the requests of a write set and enqueues it, unless
// a record that is not applied yet writes the same row. The caller holds
// appendMu.
func (db *DB) enqueueVerified(e *entry, ws *WriteSet, body *record.WriteSetBody) error {
	for _, w := range ws.Keyed {
		if lsn, ok := db.keyedOnWay[keyedName(w.Table, w.Key)]; ok && lsn != w.Seen {
			return fmt.Errorf("%w: record %d writes it", ErrConflict, lsn)
		}
	}
	next := make(map[int]uint64)
	for i, p := range e.parts {
		first, ok := next[p.table.number]
		if !ok {
			first = db.nextRow[p.table.number]
		}
		p.header.FirstRow, body.Requests[i].FirstRow = first, first
		next[p.table.number] = first + uint64(p.items)
	}
	return db.enqueueLocked(e, body.Append(nil))
}

func keyedName(table uint8, key []byte) string { return string(append([]byte{table}, key...)) }

// forgetOnWay notes that records have been applied. They are visible already,
// so a later record that saw them may be on its way with the same rows: its
// mark stays.
func (db *DB) forgetOnWay(applied []*entry) {
	for _, e := range applied {
		if len(e.keyed) == 0 {
			continue
		}
		db.appendMu.Lock()
		db.keyedApplied = e.header.LSN
		for _, k := range e.keyed {
			if name := keyedName(k.table, k.key); db.keyedOnWay[name] == k.lsn {
				delete(db.keyedOnWay, name)
			}
		}
		db.appendMu.Unlock()
	}
}
