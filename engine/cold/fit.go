package cold

import (
	"github.com/tael-sql/tael-sql/engine/block"
	"github.com/tael-sql/tael-sql/internal/vector"
)

// A row group of one column is in memory while it is written, and a chunk of it
// when it is read. Where rows are long, both have fewer rows for that.
const (
	// ChunkBytes is the most of a decoded column that a chunk has, unless its rows
	// cannot be fewer.
	ChunkBytes = 9 << 20 // 1024 rows with texts of 8 KiB
	// GroupBytes is the most that a row group has of more than one chunk.
	GroupBytes = 32 << 20
	// fewer is by which factor a chunk has fewer rows at once, so that parts have
	// one of few sizes and can be merged.
	fewer = 8
)

// A Fit says how rows are cut into chunks and row groups.
type Fit struct {
	ChunkRows int
	Ends      []int // by row group: where it ends in the picks
}

// Fit cuts picked rows so that every column of a chunk and of a row group is
// within its bounds.
func (s *Spec) Fit(sources []Source, picks []block.Pick) (f Fit, err error) {
	w, err := s.widths(sources, picks)
	if err != nil {
		return f, err
	}
	for f.ChunkRows = s.chunkRows(); f.ChunkRows > 64 && w.most(f.ChunkRows) > ChunkBytes; {
		f.ChunkRows = max(64, f.ChunkRows/fewer/64*64)
	}
	from, bytes := 0, 0
	for at := 0; at < len(picks); at += f.ChunkRows {
		to := min(at+f.ChunkRows, len(picks))
		n := w.sum(at, to)
		if at > from && (bytes+n > GroupBytes || at-from == GroupChunks*f.ChunkRows) {
			f.Ends = append(f.Ends, at)
			from, bytes = at, 0
		}
		bytes += n
	}
	f.Ends = append(f.Ends, len(picks))
	return f, nil
}

// widths is the bytes of picks in their widest column.
type widths struct {
	n       int
	average float64
	each    []uint32 // of the picks, where texts are so many that it matters which; nil: they are as long as others
}

func (w *widths) sum(from, to int) int {
	n := w.average * float64(to-from)
	if w.each != nil {
		sum := 0
		for _, v := range w.each[from:to] {
			sum += int(v)
		}
		n = max(n, float64(sum))
	}
	return int(n)
}

// most gives the bytes of the widest chunk of so many rows.
func (w *widths) most(chunkRows int) (n int) {
	for from := 0; from < w.n; from += chunkRows {
		n = max(n, w.sum(from, min(from+chunkRows, w.n)))
	}
	return n
}

func (s *Spec) widths(sources []Source, picks []block.Pick) (w widths, err error) {
	w.n = len(picks)
	rows := 0
	for _, source := range sources {
		rows += source.Rows()
	}
	for f, field := range s.Schema.Fields {
		bytes := 0
		for _, source := range sources {
			n, err := source.Footprint(f)
			if err != nil {
				return w, err
			}
			bytes += n
		}
		w.average = max(w.average, float64(bytes)/float64(max(rows, 1)))
		if field.Kind != vector.String || bytes <= ChunkBytes {
			continue
		}
		if err := w.texts(f, sources, picks); err != nil {
			return w, err
		}
	}
	return w, nil
}

// texts notes how long each text of a field is.
func (w *widths) texts(field int, sources []Source, picks []block.Pick) error {
	if w.each == nil {
		w.each = make([]uint32, len(picks))
	}
	by := bySource(len(sources), picks)
	for s, source := range sources {
		at := by.source(s)
		if len(at) == 0 {
			continue
		}
		c, err := source.Column(field)
		if err != nil {
			return err
		}
		const header = 16
		if c.Dict == nil {
			for _, i := range at {
				w.each[i] = max(w.each[i], uint32(header+len(c.Strs[picks[i].Row])))
			}
			continue
		}
		uses := make([]uint32, len(c.Dict))
		for _, i := range at {
			uses[c.Codes[picks[i].Row]]++
		}
		for _, i := range at {
			code := c.Codes[picks[i].Row]
			w.each[i] = max(w.each[i], 4+uint32(header+len(c.Dict[code]))/uses[code])
		}
	}
	return nil
}

// dictionaryFits reports whether texts of rows, which have so many bytes, are
// written by their dictionary: one that is small, or that spares pages which are
// too large.
func (s *Spec) dictionaryFits(dictionary, texts, rows int) bool {
	if dictionary <= maxDictionaryBytes {
		return true
	}
	return 2*dictionary <= texts && float64(texts)/float64(rows)*float64(s.chunkRows()) > ChunkBytes
}
