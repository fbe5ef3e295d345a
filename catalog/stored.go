package catalog

import (
	"cmp"
	"slices"

	"github.com/tael-sql/tael-sql/internal/pgtypes"
)

// Views that users make have OIDs from here on.
const viewFirst, viewLast pgtypes.OID = 25_000, 29_999

// NewViewOID gives the OID of a view that is to be made, 0 if there are too many.
func (c *Catalog) NewViewOID() pgtypes.OID {
	c.mu.Lock()
	defer c.mu.Unlock()
	for oid := range c.byOID {
		if oid >= viewFirst && oid <= viewLast {
			c.view = max(c.view, oid)
		}
	}
	c.view = max(c.view+1, viewFirst)
	if c.view > viewLast {
		return 0
	}
	return c.view
}

// ChangeView puts a stored view in the place of another; nil stands for none.
func (c *Catalog) ChangeView(old, v *Relation) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.changes++
	if old != nil {
		delete(c.relations, old.Schema+"."+old.Name)
		delete(c.byOID, old.OID)
	}
	if v != nil {
		c.relations[v.Schema+"."+v.Name] = entry{rel: v}
		c.byOID[v.OID] = entry{rel: v}
	}
}

// StoredViews lists the views that users have made, the oldest first.
func (c *Catalog) StoredViews() (views []*Relation) {
	c.mu.RLock()
	defer c.mu.RUnlock()
	for _, e := range c.relations {
		if e.rel.Stored {
			views = append(views, e.rel)
		}
	}
	slices.SortFunc(views, func(a, b *Relation) int { return cmp.Compare(a.OID, b.OID) })
	return views
}

// Refresh gives a session's own catalog the stored views of the shared one.
func (c *Catalog) Refresh() {
	c.shared.mu.RLock()
	changes := c.shared.changes
	c.shared.mu.RUnlock()
	if changes == c.changes {
		return
	}
	for _, v := range c.StoredViews() {
		c.Remove(v)
	}
	for _, v := range c.shared.StoredViews() {
		c.AddView(v)
	}
	c.changes = changes
}
