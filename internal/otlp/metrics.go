package otlp

import (
	"cmp"
	"encoding/binary"
	"encoding/hex"
	"math"

	"github.com/cespare/xxhash/v2"

	"github.com/tael-sql/tael-sql/internal/pgtypes"
	"github.com/tael-sql/tael-sql/internal/vector"
)

func metricField(name string) int { return mustField(MetricsSchema, name) }

var (
	metricTimestamp      = metricField("timestamp_unix_nano")
	metricTime           = metricField("time_unix_nano")
	metricStart          = metricField("start_time_unix_nano")
	metricName           = metricField("name")
	metricType           = metricField("metric_type")
	metricValue          = metricField("value")
	metricUnit           = metricField("unit")
	metricOTelType       = metricField("otel_type")
	metricDescription    = metricField("description")
	metricValueInt       = metricField("value_int")
	metricTemporality    = metricField("temporality")
	metricMonotonic      = metricField("is_monotonic")
	metricFlags          = metricField("flags")
	metricNoValue        = metricField("no_recorded_value")
	metricCount          = metricField("count")
	metricSum            = metricField("sum")
	metricMin            = metricField("min")
	metricMax            = metricField("max")
	metricBuckets        = metricField("bucket_counts")
	metricBounds         = metricField("explicit_bounds")
	metricScale          = metricField("scale")
	metricZeroCount      = metricField("zero_count")
	metricZeroThreshold  = metricField("zero_threshold")
	metricPositiveOffset = metricField("positive_offset")
	metricPositive       = metricField("positive_bucket_counts")
	metricNegativeOffset = metricField("negative_offset")
	metricNegative       = metricField("negative_bucket_counts")
	metricQuantiles      = metricField("quantiles")
	metricQuantileValues = metricField("quantile_values")
	metricExemplars      = metricField("exemplars")
	metricMetadata       = metricField("metadata")
	metricSeriesID       = metricField("series_id")
)

// Field numbers of Metric's data, which tell the kinds apart.
const (
	kindGauge                = 5
	kindSum                  = 7
	kindHistogram            = 9
	kindExponentialHistogram = 10
	kindSummary              = 11
)

var (
	metricKinds = []uint32{kindGauge, kindSum, kindHistogram, kindExponentialHistogram, kindSummary}
	otelTypes   = map[uint32]string{
		kindGauge: "gauge", kindSum: "sum", kindHistogram: "histogram",
		kindExponentialHistogram: "exponential_histogram", kindSummary: "summary",
	}
	metricTypes = map[uint32]string{
		kindGauge: "gauge", kindSum: "sum", kindHistogram: "histogram",
		kindExponentialHistogram: "histogram", kindSummary: "summary",
	}
	temporalities = []string{"unspecified", "delta", "cumulative"}
)

const flagNoRecordedValue = 1

// A metric as received, without its points.
type metric struct {
	name, description, unit string
	kind                    uint32
	temporality             int32
	monotonic               bool
	metadata                string
	metadataExt             []byte
}

