package otlp

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"math"
	"slices"

	"github.com/tael-sql/tael-sql/internal/pgtypes"
	"github.com/tael-sql/tael-sql/internal/vector"
)

// Encode makes an OTLP request of rows of one of the three schemas, such that
// Decode gives the rows back. Of what was received nothing is lost but the
// order of keys and what held no item. Rows in sequence that agree share their
// resource, scope and metric.
//
// A column may be nil, all NULL then, and any value may be NULL: it is then as
// if a sender had left it out. Columns are of the schema's kind or as
// vector.Builder makes them: a Hex column then has the ids' texts and a Map
// column jsonb texts.
//
// Columns that follow from others (is_root, series_id, exception_type and so
// on), timestamp_unix_nano, source and ingested_at_unix_nano are not looked at,
// with these exceptions, for rows that no request made. A promoted column and
// service become attributes where attributes have none of its names. kind,
// severity and metric_type count where otel_kind, severity_number and otel_type
// are NULL; parent_is_remote and no_recorded_value become bits of flags.
//
// The error is a *ValueError. Decode rejects what else no row can hold.
func Encode(rows *vector.Rows) ([]byte, error) {
	e := &encoder{rows: rows, service: mustField(rows.Schema, "service"), origin: mustField(rows.Schema, "resource_attributes")}
	e.attributes = mustField(rows.Schema, "attributes")
	item := e.span
	e.groups = spanGroups
	switch rows.Schema {
	case SpansSchema:
	case LogsSchema:
		item, e.groups = e.log, logGroups
	case MetricsSchema:
		item, e.groups = e.point, metricGroups
	default:
		panic("BUG: no signal has the schema " + rows.Schema.Name)
	}
	for e.row = range rows.N {
		e.loadExt()
		e.regroup()
		item()
		if e.err != nil {
			return nil, e.err
		}
	}
	e.closeGroups(0)
	return e.dst, nil
}

// A ValueError says which value of a row OTLP cannot express.
type ValueError struct {
	Row    int
	Column string
	Reason string
}

// Error implements error.
func (e *ValueError) Error() string {
	return fmt.Sprintf("otlp: column %s of row %d %s", e.Column, e.Row, e.Reason)
}

// What rows can share, from the outside in.
const (
	levelResource = iota
	levelScope
	levelMetric
	levels
)

// groups are the fields that rows which share a level agree in.
type groups [levels][]int

var (
	spanGroups   = newGroups(SpansSchema, nil)
	logGroups    = newGroups(LogsSchema, nil)
	metricGroups = newGroups(MetricsSchema, []string{
		"name", "description", "unit", "otel_type", "metric_type", "temporality", "is_monotonic", "metadata",
	})
)

func newGroups(schema *vector.Schema, metric []string) groups {
	var g groups
	names := [levels][]string{
		{
			"service", "resource_attributes", "resource_dropped_attributes_count", "resource_schema_url",
			"resource_entity_refs",
		},
		{"scope_name", "scope_version", "scope_schema_url", "scope_attributes", "scope_dropped_attributes_count"},
		metric,
	}
	for _, p := range resourcePromotions {
		names[levelResource] = append(names[levelResource], p.column)
	}
	for level, list := range names {
		for _, name := range list {
			if i := schema.Index(name); i >= 0 {
				g[level] = append(g[level], i)
			}
		}
	}
	return g
}

// An encoder writes one request.
type encoder struct {
	rows                        *vector.Rows
	groups                      groups
	service, attributes, origin int // fields

	dst  []byte
	open []mark // of the groups under way; the number of marks a level has is in depth
	// depth is len(open) before each level that is under way was opened.
	depth []int
	err   error

	row       int
	ext, last ext      // of this row and of the one before
	keys      []string // of the attributes just written
}

// A mark is the place of a message's length, which is written when it ends.
type mark int

// begin starts the message of field num.
func (e *encoder) begin(num uint64) mark {
	e.dst = append(appendTag(e.dst, num, wireBytes), 0)
	return mark(len(e.dst))
}

// end ends the message that began at m.
func (e *encoder) end(m mark) {
	n := len(e.dst) - int(m)
	var length [binary.MaxVarintLen64]byte
	k := binary.PutUvarint(length[:], uint64(n))
	if k > 1 { // begin left room for one byte
		e.dst = append(e.dst, length[1:k]...)
		copy(e.dst[int(m)+k-1:], e.dst[m:int(m)+n])
	}
	copy(e.dst[m-1:], length[:k])
}

// endIfSet ends a message whose tag took one byte, or takes it back where it
// holds nothing.
func (e *encoder) endIfSet(m mark) {
	if len(e.dst) > int(m) {
		e.end(m)
	} else {
		e.dst = e.dst[:m-2]
	}
}

