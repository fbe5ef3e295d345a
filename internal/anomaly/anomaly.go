// Package anomaly finds which services behave differently in one window of
// time than in another, and which of them is the likeliest origin.
//
// Everything is reduced to two kinds of comparison, per operation: the logarithm
// of time spent (own time of a span, or the unexplained gap of a remote call,
// charged to the callee), and the share of requests that have a feature (a local
// child, a remote call, an own error, a log template, an exception). Both give
// an effect in natural-log units with a standard error. The strength of an
// evidence is the lower confidence bound of its effect, so that small samples
// shrink by themselves and kinds are comparable; evidence that a neighbour
// explains is discounted; a service's score is its strongest remaining evidence.
// p-values (Bonferroni within a service, Benjamini-Hochberg across services)
// decide the severity, not the order.
//
// The method, its constants and what they reach were worked out on the labelled
// incidents of Nezha (Yu et al., ESEC/FSE 2023); sources of single steps stand
// beside them.
//
// The package knows nothing of tables or SQL, and keeps nothing between calls.
package anomaly

import (
	"cmp"
	"math"
	"slices"
)

// The constants of the method. Results are flat over wide ranges of them.
const (
	z              = 1.28 // one-sided 90 %: ranking wants little shrinkage, alarming is left to the p-values
	delta          = 1.0  // ms: scheduling and clock resolution; a change below it is no one's incident
	tailFactor     = 2.0  // twice the usual slow request
	priorCount     = 4.0  // observations that the prior variance is worth; customary for moderated tests
	leastVariance  = 0.01 // of the prior
	plainVariance  = 0.25 // the prior where fewer than 5 series tell it
	minTimes       = 2    // values on either side
	minRequests    = 3    // requests on either side
	minShareChange = 0.05 // as in the error rate's threshold
	maxShareSpread = 5.0  // cap of the dispersion of shares
	half           = 0.5  // weight of what is a smaller complaint or has two explanations
	changedInput   = 0.3
	changedAnswer  = 0.7
	relevant       = 0.4 // evidence below this does not enter a service's p-value
	minFloorMs     = 0.01
	sliceNanos     = int64(10e9) // 6 slices a minute: the least that shows dispersion within one
	maxSlices      = 60
)

// MaxTemplates is how many log templates of a service should be told apart;
// further ones count as one.
const MaxTemplates = 512

// A Side is one of the two windows.
type Side uint8

// The windows: what is compared with, and what is judged.
const (
	Base Side = iota
	Current
)

// A Span is what the comparison needs of a span. Names are codes of Input.Name.
type Span struct {
	ID, Parent uint64 // Parent is 0 at a root
	Start, End int64  // ns
	Trace      uint32 // code of Input.Trace
	Service    uint32
	Operation  uint32
	Error      uint32 // what an error is told apart by; used where Failed
	Side       Side
	Entry      bool // of kind server or consumer: a request begins
	Failed     bool
}

// A Log is what the comparison needs of a log record.
type Log struct {
	Trace    uint32 // 0: without
	Span     uint64
	Service  uint32
	Template uint32
	Thrown   uint32 // name of the exception that the body tells of, 0 for none
	Side     Side
	Warning  bool // warn or worse
	Error    bool // error or fatal
}

// A Reading is a point of CPU use of a service.
type Reading struct {
	Service uint32
	Side    Side
	Limited bool    // Value is a share of the limit, else it is in cores
	Value   float64 // 0 … 1 where Limited
}

// Input is the content of both windows. Detect uses it up.
type Input struct {
	Spans    []Span
	Logs     []Log
	Readings []Reading
	Seconds  [2]float64 // how long each window is

	names  []string
	codes  map[string]uint32
	traces map[[16]byte]uint32
	ids    [][16]byte
}

// NewInput makes an empty input for windows of so many seconds.
func NewInput(base, current float64) *Input {
	return &Input{
		Seconds: [2]float64{base, current},
		names:   []string{""}, codes: map[string]uint32{"": 0},
		traces: make(map[[16]byte]uint32), ids: make([][16]byte, 1),
	}
}

// Name gives the code of a name.
func (in *Input) Name(s string) uint32 {
	code, ok := in.codes[s]
	if !ok {
		code = uint32(len(in.names))
		in.names = append(in.names, s)
		in.codes[s] = code
	}
	return code
}

