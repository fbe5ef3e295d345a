package session

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"unicode/utf8"

	"github.com/tael-sql/tael-sql/internal/pgerr"
)

// maxCopyLine bounds one row of the data.
const maxCopyLine = 256 << 20

func badCopy(format string, args ...any) *pgerr.Error {
	return pgerr.New(pgerr.BadCopyFileFormat, format, args...)
}

func newCopySource(f copyFormat, table string, names []string, in *bufio.Reader) copySource {
	if f.format == "binary" {
		return &copyTuples{table: table, names: names, from: in}
	}
	return &copyLines{copyFormat: f, names: names, in: in}
}

// copyLines reads the formats text and csv.
type copyLines struct {
	copyFormat
	names []string
	in    *bufio.Reader

	number  int    // of the line, from 1
	line    []byte // without its end
	whole   bool   // line is complete
	newline string // how lines end; "": not known yet
	ended   bool
	fields  [][]byte
	cells   []byte // what fields point into
}

func (c *copyLines) binary() bool { return false }

func (c *copyLines) where() (line int, text string, hasText bool) {
	return c.number, string(c.line), c.whole
}

func (c *copyLines) next() ([][]byte, error) {
	if c.number == 0 && c.header {
		if err := c.readLine(); err != nil {
			return nil, err
		}
		if err := c.checkHeader(); err != nil {
			return nil, err
		}
	}
	if err := c.readLine(); err != nil {
		return nil, err
	}
	if err := c.split(); err != nil {
		return nil, err
	}
	switch n := len(c.fields); {
	case n > len(c.names):
		return nil, badCopy("extra data after last expected column")
	case n < len(c.names):
		return nil, badCopy("missing data for column \"%s\"", c.names[n])
	}
	return c.fields, nil
}

// checkHeader compares the first line with the columns, if that is asked for.
func (c *copyLines) checkHeader() error {
	if !c.match {
		return nil
	}
	if err := c.split(); err != nil {
		return err
	}
	if len(c.fields) != len(c.names) {
		return badCopy("wrong number of fields in header line: got %d, expected %d", len(c.fields), len(c.names))
	}
	for i, name := range c.names {
		switch got := c.fields[i]; {
		case got == nil:
			return badCopy("column name mismatch in header line field %d: got null value (\"%s\"), expected \"%s\"", i+1, c.null, name)
		case string(got) != name:
			return badCopy("column name mismatch in header line field %d: got \"%s\", expected \"%s\"", i+1, got, name)
		}
	}
	return nil
}

// readLine reads a line, of CSV with the line ends that are quoted in it. All
// lines end alike.
func (c *copyLines) readLine() error {
	c.line, c.whole = c.line[:0], false
	if c.ended {
		return io.EOF
	}
	c.number++
	csv := c.format == "csv"
	quoted, escaped := false, false // within CSV quotes; behind an escape there
	for {
		b, err := c.in.ReadByte()
		if errors.Is(err, io.EOF) {
			c.ended = true
			switch {
			case quoted:
				c.whole = true
				return badCopy("unterminated CSV quoted field")
			case len(c.line) == 0:
				c.number--
				return io.EOF
			}
			return c.complete()
		}
		if err != nil {
			return err
		}
		if len(c.line) >= maxCopyLine {
			return pgerr.New(pgerr.ProgramLimitExceeded, "a line of the data is longer than %d bytes", maxCopyLine)
		}
		if csv { // as CopyReadLineText does: two quotes in a row are none, and no field
			if quoted && b == c.escape && c.escape != c.quote {
				escaped = !escaped
			}
			if b == c.quote && !escaped {
				quoted = !quoted
			}
			if b != c.escape || c.escape == c.quote {
				escaped = false
			}
		}
		switch {
		case (b == '\n' || b == '\r') && !quoted:
			return c.lineEnd(b)
		case !csv && b == '\\':
			c.line = append(c.line, b)
			following, err := c.in.Peek(1)
			if err == nil && following[0] != '\r' && !(following[0] == '\n' && c.newline == "\r\n") {
				c.line = append(c.line, following[0]) // an escaped line end is data
				_, _ = c.in.Discard(1)                // it was peeked at
			}
		default:
			c.line = append(c.line, b)
		}
	}
}

