package live

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/apache/arrow-go/v18/parquet/file"
	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"

	"github.com/tael-sql/tael-sql/engine/layout"
	"github.com/tael-sql/tael-sql/engine/object"
	"github.com/tael-sql/tael-sql/internal/vector"
)

func part(id, rows int, dead ...int) Part {
	second := time.Second.Nanoseconds()
	p := Part{Meta: &layout.PartMeta{
		Table: 1, ID: uint64(id), Name: fmt.Sprintf("spans/1970-01-01/%d.parquet", id), Rows: rows, Bytes: int64(rows) * 40,
		MinTime: int64(id) * second, MaxTime: int64(id)*second + 7, Checksum: 0xabc,
	}}
	if len(dead) > 0 {
		p.Dead = vector.NewBitmap(rows)
		for _, row := range dead {
			p.Dead.Set(row)
		}
	}
	return p
}

func read(t *testing.T, s object.Store, name string) []byte {
	t.Helper()
	r, err := s.Open(t.Context(), name)
	if err != nil {
		t.Fatal(err)
	}
	content, err := io.ReadAll(io.NewSectionReader(r, 0, r.Size()))
	if err := errors.Join(err, r.Close()); err != nil {
		t.Fatal(err)
	}
	return content
}

// live reads a list as another program would: dead rows by file.
func live(t *testing.T, s object.Store) map[string][]int64 {
	t.Helper()
	got := make(map[string][]int64)
	lines := bufio.NewScanner(bytes.NewReader(read(t, s, "spans/_live")))
	for lines.Scan() {
		var l struct {
			File     string
			Dead     int
			DeadFile string `json:"dead_file"`
		}
		if err := json.Unmarshal(lines.Bytes(), &l); err != nil {
			t.Fatal(err)
		}
		got[l.File] = rows(t, read(t, s, "spans/"+l.DeadFile))
		if len(got[l.File]) != l.Dead {
			t.Fatalf("%s: %d dead rows, %d in %s", l.File, l.Dead, len(got[l.File]), l.DeadFile)
		}
	}
	return got
}

func rows(t *testing.T, raw []byte) []int64 {
	t.Helper()
	f, err := file.NewParquetReader(bytes.NewReader(raw))
	if err != nil {
		t.Fatal(err)
	}
	if name := f.MetaData().Schema.Column(0).Name(); f.MetaData().Schema.NumColumns() != 1 || name != "row" {
		t.Fatalf("%d columns, %s", f.MetaData().Schema.NumColumns(), name)
	}
	if f.NumRows() == 0 {
		return []int64{}
	}
	column, err := f.RowGroup(0).Column(0)
	if err != nil {
		t.Fatal(err)
	}
	values := make([]int64, f.NumRows())
	if n, _, err := column.(*file.Int64ColumnChunkReader).ReadBatch(f.NumRows(), values, nil, nil); err != nil || n != f.NumRows() {
		t.Fatalf("%d %v", n, err)
	}
	return values
}

func files(t *testing.T, s object.Store) string {
	t.Helper()
	var names []string
	if err := s.List(t.Context(), "", func(name string, _ int64) error { names = append(names, name); return nil }); err != nil {
		t.Fatal(err)
	}
	return strings.Join(names, " ")
}

func TestPublish(t *testing.T) {
	s := object.NewFolder(vfs.NewMem(), "cold")
	p := NewPublisher(s)
	for i, step := range []struct {
		parts []Part
		want  map[string][]int64
		files int
	}{
		{nil, map[string][]int64{}, 1},
		{[]Part{part(1, 100)}, map[string][]int64{"1970-01-01/1.parquet": {}}, 2},
		{[]Part{part(1, 100, 0, 63, 64, 99), part(2, 70)}, map[string][]int64{"1970-01-01/1.parquet": {0, 63, 64, 99}, "1970-01-01/2.parquet": {}}, 3},
		{[]Part{part(1, 100, 0, 63, 64, 99), part(2, 70, 69)}, map[string][]int64{"1970-01-01/1.parquet": {0, 63, 64, 99}, "1970-01-01/2.parquet": {69}}, 3},
		{[]Part{part(2, 70, 1, 69)}, map[string][]int64{"1970-01-01/2.parquet": {1, 69}}, 2},
		{[]Part{part(3, 70)}, map[string][]int64{"1970-01-01/3.parquet": {}}, 2},
	} {
		if i == 4 {
			p = NewPublisher(s) // another process goes on with what the store has
		}
		if err := p.Publish(t.Context(), "spans", step.parts); err != nil {
			t.Fatal(err)
		}
		if got := live(t, s); !maps.EqualFunc(got, step.want, slices.Equal) {
			t.Errorf("step %d: %v, want %v", i, got, step.want)
		}
		if got := files(t, s); len(strings.Fields(got)) != step.files {
			t.Errorf("step %d: %s, want %d files", i, got, step.files)
		}
	}
	want := `{"file":"1970-01-01/3.parquet","rows":70,"dead":0,"dead_file":"_none.dead","min_time":"1970-01-01T00:00:03Z",` +
		`"max_time":"1970-01-01T00:00:03.000000007Z","bytes":2800,"checksum":"0000000000000abc"}` + "\n"
	if got := string(read(t, s, "spans/_live")); got != want {
		t.Errorf("%s\nwant\n%s", got, want)
	}
	if err := p.Publish(t.Context(), "logs", []Part{part(1, 1)}); err == nil {
		t.Error("a part of another folder")
	}
}

// Whatever operation fails, the list is the old one or the new one, and names
// only what is there; the next try gives the new one.
func TestFailures(t *testing.T) {
	old, next := []Part{part(1, 100, 5), part(2, 70)}, []Part{part(1, 100, 5, 6), part(2, 70, 3)}
	for n := int64(0); ; n++ {
		var on atomic.Bool
		var count atomic.Int64
		s := object.NewFolder(errorfs.Wrap(vfs.NewMem(), errorfs.InjectorFunc(func(op errorfs.Op) error {
			if !on.Load() || op.Kind == errorfs.OpFileSync || op.Kind == errorfs.OpFileClose || count.Add(1)-1 != n { // a folder gives up when a sync fails
				return nil
			}
			return errorfs.ErrInjected
		})), "cold")
		p := NewPublisher(s)
		if err := p.Publish(t.Context(), "spans", old); err != nil {
			t.Fatal(err)
		}
		on.Store(true)
		err := p.Publish(t.Context(), "spans", next)
		on.Store(false)
		if count.Load() <= n && err == nil {
			if n < 12 {
				t.Fatalf("%d operations", n)
			}
			return
		}
		if !errors.Is(err, errorfs.ErrInjected) {
			t.Fatalf("operation %d failed: %v", n, err)
		}
		if got := live(t, s); len(got["1970-01-01/1.parquet"])+len(got["1970-01-01/2.parquet"]) != 1 && len(got["1970-01-01/1.parquet"])+len(got["1970-01-01/2.parquet"]) != 3 {
			t.Fatalf("operation %d failed: %v", n, got)
		}
		if err := p.Publish(context.Background(), "spans", next); err != nil {
			t.Fatal(err)
		}
		if got := live(t, s); len(got["1970-01-01/1.parquet"]) != 2 || len(got["1970-01-01/2.parquet"]) != 1 || len(strings.Fields(files(t, s))) != 3 {
			t.Fatalf("after operation %d failed: %v, %s", n, got, files(t, s))
		}
	}
}
