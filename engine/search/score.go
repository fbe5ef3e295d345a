package search

import "math"

// Parameters of BM25, as usual.
const (
	saturation = 1.2
	lengthPart = 0.75
)

// Stats are the figures that scores depend on. Having says how many documents
// have each word of the clauses that count for the score, in their order.
type Stats struct {
	Docs   int64
	Length int64 // words of all documents
	Having []int64
}

// Add adds the figures of other documents.
func (s *Stats) Add(other Stats) {
	s.Docs, s.Length = s.Docs+other.Docs, s.Length+other.Length
	if s.Having == nil {
		s.Having = make([]int64, len(other.Having))
	}
	for i, n := range other.Having {
		s.Having[i] += n
	}
}

// scoredWords gives the words of the clauses that count for the score, in order.
func (q *Query) scoredWords() (out []string) {
	for i := range q.clauses {
		if c := &q.clauses[i]; c.scored() {
			out = append(out, c.words...)
		}
	}
	return out
}

// Score gives BM25 of a match; a phrase counts as a word that is as rare as its
// words are together.
func (q *Query) Score(m Match, s Stats) float64 {
	score, at, k := 0.0, 0, 0
	mean := 1.0
	if s.Docs > 0 && s.Length > 0 {
		mean = float64(s.Length) / float64(s.Docs)
	}
	for i := range q.clauses {
		c := &q.clauses[i]
		if !c.scored() {
			continue
		}
		rarity := 0.0
		for range c.words {
			n, having := float64(s.Docs), float64(min(s.Having[at], s.Docs))
			rarity += math.Log(1 + (n-having+0.5)/(having+0.5))
			at++
		}
		times := float64(m.Times[k])
		k++
		score += rarity * times * (saturation + 1) / (times + saturation*(1-lengthPart+lengthPart*float64(m.Length)/mean))
	}
	return score
}

// A Match is how a document matches.
type Match struct {
	Times  []uint32 // by clause that counts for the score: how often it holds
	Length int      // words of the document
}
