// Package search finds texts by their words.
//
// An Index is a Bleve index (scorch) in a folder of its own: per document the
// words of its text with their places, and those of its service. It holds no
// text. It is derived: whoever owns it can drop it and make it again from what
// it was made of, and notes with each batch how far that is (the mark), so that
// a crash leaves documents and mark as they belong together. Bleve maps its
// files into memory and trusts them: Open reads all of them once and compares
// their checksums, so that damage is an error and not a crash.
//
// A Matcher tries the same Query on texts that are not in the index, word for
// word by the same rules, and both give what scores are made of.
//
// The package knows nothing of rows, tables or SQL.
package search

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime/debug"

	"github.com/blevesearch/bleve/v2/analysis"
	"github.com/blevesearch/bleve/v2/document"
	"github.com/blevesearch/bleve/v2/index/scorch"
	bleve "github.com/blevesearch/bleve_index_api"
)

// ErrCorrupt says that the files of an index cannot be used. Remove them.
var ErrCorrupt = errors.New("search: the index is damaged")

// An ID names a document, and says of it what finds its row again.
type ID struct {
	Table, Source uint8
	Number        uint64
	Time          int64 // ns since 1970
	Trace         [16]byte
}

const idBytes = 1 + 1 + 8 + 8 + 16

// append gives the ID as it is on disk: all numbers big-endian.
func (id ID) append(dst []byte) []byte {
	dst = append(dst, id.Table, id.Source)
	dst = binary.BigEndian.AppendUint64(dst, id.Number)
	dst = binary.BigEndian.AppendUint64(dst, uint64(id.Time))
	return append(dst, id.Trace[:]...)
}

func parseID(raw string) (id ID, err error) {
	if len(raw) != idBytes {
		return id, fmt.Errorf("%w: an id of %d bytes", ErrCorrupt, len(raw))
	}
	b := []byte(raw)
	id = ID{Table: b[0], Source: b[1], Number: binary.BigEndian.Uint64(b[2:]), Time: int64(binary.BigEndian.Uint64(b[10:]))}
	copy(id.Trace[:], b[18:])
	return id, nil
}

// A Doc is a document to be entered.
type Doc struct {
	ID            ID
	Service, Text string
}

// Names of the field of sources and of what is kept beside the documents.
const (
	sourceField = "source"
	markKey     = "mark"
	lengthKey   = "length" // documents entered and their words: two uint64
)

// An Index is safe for concurrent use, but Add and Remove, which one goroutine
// calls.
type Index struct {
	scorch bleve.Index
	queue  *bleve.AnalysisQueue
	dir    string

	docs, words uint64 // entered in all; Add's
}

// Open opens or makes the index in a folder, of which nobody else may use
// anything. With dir "" it is in memory.
func Open(dir string) (*Index, error) {
	if dir != "" {
		if err := verify(dir); err != nil {
			return nil, err
		}
		if err := prepare(dir); err != nil {
			return nil, err
		}
	}
	x := &Index{queue: bleve.NewAnalysisQueue(1), dir: dir}
	if err := x.open(); err != nil {
		x.queue.Close()
		return nil, fmt.Errorf("%w: %w", ErrCorrupt, err)
	}
	raw, err := x.kept(lengthKey)
	if err == nil && len(raw) == 16 {
		x.docs, x.words = binary.BigEndian.Uint64(raw), binary.BigEndian.Uint64(raw[8:])
	}
	if err != nil {
		return nil, errors.Join(err, x.Close())
	}
	return x, nil
}

// open starts Bleve, which may panic over what it finds.
func (x *Index) open() (err error) {
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("%v", p)
		}
	}()
	if x.scorch, err = scorch.NewScorch("", map[string]any{"path": x.dir}, x.queue); err != nil {
		return err
	}
	return x.scorch.Open()
}

// Close ends the index. Snapshots must have been released.
func (x *Index) Close() error {
	err := x.scorch.Close()
	x.queue.Close()
	if err != nil || x.dir == "" {
		return err
	}
	sum, err := sumOf(filepath.Join(x.dir, listFile))
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(x.dir, sumFile), sum, 0o600)
}

// Mark gives what the last Add noted, nil if there was none.
func (x *Index) Mark() ([]byte, error) { return x.kept(markKey) }

func (x *Index) kept(key string) (value []byte, err error) {
	r, err := x.scorch.Reader()
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, r.Close()) }()
	raw, err := r.GetInternal([]byte(key))
	return append([]byte(nil), raw...), err
}

// Add enters documents, replacing those of the same ids, and with a mark that is
// not nil notes it. When it returns, all that is durable.
func (x *Index) Add(docs []Doc, mark []byte) error {
	b := bleve.NewBatch()
	var id []byte
	for _, d := range docs {
		id = d.ID.append(id[:0])
		doc := document.NewDocument(string(id))
		tokens := analyze([]byte(d.Text))
		doc.AddField(document.NewTextFieldCustom(textField, nil, []byte(d.Text), bleve.IndexField|bleve.IncludeTermVectors, analyzer(func([]byte) analysis.TokenStream { return tokens })))
		doc.AddField(document.NewTextFieldCustom(serviceField, nil, []byte(d.Service), bleve.IndexField|bleve.IncludeTermVectors, analyzer(analyze)))
		doc.AddField(document.NewTextFieldCustom(sourceField, nil, []byte{d.ID.Source}, bleve.IndexField, analyzer(whole)))
		b.Update(doc)
		x.docs++
		x.words += uint64(len(tokens))
	}
	b.SetInternal([]byte(lengthKey), binary.BigEndian.AppendUint64(binary.BigEndian.AppendUint64(nil, x.docs), x.words))
	if mark != nil {
		b.SetInternal([]byte(markKey), mark)
	}
	return x.scorch.Batch(b)
}

// Remove takes documents out.
func (x *Index) Remove(ids []ID) error {
	b := bleve.NewBatch()
	for _, id := range ids {
		b.Delete(string(id.append(nil)))
	}
	return x.scorch.Batch(b)
}

// Drop removes the files of an index that is not open.
func Drop(dir string) error { return os.RemoveAll(dir) }

// analyzer makes an analyzer of a function.
type analyzer func(raw []byte) analysis.TokenStream

func (a analyzer) Analyze(raw []byte) analysis.TokenStream { return a(raw) }

func analyze(raw []byte) (tokens analysis.TokenStream) {
	var backing []analysis.Token
	words(string(raw), func(w word) {
		if len(backing) == cap(backing) {
			backing = make([]analysis.Token, 0, 256)
		}
		backing = append(backing, analysis.Token{Term: append([]byte(nil), w.text...), Start: w.start, End: w.end, Position: len(tokens) + 1})
		tokens = append(tokens, &backing[len(backing)-1])
	})
	return tokens
}

func whole(raw []byte) analysis.TokenStream {
	return analysis.TokenStream{{Term: raw, End: len(raw), Position: 1}}
}
