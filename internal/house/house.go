// Package house reads the structure of this repository from its source: which
// packages there are, what they import, how they are documented. Its tests
// hold the rules of who may import whom (docs/design/0001-rooms.md) and fail
// when a rule is broken or speaks of a package that no longer exists.
package house

import (
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strconv"
	"strings"
)

// Package is what its files say about a package.
type Package struct {
	Path    string              // import path, "mfabridge/cloud/engine"
	Doc     string              // package comment, "" if there is none
	Imports map[string][]string // import path -> non-test files that import it
}

// Read parses all packages of the module below root, leaving out testdata,
// hidden folders and test files.
func Read(root, module string) (map[string]*Package, error) {
	packages := make(map[string]*Package)
	err := filepath.WalkDir(root, func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() {
			if base := d.Name(); name != root && (strings.HasPrefix(base, ".") || base == "testdata") {
				return fs.SkipDir
			}
			return nil
		}
		if !strings.HasSuffix(name, ".go") || strings.HasSuffix(name, "_test.go") {
			return nil
		}
		rel, err := filepath.Rel(root, filepath.Dir(name))
		if err != nil {
			return err
		}
		return add(packages, path.Join(module, filepath.ToSlash(rel)), name)
	})
	return packages, err
}

func add(packages map[string]*Package, importPath, file string) error {
	src, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	f, err := parser.ParseFile(token.NewFileSet(), file, src, parser.ImportsOnly|parser.ParseComments)
	if err != nil {
		return err
	}
	p := packages[importPath]
	if p == nil {
		p = &Package{Path: importPath, Imports: make(map[string][]string)}
		packages[importPath] = p
	}
	if f.Doc != nil && p.Doc == "" {
		p.Doc = f.Doc.Text()
	}
	for _, spec := range f.Imports {
		imported, err := strconv.Unquote(spec.Path.Value)
		if err != nil {
			return err
		}
		p.Imports[imported] = append(p.Imports[imported], filepath.Base(file))
	}
	return nil
}
