package engine

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/tael-sql/tael-sql/engine/blob"
	"github.com/tael-sql/tael-sql/engine/block"
	"github.com/tael-sql/tael-sql/engine/hot"
	"github.com/tael-sql/tael-sql/engine/layout"
	"github.com/tael-sql/tael-sql/engine/object"
	"github.com/tael-sql/tael-sql/internal/vector"
	"github.com/tael-sql/tael-sql/wal"
)

// defaultReplaceHorizon is Options.ReplaceHorizon where it is not set.
const defaultReplaceHorizon = 24 * time.Hour

// A Report says what Check has seen.
type Report struct {
	Blocks   int
	Parts    int
	Rows     int64 // of them live
	Dead     int64
	Keyed    int // versions of rows of keyed tables
	Blobs    int // texts outside the rows
	Records  int
	LastLSN  uint64
	Notes    []string // what is no damage, and the next start puts right
	Problems []string // one line each; empty: all is sound
}

// Check verifies a data folder that no process has open, and changes nothing:
// every checksum of every block, part, manifest entry and deletion vector, every
// text outside the rows and every reference to one, that each
// manifest entry is what its block says, that a row's key is live once, and
// the WAL with its place behind the blocks. The error tells why the check
// itself could not be made.
func Check(fs vfs.FS, dir string, specs []TableSpec) (Report, error) {
	return CheckParts(fs, dir, specs, object.NewFolder(fs, fs.PathJoin(dir, layout.ColdDir)))
}

// CheckParts is Check of a folder whose parts are elsewhere.
func CheckParts(fs vfs.FS, dir string, specs []TableSpec, cold object.Store) (r Report, err error) {
	if _, err := fs.Stat(dir); err != nil {
		return r, err
	}
	lock, err := fs.Lock(fs.PathJoin(dir, layout.LockFile))
	if err != nil {
		return r, fmt.Errorf("%w: %s: %w", ErrLocked, dir, err)
	}
	defer func() { err = errors.Join(err, lock.Close()) }()
	c := &checker{report: &r, cold: cold}
	c.applied, err = c.hotStore(fs, dir, specs)
	if err != nil {
		return r, err
	}
	if fs == vfs.Default {
		c.texts(fs.PathJoin(dir, layout.SearchDir))
	}
	return r, c.log(fs, dir)
}

type checker struct {
	report  *Report
	store   *hot.Store
	blobs   *blobs
	cold    object.Store
	parts   *parts
	known   map[layout.Reference]bool // whose texts can be read
	applied uint64                    // by every table
}

func (c *checker) problem(format string, args ...any) {
	c.report.Problems = append(c.report.Problems, fmt.Sprintf(format, args...))
}

