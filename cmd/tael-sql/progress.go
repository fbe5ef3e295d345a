package main

import (
	"fmt"
	"io"
	"os"
	"time"

	"golang.org/x/term"
)

// A progress says on a terminal how far a long command has come: share, rate
// and the time that is left. Elsewhere it says nothing.
type progress struct {
	out   io.Writer
	unit  string
	total int64 // in units; 0: not known
	start time.Time
	drawn time.Time
}

func newProgress(out io.Writer, unit string, total int64) *progress {
	f, ok := out.(*os.File)
	if !ok || !term.IsTerminal(int(f.Fd())) {
		out = nil
	}
	return &progress{out: out, unit: unit, total: total, start: time.Now()}
}

// at draws the line anew, ten times a second at most.
func (p *progress) at(done int64) {
	if now := time.Now(); p.out != nil && now.Sub(p.drawn) >= 100*time.Millisecond {
		p.drawn = now
		fmt.Fprintf(p.out, "\r\x1b[K%s", p.line(done, now.Sub(p.start)))
	}
}

// end removes the line.
func (p *progress) end() {
	if p.out != nil {
		fmt.Fprint(p.out, "\r\x1b[K")
	}
}

func (p *progress) line(done int64, took time.Duration) string {
	rate := float64(done) / max(took.Seconds(), 1e-3)
	if p.total <= 0 {
		return fmt.Sprintf("%s %s, %s/s", amount(float64(done)), p.unit, amount(rate))
	}
	left := "?"
	if done > 0 {
		left = (time.Duration(float64(p.total-done)/rate*1e3) * time.Millisecond).Round(time.Second).String()
	}
	share := min(100, done*100/p.total)
	const width = 30
	bar := make([]byte, width)
	for i := range bar {
		bar[i] = " ="[btoi(int64(i) < share*width/100)]
	}
	return fmt.Sprintf("[%s] %3d %%  %s of %s %s, %s/s, %s left", bar, share, amount(float64(done)), amount(float64(p.total)), p.unit, amount(rate), left)
}

func btoi(b bool) int {
	if b {
		return 1
	}
	return 0
}

// amount is a number with three digits or so.
func amount(n float64) string {
	for _, u := range []struct {
		size float64
		name string
	}{{1e9, "G"}, {1e6, "M"}, {1e3, "k"}} {
		if n >= u.size {
			return fmt.Sprintf("%.3g %s", n/u.size, u.name)
		}
	}
	return fmt.Sprintf("%.3g", n)
}
