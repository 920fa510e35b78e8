package migrate_test

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"mfabridge/cloud"
	"mfabridge/fixtures"
	"mfabridge/legacy"
	numbers "mfabridge/legacy/phone"
	"mfabridge/migrate"
)

// unreported are the fields of the sample exports that no report depends on,
// each with the reason. A field that is here and does change a report is a
// fault of this list.
var unreported = map[string]string{
	"users.csv UserGroup":         "no target has a place for it, and no login depends on it",
	"users.csv Language":          "clouds follow the browser",
	"devices.csv UserDeviceId":    "an id of the old server",
	"devices.csv DeviceToken":     "only the old app's own service could use it, and no target tells it",
	"devices.csv PhoneAppVersion": "no version of the old app goes on",

	"activity.csv Authentication Method": "attempts are counted by user and application; how a user is asked stands in Mode",

	"settings.json customerDefaults.MinimumPinLength": "no PIN moves",

	"settings.json customerDefaults.PinMode":               "a sub-mode stands in every row; the company's is for rows to come",
	"settings.json customerDefaults.SmsDirection":          "as PinMode",
	"settings.json customerDefaults.SmsMode":               "as PinMode",
	"settings.json customerDefaults.PhoneAppMode":          "as PinMode",
	"settings.json customerDefaults.DisabledBehavior":      "stands in every row; the company's is for rows to come",
	"settings.json customerDefaults.KeepPhoneSynchronized": "stands in every row; the company's is for rows to come",
}

// forTheShim are the settings that shape the configuration of the shim and
// not the move of users.
var forTheShim = []string{"mobileApp.", "userPortal.", "radiusClients.", "radiusTarget.", "ldapClients.0.requireUserMatch", "ldapClients.0.applicationName", "ldapClients.0.ipAddress"}

// more are rows for the fields that are the same in all rows of the samples.
var more = map[string][][2]string{
	"users.csv": {{"Username", "textpin@contoso.example"}, {"UserPrincipalName", "textpin@contoso.example"}, {"CountryCode", "44"}, {"Phone", "2079460199"},
		{"Mode", "smsText"}, {"SmsMode", "otpPlusPin"}},
	"devices.csv": {{"Username", "textpin@contoso.example"}, {"DeviceName", "Eight"}, {"OathTokenSecretKey", "JVDEELKDIFHECUSZFVJUKRKEFUYDAMBT"}, {"TimeDrift", "2"},
		{"Digits", "8"}, {"Algorithm", "SHA256"}},
}

// pinned has what other users of the samples have only beside its likes.
var pinned = [][2]string{{"Username", "pinned@contoso.example"}, {"UserPrincipalName", "pinned@contoso.example"}, {"CountryCode", "44"}, {"Phone", "2079460198"},
	{"Mode", "voiceCall"}, {"PinSet", "true"}, {"PhoneAppActivated", "true"}}

// later is a device that is the newest of its name by LastUsed alone.
var later = [][2]string{{"Username", "textpin@contoso.example"}, {"DeviceName", "eight"}, {"OathTokenSecretKey", "JVDEELKDIFHECUSZFVJUKRKEFUYDAMBU"},
	{"TimeDrift", "3"}, {"LastUsed", "2024-09-01T00:00:00Z"}, {"Digits", "8"}, {"Algorithm", "SHA256"}}

// TestEveryFieldCounts removes each field of the sample export in turn, and
// sees the report change: nothing that an export holds is overlooked.
func TestEveryFieldCounts(t *testing.T) {
	files := readFiles(t, fixtures.ContosoSecrets())
	for field := range withoutEach(t, readFiles(t, fixtures.Contoso())) {
		if _, ok := withoutEach(t, files)[field]; !ok {
			t.Errorf("%s is in one sample only", field)
		}
	}
	for name, row := range more {
		files[name] = withRow(t, files[name], row)
	}
	files["users.csv"] = withRow(t, files["users.csv"], pinned)
	files["devices.csv"] = withRow(t, files["devices.csv"], later)
	targets := []cloud.Capabilities{engine(), entra()}
	plans := numbers.NewPlans()
	var whole []string
	for _, caps := range targets {
		whole = append(whole, reportOf(t, files, caps, plans))
	}
	seen := map[string]bool{}
	for field, without := range withoutEach(t, files) {
		seen[field] = true
		changed := false
		for i, caps := range targets {
			changed = changed || reportOf(t, without, caps, plans) != whole[i]
		}
		reason, silent := unreported[field]
		if slices.ContainsFunc(forTheShim, func(p string) bool { return strings.HasPrefix(field, "settings.json "+p) }) {
			continue // reports name some of them
		}
		switch {
		case !changed && !silent:
			t.Errorf("the report is the same without %s", field)
		case changed && silent:
			t.Errorf("the report changes without %s, which is said to be without effect: %s", field, reason)
		}
	}
	for field := range unreported {
		if !seen[field] {
			t.Errorf("the samples have no %s", field)
		}
	}
}

// withRow is a table with a row more.
func withRow(t *testing.T, text string, cells [][2]string) string {
	t.Helper()
	rows := records(t, text)
	row := make([]string, len(rows[0]))
	for _, c := range cells {
		i := slices.IndexFunc(rows[0], func(h string) bool { return strings.TrimPrefix(h, "\ufeff") == c[0] })
		if i < 0 {
			t.Fatalf("there is no column %s", c[0])
		}
		row[i] = c[1]
	}
	return cut(t, append(rows, row), len(row))
}

func readFiles(t *testing.T, export fs.FS) map[string]string {
	t.Helper()
	files := map[string]string{}
	names, err := fs.Glob(export, "*")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		b, err := fs.ReadFile(export, name)
		if err != nil {
			t.Fatal(err)
		}
		files[name] = string(b)
	}
	files["manifest.json"] = edited(t, files["manifest.json"], "sha256")
	return files
}