// lineEnd ends a line at a carriage return or newline.
func (c *copyLines) lineEnd(b byte) error {
	end := string(b)
	if b == '\r' {
		if following, err := c.in.Peek(1); err == nil && following[0] == '\n' && c.newline != "\r" {
			_, _ = c.in.Discard(1) // it was peeked at
			end = "\r\n"
		}
	}
	if c.newline == "" {
		c.newline = end
	}
	if end != c.newline {
		unquoted := map[bool]string{true: "unquoted", false: "literal"}[c.format == "csv"]
		what, hint := "carriage return", `Use "\r" to represent carriage return.`
		if end == "\n" {
			what, hint = "newline", `Use "\n" to represent newline.`
		}
		if c.format == "csv" {
			hint = "Use quoted CSV field to represent " + what + "."
		}
		return badCopy("%s %s found in data", unquoted, what).WithHint("%s", hint)
	}
	return c.complete()
}

// complete takes the line as it is, or ends the data with it.
func (c *copyLines) complete() error {
	c.whole = true
	if string(c.line) == `\.` {
		c.ended = true
		c.number--
		return io.EOF
	}
	if !utf8.Valid(c.line) {
		c.whole = false
		return invalidUTF8(c.line)
	}
	return nil
}

func invalidUTF8(text []byte) error {
	for i := 0; i < len(text); {
		r, n := utf8.DecodeRune(text[i:])
		if r == utf8.RuneError && n == 1 {
			return pgerr.New(pgerr.CharacterNotInRepertoire, "invalid byte sequence for encoding \"UTF8\": 0x%02x", text[i])
		}
		i += n
	}
	return nil
}

// split takes the line apart.
func (c *copyLines) split() error {
	c.fields = c.fields[:0]
	if cap(c.cells) < len(c.line) { // never moves while fields point into it: a field has no more bytes than the line
		c.cells = make([]byte, 0, 2*len(c.line))
	}
	c.cells = c.cells[:0]
	if len(c.names) == 0 && len(c.line) == 0 {
		return nil
	}
	if c.format == "csv" {
		return c.splitCSV()
	}
	for at, more := 0, true; more; {
		var raw []byte
		raw, at, more = c.rawField(at)
		if string(raw) == c.null {
			c.fields = append(c.fields, nil)
			continue
		}
		start := len(c.cells)
		c.cells = unescape(c.cells, raw)
		value := c.cells[start:len(c.cells):len(c.cells)]
		if !utf8.Valid(value) || bytes.IndexByte(value, 0) >= 0 {
			if err := invalidUTF8(value); err != nil {
				return err
			}
			return pgerr.New(pgerr.CharacterNotInRepertoire, "invalid byte sequence for encoding \"UTF8\": 0x00")
		}
		c.fields = append(c.fields, value)
	}
	return nil
}

// rawField gives the field of format text that begins at a place, and the place
// behind its delimiter, if there is one.
func (c *copyLines) rawField(at int) (raw []byte, next int, more bool) {
	for i := at; i < len(c.line); i++ {
		switch c.line[i] {
		case '\\':
			i++
		case c.delimiter:
			return c.line[at:i], i + 1, true
		}
	}
	return c.line[at:], len(c.line), false
}

// unescape appends a field of format text with its backslash sequences resolved.
func unescape(dst, raw []byte) []byte {
	for i := 0; i < len(raw); i++ {
		if raw[i] != '\\' || i+1 == len(raw) {
			dst = append(dst, raw[i])
			continue
		}
		i++
		switch ch := raw[i]; {
		case ch >= '0' && ch <= '7':
			v := 0
			end := min(i+3, len(raw))
			for ; i < end && raw[i] >= '0' && raw[i] <= '7'; i++ {
				v = v<<3 | int(raw[i]-'0')
			}
			i--
			dst = append(dst, byte(v))
		case ch == 'x' && i+1 < len(raw) && hexDigit(raw[i+1]) >= 0:
			v := 0
			end := min(i+3, len(raw))
			for i++; i < end && hexDigit(raw[i]) >= 0; i++ {
				v = v<<4 | hexDigit(raw[i])
			}
			i--
			dst = append(dst, byte(v))
		default:
			if at := bytes.IndexByte([]byte("bfnrtv"), ch); at >= 0 {
				ch = "\b\f\n\r\t\v"[at]
			}
			dst = append(dst, ch)
		}
	}
	return dst
}

func hexDigit(ch byte) int {
	switch {
	case ch >= '0' && ch <= '9':
		return int(ch - '0')
	case ch >= 'a' && ch <= 'f':
		return int(ch-'a') + 10
	case ch >= 'A' && ch <= 'F':
		return int(ch-'A') + 10
	}
	return -1
}

