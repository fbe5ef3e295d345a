package engine

import (
	"cmp"
	"context"
	"slices"
	"time"

	"github.com/tael-sql/tael-sql/engine/block"
	"github.com/tael-sql/tael-sql/engine/cold"
	"github.com/tael-sql/tael-sql/internal/vector"
)

// The rules of merging parts. A day that is over becomes one part, a week that
// is over too, unless they are too large: then, as on a day that is not over,
// parts of like size are merged. A row is written again about three times.
const (
	maxPartBytes  = 1 << 30
	maxPartRows   = 16 << 20 // what is known of a part until it is done is held in memory
	mergeParts    = 8        // parts of like size on a day that is not over
	maxMergeParts = 64       // at once
	mergeRatio    = 8        // a part is merged with others only if they have this share of its size: late rows do not have a large part written again
	deadShare     = 4        // one dead row in so many has a part written again
)

// mergeParts merges parts of a table until the rules find no more.
func (db *DB) mergeParts(ctx context.Context, t *table, before int64) error {
	for ctx.Err() == nil {
		v := db.View()
		inputs := chooseMerge(db.soundParts(v.tables[t.number].parts), before)
		if inputs == nil {
			v.Release()
			return nil
		}
		err := db.mergeInto(ctx, t, inputs)
		v.Release()
		if err != nil && !db.setPartsAside(t, inputs, err) {
			return err
		}
	}
	return ctx.Err()
}

// chooseMerge gives parts to merge, nil for none. Days and weeks that ended
// before a time are over.
func chooseMerge(list []*partRef, before int64) []*partRef {
	for _, p := range list {
		if deadShare*p.deadCount > p.meta.Rows {
			return []*partRef{p}
		}
	}
	const day, week = int64(24 * time.Hour), int64(7 * 24 * time.Hour)
	for _, span := range []int64{day, week} {
		groups := make(map[int64][]*partRef)
		for _, p := range list {
			at := floorDiv(p.meta.MinTime, span)
			if at == floorDiv(p.meta.MaxTime, span) {
				groups[at] = append(groups[at], p)
			}
		}
		for _, at := range sortedKeys(groups) {
			need := mergeParts
			if (at+1)*span <= before {
				need = 2
			} else if span == week {
				continue
			}
			if merge := likeChunks(groups[at], need); merge != nil {
				return merge
			}
		}
	}
	var wide []*partRef // late rows of many weeks
	for _, p := range list {
		if floorDiv(p.meta.MinTime, week) != floorDiv(p.meta.MaxTime, week) {
			wide = append(wide, p)
		}
	}
	return likeChunks(wide, mergeParts)
}

// likeChunks is likeSizes among parts with as many rows in a chunk: long rows
// would make the chunks of all others small.
func likeChunks(list []*partRef, need int) []*partRef {
	classes := make(map[int64][]*partRef)
	for _, p := range list {
		classes[int64(p.meta.ChunkRows)] = append(classes[int64(p.meta.ChunkRows)], p)
	}
	for _, rows := range sortedKeys(classes) {
		if merge := likeSizes(classes[rows], need); merge != nil {
			return merge
		}
	}
	return nil
}

// likeSizes finds the most parts, at least need, of which none is much larger
// than the others together.
func likeSizes(list []*partRef, need int) []*partRef {
	list = slices.Clone(list)
	slices.SortFunc(list, func(a, b *partRef) int {
		return cmp.Or(cmp.Compare(a.meta.Bytes, b.meta.Bytes), cmp.Compare(a.meta.ID, b.meta.ID))
	})
	var best []*partRef
	for i := range list {
		sum, rows, n := list[i].meta.Bytes, list[i].meta.Rows, 1
		for _, p := range list[i+1:] {
			if p.meta.Bytes > mergeRatio*sum || sum+p.meta.Bytes > maxPartBytes || rows+p.meta.Rows > maxPartRows || n == maxMergeParts {
				break
			}
			sum, rows = sum+p.meta.Bytes, rows+p.meta.Rows
			n++
		}
		if n >= need && n > len(best) {
			best = list[i : i+n]
		}
	}
	return best
}

