package migrate_test

import (
	"bytes"
	"encoding/json"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"mfabridge/cloud"
	"mfabridge/migrate"
)

// byReflection is what encoding/json makes of a value's form.
func byReflection(tb testing.TB, form any) string {
	tb.Helper()
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(form); err != nil {
		tb.Fatal(err)
	}
	return string(bytes.TrimSuffix(b.Bytes(), []byte("\n")))
}

// What is put together by hand is what encoding/json would write, and is read
// back as it was.
func FuzzValueJSON(f *testing.F) {
	f.Add("ada@contoso.example", "S-1-5-21", true, 6)
	f.Add("\"\\\b\f\n\r\t\x00\x1f\x7f", "é\u2028\u2029\xff\xf0\x9f<>&", false, -30)
	f.Add("😀\xf0\x9f\x98", "\u202e", true, 0)
	f.Fuzz(func(t *testing.T, a, b string, on bool, n int) {
		type object = map[string]any
		check := func(m cloud.Method, v cloud.Value, form any) {
			got, err := migrate.ValueJSON(m, v)
			if err != nil {
				t.Fatal(err)
			}
			var want, have any
			if err := json.Unmarshal([]byte(byReflection(t, form)), &want); err != nil {
				t.Fatal(err)
			}
			if err := json.Unmarshal(got, &have); err != nil {
				t.Fatalf("%s: %v", got, err)
			}
			if diff := cmp.Diff(want, have); diff != "" {
				t.Error(diff)
			}
			back, err := migrate.ParseValue(m, got)
			if err != nil {
				t.Fatal(err)
			}
			again, err := migrate.ValueJSON(m, back)
			if err != nil {
				t.Fatal(err)
			}
			if err := json.Unmarshal(again, &have); err != nil {
				t.Fatalf("%s: %v", again, err)
			}
			if diff := cmp.Diff(want, have); diff != "" {
				t.Errorf("read back: %s", diff)
			}
		}
		check(cloud.Email, cloud.TextValue(a+"x"), a+"x")
		text, err := migrate.ValueJSON(cloud.Email, cloud.TextValue(a+"x"))
		if err != nil || migrate.Plain(string(text)) != string(text) {
			t.Errorf("%q: %q can steer a terminal, %v", a, text, err)
		}
		check(cloud.SoftwareOATH, cloud.Value{OATH: &cloud.OATH{Name: a, Serial: b, Algorithm: "SHA1", Digits: n, Period: 30}},
			object{"name": a, "serial": b, "algorithm": "SHA1", "digits": n, "period": 30})
		check(cloud.Account, cloud.Value{Profile: &cloud.Profile{UPN: a, DisplayName: b, Aliases: []string{b, a}, SID: a, Enabled: on}},
			object{"upn": a, "display_name": b, "aliases": []string{b, a}, "sid": a, "enabled": on})
		check(cloud.Account, cloud.Value{Profile: &cloud.Profile{UPN: a}},
			object{"upn": a, "display_name": "", "aliases": []string{}, "sid": "", "enabled": false})
		if a != "" {
			check(cloud.Authenticator, cloud.Value{State: a}, object{"state": a})
		}
		until := time.Unix(int64(n), 0).UTC()
		check(cloud.Blocked, cloud.Value{Until: until}, object{"until": until})
	})
}
