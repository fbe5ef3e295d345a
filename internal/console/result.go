package console

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgtype"
)

const (
	defaultPage = 500
	maxPage     = 10_000

	// keepFor is how long a result waits for its next page to be asked for; it
	// holds a connection and the state of its statement meanwhile.
	keepFor = 2 * time.Minute
	maxKept = 8
)

// A column of a result. Kind is how the pages show it: number, time, boolean,
// json or text.
type column struct {
	Name string `json:"name"`
	Kind string `json:"kind"`
}

// A page is a part of a result.
type page struct {
	Columns []column    `json:"columns"`
	Rows    [][]*string `json:"rows"`
	Tag     string      `json:"tag,omitempty"`
	More    string      `json:"more,omitempty"` // id to fetch the next page by
	Cut     bool        `json:"cut,omitempty"`  // there were more rows, which cannot be fetched
	Notices []problem   `json:"notices,omitempty"`
}

// A result is a session with a statement whose rows have not all been fetched. It
// has one user at a time: who took it from kept.
type result struct {
	conn    *pgconn.PgConn
	expire  *time.Timer
	notices []problem
}

// query runs statements. Rows of a lone query come by pages; of several
// statements, the last one's rows.
func (c *Console) query(w http.ResponseWriter, r *http.Request, q request) {
	s := &result{}
	var err error
	s.conn, err = c.connect(r.Context(), r, s.notice)
	if err != nil {
		fail(w, http.StatusBadRequest, err)
		return
	}
	var p *page
	open := returnsRows(q.SQL) && s.declare(r.Context(), q.SQL)
	if open {
		p, err = s.fetch(r.Context(), q.MaxRows)
	} else {
		p, err = s.run(r.Context(), q.SQL, q.MaxRows)
	}
	c.answer(w, s, p, err, open, q.MaxRows)
}

// fetch gives the next page of a result.
func (c *Console) fetch(w http.ResponseWriter, r *http.Request, q request) {
	s := c.kept.take(q.ID)
	if s == nil {
		fail(w, http.StatusNotFound, errors.New("the result is no longer there: run the statement again"))
		return
	}
	p, err := s.fetch(r.Context(), q.MaxRows)
	c.answer(w, s, p, err, true, q.MaxRows)
}

// close gives up the rest of a result.
func (c *Console) close(w http.ResponseWriter, _ *http.Request, q request) {
	if s := c.kept.take(q.ID); s != nil {
		s.close()
	}
	w.WriteHeader(http.StatusNoContent)
}

// answer sends a page, and keeps a result that has more.
func (c *Console) answer(w http.ResponseWriter, s *result, p *page, err error, open bool, most int) {
	if err == nil && open && len(p.Rows) < most {
		_, err = s.conn.Exec(context.Background(), "COMMIT").ReadAll()
	}
	if err != nil {
		s.close()
		fail(w, http.StatusBadRequest, err)
		return
	}
	p.Notices, s.notices = s.notices, nil
	if open && len(p.Rows) == most {
		p.More = c.kept.put(s)
	} else {
		s.close()
	}
	send(w, http.StatusOK, p)
}

// returnsRows reports whether a text may be a query that a cursor can hold.
func returnsRows(sql string) bool {
	word := strings.ToLower(strings.TrimLeft(sql, " \t\r\n("))
	for _, w := range []string{"select", "with", "values", "table"} {
		if strings.HasPrefix(word, w) {
			return true
		}
	}
	return false
}

// declare opens a cursor. Where that is not possible, for a mistake or because
// the text is more than a query, it has no effect.
func (s *result) declare(ctx context.Context, sql string) bool {
	sql = strings.TrimRight(sql, " \t\r\n;")
	if _, err := s.conn.Exec(ctx, "BEGIN").ReadAll(); err != nil {
		return false
	}
	if _, err := s.conn.ExecParams(ctx, "DECLARE console NO SCROLL CURSOR FOR "+sql, nil, nil, nil, nil).Close(); err != nil {
		_, _ = s.conn.Exec(ctx, "ROLLBACK").ReadAll() // what fails next says why
		return false
	}
	return true
}

