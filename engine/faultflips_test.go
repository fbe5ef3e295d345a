package engine

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"maps"
	"math"
	"math/rand/v2"
	"os"
	"regexp"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// files is what a folder holds, by path.
type files map[string][]byte

func readTree(fs vfs.FS, dir string, into files) error {
	names, err := fs.List(dir)
	if err != nil {
		return err
	}
	for _, name := range names {
		path := fs.PathJoin(dir, name)
		stat, err := fs.Stat(path)
		if err == nil && stat.IsDir() {
			err = readTree(fs, path, into)
		} else if err == nil {
			var f vfs.File
			if f, err = fs.Open(path); err == nil {
				into[path], err = io.ReadAll(f)
				err = errors.Join(err, f.Close())
			}
		}
		if err != nil && !errors.Is(err, os.ErrNotExist) {
			return err
		}
	}
	return nil
}

// tree makes a file system of files.
func (f files) tree() (vfs.FS, error) {
	fs := vfs.NewMem()
	for path, b := range f {
		if err := fs.MkdirAll(fs.PathDir(path), 0o755); err != nil {
			return nil, err
		}
		file, err := fs.Create(path, vfs.WriteCategoryUnspecified)
		if err == nil {
			_, err = file.Write(slices.Clone(b)) // a vfs.File may change what it writes
			err = errors.Join(err, file.Close())
		}
		if err != nil {
			return nil, err
		}
	}
	return fs, nil
}

// A flip is files with one bit inverted.
type flip struct {
	files
	path string
	at   int
}

// flip inverts one bit of one file of those that a test takes, each kind of
// file as often as the others.
func (f files) flip(rng *rand.Rand, take func(path string) bool) flip {
	kinds := make(map[string][]string)
	for _, path := range slices.Sorted(maps.Keys(f)) {
		if len(f[path]) > 0 && take(path) {
			dir, rest, _ := strings.Cut(strings.TrimPrefix(path, "db/"), "/")
			kind := dir + "/" + strings.TrimLeft(rest[max(0, strings.LastIndexByte(rest, '.')):], "0123456789-")
			kinds[kind] = append(kinds[kind], path)
		}
	}
	names := slices.Sorted(maps.Keys(kinds))
	paths := kinds[names[rng.IntN(len(names))]]
	path := paths[rng.IntN(len(paths))]
	at := rng.IntN(len(f[path]))
	damaged := maps.Clone(f)
	damaged[path] = slices.Clone(f[path])
	damaged[path][at] ^= 1 << rng.IntN(8)
	return flip{damaged, path, at}
}

// flipsOfState is how many flips one state gets before the next is made,
// flipsAtOnce how many are tried before anything else is asked.
const (
	flipsOfState = 1000
	flipsAtOnce  = 20
)

// flips tries some flips in parallel.
func (f files) flips(rng *rand.Rand, take func(path string) bool, try func(i int, damaged flip) error) error {
	damaged := make([]flip, flipsAtOnce)
	for i := range damaged {
		damaged[i] = f.flip(rng, take)
	}
	return inParallel(flipsAtOnce, runtime.GOMAXPROCS(0), func(i int) error {
		if err := try(i, damaged[i]); err != nil {
			return fmt.Errorf("flip in %s at %d: %w", damaged[i].path, damaged[i].at, err)
		}
		return nil
	})
}

// flipFlushed flips bits where everything is flushed: a start, or a statement,
// fails and says what is damaged, or the rows are right.
func flipFlushed(seed uint64, b plantedBug, stop func(int) bool) (tally, error) {
	var n tally
	var refused, failed, harmless int
	for number := uint64(0); !stop(n.points); number++ {
		rng := rand.New(rand.NewPCG(seed, number))
		f, m, err := stateToFlip(rng, 60, true)
		if err != nil {
			return n, err
		}
		for done := 0; done < flipsOfState && !stop(n.points); done += flipsAtOnce {
			outcomes := make([]flipOutcome, flipsAtOnce)
			err := f.flips(rng, func(path string) bool { return !strings.HasSuffix(path, "/LOCK") }, func(i int, damaged flip) (err error) {
				outcomes[i], err = openDamaged(damaged, b, m.rows)
				return err
			})
			n.points += flipsAtOnce
			if err != nil {
				return n, fmt.Errorf("state %d, %w", number, err)
			}
			for _, outcome := range outcomes {
				switch outcome {
				case startRefused:
					refused++
				case statementFailed:
					failed++
				default:
					harmless++
				}
			}
			n.apart = fmt.Sprintf("%s starts refused, %s with a statement refused, %s harmless", thousands(refused), thousands(failed), thousands(harmless))
		}
	}
	return n, nil
}

