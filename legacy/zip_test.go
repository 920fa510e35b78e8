package legacy_test

import (
	"archive/zip"
	"bytes"
	"compress/flate"
	"hash/crc32"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"filippo.io/age"

	"mfabridge/fixtures"
	"mfabridge/internal/hint"
	"mfabridge/internal/secret"
	"mfabridge/legacy"
)

// packed is one entry of a zip, as its header says it is.
type packed struct {
	name   string
	text   string
	header zip.FileHeader
	raw    bool // text is packed already, and the header says the rest
}

func pack(t testing.TB, entries ...packed) []byte {
	t.Helper()
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	for _, e := range entries {
		h := e.header
		h.Name = e.name
		create := z.CreateHeader
		if e.raw {
			create = z.CreateRaw
		}
		w, err := create(&h)
		if err == nil && !strings.HasSuffix(e.name, "/") {
			_, err = io.WriteString(w, e.text)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func deflated(t testing.TB, text string) string {
	t.Helper()
	var b bytes.Buffer
	w, err := flate.NewWriter(&b, flate.BestCompression)
	if err == nil {
		_, err = io.WriteString(w, text)
	}
	if err == nil {
		err = w.Close()
	}
	if err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func put(t testing.TB, name string, b []byte) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, b, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

const table = "Username\nada\n"

// symlink is a link, as a zip program writes it.
func symlink(t testing.TB) zip.FileHeader {
	t.Helper()
	var h zip.FileHeader
	h.SetMode(fs.ModeSymlink | 0o777)
	return h
}

// A zip that plays tricks is refused whole, and by name, before any of it is
// read.
func TestZipRefuses(t *testing.T) {
	const zeros = 2 << 20
	bomb := deflated(t, strings.Repeat("\x00", zeros))
	lie := deflated(t, table+strings.Repeat("ben\n", 100))
	many := make([]packed, legacy.MaxZipEntries+1)
	for i := range many {
		many[i] = packed{name: "f" + string(rune('a'+i%26)) + strings.Repeat("x", i%7) + string(rune(0x4e00+i/26))}
	}
	for name, tt := range map[string]struct {
		zip    []byte
		phrase string
	}{
		"not a zip":     {[]byte("Username\nada\n"), "the export is not a zip, or not a whole one"},
		"empty":         {nil, "the export is not a zip, or not a whole one"},
		"cut off":       {pack(t, packed{name: "users.csv", text: table})[:60], "the export is not a zip, or not a whole one"},
		"no users":      {pack(t, packed{name: "tokens.csv", text: "upn\n"}), "holds no users.csv"},
		"a zip":         {pack(t, packed{name: "export.zip", text: "PK"}), `holds no users.csv, but "export.zip"`},
		"two tops":      {pack(t, packed{name: "a/users.csv", text: table}, packed{name: "b/tokens.csv", text: table}), "holds no users.csv"},
		"two levels":    {pack(t, packed{name: "a/b/users.csv", text: table}), "holds no users.csv"},
		"upwards":       {pack(t, packed{name: "../users.csv", text: table}), `the zip holds "../users.csv", which is no plain name of a file`},
		"hidden up":     {pack(t, packed{name: "a/../../users.csv", text: table}), `the zip holds "a/../../users.csv", which is no plain name of a file`},
		"absolute":      {pack(t, packed{name: "/users.csv", text: table}), `the zip holds "/users.csv", which is no plain name of a file`},
		"drive":         {pack(t, packed{name: "C:users.csv", text: table}), `the zip holds "C:users.csv", which is no plain name of a file`},
		"backslash":     {pack(t, packed{name: `..\users.csv`, text: table}), `the zip holds "..\\users.csv", which is no plain name of a file`},
		"control":       {pack(t, packed{name: "users\x1b.csv", text: table}), `the zip holds "users\x1b.csv", which is no plain name of a file`},
		"not UTF-8":     {pack(t, packed{name: "us\xffers.csv", text: table, header: zip.FileHeader{NonUTF8: true}}), `which is no plain name of a file`},
		"doubled slash": {pack(t, packed{name: "a//users.csv", text: table}), `which is no plain name of a file`},
		"twice":         {pack(t, packed{name: "users.csv", text: table}, packed{name: "users.csv", text: table}), `the zip holds "users.csv" and "users.csv"`},
		"twice in case": {pack(t, packed{name: "users.csv", text: table}, packed{name: "Users.csv", text: table}), `the zip holds "users.csv" and "Users.csv"`},
		"link":          {pack(t, packed{name: "users.csv", text: "/etc/passwd", header: symlink(t)}), "users.csv in the zip is not a regular file"},
		"password":      {pack(t, packed{name: "users.csv", text: table, raw: true, header: zip.FileHeader{Flags: 1, CompressedSize64: 13, UncompressedSize64: 13}}), "users.csv in the zip is encrypted with a zip password, which is not read"},
		"method":        {pack(t, packed{name: "users.csv", text: table, raw: true, header: zip.FileHeader{Method: 12, CompressedSize64: 13, UncompressedSize64: 13}}), "users.csv in the zip is packed by method 12; only deflate is read"},
		"bomb": {pack(t, packed{name: "users.csv", text: bomb, raw: true, header: zip.FileHeader{Method: zip.Deflate, CompressedSize64: uint64(len(bomb)), UncompressedSize64: zeros}}),
			"users.csv in the zip unpacks to more than 250 times its size"},
		"large": {pack(t, packed{name: "users.csv", text: table, raw: true, header: zip.FileHeader{Method: zip.Deflate, CompressedSize64: 13, UncompressedSize64: legacy.MaxFile + 1}}),
			"users.csv has 68719476737 bytes, 68719476736 is the limit"},
		"large together": {pack(t, packed{name: "users.csv", text: table, raw: true, header: zip.FileHeader{Method: zip.Deflate, CompressedSize64: 1 << 32, UncompressedSize64: legacy.MaxFile}},
			packed{name: "tokens.csv", text: table}), "the zip unpacks to 68719476749 bytes, 68719476736 is the limit"},
		"overlapping": {pack(t, packed{name: "users.csv", text: table, raw: true, header: zip.FileHeader{Method: zip.Deflate, CompressedSize64: 1 << 30, UncompressedSize64: 1 << 31}}),
			"the zip unpacks to more than 250 times its size"},
		"too many":   {pack(t, many...), "the zip has more than 50000 entries"},
		"long names": {pack(t, longNames()...), "the list of entries of the zip has more than 8388608 bytes"},
		"longer than said": {pack(t, packed{name: "users.csv", text: lie, raw: true, header: zip.FileHeader{Method: zip.Deflate, CompressedSize64: uint64(len(lie)), UncompressedSize64: 13}}),
			"users.csv in the zip is longer than the zip says"},
		"shorter than said": {pack(t, packed{name: "users.csv", text: deflated(t, table), raw: true, header: zip.FileHeader{Method: zip.Deflate, CompressedSize64: 15, UncompressedSize64: 14}}),
			"users.csv in the zip is damaged: its end is missing or its checksum is another one"},
		"checksum": {pack(t, packed{name: "users.csv", text: table, raw: true, header: zip.FileHeader{CRC32: 1, CompressedSize64: 13, UncompressedSize64: 13}}),
			"users.csv in the zip is damaged: its end is missing or its checksum is another one"},
		"garbage": {pack(t, packed{name: "users.csv", text: "\xff\xff\xff", raw: true, header: zip.FileHeader{Method: zip.Deflate, CompressedSize64: 3, UncompressedSize64: 13}}),
			"users.csv in the zip cannot be unpacked"},
	} {
		t.Run(name, func(t *testing.T) {
			temp := t.TempDir()
			_, err := legacy.Open(t.Context(), put(t, "export.zip", tt.zip), legacy.Options{TempDir: temp})
			if err == nil {
				t.Fatal("it is opened")
			}
			if !strings.Contains(err.Error(), tt.phrase) || hint.Of(err) == "" || strings.Contains(err.Error(), "\n") {
				t.Errorf("error %q, hint %q; want …%s…", err, hint.Of(err), tt.phrase)
			}
			if left, _ := os.ReadDir(temp); len(left) > 0 {
				t.Errorf("left behind: %v", left)
			}
		})
	}
}

func longNames() []packed {
	entries := make([]packed, 150)
	for i := range entries {
		entries[i].name = strings.Repeat("x", 60_000) + string(rune('a'+i))
	}
	return entries
}

// What programs put beside the files is not in the way, and is named.
func TestZipShapes(t *testing.T) {
	for name, entries := range map[string][]packed{
		"flat":   {{name: "Users.CSV", text: table}, {name: "notes.txt"}, {name: "more/"}, {name: "more/x.csv"}, {name: "soap/readme"}},
		"nested": {{name: "Export 1/"}, {name: "Export 1/Users.CSV", text: table}, {name: "Export 1/notes.txt"}, {name: "Export 1/more/x.csv"}, {name: "Export 1/soap/readme"}, {name: "__MACOSX/Export 1/._Users.CSV"}},
	} {
		t.Run(name, func(t *testing.T) {
			e := open(t, put(t, "x.ZIP", pack(t, entries...)), legacy.Options{})
			if all := users(t, e); len(all) != 1 || all[0].Place.String() != "users.csv:2" {
				t.Errorf("users %+v", all)
			}
			got := strings.Join(problems(t, e), "\n")
			for _, other := range []string{"notes.txt FILE_NOT_READ", "more FILE_NOT_READ", "soap/readme FILE_NOT_READ"} {
				if !strings.Contains(got, other) {
					t.Errorf("%s is not said in %s", other, got)
				}
			}
			if strings.Contains(got, "__MACOSX") != (name == "nested") {
				t.Errorf("what macOS added: %s", got)
			}
		})
	}
}

// A file that changes between two passes is noticed, in a zip too.
func TestZipDamagedLater(t *testing.T) {
	b := pack(t, packed{name: "users.csv", text: table, raw: true, header: zip.FileHeader{CRC32: crc32.ChecksumIEEE([]byte(table)), CompressedSize64: 13, UncompressedSize64: 13}})
	path := put(t, "export.zip", b)
	e := open(t, path, legacy.Options{})
	users(t, e)
	at := bytes.Index(b, []byte("ada"))
	b[at] = 'e'
	if err := os.WriteFile(path, b, 0o600); err != nil {
		t.Fatal(err)
	}
	var got error
	for _, err := range e.Users(t.Context()) {
		got = err
	}
	if got == nil || !strings.Contains(got.Error(), "damaged") {
		t.Errorf("got %v", got)
	}
}

func encrypt(t testing.TB, b []byte, to ...age.Recipient) []byte {
	t.Helper()
	var out bytes.Buffer
	w, err := age.Encrypt(&out, to...)
	if err == nil {
		_, err = w.Write(b)
	}
	if err == nil {
		err = w.Close()
	}
	if err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func identity(t testing.TB) *age.X25519Identity {
	t.Helper()
	id, err := age.GenerateX25519Identity()
	if err != nil {
		t.Fatal(err)
	}
	return id
}

// Large enough for several blocks of 64 KiB, each of them needed.
func encryptedExport(t testing.TB, to age.Recipient) []byte {
	var text strings.Builder
	text.WriteString("Username\n")
	for i := range 60_000 {
		text.WriteString("ada" + strings.Repeat("x", i%50) + "\n")
	}
	return encrypt(t, pack(t, packed{name: "users.csv", text: text.String(), header: zip.FileHeader{Method: zip.Store}}), to)
}

func TestAge(t *testing.T) {
	id, other := identity(t), identity(t)
	b := encryptedExport(t, id.Recipient())
	temp := t.TempDir()
	e := open(t, put(t, "export.ZIP.age", b), legacy.Options{Identities: []age.Identity{other, id}, TempDir: temp})
	if s := e.Summary(); s.Rows != 60_000 {
		t.Errorf("%d rows", s.Rows)
	}
	for range 2 {
		users(t, e)
	}
	// Nothing of it is on the disk in the clear, also while it is open.
	filepath.WalkDir(temp, func(path string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			t.Errorf("%s is on the disk", path)
		}
		return err
	})
	if err := e.Close(); err != nil {
		t.Error(err)
	}
	if err := e.Close(); err != nil {
		t.Errorf("closed again: %v", err)
	}
	for _, err := range e.Users(t.Context()) {
		if err == nil {
			t.Error("a user of a closed export")
		}
	}
}

// A block that was altered, moved or cut off is an error, never a wrong user.
func TestAgeRefuses(t *testing.T) {
	id := identity(t)
	b := encryptedExport(t, id.Recipient())
	mine := legacy.Options{Identities: []age.Identity{id}}
	altered := bytes.Clone(b)
	altered[len(b)/2] ^= 1
	tail := bytes.Clone(b)
	tail[len(b)-1] ^= 1
	for name, tt := range map[string]struct {
		file    string
		bytes   []byte
		options legacy.Options
		phrase  string
		hint    string
	}{
		"no key":           {"e.zip.age", b, legacy.Options{}, "is encrypted, and no key to it is given", "age identity"},
		"another key":      {"e.zip.age", b, legacy.Options{Identities: []age.Identity{identity(t)}}, "none of the keys given opens the export", "age identity"},
		"a passphrase":     {"e.zip.age", b, legacy.Options{Passphrase: secret.FromString("x")}, "none of the keys given opens the export", "passphrase"},
		"altered":          {"e.zip.age", altered, mine, "users.csv", ""},
		"altered at end":   {"e.zip.age", tail, mine, "the export cannot be decrypted", "copy the file again"},
		"cut off":          {"e.zip.age", b[:len(b)-100], mine, "the export cannot be decrypted", "copy the file again"},
		"cut off at block": {"e.zip.age", b[:len(b)-len(b)%(64<<10+16)], mine, "the export cannot be decrypted", "copy the file again"},
		"not age":          {"e.zip.age", []byte("PK"), mine, "the export is not encrypted by age", "copy the file again"},
		"a table as it is": {"e.zip.age", []byte(table), mine, "the export is not encrypted by age", "copy the file again"},
		"armored":          {"e.zip.age", []byte("-----BEGIN AGE ENCRYPTED FILE-----\n"), mine, "the export is encrypted as text (age --armor), which is not read", "without --armor"},
		"not a zip in it":  {"e.zip.age", encrypt(t, []byte(table), id.Recipient()), mine, "the export is not a zip", "copy"},
		"a table in it":    {"users.csv.age", encrypt(t, []byte(table), id.Recipient()), mine, "users.csv.age is a file of a kind that is not read", ".zip.age"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := legacy.Open(t.Context(), put(t, tt.file, tt.bytes), tt.options)
			if err == nil {
				t.Fatal("it is opened")
			}
			if !strings.Contains(err.Error(), tt.phrase) || !strings.Contains(hint.Of(err), tt.hint) {
				t.Errorf("error %q, hint %q; want …%s… and …%s…", err, hint.Of(err), tt.phrase, tt.hint)
			}
			if strings.Contains(err.Error(), table[:8]) {
				t.Errorf("the error quotes the file: %v", err)
			}
		})
	}
}

// Whatever a zip holds, opening ends, within its limits.
func FuzzZip(f *testing.F) {
	f.Add(pack(f, packed{name: "users.csv", text: table}))
	f.Add(pack(f, packed{name: "a/users.jsonl", text: `{"Username":"ada"}`}, packed{name: "a/soap/x.xml", text: "<a/>"}))
	f.Add(pack(f, packed{name: "users.xml", text: "<a><b Username='x'/></a>", header: zip.FileHeader{Method: zip.Deflate}}))
	f.Fuzz(func(t *testing.T, b []byte) {
		e, err := legacy.Open(t.Context(), put(t, "x.zip", b), legacy.Options{})
		if err != nil {
			if strings.Contains(err.Error(), "\n") {
				t.Errorf("several lines: %q", err)
			}
			return
		}
		defer e.Close()
		users(t, e)
		problems(t, e)
	})
}

// A single file is an export of users, whatever it is called.
func TestOneFile(t *testing.T) {
	export := fixtures.Contoso()
	csv, err := fs.ReadFile(export, "users.csv")
	if err != nil {
		t.Fatal(err)
	}
	for name, b := range map[string][]byte{
		"Everybody 2024.CSV": csv,
		"x.jsonl":            []byte(`{"Username":"ada"}`),
		"soap.xml":           []byte(`<a><b><Username>ada</Username></b></a>`),
	} {
		e := open(t, put(t, name, b), legacy.Options{})
		all := users(t, e)
		if len(all) == 0 || all[0].Place.File != name {
			t.Errorf("%s: users %+v", name, all)
		}
		if s := e.Summary(); len(s.Files) != 1 || s.Files[0].Name != name {
			t.Errorf("%s: summary %+v", name, s)
		}
	}
}
