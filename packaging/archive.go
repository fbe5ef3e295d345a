package main

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
)

// A file is one of an archive. Its folders are made for it.
type file struct {
	name    string // with / between
	mode    int64
	content []byte
}

// read takes a file of the repository.
func (r *release) read(from, name string, mode int64) (file, error) {
	content, err := os.ReadFile(filepath.Join(r.root, from))
	return file{name, mode, content}, err
}

// tarball packs files with their folders, all of root.
func (r *release) tarball(prefix string, files []file) ([]byte, error) {
	slices.SortFunc(files, func(a, b file) int { return strings.Compare(a.name, b.name) })
	var out bytes.Buffer
	w := tar.NewWriter(&out)
	made := map[string]bool{".": true}
	var folder func(name string) error
	folder = func(name string) error {
		if made[name] {
			return nil
		}
		made[name] = true
		if err := folder(path.Dir(name)); err != nil {
			return err
		}
		return w.WriteHeader(&tar.Header{Typeflag: tar.TypeDir, Name: prefix + name + "/", Mode: 0o755, Uname: "root", Gname: "root", ModTime: r.epoch, Format: tar.FormatUSTAR})
	}
	for _, f := range files {
		if err := folder(path.Dir(f.name)); err != nil {
			return nil, err
		}
		h := &tar.Header{Typeflag: tar.TypeReg, Name: prefix + f.name, Mode: f.mode, Size: int64(len(f.content)), Uname: "root", Gname: "root", ModTime: r.epoch, Format: tar.FormatUSTAR}
		if err := w.WriteHeader(h); err != nil {
			return nil, err
		}
		if _, err := w.Write(f.content); err != nil {
			return nil, err
		}
	}
	err := w.Close()
	return out.Bytes(), err
}

func zipped(content []byte) ([]byte, error) {
	var out bytes.Buffer
	w, err := gzip.NewWriterLevel(&out, gzip.BestCompression)
	if err != nil {
		return nil, err
	}
	if _, err := w.Write(content); err != nil {
		return nil, err
	}
	err = w.Close()
	return out.Bytes(), err
}

// documents are the files of the repository that every package has.
func (r *release) documents(folder string) ([]file, error) {
	var files []file
	for _, name := range []string{"LICENSE", "README.md", "tael-sql.example.yaml"} {
		f, err := r.read(name, path.Join(folder, name), 0o644)
		if err != nil {
			return nil, err
		}
		files = append(files, f)
	}
	return files, nil
}

// archive is the binary with its documents and its systemd unit.
func (r *release) archive(base string) ([]byte, error) {
	files, err := r.documents(base)
	if err != nil {
		return nil, err
	}
	unit, err := r.read("packaging/files/tael-sql.service", base+"/tael-sql.service", 0o644)
	if err != nil {
		return nil, err
	}
	content, err := r.tarball("", append(files, unit, file{base + "/tael-sql", 0o755, r.binary}))
	if err != nil {
		return nil, err
	}
	return zipped(content)
}
