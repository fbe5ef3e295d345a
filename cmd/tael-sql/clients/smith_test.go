package clients

import (
	"context"
	"flag"
	"fmt"
	"os/exec"
	"regexp"
	"strconv"
	"testing"
	"time"
)

var smithQueries = flag.Int("smith", 4000, "number of queries of sqlsmith")

// broken is what sqlsmith prints of a query that the server, not the query, is
// to blame for: an XX000, or a connection that is gone.
var broken = regexp.MustCompile(`internal error|connection .*(closed|lost|terminated)|could not receive|server closed|Connection refused`)

// Whatever sqlsmith makes of the catalogs, the gateway answers with rows or an
// error of its own and stays up. sqlsmith rolls everything back.
func TestSqlsmith(t *testing.T) {
	if *binary != "" && !*all {
		t.Skip("make clients runs sqlsmith")
	}
	client(t, "sqlsmith", func(t *testing.T) string {
		s := newSeed()
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute+time.Duration(*smithQueries)*200*time.Millisecond)
		defer cancel()
		cmd := exec.CommandContext(ctx, "sqlsmith", "--target="+gateway.dsn(), "--verbose",
			"--max-queries="+strconv.Itoa(*smithQueries), "--seed="+strconv.FormatUint(s%1_000_000, 10))
		cmd.Env = gateway.environment()
		out, err := cmd.CombinedOutput()
		if ctx.Err() != nil {
			t.Fatalf("sqlsmith, seed %d, has not ended: a query hangs", s%1_000_000)
		}
		if err != nil {
			t.Fatalf("sqlsmith: %v\n%s", err, tail(out))
		}
		for _, line := range broken.FindAllString(string(out), 5) {
			t.Errorf("sqlsmith, seed %d: %s; the gateway's log says more", s%1_000_000, line)
		}
		rate := regexp.MustCompile(`error rate: ([0-9.]+)`).FindAllSubmatch(out, -1)
		if len(rate) == 0 {
			t.Fatalf("sqlsmith reports nothing\n%s", tail(out))
		}
		return fmt.Sprintf("%d queries, %s of them with an error, seed %d", *smithQueries, rate[len(rate)-1][1], s%1_000_000)
	})
}

func tail(out []byte) []byte { return out[max(0, len(out)-2000):] }
