package otlp

import (
	"bytes"
	"cmp"

	"github.com/tael-sql/tael-sql/internal/vector"
)

func logField(name string) int { return mustField(LogsSchema, name) }

var (
	logTimestamp         = logField("timestamp_unix_nano")
	logTraceID           = logField("trace_id")
	logSpanID            = logField("span_id")
	logSeverity          = logField("severity")
	logSeverityText      = logField("severity_text")
	logBody              = logField("body")
	logSeverityNumber    = logField("severity_number")
	logBodyJSON          = logField("body_json")
	logEventName         = logField("event_name")
	logTime              = logField("time_unix_nano")
	logObserved          = logField("observed_time_unix_nano")
	logFlags             = logField("flags")
	logDroppedAttributes = logField("dropped_attributes_count")
	logBodyExt           = logField("body_ext")
)

var severities = []string{"trace", "debug", "info", "warn", "error", "fatal"}

// severity names a severity number: four of each name.
func severity(number int32) string {
	if number < 1 || number > 24 {
		return "unspecified"
	}
	return severities[(number-1)/4]
}

// A logRecord as received.
type logRecord struct {
	time, observed      uint64
	severity            int32
	severityText, event string
	body                []byte
	hasBody             bool
	dropped, flags      int64
	traceID, spanID     []byte
}

func (d *decoder) log(b []byte) error {
	d.begin()
	var l logRecord
	m := message{rest: b}
	for m.next() {
		switch m.num() {
		case 1:
			l.time = m.fixed64()
		case 2:
			l.severity = m.int32()
		case 3:
			l.severityText = m.text()
		case 5:
			part := m.bytes()
			if l.hasBody { // parts of one message
				part = append(bytes.Clone(l.body), part...)
			}
			l.body, l.hasBody = part, true
		case 6:
			d.kvs = append(d.kvs, m.bytes())
		case 7:
			l.dropped = m.uint32()
		case 8:
			l.flags = m.fixed32()
		case 9:
			l.traceID = m.bytes()
		case 10:
			l.spanID = m.bytes()
		case 11:
			l.observed = m.fixed64()
		case 12:
			l.event = m.text()
		}
	}
	if m.bad {
		return ErrMalformed
	}
	return d.done("log record", d.addLog(&l))
}

func (d *decoder) addLog(l *logRecord) error {
	traceID, err := identifier(l.traceID, 16, "trace_id")
	if err != nil {
		return err
	}
	spanID, err := identifier(l.spanID, 8, "span_id")
	if err != nil {
		return err
	}
	time, err := nanos(l.time, "time_unix_nano")
	if err != nil {
		return err
	}
	observed, err := nanos(l.observed, "observed_time_unix_nano")
	if err != nil {
		return err
	}
	if err := d.unexpired(cmp.Or(time, observed, d.header.ReceiveNanos)); err != nil {
		return err
	}
	if err := d.originError(); err != nil {
		return err
	}
	if err := d.attributes.parse(d.kvs); err != nil {
		return err
	}
	body, err := parseValue(l.body, 1)
	if err != nil {
		return err
	}

	t, row := d.table, d.row
	switch {
	case time != 0:
		t.int(logTimestamp, row, time)
	case observed != 0:
		t.int(logTimestamp, row, observed)
	default:
		t.int(logTimestamp, row, d.header.ReceiveNanos)
		d.zeroTime = true
	}
	if time != 0 {
		t.int(logTime, row, time)
	}
	if observed != 0 {
		t.int(logObserved, row, observed)
	}
	if traceID != nil {
		t.hex(logTraceID, row, traceID)
	}
	if spanID != nil {
		t.hex(logSpanID, row, spanID)
	}
	t.text(logSeverity, row, severity(l.severity))
	t.int(logSeverityNumber, row, int64(l.severity))
	d.column(logSeverityText, l.severityText)
	d.column(logEventName, l.event)
	t.int(logFlags, row, l.flags)
	t.int(logDroppedAttributes, row, l.dropped)
	d.setBody(body, l.body)

	var sh *shape
	sh, d.ext = d.attributes.add(d.ext)
	d.attributes.promote(t, row, sh)
	d.setExt()
	return nil
}

// setBody sets the columns of a body: a string as it is, nothing as NULL, any
// other value as its jsonb.
func (d *decoder) setBody(v value, raw []byte) {
	lossy := v.lossy
	switch v.tag {
	case vector.TagNull:
		return
	case vector.TagString:
		text, ok := clean(v.str)
		lossy = !ok
		d.table.text(logBody, d.row, text)
	default:
		d.json, _, _ = appendValue(d.json[:0], raw, 1)
		text := string(d.json)
		d.table.text(logBody, d.row, text)
		d.table.text(logBodyJSON, d.row, text)
	}
	if lossy {
		d.table.text(logBodyExt, d.row, string(raw))
	}
}