// mergeInto writes the live rows of parts into one that takes their place.
func (db *DB) mergeInto(ctx context.Context, t *table, inputs []*partRef) (err error) {
	job := &partJob{table: t, job: db.jobs.begin(MergeJob, t.Schema.Name)}
	defer func() { db.endPartJob(job, err) }()
	m := &merger{db: db, job: job, pages: cold.NewCache(mergePageBytes)}
	rows, width := 0, 0
	for _, ref := range inputs {
		c, n, err := m.open(ref)
		if err != nil {
			return partError(t, ref.meta, err)
		}
		if width += n; width > mergeWidth && len(job.parts) > 1 {
			break
		}
		if err := m.add(c); err != nil {
			return partError(t, ref.meta, err)
		}
		rows += ref.meta.Rows - ref.deadCount
		job.parts = append(job.parts, ref)
		job.job.read(1, ref.meta.Rows, ref.meta.Bytes)
	}
	job.from = make([]uint8, 0, rows)
	if len(m.cursors) > 0 {
		err := db.writePart(ctx, job, inputs[0].meta.ChunkRows, func(w *cold.Writer) error { return m.write(ctx, w) })
		if err != nil {
			return err
		}
	}
	return db.commitPart(ctx, job)
}

const (
	// mergePageBytes is what a merge keeps of the pages of its inputs.
	mergePageBytes = 32 << 20
	// mergeWidth is the most that one chunk of each input takes, of its widest
	// column: a row group may have rows of all of them.
	mergeWidth = 2 * cold.GroupBytes
)

// A merger reads parts side by side in their order.
type merger struct {
	db      *DB
	job     *partJob
	pages   *cold.Cache
	cursors []*cursor // a heap: the first is at the least row

	sources []cold.Source // of the group on its way: the chunks that its rows are in
	picks   []block.Pick
	widths  [][]int // by source and field: the bytes of the chunk's columns
	taken   []int   // by source: how many rows are picked
}

// A cursor is at a live row of a part.
type cursor struct {
	input  int
	ref    *partRef
	part   *cold.Part
	chunk  int
	row    int
	rows   int // of the chunk
	keys   sortKeys
	prefix uint64
	source int // place of the chunk in the merger's sources; -1: none yet
}

// open gives a cursor in front of the part's rows, and the bytes of the widest
// column of a chunk.
func (m *merger) open(ref *partRef) (c *cursor, width int, err error) {
	part, err := m.db.parts.openFile(m.job.table, ref.meta, m.pages)
	if err != nil {
		return nil, 0, err
	}
	for k := range part.Chunks() {
		widths, err := m.widthsOf(part.Chunk(k))
		if err != nil {
			return nil, 0, err
		}
		width = max(width, slices.Max(widths))
	}
	return &cursor{input: len(m.job.parts), ref: ref, part: part, chunk: -1, row: -1}, width, nil
}

func (m *merger) widthsOf(s cold.Source) ([]int, error) {
	widths := make([]int, len(m.job.table.Schema.Fields))
	for f := range widths {
		var err error
		if widths[f], err = s.Footprint(f); err != nil {
			return nil, err
		}
	}
	return widths, nil
}

func (m *merger) add(c *cursor) error {
	more, err := m.advance(c)
	if more {
		m.cursors = append(m.cursors, c)
		m.up(len(m.cursors) - 1)
	}
	return err
}

// advance moves a cursor to its next live row.
func (m *merger) advance(c *cursor) (more bool, err error) {
	for {
		if c.row++; c.row >= c.rows {
			if c.chunk++; c.chunk == c.ref.meta.Chunks() {
				return false, nil
			}
			chunk := c.part.Chunk(c.chunk)
			c.row, c.rows, c.source = 0, chunk.Rows(), -1
			if c.keys, err = newSortKeys(m.job.table, chunk); err != nil {
				return false, err
			}
		}
		if dead := c.ref.dead; dead == nil || !dead.Get(c.chunk*c.ref.meta.ChunkRows+c.row) {
			c.prefix = c.keys.prefix(c.row)
			return true, nil
		}
	}
}

