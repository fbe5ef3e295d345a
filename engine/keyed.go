package engine

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"iter"
	"slices"
	"time"

	"github.com/tael-sql/tael-sql/engine/hot"
	"github.com/tael-sql/tael-sql/engine/layout"
)

// A KeyedSpec describes a table of rows that are written one by one, under
// their key. What keys and values mean is the caller's. The id is on disk.
type KeyedSpec struct {
	ID   uint8
	Name string
}

// A KeyedRow is a row of a keyed table with the record that wrote it.
type KeyedRow struct {
	Key, Value []byte
	LSN        uint64
}

// A keyedVersion is a row as a record left it.
type keyedVersion struct {
	table   uint8
	key     []byte
	value   []byte
	deleted bool
	lsn     uint64
}

func compareKeyed(a, b keyedVersion) int {
	return cmp.Or(cmp.Compare(a.table, b.table), bytes.Compare(a.key, b.key), cmp.Compare(b.lsn, a.lsn))
}

// keyedView is what a view has of the keyed tables beyond the hot store: runs
// of versions that no flush has written yet, each in the order of table, key
// and falling LSN, the older runs first. Runs never change.
type keyedView struct {
	runs   [][]keyedVersion
	frozen int // how many of runs a flush is writing
	bytes  int64
	oldest time.Time // when the first run came
}

// add appends the versions of one record. Runs of like size are merged, so that
// there are few; the frozen ones stay as they are.
func (k *keyedView) add(versions []keyedVersion, now time.Time) {
	if len(k.runs) == 0 {
		k.oldest = now
	}
	run := slices.Clone(versions)
	slices.SortFunc(run, compareKeyed)
	for _, v := range run {
		k.bytes += int64(len(v.key) + len(v.value) + 80)
	}
	runs := slices.Clone(k.runs)
	for len(runs) > k.frozen && len(runs[len(runs)-1]) <= 2*len(run) {
		run = append(slices.Clone(runs[len(runs)-1]), run...)
		slices.SortFunc(run, compareKeyed)
		runs = runs[:len(runs)-1]
	}
	k.runs = append(runs, run)
}

// drop forgets the frozen runs.
func (k *keyedView) drop(now time.Time) {
	k.runs, k.frozen, k.bytes, k.oldest = slices.Clone(k.runs[k.frozen:]), 0, 0, now
	for _, run := range k.runs {
		for _, v := range run {
			k.bytes += int64(len(v.key) + len(v.value) + 80)
		}
	}
}

// get finds the newest version of a row in the runs.
func (k *keyedView) get(table uint8, key []byte) (keyedVersion, bool) {
	want := keyedVersion{table: table, key: key, lsn: ^uint64(0)}
	for i := len(k.runs) - 1; i >= 0; i-- {
		at, _ := slices.BinarySearchFunc(k.runs[i], want, compareKeyed)
		if at < len(k.runs[i]) && k.runs[i][at].table == table && bytes.Equal(k.runs[i][at].key, key) {
			return k.runs[i][at], true
		}
	}
	return keyedVersion{}, false
}

// newest lists the newest version of each row of the first n runs, in order.
func (k *keyedView) newest(n int, wanted func(keyedVersion) bool) []keyedVersion {
	var all []keyedVersion
	for _, run := range k.runs[:n] {
		for _, v := range run {
			if wanted(v) {
				all = append(all, v)
			}
		}
	}
	slices.SortFunc(all, compareKeyed)
	return slices.CompactFunc(all, func(a, b keyedVersion) bool { return a.table == b.table && bytes.Equal(a.key, b.key) })
}

// KeyedGet gives a row of a keyed table; ok is false if there is none.
func (v *View) KeyedGet(table uint8, key []byte) (row KeyedRow, ok bool, err error) {
	version, found := v.keyed.get(table, key)
	if !found {
		if version, err = v.db.storedVersion(table, key, v.lsn); err != nil {
			return KeyedRow{}, false, err
		}
	}
	if version.lsn == 0 || version.deleted {
		return KeyedRow{}, false, nil
	}
	return KeyedRow{version.key, version.value, version.lsn}, true, nil
}

// storedVersion reads the newest version in the hot store up to an LSN; its own
// LSN is 0 if there is none.
func (db *DB) storedVersion(table uint8, key []byte, lsn uint64) (found keyedVersion, err error) {
	upper := append(layout.KeyedPrefix(table, key), bytes.Repeat([]byte{0xff}, 9)...)
	err = db.hot.Each(layout.KeyedKey(table, key, lsn), upper, func(k, value []byte) error {
		if found.lsn == 0 {
			found, err = decodeVersion(k, value)
		}
		return err
	})
	return found, hotError(err)
}

func decodeVersion(key, value []byte) (v keyedVersion, err error) {
	var ok bool
	if v.table, v.key, v.lsn, ok = layout.ParseKeyedKey(key); !ok {
		return v, fmt.Errorf("%w: key of a keyed table: %x", ErrCorrupt, key)
	}
	if v.value, v.deleted, err = layout.DecodeKeyed(value); err != nil {
		return v, fmt.Errorf("%w: row %x of keyed table %d: %w", ErrCorrupt, v.key, v.table, err)
	}
	return v, nil
}

