package engine

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"

	"github.com/tael-sql/tael-sql/engine/hot"
	"github.com/tael-sql/tael-sql/engine/layout"
	"github.com/tael-sql/tael-sql/engine/object"
)

// ErrOwned says that an object store has the parts of another data folder.
var ErrOwned = errors.New("engine: the object store belongs to another data folder")

// ownerName is the object that names the data folder whose parts a store has.
const ownerName = "_owner"

// ownStore makes sure that a store outside the data folder has the parts of no
// other: what this folder does not know it would delete as left by a crash. A
// folder has a number for that, which its backups share.
func (db *DB) ownStore(ctx context.Context) error {
	if db.opts.Cold == nil {
		return nil
	}
	const counter = "store owner"
	raw, err := db.hot.Get(layout.CounterKey(counter))
	if err != nil {
		return hotError(err)
	}
	if raw == nil {
		raw = binary.LittleEndian.AppendUint64(nil, rand.Uint64())
		if err := db.hot.Commit([]hot.Write{{Key: layout.CounterKey(counter), Value: raw}}); err != nil {
			return err
		}
	}
	ours := fmt.Sprintf("%x\n", raw)
	store := db.parts.store
	file, err := store.Open(ctx, ownerName)
	if errors.Is(err, object.ErrMissing) {
		_, err := store.Put(ctx, ownerName, func(w io.Writer) error {
			_, err := io.WriteString(w, ours)
			return err
		})
		return err
	}
	if err != nil {
		return err
	}
	theirs, err := io.ReadAll(object.Stream(file))
	if err := errors.Join(err, file.Close()); err != nil {
		return err
	}
	if string(theirs) != ours {
		return fmt.Errorf("%w: if that is gone, delete the object %s", ErrOwned, ownerName)
	}
	return nil
}
