package syntax

import (
	"reflect"
	"strings"
	"unicode"

	pg "github.com/pganalyze/pg_query_go/v6"
)

// A Kind says which part of the gateway runs a statement.
type Kind uint8

// The kinds. Other is what only has a name, for the error.
const (
	Other Kind = iota
	Select
	Insert
	Update
	Delete
	Explain
	Set
	Show
	Reset
	Begin
	Commit
	Rollback
	Savepoint
	Release
	RollbackTo
	Prepare
	Execute
	Deallocate
	Declare
	Fetch
	Move
	Close
	Copy
	Listen
	Notify
	Unlisten
	Discard
	Checkpoint
	CreateView
	CreateTable
	CreateTableAs
	Drop
	Truncate
	CreateRole
	AlterRole
	DropRole
	Grant
	Comment
	Lock
	Vacuum
	Reindex
	SetConstraints
)

// Classify gives the kind and the command tag of a statement.
func Classify(n *pg.Node) (Kind, string) {
	switch s := n.Node.(type) {
	case *pg.Node_SelectStmt:
		if s.SelectStmt.IntoClause != nil {
			return CreateTableAs, "SELECT INTO"
		}
		return Select, "SELECT"
	case *pg.Node_InsertStmt:
		return Insert, "INSERT"
	case *pg.Node_UpdateStmt:
		return Update, "UPDATE"
	case *pg.Node_DeleteStmt:
		return Delete, "DELETE"
	case *pg.Node_ExplainStmt:
		return Explain, "EXPLAIN"
	case *pg.Node_VariableSetStmt:
		switch s.VariableSetStmt.Kind {
		case pg.VariableSetKind_VAR_RESET, pg.VariableSetKind_VAR_RESET_ALL:
			return Reset, "RESET"
		}
		return Set, "SET"
	case *pg.Node_VariableShowStmt:
		return Show, "SHOW"
	case *pg.Node_TransactionStmt:
		return classifyTransaction(s.TransactionStmt.Kind)
	case *pg.Node_PrepareStmt:
		return Prepare, "PREPARE"
	case *pg.Node_ExecuteStmt:
		return Execute, "EXECUTE"
	case *pg.Node_DeallocateStmt:
		if s.DeallocateStmt.Name == "" {
			return Deallocate, "DEALLOCATE ALL"
		}
		return Deallocate, "DEALLOCATE"
	case *pg.Node_DeclareCursorStmt:
		return Declare, "DECLARE CURSOR"
	case *pg.Node_FetchStmt:
		if s.FetchStmt.Ismove {
			return Move, "MOVE"
		}
		return Fetch, "FETCH"
	case *pg.Node_ClosePortalStmt:
		if s.ClosePortalStmt.Portalname == "" {
			return Close, "CLOSE CURSOR ALL"
		}
		return Close, "CLOSE CURSOR"
	case *pg.Node_CopyStmt:
		return Copy, "COPY"
	case *pg.Node_ListenStmt:
		return Listen, "LISTEN"
	case *pg.Node_NotifyStmt:
		return Notify, "NOTIFY"
	case *pg.Node_UnlistenStmt:
		return Unlisten, "UNLISTEN"
	case *pg.Node_DiscardStmt:
		return Discard, "DISCARD " + strings.TrimPrefix(s.DiscardStmt.Target.String(), "DISCARD_")
	case *pg.Node_CheckPointStmt:
		return Checkpoint, "CHECKPOINT"
	case *pg.Node_ViewStmt:
		return CreateView, "CREATE VIEW"
	case *pg.Node_CreateStmt:
		return CreateTable, "CREATE TABLE"
	case *pg.Node_CreateTableAsStmt:
		if s.CreateTableAsStmt.Objtype == pg.ObjectType_OBJECT_MATVIEW {
			return Other, "CREATE MATERIALIZED VIEW"
		}
		return CreateTableAs, "CREATE TABLE AS"
	case *pg.Node_DropStmt:
		return Drop, "DROP " + objectName(s.DropStmt.RemoveType)
	case *pg.Node_TruncateStmt:
		return Truncate, "TRUNCATE TABLE"
	case *pg.Node_CreateRoleStmt:
		return CreateRole, "CREATE ROLE"
	case *pg.Node_AlterRoleStmt, *pg.Node_AlterRoleSetStmt:
		return AlterRole, "ALTER ROLE"
	case *pg.Node_DropRoleStmt:
		return DropRole, "DROP ROLE"
	case *pg.Node_GrantStmt:
		return Grant, grantTag(s.GrantStmt.IsGrant, "")
	case *pg.Node_GrantRoleStmt:
		return Grant, grantTag(s.GrantRoleStmt.IsGrant, " ROLE")
	case *pg.Node_CommentStmt:
		return Comment, "COMMENT"
	case *pg.Node_LockStmt:
		return Lock, "LOCK TABLE"
	case *pg.Node_VacuumStmt:
		if s.VacuumStmt.IsVacuumcmd {
			return Vacuum, "VACUUM"
		}
		return Vacuum, "ANALYZE"
	case *pg.Node_ReindexStmt:
		return Reindex, "REINDEX"
	case *pg.Node_ConstraintsSetStmt:
		return SetConstraints, "SET CONSTRAINTS"
	}
	return Other, otherTag(n)
}

