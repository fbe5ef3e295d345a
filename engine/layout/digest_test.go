package layout

import (
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"reflect"
	"testing"

	"github.com/tael-sql/tael-sql/internal/vector"
)

// digestOf sums up rows of one attribute and one group.
func digestOf(values []string) *Digest {
	a := &vector.Attrs{Off: []uint32{0}, KeyDict: []string{"k"}}
	member := &vector.Column{Kind: vector.String, Len: len(values), Strs: values}
	name := &vector.Column{Kind: vector.String, Len: len(values), Dict: []string{"n"}, Codes: make([]uint32, len(values))}
	times := &vector.Column{Kind: vector.Int64, Len: len(values)}
	docs := &vector.Column{Kind: vector.String, Len: len(values)}
	weights := make([]uint32, len(values))
	for i, v := range values {
		a.Strs = append(a.Strs, v)
		a.Keys, a.Tags, a.Vals = append(a.Keys, 0), append(a.Tags, vector.TagString), append(a.Vals, uint64(i))
		a.Off = append(a.Off, uint32(i+1))
		times.Ints = append(times.Ints, int64(i))
		docs.Strs = append(docs.Strs, fmt.Sprintf(`{"n": %d, "b": true, "s": "v", "z": null}`, i%3))
		weights[i] = 1
	}
	d := NewDigest()
	d.AddAttributes("attributes", a, weights)
	d.AddDocuments("resource", docs, nil)
	d.AddGroups([]*vector.Column{name}, member, times, nil)
	return d
}

// TestDigestMerge: the digests of the halves of some rows make that of all.
func TestDigestMerge(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	rng := rand.New(rand.NewPCG(seed, 1))
	for _, distinct := range []int{1, 5, sketchSize - 1, sketchSize, 20_000} {
		values := make([]string, 30_000)
		for i := range values {
			values[i] = fmt.Sprint(rng.IntN(distinct))
		}
		all := digestOf(values)
		parts := NewDigest()
		parts.Merge(digestOf(values[:10_000]))
		parts.Merge(digestOf(values[10_000:]))
		parts.Group("n").MaxTime = all.Group("n").MaxTime
		if !reflect.DeepEqual(all, parts) {
			t.Fatalf("%d values: the parts give\n%+v\nall of them\n%+v", distinct, parts.Attribute("attributes\x00k"), all.Attribute("attributes\x00k"))
		}
		k, want := all.Attribute("attributes\x00k"), map[string]bool{}
		for _, v := range values {
			want[v] = true
		}
		got := k.Values.Estimate()
		if len(want) < sketchSize && got != int64(len(want)) || math.Abs(float64(got)/float64(len(want))-1) > 0.3 {
			t.Errorf("an estimate of %d for %d values", got, len(want))
		}
		if k.Rows != int64(len(values)) || k.Tags != 1<<vector.TagString || len(k.Examples) != min(distinct, maxExamples) {
			t.Errorf("%d values: %+v", distinct, k)
		}
		for _, e := range k.Examples {
			if !want[e.Text] || uint32(HashString(e.Text)>>32) != e.Hash {
				t.Errorf("example %+v", e)
			}
		}
		back, err := DecodeDigest(all.Append(nil))
		if err != nil || !reflect.DeepEqual(back, all) {
			t.Fatalf("it comes back as %+v, %v", back, err)
		}
	}
}

// TestDigestDocuments counts the members of documents by their types.
func TestDigestDocuments(t *testing.T) {
	d := digestOf(make([]string, 9))
	for key, want := range map[string]AttributeDigest{
		"n": {Rows: 9, Tags: 1 << vector.TagInt, Values: make(Sketch, 3)},
		"b": {Rows: 9, Tags: 1 << vector.TagBool, Values: make(Sketch, 1)},
		"s": {Rows: 9, Tags: 1 << vector.TagString, Values: make(Sketch, 1)},
		"z": {Rows: 9, Tags: 1 << vector.TagNull},
	} {
		got := d.Attribute(AttributeName("resource", key))
		if got.Rows != want.Rows || got.Tags != want.Tags || len(got.Values) != len(want.Values) || len(got.Examples) != len(want.Values) {
			t.Errorf("%s: %+v", key, got)
		}
	}
	if g := d.Group("n"); g.Rows != 9 || g.MaxTime != 8 || g.Members.Estimate() != 1 {
		t.Errorf("group: %+v", g)
	}
}

// TestDigestDamage: no bytes that are not a digest read as one, or panic.
func TestDigestDamage(t *testing.T) {
	raw := digestOf([]string{"a", "b"}).Append(nil)
	for i := range raw {
		bad := append([]byte(nil), raw...)
		bad[i] ^= 4
		if _, err := DecodeDigest(bad); !errors.Is(err, ErrCorrupt) {
			t.Fatalf("byte %d: %v", i, err)
		}
	}
	if _, err := DecodeDigest(nil); !errors.Is(err, ErrCorrupt) {
		t.Fatal(err)
	}
}
