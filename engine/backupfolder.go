package engine

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// Errors of backups that callers test for.
var (
	ErrNotEmpty      = errors.New("engine: the folder is not empty")
	ErrBackupDamaged = errors.New("engine: not a sound backup")
	ErrBackupRuns    = errors.New("engine: a backup is running already")
)

// A Backup is what BACKUP.json says of the folder that it is in:
//
//	BACKUP.json
//	hot/     the hot store at one LSN
//	blobs/   texts outside the rows
//	cold/    parts
//
// It has no WAL: a restored store goes on with the record behind LSN.
type Backup struct {
	Version int          `json:"version"`
	Format  uint32       `json:"format"` // of the data folder
	LSN     uint64       `json:"lsn"`    // every record up to it is in the backup, and no other
	Taken   time.Time    `json:"taken"`
	Tables  []RowHash    `json:"tables"`
	Files   []BackupFile `json:"files"` // by name
	// Parts are those that are not in the backup: they must be in the object
	// store of the restored gateway.
	Parts []BackupPart `json:"parts,omitempty"`
	Sum   string       `json:"sum"` // SHA-256 of this file with an empty sum
}

// A BackupFile is a file of a backup.
type BackupFile struct {
	Name   string `json:"name"` // with slashes
	Bytes  int64  `json:"bytes"`
	SHA256 string `json:"sha256"`
}

// A BackupPart is a part that a backup leaves in its object store.
type BackupPart struct {
	Name   string `json:"name"`
	Bytes  int64  `json:"bytes"`
	XXHash string `json:"xxhash64"`
}

const (
	backupFile    = "BACKUP.json"
	backupVersion = 1
	// incompleteFile is in a folder that is still being written, locked by who
	// writes it. Such a folder has a name of its own too.
	incompleteFile   = "INCOMPLETE"
	incompleteSuffix = ".tmp"
)

// Bytes is the size of the files.
func (b *Backup) Bytes() int64 {
	total := int64(0)
	for _, f := range b.Files {
		total += f.Bytes
	}
	return total
}

// encode gives BACKUP.json.
func (b *Backup) encode() ([]byte, error) {
	b.Sum = ""
	raw, err := json.MarshalIndent(b, "", "  ")
	if err != nil {
		return nil, err
	}
	b.Sum = hex.EncodeToString(sha256Of(raw))
	raw, err = json.MarshalIndent(b, "", "  ")
	return append(raw, '\n'), err
}

func sha256Of(raw []byte) []byte {
	h := sha256.Sum256(raw)
	return h[:]
}

// ReadBackup reads what BACKUP.json says, and nothing else of the folder.
func ReadBackup(fs vfs.FS, dir string) (*Backup, error) {
	if _, err := fs.Stat(fs.PathJoin(dir, incompleteFile)); err == nil {
		return nil, fmt.Errorf("%w: %s was never finished", ErrBackupDamaged, dir)
	}
	path := fs.PathJoin(dir, backupFile)
	raw, err := readFile(fs, path)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrBackupDamaged, err)
	}
	b := &Backup{}
	if err := json.Unmarshal(raw, b); err != nil {
		return nil, fmt.Errorf("%w: %s: %w", ErrBackupDamaged, path, err)
	}
	if b.Version != backupVersion {
		return nil, fmt.Errorf("%w: %s has version %d; this program knows %d", ErrBackupDamaged, path, b.Version, backupVersion)
	}
	sum := b.Sum
	if _, err := b.encode(); err != nil || b.Sum != sum {
		return nil, fmt.Errorf("%w: %s has been changed", ErrBackupDamaged, path)
	}
	return b, nil
}

func readFile(fs vfs.FS, path string) (raw []byte, err error) {
	f, err := fs.Open(path)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	return io.ReadAll(f)
}

// A newFolder is a folder that has its name only when it is whole.
type newFolder struct {
	fs   vfs.FS
	dir  string
	tmp  string // what it is called until then
	lock io.Closer
}

// beginFolder refuses a folder that has anything in it, and clears away what a
// killed attempt left.
func beginFolder(fs vfs.FS, dir string) (*newFolder, error) {
	dir = fs.PathJoin(dir) // without a slash at the end
	if names, err := fs.List(dir); err == nil && len(names) > 0 {
		return nil, fmt.Errorf("%w: %s", ErrNotEmpty, dir)
	}
	n := &newFolder{fs: fs, dir: dir, tmp: dir + incompleteSuffix}
	marker := fs.PathJoin(n.tmp, incompleteFile)
	if names, err := fs.List(n.tmp); err == nil && len(names) > 0 && !slices.Contains(names, incompleteFile) {
		return nil, fmt.Errorf("%w: %s", ErrNotEmpty, n.tmp)
	}
	if err := makeFolder(fs, n.tmp); err != nil {
		return nil, fmt.Errorf("create %s: %w", n.tmp, err)
	}
	var err error
	if n.lock, err = fs.Lock(marker); err != nil {
		return nil, fmt.Errorf("%w: %s is being written: %w", ErrLocked, n.tmp, err)
	}
	names, err := fs.List(n.tmp)
	for _, name := range names {
		if err == nil && name != incompleteFile {
			err = fs.RemoveAll(fs.PathJoin(n.tmp, name))
		}
	}
	if err != nil {
		return nil, errors.Join(err, n.lock.Close())
	}
	return n, nil
}

