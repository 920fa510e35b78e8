package legacy_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"mfabridge/fixtures"
	"mfabridge/fixtures/gen"
	"mfabridge/internal/hint"
	"mfabridge/internal/secret"
	"mfabridge/legacy"
)

// equalSecrets compares seeds by value.
func equalSecrets() cmp.Option {
	return cmp.Comparer(func(a, b secret.Bytes) bool { return a.Equal(b) })
}

func TestUserValues(t *testing.T) {
	const header = "UserName,user principal name,SID,First_Name,LastName,EmailAddress,UserGroup,CountryCode,Phone,Extension," +
		"BackupCountryCode,BackupPhone,BackupExtension,KeepPhoneSynchronized,Mode,PinMode,SmsDirection,SmsMode,PhoneAppMode,Enabled," +
		"DisabledBehavior,Blocked,PinSet,StaticTokenSet,SecurityQuestionsSet,OathTokenExists,OathTokenSerialNumber,OathTokenSecretKey," +
		"OathTokenTimeInterval,PhoneAppActivated,Language,LastChanged\r\n"
	e := open(t, files{"users.csv": header +
		` Ada ,ada@contoso.example,S-1-5-21-1,Ada,"Love""lace",a@contoso.example,"Staff, all",+44,20 7946 0100,1,1,425 555 0100,2,` +
		"YES,PHONEAPP,returnpin,TwoWay,OTPPLUSPIN,Voiceprint,no,Succeed,1,true,Yes,TRUE,1,S1,gez dg===,60,1,en,2024-02-03T04:05:06+01:00\r\n" +
		"bare" + strings.Repeat(",", 31) + "\n"}.write(t), legacy.Options{})
	want := []legacy.User{{
		Place: legacy.Place{File: "users.csv", Line: 2}, Username: "Ada", UPN: "ada@contoso.example", SID: "S-1-5-21-1",
		FirstName: "Ada", LastName: `Love"lace`, Email: "a@contoso.example", Group: "Staff, all",
		Phone:                 legacy.PhoneFields{CountryCode: "+44", Number: "20 7946 0100", Extension: "1"},
		BackupPhone:           legacy.PhoneFields{CountryCode: "1", Number: "425 555 0100", Extension: "2"},
		KeepPhoneSynchronized: true, Mode: legacy.ModePhoneApp, PinMode: "returnPin", SMSDirection: "twoWay", SMSMode: "otpPlusPin",
		PhoneAppMode: "voiceprint", Enabled: false, DisabledBehavior: "succeed", Blocked: true, PinSet: true, StaticTokenSet: true,
		SecurityQuestionsSet: true, TokenExists: true, PhoneAppActivated: true, Language: "en", LastChanged: time.Date(2024, 2, 3, 3, 5, 6, 0, time.UTC),
		Tokens: []legacy.Token{{
			Place: legacy.Place{File: "users.csv", Line: 2, Column: 206}, Serial: "S1",
			Seed:      legacy.Seed{Key: secret.FromString("123"), State: legacy.SeedOK},
			Generator: legacy.Generator{Interval: 60, Digits: 6, Algorithm: "SHA1"},
		}},
	}, {
		Place: legacy.Place{File: "users.csv", Line: 3}, Ordinal: 1, Username: "bare", Enabled: true,
	}}
	if diff := cmp.Diff(want, users(t, e), equalSecrets()); diff != "" {
		t.Error(diff)
	}
	if p := problems(t, e); len(p) > 0 {
		t.Errorf("problems %q", p)
	}
}

