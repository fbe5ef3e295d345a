package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// consoleCall posts to the console; header has pairs.
func consoleCall(t *testing.T, g *gateway, name, body string, header ...string) (int, string) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://"+g.endpoints.Admin+"/console/api/"+name, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/json")
	for i := 0; i < len(header); i += 2 {
		if header[i] == "Host" {
			r.Host = header[i+1]
		}
		r.Header.Set(header[i], header[i+1])
	}
	w, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer w.Body.Close()
	raw, err := io.ReadAll(w.Body)
	if err != nil {
		t.Fatal(err)
	}
	return w.StatusCode, strings.TrimSpace(string(raw))
}

// What the console's pages ask, and what they are answered.
func TestConsole(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "data")
	g := testGateway(t, dir)
	defer func() { stopGateway(t, g, dir) }()
	for _, c := range []struct {
		sql, want string
		status    int
	}{
		{
			"SELECT 1 AS n, 'x' AS t, NULL AS nothing, true AS b, now() - now() + timestamptz '2026-01-05 10:00:00Z' AS at",
			`{"columns":[{"name":"n","kind":"number"},{"name":"t","kind":"text"},{"name":"nothing","kind":"text"},{"name":"b","kind":"boolean"},{"name":"at","kind":"time"}],"rows":[["1","x",null,"t","2026-01-05 10:00:00+00"]]}`, 200,
		},
		{"INSERT INTO comments (trace_id, body) VALUES (repeat('a', 32), 'it''s') RETURNING body", `{"columns":[{"name":"body","kind":"text"}],"rows":[["it's"]],"tag":"INSERT 0 1"}`, 200},
		{"SELECT 1; SELECT body FROM comments;", `{"columns":[{"name":"body","kind":"text"}],"rows":[["it's"]],"tag":"SELECT 1"}`, 200},
		{"WITH w AS (SELECT 2 AS n) SELECT n FROM w; ", `{"columns":[{"name":"n","kind":"number"}],"rows":[["2"]]}`, 200},
		{"UPDATE comments SET body = 'changed'", `{"columns":[],"rows":[],"tag":"UPDATE 1"}`, 200},
		{"SELECT nothing FROM spans", `{"error":{"code":"42703","message":"column \"nothing\" does not exist","position":8}}`, 400},
		{"SELECT 1/0", `{"error":{"code":"22012","message":"division by zero"}}`, 400},
		{"", `{"columns":[],"rows":[]}`, 200},
	} {
		body, err := json.Marshal(map[string]string{"sql": c.sql})
		if err != nil {
			t.Fatal(err)
		}
		if status, got := consoleCall(t, g, "query", string(body)); status != c.status || got != c.want {
			t.Errorf("%s\n%d %s\nwant %s", c.sql, status, got, c.want)
		}
	}
	for _, c := range []struct {
		name   string
		header []string
		body   string
		want   int
	}{
		{"another page", []string{"Sec-Fetch-Site", "cross-site"}, `{}`, 403},
		{"another name", []string{"Host", "gateway.example"}, `{}`, 421},
		{"a form", []string{"Content-Type", "text/plain"}, `{}`, 415},
		{"no JSON", nil, `SELECT 1`, 400},
		{"too long", nil, `{"sql":"` + strings.Repeat(" ", 2<<20) + `"}`, 400},
	} {
		if status, got := consoleCall(t, g, "query", c.body, c.header...); status != c.want {
			t.Errorf("%s: %d %s", c.name, status, got)
		}
	}
	if status, got := consoleCall(t, g, "fetch", `{"id":"unknown"}`); status != 404 {
		t.Error(status, got)
	}
}

