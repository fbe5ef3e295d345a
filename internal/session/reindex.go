package session

import (
	"context"

	pg "github.com/pganalyze/pg_query_go/v6"

	"github.com/tael-sql/tael-sql/catalog"
	"github.com/tael-sql/tael-sql/internal/pgerr"
)

// reindex makes the index of texts anew. What it names has to be there; the
// texts are of spans and logs, and of another table alone there is nothing to do.
func (s *Session) reindex(ctx context.Context, n *pg.ReindexStmt) error {
	switch n.Kind {
	case pg.ReindexObjectType_REINDEX_OBJECT_TABLE, pg.ReindexObjectType_REINDEX_OBJECT_INDEX:
		_, rel := s.handler.opts.Catalog.Relation(n.Relation.Schemaname, n.Relation.Relname, s.settings.path())
		if rel == nil {
			return pgerr.New(pgerr.UndefinedTable, "relation \"%s\" does not exist", n.Relation.Relname)
		}
		switch isTable := rel.Kind == 'r'; {
		case n.Kind == pg.ReindexObjectType_REINDEX_OBJECT_INDEX:
			return pgerr.New(pgerr.WrongObjectType, "\"%s\" is not an index", rel.Name)
		case !isTable:
			return pgerr.New(pgerr.WrongObjectType, "\"%s\" is not a table or materialized view", rel.Name)
		case rel.Schema != catalog.PublicSchema || rel.Name != "spans" && rel.Name != "logs":
			return nil
		}
	case pg.ReindexObjectType_REINDEX_OBJECT_SCHEMA:
		if !s.implicit {
			return pgerr.New(pgerr.ActiveSQLTransaction, "REINDEX SCHEMA cannot run inside a transaction block")
		}
		if !s.handler.opts.Catalog.HasSchema(n.Name) {
			return pgerr.New(pgerr.InvalidSchemaName, "schema \"%s\" does not exist", n.Name)
		}
		if n.Name != catalog.PublicSchema {
			return nil
		}
	default:
		if !s.implicit {
			return pgerr.New(pgerr.ActiveSQLTransaction, "REINDEX DATABASE cannot run inside a transaction block")
		}
		if n.Name != "" && n.Name != s.handler.opts.Database {
			return pgerr.New(pgerr.FeatureNotSupported, "can only reindex the currently open database")
		}
		if n.Kind == pg.ReindexObjectType_REINDEX_OBJECT_SYSTEM {
			return nil
		}
	}
	return s.handler.opts.Store.Reindex(ctx)
}
