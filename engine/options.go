package engine

import (
	"cmp"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/tael-sql/tael-sql/engine/block"
	"github.com/tael-sql/tael-sql/engine/cold"
	"github.com/tael-sql/tael-sql/engine/layout"
	"github.com/tael-sql/tael-sql/engine/object"
	"github.com/tael-sql/tael-sql/internal/vector"
	"github.com/tael-sql/tael-sql/wal"
)

// Options configure Open. Tables and Decode must be set; the zero value of
// everything else is valid.
type Options struct {
	FS     vfs.FS // default: the operating system's
	Tables []TableSpec
	Keyed  []KeyedSpec
	Decode Decode
	Logger *slog.Logger // default: discard
	Events Events
	WAL    wal.Options // its Logger defaults to the one above

	// Cold holds the parts. Default: the folder cold inside the data folder.
	Cold object.Store
	// HotWindow is how long rows stay in blocks. Default 24 h; negative: until
	// Compact is called.
	HotWindow time.Duration
	// Retention is how long rows of a table are kept, by its name. Default and 0:
	// for ever.
	Retention map[string]time.Duration
	// Held names tables whose expired rows are not deleted before Release says so.
	Held []string
	// Payloads is how long payloads of rows of a table are kept, by its name: what
	// TableSpec.Offload names. Default and 0: as long as the rows.
	Payloads map[string]time.Duration
	// ChunkRows is how many rows a chunk of a part holds, a multiple of 64.
	// Default 8192.
	ChunkRows int

	// BlockRows is how many rows a block holds. Default 8192, which is the most.
	BlockRows int
	// MaxMemtableBytes, MaxMemtableRows (of one table) and MaxMemtableAge (its age) are
	// what a flush begins at, as does MaxWALBytes. Defaults: 64 MiB, 131,072
	// rows, 5 minutes, 512 MiB.
	MaxMemtableBytes int64
	MaxMemtableRows  int
	MaxMemtableAge   time.Duration
	MaxWALBytes      int64
	// MaxInFlightBytes bounds the bodies between Append and its answer. Default
	// 128 MiB.
	MaxInFlightBytes int64
	// BlockCacheBytes bounds the blocks that are kept open, HotCacheBytes what
	// Pebble caches below, PageCacheBytes the pages of parts. Defaults: 192 MiB,
	// 8 MiB, 64 MiB.
	BlockCacheBytes int64
	HotCacheBytes   int64
	PageCacheBytes  int64
	// BlobFileBytes is the longest text outside the rows that the hot store
	// keeps; longer ones are files. Default 64 KiB.
	BlobFileBytes int
	// BlobGrace is how long nothing must have referred to a text outside the rows
	// before it is deleted. Default 1 h; negative: not at all.
	BlobGrace time.Duration
	// ReplaceHorizon is how far apart in time two versions of a row may be for
	// the newer to replace the older. Default 24 h.
	ReplaceHorizon time.Duration
	// DedupeWindow is how long a request is remembered by its hash. Default 10
	// minutes; negative: not at all.
	DedupeWindow time.Duration
	// MinFreeShare is the share of the disk below whose free space nothing is
	// taken. Default 0.05; negative: no watermark.
	MinFreeShare float64
	// BallastBytes is disk space to be given up when the disk is full, at most one
	// percent of it. Default 256 MiB; negative: none.
	BallastBytes int64
	// DiskSpace gives the free and the total bytes of the disk of a folder.
	// Default: asks FS.
	DiskSpace func(dir string) (free, total uint64, err error)
	// Standby: the store takes the records that a leader ships, and no others.
	Standby bool
	// AckTimeout is how long an answer waits for WAL.RequiredAcks. Default 10 s.
	AckTimeout time.Duration
	// SearchDir holds the index of texts, a folder of the operating system.
	// Default: the folder search inside the data folder; in memory with another FS
	// than the operating system's.
	SearchDir string
	// IndexEvery is how often texts that have come are indexed. Default 5 s;
	// negative: by Reindex alone.
	IndexEvery time.Duration
	// CloseTimeout bounds the flush of a graceful Close. Default 30 s.
	CloseTimeout time.Duration
	// Now is the clock. It decides when to flush, never an order.
	Now func() time.Time

	faults faults // set by tests alone
}

