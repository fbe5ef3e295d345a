// Package console is the gateway's own user interface: pages for a browser, and
// the few calls that they make. Each statement runs in a PostgreSQL session, over
// a pipe within the process, so that users, roles and limits are those of every
// other client.
package console

import (
	"context"
	"embed"
	"encoding/json"
	"errors"
	"io/fs"
	"net"
	"net/http"
	"strings"

	"github.com/jackc/pgx/v5/pgconn"
)

// assets are the pages as the browser gets them: there is no build step.
//
//go:embed assets
var assets embed.FS

// maxRequestBytes bounds a call's JSON.
const maxRequestBytes = 1 << 20

// security is what the pages may load, and who may show them.
const security = "default-src 'self'; img-src 'self' data:; frame-ancestors 'none'; form-action 'none'; base-uri 'none'"

// A Console serves the pages under /console/. Users say who they are by HTTP
// Basic, with the names and passwords of SQL.
type Console struct {
	pipe           *Pipe
	database, user string // user: of callers who give no name
	kept           kept
}

// New makes a console whose sessions are those that a server accepts from pipe.
func New(pipe *Pipe, database, user string) *Console {
	return &Console{pipe: pipe, database: database, user: user}
}

// Handler serves the console to this machine. It answers only to a loopback name
// of its own, or a page elsewhere whose name points here could ask in the
// browser's place.
func (c *Console) Handler() http.Handler {
	pages, err := fs.Sub(assets, "assets")
	if err != nil {
		panic("BUG: " + err.Error())
	}
	mux := http.NewServeMux()
	mux.Handle("GET /console/", http.StripPrefix("/console/", http.FileServerFS(pages)))
	mux.HandleFunc("POST /console/api/query", c.call(c.query))
	mux.HandleFunc("POST /console/api/fetch", c.call(c.fetch))
	mux.HandleFunc("POST /console/api/close", c.call(c.close))
	mux.HandleFunc("POST /console/api/stream", c.call(c.stream))
	guarded := http.NewCrossOriginProtection().Handler(mux)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !isLocal(r.Host) {
			http.Error(w, "the console is at localhost or 127.0.0.1, not at "+r.Host, http.StatusMisdirectedRequest)
			return
		}
		h := w.Header()
		h.Set("Content-Security-Policy", security)
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Referrer-Policy", "no-referrer")
		h.Set("Cache-Control", "no-cache")
		guarded.ServeHTTP(w, r)
	})
}

// Close ends the sessions that are kept.
func (c *Console) Close() { c.kept.closeAll() }

func isLocal(host string) bool {
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	ip := net.ParseIP(strings.Trim(host, "[]"))
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

// A request is what the pages send; each call reads what it needs of it.
type request struct {
	SQL     string `json:"sql"`
	ID      string `json:"id"`       // of a result that goes on
	MaxRows int    `json:"max_rows"` // of one page; 0: 500
}

// call decodes a request.
func (c *Console) call(serve func(w http.ResponseWriter, r *http.Request, q request)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if !strings.HasPrefix(r.Header.Get("Content-Type"), "application/json") {
			fail(w, http.StatusUnsupportedMediaType, errors.New("the content type is application/json"))
			return
		}
		var q request
		if err := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxRequestBytes)).Decode(&q); err != nil {
			fail(w, http.StatusBadRequest, err)
			return
		}
		if q.MaxRows <= 0 || q.MaxRows > maxPage {
			q.MaxRows = defaultPage
		}
		serve(w, r, q)
	}
}

// connect opens a session for who sent r.
func (c *Console) connect(ctx context.Context, r *http.Request, notice func(*pgconn.Notice)) (*pgconn.PgConn, error) {
	config, err := pgconn.ParseConfig("host=gateway port=1 sslmode=disable application_name='tael-sql console'")
	if err != nil {
		return nil, err
	}
	config.Fallbacks, config.Database, config.User, config.Password = nil, c.database, c.user, ""
	if name, password, ok := r.BasicAuth(); ok {
		config.User, config.Password = name, password
	}
	peer, err := net.ResolveTCPAddr("tcp", r.RemoteAddr)
	if err != nil {
		return nil, err
	}
	config.LookupFunc = func(_ context.Context, host string) ([]string, error) { return []string{host}, nil }
	config.DialFunc = func(ctx context.Context, _, _ string) (net.Conn, error) { return c.pipe.dial(ctx, peer) }
	config.OnNotice = func(_ *pgconn.PgConn, n *pgconn.Notice) { notice(n) }
	return pgconn.ConnectConfig(ctx, config)
}

// A problem is an error as the pages get it.
type problem struct {
	Code     string `json:"code,omitempty"` // SQLSTATE
	Message  string `json:"message"`
	Detail   string `json:"detail,omitempty"`
	Hint     string `json:"hint,omitempty"`
	Position int32  `json:"position,omitempty"` // in characters from 1
}

func problemOf(err error) problem {
	if pg := (*pgconn.PgError)(nil); errors.As(err, &pg) {
		return problem{pg.Code, pg.Message, pg.Detail, pg.Hint, pg.Position}
	}
	return problem{Message: err.Error()}
}

// fail answers an error; SQL's own are Bad Request, unless the caller has to say
// who it is, or come again.
func fail(w http.ResponseWriter, status int, err error) {
	p := problemOf(err)
	switch {
	case strings.HasPrefix(p.Code, "28"):
		status = http.StatusUnauthorized
		w.Header().Set("WWW-Authenticate", `Basic realm="tael-sql", charset="UTF-8"`)
	case p.Code == "53300" || p.Code == "57P03":
		status = http.StatusServiceUnavailable
	}
	send(w, status, map[string]problem{"error": p})
}

func send(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(v) // the client has gone
}
