package anomaly

import (
	"cmp"
	"maps"
	"slices"
)

// explain discounts evidence that a neighbour explains. The order of the steps
// is part of the method. Own errors and exclusive times need no rule: both are
// defined net of the children.
func (j *judge) explain() {
	j.slowCallers()
	j.truncations()
	j.changedInput()
	j.changedAnswers()
	for _, s := range j.byService {
		s.evidence = slices.DeleteFunc(s.evidence, func(e *evidence) bool { return e.lcb <= 0 || e.group == groups })
	}
}

func (s *suspect) largest(which func(*evidence) bool) float64 {
	most := 0.0
	for _, e := range s.evidence {
		if which(e) {
			most = max(most, e.lcb)
		}
	}
	return most
}

func ownTime(e *evidence) bool {
	return e.series != nil && e.up && e.series.kind == ownSeries
}

func gapTime(e *evidence) bool {
	return e.series != nil && e.up && e.series.kind != ownSeries
}

// An edge is the calls of one service to another.
type edge struct{ caller, callee uint32 }

// slowEdges is which services call which, and the strongest evidence that the
// calls of an edge have become slower.
type slowEdges struct {
	callees map[uint32][]uint32 // by caller
	worst   map[edge]*evidence
}

func (j *judge) slowEdges() slowEdges {
	s := slowEdges{callees: make(map[uint32][]uint32), worst: make(map[edge]*evidence)}
	for key := range j.derived.series {
		if key.kind == pooledSeries { // there is one for each edge
			s.callees[key.a] = append(s.callees[key.a], key.b)
		}
	}
	for callee, suspect := range j.byService {
		for _, e := range suspect.evidence {
			k := edge{e.caller, callee}
			if gapTime(e) && (s.worst[k] == nil || j.stronger(e, s.worst[k])) {
				s.worst[k] = e
			}
		}
	}
	return s
}

// others gives the bound in the middle of a caller's other edges, 0 for a quiet
// one, and the evidence that has it.
func (s slowEdges) others(j *judge, k edge) (m float64, typical *evidence, n int) {
	var bounds []float64
	for _, callee := range s.callees[k.caller] {
		if callee != k.callee {
			bound := 0.0
			if e := s.worst[edge{k.caller, callee}]; e != nil {
				bound = e.lcb
			}
			bounds = append(bounds, bound)
		}
	}
	m = upperMedian(bounds)
	for _, callee := range s.callees[k.caller] {
		e := s.worst[edge{k.caller, callee}]
		if callee != k.callee && e != nil && e.lcb == m && (typical == nil || j.stronger(e, typical)) {
			typical = e
		}
	}
	return m, typical, len(bounds)
}

// slowCallers: a slow caller makes all its calls look slow. What its calls to
// others, and its own time, have become slower by is taken off each edge, unless
// the callee's own time speaks more against it. Where most calls are slower, the
// caller gets evidence of that: as seen from its strongest edge, since from any
// other one the strongest alone could look like all of them.
func (j *judge) slowCallers() {
	edges := j.slowEdges()
	by := make(map[edge]float64)
	strongest := make(map[uint32]*evidence) // by caller
	common := make(map[uint32]*evidence)
	for k, e := range edges.worst {
		m, typical, n := edges.others(j, k)
		own := 0.0
		if c := j.byService[k.caller]; c != nil {
			own = c.largest(ownTime)
		}
		if callee := j.byService[k.callee]; callee.largest(ownTime) <= max(m, own) {
			by[k] = max(m, own)
		}
		if strongest[k.caller] != nil && !j.stronger(e, strongest[k.caller]) {
			continue
		}
		strongest[k.caller] = e
		delete(common, k.caller)
		if m > 0 && n >= 2 {
			c := *typical
			c.kind, c.caller = "edge_time", k.caller
			common[k.caller] = &c
		}
	}
	for k, discount := range by {
		for _, e := range j.byService[k.callee].evidence {
			if gapTime(e) && e.caller == k.caller && discount > 0 {
				e.lcb = max(0, e.lcb-discount)
				e.explained = k.caller
			}
		}
	}
	for caller, e := range common {
		s := j.suspect(caller)
		s.evidence = append(s.evidence, e)
	}
}

