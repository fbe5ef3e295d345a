package engine

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"strings"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/tael-sql/tael-sql/engine/blob"
	"github.com/tael-sql/tael-sql/engine/hot"
	"github.com/tael-sql/tael-sql/engine/layout"
	"github.com/tael-sql/tael-sql/engine/object"
	"github.com/tael-sql/tael-sql/wal"
)

// A Repaired says what Repair has done.
type Repaired struct {
	Quarantine string   // folder with every byte that was taken out; "": there was nothing to repair
	Lines      []string // what was wrong and is lost, one line each
	LostRows   int64    // live rows of blocks and parts that are out
	Lost       wal.Salvaged
}

// Repair makes a damaged data folder that no process has open one that is sound,
// without what is damaged. What it takes out is moved or copied to a folder of
// its own in quarantine/, with a report. A folder that is sound it leaves alone.
//
// Everything that is not damaged stays: a block or part goes with its rows, a
// text outside the rows gives way to a mark in its place, a deletion vector
// brings back the rows that it named (but those of which there are newer
// versions), the log loses the records behind the damaged one.
func Repair(dir string, o Options) (r Repaired, err error) {
	if o, err = o.withDefaults(); err != nil {
		return r, err
	}
	check := func() (Report, error) { return CheckParts(o.FS, dir, o.Tables, o.coldStore(dir)) }
	before, err := check()
	if err != nil || len(before.Problems) == 0 {
		return r, err
	}
	p := &repairer{fs: o.FS, dir: dir, opts: o, out: &r}
	if err := p.run(); err != nil {
		return r, fmt.Errorf("repair %s: %w", dir, err)
	}
	after, err := check()
	if err == nil && len(after.Problems) > 0 {
		err = fmt.Errorf("%w: after the repair: %s", ErrCorrupt, strings.Join(after.Problems, "; "))
	}
	return r, err
}

// A repairer repairs one folder.
type repairer struct {
	fs     vfs.FS
	dir    string
	opts   Options
	out    *Repaired
	store  *hot.Store
	blobs  *blobs
	parts  *parts
	tables []*table
	gap    bool // the hot store could not be read as a whole: any deletion vector may be lost
}

// say adds a line to the report.
func (p *repairer) say(format string, args ...any) {
	p.out.Lines = append(p.out.Lines, fmt.Sprintf(format, args...))
}

func (p *repairer) run() (err error) {
	lock, err := p.fs.Lock(p.fs.PathJoin(p.dir, layout.LockFile))
	if err != nil {
		return fmt.Errorf("%w: %s: %w", ErrLocked, p.dir, err)
	}
	defer func() { err = errors.Join(err, lock.Close()) }()
	for i, spec := range p.opts.Tables {
		t := newTable(i, spec)
		t.cold.ChunkRows = p.opts.ChunkRows
		p.tables = append(p.tables, t)
	}
	if err := p.makeQuarantine(); err != nil {
		return err
	}
	applied, err := p.hotStore()
	if err != nil {
		return err
	}
	if err := p.log(applied); err != nil {
		return err
	}
	// The index of texts may know rows that are lost now, or not those that are back.
	if err := p.fs.RemoveAll(p.fs.PathJoin(p.dir, layout.SearchDir)); err != nil {
		return err
	}
	if err := p.keep("REPORT.txt", []byte(strings.Join(p.out.Lines, "\n")+"\n")); err != nil {
		return err
	}
	return errors.Join(syncFolders(p.fs, p.out.Quarantine), syncFolder(p.fs, p.dir))
}

func (p *repairer) makeQuarantine() error {
	name := p.opts.Now().UTC().Format("20060102T150405Z")
	for n := 1; ; n++ {
		path := p.fs.PathJoin(p.dir, layout.QuarantineDir, name)
		if n > 1 {
			path += fmt.Sprintf("-%d", n)
		}
		if _, err := p.fs.Stat(path); err != nil {
			p.out.Quarantine = path
			return makeFolder(p.fs, path)
		}
	}
}

// keep writes bytes into the quarantine.
func (p *repairer) keep(name string, raw []byte) (err error) {
	path := p.fs.PathJoin(append([]string{p.out.Quarantine}, strings.Split(name, "/")...)...)
	if err := p.fs.MkdirAll(p.fs.PathDir(path), 0o755); err != nil {
		return err
	}
	f, err := p.fs.Create(path, vfs.WriteCategoryUnspecified)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	if _, err := f.Write(slices.Clone(raw)); err != nil { // a vfs.File may change what it writes
		return err
	}
	return f.Sync()
}