// faults are planted bugs: a test proves with each that it would notice.
type faults struct {
	ackBeforeSync     bool   // Append returns before the record is synced
	visibleBeforeSync bool   // rows are applied, and may be flushed, before they are synced
	ackBeforeApply    bool   // Append returns before the view has the rows
	deadNotInBatch    bool   // deletion vectors are not written with the rows that killed
	recycleTooEarly   bool   // WAL segments are given up when their rows are visible, before any flush
	appliedAhead      bool   // the applied LSN runs ahead of the blocks
	replaySkips       bool   // replay begins one record too late
	replayAgain       bool   // replay applies what blocks hold already
	forgetKills       bool   // rows killed while a flush runs come back after it
	appliedApart      bool   // blocks and the applied LSN are two batches
	writeSetInPart    bool   // the keyed rows of a write set become visible and durable without its requests
	keyedNotInBatch   bool   // keyed rows are not written with the LSN that says they are
	recycleBeforeBlob bool   // WAL segments are given up before the texts outside the rows are durable
	deleteHeld        bool   // what has expired is deleted although it is held
	dropBeforeCommit  bool   // what has expired is deleted before the manifest says so
	duringSweep       func() // called before texts are deleted
	sweepAnyway       bool   // a sweep deletes what a flush has taken meanwhile
	forgetDeletes     bool   // replay brings back what was deleted
	hashesNotInBatch  bool   // the hashes of requests are lost when their segments are recycled

	partDeadNotInBatch bool // deletion vectors of parts are not written with the rows that killed
	deleteBeforeCommit bool // what a part replaces is deleted before the part is in the manifest
	cutByTime          bool // a part replaces the blocks of its hours, not those that it was made of
	skipsDamage        bool // scans leave out what they cannot read
}

