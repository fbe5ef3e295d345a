package pgwire

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"log/slog"
	"net"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cockroachdb/datadriven"
	"github.com/jackc/pgx/v5/pgproto3"
	"go.uber.org/goleak"
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
		c.write(startupPacket(3<<16, "user", "alice"))
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
		c.write(packet(80877102, key))
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

// describe prints a message of the server.
func (c *client) describe(typ byte, body []byte) string {
	must := func(m pgproto3.BackendMessage) {
		if err := m.Decode(body); err != nil {
			panic(err)
		}
	}
	switch typ {
	case 'R':
		return fmt.Sprintf("Authentication %d", binary.BigEndian.Uint32(body))
	case 'K':
		c.pid, c.key = binary.BigEndian.Uint32(body), append([]byte{}, body[4:]...)
		return fmt.Sprintf("BackendKeyData pid %d, key of %d bytes", c.pid, len(c.key))
	case 'S':
		var m pgproto3.ParameterStatus
		must(&m)
		return fmt.Sprintf("ParameterStatus %s=%s", m.Name, m.Value)
	case 'v':
		n := binary.BigEndian.Uint32(body)
		return fmt.Sprintf("NegotiateProtocolVersion %d.%d %d:%q", n>>16, n&0xffff, binary.BigEndian.Uint32(body[4:]), body[8:])
	case 'Z':
		return fmt.Sprintf("ReadyForQuery %s", body)
	case 'T':
		var m pgproto3.RowDescription
		must(&m)
		var out strings.Builder
		out.WriteString("RowDescription")
		if len(m.Fields) > 100 {
			return fmt.Sprintf("RowDescription of %d columns", len(m.Fields))
		}
		for _, f := range m.Fields {
			fmt.Fprintf(&out, " %s(table %d.%d type %d len %d mod %d format %d)",
				f.Name, f.TableOID, f.TableAttributeNumber, f.DataTypeOID, f.DataTypeSize, f.TypeModifier, f.Format)
		}
		return out.String()
	case 't':
		var m pgproto3.ParameterDescription
		must(&m)
		return fmt.Sprint("ParameterDescription ", m.ParameterOIDs)
	case 'D':
		var m pgproto3.DataRow
		must(&m)
		out := "DataRow"
		for _, v := range m.Values {
			switch {
			case v == nil:
				out += " NULL"
			case len(v) > 100:
				out += fmt.Sprintf(" (%d bytes)", len(v))
			case bytes.ContainsFunc(v, func(r rune) bool { return r < ' ' || r > '~' }):
				out += " x" + hex.EncodeToString(v)
			default:
				out += " " + string(v)
			}
		}
		return out
	case 'H':
		var m pgproto3.CopyOutResponse
		must(&m)
		return fmt.Sprintf("CopyOutResponse format %d columns %d", m.OverallFormat, m.ColumnFormatCodes)
	case 'd':
		return fmt.Sprintf("CopyData %q", body)
	case 'C':
		return "CommandComplete " + strings.TrimSuffix(string(body), "\x00")
	case 'E', 'N':
		var m pgproto3.ErrorResponse
		must(&m)
		out := map[byte]string{'E': "ErrorResponse", 'N': "NoticeResponse"}[typ]
		out += fmt.Sprintf(" %s/%s %s %q", m.Severity, m.SeverityUnlocalized, m.Code, m.Message)
		if m.Detail != "" {
			out += fmt.Sprintf(" detail %q", m.Detail)
		}
		if m.Hint != "" {
			out += fmt.Sprintf(" hint %q", m.Hint)
		}
		if m.Position != 0 {
			out += fmt.Sprintf(" position %d", m.Position)
		}
		return out
	}
	name, ok := map[byte]string{
		'1': "ParseComplete", '2': "BindComplete", '3': "CloseComplete", 'n': "NoData",
		's': "PortalSuspended", 'I': "EmptyQueryResponse", 'c': "CopyDone",
	}[typ]
	if !ok {
		return fmt.Sprintf("unknown message %q", typ)
	}
	return name
}

func startupPacket(version uint32, pairs ...string) []byte {
	var body []byte
	for _, s := range pairs {
		body = append(append(body, s...), 0)
	}
	return packet(version, append(body, 0))
}