func (d *decoder) metric(b []byte) error {
	var mt metric
	var metadata, datas [][]byte
	m := message{rest: b}
	for m.next() {
		switch num := m.num(); num {
		case 1:
			mt.name = m.text()
		case 2:
			mt.description = m.text()
		case 3:
			mt.unit = m.text()
		case kindGauge, kindSum, kindHistogram, kindExponentialHistogram, kindSummary:
			if num != mt.kind {
				datas, mt.kind = datas[:0], num // the last of a oneof counts
			}
			datas = append(datas, m.bytes())
		case 12:
			metadata = append(metadata, m.bytes())
		}
	}
	if m.bad {
		return ErrMalformed
	}
	originErr := d.originError()
	if len(metadata) > 0 {
		text, members, err := appendObject(nil, metadata, 0)
		if _, rejected := err.(rejection); rejected {
			originErr = err
		} else if err != nil {
			return err
		}
		mt.metadata = string(text)
		for _, m := range members {
			if m.lossy {
				mt.metadataExt = appendBytes(mt.metadataExt, extMetadata, m.raw)
			}
		}
	}
	for _, data := range datas {
		if err := readData(data, &mt); err != nil {
			return err
		}
	}
	for _, data := range datas {
		err := fields(data, 1, func(raw []byte) error {
			d.begin()
			if err := d.readPoint(raw, mt.kind); err != nil {
				return err
			}
			err := originErr
			if err == nil {
				err = d.addPoint(&mt)
			}
			return d.done("data point", err)
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// readData reads what a Gauge, Sum, Histogram, ExponentialHistogram or Summary
// says besides its points.
func readData(b []byte, mt *metric) error {
	m := message{rest: b}
	for m.next() {
		switch {
		case m.num() == 2 && mt.kind != kindGauge && mt.kind != kindSummary:
			mt.temporality = m.int32()
		case m.num() == 3 && mt.kind == kindSum:
			mt.monotonic = m.varint() != 0
		}
	}
	return m.err()
}

// addPoint sets the columns of a row; nothing is set when it fails.
func (d *decoder) addPoint(mt *metric) error {
	p := &d.point
	time, err := nanos(p.time, "time_unix_nano")
	if err != nil {
		return err
	}
	start, err := nanos(p.start, "start_time_unix_nano")
	if err != nil {
		return err
	}
	if err := d.unexpired(cmp.Or(time, d.header.ReceiveNanos)); err != nil {
		return err
	}
	if err := p.checkCounts(); err != nil {
		return err
	}
	if err := d.attributes.parse(d.kvs); err != nil {
		return err
	}
	exemplars, err := d.exemplars()
	if err != nil {
		return err
	}

	t, row := d.table, d.row
	t.int(metricTime, row, time)
	if time != 0 {
		t.int(metricTimestamp, row, time)
	} else {
		t.int(metricTimestamp, row, d.header.ReceiveNanos)
		d.zeroTime = true
	}
	if start != 0 {
		t.int(metricStart, row, start)
	}
	d.column(metricName, mt.name)
	d.column(metricUnit, mt.unit)
	d.column(metricDescription, mt.description)
	t.text(metricType, row, metricTypes[mt.kind])
	t.text(metricOTelType, row, otelTypes[mt.kind])
	if mt.kind != kindGauge && mt.kind != kindSummary {
		d.enum(metricTemporality, temporalities, mt.temporality, "unspecified")
	}
	if mt.kind == kindSum {
		t.bool(metricMonotonic, row, mt.monotonic)
	}
	if mt.metadata != "" {
		t.text(metricMetadata, row, mt.metadata)
		d.ext = append(d.ext, mt.metadataExt...)
	}
	t.int(metricFlags, row, p.flags)
	t.bool(metricNoValue, row, p.flags&flagNoRecordedValue != 0)
	t.text(metricExemplars, row, exemplars)
	d.setNumbers(mt.kind)

	_, d.ext = d.attributes.add(d.ext)
	t.text(metricSeriesID, row, d.seriesID(mt))
	d.setExt()
	return nil
}

// setNumbers sets what a point measured.
func (d *decoder) setNumbers(kind uint32) {
	p, t, row := &d.point, d.table, d.row
	if kind == kindGauge || kind == kindSum {
		switch p.number {
		case numberInt:
			t.int(metricValueInt, row, int64(p.bits))
			t.float(metricValue, row, float64(int64(p.bits)))
		case numberDouble:
			t.float(metricValue, row, math.Float64frombits(p.bits))
		}
		return
	}
	t.int(metricCount, row, int64(p.count))
	if p.sum.set || kind == kindSummary {
		t.float(metricSum, row, p.sum.v)
		t.float(metricValue, row, p.sum.v)
	}
	if p.min.set {
		t.float(metricMin, row, p.min.v)
	}
	if p.max.set {
		t.float(metricMax, row, p.max.v)
	}
	if len(p.buckets) > 0 {
		t.any(metricBuckets, row, intArray(p.buckets))
	}
	if len(p.bounds) > 0 {
		t.any(metricBounds, row, floatArray(p.bounds))
	}
	if len(p.quantiles) > 0 {
		t.any(metricQuantiles, row, floatArray(p.quantiles))
		t.any(metricQuantileValues, row, floatArray(p.quantileValues))
	}
	if kind != kindExponentialHistogram {
		return
	}
	t.int(metricScale, row, p.scale)
	t.int(metricZeroCount, row, int64(p.zeroCount))
	t.float(metricZeroThreshold, row, p.zeroThreshold)
	if p.positive.set {
		t.int(metricPositiveOffset, row, p.positive.offset)
		t.any(metricPositive, row, intArray(p.positive.counts))
	}
	if p.negative.set {
		t.int(metricNegativeOffset, row, p.negative.offset)
		t.any(metricNegative, row, intArray(p.negative.counts))
	}
}

func intArray(v []uint64) *pgtypes.Array {
	elems := make([]any, len(v))
	for i, n := range v {
		elems[i] = int64(n)
	}
	return pgtypes.NewArray(pgtypes.Int8, elems)
}

func floatArray(v []float64) *pgtypes.Array {
	elems := make([]any, len(v))
	for i, f := range v {
		elems[i] = f
	}
	return pgtypes.NewArray(pgtypes.Float8, elems)
}

// seriesID hashes what tells series apart. It must stay the same for ever: the
// texts, each after its length, then the attributes in the order of jsonb.
func (d *decoder) seriesID(mt *metric) string {
	h := d.hash[:0]
	add := func(s string) {
		h = append(binary.AppendUvarint(h, uint64(len(s))), s...)
	}
	add(d.resource.service)
	add(mt.name)
	add(otelTypes[mt.kind])
	add(mt.unit)
	add(d.resource.attributes)
	add(d.scope.name)
	add(d.scope.version)
	add(d.scope.attributes)
	a := d.attributes
	for e := a.off[d.row]; e < a.off[d.row+1]; e++ {
		add(a.keyDict[a.keys[e]])
		h = append(h, byte(a.tags[e]))
		switch a.tags[e] {
		case vector.TagString, vector.TagBytes, vector.TagJSON:
			add(a.strs[a.vals[e]])
		default:
			h = binary.LittleEndian.AppendUint64(h, a.vals[e])
		}
	}
	d.hash = h
	var sum [8]byte
	binary.BigEndian.PutUint64(sum[:], xxhash.Sum64(h))
	var text [16]byte
	hex.Encode(text[:], sum[:])
	return string(text[:])
}
