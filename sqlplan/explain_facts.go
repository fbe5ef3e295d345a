package sqlplan

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
)

// Format prints the steps as EXPLAIN (FORMAT JSON, XML or YAML) of PostgreSQL 15
// does. The times are left out where they are negative.
func (s *Step) Format(format string, show Show, planning, execution time.Duration) string {
	query := facts{{"Plan", s.facts(show, "")}}
	if planning >= 0 {
		query.put("Planning Time", millisText(planning))
	}
	if s.actual != nil {
		query.put("Triggers", group{"Trigger", nil})
	}
	if execution >= 0 {
		query.put("Execution Time", millisText(execution))
	}
	var out strings.Builder
	switch format {
	case "xml":
		out.WriteString("<explain xmlns=\"http://www.postgresql.org/2009/explain\">\n")
		facts{{"Query", query}}.xml(&out, 1)
		out.WriteString("</explain>")
	case "yaml":
		out.WriteString("- ")
		query.yaml(&out, 1)
	default:
		out.WriteString("[\n  " + query.json(1) + "\n]")
	}
	return out.String()
}

func millisText(d time.Duration) literal {
	return literal(fmt.Sprintf("%.3f", float64(d.Microseconds())/1000))
}

// facts describes a step; relationship is what it is to the one above.
func (s *Step) facts(show Show, relationship string) facts {
	kind, about := nodeType(s.Title)
	f := facts{{"Node Type", kind}}
	for _, one := range about {
		if placedFirst[one.name] {
			f = append(f, one)
		}
	}
	if relationship != "" {
		f.put("Parent Relationship", relationship)
	}
	f.put("Parallel Aware", literal("false"))
	f.put("Async Capable", literal("false"))
	for _, one := range about {
		if !placedFirst[one.name] {
			f = append(f, one)
		}
	}
	if show.Costs {
		f.put("Startup Cost", literal("0.00"))
		f.put("Total Cost", literal(fmt.Sprintf("%.2f", s.cost())))
		f.int("Plan Rows", s.Rows)
		f.int("Plan Width", int64(s.Width))
	}
	if s.actual != nil {
		if show.Timing {
			f.put("Actual Startup Time", literal("0.000"))
			f.put("Actual Total Time", literal(fmt.Sprintf("%.3f", s.millis())))
		}
		f.int("Actual Rows", s.actual.Load())
		f.int("Actual Loops", 1)
	}
	for _, d := range s.Details {
		if d.List {
			f.put(d.Name, d.Values)
		} else {
			f.put(d.Name, d.Values[0])
		}
	}
	if s.actual != nil && s.scan != nil {
		f = append(f, s.storage()...)
	}
	if len(s.Children) > 0 {
		f.put("Plans", s.plans(show))
	}
	return f
}

// placedFirst are the facts that PostgreSQL prints right after the node's type.
var placedFirst = map[string]bool{"Strategy": true, "Partial Mode": true, "Operation": true}

func (s *Step) plans(show Show) group {
	list := make([]facts, len(s.Children))
	for i, child := range s.Children {
		relationship := [2]string{"Outer", "Inner"}[min(i, 1)]
		if s.Title == "Append" || len(s.Children) > 2 {
			relationship = "Member"
		}
		list[i] = child.facts(show, relationship)
	}
	return group{"Plan", list}
}

// storage says where the rows of a scan came from and what was not read.
func (s *Step) storage() (f facts) {
	st := s.scan
	f.int("Memtable Rows", st.Memtable.Load())
	f.int("Hot Blocks Read", st.Blocks.Load())
	f.int("Hot Blocks", st.BlocksTotal.Load())
	f.int("Cold Parts Read", st.Parts.Load())
	f.int("Cold Parts", st.PartsTotal.Load())
	f.int("Cold Chunks Read", st.Chunks.Load())
	f.int("Cold Chunks", st.ChunksTotal.Load())
	f.int("Bytes Read", st.Bytes.Load())
	var by facts
	pruned := st.Pruned()
	for _, reason := range slices.Sorted(maps.Keys(pruned)) {
		by.int(reason, pruned[reason])
	}
	if len(by) > 0 {
		f.put("Pruned By", by)
	}
	return f
}

// nodeType gives what the JSON form calls a step, and what its title says
// beyond that.
func nodeType(title string) (kind string, about facts) {
	if node, on, ok := strings.Cut(title, " on "); ok {
		name, alias, _ := strings.Cut(on, " ")
		if alias == "" {
			alias = name
		}
		switch node {
		case "Seq Scan", "Sample Scan":
			return node, facts{{"Relation Name", name}, {"Alias", alias}}
		case "Function Scan":
			return node, facts{{"Function Name", name}, {"Alias", alias}}
		case "CTE Scan":
			return node, facts{{"CTE Name", on}, {"Alias", on}}
		case "Insert", "Update", "Delete":
			return "ModifyTable", facts{{"Operation", node}, {"Relation Name", name}, {"Alias", alias}}
		}
	}
	for _, join := range []string{"Hash", "Nested Loop"} {
		rest, ok := strings.CutPrefix(title, join)
		if ok && (rest == "" || strings.HasSuffix(rest, " Join")) {
			side := strings.TrimSpace(strings.TrimSuffix(rest, "Join"))
			if side == "" {
				side = "Inner"
			}
			if join == "Hash" {
				join += " Join"
			}
			return join, facts{{"Join Type", side}}
		}
	}
	switch title {
	case "Aggregate":
		return title, facts{{"Strategy", "Plain"}, {"Partial Mode", "Simple"}}
	case "HashAggregate":
		return "Aggregate", facts{{"Strategy", "Hashed"}, {"Partial Mode", "Simple"}}
	case "MixedAggregate":
		return "Aggregate", facts{{"Strategy", "Mixed"}, {"Partial Mode", "Simple"}}
	case "HashSetOp Intersect", "HashSetOp Except":
		return "SetOp", facts{{"Strategy", "Hashed"}, {"Command", strings.TrimPrefix(title, "HashSetOp ")}}
	}
	return title, nil
}