// Each value that is not what its column holds costs its row, with its place;
// quoted only where neither the column nor the value can be a secret.
func TestUserRowsRefused(t *testing.T) {
	for column, tt := range map[string]struct{ value, want string }{
		"Username":              {"", "Username is empty"},
		"UserPrincipalName":     {"\"a\x1bb\"", "control character"},
		"KeepPhoneSynchronized": {"ja", `is "ja", but must be true or false`},
		"Mode":                  {"fax", `is "fax", but must be phoneApp, oathToken, smsText or voiceCall`},
		"PinMode":               {"x", `is "x"`},
		"SmsDirection":          {"threeWay", `is "threeWay"`},
		"SmsMode":               {"pin", `is "pin"`},
		"PhoneAppMode":          {"otp", `is "otp"`},
		"Enabled":               {"2", `is "2"`},
		"DisabledBehavior":      {"allow", `is "allow"`},
		"Blocked":               {"JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP", "Blocked must be true or false"},
		"PinSet":                {"1379", "PinSet must be true or false"},
		"StaticTokenSet":        {"4711", "StaticTokenSet must be true or false"},
		"SecurityQuestionsSet":  {"Rex", "SecurityQuestionsSet must be true or false"},
		"OathTokenExists":       {"T-1234", "OathTokenExists must be true or false"},
		"OathTokenTimeInterval": {"JBSWY3DP", "OathTokenTimeInterval must be a whole number"},
		"PhoneAppActivated":     {"8", "PhoneAppActivated must be true or false"},
		"LastChanged":           {"03.02.2024", `is "03.02.2024", but must be a date`},
	} {
		t.Run(column, func(t *testing.T) {
			header, row := "Language,Username,"+column, "en,ada,"+tt.value
			at := "users.csv:2:8"
			if column == "Username" {
				header, row, at = "Language,Username", "en,", "users.csv:2:4"
			}
			e := open(t, files{"users.csv": header + "\n" + row + "\nde,ben" + strings.Repeat(",", strings.Count(header, ",")-1) + "\n"}.write(t), legacy.Options{})
			got := problems(t, e)
			if len(got) != 1 || !strings.HasPrefix(got[0], at+" ROW_INVALID ") || !strings.Contains(got[0], "|"+column+"|") || !strings.Contains(got[0], tt.want) {
				t.Errorf("got %q, want %s … %s", got, at, tt.want)
			}
			if len(tt.value) > 3 && strings.Contains(tt.want, "must be") && !strings.Contains(tt.want, "is \"") && strings.Contains(got[0], tt.value) {
				t.Errorf("the value is quoted: %s", got[0])
			}
			if all := users(t, e); len(all) != 1 || all[0].Username != "ben" || all[0].Ordinal != 1 {
				t.Errorf("users %+v", all)
			}
			if s := e.Summary(); s.Rows != 2 || s.Users != 1 || s.SkippedRows != 1 {
				t.Errorf("summary %+v", s)
			}
		})
	}
}

func TestIntervalWithoutToken(t *testing.T) {
	e := open(t, files{"users.csv": "Username,OathTokenSerialNumber,OathTokenTimeInterval\nada,,0\nben,S1,0\neve,S2,\n"}.write(t), legacy.Options{})
	all := users(t, e)
	if len(all) != 2 || len(all[0].Tokens) != 0 || all[1].Tokens[0].Interval != 30 || all[1].Tokens[0].Seed.State != legacy.SeedMissing {
		t.Errorf("users %+v", all)
	}
	if p := problems(t, e); len(p) != 1 || !strings.HasPrefix(p[0], "users.csv:3:8 ROW_INVALID ben|OathTokenTimeInterval|") {
		t.Errorf("problems %q", p)
	}
}

