// Package tables presents what the engine stores as relations: the telemetry
// tables, the views over them, and the table functions.
package tables

import (
	_ "embed"
	"fmt"
	"strings"

	"github.com/tael-sql/tael-sql/catalog"
	"github.com/tael-sql/tael-sql/engine"
	"github.com/tael-sql/tael-sql/internal/otlp"
	"github.com/tael-sql/tael-sql/internal/pgtypes"
	"github.com/tael-sql/tael-sql/internal/vector"
	"github.com/tael-sql/tael-sql/wal/record"
)

// OIDs of the relations. They never change: clients keep them.
const (
	spansOID pgtypes.OID = 20001 + iota
	logsOID
	metricsOID
	recentSpansOID
	servicesOID
	tracesOID
	commentsOID
	llmPricesOID
	llmSpansOID
	partsOID
	jobsOID
	attributeKeysOID
	metricNamesOID
	metrics5mOID
	rollupPointsOID
	rollupRowsOID
)

// columnsText describes the tables. A section starts with = and the table's
// name and comment; each line is a column: name | type, ! for NOT NULL |
// source | comment; @origin stands for the columns of section origin. A source
// is a stored field, or
//
//	micros F    a timestamptz of a field in ns since 1970
//	ms F G      G - F in milliseconds
//	ns F G      G - F
//	bytes F     the bytea of a String field of raw bytes
//	row         the running number of the row
//	sha256 F    the hash of a text that is stored outside the rows
//	llm K A E   what attributes and events of a span of kind llm say of its call
//
// In a keyed table the source is the column's default, - for none.
//
//go:embed columns.txt
var columnsText string

// maxBodyBytes is the longest body of a log that is stored in its row.
const maxBodyBytes = 8192

// timeFields names the field by whose time the rows of each stored table are
// partitioned and expire.
var timeFields = map[*vector.Schema]string{
	otlp.SpansSchema: "start_time_unix_nano", otlp.LogsSchema: "timestamp_unix_nano", otlp.MetricsSchema: "timestamp_unix_nano",
}

// maxPayloadBytes is the longest text of an LLM's payload that is stored in its
// row.
const maxPayloadBytes = 1024

// Specs describes the stored tables to the engine.
func Specs() []engine.TableSpec {
	return []engine.TableSpec{
		{
			ID: 1, Record: record.Traces, Schema: otlp.SpansSchema, Time: timeFields[otlp.SpansSchema],
			Arrival: "ingested_at_unix_nano", Zones: []string{"end_time_unix_nano"},
			Key: []string{"trace_id", "span_id"}, Trace: "trace_id",
			Order: []string{"trace_id", "start_time_unix_nano"}, Relative: map[string]string{"end_time_unix_nano": "duration_ns"}, Documents: documents,
			Offload: []engine.Offload{
				{Field: "attributes", Limit: maxPayloadBytes, Key: otlp.LLMPayload},
				{Field: "events", Limit: maxPayloadBytes, Text: otlp.LLMPayloadEvents, Gone: "[]"},
			},
			Texts: spanTexts(),
		},
		{
			ID: 2, Record: record.Logs, Schema: otlp.LogsSchema, Time: timeFields[otlp.LogsSchema],
			Arrival: "ingested_at_unix_nano", Trace: "trace_id", Offload: []engine.Offload{{Field: "body", Limit: maxBodyBytes}}, Documents: documents,
			Order:    []string{"service", "timestamp_unix_nano"},
			Relative: map[string]string{"time_unix_nano": "time_after_ns", "observed_time_unix_nano": "observed_after_ns"},
			Texts:    logTexts(),
		},
		{
			ID: 3, Record: record.Metrics, Schema: otlp.MetricsSchema, Time: timeFields[otlp.MetricsSchema],
			Arrival: "ingested_at_unix_nano", Documents: documents, Groups: metricNameFields, Member: "series_id",
			Order:    []string{"name", "series_id", "timestamp_unix_nano"},
			Relative: map[string]string{"time_unix_nano": "time_after_ns"},
		},
	}
}

