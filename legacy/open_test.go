package legacy_test

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"mfabridge/internal/hint"
	"mfabridge/legacy"
)

// files are the files of an export by name.
type files map[string]string

func (f files) write(t testing.TB) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range f {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func open(t testing.TB, dir string, o legacy.Options) *legacy.Export {
	t.Helper()
	e, err := legacy.Open(t.Context(), dir, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { e.Close() })
	return e
}

func users(t testing.TB, e *legacy.Export) []legacy.User {
	t.Helper()
	var all []legacy.User
	for u, err := range e.Users(t.Context()) {
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, u)
	}
	return all
}

// problems are "place code username|field|detail", one a line.
func problems(t testing.TB, e *legacy.Export) []string {
	t.Helper()
	var all []string
	for p, err := range e.Problems() {
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, fmt.Sprintf("%s %s %s|%s|%s", p.Place, p.Code, p.Username, p.Field, p.Detail))
	}
	return all
}

// What cannot be read at all is one sentence with a hint.
func TestOpenRefuses(t *testing.T) {
	const user = "Username\nada\n"
	for name, tt := range map[string]struct {
		files   files
		options legacy.Options
		phrase  string
		hint    string
	}{
		"no users file":       {files{"devices.csv": "Username\nada\n"}, legacy.Options{}, "holds no users.csv", "folder"},
		"another users file":  {files{"users.xlsx": "PK"}, legacy.Options{}, `"users.xlsx" is not read`, ".csv, .jsonl or .xml"},
		"empty":               {files{"users.csv": ""}, legacy.Options{}, "users.csv is empty", "export it again"},
		"only a mark":         {files{"users.csv": "\xef\xbb\xbf"}, legacy.Options{}, "users.csv is empty", "export it again"},
		"only blank lines":    {files{"users.csv": "\n\r\n"}, legacy.Options{}, "users.csv is empty", "export it again"},
		"header only":         {files{"users.csv": "Username,Phone\r\n"}, legacy.Options{}, "users.csv holds no users", "header"},
		"only a mark, UTF-16": {files{"users.csv": "\xff\xfe"}, legacy.Options{}, "users.csv is empty", "export it again"},
		"UTF-16 broken":       {files{"users.csv": "\xfe\xffU\x00s"}, legacy.Options{}, "no readable header: line 1, column 1: the value is not UTF-16", "first line"},
		"UTF-16 without mark": {files{"users.csv": "U\x00s\x00"}, legacy.Options{}, "holds a NUL byte", "first line"},
		"unknown encoding":    {files{"users.csv": user}, legacy.Options{Encoding: "latin1"}, `encoding "latin1" is unknown`, "windows-1252"},
		"CR alone, large":     {files{"users.csv": "Username,Phone\r" + strings.Repeat("ada,1\r", legacy.MaxRow/6+1)}, legacy.Options{}, "lines end with CR alone", "line ends"},
		"CR alone, quoted":    {files{"users.csv": "\"Username\",\"Phone\"\r\"ada\",\"1\"\r"}, legacy.Options{}, "lines end with CR alone", "line ends"},
		"CR alone":            {files{"users.csv": "Username,Phone\rada,1\r"}, legacy.Options{}, "lines end with CR alone", "line ends"},
		"lines, empty":        {files{"users.jsonl": ""}, legacy.Options{}, "users.jsonl is empty", "JSON object"},
		"lines, blank":        {files{"users.jsonl": "\n\n"}, legacy.Options{}, "users.jsonl holds no users", "export it again"},
		"several, none":       {files{"users.csv": "Username\n", "users2.csv": "Username\n"}, legacy.Options{}, "none of the 2 files of users holds a user", "again"},
		"XML, empty":          {files{"users.xml": ""}, legacy.Options{}, "users.xml cannot be read: line 1, column 1: ", "export it again"},
		"XML, no rows":        {files{"users.xml": "<Users/>"}, legacy.Options{}, "users.xml holds no users", "export it again"},
		"XML, cut off":        {files{"users.xml": "<Users><User><Username>a</Username></User><User>"}, legacy.Options{}, "users.xml cannot be read: line 1, column ", "export it again"},
		"XML, entity bomb":    {files{"users.xml": "<!DOCTYPE x [<!ENTITY a \"aaaa\">]><Users><User>&a;</User></Users>"}, legacy.Options{}, "users.xml cannot be read: line 1, column 1: ", "export it again"},
		"XML, nested":         {files{"users.xml": strings.Repeat("<a>", 100)}, legacy.Options{}, "users.xml cannot be read: line 1, column ", "export it again"},
		"XML, long field":     {files{"users.xml": "<Users><User><Phone>" + strings.Repeat("1", 2*legacy.MaxRow)}, legacy.Options{}, "users.xml cannot be read: line 1, column ", "export it again"},
		"header not UTF-8":    {files{"users.csv": "Username,Pr\xe9nom\nada,x\n"}, legacy.Options{}, "no readable header: line 1, column 10: the value is not UTF-8; if the file is in Windows-1252, say so with --encoding windows-1252, else save it as UTF-8", "first line"},
		"no key":              {files{"users.csv": "Login,Phone\nada,1\n"}, legacy.Options{}, "users.csv has no column Username", "--map"},
		"semicolons":          {files{"users.csv": "Username;Phone\nada;1\n"}, legacy.Options{}, "users.csv has no column Username", "has semicolons"},
		"type of PowerShell":  {files{"users.csv": "#TYPE System.Object\n\"Username\",\"Phone\"\n\"ada\",\"1\"\n"}, legacy.Options{}, "users.csv has no column Username", "-NoTypeInformation"},
		"line of a separator": {files{"users.csv": "sep=,\nUsername,Phone\nada,1\n"}, legacy.Options{}, "users.csv has no column Username", "take that line out"},
		"too many columns":    {files{"users.csv": "Username" + strings.Repeat(",x", legacy.MaxColumns) + "\n"}, legacy.Options{}, "the row has more than 512 fields", "first line"},
		"tabs":                {files{"users.csv": "Username\tPhone\nada\t1\n"}, legacy.Options{}, "users.csv has no column Username", "has tabs"},
		"key twice":           {files{"users.csv": "Username,user_name\nada,ada\n"}, legacy.Options{}, "Username twice, as columns 1 and 2", "rename"},
		"column twice":        {files{"users.csv": "Username,Phone,PHONE\nada,1,2\n"}, legacy.Options{}, "Phone twice, as columns 2 and 3", "rename"},
		"devices without key": {files{"users.csv": user, "devices.csv": "DeviceName\nx\n"}, legacy.Options{}, "devices.csv has no column Username", "--map"},
		"tokens without key":  {files{"users.csv": user, "tokens.csv": "model\nx\n"}, legacy.Options{}, "tokens.csv has no column upn, Username or serial number", "--map"},
		"two spellings":       {files{"users.csv": user, "USERS.CSV": user}, legacy.Options{}, "holds both", "remove"},
		"unknown format":      {files{"users.csv": user}, legacy.Options{SecretFormat: "octal"}, `"octal" is unknown`, "base32"},
		"map to nothing":      {files{"users.csv": user}, legacy.Options{Map: map[string]string{"a": "Nonsense"}}, `"Nonsense", which no table has`, "docs"},
		"map from nothing":    {files{"users.csv": user}, legacy.Options{Map: map[string]string{"Tel": "Phone"}}, "mapped to Phone that no table", "spelling"},
		"map twice":           {files{"users.csv": user}, legacy.Options{Map: map[string]string{"T e l": "Phone", "tel": "Phone"}}, "mapped twice", "once"},
		"map makes a twin":    {files{"users.csv": "Username,Tel,Phone\na,1,2\n"}, legacy.Options{Map: map[string]string{"Tel": "Phone"}}, "Phone twice", "rename"},
		"manifest broken":     {files{"users.csv": user, "manifest.json": "{"}, legacy.Options{}, "manifest.json cannot be read: line 1, column 2: this is not JSON: it ends before it is complete", "export again"},
		"manifest too large":  {files{"users.csv": user, "manifest.json": strings.Repeat(" ", legacy.MaxManifest+1)}, legacy.Options{}, "more than", "export again"},
		"other format":        {files{"users.csv": user, "manifest.json": `{"format":"else","version":1}`}, legacy.Options{}, `format "else"`, "version"},
		"later version":       {files{"users.csv": user, "manifest.json": `{"format":"mfabridge-export","version":2}`}, legacy.Options{}, "version 2", "version"},
		"a file is missing":   {files{"users.csv": user, "manifest.json": `{"format":"mfabridge-export","version":1,"sha256":{"tokens.csv":"00"}}`}, legacy.Options{}, `"tokens.csv", which is not there`, "whole export"},
		"a file was changed":  {files{"users.csv": user, "manifest.json": `{"format":"mfabridge-export","version":1,"sha256":{"users.csv":"00"}}`}, legacy.Options{}, "SHA-256", "changed"},
		"quote in the header": {files{"users.csv": "User\"name\nada\n"}, legacy.Options{}, "line 1, column 5", "first line"},
		"values as a header":  {files{"users.csv": "ada@contoso.example,1234,JBSWY3DPEHPK3PXP\n"}, legacy.Options{}, "no column Username", "first line"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := legacy.Open(t.Context(), tt.files.write(t), tt.options)
			if err == nil {
				t.Fatal("it is opened")
			}
			if !strings.Contains(err.Error(), tt.phrase) || !strings.Contains(hint.Of(err), tt.hint) {
				t.Errorf("error %q, hint %q; want …%s… and …%s…", err, hint.Of(err), tt.phrase, tt.hint)
			}
			if strings.Contains(err.Error(), "\n") || strings.Contains(err.Error(), "JBSWY3DP") || strings.Contains(err.Error(), "1234") {
				t.Errorf("error %q has several lines or quotes a value", err)
			}
		})
	}
}

