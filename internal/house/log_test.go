package house_test

import (
	"bytes"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"iter"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// otherwise are keys that lines of logs had for the very same thing.
var otherwise = []string{`"error"`, `"cause"`}

// Whoever looks for what went wrong in the logs of all parts looks for one
// key: err.
func TestErrorsAreLoggedUnderOneKey(t *testing.T) {
	for name, src := range sources(t) {
		for _, place := range misnamed(t, name, src) {
			t.Errorf("%s: an error in a log has the key err", place)
		}
	}
}

// sources are the files of the repository that are no tests, with their paths
// from its root.
func sources(t *testing.T) iter.Seq2[string, []byte] {
	return func(yield func(string, []byte) bool) {
		err := fs.WalkDir(os.DirFS("../.."), ".", func(name string, d fs.DirEntry, err error) error {
			if err != nil {
				return err
			}
			if d.IsDir() {
				if base := d.Name(); base != "." && strings.HasPrefix(base, ".") || base == "testdata" {
					return fs.SkipDir
				}
				return nil
			}
			if !strings.HasSuffix(name, ".go") || strings.HasSuffix(name, "_test.go") {
				return nil
			}
			src, err := os.ReadFile(filepath.Join("../..", name))
			if err != nil {
				return err
			}
			if !yield(name, src) {
				return fs.SkipAll
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
}

// misnamed returns where a log is given one of otherwise as a key.
func misnamed(t *testing.T, name string, src []byte) (places []string) {
	if !bytes.Contains(src, []byte(otherwise[0])) && !bytes.Contains(src, []byte(otherwise[1])) {
		return nil
	}
	files := token.NewFileSet()
	f, err := parser.ParseFile(files, name, src, parser.SkipObjectResolution)
	if err != nil {
		t.Fatal(err)
	}
	ast.Inspect(f, func(n ast.Node) bool {
		call, ok := n.(*ast.CallExpr)
		if !ok || !logs(call) {
			return true
		}
		for _, a := range call.Args[:len(call.Args)-1] { // the last is no key
			if key, ok := a.(*ast.BasicLit); ok && (key.Value == otherwise[0] || key.Value == otherwise[1]) {
				places = append(places, files.Position(key.Pos()).String())
			}
		}
		return true
	})
	return places
}

// logs tells whether a call may be one that takes a key and its value for a
// line of a log.
func logs(call *ast.CallExpr) bool {
	if len(call.Args) < 2 {
		return false
	}
	switch f := call.Fun.(type) {
	case *ast.Ident:
		return f.Name == "append"
	case *ast.SelectorExpr:
		switch strings.TrimSuffix(f.Sel.Name, "Context") {
		case "Debug", "Info", "Warn", "Error", "Log", "With", "String", "Any":
			return true
		}
	}
	return false
}

// The check itself must be able to say no.
func TestAnotherKeyIsSeen(t *testing.T) {
	for line, want := range map[string]int{
		`log.Warn("it broke", "cause", err)`:                              1,
		`log.ErrorContext(ctx, "it broke", "n", 1, "error", err.Error())`: 1,
		`a = append(a, slog.Any("error", err))`:                           1,
		`a = append(a, "cause", err)`:                                     1,
		`log.Warn("it broke", "err", err)`:                                0,
		`log.Warn("it broke", "word", "error")`:                           0,
		`write(map[string]any{"error": err})`:                             0,
	} {
		if got := misnamed(t, "x.go", []byte("package x\nfunc _() {\n"+line+"\n}\n")); len(got) != want {
			t.Errorf("%s: %v", line, got)
		}
	}
}
