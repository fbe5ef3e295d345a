package wal

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tael-sql/tael-sql/wal/record"
)

// A trial is a log that lives through crashes, and what its client knows.
//
// After each start: every acknowledged record is there; no record has another
// content than the last one appended under its LSN; and what was seen once, or
// was seen to be missing, stays so.
type trial struct {
	rng    *rand.Rand // the client's
	fate   *rand.Rand // the disk's; guarded by its mutex
	disk   *disk
	faults faults
	torn   bool // every life ends while a group is written

	mu      sync.Mutex
	tags    map[uint64]uint64 // LSN → tag of the content
	lastTag uint64
	acked   uint64 // everything up to here was acknowledged or seen
	applied uint64 // the client needs nothing up to here any more
	crashed *disk  // what the power cut left
	crashes int
}

const crashSegment = 8 * pageBytes

// run lives through n starts. It returns what is wrong, or nil.
func (c *trial) run(n int) error {
	for i := range n {
		if err := c.life(); err != nil {
			return fmt.Errorf("life %d: %w", i, err)
		}
		if c.crashed != nil {
			c.disk, c.crashed = c.crashed, nil
			c.crashes++
		}
		c.disk.before = nil
	}
	return nil
}

// life is one start of the process and its end.
func (c *trial) life() error {
	if !c.torn {
		c.arm()
	}
	l, err := Open(c.disk, "wal", Options{SegmentBytes: crashSegment, faults: c.faults})
	if err == nil {
		defer func() { _ = l.Close() }()
		err = c.verify(l)
	} else if errors.Is(err, syscall.EIO) {
		c.disk.mu.Lock()
		c.cut() // see Log.overwrite
		c.disk.mu.Unlock()
	}
	switch {
	case c.over(err):
		return nil
	case err != nil:
		return err
	}
	if c.torn {
		if err = c.tear(l); c.over(err) {
			return nil
		}
		return err
	}
	aligned := c.rng.IntN(2) == 0 // records that begin with a page
	for range c.rng.IntN(20) {
		if err := c.step(l, aligned); c.over(err) {
			return nil
		} else if err != nil {
			return err
		}
	}
	if c.rng.IntN(3) > 0 { // a kill, or a power cut while nothing is written
		c.disk.mu.Lock()
		if !c.disk.dead && c.rng.IntN(3) > 0 {
			c.cut()
		}
		c.disk.dead = true
		c.disk.mu.Unlock()
	}
	_ = l.Close()
	c.disk.mu.Lock()
	c.disk.dead = false // a killed process leaves the cache
	c.disk.mu.Unlock()
	return nil
}

// over says whether err is how this life was to end.
func (c *trial) over(err error) bool {
	return errors.Is(err, errPower) || errors.Is(err, syscall.EIO)
}

// arm plans a power cut, or a failing fsync, some operations ahead.
func (c *trial) arm() {
	left, failing := 1+c.rng.IntN(60), c.rng.IntN(8) == 0
	c.disk.before = func(op, _ string) error {
		left--
		switch {
		case left > 0:
		case !failing && left == 0:
			c.cut()
		case failing && op == "sync":
			failing = false
			left = 1 + c.fate.IntN(6) // then the power is cut, or before
			return syscall.EIO
		}
		return nil
	}
}

// cut takes the power away. The disk's mutex is held.
func (c *trial) cut() {
	c.crashed = c.disk.crash(c.fate)
	c.disk.dead = true
}

// tear writes a group of records that begin with a page each, and takes the
// power away before it is synced.
func (c *trial) tear(l *Log) error {
	if c.rng.IntN(2) == 0 {
		wait, err := c.append(l, c.size(l, true))
		if err == nil {
			err = wait()
		}
		if err != nil {
			return err
		}
	}
	synctest.Wait()
	c.disk.mu.Lock()
	c.disk.before = func(op, _ string) error {
		if op == "sync" && !c.disk.dead {
			c.cut()
		}
		return nil
	}
	c.disk.mu.Unlock()
	for range 2 + c.rng.IntN(3) {
		if _, err := c.append(l, c.size(l, true)); err != nil {
			return err
		}
	}
	synctest.Wait()
	return nil
}

func (c *trial) step(l *Log, aligned bool) error {
	switch c.rng.IntN(10) {
	case 0:
		time.Sleep(2 * watermarkDelay) // virtual
	case 1:
		c.mu.Lock()
		c.applied += c.rng.Uint64N(c.acked - c.applied + 1)
		applied := c.applied
		c.mu.Unlock()
		if err := l.Recycle(applied + 1); err != nil {
			return err
		}
		synctest.Wait()
	default:
		var waits []func() error
		for range 1 + c.rng.IntN(4) {
			wait, err := c.append(l, c.size(l, aligned))
			if err != nil {
				return err
			}
			waits = append(waits, wait)
		}
		for _, wait := range waits {
			if err := wait(); err != nil {
				return err
			}
		}
	}
	return nil
}

