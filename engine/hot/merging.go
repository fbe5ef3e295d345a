package hot

import (
	"errors"
	"fmt"
	"log/slog"
	"sync"

	"github.com/cockroachdb/pebble/v2"
)

// A merging is what Pebble does in the background to its tables. Damage that it
// meets there takes down nothing: the merging ends until the next start, because
// Pebble would meet it again at once and for ever, and reads go on. Only when so
// many tables wait to be merged that Pebble takes no more writes does the store
// fail.
type merging struct {
	pebble.CompactionScheduler
	log  *slog.Logger
	fail func(error)

	mu      sync.Mutex
	halted  error // the damage
	stalled bool  // Pebble waits for merging before it takes more writes
}

func newMerging(log *slog.Logger, fail func(error)) *merging {
	return &merging{
		// What is granted when nothing else happens is for limits that change,
		// ours is always one.
		CompactionScheduler: pebble.NewConcurrencyLimitSchedulerWithNoPeriodicGrantingForTest(),
		log:                 log, fail: fail,
	}
}

// Register replaces the scheduler's.
func (m *merging) Register(goroutines int, db pebble.DBForCompaction) {
	m.CompactionScheduler.Register(goroutines, limited{db, m})
}

// limited is a store of which nothing is merged any more after damage.
type limited struct {
	pebble.DBForCompaction
	merging *merging
}

// GetAllowedWithoutPermission replaces the store's.
func (l limited) GetAllowedWithoutPermission() int {
	if l.merging.damage() != nil {
		return 0
	}
	return l.DBForCompaction.GetAllowedWithoutPermission()
}

func (m *merging) damage() error {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.halted
}

// listen adds to what is done at Pebble's events.
func (m *merging) listen(l *pebble.EventListener) {
	l.BackgroundError = func(err error) {
		if pebble.IsCorruptionError(err) {
			m.halt(err)
		} else {
			m.fail(err)
		}
	}
	l.FlushEnd = func(info pebble.FlushInfo) {
		if pebble.IsCorruptionError(info.Err) { // a flush has to succeed, it would be tried for ever
			m.fail(info.Err)
		}
	}
	l.WriteStallBegin = func(info pebble.WriteStallBeginInfo) { m.stall(info.Reason == "L0 file count limit exceeded") }
	l.WriteStallEnd = func() { m.stall(false) }
}

func (m *merging) halt(damage error) {
	m.mu.Lock()
	first := m.halted == nil
	m.halted = errors.Join(m.halted, damage)
	m.mu.Unlock()
	if first {
		m.log.Error("tables of the hot store are no longer merged, one of them is damaged: run tael-sql check", "error", damage)
	}
	m.failIfStuck()
}

func (m *merging) stall(stalled bool) {
	m.mu.Lock()
	m.stalled = stalled
	m.mu.Unlock()
	m.failIfStuck()
}

func (m *merging) failIfStuck() {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.halted != nil && m.stalled {
		m.fail(fmt.Errorf("too many tables wait to be merged, which damage prevents: %w", m.halted))
	}
}
