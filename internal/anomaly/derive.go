package anomaly

import (
	"cmp"
	"slices"
)

// derived is what one pass over the traces makes of the spans.
type derived struct {
	services   map[uint32]*activity
	slices     map[int64]int32 // of the baseline, numbered
	sliceOf    func(nanos int64) int32
	series     map[seriesKey]*series
	features   map[featureKey]*feature
	operations map[operationKey]*operation
	numbered   []*operation
	requests   []request
	callees    map[uint32]map[uint32]bool // by caller
}

// activity is what a service did in each window, whatever its operations.
type activity struct {
	spans, errors, requests, logs, logErrors [2]int
	durations                                [2][]value // ms
	failed                                   [2][]value // 1 for an error
	first                                    int32      // span of the current window, -1
	failure                                  int32      // erring span of the current window, -1
	logFailure                               uint32     // trace of an error log of the current window
}

// A value is a measurement of a span.
type value struct {
	x     float64
	slice int32 // in the baseline
	span  int32
}

// A request is what begins at an entry span; it belongs to that span's window.
type request struct {
	op    *operation
	span  int32
	slice int32
	side  Side
}

type operationKey struct{ service, name uint32 }

type operation struct {
	operationKey
	number   uint32
	n        [2]int
	perSlice spread
}

// scratch is the working space of one trace.
type scratch struct {
	parent, firstChild, nextSibling []int32 // places within the trace, -1 for none
	entry                           []int32
	last                            []int32 // last remote child, by entry
	requestOf                       []int32 // by entry
	failing                         []bool  // a descendant has failed
	refused                         []bool  // a call of another service has failed, by entry
	ids                             []uint64
	byID                            map[uint64]int32 // in large traces
	gaps                            [][2]int64
}

// largeTrace is from how many spans on a map finds them faster than a search.
const largeTrace = 24

// find gives the place of a span id, or -1.
func (w *scratch) find(id uint64) int32 {
	if len(w.ids) >= largeTrace {
		if i, ok := w.byID[id]; ok {
			return i
		}
		return -1
	}
	return int32(slices.Index(w.ids, id))
}

func derive(in *Input) *derived {
	t := &derived{
		services: make(map[uint32]*activity), slices: make(map[int64]int32), series: make(map[seriesKey]*series),
		features: make(map[featureKey]*feature), operations: make(map[operationKey]*operation),
		callees: make(map[uint32]map[uint32]bool),
	}
	width := sliceNanos
	if w := int64(in.Seconds[Base] * 1e9 / maxSlices); w > width {
		width = w
	}
	t.sliceOf = func(nanos int64) int32 {
		at := nanos / width
		code, ok := t.slices[at]
		if !ok {
			code = int32(len(t.slices))
			t.slices[at] = code
		}
		return code
	}
	for i := range in.Spans {
		if in.Spans[i].Side == Base { // number them all before counting by them
			t.sliceOf(in.Spans[i].Start)
		}
	}
	spans := byTrace(len(in.ids), len(in.Spans), func(i int) uint32 { return in.Spans[i].Trace })
	logs := byTrace(len(in.ids), len(in.Logs), func(i int) uint32 { return in.Logs[i].Trace })
	w := &scratch{byID: make(map[uint64]int32)}
	for trace := range in.ids {
		if members := spans.of(trace); len(members) > 0 {
			t.trace(in, w, members, logs.of(trace))
		}
	}
	for i := range in.Logs {
		l := &in.Logs[i]
		a := t.activity(l.Service)
		a.logs[l.Side]++
		if l.Error {
			a.logErrors[l.Side]++
			if l.Side == Current && l.Trace != 0 && (a.logFailure == 0 || slices.Compare(in.ids[l.Trace][:], in.ids[a.logFailure][:]) < 0) {
				a.logFailure = l.Trace
			}
		}
	}
	for _, f := range t.features {
		f.settle()
	}
	return t
}

// grouping lists items by trace.
type grouping struct {
	items []int32
	start []int32
}