// Trace gives the code of a trace id, which is never 0.
func (in *Input) Trace(id [16]byte) uint32 {
	code, ok := in.traces[id]
	if !ok {
		code = uint32(len(in.ids))
		in.ids = append(in.ids, id)
		in.traces[id] = code
	}
	return code
}

// Absorb adds the logs of another input, which names and numbers on its own.
func (in *Input) Absorb(other *Input) {
	names, traces := make([]uint32, len(other.names)), make([]uint32, len(other.ids))
	for i, name := range other.names {
		names[i] = in.Name(name)
	}
	for i, id := range other.ids[1:] {
		traces[i+1] = in.Trace(id)
	}
	for _, l := range other.Logs {
		l.Trace, l.Service, l.Template, l.Thrown = traces[l.Trace], names[l.Service], names[l.Template], names[l.Thrown]
		in.Logs = append(in.Logs, l)
	}
}

// order sorts the spans by time and numbers the traces in that order, so that
// sums, and what is picked among equals, do not depend on how spans came.
func (in *Input) order() {
	type place struct {
		start int64
		span  int32
	}
	places := make([]place, len(in.Spans)) // a quarter of a span: cheaper to move
	for i := range in.Spans {
		places[i] = place{in.Spans[i].Start, int32(i)}
	}
	slices.SortFunc(places, func(a, b place) int {
		if a.start != b.start {
			return cmp.Compare(a.start, b.start)
		}
		s, t := &in.Spans[a.span], &in.Spans[b.span]
		return cmp.Or(cmp.Compare(s.ID, t.ID), slices.Compare(in.ids[s.Trace][:], in.ids[t.Trace][:]))
	})
	ordered := make([]Span, len(in.Spans))
	for i, p := range places {
		ordered[i] = in.Spans[p.span]
	}
	in.Spans = ordered
	renumbered := make([]uint32, len(in.ids))
	ids := make([][16]byte, 1, len(in.ids))
	number := func(old uint32) uint32 {
		if old != 0 && renumbered[old] == 0 {
			renumbered[old] = uint32(len(ids))
			ids = append(ids, in.ids[old])
		}
		return renumbered[old]
	}
	for i := range in.Spans {
		in.Spans[i].Trace = number(in.Spans[i].Trace)
	}
	for i := range in.Logs {
		in.Logs[i].Trace = number(in.Logs[i].Trace)
	}
	in.ids, in.traces = ids, nil
}

// A Finding is a row of the answer.
type Finding struct {
	Service, Kind, Severity string
	Base, Current           float64
	BaseCount, CurrentCount int64
	Description             string
	Rank                    int     // of the service: 1 is the likeliest origin
	Score                   float64 // natural-log units; exp of it reads as "at least so many times"
	P                       float64 // corrected for all that was tested
	Operation               string
	Caller, ExplainedBy     string // "" for none
	Evidence                [16]byte
	HasEvidence             bool
	threshold               int // order within a service: the strongest evidence first
}

// Severities.
const (
	High   = "high"
	Medium = "medium"
	Low    = "low"
)

// Detect compares the windows. Findings come by rank, each service's strongest
// evidence before the plain thresholds that it broke.
func Detect(in *Input) []Finding {
	in.order()
	t := derive(in)
	j := &judge{in: in, derived: t, byService: make(map[uint32]*suspect)}
	for s := range t.services {
		j.suspect(s)
	}
	j.timeEvidence()
	j.shareEvidence()
	j.cpuEvidence()
	j.explain()
	broken := j.thresholds()
	j.score(broken)
	var list []Finding
	for _, s := range j.ranked {
		if f, ok := j.finding(s); ok {
			list = append(list, f)
		}
		list = append(list, s.broken...)
	}
	slices.SortStableFunc(list, func(a, b Finding) int {
		return cmp.Or(cmp.Compare(a.Rank, b.Rank), cmp.Compare(a.threshold, b.threshold))
	})
	return list
}

// a judge gathers evidence against services.
type judge struct {
	in        *Input
	derived   *derived
	byService map[uint32]*suspect
	ranked    []*suspect
}

