package engine

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"sync/atomic"

	"github.com/tael-sql/tael-sql/engine/cold"
	"github.com/tael-sql/tael-sql/engine/hot"
	"github.com/tael-sql/tael-sql/engine/layout"
	"github.com/tael-sql/tael-sql/internal/vector"
	"github.com/tael-sql/tael-sql/wal"
	"github.com/tael-sql/tael-sql/wal/record"
)

// A DB is an open data folder. It is safe for concurrent use.
//
// It owns four goroutines: the applier (append.go), which alone adds rows and
// looks for what they replace; the flusher (flush.go), which alone writes to
// the hot store; and the compactor (compact.go), whose long jobs end in a task
// for the flusher; and the indexer (texts.go), which reads views as any statement
// does. Close ends them.
//
// Lock order: appendMu, then that of requests; stateMu, then that of held. None is
// held across I/O.
type DB struct {
	opts     Options
	dir      string
	events   Events
	lock     io.Closer
	wal      *wal.Log
	hot      *hot.Store
	blobs    *blobs
	parts    *parts
	cache    *lru[*layout.BlockMeta, cachedBlock]
	requests *requestWindow
	tables   []*table
	byType   map[record.Type]*table

	view          atomic.Pointer[View] // immutable once stored
	inFlight      atomic.Int64         // bytes of bodies between Append and its answer
	memBytes      atomic.Int64         // of the memtable, when it was counted last
	ballast       *ballast
	diskLow       atomic.Bool
	backingUp     atomic.Bool
	flushedLSN    atomic.Uint64
	newestArrival atomic.Int64 // receive time of a record since Open, in ns since 1970
	failure       atomic.Pointer[error]
	counters      counters
	jobs          *jobs
	digests       *lru[digestID, *layout.Digest]
	indexer       *indexer // nil: no table has texts to search

	appendMu     sync.Mutex        // orders numbers, WAL records and the queue
	nextRow      []uint64          // by table: running number of its next row
	keyedOnWay   map[string]uint64 // rows of keyed tables in records that are not applied yet → LSN
	keyedApplied uint64            // the last applied record that wrote such rows
	closed       bool

	queue        chan *entry   // records in LSN order, for the applier
	blockIndexes []*blockIndex // by table; the applier's

	stateMu sync.Mutex // orders the publishing of views
	memKeys []*memKeys // by table

	held *heldViews // has a lock of its own

	// A replay sets them otherwise.
	fan      int // the applier's: how many batches are merged
	encoders int // the flusher's: how many blocks are encoded at the same time

	// The flusher's own, Open's before it starts.
	nextBlock []uint64            // by table
	stored    []layout.TableState // by table, as in the hot store
	gone      []goneBlock
	claimed   map[*layout.BlockMeta]bool // inputs of a compaction: these are not merged
	damaged   map[*layout.BlockMeta]bool // what no job takes, see setAside
	cutoffs   []int64                    // by table: rows of a time before it may be deleted
	released  []atomic.Int64             // by table: what Release said

	// The compactor's own.
	sweeper   sweeper
	goneParts []gonePart
	live      *livePublisher

	damagedParts map[*layout.PartMeta]bool // see setAside

	flushRequests chan flushRequest // capacity 1
	flushWorker   *worker           // the flusher
	compactWorker *worker           // the compactor
	stopFlusher   context.CancelFunc
	stopCompactor context.CancelFunc
	applier       sync.WaitGroup
	flusher       sync.WaitGroup
	compactor     sync.WaitGroup
}

// A table is one TableSpec with what follows from it.
type table struct {
	TableSpec
	number  int // place in DB.tables
	time    int
	arrival int // -1: none
	key     []int
	trace   int              // -1: none
	offload map[int]*Offload // by field
	desc    layout.Description
	order   []int // fields by which the rows of parts are sorted
	cold    cold.Spec
}

func newTable(number int, spec TableSpec) *table {
	t := &table{
		TableSpec: spec, number: number, time: spec.Schema.Index(spec.Time), arrival: -1, trace: -1,
		desc: layout.Description{Schema: spec.Schema, Time: spec.Time, Zones: spec.Zones, Key: spec.Key, Trace: spec.Trace},
	}
	if spec.Arrival != "" {
		t.arrival = spec.Schema.Index(spec.Arrival)
	}
	if spec.Trace != "" {
		t.trace = spec.Schema.Index(spec.Trace)
	}
	t.offload = make(map[int]*Offload)
	for i := range spec.Offload {
		o := &spec.Offload[i]
		field := spec.Schema.Index(o.Field)
		t.offload[field] = o
		if spec.Schema.Fields[field].Kind == vector.String {
			t.desc.Outside = append(t.desc.Outside, o.Field)
		}
	}
	for _, name := range spec.Key {
		t.key = append(t.key, spec.Schema.Index(name))
	}
	for _, name := range spec.Order {
		t.order = append(t.order, spec.Schema.Index(name))
	}
	t.cold = cold.Spec{Description: t.desc, Order: spec.Order, Relative: spec.Relative}
	return t
}

