package engine_test

import (
	"regexp"
	"strings"
	"testing"

	"mfabridge/cloud"
	"mfabridge/cloud/engine"
	"mfabridge/internal/secret"
)

func TestMaskPhone(t *testing.T) {
	for number, want := range map[string]string{"+44 2079460000": "+44 ********00", "+1 4255550101x55": "+1 ********01", "+1 123": "your phone", "": "your phone"} {
		if got := engine.MaskPhone(number); got != want {
			t.Errorf("%q is masked as %q, want %q", number, got, want)
		}
	}
}

func FuzzCheckPhone(f *testing.F) {
	for _, s := range []string{"+1 4255550100", "+44 2079460000", "+1 4255550101x55", "+1  425", "1 425", "+1 425x", "+0 12345", "+1 ４２５５５", "x", "+ x", "+1 4255550100x55x5"} {
		f.Add(s)
	}
	form := regexp.MustCompile(`^\+[1-9][0-9]{0,2} [0-9]{2,14}(x[0-9]{1,11})?$`)
	f.Fuzz(func(t *testing.T, s string) {
		for _, m := range []cloud.Method{cloud.Mobile, cloud.Office} {
			if err := engine.CheckPhone(m, s); err == nil && (!form.MatchString(s) || m == cloud.Mobile && strings.Contains(s, "x")) {
				t.Errorf("%s takes %q", m, s)
			}
		}
	})
}

func FuzzCheckEmail(f *testing.F) {
	for _, s := range []string{"user@contoso.example", "@", "a@b@c", "a@b\n", "ü@müller.example", "a b@c", `"a"@b`, "a@b..c"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if engine.CheckEmail(s) == nil && (strings.Count(s, "@") != 1 || strings.ContainsAny(s, " \r\n\t<>\"") || len(s) > 254) {
			t.Errorf("%q is taken as an address", s)
		}
	})
}

// A keyset is read whole or not at all, and an error shows nothing of it.
func FuzzParseKey(f *testing.F) {
	key, err := engine.NewKey()
	if err != nil {
		f.Fatal(err)
	}
	good, err := key.Marshal()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(string(good.Reveal()))
	f.Add("{}")
	f.Add(`{"primaryKeyId":1,"key":[{"keyData":{"typeUrl":"type.googleapis.com/google.crypto.tink.HmacKey","value":"CANARY","keyMaterialType":"SYMMETRIC"},"status":"ENABLED","keyId":1,"outputPrefixType":"TINK"}]}`)
	f.Fuzz(func(t *testing.T, s string) {
		k, err := engine.ParseKey(secret.FromString(s))
		switch {
		case err != nil && len(s) > 12 && strings.Contains(err.Error(), s):
			t.Errorf("the error quotes the key: %v", err)
		case err == nil:
			if _, err := k.Marshal(); err != nil {
				t.Errorf("a key that was read cannot be written: %v", err)
			}
		}
	})
}
