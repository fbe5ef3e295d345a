// Package clients runs client programs of PostgreSQL against bin/tael-sql: the
// gateway with a minute of an incident in it, and a PostgreSQL 15 that holds a copy
// of the same rows, so that most checks are: a program prints the same on both.
//
// The tests run where -binary names a gateway (make clients-smoke, make
// clients), and are skipped elsewhere; install.sh installs what they need.
package clients
