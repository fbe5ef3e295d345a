package otlp

import (
	"math"
	"time"

	"github.com/tael-sql/tael-sql/internal/vector"
	"github.com/tael-sql/tael-sql/wal/record"
)

// A Retention says how long items are kept, by their signal; without an entry,
// or with 0, for ever.
type Retention map[record.Type]time.Duration

// Decode is the function Decode, which besides rejects items that had expired
// when their request arrived. All who decode the same requests need the same
// Retention to agree on their rows.
func (r Retention) Decode(h record.Header, body []byte) (*Decoded, error) {
	return decode(h, body, r.Oldest(h))
}

// Oldest gives the least time, in ns since 1970, of an item that has not
// expired when its request arrives.
func (r Retention) Oldest(h record.Header) int64 {
	keep := r[h.Type]
	if keep == 0 {
		return math.MinInt64
	}
	return h.ReceiveNanos - int64(keep)
}

// Rows is Decode for one who needs no reasons.
func (r Retention) Rows(h record.Header, body []byte) (*vector.Rows, int, error) {
	d, err := r.Decode(h, body)
	if err != nil {
		return nil, 0, err
	}
	return d.Rows, d.Items, nil
}

// unexpired rejects an item of a time that is too old.
func (d *decoder) unexpired(nanos int64) error {
	if nanos >= d.oldest {
		return nil
	}
	return rejectf("it is of %s, older than %s are kept", time.Unix(0, nanos).UTC().Format(time.RFC3339Nano), d.table.schema.Name)
}
