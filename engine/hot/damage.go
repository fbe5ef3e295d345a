package hot

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"

	"github.com/cockroachdb/errors/oserror"
	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"
)

// A damage is an ErrCorrupt that says where it is.
type damage struct {
	file   string // within the data folder; "" if nobody knows
	offset int64  // in the file; -1: the file as a whole
	err    error
}

// Error gives one line, where Pebble's errors may have more.
func (d *damage) Error() string {
	text, _, _ := strings.Cut(d.err.Error(), "\n")
	switch {
	case d.file == "":
		return fmt.Sprintf("%v: %s", ErrCorrupt, text)
	case d.offset < 0:
		return fmt.Sprintf("%v: %s: %s", ErrCorrupt, d.file, text)
	}
	return fmt.Sprintf("%v: %s at %d: %s", ErrCorrupt, d.file, d.offset, text)
}

// Is makes the error an ErrCorrupt.
func (d *damage) Is(target error) bool { return target == ErrCorrupt }

// Unwrap gives Pebble's error.
func (d *damage) Unwrap() error { return d.err }

// What Pebble's errors say of the place.
var (
	blockPlace = regexp.MustCompile(`block (\d+)/\d+: `)
	tablePlace = regexp.MustCompile(`(?:file|table) (\d{6,})|(\d{6,})\.sst`)
)

// classify makes damage of the store's files an ErrCorrupt with its place.
func (s *Store) classify(err error) error {
	if err == nil || !pebble.IsCorruptionError(err) || errors.Is(err, ErrCorrupt) {
		return err
	}
	return s.damaged(err)
}

func (s *Store) damaged(err error) error {
	d := &damage{offset: -1, err: err}
	text := err.Error()
	if info := pebble.ExtractDataCorruptionInfo(err); info != nil {
		d.file = s.short(info.Path)
	} else if m := tablePlace.FindStringSubmatch(text); m != nil {
		d.file = s.short(m[1] + m[2] + ".sst")
	}
	if m := blockPlace.FindStringSubmatch(text); m != nil {
		d.offset, _ = strconv.ParseInt(m[1], 10, 64) // the pattern has digits
	}
	return d
}

// damagedOpening says what keeps the store from opening. A manifest that cannot
// be read to its end gives Pebble an older state, whose tables it misses then.
func (s *Store) damagedOpening(err error) error {
	if s.cut != nil {
		return &damage{file: s.cut.file, offset: s.cut.offset, err: fmt.Errorf("%w: %w", s.cut.err, err)}
	}
	for _, text := range optionErrors {
		if strings.Contains(err.Error(), text) {
			return &damage{file: s.options, offset: -1, err: err}
		}
	}
	if _, ok := errors.AsType[*strconv.NumError](err); ok {
		return &damage{file: s.options, offset: -1, err: err}
	}
	if _, ok := errors.AsType[pebble.ErrMissingWALRecoveryDir](err); ok { // its options name a folder, which ours never do
		return &damage{file: s.options, offset: -1, err: err}
	}
	return s.damaged(err)
}

// optionErrors are of the file of options, which has no checksum.
var optionErrors = []string{"invalid key=value syntax", "name from file", "pebble: unknown option", "pebble: unknown section"}

// damagesOpening reports whether an error of pebble.Open is about files that are
// missing, cut or changed, which Pebble does not always mark as corruption.
func damagesOpening(err error) bool {
	if _, ok := errors.AsType[*strconv.NumError](err); ok || pebble.IsCorruptionError(err) || oserror.IsNotExist(err) {
		return true
	}
	if _, ok := errors.AsType[pebble.ErrMissingWALRecoveryDir](err); ok {
		return true
	}
	for _, text := range append([]string{"object size mismatch"}, optionErrors...) {
		if strings.Contains(err.Error(), text) {
			return true
		}
	}
	return false
}

// Cut gives the place from which Pebble's manifest could not be read when the
// store was opened, nil if it was read whole. What was last written to it before
// a crash looks so; then nobody was told of it. Damage there looks so, too: the
// store is as it was before.
func (s *Store) Cut() error {
	if s.cut == nil {
		return nil
	}
	return s.cut
}

// findCut notes where Pebble's manifest ends before its file does. It is damage
// for sure if a later record is there: each is synced before the next is written.
// Pebble would take the older state for the newest.
func (s *Store) findCut(fs vfs.FS) error {
	desc, err := pebble.Peek(s.dir, fs)
	if err != nil || !desc.Exists {
		return nil // Open says why
	}
	s.options = s.short(desc.OptionsFilename)
	f, err := fs.Open(desc.ManifestFilename)
	if err != nil {
		return nil
	}
	raw, err := io.ReadAll(f)
	if err = errors.Join(err, f.Close()); err != nil {
		return fmt.Errorf("read %s: %w", desc.ManifestFilename, err)
	}
	end := 0
	for {
		kind, next := readChunk(raw, end)
		if kind == 0 {
			break
		}
		end = next
	}
	if strings.Trim(string(raw[end:]), "\x00") == "" {
		return nil
	}
	s.cut = &damage{file: s.short(desc.ManifestFilename), offset: int64(end), err: errors.New("the manifest cannot be read from here on")}
	for at := end + 1; at < len(raw); at++ {
		if kind, _ := readChunk(raw, at); kind == chunkFull || kind == chunkFirst {
			return s.cut
		}
	}
	return nil
}

// A chunk of a record in a manifest, within a block of chunkBlock bytes:
// CRC-32C uint32, masked, of what follows the length · length uint16 · kind
// uint8 · payload. Less than a header at the end of a block is left out.
const (
	chunkBlock  = 32 << 10
	chunkHeader = 7

	chunkFull  = 1
	chunkFirst = 2
	chunkLast  = 4
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// readChunk gives the kind of a chunk and where the next one is; 0 if there is
// none.
func readChunk(raw []byte, at int) (kind byte, next int) {
	if left := chunkBlock - at%chunkBlock; left < chunkHeader {
		at += left
	}
	if at+chunkHeader > len(raw) {
		return 0, 0
	}
	end := at + chunkHeader + int(binary.LittleEndian.Uint16(raw[at+4:]))
	if kind = raw[at+6]; kind == 0 || kind > chunkLast || end > len(raw) || end > at-at%chunkBlock+chunkBlock {
		return 0, 0
	}
	sum := crc32.Checksum(raw[at+6:end], castagnoli)
	if binary.LittleEndian.Uint32(raw[at:]) != (sum>>15|sum<<17)+0xa282ead8 {
		return 0, 0
	}
	return kind, end
}

// short gives the name of a file of the store within the data folder.
func (s *Store) short(path string) string {
	return filepath.Base(s.dir) + "/" + filepath.Base(path)
}
