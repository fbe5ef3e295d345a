package main

import (
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
)

// maxSocketPath is the longest path of a Unix socket.
const maxSocketPath = 107

// A socket is a listener on <data-dir>/.s.PGSQL.<port>, where psql -h DATA-DIR
// looks for it. Only the gateway's own user, and root, can connect to it.
type socket struct {
	*net.UnixListener
	path string // absolute
}

// listenSocket replaces what a killed gateway left: the caller holds the
// folder's lock.
func listenSocket(dir string, pg net.Addr) (_ *socket, err error) {
	dir, err = filepath.Abs(dir)
	if err != nil {
		return nil, err
	}
	_, port, err := net.SplitHostPort(pg.String())
	if err != nil {
		return nil, err
	}
	path := filepath.Join(dir, ".s.PGSQL."+port)
	if len(path) > maxSocketPath {
		return nil, fmt.Errorf("its path has %d bytes, of which %d are possible: %s", len(path), maxSocketPath, path)
	}
	old, err := filepath.Glob(filepath.Join(escapeGlob(dir), ".s.PGSQL.*")) // of other ports too
	if err != nil {
		return nil, err
	}
	for _, name := range old {
		if err := os.Remove(name); err != nil {
			return nil, err
		}
	}
	// It is made where nobody else can reach it, and moved when only its owner may
	// connect.
	private := filepath.Join(dir, ".s")
	if err := os.RemoveAll(private); err != nil {
		return nil, err
	}
	if err := os.Mkdir(private, 0o700); err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(private)) }()
	made := filepath.Join(private, "s")
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: made, Net: "unix"})
	if err != nil {
		return nil, err
	}
	l.SetUnlinkOnClose(false) // it is called otherwise by then
	if err = os.Chmod(made, 0o600); err == nil {
		err = os.Rename(made, path)
	}
	if err != nil {
		return nil, errors.Join(err, l.Close())
	}
	return &socket{l, path}, nil
}

// remove takes the name away; the listener is closed by who serves it.
func (s *socket) remove() error { return os.Remove(s.path) }

// escapeGlob makes a pattern that matches a path alone.
func escapeGlob(path string) string {
	var out []byte
	for _, c := range []byte(path) {
		if c == '*' || c == '?' || c == '[' || c == '\\' {
			out = append(out, '\\')
		}
		out = append(out, c)
	}
	return string(out)
}
