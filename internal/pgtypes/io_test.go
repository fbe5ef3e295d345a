package pgtypes_test

import (
	"context"
	"encoding/hex"
	"fmt"
	"testing"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/tael-sql/tael-sql/internal/pgtypes"
)

// TestValues: text in, text out and binary out, then binary in again.
func TestValues(t *testing.T) {
	for _, name := range []string{"scalars", "datetimes", "intervals", "numerics", "arrays", "json", "network"} {
		t.Run(name, func(t *testing.T) {
			caseFile{name: name + ".txt", n: 2, ours: ourValue, theirs: theirValue}.run(t)
		})
	}
}

func ourValue(style *pgtypes.TextStyle, q []string) ([]string, error) {
	typ, err := typeNamed(q[0])
	if err != nil {
		return nil, err
	}
	v, err := pgtypes.DecodeText(typ, q[1], style)
	if err != nil {
		return nil, err
	}
	text, err := pgtypes.AppendText(nil, typ, v, style)
	if err != nil {
		return nil, err
	}
	bin, err := pgtypes.AppendBinary(nil, typ, v)
	if err != nil {
		return nil, err
	}
	back, err := pgtypes.DecodeBinary(typ, bin)
	if err != nil {
		return nil, fmt.Errorf("read back %x: %w", bin, err)
	}
	again, err := pgtypes.AppendText(nil, typ, back, style)
	if err != nil || string(again) != string(text) {
		return nil, fmt.Errorf("binary form reads back as %q, %w", again, err)
	}
	return []string{string(text), hex.EncodeToString(bin)}, nil
}

func theirValue(conn *pgconn.PgConn, q []string) ([]string, error) {
	typ, err := typeNamed(q[0])
	if err != nil {
		return nil, err
	}
	out, err := ask(conn, "SELECT $1", q[1:], []uint32{uint32(typ.OID)}, false)
	if err != nil {
		return nil, err
	}
	bin, err := ask(conn, "SELECT $1", q[1:], []uint32{uint32(typ.OID)}, true)
	if err != nil {
		return nil, err
	}
	return []string{out[0], hex.EncodeToString([]byte(bin[0]))}, nil
}

// TestCasts: the conversions, explicit (e) and on assignment (a).
func TestCasts(t *testing.T) {
	caseFile{
		name: "casts.txt", n: 4,
		ours: func(style *pgtypes.TextStyle, q []string) ([]string, error) {
			from, err := typeNamed(q[1])
			if err != nil {
				return nil, err
			}
			to, err := typeNamed(q[2])
			if err != nil {
				return nil, err
			}
			v, err := pgtypes.DecodeText(from, q[3], style)
			if err != nil {
				return nil, err
			}
			v, err = pgtypes.Convert(v, from, to, style, q[0] == "e")
			if err != nil {
				return nil, err
			}
			if v == nil {
				return []string{"NULL"}, nil
			}
			text, err := pgtypes.AppendText(nil, to, v, style)
			return []string{string(text)}, err
		},
		theirs: func(conn *pgconn.PgConn, q []string) ([]string, error) {
			from, err := typeNamed(q[1])
			if err != nil {
				return nil, err
			}
			oids := []uint32{uint32(from.OID)}
			if q[0] == "e" {
				return ask(conn, "SELECT CAST($1 AS "+q[2]+")", q[3:], oids, false)
			}
			if _, err := conn.Exec(context.Background(), "DROP TABLE IF EXISTS pg_temp.c; CREATE TEMP TABLE c(v "+q[2]+")").ReadAll(); err != nil {
				return nil, err
			}
			return ask(conn, "INSERT INTO c VALUES ($1) RETURNING v", q[3:], oids, false)
		},
	}.run(t)
}

// TestOrder: what btree and hash say of two values; a key is shared exactly by
// equal values.
func TestOrder(t *testing.T) {
	caseFile{
		name: "order.txt", n: 3,
		ours: func(style *pgtypes.TextStyle, q []string) ([]string, error) {
			typ, err := typeNamed(q[0])
			if err != nil {
				return nil, err
			}
			a, err := pgtypes.DecodeText(typ, q[1], style)
			if err != nil {
				return nil, err
			}
			b, err := pgtypes.DecodeText(typ, q[2], style)
			if err != nil {
				return nil, err
			}
			c := pgtypes.Compare(typ, a, b)
			if back := pgtypes.Compare(typ, b, a); back != -c {
				return nil, fmt.Errorf("Compare gives %d one way and %d the other", c, back)
			}
			ka, kb := pgtypes.AppendKey(nil, typ, a), pgtypes.AppendKey(nil, typ, b)
			if (string(ka) == string(kb)) != (c == 0) {
				return nil, fmt.Errorf("Compare gives %d, the keys are %x and %x", c, ka, kb)
			}
			return []string{[]string{"<", "=", ">"}[c+1]}, nil
		},
		theirs: func(conn *pgconn.PgConn, q []string) ([]string, error) {
			typ, err := typeNamed(q[0])
			if err != nil {
				return nil, err
			}
			oid := uint32(typ.OID)
			return ask(conn, "SELECT CASE WHEN $1 < $2 THEN '<' WHEN $1 > $2 THEN '>' WHEN $1 = $2 THEN '=' END", q[1:], []uint32{oid, oid}, false)
		},
	}.run(t)
}
