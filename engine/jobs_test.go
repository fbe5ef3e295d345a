package engine

import (
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/tael-sql/tael-sql/wal/record"
)

// TestJobsAreRemembered follows a flush and the merges of small blocks through
// the listener, the history and the totals.
func TestJobsAreRemembered(t *testing.T) {
	o := testOptions(vfs.NewMem())
	var began, ended []Job
	o.Events = Events{
		JobBegin: func(j Job) { began = append(began, j) },
		JobEnd:   func(j Job) { ended = append(ended, j) },
	}
	db := mustOpen(t, o)
	for i := range reblockInputs {
		mustAppend(t, db, record.Traces, fmt.Sprintf("a %d 0 name 1\n", i))
		mustCheckpoint(t, db)
	}
	mustCheckpoint(t, db) // answered after the merge that follows the one before
	jobs := db.Jobs()
	totals := db.Metrics().Jobs
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	if len(jobs) != reblockInputs+1 || len(began) != len(jobs) {
		t.Fatalf("%d jobs, %d began, want %d", len(jobs), len(began), reblockInputs+1)
	}
	if !slices.Equal(jobs, ended) {
		t.Errorf("the history\n%v\nis not what the listener was told\n%v", jobs, ended)
	}
	if f := jobs[0]; f.Kind != FlushJob || f.State != JobDone || f.RowsIn != 1 || f.RowsOut != 1 || f.Outputs != 1 || f.BytesIn == 0 || f.BytesOut == 0 || f.Ended.Before(f.Started) {
		t.Errorf("a flush of one row: %+v", f)
	}
	if m := jobs[reblockInputs]; m.Kind != ReblockJob || m.Table != "spans" || m.Inputs != reblockInputs || m.RowsIn != reblockInputs || m.Outputs != 1 || m.RowsOut != reblockInputs {
		t.Errorf("the merge: %+v", m)
	}
	if f := totals[FlushJob]; f.Done != reblockInputs || f.Failed != 0 || f.RowsOut != reblockInputs {
		t.Errorf("totals of flushes: %+v", f)
	}
	checkFolder(t, o.FS, "db")
}

// TestJobHistoryIsBounded ends more jobs than are remembered, one of them badly
// and one never.
func TestJobHistoryIsBounded(t *testing.T) {
	events := Events{}.withLog(slog.New(slog.DiscardHandler))
	db := &DB{jobs: newJobs(&events)}
	running := db.jobs.begin(FlushJob, "")
	running.read(0, 7, 70)
	for i := range jobHistory + 10 {
		var err error
		if i == jobHistory {
			err = errors.New("no space")
		}
		db.jobs.begin(ReblockJob, "logs").end(err)
	}
	list := db.Jobs()
	if len(list) != jobHistory+1 {
		t.Fatalf("%d jobs are remembered, want %d and the running one", len(list), jobHistory)
	}
	if first := list[0]; first.ID != 1 || first.State != JobRunning || first.RowsIn != 7 || first.BytesIn != 70 {
		t.Errorf("the running job: %+v", first)
	}
	if !slices.IsSortedFunc(list, func(a, b Job) int { return int(a.ID - b.ID) }) || list[1].ID != 12 {
		t.Errorf("the oldest that is remembered is %d, want 12", list[1].ID)
	}
	if total := db.jobs.sums()[ReblockJob]; total.Failed != 1 || total.Done != jobHistory+9 {
		t.Errorf("totals: %+v", total)
	}
}
