package session

import (
	"context"
	"strings"
	"time"

	pg "github.com/pganalyze/pg_query_go/v6"

	"github.com/tael-sql/tael-sql/internal/pgerr"
	"github.com/tael-sql/tael-sql/internal/pgtypes"
	"github.com/tael-sql/tael-sql/pgwire"
	"github.com/tael-sql/tael-sql/sqlplan"
	"github.com/tael-sql/tael-sql/sqlplan/bind"
	"github.com/tael-sql/tael-sql/sqlplan/syntax"
)

// explainOptions are those of an EXPLAIN. Options that ask for what there is
// not, such as BUFFERS, are taken and have no effect.
type explainOptions struct {
	analyze, summary bool
	format           string
	show             sqlplan.Show
}

func newExplainOptions(st *syntax.Statement) (o explainOptions, err error) {
	o.show.Costs, o.format = true, "text"
	timing, summary := (*bool)(nil), (*bool)(nil)
	for _, n := range st.Node.GetExplainStmt().Options {
		d := n.GetDefElem()
		name := d.GetDefname()
		if name == "format" {
			switch format := strings.ToLower(constText(d.Arg)); format {
			case "text", "json", "xml", "yaml":
				o.format = format
			default:
				return o, pgerr.New(pgerr.InvalidParameterValue, "unrecognized value for EXPLAIN option \"format\": \"%s\"", format).At(st.Position(d.Location))
			}
			continue
		}
		on, err := explainSwitch(d)
		if err != nil {
			return o, err
		}
		switch name {
		case "analyze":
			o.analyze = on
		case "costs":
			o.show.Costs = on
		case "timing":
			timing = &on
		case "summary":
			summary = &on
		case "verbose", "buffers", "settings", "wal":
		default:
			return o, pgerr.New(pgerr.SyntaxError, "unrecognized EXPLAIN option \"%s\"", name).At(st.Position(d.Location))
		}
	}
	o.show.Timing, o.summary = o.analyze, o.analyze
	if timing != nil {
		if *timing && !o.analyze {
			return o, pgerr.New(pgerr.InvalidParameterValue, "EXPLAIN option TIMING requires ANALYZE")
		}
		o.show.Timing = *timing
	}
	if summary != nil {
		o.summary = *summary
	}
	return o, nil
}

// explainSwitch reads a truth value; an option alone is on.
func explainSwitch(d *pg.DefElem) (bool, error) {
	if d.Arg == nil {
		return true, nil
	}
	switch strings.ToLower(constText(d.Arg)) {
	case "true", "on", "1":
		return true, nil
	case "false", "off", "0":
		return false, nil
	}
	return false, pgerr.New(pgerr.SyntaxError, "%s requires a Boolean value", d.Defname)
}

// explainColumns describes the result of an EXPLAIN.
func explainColumns(o explainOptions) []pgwire.Column {
	oid := pgtypes.Text
	switch o.format {
	case "json":
		oid = pgtypes.JSON
	case "xml":
		oid = pgtypes.XML
	}
	return []pgwire.Column{{Name: "QUERY PLAN", Type: pgtypes.Of(oid)}}
}

// explain prints the operators of a query; with ANALYZE after running it.
func (p *portal) explain(ctx context.Context, w *pgwire.RowWriter) error {
	o, err := newExplainOptions(p.stmt.node)
	if err != nil {
		return err
	}
	if p.stmt.query.Modifies {
		switch _, with := p.stmt.query.Root.(*bind.With); {
		case !o.analyze && with:
			return pgerr.New(pgerr.FeatureNotSupported, "EXPLAIN of a data-modifying WITH is not supported without ANALYZE")
		case o.analyze && p.session.settings.get("transaction_read_only") == "on":
			return pgerr.New(pgerr.ReadOnlySQLTransaction, "cannot execute EXPLAIN in a read-only transaction")
		}
	}
	p.env = p.session.env(ctx)
	start := time.Now()
	steps := &sqlplan.Step{}
	root := p.stmt.query.With(p.params).Root
	reader, err := sqlplan.Run(p.env, root, sqlplan.Options{
		Workers: p.session.handler.opts.Workers, Steps: steps, Analyze: o.analyze,
	})
	if err != nil {
		return err
	}
	planning, execution := time.Since(start), time.Duration(-1)
	defer reader.Close()
	for o.analyze {
		b, err := reader.Next(ctx)
		if err != nil {
			return err
		}
		if b == nil {
			execution = time.Since(start) - planning
			break
		}
	}
	if !o.summary {
		planning, execution = -1, -1
	}
	if o.format != "text" {
		return w.WriteRow([]any{steps.Format(o.format, o.show, planning, execution)})
	}
	lines := steps.Lines(o.show)
	if planning >= 0 {
		lines = append(lines, "Planning Time: "+millis(planning))
	}
	if execution >= 0 {
		lines = append(lines, "Execution Time: "+millis(execution))
	}
	for _, line := range lines {
		if err := w.WriteRow([]any{line}); err != nil {
			return err
		}
	}
	return nil
}