func TestDevicesAndTokensAreJoined(t *testing.T) {
	e := open(t, files{
		"users.csv": "Username,UserPrincipalName\neve,\nada,ADA@contoso.example\n",
		"devices.csv": "Username,UserDeviceId,DeviceName,DeviceToken,NotificationType,PhoneAppVersion,OathTokenSecretKey,OathTokenTimeInterval,TimeDrift,Digits,Algorithm,Activated,LastUsed\n" +
			"ADA,2,\"B, \"\"x\"\"\",p2,APNS,6.1,gezdg,60,-3,8,sha-256,2024-01-02 03:04:05,\nghost,9,,,,,,,,,,,\nada,1,A,p1,,,,0,,,,,2024-05-06T00:00:00Z\n",
		"tokens.csv": "upn,username,Serial Number,secret key,time interval,manufacturer,model\n" +
			"ada@contoso.example,,T1,hex:313233,,Acme,C1\n,EVE,T2,31 not,,,\nAda,,T3,,45,,\nghost@contoso.example,,T4,,,,\nada@contoso.example,eve,T5,,,,\nada@CONTOSO.example,ada,T6,,,,\n",
	}.write(t), legacy.Options{})
	got := users(t, e)
	want := []legacy.User{
		{Place: legacy.Place{File: "users.csv", Line: 2}, Username: "eve", Enabled: true, Tokens: []legacy.Token{
			{Place: legacy.Place{File: "tokens.csv", Line: 3}, Serial: "T2", Generator: legacy.Generator{Interval: 30, Digits: 6, Algorithm: "SHA1"},
				Seed: legacy.Seed{State: legacy.SeedInvalid, Problem: "it is not Base32: character 2 is none of A to Z and 2 to 7"}},
		}},
		{Place: legacy.Place{File: "users.csv", Line: 3}, Ordinal: 1, Username: "ada", UPN: "ADA@contoso.example", Enabled: true,
			Devices: []legacy.Device{
				{Place: legacy.Place{File: "devices.csv", Line: 2}, ID: "2", Name: `B, "x"`, PushToken: "p2", NotificationType: "apns", AppVersion: "6.1",
					Seed:      legacy.Seed{Key: secret.FromString("123"), State: legacy.SeedOK},
					Generator: legacy.Generator{Interval: 60, Digits: 8, Algorithm: "SHA256", Drift: -3}, Activated: time.Date(2024, 1, 2, 3, 4, 5, 0, time.UTC)},
				{Place: legacy.Place{File: "devices.csv", Line: 4}, ID: "1", Name: "A", PushToken: "p1",
					Generator: legacy.Generator{Interval: 30, Digits: 6, Algorithm: "SHA1"}, LastUsed: time.Date(2024, 5, 6, 0, 0, 0, 0, time.UTC)},
			},
			Tokens: []legacy.Token{
				{Place: legacy.Place{File: "tokens.csv", Line: 2}, Serial: "T1", Manufacturer: "Acme", Model: "C1",
					Seed: legacy.Seed{Key: secret.FromString("123"), State: legacy.SeedOK}, Generator: legacy.Generator{Interval: 30, Digits: 6, Algorithm: "SHA1"}},
				{Place: legacy.Place{File: "tokens.csv", Line: 4}, Serial: "T3", Generator: legacy.Generator{Interval: 45, Digits: 6, Algorithm: "SHA1"}},
				{Place: legacy.Place{File: "tokens.csv", Line: 7}, Serial: "T6", Generator: legacy.Generator{Interval: 30, Digits: 6, Algorithm: "SHA1"}},
			}},
	}
	if diff := cmp.Diff(want, got, equalSecrets()); diff != "" {
		t.Error(diff)
	}
	wantProblems := []string{
		"devices.csv:3 ORPHAN_DEVICE ghost||the device belongs to a user that is not in the export",
		"tokens.csv:5 ORPHAN_TOKEN ghost@contoso.example||the token belongs to a user that is not in the export",
		"tokens.csv:6 ROW_INVALID eve||Username and upn lead to different users; the row is left out",
	}
	if diff := cmp.Diff(wantProblems, problems(t, e)); diff != "" {
		t.Error(diff)
	}
	s := e.Summary()
	if s.Devices != 2 || s.DevicesWithSecret != 1 || s.Tokens != 4 || s.TokensWithSecret != 1 || s.SkippedRows != 1 || s.LeftOut != 0 {
		t.Errorf("summary %+v", s)
	}
}

// Names are joined as the old server compares them: capitals aside, letter by
// letter. What belongs to a name that is written in another way is given to
// nobody, and is told.
func TestNamesWrittenInAnotherWayAreNotJoined(t *testing.T) {
	e := open(t, files{
		"users.csv":   "Username,UserPrincipalName\nstraße,strasse@contoso.example\njos\u00e9,\nJÜRGEN,\n",
		"devices.csv": "Username\nSTRASSE\njose\u0301\njürgen\nStraße\n",
		"tokens.csv":  "upn,username\nstraße@contoso.example,\n,strasse\n",
	}.write(t), legacy.Options{})
	var joined []string
	for _, u := range users(t, e) {
		joined = append(joined, fmt.Sprintf("%s %d %d", u.Username, len(u.Devices), len(u.Tokens)))
	}
	if diff := cmp.Diff([]string{"straße 1 0", "jos\u00e9 0 0", "JÜRGEN 1 0"}, joined); diff != "" {
		t.Error(diff)
	}
	want := []string{
		"devices.csv:2 ORPHAN_DEVICE STRASSE||the device belongs to a user that is not in the export",
		"devices.csv:3 ORPHAN_DEVICE jose\u0301||the device belongs to a user that is not in the export",
		"tokens.csv:2 ORPHAN_TOKEN straße@contoso.example||the token belongs to a user that is not in the export",
		"tokens.csv:3 ORPHAN_TOKEN strasse||the token belongs to a user that is not in the export",
	}
	if diff := cmp.Diff(want, problems(t, e)); diff != "" {
		t.Error(diff)
	}
}

