package sqlplan

import (
	"math"
	"math/rand/v2"

	"github.com/tael-sql/tael-sql/catalog"
	"github.com/tael-sql/tael-sql/internal/exec"
	"github.com/tael-sql/tael-sql/internal/pgerr"
	"github.com/tael-sql/tael-sql/sqlplan/bind"
)

// sampling says which rows of a scan its TABLESAMPLE keeps; refs are the columns
// that identify a row, to be read behind those of the scan.
func (c *compiler) sampling(n *bind.Scan) (spec exec.SampleSpec, refs []catalog.ColumnRef, err error) {
	percent, err := n.Sample.Percent.Eval(c.env, nil)
	if err != nil {
		return spec, nil, err
	}
	share, ok := percent.(float64)
	switch {
	case !ok:
		return spec, nil, pgerr.New(pgerr.InvalidTablesampleArgument, "TABLESAMPLE parameter cannot be null")
	case !(share >= 0 && share <= 100):
		return spec, nil, pgerr.New(pgerr.InvalidTablesampleArgument, "sample percentage must be between 0 and 100")
	}
	spec = exec.SampleSpec{Share: share / 100, Seed: rand.Uint64(), Batch: n.Sample.Method == "system", From: len(n.Refs)}
	if n.Sample.Seed != nil {
		seed, err := n.Sample.Seed.Eval(c.env, nil)
		if err != nil {
			return spec, nil, err
		}
		f, ok := seed.(float64)
		if !ok {
			return spec, nil, pgerr.New(pgerr.InvalidTablesampleRepeat, "TABLESAMPLE REPEATABLE parameter cannot be null")
		}
		spec.Seed = math.Float64bits(f + 0) // without the sign of zero
	}
	for _, i := range identity(n.Table.Relation()) {
		refs = append(refs, catalog.ColumnRef{Index: i})
		spec.Types = append(spec.Types, n.Table.Relation().Columns[i].Type)
	}
	return spec, refs, nil
}

// identity gives columns that tell rows apart: the primary key, else a running
// number, else all of them.
func identity(rel *catalog.Relation) []int {
	if len(rel.PrimaryKey) > 0 {
		return rel.PrimaryKey
	}
	if i := rel.Index("log_id"); i >= 0 {
		return []int{i}
	}
	all := make([]int, len(rel.Columns))
	for i := range all {
		all[i] = i
	}
	return all
}
