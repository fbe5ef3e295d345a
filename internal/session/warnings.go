package session

import (
	"slices"
	"sync"

	"github.com/tael-sql/tael-sql/internal/pgerr"
)

// warnings are what the goroutines of a statement have to tell the client,
// until the one that serves it does.
type warnings struct {
	mu   sync.Mutex
	list []warning
}

type warning struct {
	code pgerr.Code
	text string
}

// add enters a warning, once for each text.
func (w *warnings) add(code pgerr.Code, text string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if one := (warning{code, text}); !slices.Contains(w.list, one) {
		w.list = append(w.list, one)
	}
}

// take gives what is there, and forgets it.
func (w *warnings) take() []warning {
	w.mu.Lock()
	defer w.mu.Unlock()
	list := w.list
	w.list = nil
	return list
}
