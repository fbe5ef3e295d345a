package tables

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/tael-sql/tael-sql/internal/pgerr"
	"github.com/tael-sql/tael-sql/internal/vector"
)

func planted(spans ...treeSpan) *trace {
	t := &trace{id: "t", spans: spans}
	t.plant()
	return t
}

func treeOf(id string, parent any, start, end int64) treeSpan {
	return treeSpan{id: id, parentID: parent, service: "s", operation: id, status: "unset", start: start, end: end}
}

// Every span stands in the tree once, whatever its parents say.
func TestTreeIsWhole(t *testing.T) {
	for name, tr := range map[string]*trace{
		"a cycle":              planted(treeOf("a", "c", 1, 9), treeOf("b", "a", 2, 8), treeOf("c", "b", 3, 7)),
		"its own parent":       planted(treeOf("a", "a", 1, 9), treeOf("b", "a", 2, 8)),
		"two roots":            planted(treeOf("a", nil, 1, 9), treeOf("b", nil, 2, 8), treeOf("c", "b", 2, 3)),
		"a root and a cycle":   planted(treeOf("r", nil, 5, 6), treeOf("a", "b", 1, 9), treeOf("b", "a", 2, 8), treeOf("c", "b", 3, 4)),
		"ends before it began": planted(treeOf("a", nil, 9, 1), treeOf("b", "a", 8, 2)),
	} {
		seen := make(map[any]bool)
		rows, err := tr.tree(nil)
		if err != nil {
			t.Fatal(err)
		}
		for _, row := range rows {
			if seen[row[3]] {
				t.Errorf("%s: %v twice", name, row[3])
			}
			seen[row[3]] = true
		}
		if len(seen) != len(tr.spans) {
			t.Errorf("%s: %d of %d spans", name, len(seen), len(tr.spans))
		}
	}
	if rows, err := planted().tree(nil); len(rows) != 0 || err != nil {
		t.Errorf("%d rows of no spans: %v", len(rows), err)
	}
}

// A chain of 100,000 spans is a tree too. Its paths would take 10 GB: they are
// refused within the budget.
func TestDeepTree(t *testing.T) {
	spans := []treeSpan{treeOf("0", nil, 0, 1e6)}
	for i := 1; i < 100_000; i++ {
		spans = append(spans, treeOf(fmt.Sprint(i), fmt.Sprint(i-1), int64(i), 1e6))
	}
	tr := planted(spans...)
	if got := tr.critPath(); got != 1e6 {
		t.Errorf("got %d ns", got)
	}
	if _, err := tr.tree(vector.NewAccount(nil, 64<<20)); pgerr.From(err).Code != pgerr.OutOfMemory {
		t.Errorf("got %v", err)
	}
}

func (t *trace) critPath() int64 {
	sum := int64(0)
	for i := range t.spans {
		sum += t.spans[i].pathNanos
	}
	return sum
}

// In any tree the critical path is as long as the root, and whoever is on it
// has a parent on it.
func TestCriticalPath(t *testing.T) {
	seed := rand.Uint64()
	rng := rand.New(rand.NewPCG(seed, 0))
	for range 500 {
		spans := []treeSpan{treeOf("0", nil, 0, 1000)}
		for i := 1; i < 1+rng.IntN(30); i++ {
			start := rng.Int64N(1000)
			spans = append(spans, treeOf(fmt.Sprint(i), fmt.Sprint(rng.IntN(i)), start, start+rng.Int64N(600)))
		}
		tr := planted(spans...)
		if got := tr.critPath(); got != 1000 {
			t.Fatalf("seed %d: the path takes %d ns of 1000", seed, got)
		}
		for i := range tr.spans {
			for _, c := range tr.spans[i].children {
				if tr.spans[c].onPath && !tr.spans[i].onPath {
					t.Fatalf("seed %d: %s is on the path without its parent", seed, tr.spans[c].id)
				}
			}
		}
	}
}
