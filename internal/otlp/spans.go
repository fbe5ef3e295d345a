package otlp

import (
	"encoding/hex"
	"strconv"

	"github.com/tael-sql/tael-sql/internal/pgtypes"
)

func spanField(name string) int { return mustField(SpansSchema, name) }

var (
	spanTraceID           = spanField("trace_id")
	spanSpanID            = spanField("span_id")
	spanParent            = spanField("parent_span_id")
	spanOperation         = spanField("operation")
	spanStart             = spanField("start_time_unix_nano")
	spanEnd               = spanField("end_time_unix_nano")
	spanStatus            = spanField("status")
	spanKind              = spanField("kind")
	spanEvents            = spanField("events")
	spanOTelKind          = spanField("otel_kind")
	spanStatusMessage     = spanField("status_message")
	spanTraceState        = spanField("trace_state")
	spanFlags             = spanField("flags")
	spanParentRemote      = spanField("parent_is_remote")
	spanIsRoot            = spanField("is_root")
	spanLinks             = spanField("links")
	spanDroppedAttributes = spanField("dropped_attributes_count")
	spanDroppedEvents     = spanField("dropped_events_count")
	spanDroppedLinks      = spanField("dropped_links_count")
	spanExceptionType     = spanField("exception_type")
	spanExceptionMessage  = spanField("exception_message")
)

// Names of OTLP's enums, by number.
var (
	otelKinds = []string{"unspecified", "internal", "server", "client", "producer", "consumer"}
	kinds     = []string{"internal", "internal", "server", "client", "producer", "consumer"}
	statuses  = []string{"unset", "ok", "error"}
)

// Bits of a span's flags.
const (
	flagHasIsRemote = 1 << 8
	flagIsRemote    = 1 << 9
)

// A span as received.
type span struct {
	traceID, spanID, parentID       []byte
	name, state, message            string
	start, end                      uint64
	flags, dropped, droppedE, dropL int64
	kind, status                    int32
}

func (d *decoder) span(b []byte) error {
	d.begin()
	var s span
	if err := d.readSpan(b, &s); err != nil {
		return err
	}
	return d.done("span", d.addSpan(&s))
}

func (d *decoder) readSpan(b []byte, s *span) error {
	m := message{rest: b}
	for m.next() {
		switch m.num() {
		case 1:
			s.traceID = m.bytes()
		case 2:
			s.spanID = m.bytes()
		case 3:
			s.state = m.text()
		case 4:
			s.parentID = m.bytes()
		case 5:
			s.name = m.text()
		case 6:
			s.kind = m.int32()
		case 7:
			s.start = m.fixed64()
		case 8:
			s.end = m.fixed64()
		case 9:
			d.kvs = append(d.kvs, m.bytes())
		case 10:
			s.dropped = m.uint32()
		case 11:
			d.parts = append(d.parts, m.bytes())
		case 12:
			s.droppedE = m.uint32()
		case 13:
			d.links = append(d.links, m.bytes())
		case 14:
			s.dropL = m.uint32()
		case 15:
			status := message{rest: m.bytes()}
			for status.next() {
				switch status.num() {
				case 2:
					s.message = status.text()
				case 3:
					s.status = status.int32()
				}
			}
			m.bad = m.bad || status.bad
		case 16:
			s.flags = m.fixed32()
		}
	}
	return m.err()
}

// addSpan sets the columns of a row; nothing is set when it fails.
func (d *decoder) addSpan(s *span) error {
	traceID, err := identifier(s.traceID, 16, "trace_id")
	if err != nil {
		return err
	}
	spanID, err := identifier(s.spanID, 8, "span_id")
	if err != nil {
		return err
	}
	if traceID == nil || spanID == nil {
		return rejectf("trace_id or span_id is zero")
	}
	parentID, err := identifier(s.parentID, 8, "parent_span_id")
	if err != nil {
		return err
	}
	start, err := nanos(s.start, "start_time_unix_nano")
	if err != nil {
		return err
	}
	end, err := nanos(s.end, "end_time_unix_nano")
	if err != nil {
		return err
	}
	if err := d.unexpired(start); err != nil {
		return err
	}
	if err := d.originError(); err != nil {
		return err
	}
	if err := d.attributes.parse(d.kvs); err != nil {
		return err
	}
	var exception exception
	events, err := d.events(&exception)
	if err != nil {
		return err
	}
	links, err := d.spanLinks()
	if err != nil {
		return err
	}

	t, row := d.table, d.row
	t.hex(spanTraceID, row, traceID)
	t.hex(spanSpanID, row, spanID)
	if parentID != nil {
		t.hex(spanParent, row, parentID)
	}
	t.bool(spanIsRoot, row, parentID == nil)
	t.int(spanStart, row, start)
	t.int(spanEnd, row, end)
	d.zeroTime = d.zeroTime || start == 0
	d.column(spanOperation, s.name)
	d.column(spanTraceState, s.state)
	d.column(spanStatusMessage, s.message)
	d.enum(spanStatus, statuses, s.status, "unset")
	d.enum(spanOTelKind, otelKinds, s.kind, "unspecified")
	t.int(spanFlags, row, s.flags)
	if s.flags&flagHasIsRemote != 0 {
		t.bool(spanParentRemote, row, s.flags&flagIsRemote != 0)
	}
	t.text(spanEvents, row, events)
	t.text(spanLinks, row, links)
	t.int(spanDroppedAttributes, row, s.dropped)
	t.int(spanDroppedEvents, row, s.droppedE)
	t.int(spanDroppedLinks, row, s.dropL)
	if exception.found {
		if exception.kind != "" {
			t.text(spanExceptionType, row, exception.kind)
		}
		if exception.message != "" {
			t.text(spanExceptionMessage, row, exception.message)
		}
	}

	var sh *shape
	sh, d.ext = d.attributes.add(d.ext)
	d.attributes.promote(t, row, sh)
	kind := "internal"
	switch {
	case sh.llm:
		kind = "llm"
	case s.kind >= 0 && int(s.kind) < len(kinds):
		kind = kinds[s.kind]
	}
	t.text(spanKind, row, kind)
	d.setExt()
	return nil
}

