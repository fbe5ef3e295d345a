package catalog

import (
	_ "embed"
	"strconv"
	"strings"
	"sync"

	"github.com/tael-sql/tael-sql/internal/pgtypes"
)

// ioFunctionsText lists the functions of PostgreSQL 15 that types name as
// their input, output, receive, send and modifier functions: name and OID.
//
//go:embed iofunctions.txt
var ioFunctionsText string

// inputFunctions gives their OIDs by name. They exist for clients that join
// pg_type with pg_proc; nobody calls them.
var inputFunctions = sync.OnceValue(func() map[string]pgtypes.OID {
	m := make(map[string]pgtypes.OID)
	for line := range strings.Lines(ioFunctionsText) {
		name, oid, _ := strings.Cut(strings.TrimSpace(line), " ")
		n, err := strconv.ParseUint(oid, 10, 32)
		if err != nil {
			panic("BUG: iofunctions.txt: " + err.Error())
		}
		m[name] = pgtypes.OID(n)
	}
	return m
})
