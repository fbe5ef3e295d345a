package main

import (
	"testing"
	"time"
)

func TestProgressLine(t *testing.T) {
	p := &progress{unit: "rows", total: 4000}
	if got, want := p.line(1000, 2*time.Second), "[=======                       ]  25 %  1 k of 4 k rows, 500/s, 6s left"; got != want {
		t.Errorf("%q, not %q", got, want)
	}
	p.total = 0
	if got, want := p.line(1_500_000, time.Second), "1.5 M rows, 1.5 M/s"; got != want {
		t.Errorf("%q, not %q", got, want)
	}
}