// size chooses a payload's size.
func (c *trial) size(l *Log, aligned bool) int {
	if aligned {
		l.mu.Lock()
		off := int(crashSegment - l.room + l.queued)
		l.mu.Unlock()
		if rest := pageBytes - off%pageBytes; rest > 128 {
			return rest - record.HeaderBytes
		}
		return pageBytes - record.HeaderBytes
	}
	return 8 + [...]int{0, 0, 55, 500, 3000, 4200, 9000}[c.rng.IntN(7)]
}

// append appends a record with new content. wait returns when it is
// acknowledged.
func (c *trial) append(l *Log, n int) (wait func() error, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.lastTag++
	lsn, p, err := l.Append(record.Header{Type: record.Traces, Codec: record.Protobuf}, tagged(c.lastTag, n))
	if err != nil {
		return nil, err
	}
	c.tags[lsn] = c.lastTag
	return func() error {
		err := p.Wait(context.Background())
		c.disk.mu.Lock() // an answer after the power cut reaches nobody
		defer c.disk.mu.Unlock()
		if c.disk.dead {
			return errPower
		}
		if err == nil {
			c.mu.Lock()
			c.acked = max(c.acked, lsn)
			c.mu.Unlock()
		}
		return err
	}, nil
}

func tagged(tag uint64, n int) []byte {
	b := bytes.Repeat(binary.LittleEndian.AppendUint64(nil, tag), (n+7)/8)
	return b[:n]
}

// verify compares the log with what its client knows.
func (c *trial) verify(l *Log) error {
	if l.LastLSN() < c.acked {
		return fmt.Errorf("the log ends at %d, but %d was acknowledged", l.LastLSN(), c.acked)
	}
	seen := c.applied
	err := l.Replay(c.applied+1, func(h record.Header, b []byte) error {
		seen++
		if h.LSN != seen {
			return fmt.Errorf("LSN %d, want %d", h.LSN, seen)
		}
		if want, ok := c.tags[h.LSN]; !ok || !bytes.Equal(b, tagged(want, len(b))) {
			return fmt.Errorf("LSN %d has the content of tag %d, want %d",
				h.LSN, binary.LittleEndian.Uint64(b), want)
		}
		return nil
	})
	if err != nil {
		return err
	}
	if seen != l.LastLSN() || seen != l.DurableLSN() {
		return fmt.Errorf("replay ends at %d, the log at %d, durable is %d", seen, l.LastLSN(), l.DurableLSN())
	}
	for lsn := range c.tags {
		if lsn > seen {
			delete(c.tags, lsn)
		}
	}
	c.acked = seen
	return nil
}

// runTrials runs trials of 12 lives with seeds from first on. It returns the
// first failure.
func runTrials(t *testing.T, first uint64, n int, f faults) (seed uint64, crashes int, failed error) {
	for seed = first; seed < first+uint64(n); seed++ {
		synctest.Test(t, func(*testing.T) {
			c := &trial{rng: rand.New(rand.NewPCG(seed, 0)), fate: rand.New(rand.NewPCG(seed, 1)), disk: newDisk(), faults: f, tags: map[uint64]uint64{}, torn: seed%2 == 0}
			failed = c.run(12)
			crashes += c.crashes
		})
		if failed != nil {
			break
		}
	}
	return seed, crashes, failed
}

var faultSeconds = flag.Int("fault-seconds", 0, "how long TestCrashes goes on; 0: a short form")

func TestCrashes(t *testing.T) {
	const n = 50
	first, last, crashes := uint64(rand.Uint32()), uint64(0), 0
	end := time.Now().Add(time.Duration(*faultSeconds) * time.Second)
	for last = first; last == first || time.Now().Before(end); last += n {
		seed, visited, err := runTrials(t, last, n, faults{})
		crashes += visited
		if err != nil {
			t.Fatalf("seed %d, after %d crashes: %v", seed, crashes, err)
		}
	}
	t.Logf("seeds from %d to %d: %d crashes", first, last, crashes)
	if crashes < n {
		t.Fatalf("only %d crashes in %d trials", crashes, last-first)
	}
	if *faultSeconds > 0 {
		fmt.Printf("%-24s %8d  lost 0  doubled 0  changed 0\n", "crashes of the log", crashes)
	}
}

// The harness must see planted bugs.
func TestPlantedBugs(t *testing.T) {
	for name, f := range map[string]faults{
		"acknowledge before sync":                     {ackBeforeSync: true},
		"checksums without the number of the segment": {noSalt: true},
		"naive torn tail: what is behind it stays":    {noCut: true},
		"torn tail cut, not synced":                   {noCutSync: true},
		"folder not synced":                           {noDirSync: true},
		"failed fsync tried again":                    {retrySync: true},
		"what a start reads is not written again":     {trustCache: true},
	} {
		t.Run(name, func(t *testing.T) {
			seed, crashes, err := runTrials(t, 1, 2000, f)
			if err == nil {
				t.Fatalf("not seen in %d crashes", crashes)
			}
			t.Logf("seen by seed %d after %d crashes: %v", seed, crashes, err)
			if *faultSeconds > 0 {
				fmt.Printf("%-44s → crashes of the log, after %d\n", name, crashes)
			}
		})
	}
}