// Neither row of a duplicate is yielded, and nothing that belongs to them: not
// even by their UserPrincipalName, and not where one of the rows is unreadable.
func TestDuplicates(t *testing.T) {
	e := open(t, files{
		"users.csv": "Username,UserPrincipalName,Enabled\nada,a@contoso.example,\nADA,b@contoso.example,\nben,c@contoso.example,maybe\nBEN,d@contoso.example,\n" +
			"eve,e@contoso.example,\nbad,f@contoso.example,maybe\nx1,same@contoso.example,\nx2,same@contoso.example,\n" + strings.Repeat("many,,\n", 7),
		"devices.csv": "Username\nada\nben\nbad\neve\n",
		"tokens.csv":  "upn\na@contoso.example\nb@contoso.example\nd@contoso.example\ne@contoso.example\nf@contoso.example\nsame@contoso.example\n",
	}.write(t), legacy.Options{})
	var names []string
	for _, u := range users(t, e) {
		names = append(names, fmt.Sprintf("%d %s %d %d", u.Ordinal, u.Username, len(u.Devices), len(u.Tokens)))
	}
	if diff := cmp.Diff([]string{"4 eve 1 1", "6 x1 0 0", "7 x2 0 0"}, names); diff != "" {
		t.Error(diff)
	}
	want := []string{
		"users.csv:2 USER_DUPLICATE ada|Username|2 rows have this Username, on lines 2, 3; none of them is read",
		`users.csv:4:23 ROW_INVALID ben|Enabled|Enabled is "maybe", but must be true or false, yes or no, 1 or 0; the row is left out`,
		"users.csv:4 USER_DUPLICATE ben|Username|2 rows have this Username, on lines 4, 5; none of them is read",
		`users.csv:7:23 ROW_INVALID bad|Enabled|Enabled is "maybe", but must be true or false, yes or no, 1 or 0; the row is left out`,
		"users.csv:10 USER_DUPLICATE many|Username|7 rows have this Username, on lines 10, 11, 12, 13, 14 and 2 more; none of them is read",
		"tokens.csv:7 ROW_INVALID same@contoso.example||upn leads to several users of the export; the row is left out",
	}
	got := problems(t, e)
	want[1], want[2] = want[2], want[1] // column 0, the whole line, comes first
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	s := e.Summary()
	if s.Rows != 15 || s.Users != 3 || s.Duplicates != 3 || s.SkippedRows != 3 || s.SkippedOwn != 2 || s.DuplicateRows() != 10 || s.Devices != 1 || s.Tokens != 1 || s.LeftOut != 7 {
		t.Errorf("summary %+v", s)
	}
	if diff := cmp.Diff(map[legacy.Code]int64{legacy.RowInvalid: 3, legacy.UserDuplicate: 3}, s.Problems); diff != "" {
		t.Error(diff)
	}
}

func TestTooManyDevices(t *testing.T) {
	e := open(t, files{"users.csv": "Username\nada\nben\n",
		"devices.csv": "Username\n" + strings.Repeat("ada\n", legacy.MaxAttached+3) + "ben\n"}.write(t), legacy.Options{})
	all := users(t, e)
	if len(all) != 2 || len(all[0].Devices) != legacy.MaxAttached || len(all[1].Devices) != 1 {
		t.Errorf("%d users", len(all))
	}
	if p := problems(t, e); len(p) != 3 || !strings.Contains(p[0], "more than 1000") {
		t.Errorf("problems %q", p)
	}
}