func (o Options) withDefaults() (Options, error) {
	if o.FS == nil {
		o.FS = vfs.Default
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.WAL.Logger == nil {
		o.WAL.Logger = o.Logger
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.DiskSpace == nil {
		o.DiskSpace = func(dir string) (uint64, uint64, error) {
			usage, err := o.FS.GetDiskUsage(dir)
			return usage.AvailBytes, usage.TotalBytes, err
		}
	}
	o.BlockRows = cmp.Or(o.BlockRows, block.MaxRows)
	o.MaxMemtableBytes = cmp.Or(o.MaxMemtableBytes, 64<<20)
	o.MaxMemtableRows = cmp.Or(o.MaxMemtableRows, 16*block.MaxRows)
	o.MaxMemtableAge = cmp.Or(o.MaxMemtableAge, 5*time.Minute)
	o.MaxWALBytes = cmp.Or(o.MaxWALBytes, 512<<20)
	o.MaxInFlightBytes = cmp.Or(o.MaxInFlightBytes, 128<<20)
	o.BlockCacheBytes = cmp.Or(o.BlockCacheBytes, 192<<20)
	o.HotCacheBytes = cmp.Or(o.HotCacheBytes, 8<<20)
	o.PageCacheBytes = cmp.Or(o.PageCacheBytes, 64<<20)
	o.HotWindow = cmp.Or(o.HotWindow, 24*time.Hour)
	o.ChunkRows = cmp.Or(o.ChunkRows, cold.ChunkRows)
	o.BlobFileBytes = cmp.Or(o.BlobFileBytes, defaultBlobFileBytes)
	o.BlobGrace = cmp.Or(o.BlobGrace, time.Hour)
	o.ReplaceHorizon = cmp.Or(o.ReplaceHorizon, 24*time.Hour)
	o.DedupeWindow = cmp.Or(o.DedupeWindow, 10*time.Minute)
	o.MinFreeShare = cmp.Or(o.MinFreeShare, 0.05)
	o.BallastBytes = cmp.Or(o.BallastBytes, 256<<20)
	o.IndexEvery = cmp.Or(o.IndexEvery, 5*time.Second)
	o.CloseTimeout = cmp.Or(o.CloseTimeout, 30*time.Second)
	o.AckTimeout = cmp.Or(o.AckTimeout, defaultAckTimeout)
	if o.BlockRows < 1 || o.BlockRows > block.MaxRows {
		return o, fmt.Errorf("engine: BlockRows %d is not from 1 to %d", o.BlockRows, block.MaxRows)
	}
	if o.ChunkRows < 64 || o.ChunkRows%64 != 0 {
		return o, fmt.Errorf("engine: ChunkRows %d is no multiple of 64", o.ChunkRows)
	}
	if o.MinFreeShare > 0.5 {
		return o, fmt.Errorf("engine: MinFreeShare %g is above 0.5", o.MinFreeShare)
	}
	for _, p := range []struct {
		name  string
		value int64
	}{
		{"MaxMemtableBytes", o.MaxMemtableBytes},
		{"MaxMemtableRows", int64(o.MaxMemtableRows)},
		{"MaxMemtableAge", int64(o.MaxMemtableAge)},
		{"MaxWALBytes", o.MaxWALBytes},
		{"MaxInFlightBytes", o.MaxInFlightBytes},
		{"BlockCacheBytes", o.BlockCacheBytes},
		{"HotCacheBytes", o.HotCacheBytes},
		{"PageCacheBytes", o.PageCacheBytes},
		{"BlobFileBytes", int64(o.BlobFileBytes)},
		{"ReplaceHorizon", int64(o.ReplaceHorizon)},
		{"CloseTimeout", int64(o.CloseTimeout)},
		{"AckTimeout", int64(o.AckTimeout)},
	} {
		if p.value < 0 {
			return o, fmt.Errorf("engine: %s %d is negative", p.name, p.value)
		}
	}
	return o, o.checkTables()
}

func (o Options) checkTables() error {
	if len(o.Tables) == 0 || o.Decode == nil {
		return errors.New("engine: Tables and Decode must be set")
	}
	for name, keep := range o.Retention {
		if keep < 0 || !slices.ContainsFunc(o.Tables, func(t TableSpec) bool { return t.Schema != nil && t.Schema.Name == name }) {
			return fmt.Errorf("engine: a retention of %v for %q", keep, name)
		}
	}
	for name, keep := range o.Payloads {
		if !o.checkPayloads(name, keep) {
			return fmt.Errorf("engine: a retention of %v for payloads of %q", keep, name)
		}
	}
	keyed := make(map[uint8]bool)
	for _, t := range o.Keyed {
		if keyed[t.ID] {
			return fmt.Errorf("engine: keyed table %s shares its id with another", t.Name)
		}
		keyed[t.ID] = true
	}
	ids, records := make(map[uint8]bool), make(map[uint8]bool)
	for _, t := range o.Tables {
		if t.Schema == nil {
			return fmt.Errorf("engine: table %d has no schema", t.ID)
		}
		if t.ID == layout.KeyedState || ids[t.ID] || records[uint8(t.Record)] {
			return fmt.Errorf("engine: table %s shares its id or its records with another", t.Schema.Name)
		}
		for _, o := range t.Offload {
			if !o.fits(t.Schema) {
				return fmt.Errorf("engine: table %s has no field %q of which texts beyond %d bytes can be stored outside", t.Schema.Name, o.Field, o.Limit)
			}
		}
		for _, name := range t.Order {
			if t.Schema.Index(name) < 0 {
				return fmt.Errorf("engine: table %s has no field %q to be sorted by", t.Schema.Name, name)
			}
		}
		ids[t.ID], records[uint8(t.Record)] = true, true
		ints, hexes := append([]string{t.Time}, t.Zones...), t.Key
		for name := range t.Relative {
			ints = append(ints, name)
		}
		if t.Arrival != "" {
			ints = append(ints, t.Arrival)
		}
		if t.Trace != "" {
			hexes = append(hexes[:len(hexes):len(hexes)], t.Trace)
		}
		for _, want := range []struct {
			fields []string
			kind   vector.Kind
		}{{ints, vector.Int64}, {hexes, vector.Hex}} {
			for _, name := range want.fields {
				if i := t.Schema.Index(name); i < 0 || t.Schema.Fields[i].Kind != want.kind {
					return fmt.Errorf("engine: table %s has no field %q of the kind needed", t.Schema.Name, name)
				}
			}
		}
	}
	return nil
}
