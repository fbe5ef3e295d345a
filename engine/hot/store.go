// Package hot keeps blocks and their manifest in a Pebble store.
//
// Pebble's own log is off: everything that is in no completed flush is still
// in the engine's WAL. So durable means that Commit has returned.
package hot

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"runtime"
	"sync"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/sstable"
	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/tael-sql/tael-sql/engine/layout"
)

// Errors that callers test for.
var (
	ErrVersion = errors.New("hot: unknown format version")
	ErrCorrupt = errors.New("hot: corrupt") // a file of the store is damaged
	ErrClosed  = errors.New("hot: closed")
	ErrMissing = errors.New("hot: there is no store")
)

// A Store is open for one process. It is safe for concurrent use.
type Store struct {
	dir     string
	options string  // Pebble's file of options
	cut     *damage // see Cut
	db      *pebble.DB
	merging *merging
	lock    *pebble.Lock
	failed  chan struct{} // closed by the first error of a background write
	once    sync.Once
	fatal   error          // set before failed is closed
	own     sync.WaitGroup // goroutines that wait for Pebble; after a failure perhaps for ever

	// mu keeps the store open while it is read. It is the one lock that is held
	// across I/O; only Close ever waits for it.
	mu     sync.RWMutex
	closed bool
}

// Options configure Open.
type Options struct {
	Logger     *slog.Logger
	CacheBytes int64 // of Pebble's own cache; opened blocks are cached above
	ReadOnly   bool  // for checking: nothing is written, the store must exist
	Still      bool  // nothing is merged in the background
}

// Open opens or creates the store in dir.
func Open(fs vfs.FS, dir string, o Options) (*Store, error) {
	s := &Store{dir: dir, failed: make(chan struct{})}
	cache := pebble.NewCache(o.CacheBytes)
	defer cache.Unref()
	opts := &pebble.Options{
		FS: fence{s.failed}.wrap(fs), DisableWAL: true, ReadOnly: o.ReadOnly, ErrorIfNotExists: o.ReadOnly,
		DisableAutomaticCompactions: o.Still,
		Logger:                      logger{log: o.Logger, store: s},
		Cache:                       cache,
		MemTableSize:                64 << 20, // a batch above half of it becomes a memtable of its own
		MemTableStopWritesThreshold: 4,
		FormatMajorVersion:          pebble.FormatNewest,
		EventListener: &pebble.EventListener{
			// The reader gets the error. By default it would be fatal.
			DataCorruption: func(info pebble.DataCorruptionInfo) {
				o.Logger.Error("a file of the hot store is damaged", "file", info.Path, "error", info.Details)
			},
		},
	}
	s.merging = newMerging(o.Logger, s.fail)
	s.merging.listen(opts.EventListener)
	opts.Experimental.CompactionScheduler = s.merging
	lock, err := lockFolder(fs, dir, o.ReadOnly)
	if err != nil {
		return nil, err
	}
	s.lock, opts.FS = lock, unlocked{opts.FS}
	opts.EnsureDefaults()
	for i := range opts.Levels { // blocks are compressed already
		opts.Levels[i].Compression = func() *sstable.CompressionProfile { return sstable.NoCompression }
	}
	if err := s.findCut(fs); err != nil {
		return nil, errors.Join(fmt.Errorf("open hot store: %w", err), lock.Close())
	}
	db, err := s.openPebble(dir, opts)
	switch {
	case errors.Is(err, errAbandoned):
		return nil, errors.Join(fmt.Errorf("open hot store: %w", s.classify(s.Err())), lock.Close())
	case errors.Is(err, pebble.ErrDBDoesNotExist):
		return nil, errors.Join(fmt.Errorf("%w: %s", ErrMissing, dir), lock.Close())
	case err != nil && damagesOpening(err):
		return nil, errors.Join(fmt.Errorf("open hot store: %w", s.damagedOpening(err)), lock.Close())
	case err != nil:
		return nil, errors.Join(fmt.Errorf("open hot store: %w", s.classify(err)), lock.Close())
	}
	s.db = db
	if err := s.checkVersion(o.ReadOnly); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return s, nil
}

