package bind

import "github.com/tael-sql/tael-sql/internal/pgerr"

// A clause is the part of a query that an expression stands in; it decides
// whether aggregates, window functions and sets of rows may stand there.
type clause uint8

const (
	inTarget clause = iota
	inOrderBy
	inHaving
	inWhere
	inGroupBy
	inJoinOn
	inFunctionFrom
	inFilter
	inLimit
	inOffset
	inValues
	inWindow
	inAggregate
	inDistinctOn
	inExecute
	inReturning
	inUpdate
)

var clauseNames = map[clause]string{
	inTarget: "SELECT", inOrderBy: "ORDER BY", inHaving: "HAVING", inWhere: "WHERE", inGroupBy: "GROUP BY",
	inJoinOn: "JOIN conditions", inFunctionFrom: "functions in FROM", inFilter: "FILTER", inLimit: "LIMIT",
	inOffset: "OFFSET", inValues: "VALUES", inWindow: "window definitions", inAggregate: "aggregate function calls",
	inDistinctOn: "DISTINCT ON", inExecute: "EXECUTE parameters",
	inReturning: "RETURNING", inUpdate: "UPDATE",
}

// in runs f with the clause set.
func (s *scope) in(c clause, f func()) {
	saved := s.clause
	s.clause = c
	f()
	s.clause = saved
}

// checkAggregate refuses an aggregate where none may stand. s is the level that
// the aggregate belongs to; direct: it stands in an expression of that level.
func (s *scope) checkAggregate(b *binder, direct bool, location int32) {
	switch s.clause {
	case inTarget, inOrderBy, inHaving, inDistinctOn, inWindow:
		return
	case inFunctionFrom:
		if !direct {
			b.fail(location, pgerr.GroupingError, "aggregate functions are not allowed in FROM clause of their own query level")
		}
	case inAggregate:
		b.fail(location, pgerr.GroupingError, "aggregate function calls cannot be nested")
	}
	b.fail(location, pgerr.GroupingError, "aggregate functions are not allowed in %s", clauseNames[s.clause])
}

func (s *scope) checkWindow(location int32) {
	switch s.clause {
	case inTarget, inOrderBy, inDistinctOn:
		return
	case inAggregate:
		s.b.fail(location, pgerr.GroupingError, "aggregate function calls cannot contain window function calls")
	case inWindow:
		s.b.fail(location, pgerr.WindowingError, "window functions are not allowed in window definitions")
	}
	s.b.fail(location, pgerr.WindowingError, "window functions are not allowed in %s", clauseNames[s.clause])
}

func (s *scope) checkSet(location int32) {
	switch s.clause {
	case inTarget, inOrderBy, inGroupBy, inDistinctOn, inFunctionFrom:
		return
	case inAggregate:
		s.b.fail(location, pgerr.FeatureNotSupported, "aggregate function calls cannot contain set-returning function calls")
	}
	s.b.fail(location, pgerr.FeatureNotSupported, "set-returning functions are not allowed in %s", clauseNames[s.clause])
}