func TestUsersChangedFile(t *testing.T) {
	dir := files{"users.csv": "Username\nada\nben\n"}.write(t)
	e := open(t, dir, legacy.Options{})
	users(t, e)
	if err := os.WriteFile(filepath.Join(dir, "users.csv"), []byte("Username\nada\nbob\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	var got error
	yields := 0
	for _, err := range e.Users(t.Context()) {
		yields++
		got = err
	}
	if got == nil || !strings.Contains(got.Error(), "changed while it was read") || hint.Of(got) == "" || yields != 3 {
		t.Errorf("after %d yields: %v", yields, got)
	}
}

func TestUsersCancelled(t *testing.T) {
	e := open(t, files{"users.csv": "Username\nada\nben\neve\n"}.write(t), legacy.Options{})
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var got []string
	for u, err := range e.Users(ctx) {
		if err != nil {
			got = append(got, err.Error())
			if !errors.Is(err, context.Canceled) {
				t.Error(err)
			}
			continue
		}
		got = append(got, u.Username)
		cancel()
	}
	if diff := cmp.Diff([]string{"ada", "context canceled"}, got); diff != "" {
		t.Error(diff)
	}
}

func TestUsersAfterClose(t *testing.T) {
	e := open(t, files{"users.csv": "Username\nada\n"}.write(t), legacy.Options{})
	if err := e.Close(); err != nil {
		t.Fatal(err)
	}
	for u, err := range e.Users(t.Context()) {
		if err == nil {
			t.Errorf("yields %+v", u)
		}
	}
}

// Contoso, row by row: what is left out is said, and no canary is.
func TestContoso(t *testing.T) {
	for name, usable := range map[string]int64{"contoso": 0, "contoso-secrets": 16} {
		t.Run(name, func(t *testing.T) {
			e := open(t, filepath.Join("..", "fixtures", name), legacy.Options{})
			s := e.Summary()
			if s.Rows != 67 || s.Users != 61 || s.SkippedOwn != 4 || s.DuplicateRows() != 2 || s.Duplicates != 1 || s.DevicesWithSecret != usable || s.Files[1].Name != "users.csv" {
				t.Errorf("summary %+v", s)
			}
			said := strings.Join(problems(t, e), "\n")
			for _, place := range []string{"users.csv:25 USER_DUPLICATE", "users.csv:29:191 ROW_INVALID", "users.csv:30 ROW_INVALID",
				"users.csv:65:246 ROW_INVALID", "users.csv:66:160 ROW_INVALID", "devices.csv:19 ORPHAN_DEVICE", "tokens.csv:8 ORPHAN_TOKEN", "|Pin|", "|CostCentre|"} {
				if !strings.Contains(said, place) {
					t.Errorf("%s is not reported", place)
				}
			}
			byName := map[string]legacy.User{}
			for _, u := range users(t, e) {
				byName[u.Username] = u
				said += fmt.Sprintf("\n%+v %#v", u, u)
			}
			ada := byName[fixtures.Ada]
			if len(ada.Tokens) != 1 || ada.Tokens[0].Serial != fixtures.CanaryTokenSerial || string(ada.Tokens[0].Seed.Key.Reveal()) != fixtures.CanaryTokenRaw {
				t.Errorf("ada is %+v", ada)
			}
			if grace := byName[fixtures.Grace]; len(grace.Devices) != 2 || (string(grace.Devices[0].Seed.Key.Reveal()) == fixtures.CanaryDeviceRaw) != (usable > 0) {
				t.Errorf("grace is %+v", grace)
			}
			for _, canary := range []string{fixtures.CanaryTokenRaw, fixtures.CanaryTokenBase32, fixtures.CanaryTokenHex, "jvde elkd",
				fixtures.CanaryDeviceRaw, fixtures.CanaryDeviceBase32, fixtures.CanaryDeviceHex, fixtures.CanaryPIN} {
				if strings.Contains(strings.ToLower(said), strings.ToLower(canary)) {
					t.Errorf("%s is said", canary)
				}
			}
		})
	}
}

// An export that spills gives every user the same devices and tokens, in
// whatever order their tables are, and leaves nothing in the temporary folder.
func TestUnsortedIsSorted(t *testing.T) {
	read := func(unsorted bool) (map[string]uint64, legacy.Summary) {
		dir, temp := t.TempDir(), t.TempDir()
		if err := gen.Write(dir, gen.Options{Users: 50_000, Seed: 5, Unsorted: unsorted, DeviceSecrets: true}); err != nil {
			t.Fatal(err)
		}
		e := open(t, dir, legacy.Options{TempDir: temp})
		sums := map[string]uint64{}
		for u, err := range e.Users(t.Context()) {
			if err != nil {
				t.Fatal(err)
			}
			h := fnv.New64a()
			for _, d := range u.Devices {
				fmt.Fprint(h, d.ID, d.Name, d.Activated.Unix(), d.Seed.State)
				h.Write(d.Seed.Key.Reveal())
			}
			for _, token := range u.Tokens {
				fmt.Fprint(h, token.Serial, token.Interval, token.Seed.State)
				h.Write(token.Seed.Key.Reveal())
			}
			sums[u.Username] = h.Sum64()
		}
		s := e.Summary()
		s.Files = nil
		if err := e.Close(); err != nil {
			t.Fatal(err)
		}
		if left, _ := os.ReadDir(temp); len(left) > 0 {
			t.Errorf("left behind: %v", left)
		}
		return sums, s
	}
	a, aSum := read(false)
	b, bSum := read(true)
	if diff := cmp.Diff(aSum, bSum); diff != "" || aSum.Users < 45_000 {
		t.Errorf("%d users, summaries differ: %s", aSum.Users, diff)
	}
	for name, sum := range a {
		if b[name] != sum {
			t.Fatalf("%s has other devices or tokens when the tables are not sorted", name)
		}
	}
}

// A large export needs the temporary folder; that it is not there is said once.
func TestTempDirMissing(t *testing.T) {
	dir := t.TempDir()
	if err := gen.Write(dir, gen.Options{Users: 50_000, Seed: 5, DeviceSecrets: true}); err != nil {
		t.Fatal(err)
	}
	_, err := legacy.Open(t.Context(), dir, legacy.Options{TempDir: filepath.Join(dir, "none")})
	if err == nil || strings.Count(err.Error(), "temporary sort file") != 1 {
		t.Errorf("got %v", err)
	}
}

// Whatever stands in users.csv, opening ends, nobody without a name is
// yielded, and every row is accounted for.
func FuzzUsers(f *testing.F) {
	contoso, err := os.ReadFile("../fixtures/contoso/users.csv")
	if err != nil {
		f.Fatal(err)
	}
	f.Add(contoso[:2000])
	f.Add([]byte("Username,Enabled\nada,\nADA,\n,\nben,x\n\"q\n"))
	f.Add([]byte("\xef\xbb\xbfuser-name\n a \n\x00\n\xff\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		dir := files{"users.csv": string(text), "devices.csv": "Username\nada\nben\n", "tokens.csv": "upn,secret key\nada,x\n\"\",\n"}.write(t)
		e, err := legacy.Open(t.Context(), dir, legacy.Options{})
		if err != nil {
			if strings.Contains(err.Error(), "\n") {
				t.Errorf("several lines: %q", err)
			}
			return
		}
		defer e.Close()
		last, n := -1, int64(0)
		seen := map[string]bool{}
		for u, err := range e.Users(t.Context()) {
			if err != nil {
				t.Fatal(err)
			}
			folded := legacy.Fold(u.Username)
			if u.Username == "" || u.Ordinal <= last || seen[folded] || bytes.ContainsRune([]byte(u.Username), 0) {
				t.Fatalf("user %+v after ordinal %d", u, last)
			}
			last, seen[folded] = u.Ordinal, true
			n++
		}
		bad := int64(0)
		for p, err := range e.Problems() {
			if err != nil {
				t.Fatal(err)
			}
			if p.Code == legacy.RowInvalid && p.Place.File == "users.csv" {
				bad++
			}
		}
		if s := e.Summary(); s.Users != n || s.Rows < n+bad+2*s.Duplicates-bad {
			t.Fatalf("%d users and %d bad rows, summary %+v", n, bad, s)
		}
	})
}

func BenchmarkOpenAndUsers(b *testing.B) {
	dir := b.TempDir()
	if err := gen.Write(dir, gen.Options{Users: 50_000, Seed: 1, Unsorted: true, DeviceSecrets: true}); err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	n := 0
	for b.Loop() {
		e, err := legacy.Open(b.Context(), dir, legacy.Options{TempDir: b.TempDir()})
		if err != nil {
			b.Fatal(err)
		}
		for _, err := range e.Users(b.Context()) {
			if err != nil {
				b.Fatal(err)
			}
			n++
		}
		e.Close()
	}
	b.ReportMetric(float64(n)/b.Elapsed().Seconds(), "users/s")
}
