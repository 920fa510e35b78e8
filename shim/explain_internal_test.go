package shim

import (
	"go/ast"
	"go/parser"
	"go/token"
	"strconv"
	"testing"
)

// An operator who meets a word in a log is told what it means.
func TestEveryReasonIsExplained(t *testing.T) {
	unknown := Explain("no such word")
	for d := range drops {
		if Explain(d.String()) == unknown {
			t.Errorf("a packet that is dropped as %s is not explained", d)
		}
	}
	file, err := parser.ParseFile(token.NewFileSet(), "verdict.go", nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	found := 0
	ast.Inspect(file, func(n ast.Node) bool {
		spec, ok := n.(*ast.ValueSpec)
		if !ok {
			return true
		}
		if kind, ok := spec.Type.(*ast.Ident); !ok || kind.Name != "reason" {
			return true
		}
		word, err := strconv.Unquote(spec.Values[0].(*ast.BasicLit).Value)
		if err != nil {
			t.Fatal(err)
		}
		if found++; Explain(word) == unknown {
			t.Errorf("a login that ends by %s is not explained", word)
		}
		return true
	})
	if found < 25 {
		t.Errorf("only %d reasons were found", found)
	}
}