func (e *encoder) fail(field int, format string, args ...any) {
	if e.err == nil {
		e.err = &ValueError{Row: e.row, Column: e.rows.Schema.Fields[field].Name, Reason: fmt.Sprintf(format, args...)}
	}
}

// regroup ends the groups that the row is not in and begins its own.
func (e *encoder) regroup() {
	level := 0
	if e.row > 0 {
		for level < levels && e.sameGroup(level) {
			level++
		}
	}
	e.closeGroups(level)
	for ; level < levels; level++ {
		e.depth = append(e.depth, len(e.open))
		switch level {
		case levelResource:
			e.open = append(e.open, e.begin(1))
			e.resource()
		case levelScope:
			e.open = append(e.open, e.begin(2))
			e.scope()
		case levelMetric:
			if e.rows.Schema == MetricsSchema {
				e.metric()
			}
		}
	}
}

// closeGroups ends the groups under way from a level inwards.
func (e *encoder) closeGroups(level int) {
	if level >= len(e.depth) {
		return
	}
	for len(e.open) > e.depth[level] {
		e.end(e.open[len(e.open)-1])
		e.open = e.open[:len(e.open)-1]
	}
	e.depth = e.depth[:level]
}

// sameGroup says whether the row and the one before agree at a level.
func (e *encoder) sameGroup(level int) bool {
	for _, field := range e.groups[level] {
		if c := e.rows.Cols[field]; c != nil && !sameAsBefore(c, e.row) {
			return false
		}
	}
	return bytes.Equal(e.ext.level[level], e.last.level[level])
}

func sameAsBefore(c *vector.Column, row int) bool {
	if c.IsNull(row) || c.IsNull(row-1) {
		return c.IsNull(row) && c.IsNull(row-1)
	}
	switch c.Kind {
	case vector.Int64:
		return c.Ints[row] == c.Ints[row-1]
	case vector.Bool:
		return c.Bools[row] == c.Bools[row-1]
	default:
		return c.Str(row) == c.Str(row-1)
	}
}

// resource writes the Resource and its schema URL.
func (e *encoder) resource() {
	attributes, _ := e.text(e.origin + atResourceAttributes)
	dropped, present := e.int(e.origin + atResourceDropped)
	m := e.begin(1)
	e.jsonAttributes(1, e.origin+atResourceAttributes, attributes, e.ext.resource)
	if s, ok := e.text(e.service); ok && s != "unknown" {
		e.addAttribute(1, []string{"service.name"}, s)
	}
	for _, p := range resourcePromotions {
		if field := e.rows.Schema.Index(p.column); field >= 0 {
			e.promotion(1, field, p.names)
		}
	}
	e.unsigned(e.origin+atResourceDropped, 2, dropped)
	e.entityRefs()
	if present {
		e.end(m)
	} else {
		e.endIfSet(m)
	}
	e.column(e.origin+atResourceSchemaURL, 3)
}

// scope writes the InstrumentationScope and its schema URL.
func (e *encoder) scope() {
	attributes, _ := e.text(e.origin + atScopeAttributes)
	dropped, present := e.int(e.origin + atScopeDropped)
	m := e.begin(1)
	e.column(e.origin+atScopeName, 1)
	e.column(e.origin+atScopeVersion, 2)
	e.jsonAttributes(3, e.origin+atScopeAttributes, attributes, e.ext.scope)
	e.unsigned(e.origin+atScopeDropped, 4, dropped)
	if present {
		e.end(m)
	} else {
		e.endIfSet(m)
	}
	e.column(e.origin+atScopeSchemaURL, 3)
}

func (e *encoder) entityRefs() {
	field := e.origin + atResourceEntityRefs
	list, _ := e.text(field)
	for i, raw := range pgtypes.JSONElements(list) {
		if part, ok := e.ext.part(extEntityRef, i); ok {
			e.dst = appendBytes(e.dst, 3, part)
			continue
		}
		m := e.begin(3)
		for key, v := range pgtypes.JSONEach(raw) {
			switch key {
			case "schema_url":
				e.jsonText(1, v)
			case "type":
				e.jsonText(2, v)
			case "id_keys":
				for _, id := range pgtypes.JSONElements(v) {
					e.jsonText(3, id)
				}
			case "description_keys":
				for _, d := range pgtypes.JSONElements(v) {
					e.jsonText(4, d)
				}
			}
		}
		e.end(m)
	}
}

