package console

import (
	"encoding/json"
	"net/http"

	"github.com/jackc/pgx/v5/pgconn"
)

// stream sends the rows of a statement as they come, until it ends or the page
// does not listen any more: lines of JSON, first {"columns": …}, then {"row": …}
// each, and {"error": …} if it fails.
func (c *Console) stream(w http.ResponseWriter, r *http.Request, q request) {
	conn, err := c.connect(r.Context(), r, func(*pgconn.Notice) {})
	if err != nil {
		fail(w, http.StatusBadRequest, err)
		return
	}
	s := &result{conn: conn}
	defer s.close()
	w.Header().Set("Content-Type", "application/x-ndjson")
	out, flush := json.NewEncoder(w), http.NewResponseController(w)
	say := func(v any) bool { return out.Encode(v) == nil && flush.Flush() == nil }
	all := conn.Exec(r.Context(), q.SQL)
	for all.NextResult() {
		one := all.ResultReader()
		if !say(map[string]any{"columns": columns(one.FieldDescriptions())}) {
			return
		}
		for one.NextRow() {
			if !say(map[string]any{"row": texts(one.Values())}) {
				return
			}
		}
	}
	if err := all.Close(); err != nil {
		say(map[string]any{"error": problemOf(err)})
	}
}
