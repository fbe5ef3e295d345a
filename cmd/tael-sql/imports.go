package main

import (
	"bufio"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
)

// importsFile is where a data folder notes what was imported into it.
const importsFile = "imports.jsonl"

// An imported says how far a file has been acknowledged.
type imported struct {
	File     string `json:"file"` // SHA-256 of what is on disk, in hexadecimal
	Signal   string `json:"signal,omitempty"`
	Shift    int64  `json:"shift,omitempty"` // ns
	ToNow    bool   `json:"to_now,omitempty"`
	Requests int    `json:"requests"`
	Done     bool   `json:"done,omitempty"`
}

// key is what two imports of the same share.
func (i imported) key() imported { return imported{File: i.File, Signal: i.Signal, Shift: i.Shift} }

// An imports is a file with a line for each request that was acknowledged, and
// for each file that was read to its end. The last line about a file counts. A
// line is written after the answer: at worst one request is sent again, which
// the gateway's window of requests knows, if it comes within ingest.dedupe_window.
type imports struct {
	file  *os.File
	again bool
	known map[imported]imported
}

// openImports reads a state file, or makes one. With again, what it says is
// not looked at.
func openImports(path string, again bool) (*imports, error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_APPEND, 0o600)
	if err != nil {
		return nil, fmt.Errorf("open the notes of imports: %w", err)
	}
	s := &imports{file: f, again: again, known: make(map[imported]imported)}
	in := bufio.NewReader(f)
	for {
		line, err := in.ReadBytes('\n')
		if errors.Is(err, io.EOF) {
			if len(line) > 0 { // it was cut off while it was written
				_, err = f.WriteString("\n")
				return s, err
			}
			return s, nil
		}
		if err != nil {
			return nil, errors.Join(err, f.Close())
		}
		var i imported
		if json.Unmarshal(line, &i) == nil { // else: cut off
			s.known[i.key()] = i
		}
	}
}

func (s *imports) close() error { return s.file.Close() }

// find gives what is known of an import, or the import itself.
func (s *imports) find(i imported) imported {
	if known, ok := s.known[i.key()]; ok && !s.again {
		return known
	}
	return i
}

// interrupted gives the shift to now of an import of the file that has not
// come to its end.
func (s *imports) interrupted(hash string) (shift int64, ok bool) {
	if s == nil || s.again {
		return 0, false
	}
	for _, i := range s.known {
		if i.File == hash && i.ToNow && !i.Done {
			return i.Shift, true
		}
	}
	return 0, false
}

// note remembers how far an import has come.
func (s *imports) note(i imported) error {
	if s == nil {
		return nil
	}
	line, err := json.Marshal(i)
	if err != nil {
		return err
	}
	s.known[i.key()] = i
	_, err = s.file.Write(append(line, '\n'))
	return err
}

// fileHash identifies a file by what it holds.
func fileHash(path string) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", err
	}
	h := sha256.New()
	if _, err := io.Copy(h, f); err != nil {
		return "", errors.Join(err, f.Close())
	}
	return hex.EncodeToString(h.Sum(nil)), f.Close()
}
