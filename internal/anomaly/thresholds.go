package anomaly

import (
	"cmp"
	"fmt"
	"math"
	"slices"
)

// The plain thresholds of tael, which people know and alarm by. Each is also
// tested, so that noise does not break it: an exact test with the dispersion
// of the baseline, corrected over the services.
const (
	minSamples     = 10 // in both windows
	errorRise      = 0.05
	errorRiseHigh  = 0.20
	latencyFactor  = 1.5
	latencyHigh    = 2.0
	latencyRiseMs  = 25.0
	dropTo         = 0.5
	alarmingP      = 0.05
	alarmingPHigh  = 0.01
	thresholdFirst = 1 // place of the first threshold among a service's rows; its evidence has 0
)

// thresholds gives the findings of each service that breaks one.
func (j *judge) thresholds() map[uint32][]Finding {
	broken := make(map[uint32][]Finding)
	for i, test := range []func(service uint32, a *activity) (f Finding, high, tested bool){
		j.errorRate, j.slowP95, j.newService, j.trafficDrop, j.logErrorRate,
	} {
		type outcome struct {
			service uint32
			f       Finding
			high    bool
		}
		var outcomes []outcome
		var p []float64
		for _, service := range j.sorted() {
			a := j.derived.services[service]
			if a == nil {
				continue
			}
			f, high, tested := test(service, a)
			if !tested {
				continue
			}
			f.threshold = thresholdFirst + i
			outcomes, p = append(outcomes, outcome{service, f, high}), append(p, f.P)
		}
		for k, q := range benjaminiHochberg(p) {
			o := outcomes[k]
			if o.f.Kind == "" || q > alarmingP {
				continue
			}
			o.f.Service, o.f.P, o.f.Severity = j.name(o.service), q, Medium
			if o.high && q <= alarmingPHigh && !j.short() {
				o.f.Severity = High
			}
			o.f.Description += j.caveat()
			broken[o.service] = append(broken[o.service], o.f)
		}
	}
	return broken
}

func (j *judge) caveat() string {
	if j.short() {
		return " (short baseline)"
	}
	return ""
}

func enough(n [2]int) bool { return n[Base] >= minSamples && n[Current] >= minSamples }

// A test gives a finding without a kind where its threshold holds.

func (j *judge) errorRate(service uint32, a *activity) (f Finding, high, tested bool) {
	if !enough(a.spans) {
		return f, false, false
	}
	c := j.above(a.failed, 0.5)
	f.P = c.upper()
	rise := c.at(Current) - c.at(Base)
	if rise > errorRise {
		f.Kind, f.Base, f.Current, f.BaseCount, f.CurrentCount = "error_rate", c.at(Base), c.at(Current), int64(c.n[Base]), int64(c.n[Current])
		f.Description = fmt.Sprintf("%s fails in %s of its spans (was %s)", j.name(service), percent(f.Current), percent(f.Base))
		j.evidence(&f, a.failure)
	}
	return f, rise > errorRiseHigh, true
}

func (j *judge) slowP95(service uint32, a *activity) (f Finding, high, tested bool) {
	if !enough(a.spans) {
		return f, false, false
	}
	base, current := p95(a.durations[Base]), p95(a.durations[Current])
	// The 95th percentile rose above a bound if more than one in twenty did.
	bound := max(latencyFactor*base, base+latencyRiseMs)
	f.P = j.above(a.durations, bound).upper()
	if current > bound {
		f.Kind, f.Base, f.Current, f.BaseCount, f.CurrentCount = "p95_latency", base, current, int64(a.spans[Base]), int64(a.spans[Current])
		f.Description = fmt.Sprintf("%s takes %s at the 95th percentile (was %s)", j.name(service), millis(current), millis(base))
		j.evidence(&f, typicalSlow(a.durations[Current]))
	}
	return f, current > latencyHigh*base, true
}