func classifyTransaction(k pg.TransactionStmtKind) (Kind, string) {
	switch k {
	case pg.TransactionStmtKind_TRANS_STMT_BEGIN:
		return Begin, "BEGIN"
	case pg.TransactionStmtKind_TRANS_STMT_START:
		return Begin, "START TRANSACTION"
	case pg.TransactionStmtKind_TRANS_STMT_COMMIT:
		return Commit, "COMMIT"
	case pg.TransactionStmtKind_TRANS_STMT_ROLLBACK:
		return Rollback, "ROLLBACK"
	case pg.TransactionStmtKind_TRANS_STMT_SAVEPOINT:
		return Savepoint, "SAVEPOINT"
	case pg.TransactionStmtKind_TRANS_STMT_RELEASE:
		return Release, "RELEASE"
	case pg.TransactionStmtKind_TRANS_STMT_ROLLBACK_TO:
		return RollbackTo, "ROLLBACK"
	case pg.TransactionStmtKind_TRANS_STMT_PREPARE:
		return Other, "PREPARE TRANSACTION"
	case pg.TransactionStmtKind_TRANS_STMT_COMMIT_PREPARED:
		return Other, "COMMIT PREPARED"
	case pg.TransactionStmtKind_TRANS_STMT_ROLLBACK_PREPARED:
		return Other, "ROLLBACK PREPARED"
	}
	return Other, "TRANSACTION"
}

func grantTag(grant bool, what string) string {
	if grant {
		return "GRANT" + what
	}
	return "REVOKE" + what
}

func objectName(t pg.ObjectType) string {
	name := strings.TrimPrefix(t.String(), "OBJECT_")
	switch name {
	case "MATVIEW":
		return "MATERIALIZED VIEW"
	case "FDW":
		return "FOREIGN DATA WRAPPER"
	}
	return strings.ReplaceAll(name, "_", " ")
}

// otherTag names a statement that has no kind of its own: mostly the words of
// its node's name, CreateSchemaStmt being CREATE SCHEMA.
func otherTag(n *pg.Node) string {
	switch s := n.Node.(type) {
	case *pg.Node_IndexStmt:
		return "CREATE INDEX"
	case *pg.Node_CreateSeqStmt:
		return "CREATE SEQUENCE"
	case *pg.Node_AlterSeqStmt:
		return "ALTER SEQUENCE"
	case *pg.Node_CreateTrigStmt:
		return "CREATE TRIGGER"
	case *pg.Node_RuleStmt:
		return "CREATE RULE"
	case *pg.Node_CreatedbStmt:
		return "CREATE DATABASE"
	case *pg.Node_DropdbStmt:
		return "DROP DATABASE"
	case *pg.Node_CompositeTypeStmt, *pg.Node_CreateEnumStmt, *pg.Node_CreateRangeStmt:
		return "CREATE TYPE"
	case *pg.Node_AlterEnumStmt:
		return "ALTER TYPE"
	case *pg.Node_CreateFunctionStmt:
		if s.CreateFunctionStmt.IsProcedure {
			return "CREATE PROCEDURE"
		}
		return "CREATE FUNCTION"
	case *pg.Node_DefineStmt:
		return "CREATE " + objectName(s.DefineStmt.Kind)
	case *pg.Node_AlterTableStmt:
		return "ALTER " + objectName(s.AlterTableStmt.Objtype)
	case *pg.Node_RenameStmt:
		return "ALTER " + objectName(s.RenameStmt.RenameType)
	case *pg.Node_AlterOwnerStmt:
		return "ALTER " + objectName(s.AlterOwnerStmt.ObjectType)
	case *pg.Node_AlterObjectSchemaStmt:
		return "ALTER " + objectName(s.AlterObjectSchemaStmt.ObjectType)
	case *pg.Node_RefreshMatViewStmt:
		return "REFRESH MATERIALIZED VIEW"
	case *pg.Node_SecLabelStmt:
		return "SECURITY LABEL"
	}
	name := reflect.TypeOf(n.Node).Elem().Name()
	name = strings.TrimSuffix(strings.TrimPrefix(name, "Node_"), "Stmt")
	var tag strings.Builder
	for i, r := range name {
		if i > 0 && unicode.IsUpper(r) {
			tag.WriteByte(' ')
		}
		tag.WriteRune(unicode.ToUpper(r))
	}
	return tag.String()
}
