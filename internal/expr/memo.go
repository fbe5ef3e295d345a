package expr

import "sync"

// A Memo keeps what a statement computes once and asks for again, such as the
// rows of a catalog that a sub-query reads for every row. Values are shared
// and must not be changed. The nil Memo keeps nothing.
type Memo struct {
	mu     sync.Mutex // guards values
	values map[any]any
}

// Get gives the value of a key, which compute makes the first time.
func (m *Memo) Get(key any, compute func() any) any {
	if m == nil {
		return compute()
	}
	m.mu.Lock()
	v, ok := m.values[key]
	m.mu.Unlock()
	if ok {
		return v
	}
	v = compute() // twice at worst
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.values == nil {
		m.values = make(map[any]any)
	}
	m.values[key] = v
	return v
}
