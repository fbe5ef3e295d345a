package otlp

import (
	"math"
	"slices"
	"strconv"

	"github.com/tael-sql/tael-sql/internal/pgtypes"
	"github.com/tael-sql/tael-sql/internal/vector"
)

// maxDepth is how deep AnyValues may nest.
const maxDepth = 32

var errTooDeep = rejection("a value nests deeper than 32 levels")

// A value is an AnyValue. Lossy says that jsonb cannot carry all of it.
type value struct {
	tag   vector.Tag
	bits  uint64 // as in vector.Attrs, for Bool, Int and Double
	str   string // String: as received; Bytes: base64; JSON: jsonb text
	lossy bool
}

// parseValue reads an AnyValue. A string is not yet cleaned.
func parseValue(b []byte, depth int) (value, error) {
	if depth > maxDepth {
		return value{}, errTooDeep
	}
	var v value
	m := message{rest: b}
	for m.next() {
		switch m.num() {
		case 1:
			v = value{tag: vector.TagString, str: m.text()}
		case 2:
			v = value{tag: vector.TagBool}
			if m.varint() != 0 {
				v.bits = 1
			}
		case 3:
			v = value{tag: vector.TagInt, bits: m.varint()}
		case 4:
			f := m.double()
			v = value{tag: vector.TagDouble, bits: math.Float64bits(f), lossy: math.IsNaN(f) || math.IsInf(f, 0)}
		case 5, 6:
			sub := m.bytes()
			if m.bad {
				break
			}
			var text []byte
			var lossy bool
			var err error
			if m.num() == 5 {
				text, lossy, err = appendArray(nil, sub, depth)
			} else {
				text, lossy, err = appendKeyValueList(nil, sub, depth)
			}
			if err != nil {
				return value{}, err
			}
			v = value{tag: vector.TagJSON, str: string(text), lossy: lossy}
		case 7:
			v = value{tag: vector.TagBytes, str: vector.Base64(m.bytes()), lossy: true}
		}
	}
	return v, m.err()
}

// appendValue appends an AnyValue as jsonb.
func appendValue(dst, b []byte, depth int) (out []byte, lossy bool, err error) {
	v, err := parseValue(b, depth)
	if err != nil {
		return dst, false, err
	}
	switch v.tag {
	case vector.TagString:
		text, ok := clean(v.str)
		return pgtypes.JSONQuote(dst, text), !ok, nil
	case vector.TagBytes:
		return pgtypes.JSONQuote(dst, v.str), true, nil
	case vector.TagJSON:
		return append(dst, v.str...), v.lossy, nil
	case vector.TagBool:
		return strconv.AppendBool(dst, v.bits != 0), false, nil
	case vector.TagInt:
		return strconv.AppendInt(dst, int64(v.bits), 10), false, nil
	case vector.TagDouble:
		return appendDouble(dst, math.Float64frombits(v.bits)), v.lossy, nil
	default:
		return append(dst, "null"...), false, nil
	}
}

// appendDouble appends a double as jsonb; what is no number becomes a string.
func appendDouble(dst []byte, f float64) []byte {
	if !math.IsNaN(f) && !math.IsInf(f, 0) {
		return vector.AppendJSONDouble(dst, f)
	}
	return append(vector.AppendJSONDouble(append(dst, '"'), f), '"')
}

func appendArray(dst, b []byte, depth int) (out []byte, lossy bool, err error) {
	dst = append(dst, '[')
	first := true
	err = fields(b, 1, func(sub []byte) error {
		if !first {
			dst = append(dst, ", "...)
		}
		first = false
		var l bool
		var err error
		dst, l, err = appendValue(dst, sub, depth+1)
		lossy = lossy || l
		return err
	})
	return append(dst, ']'), lossy, err
}

func appendKeyValueList(dst, b []byte, depth int) (out []byte, lossy bool, err error) {
	var kvs [][]byte
	if err := fields(b, 1, func(sub []byte) error { kvs = append(kvs, sub); return nil }); err != nil {
		return dst, false, err
	}
	dst, members, err := appendObject(dst, kvs, depth)
	for _, m := range members {
		lossy = lossy || m.lossy
	}
	return dst, lossy, err
}

// A member is one KeyValue of a list that becomes a jsonb object. Lossy also
// says that its key occurs twice.
type member struct {
	key   string
	json  []byte
	raw   []byte // the KeyValue
	lossy bool
}

// appendObject appends KeyValues as a jsonb object and gives its members in
// the order of jsonb.
func appendObject(dst []byte, kvs [][]byte, depth int) ([]byte, []member, error) {
	if len(kvs) == 0 {
		return append(dst, "{}"...), nil, nil
	}
	members := make([]member, len(kvs))
	for i, kv := range kvs {
		key, raw, err := keyValue(kv)
		if err != nil {
			return dst, nil, err
		}
		text, ok := clean(key)
		json, lossy, err := appendValue(nil, raw, depth+1)
		if err != nil {
			return dst, nil, err
		}
		members[i] = member{key: text, json: json, raw: kv, lossy: lossy || !ok}
	}
	slices.SortStableFunc(members, func(a, b member) int { return pgtypes.CompareJSONKeys(a.key, b.key) })
	dst = append(dst, '{')
	first := true
	for i := range members {
		m := &members[i]
		if i > 0 && members[i-1].key == m.key {
			members[i-1].lossy, m.lossy = true, true
		}
		if i+1 < len(members) && members[i+1].key == m.key { // the last counts
			continue
		}
		if !first {
			dst = append(dst, ", "...)
		}
		first = false
		dst = append(append(pgtypes.JSONQuote(dst, m.key), ": "...), m.json...)
	}
	return append(dst, '}'), members, nil
}

// keyValue splits a KeyValue into its key and its AnyValue.
func keyValue(kv []byte) (key string, val []byte, err error) {
	m := message{rest: kv}
	for m.next() {
		switch m.num() {
		case 1:
			key = m.text()
		case 2:
			val = m.bytes()
		}
	}
	return key, val, m.err()
}
