package search

import (
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

var sources = []string{"prompt", "completion", "log_body"}

func parse(t testing.TB, text string) *Query {
	t.Helper()
	q, err := Parse(text, sources)
	if err != nil {
		t.Fatal(err)
	}
	return q
}

// tryAll gives the numbers and scores of the documents that a matcher finds.
func tryAll(q *Query, docs []Doc) []string {
	m := q.NewMatcher()
	found := make(map[uint64]Match)
	for _, d := range docs {
		if match, ok := m.Try(d.ID.Source, d.Service, d.Text); ok {
			found[d.ID.Number] = match
		}
	}
	var out []string
	for number, match := range found {
		out = append(out, fmt.Sprintf("%d %.6f", number, q.Score(match, m.Stats)))
	}
	slices.Sort(out)
	return out
}

func findAll(t testing.TB, x *Index, q *Query) []string {
	t.Helper()
	s, err := x.Snapshot()
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := s.Release(); err != nil {
			t.Error(err)
		}
	}()
	var hits []Hit
	stats, err := s.Find(context.Background(), q, func(h Hit) error {
		hits = append(hits, h)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, h := range hits {
		out = append(out, fmt.Sprintf("%d %.6f", h.ID.Number, q.Score(h.Match, stats)))
	}
	slices.Sort(out)
	return out
}

func numbers(list []string) (out []string) {
	for _, s := range list {
		n, _, _ := strings.Cut(s, " ")
		out = append(out, n)
	}
	return out
}

func doc(number int, source uint8, service, text string) Doc {
	return Doc{ID: ID{Table: 1, Source: source, Number: uint64(number), Time: int64(number) * 1e9, Trace: [16]byte{byte(number)}}, Service: service, Text: text}
}

// What a person looks for, and what is found.
func TestQueries(t *testing.T) {
	docs := []Doc{
		doc(1, 1, "agent", "What is the Rate limit of the API?"),
		doc(2, 2, "agent", "The limit of the rate is 10 per second."),
		doc(3, 1, "checkout", "rate-limit exceeded; retry later"),
		doc(4, 3, "payment-api", "E42: user@example.com has no money left"),
		doc(5, 1, "agent", "速率限制是多少"),
		doc(6, 1, "agent", "Straße ÜBER naïve café"),
	}
	x, err := Open("")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = x.Close() }()
	if err := x.Add(docs, nil); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ query, want string }{
		{`rate limit`, "1 2 3"},
		{`"rate limit"`, "1 3"},
		{`RATE-LIMIT`, "1 3"},
		{`rate -retry`, "1 2"},
		{`rate -"rate limit"`, "2"},
		{`prompt:rate`, "1 3"},
		{`prompt:"rate limit" service:agent`, "1"},
		{`rate -service:agent`, "3"},
		{`completion:rate prompt:rate`, ""},
		{`service:payment-api`, "4"},
		{`service:payment`, "4"},
		{`user@example.com`, "4"},
		{`"example user"`, ""},
		{`限制`, "5"},
		{`制限`, ""},
		{`straße über`, "6"},
		{`-rate`, "4 5 6"},
		{`-rate -service:agent`, "4"},
		{`e42`, "4"},
		{`E4`, ""},
		{`the`, "1 2"},
		{`absent`, ""},
		{`log_body:money PROMPT:money`, ""},
		{`-prompt:rate limit`, "2"},
	} {
		q := parse(t, c.query)
		if got := strings.Join(numbers(findAll(t, x, q)), " "); got != c.want {
			t.Errorf("%s: the index finds %q, want %q", c.query, got, c.want)
		}
		if got := strings.Join(numbers(tryAll(q, docs)), " "); got != c.want {
			t.Errorf("%s: the matcher finds %q, want %q", c.query, got, c.want)
		}
	}
}

func TestSyntaxErrors(t *testing.T) {
	for _, text := range []string{
		"", " \t", `"`, `"rate limit`, `rate "limit`, `-`, `rate -`, `prompt:`, `-prompt:`, `""`, `!!!`, `"..."`, `http://x`, `error:timeout`, `prompt:""`, "\xff",
	} {
		if q, err := Parse(text, sources); !errors.Is(err, ErrSyntax) {
			t.Errorf("%q: query %v, error %v", text, q, err)
		}
	}
}

