package engine

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"sync"
	"sync/atomic"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/tael-sql/tael-sql/engine/layout"
	"github.com/tael-sql/tael-sql/engine/search"
	"github.com/tael-sql/tael-sql/internal/vector"
)

// An indexer keeps the index of the texts that TableSpec.Texts names. It owns
// one goroutine, which alone changes the index.
//
// The index is derived from the rows: a pass enters the texts of a view's rows
// that are beyond the mark, and then notes how far the view goes (by table, the
// running number of its next row) with the last of them. Who searches a view
// asks the index for rows before a mark of that view or an older one, and looks
// through the others itself. So nothing waits for the index, and a crash, or the
// loss of its folder, only makes it begin again.
//
// What a row's death leaves in the index nobody finds, since who searches reads
// the rows; a pass now and then removes it, once no view is held that has the
// row.
type indexer struct {
	db     *DB
	dir    string // "": in memory
	worker *worker
	stop   context.CancelFunc
	wg     sync.WaitGroup

	// The goroutine's own.
	failed  bool   // the last pass; that is said once
	stored  uint64 // LSN of the mark in the index
	dead    []uint64
	removed time.Time // when dead was looked for
	doomed  []search.ID
	since   uint64 // number of the view of which no row has a text in doomed

	damaged atomic.Bool // who read the index has found that

	mu    sync.Mutex // guards what follows
	index *search.Index
	marks []textMark // the oldest first: those that views need that are held
}

// A textMark says that the index has all texts of a view's rows, and of any
// newer one's that are before the numbers.
type textMark struct {
	view uint64 // its number
	lsn  uint64
	next []uint64 // by table: running number of the first row that may not be in the index
}

// What of an index that another version of the program has made is of use: none
// if its words are others.
const textMarkVersion = 1

// append gives the mark as it is beside the index: version uint8, LSN uint64,
// count of tables uint8, for each its id uint8 and number uint64, all big-endian,
// CRC-32C of that.
func (m *textMark) append(dst []byte, tables []*table) []byte {
	dst = append(dst, textMarkVersion)
	dst = binary.BigEndian.AppendUint64(dst, m.lsn)
	dst = append(dst, byte(len(tables)))
	for i, t := range tables {
		dst = append(dst, t.ID)
		dst = binary.BigEndian.AppendUint64(dst, m.next[i])
	}
	return binary.BigEndian.AppendUint32(dst, crc32.Checksum(dst, crc32.MakeTable(crc32.Castagnoli)))
}

// parseTextMark reads a mark; ok is false if it is not of these tables.
func parseTextMark(raw []byte, tables []*table) (m textMark, ok bool) {
	if len(raw) != 1+8+1+9*len(tables)+4 || raw[0] != textMarkVersion || int(raw[9]) != len(tables) {
		return m, false
	}
	body := raw[:len(raw)-4]
	if crc32.Checksum(body, crc32.MakeTable(crc32.Castagnoli)) != binary.BigEndian.Uint32(raw[len(body):]) {
		return m, false
	}
	m.lsn = binary.BigEndian.Uint64(raw[1:])
	for i, t := range tables {
		entry := raw[10+9*i:]
		if entry[0] != t.ID {
			return m, false
		}
		m.next = append(m.next, binary.BigEndian.Uint64(entry[1:]))
	}
	return m, true
}

// texts verifies the index of texts. Since it is derived, damage is none.
func (c *checker) texts(dir string) {
	if err := search.Check(dir); err != nil {
		c.report.Notes = append(c.report.Notes, fmt.Sprintf("%v: it is made again", err))
	}
}

// newIndexer gives nil if no table has texts to search.
func newIndexer(db *DB) *indexer {
	has := false
	for _, t := range db.tables {
		has = has || t.Texts != nil
	}
	if !has {
		return nil
	}
	x := &indexer{db: db, dir: db.opts.SearchDir, worker: newWorker()}
	if x.dir == "" && db.opts.FS == vfs.Default {
		x.dir = db.opts.FS.PathJoin(db.dir, layout.SearchDir)
	}
	return x
}

func (x *indexer) start() {
	ctx, stop := context.WithCancel(context.Background())
	x.stop = stop
	x.wg.Go(func() { x.run(ctx) })
}

// close ends a pass that is under way; its texts are indexed again.
func (x *indexer) close() {
	x.stop()
	x.wg.Wait()
}

