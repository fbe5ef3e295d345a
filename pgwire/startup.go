package pgwire

import (
	"crypto/subtle"
	"encoding/binary"
	"errors"
	"io"
	"strings"
	"time"

	"github.com/tael-sql/tael-sql/internal/pgerr"
)

// Codes that stand in place of a protocol version in a startup packet.
const (
	cancelRequest = 80877102
	sslRequest    = 80877103
	gssRequest    = 80877104

	maxStartupBytes = 10_000
	maxNegotiation  = 4 // packets before the one that starts the session
)

// errClosed says that the connection is done with and nothing is to be sent.
var errClosed = errors.New("pgwire: connection is done")

// startup reads packets until the one that starts a session. A cancel request
// is served and ends the connection with errClosed.
func (c *conn) startup() (params map[string]string, err error) {
	for range maxNegotiation {
		packet, err := c.readStartup()
		if err != nil {
			return nil, err
		}
		code := binary.BigEndian.Uint32(packet)
		switch code {
		case sslRequest, gssRequest:
			if c.in.Buffered() > 0 {
				return nil, pgerr.New(pgerr.ProtocolViolation, "received unencrypted data after SSL request")
			}
			if _, err := c.net.Write([]byte{'N'}); err != nil {
				return nil, err
			}
			continue
		case cancelRequest:
			if len(packet) >= 8 {
				c.server.cancel(binary.BigEndian.Uint32(packet[4:]), packet[8:])
			}
			return nil, errClosed
		}
		if code>>16 != 3 {
			return nil, pgerr.New(pgerr.FeatureNotSupported,
				"unsupported frontend protocol %d.%d: server supports 3.0 to 3.2", code>>16, code&0xffff)
		}
		return c.parameters(code&0xffff, packet[4:])
	}
	return nil, pgerr.New(pgerr.ProtocolViolation, "too many negotiation packets")
}

func (c *conn) readStartup() ([]byte, error) {
	var head [4]byte
	if _, err := io.ReadFull(c.in, head[:]); err != nil {
		return nil, err
	}
	n := binary.BigEndian.Uint32(head[:])
	if n < 8 || n > maxStartupBytes {
		return nil, pgerr.New(pgerr.ProtocolViolation, "invalid length of startup packet")
	}
	packet := make([]byte, n-4)
	_, err := io.ReadFull(c.in, packet)
	return packet, err
}

// parameters reads the name-value pairs and answers with the version and the
// options that are not known.
func (c *conn) parameters(minor uint32, body []byte) (map[string]string, error) {
	params := make(map[string]string)
	var unknown []string
	fields := strings.Split(string(body), "\x00")
	for i := 0; i+1 < len(fields) && fields[i] != ""; i += 2 {
		name, value := fields[i], fields[i+1]
		switch {
		case strings.HasPrefix(name, "_pq_."):
			unknown = append(unknown, name)
		case name == "options":
			for k, v := range parseOptions(value) {
				params[k] = v
			}
		default:
			params[name] = value
		}
	}
	if len(body) == 0 || body[len(body)-1] != 0 {
		return nil, pgerr.New(pgerr.ProtocolViolation, "invalid startup packet layout: expected terminator as last byte")
	}
	c.longKeys = minor >= 2
	if minor > 2 || minor == 1 || len(unknown) > 0 {
		msg := binary.BigEndian.AppendUint32(nil, 3<<16|min(minor, 2)&^1)
		msg = binary.BigEndian.AppendUint32(msg, uint32(len(unknown)))
		for _, name := range unknown {
			msg = append(append(msg, name...), 0)
		}
		c.message('v', msg)
	}
	if params["user"] == "" {
		return nil, pgerr.New(pgerr.InvalidAuthorization, "no PostgreSQL user name specified in startup packet")
	}
	return params, nil
}

// parseOptions reads "-c name=value --name=value" with backslash-escaped blanks.
func parseOptions(s string) map[string]string {
	var words []string
	var word strings.Builder
	for i := 0; i < len(s); i++ {
		switch {
		case s[i] == '\\' && i+1 < len(s):
			i++
			word.WriteByte(s[i])
		case s[i] == ' ':
			words = append(words, word.String())
			word.Reset()
		default:
			word.WriteByte(s[i])
		}
	}
	words = append(words, word.String())
	out := make(map[string]string)
	for i := 0; i < len(words); i++ {
		w := words[i]
		switch {
		case w == "-c" && i+1 < len(words):
			i++
			w = words[i]
		case strings.HasPrefix(w, "-c"):
			w = w[2:]
		case strings.HasPrefix(w, "--"):
			w = strings.ReplaceAll(w[2:], "-", "_")
		default:
			continue
		}
		if name, value, ok := strings.Cut(w, "="); ok {
			out[strings.TrimSpace(name)] = value
		}
	}
	return out
}

// cancel ends the running statement of the connection with that key. A miss
// costs a second, so that keys cannot be guessed; nothing tells it from a hit.
func (s *Server) cancel(pid uint32, key []byte) {
	s.mu.Lock()
	c := s.byPID[pid]
	s.mu.Unlock()
	if c != nil && subtle.ConstantTimeCompare(c.key, key) == 1 {
		c.cancelStatement()
		return
	}
	time.Sleep(time.Second)
}