// The figures are computed by hand: 2 documents of 2 and 4 words, of which both
// have a (once and twice) and one has b.
func TestScore(t *testing.T) {
	docs := []Doc{doc(1, 1, "", "a b"), doc(2, 1, "", "a a c d")}
	common, rare := math.Log(1+0.5/2.5), math.Ln2
	short, long := 1-0.75+0.75*2/3, 1-0.75+0.75*4/3
	want := []string{
		fmt.Sprintf("1 %.6f", common*2.2/(1+1.2*short)),
		fmt.Sprintf("2 %.6f", common*2*2.2/(2+1.2*long)),
	}
	if got := tryAll(parse(t, "a"), docs); !slices.Equal(got, want) {
		t.Errorf("a: %v, want %v", got, want)
	}
	want = []string{fmt.Sprintf("1 %.6f", (common+rare)*2.2/(1+1.2*short))}
	if got := tryAll(parse(t, `"a b" -c`), docs); !slices.Equal(got, want) {
		t.Errorf(`"a b" -c: %v, want %v`, got, want)
	}
}

// An index that is written batch by batch, with documents replaced and removed,
// and opened again between, finds what a matcher finds in the documents that
// are left, with the same scores.
func TestIndexEqualsMatcher(t *testing.T) {
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	rnd := rand.New(rand.NewPCG(seed, 0))
	vocabulary := []string{"a", "b", "c", "d", "e", "rate", "limit", "Ü", "限"}
	text := func(n int) string {
		var list []string
		for range n {
			list = append(list, vocabulary[min(rnd.IntN(len(vocabulary)), rnd.IntN(len(vocabulary)))])
		}
		return strings.Join(list, []string{" ", "-", ", "}[rnd.IntN(3)])
	}
	dir := filepath.Join(t.TempDir(), "search")
	x, err := Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = x.Close() }()
	live := make(map[uint64]Doc)
	number := 0
	for round := range 12 {
		var batch []Doc
		for range rnd.IntN(40) {
			number++
			batch = append(batch, doc(number, uint8(1+rnd.IntN(3)), text(1), text(rnd.IntN(12))))
		}
		for _, d := range batch {
			live[d.ID.Number] = d
		}
		mark := []byte{byte(round)}
		if err := x.Add(batch, mark); err != nil {
			t.Fatal(err)
		}
		var gone []ID
		for n, d := range live {
			if rnd.IntN(10) == 0 {
				gone = append(gone, d.ID)
				delete(live, n)
			}
		}
		if err := x.Remove(gone); err != nil {
			t.Fatal(err)
		}
		if rnd.IntN(3) == 0 {
			if err := x.Close(); err != nil {
				t.Fatal(err)
			}
			if x, err = Open(dir); err != nil {
				t.Fatal(err)
			}
			if got, err := x.Mark(); err != nil || !slices.Equal(got, mark) {
				t.Fatalf("mark %v, error %v", got, err)
			}
		}
		var docs []Doc
		for _, d := range live {
			docs = append(docs, d)
		}
		for range 30 {
			var clauses []string
			for range 1 + rnd.IntN(3) {
				c := text(1)
				if rnd.IntN(3) == 0 {
					c = `"` + text(2) + `"`
				}
				c = []string{"", "", "", "prompt:", "log_body:", "service:"}[rnd.IntN(6)] + c
				clauses = append(clauses, []string{"", "", "", "-"}[rnd.IntN(4)]+c)
			}
			q := parse(t, strings.Join(clauses, " "))
			// The mean length is that of all documents ever entered: only without
			// removals are the scores the same.
			got, want := numbers(findAll(t, x, q)), numbers(tryAll(q, docs))
			if !slices.Equal(got, want) {
				t.Fatalf("%s finds %v, want %v", clauses, got, want)
			}
		}
	}
}

func TestScoresOfIndex(t *testing.T) {
	rnd := rand.New(rand.NewPCG(1, 2))
	var docs []Doc
	for i := range 300 {
		docs = append(docs, doc(i, 1, "s", strings.Repeat("a ", rnd.IntN(5))+strings.Repeat("b ", rnd.IntN(3))+strings.Repeat("c ", rnd.IntN(100))))
	}
	x, err := Open("")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = x.Close() }()
	for part := range slices.Chunk(docs, 70) {
		if err := x.Add(part, nil); err != nil {
			t.Fatal(err)
		}
	}
	for _, text := range []string{"a", "a b", `"a b" c`, "b -a", "service:s c"} {
		q := parse(t, text)
		if got, want := findAll(t, x, q), tryAll(q, docs); !slices.Equal(got, want) {
			t.Errorf("%s: %v, want %v", text, got, want)
		}
	}
}