func (x *indexer) run(ctx context.Context) {
	defer close(x.worker.ended)
	defer x.closeIndex()
	every := x.db.opts.IndexEvery
	if every > 0 {
		x.tick(ctx)
	} else {
		every = time.Hour
	}
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case task := <-x.worker.tasks:
			task(ctx)
		case <-tick.C:
			if x.db.opts.IndexEvery > 0 {
				x.tick(ctx)
			}
		}
	}
}

// tick brings the index up to date. Whatever stands in the way is tried again;
// until then the rows are looked through.
func (x *indexer) tick(ctx context.Context) {
	if x.db.diskLow.Load() {
		return
	}
	var err error
	if x.damaged.Swap(false) {
		x.closeIndex()
		err = x.drop()
	}
	if err == nil {
		err = x.pass(ctx, true)
	}
	if err == nil {
		err = x.tidy(ctx)
	}
	if err != nil && ctx.Err() == nil && !x.failed {
		x.db.opts.Logger.Warn("texts cannot be indexed now; searching reads the rows, and is slower", "error", err)
	}
	x.failed = err != nil
}

// Reindex makes the index of texts anew.
func (db *DB) Reindex(ctx context.Context) error {
	if db.indexer == nil {
		return nil
	}
	return db.indexer.worker.do(ctx, func(ctx context.Context) error {
		db.indexer.closeIndex()
		if err := db.indexer.drop(); err != nil {
			return err
		}
		return db.indexer.pass(ctx, false)
	})
}

func (x *indexer) drop() error {
	if x.dir == "" {
		return nil
	}
	return search.Drop(x.dir)
}

// closeIndex gives the index up. Snapshots of it stay readable.
func (x *indexer) closeIndex() {
	x.mu.Lock()
	index := x.index
	x.index, x.marks = nil, nil
	x.mu.Unlock()
	x.doomed, x.dead = nil, nil
	if index == nil {
		return
	}
	if err := index.Close(); err != nil {
		x.db.opts.Logger.Warn("the index of texts did not close; it is verified when it is opened again", "error", err)
	}
}

// open opens the index, or makes a new one if it is damaged or belongs to other
// rows.
func (x *indexer) open() error {
	if x.index != nil { // nobody else sets it
		return nil
	}
	index, err := search.Open(x.dir)
	if errors.Is(err, search.ErrCorrupt) {
		x.db.opts.Logger.Warn("the index of texts is made again", "error", err)
		if err := x.drop(); err != nil {
			return err
		}
		index, err = search.Open(x.dir)
	}
	if err != nil {
		return err
	}
	raw, err := index.Mark()
	if err != nil {
		return errors.Join(err, index.Close())
	}
	mark, ok := parseTextMark(raw, x.db.tables)
	if v := x.db.view.Load(); len(raw) > 0 && (!ok || mark.lsn > v.lsn) {
		x.db.opts.Logger.Warn("the index of texts is made again: it is of another version or of other rows")
		if err := errors.Join(index.Close(), x.drop()); err != nil {
			return err
		}
		if index, err = search.Open(x.dir); err != nil {
			return err
		}
		ok = false
	}
	x.mu.Lock()
	x.index = index
	x.stored = mark.lsn
	if ok {
		x.marks = []textMark{mark} // the rows that all views of this process have
	}
	x.mu.Unlock()
	return nil
}

// last gives the newest mark.
func (x *indexer) last() textMark {
	if len(x.marks) == 0 {
		return textMark{next: make([]uint64, len(x.db.tables))}
	}
	return x.marks[len(x.marks)-1]
}

// Bounds of a batch of the index.
const (
	indexBatchDocs  = 1000
	indexBatchBytes = 8 << 20
)

// pass enters the texts that have come since the last mark. Gently it leaves half
// of the time to others.
func (x *indexer) pass(ctx context.Context, gently bool) (err error) {
	if err := x.open(); err != nil {
		return err
	}
	v := x.db.View()
	defer v.Release()
	last := x.last()
	if len(x.marks) > 0 && last.lsn == v.lsn {
		return nil
	}
	next := textMark{view: v.number, lsn: v.lsn}
	for _, tv := range v.tables {
		next.next = append(next.next, tv.nextRow)
	}
	w := &textWriter{indexer: x, ctx: ctx, gently: gently}
	defer func() {
		if w.job != nil {
			w.job.end(err)
		}
		if errors.Is(err, search.ErrCorrupt) || w.failed {
			x.closeIndex() // what it has kept is opened again, or made again
		}
	}()
	for i, t := range x.db.tables {
		if t.Texts != nil {
			if err := w.table(v, t, last.next[i]); err != nil {
				return err
			}
		}
	}
	// That no text has come costs little to find out again.
	if w.job != nil || len(x.marks) == 0 || next.lsn-x.stored > storeMarkAfter {
		if err := w.flush(next.append(nil, x.db.tables)); err != nil {
			return err
		}
		x.stored = next.lsn
	}
	x.keepMark(next)
	return nil
}

