package redact

import "github.com/tael-sql/tael-sql/wal/record"

// A kind is a message of OTLP, by the numbers of the fields that are looked
// into.
type kind struct {
	fields map[uint32]field
	pair   bool // a KeyValue
	// payloads says that attributes may be payloads of calls to models.
	payloads bool
}

// A field is a message, or a text at a place.
type field struct {
	kind *kind
	text place
}

var (
	keyValue  = values(inAttributes).pairs
	bodyValue = values(inBodies).value

	resource  = &kind{fields: map[uint32]field{1: {kind: keyValue}}}
	scope     = &kind{fields: map[uint32]field{3: {kind: keyValue}}}
	event     = &kind{fields: map[uint32]field{2: {text: inNames}, 3: {kind: keyValue}}, payloads: true}
	link      = &kind{fields: map[uint32]field{4: {kind: keyValue}}}
	status    = &kind{fields: map[uint32]field{2: {text: inBodies}}}
	span      = &kind{fields: map[uint32]field{5: {text: inNames}, 9: {kind: keyValue}, 11: {kind: event}, 13: {kind: link}, 15: {kind: status}}, payloads: true}
	logRecord = &kind{fields: map[uint32]field{5: {kind: bodyValue}, 6: {kind: keyValue}}, payloads: true}

	exemplar    = &kind{fields: map[uint32]field{7: {kind: keyValue}}}
	number      = points(7, 5)
	histogram   = points(9, 8)
	exponential = points(1, 11)
	summary     = points(7, 0)
	metric      = &kind{fields: map[uint32]field{
		5: {kind: number}, 7: {kind: number}, 9: {kind: histogram}, 10: {kind: exponential}, 11: {kind: summary}, 12: {kind: keyValue},
	}}

	kindOf = map[record.Type]*kind{record.Traces: request(span), record.Logs: request(logRecord), record.Metrics: request(metric)}
)

// values are the kinds of AnyValue and KeyValue, whose texts are at a place.
func values(at place) (v struct{ value, pairs *kind }) {
	v.value = &kind{}
	v.pairs = &kind{pair: true, fields: map[uint32]field{2: {kind: v.value}}}
	array := &kind{fields: map[uint32]field{1: {kind: v.value}}}
	object := &kind{fields: map[uint32]field{1: {kind: v.pairs}}}
	v.value.fields = map[uint32]field{1: {text: at}, 5: {kind: array}, 6: {kind: object}, 7: {text: at}}
	return v
}

// points is a Gauge, Sum or other data: a list of points.
func points(attributes, exemplars uint32) *kind {
	point := &kind{fields: map[uint32]field{attributes: {kind: keyValue}}}
	if exemplars != 0 {
		point.fields[exemplars] = field{kind: exemplar}
	}
	return &kind{fields: map[uint32]field{1: {kind: point}}}
}

// request is an export request of items.
func request(item *kind) *kind {
	scoped := &kind{fields: map[uint32]field{1: {kind: scope}, 2: {kind: item}}}
	return &kind{fields: map[uint32]field{1: {kind: &kind{fields: map[uint32]field{1: {kind: resource}, 2: {kind: scoped}}}}}}
}
