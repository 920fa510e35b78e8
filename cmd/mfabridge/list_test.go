package main

import (
	"encoding/json"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"filippo.io/age"
	"github.com/urfave/cli/v2"
)

// Every command that lists or shows something says it to programs, too.
func TestEveryListIsForPrograms(t *testing.T) {
	lists := []string{"list", "show", "members", "status", "devices", "approvals", "settings", "invite"}
	own := []string{"mfabridge engine user invite"} // it changes
	everyCommand(func(name string, c *cli.Command) {
		if !slices.Contains(lists, c.Name) || slices.Contains(own, name) {
			return
		}
		if !slices.ContainsFunc(c.Flags, func(f cli.Flag) bool { return f.Names()[0] == "format" }) {
			t.Errorf("%s has no --format", name)
		}
	})
}

// listsYAML has a provider of each kind of message.
const listsYAML = `store: sqlite:cloud.db
listeners:
  api: {listen: "127.0.0.1:8443"}
channels:
  text:
    providers:
      - {name: gateway, mode: live, http: {profile: form, url: "https://sms.contoso.example/send", vars: {from: Contoso}, bearer: "file:vpn.secret"}}
`

// formRow is a row of the table in docs/engine.md: a type, its commands, and
// its members up to what depends.
var formRow = regexp.MustCompile("(?m)^\\| `(\\w+)` \\| (`engine [^|]*) \\| ([^|]*) \\|$")

var inBrackets = regexp.MustCompile(` \([^)]*\)`)

// What the manual says of each list is what the list has, of a store that has
// something of each kind; and a table has a line for each object.
func TestListsForPrograms(t *testing.T) {
	manual, err := os.ReadFile(filepath.Join("..", "..", "docs", "engine.md"))
	if err != nil {
		t.Fatal(err)
	}
	t.Chdir(t.TempDir())
	store := []string{"--store", "sqlite:cloud.db"}
	do := func(args ...string) string {
		t.Helper()
		return must(t, exitDone, append(append([]string{"engine"}, args...), store...)...).out
	}
	change := func(args ...string) string { t.Helper(); return do(append(args, "--reason", "test")...) }
	key, err := age.GenerateX25519Identity()
	if err != nil {
		t.Fatal(err)
	}
	do("init")
	change("user", "add", "ada@contoso.example")
	change("user", "pass", "issue", "ada@contoso.example", "--hand-out", "pass.age", "--seal-to", key.Recipient().String())
	change("user", "invite", "ada@contoso.example")
	change("user", "bypass", "ada@contoso.example", "--for", "1h")
	change("group", "add", "Pilots")
	change("group", "join", "Pilots", "--user", "ada@contoso.example")
	change("policy", "set", "sms", "--state", "enabled", "--include", "Pilots")
	change("app", "add", "vpn", "--role", "shim", "--for", "24h", "--secret-out", "vpn.secret")
	made := change("native", "add", "Portal")
	app := made[strings.LastIndex(made, " ")+1 : len(made)-1]
	change("policy", "access", "set", "pilots", "--grant", "mfa", "--user", "ada@contoso.example", "--group", "Pilots", "--app", app, "--network", "192.0.2.0/24")
	if err := os.WriteFile("engine.yaml", []byte(listsYAML), 0o600); err != nil {
		t.Fatal(err)
	}
	arguments := map[string][]string{
		"engine user show": {"ada@contoso.example"}, "engine user pass list": {"ada@contoso.example"}, "engine invite": {"ada@contoso.example"},
		"engine native show": {app}, "engine group members": {"Pilots"}, "engine policy test": {"--user", "ada@contoso.example", "--app", app, "--from", "192.0.2.7"},
	}
	rows := formRow.FindAllStringSubmatch(string(manual), -1)
	if len(rows) < 10 {
		t.Fatalf("the manual has %d rows", len(rows))
	}
	for _, row := range rows {
		always, _, _ := strings.Cut(inBrackets.ReplaceAllString(row[3], ""), ";")
		want := append(strings.Split(strings.NewReplacer("`", "", ", ", " ").Replace(always), " "), "type")
		slices.Sort(want)
		for command := range strings.SplitSeq(row[2], ", ") {
			command = strings.Trim(command, "`")
			call := append(strings.Fields(command), arguments[command]...)
			if command != "engine provider list" {
				call = append(call, store...)
			}
			found := 0
			for line := range strings.Lines(must(t, exitDone, append(call, "--format", "json")...).out) {
				var object map[string]any
				if err := json.Unmarshal([]byte(line), &object); err != nil {
					t.Fatalf("%s: %v: %s", command, err, line)
				}
				if object["type"] != row[1] {
					continue
				}
				found++
				for _, member := range []string{"authenticators", "bypass"} { // of a user who is shown
					if _, there := object[member]; there != (command == "engine user show") {
						t.Errorf("%s: %s is there: %v", command, member, there)
					}
					delete(object, member)
				}
				if got := slices.Sorted(maps.Keys(object)); !slices.Equal(got, want) {
					t.Errorf("%s: an object %q has the members %v, and the manual says %v", command, row[1], got, want)
				}
			}
			if found == 0 {
				t.Errorf("%s lists no %q", command, row[1])
			}
			must(t, exitUsage, append(call, "--format", "yaml")...)
		}
	}
}
