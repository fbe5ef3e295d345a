package engine

import (
	"context"
	"time"
)

// compactEvery is how often the compactor looks for work.
const compactEvery = time.Minute

// runCompactor is the one goroutine of the long background jobs.
func (db *DB) runCompactor(ctx context.Context) {
	defer close(db.compactWorker.ended)
	tick := time.NewTicker(compactEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case task := <-db.compactWorker.tasks:
			task(ctx)
		case <-tick.C:
		}
	}
}