var errAbandoned = errors.New("hot: failed while it was opened")

// openPebble opens Pebble, which works in the background before Open returns:
// what fails there may leave Open standing still for ever (see fence), or end its
// goroutine (see logger). Then the error is errAbandoned, and Err says why.
func (s *Store) openPebble(dir string, opts *pebble.Options) (*pebble.DB, error) {
	type outcome struct {
		db  *pebble.DB
		err error
	}
	done := make(chan outcome, 1)
	s.own.Go(func() {
		db, err := pebble.Open(dir, opts)
		done <- outcome{db, err}
	})
	select {
	case o := <-done:
		return o.db, o.err
	case <-s.failed:
		return nil, errAbandoned
	}
}

// unlocked keeps Pebble from taking the lock of its folder, which lockFolder has.
type unlocked struct{ vfs.FS }

func (unlocked) Lock(string) (io.Closer, error) { return io.NopCloser(nil), nil }

// lockFolder takes Pebble's lock ourselves: it must be given up also when
// Pebble cannot be closed any more.
func lockFolder(fs vfs.FS, dir string, readOnly bool) (*pebble.Lock, error) {
	if _, err := fs.Stat(dir); err != nil {
		if readOnly {
			return nil, fmt.Errorf("%w: %s", ErrMissing, dir)
		}
		if err := fs.MkdirAll(dir, 0o755); err != nil {
			return nil, fmt.Errorf("create hot store: %w", err)
		}
	}
	lock, err := pebble.LockDirectory(dir, fs)
	if err != nil {
		return nil, fmt.Errorf("lock hot store: %w", err)
	}
	return lock, nil
}

// checkVersion reads the folder's format version, or writes it into a new one.
func (s *Store) checkVersion(readOnly bool) error {
	raw, err := s.Get(layout.VersionKey())
	switch {
	case err != nil:
		return err
	case raw == nil && readOnly:
		return nil // created, but nothing was committed
	case raw == nil:
		return s.Commit([]Write{{Key: layout.VersionKey(), Value: encodeVersion(layout.FormatVersion)}})
	case string(raw) != string(encodeVersion(layout.FormatVersion)):
		return fmt.Errorf("%w: %x", ErrVersion, raw)
	}
	return nil
}

func encodeVersion(v uint32) []byte {
	return []byte{byte(v), byte(v >> 8), byte(v >> 16), byte(v >> 24)}
}

// A Write sets a key, or deletes it where Value is nil.
type Write struct{ Key, Value []byte }

// Commit makes writes durable together, or none of them. After an error it is
// unknown which, and the store must not be written to again.
func (s *Store) Commit(writes []Write) error {
	s.mu.RLock()
	defer s.mu.RUnlock()
	if s.closed {
		return ErrClosed
	}
	if err := s.Err(); err != nil {
		return err
	}
	b := s.db.NewBatch()
	for _, w := range writes {
		var err error
		if w.Value == nil {
			err = b.Delete(w.Key, nil)
		} else {
			err = b.Set(w.Key, w.Value, nil)
		}
		if err != nil {
			return errors.Join(err, b.Close())
		}
	}
	// Pebble tries a failed flush for ever, and stalls writes behind it.
	done := make(chan error, 1)
	s.own.Go(func() { done <- s.flush(b) })
	select {
	case err := <-done:
		return errors.Join(err, s.Err())
	case <-s.failed:
		return s.Err()
	}
}

// flush commits a batch and waits for its flush.
func (s *Store) flush(b *pebble.Batch) error {
	if err := b.Commit(pebble.NoSync); err != nil { // Sync is an error without a log
		return fmt.Errorf("commit to hot store: %w", err)
	}
	flushed, err := s.db.AsyncFlush()
	if err != nil {
		return fmt.Errorf("flush hot store: %w", err)
	}
	<-flushed
	return nil
}