// move moves a file or a folder of the data folder into the quarantine.
func (p *repairer) move(name string) error {
	to := p.fs.PathJoin(append([]string{p.out.Quarantine}, strings.Split(name, "/")...)...)
	if err := p.fs.MkdirAll(p.fs.PathDir(to), 0o755); err != nil {
		return err
	}
	return p.fs.Rename(p.fs.PathJoin(append([]string{p.dir}, strings.Split(name, "/")...)...), to)
}

// hotStore repairs the hot store, the parts and the texts, and gives the LSN
// that is applied.
func (p *repairer) hotStore() (applied uint64, err error) {
	dir := p.fs.PathJoin(p.dir, layout.HotDir)
	if _, err := p.fs.Stat(dir); err != nil {
		return 0, nil // nothing was ever flushed
	}
	readable, err := p.readable(dir)
	if err != nil {
		return 0, err
	}
	if !readable {
		if err := p.rebuild(dir); err != nil {
			return 0, err
		}
	}
	p.store, err = hot.Open(p.fs, dir, hot.Options{Logger: slog.New(slog.DiscardHandler), CacheBytes: 8 << 20})
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, p.store.Close()) }()
	p.blobs = &blobs{p.store, blob.New(p.fs, p.fs.PathJoin(p.dir, layout.BlobsDir)), defaultBlobFileBytes}
	p.parts = newParts(p.opts.coldStore(p.dir), p.store, 0, slog.New(slog.DiscardHandler))
	defer p.parts.files.close()
	if err := p.rows(); err != nil { // of keyed tables, requests and texts
		return 0, err
	}
	if err := p.textFiles(); err != nil {
		return 0, err
	}
	for _, t := range p.tables {
		if err := p.table(t); err != nil {
			return 0, fmt.Errorf("%s: %w", t.Schema.Name, err)
		}
	}
	if err := p.states(); err != nil {
		return 0, err
	}
	m, err := loadManifest(p.store, p.tables)
	if err != nil {
		return 0, err
	}
	return m.applied(), nil
}

// log repairs the WAL.
func (p *repairer) log(applied uint64) error {
	dir := p.fs.PathJoin(p.dir, layout.WALDir)
	r, err := wal.Check(p.fs, dir, nil)
	if err == nil && r.LastLSN >= applied && (r.LastLSN == applied || r.FirstLSN <= applied+1) {
		return nil
	}
	if err != nil && !errors.Is(err, wal.ErrCorrupt) && !errors.Is(err, wal.ErrGap) {
		return err
	}
	if err != nil {
		p.say("%v", err)
	} else {
		p.say("the WAL has records %d to %d, but blocks hold records up to %d", r.FirstLSN, r.LastLSN, applied)
	}
	if err := p.fs.MkdirAll(p.fs.PathJoin(p.out.Quarantine, layout.WALDir), 0o755); err != nil {
		return err
	}
	s, err := wal.Salvage(p.fs, dir, p.fs.PathJoin(p.out.Quarantine, layout.WALDir), applied, p.opts.WAL)
	if err != nil {
		return err
	}
	p.out.Lost = s
	p.say("WAL segments in quarantine: %s", strings.Join(s.Files, ", "))
	if s.First != 0 {
		p.say("rows that lost records had replaced or deleted may be gone as well")
	}
	switch {
	case s.First == 0:
		p.say("no record is lost: blocks hold what the damaged segments held")
	case s.From == 0:
		p.say("lost: records %d to %d", s.First, s.Last)
	default:
		p.say("lost: records %d to %d, those of them that can still be read in the quarantine received from %s to %s", s.First, s.Last, timeText(s.From), timeText(s.To))
	}
	return nil
}

func timeText(nanos int64) string { return time.Unix(0, nanos).UTC().Format(time.RFC3339) }

// keepObject copies an object of the cold tier into the quarantine, as far as
// it can be read, and takes it out of its store.
func (p *repairer) keepObject(name string) error {
	ctx := context.Background()
	file, err := p.parts.store.Open(ctx, name)
	if err != nil {
		return nil // it is missing
	}
	raw, readErr := io.ReadAll(object.Stream(file))
	if err := file.Close(); err != nil {
		return err
	}
	if readErr != nil {
		p.say("%s can be read only up to byte %d: %v", name, len(raw), readErr)
	}
	if err := p.keep(layout.ColdDir+"/"+name, raw); err != nil {
		return err
	}
	return p.parts.store.Delete(ctx, name)
}
