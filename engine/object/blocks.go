package object

import (
	"container/list"
	"sync"
)

// A server takes longer to answer than to send a little more: reads shorter
// than a block are made of whole ones, which are kept for the next read.
const (
	blockBytes = 512 << 10
	heldBytes  = 32 << 20 // of all objects of a bucket
)

// blocks keeps the blocks that were read last.
type blocks struct {
	mu    sync.Mutex
	held  map[blockKey]*list.Element // of *block
	order list.List                  // the last read first
}

type blockKey struct {
	reader *objectReader
	number int64
}

// A block is being read until ready is closed.
type block struct {
	key     blockKey
	ready   chan struct{}
	content []byte
	err     error
}

// get gives a block, which read reads unless somebody has or does.
func (b *blocks) get(key blockKey, read func() ([]byte, error)) ([]byte, error) {
	b.mu.Lock()
	if at, ok := b.held[key]; ok {
		b.order.MoveToFront(at)
		b.mu.Unlock()
		got := at.Value.(*block)
		<-got.ready
		return got.content, got.err
	}
	own := &block{key: key, ready: make(chan struct{})}
	if b.held == nil {
		b.held = make(map[blockKey]*list.Element)
	}
	at := b.order.PushFront(own)
	b.held[key] = at
	for b.order.Len() > heldBytes/blockBytes {
		b.dropLocked(b.order.Back())
	}
	b.mu.Unlock()
	own.content, own.err = read()
	close(own.ready)
	if own.err != nil {
		b.mu.Lock()
		if b.held[key] == at {
			b.dropLocked(at)
		}
		b.mu.Unlock()
	}
	return own.content, own.err
}

// forget drops the blocks of a reader.
func (b *blocks) forget(r *objectReader) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for key, at := range b.held {
		if key.reader == r {
			b.dropLocked(at)
		}
	}
}

func (b *blocks) dropLocked(at *list.Element) {
	delete(b.held, at.Value.(*block).key)
	b.order.Remove(at)
}
