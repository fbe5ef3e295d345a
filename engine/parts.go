package engine

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"

	"github.com/tael-sql/tael-sql/engine/blob"
	"github.com/tael-sql/tael-sql/engine/cold"
	"github.com/tael-sql/tael-sql/engine/hot"
	"github.com/tael-sql/tael-sql/engine/layout"
	"github.com/tael-sql/tael-sql/engine/object"
	"github.com/tael-sql/tael-sql/internal/vector"
)

// ErrUnavailable says that the object store of the parts cannot be reached. It
// passes.
var ErrUnavailable = errors.New("engine: the object store is not available")

// A partRef is a part in a view: its manifest entry and its deletion vector.
type partRef struct {
	meta        *layout.PartMeta
	whole       *layout.BlockMeta // what prunes the part as a whole
	dead        vector.Bitmap     // nil: none
	deadCount   int
	unsettled   []layout.Unsettled
	deadChanged bool // that, or the vector, is not yet in the hot store as it is
}

func newPartRef(meta *layout.PartMeta) *partRef {
	return &partRef{meta: meta, whole: &layout.BlockMeta{Rows: meta.Rows, MinTime: meta.MinTime, MaxTime: meta.MaxTime, Zones: meta.Zones}}
}

// deadIn gives the dead rows of a chunk, nil if there are none.
func (p *partRef) deadIn(chunk int) (dead vector.Bitmap, count int) {
	if p.dead == nil {
		return nil, 0
	}
	words := p.meta.ChunkRows / 64
	dead = p.dead[chunk*words : min((chunk+1)*words, len(p.dead))]
	if count = dead.Count(); count == 0 {
		return nil, 0
	}
	return dead, count
}

// Bytes that are kept of parts in memory: decoded indexes, footers, and pages.
const (
	partIndexBytes  = 64 << 20
	partFooterBytes = 64 << 20
)

// parts reads the files of parts and their indexes.
type parts struct {
	store   object.Store
	hot     *hot.Store
	log     *slog.Logger
	pages   *cold.Cache
	indexes *lru[*layout.PartMeta, *layout.PartIndex]
	open    *lru[*layout.PartMeta, *cold.Part]
	files   *partFiles

	mu      sync.Mutex // guards what follows
	kept    map[*layout.PartMeta]*layout.PartIndex
	missing map[*layout.PartMeta]string // what is wrong with a file
}

func newParts(store object.Store, h *hot.Store, pageBytes int64, log *slog.Logger) *parts {
	return &parts{
		store: store, hot: h, pages: cold.NewCache(pageBytes), log: log,
		kept: make(map[*layout.PartMeta]*layout.PartIndex), missing: make(map[*layout.PartMeta]string),
		files:   &partFiles{open: make(map[*partFile]bool)},
		indexes: newLRU[*layout.PartMeta, *layout.PartIndex](partIndexBytes), open: newLRU[*layout.PartMeta, *cold.Part](partFooterBytes),
	}
}

// index gives what is known of the inside of a part.
func (p *parts) index(t *table, m *layout.PartMeta) (*layout.PartIndex, error) {
	if x, ok := p.indexes.get(m); ok {
		return x, nil
	}
	p.mu.Lock()
	x := p.kept[m]
	p.mu.Unlock()
	if x != nil {
		return x, nil
	}
	x, size, err := p.readIndex(m)
	if err != nil {
		return nil, partError(t, m, err)
	}
	p.indexes.put(m, x, 2*int64(size))
	return x, nil
}

// keep holds the index of a part that is about to leave the manifest, for the
// views that still have it, until forget. A damaged one they do not get either;
// while one cannot be read, the part must not leave.
func (p *parts) keep(t *table, m *layout.PartMeta) error {
	x, err := p.index(t, m)
	switch {
	case errors.Is(err, ErrCorrupt):
		return nil
	case err != nil:
		return err
	}
	p.mu.Lock()
	p.kept[m] = x
	p.mu.Unlock()
	return nil
}

