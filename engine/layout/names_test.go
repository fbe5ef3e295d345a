package layout

import (
	"bytes"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/cockroachdb/datadriven"
)

// The keys as they are on disk. These bytes must not change.
func TestKeys(t *testing.T) {
	datadriven.RunTest(t, "testdata/keys", func(t *testing.T, d *datadriven.TestData) string {
		var out bytes.Buffer
		for _, k := range []struct {
			name string
			key  []byte
		}{
			{"version", VersionKey()},
			{"block", BlockKey(1, 494_444, 7)},
			{"block before 1970", BlockKey(1, -1, 7)},
			{"late block", BlockKey(1, LateHour, 7)},
			{"meta", MetaKey(2, 494_444, 256)},
			{"dead", DeadKey(3, 494_444, math.MaxUint64)},
			{"state", StateKey(1)},
			{"request", RequestKey([16]byte{1, 15: 2})},
			{"keyed", KeyedKey(9, []byte("a\x00b"), 5)},
			{"counter", CounterKey("rows")},
			{"blob", BlobKey([32]byte{1, 31: 2})},
		} {
			fmt.Fprintf(&out, "%s: %x\n", k.name, k.key)
		}
		return out.String()
	})
}

// Keys sort by their parts and come apart again.
func TestKeyOrder(t *testing.T) {
	hours := []int64{LateHour, -5, -1, 0, 1, 494_444, math.MaxInt64}
	var last []byte
	for _, table := range []uint8{0, 1, 255} {
		lower, upper := TableRange(MetaKind, table)
		for _, hour := range hours {
			for _, id := range []uint64{0, 1, 256, math.MaxUint64} {
				k := MetaKey(table, hour, id)
				if bytes.Compare(last, k) >= 0 {
					t.Fatalf("table %d hour %d id %d is out of order", table, hour, id)
				}
				if bytes.Compare(k, lower) < 0 || bytes.Compare(k, upper) >= 0 {
					t.Fatalf("table %d hour %d id %d is outside of its table's range", table, hour, id)
				}
				if n, ok := ParseBlockKey(k); !ok || n != (BlockName{MetaKind, table, hour, id}) {
					t.Fatalf("parsed as %v, %v", n, ok)
				}
				last = k
			}
		}
	}
	if _, ok := ParseBlockKey(StateKey(1)); ok {
		t.Error("a state key is taken for a block key")
	}
}

// Versions of one row stand together, newest first, and no other row's between.
func TestKeyedOrder(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	rng := rand.New(rand.NewPCG(seed, 1))
	random := func() []byte {
		key := make([]byte, rng.IntN(4))
		for i := range key {
			key[i] = []byte{0, 1, 0xff, 'a'}[rng.IntN(4)]
		}
		return key
	}
	for range 5000 {
		a, b := random(), random()
		lsnA, lsnB := rng.Uint64N(3), rng.Uint64N(3)
		want := bytes.Compare(a, b)
		if want == 0 {
			want = -bytes.Compare([]byte{byte(lsnA)}, []byte{byte(lsnB)})
		}
		ka, kb := KeyedKey(9, a, lsnA), KeyedKey(9, b, lsnB)
		if got := bytes.Compare(ka, kb); got != want {
			t.Fatalf("%q@%d against %q@%d: %d, want %d", a, lsnA, b, lsnB, got, want)
		}
		if bytes.HasPrefix(kb, KeyedPrefix(9, a)) != bytes.Equal(a, b) {
			t.Fatalf("prefix of %q and key %q", a, b)
		}
		table, key, lsn, ok := ParseKeyedKey(ka)
		if !ok || table != 9 || !bytes.Equal(key, a) || lsn != lsnA {
			t.Fatalf("%q@%d parsed as %d %q@%d, %v", a, lsnA, table, key, lsn, ok)
		}
	}
	if lower, upper := KindRange(KeyedKind); bytes.Compare(KeyedKey(0, nil, 0), lower) < 0 ||
		bytes.Compare(KeyedKey(255, slices.Repeat([]byte{255}, 9), 0), upper) >= 0 {
		t.Error("a keyed key is outside of its kind's range")
	}
}
