package legacy_test

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"mfabridge/internal/hint"
	"mfabridge/internal/secret"
	"mfabridge/legacy"
	"mfabridge/legacy/pskc"
	"mfabridge/legacy/pskc/pskctest"
)

// keys writes a file of tokens whose seeds are their serial numbers.
func keys(t testing.TB, p pskctest.Protection, all ...pskc.Key) string {
	t.Helper()
	for i := range all {
		all[i].ID = fmt.Sprint("K", i)
		all[i].Digits, all[i].Interval = 6, 30
		all[i].Secret = secret.FromString("SEED-OF-TOKEN-" + all[i].Serial)
	}
	var b bytes.Buffer
	if err := pskctest.Write(&b, slices.Values(all), p); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// tokens are what users have, with their seeds.
func tokens(t testing.TB, e *legacy.Export) []string {
	t.Helper()
	var all []string
	for _, u := range users(t, e) {
		for _, k := range u.Tokens {
			all = append(all, fmt.Sprintf("%s %s %s %d %s%s", u.Username, k.Serial, k.Place.File, k.Interval, k.Seed.Key.Reveal(), k.Seed.Problem))
		}
	}
	return all
}

// A token finds its user by name, or by the serial number that the user's row
// has; the row's own token is completed, not doubled.
func TestKeyFiles(t *testing.T) {
	plain := keys(t, pskctest.Protection{Plain: true},
		pskc.Key{Serial: "S-1", UserID: "ADA@contoso.example"}, pskc.Key{Serial: "s-2"}, pskc.Key{Serial: "S-2"},
		pskc.Key{Serial: "S-3", UserID: "CN=Eve,DC=contoso"}, pskc.Key{Serial: "S-9"}, pskc.Key{Serial: "S-8", UserID: "ghost"}, pskc.Key{Serial: ""}, pskc.Key{Serial: "S-4"})
	e := open(t, files{
		"users.csv": "Username,UserPrincipalName,OathTokenSerialNumber,OathTokenSecretKey\nada,ada@contoso.example,,\nben,,S-2,\neve,,s-3,\nkim,,S-4,\nKIM,,S-4,\n" +
			"lea,,S-5,jbswy3dpehpk3pxp\nmia,,S-5,\n",
		"seeds.PSKC": plain,
		"vendor.xml": keys(t, pskctest.Protection{Plain: true}, pskc.Key{Serial: "S-5"}),
		"readme.xml": "<html/>",
		"broken.xml": "<",
	}.write(t), legacy.Options{})
	want := []string{
		"ada S-1 seeds.pskc 30 SEED-OF-TOKEN-S-1",
		"ben s-2 seeds.pskc 30 SEED-OF-TOKEN-s-2", "ben S-2 seeds.pskc 30 SEED-OF-TOKEN-S-2",
		"eve S-3 seeds.pskc 30 SEED-OF-TOKEN-S-3",
		"lea S-5 users.csv 30 Hello!\xde\xad\xbe\xef", "lea S-5 vendor.xml 30 SEED-OF-TOKEN-S-5",
		"mia S-5 vendor.xml 30 SEED-OF-TOKEN-S-5",
	}
	if diff := cmp.Diff(want, tokens(t, e)); diff != "" {
		t.Error(diff)
	}
	got := problems(t, e)
	for i := range got { // lines are the other package's affair
		if place, rest, ok := strings.Cut(got[i], " "); ok && strings.HasPrefix(place, "seeds.pskc:") {
			got[i] = "seeds.pskc " + rest
		}
	}
	slices.Sort(got)
	wantProblems := []string{
		"broken.xml FILE_NOT_READ ||it is XML, but no container of token keys",
		"readme.xml FILE_NOT_READ ||it is XML, but no container of token keys",
		"seeds.pskc ORPHAN_TOKEN ghost||the token belongs to a user that is not in the export",
		"seeds.pskc ORPHAN_TOKEN ||no user of the export has a token with this serial number",
		"seeds.pskc ROW_INVALID ||the token names neither its user nor a serial number; the row is left out",
		"users.csv:5 USER_DUPLICATE kim|Username|2 rows have this Username, on lines 5, 6; none of them is read",
	}
	if diff := cmp.Diff(wantProblems, got); diff != "" {
		t.Error(diff)
	}
	if s := e.Summary(); s.Tokens != 7 || s.TokensWithSecret != 7 || s.LeftOut != 2 {
		t.Errorf("summary %+v", s)
	}
	if said := strings.Join(got, "\n"); strings.Contains(said, "SEED") {
		t.Error("a seed is said")
	}
}

func TestEncryptedKeyFile(t *testing.T) {
	key, phrase := secret.FromString("0123456789abcdef"), secret.FromString("open sesame")
	byKey := keys(t, pskctest.Protection{Key: key}, pskc.Key{Serial: "S-1", UserID: "ada"})
	byPhrase := keys(t, pskctest.Protection{Passphrase: phrase}, pskc.Key{Serial: "S-1", UserID: "ada"})
	for name, tt := range map[string]struct {
		text    string
		options legacy.Options
		phrase  string
		hint    string
	}{
		"key":          {byKey, legacy.Options{PSKCKey: key}, "", ""},
		"phrase":       {byPhrase, legacy.Options{PSKCPassphrase: phrase}, "", ""},
		"nothing":      {byKey, legacy.Options{}, "seeds.pskc: the token file is encrypted", "--pskc-key"},
		"wrong key":    {byKey, legacy.Options{PSKCKey: secret.FromString("0123456789abcdeF")}, "seeds.pskc: the key or pass phrase is wrong, or the file was changed", "very file"},
		"wrong phrase": {byPhrase, legacy.Options{PSKCPassphrase: key}, "seeds.pskc: the key or pass phrase is wrong, or the file was changed", "very file"},
		"cut off":      {byKey[:len(byKey)/2], legacy.Options{PSKCKey: key}, "seeds.pskc cannot be read: ", "vendor"},
		"no container": {"<a/>", legacy.Options{}, "seeds.pskc cannot be read: ", "KeyContainer"},
	} {
		e, err := legacy.Open(t.Context(), files{"users.csv": "Username\nada\n", "seeds.pskc": tt.text}.write(t), tt.options)
		if tt.phrase != "" {
			if err == nil || !strings.Contains(err.Error(), tt.phrase) || !strings.Contains(hint.Of(err), tt.hint) {
				t.Errorf("%s: %v (%s)", name, err, hint.Of(err))
			}
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff([]string{"ada S-1 seeds.pskc 30 SEED-OF-TOKEN-S-1"}, tokens(t, e)); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
		e.Close()
	}
}

// What vendors of tokens call their columns.
func TestVendorFiles(t *testing.T) {
	for name, header := range map[string]string{
		"Microsoft": "upn,serial number,secret key,time interval,manufacturer,model",
		"SDK":       "Username,OathTokenSerialNumber,OathTokenSecretKey,OathTokenTimeInterval,x,y",
		"plain":     "UserPrincipalName,Serial,Seed,Interval,Vendor,Token Type",
		"long":      "user_name,Token Serial Number,Token Secret,Time Step,Manufacturer,Token Model",
	} {
		e := open(t, files{"users.csv": "Username\nada\n", "tokens_vendor.csv": header + "\nada,S-1,gezdgnbv,60,Acme,C1\n"}.write(t), legacy.Options{})
		if diff := cmp.Diff([]string{"ada S-1 tokens_vendor.csv 60 12345"}, tokens(t, e)); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
	// A file of seeds alone, with the users' rows saying whose they are.
	e := open(t, files{"users.csv": "Username,OathTokenSerialNumber\nada,S-1\nben,S-1\n", "tokens.csv": "serial number,secret key,time interval,manufacturer,model\nS-1,gezdgnbv,30,Acme,C1\nS-2,gezdgnbv,30,Acme,C1\n,gezdgnbv,30,Acme,C1\n"}.write(t), legacy.Options{})
	if diff := cmp.Diff([]string{"ada S-1 tokens.csv 30 12345", "ben S-1 tokens.csv 30 12345"}, tokens(t, e)); diff != "" {
		t.Error(diff)
	}
	want := []string{"tokens.csv:3 ORPHAN_TOKEN ||no user of the export has a token with this serial number",
		"tokens.csv:4:1 ROW_INVALID |serial number|serial number is empty; the row is left out"}
	if diff := cmp.Diff(want, problems(t, e)); diff != "" {
		t.Error(diff)
	}
}

// A serial number that a spreadsheet has rounded says nothing about whose token
// it is, even where only one user has it.
func TestRoundedSerialNumbersLeadToNobody(t *testing.T) {
	e := open(t, files{"users.csv": "Username,OathTokenSerialNumber\nada,1.23457E+11\n",
		"tokens.csv": "serial number,secret key\n1.23457E+11,gezdgnbv\n"}.write(t), legacy.Options{})
	if diff := cmp.Diff([]string{"ada 1.23457E+11 users.csv 30 "}, tokens(t, e)); diff != "" {
		t.Error(diff)
	}
	want := []string{"tokens.csv:2 ROW_INVALID ||the token names no user, and its serial number is one that a spreadsheet has rounded; the row is left out"}
	if diff := cmp.Diff(want, problems(t, e)); diff != "" {
		t.Error(diff)
	}
}

func TestRounded(t *testing.T) {
	for s, want := range map[string]bool{
		"1.23457E+11": true, "1,23457E+11": true, "1.2e+9": true, "4E+12": true,
		"": false, "12E45": false, "1.23E11": false, "1.E+11": false, "12.3E+11": false, "1.2.3E+11": false, "E+11": false, "1.23E+": false, "1.2E+1x": false, "C200-1": false, "1,2,3E+9": false,
	} {
		if got := legacy.Rounded(s); got != want {
			t.Errorf("%q is rounded: %t", s, got)
		}
	}
}

func FuzzKeyFile(f *testing.F) {
	fuzzForm(f, "x.xml", keys(f, pskctest.Protection{Plain: true}, pskc.Key{Serial: "1"}, pskc.Key{Serial: "2", UserID: "ada"}), "<KeyContainer/>")
}

// What a file says of its keys and nobody keeps is said: dates, a signature.
func TestKeyFileSaysWhatIsNotKept(t *testing.T) {
	const text = `<?xml version="1.0" encoding="UTF-8"?>
<KeyContainer Version="1.0" xmlns="urn:ietf:params:xml:ns:keyprov:pskc">
<KeyPackage><DeviceInfo><SerialNo>S-1</SerialNo></DeviceInfo>
<Key Id="1" Algorithm="urn:ietf:params:xml:ns:keyprov:pskc:totp">
<Data><Secret><PlainValue>MTIzNDU2Nzg5MDEyMzQ1Njc4OTA=</PlainValue></Secret></Data>
<Policy><StartDate>2020-05-01T00:00:00Z</StartDate><ExpiryDate>2025-05-31T00:00:00Z</ExpiryDate></Policy>
</Key></KeyPackage>
<KeyPackage><DeviceInfo><SerialNo>S-2</SerialNo></DeviceInfo>
<Key Id="2" Algorithm="urn:ietf:params:xml:ns:keyprov:pskc:totp">
<Data><Secret><PlainValue>MTIzNDU2Nzg5MDEyMzQ1Njc4OTE=</PlainValue></Secret></Data>
</Key></KeyPackage>
<Signature xmlns="http://www.w3.org/2000/09/xmldsig#"/>
</KeyContainer>`
	e := open(t, files{
		"users.csv": "Username,OathTokenSerialNumber\nada,S-1\nben,S-2\n",
		"seeds.xml": text,
	}.write(t), legacy.Options{})
	want := []string{
		"seeds.xml SIGNATURE_NOT_VERIFIED ||the file is signed, and its signature is not verified",
		"seeds.xml:4 TOKEN_DATES |Policy|token \"S-1\" is valid from 2020-05-01 until 2025-05-31 only",
	}
	if diff := cmp.Diff(want, problems(t, e)); diff != "" {
		t.Error(diff)
	}
	if s := e.Summary(); s.TokensWithSecret != 2 {
		t.Errorf("%d tokens with a secret", s.TokensWithSecret)
	}
}

// What one row of a token leaves out another one says: seconds that only the
// user's row tells are not lost where a file of seeds is silent. Rows that
// contradict each other are told as that.
func TestRowsOfOneToken(t *testing.T) {
	e := open(t, files{
		"users.csv": "Username,OathTokenSerialNumber,OathTokenTimeInterval,OathTokenSecretKey\n" +
			"ada,S-1,60,\nben,S-2,60,\neve,S-3,60,gezdgnbvgy3tqojq\nkim,S-4,60,\nlea,S-5,,gezdgnbvgy3tqojq\nmia,S-6,,\n",
		"tokens.csv": "upn,serial number,secret key,time interval,digits,algorithm\n" +
			",S-1,jbswy3dpehpk3pxp,,8,\nben,s-2,jbswy3dpehpk3pxp,,,SHA256\n,S-3,gezdgnbvgy3tqojq,,8,\n,S-4,jbswy3dpehpk3pxp,30,,\n" +
			",S-5,gezdgnbvgy3tqojq,,8,\n,S-5,gezdgnbvgy3tqojq,,6,\n,S-6,gezdgnbvgy3tqojq,,,\n",
	}.write(t), legacy.Options{})
	var got []string
	for _, u := range users(t, e) {
		for _, k := range u.Tokens {
			got = append(got, fmt.Sprintf("%s %d %d %s %s", k.Serial, k.Interval, k.Digits, k.Algorithm, k.Unclear))
		}
	}
	want := []string{
		"S-1 60 8 SHA1 ", "S-2 60 6 SHA256 ", "s-2 60 6 SHA256 ", "S-3 60 8 SHA1 ", "S-3 60 8 SHA1 ",
		"S-4 30 6 SHA1 the interval is 30 in one row and 60 in another",
	}
	for range 3 {
		want = append(want, "S-5 30 8 SHA1 the number of digits is 8 in one row and 6 in another")
	}
	if diff := cmp.Diff(append(want, "S-6 30 6 SHA1 "), got); diff != "" {
		t.Error(diff)
	}
}
