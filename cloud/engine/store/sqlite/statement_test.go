package sqlite_test

import (
	"database/sql"
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"mfabridge/cloud/engine/store/sqlite"
)

// placeholdersAscend tells whether $1, $2, … first appear in that order.
func placeholdersAscend(statement string) bool {
	next := 1
	for _, m := range regexp.MustCompile(`\$(\d+)`).FindAllStringSubmatch(statement, -1) {
		switch n, _ := strconv.Atoi(m[1]); {
		case n == next:
			next++
		case n > next:
			return false
		}
	}
	return true
}

// The driver binds arguments by the first appearance of their placeholder:
// $2 before $1 would swap them without a word.
func TestPlaceholdersAscend(t *testing.T) {
	for name, statement := range sqlite.Statements() {
		if !placeholdersAscend(statement) {
			t.Errorf("%s: placeholders do not ascend: %s", name, statement)
		}
	}
	if placeholdersAscend("SELECT $2, $1") || !placeholdersAscend("SELECT $1, $1, $2") {
		t.Error("the check does not see the fault")
	}
	db, err := sql.Open("sqlite3", ":memory:")
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	var first, second string
	if err := db.QueryRow("SELECT $2, $1", "one", "two").Scan(&first, &second); err != nil || first != "one" || second != "two" {
		t.Errorf("the driver has changed: $2,$1 of one,two is %s,%s (%v): this rule may go", first, second, err)
	}
}

// All statements of the package stand in the list that these tests walk.
func TestStatementsAreListed(t *testing.T) {
	listed := sqlite.Statements()
	files, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	found := 0
	for _, path := range files {
		if strings.HasSuffix(path, "_test.go") {
			continue
		}
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(file, func(n ast.Node) bool {
			if spec, ok := n.(*ast.ValueSpec); ok && strings.HasPrefix(spec.Names[0].Name, "sql") {
				found++
				if _, ok := listed[spec.Names[0].Name]; !ok {
					t.Errorf("%s is not listed in export_test.go", spec.Names[0].Name)
				}
			}
			return true
		})
	}
	if found != len(listed) {
		t.Errorf("%d statements found, %d listed", found, len(listed))
	}
}

// No statement walks a whole table, however large the store grows.
func TestNoStatementScans(t *testing.T) {
	path := filepath.Join(t.TempDir(), "cloud.db")
	if err := sqlite.Create(t.Context(), path, func(*sqlite.Store) error { return nil }); err != nil {
		t.Fatal(err)
	}
	db, err := sql.Open("sqlite3", "file:"+path)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	for name, statement := range sqlite.Statements() {
		verb, _, _ := strings.Cut(statement, " ")
		if name == "sqlApps" || name == "sqlLastSeq" || strings.HasPrefix(name, "sqlFence") || strings.HasPrefix(name, "sqlForget") || verb != "SELECT" && verb != "UPDATE" && verb != "DELETE" {
			continue
		}
		args := make([]any, strings.Count(statement, "$"))
		for i := range args {
			args[i] = 1
		}
		rows, err := db.Query("EXPLAIN QUERY PLAN "+statement, args...)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		for rows.Next() {
			var id, parent, unused int
			var detail string
			if err := rows.Scan(&id, &parent, &unused, &detail); err != nil {
				t.Fatal(err)
			}
			if strings.HasPrefix(detail, "SCAN") || strings.Contains(detail, "TEMP B-TREE") {
				t.Errorf("%s: %s", name, detail)
			}
		}
		if err := rows.Close(); err != nil {
			t.Fatal(err)
		}
	}
}
