package main

import (
	"context"
	"time"
)

// rollUpEvery is how often points that expire are looked for.
const rollUpEvery = time.Minute

// startRollUps stores metrics_5m of the points that expire, until the gateway
// stops. Points that are not stored yet are not deleted.
func (g *gateway) startRollUps() {
	ctx, stop := context.WithCancel(context.Background())
	g.stopRollUps = stop
	g.wg.Go(func() {
		tick := time.NewTicker(rollUpEvery)
		defer tick.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
			}
			if err := g.sessions.RollUp(ctx); err != nil && ctx.Err() == nil {
				g.log.Warn("expired points stay until they are in metrics_5m; it is tried again", "error", err, "in", rollUpEvery)
			}
		}
	})
}
