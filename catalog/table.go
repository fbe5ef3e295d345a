// Package catalog knows every object by name: relations, types, functions,
// settings. It derives pg_catalog and information_schema from them.
package catalog

import (
	"context"
	"maps"
	"sync"
	"sync/atomic"

	"github.com/tael-sql/tael-sql/internal/expr"
	"github.com/tael-sql/tael-sql/internal/pgtypes"
	"github.com/tael-sql/tael-sql/internal/vector"
)

// A Relation describes a table or a view as pg_class and pg_attribute show it.
type Relation struct {
	OID        pgtypes.OID // stable across restarts
	Schema     string      // "public", "pg_catalog", "information_schema"
	Name       string
	Kind       byte // 'r' table, 'v' view, 'f' result of a table function
	Columns    []Column
	PrimaryKey []int // places in Columns
	Comment    string
	AppendOnly bool   // rows can be added and deleted, and not changed
	Definition string // of a view or a SQLFunction: its query
	Stored     bool   // a view that a user has made
	Keys       bool   // scans give single attributes of a jsonb column (ColumnRef.Key)
}

// A Column of a relation; its attnum is its place plus one.
type Column struct {
	Name    string
	Type    pgtypes.Type
	NotNull bool
	Default string // SQL text; "" for none
	Comment string
}

// Index gives the place of a column, or -1.
func (r *Relation) Index(name string) int {
	for i := range r.Columns {
		if r.Columns[i].Name == name {
			return i
		}
	}
	return -1
}

// A Table is a relation that can be scanned.
type Table interface {
	Relation() *Relation
	// Scan gives up to req.Workers readers that together give every live row
	// once (fewer, when there is less to read). Batches have one column for each
	// of req.Columns.
	Scan(ctx context.Context, req *ScanRequest) ([]vector.Reader, error)
	// Rows estimates how many rows there are, for join order.
	Rows() int64
}

// A StoredTable is a table that knows how many rows it has in the snapshot of
// env, and how many bytes they take on disk.
type StoredTable interface {
	Table
	Stored(env *expr.Env) (rows, bytes int64, err error)
}

// A WritableTable is a table whose rows statements may change, within the
// transaction that env belongs to. A row has a value for every column.
type WritableTable interface {
	Table
	// Insert adds a row. Where one of the same key exists that one is given, and
	// nothing changes.
	Insert(env *expr.Env, row []any) (existing []any, err error)
	// Update replaces a row as a scan, or Insert, gave it.
	Update(env *expr.Env, old, row []any) error
	// Delete deletes a row, of which it is given all columns; of an AppendOnly
	// relation the value of RowNumber alone.
	Delete(env *expr.Env, old []any) error
}

// A ScanRequest says what a scan must give, and what it may leave out.
type ScanRequest struct {
	Env     *expr.Env
	Columns []ColumnRef
	// Filters are conjuncts that the caller will apply to every row itself: a
	// scan may use them to skip rows, and need not.
	Filters []Filter
	Workers int
	Stats   *ScanStats // nil, or filled as the scan goes, for EXPLAIN ANALYZE
}

// A ColumnRef is a column of a relation, or with Key, of a relation with Keys,
// the text of one attribute of a jsonb column, as ->> gives it.
type ColumnRef struct {
	Index int // place in Relation.Columns, or RowNumber
	Key   string
}

// RowNumber is the place of a column that AppendOnly relations have beside the
// others: an int8 by which Delete names a row.
const RowNumber = -1

// A Filter compares a column with constants.
type Filter struct {
	Column ColumnRef
	Op     FilterOp
	Values []any // in the form of package pgtypes; several only for In
}

// A FilterOp is how a Filter compares.
type FilterOp uint8

// The comparisons that scans can use.
const (
	Equal FilterOp = iota + 1
	In
	Less
	LessEqual
	Greater
	GreaterEqual
	Contains     // text contains the literal (from LIKE '%…%' and ~)
	ContainsFold // the same in any letter case (from ILIKE and ~*)
)

// ScanStats is what a scan did, summed over its readers, which add to it at
// the same time.
type ScanStats struct {
	Rows        atomic.Int64 // given, before the caller's filters
	Memtable    atomic.Int64 // rows of these read from the memtable
	Blocks      atomic.Int64 // hot blocks read
	Parts       atomic.Int64 // cold parts read
	BlocksTotal atomic.Int64
	PartsTotal  atomic.Int64
	Chunks      atomic.Int64 // read, of the parts
	ChunksTotal atomic.Int64
	Bytes       atomic.Int64 // decoded from blocks and parts
	mu          sync.Mutex
	pruned      map[string]int64 // blocks and parts skipped, by what told so
}

// Prune counts n blocks or parts skipped because of reason.
func (s *ScanStats) Prune(reason string, n int64) {
	if s == nil || n == 0 {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.pruned == nil {
		s.pruned = make(map[string]int64)
	}
	s.pruned[reason] += n
}

// Pruned gives the counts by reason.
func (s *ScanStats) Pruned() map[string]int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return maps.Clone(s.pruned)
}

// A TableFunction is a function in FROM whose rows come from below, such as
// anomalies(300, 3600): a RowFunction, a *SQLFunction or a ChosenTable.
type TableFunction interface {
	Relation() *Relation // its result columns; Kind 'f'
	Args() []Arg
}

// A RowFunction is a TableFunction written in Go.
type RowFunction interface {
	TableFunction
	// Call gives the rows for one set of argument values.
	Call(ctx context.Context, env *expr.Env, args []any) (vector.Reader, error)
}

// An OrderedFunction gives its rows in the order of one of its columns.
type OrderedFunction interface {
	RowFunction
	Order() (column string, descending bool)
}

// A SQLFunction is a TableFunction that is a query over its arguments, which
// the query knows by name, by function.name and by $n, columns of the same
// name first. The query stands in the place of each call: whoever calls it
// prunes, joins and explains as if it had been written there.
type SQLFunction struct {
	Result     *Relation // its Definition is the query
	Parameters []Arg
}

// Relation describes the result.
func (f *SQLFunction) Relation() *Relation { return f.Result }

// Args describes the arguments.
func (f *SQLFunction) Args() []Arg { return f.Parameters }

// A ChosenTable is a TableFunction whose arguments, literals, choose the table
// that stands in the place of the call, and a condition over its columns in SQL;
// "" is none.
type ChosenTable interface {
	TableFunction
	Choose(args []any) (t Table, filter string, err error)
}

// An Arg is an argument of a TableFunction.
type Arg struct {
	Name    string
	Type    pgtypes.Type
	Default string // SQL text; "" when the argument is required
}
