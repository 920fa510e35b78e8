package cloud_test

import (
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"mfabridge/cloud"
)

// reasonRow is the first cell of a row of the table of reasons.
var reasonRow = regexp.MustCompile("(?m)^\\| `([a-z_]+)` \\|")

// Every reason is explained to those who write programs against the engine, and
// none is that there is not.
func TestReasonsAreDocumented(t *testing.T) {
	text, err := os.ReadFile("../docs/api.md")
	if err != nil {
		t.Fatal(err)
	}
	_, table, found := strings.Cut(string(text), "\n## Reasons\n")
	if !found {
		t.Fatal("docs/api.md has no table of reasons")
	}
	var documented []string
	for _, m := range reasonRow.FindAllStringSubmatch(table, -1) {
		documented = append(documented, m[1])
	}
	slices.Sort(documented)
	if diff := cmp.Diff(reasonsInCode(t), documented); diff != "" {
		t.Errorf("docs/api.md has other reasons than the code (-code +docs):\n%s", diff)
	}
}

// reasonsInCode are the values of all constants of type Reason, in order.
func reasonsInCode(t *testing.T) (all []string) {
	t.Helper()
	files, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range files {
		file, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(file, func(n ast.Node) bool {
			spec, ok := n.(*ast.ValueSpec)
			if !ok {
				return true
			}
			if kind, named := spec.Type.(*ast.Ident); !named || kind.Name != "Reason" || len(spec.Values) == 0 {
				return true
			}
			value, err := strconv.Unquote(spec.Values[0].(*ast.BasicLit).Value)
			if err != nil {
				t.Fatal(err)
			}
			all = append(all, value)
			return true
		})
	}
	slices.Sort(all)
	if len(slices.Compact(slices.Clone(all))) != len(all) {
		t.Errorf("a word stands for two reasons: %v", all)
	}
	return all
}

func TestReasonOfAnError(t *testing.T) {
	full := &cloud.Error{Kind: cloud.Invalid, Reason: cloud.DeviceLimit, Message: "full"}
	for want, err := range map[cloud.Reason]error{
		cloud.DeviceLimit: fmt.Errorf("activation: %w", full),
		"":                errors.New("device_limit"),
	} {
		if got := cloud.ReasonOf(err); got != want {
			t.Errorf("%v has the reason %q, want %q", err, got, want)
		}
	}
}