// Checkpoint makes a folder with the store as it is now. Its files are links
// to those of the store where the file system can link.
func (s *Store) Checkpoint(dir string) error {
	s.mu.RLock()
	defer s.mu.RUnlock()
	if s.closed {
		return ErrClosed
	}
	if err := s.Err(); err != nil {
		return err
	}
	if err := s.db.Checkpoint(dir); err != nil {
		return fmt.Errorf("checkpoint of the hot store: %w", s.classify(err))
	}
	return nil
}

// Get gives a copy of a value, nil if there is none.
func (s *Store) Get(key []byte) ([]byte, error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	if s.closed {
		return nil, ErrClosed
	}
	v, closer, err := s.db.Get(key)
	if errors.Is(err, pebble.ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read hot store: %w", s.classify(err))
	}
	out := append(make([]byte, 0, len(v)), v...)
	return out, closer.Close()
}

// Each calls fn with every key and value from lower to below upper. They are
// valid only within fn.
func (s *Store) Each(lower, upper []byte, fn func(key, value []byte) error) error {
	s.mu.RLock()
	defer s.mu.RUnlock()
	if s.closed {
		return ErrClosed
	}
	it, err := s.db.NewIter(&pebble.IterOptions{LowerBound: lower, UpperBound: upper})
	if err != nil {
		return fmt.Errorf("read hot store: %w", s.classify(err))
	}
	for ok := it.First(); ok && err == nil; ok = it.Next() {
		var v []byte
		if v, err = it.ValueAndErr(); err == nil {
			err = fn(it.Key(), v)
		}
	}
	// Close gives what the iterator met once more.
	return s.classify(cmp.Or(err, it.Error(), it.Close()))
}

// Bytes is what the store holds on disk.
func (s *Store) Bytes() int64 {
	s.mu.RLock()
	defer s.mu.RUnlock()
	if s.closed || s.Err() != nil {
		return 0
	}
	return int64(s.db.Metrics().DiskSpaceUsage())
}

// Failed is closed when the store can no longer write.
func (s *Store) Failed() <-chan struct{} { return s.failed }

// Err gives the error that stopped the store, nil while it works.
func (s *Store) Err() error {
	select {
	case <-s.failed:
		return s.fatal
	default:
		return nil
	}
}

// Close waits for reads and ends background work. It flushes nothing.
func (s *Store) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return ErrClosed
	}
	s.closed = true
	// What Pebble does after a failure stands still for ever, its own Close too:
	// nothing of it may reach the disk any more. Err has told why.
	if s.Err() != nil {
		return s.lock.Close()
	}
	done := make(chan error, 1)
	s.own.Go(func() { done <- s.db.Close() })
	select {
	case err := <-done:
		return errors.Join(err, s.lock.Close())
	case <-s.failed:
		return s.lock.Close()
	}
}

func (s *Store) fail(err error) {
	s.once.Do(func() {
		s.fatal = fmt.Errorf("hot store stopped: %w", err)
		close(s.failed)
	})
}

// logger takes Pebble's messages. Pebble calls Fatalf, from goroutines of its
// own too, when it cannot go on; the engine then stops acknowledging, which it
// sees by Failed. Pebble expects that Fatalf does not return, and panics over
// its own state where it does (a compaction whose manifest write failed is
// taken back twice). So the goroutine ends there, with what it had deferred.
type logger struct {
	log   *slog.Logger
	store *Store
}

func (l logger) Infof(format string, args ...any) { l.log.Debug(fmt.Sprintf(format, args...)) }

func (l logger) Errorf(format string, args ...any) { l.log.Error(fmt.Sprintf(format, args...)) }

func (l logger) Fatalf(format string, args ...any) {
	l.store.fail(fmt.Errorf(format, args...))
	l.log.Error(fmt.Sprintf(format, args...))
	runtime.Goexit()
}
