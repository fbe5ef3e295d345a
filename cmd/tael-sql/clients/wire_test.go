package clients

import (
	"bufio"
	"context"
	wire "encoding/binary"
	"fmt"
	"io"
	"net"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/cockroachdb/datadriven"

	"github.com/tael-sql/tael-sql/pgwire/script"
)

// wirePatience bounds the wait for one answer.
const wirePatience = 20 * time.Second

// TestWire plays the conversations of testdata/wire, message by message, with
// PostgreSQL, whose answers are what -rewrite writes, and with the gateway.
//
//	send [c=NAME] [until=TYPES]   messages of package script, and the answers: one ReadyForQuery for each Sync
//	                              and Query, or up to a message of one of the types
//	send … nowait                 the messages alone
//	cancel [of=NAME] [late]       asks to cancel what a connection does, again until it answers, or once
//	hangup [c=NAME]               closes a connection without a word
//
// With "gateway" a step is for the gateway alone.
func TestWire(t *testing.T) {
	client(t, "wire", func(t *testing.T) string {
		files, err := filepath.Glob("testdata/wire/*.txt")
		if err != nil || len(files) == 0 {
			t.Fatal("no conversations: ", err)
		}
		steps := 0
		for _, s := range []server{postgres, gateway} {
			for _, file := range files {
				t.Run(s.name+"/"+filepath.Base(file), func(t *testing.T) {
					p := &player{server: s, relations: relationNames(t, s), peers: map[string]*peer{}}
					defer p.end()
					datadriven.RunTest(t, file, func(t *testing.T, d *datadriven.TestData) string {
						steps++
						got := p.step(t, d)
						if rewrite() && s.name == gateway.name && !d.HasArg("gateway") {
							return d.Expected
						}
						return got
					})
				})
			}
		}
		return fmt.Sprintf("%d steps in %d conversations", steps, len(files))
	})
}

// player has the connections of one conversation.
type player struct {
	server    server
	relations map[string]string // names of relations by OID
	peers     map[string]*peer
}

// A peer is one connection of a conversation.
type peer struct {
	conn net.Conn
	in   *bufio.Reader
	key  []byte // process and key, for a cancel request
}

func (p *player) end() {
	for _, c := range p.peers {
		_ = c.conn.Close()
	}
}

func (p *player) dial(t *testing.T) net.Conn {
	t.Helper()
	conn, err := net.Dial("tcp", net.JoinHostPort(p.server.host, p.server.port))
	if err != nil {
		t.Fatal(err)
	}
	if err := conn.SetDeadline(time.Now().Add(wirePatience)); err != nil {
		t.Fatal(err)
	}
	return conn
}

func (p *player) step(t *testing.T, d *datadriven.TestData) string {
	if d.HasArg("gateway") && p.server.name != gateway.name {
		return d.Expected
	}
	name := "a"
	d.MaybeScanArgs(t, "c", &name)
	d.MaybeScanArgs(t, "of", &name)
	c := p.peers[name]
	if c == nil {
		conn := p.dial(t)
		c = &peer{conn: conn, in: bufio.NewReader(conn)}
		p.peers[name] = c
		if !strings.HasPrefix(d.Input, "Startup") && !strings.HasPrefix(d.Input, "SSL") && !strings.HasPrefix(d.Input, "GSS") {
			p.write(t, c, "Startup 3.0 user=tael database=tael TimeZone=UTC")
			_ = p.read(t, c, 1, "")
		}
	}
	if err := c.conn.SetDeadline(time.Now().Add(wirePatience)); err != nil {
		t.Fatal(err)
	}
	switch d.Cmd {
	case "hangup":
		_ = c.conn.Close()
		delete(p.peers, name)
		return ""
	case "cancel":
		return p.cancel(t, c, d.HasArg("late"))
	case "send":
	default:
		t.Fatalf("unknown step %q", d.Cmd)
	}
	until, turns := "", 0
	d.MaybeScanArgs(t, "until", &until)
	for line := range strings.Lines(d.Input) {
		line = strings.TrimSuffix(line, "\n")
		switch word, _, _ := strings.Cut(line, " "); word {
		case "Sync", "Query", "FunctionCall", "Startup":
			turns++
		}
		p.write(t, c, line)
	}
	if d.HasArg("nowait") {
		return ""
	}
	return p.read(t, c, turns, until)
}

