// Package live tells other programs which rows of the cold tier count.
//
// Beside a table's parts, which are Parquet files, stand
//
//	_live                          the parts that count now, one JSON object on a line
//	<part>.<16 hex digits>.dead    the rows of a part that do not, as a Parquet file
//	_none.dead                     the same for parts of which all rows count: an empty one
//
// A line of _live:
//
//	{"file":"2026-01-02/7.parquet","rows":8192,"dead":2,"dead_file":"2026-01-02/7.00c0ffee00c0ffee.dead",
//	 "min_time":"2026-01-02T03:04:05.000000006Z","max_time":"…","bytes":91234,"checksum":"…"}
//
// Names are relative to the folder of _live. dead_file has one column, row
// INT64: the numbers of the dead rows within the part's file, from 0, ascending.
// checksum is the xxHash64 of the part's file, in hex.
//
// _live is replaced in one step. What it names was there before it and never
// changes, but may go once it is replaced: a program that misses a file reads
// _live again. What is not in it does not count, whether it is there or not.
// Rows that are not in the cold tier yet are not in it: the newest ones.
package live

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/bits"
	"path"
	"regexp"
	"strings"
	"time"

	"github.com/apache/arrow-go/v18/parquet"
	"github.com/apache/arrow-go/v18/parquet/file"
	"github.com/apache/arrow-go/v18/parquet/schema"
	"github.com/cespare/xxhash/v2"

	"github.com/tael-sql/tael-sql/engine/layout"
	"github.com/tael-sql/tael-sql/engine/object"
	"github.com/tael-sql/tael-sql/internal/vector"
)

// ListName is the name of a table's list, in the table's folder.
const ListName = "_live"

const noneDead = "_none.dead"

// A Part is one that counts, with its dead rows; nil: none.
type Part struct {
	Meta *layout.PartMeta
	Dead vector.Bitmap
}

// A Line is a part as the list has it.
type Line struct {
	File     string    `json:"file"`
	Rows     int       `json:"rows"`
	Dead     int       `json:"dead"`
	DeadFile string    `json:"dead_file"`
	MinTime  time.Time `json:"min_time"`
	MaxTime  time.Time `json:"max_time"`
	Bytes    int64     `json:"bytes"`
	Checksum string    `json:"checksum"`
}

// A Publisher writes the lists of one store. It is for one goroutine.
type Publisher struct {
	store  object.Store
	tables map[string]deadFiles
}

// deadFiles are the names of a table's files of dead rows that the store has.
type deadFiles map[string]bool

// NewPublisher makes one that knows nothing of what the store has.
func NewPublisher(store object.Store) *Publisher {
	return &Publisher{store: store, tables: make(map[string]deadFiles)}
}

// Publish makes the parts those that count of a table. After an error the list
// is what it was, or is as wanted: publish again. A part may be deleted once
// a list without it is published.
func (p *Publisher) Publish(ctx context.Context, table string, parts []Part) error {
	if err := p.publish(ctx, table, parts); err != nil {
		return fmt.Errorf("publish what counts of %s: %w", table, err)
	}
	return nil
}

func (p *Publisher) publish(ctx context.Context, table string, parts []Part) error {
	have, err := p.deadFiles(ctx, table)
	if err != nil {
		return err
	}
	var list bytes.Buffer
	enc := json.NewEncoder(&list)
	named := make(deadFiles)
	for _, part := range parts {
		l, err := describe(table, part)
		if err != nil {
			return err
		}
		name := table + "/" + l.DeadFile
		named[name] = true
		if !have[name] {
			write := func(w io.Writer) error { return writeDead(w, part.Dead, l.Dead) }
			if _, err := p.store.Put(ctx, name, write); err != nil {
				return err
			}
			have[name] = true
		}
		if err := enc.Encode(l); err != nil {
			return err
		}
	}
	_, err = p.store.Put(ctx, table+"/"+ListName, func(w io.Writer) error {
		_, err := w.Write(list.Bytes())
		return err
	})
	if err != nil {
		return err
	}
	for name := range have {
		if named[name] {
			continue
		}
		if err := p.store.Delete(ctx, name); err != nil {
			return err
		}
		delete(have, name)
	}
	return nil
}

var deadName = regexp.MustCompile(`/([^/]+\.[0-9a-f]{16}|_none)\.dead$`)

// deadFiles says what the store has, which it asks the first time.
func (p *Publisher) deadFiles(ctx context.Context, table string) (deadFiles, error) {
	if have := p.tables[table]; have != nil {
		return have, nil
	}
	have := make(deadFiles)
	err := p.store.List(ctx, table+"/", func(name string, _ int64) error {
		if deadName.MatchString(name) {
			have[name] = true
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	p.tables[table] = have
	return have, nil
}

// describe makes a part's line. The name of its file of dead rows is by their
// hash: other rows, another file.
func describe(table string, part Part) (Line, error) {
	m := part.Meta
	name, ok := strings.CutPrefix(m.Name, table+"/")
	if !ok {
		return Line{}, fmt.Errorf("part %s is not in the folder of %s", m.Name, table)
	}
	l := Line{
		File: name, Rows: m.Rows, Dead: part.Dead.Count(), DeadFile: noneDead, Bytes: m.Bytes, Checksum: fmt.Sprintf("%016x", m.Checksum),
		MinTime: time.Unix(0, m.MinTime).UTC(), MaxTime: time.Unix(0, m.MaxTime).UTC(),
	}
	if l.Dead > 0 {
		var sum xxhash.Digest
		sum.Reset()
		for _, w := range part.Dead {
			_, _ = sum.Write(binary.LittleEndian.AppendUint64(nil, w)) // it never fails
		}
		l.DeadFile = fmt.Sprintf("%s.%016x.dead", strings.TrimSuffix(name, path.Ext(name)), sum.Sum64())
	}
	return l, nil
}

// writeDead writes a Parquet file of the numbers of the one bits.
func writeDead(w io.Writer, dead vector.Bitmap, count int) error {
	root, err := schema.NewGroupNode("dead", parquet.Repetitions.Required, schema.FieldList{
		schema.NewInt64Node("row", parquet.Repetitions.Required, -1),
	}, -1)
	if err != nil {
		return err
	}
	rows := make([]int64, 0, count)
	for i, w := range dead {
		for ; w != 0; w &= w - 1 {
			rows = append(rows, int64(i)<<6+int64(bits.TrailingZeros64(w)))
		}
	}
	out := file.NewParquetWriter(w, root, file.WithWriterProps(parquet.NewWriterProperties(
		parquet.WithDictionaryDefault(false), parquet.WithEncoding(parquet.Encodings.DeltaBinaryPacked))))
	if count == 0 {
		return out.Close()
	}
	group, err := out.AppendRowGroupChecked()
	if err != nil {
		return err
	}
	column, err := group.NextColumn()
	if err != nil {
		return err
	}
	if _, err := column.(*file.Int64ColumnChunkWriter).WriteBatch(rows, nil, nil); err != nil {
		return err
	}
	return errors.Join(column.Close(), group.Close(), out.Close())
}
