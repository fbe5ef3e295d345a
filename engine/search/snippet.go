package search

import (
	"strings"
	"unicode/utf8"
)

// snippetBytes is about how long a snippet is.
const snippetBytes = 160

// Snippet gives the part of a text around the first match, on one line. It
// begins and ends at a space where there is one near, with … where text is
// missing.
func (q *Query) Snippet(text string) string {
	start, end := q.firstPlace(text)
	from := max(0, start-(snippetBytes-(end-start))/3)
	to := min(len(text), max(from+snippetBytes, end))
	from = max(0, min(from, to-snippetBytes))
	if from > 0 {
		if i := strings.IndexAny(text[from:start], " \t\n"); i >= 0 {
			from += i + 1
		}
	}
	if to < len(text) {
		if i := strings.LastIndexAny(text[end:to], " \t\n"); i > 0 {
			to = end + i
		}
	}
	for from > 0 && from < len(text) && !utf8.RuneStart(text[from]) {
		from--
	}
	for to < len(text) && !utf8.RuneStart(text[to]) {
		to++
	}
	out := strings.Join(strings.Fields(text[from:to]), " ")
	if from > 0 {
		out = "…" + out
	}
	if to < len(text) {
		out += "…"
	}
	return out
}

// firstPlace finds where the first clause holds for the first time, 0 if none
// is asked of the text.
func (q *Query) firstPlace(text string) (start, end int) {
	var want []string
	for i := range q.clauses {
		if c := &q.clauses[i]; c.scored() {
			want = c.words
			break
		}
	}
	if want == nil {
		return 0, 0
	}
	starts := make([]int, 0, len(want)) // of the words before, at most as many as the phrase has
	last := make([]string, 0, len(want))
	found := false
	words(text, func(w word) {
		if found {
			return
		}
		if len(last) == len(want) {
			copy(last, last[1:])
			copy(starts, starts[1:])
			last, starts = last[:len(want)-1], starts[:len(want)-1]
		}
		match := ""
		for _, text := range want {
			if text == string(w.text) {
				match = text
			}
		}
		last, starts = append(last, match), append(starts, w.start)
		if len(last) == len(want) {
			found = true
			for i := range want {
				found = found && last[i] == want[i]
			}
			start, end = starts[0], w.end
		}
	})
	if !found {
		return 0, 0
	}
	return start, end
}
