package engine

import (
	"context"
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/cockroachdb/datadriven"
	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/tael-sql/tael-sql/wal/record"
)

// TestScript runs testdata/*. The commands:
//
//	append spans|logs                  the rows below, see schema_test.go
//	checkpoint                         flush, then merge small blocks
//	compact [before=m]                 blocks to parts, and parts merged
//	choose before=h                    the parts below that would be merged
//	reopen [crash]                     close gracefully, or without a flush
//	hold | held spans|logs | release   keep a view, scan it, give it up
//	scan spans|logs [numbers] [trace=t,…] [from=m to=m] [name=n,…] [contains=text] [now=m]
//	rows spans|logs                    count and times from metadata
//	blocks | parts                     of all tables
//	check                              close, check the folder, open again
//	retention|clock|retain|count       see retention_test.go
func TestScript(t *testing.T) {
	datadriven.Walk(t, "testdata", func(t *testing.T, path string) {
		if strings.HasSuffix(path, "fault-seeds") {
			return
		}
		s := &script{t: t, opts: testOptions(vfs.NewMem())}
		s.db = mustOpen(t, s.opts)
		datadriven.RunTest(t, path, s.run)
		if s.held != nil {
			s.held.Release()
		}
		if err := s.db.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
		checkFolder(t, s.opts.FS, "db")
	})
}

type script struct {
	t    *testing.T
	opts Options
	db   *DB
	held *View

	clock atomic.Int64 // minute, once "retention" has set it
}

func (s *script) run(t *testing.T, d *datadriven.TestData) string {
	switch d.Cmd {
	case "append":
		kind := map[string]record.Type{"spans": record.Traces, "logs": record.Logs}[d.CmdArgs[0].Key]
		mustAppend(t, s.db, kind, d.Input+"\n")
		return ""
	case "checkpoint":
		mustCheckpoint(t, s.db)
		mustCheckpoint(t, s.db) // answered after the merges that follow the first
		return ""
	case "choose":
		return chooseScript(t, d)
	case "retention", "clock", "retain", "count":
		return s.expiry(d)
	case "compact":
		before := int64(math.MaxInt64)
		for _, arg := range d.CmdArgs {
			minute, err := strconv.Atoi(arg.Vals[0])
			if err != nil {
				return err.Error()
			}
			before = minuteNanos(minute)
		}
		moved, err := s.db.Compact(context.Background(), before)
		if err != nil {
			return err.Error()
		}
		var b strings.Builder
		for _, m := range moved {
			fmt.Fprintf(&b, "%s %d\n", m.Table, m.Rows)
		}
		return b.String()
	case "reopen":
		if err := s.db.shutdown(!d.HasArg("crash")); err != nil {
			return err.Error()
		}
		s.db = mustOpen(t, s.opts)
		return fmt.Sprintf("replayed %d", s.db.Metrics().Replayed)
	case "hold":
		s.held = s.db.View()
		return ""
	case "release":
		s.held.Release()
		s.held = nil
		return ""
	case "held":
		return scanScript(d, s.held)
	case "check":
		if err := s.db.shutdown(false); err != nil {
			return err.Error()
		}
		r := checkFolder(t, s.opts.FS, "db")
		s.db = mustOpen(t, s.opts)
		return fmt.Sprintf("blocks=%d rows=%d dead=%d records=%d last=%d", r.Blocks, r.Rows, r.Dead, r.Records, r.LastLSN)
	}
	v := s.db.View()
	defer v.Release()
	switch d.Cmd {
	case "scan":
		return scanScript(d, v)
	case "rows":
		table := d.CmdArgs[0].Key
		least, greatest, ok := v.TimeRange(table)
		if !ok {
			return fmt.Sprintf("%d", v.Rows(table))
		}
		return fmt.Sprintf("%d from %d to %d", v.Rows(table), minuteOf(least), minuteOf(greatest))
	case "blocks":
		var b strings.Builder
		for _, i := range v.Blocks() {
			fmt.Fprintf(&b, "%s block %d: rows=%d dead=%d from %d to %d, records %d to %d\n",
				i.Table, i.ID, i.Rows, i.Dead, minuteOf(i.MinTime), minuteOf(i.MaxTime), i.MinLSN, i.MaxLSN)
		}
		return b.String()
	case "parts":
		var b strings.Builder
		for _, i := range v.Parts() {
			fmt.Fprintf(&b, "%s part %d: level=%d rows=%d dead=%d from %d to %d, records %d to %d\n",
				i.Table, i.ID, i.Level, i.Rows, i.Dead, minuteOf(i.MinTime), minuteOf(i.MaxTime), i.MinLSN, i.MaxLSN)
		}
		return b.String()
	}
	return "unknown command " + d.Cmd
}

func minuteOf(nanos int64) int64 { return (nanos - testEpoch.UnixNano()) / (60 * 1e9) }

func scanScript(d *datadriven.TestData, v *View) string {
	r := ScanRequest{Table: d.CmdArgs[0].Key}
	numbers := false
	var times *Filter
	for _, arg := range d.CmdArgs[1:] {
		f := Filter{}
		switch arg.Key {
		case "numbers":
			numbers = true
			continue
		case "now":
			minute, err := strconv.Atoi(arg.Vals[0])
			if err != nil {
				return err.Error()
			}
			r.Since = v.db.Cutoff(r.Table, minuteNanos(minute))
			continue
		case "from", "to":
			if times == nil {
				times = &Filter{Ref: ColumnRef{Field: 2}}
			}
			minute, err := strconv.Atoi(arg.Vals[0])
			if err != nil {
				return err.Error()
			}
			if arg.Key == "from" {
				times.Min = minuteNanos(minute)
			} else {
				times.Max = minuteNanos(minute)
			}
			continue
		case "trace":
			f.Ref.Field = 0
			for _, name := range arg.Vals {
				f.Equals = append(f.Equals, traceID(name))
			}
		case "name":
			f.Ref.Field = 3
			for _, name := range arg.Vals {
				f.Equals = append(f.Equals, name)
			}
		case "contains":
			f.Ref.Field, f.Contains = 1, arg.Vals[0]
		default:
			return "unknown argument " + arg.Key
		}
		r.Filters = append(r.Filters, f)
	}
	if times != nil {
		r.Filters = append(r.Filters, *times)
	}
	rows, stats, err := scanText(v, r, numbers)
	if err != nil {
		return err.Error()
	}
	var b strings.Builder
	for _, row := range rows {
		fmt.Fprintln(&b, row)
	}
	fmt.Fprintf(&b, "-- rows=%d memtable=%d blocks=%d/%d", stats.Rows, stats.Memtable, stats.Blocks, stats.BlocksTotal)
	if stats.PartsTotal > 0 {
		fmt.Fprintf(&b, " parts=%d/%d chunks=%d/%d", stats.Parts, stats.PartsTotal, stats.Chunks, stats.ChunksTotal)
	}
	for _, reason := range slices.Sorted(maps.Keys(stats.Pruned)) {
		fmt.Fprintf(&b, " [%s: %d]", reason, stats.Pruned[reason])
	}
	return b.String()
}