// storeMarkAfter is after how many records without a text the mark is stored.
const storeMarkAfter = 10_000

// keepMark adds the newest mark, and forgets those that no view needs.
func (x *indexer) keepMark(m textMark) {
	oldest := x.db.held.oldestNumber()
	x.mu.Lock()
	defer x.mu.Unlock()
	x.marks = append(x.marks, m)
	for len(x.marks) > 1 && x.marks[1].view <= oldest {
		x.marks = x.marks[1:]
	}
}

// A textWriter enters the texts of rows.
type textWriter struct {
	*indexer
	ctx    context.Context
	gently bool
	job    *job // once there is a text
	docs   []search.Doc
	bytes  int
	failed bool // the index has refused a batch
	began  time.Time
}

func (w *textWriter) table(v *View, t *table, from uint64) error {
	spec := t.Texts
	service := t.Schema.Index(spec.Service)
	columns := []ColumnRef{{Field: RowNumber}, {Field: t.time}, {Field: service}, spec.MayHave}
	traceAt := len(columns)
	if t.trace >= 0 {
		columns = append(columns, ColumnRef{Field: t.trace})
	}
	textsAt := len(columns)
	columns = append(columns, spec.Columns...)
	scan, err := v.Scan(ScanRequest{
		Table: t.Schema.Name, Columns: columns, Filters: spec.Filters, FromNumber: from, PayloadsSince: w.db.PayloadCutoff(t.Schema.Name, w.db.believedNow()),
		Skip: func(err error) { w.db.opts.Logger.Warn("texts of damaged rows are not indexed", "error", err) },
	})
	if err != nil {
		return err
	}
	r := scan.Reader()
	defer r.Close()
	for {
		b, err := r.Next(w.ctx)
		if err != nil || b == nil {
			return err
		}
		rows, err := rowsWithTexts(b, spec)
		if err != nil {
			return err
		}
		if len(rows) == 0 {
			continue
		}
		cols := make([]*vector.Column, len(columns))
		for i := range cols {
			if cols[i], err = b.Column(i); err != nil {
				return err
			}
		}
		for _, row := range rows {
			d := search.Doc{ID: search.ID{Table: t.ID, Number: uint64(cols[0].Ints[row]), Time: cols[1].Ints[row]}}
			if !cols[2].IsNull(row) {
				d.Service = cols[2].Str(row)
			}
			if t.trace >= 0 && !cols[traceAt].IsNull(row) {
				copy(d.ID.Trace[:], cols[traceAt].HexBytes(row))
			}
			spec.Of(cols[textsAt:], row, func(source uint8, text string) {
				d.ID.Source, d.Text = source, text
				w.docs = append(w.docs, d)
				w.bytes += len(text)
			})
			if err := w.maybeFlush(); err != nil {
				return err
			}
		}
	}
}

// rowsWithTexts gives the rows of a batch that may have texts.
func rowsWithTexts(b *vector.Batch, spec *TextSpec) (rows []int, err error) {
	may, err := b.Column(3)
	if err != nil {
		return nil, err
	}
	for k := range b.Live() {
		if row := b.Row(k); spec.May(may, row) {
			rows = append(rows, row)
		}
	}
	return rows, nil
}

func (w *textWriter) maybeFlush() error {
	if w.job == nil && len(w.docs) > 0 {
		w.job, w.began = w.db.jobs.begin(IndexJob, ""), time.Now()
	}
	if len(w.docs) < indexBatchDocs && w.bytes < indexBatchBytes {
		return nil
	}
	return w.flush(nil)
}

// flush enters what has been gathered.
func (w *textWriter) flush(mark []byte) error {
	if err := w.ctx.Err(); err != nil {
		return err
	}
	if w.job != nil {
		w.job.read(0, len(w.docs), int64(w.bytes))
	}
	if err := w.index.Add(w.docs, mark); err != nil {
		w.failed = true
		return fmt.Errorf("index texts: %w", err)
	}
	w.docs, w.bytes = nil, 0
	if mark != nil || !w.gently {
		return nil
	}
	rest := time.NewTimer(time.Since(w.began))
	defer rest.Stop()
	select {
	case <-w.ctx.Done():
		return w.ctx.Err()
	case <-rest.C:
	}
	w.began = time.Now()
	return nil
}
