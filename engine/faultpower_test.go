package engine

import (
	"bufio"
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
	"unsafe"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/tael-sql/tael-sql/wal/record"
)

// bg is the context of what nobody stops.
var bg = context.Background()

// childVariable makes this test binary the process that loses its disk, or that
// looks at it afterwards: it holds "write" or "verify", the data folder, the
// seed, and the letter of the first writer. With "method" it holds a method, a
// seed, and how many milliseconds it runs.
const childVariable = "TAEL_FAULT_CHILD"

func TestMain(m *testing.M) {
	if job := os.Getenv(childVariable); job != "" {
		if err := child(job); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	os.Exit(m.Run())
}

const powerWriters = 3

// A letterWriter makes the same requests wherever it is asked.
type letterWriter struct {
	tag  string
	rng  *rand.Rand
	step int
}

func newLetterWriter(seed uint64, letter int) *letterWriter {
	return &letterWriter{tag: string(rune('a' + letter)), rng: rand.New(rand.NewPCG(seed, uint64(letter)))}
}

func (w *letterWriter) next() *request {
	w.step++
	if w.rng.IntN(4) == 0 {
		return &request{kind: record.WriteSet, body: randomWriteSet(w.rng, w.tag, w.step)}
	}
	kind := record.Traces
	if w.rng.IntN(3) == 0 {
		kind = record.Logs
	}
	return &request{kind: kind, body: randomBody(w.rng, kind, w.tag, w.step)}
}

func powerOptions() Options {
	o := testOptions(vfs.Default)
	o.MaxMemtableRows = 60
	o.WAL.SegmentBytes = 16 << 10
	return o
}

func child(job string) error {
	fields := strings.Split(job, " ")
	seed, err := strconv.ParseUint(fields[2], 10, 64)
	if err != nil {
		return err
	}
	first, err := strconv.Atoi(fields[3])
	if err != nil {
		return err
	}
	switch fields[0] {
	case "write":
		return childWrites(fields[1], seed, first)
	case "method":
		return childRuns(fields[1], seed, time.Duration(first)*time.Millisecond)
	}
	return childVerifies(fields[1], seed, first)
}

// childWrites writes until the disk is gone, and says of every acknowledged
// request whose it was.
func childWrites(dir string, seed uint64, first int) error {
	db, err := Open(dir, powerOptions())
	if err != nil {
		return err
	}
	var wg sync.WaitGroup
	var mu sync.Mutex
	for w := range powerWriters {
		wg.Go(func() {
			writer := newLetterWriter(seed, first+w)
			for {
				if writer.next().send(db) != nil {
					return
				}
				mu.Lock()
				_, err := os.Stdout.WriteString(writer.tag + "\n")
				mu.Unlock()
				if err != nil {
					return
				}
			}
		})
	}
	rng := rand.New(rand.NewPCG(seed, uint64(first)+100))
	for db.Checkpoint(bg) == nil {
		if rng.IntN(3) == 0 {
			if _, err := db.Compact(bg, math.MaxInt64); err != nil {
				break
			}
		}
	}
	wg.Wait()
	select {} // until it is killed: a process that lost its power closes nothing
}

// A mount is a file system of its own.
type mount struct{ kind, image, dir string }

func command(name string, args ...string) error {
	out, err := exec.Command(name, args...).CombinedOutput()
	if err != nil {
		return fmt.Errorf("%s %s: %w: %.300s", name, strings.Join(args, " "), err, out)
	}
	return nil
}

// newMount makes a file system in a file; an error means that this machine
// does not let us.
func newMount(root, kind string) (*mount, error) {
	m := &mount{kind: kind, image: filepath.Join(root, kind+".image"), dir: filepath.Join(root, kind)}
	size, args := int64(48<<20), []string{"-q", "-F", m.image}
	if kind == "xfs" { // the least that mkfs.xfs takes
		size, args = 320<<20, []string{"-q", "-f", m.image}
	}
	f, err := os.Create(m.image)
	if err == nil {
		err = errors.Join(f.Truncate(size), f.Close(), os.Mkdir(m.dir, 0o755))
	}
	if err == nil {
		err = command("mkfs."+kind, args...)
	}
	if err == nil {
		err = m.attach()
	}
	return m, err
}

func (m *mount) attach() error { return command("mount", "-o", "loop", m.image, m.dir) }
func (m *mount) detach() error { return command("umount", m.dir) }

// cut takes the power from the file system: FS_IOC_SHUTDOWN without a flush of
// the log.
func (m *mount) cut() error {
	f, err := os.Open(m.dir)
	if err != nil {
		return err
	}
	defer func() { _ = f.Close() }()
	arg := uint32(2)
	if _, _, no := syscall.Syscall(syscall.SYS_IOCTL, f.Fd(), 0x8004587d, uintptr(unsafe.Pointer(&arg))); no != 0 {
		return fmt.Errorf("shut %s down: %w", m.kind, no)
	}
	return nil
}

// cutPower cuts the power under a process that writes, which tells outside what
// was acknowledged.
func cutPower(seed uint64, _ plantedBug, stop func(int) bool) (n tally, err error) {
	if os.Geteuid() != 0 {
		return n, fmt.Errorf("%w: not root", errSkipped)
	}
	root, err := os.MkdirTemp("", "tael-power")
	if err != nil {
		return n, err
	}
	defer func() { err = cmp.Or(err, os.RemoveAll(root)) }()
	var mounts []*mount
	cuts := make(map[string]int)
	for _, kind := range []string{"xfs", "ext4"} {
		m, err := newMount(root, kind)
		if err != nil {
			n.apart += fmt.Sprintf("no %s: %v; ", kind, err)
			continue
		}
		defer func() { err = cmp.Or(err, m.detach()) }()
		mounts = append(mounts, m)
	}
	if len(mounts) == 0 {
		return n, fmt.Errorf("%w: %s", errSkipped, n.apart)
	}
	note := n.apart
	for number := uint64(0); !stop(n.points); number++ {
		m := mounts[number%uint64(len(mounts))]
		lives, err := powerLives(rand.New(rand.NewPCG(seed, number)), m, func(lives int) bool { return stop(n.points + lives) })
		n.points += lives
		cuts[m.kind] += lives
		n.apart = note
		for _, m := range mounts {
			n.apart += fmt.Sprintf("%d of %s ", cuts[m.kind], m.kind)
		}
		n.apart = strings.TrimSpace(n.apart)
		if err != nil {
			return n, fmt.Errorf("%s, folder %d: %w", m.kind, number, err)
		}
	}
	return n, nil
}

// powerLives cuts the power some times under one folder.
func powerLives(rng *rand.Rand, m *mount, stop func(int) bool) (lives int, err error) {
	dir := filepath.Join(m.dir, "db")
	defer func() { err = cmp.Or(err, os.RemoveAll(dir)) }()
	seed := rng.Uint64()
	acked := make(map[string]int) // by writer
	for lives < 6 && !stop(lives) {
		first := lives * powerWriters
		lives++
		if err := m.life(dir, seed, first, 1+rng.IntN(120), acked); err != nil {
			return lives, err
		}
		if err := verifyPower(dir, seed, first, acked); err != nil {
			return lives, fmt.Errorf("life %d: %w", lives, err)
		}
	}
	return lives, nil
}

// life runs the child until so many requests are acknowledged, cuts the power,
// and mounts what is left. It counts the acknowledged requests by writer.
func (m *mount) life(dir string, seed uint64, first, want int, acked map[string]int) error {
	var stderr strings.Builder
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), fmt.Sprintf("%s=write %s %d %d", childVariable, dir, seed, first))
	cmd.Stderr = &stderr
	out, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		return err
	}
	n := 0
	lines := bufio.NewScanner(out)
	for n < want && lines.Scan() {
		acked[lines.Text()]++
		n++
	}
	if n < want {
		return fmt.Errorf("the writing process ended: %w: %s", cmd.Wait(), stderr.String())
	}
	err = errors.Join(m.cut(), cmd.Process.Kill())
	for lines.Scan() { // synced before the cut, told after it
		acked[lines.Text()]++
	}
	_ = cmd.Wait() // it was killed: that is its error
	if err = errors.Join(err, m.detach()); err != nil {
		return err
	}
	return m.attach()
}

