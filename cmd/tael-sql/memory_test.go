package main

import (
	"path/filepath"
	"testing"

	"github.com/cockroachdb/datadriven"
)

// With little memory for a query, what keeps rows ends with 53200, and what
// does not keep them gives its result.
func TestMemory(t *testing.T) {
	t.Setenv("TAEL_SQL_LIMITS_QUERY_MEMORY", "4194304")
	dir := filepath.Join(t.TempDir(), "data")
	g := testGateway(t, dir)
	t.Cleanup(func() { stopGateway(t, g, dir) })
	conn := connect(t, g)
	datadriven.Walk(t, "testdata/memory", func(t *testing.T, path string) {
		datadriven.RunTest(t, path, func(_ *testing.T, d *datadriven.TestData) string {
			return ask(conn, d.Input)
		})
	})
}
