package engine

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// A plantedBug is one that a method must see: in the engine, or in what it
// asks of the disk. Its zero value is none.
type plantedBug struct {
	name   string
	method string
	faults faults
	disk   func(vfs.FS) vfs.FS
}

var plantedBugs = []plantedBug{
	{"acknowledge before sync", "crash", faults{ackBeforeSync: true}, nil},
	{"visible before sync", "crash", faults{visibleBeforeSync: true}, nil},
	{"acknowledge before apply", "crash", faults{ackBeforeApply: true}, nil},
	{"deletion vector not in the batch", "crash", faults{deadNotInBatch: true}, nil},
	{"deletion vector of a part not in the batch", "crash", faults{partDeadNotInBatch: true}, nil},
	{"segment recycled before its flush", "crash", faults{recycleTooEarly: true}, nil},
	{"applied LSN ahead of the blocks", "crash", faults{appliedAhead: true}, nil},
	{"applied LSN not in the batch", "crash", faults{appliedApart: true}, nil},
	{"replay skips a record", "crash", faults{replaySkips: true}, nil},
	{"replay applies a record again", "crash", faults{replayAgain: true}, nil},
	{"write set applied in part", "crash", faults{writeSetInPart: true}, nil},
	{"keyed rows not in the batch", "crash", faults{keyedNotInBatch: true}, nil},
	{"segment recycled before its blobs", "crash", faults{recycleBeforeBlob: true}, nil},
	{"hash lost at recycling", "crash", faults{hashesNotInBatch: true}, nil},
	{"rows killed during a flush come back", "crash", faults{forgetKills: true}, nil},
	{"replay brings deleted rows back", "crash", faults{forgetDeletes: true}, nil},
	{"deleted before the commit", "crash", faults{deleteBeforeCommit: true}, nil},
	{"blocks cut by time, not by id", "crash", faults{cutByTime: true}, nil},
	{"folders are not synced", "crash", faults{}, func(fs vfs.FS) vfs.FS { return unsyncedFolders{fs} }},
	{"part named before it is durable", "crash", faults{}, func(fs vfs.FS) vfs.FS { return namedTooEarly{fs} }},
	{"failed fsync tried again", "fsync", faults{}, func(fs vfs.FS) vfs.FS { return retriedSyncs{fs} }},
	{"what is damaged is left out", "flips", faults{skipsDamage: true}, nil},
}

// What a method has to see a bug: at least so long, and at least so many points.
const (
	plantedTime   = 5 * time.Second
	plantedPoints = 5000
)

// TestPlantedBugs proves that the methods see bugs.
func TestPlantedBugs(t *testing.T) {
	if *faultSeconds == 0 {
		t.Skip("without -fault-seconds")
	}
	methods := make(map[string]faultMethod)
	for _, m := range faultMethods() {
		methods[m.name] = m
	}
	for _, bug := range plantedBugs {
		t.Run(strings.ReplaceAll(bug.name, " ", "-"), func(t *testing.T) {
			began := time.Now()
			// The bugs that are seen least often take some 150 points on
			// average, so that plantedPoints of them do not miss one by chance.
			n, err := methods[bug.method].run(newSeed(t), bug, func(points int) bool {
				return points >= plantedPoints && time.Since(began) > plantedTime
			})
			if err == nil {
				t.Fatalf("not caught by %d %s", n.points, methods[bug.method].unit)
			}
			t.Logf("caught: %.300v", err)
			fmt.Printf("%-44s → %s, after %d, %.1f s\n", bug.name, methods[bug.method].unit, n.points, time.Since(began).Seconds())
		})
	}
}

// unsyncedFolders forgets to sync folders.
type unsyncedFolders struct{ vfs.FS }

func (d unsyncedFolders) OpenDir(name string) (vfs.File, error) {
	f, err := d.FS.OpenDir(name)
	return unsyncedFile{f}, err
}

// namedTooEarly does not sync files that are renamed to their place afterwards.
type namedTooEarly struct{ vfs.FS }

func (d namedTooEarly) Create(name string, c vfs.DiskWriteCategory) (vfs.File, error) {
	f, err := d.FS.Create(name, c)
	if err == nil && strings.HasSuffix(name, ".tmp") {
		f = unsyncedFile{f}
	}
	return f, err
}

type unsyncedFile struct{ vfs.File }

func (f unsyncedFile) Sync() error                { return nil }
func (f unsyncedFile) SyncData() error            { return nil }
func (f unsyncedFile) SyncTo(int64) (bool, error) { return false, nil }

// retriedSyncs tries a failed sync again.
type retriedSyncs struct{ vfs.FS }

func (d retriedSyncs) again(f vfs.File, err error) (vfs.File, error) {
	if err != nil {
		return nil, err
	}
	return retriedFile{f}, nil
}

func (d retriedSyncs) Create(name string, c vfs.DiskWriteCategory) (vfs.File, error) {
	return d.again(d.FS.Create(name, c))
}

func (d retriedSyncs) OpenReadWrite(name string, c vfs.DiskWriteCategory, o ...vfs.OpenOption) (vfs.File, error) {
	return d.again(d.FS.OpenReadWrite(name, c, o...))
}

type retriedFile struct{ vfs.File }

func (f retriedFile) Sync() error {
	if err := f.File.Sync(); err == nil {
		return nil
	}
	return f.File.Sync()
}

func (f retriedFile) SyncData() error {
	if err := f.File.SyncData(); err == nil {
		return nil
	}
	return f.File.SyncData()
}
