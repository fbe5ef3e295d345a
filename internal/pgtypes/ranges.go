package pgtypes

import (
	"encoding/binary"
	"strings"

	"github.com/tael-sql/tael-sql/internal/pgerr"
)

// The range types are carried in PostgreSQL's text form; nothing computes with
// them. rangeElements gives the types of their bounds.
var rangeElements = map[OID]OID{
	Int4Range: Int4, Int8Range: Int8, Numrange: Numeric, Tsrange: Timestamp, Tstzrange: Timestamptz, Daterange: Date,
}

// The flags that begin a range's binary form.
const (
	rangeEmpty          = 1 << 0
	rangeLowerInclusive = 1 << 1
	rangeUpperInclusive = 1 << 2
	rangeLowerInfinite  = 1 << 3
	rangeUpperInfinite  = 1 << 4
)

// parseRange reads the text form. Ranges of integers and dates have one form:
// with their lower bound, without their upper one.
func parseRange(t Type, text string) (string, error) {
	raw, err := appendRange(nil, t, text)
	if err != nil {
		return "", err
	}
	switch t.OID {
	case Int4Range, Int8Range, Daterange:
		return decodeRange(t, raw)
	}
	return text, nil
}

// discrete brings a range of integers or dates into its one form.
func discrete(flags byte, bounds []any) (byte, []any, error) {
	if flags&(rangeLowerInclusive|rangeLowerInfinite) == 0 {
		flags |= rangeLowerInclusive
		bounds[0] = bounds[0].(int64) + 1
	}
	if flags&rangeUpperInclusive != 0 {
		flags &^= rangeUpperInclusive
		bounds[1] = bounds[1].(int64) + 1
	}
	if bounds[0] != nil && bounds[1] != nil {
		switch lower, upper := bounds[0].(int64), bounds[1].(int64); {
		case lower == upper:
			return rangeEmpty, nil, nil
		case lower > upper:
			return 0, nil, pgerr.New(pgerr.DataException, "range lower bound must be less than or equal to range upper bound")
		}
	}
	return flags, bounds, nil
}

// appendRange appends the binary form of a text form.
func appendRange(dst []byte, t Type, text string) ([]byte, error) {
	bad := pgerr.New(pgerr.InvalidTextRepresentation, "malformed range literal: \"%s\"", text)
	s := strings.TrimSpace(text)
	if strings.EqualFold(s, "empty") {
		return append(dst, rangeEmpty), nil
	}
	if len(s) < 3 || !strings.Contains("[(", s[:1]) || !strings.Contains("])", s[len(s)-1:]) {
		return nil, bad
	}
	var flags byte
	if s[0] == '[' {
		flags |= rangeLowerInclusive
	}
	if s[len(s)-1] == ']' {
		flags |= rangeUpperInclusive
	}
	bounds := strings.Split(strings.ReplaceAll(s[1:len(s)-1], `"`, ""), ",") // no bound has a comma
	if len(bounds) != 2 {
		return nil, bad
	}
	if bounds[0] == "" {
		flags = flags&^rangeLowerInclusive | rangeLowerInfinite
	}
	if bounds[1] == "" {
		flags = flags&^rangeUpperInclusive | rangeUpperInfinite
	}
	elem := Of(rangeElements[t.OID])
	values := make([]any, 2)
	for i, b := range bounds {
		if b == "" {
			continue
		}
		var err error
		if values[i], err = DecodeText(elem, b, nil); err != nil {
			return nil, err
		}
	}
	switch t.OID {
	case Int4Range, Int8Range, Daterange:
		var err error
		if flags, values, err = discrete(flags, values); err != nil {
			return nil, err
		}
	}
	dst = append(dst, flags)
	for _, v := range values {
		if v == nil {
			continue
		}
		var err error
		if dst, err = appendSized(dst, elem, v); err != nil {
			return nil, err
		}
	}
	return dst, nil
}

// decodeRange reads the binary form.
func decodeRange(t Type, b []byte) (string, error) {
	if len(b) == 0 {
		return "", shortBinary()
	}
	flags := b[0]
	b = b[1:]
	if flags&rangeEmpty != 0 {
		if len(b) > 0 {
			return "", badBinary()
		}
		return "empty", nil
	}
	elem := Of(rangeElements[t.OID])
	bound := func(infinite byte) (string, error) {
		if flags&infinite != 0 {
			return "", nil
		}
		if len(b) < 4 {
			return "", shortBinary()
		}
		n := binary.BigEndian.Uint32(b)
		if b = b[4:]; uint64(n) > uint64(len(b)) {
			return "", shortBinary()
		}
		v, err := DecodeBinary(elem, b[:n])
		if err != nil {
			return "", err
		}
		b = b[n:]
		text, err := AppendText(nil, elem, v, nil)
		if strings.Contains(string(text), " ") {
			return `"` + string(text) + `"`, err
		}
		return string(text), err
	}
	lower, err := bound(rangeLowerInfinite)
	if err != nil {
		return "", err
	}
	upper, err := bound(rangeUpperInfinite)
	if err != nil {
		return "", err
	}
	if len(b) > 0 {
		return "", badBinary()
	}
	open, shut := "(", ")"
	if flags&rangeLowerInclusive != 0 {
		open = "["
	}
	if flags&rangeUpperInclusive != 0 {
		shut = "]"
	}
	return open + lower + "," + upper + shut, nil
}
