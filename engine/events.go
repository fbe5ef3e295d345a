package engine

import (
	"log/slog"
	"time"
)

// An Events is told what the engine does in the background. Functions
// may be nil; they must return soon.
type Events struct {
	JobBegin  func(Job)
	JobEnd    func(Job)
	ReplayEnd func(ReplayInfo)
	DiskLow   func(low bool, free, total uint64) // at each change
	Failed    func(error)                        // once: nothing more is acknowledged
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
	out.JobBegin = func(j Job) {
		if l.JobBegin != nil {
			l.JobBegin(j)
		}
	}
	out.JobEnd = func(j Job) {
		logJob(log, j)
		if l.JobEnd != nil {
			l.JobEnd(j)
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

func logJob(log *slog.Logger, j Job) {
	attrs := []any{"kind", j.Kind, "job", j.ID}
	if j.Table != "" {
		attrs = append(attrs, "table", j.Table)
	}
	attrs = append(attrs, "inputs", j.Inputs, "rows_in", j.RowsIn, "outputs", j.Outputs, "rows_out", j.RowsOut, "bytes_out", j.BytesOut, "took", j.Ended.Sub(j.Started))
	if j.Err != nil {
		log.Error("job", append(attrs, "error", j.Err)...)
		return
	}
	log.Info("job", attrs...)
}
