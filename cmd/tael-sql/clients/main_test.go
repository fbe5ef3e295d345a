package clients

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

var (
	binary = flag.String("binary", "", "the gateway to test; without it the tests are skipped")
	all    = flag.Bool("all", false, "run the clients that take long to install, too")
)

// gateway and postgres are the two servers; the gateway's rows are in both.
var gateway, postgres server

var passed, failed atomic.Int32

func TestMain(m *testing.M) {
	flag.Parse()
	if *binary == "" {
		os.Exit(m.Run())
	}
	os.Exit(run(m))
}

func run(m *testing.M) (code int) {
	fail := func(what string, err error) int {
		fmt.Printf("FAIL: %s: %v\n", what, err)
		return 1
	}
	dir, err := os.MkdirTemp("", "tael-clients")
	if err != nil {
		return fail("temporary folder", err)
	}
	defer func() {
		if code == 0 {
			_ = os.RemoveAll(dir)
			return
		}
		fmt.Println("logs and data are in", dir)
	}()
	path, err := filepath.Abs(*binary)
	if err != nil {
		return fail("binary", err)
	}
	var gatewayProcess, postgresProcess *process
	gateway, gatewayProcess, err = startGateway(path, dir)
	if gatewayProcess != nil {
		defer func() {
			if err := gatewayProcess.stop(syscall.SIGTERM); err != nil {
				code = fail("stop the gateway", err)
			}
		}()
	}
	if err != nil {
		return fail("start the gateway", err)
	}
	postgres, postgresProcess, err = startPostgreSQL(dir, gateway)
	if postgresProcess != nil {
		defer func() {
			if err := postgresProcess.stop(syscall.SIGINT); err != nil {
				code = fail("stop PostgreSQL", err)
			}
		}()
	}
	if err != nil {
		return fail("copy the gateway's tables to PostgreSQL by postgres_fdw", err)
	}
	code = m.Run()
	fmt.Printf("%d passed, %d failed\n", passed.Load(), failed.Load())
	return code
}

// rewrite says whether what servers answer is to become what is expected; the
// flag is datadriven's.
func rewrite() bool { return flag.Lookup("rewrite").Value.String() == "true" }

// note reports what is better than expected, which fails nothing.
func note(format string, args ...any) {
	fmt.Printf("note "+format+"; ARGS=-rewrite takes it out\n", args...)
}

// client runs the check of one client and prints a line of it.
func client(t *testing.T, name string, check func(t *testing.T) (did string)) {
	t.Helper()
	if *binary == "" {
		t.Skip("-binary names no gateway: make clients-smoke runs this")
	}
	t.Run(name, func(t *testing.T) {
		began := time.Now()
		did := "did not finish"
		defer func() {
			word := "ok  "
			if t.Failed() {
				word = "FAIL"
				failed.Add(1)
			} else {
				passed.Add(1)
			}
			fmt.Printf("%s %-12s %s (%.1fs)\n", word, name, did, time.Since(began).Seconds())
		}()
		did = check(t)
	})
}
