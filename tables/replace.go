package tables

import (
	"context"
	"slices"
	"time"

	"github.com/tael-sql/tael-sql/engine"
	"github.com/tael-sql/tael-sql/internal/vector"
)

// replaceHorizon is how far apart the times of two versions of a span may be
// for the newer to replace the older: what the engine does at COMMIT.
const replaceHorizon = int64(24 * time.Hour)

// versions are the times of the spans that a transaction has written, by key.
type versions map[string][]int64

// replaces reports whether a row of that key and time has a newer version.
func (v versions) replaces(key string, nanos int64) bool {
	for _, other := range v[key] {
		if max(other, nanos)-min(other, nanos) <= replaceHorizon {
			return true
		}
	}
	return false
}

func (v versions) add(key string, nanos int64) {
	if !slices.Contains(v[key], nanos) {
		v[key] = append(v[key], nanos)
	}
}

// keyPlaces are the places of a span's key and time among columns.
type keyPlaces struct{ trace, span, time int }

// keyOf gives the key and the time of a row.
func keyOf(trace, span, times *vector.Column, row int) (key string, nanos int64) {
	return string(trace.HexBytes(row)) + string(span.HexBytes(row)), times.Ints[row]
}

// keyOf gives the key and the time of the row that a write adds.
func (w *write) keyOf(at keyPlaces) (key string, nanos int64) {
	c := w.decoded.Cols
	return keyOf(c[at.trace], c[at.span], c[at.time], 0)
}

// ownRows gives the rows that writes add to the table and neither delete nor
// replace again, with their numbers, and for spans their versions. A span that
// is deleted again has replaced others before.
func (t *telemetry) ownRows(writes []write, gone map[int64]bool) (rows []*vector.Rows, numbers []int64, newer versions) {
	replaces := len(t.rel.PrimaryKey) > 0
	at := t.keyFields()
	for i := len(writes) - 1; i >= 0; i-- {
		w := writes[i]
		if w.telemetry != t || w.decoded == nil {
			continue
		}
		skip := gone[ownNumber(i)]
		if replaces {
			key, nanos := w.keyOf(at)
			skip = skip || newer.replaces(key, nanos)
			if newer == nil {
				newer = make(versions)
			}
			newer.add(key, nanos) // what is replaced itself has replaced others before
		}
		if skip {
			continue
		}
		rows, numbers = append(rows, w.decoded), append(numbers, ownNumber(i))
	}
	slices.Reverse(rows)
	slices.Reverse(numbers)
	return rows, numbers, newer
}

// unstored gives the places of the writes to the table that COMMIT does not
// store: rows that were deleted again, and spans that one of these has replaced.
// What such spans have replaced in their turn stays so: their versions tell.
func (t *telemetry) unstored(writes []write) (places map[int]bool, of versions) {
	gone := deletedFrom(writes, t)
	if gone == nil {
		return nil, nil
	}
	places, of = make(map[int]bool), make(versions)
	replaces, at := len(t.rel.PrimaryKey) > 0, t.keyFields()
	for i, w := range slices.Backward(writes) {
		if w.telemetry != t || w.decoded == nil {
			continue
		}
		places[i] = gone[ownNumber(i)]
		if !replaces {
			continue
		}
		key, nanos := w.keyOf(at)
		if places[i] = places[i] || of.replaces(key, nanos); places[i] {
			of.add(key, nanos)
		}
	}
	return places, of
}

// stored gives the numbers of the rows that versions replace.
func (v versions) stored(ctx context.Context, view *engine.View, t *telemetry) (numbers []uint64, err error) {
	at := t.keyFields()
	width := t.schema.Fields[at.trace].Width
	traces := make(map[string]bool)
	var ids []any
	for key := range v {
		if id := key[:width]; !traces[id] {
			traces[id] = true
			ids = append(ids, []byte(id))
		}
	}
	scan, err := view.Scan(engine.ScanRequest{
		Table: t.schema.Name, Columns: []engine.ColumnRef{{Field: at.trace}, {Field: at.span}, {Field: at.time}, {Field: engine.RowNumber}},
		Filters: []engine.Filter{{Ref: engine.ColumnRef{Field: at.trace}, Equals: ids}},
	})
	if err != nil {
		return nil, storageError(err)
	}
	r := scan.Reader()
	defer r.Close()
	for {
		b, err := r.Next(ctx)
		if err != nil || b == nil {
			return numbers, storageError(err)
		}
		var cols [4]*vector.Column
		for i := range cols {
			if cols[i], err = b.Column(i); err != nil {
				return nil, storageError(err)
			}
		}
		for k := range b.Live() {
			row := b.Row(k)
			if key, nanos := keyOf(cols[0], cols[1], cols[2], row); v.replaces(key, nanos) {
				numbers = append(numbers, uint64(cols[3].Ints[row]))
			}
		}
	}
}

func (t *telemetry) keyFields() keyPlaces {
	return keyPlaces{t.schema.Index("trace_id"), t.schema.Index("span_id"), t.schema.Index(t.timeField)}
}

// needKey has a scan read key and time, and gives their places.
func (p *projection) needKey() keyPlaces {
	at := p.table.keyFields()
	return keyPlaces{p.need(engine.ColumnRef{Field: at.trace}), p.need(engine.ColumnRef{Field: at.span}), p.need(engine.ColumnRef{Field: at.time})}
}

// A withoutReplaced leaves out the spans of which the transaction has written a
// newer version.
type withoutReplaced struct {
	vector.Reader
	newer versions
	at    keyPlaces
}

func (r *withoutReplaced) Next(ctx context.Context) (*vector.Batch, error) {
	for {
		b, err := r.Reader.Next(ctx)
		if err != nil || b == nil {
			return b, err
		}
		var cols [3]*vector.Column
		for i, place := range []int{r.at.trace, r.at.span, r.at.time} {
			if cols[i], err = b.Column(place); err != nil {
				return nil, err
			}
		}
		sel := make([]int32, 0, b.Live())
		for k := range b.Live() {
			row := b.Row(k)
			if key, nanos := keyOf(cols[0], cols[1], cols[2], row); !r.newer.replaces(key, nanos) {
				sel = append(sel, int32(row))
			}
		}
		if len(sel) == b.Live() {
			return b, nil
		}
		if len(sel) > 0 {
			return b.Select(sel), nil
		}
	}
}
