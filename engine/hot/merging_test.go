package hot

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"testing"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"
)

// TestMergingHalts has a table that cannot be merged: the store goes on until
// Pebble would wait for the merging.
func TestMergingHalts(t *testing.T) {
	fs := damagedStore(t)
	said := make(messages, 10)
	s, err := Open(fs, "hot", Options{Logger: slog.New(slog.NewTextHandler(said, nil)), CacheBytes: 1 << 20})
	if err != nil {
		t.Fatal(err)
	}
	for !strings.Contains(<-said, "no longer merged") {
	}
	if err := s.Commit([]Write{{[]byte("k"), []byte("after")}}); err != nil {
		t.Errorf("commit after damage was met: %v", err)
	}
	if got, err := s.Get([]byte("k")); err != nil || string(got) != "after" {
		t.Errorf("get gives %q, %v", got, err)
	}
	s.merging.stall(true)
	if err := s.Err(); !pebble.IsCorruptionError(err) {
		t.Errorf("a store that would wait for ever says %v", err)
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
}

// messages are the lines of a log.
type messages chan string

func (m messages) Write(line []byte) (int, error) {
	m <- string(line)
	return len(line), nil
}

// damagedStore has so many tables over the same keys that they are to be merged,
// one with a flipped bit.
func damagedStore(t *testing.T) vfs.FS {
	fs := vfs.NewMem()
	s, err := Open(fs, "hot", Options{Logger: slog.New(slog.DiscardHandler), CacheBytes: 1 << 20, Still: true})
	if err != nil {
		t.Fatal(err)
	}
	for round := range 6 {
		for i := range 20 {
			err = errors.Join(err, s.Commit([]Write{{fmt.Appendf(nil, "b%02d", i), bytes.Repeat([]byte{byte(round)}, 1000)}}))
		}
		err = errors.Join(err, s.db.Flush())
	}
	if err := errors.Join(err, s.Close()); err != nil {
		t.Fatal(err)
	}
	names, err := fs.List("hot")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		if !strings.HasSuffix(name, ".sst") {
			continue
		}
		flipBit(t, fs, "hot/"+name, 100)
		return fs
	}
	t.Fatal("no table")
	return nil
}

func flipBit(t *testing.T, fs vfs.FS, path string, at int) {
	f, err := fs.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	b, err := io.ReadAll(f)
	if err = errors.Join(err, f.Close()); err != nil {
		t.Fatal(err)
	}
	b[at] ^= 1
	if f, err = fs.Create(path, vfs.WriteCategoryUnspecified); err != nil {
		t.Fatal(err)
	}
	_, err = f.Write(b)
	if err = errors.Join(err, f.Close()); err != nil {
		t.Fatal(err)
	}
}
