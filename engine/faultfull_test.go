package engine

import (
	"cmp"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/tael-sql/tael-sql/wal/record"
)

const (
	fullDiskBytes = 96 << 20
	// resumeTime is how soon ingest goes on once there is space.
	resumeTime = 10 * time.Second
)

// fillSmallDisk fills a small disk: what is read stays right, ingest is refused with
// an error that passes, and goes on by itself once there is space.
func fillSmallDisk(seed uint64, _ plantedBug, stop func(int) bool) (n tally, err error) {
	if os.Geteuid() != 0 {
		return n, fmt.Errorf("%w: not root", errSkipped)
	}
	dir, err := os.MkdirTemp("", "tael-full")
	if err != nil {
		return n, err
	}
	defer func() { err = cmp.Or(err, os.RemoveAll(dir)) }()
	if err := command("mount", "-t", "tmpfs", "-o", fmt.Sprintf("size=%d", fullDiskBytes), "tmpfs", dir); err != nil {
		return n, fmt.Errorf("%w: %w", errSkipped, err)
	}
	defer func() { err = cmp.Or(err, command("umount", dir)) }()
	var slowest time.Duration
	for !stop(n.points) {
		rng := rand.New(rand.NewPCG(seed, uint64(n.points)))
		resumed, err := fullRound(rng, dir)
		n.points++
		slowest = max(slowest, resumed)
		n.apart = fmt.Sprintf("resumed by itself within %.1f s", slowest.Seconds())
		if err != nil {
			return n, fmt.Errorf("round %d: %w", n.points, err)
		}
	}
	return n, nil
}

func fullRound(rng *rand.Rand, dir string) (resumed time.Duration, err error) {
	folder, ballast := filepath.Join(dir, "db"), filepath.Join(dir, "ballast")
	defer func() { err = cmp.Or(err, os.RemoveAll(folder)) }()
	o := testOptions(vfs.Default)
	o.MinFreeShare, o.MaxMemtableRows, o.WAL.SegmentBytes = 0.25, 100, 64<<10
	db, err := Open(folder, o)
	if err != nil {
		return 0, err
	}
	// Without this file the disk is above the watermark, whatever is flushed then:
	// a text of 400 bytes that leaves its row takes a file and a folder.
	if err := os.WriteFile(ballast, make([]byte, 60<<20+rng.IntN(8<<20)), 0o644); err != nil {
		return 0, err
	}
	m := &model{keyed: map[string]string{}}
	for step := 0; ; step++ {
		if step%10 == 0 {
			db.checkDisk() // the watermark of so small a disk is filled faster than it looks
		}
		err := fill(db, m, rng, step)
		if errors.Is(err, ErrDiskFull) {
			break
		}
		if err != nil {
			return 0, fmt.Errorf("step %d: %w", step, err)
		}
	}
	v := db.View()
	err = compareWithModel(rng, v, m)
	v.Release()
	if err != nil {
		return 0, fmt.Errorf("while the disk is full: %w", err)
	}
	if err := os.Remove(ballast); err != nil {
		return 0, err
	}
	began := time.Now()
	for step := 10_000; ; step++ {
		if err = fill(db, m, rng, step); err == nil {
			break
		}
		if !errors.Is(err, ErrDiskFull) || time.Since(began) > resumeTime {
			return 0, fmt.Errorf("%v after there is space: %w", time.Since(began), err)
		}
		time.Sleep(10 * time.Millisecond) // the operating system's disk has no event
	}
	resumed = time.Since(began)
	if err := db.shutdown(rng.IntN(2) == 0); err != nil {
		return resumed, err
	}
	return resumed, reopened(folder, o, rng, []*model{m})
}

// fill appends a long request.
func fill(db *DB, m *model, rng *rand.Rand, step int) error {
	var b strings.Builder
	for i := range 8 {
		fmt.Fprintf(&b, "%d w%d-%d-%x\n", arrivalMinute-rng.IntN(100), step, i, make([]byte, 400))
	}
	if err := db.Append(bg, testRequest(record.Logs, b.String())); err != nil {
		return err
	}
	m.apply(record.Logs, b.String())
	return nil
}
