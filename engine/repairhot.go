package engine

import (
	"bytes"
	"encoding/hex"
	"errors"
	"log/slog"

	"github.com/tael-sql/tael-sql/engine/hot"
	"github.com/tael-sql/tael-sql/engine/layout"
	"github.com/tael-sql/tael-sql/wal"
)

// rebuildBytes is what is copied at once of a store that is rebuilt.
const rebuildBytes = 16 << 20

// allKeys bounds all keys of the hot store.
var allKeys = [2][]byte{{'a'}, {'z' + 1}}

// readable reports whether every key of the hot store can be read.
func (p *repairer) readable(dir string) (bool, error) {
	store, err := hot.Open(p.fs, dir, hot.Options{Logger: slog.New(slog.DiscardHandler), CacheBytes: 8 << 20, ReadOnly: true})
	if err == nil {
		err = errors.Join(store.Each(allKeys[0], allKeys[1], func(_, _ []byte) error { return nil }), store.Close())
	}
	switch {
	case err == nil || errors.Is(err, hot.ErrMissing):
		return true, nil
	case errors.Is(err, hot.ErrCorrupt):
		p.say("%v", err)
		return false, nil
	}
	return false, err
}

// rebuild makes a new hot store of what can be read of the damaged one, which
// goes to the quarantine as a whole.
func (p *repairer) rebuild(dir string) (err error) {
	fresh := dir + incompleteSuffix
	if err := p.fs.RemoveAll(fresh); err != nil {
		return err
	}
	to, err := hot.Open(p.fs, fresh, hot.Options{Logger: slog.New(slog.DiscardHandler), CacheBytes: 8 << 20})
	if err != nil {
		return err
	}
	var writes []hot.Write
	size := 0
	flush := func() error {
		err := to.Commit(writes)
		writes, size = nil, 0
		return err
	}
	err = hot.Salvage(p.fs, dir, allKeys[0], allKeys[1], func(key, value []byte) error {
		if layout.KeyKind(key[0]) == layout.VersionKind {
			return nil // the new one has it
		}
		writes = append(writes, hot.Write{Key: bytes.Clone(key), Value: bytes.Clone(value)})
		if size += len(key) + len(value); size > rebuildBytes {
			return flush()
		}
		return nil
	}, func(after, before []byte) {
		p.gap = true
		p.say("the hot store cannot be read between the keys %s and %s", keyText(after), keyText(before))
	})
	if err == nil {
		err = flush()
	}
	if p.gap {
		p.say("deletion vectors may be among what cannot be read: rows that were dead may be back, unless newer versions of them are there")
	}
	if err = errors.Join(err, to.Close()); err != nil {
		return err
	}
	if err := p.move(layout.HotDir); err != nil {
		return err
	}
	if err := p.fs.Rename(fresh, dir); err != nil {
		return err
	}
	return syncFolder(p.fs, p.dir)
}

func keyText(key []byte) string {
	if key == nil {
		return "(end)"
	}
	return hex.EncodeToString(bytes.TrimRight(key, "\x00"))
}

// rows repairs what is stored key by key: rows of keyed tables, requests, and
// texts outside the rows.
func (p *repairer) rows() error {
	applied, err := p.applied()
	if err != nil {
		return err
	}
	for _, kind := range []struct {
		kind layout.KeyKind
		bad  func(key, value []byte) string // "": it is sound
	}{
		{layout.StateKind, func(_, value []byte) string {
			if _, err := layout.DecodeState(value); err != nil {
				return "the state of a table is damaged"
			}
			return ""
		}},
		{layout.KeyedKind, func(key, value []byte) string {
			v, err := decodeVersion(key, value)
			if err != nil || v.lsn > applied {
				return "a row of a keyed table is damaged and lost"
			}
			return ""
		}},
		{layout.RequestKind, func(key, value []byte) string {
			e, err := layout.DecodeRequest(value)
			if _, ok := layout.ParseRequestKey(key); !ok || err != nil || e.LSN > applied {
				return "the memory of a request is lost: if it is sent again, it is taken again"
			}
			return ""
		}},
		{layout.BlobKind, func(key, value []byte) string {
			if hash := sha256Of(value); !bytes.Equal(key[1:], hash) && !isTextMark(key, value) {
				return "a text outside the rows is damaged and lost"
			}
			return ""
		}},
	} {
		var writes []hot.Write
		lower, upper := layout.KindRange(kind.kind)
		err := p.store.Each(lower, upper, func(key, value []byte) error {
			if what := kind.bad(key, value); what != "" {
				p.say("%s (key %x)", what, key)
				writes = append(writes, hot.Write{Key: bytes.Clone(key)})
				return p.keepKey(key, value)
			}
			return nil
		})
		if err == nil && len(writes) > 0 {
			err = p.store.Commit(writes)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// keepKey writes a value of the hot store into the quarantine.
func (p *repairer) keepKey(key, value []byte) error {
	name := hex.EncodeToString(key)
	if len(name) > 200 {
		name = name[:150] + "-" + hex.EncodeToString(sha256Of(key)[:8])
	}
	return p.keep("keys/"+name, value)
}

// textFiles repairs the texts that are files.
func (p *repairer) textFiles() error {
	files, err := filesBelow(p.fs, p.fs.PathJoin(p.dir, layout.BlobsDir), layout.BlobsDir)
	if err != nil {
		return err
	}
	for _, f := range files {
		base := p.fs.PathBase(f.path)
		hash, err := hex.DecodeString(base)
		if err != nil || len(hash) != 32 {
			continue // on its way, or none of ours
		}
		raw, err := readFile(p.fs, f.path)
		if err == nil && bytes.Equal(sha256Of(raw), hash) {
			continue
		}
		p.say("a text outside the rows is damaged and lost: %s", f.name)
		if err := p.move(f.name); err != nil {
			return err
		}
	}
	return nil
}

// applied gives the applied LSN of the states, or of the newest row where these
// are lost or of an older time.
func (p *repairer) applied() (uint64, error) {
	greatest, newest := uint64(0), uint64(0)
	lower, upper := layout.KindRange(layout.StateKind)
	err := p.store.Each(lower, upper, func(_, value []byte) error {
		if s, err := layout.DecodeState(value); err == nil {
			greatest = max(greatest, s.AppliedLSN)
		}
		return nil
	})
	if err != nil {
		return 0, err
	}
	// The log gives up only what blocks hold.
	if r, err := wal.Check(p.fs, p.fs.PathJoin(p.dir, layout.WALDir), nil); err == nil {
		newest = r.FirstLSN - 1
	}
	for _, kind := range []layout.KeyKind{layout.MetaKind, layout.PartKind, layout.KeyedKind} {
		lower, upper := layout.KindRange(kind)
		err := p.store.Each(lower, upper, func(key, value []byte) error {
			switch kind {
			case layout.MetaKind:
				if m, err := layout.DecodeMeta(value); err == nil {
					newest = max(newest, m.MaxLSN)
				}
			case layout.PartKind:
				if m, err := layout.DecodePartMeta(value); err == nil {
					newest = max(newest, m.MaxLSN)
				}
			default:
				if v, err := decodeVersion(key, value); err == nil {
					newest = max(newest, v.lsn)
				}
			}
			return nil
		})
		if err != nil {
			return 0, err
		}
	}
	return max(greatest, newest), nil
}
