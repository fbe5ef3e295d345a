package otlp

import (
	"math"

	"github.com/tael-sql/tael-sql/internal/pgtypes"
)

// promotedFields pairs promotions with their fields.
func promotedFields(list []promotion, field func(string) int) []int {
	out := make([]int, len(list))
	for i, p := range list {
		out[i] = field(p.column)
	}
	return out
}

var (
	spanPromoted = promotedFields(spanPromotions, spanField)
	logPromoted  = promotedFields(logPromotions, logField)
)

// span writes the row as a Span.
func (e *encoder) span() {
	m := e.begin(2)
	e.id(spanTraceID, 1)
	e.id(spanSpanID, 2)
	e.column(spanTraceState, 3)
	e.id(spanParent, 4)
	e.column(spanOperation, 5)
	e.varint(6, uint64(uint32(e.spanKind())))
	e.natural(spanStart, 7)
	e.natural(spanEnd, 8)
	e.itemAttributes(9)
	for i, p := range spanPromotions {
		e.promotion(9, spanPromoted[i], p.names)
	}
	dropped, _ := e.int(spanDroppedAttributes)
	e.unsigned(spanDroppedAttributes, 10, dropped)
	events, _ := e.text(spanEvents)
	for i, raw := range pgtypes.JSONElements(events) {
		e.event(i, raw)
	}
	dropped, _ = e.int(spanDroppedEvents)
	e.unsigned(spanDroppedEvents, 12, dropped)
	links, _ := e.text(spanLinks)
	for i, raw := range pgtypes.JSONElements(links) {
		e.link(i, raw)
	}
	dropped, _ = e.int(spanDroppedLinks)
	e.unsigned(spanDroppedLinks, 14, dropped)
	status := e.begin(15)
	e.column(spanStatusMessage, 2)
	e.varint(3, uint64(uint32(e.enum(spanStatus, statuses, 0))))
	e.endIfSet(status)
	flags, _ := e.int(spanFlags)
	if remote, ok := e.bool(spanParentRemote); ok {
		flags |= flagHasIsRemote
		if remote {
			flags |= flagIsRemote
		}
	}
	e.fixed32(spanFlags, 16, flags)
	e.end(m)
}

// spanKind gives the number of otel_kind, else that of kind.
func (e *encoder) spanKind() int32 {
	if _, ok := e.text(spanOTelKind); ok {
		return e.enum(spanOTelKind, otelKinds, 0)
	}
	if kind, _ := e.text(spanKind); kind == "llm" {
		return 1 // it is the attributes that make it one
	}
	return e.enum(spanKind, otelKinds, 0)
}

func (e *encoder) event(i int, raw string) {
	if part, ok := e.ext.part(extEvent, i); ok {
		e.dst = appendBytes(e.dst, 11, part)
		return
	}
	m := e.begin(11)
	var at moment
	for key, v := range pgtypes.JSONEach(raw) {
		switch key {
		case "time_unix_nano", "timestamp":
			e.moment(spanEvents, &at, key, v)
		case "name":
			e.jsonText(2, v)
		case "attributes":
			e.jsonAttributes(3, spanEvents, v, nil)
		case "dropped_attributes_count":
			e.varint(4, e.jsonInt(spanEvents, v, math.MaxUint32))
		}
	}
	e.writeMoment(1, at)
	e.end(m)
}

func (e *encoder) link(i int, raw string) {
	if part, ok := e.ext.part(extLink, i); ok {
		e.dst = appendBytes(e.dst, 13, part)
		return
	}
	m := e.begin(13)
	for key, v := range pgtypes.JSONEach(raw) {
		switch key {
		case "trace_id":
			e.jsonID(spanLinks, 1, v)
		case "span_id":
			e.jsonID(spanLinks, 2, v)
		case "trace_state":
			e.jsonText(3, v)
		case "attributes":
			e.jsonAttributes(4, spanLinks, v, nil)
		case "dropped_attributes_count":
			e.varint(5, e.jsonInt(spanLinks, v, math.MaxUint32))
		case "flags":
			e.fixed32(spanLinks, 6, int64(e.jsonInt(spanLinks, v, math.MaxUint32)))
		}
	}
	e.end(m)
}
