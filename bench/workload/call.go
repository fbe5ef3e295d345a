package workload

import (
	"math"
	"math/rand/v2"
	"strconv"
	"strings"
)

const (
	callsAtOne   = 20_000
	promptBytes  = 4096
	vocabulary   = 10_000
	commentsMade = 1000
)

// A Call is a call to a language model: a trace of one span.
type Call struct {
	TraceID       [16]byte
	SpanID        [8]byte
	StartNanos    int64
	DurationNanos int64
	Provider      string
	Model         string
	Input, Output int64 // tokens
	Cost          float64
	Prompt        string // words of lower-case letters and digits, one space between them
}

// CallService is the service of every Call.
const CallService = "assistant"

// Operation is the name of its span.
func (c *Call) Operation() string { return "chat " + c.Model }

var models = []struct{ provider, name string }{
	{"openai", "gpt-4o"}, {"openai", "gpt-4o-mini"}, {"anthropic", "claude-sonnet-4"}, {"anthropic", "claude-haiku-3"}, {"mistral", "mistral-large"},
}

// Calls gives the calls to language models in the order of their times.
func (d Data) Calls(yield func(*Call)) {
	rng := d.rng(4)
	total := scaled(callsAtOne, d.Scale)
	day := End.UnixNano() - Start.UnixNano()
	for i := range total {
		m := models[rng.IntN(len(models))]
		c := Call{
			TraceID: randomTrace(rng), SpanID: randomID(rng), StartNanos: Start.UnixNano() + int64(float64(i)/float64(total)*float64(day)),
			DurationNanos: int64(math.Exp(rng.NormFloat64()*0.7 + 20.7)), Provider: m.provider, Model: m.name,
			Input: 600 + int64(rng.IntN(600)), Output: 20 + int64(rng.IntN(800)), Prompt: prompt(rng),
		}
		c.Cost = float64(c.Input*3+c.Output*15) / 1e6
		yield(&c)
	}
}

// prompt draws words, low numbers much more often than high ones.
func prompt(rng *rand.Rand) string {
	var b strings.Builder
	for b.Len() < promptBytes {
		if b.Len() > 0 {
			b.WriteByte(' ')
		}
		b.WriteByte('w')
		b.WriteString(strconv.Itoa(int(math.Pow(vocabulary, rng.Float64())) - 1))
	}
	return b.String()
}

// Comments gives the traces that somebody has commented on: some of those of spans.
func (d Data) Comments(yield func(trace [16]byte)) {
	every, seen := max(scaled(spansAtOne, d.Scale)/commentsMade, 1), 0
	d.Spans(func(s *Span) {
		if seen%every == 0 {
			yield(s.TraceID)
		}
		seen++
	})
}