func (j *judge) newService(service uint32, a *activity) (f Finding, high, tested bool) {
	if a.spans[Base] > 0 || a.requests[Current] < minSamples || j.empty(Base) {
		return f, false, false
	}
	f.P = binomialAtLeast(float64(a.requests[Current]), float64(a.requests[Current]), j.share())
	f.Kind, f.Current, f.CurrentCount = "new_service", float64(a.spans[Current])/j.in.Seconds[Current], int64(a.spans[Current])
	f.Description = fmt.Sprintf("%s sends %.3g spans a second and sent none before", j.name(service), f.Current)
	j.evidence(&f, a.first)
	return f, false, true
}

func (j *judge) trafficDrop(service uint32, a *activity) (f Finding, high, tested bool) {
	expected := float64(a.requests[Base]) * j.in.Seconds[Current] / j.in.Seconds[Base]
	if expected < minSamples || j.empty(Current) {
		return f, false, false
	}
	// Requests come in bursts: their counts are divided by their dispersion.
	phi := j.burstiness(service, a.requests[Base])
	n0, n1 := float64(a.requests[Base])/phi, float64(a.requests[Current])/phi
	f.P = binomialAtMost(n1, n0+n1, j.share())
	base, current := float64(a.requests[Base])/j.in.Seconds[Base], float64(a.requests[Current])/j.in.Seconds[Current]
	if current < dropTo*base {
		f.Kind, f.Base, f.Current, f.BaseCount, f.CurrentCount = "traffic_drop", base, current, int64(a.requests[Base]), int64(a.requests[Current])
		f.Description = fmt.Sprintf("%s gets %.3g requests a second (was %.3g)", j.name(service), current, base)
	}
	return f, false, true
}

func (j *judge) logErrorRate(service uint32, a *activity) (f Finding, high, tested bool) {
	if !enough(a.logs) {
		return f, false, false
	}
	c := shares{k: a.logErrors, n: a.logs, phi: 1}
	f.P = c.upper()
	rise := c.at(Current) - c.at(Base)
	if rise > errorRise {
		f.Kind, f.Base, f.Current, f.BaseCount, f.CurrentCount = "log_error_rate", c.at(Base), c.at(Current), int64(c.n[Base]), int64(c.n[Current])
		f.Description = fmt.Sprintf("%s logs errors in %s of its records (was %s)", j.name(service), percent(f.Current), percent(f.Base))
		if a.logFailure != 0 {
			f.Evidence, f.HasEvidence = j.in.ids[a.logFailure], true
		}
	}
	return f, rise > errorRiseHigh, true
}

// share is the part of both windows' time that the current one has.
func (j *judge) share() float64 {
	return j.in.Seconds[Current] / (j.in.Seconds[Base] + j.in.Seconds[Current])
}

// empty reports a window without any request: then nothing is new, or gone.
func (j *judge) empty(side Side) bool {
	for _, a := range j.derived.services {
		if a.requests[side] > 0 {
			return false
		}
	}
	return true
}

// burstiness is the variance of a service's requests per slice over their mean.
func (j *judge) burstiness(service uint32, total int) float64 {
	per := make([]float64, len(j.derived.slices))
	for key, op := range j.derived.operations {
		if key.service == service {
			for i, n := range op.perSlice.n {
				per[i] += n
			}
		}
	}
	if len(per) < 3 || total == 0 {
		return 1
	}
	mean, variance := moments(per)
	return max(1, variance/mean)
}

func p95(values []value) float64 {
	sorted := make([]float64, len(values))
	for i, v := range values {
		sorted[i] = v.x
	}
	slices.Sort(sorted)
	return quantile(sorted, 0.95)
}

// typicalSlow gives a span at or above the 90th percentile of its like, not
// the maximum, which is often an oddity of its own.
func typicalSlow(values []value) int32 {
	if len(values) == 0 {
		return -1
	}
	sorted := slices.Clone(values)
	slices.SortFunc(sorted, func(a, b value) int { return cmp.Or(cmp.Compare(a.x, b.x), cmp.Compare(a.span, b.span)) })
	return sorted[min(len(sorted)-1, int(math.Ceil(0.9*float64(len(sorted)-1))))].span
}

// evidence names the trace of a span.
func (j *judge) evidence(f *Finding, span int32) {
	if span >= 0 {
		f.Evidence, f.HasEvidence = j.in.ids[j.in.Spans[span].Trace], true
	}
}
