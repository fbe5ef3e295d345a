package tables

import (
	"strconv"

	"github.com/tael-sql/tael-sql/catalog"
	"github.com/tael-sql/tael-sql/internal/expr"
	"github.com/tael-sql/tael-sql/internal/pgtypes"
)

// viewsID is on disk.
const viewsID = 4

// storedViews is the keyed table of the views that users make: rows like those
// of comments, which no statement sees. The columns' order is on disk.
var storedViews = &keyed{id: viewsID, rel: &catalog.Relation{
	Name: "views", Kind: 'r', PrimaryKey: []int{0},
	Columns: []catalog.Column{
		{Name: "name", Type: pgtypes.Of(pgtypes.Text), NotNull: true},
		{Name: "oid", Type: pgtypes.Of(pgtypes.Int8), NotNull: true},
		{Name: "definition", Type: pgtypes.Of(pgtypes.Text), NotNull: true},
		{Name: "columns", Type: pgtypes.Of(pgtypes.TextArray), NotNull: true},
		{Name: "types", Type: pgtypes.Of(pgtypes.TextArray), NotNull: true},     // OIDs
		{Name: "modifiers", Type: pgtypes.Of(pgtypes.TextArray), NotNull: true}, // of the types
	},
}}

func viewRow(v *catalog.Relation) []any {
	var names, types, modifiers []string
	for _, c := range v.Columns {
		names = append(names, c.Name)
		types = append(types, strconv.FormatUint(uint64(c.Type.OID), 10))
		modifiers = append(modifiers, strconv.Itoa(int(c.Type.Mod)))
	}
	return []any{v.Name, int64(v.OID), v.Definition, textArray(names), textArray(types), textArray(modifiers)}
}

func viewOf(row []any) (*catalog.Relation, error) {
	v := &catalog.Relation{
		OID: pgtypes.OID(row[1].(int64)), Schema: catalog.PublicSchema, Name: row[0].(string), Kind: 'v',
		Definition: row[2].(string), Stored: true,
	}
	types, modifiers := textsOf(row[4]), textsOf(row[5])
	for i, name := range textsOf(row[3]) {
		oid, err := strconv.ParseUint(types[i], 10, 32)
		if err != nil {
			return nil, storageError(err)
		}
		mod, err := strconv.ParseInt(modifiers[i], 10, 32)
		if err != nil {
			return nil, storageError(err)
		}
		v.Columns = append(v.Columns, catalog.Column{Name: name, Type: pgtypes.Type{OID: pgtypes.OID(oid), Mod: int32(mod)}})
	}
	return v, nil
}

// RegisterViews adds the views that users have made.
func (s *Store) RegisterViews(c *catalog.Catalog) error {
	view := s.db.View()
	defer view.Release()
	for stored, err := range view.Keyed(viewsID, nil, nil) {
		if err != nil {
			return storageError(err)
		}
		row, err := storedViews.decode(stored.Value)
		if err != nil {
			return err
		}
		v, err := viewOf(row)
		if err != nil {
			return err
		}
		c.AddView(v)
	}
	return nil
}

// viewNamed finds the row of a view in a statement's snapshot.
func viewNamed(env *expr.Env, name string) ([]any, error) {
	s, err := snapshot(env)
	if err != nil {
		return nil, err
	}
	for row, err := range storedViews.rows(s, storedViews.key([]any{name})) {
		return row, err
	}
	return nil, nil
}

// PutView adds a view in the statement's transaction, or replaces the one of
// its name; added is false if there is one and it is not to be replaced.
func PutView(env *expr.Env, v *catalog.Relation, replace bool) (added bool, err error) {
	old, err := viewNamed(env, v.Name)
	switch {
	case err != nil:
		return false, err
	case old != nil && replace:
		return true, storedViews.Update(env, old, viewRow(v))
	case old != nil:
		return false, nil
	}
	existing, err := storedViews.Insert(env, viewRow(v))
	return existing == nil, err
}

// DropView removes a view; found is false if there is none.
func DropView(env *expr.Env, name string) (found bool, err error) {
	old, err := viewNamed(env, name)
	if err != nil || old == nil {
		return false, err
	}
	return true, storedViews.Delete(env, old)
}
