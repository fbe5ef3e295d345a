package main

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/tael-sql/tael-sql/internal/otlp"
	"github.com/tael-sql/tael-sql/wal/record"
)

// retention says how long what is kept, as 30d or 12h; 0 is for ever.
type retention struct {
	Spans     string `mapstructure:"spans" yaml:"spans"`
	Logs      string `mapstructure:"logs" yaml:"logs"`
	Metrics   string `mapstructure:"metrics" yaml:"metrics"`
	Metrics5m string `mapstructure:"metrics_5m" yaml:"metrics_5m"`
	Payloads  string `mapstructure:"payloads" yaml:"payloads"`
	Comments  string `mapstructure:"comments" yaml:"comments"`

	keep map[string]time.Duration // what parse made of it, by the name of the setting
}

// minKeep keeps a slip of the pen, as 30s for 30d, from deleting what is there.
const minKeep = time.Minute

// parse reads the settings.
func (r *retention) parse() error {
	r.keep = make(map[string]time.Duration)
	for name, text := range map[string]string{
		"spans": r.Spans, "logs": r.Logs, "metrics": r.Metrics, "metrics_5m": r.Metrics5m, "payloads": r.Payloads, "comments": r.Comments,
	} {
		d, err := parseKeep(text)
		if err != nil {
			return fmt.Errorf("retention.%s: %w", name, err)
		}
		r.keep[name] = d
	}
	return nil
}

// maxKeepDays is about a century: times are nanoseconds in 64 bits.
const maxKeepDays = 36500

func parseKeep(text string) (time.Duration, error) {
	if days, ok := strings.CutSuffix(text, "d"); ok {
		n, err := strconv.Atoi(days)
		if err != nil || n < 0 || n > maxKeepDays {
			return 0, fmt.Errorf("%q is no number of days from 0d to %dd", text, maxKeepDays)
		}
		return time.Duration(n) * 24 * time.Hour, nil
	}
	d, err := time.ParseDuration(text)
	switch {
	case err != nil:
		return 0, fmt.Errorf("%q is no duration such as 30d or 12h", text)
	case d < 0 || d > 0 && d < minKeep:
		return 0, fmt.Errorf("%s is less than %s; 0 keeps for ever", text, minKeep)
	}
	return d, nil
}

// tables gives how long the rows of each stored table are kept.
func (r *retention) tables() map[string]time.Duration {
	return map[string]time.Duration{"spans": r.keep["spans"], "logs": r.keep["logs"], "metrics": r.keep["metrics"]}
}

// payloads gives how long the payloads of rows of each stored table are kept.
func (r *retention) payloads() map[string]time.Duration {
	return map[string]time.Duration{"spans": r.keep["payloads"]}
}

// items gives the same by signals, for the one decoder of requests.
func (r *retention) items() otlp.Retention {
	return otlp.Retention{record.Traces: r.keep["spans"], record.Logs: r.keep["logs"], record.Metrics: r.keep["metrics"]}
}
