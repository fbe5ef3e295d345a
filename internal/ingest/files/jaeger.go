package files

import (
	"bufio"
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/ptrace"
	"go.opentelemetry.io/collector/pdata/ptrace/ptraceotlp"
)

// jaegerSpans is how many spans of a trace one request has at most.
const jaegerSpans = 2000

// A jaegerTrace is a trace of the JSON that Jaeger's API answers and its pages
// save: {"data": [trace, …]}.
type jaegerTrace struct {
	Spans     []jaegerSpan             `json:"spans"`
	Processes map[string]jaegerProcess `json:"processes"`
}

type jaegerSpan struct {
	TraceID       string            `json:"traceID"`
	SpanID        string            `json:"spanID"`
	ParentSpanID  string            `json:"parentSpanID"` // of old versions
	OperationName string            `json:"operationName"`
	Flags         uint32            `json:"flags"`
	References    []jaegerReference `json:"references"`
	StartTime     uint64            `json:"startTime"` // µs since 1970
	Duration      uint64            `json:"duration"`  // µs
	Tags          []jaegerTag       `json:"tags"`
	Logs          []struct {
		Timestamp uint64      `json:"timestamp"` // µs since 1970
		Fields    []jaegerTag `json:"fields"`
	} `json:"logs"`
	ProcessID string         `json:"processID"`
	Process   *jaegerProcess `json:"process"`
	Warnings  []string       `json:"warnings"`
}

type jaegerReference struct {
	RefType string `json:"refType"`
	TraceID string `json:"traceID"`
	SpanID  string `json:"spanID"`
}

type jaegerTag struct {
	Key   string          `json:"key"`
	Type  string          `json:"type"`
	Value json.RawMessage `json:"value"`
}

type jaegerProcess struct {
	ServiceName string      `json:"serviceName"`
	Tags        []jaegerTag `json:"tags"`
}

// looksLikeJaeger tells from the first key of a JSON document.
func looksLikeJaeger(in *bufio.Reader) bool {
	start, _ := in.Peek(512) // what there is; reading tells of errors
	start = bytes.TrimLeft(start, " \t\r\n")
	rest, ok := bytes.CutPrefix(start, []byte("{"))
	if !ok {
		return false
	}
	rest = bytes.TrimLeft(rest, " \t\r\n")
	for _, key := range []string{`"data"`, `"total"`, `"limit"`, `"offset"`, `"errors"`} {
		if bytes.HasPrefix(rest, []byte(key)) {
			return true
		}
	}
	return false
}

// A jaegerReader reads a document trace by trace.
type jaegerReader struct {
	in     *json.Decoder
	inside bool // of data
	ready  [][]byte
}

// next gives the next request.
func (r *jaegerReader) next() ([]byte, error) {
	for len(r.ready) == 0 {
		if !r.inside {
			if err := r.enter(); err != nil {
				return nil, err
			}
		}
		if !r.in.More() {
			if _, err := r.in.Token(); err != nil {
				return nil, fmt.Errorf("%w: %w", ErrFormat, noEOF(err))
			}
			return nil, io.EOF
		}
		var t jaegerTrace
		if err := r.in.Decode(&t); err != nil {
			return nil, fmt.Errorf("%w: a trace of Jaeger: %w", ErrFormat, noEOF(err))
		}
		if err := r.translate(&t); err != nil {
			return nil, err
		}
	}
	body := r.ready[0]
	r.ready = r.ready[1:]
	return body, nil
}

func noEOF(err error) error {
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}

// enter reads up to the first trace.
func (r *jaegerReader) enter() error {
	if t, err := r.in.Token(); err != nil || t != json.Delim('{') {
		return fmt.Errorf("%w: no JSON of Jaeger: %v", ErrFormat, noEOF(err))
	}
	for r.in.More() {
		key, err := r.in.Token()
		if err != nil {
			return fmt.Errorf("%w: %w", ErrFormat, noEOF(err))
		}
		if key == "data" {
			if t, err := r.in.Token(); err != nil || t != json.Delim('[') {
				return fmt.Errorf("%w: data is no array of traces: %v", ErrFormat, noEOF(err))
			}
			r.inside = true
			return nil
		}
		var skipped json.RawMessage
		if err := r.in.Decode(&skipped); err != nil {
			return fmt.Errorf("%w: %w", ErrFormat, noEOF(err))
		}
	}
	return fmt.Errorf("%w: no JSON of Jaeger: it has no data", ErrFormat)
}

