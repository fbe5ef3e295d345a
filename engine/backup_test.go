package engine

import (
	"context"
	"errors"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"

	"github.com/tael-sql/tael-sql/engine/object"
	"github.com/tael-sql/tael-sql/wal/record"
)

func backupOptions(fs vfs.FS) Options {
	o := testOptions(fs)
	o.Keyed = []KeyedSpec{{ID: testKeyed, Name: "keyed"}}
	o.MaxMemtableRows, o.ChunkRows = 40, 64
	return o
}

// randomStep is randomWrite, and a compaction now and then.
func randomStep(t testing.TB, db *DB, rng *rand.Rand, m *model, step int) {
	t.Helper()
	if rng.IntN(25) == 0 {
		if _, err := db.Compact(context.Background(), minuteNanos(rng.IntN(arrivalMinute))); err != nil {
			t.Fatalf("compact: %v", err)
		}
	}
	randomWrite(t, db, rng, m, step)
}

// randomWrite appends a request or commits a write set, and tells the model.
func randomWrite(t testing.TB, db *DB, rng *rand.Rand, m *model, step int) {
	t.Helper()
	kind := []record.Type{record.Traces, record.Traces, record.Logs, record.WriteSet}[rng.IntN(4)]
	body := ""
	if kind == record.WriteSet {
		body = randomWriteSet(rng, "w", step)
		mustCommit(t, db, body)
	} else {
		body = randomBody(rng, kind, "w", step)
		mustAppend(t, db, kind, body)
	}
	m.apply(kind, body)
}

// TestBackup takes backups while rows come and replace each other. Each holds
// what was acknowledged up to its LSN and nothing of what came later, and goes
// on from there.
func TestBackup(t *testing.T) {
	seed := newSeed(t)
	for round := range 12 {
		rng := rand.New(rand.NewPCG(seed, uint64(round)))
		o := backupOptions(vfs.NewMem())
		db := mustOpen(t, o)
		m := &model{keyed: map[string]string{}}
		at := []*model{m.clone()} // by LSN
		write := func(step int) {
			randomStep(t, db, rng, m, step)
			at = append(at, m.clone())
		}
		for step := range 60 + rng.IntN(60) {
			write(step)
		}
		var b *Backup
		var done atomic.Bool
		var err error
		var wg sync.WaitGroup
		wg.Go(func() {
			defer done.Store(true)
			b, err = db.Backup(context.Background(), "backup", false)
		})
		for step := 200; !done.Load(); step++ {
			write(step)
		}
		wg.Wait()
		if err != nil {
			t.Fatalf("round %d: %v", round, err)
		}
		if err := db.Close(); err != nil {
			t.Fatal(err)
		}
		checkFolder(t, o.FS, "db")

		restored, err := Restore(context.Background(), "backup", "restored", o)
		if err != nil {
			t.Fatalf("round %d: restore: %v", round, err)
		}
		if restored.LSN != b.LSN || !slices.Equal(restored.Tables, b.Tables) {
			t.Fatalf("round %d: restored %+v, backed up %+v", round, restored, b)
		}
		if db, err = Open("restored", o); err != nil {
			t.Fatalf("round %d: open: %v", round, err)
		}
		m = at[b.LSN]
		v := db.View()
		if err := compareWithModel(rng, v, m); err != nil || v.lsn != b.LSN {
			t.Fatalf("round %d: restored at %d of %d: %v", round, v.lsn, b.LSN, err)
		}
		v.Release()
		for step := range 30 {
			randomStep(t, db, rng, m, 1000+step)
		}
		if err := db.shutdown(rng.IntN(2) == 0); err != nil {
			t.Fatal(err)
		}
		if db, err = Open("restored", o); err != nil {
			t.Fatalf("round %d: open again: %v", round, err)
		}
		v = db.View()
		if err := compareWithModel(rng, v, m); err != nil {
			t.Fatalf("round %d: written after the restore: %v", round, err)
		}
		v.Release()
		if err := db.Close(); err != nil {
			t.Fatal(err)
		}
		checkFolder(t, o.FS, "restored")
		if t.Failed() {
			t.FailNow()
		}
	}
}

