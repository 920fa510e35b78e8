package legacy_test

import (
	"fmt"
	"io/fs"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"mfabridge/fixtures"
	"mfabridge/internal/secret"
	"mfabridge/legacy"
)

// facts are the problems of an export without their places, sorted.
func facts(t testing.TB, e *legacy.Export) []string {
	t.Helper()
	lines := regexp.MustCompile(`, (on lines )?[^;]*; none`)
	width := regexp.MustCompile(`the row (has|must be).*|text stands.*`)
	var all []string
	for p, err := range e.Problems() {
		if err != nil {
			t.Fatal(err)
		}
		detail := width.ReplaceAllString(lines.ReplaceAllString(p.Detail, "; none"), "the row is none")
		all = append(all, fmt.Sprintf("%s %s|%s|%s", p.Code, p.Username, strings.ReplaceAll(p.Field, "_", " "), detail))
	}
	slices.Sort(all)
	return all
}

// One organisation is the same in every shape: its users, their devices and
// tokens, and what is wrong with it.
func TestShapes(t *testing.T) {
	for name, source := range map[string]fs.FS{"contoso": fixtures.Contoso(), "contoso-secrets": fixtures.ContosoSecrets()} {
		paths, err := fixtures.WriteShapes(t.TempDir(), source)
		if err != nil {
			t.Fatal(err)
		}
		o := legacy.Options{Passphrase: secret.FromString(fixtures.Passphrase), TempDir: t.TempDir()}
		folder := open(t, paths["folder"], o)
		wantUsers, wantFacts, want := users(t, folder), facts(t, folder), folder.Summary()
		if len(wantUsers) != 61 || len(wantFacts) < 9 {
			t.Fatalf("%d users, %d facts", len(wantUsers), len(wantFacts))
		}
		for shape, path := range paths {
			t.Run(name+"/"+shape, func(t *testing.T) {
				e := open(t, path, o)
				ignore := cmpopts.IgnoreTypes(legacy.Place{})
				for range 2 { // a second pass yields the same
					if diff := cmp.Diff(wantUsers, users(t, e), equalSecrets(), ignore); diff != "" {
						t.Fatal(diff)
					}
				}
				if diff := cmp.Diff(wantFacts, facts(t, e)); diff != "" {
					t.Error(diff)
				}
				said := fmt.Sprintf("%q %+v %#v", problems(t, e), users(t, e), e.Summary())
				for _, canary := range []string{fixtures.CanaryPIN, fixtures.CanaryTokenBase32, fixtures.CanaryTokenRaw, fixtures.CanaryDeviceBase32, fixtures.CanaryDeviceRaw} {
					if strings.Contains(said, canary) {
						t.Errorf("%s is said", canary)
					}
				}
				if diff := cmp.Diff(want, e.Summary(), cmpopts.IgnoreFields(legacy.Summary{}, "Files")); diff != "" {
					t.Error(diff)
				}
			})
		}
	}
}

// Complaints name the file that they are about, and the line in it.
func TestPlacesInSeveralFiles(t *testing.T) {
	e := open(t, files{
		"users.csv":       "Username,Enabled\nada,\nben,maybe\n",
		"users-2.csv":     "Enabled,Username\nmaybe,eve\n,ADA\n",
		"users-10.jsonl":  "\n{\"Username\":\"kim\"}\r\n{\"Username\": \"lea\",\n",
		"Users-3.XML":     "<Users>\n<User><Username>mia</Username>\n<Enabled>maybe</Enabled></User>\n<User Username='noa' x='1'/></Users>",
		"devices-a.csv":   "Username\nkim\nghost\n",
		"devices-b.jsonl": `{"Username":"noa","DeviceName":"x"}` + "\n" + `{"Username":"who","Digits":"x"}`,
		"tokens2.csv":     "upn,serial number\nghost,1\n",
	}.write(t), legacy.Options{})
	want := []string{
		"users.csv:2 USER_DUPLICATE ada|Username|2 rows have this Username, users.csv:2, users-2.csv:3; none of them is read",
		`users.csv:3:5 ROW_INVALID ben|Enabled|Enabled is "maybe", but must be true or false, yes or no, 1 or 0; the row is left out`,
		`users-2.csv:2:1 ROW_INVALID eve|Enabled|Enabled is "maybe", but must be true or false, yes or no, 1 or 0; the row is left out`,
		`users-3.xml:3:10 ROW_INVALID mia|Enabled|Enabled is "maybe", but must be true or false, yes or no, 1 or 0; the row is left out`,
		"users-3.xml:4:1 COLUMN_UNKNOWN |x|nothing is read from this column, and its values are not kept",
		"users-10.jsonl:3:20 ROW_INVALID ||this is not JSON: it ends before it is complete; the row is left out",
		"devices-a.csv:3 ORPHAN_DEVICE ghost||the device belongs to a user that is not in the export",
		"devices-b.jsonl:2:28 ROW_INVALID who|Digits|Digits must be a whole number from 0 to 8; the row is left out",
		"tokens2.csv:2 ORPHAN_TOKEN ghost||the token belongs to a user that is not in the export",
	}
	if diff := cmp.Diff(want, problems(t, e)); diff != "" {
		t.Error(diff)
	}
	var got []string
	for _, u := range users(t, e) {
		got = append(got, fmt.Sprintf("%d %s %s %d", u.Ordinal, u.Username, u.Place, len(u.Devices)))
		for _, d := range u.Devices {
			got = append(got, d.Place.String())
		}
	}
	if diff := cmp.Diff([]string{"5 noa users-3.xml:4 1", "devices-b.jsonl:1", "6 kim users-10.jsonl:2 1", "devices-a.csv:2"}, got); diff != "" {
		t.Error(diff)
	}
}
