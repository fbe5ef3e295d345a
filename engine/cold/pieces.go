package cold

import (
	"io"

	"github.com/tael-sql/tael-sql/engine/layout"
)

// A Pieced file answers each read after a long wait, whatever its length, so
// that it is read in pieces of so many bytes, which the cache keeps.
type Pieced interface {
	io.ReaderAt
	PieceBytes() int
}

// pieces reads a Pieced file.
type pieces struct {
	file  Pieced
	size  int64 // of the file
	meta  *layout.PartMeta
	cache *Cache
}

// pieceLeaf stands in the keys of pieces, where pages have their column.
const pieceLeaf = -1

func (p *pieces) key(number int64) cacheKey { return cacheKey{p.meta, pieceLeaf, int32(number)} }

// ReadAt reads through the cache: pieces that are missing and adjacent in one
// request.
func (p *pieces) ReadAt(buf []byte, offset int64) (int, error) {
	size := int64(p.file.PieceBytes())
	n := 0
	for n < len(buf) {
		at := offset + int64(n)
		number := at / size
		piece, ok := p.cache.get(p.key(number))
		if !ok {
			end := number + 1
			for end*size < offset+int64(len(buf)) {
				if _, ok := p.cache.get(p.key(end)); ok {
					break
				}
				end++
			}
			run := make([]byte, min(end*size, p.size)-number*size)
			if got, err := p.file.ReadAt(run, number*size); got < len(run) {
				return n, err
			}
			piece = p.split(number, run)
		}
		from := at - number*size
		n += copy(buf[n:], piece.([]byte)[from:])
	}
	return n, nil
}

// split enters the pieces of a run, and gives the first.
func (p *pieces) split(number int64, run []byte) any {
	size := p.file.PieceBytes()
	var first any
	for len(run) > 0 {
		piece := run[:min(size, len(run)):min(size, len(run))]
		run = run[len(piece):]
		if v := p.cache.put(p.key(number), piece, int64(len(piece))); first == nil {
			first = v
		}
		number++
	}
	return first
}
