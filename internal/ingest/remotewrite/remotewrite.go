// Package remotewrite makes OTLP metrics of requests of Prometheus remote-write
// 1.0, which are a prompb.WriteRequest.
//
// A series becomes a metric of its __name__; job and instance are the
// resource's service.name and service.instance.id, other labels attributes.
// Counters are cumulative monotonic sums, all else gauges; the series of a
// histogram or summary stay the series that they are. A stale marker is a point
// without recorded value.
//
// Native histograms, series without a name and times that are not after 1970
// are rejected one by one. Exemplars are kept where their series has a sample in
// the same request, which is not how Prometheus sends them.
package remotewrite

import (
	"cmp"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"sync"

	"github.com/VictoriaMetrics/easyproto"
)

// ErrMalformed says that a request is not a WriteRequest.
var ErrMalformed = errors.New("remotewrite: malformed request")

// maxMillis is the last time that is a number of nanoseconds.
const maxMillis = math.MaxInt64 / 1_000_000

// A Request is what became of a WriteRequest.
type Request struct {
	// OTLP is an export request of metrics, of Points points.
	OTLP   []byte
	Points int
	// Rejected items cannot be stored; Reason is that of the first.
	Rejected int
	Reason   string
}

// maxTypes bounds the memory of metadata.
const maxTypes = 20_000

// A Translator remembers the types of metrics, which Prometheus sends apart
// from their samples. It is safe for concurrent use. The zero value is ready.
type Translator struct {
	mu       sync.Mutex
	counters map[string]bool // by name of the family; what is not here is unknown
}

// Translate reads a request.
func (t *Translator) Translate(body []byte) (*Request, error) {
	r := &Request{}
	var list []series
	var f easyproto.FieldContext
	for len(body) > 0 {
		rest, err := f.NextField(body)
		if err != nil || f.FieldNum == 0 {
			return nil, ErrMalformed
		}
		if body = rest; f.FieldNum != 1 && f.FieldNum != 3 {
			continue
		}
		sub, ok := f.MessageData()
		if !ok {
			return nil, ErrMalformed
		}
		if f.FieldNum == 3 {
			if err := t.learn(sub); err != nil {
				return nil, err
			}
			continue
		}
		s, err := readSeries(sub)
		if err != nil {
			return nil, err
		}
		switch {
		case s.name == "":
			r.reject(max(1, len(s.samples)), "a series has no __name__")
		case s.histograms > 0:
			r.reject(s.histograms, "native histograms are not stored")
			fallthrough
		default:
			s.samples = slices.DeleteFunc(s.samples, func(p sample) bool {
				bad := p.millis <= 0 || p.millis > maxMillis
				if bad {
					r.reject(1, fmt.Sprintf("the time %d ms of a sample of %q is not between 1970 and 2262", p.millis, s.name))
				}
				return bad
			})
			if len(s.samples) > 0 {
				list = append(list, s)
			}
		}
	}
	// Series that share a resource, and a metric, come together.
	slices.SortStableFunc(list, func(a, b series) int {
		return cmp.Or(strings.Compare(a.job, b.job), strings.Compare(a.instance, b.instance), strings.Compare(a.name, b.name))
	})
	t.encode(r, list)
	return r, nil
}

func (r *Request) reject(n int, reason string) {
	if r.Rejected == 0 {
		r.Reason = reason
	}
	r.Rejected += n
}

// A series is one TimeSeries.
type series struct {
	name, job, instance string
	labels              []label // others
	samples             []sample
	exemplars           []exemplar
	histograms          int // native ones
}

type label struct{ name, value string }

type sample struct {
	value  float64
	millis int64
}

type exemplar struct {
	labels []label
	sample
}

func readSeries(b []byte) (s series, err error) {
	var f easyproto.FieldContext
	for len(b) > 0 {
		if b, err = f.NextField(b); err != nil {
			return s, ErrMalformed
		}
		sub, ok := f.MessageData()
		switch {
		case f.FieldNum > 4:
			continue
		case !ok:
			return s, ErrMalformed
		case f.FieldNum == 4:
			s.histograms++
		case f.FieldNum == 3:
			e, err := readPoint(sub, 2)
			if err != nil {
				return s, err
			}
			s.exemplars = append(s.exemplars, e)
		case f.FieldNum == 2:
			p, err := readPoint(sub, 1)
			if err != nil {
				return s, err
			}
			s.samples = append(s.samples, p.sample)
		default:
			l, err := readLabel(sub)
			if err != nil {
				return s, err
			}
			switch l.name {
			case "__name__":
				s.name = l.value
			case "job":
				s.job = l.value
			case "instance":
				s.instance = l.value
			default:
				s.labels = append(s.labels, l)
			}
		}
	}
	return s, nil
}

func readLabel(b []byte) (l label, err error) {
	var f easyproto.FieldContext
	for len(b) > 0 {
		if b, err = f.NextField(b); err != nil {
			return l, ErrMalformed
		}
		text, ok := f.MessageData()
		switch {
		case f.FieldNum > 2:
			continue
		case !ok:
			return l, ErrMalformed
		case f.FieldNum == 1:
			l.name = string(text)
		default:
			l.value = string(text)
		}
	}
	return l, nil
}

