// Package cold is the format of a part: an immutable Parquet file of rows of
// one table, sorted, that other programs read as it is.
//
// Row groups have 1 to 16 chunks; a chunk is ChunkRows rows, all but the last,
// and one data page of each column. Both are smaller where rows are long, see
// Fit. So chunk k of a part is read as a hot block is, and every page is found
// by the offset index. Pages are compressed with zstd, whose frames carry a
// checksum; the bytes behind the row groups (page index and footer) are covered
// by one in PartMeta.
//
// What a field of the table's schema becomes; "optional" if it is nullable:
//
//	time field x_unix_nano   x              INT64 TIMESTAMP(MICROS, UTC)
//	                         x_nanos        INT32, what is beyond the microsecond, 0 to 999
//	Spec.Relative            its column     INT64, the field less the time field, wrapping
//	other Int64              its name       INT64
//	Hex                      its name       FIXED_LEN_BYTE_ARRAY
//	Bool, Float              its name       BOOLEAN, DOUBLE
//	String                   its name       BYTE_ARRAY STRING; without logical type if the field holds bytes
//	String of Outside        f              optional: the text, if it is in the row
//	                         f_sha256       optional FIXED_LEN_BYTE_ARRAY(32), else
//	                         f_bytes        optional INT64
//	Any (an array)           its name       LIST of INT64 or DOUBLE
//	Map                      f.KEY          optional STRING, BOOLEAN, INT64 or DOUBLE: a frequent key
//	                         f              MAP<STRING, STRING>: the other attributes as JSON, see attribute.go
//	                         f_outside      MAP<STRING, STRING>: those that are stored outside the rows
//
// Two columns of bookkeeping come last: _row, the rows' running numbers, and
// _lsn, the LSNs of their records. A row has an attribute of a frequent key in
// its own column if the type is that of the column, else in f. Only the columns
// of frequent keys differ between the files of a table.
//
// The file's key-value metadata has tael-sql.version, tael-sql.table,
// tael-sql.order and tael-sql.frequent (see frequent.go).
//
// Version history: 1 first.
package cold

import (
	"errors"
	"fmt"

	"github.com/tael-sql/tael-sql/engine/layout"
	"github.com/tael-sql/tael-sql/internal/vector"
)

// ChunkRows is how many rows a chunk has unless a Spec says otherwise.
const ChunkRows = 8192

// GroupChunks is the most chunks of a row group.
const GroupChunks = 16

// ErrCorrupt is wrapped by every error about bytes that cannot be a part.
var ErrCorrupt = errors.New("cold: corrupt")

func corrupt(format string, args ...any) error {
	return fmt.Errorf("%w: %s", ErrCorrupt, fmt.Sprintf(format, args...))
}

// A Spec says how a table's rows lie in its parts. It never changes.
type Spec struct {
	layout.Description
	Order    []string          // fields by which a part's rows are sorted
	Relative map[string]string // Int64 field in ns -> the column that holds its distance from Time

	// ChunkRows is a multiple of 64. Default ChunkRows.
	ChunkRows int
}

// chunkRows is how many rows a chunk has.
func (s *Spec) chunkRows() int {
	if s.ChunkRows > 0 {
		return s.ChunkRows
	}
	return ChunkRows
}

// A Source is a run of rows of which columns can be read: *block.Block and
// *Chunk are.
type Source interface {
	Rows() int
	Footprint(field int) (int, error) // about the bytes of memory that the column takes
	Column(field int) (*vector.Column, error)
	RowNumbers() (*vector.Column, error)
	LSNs() (*vector.Column, error)
}