func (p *parts) readIndex(m *layout.PartMeta) (x *layout.PartIndex, size int, err error) {
	raw, err := p.hot.Get(layout.PartIndexKey(m.Table, m.ID))
	if err != nil {
		return nil, 0, err
	}
	if raw == nil {
		return nil, 0, fmt.Errorf("%w: its index is missing", layout.ErrCorrupt)
	}
	if x, err = layout.DecodePartIndex(raw); err != nil {
		return nil, 0, err
	}
	if len(x.Chunks) != m.Chunks() {
		return nil, 0, fmt.Errorf("%w: its index has %d chunks, not %d", layout.ErrCorrupt, len(x.Chunks), m.Chunks())
	}
	return x, len(raw), nil
}

// part gives an open part. Its file is closed when nobody uses it any more.
func (p *parts) part(t *table, m *layout.PartMeta) (*cold.Part, error) {
	if part, ok := p.open.get(m); ok {
		return part, nil
	}
	part, err := p.openFile(t, m, p.pages)
	if err != nil {
		return nil, partError(t, m, err)
	}
	p.open.put(m, part, part.Held())
	return part, nil
}

func (p *parts) openFile(t *table, m *layout.PartMeta, pages *cold.Cache) (*cold.Part, error) {
	file, err := p.openObject(t, m)
	if err != nil {
		return nil, err
	}
	f, err := p.files.add(m, file)
	if err != nil {
		return nil, err
	}
	return p.files.part(t, f, pages)
}

// forget drops what is kept of a part that has gone, its open files too: they
// would keep the space on the disk.
func (p *parts) forget(m *layout.PartMeta) {
	p.files.dropPart(m)
	p.indexes.drop(m)
	p.open.drop(m)
	p.mu.Lock()
	delete(p.kept, m)
	delete(p.missing, m)
	p.mu.Unlock()
}

// partError names the part; damage and absence become an ErrCorrupt.
func partError(t *table, m *layout.PartMeta, err error) error {
	switch {
	case err == nil || errors.Is(err, ErrCorrupt) || errors.Is(err, ErrUnavailable) || errors.Is(err, ErrClosed):
		return err
	case errors.Is(err, object.ErrMissing):
		return fmt.Errorf("%w: part %s is missing", ErrCorrupt, m.Name)
	case errors.Is(err, object.ErrUnavailable):
		return fmt.Errorf("%w: part %s: %w", ErrUnavailable, m.Name, err)
	case errors.Is(err, cold.ErrCorrupt), errors.Is(err, layout.ErrCorrupt), errors.Is(err, hot.ErrCorrupt), errors.Is(err, blob.ErrCorrupt):
		return fmt.Errorf("%w: part %s: %w", ErrCorrupt, m.Name, err)
	case errors.Is(err, hot.ErrClosed):
		return fmt.Errorf("%w: part %s", ErrClosed, m.Name)
	}
	return fmt.Errorf("read part %s of %s: %w", m.Name, t.Schema.Name, err)
}

// storeError makes the object store's absence an ErrUnavailable.
func storeError(err error) error {
	if errors.Is(err, object.ErrUnavailable) && !errors.Is(err, ErrUnavailable) {
		return fmt.Errorf("%w: %w", ErrUnavailable, err)
	}
	return err
}

// mayHold reports whether a chunk may have one of the ids.
func (s *idSet) mayHold(c *layout.ChunkMeta) bool {
	if c.First == nil {
		return s.mayBeIn(&c.Trace)
	}
	for _, id := range s.ids {
		if bytes.Compare(id, c.First) >= 0 && bytes.Compare(id, c.Last) <= 0 {
			return true
		}
	}
	return false
}

