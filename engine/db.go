package engine

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math"
	"sync"
	"sync/atomic"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/tael-sql/tael-sql/engine/block"
	"github.com/tael-sql/tael-sql/engine/hot"
	"github.com/tael-sql/tael-sql/engine/layout"
	"github.com/tael-sql/tael-sql/wal"
	"github.com/tael-sql/tael-sql/wal/record"
)

// Options configure Open. Tables and Decode must be set; the zero value of
// everything else is valid.
type Options struct {
	FS     vfs.FS // default: the operating system's
	Tables []TableSpec
	Decode Decode
	Logger *slog.Logger
	Events Events

	WAL wal.Options
	// MaxMemtableBytes, MaxMemtableRows (of one table), MaxMemtableAge and
	// MaxWALBytes are what a flush is started at. Defaults: 64 MiB, 128 Ki rows,
	// 5 minutes, 512 MiB.
	MaxMemtableBytes int64
	MaxMemtableRows  int
	MaxMemtableAge   time.Duration
	MaxWALBytes      int64
	// MaxInFlightBytes bounds the payloads between Append and its answer.
	// Default 128 MiB.
	MaxInFlightBytes int64
	// BlockCacheBytes bounds the blocks that are kept open. Default 192 MiB.
	BlockCacheBytes int64
	// ReplaceHorizon is how far apart in time two versions of a row may be for
	// the newer to replace the older. Default 24 h.
	ReplaceHorizon time.Duration
	// MinFreeShare is the share of the disk below whose free space nothing is
	// taken. Default 0.05; negative switches the watermark off.
	MinFreeShare float64

	faults faults
}

// faults are planted bugs: a test proves with each that it would notice.
type faults struct {
	ackBeforeSync   bool // acknowledge before the WAL is synced
	deadNotInBatch  bool // deletion vectors are not written with their blocks
	recycleTooEarly bool // recycle the WAL before the flush is committed
	stateAhead      bool // the applied LSN runs ahead of the blocks
	replaySkips     bool // replay begins one record too late
	loseLate        bool // rows killed during a flush come back after it
}

