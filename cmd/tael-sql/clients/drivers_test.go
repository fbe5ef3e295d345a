package clients

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgtype"
	"github.com/lib/pq"
)

const groupQuery = `SELECT service, count(*) AS n, max(duration_ms), min(start_time), bool_or(is_root)
	FROM spans WHERE duration_ns > $1 AND kind = ANY($2) AND start_time > $3 GROUP BY 1 ORDER BY 1 LIMIT 3`

const typesQuery = `SELECT 1::int2, 2::int4, 3::int8, 1.5::float4, 2.5::float8, 12.50::numeric, true, 'x'::text, '\x00ff'::bytea, '2024-02-29'::date,
	'2024-02-29 12:00:00+00'::timestamptz, '1 day 02:03:04'::interval, '11111111-2222-3333-4444-555555555555'::uuid, '{"a": 1}'::jsonb, ARRAY[1, 2, NULL], NULL::int`

var since = time.Date(2023, 1, 1, 0, 0, 0, 0, time.UTC)

// pgxPrints is what pgx gets of a server in one of its modes.
func pgxPrints(ctx context.Context, s server, mode string) (string, error) {
	conn, err := pgx.Connect(ctx, s.dsn()+" default_query_exec_mode="+mode)
	if err != nil {
		return "", err
	}
	defer conn.Close(ctx)
	var out strings.Builder
	show := func(sql string, args ...any) error {
		rows, err := conn.Query(ctx, sql, args...)
		if err != nil {
			return err
		}
		for _, f := range rows.FieldDescriptions() {
			fmt.Fprintf(&out, "%s:%d ", f.Name, f.DataTypeOID)
		}
		for rows.Next() {
			values, err := rows.Values()
			if err != nil {
				return err
			}
			fmt.Fprintf(&out, "\n%v", values)
		}
		fmt.Fprintf(&out, "\n%s\n", rows.CommandTag())
		return rows.Err()
	}
	if err := conn.Ping(ctx); err != nil {
		return "", err
	}
	for range 2 { // the second time from the cache
		err = errors.Join(err, show(typesQuery), show(groupQuery, int64(1000), []string{"server", "client"}, since),
			show("SELECT $1::int[], $2::text, $3::jsonb, $4::interval", []int32{1, 2}, nil, `{"b": 2}`, pgtype.Interval{Days: 1, Valid: true}))
	}
	for _, bad := range []string{"SELECT nosuch FROM spans", "SELECT 1/0", "SELEC", "SELECT 'x'::int"} {
		_, failure := conn.Exec(ctx, bad)
		e, ok := errors.AsType[*pgconn.PgError](failure)
		if !ok {
			return "", fmt.Errorf("%s: %w", bad, failure)
		}
		fmt.Fprintln(&out, e.Code, e.Message, e.Position)
	}
	batch := &pgx.Batch{}
	for i := range 3 {
		batch.Queue("SELECT $1::int * 2", i)
	}
	results := conn.SendBatch(ctx, batch)
	for range 3 {
		var n int
		err = errors.Join(err, results.QueryRow().Scan(&n))
		fmt.Fprintln(&out, n)
	}
	err = errors.Join(err, results.Close())
	err = errors.Join(err, pgx.BeginTxFunc(ctx, conn, pgx.TxOptions{IsoLevel: pgx.RepeatableRead}, func(tx pgx.Tx) error {
		_, err := tx.Exec(ctx, "INSERT INTO comments (id, trace_id, span_id, author, body) VALUES ($1, 't', 's', 'me', $2)", "g1", "o'neill")
		nested := pgx.BeginFunc(ctx, tx, func(tx pgx.Tx) error {
			_, err := tx.Exec(ctx, "DELETE FROM comments WHERE id = 'g1'")
			return errors.Join(err, errors.New("undo"))
		})
		fmt.Fprintln(&out, nested)
		return errors.Join(err, show("SELECT id, body FROM comments WHERE id = 'g1'"))
	}), show("DELETE FROM comments WHERE id = 'g1' RETURNING id"))
	copied := &strings.Builder{}
	_, copyErr := conn.PgConn().CopyTo(ctx, copied, "COPY (SELECT trace_id, attributes FROM spans ORDER BY trace_id, span_id LIMIT 3) TO STDOUT")
	fmt.Fprint(&out, copied)
	short, cancel := context.WithTimeout(ctx, 50*time.Millisecond)
	defer cancel()
	_, late := conn.Exec(short, "SELECT pg_sleep(20)")
	fmt.Fprintln(&out, late != nil)
	return out.String(), errors.Join(err, copyErr)
}

