package anomaly

import "math"

const (
	leastUse, mostUse = 0.05, 0.98 // of the limit: idle and full
	leastCores        = 0.010
	leastSigma        = 0.3 // one reading a minute varies by about a third
)

// cpuEvidence compares how busy services are: the log odds of their share of
// the limit, or the logarithm of cores where no limit is known. What all
// services share is the load, and is taken off.
func (j *judge) cpuEvidence() {
	limited, cores := make(map[uint32]*[2]float64), make(map[uint32]*[2]float64)
	for _, r := range j.in.Readings {
		m := cores
		if r.Limited {
			m = limited
		}
		if m[r.Service] == nil {
			m[r.Service] = &[2]float64{-1, -1}
		}
		m[r.Service][r.Side] = max(m[r.Service][r.Side], r.Value)
	}
	effects := make(map[uint32]*evidence)
	logit := func(u float64) float64 {
		u = min(max(u, leastUse), mostUse)
		return math.Log(u / (1 - u))
	}
	whole := func(v *[2]float64) bool { return v != nil && v[Base] >= 0 && v[Current] >= 0 }
	for service := range j.derived.services {
		switch u, c := limited[service], cores[service]; {
		case whole(u):
			effects[service] = &evidence{lcb: logit(u[Current]) - logit(u[Base]), base: u[Base], cur: u[Current]}
		case whole(c):
			effects[service] = &evidence{
				lcb:  math.Log((c[Current] + leastCores) / (c[Base] + leastCores)),
				base: c[Base], cur: c[Current],
			}
		}
	}
	var all, away []float64
	for _, e := range effects {
		all = append(all, e.lcb)
	}
	middle := median(all)
	for _, e := range effects {
		away = append(away, math.Abs(e.lcb-middle))
	}
	sigma := max(leastSigma, 1.4826*median(away)) // the MAD of a normal distribution in units of its sigma
	for service, e := range effects {
		against := j.suspect(service)
		against.tests++
		d := e.lcb - middle
		if d <= 0 {
			continue
		}
		e.kind, e.group, e.up = "cpu", cpuGroup, true
		e.lcb, e.p = max(0, d-z*sigma), studentTail(d/sigma, 3)
		e.n = [2]int{1, 1}
		if e.lcb > 0 {
			against.evidence = append(against.evidence, e)
		}
	}
}