// Open opens or creates a data folder, replays what is in the WAL but in no
// block, and starts the background work. A folder that another process has
// open gives ErrLocked; damage of acknowledged data ErrCorrupt.
func Open(dir string, o Options) (*DB, error) {
	o, err := o.withDefaults()
	if err != nil {
		return nil, err
	}
	db := newDB(dir, o)
	if err := db.recover(); err != nil {
		return nil, errors.Join(db.withCut(err), db.release())
	}
	db.checkDisk()
	flushing, stopFlusher := context.WithCancel(context.Background())
	compacting, stopCompactor := context.WithCancel(context.Background())
	db.stopFlusher, db.stopCompactor = stopFlusher, stopCompactor
	db.applier.Go(db.runApplier)
	db.flusher.Go(func() { db.runFlusher(flushing) })
	db.compactor.Go(func() { db.runCompactor(compacting) })
	if db.indexer = newIndexer(db); db.indexer != nil {
		db.indexer.start()
	}
	return db, nil
}

// newDB makes a store of which nothing is open yet.
func newDB(dir string, o Options) *DB {
	db := &DB{
		opts: o, dir: dir, events: o.Events.withLog(o.Logger), cache: newLRU[*layout.BlockMeta, cachedBlock](o.BlockCacheBytes), requests: newRequestWindow(o.DedupeWindow),
		byType: make(map[record.Type]*table), held: newHeldViews(), keyedOnWay: make(map[string]uint64),
		fan: mergeFan, encoders: 1,
		claimed: make(map[*layout.BlockMeta]bool), damaged: make(map[*layout.BlockMeta]bool), damagedParts: make(map[*layout.PartMeta]bool),
		queue: make(chan *entry, 4096), flushRequests: make(chan flushRequest, 1), flushWorker: newWorker(), compactWorker: newWorker(),
	}
	db.ballast = newBallast(o.FS, dir, &o)
	db.jobs, db.digests = newJobs(&db.events), newLRU[digestID, *layout.Digest](digestCacheBytes)
	for i, spec := range o.Tables {
		t := newTable(i, spec)
		t.cold.ChunkRows = o.ChunkRows
		db.tables = append(db.tables, t)
		db.byType[spec.Record] = t
		db.blockIndexes = append(db.blockIndexes, newBlockIndex())
		db.memKeys = append(db.memKeys, newMemKeys(0))
		db.nextBlock = append(db.nextBlock, 1)
	}
	db.nextRow, db.stored = make([]uint64, len(db.tables)), make([]layout.TableState, len(db.tables))
	db.cutoffs, db.released = make([]int64, len(db.tables)), make([]atomic.Int64, len(db.tables))
	return db
}

// walError keeps the cause and adds the engine's own sentinel.
func walError(err error) error {
	for _, pair := range []struct{ cause, sentinel error }{
		{wal.ErrCorrupt, ErrCorrupt},
		{wal.ErrGap, ErrCorrupt},
		{wal.ErrOverloaded, ErrOverloaded},
		{wal.ErrNoSpace, ErrDiskFull},
		{wal.ErrFailed, ErrFailed},
		{wal.ErrClosed, ErrClosed},
	} {
		if errors.Is(err, pair.cause) {
			return fmt.Errorf("%w: %w", pair.sentinel, err)
		}
	}
	return err
}

// fail stops acknowledging for good.
func (db *DB) fail(err error) {
	if db.failure.CompareAndSwap(nil, &err) {
		db.events.Failed(err)
	}
}

// Err gives the error that stopped the engine, nil while it works.
func (db *DB) Err() error {
	if p := db.failure.Load(); p != nil {
		return fmt.Errorf("%w: %w", ErrFailed, *p)
	}
	return nil
}

// Close waits for what was appended, flushes it within Options.CloseTimeout,
// and releases the folder. What it could not flush the next Open replays.
// Reading an open view fails from then on with ErrClosed.
func (db *DB) Close() error { return db.shutdown(true) }

func (db *DB) shutdown(flush bool) error {
	db.appendMu.Lock()
	if db.closed {
		db.appendMu.Unlock()
		return ErrClosed
	}
	db.closed = true
	close(db.queue)
	db.appendMu.Unlock()
	db.applier.Wait()
	if db.indexer != nil {
		db.indexer.close()
	}

	var err error
	if flush && db.Err() == nil {
		ctx, cancel := context.WithTimeout(context.Background(), db.opts.CloseTimeout)
		err = db.Checkpoint(ctx)
		cancel()
	}
	db.stopCompactor()
	db.compactor.Wait()
	db.stopFlusher()
	db.flusher.Wait()
	if err == nil {
		err = db.Err()
	}
	return errors.Join(err, db.release())
}

// release closes what recover opened.
func (db *DB) release() error {
	var errs []error
	if db.parts != nil {
		db.parts.files.close()
	}
	if db.wal != nil {
		if err := db.wal.Close(); err != nil && !errors.Is(err, wal.ErrFailed) { // Err tells of that one
			errs = append(errs, err)
		}
	}
	if db.hot != nil {
		errs = append(errs, db.hot.Close())
	}
	if db.lock != nil {
		errs = append(errs, db.lock.Close())
	}
	return errors.Join(errs...)
}
