package cold

import (
	"errors"
	"io"

	"github.com/tael-sql/tael-sql/engine/block"
	"github.com/tael-sql/tael-sql/engine/layout"
)

// A Writer writes one part.
type Writer struct {
	spec *Spec
}

var errUnfinished = errors.New("cold: not yet")

// NewWriter begins a part. text gives what is meant by a text that one of the
// fields Outside holds.
func NewWriter(_ io.Writer, spec *Spec, _ func(stored string) (string, error)) (*Writer, error) {
	return &Writer{spec: spec}, nil
}

// WriteGroup writes a row group: picked rows of the sources, in that order.
func (w *Writer) WriteGroup(_ []Source, _ []block.Pick) error { return errUnfinished }

// Close ends the file. Table, ID, Level and Name are the caller's to set.
func (w *Writer) Close() (*layout.PartMeta, *layout.PartIndex, error) {
	return nil, nil, errUnfinished
}
