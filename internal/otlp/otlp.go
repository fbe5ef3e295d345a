// Package otlp maps OTLP requests to rows of spans, log records and metric
// points, without loss.
//
// An item is a span, a log record or a metric point. A request that is not
// protobuf is ErrMalformed; an item that no row can hold is rejected, and the
// rest of its request is kept.
//
// What jsonb cannot carry (bytes, NaN and infinities, duplicate keys, texts
// that are not UTF-8 or hold a NUL) is kept in attributes_ext besides; see
// ext.go for its form.
//
// The package knows nothing of transports, nor of how rows are stored.
package otlp

import (
	"errors"

	"github.com/tael-sql/tael-sql/internal/vector"
)

// ErrMalformed says that a body is no OTLP request.
var ErrMalformed = errors.New("otlp: malformed request")

// Decoded is what a request says.
type Decoded struct {
	Rows        *vector.Rows // of the signal's schema, also when there is none
	Items       int          // rejected ones included: the row numbers that the request takes
	Rejected    int
	Reason      string // why the first rejected item was
	HasZeroTime bool   // some item has no time of its own
}