func (g grouping) of(trace int) []int32 { return g.items[g.start[trace]:g.start[trace+1]] }

func byTrace(traces, n int, trace func(i int) uint32) grouping {
	g := grouping{items: make([]int32, n), start: make([]int32, traces+2)}
	for i := range n {
		g.start[trace(i)+2]++
	}
	for i := 2; i < len(g.start); i++ {
		g.start[i] += g.start[i-1]
	}
	for i := range n {
		at := &g.start[trace(i)+1]
		g.items[*at] = int32(i)
		*at++
	}
	return g
}

func (t *derived) activity(service uint32) *activity {
	a := t.services[service]
	if a == nil {
		a = &activity{first: -1, failure: -1}
		t.services[service] = a
	}
	return a
}

func reset(list []int32, n int) []int32 {
	list = slices.Grow(list[:0], n)[:n]
	for i := range list {
		list[i] = -1
	}
	return list
}

// trace enters the spans of one trace.
func (t *derived) trace(in *Input, w *scratch, members, logs []int32) {
	n := len(members)
	w.parent, w.firstChild, w.nextSibling = reset(w.parent, n), reset(w.firstChild, n), reset(w.nextSibling, n)
	w.entry, w.last, w.requestOf = reset(w.entry, n), reset(w.last, n), reset(w.requestOf, n)
	w.failing = append(w.failing[:0], make([]bool, n)...)
	w.refused = append(w.refused[:0], make([]bool, n)...)
	w.ids = w.ids[:0]
	span := func(i int32) *Span { return &in.Spans[members[i]] }
	for i := range int32(n) {
		w.ids = append(w.ids, span(i).ID)
	}
	if n >= largeTrace {
		clear(w.byID)
		for i, id := range w.ids {
			w.byID[id] = int32(i)
		}
	}
	for i := range int32(n) {
		s := span(i)
		if s.Parent == 0 {
			continue
		}
		if p := w.find(s.Parent); p >= 0 && p != i {
			w.parent[i] = p
			w.nextSibling[i], w.firstChild[p] = w.firstChild[p], i
		}
	}
	for i := range int32(n) {
		e := i
		for range n { // a cycle of parents ends too
			p := w.parent[e]
			if span(e).Entry || p < 0 || span(p).Service != span(e).Service {
				break
			}
			e = p
		}
		w.entry[i] = e
		if span(i).Failed {
			for p := w.parent[i]; p >= 0 && !w.failing[p]; p = w.parent[p] {
				w.failing[p] = true
			}
		}
	}
	for i := range int32(n) {
		if p := w.parent[i]; span(i).Failed && p >= 0 && span(p).Service != span(i).Service {
			w.refused[w.entry[p]] = true
		}
	}
	for i := range int32(n) {
		if w.entry[i] != i {
			continue
		}
		// What a service does, says and leaves out when a call of it has failed is
		// told of by whom it called: such requests are compared with nothing.
		if t.activity(span(i).Service).requests[span(i).Side]++; !w.refused[i] {
			w.requestOf[i] = t.request(span(i), members[i])
		}
	}
	for i := range int32(n) {
		t.span(w, members[i], i, span)
	}
	for e, callee := range w.last {
		if r := w.requestOf[e]; r >= 0 && callee >= 0 {
			t.feature(r, lastFeature, span(callee).Service, 0)
		}
	}
	for _, l := range logs {
		log := &in.Logs[l]
		i := w.find(log.Span)
		if i < 0 {
			continue // of a span that is not stored
		}
		r := w.requestOf[w.entry[i]]
		if r < 0 {
			continue
		}
		t.feature(r, logFeature, log.Template, 0)
		if log.Warning || log.Thrown != 0 {
			t.feature(r, logErrorFeature, log.Template, 0)
		}
		if log.Thrown != 0 {
			t.feature(r, thrownFeature, log.Thrown, 0)
		}
	}
}

