package main

import (
	"bytes"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// made gives the files that a release of the test's own binary consists of.
func made(t *testing.T) (string, map[string][]byte) {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	binary, err := os.ReadFile(self)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	r := &release{version: "1.2.3", arch: "amd64", epoch: time.Unix(1700000000, 0).UTC(), binary: binary, root: ".."}
	if err := r.write(dir); err != nil {
		t.Fatal(err)
	}
	files := make(map[string][]byte)
	err = filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		name, _ := filepath.Rel(dir, path) // below dir
		files[name], err = os.ReadFile(path)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return dir, files
}

// Two runs give the same bytes, and the checksums are right.
func TestReproducible(t *testing.T) {
	_, first := made(t)
	dir, second := made(t)
	if len(first) != len(second) || len(first) < 8 {
		t.Fatalf("%d and %d files", len(first), len(second))
	}
	for name, content := range first {
		if !bytes.Equal(content, second[name]) {
			t.Errorf("%s differs", name)
		}
	}
	cmd := exec.Command("sha256sum", "--check", "--quiet", "SHA256SUMS")
	cmd.Dir = dir
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("%v: %s", err, out)
	}
}

// Debian's own program reads the package.
func TestDeb(t *testing.T) {
	if _, err := exec.LookPath("dpkg-deb"); err != nil {
		t.Skip("there is no dpkg-deb")
	}
	dir, _ := made(t)
	deb := filepath.Join(dir, "tael-sql_1.2.3_amd64.deb")
	for args, want := range map[string]string{
		"--field " + deb + " Version": "1.2.3",
		"--contents " + deb:           "-rwxr-xr-x root/root",
		"--info " + deb:               "postinst",
	} {
		out, err := exec.Command("dpkg-deb", strings.Fields(args)...).CombinedOutput()
		if err != nil || !strings.Contains(string(out), want) {
			t.Errorf("dpkg-deb %s: %v\n%s", args, err, out)
		}
	}
	out, err := exec.Command("dpkg-deb", "--extract", deb, filepath.Join(dir, "root")).CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	for _, name := range []string{"usr/bin/tael-sql", "etc/tael-sql/tael-sql.yaml", "lib/systemd/system/tael-sql.service"} {
		if _, err := os.Stat(filepath.Join(dir, "root", name)); err != nil {
			t.Error(err)
		}
	}
}
