package otlp

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"sync"
	"time"

	"github.com/tael-sql/tael-sql/internal/vector"
	"github.com/tael-sql/tael-sql/wal/record"
)

// Decode makes rows of a request. The rows alias body, which must not change
// any more. The error is ErrMalformed, and nothing of the request counts then.
//
// The rows depend on nothing but body and the header's Type, Source and
// ReceiveNanos, so that replay makes the same.
func Decode(h record.Header, body []byte) (*Decoded, error) {
	return decode(h, body, math.MinInt64)
}

// decode rejects items of a time before oldest.
func decode(h record.Header, body []byte, oldest int64) (*Decoded, error) {
	if h.Codec.IsJSON() {
		return nil, fmt.Errorf("%w: JSON must be converted to protobuf first", ErrMalformed)
	}
	pool, ok := decoders[h.Type]
	if !ok {
		return nil, fmt.Errorf("%w: records of type %s hold no items", ErrMalformed, h.Type)
	}
	d := pool.Get().(*decoder)
	defer pool.Put(d)
	d.oldest = oldest
	return d.decode(h, body)
}

// decoders hold scratch memory and what recent resources and scopes meant.
var decoders = map[record.Type]*sync.Pool{
	record.Traces: {New: func() any {
		return newDecoder(SpansSchema, spanPromotions, (*decoder).span, 2, 2)
	}},
	record.Logs: {New: func() any {
		return newDecoder(LogsSchema, logPromotions, (*decoder).log, 2, 2)
	}},
	record.Metrics: {New: func() any {
		return newDecoder(MetricsSchema, nil, (*decoder).metric, 2, 2)
	}},
}

// What a decoder remembers: so many resources, and scopes, of up to so many
// bytes.
const (
	maxRemembered      = 256
	maxRememberedBytes = 16 << 10
)

type decoder struct {
	table      *table
	attributes *attributes
	resourceOf map[string]promotedKey
	perItem    func(*decoder, []byte) error
	path       []uint32 // field numbers from the request to its spans, records or metrics
	service    int      // field
	mapField   int
	origin     int // first of originFields

	resources map[string]*resource
	scopes    map[string]*scope

	// Of the request being read.
	header    record.Header
	oldest    int64 // time of an item, in ns since 1970
	row       int   // rows so far
	items     int   // items so far
	total     int
	ordinals  []uint32
	rejected  int
	message   string
	zeroTime  bool
	resource  *resource
	scope     *scope
	originExt []byte // of the resource and the scope
	point     point

	// Of the item being read.
	ext               []byte
	kvs, parts, links [][]byte
	json              []byte
	hash              []byte
}

func newDecoder(schema *vector.Schema, promotions []promotion, item func(*decoder, []byte) error, path ...uint32) *decoder {
	return &decoder{
		table:      newTable(schema),
		attributes: newAttributes(promotedKeys(schema, promotions)),
		resourceOf: promotedKeys(schema, resourcePromotions),
		perItem:    item,
		path:       append([]uint32{1}, path...),
		service:    schema.Index("service"),
		mapField:   schema.Index("attributes"),
		origin:     schema.Index("resource_attributes"),
		resources:  make(map[string]*resource),
		scopes:     make(map[string]*scope),
	}
}

func (d *decoder) decode(h record.Header, body []byte) (*Decoded, error) {
	d.header = h
	d.row, d.items, d.rejected, d.message, d.zeroTime = 0, 0, 0, "", false
	d.ordinals = d.ordinals[:0]
	d.total = d.countItems(body)
	d.table.begin(d.total)
	d.attributes.begin()
	if err := fields(body, 1, d.resourceItems); err != nil {
		return nil, err
	}
	out := &Decoded{
		Items: d.items, Rejected: d.rejected, Reason: d.message, HasZeroTime: d.zeroTime,
	}
	d.table.texts(d.origin+atSource, 0, d.row, h.Source.String())
	for row := range d.row {
		d.table.int(d.origin+atIngestedAt, row, h.ReceiveNanos)
	}
	out.Rows = d.table.finish(d.row)
	out.Rows.Cols[d.mapField] = d.attributes.finish(d.row)
	if d.rejected > 0 {
		out.Rows.Ordinals = slices.Clone(d.ordinals)
	}
	return out, nil
}

func (d *decoder) countItems(body []byte) int {
	if d.header.Type != record.Metrics {
		return count(body, d.path...)
	}
	n := 0
	for _, kind := range metricKinds {
		n += count(body, 1, 2, 2, kind, 1)
	}
	return n
}

