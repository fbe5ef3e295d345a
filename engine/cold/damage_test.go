package cold

import (
	"bytes"
	"errors"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
)

// A flipped bit is reported, or no value changes.
func TestDamage(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	rng := rand.New(rand.NewPCG(seed, 1))
	reported, harmless := 0, 0
	for i := range 3 {
		spec := specs[i]
		sources, picks := pickRandomly(rng, spec, 200)
		raw, meta, _ := writePart(t, spec, sources, picks)
		for range 150 {
			damaged := slices.Clone(raw)
			damaged[rng.IntN(len(raw))] ^= 1 << rng.IntN(8)
			p, err := Open(bytes.NewReader(damaged), int64(len(raw)), spec, meta, NewCache(1<<20))
			if err == nil {
				err = p.Verify()
			}
			switch {
			case err == nil:
				harmless++
				sameRows(t, p, sources, picks)
			case !errors.Is(err, ErrCorrupt):
				t.Fatalf("another error: %v", err)
			default:
				reported++
			}
		}
		if _, err := Open(bytes.NewReader(raw[:len(raw)-1]), int64(len(raw)-1), spec, meta, NewCache(0)); !errors.Is(err, ErrCorrupt) {
			t.Errorf("a file without its last byte: %v", err)
		}
		if _, err := Open(bytes.NewReader(raw), int64(len(raw)), specs[(i+1)%3], meta, NewCache(0)); !errors.Is(err, ErrCorrupt) {
			t.Errorf("a file of another table: %v", err)
		}
	}
	t.Logf("%d reported, %d harmless", reported, harmless)
	if reported < 350 {
		t.Errorf("only %d of 450 were reported", reported)
	}
}

// A cache of any size gives the same rows; what it holds stays below its limit.
func TestCacheLimit(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 1))
	sources, picks := pickRandomly(rng, spans, 1500)
	raw, meta, _ := writePart(t, spans, sources, picks)
	for _, limit := range []int64{0, 10_000, 1 << 30} {
		cache := NewCache(limit)
		p, err := Open(bytes.NewReader(raw), int64(len(raw)), spans, meta, cache)
		if err != nil {
			t.Fatal(err)
		}
		sameRows(t, p, sources, picks)
		if cache.size > max(limit, 1<<20) || limit == 10_000 && cache.size > limit {
			t.Errorf("a cache of %d bytes holds %d", limit, cache.size)
		}
		c := p.Chunk(0)
		if _, err := c.Column(0); err != nil {
			t.Fatal(err)
		}
		if read := c.Bytes(); (read == 0) != (limit == 1<<30) {
			t.Errorf("with a cache of %d bytes %d were read again", limit, read)
		}
	}
}

// Several goroutines read one part, and one chunk, through a cache that is too
// small for them.
func TestConcurrentReaders(t *testing.T) {
	rng := rand.New(rand.NewPCG(2, 1))
	sources, picks := pickRandomly(rng, logs, 600)
	raw, meta, _ := writePart(t, logs, sources, picks)
	p, err := Open(bytes.NewReader(raw), int64(len(raw)), logs, meta, NewCache(20_000))
	if err != nil {
		t.Fatal(err)
	}
	shared := p.Chunk(1)
	want := make([]string, len(logs.Schema.Fields))
	for f := range want {
		c, err := p.Chunk(1).Column(f)
		if err != nil {
			t.Fatal(err)
		}
		want[f] = valueText(c, 7)
	}
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for k := range p.Chunks() {
				for f := range want {
					if _, err := p.Chunk(k).Column(f); err != nil {
						t.Error(err)
					}
					c, err := shared.Column(f)
					if err != nil || valueText(c, 7) != want[f] {
						t.Errorf("field %d: %v", f, err)
					}
				}
			}
		})
	}
	wg.Wait()
}
