package engine

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/cockroachdb/datadriven"

	"github.com/tael-sql/tael-sql/engine/layout"
)

// chooseScript gives the parts that would be merged. Each line is a part with
// its first and last hour since the beginning of a week, its MiB, its dead percent
// and, unless they are 8192, the rows of its chunks; before is the hour at which
// days and weeks count as over.
func chooseScript(t *testing.T, d *datadriven.TestData) string {
	var before int
	d.ScanArgs(t, "before", &before)
	const week = int64(7 * 24 * time.Hour)
	at := func(hour int) int64 { return 2900*week + int64(hour)*int64(time.Hour) }
	var list []*partRef
	for line := range strings.Lines(d.Input) {
		var first, last, size, dead int
		chunk := 8192
		if n, err := fmt.Sscan(line, &first, &last, &size, &dead, &chunk); n < 4 {
			return err.Error()
		}
		m := &layout.PartMeta{ID: uint64(len(list) + 1), Rows: 1000, ChunkRows: chunk, Bytes: int64(size) << 20, MinTime: at(first), MaxTime: at(last)}
		list = append(list, &partRef{meta: m, deadCount: 10 * dead})
	}
	var ids []uint64
	for _, p := range chooseMerge(list, at(before)) {
		ids = append(ids, p.meta.ID)
	}
	return fmt.Sprint(ids)
}
