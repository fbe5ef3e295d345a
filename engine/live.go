package engine

import (
	"context"
	"errors"
	"slices"

	"github.com/tael-sql/tael-sql/engine/layout"
	"github.com/tael-sql/tael-sql/engine/live"
	"github.com/tael-sql/tael-sql/engine/object"
)

// A livePublisher tells other programs which rows of the parts count. It is
// the compactor's own.
type livePublisher struct {
	*live.Publisher
	store object.Store
	last  [][]livePart // by table, as published; nil: unknown
}

// livePart is what tells whether a table's list has changed: parts never
// change, and rows of them only die.
type livePart struct {
	meta *layout.PartMeta
	dead int
}

func newLivePublisher(store object.Store, tables int) *livePublisher {
	return &livePublisher{live.NewPublisher(store), store, make([][]livePart, tables)}
}

// hasList says whether a table may have a list: one without parts needs none.
func (p *livePublisher) hasList(ctx context.Context, table string) bool {
	list, err := p.store.Open(ctx, table+"/"+live.ListName)
	if err == nil {
		err = list.Close()
	}
	return !errors.Is(err, object.ErrMissing)
}

// publishLive publishes the lists that have changed.
func (db *DB) publishLive(ctx context.Context) error {
	v := db.View()
	defer v.Release()
	var errs []error
	for i, t := range db.tables {
		now := make([]livePart, 0, len(v.tables[i].parts))
		parts := make([]live.Part, 0, len(v.tables[i].parts))
		for _, p := range v.tables[i].parts {
			now = append(now, livePart{p.meta, p.deadCount})
			parts = append(parts, live.Part{Meta: p.meta, Dead: p.dead})
		}
		last := db.live.last[i]
		if last != nil && slices.Equal(now, last) {
			continue
		}
		var err error
		if last != nil || len(parts) > 0 || db.live.hasList(ctx, t.Schema.Name) {
			err = db.live.Publish(ctx, t.Schema.Name, parts)
		}
		if errors.Is(err, object.ErrUnavailable) {
			return errors.Join(append(errs, err)...) // the others would wait for it too
		}
		errs = append(errs, err)
		if err == nil {
			db.live.last[i] = now
		}
	}
	return errors.Join(errs...)
}