// resourceItems reads a ResourceSpans, ResourceLogs or ResourceMetrics. All
// three have the resource in field 1, scopes in 2 and the schema URL in 3.
func (d *decoder) resourceItems(b []byte) error {
	raw, present, schemaURL, err := head(b)
	if err != nil {
		return err
	}
	if d.resource, err = d.findResource(raw, present); err != nil {
		return err
	}
	url, ext := cleanText(schemaURL, "resource_schema_url", nil)
	ext = append(ext, d.resource.ext...)
	from := d.row
	if err := fields(b, 2, func(sub []byte) error { return d.scopeItems(sub, ext) }); err != nil {
		return err
	}
	d.setResource(from, d.row, d.resource, url)
	return nil
}

// scopeItems reads a ScopeSpans, ScopeLogs or ScopeMetrics: the scope in field
// 1, items in 2, the schema URL in 3.
func (d *decoder) scopeItems(b, resourceExt []byte) error {
	raw, present, schemaURL, err := head(b)
	if err != nil {
		return err
	}
	if d.scope, err = d.findScope(raw, present); err != nil {
		return err
	}
	url, ext := cleanText(schemaURL, "scope_schema_url", nil)
	d.originExt = append(append(ext, resourceExt...), d.scope.ext...)
	from := d.row
	m := message{rest: b}
	for m.next() {
		if m.num() != 2 {
			continue
		}
		sub := m.bytes()
		if m.bad {
			break
		}
		if err := d.perItem(d, sub); err != nil {
			return err
		}
	}
	d.setScope(from, d.row, d.scope, url)
	return m.err()
}

// head reads fields 1 and 3. A message that occurs twice is its parts joined.
func head(b []byte) (raw []byte, present bool, url string, err error) {
	m := message{rest: b}
	for m.next() {
		switch m.num() {
		case 1:
			part := m.bytes()
			if present {
				part = slices.Concat(raw, part)
			}
			raw, present = part, true
		case 3:
			url = m.text()
		}
	}
	return raw, present, url, m.err()
}

func (d *decoder) findResource(raw []byte, present bool) (*resource, error) {
	if r, ok := d.resources[string(raw)]; ok && r.present == present {
		return r, nil
	}
	r, err := parseResource(raw, present, d.resourceOf)
	if err != nil {
		return nil, err
	}
	if len(raw) > maxRememberedBytes {
		return r, nil
	}
	if len(d.resources) >= maxRemembered {
		clear(d.resources)
	}
	d.resources[string(raw)] = r
	return r, nil
}

func (d *decoder) findScope(raw []byte, present bool) (*scope, error) {
	if s, ok := d.scopes[string(raw)]; ok && s.present == present {
		return s, nil
	}
	s, err := parseScope(raw, present)
	if err != nil {
		return nil, err
	}
	if len(raw) > maxRememberedBytes {
		return s, nil
	}
	if len(d.scopes) >= maxRemembered {
		clear(d.scopes)
	}
	d.scopes[string(raw)] = s
	return s, nil
}

// originError says why no item under the resource and scope can be kept.
func (d *decoder) originError() error {
	if d.resource.err != nil {
		return d.resource.err
	}
	return d.scope.err
}

// begin starts an item.
func (d *decoder) begin() {
	d.ext, d.json = d.ext[:0], d.json[:0]
	d.kvs, d.parts, d.links = d.kvs[:0], d.parts[:0], d.links[:0]
}

// done ends an item that became the row d.row, or an error that kept it from
// being one. It passes on what concerns more than the item.
func (d *decoder) done(what string, err error) error {
	var why rejection
	switch {
	case err == nil:
		d.ordinals = append(d.ordinals, uint32(d.items))
		d.row++
	case errors.As(err, &why):
		d.rejected++
		if d.message == "" {
			d.message = fmt.Sprintf("%s %d of %d: %s", what, d.items+1, d.total, why)
		}
	default:
		return err
	}
	d.items++
	return nil
}

// setExt keeps what the other columns of the row could not carry.
func (d *decoder) setExt() {
	if len(d.ext)+len(d.originExt) > 0 {
		d.table.text(d.origin+atExt, d.row, string(d.ext)+string(d.originExt))
	}
}

// column sets a text column, cleaning it; an empty text leaves a nullable
// column NULL.
func (d *decoder) column(field int, s string) {
	f := &d.table.cols[field].field
	if s == "" && f.Nullable {
		return
	}
	s, d.ext = cleanText(s, f.Name, d.ext)
	d.table.text(field, d.row, s)
}

// enum sets a text column from a number's name; without one, from fallback.
func (d *decoder) enum(field int, names []string, number int32, fallback string) {
	name := fallback
	if number >= 0 && int(number) < len(names) {
		name = names[number]
	} else {
		d.ext = appendExtEnum(d.ext, d.table.cols[field].field.Name, number)
	}
	d.table.text(field, d.row, name)
}

func unixMicro(micros int64) time.Time { return time.UnixMicro(micros).UTC() }

// mustField gives the place of a field that the schema has.
func mustField(schema *vector.Schema, name string) int {
	i := schema.Index(name)
	if i < 0 {
		panic("BUG: schema " + schema.Name + " has no field " + name)
	}
	return i
}
