package migrate_test

import (
	"go/ast"
	"go/parser"
	gotoken "go/token"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"mfabridge/migrate"
)

// findingsDoc is written by hand around a table that the catalogue dictates.
const findingsDoc = "../docs/findings.md"

var docRow = regexp.MustCompile(`(?m)^\| ([A-Z_]+) \| (\w+) \| (.+) \| (.+) \|$`)

func TestDocListsAllFindings(t *testing.T) {
	doc, err := os.ReadFile(findingsDoc)
	if err != nil {
		t.Fatal(err)
	}
	var written, want []migrate.Entry
	for _, m := range docRow.FindAllStringSubmatch(string(doc), -1) {
		written = append(written, migrate.Entry{Code: migrate.Code(m[1]), Severity: migrate.Severity(m[2]), Meaning: m[3], Action: m[4]})
	}
	want = migrate.Catalogue()
	if diff := cmp.Diff(want, written); diff != "" {
		t.Errorf("docs/findings.md differs from the catalogue (-catalogue +doc):\n%s", diff)
	}
}

func TestCatalogueIsSound(t *testing.T) {
	seen := map[migrate.Code]bool{}
	for _, e := range migrate.Catalogue() {
		if seen[e.Code] {
			t.Errorf("%s stands twice", e.Code)
		}
		seen[e.Code] = true
		switch e.Severity {
		case migrate.SeverityInfo, migrate.SeverityWarning, migrate.SeverityError:
		default:
			t.Errorf("%s has the severity %q", e.Code, e.Severity)
		}
		for _, sentence := range []string{e.Meaning, e.Action} {
			if !strings.HasSuffix(sentence, ".") || strings.ContainsAny(sentence, "|\n") {
				t.Errorf("%s: %q is no sentence for a table", e.Code, sentence)
			}
		}
	}
	for name, code := range declaredCodes(t) {
		if !seen[code] {
			t.Errorf("%s = %s is not in the catalogue", name, code)
		}
		delete(seen, code)
	}
	for code := range seen {
		t.Errorf("%s is in the catalogue and is no constant", code)
	}
}

// declaredCodes reads the constants of type Code from catalogue.go.
func declaredCodes(t *testing.T) map[string]migrate.Code {
	t.Helper()
	file, err := parser.ParseFile(gotoken.NewFileSet(), "catalogue.go", nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	codes := map[string]migrate.Code{}
	ast.Inspect(file, func(n ast.Node) bool {
		spec, ok := n.(*ast.ValueSpec)
		if !ok {
			return true
		}
		if typ, ok := spec.Type.(*ast.Ident); ok && typ.Name == "Code" {
			text, err := strconv.Unquote(spec.Values[0].(*ast.BasicLit).Value)
			if err != nil {
				t.Fatal(err)
			}
			codes[spec.Names[0].Name] = migrate.Code(text)
		}
		return true
	})
	if len(codes) < 50 {
		t.Fatalf("found only %d codes", len(codes))
	}
	return codes
}

// What the catalogue promises is found by some rule, or comes from the export.
func TestEveryFindingIsMade(t *testing.T) {
	files, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	var source strings.Builder
	for _, name := range files {
		if name == "catalogue.go" || strings.HasSuffix(name, "_test.go") {
			continue
		}
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		source.Write(text)
	}
	legacyCodes, err := os.ReadFile("../legacy/user.go")
	if err != nil {
		t.Fatal(err)
	}
	for name, code := range declaredCodes(t) {
		used := regexp.MustCompile(`\b` + name + `\b`).MatchString(source.String())
		if !used && !strings.Contains(string(legacyCodes), `"`+string(code)+`"`) {
			t.Errorf("nothing ever finds %s", code)
		}
	}
}