// Whatever happens to a file, Open gives an error or an index that works.
func TestDamage(t *testing.T) {
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	rnd := rand.New(rand.NewPCG(seed, 0))
	whole := filepath.Join(t.TempDir(), "whole")
	x, err := Open(whole)
	if err != nil {
		t.Fatal(err)
	}
	for i := range 3 {
		if err := x.Add([]Doc{doc(i, 1, "s", "some words")}, []byte("mark")); err != nil {
			t.Fatal(err)
		}
	}
	if err := x.Close(); err != nil {
		t.Fatal(err)
	}
	if err := Check(whole); err != nil {
		t.Fatal(err)
	}
	refused := 0
	for i := range 40 {
		dir := filepath.Join(t.TempDir(), fmt.Sprint(i))
		if err := os.CopyFS(dir, os.DirFS(whole)); err != nil {
			t.Fatal(err)
		}
		if i%2 == 0 { // as after a crash
			if err := os.Remove(filepath.Join(dir, "root.sum")); err != nil {
				t.Fatal(err)
			}
		}
		files, err := filepath.Glob(filepath.Join(dir, "*"))
		if err != nil {
			t.Fatal(err)
		}
		name := files[rnd.IntN(len(files))]
		raw, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		switch rnd.IntN(4) {
		case 0:
			raw = raw[:rnd.IntN(len(raw))]
		case 1:
			if err := os.Remove(name); err != nil {
				t.Fatal(err)
			}
		default:
			raw[rnd.IntN(len(raw))] ^= byte(1 + rnd.IntN(255))
		}
		if _, err := os.Stat(name); err == nil {
			if err := os.WriteFile(name, raw, 0o600); err != nil {
				t.Fatal(err)
			}
		}
		x, err := Open(dir)
		if err != nil {
			if !errors.Is(err, ErrCorrupt) {
				t.Fatalf("%s: %v", name, err)
			}
			refused++
			continue
		}
		if mark, err := x.Mark(); err != nil {
			t.Fatal(err)
		} else if got := numbers(findAll(t, x, parse(t, "words"))); mark != nil && !slices.Equal(got, []string{"0", "1", "2"}) {
			t.Fatalf("%s: an index that opens finds %v", name, got)
		}
		if err := x.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if refused == 0 {
		t.Error("no damage was seen")
	}
}

func TestSnippet(t *testing.T) {
	long := strings.Repeat("word ", 100) + "the Rate\n limit is here " + strings.Repeat("ünd ", 100)
	for _, c := range []struct{ query, text, want string }{
		{"limit", "a rate\nlimit", "a rate limit"},
		{`"rate limit"`, long, "…" + strings.TrimSpace(strings.Repeat("word ", 8)) + " the Rate limit is here " + strings.TrimSpace(strings.Repeat("ünd ", 18)) + "…"},
		{"-limit", strings.Repeat("x", 300), strings.Repeat("x", 160) + "…"},
		{"service:x", "short", "short"},
	} {
		if got := parse(t, c.query).Snippet(c.text); got != c.want {
			t.Errorf("%s: %q, want %q", c.query, got, c.want)
		}
	}
}

func BenchmarkFind(b *testing.B) {
	rnd := rand.New(rand.NewPCG(1, 2))
	x, err := Open(b.TempDir())
	if err != nil {
		b.Fatal(err)
	}
	defer func() { _ = x.Close() }()
	var docs []Doc
	for i := range 20_000 {
		var text []string
		for range 150 {
			text = append(text, fmt.Sprintf("w%d", int(math.Exp(rnd.Float64()*math.Log(20_000)))))
		}
		docs = append(docs, doc(i, 1, "agent", strings.Join(text, " ")))
	}
	start := time.Now()
	for part := range slices.Chunk(docs, 1000) {
		if err := x.Add(part, nil); err != nil {
			b.Fatal(err)
		}
	}
	b.Logf("indexed in %v", time.Since(start))
	for _, query := range []string{"w15000", "w10 w1000", `"w3 w5"`, "w2"} {
		b.Run("docs=20000/query="+strings.ReplaceAll(query, " ", "+"), func(b *testing.B) {
			q, n := parse(b, query), 0
			for b.Loop() {
				n = len(findAll(b, x, q))
			}
			b.ReportMetric(float64(n), "hits")
		})
	}
}
