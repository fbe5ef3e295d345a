package catalog

import "github.com/tael-sql/tael-sql/internal/expr"

// An Activity is what a connection does, as pg_stat_activity shows it. Times
// are in PostgreSQL's microseconds; nil for none.
type Activity struct {
	PID                 int64
	User, Application   string
	Began               int64
	Transaction         any // since when one is open
	StatementAt, Change any
	State, Query        string
	// Hidden says that who asks may not know more than that there is one.
	Hidden bool
}

// An activityLister is a session that knows of the others.
type activityLister interface {
	Activities() []Activity
}

func activityRows(c *Catalog, env *expr.Env, add func(map[string]any)) {
	lister, ok := env.Session.(activityLister)
	if !ok {
		return
	}
	for _, a := range lister.Activities() {
		row := map[string]any{"datid": oid(databaseOID), "datname": env.Database, "pid": a.PID, "usename": a.User}
		if r, ok := c.Role(a.User); ok {
			row["usesysid"] = oid(r.OID)
		}
		if row["query"] = "<insufficient privilege>"; !a.Hidden {
			row["application_name"], row["query"], row["state"], row["backend_type"] = a.Application, a.Query, a.State, "client backend"
			row["backend_start"], row["xact_start"], row["query_start"], row["state_change"] = a.Began, a.Transaction, a.StatementAt, a.Change
		}
		add(row)
	}
}
