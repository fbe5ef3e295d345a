package main

import (
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"

	"github.com/tael-sql/tael-sql/engine"
)

// engineCollector reads the engine's gauges when it is scraped.
type engineCollector struct {
	g           *gateway
	rows        *prometheus.Desc
	blocks      *prometheus.Desc
	parts       *prometheus.Desc
	lostParts   *prometheus.Desc
	lostRows    *prometheus.Desc
	memRows     *prometheus.Desc
	lsn         *prometheus.Desc
	walBytes    *prometheus.Desc
	hotBytes    *prometheus.Desc
	inFlight    *prometheus.Desc
	diskFull    *prometheus.Desc
	jobs        *prometheus.Desc
	jobSeconds  *prometheus.Desc
	jobRows     *prometheus.Desc
	jobBytes    *prometheus.Desc
	corrupt     *prometheus.Desc
	skipped     *prometheus.Desc
	repeated    *prometheus.Desc
	connections *prometheus.Desc
}

func newRegistry(g *gateway) *prometheus.Registry {
	desc := func(name, help string, labels ...string) *prometheus.Desc {
		return prometheus.NewDesc("tael_"+name, help, labels, nil)
	}
	r := prometheus.NewRegistry()
	r.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}), &engineCollector{
		g:           g,
		rows:        desc("rows", "Live rows.", "table"),
		blocks:      desc("hot_blocks", "Blocks in the hot store.", "table"),
		parts:       desc("cold_parts", "Parts in the cold folder or bucket.", "table"),
		lostParts:   desc("cold_lost_parts", "Parts whose file is missing or has another size.", "table"),
		lostRows:    desc("cold_lost_rows", "Live rows of lost parts.", "table"),
		memRows:     desc("memtable_rows", "Rows in no block yet.", "table"),
		lsn:         desc("visible_lsn", "Last record that queries see."),
		walBytes:    desc("wal_bytes", "Bytes of WAL segments in use."),
		hotBytes:    desc("hot_bytes", "Bytes of the hot store on disk."),
		inFlight:    desc("ingest_in_flight_bytes", "Bytes between arrival and answer."),
		diskFull:    desc("disk_below_watermark", "1 while ingest is refused for want of disk."),
		jobs:        desc("jobs_total", "Background jobs that have ended.", "kind", "state"),
		jobSeconds:  desc("job_seconds_total", "Time that background jobs took.", "kind"),
		jobRows:     desc("job_rows_total", "Rows that background jobs read and wrote.", "kind", "direction"),
		jobBytes:    desc("job_bytes_total", "Bytes that background jobs read and wrote.", "kind", "direction"),
		corrupt:     desc("corrupt_reads_total", "Reads that met a damaged block or part."),
		skipped:     desc("corrupt_skipped_total", "Damaged blocks and parts that tael.skip_corrupt read round."),
		repeated:    desc("ingest_repeated_requests_total", "Requests sent again, of which nothing was written."),
		connections: desc("pg_connections", "Open SQL connections."),
	})
	return r
}

// Describe implements prometheus.Collector.
func (c *engineCollector) Describe(ch chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{
		c.rows, c.blocks, c.parts, c.lostParts, c.lostRows, c.memRows, c.lsn, c.walBytes, c.hotBytes, c.inFlight, c.diskFull, c.jobs, c.jobSeconds, c.jobRows, c.jobBytes,
		c.corrupt, c.skipped, c.repeated, c.connections,
	} {
		ch <- d
	}
}

// Collect implements prometheus.Collector.
func (c *engineCollector) Collect(ch chan<- prometheus.Metric) {
	gauge := func(d *prometheus.Desc, v float64, labels ...string) {
		ch <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v, labels...)
	}
	m := c.g.db.Metrics()
	for _, t := range m.Tables {
		gauge(c.rows, float64(t.Rows), t.Name)
		gauge(c.blocks, float64(t.Blocks), t.Name)
		gauge(c.parts, float64(t.Parts), t.Name)
		gauge(c.lostParts, float64(t.LostParts), t.Name)
		gauge(c.lostRows, float64(t.LostRows), t.Name)
		gauge(c.memRows, float64(t.MemRows), t.Name)
	}
	gauge(c.lsn, float64(m.LSN))
	gauge(c.walBytes, float64(m.WALBytes))
	gauge(c.hotBytes, float64(m.HotBytes))
	gauge(c.inFlight, float64(m.InFlight))
	full := 0.0
	if m.DiskFull {
		full = 1
	}
	gauge(c.diskFull, full)
	count := func(d *prometheus.Desc, v float64, labels ...string) {
		ch <- prometheus.MustNewConstMetric(d, prometheus.CounterValue, v, labels...)
	}
	for kind, t := range m.Jobs {
		count(c.jobs, float64(t.Done), string(kind), string(engine.JobDone))
		count(c.jobs, float64(t.Failed), string(kind), string(engine.JobFailed))
		count(c.jobSeconds, t.Took.Seconds(), string(kind))
		count(c.jobRows, float64(t.RowsIn), string(kind), "in")
		count(c.jobRows, float64(t.RowsOut), string(kind), "out")
		count(c.jobBytes, float64(t.BytesIn), string(kind), "in")
		count(c.jobBytes, float64(t.BytesOut), string(kind), "out")
	}
	count(c.corrupt, float64(m.CorruptRead))
	count(c.skipped, float64(m.Skipped))
	count(c.repeated, float64(m.Repeated))
	gauge(c.connections, float64(c.g.pg.Connections()))
}
