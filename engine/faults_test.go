package engine

import (
	"bufio"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

var faultOnly = flag.String("fault-method", "", "the one method that TestFaults runs")

var faultSeconds = flag.Int("fault-seconds", 0, "run TestFaults for so many seconds; 0: not at all")

// A faultMethod is one way of doing harm, over and over with other seeds.
type faultMethod struct {
	name  string // of the figures, and in testdata/fault-seeds
	unit  string
	share int // of the seconds
	// run goes on until stop says that it is enough, and gives the first problem.
	run   func(seed uint64, b plantedBug, stop func(points int) bool) (tally, error)
	leaks bool // a failed store stays in memory
}

// A tally is what a method did.
type tally struct {
	points int
	apart  string // what is reported apart
}

func faultMethods() []faultMethod {
	return []faultMethod{
		{"crash", "crash points", 13, func(seed uint64, b plantedBug, stop func(int) bool) (tally, error) {
			points, err := crash(seed, b, stop)
			return tally{points: points}, err
		}, false},
		{"operations", "failed operations", 23, failOperations, true},
		{"fsync", "failed fsyncs", 6, failSyncs, true},
		{"flips", "flips in flushed state", 34, flipFlushed, false},
		{"wal-flips", "flips in unflushed rows", 5, flipUnflushed, false},
		{"disk-full", "rounds with a full disk", 3, fillSmallDisk, false},
		{"power", "power cuts", 25, cutPower, false},
	}
}

// errSkipped says what a method needs that this machine lacks.
var errSkipped = errors.New("skipped")

// A mismatch is rows that are not what they must be.
type mismatch struct {
	what                   string
	lost, doubled, changed int
	rows                   string
}

// newMismatch compares what is there with the acknowledged rows, and with those
// that there would be if the request on its way had arrived.
func newMismatch(what string, got, want, also []string) *mismatch {
	m := &mismatch{what: what, rows: fmt.Sprintf("got %q, want %q or %q", got, want, also)}
	have, must, may := counts(got), counts(want), counts(also)
	for row, n := range must {
		if least := min(n, may[row]); have[row] < least {
			m.lost += least - have[row]
		}
	}
	for row, n := range have {
		switch most := max(must[row], may[row]); {
		case most == 0:
			m.changed++
		case n > most:
			m.doubled += n - most
		}
	}
	if m.lost+m.doubled+m.changed == 0 {
		m.changed++ // neither all of a request nor nothing of it
	}
	return m
}

func counts(rows []string) map[string]int {
	out := make(map[string]int)
	for _, row := range rows {
		out[row]++
	}
	return out
}

func (m *mismatch) Error() string {
	return fmt.Sprintf("%s: %d lost, %d doubled, %d changed: %s", m.what, m.lost, m.doubled, m.changed, m.rows)
}

// figures is the line that a method's run ends with.
func (m faultMethod) figures(total tally, err error) string {
	var rows mismatch
	if found := (*mismatch)(nil); errors.As(err, &found) {
		rows = *found
	}
	line := fmt.Sprintf("%-24s %8s  lost %d  doubled %d  changed %d", m.unit, thousands(total.points), rows.lost, rows.doubled, rows.changed)
	if total.apart != "" {
		line += "  (" + total.apart + ")"
	}
	if err != nil {
		line += "  FAILED"
	}
	return line
}

func thousands(n int) string {
	s := strconv.Itoa(n)
	for at := len(s) - 3; at > 0; at -= 3 {
		s = s[:at] + "," + s[at:]
	}
	return s
}

// TestFaults runs every method for its share of -fault-seconds, the seeds first
// that have failed once, and prints a line of figures for each.
func TestFaults(t *testing.T) {
	if *faultSeconds == 0 {
		t.Skip("without -fault-seconds")
	}
	seed := newSeed(t)
	shares := 0
	methods := slices.DeleteFunc(faultMethods(), func(m faultMethod) bool { return *faultOnly != "" && m.name != *faultOnly })
	for _, m := range methods {
		shares += m.share
	}
	for _, m := range methods {
		var total tally
		end := time.Now().Add(time.Duration(*faultSeconds) * time.Second * time.Duration(m.share) / time.Duration(shares))
		var failed error
		var skipped bool
		run := m.run
		if m.leaks {
			run = inChildren(m.name)
		}
		one := func(seed uint64, stop func(int) bool) {
			n, err := run(seed, plantedBug{}, stop)
			if skipped = errors.Is(err, errSkipped); skipped {
				fmt.Printf("%-24s %v\n", m.unit, err)
				return
			}
			total.points += n.points
			total.apart = n.apart
			if err != nil {
				failed = err
				t.Errorf("%s, seed %d (keep it in testdata/fault-seeds): %.4000v", m.name, seed, err)
			}
		}
		for _, old := range keptSeeds(t, m.name) {
			one(old, func(points int) bool { return points >= 200 || time.Now().After(end) })
		}
		one(seed, func(int) bool { return time.Now().After(end) })
		if !skipped {
			fmt.Println(m.figures(total, failed))
		}
	}
}

// keptSeeds reads the seeds of a method that have failed once.
func keptSeeds(t *testing.T, method string) (seeds []uint64) {
	t.Helper()
	f, err := os.Open("testdata/fault-seeds")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = f.Close() }()
	for lines := bufio.NewScanner(f); lines.Scan(); {
		text, _, _ := strings.Cut(lines.Text(), "#")
		fields := strings.Fields(text)
		if len(fields) != 2 || fields[0] != method {
			continue
		}
		seed, err := strconv.ParseUint(fields[1], 10, 64)
		if err != nil {
			t.Fatalf("fault-seeds: %v", err)
		}
		seeds = append(seeds, seed)
	}
	return seeds
}

// TestFaultsInShort visits a few points of every method that needs nothing but
// memory.
func TestFaultsInShort(t *testing.T) {
	seed := newSeed(t)
	for _, m := range faultMethods() {
		points := map[string]int{"operations": 40, "fsync": 16, "flips": 40, "wal-flips": 20}[m.name]
		if points == 0 {
			continue
		}
		n, err := m.run(seed, plantedBug{}, func(visited int) bool { return visited >= points })
		if err != nil {
			t.Errorf("%s: %.4000v", m.name, err)
		}
		t.Log(m.figures(n, err))
	}
}

// inParallel calls f for every number below n, some at a time, until one gives
// an error.
func inParallel(n, at int, f func(i int) error) error {
	var next atomic.Int64
	errs := make([]error, n)
	var wg sync.WaitGroup
	for range min(n, at) {
		wg.Go(func() {
			for i := int(next.Add(1)) - 1; i < n; i = int(next.Add(1)) - 1 {
				if errs[i] = f(i); errs[i] != nil {
					next.Store(int64(n))
				}
			}
		})
	}
	wg.Wait()
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

// someStep does one of the things that a client may ask for, and tells the
// model if it was acknowledged. A request that failed is given back.
func someStep(db *DB, rng *rand.Rand, m *model, step int) (q *request, err error) {
	if job := someJob(db, rng); job != nil {
		return nil, job()
	}
	q = someRequest(rng, step)
	if err = q.send(db); err == nil {
		m.apply(q.kind, q.body)
	}
	return q, err
}
