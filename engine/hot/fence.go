package hot

import (
	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"
)

// A fence lets nothing through to the disk once the store has failed.
//
// Pebble tries a failed flush for ever, and it expects Fatalf to end the
// process: where that returns it goes on with a manifest that is not on the
// disk, writes the same rows again, and removes files that the manifest on the
// disk still names. So a write after the failure never returns.
type fence struct{ failed <-chan struct{} }

func (f fence) wrap(fs vfs.FS) vfs.FS {
	return errorfs.Wrap(fs, errorfs.InjectorFunc(func(op errorfs.Op) error {
		if op.Kind.ReadOrWrite() != errorfs.OpIsWrite || op.Kind == errorfs.OpFileClose {
			return nil
		}
		select {
		case <-f.failed:
			select {}
		default:
			return nil
		}
	}))
}
