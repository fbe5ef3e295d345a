package clients

import (
	"fmt"
	"strings"
	"testing"

	"github.com/cockroachdb/datadriven"
)

// Foreign tables over the gateway give what their copies give, and
// postgres_fdw sends it the conditions. In testdata/fdw.txt "@" stands for the
// schema.
func TestForeignTables(t *testing.T) {
	client(t, "postgres_fdw", func(t *testing.T) string {
		conn, n := open(t, postgres), 0
		datadriven.RunTest(t, "testdata/fdw.txt", func(t *testing.T, d *datadriven.TestData) string {
			n++
			far := answer(conn, strings.ReplaceAll(d.Input, "@", "far"))
			switch d.Cmd {
			case "explain":
				return answer(conn, strings.ReplaceAll("EXPLAIN (VERBOSE, COSTS OFF) "+d.Input, "@", "far")).String()
			case "same":
				near := answer(conn, strings.ReplaceAll(d.Input, "@", "public"))
				if far.String() != near.String() {
					t.Errorf("%s: %s\ndiffers on the copy (-) from the foreign table (+):\n%s", d.Pos, d.Input, difference(near.String(), far.String()))
				}
				return fmt.Sprintf("%d rows\n", len(far.rows))
			}
			return far.String()
		})
		return fmt.Sprintf("%d statements", n)
	})
}
