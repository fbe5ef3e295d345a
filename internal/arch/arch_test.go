package arch

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

const module = "github.com/tael-sql/tael-sql/"

// layers lists every package, from the lowest layer up. A package imports only
// packages of lines above its own, and those that within names.
var layers = [][]string{
	{"internal/pgerr", "internal/scram", "pgwire/script"},
	{"internal/pgtypes"},
	{"internal/vector", "wal/record", "engine/block"},
	{"wal", "pgwire", "internal/otlp", "internal/otlp/otlptest", "internal/expr", "internal/anomaly", "engine/layout", "engine/object"},
	{"internal/exec", "catalog", "engine/hot", "engine/blob", "engine/cold", "engine/live", "engine/search"},
	{"engine", "sqlplan/syntax", "sqlplan/bind", "sqlplan/gms", "sqlplan"},
	{"tables"},
	{"internal/session", "internal/ingest", "internal/ingest/files", "internal/ingest/redact", "internal/ingest/remotewrite", "internal/console"},
	{"internal/arch"},
	{"cmd/tael-sql", "cmd/tael-sql/clients"},
}

// within are imports allowed inside one layer: the pipeline of sqlplan, and
// what block is built of.
var within = map[string][]string{
	"engine/block":    {"internal/vector"},
	"wal":             {"wal/record"},
	"sqlplan/bind":    {"sqlplan/syntax"},
	"sqlplan":         {"sqlplan/syntax", "sqlplan/bind", "sqlplan/gms"},
	"internal/ingest": {"internal/ingest/files", "internal/ingest/remotewrite"},
}

const maxLines = 800

var bannedNames = []string{"util", "utils", "helper", "helpers", "common", "base", "misc", "manager"}

func TestLayers(t *testing.T) {
	root, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	level := make(map[string]int)
	for i, line := range layers {
		for _, p := range line {
			level[p] = i
		}
	}
	documented := make(map[string]bool)
	seen := make(map[string]bool)
	err = filepath.WalkDir(root, func(file string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(root, file)
		if err != nil {
			return err
		}
		if d.IsDir() {
			if strings.HasPrefix(d.Name(), ".") && rel != "." || d.Name() == "testdata" {
				return filepath.SkipDir
			}
			if _, err := os.Stat(filepath.Join(file, "go.mod")); err == nil && rel != "." {
				return filepath.SkipDir // another module: tools and tests that need much
			}
			return nil
		}
		if !strings.HasSuffix(file, ".go") {
			return nil
		}
		pkg := path.Dir(filepath.ToSlash(rel))
		seen[pkg] = true
		checkFile(t, file, rel, pkg, level, documented)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for pkg := range seen {
		if _, ok := level[pkg]; !ok {
			t.Errorf("%s is in no layer", pkg)
		}
		if !documented[pkg] {
			t.Errorf("%s has no package comment", pkg)
		}
		if slices.Contains(bannedNames, path.Base(pkg)) {
			t.Errorf("%s: a package must say what it is", pkg)
		}
	}
}

func checkFile(t *testing.T, file, rel, pkg string, level map[string]int, documented map[string]bool) {
	t.Helper()
	src, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if n := strings.Count(string(src), "\n"); n > maxLines {
		t.Errorf("%s has %d lines, more than %d", rel, n, maxLines)
	}
	f, err := parser.ParseFile(token.NewFileSet(), file, src, parser.ParseComments)
	if err != nil {
		t.Fatal(err)
	}
	test := strings.HasSuffix(file, "_test.go")
	if f.Doc != nil && !test {
		documented[pkg] = true
	}
	for _, imp := range f.Imports {
		name, err := strconv.Unquote(imp.Path.Value)
		if err != nil {
			t.Fatal(err)
		}
		if strings.HasPrefix(name, "github.com/dolthub/") && pkg != "sqlplan/gms" {
			t.Errorf("%s imports %s: only sqlplan/gms may", rel, name)
		}
		dep, ours := strings.CutPrefix(name, module)
		if !ours || test {
			continue
		}
		if level[dep] >= level[pkg] && !slices.Contains(within[pkg], dep) {
			t.Errorf("%s imports %s, which is not below it", rel, dep)
		}
	}
	if test {
		return
	}
	ast.Inspect(f, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.GoStmt:
			t.Errorf("%s: a bare go statement; use WaitGroup.Go", rel)
		case *ast.FuncDecl:
			if n.Recv == nil && n.Name.Name == "init" {
				t.Errorf("%s: func init", rel)
			}
		}
		return true
	})
}
