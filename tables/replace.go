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

// keyPlaces are the places of a span's key and time among columns.
type keyPlaces struct{ trace, span, time int }

// keyOf gives the key and the time of a row.
func keyOf(trace, span, times *vector.Column, row int) (key string, nanos int64) {
	return string(trace.HexBytes(row)) + string(span.HexBytes(row)), times.Ints[row]
}

// ownRows gives the rows that writes add to the table and neither delete nor
// replace again, with their numbers, and for spans their versions. A span that
// is inserted and deleted replaces nothing.
func (t *telemetry) ownRows(writes []write, gone map[int64]bool) (rows []*vector.Rows, numbers []int64, newer versions) {
	replaces := len(t.rel.PrimaryKey) > 0
	at := t.keyFields()
	for i := len(writes) - 1; i >= 0; i-- {
		w := writes[i]
		if w.telemetry != t || w.decoded == nil || gone[ownNumber(i)] {
			continue
		}
		if replaces {
			c := w.decoded.Cols
			key, nanos := keyOf(c[at.trace], c[at.span], c[at.time], 0)
			replaced := newer.replaces(key, nanos)
			if newer == nil {
				newer = make(versions)
			}
			if !slices.Contains(newer[key], nanos) { // what is replaced itself has replaced others before
				newer[key] = append(newer[key], nanos)
			}
			if replaced {
				continue
			}
		}
		rows, numbers = append(rows, w.decoded), append(numbers, ownNumber(i))
	}
	slices.Reverse(rows)
	slices.Reverse(numbers)
	return rows, numbers, newer
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
