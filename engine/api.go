// Package engine stores rows of telemetry: it appends them durably, serves
// consistent views of them, and moves them from the memtable into columnar
// blocks.
package engine

import (
	"errors"

	"github.com/tael-sql/tael-sql/internal/vector"
	"github.com/tael-sql/tael-sql/wal/record"
)

// Errors that callers test for.
var (
	ErrOverloaded = errors.New("engine: too many bytes in flight") // passes; retry later
	ErrDiskFull   = errors.New("engine: below the disk watermark") // passes when space is freed
	ErrClosed     = errors.New("engine: closed")
	ErrFailed     = errors.New("engine: stopped after an I/O error") // never passes
	ErrLocked     = errors.New("engine: another process holds the folder")
	ErrCorrupt    = errors.New("engine: corrupt") // a block, named by the wrapping error
	ErrConflict   = errors.New("engine: a row has been written meanwhile")
)

// A TableSpec describes a table to store. Specs are fixed in the program; the
// ids and the field names are on disk.
type TableSpec struct {
	ID      uint8
	Record  record.Type // the WAL records that hold its rows
	Schema  *vector.Schema
	Time    string   // Int64 field in ns since 1970 that rows are partitioned by
	Arrival string   // Int64 field in ns since 1970: when the row arrived; "" if there is none
	Zones   []string // further Int64 fields whose range each block knows
	Key     []string // Hex fields that identify a row: the newest LSN wins; nil: rows are never replaced
	Trace   string   // Hex field that blocks keep a trace filter of; "" for none

	// Documents are String fields that hold jsonb objects of few kinds, whose
	// members digests count as they count the attributes of Map fields.
	Documents []string
	// Groups are up to four String fields, by whose values digests count rows and
	// the different values of the String field Member.
	Groups []string
	Member string
	// Order names the fields by which the rows of a part are sorted.
	Order []string
	// Relative names Int64 fields of which parts hold the distance from Time,
	// with the name of that column.
	Relative map[string]string

	// Offload says which texts are stored outside the rows, at most one for a
	// field.
	Offload []Offload

	// Texts says which texts are searched by their words; nil: none.
	Texts *TextSpec
}

// A TextSpec says which texts of a table are searched by their words.
type TextSpec struct {
	Service string   // String field that says whose the texts are
	Filters []Filter // of rows that may have texts
	// May says of a row by the column of MayHave whether it may have texts. Of
	// gives them, with a number from 1 on that says what each is, by Columns.
	MayHave ColumnRef
	May     func(c *vector.Column, row int) bool
	Columns []ColumnRef
	Of      func(cols []*vector.Column, row int, each func(source uint8, text string))
}

// An Offload says which texts of a field are stored outside the rows, once for
// each content: those beyond Limit bytes, of the attributes of a Map field that
// Key takes, or of a String field that Text takes (nil: all).
type Offload struct {
	Field string
	Limit int
	Key   func(key string) bool
	Text  func(text string) bool
	Gone  string // read in the place of a text of a String field that has expired; "": NULL
}

// A Request is one record to append.
type Request struct {
	Header record.Header // Type, Source, ReceiveNanos and Hash are the caller's
	Body   []byte        // the payload, decompressed
	Rows   *vector.Rows  // what the decoder made of Body; not changed afterwards
	Items  int           // items in Body, rejected ones included: row numbers taken
}

// A WriteSet is what one transaction writes: it becomes durable and visible as
// one. The requests' ReceiveNanos and Source are those of Header, whose Type
// is not used; they have no hash.
type WriteSet struct {
	Header   record.Header
	Keyed    []KeyedWrite
	Requests []Request
	// Deletes are rows of stored tables by their running numbers, ascending; a
	// table comes once. Rows that are gone are ignored.
	Deletes []record.Deleted
}

// A KeyedWrite puts a row of a keyed table, or with a nil Value deletes it.
// Seen is the LSN of the version that it replaces, 0 if there was none.
type KeyedWrite struct {
	Table      uint8
	Key, Value []byte
	Seen       uint64
}

// A Decode turns a record back into rows, at replay exactly as on arrival.
type Decode func(h record.Header, body []byte) (*vector.Rows, int, error)

// RowNumber is the pseudo-field whose value is the row's running number within
// its table (the record's first row number plus the item's ordinal).
const RowNumber = -1

// A ColumnRef is a stored field, or with Key the text of one attribute of a
// Map field, as ->> gives it (a String column), or with Digest what Digests
// gives of a String field that TableSpec.Offload names. With Stored no text that
// is outside the rows is read: a reference stands for it, whose first byte is
// zero, as that of no attribute's text is.
type ColumnRef struct {
	Field  int
	Key    string
	Digest bool
	Stored bool
}

// A Filter is a conjunct that lets a scan skip blocks. Exactly one of Equals,
// Contains and the range is used.
type Filter struct {
	Ref      ColumnRef
	Equals   []any // string, []byte (Hex) or int64: the column is one of these
	Contains string
	Fold     bool  // Contains in any letter case, of letters beyond ASCII too
	Min, Max int64 // inclusive range of an Int64 field
}

// A ScanRequest says what a scan reads.
type ScanRequest struct {
	Table   string
	Columns []ColumnRef
	Filters []Filter
	// Since, in ns since 1970, leaves out every row whose time is before it; 0
	// leaves out none.
	Since int64
	// PayloadsSince, in ns since 1970, leaves the payloads out of every row whose
	// time is before it: what TableSpec.Offload names, of whatever length. 0 leaves
	// out none.
	PayloadsSince int64
	// FromNumber leaves out the rows with a lower running number; Rows, unless nil,
	// every row that it does not name.
	FromNumber uint64
	Rows       []RowAt
	// Skip, where set, is told of each block and part that cannot be read for
	// damage, and its rows are left out; readers may call it at the same time.
	// Otherwise the damage is the scan's error.
	Skip func(error)
}

// ScanStats is what a scan did.
type ScanStats struct {
	Rows, Memtable, Blocks, BlocksTotal    int64
	Parts, PartsTotal, Chunks, ChunksTotal int64
	Bytes                                  int64
	Pruned                                 map[string]int64 // blocks and chunks skipped, by reason
}
