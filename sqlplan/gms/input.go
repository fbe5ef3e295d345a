//go:build gms_pure_go

package gms

import (
	"fmt"

	"github.com/dolthub/go-mysql-server/sql"
	"github.com/dolthub/go-mysql-server/sql/plan"
	"github.com/dolthub/go-mysql-server/sql/types"
)

// database holds no tables: inputs are given to the analyser resolved.
type database struct{}

func (database) Name() string { return "region" }

func (database) GetTableInsensitive(*sql.Context, string) (sql.Table, bool, error) {
	return nil, false, nil
}

func (database) GetTableNames(*sql.Context) ([]string, error) { return nil, nil }

// input is a relation of the region as the analyser sees it: a table with
// opaque columns and a row count.
type input struct {
	number int
	schema sql.Schema
	rows   int64
}

var (
	_ sql.StatisticsTable = (*input)(nil)
	_ sql.PrimaryKeyTable = (*input)(nil)
)

func (in *input) Name() string                   { return fmt.Sprintf("t%d", in.number) }
func (in *input) String() string                 { return in.Name() }
func (in *input) Schema(*sql.Context) sql.Schema { return in.schema }
func (in *input) Collation() sql.CollationID     { return sql.Collation_binary }

func (in *input) PrimaryKeySchema(*sql.Context) sql.PrimaryKeySchema {
	return sql.NewPrimaryKeySchema(in.schema)
}

// Partitions is never called: the plan is read, not run.
func (in *input) Partitions(*sql.Context) (sql.PartitionIter, error) {
	return nil, fmt.Errorf("gms: input %d cannot be read", in.number)
}

// PartitionRows is never called: the plan is read, not run.
func (in *input) PartitionRows(*sql.Context, sql.Partition) (sql.RowIter, error) {
	return nil, fmt.Errorf("gms: input %d cannot be read", in.number)
}

func (in *input) DataLength(*sql.Context) (uint64, error) { return uint64(in.rows) * 100, nil }

func (in *input) RowCount(*sql.Context) (uint64, bool, error) { return uint64(in.rows), false, nil }

// leaf makes the resolved table of an input.
func (r *region) leaf(number int) sql.Node {
	in := &input{number: number, rows: max(r.inputs[number].Rows, 1)}
	var set sql.ColSet
	for _, id := range r.inputs[number].Columns {
		in.schema = append(in.schema, &sql.Column{
			Name: columnName(r.ids[id]), Source: in.Name(), Type: types.Int64, Nullable: true,
		})
		set.Add(r.ids[id])
	}
	return plan.NewResolvedTable(in, r.db, nil).
		WithId(sql.TableId(number + 1)).WithColumns(set)
}

func columnName(id sql.ColumnId) string { return fmt.Sprintf("c%d", id) }
