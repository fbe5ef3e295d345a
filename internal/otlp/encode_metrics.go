package otlp

import (
	"encoding/binary"
	"math"

	"github.com/tael-sql/tael-sql/internal/pgtypes"
)

// metric begins the Metric of the row and its Gauge, Sum or other data, to
// which points are added.
func (e *encoder) metric() {
	kind := e.metricKind()
	e.open = append(e.open, e.begin(2))
	e.column(metricName, 1)
	e.column(metricDescription, 2)
	e.column(metricUnit, 3)
	metadata, _ := e.text(metricMetadata)
	e.jsonAttributes(12, metricMetadata, metadata, e.ext.metadata)
	e.open = append(e.open, e.begin(uint64(kind)))
	if kind != kindGauge && kind != kindSummary {
		e.varint(2, uint64(uint32(e.enum(metricTemporality, temporalities, 0))))
	}
	if monotonic, _ := e.bool(metricMonotonic); monotonic && kind == kindSum {
		e.dst = appendVarint(e.dst, 3, 1)
	}
}

// metricKind gives the kind of otel_type, else that of metric_type.
func (e *encoder) metricKind() uint32 {
	field := metricOTelType
	name, ok := e.text(field)
	if !ok {
		field = metricType
		name, _ = e.text(field)
	}
	for _, kind := range metricKinds {
		if otelTypes[kind] == name {
			return kind
		}
	}
	e.fail(field, "is %q, which is no type of metric", name)
	return kindGauge
}

// point writes the row as a data point.
func (e *encoder) point() {
	m := e.begin(1)
	flags, _ := e.int(metricFlags)
	if none, _ := e.bool(metricNoValue); none {
		flags |= flagNoRecordedValue
	}
	e.natural(metricStart, 2)
	e.natural(metricTime, 3)
	switch kind := e.metricKind(); kind {
	case kindGauge, kindSum:
		if n, ok := e.int(metricValueInt); ok {
			e.fixed64(6, uint64(n))
		} else {
			e.double(metricValue, 4)
		}
		e.exemplars(5)
		e.itemAttributes(7)
		e.unsigned(metricFlags, 8, flags)
	case kindHistogram:
		e.natural(metricCount, 4)
		e.sum()
		e.packed(metricBuckets, 6, false)
		e.packed(metricBounds, 7, false)
		e.exemplars(8)
		e.itemAttributes(9)
		e.unsigned(metricFlags, 10, flags)
		e.double(metricMin, 11)
		e.double(metricMax, 12)
	case kindExponentialHistogram:
		e.itemAttributes(1)
		e.natural(metricCount, 4)
		e.sum()
		e.exponential()
		e.unsigned(metricFlags, 10, flags)
		e.exemplars(11)
		e.double(metricMin, 12)
		e.double(metricMax, 13)
	default:
		e.natural(metricCount, 4)
		e.sum()
		e.quantiles()
		e.itemAttributes(7)
		e.unsigned(metricFlags, 8, flags)
	}
	e.end(m)
}

// sum writes field 5 of all but number points.
func (e *encoder) sum() {
	if _, ok := e.float(metricSum); ok {
		e.double(metricSum, 5)
	} else {
		e.double(metricValue, 5)
	}
}

func (e *encoder) exponential() {
	if scale, _ := e.int(metricScale); scale != 0 {
		e.signed(metricScale, 6, scale)
	}
	e.natural(metricZeroCount, 7)
	e.buckets(metricPositiveOffset, metricPositive, 8)
	e.buckets(metricNegativeOffset, metricNegative, 9)
	if f, _ := e.float(metricZeroThreshold); math.Float64bits(f) != 0 {
		e.double(metricZeroThreshold, 14)
	}
}

func (e *encoder) buckets(offsetField, countsField int, num uint64) {
	offset, ok := e.int(offsetField)
	if !ok && e.valid(countsField) == nil {
		return
	}
	m := e.begin(num)
	if offset != 0 {
		e.signed(offsetField, 1, offset)
	}
	e.packed(countsField, 2, true)
	e.end(m)
}

// signed writes a sint32.
func (e *encoder) signed(field int, num uint64, n int64) {
	if n < math.MinInt32 || n > math.MaxInt32 {
		e.fail(field, "is %d, which no int32 is", n)
	}
	e.dst = appendVarint(e.dst, num, uint64(uint32(n)<<1^uint32(int32(n)>>31)))
}

// array gives the elements of an array column.
func (e *encoder) array(field int) []any {
	c := e.valid(field)
	if c == nil {
		return nil
	}
	a := c.Anys[e.row].(*pgtypes.Array)
	for _, v := range a.Elems {
		if n, isInt := v.(int64); v == nil || isInt && n < 0 || len(a.Dims) > 1 {
			e.fail(field, "is not a list of numbers, or holds a count below 0")
			return nil
		}
	}
	return a.Elems
}

// packed writes an array of counts or numbers: as varints or of eight bytes.
func (e *encoder) packed(field int, num uint64, varint bool) {
	list := e.array(field)
	if len(list) == 0 {
		return
	}
	m := e.begin(num)
	for _, v := range list {
		n, isInt := v.(int64)
		switch {
		case !isInt:
			e.dst = binary.LittleEndian.AppendUint64(e.dst, math.Float64bits(v.(float64)))
		case varint:
			e.dst = binary.AppendUvarint(e.dst, uint64(n))
		default:
			e.dst = binary.LittleEndian.AppendUint64(e.dst, uint64(n))
		}
	}
	e.end(m)
}

func (e *encoder) quantiles() {
	quantiles, values := e.array(metricQuantiles), e.array(metricQuantileValues)
	if len(quantiles) != len(values) {
		e.fail(metricQuantileValues, "has %d elements for %d quantiles", len(values), len(quantiles))
		return
	}
	for i, q := range quantiles {
		m := e.begin(6)
		e.fixed64(1, math.Float64bits(q.(float64)))
		e.fixed64(2, math.Float64bits(values[i].(float64)))
		e.end(m)
	}
}

func (e *encoder) exemplars(num uint64) {
	list, _ := e.text(metricExemplars)
	for i, raw := range pgtypes.JSONElements(list) {
		if part, ok := e.ext.part(extExemplar, i); ok {
			e.dst = appendBytes(e.dst, num, part)
			continue
		}
		m := e.begin(num)
		var at moment
		for key, v := range pgtypes.JSONEach(raw) {
			switch key {
			case "time_unix_nano", "timestamp":
				e.moment(metricExemplars, &at, key, v)
			case "value":
				if v != "null" {
					e.jsonNumber(metricExemplars, 6, 3, v, func(num uint64, n int64) { e.fixed64(num, uint64(n)) })
				}
			case "span_id":
				e.jsonID(metricExemplars, 4, v)
			case "trace_id":
				e.jsonID(metricExemplars, 5, v)
			case "filtered_attributes":
				e.jsonAttributes(7, metricExemplars, v, nil)
			}
		}
		e.writeMoment(2, at)
		e.end(m)
	}
}
