package search

import (
	"context"
	"errors"
	"fmt"
	"math"

	bleve "github.com/blevesearch/bleve_index_api"
)

// A Snapshot is the documents of an index at one moment.
type Snapshot struct {
	reader bleve.IndexReader
	index  *Index
}

// Snapshot gives the documents as they are. Release it.
func (x *Index) Snapshot() (*Snapshot, error) {
	r, err := x.scorch.Reader()
	if err != nil {
		return nil, err
	}
	return &Snapshot{r, x}, nil
}

// Release gives the snapshot up.
func (s *Snapshot) Release() error { return s.reader.Close() }

// A Hit is a document that matches.
type Hit struct {
	ID    ID
	Match Match
}

// Find calls each with the documents that match, in no order, and gives the
// figures of all documents.
func (s *Snapshot) Find(ctx context.Context, q *Query, each func(Hit) error) (stats Stats, err error) {
	defer func() { // damage that came after Open
		if p := recover(); p != nil {
			err = fmt.Errorf("%w: %v", ErrCorrupt, p)
		}
	}()
	f := &finder{ctx: ctx, reader: s.reader}
	defer func() { err = errors.Join(err, f.close()) }()
	if stats, err = s.stats(q, f); err != nil {
		return stats, err
	}
	for i := range q.clauses {
		if err := f.enter(&q.clauses[i]); err != nil {
			return stats, err
		}
	}
	return stats, f.run(each)
}

func (s *Snapshot) stats(q *Query, f *finder) (out Stats, err error) {
	n, err := s.reader.DocCount()
	if err != nil {
		return out, err
	}
	out.Docs = int64(n)
	raw, err := s.reader.GetInternal([]byte(lengthKey))
	if err != nil {
		return out, err
	}
	if len(raw) == 16 {
		if docs, words := be64(raw), be64(raw[8:]); docs > 0 {
			out.Length = int64(float64(words) / float64(docs) * float64(n))
		}
	}
	for _, w := range q.scoredWords() {
		p, err := f.postings(textField, w, false)
		if err != nil {
			return out, err
		}
		out.Having = append(out.Having, int64(p.reader.Count()))
	}
	return out, nil
}

func be64(b []byte) (v uint64) {
	for _, c := range b[:8] {
		v = v<<8 | uint64(c)
	}
	return v
}

// A finder joins the lists of documents of a query.
type finder struct {
	ctx      context.Context
	reader   bleve.IndexReader
	open     []*postings
	positive []*clauseDocs
	negative []*clauseDocs
}

// postings is the documents that have a word, ascending.
type postings struct {
	reader bleve.TermFieldReader
	doc    bleve.TermFieldDoc
	at     uint64 // the current document; end at the end
	begun  bool
	id     bleve.IndexInternalID
}

const end = math.MaxUint64

func (f *finder) postings(field, word string, places bool) (*postings, error) {
	r, err := f.reader.TermFieldReader(f.ctx, []byte(word), field, true, true, places)
	if err != nil {
		return nil, err
	}
	p := &postings{reader: r}
	f.open = append(f.open, p)
	return p, nil
}

func (f *finder) close() (err error) {
	for _, p := range f.open {
		err = errors.Join(err, p.reader.Close())
	}
	return err
}

// seek moves to the first document from target on.
func (p *postings) seek(target uint64) error {
	if p.begun && p.at >= target {
		return nil
	}
	var doc *bleve.TermFieldDoc
	var err error
	if !p.begun && target == 0 || p.begun && target == p.at+1 {
		doc, err = p.reader.Next(p.doc.Reset())
	} else {
		p.id = bleve.NewIndexInternalID(p.id, target)
		doc, err = p.reader.Advance(p.id, p.doc.Reset())
	}
	if err != nil {
		return err
	}
	p.begun = true
	if doc == nil {
		p.at = end
		return nil
	}
	p.at = doc.ID.Value()
	return nil
}

// clauseDocs is the documents for which a clause holds, ascending, as if it were
// not negated.
type clauseDocs struct {
	clause *clause
	lists  []*postings // by word, then that of the source
	at     uint64
	times  uint32
	length int
	places [][]int32
}