// promotion writes the attribute of a promoted column where attributes lack it.
func (e *encoder) promotion(num uint64, field int, names []string) {
	if e.rows.Schema.Fields[field].Kind == vector.Int64 {
		if n, ok := e.int(field); ok {
			e.addAttribute(num, names, n)
		}
	} else if s, ok := e.text(field); ok {
		e.addAttribute(num, names, s)
	}
}

// addAttribute writes an attribute under the first of its names, unless the
// attributes just written have one of them.
func (e *encoder) addAttribute(num uint64, names []string, v any) {
	for _, name := range names {
		if slices.Contains(e.keys, name) {
			return
		}
	}
	kv := e.begin(num)
	e.dst = appendBytes(e.dst, 1, names[0])
	m := e.begin(2)
	switch v := v.(type) {
	case string:
		e.dst = appendBytes(e.dst, 1, v)
	case int64:
		e.dst = appendVarint(e.dst, 3, uint64(v))
	}
	e.end(m)
	e.end(kv)
}

// valid gives a column if the row has a value in it.
func (e *encoder) valid(field int) *vector.Column {
	c := e.rows.Cols[field]
	if c == nil || c.IsNull(e.row) {
		return nil
	}
	return c
}

func (e *encoder) text(field int) (string, bool) {
	if c := e.valid(field); c != nil {
		return c.Str(e.row), true
	}
	return "", false
}

func (e *encoder) int(field int) (int64, bool) {
	if c := e.valid(field); c != nil {
		return c.Ints[e.row], true
	}
	return 0, false
}

func (e *encoder) float(field int) (float64, bool) {
	if c := e.valid(field); c != nil {
		return c.Floats[e.row], true
	}
	return 0, false
}

func (e *encoder) bool(field int) (v, ok bool) {
	if c := e.valid(field); c != nil {
		return c.Bools[e.row], true
	}
	return false, false
}

// column writes a text column, as it was before cleaning.
func (e *encoder) column(field int, num uint64) {
	s, ok := e.ext.texts[e.rows.Schema.Fields[field].Name]
	if !ok {
		s, _ = e.text(field)
	}
	if s != "" {
		e.dst = appendBytes(e.dst, num, s)
	}
}

// enum gives the number of a text column; fallback where it is NULL.
func (e *encoder) enum(field int, names []string, fallback int32) int32 {
	if n, ok := e.ext.enums[e.rows.Schema.Fields[field].Name]; ok {
		return n
	}
	s, ok := e.text(field)
	if !ok {
		return fallback
	}
	n := slices.Index(names, s)
	if n < 0 {
		e.fail(field, "is %q, not one of %q", s, names)
	}
	return int32(n)
}

// varint writes a number unless it is 0.
func (e *encoder) varint(num uint64, n uint64) {
	if n != 0 {
		e.dst = appendVarint(e.dst, num, n)
	}
}

// unsigned writes a value of a column as a uint32, unless it is 0.
func (e *encoder) unsigned(field int, num uint64, n int64) {
	if n < 0 || n > math.MaxUint32 {
		e.fail(field, "is %d, which no uint32 is", n)
	}
	e.varint(num, uint64(n))
}

func (e *encoder) fixed32(field int, num uint64, n int64) {
	if n < 0 || n > math.MaxUint32 {
		e.fail(field, "is %d, which no uint32 is", n)
	}
	if n != 0 {
		e.dst = binary.LittleEndian.AppendUint32(appendTag(e.dst, num, wireFixed32), uint32(n))
	}
}

// fixed64 writes eight bytes, also if they are 0.
func (e *encoder) fixed64(num uint64, n uint64) {
	e.dst = binary.LittleEndian.AppendUint64(appendTag(e.dst, num, wireFixed64), n)
}

// natural writes a column that holds a time or a count, unless it is 0.
func (e *encoder) natural(field int, num uint64) {
	n, _ := e.int(field)
	if n < 0 {
		e.fail(field, "is %d, less than 0", n)
	}
	if n != 0 {
		e.fixed64(num, uint64(n))
	}
}

// double writes a column that holds a float8, if the row has a value.
func (e *encoder) double(field int, num uint64) {
	if f, ok := e.float(field); ok {
		e.fixed64(num, math.Float64bits(f))
	}
}

// id writes a Hex column.
func (e *encoder) id(field int, num uint64) {
	c := e.valid(field)
	if c == nil {
		return
	}
	if c.Kind == vector.Hex {
		e.dst = appendBytes(e.dst, num, c.HexBytes(e.row))
		return
	}
	id, err := hex.DecodeString(c.Str(e.row))
	if width := e.rows.Schema.Fields[field].Width; err != nil || len(id) != width {
		e.fail(field, "is %q, not %d hexadecimal digits", c.Str(e.row), 2*width)
	}
	e.dst = appendBytes(e.dst, num, id)
}