// loadParts reads the manifest entries and deletion vectors of a table's parts.
func loadParts(store *hot.Store, t *table) ([]*partRef, error) {
	var list []*partRef
	byID := make(map[uint64]*partRef)
	lower, upper := layout.TableRange(layout.PartKind, t.ID)
	err := store.Each(lower, upper, func(key, value []byte) error {
		id, ok := layout.ParsePartKey(key)
		m, err := layout.DecodePartMeta(value)
		if err != nil {
			return fmt.Errorf("%w: manifest entry of part %d of %s: %w", ErrCorrupt, id, t.Schema.Name, err)
		}
		if !ok || m.Table != t.ID || m.ID != id {
			return fmt.Errorf("%w: manifest entry of part %d of %s is under another's key", ErrCorrupt, m.ID, t.Schema.Name)
		}
		byID[id] = newPartRef(m)
		list = append(list, byID[id])
		return nil
	})
	if err != nil {
		return nil, err
	}
	lower, upper = layout.TableRange(layout.VectorKind, t.ID)
	err = store.Each(lower, upper, func(key, value []byte) error {
		id, _ := layout.ParsePartKey(key)
		p := byID[id]
		if p == nil {
			return fmt.Errorf("%w: deletion vector of part %d of %s, which is not in the manifest", ErrCorrupt, id, t.Schema.Name)
		}
		if p.dead, err = layout.DecodeDead(value, p.meta.Rows); err != nil {
			return fmt.Errorf("%w: deletion vector of part %s: %w", ErrCorrupt, p.meta.Name, err)
		}
		p.deadCount = p.dead.Count()
		return nil
	})
	if err != nil {
		return nil, err
	}
	lower, upper = layout.TableRange(layout.UnsettledKind, t.ID)
	err = store.Each(lower, upper, func(key, value []byte) error {
		id, _ := layout.ParsePartKey(key)
		p := byID[id]
		if p == nil {
			return fmt.Errorf("%w: unsettled keys of part %d of %s, which is not in the manifest", ErrCorrupt, id, t.Schema.Name)
		}
		if p.unsettled, err = layout.DecodeUnsettled(value); err != nil {
			return fmt.Errorf("%w: part %s: %w", ErrCorrupt, p.meta.Name, err)
		}
		return nil
	})
	return list, err
}

// findParts compares the object store with the manifest. What is in no manifest
// a crash has left: it is deleted, if its name is one that we give. A part that
// is not there makes the statements fail that need it; so does a store that is
// not available, and passes.
func (db *DB) findParts(m *manifest) error {
	err := db.ownStore(context.Background())
	if err == nil {
		err = object.Clean(context.Background(), db.parts.store)
	}
	if errors.Is(err, object.ErrUnavailable) {
		db.opts.Logger.Error("parts cannot be read: the object store is not available", "error", err)
		return nil
	}
	if err != nil {
		return err
	}
	for i, t := range db.tables {
		lost := make(map[string]*layout.PartMeta)
		for _, p := range m.tables[i].parts {
			lost[p.meta.Name] = p.meta
		}
		var orphans []string
		err := db.parts.store.List(context.Background(), t.Schema.Name+"/", func(name string, size int64) error {
			switch p := lost[name]; {
			case p == nil && layout.IsPartName(name):
				orphans = append(orphans, name)
			case p != nil:
				db.parts.found(t, p, wrongSize(p, size))
				delete(lost, name)
			}
			return nil
		})
		if err != nil {
			if errors.Is(err, object.ErrUnavailable) {
				db.opts.Logger.Error("parts cannot be read: the object store is not available", "table", t.Schema.Name, "error", err)
				continue
			}
			return fmt.Errorf("list the parts of %s: %w", t.Schema.Name, err)
		}
		for _, p := range lost {
			db.parts.found(t, p, partMissing)
		}
		for _, name := range orphans {
			db.opts.Logger.Info("deleting a part that a crash left", "part", name)
			if err := db.parts.store.Delete(context.Background(), name); err != nil {
				return fmt.Errorf("delete %s: %w", name, err)
			}
		}
	}
	return nil
}
