package sqlplan

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/tael-sql/tael-sql/internal/pgtypes"
)

// JSON prints the steps as EXPLAIN (FORMAT JSON) of PostgreSQL 15 does. The
// times are left out where they are negative.
func (s *Step) JSON(show Show, planning, execution time.Duration) string {
	top := &jsonObject{depth: 1}
	top.put("Plan", s.object(show, 2, "").String())
	if planning >= 0 {
		top.put("Planning Time", millisText(planning))
	}
	if execution >= 0 {
		top.put("Triggers", "[\n    ]")
		top.put("Execution Time", millisText(execution))
	}
	return "[\n  " + top.String() + "\n]"
}

func millisText(d time.Duration) string { return fmt.Sprintf("%.3f", float64(d.Microseconds())/1000) }

// A jsonObject prints its members in the order in which they were put, a line
// each.
type jsonObject struct {
	depth   int
	members []string
}

func (o *jsonObject) put(name, raw string) {
	o.members = append(o.members, string(pgtypes.JSONQuote(nil, name))+": "+raw)
}

func (o *jsonObject) text(name, value string) { o.put(name, string(pgtypes.JSONQuote(nil, value))) }

func (o *jsonObject) int(name string, n int64) { o.put(name, strconv.FormatInt(n, 10)) }

// String begins where the object's line does.
func (o *jsonObject) String() string {
	pad := strings.Repeat("  ", o.depth)
	return "{\n" + pad + "  " + strings.Join(o.members, ",\n"+pad+"  ") + "\n" + pad + "}"
}

// object describes a step; relationship is what it is to the one above.
func (s *Step) object(show Show, depth int, relationship string) *jsonObject {
	o := &jsonObject{depth: depth}
	kind, facts := nodeType(s.Title)
	o.text("Node Type", kind)
	if relationship != "" {
		o.text("Parent Relationship", relationship)
	}
	o.put("Parallel Aware", "false")
	o.put("Async Capable", "false")
	for i := 0; i < len(facts); i += 2 {
		o.text(facts[i], facts[i+1])
	}
	if show.Costs {
		o.put("Startup Cost", "0.00")
		o.put("Total Cost", fmt.Sprintf("%.2f", s.cost()))
		o.int("Plan Rows", s.Rows)
		o.int("Plan Width", int64(s.Width))
	}
	if s.actual != nil {
		if show.Timing {
			o.put("Actual Startup Time", "0.000")
			o.put("Actual Total Time", fmt.Sprintf("%.3f", s.millis()))
		}
		o.int("Actual Rows", s.actual.Load())
		o.int("Actual Loops", 1)
	}
	for _, d := range s.Details {
		if !d.List {
			o.text(d.Name, d.Values[0])
			continue
		}
		quoted := make([]string, len(d.Values))
		for i, v := range d.Values {
			quoted[i] = string(pgtypes.JSONQuote(nil, v))
		}
		o.put(d.Name, "["+strings.Join(quoted, ", ")+"]")
	}
	if s.actual != nil && s.scan != nil {
		o.storage(s)
	}
	if len(s.Children) > 0 {
		o.put("Plans", s.plans(show, depth))
	}
	return o
}

func (s *Step) plans(show Show, depth int) string {
	pad := strings.Repeat("  ", depth+2)
	list := make([]string, len(s.Children))
	for i, child := range s.Children {
		relationship := [2]string{"Outer", "Inner"}[min(i, 1)]
		if s.Title == "Append" || len(s.Children) > 2 {
			relationship = "Member"
		}
		list[i] = pad + child.object(show, depth+2, relationship).String()
	}
	return "[\n" + strings.Join(list, ",\n") + "\n" + pad[2:] + "]"
}

// storage says where the rows of a scan came from and what was not read.
func (o *jsonObject) storage(s *Step) {
	st := s.scan
	for _, n := range []struct {
		name  string
		value int64
	}{
		{"Memtable Rows", st.Memtable.Load()},
		{"Hot Blocks Read", st.Blocks.Load()},
		{"Hot Blocks", st.BlocksTotal.Load()},
		{"Cold Parts Read", st.Parts.Load()},
		{"Cold Parts", st.PartsTotal.Load()},
		{"Cold Chunks Read", st.Chunks.Load()},
		{"Cold Chunks", st.ChunksTotal.Load()},
		{"Bytes Read", st.Bytes.Load()},
	} {
		o.int(n.name, n.value)
	}
	pruned := st.Pruned()
	if len(pruned) == 0 {
		return
	}
	inner := &jsonObject{depth: o.depth + 1}
	for _, reason := range slices.Sorted(maps.Keys(pruned)) {
		inner.int(reason, pruned[reason])
	}
	o.put("Pruned By", inner.String())
}

// nodeType gives what the JSON form calls a step, and what its title says
// beyond that, names and values in turn.
func nodeType(title string) (kind string, facts []string) {
	if node, on, ok := strings.Cut(title, " on "); ok {
		name, alias, _ := strings.Cut(on, " ")
		if alias == "" {
			alias = name
		}
		switch node {
		case "Seq Scan", "Sample Scan":
			return node, []string{"Relation Name", name, "Alias", alias}
		case "Function Scan":
			return node, []string{"Function Name", name, "Alias", alias}
		case "CTE Scan":
			return node, []string{"CTE Name", on, "Alias", on}
		case "Insert", "Update", "Delete":
			return "ModifyTable", []string{"Operation", node, "Relation Name", name, "Alias", alias}
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
			return join, []string{"Join Type", side}
		}
	}
	switch title {
	case "Aggregate":
		return title, []string{"Strategy", "Plain", "Partial Mode", "Simple"}
	case "HashAggregate":
		return "Aggregate", []string{"Strategy", "Hashed", "Partial Mode", "Simple"}
	case "MixedAggregate":
		return "Aggregate", []string{"Strategy", "Mixed", "Partial Mode", "Simple"}
	case "HashSetOp Intersect", "HashSetOp Except":
		return "SetOp", []string{"Strategy", "Hashed", "Command", strings.TrimPrefix(title, "HashSetOp ")}
	}
	return title, nil
}
