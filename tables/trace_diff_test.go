package tables

import (
	"fmt"
	"strings"
	"testing"

	"github.com/tael-sql/tael-sql/internal/pgerr"
	"github.com/tael-sql/tael-sql/internal/vector"
)

// Two queries in one trace, three in the other, one of them failed; a call that
// only the second makes, and one that only the first does.
func TestTraceDiff(t *testing.T) {
	named := func(s treeSpan, operation, status string) treeSpan {
		s.operation, s.status = operation, status
		return s
	}
	a := planted(
		treeOf("get", nil, 0, 10e6),
		named(treeOf("q1", "get", 1e6, 3e6), "query", "unset"), named(treeOf("q2", "get", 3e6, 4e6), "query", "ok"),
		treeOf("cache", "get", 5e6, 6e6))
	b := planted(
		treeOf("get", nil, 100e6, 130e6),
		treeOf("render", "get", 101e6, 102e6),
		named(treeOf("q1", "get", 102e6, 112e6), "query", "unset"), named(treeOf("q2", "get", 112e6, 113e6), "query", "error"), named(treeOf("q3", "get", 113e6, 114e6), "query", "ok"))
	rows, err := diff([2]*trace{a, b}, nil)
	if err != nil {
		t.Fatal(err)
	}
	var got strings.Builder
	for _, r := range rows {
		_, _ = fmt.Fprintln(&got, r[2], r[1], r[3], r[4], r[5], r[6], r[7], r[8], r[9])
	}
	const want = `1 get 1 1 6 17 11 unset unset
1.1 query 2 3 3 12 9 ok error
1.2 cache 1 0 1 0 -1 unset <nil>
1.3 render 0 1 0 1 1 <nil> unset
`
	if got.String() != want {
		t.Errorf("got\n%swant\n%s", &got, want)
	}
}

// What is too deep for the budget is refused, a cycle of parents ends.
func TestTraceDiffIsBounded(t *testing.T) {
	deep := []treeSpan{treeOf("0", nil, 0, 1e6)}
	for i := 1; i < 100_000; i++ {
		deep = append(deep, treeOf(fmt.Sprint(i), fmt.Sprint(i-1), int64(i), 1e6))
	}
	one := planted(deep...)
	if _, err := diff([2]*trace{one, one}, vector.NewAccount(nil, 64<<20)); pgerr.From(err).Code != pgerr.OutOfMemory {
		t.Errorf("got %v", err)
	}
	cycle := planted(treeOf("a", "c", 1, 9), treeOf("b", "a", 2, 8), treeOf("c", "b", 3, 7))
	if rows, err := diff([2]*trace{cycle, planted()}, nil); len(rows) != 3 || err != nil {
		t.Errorf("a cycle of three gives %d rows, %v", len(rows), err)
	}
}
