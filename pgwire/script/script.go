// Package script writes messages of PostgreSQL's protocol from lines of text, and
// prints those that a server answers, for the tests that play a client.
package script

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"strconv"
	"strings"

	"github.com/jackc/pgx/v5/pgproto3"
)

// Encode makes a message of a line: its type, then arguments separated by
// blanks, then for Query and Parse the text.
//
//	Startup 3.0 user=alice     SSL, GSS       Query TEXT
//	Parse NAME OIDS TEXT       Bind PORTAL STATEMENT FORMATS VALUES RESULTS
//	Describe S|P NAME          Execute PORTAL MAX         Close S|P NAME
//	Sync Flush Terminate       Bytes HEX      Message TYPE HEX
//
// "-" is an empty name or list; lists are separated by commas.
func Encode(line string) ([]byte, error) {
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
	message := func(m pgproto3.FrontendMessage) ([]byte, error) { return m.Encode(nil) }
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
		return Startup(uint32(hi<<16|lo), pairs...), nil
	case "SSL":
		return Packet(80877103, nil), nil
	case "GSS":
		return Packet(80877104, nil), nil
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
				b, err := hex.DecodeString(s[2:])
				if err != nil {
					return nil, err
				}
				m.Parameters = append(m.Parameters, b)
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
		return hex.DecodeString(words[1])
	case "Message":
		b, err := hex.DecodeString(arg(2))
		out := binary.BigEndian.AppendUint32([]byte{words[1][0]}, uint32(len(b)+4))
		return append(out, b...), err
	}
	return nil, fmt.Errorf("unknown message %q", line)
}

// Startup makes the packet that starts a session, of a version and names with their values.
func Startup(version uint32, pairs ...string) []byte {
	var body []byte
	for _, s := range pairs {
		body = append(append(body, s...), 0)
	}
	return Packet(version, append(body, 0))
}

// Packet makes a message without a type byte.
func Packet(code uint32, body []byte) []byte {
	out := binary.BigEndian.AppendUint32(nil, uint32(len(body)+8))
	return append(binary.BigEndian.AppendUint32(out, code), body...)
}

// Print prints a message of a server.
func Print(typ byte, body []byte) string {
	must := func(m pgproto3.BackendMessage) {
		if err := m.Decode(body); err != nil {
			panic(err)
		}
	}
	switch typ {
	case 'R':
		return fmt.Sprintf("Authentication %d", binary.BigEndian.Uint32(body))
	case 'K':
		return fmt.Sprintf("BackendKeyData pid %d, key of %d bytes", binary.BigEndian.Uint32(body), len(body)-4)
	case 'S':
		var m pgproto3.ParameterStatus
		must(&m)
		return fmt.Sprintf("ParameterStatus %s=%s", m.Name, m.Value)
	case 'v':
		n := binary.BigEndian.Uint32(body)
		return fmt.Sprintf("NegotiateProtocolVersion %d.%d %d:%q", n>>16, n&0xffff, binary.BigEndian.Uint32(body[4:]), body[8:])
	case 'A':
		var m pgproto3.NotificationResponse
		must(&m)
		return fmt.Sprintf("NotificationResponse pid %d %s %q", m.PID, m.Channel, m.Payload)
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
