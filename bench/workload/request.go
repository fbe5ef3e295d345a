package workload

import (
	"github.com/VictoriaMetrics/easyproto"
)

// perRequest is how many items a request has.
const perRequest = 100

// An Encoder makes OTLP requests of items, in the order in which they come;
// neighbours of one service share a resource.
type Encoder struct {
	m     easyproto.Marshaler
	top   *easyproto.MessageMarshaler
	scope *easyproto.MessageMarshaler
	last  string
	n     int
	send  func(request []byte)
}

// NewEncoder makes an encoder that hands each request to send, to keep.
func NewEncoder(send func(request []byte)) *Encoder { return &Encoder{send: send} }

// item gives the scope to put an item of a service into.
func (e *Encoder) item(service string) *easyproto.MessageMarshaler {
	if e.n == perRequest {
		e.Flush()
	}
	if e.top == nil {
		e.top = e.m.MessageMarshaler()
	}
	if e.scope == nil || e.last != service {
		resource := e.top.AppendMessage(1)
		text(resource.AppendMessage(1), 1, "service.name", service)
		e.scope = resource.AppendMessage(2)
		e.scope.AppendMessage(1).AppendString(1, "otelbench")
		e.last = service
	}
	e.n++
	return e.scope.AppendMessage(2)
}

// Flush sends what is left.
func (e *Encoder) Flush() {
	if e.n == 0 {
		return
	}
	e.send(e.m.Marshal(nil))
	e.m.Reset()
	e.top, e.scope, e.n = nil, nil, 0
}

// text adds a KeyValue with a string.
func text(m *easyproto.MessageMarshaler, num uint32, key, value string) {
	kv := m.AppendMessage(num)
	kv.AppendString(1, key)
	kv.AppendMessage(2).AppendString(1, value)
}

func number(m *easyproto.MessageMarshaler, num uint32, key string, value int64) {
	kv := m.AppendMessage(num)
	kv.AppendString(1, key)
	kv.AppendMessage(2).AppendInt64(3, value)
}

// Span adds a span.
func (e *Encoder) Span(s *Span) {
	m := e.item(s.Service)
	m.AppendBytes(1, s.TraceID[:])
	m.AppendBytes(2, s.SpanID[:])
	if !s.Root {
		m.AppendBytes(4, s.ParentID[:])
	}
	m.AppendString(5, s.Operation)
	kind := int64(3)
	if s.Server {
		kind = 2
	}
	m.AppendInt64(6, kind)
	m.AppendFixed64(7, uint64(s.StartNanos))
	m.AppendFixed64(8, uint64(s.StartNanos+s.DurationNanos))
	for _, a := range []struct{ key, value string }{
		{"http.request.method", s.Method},
		{"http.route", s.Route},
		{"db.query.text", s.Statement},
		{"region", s.Region},
		{"user.id", s.User},
		{"session.id", s.Session},
		{"pod", s.Pod},
	} {
		if a.value != "" {
			text(m, 9, a.key, a.value)
		}
	}
	if s.Status != 0 {
		number(m, 9, "http.response.status_code", s.Status)
	}
	if s.Shard != 0 {
		number(m, 9, "shard", s.Shard)
	}
	if s.CacheHit != 0 {
		kv := m.AppendMessage(9)
		kv.AppendString(1, "cache.hit")
		kv.AppendMessage(2).AppendBool(2, s.CacheHit == 2)
	}
	if s.Failed {
		m.AppendMessage(15).AppendInt64(3, 2)
	}
}

// Call adds the span of a call to a language model.
func (e *Encoder) Call(c *Call) {
	m := e.item(CallService)
	m.AppendBytes(1, c.TraceID[:])
	m.AppendBytes(2, c.SpanID[:])
	m.AppendString(5, c.Operation())
	m.AppendInt64(6, 3)
	m.AppendFixed64(7, uint64(c.StartNanos))
	m.AppendFixed64(8, uint64(c.StartNanos+c.DurationNanos))
	text(m, 9, "gen_ai.operation.name", "chat")
	text(m, 9, "gen_ai.provider.name", c.Provider)
	text(m, 9, "gen_ai.request.model", c.Model)
	number(m, 9, "gen_ai.usage.input_tokens", c.Input)
	number(m, 9, "gen_ai.usage.output_tokens", c.Output)
	kv := m.AppendMessage(9)
	kv.AppendString(1, "gen_ai.usage.cost")
	kv.AppendMessage(2).AppendDouble(4, c.Cost)
	text(m, 9, "gen_ai.input.messages", `[{"role":"user","parts":[{"type":"text","content":"`+c.Prompt+`"}]}]`)
}

// Log adds a log record.
func (e *Encoder) Log(l *Log) {
	m := e.item(l.Service)
	m.AppendFixed64(1, uint64(l.Nanos))
	m.AppendInt64(2, l.SeverityNumber)
	m.AppendMessage(5).AppendString(1, l.Body)
	if l.HasTrace {
		m.AppendBytes(9, l.TraceID[:])
		m.AppendBytes(10, l.SpanID[:])
	}
}

// Point adds a data point.
func (e *Encoder) Point(p *Point) {
	m := e.item(p.Service)
	m.AppendString(1, p.Name)
	m.AppendString(3, "1")
	field := uint32(5)
	if p.Counter {
		field = 7
	}
	data := m.AppendMessage(field)
	point := data.AppendMessage(1)
	point.AppendFixed64(2, uint64(Start.UnixNano()))
	point.AppendFixed64(3, uint64(p.Nanos))
	point.AppendDouble(4, p.Value)
	text(point, 7, "pod", p.Pod)
	if p.Counter {
		data.AppendInt64(2, 2)
		data.AppendBool(3, true)
	}
}
