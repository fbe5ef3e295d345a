package engine

import "context"

// A worker is a goroutine that others hand tasks to. It runs them one after the
// other, between what it does of its own.
type worker struct {
	tasks chan func(life context.Context) // unbuffered: what is accepted is run
	ended chan struct{}                   // closed when the goroutine is gone
}

func newWorker() *worker {
	return &worker{tasks: make(chan func(context.Context)), ended: make(chan struct{})}
}

// do runs fn on the worker's goroutine and gives its error. Once fn has begun
// it is waited for; its context ends with ctx and with the worker.
func (w *worker) do(ctx context.Context, fn func(context.Context) error) error {
	done := make(chan error, 1)
	task := func(life context.Context) {
		both, cancel := context.WithCancel(ctx)
		defer cancel()
		defer context.AfterFunc(life, cancel)()
		done <- fn(both)
	}
	select {
	case w.tasks <- task:
		return <-done
	case <-w.ended:
		return ErrClosed
	case <-ctx.Done():
		return ctx.Err()
	}
}

// onFlusher runs fn on the flusher's goroutine: nobody else writes to the hot
// store or changes the lists of blocks and parts, so that fn sees them as they
// stay until it has committed and published.
func (db *DB) onFlusher(ctx context.Context, fn func() error) error {
	return db.flushWorker.do(ctx, func(context.Context) error { return fn() })
}
