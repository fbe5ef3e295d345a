package otlp

import "slices"

// log writes the row as a LogRecord.
func (e *encoder) log() {
	m := e.begin(2)
	e.natural(logTime, 1)
	e.varint(2, uint64(uint32(e.severityNumber())))
	e.column(logSeverityText, 3)
	e.body()
	e.itemAttributes(6)
	for i, p := range logPromotions {
		e.promotion(6, logPromoted[i], p.names)
	}
	dropped, _ := e.int(logDroppedAttributes)
	e.unsigned(logDroppedAttributes, 7, dropped)
	flags, _ := e.int(logFlags)
	e.fixed32(logFlags, 8, flags)
	e.id(logTraceID, 9)
	e.id(logSpanID, 10)
	e.natural(logObserved, 11)
	e.column(logEventName, 12)
	e.end(m)
}

// severityNumber gives severity_number, else the lowest number of severity.
func (e *encoder) severityNumber() int32 {
	if n, ok := e.int(logSeverityNumber); ok {
		return int32(n)
	}
	name, ok := e.text(logSeverity)
	if !ok || name == "unspecified" {
		return 0
	}
	i := slices.Index(severities, name)
	if i < 0 {
		e.fail(logSeverity, "is %q, not one of %q", name, severities)
	}
	return int32(4*i + 1)
}

// body writes the body: as received where it was kept, else body_json, else
// body as a string.
func (e *encoder) body() {
	if raw, ok := e.text(logBodyExt); ok {
		e.dst = appendBytes(e.dst, 5, raw)
		return
	}
	doc, isJSON := e.text(logBodyJSON)
	text, isText := e.text(logBody)
	if !isJSON && !isText {
		return
	}
	m := e.begin(5)
	if isJSON {
		e.json(logBodyJSON, doc)
	} else {
		e.dst = appendBytes(e.dst, 1, text)
	}
	e.end(m)
}
