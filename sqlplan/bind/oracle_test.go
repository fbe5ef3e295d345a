package bind_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/tael-sql/tael-sql/internal/pgerr"
)

// TestOracle compares what binding finds — result columns, their types and
// those of parameters, or SQLSTATE, message and position of the error — with a
// real PostgreSQL. It runs where TAEL_ORACLE names one by its connection
// string; an empty database of its own is made there and dropped.
func TestOracle(t *testing.T) {
	dsn := os.Getenv("TAEL_ORACLE")
	if dsn == "" {
		t.Skip("TAEL_ORACLE is not set")
	}
	ctx := context.Background()
	admin, err := pgconn.Connect(ctx, dsn)
	if err != nil {
		t.Fatal(err)
	}
	defer admin.Close(ctx)
	exec := func(c *pgconn.PgConn, sql string) {
		if _, err := c.Exec(ctx, sql).ReadAll(); err != nil {
			t.Fatal(err)
		}
	}
	exec(admin, "DROP DATABASE IF EXISTS bind_oracle")
	exec(admin, "CREATE DATABASE bind_oracle")
	conn, err := pgconn.Connect(ctx, dsn+" dbname=bind_oracle")
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(ctx)
	exec(conn, oracleSQL)

	text, err := os.ReadFile("testdata/oracle.sql")
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for line := range strings.Lines(string(text)) {
		sql := strings.TrimSuffix(line, "\n")
		if sql == "" || strings.HasPrefix(sql, "--") {
			continue
		}
		n++
		want := prepare(ctx, conn, sql)
		if got := prepareHere(sql); got != want {
			t.Errorf("%s\n got %s\nwant %s", sql, got, want)
		}
	}
	t.Logf("%d statements", n)
}

func prepare(ctx context.Context, conn *pgconn.PgConn, sql string) string {
	d, err := conn.Prepare(ctx, "", sql, nil)
	if err != nil {
		e, ok := errors.AsType[*pgconn.PgError](err)
		if !ok {
			return err.Error()
		}
		return fmt.Sprintf("%s %s @%d", e.Code, e.Message, e.Position)
	}
	var out strings.Builder
	for _, f := range d.Fields {
		fmt.Fprintf(&out, "%s:%d ", f.Name, f.DataTypeOID)
	}
	fmt.Fprint(&out, d.ParamOIDs)
	return out.String()
}

func prepareHere(sql string) string {
	q, err := bindText(sql)
	if err != nil {
		e := pgerr.From(err)
		return fmt.Sprintf("%s %s @%d", e.Code, e.Message, e.Position)
	}
	var out strings.Builder
	for _, c := range q.Columns {
		fmt.Fprintf(&out, "%s:%d ", c.Name, c.Type.OID)
	}
	fmt.Fprint(&out, q.Params)
	return out.String()
}