// verifyPower lets another process look at the folder, so that nothing in it
// stays open here.
func verifyPower(dir string, seed uint64, first int, acked map[string]int) error {
	in, err := json.Marshal(acked)
	if err != nil {
		return err
	}
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), fmt.Sprintf("%s=verify %s %d %d", childVariable, dir, seed, first))
	var stderr strings.Builder
	cmd.Stdin, cmd.Stderr = bytes.NewReader(in), &stderr
	out, err := cmd.Output()
	var r childReport
	if err == nil {
		err = json.Unmarshal(out, &r)
	}
	if err != nil {
		return fmt.Errorf("%w: %s", err, stderr.String())
	}
	for _, tag := range r.More { // the disk had it: now it stays
		acked[tag]++
	}
	return r.problem()
}

func childVerifies(dir string, seed uint64, first int) error {
	var acked map[string]int
	if err := json.NewDecoder(os.Stdin).Decode(&acked); err != nil {
		return err
	}
	var r childReport
	return r.print(openAfterPower(dir, seed, first, acked, &r))
}

// openAfterPower compares the folder with what the lives until now had
// acknowledged; of the last one each writer may have had one request more.
func openAfterPower(dir string, seed uint64, first int, acked map[string]int, r *childReport) error {
	db, err := Open(dir, powerOptions())
	if err != nil {
		return fmt.Errorf("open: %w", err)
	}
	states, also := make(map[string]*model), make(map[string]*model)
	for letter := range first + powerWriters {
		writer, m := newLetterWriter(seed, letter), &model{keyed: map[string]string{}}
		for range acked[writer.tag] {
			q := writer.next()
			m.apply(q.kind, q.body)
		}
		states[writer.tag] = m
		if letter >= first {
			also[writer.tag] = m.clone()
			q := writer.next()
			also[writer.tag].apply(q.kind, q.body)
		}
	}
	v := db.View()
	r.More, err = comparePower(v, states, also)
	v.Release()
	if err = errors.Join(err, db.shutdown(seed%2 == 0)); err != nil {
		return err
	}
	report, err := Check(vfs.Default, dir, testTables)
	if err == nil && len(report.Problems) > 0 {
		err = fmt.Errorf("check: %q", report.Problems)
	}
	return err
}