func packet(code uint32, body []byte) []byte {
	out := binary.BigEndian.AppendUint32(nil, uint32(len(body)+8))
	return append(binary.BigEndian.AppendUint32(out, code), body...)
}

// encode makes a message of a line: its type, then arguments separated by
// blanks, then for Query and Parse the text.
//
//	Startup 3.0 user=alice     SSL, GSS       Query TEXT
//	Parse NAME OIDS TEXT       Bind PORTAL STATEMENT FORMATS VALUES RESULTS
//	Describe S|P NAME          Execute PORTAL MAX         Close S|P NAME
//	Sync Flush Terminate       Bytes HEX      Message TYPE HEX
//
// "-" is an empty name or list; lists are separated by commas.
func encode(t *testing.T, c *client, line string) []byte {
	words := strings.Split(line, " ")
	arg := func(i int) string {
		if i >= len(words) || words[i] == "-" {
			return ""
		}
		return words[i]
	}
	rest := func(i int) string { return strings.Join(words[min(i, len(words)):], " ") }
	list := func(i int) []string {
		if arg(i) == "" {
			return nil
		}
		return strings.Split(words[i], ",")
	}
	codes := func(i int) (out []int16) {
		for _, s := range list(i) {
			n, _ := strconv.Atoi(s)
			out = append(out, int16(n))
		}
		return out
	}
	message := func(m pgproto3.FrontendMessage) []byte {
		b, err := m.Encode(nil)
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	unhex := func(s string) []byte {
		b, err := hex.DecodeString(s)
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	switch words[0] {
	case "Startup":
		major, minor, _ := strings.Cut(words[1], ".")
		hi, _ := strconv.Atoi(major)
		lo, _ := strconv.Atoi(minor)
		var pairs []string
		for _, w := range words[2:] {
			name, value, _ := strings.Cut(w, "=")
			pairs = append(pairs, name, strings.ReplaceAll(value, "+", " "))
		}
		return startupPacket(uint32(hi<<16|lo), pairs...)
	case "SSL":
		c.bare++
		return packet(80877103, nil)
	case "GSS":
		c.bare++
		return packet(80877104, nil)
	case "Query":
		return message(&pgproto3.Query{String: rest(1)})
	case "Parse":
		m := &pgproto3.Parse{Name: arg(1), Query: rest(3)}
		for _, s := range list(2) {
			n, _ := strconv.Atoi(s)
			m.ParameterOIDs = append(m.ParameterOIDs, uint32(n))
		}
		return message(m)
	case "Bind":
		m := &pgproto3.Bind{DestinationPortal: arg(1), PreparedStatement: arg(2), ParameterFormatCodes: codes(3), ResultFormatCodes: codes(5)}
		for _, s := range list(4) {
			switch {
			case s == "NULL":
				m.Parameters = append(m.Parameters, nil)
			case strings.HasPrefix(s, "0x"):
				m.Parameters = append(m.Parameters, unhex(s[2:]))
			default:
				m.Parameters = append(m.Parameters, []byte(s))
			}
		}
		return message(m)
	case "Describe":
		return message(&pgproto3.Describe{ObjectType: words[1][0], Name: arg(2)})
	case "Execute":
		n, _ := strconv.ParseUint(arg(2), 10, 32)
		return message(&pgproto3.Execute{Portal: arg(1), MaxRows: uint32(n)})
	case "Close":
		return message(&pgproto3.Close{ObjectType: words[1][0], Name: arg(2)})
	case "Sync":
		return message(&pgproto3.Sync{})
	case "Flush":
		return message(&pgproto3.Flush{})
	case "Terminate":
		return message(&pgproto3.Terminate{})
	case "FunctionCall":
		return message(&pgproto3.FunctionCall{Function: 1})
	case "Bytes":
		return unhex(words[1])
	case "Message":
		b := unhex(arg(2))
		out := binary.BigEndian.AppendUint32([]byte{words[1][0]}, uint32(len(b)+4))
		return append(out, b...)
	}
	t.Fatalf("unknown message %q", line)
	return nil
}
