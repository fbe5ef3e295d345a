package engine

import (
	"log/slog"
	"time"
)

// An Events is told what the engine does in the background. Functions
// may be nil; they must return soon.
type Events struct {
	FlushBegin func(FlushInfo) // Job is set
	FlushEnd   func(FlushInfo)
	ReblockEnd func(ReblockInfo)
	ReplayEnd  func(ReplayInfo)
	DiskLow    func(low bool, free, total uint64) // at each change
	Failed     func(error)                        // once: nothing more is acknowledged
}

// A FlushInfo describes a flush: memtable to blocks.
type FlushInfo struct {
	Job    int64
	Rows   int
	Blocks int
	Bytes  int
	LSN    uint64 // every record up to it is in blocks
	Took   time.Duration
	Err    error
}

// A ReblockInfo describes a merge of small blocks of one hour.
type ReblockInfo struct {
	Job    int64
	Table  string
	Rows   int
	Inputs int
	Blocks int
	Took   time.Duration
	Err    error
}

// A ReplayInfo describes what Open found in the WAL.
type ReplayInfo struct {
	Records  int
	From, To uint64 // LSNs
	Took     time.Duration
}

// withLog gives a listener without nil functions that logs, too.
func (l Events) withLog(log *slog.Logger) Events {
	out := l
	out.FlushBegin = func(i FlushInfo) {
		if l.FlushBegin != nil {
			l.FlushBegin(i)
		}
	}
	out.FlushEnd = func(i FlushInfo) {
		log.Info("flush", "job", i.Job, "rows", i.Rows, "blocks", i.Blocks, "bytes", i.Bytes, "lsn", i.LSN, "took", i.Took, "error", i.Err)
		if l.FlushEnd != nil {
			l.FlushEnd(i)
		}
	}
	out.ReblockEnd = func(i ReblockInfo) {
		log.Info("reblock", "job", i.Job, "table", i.Table, "rows", i.Rows, "inputs", i.Inputs, "blocks", i.Blocks, "took", i.Took, "error", i.Err)
		if l.ReblockEnd != nil {
			l.ReblockEnd(i)
		}
	}
	out.ReplayEnd = func(i ReplayInfo) {
		log.Info("replayed the WAL", "records", i.Records, "from", i.From, "to", i.To, "took", i.Took)
		if l.ReplayEnd != nil {
			l.ReplayEnd(i)
		}
	}
	out.DiskLow = func(low bool, free, total uint64) {
		log.Warn("disk watermark", "low", low, "free", free, "total", total)
		if l.DiskLow != nil {
			l.DiskLow(low, free, total)
		}
	}
	out.Failed = func(err error) {
		log.Error("nothing more is acknowledged: an I/O error on the write path is never retried", "error", err)
		if l.Failed != nil {
			l.Failed(err)
		}
	}
	return out
}
