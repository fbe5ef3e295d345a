package otlp

import (
	"math"

	"github.com/tael-sql/tael-sql/internal/vector"
)

// A point is a data point of any kind as received. It is reused.
type point struct {
	time, start   uint64
	flags         int64
	number        uint8
	bits          uint64 // of the number
	count         uint64
	sum, min, max optional
	buckets       []uint64
	bounds        []float64

	scale              int64
	zeroCount          uint64
	zeroThreshold      float64
	positive, negative buckets

	quantiles, quantileValues []float64
}

// What a number is.
const (
	numberNone = iota
	numberInt
	numberDouble
)

type optional struct {
	v   float64
	set bool
}

type buckets struct {
	set    bool
	offset int64
	counts []uint64
}

func (p *point) reset() {
	*p = point{
		buckets: p.buckets[:0], bounds: p.bounds[:0],
		positive:  buckets{counts: p.positive.counts[:0]},
		negative:  buckets{counts: p.negative.counts[:0]},
		quantiles: p.quantiles[:0], quantileValues: p.quantileValues[:0],
	}
}

// checkCounts rejects counts that int8 cannot hold.
func (p *point) checkCounts() error {
	for _, list := range [][]uint64{{p.count, p.zeroCount}, p.buckets, p.positive.counts, p.negative.counts} {
		for _, n := range list {
			if n > math.MaxInt64 {
				return rejectf("a count of %d is too large", n)
			}
		}
	}
	return nil
}

func (d *decoder) readPoint(b []byte, kind uint32) error {
	d.point.reset()
	m := message{rest: b}
	switch kind {
	case kindGauge, kindSum:
		d.readNumber(&m)
	case kindHistogram:
		d.readHistogram(&m)
	case kindExponentialHistogram:
		d.readExponential(&m)
	default:
		d.readSummary(&m)
	}
	return m.err()
}

func (d *decoder) readNumber(m *message) {
	p := &d.point
	for m.next() {
		switch m.num() {
		case 2:
			p.start = m.fixed64()
		case 3:
			p.time = m.fixed64()
		case 4:
			p.number, p.bits = numberDouble, m.fixed64()
		case 5:
			d.parts = append(d.parts, m.bytes())
		case 6:
			p.number, p.bits = numberInt, m.fixed64()
		case 7:
			d.kvs = append(d.kvs, m.bytes())
		case 8:
			p.flags = m.uint32()
		}
	}
}

func (d *decoder) readHistogram(m *message) {
	p := &d.point
	for m.next() {
		ok := true
		switch m.num() {
		case 2:
			p.start = m.fixed64()
		case 3:
			p.time = m.fixed64()
		case 4:
			p.count = m.fixed64()
		case 5:
			p.sum = optional{m.double(), true}
		case 6:
			p.buckets, ok = m.field.UnpackFixed64s(p.buckets)
		case 7:
			p.bounds, ok = m.field.UnpackDoubles(p.bounds)
		case 8:
			d.parts = append(d.parts, m.bytes())
		case 9:
			d.kvs = append(d.kvs, m.bytes())
		case 10:
			p.flags = m.uint32()
		case 11:
			p.min = optional{m.double(), true}
		case 12:
			p.max = optional{m.double(), true}
		}
		m.bad = m.bad || !ok
	}
}

func (d *decoder) readExponential(m *message) {
	p := &d.point
	for m.next() {
		switch m.num() {
		case 1:
			d.kvs = append(d.kvs, m.bytes())
		case 2:
			p.start = m.fixed64()
		case 3:
			p.time = m.fixed64()
		case 4:
			p.count = m.fixed64()
		case 5:
			p.sum = optional{m.double(), true}
		case 6:
			p.scale = m.sint32()
		case 7:
			p.zeroCount = m.fixed64()
		case 8:
			p.positive.read(m)
		case 9:
			p.negative.read(m)
		case 10:
			p.flags = m.uint32()
		case 11:
			d.parts = append(d.parts, m.bytes())
		case 12:
			p.min = optional{m.double(), true}
		case 13:
			p.max = optional{m.double(), true}
		case 14:
			p.zeroThreshold = m.double()
		}
	}
}

func (b *buckets) read(m *message) {
	b.set = true
	sub := message{rest: m.bytes()}
	for sub.next() {
		switch sub.num() {
		case 1:
			b.offset = sub.sint32()
		case 2:
			var ok bool
			b.counts, ok = sub.field.UnpackUint64s(b.counts)
			sub.bad = sub.bad || !ok
		}
	}
	m.bad = m.bad || sub.bad
}

func (d *decoder) readSummary(m *message) {
	p := &d.point
	for m.next() {
		switch m.num() {
		case 2:
			p.start = m.fixed64()
		case 3:
			p.time = m.fixed64()
		case 4:
			p.count = m.fixed64()
		case 5:
			p.sum = optional{m.double(), true}
		case 6:
			var quantile, v float64
			sub := message{rest: m.bytes()}
			for sub.next() {
				switch sub.num() {
				case 1:
					quantile = sub.double()
				case 2:
					v = sub.double()
				}
			}
			m.bad = m.bad || sub.bad
			p.quantiles = append(p.quantiles, quantile)
			p.quantileValues = append(p.quantileValues, v)
		case 7:
			d.kvs = append(d.kvs, m.bytes())
		case 8:
			p.flags = m.uint32()
		}
	}
}

// exemplars gives the exemplars as jsonb, and to ext those that it cannot carry.
func (d *decoder) exemplars() (string, error) {
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
		if dst, lossy, err = appendExemplar(dst, raw); err != nil {
			return "", err
		}
		if lossy {
			d.ext = appendExtPart(d.ext, extExemplar, i, raw)
		}
	}
	d.json = append(dst, ']')
	return string(d.json), nil
}

func appendExemplar(dst, b []byte) (out []byte, lossy bool, err error) {
	var at, bits uint64
	var number uint8
	var traceID, spanID []byte
	var kvs [][]byte
	m := message{rest: b}
	for m.next() {
		switch m.num() {
		case 2:
			at = m.fixed64()
		case 3:
			number, bits = numberDouble, m.fixed64()
		case 4:
			spanID = m.bytes()
		case 5:
			traceID = m.bytes()
		case 6:
			number, bits = numberInt, m.fixed64()
		case 7:
			kvs = append(kvs, m.bytes())
		}
	}
	if m.bad {
		return dst, false, ErrMalformed
	}
	time, err := nanos(at, "the time of an exemplar")
	if err != nil {
		return dst, false, err
	}
	if _, err := identifier(traceID, 16, "the trace_id of an exemplar"); err != nil {
		return dst, false, err
	}
	if _, err := identifier(spanID, 8, "the span_id of an exemplar"); err != nil {
		return dst, false, err
	}
	dst = append(dst, `{"value": `...)
	switch number {
	case numberInt:
		dst = append(dst, scalarText(value{tag: vector.TagInt, bits: bits})...)
	case numberDouble:
		f := math.Float64frombits(bits)
		lossy = math.IsNaN(f) || math.IsInf(f, 0)
		dst = appendDouble(dst, f)
	default:
		dst = append(dst, "null"...)
	}
	dst = appendID(append(dst, `, "span_id": `...), spanID)
	dst = appendID(append(dst, `, "trace_id": `...), traceID)
	dst = appendTimestamp(append(dst, `, "timestamp": "`...), time)
	dst = appendMember(dst, `", "time_unix_nano": `, time)
	dst, members, err := appendObject(append(dst, `, "filtered_attributes": `...), kvs, 0)
	for _, m := range members {
		lossy = lossy || m.lossy
	}
	return append(dst, '}'), lossy, err
}
