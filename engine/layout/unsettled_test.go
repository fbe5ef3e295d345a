package layout

import (
	"errors"
	"math"
	"slices"
	"testing"
)

func TestUnsettled(t *testing.T) {
	for _, want := range [][]Unsettled{{}, {{"", 0, 0}}, {{"a\x00b", math.MinInt64, math.MaxInt64}, {"key", -1, 1}}} {
		raw := AppendUnsettled(nil, want)
		if got, err := DecodeUnsettled(raw); err != nil || !slices.Equal(got, want) {
			t.Errorf("%v: %v %v", want, got, err)
		}
		for i := range raw {
			damaged := slices.Clone(raw)
			damaged[i] ^= 1
			if _, err := DecodeUnsettled(damaged); !errors.Is(err, ErrCorrupt) {
				t.Errorf("%v: a bit of byte %d: %v", want, i, err)
			}
			if _, err := DecodeUnsettled(raw[:i]); !errors.Is(err, ErrCorrupt) {
				t.Errorf("%v: %d bytes: %v", want, i, err)
			}
		}
	}
}
