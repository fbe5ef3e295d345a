package engine

import "sync/atomic"

// counters count since Open.
type counters struct {
	appended  atomic.Int64 // records acknowledged
	refused   atomic.Int64 // records refused: overloaded or disk full
	repeated  atomic.Int64 // requests sent again, of which nothing was written
	replayed  atomic.Int64 // records
	corrupted atomic.Int64 // reads that met a damaged block
	skipped   atomic.Int64 // damaged blocks and parts that scans read round
}

// Metrics is a reading of gauges and counters, all since Open.
type Metrics struct {
	Tables      []TableMetrics
	LSN         uint64 // visible
	DurableLSN  uint64 // synced
	FlushedLSN  uint64 // in blocks
	WALBytes    int64
	HotBytes    int64
	MemBytes    int64
	CachedBytes int64
	InFlight    int64 // bytes
	Views       int   // held, the newest included
	DiskFull    bool
	Stopped     bool
	Jobs        map[JobKind]JobTotals
	Appended    int64
	Refused     int64
	Repeated    int64 // requests sent again
	Replayed    int64
	CorruptRead int64
	Skipped     int64 // blocks and parts that scans read round
}

// TableMetrics is the part of one table.
type TableMetrics struct {
	Name       string
	Rows       int64 // live
	Dead       int64 // rows still stored
	MemRows    int
	Blocks     int
	BlockBytes int64
	Parts      int
	LostParts  int   // those whose file is missing or has another size
	LostRows   int64 // live rows of these
}

// Metrics takes a reading.
func (db *DB) Metrics() Metrics {
	v := db.View()
	defer v.Release()
	m := Metrics{
		LSN: v.lsn, DurableLSN: db.wal.DurableLSN(), FlushedLSN: db.flushedLSN.Load(),
		WALBytes: db.wal.Bytes(), HotBytes: db.hot.Bytes(), CachedBytes: db.cache.held(), InFlight: db.inFlight.Load(),
		DiskFull: db.diskLow.Load(), Stopped: db.failure.Load() != nil,
		Jobs: db.jobs.sums(), Appended: db.counters.appended.Load(),
		Refused: db.counters.refused.Load(), Repeated: db.counters.repeated.Load(), Replayed: db.counters.replayed.Load(), CorruptRead: db.counters.corrupted.Load(), Skipped: db.counters.skipped.Load(),
	}
	m.Views = db.held.count()
	for i, t := range db.tables {
		tv := v.tables[i]
		m.MemBytes += tv.memBytes
		tm := TableMetrics{Name: t.Schema.Name, Rows: tv.rows - tv.dead, Dead: tv.dead, MemRows: tv.memRows, Blocks: len(tv.blocks)}
		for _, b := range tv.blocks {
			tm.BlockBytes += int64(b.meta.Bytes)
		}
		tm.Parts = len(tv.parts)
		for _, p := range tv.parts {
			if db.parts.problem(p.meta) != "" {
				tm.LostParts++
				tm.LostRows += int64(p.meta.Rows - p.deadCount)
			}
		}
		m.Tables = append(m.Tables, tm)
	}
	return m
}
