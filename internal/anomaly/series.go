package anomaly

import (
	"math"
	"slices"
)

type seriesKind uint32 // so that a key is 16 bytes without gaps, which hash fast

const (
	ownSeries    seriesKind = iota // of a service and operation
	gapSeries                      // of a caller, callee and callee's operation
	pooledSeries                   // of a caller and callee
	seriesKinds
)

// own: service, operation. gap: caller, callee, operation of the callee.
type seriesKey struct {
	kind    seriesKind
	a, b, c uint32
}

// series is times of one kind in both windows.
type series struct {
	seriesKey
	values [2][]value
}

func (t *derived) measure(key seriesKey, side Side, v value) {
	s := t.series[key]
	if s == nil {
		s = &series{seriesKey: key}
		t.series[key] = s
	}
	s.values[side] = append(s.values[side], v)
}

// charged is the service that the time of a series speaks against.
func (s *series) charged() uint32 {
	if s.kind == ownSeries {
		return s.a
	}
	return s.b
}

// logs gives ln(x + delta) of the values.
func logs(values []value) []float64 {
	out := make([]float64, len(values))
	for i, v := range values {
		out[i] = math.Log(v.x + delta)
	}
	return out
}

// timeEvidence compares every series that both windows have.
func (j *judge) timeEvidence() {
	prior := j.priors()
	for _, s := range j.derived.series {
		if len(s.values[Base]) < minTimes || len(s.values[Current]) < minTimes {
			continue
		}
		against := j.suspect(s.charged())
		against.tests++
		e := j.shift(s, prior[min(s.kind, gapSeries)])
		if tail := j.tail(s); tail != nil && tail.lcb > e.lcb {
			e = tail
		}
		if e.lcb > 0 {
			against.evidence = append(against.evidence, e)
		}
	}
}

// priors gives the variance that own times, and gaps, usually have: the median
// over the series of the baseline with 10 values or more.
func (j *judge) priors() [2]float64 {
	var variances [2][]float64
	for _, s := range j.derived.series {
		if len(s.values[Base]) >= 10 {
			_, v := moments(logs(s.values[Base]))
			kind := min(s.kind, gapSeries)
			variances[kind] = append(variances[kind], v)
		}
	}
	prior := [2]float64{plainVariance, plainVariance}
	for kind, list := range variances {
		if len(list) >= 5 {
			prior[kind] = max(leastVariance, median(list))
		}
	}
	return prior
}

// shift compares mean logarithms by a t-test with moderated variances (Smyth,
// Stat. Appl. Genet. Mol. Biol. 3, 2004): few values borrow from the prior.
func (j *judge) shift(s *series, prior float64) *evidence {
	var mean, variance, n [2]float64
	df, phi := math.Inf(1), 1.0
	for side := range s.values {
		y := logs(s.values[side])
		n[side] = float64(len(y))
		var own float64
		mean[side], own = moments(y)
		variance[side] = (priorCount*prior + (n[side]-1)*own) / (priorCount + n[side] - 1)
		df = min(df, priorCount+n[side]-1)
		if Side(side) == Base {
			per := newSpread(len(j.derived.slices))
			for i, v := range s.values[side] {
				per.add(v.slice, 1, y[i])
			}
			phi = per.phi(mean[side], own)
		}
	}
	d := mean[Current] - mean[Base]
	se := math.Sqrt(phi * (variance[Base]/n[Base] + variance[Current]/n[Current]))
	e := &evidence{
		kind: "own_time", group: timeGroup, up: d > 0, series: s,
		lcb:  max(0, math.Abs(d)-studentQuantile(z, df)*se),
		p:    min(1, 2*studentTail(math.Abs(d)/se, df)),
		base: math.Exp(mean[Base]) - delta, cur: math.Exp(mean[Current]) - delta,
		n: [2]int{int(n[Base]), int(n[Current])},
	}
	if !e.up { // short cuts matter, but slowness is the usual complaint
		e.lcb *= half
	}
	e.place(s)
	return e
}

func (e *evidence) place(s *series) {
	switch s.kind {
	case ownSeries:
		e.operation = s.b
	default:
		e.operation, e.caller = s.c, s.a
		if e.kind == "own_time" {
			e.kind = "edge_time"
		}
	}
}

// tail compares the shares of values above twice what used to be slow: a
// throttled CPU hits a few requests hard and leaves the median alone.
func (j *judge) tail(s *series) *evidence {
	if len(s.values[Base]) < minRequests || len(s.values[Current]) < minRequests {
		return nil
	}
	sorted := make([]float64, len(s.values[Base]))
	for i, v := range s.values[Base] {
		sorted[i] = v.x
	}
	slices.Sort(sorted)
	q95 := quantile(sorted, 0.95)
	theta := max(tailFactor*q95, q95+delta)
	c := j.above(s.values, theta)
	if c.at(Current) <= c.at(Base) {
		return nil
	}
	e := &evidence{
		kind: "tail", group: timeGroup, up: true, series: s, lcb: c.lcb(), p: c.upper(),
		base: c.at(Base), cur: c.at(Current), n: c.n, theta: theta,
	}
	e.place(s)
	return e
}

// above counts the values over a threshold, with their dispersion.
func (j *judge) above(values [2][]value, theta float64) shares {
	var c shares
	per := newSpread(len(j.derived.slices))
	for side := range values {
		c.n[side] = len(values[side])
		for _, v := range values[side] {
			above := 0.0
			if v.x > theta {
				above = 1
				c.k[side]++
			}
			if Side(side) == Base {
				per.add(v.slice, 1, above)
			}
		}
	}
	c.phi = shareSpread(per, c.k[Base], c.n[Base])
	return c
}

// shareSpread is the dispersion of a share, of k in n of the baseline.
func shareSpread(per spread, k, n int) float64 {
	if n < 2 {
		return 1
	}
	p := float64(k) / float64(n)
	return min(maxShareSpread, per.phi(p, p*(1-p)*float64(n)/float64(n-1)))
}
