package engine

import "time"

// Events are told what the engine does in the background. Functions may be
// nil; they must return soon.
type Events struct {
	FlushEnd func(FlushInfo)
	Failed   func(error)
}

// A FlushInfo describes a flush that has ended.
type FlushInfo struct {
	Job    int64
	Rows   int
	Blocks int
	Bytes  int
	LSN    uint64 // every record up to it is in blocks now
	Took   time.Duration
	Err    error
}

func (e Events) failed(err error) {
	if e.Failed != nil {
		e.Failed(err)
	}
}

func (e Events) flushEnd(info FlushInfo) {
	if e.FlushEnd != nil {
		e.FlushEnd(info)
	}
}

// Metrics is a reading of the engine's gauges.
type Metrics struct {
	Tables      []TableMetrics
	LSN         uint64
	WALBytes    int64
	HotBytes    int64
	MemBytes    int64
	InFlight    int64
	DiskFull    bool
	Flushes     int64
	CachedBytes int64
}

// TableMetrics is the part of one table.
type TableMetrics struct {
	Name    string
	Rows    int64 // live
	MemRows int
	Blocks  int
}

// Metrics reads the gauges.
func (db *DB) Metrics() Metrics {
	v := db.View()
	m := Metrics{
		LSN: v.lsn, WALBytes: db.wal.Bytes(), HotBytes: db.hot.Bytes(), InFlight: db.inFlight.Load(),
		DiskFull: db.diskFull.Load(), Flushes: int64(db.generation.Load()),
	}
	db.cache.mu.Lock()
	m.CachedBytes = db.cache.bytes
	db.cache.mu.Unlock()
	for i, t := range db.tables {
		tv := v.tables[i]
		m.MemBytes += tv.memBytes
		m.Tables = append(m.Tables, TableMetrics{
			Name: t.Schema.Name, Rows: tv.rows - tv.dead, MemRows: tv.memRows, Blocks: len(tv.blocks),
		})
	}
	return m
}
