package main

import (
	"context"
	"math"
	"testing"
)

// placements are where the rows of a query can be. Tests that walk them go from
// one to the next with move.
var placements = []string{"memtable", "blocks", "parts"}

// move takes what the gateway holds to its next placement.
func move(t *testing.T, g *gateway, from string) {
	t.Helper()
	if err := g.db.Checkpoint(context.Background()); err != nil {
		t.Fatal(err)
	}
	if from == "memtable" {
		return
	}
	moved, err := g.db.Compact(context.Background(), math.MaxInt64)
	if err != nil {
		t.Fatal(err)
	}
	rows := int64(0)
	for _, m := range moved {
		rows += m.Rows
	}
	if again, err := g.db.Compact(context.Background(), math.MaxInt64); err != nil || from == "blocks" && rows == 0 {
		t.Fatalf("%d rows were moved: %v", rows, err)
	} else {
		for _, m := range again {
			if m.Rows != 0 {
				t.Fatalf("a second compaction moves %d rows of %s", m.Rows, m.Table)
			}
		}
	}
}
