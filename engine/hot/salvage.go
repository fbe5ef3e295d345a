package hot

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/big"
	"slices"
	"strings"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/sstable"
	"github.com/cockroachdb/pebble/v2/vfs"
)

// Salvage reads what can be read of a damaged store that is not open: it calls
// fn with every key and value from lower to below upper, once and in no order,
// and gap with what lies around a place that cannot be read: the last key before
// it and one at or before the first behind it, nil where there is none. It
// changes nothing.
//
// The tables are read one by one, those that Pebble's manifest names, or where
// that is damaged all that there are. So where there was a gap, a key that was
// deleted or written again may be there as it was before.
func Salvage(fs vfs.FS, dir string, lower, upper []byte, fn func(key, value []byte) error, gap func(after, before []byte)) error {
	names, err := tablesOf(fs, dir, func() { gap(nil, nil) })
	if err != nil {
		return err
	}
	s := &salvage{lower: lower, upper: upper, gap: gap, newest: make(map[string]version)}
	for _, name := range names {
		r, err := openTable(fs, fs.PathJoin(dir, name))
		if err != nil {
			gap(nil, nil)
			continue
		}
		s.tables = append(s.tables, &table{Reader: r})
	}
	err = s.findNewest()
	if err == nil {
		err = s.each(fn)
	}
	for _, t := range s.tables {
		err = errors.Join(err, t.Close())
	}
	return err
}

// tablesOf lists the tables of a store; lost is called if some may be missing.
func tablesOf(fs vfs.FS, dir string, lost func()) ([]string, error) {
	names, err := fs.List(dir)
	if err != nil {
		return nil, fmt.Errorf("list %s: %w", dir, err)
	}
	names = slices.DeleteFunc(names, func(name string) bool { return !strings.HasSuffix(name, ".sst") })
	slices.Sort(names)
	store, err := Open(fs, dir, Options{Logger: slog.New(slog.DiscardHandler), CacheBytes: 1 << 20, ReadOnly: true})
	if err != nil {
		lost()
		return names, nil
	}
	levels, err := store.db.SSTables()
	if err = errors.Join(err, store.Close()); err != nil {
		return nil, err
	}
	var live []string
	for _, level := range levels {
		for _, t := range level {
			live = append(live, t.BackingSSTNum.String()+".sst")
		}
	}
	return slices.DeleteFunc(names, func(name string) bool { return !slices.Contains(live, name) }), nil
}

func openTable(fs vfs.FS, path string) (*sstable.Reader, error) {
	f, err := fs.Open(path)
	if err != nil {
		return nil, err
	}
	readable, err := sstable.NewSimpleReadable(f)
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	o := &pebble.Options{}
	o.EnsureDefaults()
	r, err := sstable.NewReader(context.Background(), readable, o.MakeReaderOptions())
	if err != nil {
		return nil, errors.Join(err, readable.Close())
	}
	return r, nil
}

// salvage is the reading of one store.
type salvage struct {
	lower, upper []byte
	gap          func(after, before []byte)
	tables       []*table
	newest       map[string]version
}

// A table is a file of the store.
type table struct {
	*sstable.Reader
	sound []run
}

// A run is keys that can be read one after the other.
type run struct {
	first []byte
	n     int // versions
}

// errRunEnds ends a walk before what cannot be read.
var errRunEnds = errors.New("hot: the run ends")

// A version tells which of the values of a key is meant.
type version struct {
	number uint64
	table  int
}

// findNewest reads every table as far as it can be read.
func (s *salvage) findNewest() error {
	for i, t := range s.tables {
		var last []byte
		for from := s.lower; from != nil; {
			var sound run
			err := t.walk(from, s.upper, func(key pebble.InternalKey, _ []byte) error {
				v := version{uint64(key.SeqNum()), i}
				if have, ok := s.newest[string(key.UserKey)]; !ok || v.number > have.number {
					s.newest[string(key.UserKey)] = v
				}
				if last = bytes.Clone(key.UserKey); sound.n == 0 {
					sound.first = last
				}
				sound.n++
				return nil
			})
			if sound.n > 0 {
				t.sound = append(t.sound, sound)
			}
			if err == nil {
				break
			}
			if sound.n > 0 {
				from = t.behind(last, s.upper) // the place that cannot be read
			}
			if from != nil {
				from = t.behind(from, s.upper)
			}
			s.gap(last, from)
		}
	}
	return nil
}

// each calls fn with the newest versions, of what can be read.
func (s *salvage) each(fn func(key, value []byte) error) error {
	for i, t := range s.tables {
		for _, r := range t.sound {
			n := 0
			err := t.walk(r.first, s.upper, func(key pebble.InternalKey, value []byte) (err error) {
				defer func() {
					if n++; n == r.n && err == nil {
						err = errRunEnds
					}
				}()
				if v, ok := s.newest[string(key.UserKey)]; !ok || v != (version{uint64(key.SeqNum()), i}) {
					return nil
				}
				delete(s.newest, string(key.UserKey)) // older versions in the same table follow
				if kind := key.Kind(); kind != pebble.InternalKeyKindSet && kind != pebble.InternalKeyKindSetWithDelete {
					return nil
				}
				return fn(key.UserKey, value)
			})
			if !errors.Is(err, errRunEnds) {
				return err
			}
		}
	}
	return nil
}

// walk calls fn with all versions of the keys of a range, until one cannot be
// read.
func (t *table) walk(lower, upper []byte, fn func(key pebble.InternalKey, value []byte) error) error {
	it, err := t.NewIter(sstable.NoTransforms, lower, upper, sstable.AssertNoBlobHandles)
	if err != nil {
		return err
	}
	for kv := it.SeekGE(lower, 0); kv != nil; kv = it.Next() {
		value, _, err := kv.Value(nil)
		if err == nil {
			err = fn(kv.K, value)
		}
		if err != nil {
			return errors.Join(err, it.Close())
		}
	}
	return errors.Join(it.Error(), it.Close())
}

// placeBytes is how exactly behind finds a place.
const placeBytes = 64

// behind gives the first place behind the run of keys that are stored, and so
// damaged, together with a key; nil if there is none below upper. It asks the
// table's index alone: reading a damaged place takes Pebble seconds, in which it
// looks for the bit that was flipped.
func (t *table) behind(key, upper []byte) []byte {
	number := func(key []byte) *big.Int {
		padded := make([]byte, placeBytes)
		copy(padded, key)
		return new(big.Int).SetBytes(padded)
	}
	left := func(from []byte) uint64 { // bytes of the table from the place on
		n, err := t.EstimateDiskUsage(from, upper, sstable.NoReadEnv)
		if err != nil {
			return 0
		}
		return n
	}
	here := left(key)
	within, beyond, middle := number(key), number(upper), new(big.Int)
	for {
		middle.Add(within, beyond).Rsh(middle, 1)
		if middle.Cmp(within) == 0 {
			break
		}
		if left(middle.FillBytes(make([]byte, placeBytes))) < here {
			beyond.Set(middle)
		} else {
			within.Set(middle)
		}
	}
	if beyond.Cmp(number(upper)) >= 0 {
		return nil
	}
	return beyond.FillBytes(make([]byte, placeBytes))
}