// Register adds the tables and views to a catalog.
func Register(c *catalog.Catalog) {
	sections := parseColumns()
	var stored []*telemetry // spans, logs, metrics
	for _, t := range []struct {
		oid    pgtypes.OID
		schema *vector.Schema
		record record.Type
		key    []string
	}{
		{spansOID, otlp.SpansSchema, record.Traces, []string{"trace_id", "span_id"}},
		{logsOID, otlp.LogsSchema, record.Logs, nil},
		{metricsOID, otlp.MetricsSchema, record.Metrics, nil},
	} {
		table := newTelemetry(t.oid, t.schema, t.record, sections[t.schema.Name], t.key)
		stored = append(stored, table)
		c.AddTable(table)
	}
	for _, t := range keyedTables {
		c.AddTable(newKeyed(t.oid, t.name, t.id, sections[t.name], t.key))
	}
	registerViews(c)
	registerAbout(c)
	registerFunctions(c)
	c.AddFunction(newAnomalies(stored[0], stored[1], stored[2]))
	c.AddFunction(newTraceDiff(stored[0]))
	c.AddFunction(newLatencyDiff(stored[0]))
	for _, f := range newTraceFunctions(stored[0]) {
		c.AddFunction(f)
	}
	c.AddFunction(newSearch(stored[0], stored[1]))
	c.AddFunction(newTail(stored...))
	c.AddInternal(newRollupPoints(stored[2]))
	c.AddInternal(rollupRows{})
}

// keyedTables are the tables that statements write row by row. Their ids are
// on disk.
var keyedTables = []struct {
	oid  pgtypes.OID
	name string
	id   uint8
	key  []string
}{
	{commentsOID, "comments", commentsID, []string{"id"}},
	{llmPricesOID, "llm_prices", 2, []string{"provider", "model_pattern", "valid_from"}},
}

// KeyedSpecs describes the keyed tables to the engine.
func KeyedSpecs() []engine.KeyedSpec {
	var specs []engine.KeyedSpec
	for _, t := range keyedTables {
		specs = append(specs, engine.KeyedSpec{ID: t.id, Name: t.name})
	}
	for _, t := range []*keyed{roles, storedViews, storedRollups, lastPoints, rollupBoundary} {
		specs = append(specs, engine.KeyedSpec{ID: t.id, Name: t.rel.Name})
	}
	return specs
}

// section is the columns of one table.
type section struct {
	comment string
	columns []column
}

type column struct {
	catalog.Column
	source []string
}

func parseColumns() map[string]*section {
	sections := make(map[string]*section)
	var current *section
	var origins []*section
	for line := range strings.Lines(columnsText) {
		line = strings.TrimSpace(line)
		switch {
		case line == "":
		case strings.HasPrefix(line, "= "):
			name, comment, _ := strings.Cut(line[2:], " | ")
			current = &section{comment: comment}
			sections[strings.TrimSpace(name)] = current
		case line == "@origin":
			origins = append(origins, current)
			current.columns = append(current.columns, column{}) // its place
		default:
			current.columns = append(current.columns, parseColumn(line))
		}
	}
	for _, s := range origins {
		for i, col := range s.columns {
			if col.Name == "" {
				rest := append([]column(nil), s.columns[i+1:]...)
				s.columns = append(append(s.columns[:i:i], sections["origin"].columns...), rest...)
				break
			}
		}
	}
	return sections
}

func parseColumn(line string) column {
	f := strings.Split(line, " | ")
	if len(f) != 4 {
		panic("BUG: columns.txt: " + line)
	}
	typ, notNull := strings.CutSuffix(f[1], " !")
	oid, ok := pgtypes.ByName(typ)
	if !ok {
		panic(fmt.Sprintf("BUG: columns.txt: type %q", typ))
	}
	return column{
		Column: catalog.Column{Name: f[0], Type: pgtypes.Of(oid), NotNull: notNull, Comment: f[3]},
		source: strings.Fields(f[2]),
	}
}