func (s *result) fetch(ctx context.Context, most int) (*page, error) {
	p, err := s.run(ctx, fmt.Sprintf("FETCH %d FROM console", most), most)
	p.Tag = "" // what the user wrote is no FETCH
	return p, err
}

// run gives the last result of statements.
func (s *result) run(ctx context.Context, sql string, most int) (*page, error) {
	p := &page{Columns: []column{}, Rows: [][]*string{}}
	all := s.conn.Exec(ctx, sql)
	for all.NextResult() {
		one := all.ResultReader()
		p.Columns, p.Rows, p.Cut = columns(one.FieldDescriptions()), [][]*string{}, false
		for one.NextRow() {
			if len(p.Rows) == most {
				p.Cut = true
				continue
			}
			p.Rows = append(p.Rows, texts(one.Values()))
		}
		tag, err := one.Close()
		if err != nil {
			break // all says it again
		}
		p.Tag = tag.String()
	}
	return p, all.Close()
}

func (s *result) notice(n *pgconn.Notice) {
	s.notices = append(s.notices, problemOf((*pgconn.PgError)(n)))
}

func (s *result) close() {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	_ = s.conn.Close(ctx) // it is not used again
}

func columns(fields []pgconn.FieldDescription) []column {
	out := make([]column, len(fields))
	for i, f := range fields {
		out[i] = column{f.Name, kindOf(f.DataTypeOID)}
	}
	return out
}

func kindOf(oid uint32) string {
	switch oid {
	case pgtype.Int2OID, pgtype.Int4OID, pgtype.Int8OID, pgtype.Float4OID, pgtype.Float8OID, pgtype.NumericOID:
		return "number"
	case pgtype.TimestamptzOID, pgtype.TimestampOID, pgtype.DateOID:
		return "time"
	case pgtype.BoolOID:
		return "boolean"
	case pgtype.JSONOID, pgtype.JSONBOID:
		return "json"
	default:
		return "text"
	}
}

// texts copies a row; NULL is nil.
func texts(values [][]byte) []*string {
	row := make([]*string, len(values))
	for i, v := range values {
		if v != nil {
			text := string(v)
			row[i] = &text
		}
	}
	return row
}

// kept has the results that wait for their next page, by ids that nobody guesses.
type kept struct {
	mu      sync.Mutex
	results map[string]*result
	order   []string // oldest first; some are gone
}

// put keeps a result, in the place of the oldest if there are too many.
func (k *kept) put(s *result) (id string) {
	id = rand.Text()
	k.mu.Lock()
	if k.results == nil {
		k.results = make(map[string]*result)
	}
	k.results[id], k.order = s, append(k.order, id)
	var oldest *result
	for len(k.order) > maxKept {
		if s, ok := k.results[k.order[0]]; ok {
			oldest = s
			delete(k.results, k.order[0])
		}
		k.order = k.order[1:]
	}
	s.expire = time.AfterFunc(keepFor, func() {
		if s := k.take(id); s != nil {
			s.close()
		}
	})
	k.mu.Unlock()
	if oldest != nil {
		oldest.expire.Stop()
		oldest.close()
	}
	return id
}

// take gives a result to its only user; nil if it is not kept.
func (k *kept) take(id string) *result {
	k.mu.Lock()
	defer k.mu.Unlock()
	s := k.results[id]
	if s != nil {
		s.expire.Stop()
		delete(k.results, id)
	}
	return s
}

func (k *kept) closeAll() {
	k.mu.Lock()
	list := k.results
	k.results, k.order = nil, nil
	k.mu.Unlock()
	for _, s := range list {
		s.expire.Stop()
		s.close()
	}
}
