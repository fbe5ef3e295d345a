package engine

import (
	"cmp"
	"errors"
	"fmt"
	"math"
	"slices"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/tael-sql/tael-sql/engine/blob"
	"github.com/tael-sql/tael-sql/engine/hot"
	"github.com/tael-sql/tael-sql/engine/layout"
	"github.com/tael-sql/tael-sql/engine/object"
	"github.com/tael-sql/tael-sql/internal/vector"
	"github.com/tael-sql/tael-sql/wal"
)

// recover opens the parts of the folder and builds the first view.
func (db *DB) recover() error {
	fs := db.opts.FS
	if err := makeFolder(fs, db.dir); err != nil {
		return fmt.Errorf("create %s: %w", db.dir, err)
	}
	lock, err := fs.Lock(fs.PathJoin(db.dir, layout.LockFile))
	if err != nil {
		return fmt.Errorf("%w: %s: %w", ErrLocked, db.dir, err)
	}
	db.lock = lock
	db.hot, err = hot.Open(db.onDiskFull(fs), fs.PathJoin(db.dir, layout.HotDir), hot.Options{Logger: db.opts.Logger, CacheBytes: db.opts.HotCacheBytes})
	if err != nil {
		return hotError(err)
	}
	db.blobs = &blobs{db.hot, blob.New(db.onDiskFull(fs), fs.PathJoin(db.dir, layout.BlobsDir)), db.opts.BlobFileBytes}
	if err := db.blobs.files.Clean(); err != nil {
		return err
	}
	if err := fs.RemoveAll(fs.PathJoin(db.dir, layout.BackupTempDir)); err != nil {
		return err
	}
	store := db.opts.Cold
	if store == nil {
		store = object.NewFolder(fs, fs.PathJoin(db.dir, layout.ColdDir))
	}
	db.live = newLivePublisher(store, len(db.tables))
	db.parts = newParts(store, db.hot, db.opts.PageCacheBytes, db.opts.Logger)
	if err := syncFolder(fs, db.dir); err != nil { // the names of hot and LOCK
		return fmt.Errorf("sync %s: %w", db.dir, err)
	}
	m, err := loadManifest(db.hot, db.tables)
	if err != nil {
		return err
	}
	if err := db.deleteOrphans(m); err != nil {
		return err
	}
	if err := db.findParts(m); err != nil {
		return err
	}
	if err := db.requests.load(db.hot); err != nil {
		return err
	}
	if err := db.sweepKeyed(); err != nil {
		return err
	}
	db.publishFirst(m)
	if db.wal, err = wal.Open(fs, fs.PathJoin(db.dir, layout.WALDir), db.opts.WAL); err != nil {
		return walError(err)
	}
	return db.replay(m)
}

// publishFirst makes the view of what the hot store has.
func (db *DB) publishFirst(m *manifest) {
	first := &View{db: db, lsn: m.applied(), tables: make([]*tableView, len(db.tables))}
	for i := range db.tables {
		tv := &tableView{blocks: m.tables[i].blocks, parts: m.tables[i].parts, nextRow: m.tables[i].state.Rows}
		tv.recount()
		first.tables[i] = tv
		db.stored[i] = m.tables[i].state
		db.nextRow[i], db.nextBlock[i] = tv.nextRow, max(db.stored[i].NextBlock, 1)
	}
	db.flushedLSN.Store(first.lsn)
	db.stateMu.Lock()
	db.publishLocked(first)
	db.stateMu.Unlock()
}

// makeFolder creates a folder and what is missing above it durably.
func makeFolder(fs vfs.FS, dir string) error {
	if _, err := fs.Stat(dir); err == nil {
		return nil
	}
	parent := fs.PathDir(dir)
	if parent == dir {
		return nil
	}
	if err := makeFolder(fs, parent); err != nil {
		return err
	}
	if err := fs.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	return syncFolder(fs, parent)
}

// syncFolder makes the names in a folder durable.
func syncFolder(fs vfs.FS, dir string) error {
	f, err := fs.OpenDir(dir)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}

// withCut adds to what does not fit together that the hot store may be older
// than it was.
func (db *DB) withCut(err error) error {
	if !errors.Is(err, ErrCorrupt) || db.hot == nil || db.hot.Cut() == nil || errors.Is(err, db.hot.Cut()) {
		return err
	}
	return fmt.Errorf("%w; %w", err, db.hot.Cut())
}

func hotError(err error) error {
	if errors.Is(err, hot.ErrCorrupt) {
		return fmt.Errorf("%w: %w", ErrCorrupt, err)
	}
	return err
}

// A manifest is what the hot store says that there is.
type manifest struct {
	tables  []tableManifest
	keyed   layout.TableState
	orphans []layout.BlockName // deletion vectors without a manifest entry
}

