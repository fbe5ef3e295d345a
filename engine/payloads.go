package engine

import (
	"time"

	"github.com/tael-sql/tael-sql/engine/layout"
	"github.com/tael-sql/tael-sql/internal/vector"
)

// Payloads are what TableSpec.Offload names of a table, long and short. Of rows
// older than Options.Payloads they are invisible from that moment: a scan is
// told by ScanRequest.PayloadsSince where they begin. A sweep puts a mark in the
// place of a text outside the rows, once all rows of every block and part that
// refers to it are that old. Short payloads go with their rows.

// PayloadCutoff gives the time, in ns since 1970, before which rows of a table
// have no payloads at a moment; 0 if all have.
func (db *DB) PayloadCutoff(table string, now int64) int64 {
	return cutoff(db.opts.Payloads[table], now)
}

// withoutPayloads gives what a scan is to see of a column, as it is stored, if
// some of its rows have lost their payloads.
func (t *table) withoutPayloads(ref ColumnRef, c *vector.Column, lost func(row int) bool) *vector.Column {
	o := t.offload[ref.Field]
	switch {
	case o == nil || ref.Digest || ref.Key != "" && !o.Key(ref.Key):
		return c
	case c.Kind == vector.Map:
		return o.dropAttributes(c, lost)
	case ref.Key != "":
		return nullWhere(c, lost)
	}
	return o.replace(c, func(row int) bool { return lost(row) && o.isPayload(c.Str(row)) })
}

// isPayload reports whether a text of a String field, as it is stored, is
// payload.
func (o *Offload) isPayload(stored string) bool {
	text, _, outside, _ := layout.ParseStored(stored)
	return outside || o.Text == nil || o.Text(text)
}

func nullWhere(c *vector.Column, lost func(row int) bool) *vector.Column {
	out := *c
	if out.Valid = c.Valid.Clone(); c.Valid == nil {
		out.Valid = vector.Ones(c.Len)
	}
	for row := range c.Len {
		if lost(row) {
			out.Valid.Clear(row)
		}
	}
	return &out
}

// replace gives a String column with Gone in the place of some texts.
func (o *Offload) replace(c *vector.Column, gone func(row int) bool) *vector.Column {
	if o.Gone == "" {
		return nullWhere(c, func(row int) bool { return !c.IsNull(row) && gone(row) })
	}
	out := &vector.Column{Kind: vector.String, Len: c.Len, Valid: c.Valid, Strs: make([]string, c.Len)}
	for row := range c.Len {
		if c.IsNull(row) {
			continue
		}
		if out.Strs[row] = c.Str(row); gone(row) {
			out.Strs[row] = o.Gone
		}
	}
	return out
}

func (o *Offload) dropAttributes(c *vector.Column, lost func(row int) bool) *vector.Column {
	chosen := make([]bool, len(c.Attrs.KeyDict))
	some := false
	for k, key := range c.Attrs.KeyDict {
		chosen[k] = o.Key(key)
		some = some || chosen[k]
	}
	if !some {
		return c
	}
	return dropEntries(c, func(row int, e uint32) bool { return chosen[c.Attrs.Keys[e]] && lost(row) })
}

// dropEntries gives a Map column without some attributes.
func dropEntries(c *vector.Column, dropped func(row int, e uint32) bool) *vector.Column {
	a := c.Attrs
	out := &vector.Attrs{Off: make([]uint32, len(a.Off)), KeyDict: a.KeyDict, Strs: a.Strs}
	for row := range c.Len {
		for e := a.Off[row]; e < a.Off[row+1]; e++ {
			if !dropped(row, e) {
				out.Keys, out.Tags, out.Vals = append(out.Keys, a.Keys[e]), append(out.Tags, a.Tags[e]), append(out.Vals, a.Vals[e])
			}
		}
		out.Off[row+1] = uint32(len(out.Keys))
	}
	copied := *c
	copied.Attrs = out
	return &copied
}

// lostPayloads tells which rows have lost their payloads; nil: none. With rows,
// they are counted among these.
func (l *lazyRun) lostPayloads(rows []int32) (func(row int) bool, error) {
	since := l.scan.payloads
	switch m := l.run.meta; {
	case m.MinTime >= since:
		return nil, nil
	case m.MaxTime < since:
		return func(int) bool { return true }, nil
	}
	if l.times == nil {
		c, err := l.open.Column(l.scan.table.time)
		if err != nil {
			return nil, err
		}
		l.times = c.Ints
	}
	return func(row int) bool {
		if rows != nil {
			row = int(rows[row])
		}
		return l.times[row] < since
	}, nil
}

// isGone reports whether what a sweep has put in the place of a text was read.
func isGone(stored, text string) bool {
	_, ref, outside, _ := layout.ParseStored(stored)
	return outside && text == layout.ExpiredText(ref.Hash)
}

// payloadCutoffs gives by table the time before which rows have no payloads, by
// a clock that is believed.
func (db *DB) payloadCutoffs(now int64) []int64 {
	out := make([]int64, len(db.tables))
	for i, t := range db.tables {
		out[i] = db.PayloadCutoff(t.Schema.Name, now)
	}
	return out
}

// checkPayloads refuses retention of payloads that a sweep cannot take away.
func (o Options) checkPayloads(name string, keep time.Duration) bool {
	for _, t := range o.Tables {
		if t.Schema == nil || t.Schema.Name != name {
			continue
		}
		for _, off := range t.Offload {
			if i := t.Schema.Index(off.Field); i < 0 || t.Schema.Fields[i].Tokens {
				return false // token filters are compared with the texts
			}
		}
		return keep >= 0
	}
	return false
}