// withoutEach yields the files without each of their fields.
func withoutEach(t *testing.T, files map[string]string) map[string]map[string]string {
	t.Helper()
	all := map[string]map[string]string{}
	put := func(name, field, text string) {
		copied := maps.Clone(files)
		copied[name] = text
		all[name+" "+field] = copied
	}
	for name, text := range files {
		switch filepath.Ext(name) {
		case ".csv":
			rows := records(t, text)
			for i, column := range rows[0] {
				put(name, strings.TrimPrefix(column, "\ufeff"), cut(t, rows, i))
			}
		case ".json":
			var top map[string]any
			if err := json.Unmarshal([]byte(text), &top); err != nil {
				t.Fatal(err)
			}
			for _, path := range leaves("", top) {
				if path != "format" && path != "version" {
					put(name, path, edited(t, text, path))
				}
			}
		}
	}
	return all
}

func records(t *testing.T, text string) [][]string {
	t.Helper()
	r := csv.NewReader(strings.NewReader(text))
	r.FieldsPerRecord = -1
	rows, err := r.ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	return rows
}

// cut is a table without a column.
func cut(t *testing.T, rows [][]string, column int) string {
	t.Helper()
	var b bytes.Buffer
	w := csv.NewWriter(&b)
	for _, row := range rows {
		row = slices.Clone(row)
		if column < len(row) {
			row = slices.Delete(row, column, column+1)
		}
		if err := w.Write(row); err != nil {
			t.Fatal(err)
		}
	}
	w.Flush()
	return b.String()
}

// leaves are the paths of all values of a JSON document.
func leaves(prefix string, v any) []string {
	var all []string
	switch v := v.(type) {
	case map[string]any:
		for k, child := range v {
			all = append(all, leaves(prefix+k+".", child)...)
		}
	case []any:
		for i, child := range v {
			all = append(all, leaves(fmt.Sprint(prefix, i, "."), child)...)
		}
	default:
		all = append(all, strings.TrimSuffix(prefix, "."))
	}
	return all
}

// edited is a JSON document without the value at path.
func edited(t *testing.T, text, path string) string {
	t.Helper()
	var top map[string]any
	if err := json.Unmarshal([]byte(text), &top); err != nil {
		t.Fatal(err)
	}
	b, err := json.Marshal(without(top, strings.Split(path, ".")))
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func without(v any, path []string) any {
	switch v := v.(type) {
	case map[string]any:
		if len(path) == 1 {
			delete(v, path[0])
		} else {
			v[path[0]] = without(v[path[0]], path[1:])
		}
		return v
	case []any:
		var i int
		if _, err := fmt.Sscan(path[0], &i); err != nil {
			return v
		}
		if len(path) == 1 {
			return slices.Delete(v, i, i+1)
		}
		v[i] = without(v[i], path[1:])
		return v
	}
	return v
}

// reportOf is all that reports say of an export, places left out: what is
// found, what a target would get, and the overview.
func reportOf(t *testing.T, files map[string]string, caps cloud.Capabilities, plans *numbers.Plans) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	src, err := legacy.Open(t.Context(), dir, legacy.Options{})
	if err != nil {
		return err.Error()
	}
	defer src.Close()
	var b strings.Builder
	read, settings := src.Summary(), src.Settings()
	target := newShelf(caps, nil)
	if !caps.CreateUsers {
		target = newShelf(caps, peopleOf(t, src))
	}
	opt := migrate.Options{CreateUsers: true, IncludeDisabled: caps.CreateUsers, Now: read.Created.AddDate(0, 0, 30), ExportTime: read.Created, CompanyMode: settings.Defaults.Mode,
		Settings: settings, Activity: read.Activity.Attempts > 0, TempDir: t.TempDir(), Email: migrate.EmailAll, NumberingPlans: plans}
	if read.Created.IsZero() {
		opt.Now = now
	}
	var out sheet
	sum, err := migrate.Plan(t.Context(), src, target, opt, &out)
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range out.decisions {
		fmt.Fprintln(&b, d.Username, d.UPN, d.MatchedBy, d.Action, d.Outlook)
		for _, c := range d.Changes {
			fmt.Fprintln(&b, line(c), c.Reason)
			if o := c.After.OATH; o != nil {
				fmt.Fprintln(&b, o.Name, o.Serial, o.Manufacturer, o.Model, o.Algorithm, o.Digits, o.Period, o.Drift)
			}
			if p := c.After.Profile; p != nil {
				fmt.Fprintln(&b, p.DisplayName)
			}
		}
		writeFindings(&b, d.Findings)
	}
	writeFindings(&b, out.problems)
	migrate.Overview{Summary: sum, Export: read, Settings: settings}.WriteText(&b)
	return b.String()
}

// counts are what every row that is too short says of a table.
var counts = regexp.MustCompile(`the row has [0-9]+ fields, the header has [0-9]+`)

func writeFindings(b *strings.Builder, findings []migrate.Finding) {
	for _, f := range findings {
		fmt.Fprintln(b, f.Code, f.Severity, f.Field, counts.ReplaceAllString(f.Detail, ""))
	}
}

// peopleOf are users of a target for the rows of an export.
func peopleOf(t *testing.T, src *legacy.Export) []*cloud.User {
	t.Helper()
	var all []*cloud.User
	for u, err := range src.Users(t.Context()) {
		if err != nil {
			t.Fatal(err)
		}
		if u.UPN != "" {
			all = append(all, person("id-"+u.UPN, u.UPN, ""))
		}
	}
	return all
}
