package legacy_test

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/text/encoding/charmap"
	"golang.org/x/text/encoding/unicode"

	"mfabridge/fixtures"
	"mfabridge/internal/hint"
	"mfabridge/legacy"
)

// Each row that cannot be read costs itself, with its place, in every form.
// A table that ends within a line may have lost more than its line end. Where a
// manifest has its sum it has not.
func TestUnendedTable(t *testing.T) {
	const row, found = "Username,Phone\r\nada,1\r\nben,425", "users.csv:3 FILE_UNENDED ||no line end stands behind the last row, as where a file was not copied whole"
	sum := sha256.Sum256([]byte(row))
	whole := fmt.Sprintf(`{"format":"mfabridge-export","version":1,"sha256":{"users.csv":"%x"}}`, sum)
	for name, tt := range map[string]struct {
		files files
		want  []string
	}{
		"cut off":       {files{"users.csv": row}, []string{found}},
		"whole":         {files{"users.csv": row + "\r\n"}, nil},
		"quoted":        {files{"users.csv": "Username,Phone\n\"ada\",\"1\n\""}, []string{strings.Replace(found, ":3", ":2", 1)}},
		"by a manifest": {files{"users.csv": row, "manifest.json": whole}, nil},
		"other forms":   {files{"users.jsonl": `{"Username":"ada"}`}, nil},
	} {
		if diff := cmp.Diff(tt.want, problems(t, open(t, tt.files.write(t), legacy.Options{}))); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
}

// A line end within a name of a column is no line that ends with CR alone.
func TestLineEndInAHeader(t *testing.T) {
	e := open(t, files{"users.csv": "Username,\"Country\r\nCode\"\r\nada,44\r\n"}.write(t), legacy.Options{})
	if all := users(t, e); len(all) != 1 || all[0].Phone.CountryCode != "44" {
		t.Errorf("%+v", all)
	}
}

func TestRowsRefused(t *testing.T) {
	long := strings.Repeat("1", legacy.MaxRow)
	const out = "; the row is left out"
	for name, tt := range map[string]struct{ file, text, want string }{
		"CSV, NUL":                {"users.csv", "Username,Phone\nada,1\x002\nben,1\n", "users.csv:2:5 ROW_INVALID |Phone|the value holds a NUL byte"},
		"CSV, too many fields":    {"users.csv", "Username,Phone\nada,1,2\nben,1\n", "users.csv:2:7 ROW_INVALID ||the row has 3 fields, the header has 2; a value that holds a comma must be quoted"},
		"CSV, too few fields":     {"users.csv", "Username,Phone\nada\nben,1\n", "users.csv:2 ROW_INVALID ||the row has 1 fields, the header has 2"},
		"CSV, cut off":            {"users.csv", "Username,Phone\nben,1\nada,\"1", "users.csv:3:5 ROW_INVALID |Phone|a quote that opens here is never closed"},
		"CSV, a lone CR":          {"users.csv", "Username,Phone\nada,1\rben,1\nben,1\n", "users.csv:2:11 ROW_INVALID ||the row has 3 fields, the header has 2; a value that holds a comma must be quoted"},
		"CSV, long":               {"users.csv", "Username,Phone\nada," + long + "\nben,1\n", "users.csv:2 ROW_INVALID ||the row is longer than 262144 bytes, the most that is read"},
		"CSV, not UTF-8":          {"users.csv", "Username,Phone\nada,Stra\xdfe\nben,1\n", "users.csv:2:5 ROW_INVALID |Phone|the value is not UTF-8; if the file is in Windows-1252, say so with --encoding windows-1252, else save it as UTF-8"},
		"CSV, a lost letter":      {"users.csv", "Username,Phone\nj?rgen,1\nben,1\n", "users.csv:2:1 ROW_INVALID j?rgen|Username|Username has a question mark in place of a letter, as a program leaves that could not write it; export it again as UTF-8"},
		"CSV, a lost letter, too": {"users.csv", "Username,UPN\nada,ad\ufffd@contoso.example\nben,\n", "users.csv:2:5 ROW_INVALID ada|UPN|UserPrincipalName has a question mark in place of a letter, as a program leaves that could not write it; export it again as UTF-8"},
		"CSV, a date":             {"users.csv", "Username,LastChanged\nada,2024-02-30\nben,\n", `users.csv:2:5 ROW_INVALID ada|LastChanged|LastChanged is "2024-02-30", but must be a date as 2006-01-02T15:04:05Z or 2006-01-02 15:04:05`},
		"lines, no JSON":          {"users.jsonl", "ada\n{\"Username\":\"ben\"}", "users.jsonl:1:1 ROW_INVALID ||this is not JSON: what stands here does not belong here"},
		"lines, cut off":          {"users.jsonl", "{\"Username\":\"ben\"}\n{\"Username\":\"a", "users.jsonl:2:15 ROW_INVALID ||this is not JSON: it ends before it is complete"},
		"lines, two values":       {"users.jsonl", "{\"Username\":\"ada\"} 1\n{\"Username\":\"ben\"}", "users.jsonl:1:20 ROW_INVALID ||this is not JSON: what stands here does not belong here"},
		"lines, no object":        {"users.jsonl", "[1]\n{\"Username\":\"ben\"}", "users.jsonl:1:1 ROW_INVALID ||the row must be an object, not a list"},
		"lines, key twice":        {"users.jsonl", `{"Username":"ada","Phone":1,"Phone":2}` + "\n{\"Username\":\"ben\"}", `users.jsonl:1:29 ROW_INVALID ||the key "Phone" stands twice`},
		"lines, column twice":     {"users.jsonl", `{"Username":"ada","Phone":1,"PHONE":2}` + "\n{\"Username\":\"ben\"}", "users.jsonl:1:37 ROW_INVALID ada|PHONE|Phone stands twice in the row"},
		"lines, an object":        {"users.jsonl", `{"Username":"ada","Phone":{"x":1}}` + "\n{\"Username\":\"ben\"}", "users.jsonl:1:27 ROW_INVALID ada|Phone|the value must be a text, a number, true, false or null, not an object"},
		"lines, nested":           {"users.jsonl", `{"Username":` + strings.Repeat("[", 100) + strings.Repeat("]", 100) + "}\n{\"Username\":\"ben\"}", "users.jsonl:1:44 ROW_INVALID ||values are nested more than 32 deep"},
		"lines, NUL":              {"users.jsonl", `{"Username":"a\u0000"}` + "\n{\"Username\":\"ben\"}", "users.jsonl:1:13 ROW_INVALID ||the value holds a NUL byte"},
		"lines, half":             {"users.jsonl", `{"Username":"a\ud800"}` + "\n{\"Username\":\"ben\"}", "users.jsonl:1:13 ROW_INVALID ||the value holds half a character"},
		"lines, not UTF-8":        {"users.jsonl", "{\"Username\":\"a\xff\"}\n{\"Username\":\"ben\"}", "users.jsonl:1:15 ROW_INVALID ||the value is not UTF-8; if the file is in Windows-1252, say so with --encoding windows-1252, else save it as UTF-8"},
		"lines, long":             {"users.jsonl", `{"Username":"ada","Phone":"` + long + "\"}\n{\"Username\":\"ben\"}", "users.jsonl:1 ROW_INVALID ||the row is longer than 262144 bytes, the most that is read"},
		"lines, no name":          {"users.jsonl", `{"Phone":1}` + "\n{\"Username\":\"ben\"}", "users.jsonl:1 ROW_INVALID |Username|Username is missing"},
		"lines, null":             {"users.jsonl", `{"Username":null}` + "\n{\"Username\":\"ben\"}", "users.jsonl:1:13 ROW_INVALID |Username|Username is empty"},
		"lines, wrong":            {"users.jsonl", `{"Username":"ada","Enabled":"maybe"}` + "\n{\"Username\":\"ben\"}", `users.jsonl:1:29 ROW_INVALID ada|Enabled|Enabled is "maybe", but must be true or false, yes or no, 1 or 0`},
		"lines, long key":         {"users.jsonl", `{"` + strings.Repeat("k", legacy.MaxName+1) + `":1}` + "\n{\"Username\":\"ben\"}", "users.jsonl:1:2 ROW_INVALID ||a key has more than 1024 bytes"},
		"XML, text in a row":      {"users.xml", "<a><b>x<Username>ada</Username></b><b><Username>ben</Username></b></a>", "users.xml:1:7 ROW_INVALID ada||text stands between the columns of the row"},
		"XML, text between rows":  {"users.xml", "<a>x<b><Username>ben</Username></b></a>", "users.xml:1:4 ROW_INVALID ||text stands between the rows"},
		"XML, in a value":         {"users.xml", "<a><b><Username>ada<x>y</x></Username></b><b><Username>ben</Username></b></a>", "users.xml:1:20 ROW_INVALID ada|Username|an element stands within the value"},
		"XML, column twice":       {"users.xml", "<a><b><Username>ada</Username><Phone/><Phone>1</Phone></b><b><Username>ben</Username></b></a>", "users.xml:1:46 ROW_INVALID ada|Phone|Phone stands twice in the row"},
		"XML, long row":           {"users.xml", "<a><b><Username>ada</Username><Phone>" + long[:len(long)-100] + "</Phone><Extension>" + long[:200] + "</Extension></b><b><Username>ben</Username></b></a>", "users.xml:1:262101 ROW_INVALID ada|Extension|the row is longer than 262144 bytes, the most that is read"},
		"XML, no name":            {"users.xml", "<a>\n<b/><b Username='ben'/></a>", "users.xml:2 ROW_INVALID |Username|Username is missing"},
	} {
		t.Run(name, func(t *testing.T) {
			e := open(t, files{tt.file: tt.text}.write(t), legacy.Options{})
			if diff := cmp.Diff([]string{tt.want + out}, problems(t, e)); diff != "" {
				t.Error(diff)
			}
			if all := users(t, e); len(all) != 1 || all[0].Username != "ben" {
				t.Errorf("users %+v", all)
			}
			if s := e.Summary(); s.SkippedRows != 1 || s.Users != 1 {
				t.Errorf("summary %+v", s)
			}
		})
	}
}

// A table without a header has no more keys than one with may have.
func TestTooManyKeys(t *testing.T) {
	var b strings.Builder
	for i := range legacy.MaxColumns + 10 {
		b.WriteString(`{"Username":"ada` + strings.Repeat("x", i) + `","k` + strings.Repeat("y", i) + "\":1}\n")
	}
	e := open(t, files{"users.jsonl": b.String()}.write(t), legacy.Options{})
	s := e.Summary()
	if s.Problems[legacy.ColumnUnknown] != legacy.MaxColumns-1 || s.SkippedRows != 11 {
		t.Errorf("summary %+v", s)
	}
}

// Mixed line ends are all line ends.
func TestMixedLineEnds(t *testing.T) {
	for name, text := range map[string]string{
		"users.csv":   "Username\r\nada\nben\r\n\nkim\n",
		"users.jsonl": "{\"Username\":\"ada\"}\r\n{\"Username\":\"ben\"}\n\r\n{\"Username\":\"kim\"}",
	} {
		e := open(t, files{name: text}.write(t), legacy.Options{})
		if all := users(t, e); len(all) != 3 || all[2].Username != "kim" || len(problems(t, e)) > 0 {
			t.Errorf("%s: %+v", name, all)
		}
	}
}

// zeros is a long file that is not on the disk.
type zeros struct{ left int }

func (z *zeros) Read(b []byte) (int, error) {
	n := min(len(b), z.left)
	if n == 0 {
		return 0, io.EOF
	}
	for i := range b[:n] {
		b[i] = '7'
	}
	z.left -= n
	return n, nil
}

// 100 MB in one field cost one row, and no memory.
func TestHugeField(t *testing.T) {
	for name, ends := range map[string][2]string{
		"users.csv":   {"Username,Phone\nada,", "\nben,1\n"},
		"users.jsonl": {`{"Username":"ada","Phone":"`, "\"}\n{\"Username\":\"ben\"}"},
	} {
		path := filepath.Join(t.TempDir(), name)
		f, err := os.Create(path)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.Copy(f, io.MultiReader(strings.NewReader(ends[0]), &zeros{100 << 20}, strings.NewReader(ends[1]))); err != nil {
			t.Fatal(err)
		}
		f.Close()
		e := open(t, path, legacy.Options{})
		want := []string{name + ":2 ROW_INVALID ||the row is longer than 262144 bytes, the most that is read; the row is left out"}
		if name == "users.jsonl" {
			want[0] = strings.Replace(want[0], ":2", ":1", 1)
		}
		if diff := cmp.Diff(want, problems(t, e)); diff != "" {
			t.Error(diff)
		}
		if all := users(t, e); len(all) != 1 || all[0].Username != "ben" {
			t.Errorf("users %+v", all)
		}
	}
}

func TestEncodings(t *testing.T) {
	const text = "Username,LastName,Phone\nada,Müller “€”,1\nben,日本 😀,2\n"
	west := strings.ReplaceAll(text, "日本 😀", "Šž")
	narrow, err := charmap.Windows1252.NewEncoder().String(west)
	if err != nil {
		t.Fatal(err)
	}
	wide := string(fixtures.UTF16([]byte(text), false))
	for name, tt := range map[string]struct{ file, encoding, last string }{
		"UTF-8":              {text, "", "日本 😀"},
		"UTF-8, said":        {text, legacy.EncodingUTF8, "日本 😀"},
		"UTF-8, mark wins":   {"\xef\xbb\xbf" + text, legacy.EncodingWindows1252, "日本 😀"},
		"UTF-16":             {wide, "", "日本 😀"},
		"UTF-16, big":        {string(fixtures.UTF16([]byte(text), true)), "", "日本 😀"},
		"UTF-16, mark wins":  {wide, legacy.EncodingWindows1252, "日本 😀"},
		"UTF-16, without":    {wide[2:], legacy.EncodingUTF16, "日本 😀"},
		"Windows-1252":       {narrow, legacy.EncodingWindows1252, "Šž"},
		"UTF-16, CR LF, big": {string(fixtures.UTF16([]byte(strings.ReplaceAll(text, "\n", "\r\n")), true)), "", "日本 😀"},
	} {
		e := open(t, files{"users.csv": tt.file}.write(t), legacy.Options{Encoding: tt.encoding})
		all := users(t, e)
		if len(all) != 2 || all[0].LastName != "Müller “€”" || all[1].LastName != tt.last || len(problems(t, e)) > 0 {
			t.Errorf("%s: users %+v, problems %q", name, all, problems(t, e))
		}
	}
}

// A whole file of UTF-8 is not read as Windows-1252: each name with another
// letter would be that of nobody. Single letters of it may stand in Windows-1252.
func TestUTF8IsNotWindows1252(t *testing.T) {
	long := strings.Repeat("a", 64<<10-5)
	for name, tt := range map[string]struct {
		rows string
		utf8 bool
	}{
		"UTF-8":             {"ada,Müller\nben,日本 😀\n", true},
		"ASCII":             {"ada,Muller\nben,Y\n", false},
		"Windows-1252":      {"ada,M\xfcller\nben,Y\n", false},
		"one ambiguous":     {"ada,Wei\xdf\x92s iPhone\nben,M\xfcller\n", false},
		"cut within":        {"ada,Müller\nben,M\xc3", false},
		"over a buffer":     {"ada," + long[:64<<10-len("Username,LastName\nada,")-1] + "ü\nben,Y\n", true},
		"an end of letters": {"ada,Müller\xbc\nben,Y\n", false},
	} {
		file := "Username,LastName\n" + tt.rows
		_, err := io.ReadAll(legacy.Decode(strings.NewReader(file), legacy.EncodingWindows1252))
		if (err != nil) != tt.utf8 || tt.utf8 && (hint.Of(err) == "" || !strings.Contains(err.Error(), "is in UTF-8")) {
			t.Errorf("%s: %v", name, err)
		}
	}
	for _, file := range []string{"users.csv", "users.jsonl", "users.xml"} {
		text := map[string]string{"users.csv": "Username\njörg\n", "users.jsonl": `{"Username":"jörg"}`, "users.xml": "<a><b><Username>jörg</Username></b></a>"}[file]
		e, err := legacy.Open(t.Context(), files{file: text}.write(t), legacy.Options{Encoding: legacy.EncodingWindows1252})
		if err == nil {
			for _, err = range e.Users(t.Context()) {
				if err != nil {
					break
				}
			}
			e.Close()
		}
		if err == nil || !strings.Contains(err.Error(), file+" is in UTF-8") {
			t.Errorf("%s: %v", file, err)
		}
	}
}

// loose tells whether b is UTF-8 but for letters that have no meaning there.
func loose(b []byte) bool {
	for len(b) > 0 {
		n := 1
		switch c := b[0]; {
		case c >= 0xf0:
			n = 4
		case c >= 0xe0:
			n = 3
		case c >= 0x80:
			n = 2
		}
		if n > len(b) || b[0] >= 0xf5 || n > 1 && b[0] < 0xc2 || slices.ContainsFunc(b[1:n], func(c byte) bool { return c < 0x80 || c > 0xbf }) {
			return false
		}
		b = b[n:]
	}
	return true
}

// What an encoding does not have is found where it stands.
func TestEncodingsRefuse(t *testing.T) {
	half := fixtures.UTF16([]byte("Username,LastName\nada,X\nben,Y\n"), false)
	x := bytes.Index(half, []byte("X"))
	high, low, odd := bytes.Clone(half), bytes.Clone(half), append(bytes.Clone(half), 'k')
	copy(high[x:], "\x3d\xd8")
	copy(low[x:], "\x00\xde")
	for name, tt := range map[string]struct {
		file, encoding string
		want           []string
	}{
		"high half":     {string(high), "", []string{"users.csv:2:5 ROW_INVALID |LastName|the value is not UTF-16: a half of a character stands alone; the row is left out"}},
		"low half":      {string(low), "", []string{"users.csv:2:5 ROW_INVALID |LastName|the value is not UTF-16: a half of a character stands alone; the row is left out"}},
		"half a unit":   {string(odd), "", []string{"users.csv:4 ROW_INVALID ||the row has 1 fields, the header has 2; the row is left out"}},
		"hole":          {"Username,LastName\nada,\x81\nben,Y\n", legacy.EncodingWindows1252, []string{"users.csv:2:5 ROW_INVALID |LastName|the value holds a byte that Windows-1252 does not have; the row is left out"}},
		"never guessed": {"Username,LastName\nada,M\xfcller\nben,Y\n", "", []string{"users.csv:2:5 ROW_INVALID |LastName|the value is not UTF-8; if the file is in Windows-1252, say so with --encoding windows-1252, else save it as UTF-8; the row is left out"}},
	} {
		e := open(t, files{"users.csv": tt.file}.write(t), legacy.Options{Encoding: tt.encoding})
		got := problems(t, e)
		if name == "half a unit" && len(got) == 2 && strings.Contains(got[0], "FILE_UNENDED") && strings.Contains(got[1], "UTF-16") {
			got = tt.want // whichever is said first
		}
		if diff := cmp.Diff(tt.want, got); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
}

// The decoders agree with those of x/text on everything, but for what they
// refuse.
func FuzzDecode(f *testing.F) {
	f.Add(fixtures.UTF16([]byte("Username\nMüller 😀\n"), false), false)
	f.Add([]byte("M\xfcller\x80\x81"), true)
	f.Fuzz(func(t *testing.T, b []byte, narrow bool) {
		option, want := legacy.EncodingUTF16, unicode.UTF16(unicode.LittleEndian, unicode.UseBOM).NewDecoder()
		if narrow {
			option, want = legacy.EncodingWindows1252, charmap.Windows1252.NewDecoder()
		}
		got, err := io.ReadAll(legacy.Decode(bytes.NewReader(b), option))
		if narrow && err != nil {
			if !utf8.Valid(b) && !loose(b) || utf8.RuneCount(b) == len(b) {
				t.Fatalf("%q is no UTF-8: %v", b, err)
			}
			return
		}
		if err != nil {
			t.Fatal(err)
		}
		marked := narrow && (bytes.HasPrefix(b, []byte("\xff\xfe")) || bytes.HasPrefix(b, []byte("\xfe\xff")))
		if marked || bytes.HasPrefix(b, []byte("\xef\xbb\xbf")) || bytes.IndexByte(got, 0xff) >= 0 {
			return
		}
		theirs, err := want.Bytes(b)
		if err != nil {
			t.Fatal(err)
		}
		theirs = bytes.TrimPrefix(theirs, []byte("\ufeff"))
		if !bytes.Equal(bytes.TrimPrefix(got, []byte("\ufeff")), theirs) && !bytes.ContainsRune(theirs, '\ufffd') {
			t.Fatalf("%q, theirs %q", got, theirs)
		}
	})
}

// Whatever stands in a file of any form, opening ends, and both passes agree.
func fuzzForm(f *testing.F, name string, seeds ...string) {
	for _, s := range seeds {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		o := legacy.Options{}
		dir := files{name: string(b), "activity.csv": "Timestamp,Username\n2024-01-01 00:00:00,ada\n"}
		if !strings.HasPrefix(name, "users") && !strings.HasPrefix(name, "soap/") {
			dir["users.csv"] = "Username,OathTokenSerialNumber\nada,1\nben,2\n"
		}
		e, err := legacy.Open(t.Context(), dir.write(t), o)
		if err != nil {
			if strings.Contains(err.Error(), "\n") {
				t.Errorf("several lines: %q", err)
			}
			return
		}
		defer e.Close()
		first, second := users(t, e), users(t, e)
		if diff := cmp.Diff(first, second, equalSecrets()); diff != "" {
			t.Fatal(diff)
		}
		if s := e.Summary(); s.Users != int64(len(first)) {
			t.Fatalf("%d users, summary %+v", len(first), s)
		}
		problems(t, e)
	})
}

func FuzzLines(f *testing.F) {
	fuzzForm(f, "users.jsonl", `{"Username":"ada","Enabled":true,"OathTokenTimeInterval":30,"x":[{"y":null}]}`+"\n"+`{"Username":"ADA"}`,
		"{\"Username\":\"\\ud83d\\ude00\",\"Phone\":\"\xff\"}", "\xff\xfe{\x00}\x00", "[[[[")
}

func FuzzXML(f *testing.F) {
	fuzzForm(f, "users.xml", `<?xml version="1.0"?><a xmlns="u"><b Username="ada"/><b><Username>ben</Username><x><y/></x></b></a>`, "<a>x<b>&amp;<Username/></b>", "<!DOCTYPE a>")
}
