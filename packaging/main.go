// Command packaging makes what is released of a binary: an archive, a Debian
// package, an OCI image layout, a list of what is in the binary (SPDX), and the
// checksums of all. The same inputs give the same bytes: files have one owner
// and one time, and lists are sorted.
package main

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// A release is what the packages are made of.
type release struct {
	version string
	arch    string // as Go calls it
	epoch   time.Time
	binary  []byte
	root    string // of the repository
}

func main() {
	var r release
	var binary, out string
	var epoch int64
	flag.StringVar(&binary, "binary", "", "the static binary for this machine's architecture")
	flag.StringVar(&out, "out", "", "folder to write to")
	flag.StringVar(&r.version, "version", "0.0.0", "version, beginning with a digit")
	flag.StringVar(&r.arch, "arch", "amd64", "architecture of the binary, as GOARCH")
	flag.StringVar(&r.root, "root", "..", "the repository")
	flag.Int64Var(&epoch, "epoch", 0, "time of all files, seconds since 1970 (SOURCE_DATE_EPOCH)")
	flag.Parse()
	r.epoch = time.Unix(epoch, 0).UTC()
	var err error
	if r.binary, err = os.ReadFile(binary); err == nil {
		err = r.write(out)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "packaging:", err)
		os.Exit(1)
	}
}

// write makes everything, the checksums last.
func (r *release) write(out string) error {
	if r.version == "" || r.version[0] < '0' || r.version[0] > '9' {
		return fmt.Errorf("version %q does not begin with a digit", r.version)
	}
	if err := os.MkdirAll(out, 0o755); err != nil {
		return err
	}
	sbom, err := r.sbom()
	if err != nil {
		return err
	}
	base := "tael-sql-" + r.version + "-linux-" + r.arch
	archive, err := r.archive(base)
	if err != nil {
		return err
	}
	deb, err := r.deb()
	if err != nil {
		return err
	}
	made := map[string][]byte{
		base + ".tar.gz":    archive,
		base + ".spdx.json": sbom,
		"tael-sql_" + r.version + "_" + r.arch + ".deb": deb,
	}
	for name, content := range made {
		if err := os.WriteFile(filepath.Join(out, name), content, 0o644); err != nil {
			return err
		}
	}
	if err := r.image(filepath.Join(out, "oci")); err != nil {
		return err
	}
	return checksums(out)
}

// checksums writes SHA256SUMS over all files in a folder.
func checksums(dir string) error {
	var lines []string
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || d.Name() == "SHA256SUMS" {
			return err
		}
		content, readErr := os.ReadFile(path)
		name, relErr := filepath.Rel(dir, path)
		sum := sha256.Sum256(content)
		lines = append(lines, hex.EncodeToString(sum[:])+"  "+filepath.ToSlash(name)+"\n")
		return errors.Join(readErr, relErr)
	})
	if err != nil {
		return err
	}
	slices.SortFunc(lines, func(a, b string) int { return strings.Compare(a[66:], b[66:]) })
	return os.WriteFile(filepath.Join(dir, "SHA256SUMS"), []byte(strings.Join(lines, "")), 0o644)
}
