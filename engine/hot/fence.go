package hot

import (
	"errors"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"
)

// errFenced is what Pebble gets for a write after the store has failed.
var errFenced = errors.New("hot: nothing is written after an I/O error")

// A fence lets nothing through to the disk once the store has failed.
//
// Pebble tries a failed flush for ever, and it expects Fatalf to end the
// process: where that returns it goes on with a manifest that is not on the
// disk, writes the same rows again, and removes files that the manifest on the
// disk still names. So a write after the failure waits until the store closes,
// which also keeps Pebble from trying in a loop, and then fails.
type fence struct {
	failed  <-chan struct{}
	closing <-chan struct{}
}

func (f fence) wrap(fs vfs.FS) vfs.FS {
	return errorfs.Wrap(fs, errorfs.InjectorFunc(func(op errorfs.Op) error {
		if op.Kind.ReadOrWrite() != errorfs.OpIsWrite || op.Kind == errorfs.OpFileClose {
			return nil
		}
		select {
		case <-f.failed:
			<-f.closing
			return errFenced
		default:
			return nil
		}
	}))
}
