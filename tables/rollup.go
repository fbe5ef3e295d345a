package tables

import (
	"strings"
	"time"

	"github.com/tael-sql/tael-sql/catalog"
	"github.com/tael-sql/tael-sql/internal/pgtypes"
)

// rollup is metrics_5m: the stored rows of the steps before a boundary, and the
// others made of the points when it is read. storeRollups moves the boundary on,
// over what has expired of the points, before these are deleted.
//
// Of points with the same time and start the last to arrive counts. A counter
// (a monotonic cumulative sum) and a cumulative histogram have grown since the
// point before, which may be in an earlier bucket, by the rules of increase():
// all of it counts for the bucket of the later point, so that the sums of
// buckets add up. They begin anew where they are less than before, or count
// since after the point before. What a first point counted before its bucket is
// in none.
var rollup = view{
	metrics5mOID, "metrics_5m", "Metrics in steps of five minutes: one row for each series and step that has points. Rows stay when their points expire, until retention.metrics_5m.",
	[]catalog.Column{
		col("bucket", pgtypes.Timestamptz, "Begin of the five minutes"),
		col("service", pgtypes.Text, "Service"),
		col("name", pgtypes.Text, "Metric"),
		col("series_id", pgtypes.Text, "Series, as in metrics"),
		col("attributes", pgtypes.Jsonb, "Attributes of its points"),
		col("metric_type", pgtypes.Text, "As in metrics"),
		col("count", pgtypes.Int8, "Points; of a histogram or summary, measurements"),
		col("sum", pgtypes.Float8, "Sum of the values; of a cumulative counter how much it grew, of a histogram or summary the sum of the measurements"),
		col("min", pgtypes.Float8, "Least value; of a histogram the least measurement that a point speaks of, which may be from before if it is cumulative"),
		col("max", pgtypes.Float8, "Greatest value or measurement, likewise"),
		col("avg", pgtypes.Float8, "sum by count"),
		col("last", pgtypes.Float8, "Value of the last point as sent; of a histogram or summary its sum"),
	},
	` SELECT bucket, service, name, series_id, attributes, metric_type, count, sum, min, max,
    sum / nullif(count, 0)::float8 AS avg,
    last
   FROM ( SELECT * FROM rollup_rows
        UNION ALL
         ` + rollupSteps + `) sums;`,
}

// rollupSteps makes rows of points, in the columns of rollup_rows().
const rollupSteps = `SELECT bucket, service, name, series_id, attributes, metric_type,
            sum(CASE
                    WHEN metric_type NOT IN ('histogram', 'summary') THEN 1
                    WHEN NOT cumulative OR anew THEN count
                    WHEN before IS NULL THEN CASE WHEN start_time >= bucket THEN count ELSE 0 END
                    ELSE count - count_before
                END)::int8 AS count,
            sum(CASE
                    WHEN NOT cumulative OR anew THEN value
                    WHEN before IS NULL THEN CASE WHEN start_time >= bucket THEN value ELSE 0::float8 END
                    ELSE value - value_before
                END) AS sum,
            min(CASE WHEN metric_type IN ('histogram', 'summary') THEN min ELSE value END) AS min,
            max(CASE WHEN metric_type IN ('histogram', 'summary') THEN max ELSE value END) AS max,
            max(value) FILTER (WHERE next_bucket IS DISTINCT FROM bucket) AS last
           FROM ( SELECT *,
                    coalesce(metric_type = 'sum' AND value < value_before OR count < count_before
                        OR start_time > start_before AND start_time >= before, false) AS anew
                   FROM ( SELECT *,
                            coalesce(temporality = 'cumulative' AND (is_monotonic OR metric_type = 'histogram'), metric_type = 'summary') AS cumulative,
                            lag("timestamp") OVER series AS before,
                            lag(coalesce(start_time, '-infinity'::timestamptz)) OVER series AS start_before,
                            lag(value) OVER series AS value_before,
                            lag(count) OVER series AS count_before,
                            lead(bucket) OVER series AS next_bucket
                           FROM ( SELECT DISTINCT ON (service, name, series_id, "timestamp", time_unix_nano, start_time_unix_nano)
                                    date_bin('00:05:00'::interval, "timestamp", '2000-01-01 00:00:00+00'::timestamptz) AS bucket,
                                    "timestamp", time_unix_nano, start_time, start_time_unix_nano, service, name, series_id, attributes,
                                    metric_type, temporality, is_monotonic, value, count, min, max, counted
                                   FROM rollup_points
                                  WHERE NOT no_recorded_value
                                  ORDER BY service, name, series_id, "timestamp", time_unix_nano, start_time_unix_nano, ingested_at DESC) points
                          WINDOW series AS (PARTITION BY service, name, series_id ORDER BY "timestamp", time_unix_nano, start_time_unix_nano)) neighbours) steps
          WHERE counted
          GROUP BY bucket, service, name, series_id, attributes, metric_type`

// rollupQueries give the rows and the last points of each series that
// storeRollups takes, of the points between the boundary and a time.
func rollupQueries(until time.Time) (rows, last string) {
	const points = "WHERE NOT no_recorded_value"
	limited := points + ` AND "timestamp" < ` + literal(until)
	rows = strings.Replace(rollupSteps, points, limited, 1)
	last = `SELECT DISTINCT ON (service, name, series_id) "timestamp", time_unix_nano, start_time, start_time_unix_nano, service, name, series_id,
	attributes, metric_type, temporality, is_monotonic, value, count, min, max, false AS no_recorded_value, ingested_at
	FROM rollup_points
	` + limited + ` AND NOT carried
	ORDER BY service, name, series_id, "timestamp" DESC, time_unix_nano DESC, start_time_unix_nano DESC, ingested_at DESC`
	return rows, last
}

func literal(t time.Time) string { return "'" + t.UTC().Format(time.RFC3339) + "'::timestamptz" }

// oldestPoint asks for the time of the first point from the boundary to a time.
func oldestPoint(until time.Time) string {
	return `SELECT min("timestamp") FROM rollup_points WHERE "timestamp" < ` + literal(until) + " AND NOT carried AND NOT no_recorded_value"
}