// flipUnflushed flips bits of the WAL where nothing else has the rows. What a
// watermark on the disk covers is never silently lost; what it does not cover
// yet, the last request, looks like a write that never ended.
func flipUnflushed(seed uint64, b plantedBug, stop func(int) bool) (tally, error) {
	var n tally
	beyond := 0
	for number := uint64(0); !stop(n.points); number++ {
		rng := rand.New(rand.NewPCG(seed, number))
		f, m, err := stateToFlip(rng, 25, false)
		if err != nil {
			return n, err
		}
		for done := 0; done < flipsOfState && !stop(n.points); done += flipsAtOnce {
			var cut atomic.Int64
			err := f.flips(rng, func(path string) bool { return strings.HasPrefix(path, "db/wal/") }, func(_ int, damaged flip) error {
				outcome, err := openDamaged(damaged, b, m.rows)
				if err == nil || outcome == startRefused {
					return err
				}
				if _, last := openDamaged(damaged, b, m.before.rows); last != nil {
					return err
				}
				cut.Add(1)
				return nil
			})
			n.points += flipsAtOnce
			if err != nil {
				return n, fmt.Errorf("state %d, %w", number, err)
			}
			beyond += int(cut.Load())
			n.apart = thousands(beyond) + " cut the request beyond the watermark"
		}
	}
	return n, nil
}

// A flipModel is the rows of a state, and those without its last request.
type flipModel struct {
	*model
	before *model
}

// stateToFlip makes a folder that has parts, blocks, vectors and texts outside
// the rows.
func stateToFlip(rng *rand.Rand, steps int, flushed bool) (files, flipModel, error) {
	fs := vfs.NewMem()
	o := testOptions(fs)
	db, err := Open("db", o)
	if err != nil {
		return nil, flipModel{}, err
	}
	m := flipModel{model: &model{keyed: map[string]string{}}}
	for step := range steps {
		m.before = m.clone()
		if q := someRequest(rng, step); q.send(db) == nil {
			m.apply(q.kind, q.body)
		}
		if flushed && step == steps/2 {
			err = errors.Join(err, db.Checkpoint(bg))
			_, compactErr := db.Compact(bg, math.MaxInt64)
			err = errors.Join(err, compactErr)
		}
	}
	if err = errors.Join(err, db.shutdown(flushed)); err != nil {
		return nil, m, err
	}
	f := make(files)
	return f, m, readTree(fs, "db", f)
}

type flipOutcome int

const (
	harmless flipOutcome = iota
	statementFailed
	startRefused
)

// openDamaged opens a damaged folder and reads every table. Rows that are not
// those of the model are an error, as is a refusal that does not say what is
// damaged.
func openDamaged(f flip, b plantedBug, want func(table string, keep func(modelSpan) bool) []string) (flipOutcome, error) {
	fs, err := f.tree()
	if err != nil {
		return harmless, err
	}
	o := testOptions(fs)
	o.faults = b.faults
	db, err := Open("db", o)
	if err != nil {
		return startRefused, namesDamage(f, err)
	}
	outcome := harmless
	v := db.View()
	var wrong error
	for _, table := range []string{"spans", "logs", "keyed"} {
		got, err := keyedText(v, nil, nil)
		if table != "keyed" {
			got, _, err = scanText(v, ScanRequest{Table: table}, false)
		}
		rows := want(table, nil)
		if err != nil {
			outcome = statementFailed
			wrong = cmp.Or(wrong, namesDamage(f, err))
		} else if !slices.Equal(got, rows) {
			wrong = cmp.Or(wrong, error(newMismatch("silently, in "+table, got, rows, rows)))
		}
	}
	v.Release()
	_ = db.shutdown(false) // damage may be met here too
	return outcome, wrong
}

// namesDamage holds an error against the rule that damage is named by its file
// and by its place: the offset of what has the checksum that is wrong, at most
// so many bytes before the bit. Of what is verified as a whole the file is enough.
func namesDamage(f flip, err error) error {
	const nearBytes = 128 << 10
	text := err.Error()
	named := strings.Contains(text, f.path[strings.LastIndexByte(f.path, '/')+1:])
	near := strings.HasPrefix(f.path, "db/blobs/") || strings.HasPrefix(f.path, "db/hot/OPTIONS-") || strings.Contains(text, "invalid table") // its footer
	for _, m := range offsetSaid.FindAllStringSubmatch(text, -1) {
		at, err := strconv.Atoi(m[1])
		near = near || err == nil && at <= f.at && f.at-at < nearBytes
	}
	if !errors.Is(err, ErrCorrupt) || !named || !near || strings.Contains(text, "\n") {
		return fmt.Errorf("an error that does not say what is damaged: %w", err)
	}
	return nil
}

var offsetSaid = regexp.MustCompile(`\b(?:at|offset) ([0-9]+)\b`)
