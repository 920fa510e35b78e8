package house_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// The map in docs/start.md leads to folders and files that exist, and leaves
// no room out.
func TestMapIsTrue(t *testing.T) {
	root := filepath.Join("..", "..")
	text, err := os.ReadFile(filepath.Join(root, "docs", "start.md"))
	if err != nil {
		t.Fatal(err)
	}
	quoted, folders := regexp.MustCompile("`([^`]+)`"), map[string]bool{}
	for _, row := range regexp.MustCompile("(?m)^\\| `([^`]+)/` \\|.*\\| (.*) \\|$").FindAllStringSubmatch(string(text), -1) {
		folders[row[1]] = true
		for _, file := range quoted.FindAllStringSubmatch(row[2], -1) {
			if _, err := os.Stat(filepath.Join(root, row[1], file[1])); err != nil {
				t.Errorf("%s/%s is on the map: %v", row[1], file[1], err)
			}
		}
	}
	for importPath := range read(t) {
		room := strings.TrimPrefix(importPath, module+"/")
		for !folders[room] && strings.Contains(room, "/") && (strings.HasPrefix(room, "internal/") || strings.HasPrefix(room, "fixtures/")) {
			room = filepath.Dir(room)
		}
		if !folders[room] {
			t.Errorf("%s is not on the map", room)
		}
	}
}

// Each test that docs/start.md sends somebody to is there.
func TestTestsOfTheMapAreThere(t *testing.T) {
	root := filepath.Join("..", "..")
	text, err := os.ReadFile(filepath.Join(root, "docs", "start.md"))
	if err != nil {
		t.Fatal(err)
	}
	there := map[string]bool{}
	declared := regexp.MustCompile(`(?m)^func (Test\w+)\(`)
	err = filepath.WalkDir(root, func(path string, _ fs.DirEntry, err error) error {
		if err != nil || !strings.HasSuffix(path, "_test.go") {
			return err
		}
		source, err := os.ReadFile(path)
		for _, name := range declared.FindAllSubmatch(source, -1) {
			there[string(name[1])] = true
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	named := regexp.MustCompile("`(Test\\w+)").FindAllStringSubmatch(string(text), -1)
	for _, name := range named {
		if !there[name[1]] {
			t.Errorf("docs/start.md names %s, which is no test", name[1])
		}
	}
	if len(named) == 0 {
		t.Error("docs/start.md names no test")
	}
}