// TestBackupOfBucket: parts that are in an object store stay there, or come along
// and are put where the restored store has its own.
func TestBackupOfBucket(t *testing.T) {
	rng := rand.New(rand.NewPCG(newSeed(t), 3))
	mem := vfs.NewMem()
	o := backupOptions(mem)
	o.Cold = object.NewFolder(mem, "bucket")
	db := mustOpen(t, o)
	m := &model{keyed: map[string]string{}}
	for step := range 60 {
		randomWrite(t, db, rng, m, step)
	}
	mustCheckpoint(t, db)
	if _, err := db.Compact(context.Background(), minuteNanos(2*arrivalMinute)); err != nil {
		t.Fatal(err)
	}
	for name, withCold := range map[string]bool{"named": false, "whole": true} {
		b, err := db.Backup(context.Background(), name, withCold)
		if err != nil || (len(b.Parts) == 0) != withCold {
			t.Fatalf("%s: %+v, %v", name, b, err)
		}
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	restore := func(from, dir string, o Options) error {
		if _, err := Restore(context.Background(), from, dir, o); err != nil {
			return err
		}
		db, err := Open(dir, o)
		if err != nil {
			t.Fatal(err)
		}
		v := db.View()
		if err := compareWithModel(rng, v, m); err != nil {
			t.Errorf("%s: %v", dir, err)
		}
		v.Release()
		return db.Close()
	}
	if err := restore("named", "same bucket", o); err != nil {
		t.Error(err)
	}
	other, local := o, o
	other.Cold, local.Cold = object.NewFolder(mem, "other"), nil
	if err := restore("whole", "other bucket", other); err != nil {
		t.Error(err)
	}
	if err := restore("whole", "no bucket", local); err != nil {
		t.Error(err)
	}
	if err := restore("named", "without", local); err == nil || !strings.Contains(err.Error(), "set cold.url") {
		t.Errorf("without the parts: %v", err)
	}
	empty := o
	empty.Cold = object.NewFolder(mem, "empty")
	if err := restore("named", "empty bucket", empty); !errors.Is(err, ErrBackupDamaged) || !strings.Contains(err.Error(), "is missing") {
		t.Errorf("with a store that lacks the parts: %v", err)
	}
}

// TestRowHash: the hash is that of the rows, in whatever order they came, and
// of nothing else.
func TestRowHash(t *testing.T) {
	hashes := func(checkpoint bool, bodies ...string) []RowHash {
		o := backupOptions(vfs.NewMem())
		db := mustOpenChecked(t, o)
		for _, body := range bodies {
			if body[0] == '=' || body[0] == '-' {
				mustCommit(t, db, body)
			} else {
				mustAppend(t, db, map[bool]record.Type{true: record.Traces, false: record.Logs}[body[0] > '9'], body)
			}
		}
		if checkpoint {
			mustCheckpoint(t, db)
		}
		v := db.View()
		defer v.Release()
		h, err := v.RowHashes(context.Background())
		if err != nil {
			t.Fatal(err)
		}
		return h
	}
	long := "590 " + strings.Repeat("x", 200) + "\n"
	base := hashes(false, "a 1 590 get 1\nb 2 591 put 2\n", long, "= k v\n")
	for name, same := range map[string][]RowHash{
		"another order":  hashes(false, "= k v\n", long, "b 2 591 put 2\n", "a 1 590 get 1\n"),
		"in blocks":      hashes(true, "a 1 590 get 1\nb 2 591 put 2\n", long, "= k v\n"),
		"after versions": hashes(true, "a 1 589 get 9\n", "a 1 590 get 1\nb 2 591 put 2\n", long, "= k w\n", "= k v\n", "= l v\n", "- l\n"),
	} {
		if !slices.Equal(base, same) {
			t.Errorf("%s: %v, want %v", name, same, base)
		}
	}
	for table, other := range [][]RowHash{
		hashes(false, "a 1 590 get 2\nb 2 591 put 1\n", long, "= k v\n"),
		hashes(false, "a 1 590 get 1\nb 2 591 put 2\n", strings.Replace(long, "xx", "xy", 1), "= k v\n"),
		hashes(false, "a 1 590 get 1\nb 2 591 put 2\n", long, "= k w\n"),
	} {
		for i := range base {
			if (base[i] == other[i]) != (i != table) {
				t.Errorf("%s changed, and %s: %v, %v", base[table].Table, base[i].Table, base[i], other[i])
			}
		}
	}
}

// TestRestoreRefuses damages each file of a backup in each way.
func TestRestoreRefuses(t *testing.T) {
	rng := rand.New(rand.NewPCG(newSeed(t), 1))
	mem := vfs.NewMem()
	o := backupOptions(mem)
	db := mustOpenChecked(t, o)
	m := &model{keyed: map[string]string{}}
	for step := range 80 {
		randomStep(t, db, rng, m, step)
	}
	b, err := db.Backup(context.Background(), "backup", false)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := db.Backup(context.Background(), "backup", false); !errors.Is(err, ErrNotEmpty) {
		t.Fatalf("a second backup into the folder: %v", err)
	}
	names := []string{backupFile}
	for _, f := range b.Files {
		names = append(names, f.Name)
	}
	if len(names) < 6 {
		t.Fatalf("only %q", names)
	}
	for _, name := range names {
		path := mem.PathJoin("backup", name)
		raw, err := readFile(mem, path)
		if err != nil {
			t.Fatal(err)
		}
		write := func(raw []byte) {
			f, err := mem.Create(path, vfs.WriteCategoryUnspecified)
			if err == nil {
				_, err = f.Write(slices.Clone(raw)) // a vfs.File may change what it writes
			}
			if err = errors.Join(err, f.Close()); err != nil {
				t.Fatal(err)
			}
		}
		damages := map[string]func(){
			"grown": func() { write(append(slices.Clone(raw), 'x')) },
			"missing": func() {
				if err := mem.Remove(path); err != nil {
					t.Fatal(err)
				}
			},
		}
		if len(raw) > 1 { // Pebble's markers are empty
			damages["truncated"] = func() { write(raw[:len(raw)/2]) }
			damages["a flipped bit"] = func() {
				bad := slices.Clone(raw)
				bad[rng.IntN(len(bad)-1)] ^= 1 << rng.IntN(8) // the last byte of BACKUP.json is a line feed
				write(bad)
			}
		}
		for damage, damaged := range damages {
			damaged()
			_, err := Restore(context.Background(), "backup", "restored", o)
			if !errors.Is(err, ErrBackupDamaged) || !strings.Contains(err.Error(), path) {
				t.Errorf("%s %s: %v", name, damage, err)
			}
			write(raw)
		}
	}
	for _, left := range []string{"restored", "restored.tmp"} {
		if _, err := mem.Stat(left); err == nil {
			t.Errorf("%s was left", left)
		}
	}
	if _, err := Restore(context.Background(), "backup", "backup", o); !errors.Is(err, ErrNotEmpty) {
		t.Errorf("over a folder with files: %v", err)
	}
	if _, err := Restore(context.Background(), "backup", "restored", o); err != nil {
		t.Errorf("the sound backup: %v", err)
	}
}

// TestBackupKilled stops the file system at every so many operations of a
// backup: what is there then has not the backup's name, or is whole.
func TestBackupKilled(t *testing.T) {
	seed := newSeed(t)
	rng := rand.New(rand.NewPCG(seed, 2))
	mem := vfs.NewCrashableMem()
	var clones []*vfs.MemFS
	var running atomic.Bool
	var mu sync.Mutex
	n := 0
	o := backupOptions(errorfs.Wrap(mem, errorfs.InjectorFunc(func(op errorfs.Op) error {
		mu.Lock()
		defer mu.Unlock()
		if op.Kind.ReadOrWrite() == errorfs.OpIsWrite && running.Load() {
			if n++; n%4 == 0 {
				clones = append(clones, mem.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: rng.IntN(3) * 50, RNG: rng}))
			}
		}
		return nil
	})))
	db := mustOpen(t, o)
	m := &model{keyed: map[string]string{}}
	for step := range 80 {
		randomStep(t, db, rng, m, step)
	}
	running.Store(true)
	if _, err := db.Backup(context.Background(), "backup", false); err != nil {
		t.Fatal(err)
	}
	running.Store(false)
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	clones = append(clones, mem.CrashClone(vfs.CrashCloneCfg{}))
	whole := 0
	for i, fs := range clones {
		o := o
		o.FS = fs
		_, err := Restore(context.Background(), "backup", "restored", o)
		switch {
		case err == nil:
			whole++
		case !errors.Is(err, ErrBackupDamaged):
			t.Errorf("clone %d: %v", i, err)
		}
		_, unfinished := fs.Stat(fs.PathJoin("backup"+incompleteSuffix, incompleteFile))
		if _, err := Restore(context.Background(), "backup"+incompleteSuffix, "half", o); err == nil && unfinished == nil {
			t.Errorf("clone %d: an unfinished folder was taken for a backup", i)
		}
		db := mustOpen(t, o) // with what the backup left in it
		if _, err := db.Backup(context.Background(), "backup", false); err != nil && !errors.Is(err, ErrNotEmpty) {
			t.Errorf("clone %d: the next backup: %v", i, err)
		}
		if err := db.Close(); err != nil {
			t.Fatal(err)
		}
		checkFolder(t, fs, "db")
	}
	if whole == 0 || whole == len(clones) {
		t.Fatalf("%d of %d clones have the backup", whole, len(clones))
	}
	t.Logf("%d of %d clones have the backup", whole, len(clones))
}