// errChunk ends a read of the hot store that goes on later.
var errChunk = errors.New("engine: chunk is full")

// keyedChunk is how many versions are read from the hot store at once: the
// store cannot be closed meanwhile.
const keyedChunk = 256

// Keyed gives the rows of a keyed table in the order of their keys, from lower
// to below upper; a nil bound is none.
func (v *View) Keyed(table uint8, lower, upper []byte) iter.Seq2[KeyedRow, error] {
	inside := func(k keyedVersion) bool {
		return k.table == table && bytes.Compare(k.key, lower) >= 0 && (upper == nil || bytes.Compare(k.key, upper) < 0)
	}
	return func(yield func(KeyedRow, error) bool) {
		mem := v.keyed.newest(len(v.keyed.runs), inside)
		give := func(k keyedVersion) bool {
			return k.deleted || yield(KeyedRow{k.key, k.value, k.lsn}, nil)
		}
		for stored, err := range v.db.storedVersions(table, lower, upper, v.lsn) {
			if err != nil {
				yield(KeyedRow{}, err)
				return
			}
			for len(mem) > 0 && bytes.Compare(mem[0].key, stored.key) < 0 {
				if !give(mem[0]) {
					return
				}
				mem = mem[1:]
			}
			if len(mem) > 0 && bytes.Equal(mem[0].key, stored.key) {
				stored, mem = mem[0], mem[1:]
			}
			if !give(stored) {
				return
			}
		}
		for _, k := range mem {
			if !give(k) {
				return
			}
		}
	}
}

// storedVersions gives the newest version up to an LSN of each row in the hot store.
func (db *DB) storedVersions(table uint8, lower, upper []byte, lsn uint64) iter.Seq2[keyedVersion, error] {
	from, to := layout.TableRange(layout.KeyedKind, table)
	if lower != nil {
		from = layout.KeyedPrefix(table, lower)
	}
	if upper != nil {
		to = layout.KeyedPrefix(table, upper)
	}
	return func(yield func(keyedVersion, error) bool) {
		var last *keyedVersion // given last
		for {
			chunk := make([]keyedVersion, 0, keyedChunk)
			var resume []byte
			err := db.hot.Each(from, to, func(k, value []byte) error {
				if len(chunk) == keyedChunk {
					resume = slices.Clone(k)
					return errChunk
				}
				version, err := decodeVersion(k, value)
				if err == nil && version.lsn <= lsn {
					chunk = append(chunk, version)
				}
				return err
			})
			if resume == nil && err != nil {
				yield(keyedVersion{}, hotError(err))
				return
			}
			for _, version := range chunk {
				if last != nil && bytes.Equal(last.key, version.key) {
					continue // an older version
				}
				last = &version
				if !yield(version, nil) {
					return
				}
			}
			if resume == nil {
				return
			}
			from = resume
		}
	}
}

// keyedWrites makes what a flush writes of the frozen runs: the newest version
// of each row in place of those that no view can ask for any more.
func (db *DB) keyedWrites(frozen *View) ([]hot.Write, error) {
	var writes []hot.Write
	oldest := db.held.oldestLSN()
	for _, v := range frozen.keyed.newest(frozen.keyed.frozen, func(keyedVersion) bool { return true }) {
		older, needed, err := db.olderVersions(v, oldest)
		if err != nil {
			return nil, err
		}
		for _, key := range older {
			writes = append(writes, hot.Write{Key: key})
		}
		if !v.deleted || needed {
			writes = append(writes, hot.Write{Key: layout.KeyedKey(v.table, v.key, v.lsn), Value: layout.AppendKeyed(nil, v.value, v.deleted)})
		}
	}
	return writes, nil
}

// olderVersions lists the stored versions of a row that v makes superfluous;
// needed: there are others, which views older than v read.
func (db *DB) olderVersions(v keyedVersion, oldest uint64) (older [][]byte, needed bool, err error) {
	prefix := layout.KeyedPrefix(v.table, v.key)
	err = db.hot.Each(prefix, append(slices.Clone(prefix), bytes.Repeat([]byte{0xff}, 9)...), func(k, _ []byte) error {
		if oldest >= v.lsn {
			older = append(older, slices.Clone(k))
		} else {
			needed = true
		}
		return nil
	})
	return older, needed, hotError(err)
}

// sweepKeyed deletes, when the store opens, the versions that only views of the
// last run could have asked for.
func (db *DB) sweepKeyed() error {
	var writes []hot.Write
	var last keyedVersion
	lower, upper := layout.KindRange(layout.KeyedKind)
	err := db.hot.Each(lower, upper, func(k, value []byte) error {
		v, err := decodeVersion(k, value)
		if err != nil {
			return err
		}
		if v.deleted || last.lsn > 0 && last.table == v.table && bytes.Equal(last.key, v.key) {
			writes = append(writes, hot.Write{Key: slices.Clone(k)})
		}
		last = v
		return nil
	})
	if err != nil || len(writes) == 0 {
		return hotError(err)
	}
	return db.hot.Commit(writes)
}
