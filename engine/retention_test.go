package engine

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/cockroachdb/datadriven"
)

// expiry runs the commands of TestScript that are about retention:
//
//	retention [spans=m] [logs=m]   close without a flush, open with rows kept for so many minutes
//	clock m                        the store's clock
//	retain                         drop what has expired
//	count spans|logs now=m         the rows that have not expired
func (s *script) expiry(d *datadriven.TestData) string {
	minutes := make(map[string]int)
	for _, arg := range d.CmdArgs {
		if len(arg.Vals) == 0 {
			continue
		}
		n, err := strconv.Atoi(arg.Vals[0])
		if err != nil {
			return err.Error()
		}
		minutes[arg.Key] = n
	}
	switch d.Cmd {
	case "retention":
		s.opts.Retention = make(map[string]time.Duration)
		for table, n := range minutes {
			s.opts.Retention[table] = time.Duration(n) * time.Minute
		}
		if s.clock.Load() == 0 {
			s.clock.Store(arrivalMinute)
		}
		s.opts.Now = func() time.Time { return time.Unix(0, minuteNanos(int(s.clock.Load()))) }
		if err := s.db.shutdown(false); err != nil {
			return err.Error()
		}
		s.db = mustOpen(s.t, s.opts)
		return ""
	case "clock":
		n, err := strconv.Atoi(d.CmdArgs[0].Key)
		if err != nil {
			return err.Error()
		}
		s.clock.Store(int64(n))
		return ""
	case "count":
		v := s.db.View()
		defer v.Release()
		table := d.CmdArgs[0].Key
		n, err := v.RowsSince(context.Background(), table, s.db.Cutoff(table, minuteNanos(minutes["now"])))
		if err != nil {
			return err.Error()
		}
		return fmt.Sprint(n)
	}
	dropped, err := s.db.ApplyRetention(context.Background())
	if err != nil {
		return err.Error()
	}
	var b strings.Builder
	for _, d := range dropped {
		fmt.Fprintf(&b, "%s: %d rows in %d blocks and %d parts\n", d.Table, d.Rows, d.Blocks, d.Parts)
	}
	return b.String()
}
