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

// slowCallers: a slow caller makes all its calls look slow. What its calls to
// others, and its own time, have become slower by is taken off each edge.
func (j *judge) slowCallers() {
	type edge struct{ caller, callee uint32 }
	strength := make(map[edge]float64)
	worst := make(map[edge]*evidence)
	edges := make(map[uint32]map[uint32]bool)
	for key := range j.derived.series {
		if key.kind != ownSeries {
			if edges[key.a] == nil {
				edges[key.a] = make(map[uint32]bool)
			}
			edges[key.a][key.b] = true
		}
	}
	slow := func(e *evidence) bool { return e.series != nil && e.up && e.series.kind != ownSeries }
	for callee, s := range j.byService {
		for _, e := range s.evidence {
			if slow(e) {
				k := edge{e.series.a, callee}
				if worst[k] == nil || j.stronger(e, worst[k]) {
					strength[k], worst[k] = e.lcb, e
				}
			}
		}
	}
	type discount struct {
		e      *evidence
		by     float64
		caller uint32
	}
	var discounts []discount
	common := make(map[uint32]*evidence) // of a caller whose calls are all slower
	for k := range strength {
		var others []*evidence
		var rest []float64
		for callee := range edges[k.caller] {
			if callee != k.callee {
				rest = append(rest, strength[edge{k.caller, callee}])
				others = append(others, worst[edge{k.caller, callee}])
			}
		}
		m := upperMedian(rest)
		o := 0.0
		if c := j.byService[k.caller]; c != nil {
			o = c.largest(ownTime)
		}
		by := max(m, o)
		if s := j.byService[k.callee]; s.largest(ownTime) <= by {
			for _, e := range s.evidence {
				if slow(e) && e.series.a == k.caller {
					discounts = append(discounts, discount{e, by, k.caller})
				}
			}
		}
		if m > 0 && len(rest) >= 2 {
			var typical *evidence
			for _, e := range others {
				if e != nil && e.lcb == m && (typical == nil || j.stronger(e, typical)) {
					typical = e
				}
			}
			c := *typical
			c.kind, c.caller = "edge_time", k.caller
			if common[k.caller] == nil || j.stronger(&c, common[k.caller]) {
				common[k.caller] = &c
			}
		}
	}
	for _, d := range discounts {
		if d.by > 0 {
			d.e.lcb = max(0, d.e.lcb-d.by)
			d.e.explained = d.caller
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
