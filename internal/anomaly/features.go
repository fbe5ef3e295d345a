package anomaly

import "slices"

type featureKind uint32 // so that a key is 16 bytes without gaps, which hash fast

const (
	localFeature    featureKind = iota // a: parent's operation, b: operation
	callFeature                        // a: callee, b: its operation
	lastFeature                        // a: callee of the last remote call
	errorFeature                       // a: what it says
	logFeature                         // a: template
	logErrorFeature                    // a: template of a warning, an error or an exception
	thrownFeature                      // a: name of the exception
)

type featureKey struct {
	op   uint32 // number of the operation
	kind featureKind
	a, b uint32
}

// A feature is what requests of an operation have or have not.
type feature struct {
	featureKey
	requests [2][]int32 // that have it, ascending, each once
}

func (t *derived) feature(request int32, kind featureKind, a, b uint32) {
	r := &t.requests[request]
	key := featureKey{r.op.number, kind, a, b}
	f := t.features[key]
	if f == nil {
		f = &feature{featureKey: key}
		t.features[key] = f
	}
	f.requests[r.side] = append(f.requests[r.side], request)
}

func (f *feature) settle() {
	for side := range f.requests {
		slices.Sort(f.requests[side])
		f.requests[side] = slices.Compact(f.requests[side])
	}
}

// shareEvidence compares how many requests of every operation have each feature.
func (j *judge) shareEvidence() {
	t := j.derived
	logged := j.logged()
	for key, f := range t.features {
		op := t.numbered[key.op]
		if op.n[Base] < minRequests || op.n[Current] < minRequests {
			continue
		}
		if key.kind >= logFeature && !logged {
			continue
		}
		against := j.suspect(op.service)
		against.tests++
		per := newSpread(len(t.slices))
		copy(per.n, op.perSlice.n)
		for _, r := range f.requests[Base] {
			per.sum[t.requests[r].slice]++
		}
		c := shares{k: [2]int{len(f.requests[Base]), len(f.requests[Current])}, n: op.n}
		c.phi = shareSpread(per, c.k[Base], c.n[Base])
		lcb := c.lcb()
		if lcb <= 0 {
			continue
		}
		e := &evidence{
			lcb: lcb, p: c.doubled(), up: c.at(Current) > c.at(Base), operation: op.name,
			base: c.at(Base), cur: c.at(Current), n: c.n, feature: f,
		}
		e.kind, e.group = key.kind.names(e.up)
		if !e.up && (key.kind == errorFeature || key.kind == logErrorFeature || key.kind == thrownFeature) {
			e.lcb *= half // fewer errors are the smaller complaint
		}
		against.evidence = append(against.evidence, e)
	}
}

// logged reports that both windows have logs at all: a signal that begins or
// ends between them says nothing about services.
func (j *judge) logged() bool {
	var n [2]bool
	for i := range j.in.Logs {
		n[j.in.Logs[i].Side] = true
	}
	return n[Base] && n[Current]
}

// names gives the kind of evidence that a feature is, by the sign of its change.
func (k featureKind) names(up bool) (kind string, g group) {
	pick := func(more, less string) string {
		if up {
			return more
		}
		return less
	}
	switch k {
	case localFeature:
		return pick("local_new", "local_missing"), structureGroup
	case callFeature:
		return pick("call_new", "call_missing"), structureGroup
	case lastFeature:
		return "last", groups // never evidence itself: see truncation
	case errorFeature:
		return "error", logGroup
	case logFeature:
		return pick("log_new", "log_missing"), logGroup
	default:
		return pick("log_error", "log_missing"), logGroup
	}
}