// A suspect is a service with the evidence against it.
type suspect struct {
	service  uint32
	evidence []*evidence
	tests    int // series and features compared
	winner   *evidence
	score    float64
	p        float64 // of its evidence, corrected within the service
	q        float64 // and across services
	shown    float64 // with its broken thresholds
	rank     int
	broken   []Finding
}

func (j *judge) suspect(service uint32) *suspect {
	s := j.byService[service]
	if s == nil {
		s = &suspect{service: service}
		j.byService[service] = s
	}
	return s
}

// A group is a kind of evidence of which only the strongest counts.
type group uint8

const (
	timeGroup group = iota
	logGroup
	structureGroup
	stopGroup
	cpuGroup
	groups
)

// evidence is one comparison that differs.
type evidence struct {
	kind      string
	group     group
	lcb, p    float64
	up        bool
	operation uint32
	caller    uint32
	explained uint32 // the neighbour that took a discount, 0 for none
	base, cur float64
	n         [2]int
	theta     float64 // of a tail
	series    *series
	feature   *feature
	callers   []uint32 // of a truncation
}

// score finds each service's strongest evidence, corrects the p-values and
// ranks the services.
func (j *judge) score(broken map[uint32][]Finding) {
	for _, s := range j.byService {
		best := [groups]*evidence{}
		for _, e := range s.evidence {
			if b := best[e.group]; b == nil || j.stronger(e, b) {
				best[e.group] = e
			}
		}
		s.p = 1
		for _, e := range best {
			if e == nil {
				continue
			}
			if s.winner == nil || j.stronger(e, s.winner) {
				s.winner = e
			}
			if e.lcb >= relevant {
				s.p = min(s.p, e.p)
			}
		}
		s.p = min(1, s.p*float64(max(s.tests, 1)))
		if s.winner != nil {
			s.score = math.Round(s.winner.lcb*1e6) / 1e6
		}
		j.ranked = append(j.ranked, s)
	}
	slices.SortFunc(j.ranked, func(a, b *suspect) int {
		return cmp.Or(cmp.Compare(b.score, a.score), cmp.Compare(a.p, b.p), cmp.Compare(j.name(a.service), j.name(b.service)))
	})
	own := make([]float64, len(j.ranked))
	all := make([]float64, len(j.ranked))
	for i, s := range j.ranked {
		s.rank = i + 1
		own[i], all[i] = s.p, s.p
		for _, f := range broken[s.service] {
			all[i] = min(all[i], f.P)
		}
	}
	own, all = benjaminiHochberg(own), benjaminiHochberg(all)
	for i, s := range j.ranked {
		s.q, s.shown = own[i], all[i]
		for _, f := range broken[s.service] {
			if s.shown <= 0.05 {
				f.Rank, f.Score, f.P = s.rank, s.score, s.shown
				s.broken = append(s.broken, f)
			}
		}
	}
}

// stronger orders evidence, the same for the same input whatever its order.
func (j *judge) stronger(a, b *evidence) bool {
	if d := math.Round((a.lcb - b.lcb) * 1e6); d != 0 {
		return d > 0
	}
	if a.p != b.p {
		return a.p < b.p
	}
	return slices.Compare(j.identity(a), j.identity(b)) < 0
}

// identity tells evidence apart by names.
func (j *judge) identity(e *evidence) []string {
	id := []string{e.kind, j.name(e.operation), j.name(e.caller)}
	if e.feature != nil {
		id = append(id, j.name(e.feature.a), j.name(e.feature.b), string(rune('0'+e.feature.kind)))
	}
	if e.series != nil {
		id = append(id, j.name(e.series.a), j.name(e.series.b), j.name(e.series.c), string(rune('0'+e.series.kind)))
	}
	return id
}

func (j *judge) name(code uint32) string { return j.in.names[code] }

// severity of a service's strongest evidence; "" for none.
func (j *judge) severity(s *suspect) string {
	switch {
	case s.score < math.Log(1.5):
		return ""
	case s.q <= 0.01 && s.score >= math.Log(3) && !j.short():
		return High
	case s.q <= 0.05:
		return Medium
	}
	return Low
}

// shortBaseline is too short, in seconds, to know the variation between minutes.
const shortBaseline = 120

// short reports a short baseline: nothing is of severity high then.
func (j *judge) short() bool { return j.in.Seconds[Base] < shortBaseline }
