package anomaly

import (
	"fmt"
	"math"
	"slices"
	"strings"
)

// finding tells of a service's strongest evidence.
func (j *judge) finding(s *suspect) (Finding, bool) {
	severity := j.severity(s)
	if severity == "" {
		return Finding{}, false
	}
	e := s.winner
	f := Finding{
		Service: j.name(s.service), Kind: e.kind, Severity: severity,
		Base: e.base, Current: e.cur, BaseCount: int64(e.n[Base]), CurrentCount: int64(e.n[Current]),
		Rank: s.rank, Score: s.score, P: s.shown, Operation: j.name(e.operation),
		Caller: j.name(e.caller), ExplainedBy: j.name(e.explained), Description: j.sentence(s.service, e),
	}
	if e.explained != 0 {
		f.Description += fmt.Sprintf(" (partly explained by %s)", f.ExplainedBy)
	}
	f.Description += j.caveat()
	j.evidence(&f, j.exemplar(e))
	return f, true
}

func (j *judge) sentence(service uint32, e *evidence) string {
	op := j.name(e.operation)
	switch e.kind {
	case "own_time":
		return fmt.Sprintf("%s spends %s itself in %s (was %s; %d spans)", j.name(service), millis(e.cur), op, millis(e.base), e.n[Current])
	case "edge_time":
		if e.caller == service {
			return fmt.Sprintf("calls from %s to all its callees are slower: %s outside of them (was %s)", j.name(service), millis(e.cur), millis(e.base))
		}
		return fmt.Sprintf("calls from %s to %s wait %s outside %s (was %s)", j.name(e.caller), j.name(service), millis(e.cur), j.name(service), millis(e.base))
	case "tail":
		if e.caller != 0 {
			return fmt.Sprintf("%s of the calls from %s to %s wait over %s outside it (was %s)",
				percent(e.cur), j.name(e.caller), j.name(service), millis(e.theta), percent(e.base))
		}
		return fmt.Sprintf("%s of %s calls take over %s (was %s)", percent(e.cur), op, millis(e.theta), percent(e.base))
	case "truncation":
		callers := make([]string, len(e.callers))
		for i, c := range e.callers {
			callers[i] = j.name(c)
		}
		return fmt.Sprintf("requests of %s now end after calling %s", strings.Join(callers, ", "), j.name(service))
	case "cpu":
		return fmt.Sprintf("pod CPU at %s (was %s)", percent(e.cur), percent(e.base))
	}
	f := e.feature
	what := ""
	switch f.kind {
	case localFeature:
		what = fmt.Sprintf("%s of %s runs %s", op, j.name(service), j.name(f.b))
	case callFeature:
		what = fmt.Sprintf("%s of %s calls %s of %s", op, j.name(service), j.name(f.b), j.name(f.a))
	default:
		return fmt.Sprintf("\"%s\" in %s of %s requests (was %s)", j.name(f.a), percent(e.cur), op, percent(e.base))
	}
	return fmt.Sprintf("%s in %s of requests (was %s)", what, percent(e.cur), percent(e.base))
}

func percent(share float64) string { return fmt.Sprintf("%.3g %%", 100*share) }

func millis(ms float64) string { return fmt.Sprintf("%.3g ms", max(ms, 0)) }

// exemplar gives a span of the current window that shows the evidence, or -1.
func (j *judge) exemplar(e *evidence) int32 {
	switch {
	case e.kind == "cpu":
		return -1
	case e.series != nil:
		return typicalSlow(e.series.values[Current])
	case e.feature == nil:
		return -1
	case e.up:
		return j.earliest(e.feature.requests[Current])
	}
	// A request of the operation that lacks the feature.
	have := e.feature.requests[Current]
	var without []int32
	for i, r := range j.derived.requests {
		if r.side == Current && r.op.number == e.feature.op {
			if _, found := slices.BinarySearch(have, int32(i)); !found {
				without = append(without, int32(i))
			}
		}
	}
	return j.earliest(without)
}

// earliest gives the entry span of the first request: spans are in order.
func (j *judge) earliest(requests []int32) int32 {
	first := int32(-1)
	for _, r := range requests {
		if s := j.derived.requests[r].span; first < 0 || s < first {
			first = s
		}
	}
	return first
}

// Factor is the score as a ratio.
func (f Finding) Factor() float64 { return math.Exp(f.Score) }
