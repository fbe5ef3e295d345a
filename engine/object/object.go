// Package object keeps immutable objects by name, in a folder or in a bucket.
//
// A Store has an object whole or not at all: Put gives it its name when all of
// it is durable, and replaces what had the name in one step. A name is one or
// more segments of letters, digits, '_', '-' and '.', joined by '/'; no
// segment begins with '.', so that what is on its way to a name can be told
// from it.
//
// S3 is spoken by minio-go: it brings 10 modules that nothing else here needs,
// and 20 packages in all; aws-sdk-go-v2 brings 109.
package object

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/cespare/xxhash/v2"
)

// ErrMissing says that a store has no object of that name.
var ErrMissing = errors.New("object: missing")

// ErrUnavailable says that a store cannot be reached, or refuses, or that its
// disk fails where it is read. It passes, or somebody must put it right; the
// object may be there.
var ErrUnavailable = errors.New("object: store unavailable")

// A Store holds objects by name. It is safe for concurrent use; of several
// that put one name at a time one wins, and the others may fail.
type Store interface {
	// Put makes durable what write writes, and only then gives it the name,
	// which may have another content until then. After an error the name has
	// what it had, or what was written, whole.
	Put(ctx context.Context, name string, write func(io.Writer) error) (Info, error)
	// Open opens an object for reading. The reader keeps to the content that
	// it found, or fails.
	Open(ctx context.Context, name string) (Reader, error)
	// Delete deletes an object. Where there is none it succeeds.
	Delete(ctx context.Context, name string) error
	// List calls fn with each name that begins with prefix, in the order of
	// their bytes. What fn returns ends it.
	List(ctx context.Context, prefix string, fn func(name string, size int64) error) error
}

// Info is what Put says of the content that it wrote.
type Info struct {
	Bytes    int64
	Checksum uint64 // xxhash64
}

// A Reader reads one object. It is safe for concurrent use until it is closed.
type Reader interface {
	io.ReaderAt
	io.Closer
	Size() int64
}

// Stream reads an object from its begin to its end, much at a time: a far store
// takes longer to answer than to send.
func Stream(r Reader) io.Reader {
	return bufio.NewReaderSize(io.NewSectionReader(r, 0, r.Size()), int(min(r.Size(), 1<<20)))
}

// Clean deletes what a crash left on its way to a name. Nothing may be put
// meanwhile.
func Clean(ctx context.Context, s Store) error {
	if s, ok := s.(interface{ Clean(context.Context) error }); ok {
		return s.Clean(ctx)
	}
	return nil
}

const maxName = 512 // bytes; S3 takes 1024 with a prefix

func checkName(name string) error {
	if name == "" || len(name) > maxName {
		return fmt.Errorf("object: a name of %d bytes", len(name))
	}
	for segment := range strings.SplitSeq(name, "/") {
		if segment == "" || segment[0] == '.' || !ourCharacters(segment) {
			return fmt.Errorf("object: bad name %q", name)
		}
	}
	return nil
}

// checkPrefix takes what a name can begin with.
func checkPrefix(prefix string) error {
	if prefix == "" {
		return nil
	}
	return checkName(strings.TrimSuffix(prefix, "/"))
}

func ourCharacters(s string) bool {
	for _, c := range []byte(s) {
		if (c < '0' || c > '9') && (c < 'A' || c > 'Z') && (c < 'a' || c > 'z') && c != '_' && c != '-' && c != '.' {
			return false
		}
	}
	return true
}

// A summer counts and hashes what passes through it, until ctx is done.
type summer struct {
	ctx   context.Context
	to    io.Writer
	bytes int64
	hash  xxhash.Digest
}

func newSummer(ctx context.Context, to io.Writer) *summer {
	s := &summer{ctx: ctx, to: to}
	s.hash.Reset()
	return s
}

func (s *summer) Write(p []byte) (int, error) {
	if err := s.ctx.Err(); err != nil {
		return 0, err
	}
	n, err := s.to.Write(p)
	s.bytes += int64(n)
	_, _ = s.hash.Write(p[:n]) // it never fails
	return n, err
}

func (s *summer) info() Info { return Info{Bytes: s.bytes, Checksum: s.hash.Sum64()} }
