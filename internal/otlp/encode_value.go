package otlp

import (
	"encoding/base64"
	"encoding/hex"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/tael-sql/tael-sql/internal/pgtypes"
	"github.com/tael-sql/tael-sql/internal/vector"
)

// itemAttributes writes the attributes of the row as KeyValues of field num.
func (e *encoder) itemAttributes(num uint64) {
	e.keys = e.keys[:0]
	c := e.valid(e.attributes)
	switch {
	case c == nil:
		e.extraAttributes(num, e.ext.item)
	case c.Kind == vector.Map:
		e.extraAttributes(num, e.ext.item)
		extra := len(e.keys)
		a := c.Attrs
		for at := a.Off[e.row]; at < a.Off[e.row+1]; at++ {
			key := a.KeyDict[a.Keys[at]]
			if slices.Contains(e.keys[:extra], key) {
				continue
			}
			e.keys = append(e.keys, key)
			kv := e.begin(num)
			e.dst = appendBytes(e.dst, 1, key)
			m := e.begin(2)
			e.entry(a, int(at))
			e.end(m)
			e.end(kv)
		}
	default:
		e.jsonAttributes(num, e.attributes, c.Str(e.row), e.ext.item)
	}
}

// entry writes the AnyValue of an attribute.
func (e *encoder) entry(a *vector.Attrs, at int) {
	bits := a.Vals[at]
	switch a.Tags[at] {
	case vector.TagString:
		e.dst = appendBytes(e.dst, 1, a.Strs[bits])
	case vector.TagBool:
		e.dst = appendVarint(e.dst, 2, bits)
	case vector.TagInt:
		e.dst = appendVarint(e.dst, 3, bits)
	case vector.TagDouble:
		e.fixed64(4, bits)
	case vector.TagJSON:
		e.json(e.attributes, a.Strs[bits])
	case vector.TagBytes:
		raw, err := base64.StdEncoding.DecodeString(a.Strs[bits])
		if err != nil {
			e.fail(e.attributes, "holds bytes that are not base64")
		}
		e.dst = appendBytes(e.dst, 7, raw)
	}
}

// jsonAttributes writes a jsonb object as KeyValues of field num. Those that
// jsonb could not carry are in extra.
func (e *encoder) jsonAttributes(num uint64, field int, doc string, extra []extraAttribute) {
	e.keys = e.keys[:0]
	e.extraAttributes(num, extra)
	if doc != "" && pgtypes.JSONTypeOf(doc) != "object" {
		e.fail(field, "is no JSON object")
	}
	n := len(e.keys)
	for key, raw := range pgtypes.JSONEach(doc) {
		if slices.Contains(e.keys[:n], key) {
			continue
		}
		e.keys = append(e.keys, key)
		e.keyValue(num, field, key, raw)
	}
}

func (e *encoder) extraAttributes(num uint64, extra []extraAttribute) {
	for _, x := range extra {
		e.keys = append(e.keys, x.key)
		e.dst = appendBytes(e.dst, num, x.raw)
	}
}

func (e *encoder) keyValue(num uint64, field int, key, raw string) {
	kv := e.begin(num)
	e.dst = appendBytes(e.dst, 1, key)
	m := e.begin(2)
	e.json(field, raw)
	e.end(m)
	e.end(kv)
}

// json writes a jsonb value as an AnyValue. A number without fraction that an
// int64 holds is an int, any other a double.
func (e *encoder) json(field int, raw string) {
	switch pgtypes.JSONTypeOf(raw) {
	case "string":
		s, _ := pgtypes.JSONText(raw)
		e.dst = appendBytes(e.dst, 1, s)
	case "boolean":
		v := uint64(0)
		if raw == "true" {
			v = 1
		}
		e.dst = appendVarint(e.dst, 2, v)
	case "number":
		e.jsonNumber(field, 3, 4, raw, func(num uint64, n int64) { e.dst = appendVarint(e.dst, num, uint64(n)) })
	case "array":
		m := e.begin(5)
		for _, v := range pgtypes.JSONElements(raw) {
			elem := e.begin(1)
			e.json(field, v)
			e.end(elem)
		}
		e.end(m)
	case "object":
		m := e.begin(6)
		for key, v := range pgtypes.JSONEach(raw) {
			e.keyValue(1, field, key, v)
		}
		e.end(m)
	}
}

func (e *encoder) jsonNumber(field int, intNum, doubleNum uint64, raw string, writeInt func(num uint64, n int64)) {
	if !strings.ContainsAny(raw, ".eE") {
		if n, err := strconv.ParseInt(raw, 10, 64); err == nil {
			writeInt(intNum, n)
			return
		}
	}
	f, err := strconv.ParseFloat(raw, 64)
	if err != nil {
		e.fail(field, "has the number %s, which no double is", raw)
	}
	e.fixed64(doubleNum, math.Float64bits(f))
}

// jsonText writes a jsonb string, unless it is empty or null.
func (e *encoder) jsonText(num uint64, raw string) {
	if s, null := pgtypes.JSONText(raw); !null && s != "" {
		e.dst = appendBytes(e.dst, num, s)
	}
}

// jsonID writes a jsonb string of hexadecimal digits.
func (e *encoder) jsonID(field int, num uint64, raw string) {
	s, _ := pgtypes.JSONText(raw)
	id, err := hex.DecodeString(s)
	if err != nil {
		e.fail(field, "has the id %s, which is not hexadecimal", raw)
	}
	if len(id) > 0 {
		e.dst = appendBytes(e.dst, num, id)
	}
}

// jsonInt gives a jsonb number of at most limit.
func (e *encoder) jsonInt(field int, raw string, limit uint64) uint64 {
	n, err := strconv.ParseUint(raw, 10, 64)
	if err != nil || n > limit {
		e.fail(field, "has %s where an integer from 0 to %d belongs", raw, limit)
	}
	return n
}

// A moment is the time of an event or exemplar: exact, or else as a timestamp.
type moment struct {
	nanos uint64
	exact bool
}

func (e *encoder) moment(field int, m *moment, key, raw string) {
	if key == "time_unix_nano" {
		*m = moment{e.jsonInt(field, raw, math.MaxInt64), true}
		return
	}
	s, null := pgtypes.JSONText(raw)
	if m.exact || null {
		return
	}
	t, err := time.Parse(time.RFC3339Nano, s)
	if err != nil || t.UnixNano() < 0 {
		e.fail(field, "has %s where a time since 1970 belongs", raw)
		return
	}
	m.nanos = uint64(t.UnixNano())
}

func (e *encoder) writeMoment(num uint64, m moment) {
	if m.nanos != 0 {
		e.fixed64(num, m.nanos)
	}
}
