package engine

import (
	"maps"
	"slices"
	"sync"
	"time"
)

// A JobKind is what a background job does.
type JobKind string

// The kinds of background jobs.
const (
	FlushJob     JobKind = "flush"     // memtable to blocks
	ReblockJob   JobKind = "reblock"   // small blocks of one hour to fewer
	BackupJob    JobKind = "backup"    // all to a folder elsewhere
	CompactJob   JobKind = "compact"   // blocks to a part
	MergeJob     JobKind = "merge"     // parts to one
	SweepJob     JobKind = "sweep"     // texts that nothing refers to are deleted
	RetentionJob JobKind = "retention" // what has expired, to nothing
	IndexJob     JobKind = "index"     // texts to the index of their words
	RollUpJob    JobKind = "rollup"    // points that expire, to rows of five minutes
)

// A JobState is how far a job is.
type JobState string

// The states of a job.
const (
	JobRunning JobState = "running"
	JobDone    JobState = "done"
	JobFailed  JobState = "failed"
)

// A Job describes one run of background work. Inputs and Outputs count the
// blocks and parts that it has read and written.
type Job struct {
	ID                int64 // counts the jobs since Open
	Kind              JobKind
	Table             string // "" for all
	Started, Ended    time.Time
	Inputs, Outputs   int
	RowsIn, RowsOut   int64
	BytesIn, BytesOut int64
	State             JobState
	Err               error
}

// JobTotals sums the ended jobs of one kind since Open.
type JobTotals struct {
	Done, Failed      int64
	Took              time.Duration
	RowsIn, RowsOut   int64
	BytesIn, BytesOut int64
}

// jobHistory is how many ended jobs are remembered.
const jobHistory = 256

// jobs knows the background jobs that run and the last that have ended.
type jobs struct {
	events *Events

	mu      sync.Mutex // guards what follows, and the jobs that run
	last    int64
	running []*job
	ended   []Job // the oldest first
	totals  map[JobKind]JobTotals
}

// A job is a Job while it runs.
type job struct {
	of *jobs
	Job
}

func newJobs(events *Events) *jobs {
	return &jobs{events: events, totals: make(map[JobKind]JobTotals)}
}

// RunJob enters what a caller does with the store among its jobs. It says how
// many rows it has read and written.
func (db *DB) RunJob(kind JobKind, table string, run func() (rowsIn, rowsOut int64, err error)) (err error) {
	job := db.jobs.begin(kind, table)
	defer func() { job.end(err) }()
	in, out, err := run()
	job.read(0, int(in), 0)
	job.wrote(0, int(out), 0)
	return err
}

// begin enters a job. The caller must end it.
func (j *jobs) begin(kind JobKind, table string) *job {
	j.mu.Lock()
	j.last++
	running := &job{of: j, Job: Job{ID: j.last, Kind: kind, Table: table, Started: time.Now(), State: JobRunning}}
	j.running = append(j.running, running)
	begun := running.Job
	j.mu.Unlock()
	j.events.JobBegin(begun)
	return running
}

// read counts what the job takes in.
func (r *job) read(inputs, rows int, bytes int64) {
	r.of.mu.Lock()
	defer r.of.mu.Unlock()
	r.Inputs, r.RowsIn, r.BytesIn = r.Inputs+inputs, r.RowsIn+int64(rows), r.BytesIn+bytes
}

// wrote counts what the job gives out.
func (r *job) wrote(outputs, rows int, bytes int64) {
	r.of.mu.Lock()
	defer r.of.mu.Unlock()
	r.Outputs, r.RowsOut, r.BytesOut = r.Outputs+outputs, r.RowsOut+int64(rows), r.BytesOut+bytes
}

// end says how the job went.
func (r *job) end(err error) {
	ended := r.of.close(r, err)
	r.of.events.JobEnd(ended)
}

func (j *jobs) close(r *job, err error) Job {
	j.mu.Lock()
	defer j.mu.Unlock()
	r.Ended, r.State, r.Err = time.Now(), JobDone, err
	total := j.totals[r.Kind]
	if err != nil {
		r.State = JobFailed
		total.Failed++
	} else {
		total.Done++
	}
	total.Took += r.Ended.Sub(r.Started)
	total.RowsIn, total.RowsOut = total.RowsIn+r.RowsIn, total.RowsOut+r.RowsOut
	total.BytesIn, total.BytesOut = total.BytesIn+r.BytesIn, total.BytesOut+r.BytesOut
	j.totals[r.Kind] = total
	j.running = slices.DeleteFunc(j.running, func(other *job) bool { return other == r })
	if len(j.ended) == jobHistory {
		j.ended = append(j.ended[:0], j.ended[1:]...)
	}
	j.ended = append(j.ended, r.Job)
	return r.Job
}

// Jobs lists the last background jobs and those that run, by their numbers.
func (db *DB) Jobs() []Job {
	j := db.jobs
	j.mu.Lock()
	defer j.mu.Unlock()
	list := slices.Clone(j.ended)
	for _, r := range j.running {
		list = append(list, r.Job)
	}
	slices.SortFunc(list, func(a, b Job) int { return int(a.ID - b.ID) })
	return list
}

// sums gives the totals by kind.
func (j *jobs) sums() map[JobKind]JobTotals {
	j.mu.Lock()
	defer j.mu.Unlock()
	return maps.Clone(j.totals)
}
