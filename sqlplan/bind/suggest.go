package bind

import (
	"fmt"

	"github.com/tael-sql/tael-sql/internal/pgerr"
)

// farthest is how many letters a name may be away from the one that was
// written to be suggested, as in PostgreSQL.
const farthest = 3

// A suggestion gathers the columns whose names are closest to one that does
// not exist: none, one or two; more say nothing.
type suggestion struct {
	distance int
	found    []string // table.column
	crowded  bool
}

// missingColumn fails for a column that does not exist, with a hint if there
// is one of a similar name. Table is the qualifier, or "".
func (s *scope) missingColumn(table, column string, location int32) {
	e := pgerr.New(pgerr.UndefinedColumn, "%s", noColumn(table, column)).At(s.b.at(location))
	best := suggestion{distance: farthest + 1}
	for at := s; at != nil; at = at.outer {
		for _, src := range at.items {
			if !src.byName {
				continue
			}
			penalty := 0
			if table != "" {
				penalty = distance(table, src.alias)
			}
			for _, c := range src.cols {
				best.consider(src.alias, c.name, column, penalty)
			}
		}
	}
	switch len(best.found) {
	case 1:
		e = e.WithHint("Perhaps you meant to reference the column \"%s\".", best.found[0])
	case 2:
		e = e.WithHint("Perhaps you meant to reference the column \"%s\" or the column \"%s\".", best.found[0], best.found[1])
	}
	panic(e)
}

// consider takes a column up if it is as close as the closest so far. A name
// of which more than half differs is not close.
func (g *suggestion) consider(table, column, wanted string, penalty int) {
	if penalty > g.distance {
		return
	}
	d := distance(wanted, column)
	if d > len(wanted)/2 || d+penalty > farthest {
		return
	}
	d += penalty
	switch {
	case d < g.distance:
		*g = suggestion{distance: d, found: []string{table + "." + column}}
	case d == g.distance && len(g.found) == 2:
		g.found, g.crowded = nil, true
	case d == g.distance && !g.crowded:
		g.found = append(g.found, table+"."+column)
	}
}

// distance is Levenshtein's: insertions, deletions and replacements from one
// name to the other.
func distance(from, to string) int {
	a, b := []rune(from), []rune(to)
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range a {
		diagonal := row[0]
		row[0] = i + 1
		for j := range b {
			cost := diagonal
			if a[i] != b[j] {
				cost++
			}
			diagonal = row[j+1]
			row[j+1] = min(cost, row[j+1]+1, row[j]+1)
		}
	}
	return row[len(b)]
}

// noColumn is PostgreSQL's text for a column that does not exist.
func noColumn(table, column string) string {
	if table == "" {
		return fmt.Sprintf("column \"%s\" does not exist", column)
	}
	return fmt.Sprintf("column %s.%s does not exist", table, column)
}