func (f *finder) enter(c *clause) error {
	d := &clauseDocs{clause: c, places: make([][]int32, len(c.words))}
	for _, w := range c.words {
		p, err := f.postings(c.field, w, len(c.words) > 1)
		if err != nil {
			return err
		}
		d.lists = append(d.lists, p)
	}
	if c.source != 0 {
		p, err := f.postings(sourceField, string([]byte{c.source}), false)
		if err != nil {
			return err
		}
		d.lists = append(d.lists, p)
	}
	if c.negate {
		f.negative = append(f.negative, d)
	} else {
		f.positive = append(f.positive, d)
	}
	return nil
}

// seek moves to the first document from target on for which the clause holds.
func (d *clauseDocs) seek(target uint64) error {
	for {
		together := true
		for _, p := range d.lists {
			if err := p.seek(target); err != nil {
				return err
			}
			if p.at != target {
				together = false
				if target = p.at; target == end {
					d.at = end
					return nil
				}
			}
		}
		if !together {
			continue
		}
		if d.holds() {
			d.at = target
			return nil
		}
		target++
	}
}

// holds counts how often the clause holds in the document where all lists are.
func (d *clauseDocs) holds() bool {
	first := d.lists[0]
	d.length = 0
	if n := first.doc.Norm; n > 0 { // 1/sqrt(length)
		d.length = int(math.Round(1 / (n * n)))
	}
	if len(d.clause.words) == 1 {
		d.times = uint32(first.doc.Freq)
		return true
	}
	for i := range d.clause.words {
		d.places[i] = d.places[i][:0]
		for _, v := range d.lists[i].doc.Vectors {
			d.places[i] = append(d.places[i], int32(v.Pos))
		}
	}
	d.times = phraseTimes(d.places)
	return d.times > 0
}

// run joins the clauses.
func (f *finder) run(each func(Hit) error) error {
	next, stop, err := f.candidates()
	if err != nil {
		return err
	}
	defer stop()
	for n, target := 0, uint64(0); ; n++ {
		if n%1024 == 0 {
			if err := f.ctx.Err(); err != nil {
				return err
			}
		}
		doc, err := next(target)
		if err != nil || doc == end {
			return err
		}
		target = doc + 1
		excluded := false
		for _, d := range f.negative {
			if err := d.seek(doc); err != nil {
				return err
			}
			if excluded = d.at == doc; excluded {
				break
			}
		}
		if excluded {
			continue
		}
		if err := f.give(doc, each); err != nil {
			return err
		}
	}
}

// candidates gives a function that finds the first document from a number on
// for which all clauses hold that are not negated.
func (f *finder) candidates() (next func(uint64) (uint64, error), stop func(), err error) {
	if len(f.positive) == 0 {
		all, err := f.reader.DocIDReaderAll()
		if err != nil {
			return nil, nil, err
		}
		return func(uint64) (uint64, error) {
			id, err := all.Next()
			if err != nil || id == nil {
				return end, err
			}
			return id.Value(), nil
		}, func() { _ = all.Close() }, nil
	}
	return func(target uint64) (uint64, error) {
		for {
			together := true
			for _, d := range f.positive {
				if d.at < target || !d.lists[0].begun {
					if err := d.seek(target); err != nil {
						return end, err
					}
				}
				if d.at != target {
					together = false
					if target = d.at; target == end {
						return end, nil
					}
				}
			}
			if together {
				return target, nil
			}
		}
	}, func() {}, nil
}

func (f *finder) give(doc uint64, each func(Hit) error) error {
	raw, err := f.reader.ExternalID(bleve.NewIndexInternalID(nil, doc))
	if err != nil {
		return err
	}
	h := Hit{}
	if h.ID, err = parseID(raw); err != nil {
		return err
	}
	for _, d := range f.positive {
		if d.clause.scored() {
			h.Match.Times = append(h.Match.Times, d.times)
			h.Match.Length = d.length
		}
	}
	return each(h)
}

// IDs calls each with the ids of all documents.
func (s *Snapshot) IDs(ctx context.Context, each func(ID) error) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("%w: %v", ErrCorrupt, p)
		}
	}()
	all, err := s.reader.DocIDReaderAll()
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, all.Close()) }()
	for n := 0; ; n++ {
		if n%1024 == 0 {
			if err := ctx.Err(); err != nil {
				return err
			}
		}
		internal, err := all.Next()
		if err != nil || internal == nil {
			return err
		}
		raw, err := s.reader.ExternalID(internal)
		if err != nil {
			return err
		}
		id, err := parseID(raw)
		if err != nil {
			return err
		}
		if err := each(id); err != nil {
			return err
		}
	}
}
