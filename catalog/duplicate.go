package catalog

import (
	"strings"

	"github.com/tael-sql/tael-sql/internal/pgerr"
	"github.com/tael-sql/tael-sql/internal/pgtypes"
)

// DuplicateKey is PostgreSQL's error for a row whose key another row has.
func DuplicateKey(rel *Relation, row []any, style *pgtypes.TextStyle) error {
	return Duplicate(rel, Unique{Name: rel.Name + "_pkey", Columns: rel.PrimaryKey}, row, style)
}

// Duplicate is the error for a row that breaks a constraint.
func Duplicate(rel *Relation, u Unique, row []any, style *pgtypes.TextStyle) error {
	names, values := make([]string, len(u.Columns)), make([]string, len(u.Columns))
	for i, at := range u.Columns {
		names[i] = rel.Columns[at].Name
		text, err := pgtypes.AppendText(nil, rel.Columns[at].Type, row[at], style)
		if err != nil {
			return err
		}
		values[i] = string(text)
	}
	return pgerr.New(pgerr.UniqueViolation, "duplicate key value violates unique constraint \"%s\"", u.Name).
		WithDetail("Key (%s)=(%s) already exists.", strings.Join(names, ", "), strings.Join(values, ", "))
}