// translate makes requests of a trace, as the OpenTelemetry Collector's
// translator does.
func (r *jaegerReader) translate(t *jaegerTrace) error {
	for len(t.Spans) > 0 {
		n := min(len(t.Spans), jaegerSpans)
		traces := ptrace.NewTraces()
		scopes := make(map[string]ptrace.ScopeSpans) // by process and scope
		for i := range t.Spans[:n] {
			s := &t.Spans[i]
			p, id := t.Processes[s.ProcessID], s.ProcessID
			if s.Process != nil && id == "" {
				p = *s.Process
				id = "\x00" + p.ServiceName
			}
			key := id + "\x00" + s.tag("otel.library.name", "otel.scope.name") + "\x00" + s.tag("otel.library.version", "otel.scope.version")
			list, ok := scopes[key]
			if !ok {
				rs := traces.ResourceSpans().AppendEmpty()
				if err := p.resource(rs.Resource().Attributes()); err != nil {
					return err
				}
				list = rs.ScopeSpans().AppendEmpty()
				list.Scope().SetName(s.tag("otel.library.name", "otel.scope.name"))
				list.Scope().SetVersion(s.tag("otel.library.version", "otel.scope.version"))
				scopes[key] = list
			}
			if err := s.translate(list.Spans().AppendEmpty()); err != nil {
				return fmt.Errorf("%w: span %s of trace %s: %w", ErrFormat, s.SpanID, s.TraceID, err)
			}
		}
		body, err := ptraceotlp.NewExportRequestFromTraces(traces).MarshalProto()
		if err != nil {
			return err
		}
		r.ready = append(r.ready, body)
		t.Spans = t.Spans[n:]
	}
	return nil
}

// tag gives the text of the first of some tags.
func (s *jaegerSpan) tag(names ...string) string {
	for _, name := range names {
		for _, tag := range s.Tags {
			var text string
			if tag.Key == name && json.Unmarshal(tag.Value, &text) == nil {
				return text
			}
		}
	}
	return ""
}

// resource says of which process spans are.
func (p *jaegerProcess) resource(m pcommon.Map) error {
	if err := putTags(m, p.Tags); err != nil {
		return err
	}
	if p.ServiceName != "" && p.ServiceName != "OTLPResourceNoServiceName" {
		m.PutStr("service.name", p.ServiceName)
	}
	rename := func(from, to, prefix string) {
		v, ok := m.Get(from)
		if _, taken := m.Get(to); ok && !taken {
			text := prefix + v.AsString()
			m.Remove(from)
			m.PutStr(to, text)
		}
	}
	rename("hostname", "host.name", "")
	rename("jaeger.version", "opencensus.exporterversion", "Jaeger-")
	return nil
}

func (s *jaegerSpan) translate(out ptrace.Span) error {
	traceID, spanID, err := jaegerIDs(s.TraceID, s.SpanID)
	if err != nil {
		return err
	}
	out.SetTraceID(traceID)
	out.SetSpanID(spanID)
	out.SetName(s.OperationName)
	out.SetFlags(s.Flags & 1) // sampled, as in W3C's
	out.SetStartTimestamp(pcommon.Timestamp(s.StartTime * 1000))
	out.SetEndTimestamp(pcommon.Timestamp((s.StartTime + s.Duration) * 1000))
	attributes := out.Attributes()
	if err := putTags(attributes, s.Tags); err != nil {
		return err
	}
	for _, name := range []string{"otel.library.name", "otel.library.version", "otel.scope.name", "otel.scope.version"} {
		attributes.Remove(name)
	}
	kinds := map[string]ptrace.SpanKind{
		"internal": ptrace.SpanKindInternal, "server": ptrace.SpanKindServer, "client": ptrace.SpanKindClient,
		"producer": ptrace.SpanKindProducer, "consumer": ptrace.SpanKindConsumer,
	}
	out.SetKind(kinds[take(attributes, "span.kind")])
	out.TraceState().FromRaw(take(attributes, "w3c.tracestate"))
	jaegerStatus(attributes, out)
	if len(s.Warnings) > 0 {
		list := attributes.PutEmptySlice("@jaeger@warnings")
		for _, w := range s.Warnings {
			list.AppendEmpty().SetStr(w)
		}
	}
	for _, l := range s.Logs {
		e := out.Events().AppendEmpty()
		e.SetTimestamp(pcommon.Timestamp(l.Timestamp * 1000))
		if err := putTags(e.Attributes(), l.Fields); err != nil {
			return err
		}
		e.SetName(take(e.Attributes(), "event"))
	}
	return s.relate(out)
}

