package wal

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"testing"
	"testing/synctest"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/tael-sql/tael-sql/wal/record"
)

// A flipped bit in an acknowledged record is refused; after the salvage the
// records before it are there, none is lost that was not behind it or in its
// segment, and the log goes on.
func TestSalvage(t *testing.T) {
	const records = 40
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	rng := rand.New(rand.NewPCG(seed, 1))
	var whole files
	type place struct {
		name   string
		off, n int
	}
	at := make(map[uint64]place) // of each record
	synctest.Test(t, func(t *testing.T) {
		fs := vfs.NewMem()
		l := mustOpen(t, fs, Options{SegmentBytes: 4096})
		for range records {
			mustAppend(t, l, 100+rng.IntN(500))
		}
		synctest.Wait()
		mustClose(t, l)
		whole = readFiles(t, fs)
	})
	lastIn := make(map[string]uint64)
	for number := range uint64(len(whole)) {
		name := fmt.Sprintf("%06d.wal", number+1)
		for off, buf := 0, whole[name]; off < len(buf); {
			h, body, n, err := record.Decode(number+1, buf[off:])
			if err != nil {
				break
			}
			if h.Type != record.Control {
				at[h.LSN], lastIn[name] = place{name, off, record.HeaderBytes + len(body)}, h.LSN
			}
			off += n
		}
	}
	if len(at) != records || len(lastIn) < 4 {
		t.Fatalf("%d records in %d segments", len(at), len(lastIn))
	}
	lost := 0
	for round := range 400 {
		damaged := files{}
		for name, raw := range whole {
			damaged[name] = bytes.Clone(raw)
		}
		victim := uint64(1 + rng.IntN(records))
		p := at[victim]
		applied := uint64(rng.IntN(records + 1))
		damaged[p.name][p.off+rng.IntN(p.n)] ^= 1 << rng.IntN(8)
		fs := damaged.fs(t)
		if _, err := Check(fs, "wal", nil); err == nil {
			t.Fatalf("round %d: record %d at %+v is damaged, and the check is content", round, victim, p)
		}
		s, err := Salvage(fs, "wal", "quarantine", applied, Options{SegmentBytes: 4096})
		if err != nil {
			t.Fatalf("round %d: %v", round, err)
		}
		want := victim // where the log must go on
		switch {
		case victim <= applied && lastIn[p.name] <= applied:
			want = records + 1
		case victim <= applied:
			want = applied + 1
		}
		wantLost := want <= records
		if wantLost != (s.First != 0) || wantLost && (s.First != want || s.Last != records) {
			t.Fatalf("round %d: record %d damaged, %d applied: %+v, want to go on with %d", round, victim, applied, s, want)
		}
		if s.First != 0 {
			lost++
		}
		if r, err := Check(fs, "wal", nil); err != nil || r.LastLSN != want-1 {
			t.Fatalf("round %d: after the salvage: %+v, %v", round, r, err)
		}
		l, err := Open(fs, "wal", Options{SegmentBytes: 4096})
		if err != nil {
			t.Fatal(err)
		}
		lsns, err := replay(l, min(applied+1, want))
		if err != nil || uint64(len(lsns)) != want-min(applied+1, want) {
			t.Fatalf("round %d: %d applied, replay gives %v: %v", round, applied, lsns, err)
		}
		if l.LastLSN() != want-1 {
			t.Fatalf("round %d: the next record is %d, not %d", round, l.LastLSN()+1, want)
		}
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
		if kept, err := fs.List("quarantine"); err != nil || len(kept) == 0 || len(kept) != len(s.Files) {
			t.Fatalf("round %d: %v in quarantine, reported %v: %v", round, kept, s.Files, err)
		}
	}
	if lost < 50 {
		t.Fatalf("only %d rounds lost records", lost)
	}
}
