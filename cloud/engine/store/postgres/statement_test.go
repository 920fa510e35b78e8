package postgres_test

import (
	"encoding/json"
	"fmt"
	"go/ast"
	"go/constant"
	"go/parser"
	"go/token"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"mfabridge/cloud/engine/store/rows"
	"mfabridge/internal/peer"
)

// statements are the texts of everything in the package whose name begins with
// sql, worked out from its source and that of the columns.
func statements(t *testing.T) map[string]string {
	t.Helper()
	files, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	columns, err := filepath.Glob("../rows/*.go")
	if err != nil {
		t.Fatal(err)
	}
	files = append(files, columns...)
	values := map[string]ast.Expr{}
	for _, path := range files {
		if strings.HasSuffix(path, "_test.go") {
			continue
		}
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(file, func(n ast.Node) bool {
			if spec, ok := n.(*ast.ValueSpec); ok && len(spec.Values) == len(spec.Names) {
				for i, name := range spec.Names {
					values[name.Name] = spec.Values[i]
				}
			}
			return true
		})
	}
	all := map[string]string{}
	for name := range values {
		if strings.HasPrefix(name, "sql") {
			all[name] = constantText(t, values, values[name])
		}
	}
	return all
}

// constantText is the text of an expression.
func constantText(t *testing.T, values map[string]ast.Expr, e ast.Expr) string {
	t.Helper()
	switch e := e.(type) {
	case *ast.BasicLit:
		return constant.StringVal(constant.MakeFromLiteral(e.Value, e.Kind, 0))
	case *ast.Ident:
		return constantText(t, values, values[e.Name])
	case *ast.BinaryExpr:
		return constantText(t, values, e.X) + constantText(t, values, e.Y)
	case *ast.ParenExpr:
		return constantText(t, values, e.X)
	case *ast.SelectorExpr: // columns
		return constantText(t, values, e.Sel)
	case *ast.CallExpr: // what inserts or replaces
		if f, ok := e.Fun.(*ast.SelectorExpr); ok && f.Sel.Name == "Put" && len(e.Args) == 3 {
			return rows.Put(constantText(t, values, e.Args[0]), constantText(t, values, e.Args[1]), constantText(t, values, e.Args[2]))
		}
	}
	t.Fatalf("a statement is made of %T", e)
	return ""
}

// planned is a node of a plan.
type planned struct {
	Type  string    `json:"Node Type"`
	Table string    `json:"Relation Name"`
	Index string    `json:"Index Name"`
	Cond  string    `json:"Index Cond"`
	Plans []planned `json:"Plans"`
}

// walks are the steps of a plan that read a whole table or index, or sort.
// A limit above an index that is in order reads no more than it gives.
func (p *planned) walks(limited bool) (faults []string) {
	limited = limited || p.Type == "Limit"
	switch {
	case p.Type == "Seq Scan":
		faults = append(faults, "reads the whole table "+p.Table)
	case strings.HasPrefix(p.Type, "Index") && p.Cond == "" && !limited:
		faults = append(faults, "reads the whole index "+p.Index)
	case strings.Contains(p.Type, "Sort"):
		faults = append(faults, "sorts")
		limited = false
	}
	for i := range p.Plans {
		faults = append(faults, p.Plans[i].walks(limited && p.Type != "ModifyTable")...)
	}
	return faults
}

// explain asks the server how it would run a statement, whatever its arguments
// are, where it reads no table whole as long as there is another way.
func explain(t *testing.T, schema, statement string) planned {
	t.Helper()
	n := 0
	for _, m := range regexp.MustCompile(`\$(\d+)`).FindAllStringSubmatch(statement, -1) {
		var i int
		if _, err := fmt.Sscan(m[1], &i); err != nil {
			t.Fatal(err)
		}
		n = max(n, i)
	}
	execute := "EXECUTE s"
	if n > 0 {
		execute += "(" + strings.TrimSuffix(strings.Repeat("NULL,", n), ",") + ")"
	}
	out, err := cluster.SQL("SET search_path = " + schema + "; SET plan_cache_mode = force_generic_plan; SET enable_seqscan = off; SET enable_bitmapscan = off; " +
		"SET enable_sort = off; SET enable_hashjoin = off; SET enable_mergejoin = off; PREPARE s AS " + statement + "; EXPLAIN (FORMAT JSON) " + execute)
	if err != nil {
		t.Fatalf("%s: %v: %s", statement, err, out)
	}
	var plans []struct{ Plan planned }
	if err := json.Unmarshal([]byte(out), &plans); err != nil || len(plans) != 1 {
		t.Fatalf("%s: %v: %s", statement, err, out)
	}
	return plans[0].Plan
}

// whole are the statements that may read a table whole: of tables that stay
// small, and of what nobody waits for at a login.
func whole(name string) bool {
	return slices.Contains([]string{"sqlApps", "sqlAuditEnd", "sqlSetAuditEnd", "sqlPruneWriters"}, name) || strings.HasPrefix(name, "sqlFence") || strings.HasPrefix(name, "sqlForget")
}

// No statement walks a whole table, however large the store grows, and each is
// one that the server takes.
func TestNoStatementScans(t *testing.T) {
	peer.NeedCluster(t, cluster)
	address, schema := cluster.Address(t)
	initAt(t, address)
	asked := 0
	for name, statement := range statements(t) {
		verb, _, _ := strings.Cut(statement, " ")
		if !slices.Contains([]string{"SELECT", "UPDATE", "DELETE", "INSERT", "WITH"}, verb) || strings.Contains(statement, "pg_") {
			continue
		}
		asked++
		plan := explain(t, schema, statement)
		if faults := plan.walks(false); len(faults) > 0 && !whole(name) {
			t.Errorf("%s %s: %s", name, strings.Join(faults, ", "), statement)
		}
	}
	if asked < 60 {
		t.Errorf("only %d statements were found", asked)
	}
	for _, bad := range []string{"SELECT id FROM users WHERE upn = $1", "SELECT id FROM users", "SELECT id FROM users WHERE id > $1 ORDER BY upn"} {
		plan := explain(t, schema, bad)
		if len(plan.walks(false)) == 0 {
			t.Errorf("the check does not see the fault of %s", bad)
		}
	}
}
