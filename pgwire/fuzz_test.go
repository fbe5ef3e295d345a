package pgwire

import (
	"bytes"
	"fmt"
	"io"
	"net"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgproto3"

	"github.com/tael-sql/tael-sql/internal/pgtypes"
	"github.com/tael-sql/tael-sql/internal/vector"
	"github.com/tael-sql/tael-sql/pgwire/script"
)

// tape is a client that has said all it has to say and keeps what it hears.
type tape struct {
	said  *bytes.Reader
	heard bytes.Buffer
}

func (c *tape) Read(p []byte) (int, error)       { return c.said.Read(p) }
func (c *tape) Write(p []byte) (int, error)      { return c.heard.Write(p) }
func (*tape) Close() error                       { return nil }
func (*tape) LocalAddr() net.Addr                { return &net.TCPAddr{} }
func (*tape) RemoteAddr() net.Addr               { return &net.TCPAddr{} }
func (*tape) SetDeadline(time.Time) error        { return nil }
func (*tape) SetReadDeadline(time.Time) error    { return nil }
func (*tape) SetWriteDeadline(t time.Time) error { return nil }

// play serves a client to its end and checks that all it hears is messages.
func play(t testing.TB, said []byte) {
	s := NewServer(toy{}, Options{MaxMessageBytes: 1 << 16, ProbeAfter: time.Hour})
	s.cancelPenalty = 0
	c := &tape{said: bytes.NewReader(said)}
	s.accept(c)
	s.wg.Wait()
	if n := s.Connections(); n != 0 {
		t.Fatalf("%d connections are left", n)
	}
	s.stop()
	heard := c.heard.Bytes()
	for len(heard) > 0 && heard[0] == 'N' && (len(heard) < 5 || heard[1] != 0) {
		heard = heard[1:] // the answer to a request for encryption
	}
	frontend := pgproto3.NewFrontend(bytes.NewReader(heard), nil)
	for {
		m, err := frontend.Receive()
		if err != nil {
			if err != io.EOF && err != io.ErrUnexpectedEOF {
				t.Fatalf("the server said %q: %v", heard, err)
			}
			return
		}
		if e, ok := m.(*pgproto3.ErrorResponse); ok && e.Code == "XX000" {
			t.Fatalf("the server failed: %s", e.Message)
		}
	}
}

func FuzzStartup(f *testing.F) {
	f.Add(script.Startup(3<<16, "user", "alice"))
	f.Add(script.Startup(3<<16|9999, "user", "alice", "_pq_.x", "1", "options", `-c a=b --c-d=e\ f`))
	f.Add(append(script.Packet(sslRequest, nil), script.Packet(gssRequest, nil)...))
	f.Add(script.Packet(cancelRequest, make([]byte, 36)))
	f.Add([]byte{0, 0, 0, 8, 0, 3, 0, 0})
	f.Fuzz(func(t *testing.T, said []byte) { play(t, said) })
}

// FuzzMessages follows a good startup with anything but the statements with
// which a toy fails, waits or talks at length.
func FuzzMessages(f *testing.F) {
	encode := func(list ...pgproto3.FrontendMessage) {
		var out []byte
		for _, m := range list {
			b, err := m.Encode(out)
			if err != nil {
				f.Fatal(err)
			}
			out = b
		}
		f.Add(out)
	}
	encode(&pgproto3.Query{String: "begin; set a b; notice x; commit"})
	encode(&pgproto3.Parse{Name: "a", Query: "begin", ParameterOIDs: []uint32{20}}, &pgproto3.Describe{ObjectType: 'S', Name: "a"},
		&pgproto3.Bind{PreparedStatement: "a", ParameterFormatCodes: []int16{1}, Parameters: [][]byte{{1}}, ResultFormatCodes: []int16{1}},
		&pgproto3.Describe{ObjectType: 'P'}, &pgproto3.Execute{MaxRows: 1}, &pgproto3.Close{ObjectType: 'P'}, &pgproto3.Flush{}, &pgproto3.Sync{})
	encode(&pgproto3.FunctionCall{}, &pgproto3.CopyDone{}, &pgproto3.CopyFail{Message: "x"}, &pgproto3.CopyData{Data: []byte("x")}, &pgproto3.Terminate{})
	f.Fuzz(func(t *testing.T, said []byte) {
		for _, word := range []string{"sleep", "nap", "panic", "wide", "leak", "unsendable", "XX"} {
			if bytes.Contains(bytes.ToLower(said), bytes.ToLower([]byte(word))) {
				t.Skip("the toy is no subject")
			}
		}
		play(t, append(script.Startup(3<<16, "user", "alice"), said...))
	})
}

type discard struct{ tape }

func (*discard) Write(p []byte) (int, error) { return len(p), nil }

func BenchmarkWriteBatch(b *testing.B) {
	const n = 8192
	id, at, value, name := vector.NewBuilder(vector.Int64, n), vector.NewBuilder(vector.Int64, n), vector.NewBuilder(vector.Float, n), make([]uint32, n)
	raw := make([]byte, 8*n)
	for i := range n {
		id.Append(int64(i) * 7919)
		at.Append(int64(812_345_678_901_234 + i*1000))
		value.Append(float64(i) / 3)
		name[i] = uint32(i % 3)
		raw[8*i] = byte(i)
	}
	kinds := []struct {
		name string
		oid  pgtypes.OID
		col  *vector.Column
	}{
		{"int8", pgtypes.Int8, id.Finish()},
		{"timestamptz", pgtypes.Timestamptz, at.Finish()},
		{"float8", pgtypes.Float8, value.Finish()},
		{"dictionary", pgtypes.Text, &vector.Column{Kind: vector.String, Len: n, Codes: name, Dict: []string{"checkout", "cart", "payment"}}},
		{"hex", pgtypes.Text, &vector.Column{Kind: vector.Hex, Len: n, Raw: raw, Width: 8}},
	}
	c := newConn(NewServer(toy{}, Options{}), &discard{})
	for format, formatName := range []string{"text", "binary"} {
		var all []*vector.Column
		var columns []Column
		for _, k := range kinds {
			all, columns = append(all, k.col), append(columns, Column{Name: k.name, Type: pgtypes.Of(k.oid)})
		}
		run := func(name string, cols []*vector.Column, columns []Column) {
			b.Run(fmt.Sprintf("format=%s/columns=%s", formatName, name), func(b *testing.B) {
				formats := bytes.Repeat([]byte{byte(format)}, len(cols))
				codes := make([]int16, len(cols))
				for i := range formats {
					codes[i] = int16(formats[i])
				}
				batch := vector.NewBatch(n, cols)
				w := newRowWriter(c, columns, codes)
				b.ReportAllocs()
				for b.Loop() {
					if err := w.WriteBatch(batch); err != nil {
						b.Fatal(err)
					}
				}
				b.ReportMetric(float64(w.Written())/b.Elapsed().Seconds(), "rows/s")
			})
		}
		for i, k := range kinds {
			run(k.name, all[i:i+1], columns[i:i+1])
		}
		run("all", all, columns)
	}
}
