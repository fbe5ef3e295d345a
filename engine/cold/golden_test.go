package cold

import (
	"crypto/sha256"
	"encoding/hex"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"

	"github.com/tael-sql/tael-sql/engine/layout"
)

var rewriteGolden = flag.Bool("rewrite-golden", false, "write the golden files anew")

// digest is a hash of all values that a part has.
func digest(t *testing.T, p *Part) string {
	t.Helper()
	h := sha256.New()
	for k := range p.Chunks() {
		c := p.Chunk(k)
		for f, field := range p.spec.Schema.Fields {
			if c.chunk(p.columns.places[f].first).missing { // it is younger than the part
				continue
			}
			col, err := c.Column(f)
			if err != nil {
				t.Fatal(err)
			}
			for i := range c.Rows() {
				_, _ = fmt.Fprintf(h, "%d %s %d %s\n", k, field.Name, i, valueText(col, i))
			}
		}
	}
	return hex.EncodeToString(h.Sum(nil))
}

// Parts of version 1 open for ever. They need not come out the same when they
// are written: compression and Arrow's writer may change.
func TestGolden(t *testing.T) {
	for _, spec := range specs {
		name := filepath.Join("testdata", spec.Schema.Name+".v1")
		if *rewriteGolden {
			rng := rand.New(rand.NewPCG(1, 1))
			m := newRowMaker(rng, spec)
			m.style = 2
			sources := []Source{numbered(rng, m.rows(70))}
			picks := sortedPicks(t, spec, sources)
			raw, meta, _ := writePart(t, spec, sources, picks)
			p := openPart(t, spec, raw, meta)
			sameRows(t, p, sources, picks)
			for ext, content := range map[string][]byte{".parquet": raw, ".meta": meta.Append(nil), ".sha256": []byte(digest(t, p))} {
				if err := os.WriteFile(name+ext, content, 0o644); err != nil {
					t.Fatal(err)
				}
			}
		}
		var content [3][]byte
		for i, ext := range []string{".parquet", ".meta", ".sha256"} {
			var err error
			if content[i], err = os.ReadFile(name + ext); err != nil {
				t.Fatal(err)
			}
		}
		meta, err := layout.DecodePartMeta(content[1])
		if err != nil {
			t.Fatal(err)
		}
		p := openPart(t, spec, content[0], meta)
		if got := digest(t, p); got != string(content[2]) {
			t.Errorf("%s reads otherwise than it was written", name)
		}
	}
}
