package pgwire

import "github.com/prometheus/client_golang/prometheus"

// metrics are what a Server counts.
type metrics struct {
	connections   *prometheus.CounterVec // by result
	open          prometheus.Gauge
	sentBytes     prometheus.Counter
	receivedBytes prometheus.Counter
	errors        *prometheus.CounterVec // by class of SQLSTATE
	cancels       *prometheus.CounterVec // by result
	panics        prometheus.Counter
}

// newMetrics makes the metrics and enters them into r, if there is one.
func newMetrics(r prometheus.Registerer) *metrics {
	opts := func(name, help string) prometheus.Opts {
		return prometheus.Opts{Namespace: "tael", Subsystem: "pgwire", Name: name, Help: help}
	}
	counter := func(name, help string) prometheus.Counter {
		return prometheus.NewCounter(prometheus.CounterOpts(opts(name, help)))
	}
	vec := func(name, help, label string) *prometheus.CounterVec {
		return prometheus.NewCounterVec(prometheus.CounterOpts(opts(name, help)), []string{label})
	}
	m := &metrics{
		connections:   vec("connections_total", "Connections accepted, by result: opened, refused.", "result"),
		open:          prometheus.NewGauge(prometheus.GaugeOpts(opts("connections", "Connections with a session."))),
		sentBytes:     counter("sent_bytes_total", "Bytes written to clients."),
		receivedBytes: counter("received_bytes_total", "Bytes of messages received from clients."),
		errors:        vec("errors_total", "Errors sent to clients, by class of SQLSTATE.", "class"),
		cancels:       vec("cancel_requests_total", "Cancel requests, by result: hit, miss.", "result"),
		panics:        counter("panics_total", "Connections that ended by a panic."),
	}
	if r != nil {
		r.MustRegister(m.connections, m.open, m.sentBytes, m.receivedBytes, m.errors, m.cancels, m.panics)
	}
	return m
}