func TestOpenRefusesPlaces(t *testing.T) {
	file := filepath.Join(files{"users.txt": "Username\nada\n"}.write(t), "users.txt")
	folder := t.TempDir()
	if err := os.Mkdir(filepath.Join(folder, "users.csv"), 0o700); err != nil {
		t.Fatal(err)
	}
	for path, phrase := range map[string]string{
		file:                               "is a file of a kind that is not read",
		filepath.Join(t.TempDir(), "none"): "there is no export",
		folder:                             "users.csv is not a regular file",
	} {
		if _, err := legacy.Open(t.Context(), path, legacy.Options{}); err == nil || !strings.Contains(err.Error(), phrase) || hint.Of(err) == "" {
			t.Errorf("%s: %v", path, err)
		}
	}
}

// A column that is not ours, a file that is not ours: named, never quoted.
func TestNotRead(t *testing.T) {
	e := open(t, files{
		"users.csv":        "user name,Pin,Phone,\nada,1379,+1 425 555 0100,x\n",
		"users.txt":        "{}",
		"usersettings.csv": "x",
		"activity.xml":     "",
	}.write(t), legacy.Options{})
	want := []string{
		"users.csv:1:11 COLUMN_UNKNOWN |Pin|nothing is read from this column, and its values are not kept",
		"users.csv:1:21 COLUMN_UNKNOWN |column 4|nothing is read from this column, and its values are not kept",
		"activity.xml FILE_NOT_READ ||this version does not read this file",
		"users.txt FILE_NOT_READ ||this version does not read this file",
		"usersettings.csv FILE_NOT_READ ||this version does not read this file",
	}
	if diff := cmp.Diff(want, problems(t, e)); diff != "" {
		t.Error(diff)
	}
}

