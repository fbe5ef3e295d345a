package exec

import (
	"context"

	"github.com/cockroachdb/apd/v3"

	"github.com/tael-sql/tael-sql/internal/expr"
	"github.com/tael-sql/tael-sql/internal/pgtypes"
	"github.com/tael-sql/tael-sql/internal/vector"
)

// distinct keeps the first row of each group of rows with equal keys. Keys are
// compared by their full encoding, never by a hash alone.
type distinct struct {
	env   *expr.Env
	in    vector.Reader
	keys  []expr.Expr
	seen  *keyTable
	taken int64

	coder rowCoder
	met   []bool // by code, in the batch
}

// Distinct keeps the first row for each combination of key values.
func Distinct(env *expr.Env, in vector.Reader, keys []expr.Expr) vector.Reader {
	return &distinct{env: env, in: in, keys: keys, seen: newKeyTable()}
}

func (d *distinct) Next(ctx context.Context) (*vector.Batch, error) {
	for {
		b, err := d.in.Next(ctx)
		if err != nil || b == nil {
			return nil, err
		}
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		enc, err := newKeyEncoder(d.env, d.keys, b)
		if err != nil {
			return nil, err
		}
		sel := make([]int32, 0, 64)
		before := d.taken
		coded := d.coder.assign(enc.cols, b)
		if coded {
			d.met = append(d.met[:0], make([]bool, d.coder.width)...)
		}
		for k := range b.Live() {
			i := b.Row(k)
			if coded {
				if code := d.coder.codes[k]; d.met[code] {
					continue
				} else {
					d.met[code] = true
				}
			}
			key := enc.encode(i)
			if _, fresh := d.seen.add(key); !fresh {
				continue
			}
			d.taken += int64(len(key)) + keyCost
			sel = append(sel, int32(i))
		}
		if err := d.env.Account.Grow(d.taken - before); err != nil {
			d.taken = before
			return nil, err
		}
		if len(sel) > 0 {
			b.Sel = sel
			return b, nil
		}
	}
}

func (d *distinct) Close() {
	d.in.Close()
	d.env.Account.Shrink(d.taken)
	d.taken, d.seen = 0, nil
}

// A keyEncoder turns rows of one batch into keys that are equal exactly when
// the values are equal as GROUP BY means it (NULL equals NULL).
type keyEncoder struct {
	types []pgtypes.Type
	cols  []*vector.Column
	dicts [][][]byte // by column: the encoding of each dictionary value, made when first needed
	buf   []byte
	hex   []byte
	last  *apd.Decimal // the numeric encoded last
	key   []byte       // its encoding
}

func newKeyEncoder(env *expr.Env, keys []expr.Expr, b *vector.Batch) (*keyEncoder, error) {
	e := &keyEncoder{
		types: make([]pgtypes.Type, len(keys)),
		cols:  make([]*vector.Column, len(keys)),
		dicts: make([][][]byte, len(keys)),
	}
	for i, k := range keys {
		c, err := k.Vec(env, b)
		if err != nil {
			return nil, err
		}
		e.types[i], e.cols[i] = k.Type(), c
		if c.HasDict() {
			e.dicts[i] = make([][]byte, len(c.Dict))
		}
	}
	return e, nil
}

// encode gives the key of row i; it is valid until the next call.
func (e *keyEncoder) encode(i int) []byte {
	e.buf = e.buf[:0]
	for c, col := range e.cols {
		if dict := e.dicts[c]; dict != nil && !col.IsNull(i) {
			code := col.Codes[i]
			if dict[code] == nil {
				if e.types[c].OID == pgtypes.Text {
					dict[code] = appendTextKey(nil, col.Dict[code])
				} else {
					dict[code] = pgtypes.AppendKey(nil, e.types[c], col.Dict[code])
				}
			}
			e.buf = append(e.buf, dict[code]...)
			continue
		}
		switch { // without boxing, the same keys
		case col.IsNull(i):
			e.buf = pgtypes.AppendKey(e.buf, e.types[c], nil)
		case col.Kind == vector.Int64:
			e.buf = pgtypes.AppendIntKey(e.buf, col.Ints[i])
		case col.Kind == vector.Hex && e.types[c].OID == pgtypes.Text:
			if col.Width == 8 || col.Width == 16 {
				e.buf = append(append(e.buf, keyHex, byte(2*col.Width)), col.HexBytes(i)...)
				continue
			}
			e.hex = col.AppendHex(e.hex[:0], i)
			e.buf = pgtypes.AppendTextKey(e.buf, string(e.hex))
		case col.Kind == vector.String && e.types[c].OID == pgtypes.Text:
			e.buf = appendTextKey(e.buf, col.Str(i))
		case col.Kind == vector.Any:
			d, ok := col.Anys[i].(*apd.Decimal)
			if !ok {
				e.buf = pgtypes.AppendKey(e.buf, e.types[c], col.Anys[i])
				continue
			}
			if d != e.last {
				e.last, e.key = d, pgtypes.AppendKey(e.key[:0], e.types[c], d)
			}
			e.buf = append(e.buf, e.key...)
		default:
			e.buf = pgtypes.AppendKey(e.buf, e.types[c], col.Value(i))
		}
	}
	return e.buf
}

// keyHex begins the key of a text that is lower-case hex of the length of a
// span's or a trace's id: the length, then half as many bytes. It is not a tag
// that pgtypes.AppendKey gives.
const keyHex = 0xfe

// appendTextKey is pgtypes.AppendTextKey, with ids in half the bytes: as texts
// and as bytes they have the same key.
func appendTextKey(dst []byte, s string) []byte {
	if len(s) != 16 && len(s) != 32 {
		return pgtypes.AppendTextKey(dst, s)
	}
	out := append(dst, keyHex, byte(len(s)))
	for i := 0; i < len(s); i += 2 {
		high, low := hexValues[s[i]], hexValues[s[i+1]]
		if high|low > 15 {
			return pgtypes.AppendTextKey(dst, s)
		}
		out = append(out, high<<4|low)
	}
	return out
}

// hexValues gives the value of each lower-case digit, 255 for other bytes.
var hexValues = func() (v [256]byte) {
	for i := range v {
		v[i] = 255
	}
	for i, c := range []byte("0123456789abcdef") {
		v[c] = byte(i)
	}
	return v
}()
