package search

// A Matcher tries a query on documents that are in no index, and counts what
// scores need of them. It is used by one goroutine.
type Matcher struct {
	query  *Query
	ids    map[string]int // word of the query → its place
	places [][]int32      // by word: where the document has it
	Stats  Stats          // of the documents tried
}

// NewMatcher makes a matcher.
func (q *Query) NewMatcher() *Matcher {
	m := &Matcher{query: q, ids: make(map[string]int)}
	for _, c := range q.clauses {
		for _, w := range c.words {
			if _, ok := m.ids[w]; !ok {
				m.ids[w] = len(m.ids)
			}
		}
	}
	m.places = make([][]int32, len(m.ids))
	m.Stats.Having = make([]int64, len(q.scoredWords()))
	return m
}

// Try counts a document and tells how it matches.
func (m *Matcher) Try(source uint8, service, text string) (match Match, ok bool) {
	length := m.read(text)
	m.Stats.Docs++
	m.Stats.Length += int64(length)
	at := 0
	for i := range m.query.clauses {
		if c := &m.query.clauses[i]; c.scored() {
			for _, w := range c.words {
				if len(m.places[m.ids[w]]) > 0 {
					m.Stats.Having[at]++
				}
				at++
			}
		}
	}
	ok = true
	for i := range m.query.clauses {
		c := &m.query.clauses[i]
		if c.field != textField {
			continue
		}
		times := uint32(0)
		if c.source == 0 || c.source == source {
			times = m.times(c)
		}
		if ok = ok && (times > 0) != c.negate; !ok {
			return match, false
		}
		if c.scored() {
			match.Times = append(match.Times, times)
		}
	}
	match.Length = length
	inService := false
	for i := range m.query.clauses {
		c := &m.query.clauses[i]
		if c.field != serviceField {
			continue
		}
		if !inService {
			m.read(service)
			inService = true
		}
		if (m.times(c) > 0) == c.negate {
			return match, false
		}
	}
	return match, true
}

// read notes where a text has words of the query, and counts its words.
func (m *Matcher) read(text string) (length int) {
	for i := range m.places {
		m.places[i] = m.places[i][:0]
	}
	words(text, func(w word) {
		length++
		if id, ok := m.ids[string(w.text)]; ok {
			m.places[id] = append(m.places[id], int32(length))
		}
	})
	return length
}

// times counts how often the words of a clause stand one after the other.
func (m *Matcher) times(c *clause) uint32 {
	lists := make([][]int32, len(c.words))
	for i, w := range c.words {
		lists[i] = m.places[m.ids[w]]
	}
	return phraseTimes(lists)
}

// phraseTimes counts the places p of the first list for which each list i has
// p + i. Lists ascend.
func phraseTimes(lists [][]int32) (n uint32) {
	if len(lists) == 1 {
		return uint32(len(lists[0]))
	}
	at := make([]int, len(lists))
next:
	for _, p := range lists[0] {
		for i := 1; i < len(lists); i++ {
			want := p + int32(i)
			for at[i] < len(lists[i]) && lists[i][at[i]] < want {
				at[i]++
			}
			if at[i] == len(lists[i]) {
				return n
			}
			if lists[i][at[i]] != want {
				continue next
			}
		}
		n++
	}
	return n
}
