package engine

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"math"
	"math/bits"

	"github.com/tael-sql/tael-sql/engine/block"
	"github.com/tael-sql/tael-sql/internal/vector"
)

// A RowHash says which rows a table has, in whatever order and wherever they
// are stored: the sum, modulo 2^128, of the hashes of its live rows. A row's
// hash is the first 16 bytes of the SHA-256 of its fields that are not NULL,
// each as the field's name, its kind and its value, texts whole; so a field
// that tables gain later changes no hash of a row without it. A row of a keyed
// table is its key and its value. Running numbers and LSNs are left out.
type RowHash struct {
	Table string `json:"table"`
	Rows  int64  `json:"rows"`
	Hash  string `json:"hash"` // 32 hex digits
}

// rowSum adds hashes of rows.
type rowSum struct {
	rows   int64
	hi, lo uint64
}

func (s *rowSum) add(row []byte) {
	h := sha256.Sum256(row)
	var carry uint64
	s.lo, carry = bits.Add64(s.lo, binary.BigEndian.Uint64(h[8:]), 0)
	s.hi, _ = bits.Add64(s.hi, binary.BigEndian.Uint64(h[:]), carry)
	s.rows++
}

func (s *rowSum) of(table string) RowHash {
	raw := binary.BigEndian.AppendUint64(binary.BigEndian.AppendUint64(nil, s.hi), s.lo)
	return RowHash{Table: table, Rows: s.rows, Hash: hex.EncodeToString(raw)}
}

// RowHashes reads every row of the view.
func (v *View) RowHashes(ctx context.Context) ([]RowHash, error) {
	var out []RowHash
	for _, t := range v.db.tables {
		sum, err := v.hashTable(ctx, t)
		if err != nil {
			return nil, fmt.Errorf("hash the rows of %s: %w", t.Schema.Name, err)
		}
		out = append(out, sum.of(t.Schema.Name))
	}
	for _, k := range v.db.opts.Keyed {
		var sum rowSum
		for row, err := range v.Keyed(k.ID, nil, nil) {
			if err == nil {
				err = ctx.Err()
			}
			if err != nil {
				return nil, fmt.Errorf("hash the rows of %s: %w", k.Name, err)
			}
			sum.add(appendHashed(appendHashed(nil, row.Key), row.Value))
		}
		out = append(out, sum.of(k.Name))
	}
	return out, nil
}

func (v *View) hashTable(ctx context.Context, t *table) (*rowSum, error) {
	r := ScanRequest{Table: t.Schema.Name}
	for i := range t.Schema.Fields {
		r.Columns = append(r.Columns, ColumnRef{Field: i})
	}
	scan, err := v.Scan(r)
	if err != nil {
		return nil, err
	}
	reader := scan.Reader()
	defer reader.Close()
	sum := &rowSum{}
	cols := make([]*vector.Column, len(r.Columns))
	var row []byte
	for {
		b, err := reader.Next(ctx)
		if err != nil || b == nil {
			return sum, err
		}
		for i := range cols {
			if cols[i], err = b.Column(i); err != nil {
				return nil, err
			}
		}
		for k := range b.Live() {
			if row, err = appendRow(row[:0], t.Schema, cols, b.Row(k)); err != nil {
				return nil, err
			}
			sum.add(row)
		}
	}
}

// appendRow appends what a row's hash is of.
func appendRow(dst []byte, schema *vector.Schema, cols []*vector.Column, row int) ([]byte, error) {
	for i, f := range schema.Fields {
		c := cols[i]
		if c.IsNull(row) {
			continue
		}
		dst = append(appendHashed(dst, f.Name), byte(f.Kind))
		switch f.Kind {
		case vector.Bool:
			if c.Bools[row] {
				dst = append(dst, 1)
			} else {
				dst = append(dst, 0)
			}
		case vector.Int64:
			dst = binary.AppendVarint(dst, c.Ints[row])
		case vector.Float:
			dst = appendHashedFloat(dst, c.Floats[row])
		case vector.String:
			dst = appendHashed(dst, c.Str(row))
		case vector.Hex:
			dst = appendHashed(dst, c.HexBytes(row))
		case vector.Map:
			dst = appendHashedMap(dst, c.Attrs, row)
		default:
			value, err := block.AppendAny(nil, c.Anys[row])
			if err != nil {
				return nil, err
			}
			dst = appendHashed(dst, value)
		}
	}
	return dst, nil
}

func appendHashedMap(dst []byte, a *vector.Attrs, row int) []byte {
	dst = binary.AppendUvarint(dst, uint64(a.Off[row+1]-a.Off[row]))
	for e := a.Off[row]; e < a.Off[row+1]; e++ {
		dst = append(appendHashed(dst, a.KeyDict[a.Keys[e]]), byte(a.Tags[e]))
		switch a.Tags[e] {
		case vector.TagString, vector.TagBytes, vector.TagJSON:
			dst = appendHashed(dst, a.Strs[a.Vals[e]])
		case vector.TagDouble:
			dst = appendHashedFloat(dst, math.Float64frombits(a.Vals[e]))
		default:
			dst = binary.AppendUvarint(dst, a.Vals[e])
		}
	}
	return dst
}

// appendHashedFloat takes all that is not a number as the same.
func appendHashedFloat(dst []byte, f float64) []byte {
	if math.IsNaN(f) {
		f = math.NaN()
	}
	return binary.LittleEndian.AppendUint64(dst, math.Float64bits(f))
}

func appendHashed[T string | []byte](dst []byte, text T) []byte {
	return append(binary.AppendUvarint(dst, uint64(len(text))), text...)
}