func (t *derived) request(s *Span, at int32) int32 {
	key := operationKey{s.Service, s.Operation}
	op := t.operations[key]
	if op == nil {
		op = &operation{operationKey: key, number: uint32(len(t.numbered)), perSlice: newSpread(len(t.slices))}
		t.numbered = append(t.numbered, op)
		t.operations[key] = op
	}
	op.n[s.Side]++
	r := request{op: op, span: at, side: s.Side}
	if s.Side == Base {
		r.slice = t.sliceOf(s.Start)
		op.perSlice.n[r.slice]++
	}
	t.requests = append(t.requests, r)
	return int32(len(t.requests) - 1)
}

// span enters the time and the features of one span.
func (t *derived) span(w *scratch, at, i int32, span func(int32) *Span) {
	s := span(i)
	a := t.activity(s.Service)
	slice := int32(0)
	if s.Side == Base {
		slice = t.sliceOf(s.Start)
	}
	a.spans[s.Side]++
	a.durations[s.Side] = append(a.durations[s.Side], value{float64(s.End-s.Start) / 1e6, slice, at})
	if s.Side == Current && (a.first < 0 || at < a.first) {
		a.first = at
	}
	failed := 0.0
	if s.Failed {
		a.errors[s.Side]++
		failed = 1
		if s.Side == Current && (a.failure < 0 || at < a.failure) {
			a.failure = at
		}
	}
	a.failed[s.Side] = append(a.failed[s.Side], value{failed, slice, at})

	own, children, remote := w.exclusive(s, i, span)
	v := value{max(float64(own)/1e6, minFloorMs), slice, at}
	if children == 1 && remote >= 0 {
		callee := span(remote)
		t.measure(seriesKey{gapSeries, s.Service, callee.Service, callee.Operation}, s.Side, v)
		t.measure(seriesKey{pooledSeries, s.Service, callee.Service, 0}, s.Side, v)
	} else {
		t.measure(seriesKey{ownSeries, s.Service, s.Operation, 0}, s.Side, v)
	}

	p := w.parent[i]
	if r := w.requestOf[w.entry[i]]; r >= 0 {
		if i != w.entry[i] && p >= 0 && span(p).Service == s.Service && remote < 0 {
			t.feature(r, localFeature, span(p).Operation, s.Operation)
		}
		if s.Failed && !w.failing[i] {
			t.feature(r, errorFeature, s.Error, 0)
		}
	}
	if p >= 0 && span(p).Service != s.Service {
		if caller := w.requestOf[w.entry[p]]; caller >= 0 {
			t.feature(caller, callFeature, s.Service, s.Operation)
			from := span(p).Service
			if t.callees[from] == nil {
				t.callees[from] = make(map[uint32]bool)
			}
			t.callees[from][s.Service] = true
			if last := w.last[w.entry[p]]; last < 0 || later(s, span(last)) {
				w.last[w.entry[p]] = i
			}
		}
	}
}

func later(a, b *Span) bool {
	return cmp.Or(cmp.Compare(a.Start, b.Start), cmp.Compare(a.ID, b.ID)) > 0
}

// exclusive gives the time of a span that none of its children covers, how many
// children it has, and one that is in another service, or -1.
func (w *scratch) exclusive(s *Span, i int32, span func(int32) *Span) (own int64, children int, remote int32) {
	remote = -1
	w.gaps = w.gaps[:0]
	for c := w.firstChild[i]; c >= 0; c = w.nextSibling[c] {
		child := span(c)
		children++
		if child.Service != s.Service {
			remote = c
		}
		if from, to := max(child.Start, s.Start), min(child.End, s.End); from < to {
			w.gaps = append(w.gaps, [2]int64{from, to})
		}
	}
	own = s.End - s.Start
	if len(w.gaps) > 1 {
		slices.SortFunc(w.gaps, func(a, b [2]int64) int { return cmp.Compare(a[0], b[0]) })
	}
	until := int64(-1 << 63)
	for _, g := range w.gaps {
		if g[1] > until {
			own -= g[1] - max(g[0], until)
			until = g[1]
		}
	}
	return own, children, remote
}