// comparePower gives the writers that have what is in also.
func comparePower(v *View, states, also map[string]*model) (more []string, err error) {
	whole, none := make(map[string]bool), make(map[string]bool)
	for _, table := range []string{"spans", "logs", "keyed"} {
		all, err := keyedText(v, nil, nil)
		if table != "keyed" {
			all, _, err = scanText(v, ScanRequest{Table: table}, false)
		}
		if err != nil {
			return nil, err
		}
		for tag, m := range states {
			got := rowsOf(all, table, tag)
			want := m.rows(table, nil)
			may := want
			if also[tag] != nil {
				may = also[tag].rows(table, nil)
			}
			before, after := slices.Equal(got, want), slices.Equal(got, may)
			if !before && !after {
				return nil, newMismatch(table+" of writer "+tag, got, want, may)
			}
			none[tag], whole[tag] = none[tag] || !after, whole[tag] || !before
		}
	}
	for tag := range also {
		switch {
		case none[tag] && whole[tag]:
			return nil, &mismatch{what: "writer " + tag, changed: 1, rows: "a part of a request is there"}
		case whole[tag]:
			more = append(more, tag)
		}
	}
	return more, nil
}

// rowsOf gives the rows of one writer.
func rowsOf(all []string, table, tag string) []string {
	return slices.DeleteFunc(slices.Clone(all), func(row string) bool {
		if table == "logs" {
			return !strings.Contains(row, " "+tag)
		}
		return !strings.HasPrefix(row, tag)
	})
}