func (m *merger) less(i, j int) bool {
	a, b := m.cursors[i], m.cursors[j]
	if a.prefix != b.prefix {
		return a.prefix < b.prefix
	}
	return a.keys.compare(a.row, &b.keys, b.row) < 0
}

func (m *merger) up(i int) {
	for i > 0 && m.less(i, (i-1)/2) {
		m.cursors[i], m.cursors[(i-1)/2] = m.cursors[(i-1)/2], m.cursors[i]
		i = (i - 1) / 2
	}
}

func (m *merger) down() {
	for i := 0; ; {
		least := i
		for _, child := range []int{2*i + 1, 2*i + 2} {
			if child < len(m.cursors) && m.less(child, least) {
				least = child
			}
		}
		if least == i {
			return
		}
		m.cursors[i], m.cursors[least] = m.cursors[least], m.cursors[i]
		i = least
	}
}

// write writes all rows, group by group.
func (m *merger) write(ctx context.Context, w *cold.Writer) error {
	for len(m.cursors) > 0 {
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := m.group(m.job.parts[0].meta.ChunkRows); err != nil {
			return err
		}
		if err := w.WriteGroup(m.sources, m.picks); err != nil {
			return err
		}
	}
	return nil
}

// group picks the rows of the next group.
func (m *merger) group(chunkRows int) error {
	clear(m.sources) // their columns
	m.sources, m.picks, m.widths, m.taken = m.sources[:0], m.picks[:0], m.widths[:0], m.taken[:0]
	for _, c := range m.cursors {
		c.source = -1
	}
	for len(m.cursors) > 0 && !m.full(chunkRows) {
		c := m.cursors[0]
		if c.source < 0 {
			chunk := c.part.Chunk(c.chunk)
			widths, err := m.widthsOf(chunk)
			if err != nil {
				return partError(m.job.table, c.ref.meta, err)
			}
			c.source = len(m.sources)
			m.sources, m.widths, m.taken = append(m.sources, chunk), append(m.widths, widths), append(m.taken, 0)
		}
		m.taken[c.source]++
		m.picks = append(m.picks, block.Pick{Source: uint32(c.source), Row: uint32(c.row)})
		m.job.from = append(m.job.from, uint8(c.input))
		more, err := m.advance(c)
		if err != nil {
			return partError(m.job.table, c.ref.meta, err)
		}
		if !more {
			last := len(m.cursors) - 1
			m.cursors[0] = m.cursors[last]
			m.cursors = m.cursors[:last]
		}
		m.down()
	}
	return nil
}

// full reports whether the group ends: it has the most rows, or with another chunk
// of such rows a column would be too large.
func (m *merger) full(chunkRows int) bool {
	n := len(m.picks)
	if n == 0 || n%chunkRows != 0 {
		return false
	}
	if n == cold.GroupChunks*chunkRows {
		return true
	}
	sums := make([]int, len(m.job.table.Schema.Fields))
	for s, widths := range m.widths {
		for f, w := range widths {
			sums[f] += w * m.taken[s] / m.sources[s].Rows()
		}
	}
	return slices.Max(sums)/n*(n+chunkRows) > cold.GroupBytes
}

// remapMerged gives the rows of a merged part that have died since its inputs
// were read: row k of an input's live rows is the k-th row of the part that
// came from it.
func remapMerged(j *partJob, tv *tableView) vector.Bitmap {
	type progress struct {
		before, now vector.Bitmap
		row         int
	}
	inputs, any := make([]progress, len(j.parts)), false
	for i, p := range j.parts {
		at, ok := tv.part(p.meta.ID)
		if !ok {
			continue
		}
		inputs[i] = progress{p.dead, tv.parts[at].dead, -1}
		any = any || tv.parts[at].deadCount > p.deadCount
	}
	if !any {
		return nil
	}
	out := vector.NewBitmap(len(j.from))
	for i, from := range j.from {
		in := &inputs[from]
		for in.row++; in.before != nil && in.before.Get(in.row); in.row++ {
		}
		if in.now != nil && in.now.Get(in.row) {
			out.Set(i)
		}
	}
	return out
}

func sortedKeys[V any](m map[int64]V) []int64 {
	keys := make([]int64, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}
