package wal

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/tael-sql/tael-sql/wal/record"
)

// A listSink keeps what it is sent; while stuck it takes nothing.
type listSink struct {
	stuck  chan struct{} // nil: not stuck
	frames []Frame
	fails  int // how many calls fail
}

func (s *listSink) LastLSN() uint64 { return uint64(len(s.frames)) }

func (s *listSink) Ship(ctx context.Context, frames []Frame) error {
	if s.stuck != nil {
		select {
		case <-s.stuck:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	if s.fails > 0 {
		s.fails--
		return errors.New("no")
	}
	for _, f := range frames {
		switch next := uint64(len(s.frames) + 1); {
		case f.Header.LSN > next:
			return fmt.Errorf("%w: %d", ErrGap, f.Header.LSN)
		case f.Header.LSN == next:
			s.frames = append(s.frames, f)
		}
	}
	return nil
}

func sinkHeader() record.Header {
	return record.Header{Type: record.Logs, Codec: record.Protobuf, Source: record.OTLPGRPC}
}

func appendTexts(t *testing.T, l *Log, from, to int) {
	t.Helper()
	for i := from; i <= to; i++ {
		_, p, err := l.Append(sinkHeader(), fmt.Appendf(nil, "payload %d %0500d", i, i))
		if err == nil {
			err = p.Wait(context.Background())
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}

func TestSinks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fs := vfs.NewMem()
		early := &listSink{fails: 3}
		o := Options{SegmentBytes: 4 << 10, Sinks: []Sink{early}, RequiredAcks: AllSinks}
		l, err := Open(fs, "wal", o)
		if err != nil {
			t.Fatal(err)
		}
		appendTexts(t, l, 1, 40)
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		if err := l.WaitAcked(ctx, 40); err != nil {
			t.Fatal(err)
		}
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}

		// One that joins later gets everything from the segments.
		late := &listSink{}
		o.Sinks, o.RequiredAcks = []Sink{early, late}, 2
		if l, err = Open(fs, "wal", o); err != nil {
			t.Fatal(err)
		}
		appendTexts(t, l, 41, 60)
		if err := l.WaitAcked(ctx, 60); err != nil {
			t.Fatal(err)
		}
		for i, f := range late.frames {
			if want := fmt.Sprintf("payload %d %0500d", i+1, i+1); string(f.Payload) != want || f.Header.LSN != uint64(i+1) {
				t.Fatalf("record %d: %d %s", i+1, f.Header.LSN, f.Payload)
			}
		}
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}

		// One that is too late is told so, and the others do not wait for it.
		never := &listSink{}
		o.Sinks, o.RequiredAcks = []Sink{early, never}, 1
		if l, err = Open(fs, "wal", o); err != nil {
			t.Fatal(err)
		}
		if err := l.Recycle(50); err != nil {
			t.Fatal(err)
		}
		appendTexts(t, l, 61, 62)
		if err := l.WaitAcked(ctx, 62); err != nil {
			t.Fatal(err)
		}
		if _, err := l.stored(1); !errors.Is(err, ErrGap) {
			t.Errorf("recycled records: %v", err)
		}
		if len(never.frames) > 0 {
			t.Errorf("%d records after a gap", len(never.frames))
		}
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}

		// Acknowledgements that do not come.
		stuck := &listSink{stuck: make(chan struct{})}
		if l, err = Open(vfs.NewMem(), "wal", Options{Sinks: []Sink{stuck}, RequiredAcks: 1}); err != nil {
			t.Fatal(err)
		}
		appendTexts(t, l, 1, 1)
		short, stop := context.WithTimeout(t.Context(), time.Second)
		defer stop()
		if err := l.WaitAcked(short, 1); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("without an acknowledgement: %v", err)
		}
		close(stuck.stuck)
		if err := l.WaitAcked(ctx, 1); err != nil {
			t.Error(err)
		}
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
	})
}

func TestRequiredAcksOption(t *testing.T) {
	for _, acks := range []int{-2, 1} {
		if _, err := Open(vfs.NewMem(), "wal", Options{RequiredAcks: acks}); err == nil {
			t.Errorf("%d acknowledgements of no sinks", acks)
		}
	}
}
