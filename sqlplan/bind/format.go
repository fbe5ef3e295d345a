package bind

import (
	"fmt"
	"strings"

	"github.com/tael-sql/tael-sql/internal/expr"
)

// Format prints a plan as an indented tree, one node a line.
func Format(n Node) string {
	f := &formatter{seen: make(map[*CTE]bool)}
	f.node(n, 0)
	return f.out.String()
}

type formatter struct {
	out  strings.Builder
	seen map[*CTE]bool
}

func (f *formatter) line(depth int, format string, args ...any) {
	f.out.WriteString(strings.Repeat("  ", depth))
	fmt.Fprintf(&f.out, format, args...)
	f.out.WriteByte('\n')
}

func (f *formatter) node(n Node, depth int) {
	switch v := n.(type) {
	case *Scan:
		sample := ""
		if v.Sample != nil {
			sample = " sample=" + v.Sample.String()
		}
		f.line(depth, "Scan %s%s cols=%s%s", v.Table.Relation().Name, aliasOf(v.Alias, v.Table.Relation().Name), names(v.Cols), sample)
	case *Values:
		rows := make([]string, len(v.Rows))
		for i, r := range v.Rows {
			rows[i] = "(" + join(r) + ")"
		}
		f.line(depth, "Values %s", strings.Join(rows, ", "))
	case *FuncScan:
		what := ""
		if v.Func != nil {
			what = v.Func.String()
		} else {
			what = v.Table.Relation().Name + "(" + join(v.Args) + ")"
		}
		if v.Ordinality {
			what += " with ordinality"
		}
		f.line(depth, "FuncScan %s as %s cols=%s", what, v.Alias, names(v.Cols))
	case *Filter:
		f.line(depth, "Filter %s", v.Cond)
	case *Project:
		parts := make([]string, len(v.Items))
		for i, it := range v.Items {
			parts[i] = item(it)
		}
		f.line(depth, "Project [%s]", strings.Join(parts, ", "))
	case *Join:
		on, lateral := "", ""
		if v.On != nil {
			on = " on=" + v.On.String()
		}
		if v.Lateral {
			lateral = " lateral"
		}
		kind := [...]string{InnerJoin: "Inner", LeftJoin: "Left", RightJoin: "Right", FullJoin: "Full", CrossJoin: "Cross"}[v.Kind]
		f.line(depth, "%sJoin%s%s", kind, lateral, on)
	case *Aggregate:
		keys, aggs := make([]string, len(v.Keys)), make([]string, len(v.Aggs))
		for i, k := range v.Keys {
			keys[i] = k.Expr.String()
		}
		for i, a := range v.Aggs {
			aggs[i] = formatAgg(a.Call)
		}
		sets := ""
		if v.Sets != nil {
			sets = fmt.Sprintf(" sets=%v", v.Sets)
		}
		f.line(depth, "Aggregate keys=[%s] aggs=[%s]%s", strings.Join(keys, ", "), strings.Join(aggs, ", "), sets)
	case *Window:
		calls := make([]string, len(v.Calls))
		for i, c := range v.Calls {
			calls[i] = formatWindow(c)
		}
		f.line(depth, "Window [%s]", strings.Join(calls, ", "))
	case *Distinct:
		if len(v.On) > 0 {
			f.line(depth, "Distinct on=[%s]", join(v.On))
		} else {
			f.line(depth, "Distinct")
		}
	case *Sort:
		f.line(depth, "Sort [%s]", sortKeys(v.Keys))
	case *Limit:
		parts := []string{"Limit"}
		if v.Count != nil {
			parts = append(parts, "count="+v.Count.String())
		}
		if v.Offset != nil {
			parts = append(parts, "offset="+v.Offset.String())
		}
		if v.Ties != nil {
			parts = append(parts, "with ties")
		}
		f.line(depth, "%s", strings.Join(parts, " "))
	case *SetOp:
		all := ""
		if v.All {
			all = " all"
		}
		f.line(depth, "%s%s", [...]string{Union: "Union", Intersect: "Intersect", Except: "Except"}[v.Kind], all)
	case *CTERef:
		f.line(depth, "CTE %s cols=%s", v.CTE.Name, names(v.Cols))
	}
	for _, e := range nodeExprs(n) {
		eachExpr(e, func(e expr.Expr) {
			if q, ok := e.(*Subquery); ok {
				outer := ""
				if len(q.Outer) > 0 {
					outer = " outer=" + names(q.Outer)
				}
				f.line(depth+1, "sub-query %d%s", q.N, outer)
				f.node(q.Plan, depth+2)
			}
		})
	}
	for _, in := range inputs(n, f.seen) {
		f.node(in, depth+1)
	}
}

func aliasOf(alias, name string) string {
	if alias == name {
		return ""
	}
	return " as " + alias
}

func names(cols []Column) string {
	parts := make([]string, len(cols))
	for i, c := range cols {
		parts[i] = c.Name
	}
	return "[" + strings.Join(parts, ", ") + "]"
}

func item(it Item) string {
	s := it.Expr.String()
	if c, ok := it.Expr.(*expr.Col); ok && (c.Name == it.Col.Name || strings.HasSuffix(c.Name, "."+it.Col.Name)) {
		return s
	}
	return s + " as " + it.Col.Name
}

func join(list []expr.Expr) string {
	parts := make([]string, len(list))
	for i, e := range list {
		parts[i] = e.String()
	}
	return strings.Join(parts, ", ")
}

func sortKeys(keys []expr.SortKey) string {
	parts := make([]string, len(keys))
	for i, k := range keys {
		parts[i] = k.Expr.String()
		if k.Desc {
			parts[i] += " desc"
		}
		if k.NullsFirst != k.Desc {
			parts[i] += map[bool]string{true: " nulls first", false: " nulls last"}[k.NullsFirst]
		}
	}
	return strings.Join(parts, ", ")
}

func formatAgg(c *expr.AggCall) string {
	args := join(c.Args)
	if c.Star {
		args = "*"
	}
	if c.Distinct {
		args = "distinct " + args
	}
	if len(c.OrderBy) > 0 {
		args += " order by " + sortKeys(c.OrderBy)
	}
	s := c.Agg.Name + "(" + args + ")"
	if c.Filter != nil {
		s += " filter " + c.Filter.String()
	}
	return s
}

func formatWindow(c WindowItem) string {
	var s strings.Builder
	if c.Agg != nil {
		s.WriteString(formatAgg(c.Agg))
	} else {
		s.WriteString(c.Func + "(" + join(c.Args) + ")")
	}
	s.WriteString(" over (")
	if len(c.Partition) > 0 {
		s.WriteString("partition by " + join(c.Partition) + " ")
	}
	if len(c.Order) > 0 {
		s.WriteString("order by " + sortKeys(c.Order) + " ")
	}
	mode := map[byte]string{'r': "range", 'w': "rows", 'g': "groups"}[c.Frame.Mode]
	fmt.Fprintf(&s, "%s %s..%s)", mode, bound(c.Frame.Start), bound(c.Frame.End))
	return s.String()
}

func bound(b FrameBound) string {
	if b.Offset != nil {
		return b.Offset.String() + string(b.Kind)
	}
	return string(b.Kind)
}
