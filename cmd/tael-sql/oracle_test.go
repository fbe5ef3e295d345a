package main

import (
	"context"
	"path/filepath"
	"testing"

	"github.com/cockroachdb/datadriven"
	"github.com/jackc/pgx/v5"
)

// The statements of testdata/oracle need no tables; their results were made by
// PostgreSQL 15 (-oracle and -rewrite).
func TestOracle(t *testing.T) {
	var conn *pgx.Conn
	if *oracle != "" {
		var err error
		if conn, err = pgx.Connect(context.Background(), *oracle); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = conn.Close(context.Background()) })
	} else {
		dir := filepath.Join(t.TempDir(), "data")
		g := testGateway(t, dir)
		t.Cleanup(func() { stopGateway(t, g, dir) })
		conn = connect(t, g)
	}
	datadriven.Walk(t, "testdata/oracle", func(t *testing.T, path string) {
		datadriven.RunTest(t, path, func(_ *testing.T, d *datadriven.TestData) string {
			return ask(conn, d.Input)
		})
	})
}