// An exception is the first event named so.
type exception struct {
	found         bool
	kind, message string
}

// events gives the events as jsonb, and to ext those that it cannot carry.
func (d *decoder) events(ex *exception) (string, error) {
	if len(d.parts) == 0 {
		return "[]", nil
	}
	dst := append(d.json[:0], '[')
	for i, raw := range d.parts {
		if i > 0 {
			dst = append(dst, ", "...)
		}
		var lossy bool
		var err error
		if dst, lossy, err = appendEvent(dst, raw, ex); err != nil {
			return "", err
		}
		if lossy {
			d.ext = appendExtPart(d.ext, extEvent, i, raw)
		}
	}
	d.json = append(dst, ']')
	return string(d.json), nil
}

func appendEvent(dst, b []byte, ex *exception) (out []byte, lossy bool, err error) {
	var at uint64
	var name string
	var dropped int64
	var kvs [][]byte
	m := message{rest: b}
	for m.next() {
		switch m.num() {
		case 1:
			at = m.fixed64()
		case 2:
			name = m.text()
		case 3:
			kvs = append(kvs, m.bytes())
		case 4:
			dropped = m.uint32()
		}
	}
	if m.bad {
		return dst, false, ErrMalformed
	}
	time, err := nanos(at, "the time of an event")
	if err != nil {
		return dst, false, err
	}
	text, ok := clean(name)
	lossy = !ok
	dst = pgtypes.JSONQuote(append(dst, `{"name": `...), text)
	dst = appendTimestamp(append(dst, `, "timestamp": "`...), time)
	dst, members, err := appendObject(append(dst, `", "attributes": `...), kvs, 0)
	if err != nil {
		return dst, false, err
	}
	for _, m := range members {
		lossy = lossy || m.lossy
	}
	dst = appendMember(dst, `, "time_unix_nano": `, time)
	dst = append(appendMember(dst, `, "dropped_attributes_count": `, dropped), '}')
	if name == "exception" && !ex.found {
		ex.found = true
		for _, m := range members {
			switch m.key {
			case "exception.type":
				_, ex.kind = memberText(m)
			case "exception.message":
				_, ex.message = memberText(m)
			}
		}
	}
	return dst, lossy, nil
}

// spanLinks gives the links as jsonb, and to ext those that it cannot carry.
func (d *decoder) spanLinks() (string, error) {
	if len(d.links) == 0 {
		return "[]", nil
	}
	dst := append(d.json[:0], '[')
	for i, raw := range d.links {
		if i > 0 {
			dst = append(dst, ", "...)
		}
		var lossy bool
		var err error
		if dst, lossy, err = appendLink(dst, raw); err != nil {
			return "", err
		}
		if lossy {
			d.ext = appendExtPart(d.ext, extLink, i, raw)
		}
	}
	d.json = append(dst, ']')
	return string(d.json), nil
}

func appendLink(dst, b []byte) (out []byte, lossy bool, err error) {
	var traceID, spanID []byte
	var state string
	var dropped, flags int64
	var kvs [][]byte
	m := message{rest: b}
	for m.next() {
		switch m.num() {
		case 1:
			traceID = m.bytes()
		case 2:
			spanID = m.bytes()
		case 3:
			state = m.text()
		case 4:
			kvs = append(kvs, m.bytes())
		case 5:
			dropped = m.uint32()
		case 6:
			flags = m.fixed32()
		}
	}
	if m.bad {
		return dst, false, ErrMalformed
	}
	if _, err := identifier(traceID, 16, "the trace_id of a link"); err != nil {
		return dst, false, err
	}
	if _, err := identifier(spanID, 8, "the span_id of a link"); err != nil {
		return dst, false, err
	}
	text, ok := clean(state)
	dst = appendMember(dst, `{"flags": `, flags)
	dst = appendID(append(dst, `, "span_id": `...), spanID)
	dst = appendID(append(dst, `, "trace_id": `...), traceID)
	dst, members, err := appendObject(append(dst, `, "attributes": `...), kvs, 0)
	if err != nil {
		return dst, false, err
	}
	lossy = !ok
	for _, m := range members {
		lossy = lossy || m.lossy
	}
	dst = pgtypes.JSONQuote(append(dst, `, "trace_state": `...), text)
	dst = strconv.AppendInt(append(dst, `, "dropped_attributes_count": `...), dropped, 10)
	return append(dst, '}'), lossy, nil
}

// appendID appends an id as a jsonb string.
func appendID(dst, id []byte) []byte {
	return append(hex.AppendEncode(append(dst, '"'), id), '"')
}