// pqPrints is what lib/pq gets, which sends a query without parameters by the
// simple protocol.
func pqPrints(ctx context.Context, s server) (string, error) {
	db, err := sql.Open("postgres", s.dsn())
	if err != nil {
		return "", err
	}
	defer db.Close()
	var out strings.Builder
	show := func(query string, args ...any) error {
		rows, err := db.QueryContext(ctx, query, args...)
		if err != nil {
			return err
		}
		defer rows.Close()
		names, err := rows.ColumnTypes()
		if err != nil {
			return err
		}
		for _, c := range names {
			fmt.Fprintf(&out, "%s:%s ", c.Name(), c.DatabaseTypeName())
		}
		fmt.Fprintln(&out)
		cells := make([]any, len(names))
		into := make([]any, len(names))
		for i := range cells {
			into[i] = &cells[i]
		}
		for rows.Next() {
			if err := rows.Scan(into...); err != nil {
				return err
			}
			fmt.Fprintf(&out, "%q\n", cells)
		}
		return rows.Err()
	}
	err = errors.Join(db.PingContext(ctx), show(typesQuery), show(groupQuery, 1000, pq.Array([]string{"server", "client"}), since))
	for _, bad := range []string{"SELECT nosuch FROM spans", "SELECT 1/0", "SELEC"} {
		_, failure := db.ExecContext(ctx, bad)
		e, ok := errors.AsType[*pq.Error](failure)
		if !ok {
			return "", fmt.Errorf("%s: %w", bad, failure)
		}
		fmt.Fprintln(&out, e.Code, e.Message, e.Position)
	}
	tx, txErr := db.BeginTx(ctx, &sql.TxOptions{Isolation: sql.LevelRepeatableRead, ReadOnly: true})
	if txErr != nil {
		return "", errors.Join(err, txErr)
	}
	_, readOnly := tx.ExecContext(ctx, "DELETE FROM comments")
	fmt.Fprintln(&out, readOnly, tx.Rollback())
	prepared, prepareErr := db.PrepareContext(ctx, "SELECT $1::int + $2::int")
	if prepareErr != nil {
		return "", errors.Join(err, prepareErr)
	}
	var sum int
	for i := range 3 {
		err = errors.Join(err, prepared.QueryRowContext(ctx, i, 1).Scan(&sum))
		fmt.Fprintln(&out, sum)
	}
	return out.String(), errors.Join(err, prepared.Close())
}

// Go's drivers get from the gateway what they get from PostgreSQL.
func TestDrivers(t *testing.T) {
	both := func(t *testing.T, name string, prints func(server) (string, error)) int {
		t.Helper()
		want, err := prints(postgres)
		if err != nil {
			t.Fatalf("%s over PostgreSQL: %v", name, err)
		}
		got, err := prints(gateway)
		if err != nil {
			t.Errorf("%s over the gateway: %v", name, err)
		}
		if got != want {
			t.Errorf("%s differs from PostgreSQL (-) on the gateway (+):\n%s", name, difference(want, got))
		}
		return strings.Count(want, "\n")
	}
	client(t, "pgx", func(t *testing.T) string {
		n := 0
		modes := []string{"cache_statement", "cache_describe", "describe_exec", "exec", "simple_protocol"}
		for _, mode := range modes {
			n += both(t, mode, func(s server) (string, error) { return pgxPrints(t.Context(), s, mode) })
		}
		return fmt.Sprintf("%d lines as over PostgreSQL in %d modes", n, len(modes))
	})
	client(t, "lib/pq", func(t *testing.T) string {
		n := both(t, "lib/pq", func(s server) (string, error) { return pqPrints(t.Context(), s) })
		return fmt.Sprintf("%d lines as over PostgreSQL", n)
	})
}