func (c *copyLines) splitCSV() error {
	for i, more := 0, true; more; {
		start, wasQuoted := len(c.cells), false
		more = false
		for i < len(c.line) {
			ch := c.line[i]
			if ch == c.delimiter {
				more = true
				i++
				break
			}
			if i++; ch != c.quote {
				c.cells = append(c.cells, ch)
				continue
			}
			wasQuoted = true
			for {
				if i >= len(c.line) {
					return badCopy("unterminated CSV quoted field")
				}
				ch := c.line[i]
				if i++; ch == c.escape && i < len(c.line) && (c.line[i] == c.escape || c.line[i] == c.quote) {
					c.cells = append(c.cells, c.line[i])
					i++
					continue
				}
				if ch == c.quote {
					break
				}
				c.cells = append(c.cells, ch)
			}
		}
		value := c.cells[start:len(c.cells):len(c.cells)]
		at := len(c.fields)
		isNull := string(value) == c.null
		switch {
		case isNull && !wasQuoted && (at >= len(c.names) || !c.forceNotNull[at]):
			value = nil
		case isNull && wasQuoted && at < len(c.names) && c.forceNull[at]:
			value = nil
		}
		c.fields = append(c.fields, value)
	}
	return nil
}

// copyTuples reads the format binary:
//
//	"PGCOPY\n\377\r\n\0", flags int32, length of an extension int32, extension
//	number of fields int16, then for each its length int32 (-1: NULL) and value; per row
//	-1 int16
type copyTuples struct {
	table  string
	names  []string
	from   *bufio.Reader
	row    int
	fields [][]byte
}

const copySignature = "PGCOPY\n\xff\r\n\x00"

func (c *copyTuples) binary() bool { return true }

func (c *copyTuples) where() (line int, text string, hasText bool) { return c.row, "", false }

// in says in which column an error came.
func (c *copyTuples) in(err error, column string) error {
	if e, ok := errors.AsType[*pgerr.Error](err); ok {
		return e.In("COPY %s, line %d, column %s", c.table, c.row, column)
	}
	return err
}

// full reads len(p) bytes, or says what is missing.
func (c *copyTuples) full(p []byte, missing string) error {
	_, err := io.ReadFull(c.from, p)
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return badCopy("%s", missing)
	}
	return err
}

func (c *copyTuples) begin() error {
	head := make([]byte, len(copySignature)+8)
	if err := c.full(head[:len(copySignature)], "COPY file signature not recognized"); err != nil {
		return err
	}
	if string(head[:len(copySignature)]) != copySignature {
		return badCopy("COPY file signature not recognized")
	}
	head = head[len(copySignature):]
	if err := c.full(head[:4], "invalid COPY file header (missing flags)"); err != nil {
		return err
	}
	flags := binary.BigEndian.Uint32(head)
	switch {
	case flags&(1<<16) != 0:
		return badCopy("invalid COPY file header (WITH OIDS)")
	case flags&0xffff0000 != 0:
		return badCopy("unrecognized critical flags in COPY file header")
	}
	if err := c.full(head[4:], "invalid COPY file header (missing length)"); err != nil {
		return err
	}
	n := int32(binary.BigEndian.Uint32(head[4:]))
	if n < 0 {
		return badCopy("invalid COPY file header (missing length)")
	}
	if _, err := io.CopyN(io.Discard, c.from, int64(n)); errors.Is(err, io.EOF) {
		return badCopy("invalid COPY file header (wrong length)")
	} else if err != nil {
		return err
	}
	return nil
}

func (c *copyTuples) next() ([][]byte, error) {
	if c.row == 0 {
		if err := c.begin(); err != nil {
			return nil, err
		}
	}
	c.row++
	var head [4]byte
	if _, err := io.ReadFull(c.from, head[:2]); err != nil {
		if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
			return nil, io.EOF // old clients send no end
		}
		return nil, err
	}
	count := int16(binary.BigEndian.Uint16(head[:]))
	if count == -1 {
		if _, err := c.from.ReadByte(); err == nil {
			return nil, badCopy("received copy data after EOF marker")
		} else if !errors.Is(err, io.EOF) {
			return nil, err
		}
		return nil, io.EOF
	}
	if int(count) != len(c.names) {
		return nil, badCopy("row field count is %d, expected %d", count, len(c.names))
	}
	c.fields = c.fields[:0]
	for _, name := range c.names {
		if err := c.full(head[:], "unexpected EOF in COPY data"); err != nil {
			return nil, c.in(err, name)
		}
		n := int32(binary.BigEndian.Uint32(head[:]))
		if n == -1 {
			c.fields = append(c.fields, nil)
			continue
		}
		if n < 0 || n > maxCopyLine {
			return nil, c.in(badCopy("invalid field size"), name)
		}
		value, err := io.ReadAll(io.LimitReader(c.from, int64(n))) // grows with what comes, not with what is claimed
		if err != nil {
			return nil, err
		}
		if len(value) < int(n) {
			return nil, c.in(badCopy("unexpected EOF in COPY data"), name)
		}
		c.fields = append(c.fields, value)
	}
	return c.fields, nil
}