type tableManifest struct {
	state  layout.TableState
	known  bool // there is a state
	blocks []*blockRef
	parts  []*partRef
}

// applied gives the LSN up to which every record of every table is in blocks.
// A flush writes the states of all tables, so a table without one is new.
func (m *manifest) applied() uint64 {
	least, any := uint64(math.MaxUint64), false
	for _, t := range m.tables {
		if t.known {
			least, any = min(least, t.state.AppliedLSN), true
		}
	}
	if any { // a flush writes this state too; a folder from before it was has no such rows
		least = min(least, cmp.Or(m.keyed.AppliedLSN, least))
	}
	if !any {
		return 0
	}
	return least
}

func loadManifest(store *hot.Store, tables []*table) (*manifest, error) {
	m := &manifest{tables: make([]tableManifest, len(tables))}
	for i, t := range tables {
		if err := m.load(store, t, &m.tables[i]); err != nil {
			return nil, err
		}
	}
	raw, err := store.Get(layout.StateKey(layout.KeyedState))
	if err != nil {
		return nil, hotError(err)
	}
	if raw != nil {
		if m.keyed, err = layout.DecodeState(raw); err != nil {
			return nil, fmt.Errorf("%w: state of the keyed tables: %w", ErrCorrupt, err)
		}
	}
	return m, nil
}

func (m *manifest) load(store *hot.Store, t *table, out *tableManifest) error {
	raw, err := store.Get(layout.StateKey(t.ID))
	if err != nil {
		return hotError(err)
	}
	if raw != nil {
		if out.state, err = layout.DecodeState(raw); err != nil {
			return fmt.Errorf("%w: state of %s: %w", ErrCorrupt, t.Schema.Name, err)
		}
		out.known = true
	}
	byID := make(map[uint64]*blockRef)
	lower, upper := layout.TableRange(layout.MetaKind, t.ID)
	err = store.Each(lower, upper, func(key, value []byte) error {
		name, ok := layout.ParseBlockKey(key)
		if !ok {
			return fmt.Errorf("%w: manifest key %x", ErrCorrupt, key)
		}
		meta, err := layout.DecodeMeta(value)
		if err != nil {
			return fmt.Errorf("%w: manifest entry of block %d of %s: %w", ErrCorrupt, name.ID, t.Schema.Name, err)
		}
		if meta.Table != t.ID || meta.ID != name.ID || meta.Hour != name.Hour || byID[name.ID] != nil {
			return fmt.Errorf("%w: manifest entry of block %d of %s is under another's key", ErrCorrupt, name.ID, t.Schema.Name)
		}
		byID[name.ID] = &blockRef{meta: meta}
		out.blocks = append(out.blocks, byID[name.ID])
		return nil
	})
	if err != nil {
		return hotError(err)
	}
	lower, upper = layout.TableRange(layout.DeadKind, t.ID)
	err = store.Each(lower, upper, func(key, value []byte) error {
		name, ok := layout.ParseBlockKey(key)
		if !ok {
			return fmt.Errorf("%w: deletion vector key %x", ErrCorrupt, key)
		}
		b := byID[name.ID]
		if b == nil {
			if !isReplaced(value) {
				return fmt.Errorf("%w: block %d of %s has a deletion vector, but no manifest entry", ErrCorrupt, name.ID, t.Schema.Name)
			}
			m.orphans = append(m.orphans, name)
			return nil
		}
		if b.dead, err = layout.DecodeDead(value, b.meta.Rows); err != nil {
			return fmt.Errorf("%w: deletion vector of block %d of %s: %w", ErrCorrupt, name.ID, t.Schema.Name, err)
		}
		b.deadCount = b.dead.Count()
		return nil
	})
	if err != nil {
		return hotError(err)
	}
	slices.SortFunc(out.blocks, func(a, b *blockRef) int { return cmp.Compare(a.meta.ID, b.meta.ID) })
	out.parts, err = loadParts(store, t)
	return hotError(err)
}

// deleteOrphans deletes the blocks that a merge replaced before a crash.
func (db *DB) deleteOrphans(m *manifest) error {
	var writes []hot.Write
	for _, name := range m.orphans {
		writes = append(writes, goneWrites(name.Table, name.Hour, name.ID)...)
	}
	if len(writes) == 0 {
		return nil
	}
	db.opts.Logger.Info("deleting blocks that a merge replaced before a crash", "blocks", len(m.orphans))
	return db.hot.Commit(writes)
}

// pickRows lists the rows that are alive and wanted; nil if all are.
func pickRows(n int, dead vector.Bitmap, wanted func(row int) bool) []int32 {
	if dead == nil && wanted == nil {
		return nil
	}
	sel := make([]int32, 0, n)
	for i := range n {
		if (dead == nil || !dead.Get(i)) && (wanted == nil || wanted(i)) {
			sel = append(sel, int32(i))
		}
	}
	return sel
}