// A result of a million rows comes by pages, and holds a connection only until
// it is given up; so do too many of them.
func TestConsolePages(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "data")
	g := testGateway(t, dir)
	defer func() { stopGateway(t, g, dir) }()
	get := func(call, body string) (p struct {
		Rows [][]string
		More string
	},
	) {
		t.Helper()
		status, got := consoleCall(t, g, call, body)
		if err := json.Unmarshal([]byte(got), &p); status != 200 || err != nil {
			t.Fatal(status, got)
		}
		return p
	}
	const sql = `{"sql": "SELECT n FROM generate_series(1, 1000000) n", "max_rows": 1000}`
	p := get("query", sql)
	for i := range 3 {
		if n := len(p.Rows); n != 1000 || p.Rows[0][0] != fmt.Sprint(1+1000*i) {
			t.Fatalf("page %d: %d rows from %v", i, n, p.Rows[0])
		}
		id := p.More
		p = get("fetch", fmt.Sprintf(`{"id": %q, "max_rows": 1000}`, id))
		if status, _ := consoleCall(t, g, "fetch", fmt.Sprintf(`{"id": %q}`, id)); status != 404 {
			t.Errorf("a page was given twice: %d", status)
		}
	}
	if n := g.pg.Connections(); n != 1 {
		t.Errorf("%d connections, want that of the result", n)
	}
	if status, got := consoleCall(t, g, "close", fmt.Sprintf(`{"id": %q}`, p.More)); status != 204 {
		t.Error(status, got)
	}
	for range 30 {
		get("query", sql)
	}
	conn := connect(t, g) // only so many are kept that others find room
	if err := conn.Ping(t.Context()); err != nil {
		t.Error(err)
	}
	if n := g.pg.Connections(); n > 12 {
		t.Errorf("%d connections", n)
	}
	last := get("query", `{"sql": "SELECT 1", "max_rows": 1}`)
	if end := get("fetch", fmt.Sprintf(`{"id": %q, "max_rows": 1}`, last.More)); len(end.Rows) != 0 || end.More != "" {
		t.Errorf("%+v", end)
	}
}

// The console lets in who SQL lets in, as far as SQL does.
func TestConsoleUsers(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "data")
	g := testGateway(t, dir)
	defer func() { stopGateway(t, g, dir) }()
	addUserWith(t, dir, "secret", "ann")
	const sql = `{"sql": "SELECT current_user"}`
	for header, want := range map[string]int{
		"": 401, "Basic YW5uOndyb25n": 401, "Basic YW5uOnNlY3JldA==": 200, // ann:wrong, ann:secret
	} {
		if status, got := consoleCall(t, g, "query", sql, "Authorization", header); status != want || want == 200 && !strings.Contains(got, `["ann"]`) {
			t.Errorf("%q: %d %s", header, status, got)
		}
	}
	if status, got := consoleCall(t, g, "query", `{"sql": "CHECKPOINT"}`, "Authorization", "Basic YW5uOnNlY3JldA=="); status != 400 || !strings.Contains(got, "42501") {
		t.Errorf("%d %s", status, got)
	}
}

// Live tail sends rows as they come, and its session ends with the page.
func TestConsoleStream(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "data")
	g := testGateway(t, dir)
	defer func() { stopGateway(t, g, dir) }()
	ctx, leave := context.WithCancel(t.Context())
	defer leave()
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://"+g.endpoints.Admin+"/console/api/stream", strings.NewReader(`{"sql": "SELECT body FROM tail('logs')"}`))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/json")
	w, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer w.Body.Close()
	lines := bufio.NewScanner(w.Body)
	if !lines.Scan() || lines.Text() != `{"columns":[{"name":"body","kind":"text"}]}` {
		t.Fatal(lines.Text(), lines.Err())
	}
	if out := ask(connect(t, g), "INSERT INTO logs (body, service, timestamp) VALUES ('first', 's', now())"); out != "INSERT 0 1\n" {
		t.Fatal(out)
	}
	if !lines.Scan() || lines.Text() != `{"row":["first"]}` {
		t.Fatal(lines.Text(), lines.Err())
	}
	leave()
	conn := connect(t, g)
	for end := time.Now().Add(20 * time.Second); g.pg.Connections() > 2; { // conn's and the one that inserted
		if time.Now().After(end) {
			t.Fatal("the session of a page that has gone is still there")
		}
		if err := conn.Ping(t.Context()); err != nil { // the server's turn
			t.Fatal(err)
		}
	}
}