// abandon removes the folder.
func (n *newFolder) abandon() error {
	return errors.Join(n.lock.Close(), n.fs.RemoveAll(n.tmp))
}

// finish gives the folder its name, durably.
func (n *newFolder) finish() error {
	if err := errors.Join(n.lock.Close(), n.fs.Remove(n.fs.PathJoin(n.tmp, incompleteFile)), syncFolder(n.fs, n.tmp)); err != nil {
		return err
	}
	if _, err := n.fs.Stat(n.dir); err == nil {
		if err := n.fs.Remove(n.dir); err != nil { // it is empty
			return err
		}
	}
	if err := n.fs.Rename(n.tmp, n.dir); err != nil {
		return err
	}
	return syncFolder(n.fs, n.fs.PathDir(n.dir))
}

// copyFile copies a file under a name with slashes into the folder, synced, and
// says what it was. The folder's names are not synced yet.
func (n *newFolder) copyFile(ctx context.Context, from, name string) (BackupFile, error) {
	src, err := n.fs.Open(from)
	if err != nil {
		return BackupFile{}, err
	}
	f, err := n.write(ctx, name, src)
	return f, errors.Join(err, src.Close())
}

func (n *newFolder) write(ctx context.Context, name string, src io.Reader) (out BackupFile, err error) {
	path := n.fs.PathJoin(append([]string{n.tmp}, strings.Split(name, "/")...)...)
	if err := n.fs.MkdirAll(n.fs.PathDir(path), 0o755); err != nil {
		return out, err
	}
	dst, err := n.fs.Create(path, vfs.WriteCategoryUnspecified)
	if err != nil {
		return out, err
	}
	defer func() {
		if closeErr := dst.Close(); err == nil {
			err = closeErr
		}
	}()
	if out.Bytes, out.SHA256, err = hashFile(ctx, src, dst); err != nil {
		return out, err
	}
	out.Name = name
	return out, dst.Sync()
}

// hashFile reads to the end, copies what it reads, and gives the size and the
// SHA-256 in hex.
func hashFile(ctx context.Context, src io.Reader, dst io.Writer) (n int64, sum string, err error) {
	hash, buf := sha256.New(), make([]byte, 1<<20)
	for {
		if err := ctx.Err(); err != nil {
			return n, "", err
		}
		k, err := src.Read(buf)
		_, _ = hash.Write(buf[:k]) // never fails; first, since a vfs.File may change what it writes
		n += int64(k)
		if _, err := dst.Write(buf[:k]); err != nil {
			return n, "", err
		}
		switch {
		case errors.Is(err, io.EOF):
			return n, hex.EncodeToString(hash.Sum(nil)), nil
		case err != nil:
			return n, "", err
		}
	}
}

// syncFolders makes the names in the folder and in all below it durable.
func syncFolders(fs vfs.FS, dir string) error {
	names, err := fs.List(dir)
	if err != nil {
		return err
	}
	for _, name := range names {
		path := fs.PathJoin(dir, name)
		if stat, err := fs.Stat(path); err != nil {
			return err
		} else if !stat.IsDir() {
			continue
		}
		if err := syncFolders(fs, path); err != nil {
			return err
		}
	}
	return syncFolder(fs, dir)
}

// A storedFile is a file of a data folder, with its name in a backup.
type storedFile struct {
	path, name string
	bytes      int64
}

// filesBelow lists the files in a folder, which may be missing.
func filesBelow(fs vfs.FS, dir, name string) ([]storedFile, error) {
	if _, err := fs.Stat(dir); err != nil {
		return nil, nil
	}
	names, err := fs.List(dir)
	if err != nil {
		return nil, fmt.Errorf("list %s: %w", dir, err)
	}
	slices.Sort(names)
	var out []storedFile
	for _, base := range names {
		path := fs.PathJoin(dir, base)
		stat, err := fs.Stat(path)
		if err != nil {
			return nil, err
		}
		if stat.IsDir() {
			below, err := filesBelow(fs, path, name+"/"+base)
			if err != nil {
				return nil, err
			}
			out = append(out, below...)
			continue
		}
		out = append(out, storedFile{path, name + "/" + base, stat.Size()})
	}
	return out, nil
}
