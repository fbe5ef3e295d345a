package engine

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"time"
)

// A childReport is what a child process found.
type childReport struct {
	Problem                string
	Lost, Doubled, Changed int
	Points                 int
	More                   []string // writers with the request that was on its way
}

func (r *childReport) print(err error) error {
	if err != nil {
		r.Problem = err.Error()
	}
	if found := (*mismatch)(nil); errors.As(err, &found) {
		r.Lost, r.Doubled, r.Changed = found.lost, found.doubled, found.changed
	}
	return json.NewEncoder(os.Stdout).Encode(r)
}

func (r *childReport) problem() error {
	if r.Problem == "" {
		return nil
	}
	if r.Lost+r.Doubled+r.Changed == 0 {
		return errors.New(r.Problem)
	}
	return &mismatch{what: "a child process", lost: r.Lost, doubled: r.Doubled, changed: r.Changed, rows: r.Problem}
}

// childTime is how long a child process runs a method: what Pebble holds of a
// store that has failed is given up with the process alone.
const childTime = 4 * time.Second

// inChildren runs a method in processes one after the other.
func inChildren(name string) func(seed uint64, b plantedBug, stop func(int) bool) (tally, error) {
	return func(seed uint64, _ plantedBug, stop func(int) bool) (n tally, err error) {
		for ; !stop(n.points); seed++ {
			cmd := exec.Command(os.Args[0])
			cmd.Env = append(os.Environ(), fmt.Sprintf("%s=method %s %d %d", childVariable, name, seed, childTime.Milliseconds()))
			var stderr strings.Builder
			cmd.Stderr = &stderr
			out, err := cmd.Output()
			var r childReport
			if err == nil {
				err = json.Unmarshal(out, &r)
			}
			if err != nil {
				return n, fmt.Errorf("seed %d: %w: %.3000s", seed, err, stderr.String())
			}
			n.points += r.Points
			if err := r.problem(); err != nil {
				return n, fmt.Errorf("seed %d: %w", seed, err)
			}
		}
		return n, nil
	}
}

func childRuns(name string, seed uint64, length time.Duration) error {
	end := time.Now().Add(length)
	var r childReport
	for _, m := range faultMethods() {
		if m.name != name {
			continue
		}
		n, err := m.run(seed, plantedBug{}, func(int) bool { return time.Now().After(end) })
		r.Points = n.points
		return r.print(err)
	}
	return fmt.Errorf("no method %q", name)
}
