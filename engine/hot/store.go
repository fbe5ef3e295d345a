// Package hot keeps blocks and their manifest in a Pebble store.
//
// Pebble's own log is off: everything that is in no completed Flush is still
// in the WAL of the gateway. So durable means Commit has returned.
package hot

import (
	"errors"
	"fmt"
	"log/slog"
	"sync"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/sstable"
	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/tael-sql/tael-sql/engine/layout"
)

// ErrVersion says that the folder has a format that this program does not know.
var ErrVersion = errors.New("hot: unknown format version")

// A Store is open for one process. It is safe for concurrent use.
type Store struct {
	db     *pebble.DB
	failed chan struct{} // closed at the first error that Pebble calls fatal
	once   sync.Once
	fatal  error
}

// cacheBytes is Pebble's own cache. It is small: blocks are cached above, opened.
const cacheBytes = 8 << 20

// Open opens or creates the store in dir.
func Open(fs vfs.FS, dir string, log *slog.Logger) (*Store, error) {
	s := &Store{failed: make(chan struct{})}
	opts := &pebble.Options{
		FS: fs, DisableWAL: true, Logger: logger{log: log, store: s},
		MemTableSize:                64 << 20,
		MemTableStopWritesThreshold: 4,
		FormatMajorVersion:          pebble.FormatNewest,
	}
	cache := pebble.NewCache(cacheBytes)
	defer cache.Unref()
	opts.Cache = cache
	for i := range opts.Levels {
		opts.Levels[i].BlockSize = 32 << 10
		opts.Levels[i].Compression = func() *sstable.CompressionProfile { return sstable.NoCompression } // blocks are compressed already
	}
	opts.EnsureDefaults()
	db, err := pebble.Open(dir, opts)
	if err != nil {
		return nil, fmt.Errorf("open hot store: %w", err)
	}
	s.db = db
	return s, s.checkVersion()
}

// checkVersion reads the folder's format version, or writes it into a new one.
func (s *Store) checkVersion() error {
	raw, err := s.Get(layout.VersionKey())
	switch {
	case err != nil:
		return errors.Join(err, s.db.Close())
	case raw == nil:
		return s.Commit([]Write{{Key: layout.VersionKey(), Value: []byte{layout.FormatVersion}}})
	case len(raw) != 1 || raw[0] != layout.FormatVersion:
		return errors.Join(fmt.Errorf("%w: %x", ErrVersion, raw), s.db.Close())
	}
	return nil
}

// A Write sets a key, or deletes it where Value is nil.
type Write struct{ Key, Value []byte }

// Commit makes writes durable together, or none of them.
func (s *Store) Commit(writes []Write) error {
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
	if err := b.Commit(pebble.NoSync); err != nil { // Sync is an error without a log
		return fmt.Errorf("commit to hot store: %w", err)
	}
	if err := s.db.Flush(); err != nil {
		return fmt.Errorf("flush hot store: %w", err)
	}
	return s.Err()
}

// Get gives a copy of a value, nil if there is none.
func (s *Store) Get(key []byte) ([]byte, error) {
	v, closer, err := s.db.Get(key)
	if errors.Is(err, pebble.ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read hot store: %w", err)
	}
	out := append(make([]byte, 0, len(v)), v...)
	return out, closer.Close()
}

// Each calls fn with every key and value from lower to below upper. They are
// valid only within fn.
func (s *Store) Each(lower, upper []byte, fn func(key, value []byte) error) error {
	it, err := s.db.NewIter(&pebble.IterOptions{LowerBound: lower, UpperBound: upper})
	if err != nil {
		return fmt.Errorf("read hot store: %w", err)
	}
	for ok := it.First(); ok; ok = it.Next() {
		v, err := it.ValueAndErr()
		if err == nil {
			err = fn(it.Key(), v)
		}
		if err != nil {
			return errors.Join(err, it.Close())
		}
	}
	return errors.Join(it.Error(), it.Close())
}

// Bytes is what the store holds on disk.
func (s *Store) Bytes() int64 { return int64(s.db.Metrics().DiskSpaceUsage()) }

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

// Close ends background work. It flushes nothing.
func (s *Store) Close() error { return s.db.Close() }

// logger takes Pebble's messages. Pebble calls Fatalf from goroutines of its
// own when it cannot go on; the process must then stop acknowledging, which
// the engine sees by Failed.
type logger struct {
	log   *slog.Logger
	store *Store
}

func (l logger) Infof(format string, args ...any) { l.log.Debug(fmt.Sprintf(format, args...)) }

func (l logger) Errorf(format string, args ...any) { l.log.Error(fmt.Sprintf(format, args...)) }

func (l logger) Fatalf(format string, args ...any) {
	l.store.once.Do(func() {
		l.store.fatal = fmt.Errorf("hot store stopped: "+format, args...)
		close(l.store.failed)
	})
	l.log.Error(fmt.Sprintf(format, args...))
}