func (o Options) withDefaults() (Options, error) {
	if o.FS == nil {
		o.FS = vfs.Default
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if len(o.Tables) == 0 || o.Decode == nil {
		return o, errors.New("engine: Tables and Decode must be set")
	}
	for _, t := range o.Tables {
		if t.Schema.Index(t.Time) < 0 {
			return o, fmt.Errorf("engine: table %s has no field %q", t.Schema.Name, t.Time)
		}
	}
	setDefault(&o.MaxMemtableBytes, 64<<20)
	setDefault(&o.MaxMemtableRows, 16*block.MaxRows)
	setDefault(&o.MaxMemtableAge, 5*time.Minute)
	setDefault(&o.MaxWALBytes, 512<<20)
	setDefault(&o.MaxInFlightBytes, 128<<20)
	setDefault(&o.BlockCacheBytes, 192<<20)
	setDefault(&o.ReplaceHorizon, 24*time.Hour)
	setDefault(&o.MinFreeShare, 0.05)
	if o.WAL.Logger == nil {
		o.WAL.Logger = o.Logger
	}
	return o, nil
}

func setDefault[T comparable](field *T, value T) {
	var zero T
	if *field == zero {
		*field = value
	}
}

// A DB is an open data folder. It is safe for concurrent use.
//
// Lock order: appendMu, then stateMu. Neither is held across I/O.
type DB struct {
	opts   Options
	dir    string
	lock   io.Closer
	wal    *wal.Log
	hot    *hot.Store
	cache  *blockCache
	tables []*table
	byType map[record.Type]*table

	view     atomic.Pointer[View] // immutable once stored
	inFlight atomic.Int64
	diskFull atomic.Bool
	failure  atomic.Pointer[error]

	appendMu sync.Mutex // orders numbers, WAL records and the queue
	nextRow  []uint64   // by table: running number of its next row
	closed   bool

	queue chan *pending // records in LSN order, for the applier

	generation atomic.Uint64 // counts the flushes that have ended
	jobs       atomic.Int64  // number of the last background job

	stateMu sync.Mutex  // guards what follows and the making of views
	keys    []*keyIndex // by table

	flushRequests chan flushRequest
	stop          context.CancelFunc
	wg            sync.WaitGroup
}

// A table is one TableSpec with what follows from it.
type table struct {
	TableSpec
	number  int // place in DB.tables
	time    int
	arrival int // -1: none
	key     []int
	trace   int // -1: none
	desc    layout.Description
}

func newTable(number int, spec TableSpec) *table {
	t := &table{
		TableSpec: spec, number: number, time: spec.Schema.Index(spec.Time),
		arrival: -1, trace: -1,
	}
	if spec.Arrival != "" {
		t.arrival = spec.Schema.Index(spec.Arrival)
	}
	if spec.Trace != "" {
		t.trace = spec.Schema.Index(spec.Trace)
	}
	for _, name := range spec.Key {
		t.key = append(t.key, spec.Schema.Index(name))
	}
	t.desc = layout.Description{
		Schema: spec.Schema, Time: spec.Time, Zones: append([]string{spec.Time}, spec.Zones...), Key: spec.Key, Trace: spec.Trace,
	}
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
	db := &DB{opts: o, dir: dir, byType: make(map[record.Type]*table), cache: newBlockCache(o.BlockCacheBytes)}
	for i, spec := range o.Tables {
		t := newTable(i, spec)
		db.tables = append(db.tables, t)
		db.byType[spec.Record] = t
		db.keys = append(db.keys, newKeyIndex(o.ReplaceHorizon))
	}
	db.nextRow = make([]uint64, len(db.tables))
	if err := db.recover(); err != nil {
		return nil, errors.Join(err, db.release())
	}
	db.queue = make(chan *pending, 4096)
	db.flushRequests = make(chan flushRequest, 1)
	ctx, stop := context.WithCancel(context.Background())
	db.stop = stop
	db.wg.Go(db.applyQueue)
	db.wg.Go(func() { db.flushLoop(ctx) })
	return db, nil
}

// recover opens the parts of the folder and builds the first view.
func (db *DB) recover() error {
	fs := db.opts.FS
	if err := fs.MkdirAll(db.dir, 0o755); err != nil {
		return fmt.Errorf("create %s: %w", db.dir, err)
	}
	lock, err := fs.Lock(fs.PathJoin(db.dir, layout.LockFile))
	if err != nil {
		return fmt.Errorf("%w: %s: %v", ErrLocked, db.dir, err)
	}
	db.lock = lock
	if db.hot, err = hot.Open(fs, fs.PathJoin(db.dir, layout.HotDir), db.opts.Logger); err != nil {
		return err
	}
	first, applied, err := db.loadManifest()
	if err != nil {
		return err
	}
	db.view.Store(first)
	if db.wal, err = wal.Open(fs, fs.PathJoin(db.dir, layout.WALDir), db.opts.WAL); err != nil {
		return walError(err)
	}
	return db.replay(applied)
}

// replay applies the records that no block holds.
func (db *DB) replay(applied uint64) error {
	from := applied + 1
	if db.wal.LastLSN() < from {
		if db.wal.LastLSN() < applied {
			return fmt.Errorf("%w: the WAL ends at record %d, blocks hold records up to %d", ErrCorrupt, db.wal.LastLSN(), applied)
		}
		return nil
	}
	if db.opts.faults.replaySkips {
		from++
	}
	start, records := time.Now(), 0
	err := db.wal.Replay(from, func(h record.Header, payload []byte) error {
		body, err := record.Decompress(h, payload, math.MaxInt32)
		if err != nil {
			return fmt.Errorf("%w: record %d: %v", ErrCorrupt, h.LSN, err)
		}
		rows, items, err := db.opts.Decode(h, body)
		if err != nil {
			return fmt.Errorf("%w: record %d does not decode: %v", ErrCorrupt, h.LSN, err)
		}
		t, ok := db.byType[h.Type]
		if !ok {
			return fmt.Errorf("%w: record %d has type %s, which no table takes", ErrCorrupt, h.LSN, h.Type)
		}
		db.nextRow[t.number] = h.FirstRow + uint64(items)
		db.apply([]*pending{{header: h, table: t, rows: rows, items: items}})
		records++
		return nil
	})
	if err != nil {
		return walError(err)
	}
	db.opts.Logger.Info("replayed the WAL", "records", records, "from", from, "took", time.Since(start))
	return nil
}

// walError keeps the cause and adds the engine's own sentinel.
func walError(err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, wal.ErrCorrupt), errors.Is(err, wal.ErrGap):
		return fmt.Errorf("%w: %w", ErrCorrupt, err)
	case errors.Is(err, wal.ErrOverloaded):
		return fmt.Errorf("%w: %w", ErrOverloaded, err)
	case errors.Is(err, wal.ErrNoSpace):
		return fmt.Errorf("%w: %w", ErrDiskFull, err)
	case errors.Is(err, wal.ErrFailed):
		return fmt.Errorf("%w: %w", ErrFailed, err)
	case errors.Is(err, wal.ErrClosed):
		return fmt.Errorf("%w: %w", ErrClosed, err)
	}
	return err
}

// fail stops acknowledging for good.
func (db *DB) fail(err error) {
	if db.failure.CompareAndSwap(nil, &err) {
		db.opts.Logger.Error("the engine stops: an I/O error on the write path is never retried", "error", err)
		db.opts.Events.failed(err)
	}
}

// Err gives the error that stopped the engine, nil while it works.
func (db *DB) Err() error {
	if p := db.failure.Load(); p != nil {
		return fmt.Errorf("%w: %w", ErrFailed, *p)
	}
	return nil
}

// Close waits for what was appended, flushes it, and releases the folder.
func (db *DB) Close() error {
	db.appendMu.Lock()
	if db.closed {
		db.appendMu.Unlock()
		return ErrClosed
	}
	db.closed = true
	close(db.queue)
	db.appendMu.Unlock()

	var err error
	if db.Err() == nil {
		err = db.Checkpoint(context.Background())
	}
	db.stop()
	db.wg.Wait()
	return errors.Join(err, db.release())
}

// release closes what recover opened.
func (db *DB) release() error {
	var errs []error
	if db.wal != nil {
		errs = append(errs, db.wal.Close())
	}
	if db.hot != nil {
		errs = append(errs, db.hot.Close())
	}
	if db.lock != nil {
		errs = append(errs, db.lock.Close())
	}
	return errors.Join(errs...)
}
