package session

import (
	"context"
	"fmt"
	"slices"
	"strings"

	pg "github.com/pganalyze/pg_query_go/v6"

	"github.com/tael-sql/tael-sql/catalog"
	"github.com/tael-sql/tael-sql/internal/pgerr"
	"github.com/tael-sql/tael-sql/internal/pgtypes"
	"github.com/tael-sql/tael-sql/sqlplan/bind"
	"github.com/tael-sql/tael-sql/tables"
)

// mayChangeViews checks what CREATE and DROP VIEW need beside the view.
func (s *Session) mayChangeViews(st *statement) error {
	if s.settings.get("transaction_read_only") == "on" {
		return pgerr.New(pgerr.ReadOnlySQLTransaction, "cannot execute %s in a read-only transaction", st.node.Tag)
	}
	if !s.isAdmin() {
		return pgerr.New(pgerr.InsufficientPrivilege, "permission denied for schema public")
	}
	return nil
}

// createView is CREATE VIEW. The view is in the catalog at once, also for other
// sessions, and taken out again if the transaction is taken back; its row is
// written with the transaction.
func (s *Session) createView(ctx context.Context, st *statement) error {
	n := st.node.Node.GetViewStmt()
	if n.View.Relpersistence == "t" || n.WithCheckOption != pg.ViewCheckOption_NO_CHECK_OPTION || len(n.Options) > 0 {
		return pgerr.New(pgerr.FeatureNotSupported, "CREATE VIEW with TEMPORARY, options or CHECK OPTION is not supported")
	}
	if err := s.mayChangeViews(st); err != nil {
		return err
	}
	switch schema := n.View.Schemaname; {
	case schema == "" || schema == catalog.PublicSchema:
	case s.names().HasSchema(schema):
		return pgerr.New(pgerr.InsufficientPrivilege, "permission denied for schema %s", schema)
	default:
		return pgerr.New("3F000", "schema \"%s\" does not exist", schema)
	}
	def, err := bind.BindView(st.node, n, s.environment(nil))
	if err != nil {
		return err
	}
	shared := s.handler.opts.Catalog
	view := &catalog.Relation{
		Schema: catalog.PublicSchema, Name: n.View.Relname, Kind: 'v', Columns: def.Columns, Definition: def.Definition, Stored: true,
	}
	_, old := shared.Relation(catalog.PublicSchema, view.Name, nil)
	exists := pgerr.New(pgerr.DuplicateTable, "relation \"%s\" already exists", view.Name)
	switch {
	case old == nil:
		if view.OID = shared.NewViewOID(); view.OID == 0 {
			return pgerr.New("54000", "there are too many views")
		}
	case !n.Replace:
		return exists
	case old.Kind != 'v':
		return pgerr.New(pgerr.WrongObjectType, "\"%s\" is not a view", view.Name)
	case !old.Stored:
		return pgerr.New(pgerr.InsufficientPrivilege, "must be owner of view %s", view.Name)
	default:
		view.OID = old.OID
		if err := sameColumns(old, view); err != nil {
			return err
		}
		if reads, err := bind.Reads(view, old, s.environment(nil), true); err != nil || reads {
			return pgerr.New("42P17", "infinite recursion detected in rules for relation \"%s\"", view.Name).Wrap(err)
		}
	}
	env := s.env(ctx)
	defer release(env)
	switch added, err := tables.PutView(env, view, n.Replace); {
	case err != nil:
		return err
	case !added:
		return exists
	}
	s.changeView(old, view)
	return nil
}

// sameColumns refuses a replacement that has other columns than the view had,
// but for more of them behind those.
func sameColumns(old, view *catalog.Relation) error {
	refuse := func(format string, args ...any) error {
		return pgerr.New(pgerr.InvalidTableDefinition, format, args...)
	}
	if len(view.Columns) < len(old.Columns) {
		return refuse("cannot drop columns from view")
	}
	for i, was := range old.Columns {
		is := view.Columns[i]
		if was.Name != is.Name {
			return refuse("cannot change name of view column \"%s\" to \"%s\"", was.Name, is.Name)
		}
		if was.Type != is.Type {
			return refuse("cannot change data type of view column \"%s\" from %s to %s", was.Name,
				pgtypes.FormatType(was.Type), pgtypes.FormatType(is.Type))
		}
	}
	return nil
}

// changeView puts a view in the place of another, until the transaction is
// taken back. nil stands for none.
func (s *Session) changeView(old, view *catalog.Relation) {
	shared := s.handler.opts.Catalog
	shared.ChangeView(old, view)
	s.current().OnRollback(func() { shared.ChangeView(view, old) })
}

// dropViews is DROP VIEW. Views that read the ones to drop are dropped, too,
// with CASCADE, and hold them without.
func (s *Session) dropViews(ctx context.Context, st *statement) error {
	n := st.node.Node.GetDropStmt()
	if err := s.mayChangeViews(st); err != nil {
		return err
	}
	var drop []*catalog.Relation
	for _, o := range n.Objects {
		name := rangeOf(o.GetList().GetItems())
		_, rel := s.names().Relation(name.Schemaname, name.Relname, s.settings.path())
		switch {
		case rel == nil && n.MissingOk:
			s.notice(fmt.Sprintf("view \"%s\" does not exist, skipping", name.Relname))
		case rel == nil:
			return pgerr.New(pgerr.UndefinedTable, "view \"%s\" does not exist", name.Relname)
		case rel.Kind != 'v':
			return pgerr.New(pgerr.WrongObjectType, "\"%s\" is not a view", name.Relname)
		case !rel.Stored:
			return pgerr.New(pgerr.InsufficientPrivilege, "must be owner of view %s", name.Relname)
		case !slices.Contains(drop, rel):
			drop = append(drop, rel)
		}
	}
	named := len(drop)
	var depend []string
	for i := 0; i < len(drop); i++ {
		for _, v := range s.handler.opts.Catalog.StoredViews() {
			if slices.Contains(drop, v) {
				continue
			}
			if reads, err := bind.Reads(v, drop[i], s.environment(nil), false); err == nil && reads {
				depend = append(depend, fmt.Sprintf("view %s depends on view %s", v.Name, drop[i].Name))
				drop = append(drop, v)
			}
		}
	}
	if len(depend) > 0 && n.Behavior != pg.DropBehavior_DROP_CASCADE {
		what := "view " + drop[0].Name
		if named > 1 {
			what = "desired object(s)"
		}
		return pgerr.New("2BP01", "cannot drop %s because other objects depend on it", what).
			WithDetail("%s", strings.Join(depend, "\n")).WithHint("Use DROP ... CASCADE to drop the dependent objects too.")
	}
	switch len(depend) {
	case 0:
	case 1:
		s.notice("drop cascades to view " + drop[named].Name)
	default:
		s.notice(fmt.Sprintf("drop cascades to %d other objects", len(depend)))
	}
	env := s.env(ctx)
	defer release(env)
	for _, v := range drop {
		if _, err := tables.DropView(env, v.Name); err != nil {
			return err
		}
		s.changeView(v, nil)
	}
	return nil
}
