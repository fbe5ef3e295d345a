package exec

import (
	"encoding/binary"
	"math/rand/v2"
	"strings"
	"testing"
)

// TestKeyTable holds a table of keys against a map, over keys that share
// prefixes, an empty one, and one that is larger than a chunk.
func TestKeyTable(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	table, want := newKeyTable(), map[string]int{}
	add := func(key string) {
		t.Helper()
		known, ok := want[key]
		if n := table.find([]byte(key)); ok && n != known || !ok && n != -1 {
			t.Fatalf("find gives %d for a key that is there: %v, %d", n, ok, known)
		}
		n, fresh := table.add([]byte(key))
		if fresh == ok || ok && n != known || !ok && n != len(want) {
			t.Fatalf("add gives %d, %v; there: %v, %d", n, fresh, ok, known)
		}
		want[key] = n
	}
	for i := range 200_000 {
		key := binary.LittleEndian.AppendUint32([]byte("prefix"), uint32(rng.IntN(50_000)))
		add(string(key[:6+rng.IntN(5)]))
		if i%1000 == 0 {
			add("")
		}
	}
	add(strings.Repeat("x", keyChunkBytes+1))
	add("y")
	if table.len() != len(want) {
		t.Fatalf("%d keys, want %d", table.len(), len(want))
	}
	for key, n := range want {
		if got := table.key(n); string(got) != key {
			t.Fatalf("key %d is %.40q, want %.40q", n, got, key)
		}
	}
}