// readPoint reads a Sample or an Exemplar, whose value is field value and whose
// time the next one.
func readPoint(b []byte, value uint32) (e exemplar, err error) {
	var f easyproto.FieldContext
	for len(b) > 0 {
		if b, err = f.NextField(b); err != nil {
			return e, ErrMalformed
		}
		ok := true
		switch f.FieldNum {
		case value:
			e.value, ok = f.Double()
		case value + 1:
			e.millis, ok = f.Int64()
		case 1: // of an exemplar
			var sub []byte
			if sub, ok = f.MessageData(); ok {
				l, err := readLabel(sub)
				if err != nil {
					return e, err
				}
				e.labels = append(e.labels, l)
			}
		}
		if !ok {
			return e, ErrMalformed
		}
	}
	return e, nil
}

// learn remembers a MetricMetadata.
func (t *Translator) learn(b []byte) error {
	const counter = 1
	var name string
	var typ uint64
	var f easyproto.FieldContext
	for len(b) > 0 {
		rest, err := f.NextField(b)
		if err != nil {
			return ErrMalformed
		}
		b = rest
		ok := true
		switch f.FieldNum {
		case 1:
			typ, ok = f.Uint64()
		case 2:
			var text []byte
			text, ok = f.MessageData()
			name = string(text)
		}
		if !ok {
			return ErrMalformed
		}
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.counters == nil {
		t.counters = make(map[string]bool)
	}
	if _, known := t.counters[name]; known || len(t.counters) < maxTypes {
		t.counters[name] = typ == counter
	}
	return nil
}

// isCounter tells by the name, as it always tells the same, and by metadata
// only where the name says nothing.
func (t *Translator) isCounter(name string) bool {
	for _, suffix := range []string{"_total", "_bucket", "_count", "_sum"} {
		if strings.HasSuffix(name, suffix) {
			return true
		}
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.counters[name]
}

// staleMarker is the NaN by which Prometheus says that a series has ended.
const staleMarker = 0x7ff0000000000002

// encode writes OTLP, from the inside out.
func (t *Translator) encode(r *Request, list []series) {
	var points, metrics, scope, resource []byte
	for i, s := range list {
		for j, p := range s.samples {
			var point []byte
			for _, l := range s.labels {
				point = appendAttribute(point, 7, l)
			}
			point = appendFixed(point, 3, uint64(p.millis)*1e6)
			if bits := math.Float64bits(p.value); bits == staleMarker {
				point = append(point, 8<<3, 1) // flags: no recorded value
			} else {
				point = appendFixed(point, 4, bits)
			}
			if j == len(s.samples)-1 {
				for _, e := range s.exemplars {
					point = appendExemplar(point, e)
				}
			}
			points = appendBytes(points, 1, point)
			r.Points++
		}
		last := i == len(list)-1
		newResource := last || list[i+1].job != s.job || list[i+1].instance != s.instance
		if newResource || list[i+1].name != s.name {
			metrics = appendBytes(metrics, 2, t.metric(s.name, points))
			points = points[:0]
		}
		if newResource {
			resource = resource[:0]
			for _, l := range []label{{"service.name", s.job}, {"service.instance.id", s.instance}} {
				if l.value != "" {
					resource = appendAttribute(resource, 1, l)
				}
			}
			scope = append(appendBytes(scope[:0], 1, resource), appendBytes(nil, 2, metrics)...)
			r.OTLP = appendBytes(r.OTLP, 1, scope)
			metrics = metrics[:0]
		}
	}
}

// metric is a Metric of points.
func (t *Translator) metric(name string, points []byte) []byte {
	m := appendBytes(nil, 1, []byte(name))
	if t.isCounter(name) {
		return appendBytes(m, 7, append(slices.Clone(points), 2<<3, 2, 3<<3, 1)) // cumulative, monotonic
	}
	return appendBytes(m, 5, points)
}

func appendExemplar(dst []byte, e exemplar) []byte {
	var b []byte
	for _, l := range e.labels {
		b = appendAttribute(b, 7, l)
	}
	if e.millis > 0 && e.millis <= maxMillis {
		b = appendFixed(b, 2, uint64(e.millis)*1e6)
	}
	return appendBytes(dst, 5, appendFixed(b, 3, math.Float64bits(e.value)))
}

func appendAttribute(dst []byte, num uint64, l label) []byte {
	return appendBytes(dst, num, appendBytes(appendBytes(nil, 1, []byte(l.name)), 2, appendBytes(nil, 1, []byte(l.value))))
}

func appendBytes(dst []byte, num uint64, b []byte) []byte {
	dst = binary.AppendUvarint(dst, num<<3|2)
	return append(binary.AppendUvarint(dst, uint64(len(b))), b...)
}

func appendFixed(dst []byte, num, v uint64) []byte {
	return binary.LittleEndian.AppendUint64(binary.AppendUvarint(dst, num<<3|1), v)
}