func TestManyFilesNotRead(t *testing.T) {
	f := files{"users.csv": "Username\nada\n"}
	for i := range 130 {
		f[fmt.Sprintf("f%03d", i)] = ""
	}
	all := problems(t, open(t, f.write(t), legacy.Options{}))
	if len(all) != 101 || !strings.Contains(strings.Join(all, "\n"), "30 more files") {
		t.Errorf("%d problems", len(all))
	}
}

func TestMap(t *testing.T) {
	e := open(t, files{
		"users.csv":  "Login;Name,Tel.\nada,425\n",
		"tokens.csv": "Login;Name,S/N\nada,X1\n",
	}.write(t), legacy.Options{Map: map[string]string{"LOGIN; name": "Username", "Tel.": "phone", "S/N": "Serial_Number"}})
	all := users(t, e)
	if len(all) != 1 || all[0].Username != "ada" || all[0].Phone.Number != "425" || len(all[0].Tokens) != 1 || all[0].Tokens[0].Serial != "X1" {
		t.Errorf("got %+v", all)
	}
}

func TestManifestAndDigests(t *testing.T) {
	const text = "\xef\xbb\xbfUsername\r\nada\r\n"
	sum := sha256.Sum256([]byte(text))
	dir := files{
		"Users.CSV":     text,
		"manifest.json": fmt.Sprintf(`{"format":"mfabridge-export","version":1,"source":"here","created":"2024-09-28T06:00:00Z","sha256":{"Users.CSV":"%X"}}`, sum),
	}.write(t)
	s := open(t, dir, legacy.Options{}).Summary()
	if s.Source != "here" || s.Created.Format("2006-01-02") != "2024-09-28" {
		t.Errorf("source %q, created %v", s.Source, s.Created)
	}
	want := legacy.FileDigest{Name: "users.csv", SHA256: hex.EncodeToString(sum[:]), Bytes: int64(len(text))}
	if len(s.Files) != 2 || s.Files[0].Name != "manifest.json" || s.Files[1] != want {
		t.Errorf("files %+v", s.Files)
	}
}

func TestProgress(t *testing.T) {
	var seen []int64
	f := files{"users.csv": "Username\n" + strings.Repeat("ada\n", 25_000), "tokens.csv": "upn\nada\n"}
	open(t, f.write(t), legacy.Options{Progress: func(n int64) { seen = append(seen, n) }})
	if diff := cmp.Diff([]int64{10_000, 20_000, 25_001}, seen); diff != "" {
		t.Error(diff)
	}
}

func TestOpenCancelled(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	temp := t.TempDir()
	_, err := legacy.Open(ctx, files{"users.csv": "Username\nada\n"}.write(t), legacy.Options{TempDir: temp})
	if err == nil || ctx.Err() == nil || !strings.Contains(err.Error(), ctx.Err().Error()) {
		t.Errorf("got %v", err)
	}
	if left, _ := os.ReadDir(temp); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
}