// upperMedian is the middle of values, the upper of two; 0 of none.
func upperMedian(values []float64) float64 {
	if len(values) == 0 {
		return 0
	}
	slices.Sort(values)
	return values[len(values)/2]
}

// truncations: where requests end after the call of S, either the caller
// breaks off or S made it. S gets half of it, summed over callers: two that
// both stop after S point at S.
func (j *judge) truncations() {
	type stop struct {
		lcb, p  float64
		callers []uint32
		first   *evidence
	}
	stops := make(map[uint32]*stop)
	for _, caller := range j.sorted() {
		c := j.byService[caller]
		missing := c.largest(func(e *evidence) bool { return e.kind == "call_missing" || e.kind == "local_missing" })
		rising := make(map[uint32]*evidence) // by callee
		for _, e := range c.evidence {
			if e.kind == "last" && e.up {
				if r := rising[e.feature.a]; r == nil || j.stronger(e, r) {
					rising[e.feature.a] = e
				}
			}
		}
		for callee, e := range rising {
			l := half * min(e.lcb, missing)
			if l <= 0 {
				continue
			}
			s := stops[callee]
			if s == nil {
				s = &stop{p: 1, first: e}
				stops[callee] = s
			}
			s.lcb += l
			s.p = min(s.p, e.p)
			s.callers = append(s.callers, caller)
		}
	}
	for callee, s := range stops {
		against := j.suspect(callee)
		e := *s.first
		e.kind, e.group, e.lcb, e.p, e.callers = "truncation", stopGroup, s.lcb, s.p, s.callers
		e.caller = s.callers[0]
		against.evidence = append(against.evidence, &e)
	}
}

// sorted lists the services by name.
func (j *judge) sorted() []uint32 {
	return slices.SortedFunc(maps.Keys(j.byService), func(a, b uint32) int { return cmp.Compare(j.name(a), j.name(b)) })
}

func isCall(e *evidence) bool { return e.kind == "call_missing" || e.kind == "call_new" }

func isLocal(e *evidence) bool { return e.kind == "local_missing" || e.kind == "local_new" }

// changedInput, from the top down: a service that is called differently does
// different things.
func (j *judge) changedInput() {
	strongest := make(map[uint32]*evidence) // before any discount
	for service, s := range j.byService {
		for _, e := range s.evidence {
			if e.group == structureGroup && (strongest[service] == nil || j.stronger(e, strongest[service])) {
				strongest[service] = e
			}
		}
	}
	var discounts []func()
	for _, caller := range j.sorted() {
		above := strongest[caller]
		if above == nil || !isCall(above) {
			continue
		}
		for callee := range j.derived.callees[caller] {
			own := strongest[callee]
			if own == nil || !isLocal(own) || above.lcb <= changedInput*own.lcb {
				continue
			}
			discounts = append(discounts, func() {
				for _, e := range j.byService[callee].evidence {
					if isLocal(e) && e.explained == 0 {
						e.lcb *= changedInput
						e.explained = caller
					}
				}
			})
		}
	}
	for _, d := range discounts {
		d()
	}
}

// changedAnswers, from the bottom up: a service that gets other answers makes
// other calls.
func (j *judge) changedAnswers() {
	own := make(map[uint32]float64)
	for service, s := range j.byService {
		own[service] = s.largest(func(e *evidence) bool { return !isCall(e) && e.group != groups })
	}
	for caller, s := range j.byService {
		strongest, by := 0.0, uint32(0)
		for callee := range j.derived.callees[caller] {
			if own[callee] > strongest || own[callee] == strongest && own[callee] > 0 && j.name(callee) < j.name(by) {
				strongest, by = own[callee], callee
			}
		}
		for _, e := range s.evidence {
			if isCall(e) && strongest > 0 && strongest >= changedAnswer*e.lcb {
				e.lcb *= half
				e.explained = by
			}
		}
	}
}
