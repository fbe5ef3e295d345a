package wal

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/cockroachdb/datadriven"
	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/tael-sql/tael-sql/wal/record"
)

// TestScripts runs testdata/scripts. The commands are:
//
//	new                        an empty folder
//	append sizes=(…) [group]   opens, appends, closes; with group as one group
//	                           and without the watermark at the end
//	recycle below=lsn          opens, recycles, closes
//	damage file=… at=n         inverts a byte
//	zero file=… from=n to=n    loses a range
//	remove file=…
//	dump                       each record, by Check
//	open                       what Open and Replay say
func TestScripts(t *testing.T) {
	datadriven.Walk(t, "testdata/scripts", func(t *testing.T, path string) {
		f := files{}
		datadriven.RunTest(t, path, func(t *testing.T, d *datadriven.TestData) string {
			var name string
			var at, to int
			d.MaybeScanArgs(t, "file", &name)
			switch d.Cmd {
			case "new":
				f = files{}
			case "append", "recycle":
				return script(t, d, &f)
			case "damage":
				d.ScanArgs(t, "at", &at)
				f[name][at] ^= 0xff
			case "zero":
				d.ScanArgs(t, "from", &at)
				d.ScanArgs(t, "to", &to)
				clear(f[name][at:to])
			case "remove":
				delete(f, name)
			case "dump":
				return dump(f.fs(t))
			case "open":
				lsns, err := f.recover(t)
				if err != nil {
					return err.Error()
				}
				return fmt.Sprintf("replayed %v", lsns)
			default:
				d.Fatalf(t, "unknown command %s", d.Cmd)
			}
			return ""
		})
	})
}

// script runs a command on the open log and lists the files that it leaves.
func script(t *testing.T, d *datadriven.TestData, f *files) string {
	synctest.Test(t, func(t *testing.T) {
		fs := f.fs(t)
		l := mustOpen(t, fs, Options{SegmentBytes: 4096})
		if d.Cmd == "recycle" {
			var below uint64
			d.ScanArgs(t, "below", &below)
			if err := l.Recycle(below); err != nil {
				t.Fatal(err)
			}
		} else {
			var sizes []int
			d.ScanArgs(t, "sizes", &sizes)
			if d.HasArg("group") {
				mustAppendGroup(t, l, sizes...)
			} else {
				mustAppend(t, l, sizes...)
			}
		}
		synctest.Wait()
		*f = readFiles(t, fs)
		mustClose(t, l)
		if !d.HasArg("group") {
			*f = readFiles(t, fs)
		}
	})
	return strings.Join(slices.Sorted(maps.Keys(*f)), "\n") + "\n"
}

func dump(fs vfs.FS) string {
	var out strings.Builder
	r, err := Check(fs, "wal", func(h record.Header) {
		fmt.Fprintf(&out, "lsn=%d durable=%d %v\n", h.LSN, h.Durable, h.Type)
	})
	if err != nil {
		_, _ = io.WriteString(&out, err.Error()+"\n")
	}
	fmt.Fprintf(&out, "%+v\n", r)
	return out.String()
}
