package pgwire

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"log/slog"
	"net"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cockroachdb/datadriven"
	"go.uber.org/goleak"

	"github.com/tael-sql/tael-sql/pgwire/script"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// TestScripts plays the client of the files in testdata. Time is synctest's:
// what is printed after a step is all that the server has sent until it waits
// for the client or for the clock.
func TestScripts(t *testing.T) {
	datadriven.Walk(t, "testdata", func(t *testing.T, path string) {
		synctest.Test(t, func(t *testing.T) {
			p := &player{clients: make(map[string]*client)}
			defer p.end(t)
			datadriven.RunTest(t, path, p.step)
		})
	})
}

type player struct {
	server   *Server
	log      bytes.Buffer
	clients  map[string]*client
	shutdown sync.WaitGroup
	result   error
}

// client is one connection as its client sees it.
type client struct {
	conn net.Conn
	wg   sync.WaitGroup // reader and writer
	sent chan []byte    // a pipe has no buffer as a network has

	mu     sync.Mutex // guards the fields below
	wake   *sync.Cond
	paused bool
	got    []byte
	closed bool

	bare int // bytes to come that are no messages: answers to requests for encryption
	pid  uint32
	key  []byte
}

func (p *player) start(t *testing.T, d *datadriven.TestData) {
	o := Options{Logger: slog.New(slog.NewTextHandler(&p.log, nil))}
	if d != nil {
		d.MaybeScanArgs(t, "max-connections", &o.MaxConnections)
		d.MaybeScanArgs(t, "max-starting", &o.MaxStarting)
		d.MaybeScanArgs(t, "max-message", &o.MaxMessageBytes)
	}
	p.server = NewServer(toy{}, o)
}

func (p *player) end(t *testing.T) {
	p.shutdown.Wait()
	for _, c := range p.clients {
		c.resume()
		close(c.sent)
		_ = c.conn.Close()
		c.wg.Wait()
	}
	if p.server == nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	if err := p.server.Shutdown(ctx); err != nil && err != context.DeadlineExceeded {
		t.Error(err)
	}
}

func (p *player) step(t *testing.T, d *datadriven.TestData) string {
	switch d.Cmd {
	case "server":
		p.start(t, d)
		return ""
	case "wait":
		time.Sleep(duration(t, d)) // synctest's clock
	case "shutdown":
		ctx, cancel := context.WithTimeout(context.Background(), duration(t, d))
		p.shutdown.Go(func() {
			defer cancel()
			p.result = p.server.Shutdown(ctx)
		})
	case "ended":
		p.shutdown.Wait()
		return fmt.Sprintf("error %v, connections %d\n", p.result, p.server.Connections())
	case "sessions":
		return fmt.Sprintln(p.server.Connections())
	case "log":
		return fmt.Sprintf("panic %t, secret %t\n", strings.Contains(p.log.String(), "a toy's panic"), strings.Contains(p.log.String(), "/secret"))
	}
	c := p.client(t, d)
	switch d.Cmd {
	case "pause":
		c.mu.Lock()
		c.paused = true
		c.mu.Unlock()
	case "resume":
		c.resume()
	case "hangup":
		_ = c.conn.Close()
	case "connect":
		c.write(script.Startup(3<<16, "user", "alice"))
		synctest.Wait()
		c.take() // printed by startup.txt
		return ""
	case "cancel":
		from := "a"
		d.MaybeScanArgs(t, "of", &from)
		target := p.clients[from]
		key := append(binary.BigEndian.AppendUint32(nil, target.pid), target.key...)
		if d.HasArg("wrong") {
			key[len(key)-1] ^= 1
		}
		c.write(script.Packet(80877102, key))
	case "send":
		for line := range strings.Lines(d.Input) {
			c.write(encode(t, c, strings.TrimSuffix(line, "\n")))
		}
	}
	synctest.Wait()
	return c.take()
}

func duration(t *testing.T, d *datadriven.TestData) time.Duration {
	var s string
	d.ScanArgs(t, "for", &s)
	v, err := time.ParseDuration(s)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// client finds the client of argument c, or connects it.
func (p *player) client(t *testing.T, d *datadriven.TestData) *client {
	name := "a"
	d.MaybeScanArgs(t, "c", &name)
	if c, ok := p.clients[name]; ok {
		return c
	}
	if p.server == nil {
		p.start(t, nil)
	}
	near, far := net.Pipe()
	c := &client{conn: near, sent: make(chan []byte, 100)}
	c.wake = sync.NewCond(&c.mu)
	p.clients[name] = c
	p.server.accept(far)
	c.wg.Go(c.read)
	c.wg.Go(func() {
		for b := range c.sent {
			_, _ = c.conn.Write(b) // the transcript says that the connection is closed
		}
	})
	return c
}

func (c *client) read() {
	buf := make([]byte, 1<<16)
	for {
		c.mu.Lock()
		for c.paused {
			c.wake.Wait()
		}
		c.mu.Unlock()
		n, err := c.conn.Read(buf)
		c.mu.Lock()
		c.got = append(c.got, buf[:n]...)
		c.closed = err != nil
		c.mu.Unlock()
		if err != nil {
			return
		}
	}
}

func (c *client) resume() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.paused = false
	c.wake.Signal()
}

func (c *client) write(b []byte) { c.sent <- b }

// take gives the transcript of what came.
func (c *client) take() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	var out strings.Builder
	for c.bare > 0 && len(c.got) > 0 && (c.got[0] == 'N' || c.got[0] == 'S') {
		fmt.Fprintf(&out, "answer %c\n", c.got[0])
		c.got = c.got[1:]
		c.bare--
	}
	for len(c.got) >= 5 {
		size := int(binary.BigEndian.Uint32(c.got[1:])) + 1
		if size > len(c.got) {
			break
		}
		fmt.Fprintln(&out, c.describe(c.got[0], c.got[5:size]))
		c.got = c.got[size:]
	}
	if c.closed {
		fmt.Fprintf(&out, "closed, %d stray bytes\n", len(c.got))
	} else if len(c.got) > 0 {
		fmt.Fprintf(&out, "part of a message\n")
	}
	return out.String()
}

// describe prints a message of the server, and keeps its cancel key.
func (c *client) describe(typ byte, body []byte) string {
	if typ == 'K' {
		c.pid, c.key = binary.BigEndian.Uint32(body), append([]byte{}, body[4:]...)
	}
	return script.Print(typ, body)
}

// encode makes a message of a line, and counts the requests for encryption.
func encode(t *testing.T, c *client, line string) []byte {
	b, err := script.Encode(line)
	if err != nil {
		t.Fatal(err)
	}
	if line == "SSL" || line == "GSS" {
		c.bare++
	}
	return b
}
