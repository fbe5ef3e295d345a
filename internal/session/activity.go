package session

import (
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/tael-sql/tael-sql/catalog"
	"github.com/tael-sql/tael-sql/internal/expr"
)

// maxActivityBytes is how much of a statement others see, as in PostgreSQL.
const maxActivityBytes = 1024

// activities are the connections that are open.
type activities struct {
	mu   sync.Mutex
	open map[uint32]*activity
}

// An activity is what one connection does, for others to see.
type activity struct {
	mu  sync.Mutex
	now catalog.Activity
}

func (a *activities) enter(pid uint32, user string) *activity {
	out := &activity{now: catalog.Activity{PID: int64(pid), User: user, Began: expr.Micros(time.Now()), State: "idle"}}
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.open == nil {
		a.open = make(map[uint32]*activity)
	}
	a.open[pid] = out
	return out
}

func (a *activities) leave(pid uint32) {
	a.mu.Lock()
	defer a.mu.Unlock()
	delete(a.open, pid)
}

// run notes that a statement begins.
func (a *activity) run(text, application string, began any) {
	if len(text) > maxActivityBytes {
		text = strings.ToValidUTF8(text[:maxActivityBytes], "")
	}
	now := expr.Micros(time.Now())
	a.mu.Lock()
	defer a.mu.Unlock()
	a.now.State, a.now.Query, a.now.StatementAt, a.now.Change = "active", text, now, now
	if a.now.Application, a.now.Transaction = application, began; began == nil {
		a.now.Transaction = now
	}
}

// rest notes that it has ended.
func (a *activity) rest(state string) {
	now := expr.Micros(time.Now())
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.now.State, a.now.Change = state, now; state == "idle" {
		a.now.Transaction = nil
	}
}

// Activities tells what all connections do; of other users, those that are no
// admins see only that they are there.
func (s *Session) Activities() []catalog.Activity {
	list := &s.handler.activities
	list.mu.Lock()
	all := slices.Collect(maps.Values(list.open))
	list.mu.Unlock()
	out := make([]catalog.Activity, len(all))
	for i, a := range all {
		a.mu.Lock()
		out[i] = a.now
		a.mu.Unlock()
		out[i].Hidden = out[i].User != s.startup.User && !s.isAdmin()
	}
	slices.SortFunc(out, func(a, b catalog.Activity) int { return int(a.PID - b.PID) })
	return out
}

// begins and rests note what the connection itself does.
func (s *Session) begins(text string) {
	var began any
	if s.status != 0 && !s.implicit && s.began != 0 {
		began = s.began
	}
	s.activity.run(text, s.settings.get("application_name"), began)
}

func (s *Session) rests(err error) {
	switch {
	case s.status == 0 || s.implicit:
		s.activity.rest("idle")
	case s.status == 'E' || err != nil:
		s.activity.rest("idle in transaction (aborted)")
	default:
		s.activity.rest("idle in transaction")
	}
}