func (p *player) write(t *testing.T, c *peer, line string) {
	t.Helper()
	b, err := script.Encode(line)
	if err != nil {
		t.Fatal(err)
	}
	_, _ = c.conn.Write(b) // what is answered says that the connection is closed
}

// cancel asks to cancel what a connection does: once, or until there is an answer.
func (p *player) cancel(t *testing.T, c *peer, once bool) string {
	t.Helper()
	for answered := false; !answered; {
		other := p.dial(t)
		if _, err := other.Write(script.Packet(80877102, c.key)); err != nil {
			t.Fatal(err)
		}
		rest, err := io.ReadAll(other)
		_ = other.Close()
		if len(rest) > 0 || err != nil {
			return fmt.Sprintf("%d bytes, error %v\n", len(rest), err)
		}
		if err := c.conn.SetReadDeadline(time.Now().Add(50 * time.Millisecond)); err != nil {
			t.Fatal(err)
		}
		if !once {
			_, err = c.in.Peek(1)
		}
		answered = once || err == nil
	}
	return ""
}

// read gives the transcript up to so many ReadyForQuery, a message of a type
// of until, or the end of the connection.
func (p *player) read(t *testing.T, c *peer, turns int, until string) string {
	t.Helper()
	var out strings.Builder
	for turns > 0 || until != "" {
		var head [5]byte
		if _, err := io.ReadFull(c.in, head[:1]); err != nil {
			fmt.Fprintln(&out, ending(err))
			break
		}
		if until == "answer" { // to a request for encryption
			fmt.Fprintf(&out, "answer %c\n", head[0])
			break
		}
		if _, err := io.ReadFull(c.in, head[1:]); err != nil {
			fmt.Fprintln(&out, ending(err))
			break
		}
		body := make([]byte, wire.BigEndian.Uint32(head[1:])-4)
		if _, err := io.ReadFull(c.in, body); err != nil {
			fmt.Fprintln(&out, ending(err))
			break
		}
		if head[0] == 'K' {
			c.key = body
		}
		fmt.Fprintln(&out, p.normal(script.Print(head[0], body)))
		if head[0] == 'Z' {
			turns--
		}
		if strings.IndexByte(until, head[0]) >= 0 || until == "" && turns == 0 {
			break
		}
	}
	return out.String()
}

func ending(err error) string {
	if e, ok := err.(net.Error); ok && e.Timeout() {
		return "nothing more comes"
	}
	return "closed"
}

var (
	tableOID   = regexp.MustCompile(`\(table (\d+)\.`)
	ownNumbers = regexp.MustCompile(`(pid |server_version=15\.)\d+(?: \([^)]*\))?`)
)

// normal puts names for the numbers that servers choose.
func (p *player) normal(line string) string {
	line = tableOID.ReplaceAllStringFunc(line, func(m string) string {
		oid := tableOID.FindStringSubmatch(m)[1]
		if name, ok := p.relations[oid]; ok {
			oid = name
		}
		return "(table " + oid + "."
	})
	return ownNumbers.ReplaceAllString(line, "$1…")
}

func relationNames(t *testing.T, s server) map[string]string {
	t.Helper()
	r := open(t, s).ExecParams(context.Background(), "SELECT oid, relname FROM pg_class WHERE relkind IN ('r', 'v')", nil, nil, nil, nil).Read()
	if r.Err != nil {
		t.Fatal(r.Err)
	}
	names := map[string]string{}
	for _, row := range r.Rows {
		names[string(row[0])] = string(row[1])
	}
	return names
}
