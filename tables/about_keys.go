package tables

import (
	"strings"

	"github.com/tael-sql/tael-sql/catalog"
	"github.com/tael-sql/tael-sql/engine/layout"
	"github.com/tael-sql/tael-sql/internal/expr"
	"github.com/tael-sql/tael-sql/internal/otlp"
	"github.com/tael-sql/tael-sql/internal/pgtypes"
	"github.com/tael-sql/tael-sql/internal/vector"
)

// documents are the fields of every signal whose jsonb objects digests count.
var documents = []string{"resource_attributes", "scope_attributes"}

// metricNameFields are what identifies a metric; a digest groups points by them.
var metricNameFields = []string{"name", "metric_type", "unit", "description"}

var attributeKeyColumns = []catalog.Column{
	col("signal", pgtypes.Text, "spans, logs or metrics: the table"),
	col("level", pgtypes.Text, "span, log or point: column attributes; resource or scope: resource_attributes, scope_attributes"),
	col("key", pgtypes.Text, "Attribute"),
	col("type", pgtypes.Text, "string, bool, int, double, bytes, json (arrays and maps) or null; several with a comma between"),
	col("rows", pgtypes.Int8, "Rows that have it; those that were replaced or deleted count while they are stored"),
	col("distinct_estimate", pgtypes.Int8, "Different values: exact up to 255, within about 6 % beyond"),
	col("examples", pgtypes.TextArray, "Up to five values, as ->> gives them"),
}

var metricNameColumns = []catalog.Column{
	col("name", pgtypes.Text, "Metric"),
	col("metric_type", pgtypes.Text, "As in metrics"),
	col("unit", pgtypes.Text, "Unit; empty if none was sent"),
	col("description", pgtypes.Text, "Description; NULL if none was sent"),
	col("series", pgtypes.Int8, "Different series: exact up to 255, within about 6 % beyond"),
	col("points", pgtypes.Int8, "Points"),
	col("last_seen", pgtypes.Timestamptz, "Time of the newest point"),
}

// attributeTypes names the tags of attribute values.
var attributeTypes = []struct {
	tag  vector.Tag
	name string
}{
	{vector.TagString, "string"},
	{vector.TagBool, "bool"},
	{vector.TagInt, "int"},
	{vector.TagDouble, "double"},
	{vector.TagBytes, "bytes"},
	{vector.TagJSON, "json"},
}

// typeNames lists the types of an attribute's values; null alone counts.
func typeNames(tags uint8) string {
	var names []string
	for _, t := range attributeTypes {
		if tags&(1<<t.tag) != 0 {
			names = append(names, t.name)
		}
	}
	if names == nil {
		return "null"
	}
	return strings.Join(names, ", ")
}

func (s *Snapshot) digest(env *expr.Env, table string) (*layout.Digest, error) {
	since := s.since(table, env)
	if since == 0 { // all is kept
		since = minInt64
	}
	return s.View.Digest(env.Ctx, table, since)
}

func attributeKeyRows(snap *Snapshot, env *expr.Env) ([][]any, error) {
	var rows [][]any
	for _, signal := range []struct {
		schema *vector.Schema
		level  string
	}{
		{otlp.SpansSchema, "span"},
		{otlp.LogsSchema, "log"},
		{otlp.MetricsSchema, "point"},
	} {
		digest, err := snap.digest(env, signal.schema.Name)
		if err != nil {
			return nil, err
		}
		levels := map[string]string{"attributes": signal.level, "resource_attributes": "resource", "scope_attributes": "scope"}
		for _, name := range digest.Names() {
			field, key, _ := strings.Cut(name, "\x00")
			a := digest.Attributes[name]
			examples := a.Examples
			if levels[field] == "span" && otlp.LLMPayload(key) {
				examples = nil // payload may expire before its rows, of which the digest is
			}
			rows = append(rows, []any{
				signal.schema.Name, levels[field], key, typeNames(a.Tags), a.Rows, a.Values.Estimate(), exampleTexts(examples),
			})
		}
	}
	return rows, nil
}

func exampleTexts(list []layout.Example) *pgtypes.Array {
	texts := make([]any, len(list))
	for i, e := range list {
		texts[i] = e.Text
	}
	return pgtypes.NewArray(pgtypes.Text, texts)
}

func metricNameRows(snap *Snapshot, env *expr.Env) ([][]any, error) {
	digest, err := snap.digest(env, otlp.MetricsSchema.Name)
	if err != nil {
		return nil, err
	}
	rows := make([][]any, 0, len(digest.Groups))
	for values, g := range digest.Groups {
		v := strings.SplitN(values, "\x00", len(metricNameFields))
		var description any
		if v[3] != "" {
			description = v[3]
		}
		rows = append(rows, []any{v[0], v[1], v[2], description, g.Members.Estimate(), g.Rows, pgtypes.MicrosFromUnixNanos(g.MaxTime)})
	}
	return rows, nil
}