// relate sets the parent, the first span of the trace that the span is a child
// of, else the first that it follows; other references are links.
func (s *jaegerSpan) relate(out ptrace.Span) error {
	refs := s.References
	if s.ParentSpanID != "" && strings.Trim(s.ParentSpanID, "0") != "" && len(refs) == 0 {
		refs = []jaegerReference{{RefType: "CHILD_OF", TraceID: s.TraceID, SpanID: s.ParentSpanID}}
	}
	parent := pcommon.SpanID{}
	for _, typ := range []string{"CHILD_OF", "FOLLOWS_FROM"} {
		for _, ref := range refs {
			if traceID, spanID, err := jaegerIDs(ref.TraceID, ref.SpanID); err != nil {
				return err
			} else if ref.RefType == typ && traceID == out.TraceID() && parent.IsEmpty() {
				parent = spanID
			}
		}
	}
	out.SetParentSpanID(parent)
	for _, ref := range refs {
		traceID, spanID, err := jaegerIDs(ref.TraceID, ref.SpanID)
		if err != nil {
			return err
		}
		if ref.RefType == "CHILD_OF" && spanID == parent {
			continue
		}
		l := out.Links().AppendEmpty()
		l.SetTraceID(traceID)
		l.SetSpanID(spanID)
		l.Attributes().PutStr("opentracing.ref_type", strings.ToLower(ref.RefType))
	}
	return nil
}

// jaegerStatus makes the status of tags: a true error, else otel.status_code,
// else the HTTP status.
func jaegerStatus(attributes pcommon.Map, out ptrace.Span) {
	failed := false
	if v, ok := attributes.Get("error"); ok && v.Type() == pcommon.ValueTypeBool && v.Bool() {
		failed = true
		attributes.Remove("error")
	}
	name, named := attributes.Get("otel.status_code")
	code := ""
	if named {
		code = strings.ToUpper(name.AsString())
		attributes.Remove("otel.status_code")
	}
	message := ""
	if failed || named {
		message = take(attributes, "otel.status_description")
	}
	if v, ok := attributes.Get("http.status_message"); ok && message == "" && !named {
		message = v.AsString()
	}
	switch {
	case failed, code == "ERROR":
		out.Status().SetCode(ptrace.StatusCodeError)
	case code == "OK":
		out.Status().SetCode(ptrace.StatusCodeOk)
	case named:
	default:
		v, ok := attributes.Get("http.status_code")
		if !ok {
			return
		}
		n, err := strconv.Atoi(v.AsString())
		if err != nil || n >= 100 && n < 400 || n >= 400 && n < 500 && out.Kind() == ptrace.SpanKindServer {
			return
		}
		out.Status().SetCode(ptrace.StatusCodeError)
	}
	out.Status().SetMessage(message)
}

// take removes an attribute and gives its text.
func take(m pcommon.Map, key string) string {
	v, ok := m.Get(key)
	if !ok {
		return ""
	}
	text := v.AsString()
	m.Remove(key)
	return text
}

// putTags adds tags with their types; of a key that comes again, the last
// value stays.
func putTags(m pcommon.Map, tags []jaegerTag) error {
	for _, tag := range tags {
		text := string(tag.Value)
		if len(tag.Value) > 0 && tag.Value[0] == '"' {
			if err := json.Unmarshal(tag.Value, &text); err != nil {
				return err
			}
		}
		var err error
		switch strings.ToLower(tag.Type) {
		case "bool":
			var b bool
			b, err = strconv.ParseBool(text)
			m.PutBool(tag.Key, b)
		case "int64":
			var n int64
			n, err = strconv.ParseInt(text, 10, 64)
			m.PutInt(tag.Key, n)
		case "float64":
			var f float64
			f, err = strconv.ParseFloat(text, 64)
			m.PutDouble(tag.Key, f)
		case "binary":
			var raw []byte
			raw, err = base64.StdEncoding.DecodeString(text)
			m.PutEmptyBytes(tag.Key).FromRaw(raw)
		default:
			m.PutStr(tag.Key, text)
		}
		if err != nil {
			return fmt.Errorf("%w: tag %s: %w", ErrFormat, tag.Key, err)
		}
	}
	return nil
}

// jaegerIDs reads hexadecimal ids, which come without leading zeros.
func jaegerIDs(trace, span string) (t pcommon.TraceID, s pcommon.SpanID, err error) {
	read := func(dst []byte, text string) error {
		if len(text) > 2*len(dst) {
			return fmt.Errorf("the id %q is too long", text)
		}
		_, err := hex.Decode(dst, []byte(strings.Repeat("0", 2*len(dst)-len(text))+text))
		return err
	}
	err = errors.Join(read(t[:], trace), read(s[:], span))
	return t, s, err
}