// hotStore verifies the blocks of all tables and gives the applied LSN.
func (c *checker) hotStore(fs vfs.FS, dir string, specs []TableSpec) (applied uint64, err error) {
	c.store, err = hot.Open(fs, fs.PathJoin(dir, layout.HotDir), hot.Options{
		Logger: slog.New(slog.DiscardHandler), CacheBytes: 8 << 20, ReadOnly: true,
	})
	switch {
	case errors.Is(err, hot.ErrMissing):
		return 0, nil
	case errors.Is(err, hot.ErrCorrupt):
		c.problem("%v", err)
		return 0, nil
	case err != nil:
		return 0, err
	}
	defer func() { err = errors.Join(err, c.store.Close()) }()
	tables := make([]*table, len(specs))
	for i, spec := range specs {
		tables[i] = newTable(i, spec)
	}
	m, err := loadManifest(c.store, tables)
	if errors.Is(err, ErrCorrupt) {
		c.problem("%v", err)
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	c.blobs = &blobs{c.store, blob.New(fs, fs.PathJoin(dir, layout.BlobsDir)), defaultBlobFileBytes}
	c.known = make(map[layout.Reference]bool)
	c.parts = newParts(c.cold, c.store, 0, slog.New(slog.DiscardHandler))
	defer c.parts.files.close()
	for i, t := range tables {
		live := make(map[string][]int64) // key → times
		c.table(t, m.tables[i], live)
		if err := c.tableParts(t, m.tables[i], live); err != nil {
			return 0, err
		}
	}
	if err := c.contents(); err != nil {
		return 0, err
	}
	if err := c.strays(m); err != nil {
		return 0, err
	}
	if err := c.requests(m); err != nil {
		return 0, err
	}
	return m.applied(), c.keyed(m)
}

// requests verifies what is remembered of requests.
func (c *checker) requests(m *manifest) error {
	w := newRequestWindow(1)
	err := w.load(c.store)
	if errors.Is(err, ErrCorrupt) {
		c.problem("%v", err)
		return nil
	}
	for _, r := range w.order {
		if r.LSN > m.applied() {
			c.problem("request %x is of record %d, but %d is the last applied one", r.hash, r.LSN, m.applied())
		}
	}
	return err
}

// keyed verifies the rows of the keyed tables.
func (c *checker) keyed(m *manifest) error {
	lower, upper := layout.KindRange(layout.KeyedKind)
	err := c.store.Each(lower, upper, func(key, value []byte) error {
		v, err := decodeVersion(key, value)
		switch {
		case err != nil:
			c.problem("%v", err)
		case v.lsn > m.keyed.AppliedLSN:
			c.problem("row %x of keyed table %d is of record %d, but %d is the last applied one", v.key, v.table, v.lsn, m.keyed.AppliedLSN)
		default:
			c.report.Keyed++
		}
		return nil
	})
	if errors.Is(err, hot.ErrCorrupt) {
		c.problem("%v", err)
		return nil
	}
	return err
}

// table verifies the blocks of one table.
func (c *checker) table(t *table, m tableManifest, live map[string][]int64) {
	for _, ref := range m.blocks {
		c.report.Blocks++
		c.report.Dead += int64(ref.deadCount)
		c.report.Rows += int64(ref.meta.Rows - ref.deadCount)
		b, err := readBlock(c.store, t, ref.meta)
		if err == nil {
			err = blockError(t, ref.meta, b.Verify())
		}
		if err != nil {
			c.problem("%v", err)
			continue
		}
		if c.references(t, ref.meta, b) {
			c.entry(t, m.state, ref.meta, b)
		}
		if len(t.key) == 0 {
			continue
		}
		keys, err := newBlockKeys(t, b, b.Rows())
		if err != nil {
			c.problem("%v", blockError(t, ref.meta, err))
			continue
		}
		c.keys(t, fmt.Sprintf("block %d", ref.meta.ID), ref.meta.Rows, ref.dead, keys, live)
	}
}

// references verifies that the texts can be read that a block refers to.
func (c *checker) references(t *table, m *layout.BlockMeta, b *block.Block) bool {
	sound := true
	err := t.outsideTexts(b, func(stored string) error {
		if err := c.reference(stored); err != nil {
			c.problem("%v", blockError(t, m, err))
			sound = false
		}
		return nil
	})
	if err != nil {
		c.problem("%v", blockError(t, m, err))
	}
	return sound && err == nil
}

// outsideTexts calls fn with the distinct values of a block that may be
// references.
func (t *table) outsideTexts(b *block.Block, fn func(stored string) error) error {
	for field, o := range t.offload {
		keys := []string{""}
		if o.Key != nil {
			all, err := b.Keys(field)
			if err != nil {
				return err
			}
			keys = slices.DeleteFunc(all, func(key string) bool { return !o.Key(key) })
		}
		for _, key := range keys {
			texts, err := b.Values(field, key)
			if err != nil {
				return err
			}
			for _, stored := range texts {
				if err := fn(stored); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

// isTextMark reports whether what stands under a key says that the text is lost
// or has expired.
func isTextMark(key, text []byte) bool {
	if len(key) != 33 {
		return false
	}
	hash := [32]byte(key[1:])
	return string(text) == layout.LostText(hash) || string(text) == layout.ExpiredText(hash)
}

// reference verifies that a text can be read, if it is a reference. One that
// cannot is an error once.
func (c *checker) reference(stored string) error {
	_, ref, outside, err := layout.ParseStored(stored)
	if err != nil || !outside || c.known[ref] {
		return err
	}
	if _, err := c.blobs.read(ref); err != nil {
		return err
	}
	c.known[ref] = true
	return nil
}

// contents verifies every text outside the rows, also where no block refers to
// it.
func (c *checker) contents() error {
	lower, upper := layout.KindRange(layout.BlobKind)
	err := c.store.Each(lower, upper, func(key, text []byte) error {
		c.report.Blobs++
		if hash := sha256.Sum256(text); !bytes.Equal(key, layout.BlobKey(hash)) && !isTextMark(key, text) {
			c.problem("text %x in the hot store has the hash %x", key[1:], hash)
		}
		return nil
	})
	if errors.Is(err, hot.ErrCorrupt) {
		c.problem("%v", err)
		err = nil
	}
	return errors.Join(err, c.blobs.files.Check(func(problem error) {
		c.report.Blobs++
		if problem != nil {
			c.problem("%v", problem)
		}
	}))
}

// entry compares a block's manifest entry with what the block says.
func (c *checker) entry(t *table, state layout.TableState, m *layout.BlockMeta, b *block.Block) {
	want, err := layout.Describe(t.desc, b, func(stored string) (string, error) { return c.blobs.text(stored, nil) })
	if err != nil {
		c.problem("%v", blockError(t, m, err))
		return
	}
	want.Table, want.ID, want.Hour = m.Table, m.ID, m.Hour
	if !bytes.Equal(want.Append(nil), m.Append(nil)) {
		c.problem("block %d of %s is not what its manifest entry says", m.ID, t.Schema.Name)
	}
	if m.MaxLSN > state.AppliedLSN {
		c.problem("block %d of %s has record %d, but %d is the last applied one", m.ID, t.Schema.Name, m.MaxLSN, state.AppliedLSN)
	}
	if m.MaxRow >= state.Rows {
		c.problem("block %d of %s has row %d of %d", m.ID, t.Schema.Name, m.MaxRow, state.Rows)
	}
	if m.ID >= state.NextBlock {
		c.problem("block %d of %s, but %d is the next one", m.ID, t.Schema.Name, state.NextBlock)
	}
	if m.Hour != layout.LateHour && (hourOf(m.MinTime) != m.Hour || hourOf(m.MaxTime) != m.Hour) {
		c.problem("block %d of %s has rows of other hours than %d", m.ID, t.Schema.Name, m.Hour)
	}
}

// keys verifies that no two live rows are versions of each other.
func (c *checker) keys(t *table, place string, rows int, dead vector.Bitmap, keys *blockKeys, live map[string][]int64) {
	for row := range rows {
		if dead != nil && dead.Get(row) {
			continue
		}
		key := string(keys.append(nil, row))
		for _, other := range live[key] {
			if within(other, keys.times[row], int64(defaultReplaceHorizon)) {
				c.problem("key %x of %s is live twice, once in %s", key, t.Schema.Name, place)
			}
		}
		live[key] = append(live[key], keys.times[row])
	}
}

// strays verifies that every block is in the manifest, or was replaced.
func (c *checker) strays(m *manifest) error {
	known := make(map[layout.BlockName]bool)
	for _, t := range m.tables {
		for _, ref := range t.blocks {
			known[layout.BlockName{Kind: layout.BlockKind, Table: ref.meta.Table, Hour: ref.meta.Hour, ID: ref.meta.ID}] = true
		}
	}
	for _, name := range m.orphans {
		name.Kind = layout.BlockKind
		known[name] = true
	}
	lower, upper := layout.KindRange(layout.BlockKind)
	err := c.store.Each(lower, upper, func(key, _ []byte) error {
		if name, ok := layout.ParseBlockKey(key); !ok || !known[name] {
			c.problem("block %d of table %d has no manifest entry", name.ID, name.Table)
		}
		return nil
	})
	if errors.Is(err, hot.ErrCorrupt) {
		c.problem("%v", err)
		return nil
	}
	return err
}

// log verifies the WAL.
func (c *checker) log(fs vfs.FS, dir string) error {
	w, err := wal.Check(fs, fs.PathJoin(dir, layout.WALDir), nil)
	if err != nil {
		c.problem("%v", err)
		return nil
	}
	c.report.Records, c.report.LastLSN = w.Records, w.LastLSN
	if w.LastLSN > c.applied && w.FirstLSN > c.applied+1 {
		c.problem("the WAL begins at record %d, but blocks hold records only up to %d", w.FirstLSN, c.applied)
	}
	if w.LastLSN < c.applied {
		c.problem("the WAL ends at record %d, but blocks hold records up to %d", w.LastLSN, c.applied)
	}
	return nil
}
