package cloud_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"mfabridge/cloud"
	"mfabridge/internal/secret"
)

func TestFingerprintTellsSecretsApart(t *testing.T) {
	a, b := secret.FromString("12345678901234567890"), secret.FromString("12345678901234567891")
	f := cloud.Fingerprint("instance-1", a)
	if len(f) != 16 {
		t.Fatalf("fingerprint has %d characters", len(f))
	}
	if f != cloud.Fingerprint("instance-1", secret.FromString("12345678901234567890")) {
		t.Error("equal secrets differ")
	}
	if f == cloud.Fingerprint("instance-1", b) {
		t.Error("different secrets are equal")
	}
	if f == cloud.Fingerprint("instance-2", a) {
		t.Error("one secret can be followed from target to target")
	}
}

// What was asked before makes no difference: RFC 4231 has the HMAC of test case 2.
func TestFingerprintsOfMany(t *testing.T) {
	many := cloud.NewFingerprints("Jefe")
	for _, key := range []string{"what do ya want for nothing?", "", "what do ya want for nothing?", strings.Repeat("k", 200)} {
		s := secret.FromString(key)
		if got, want := many.Of(s), cloud.Fingerprint("Jefe", s); got != want {
			t.Errorf("%q: %s among many, %s alone", key, got, want)
		}
		if key == "what do ya want for nothing?" && many.Of(s) != "LPOMCRV7MB2U42QE" {
			t.Errorf("%q: %s", key, many.Of(s))
		}
	}
}

func TestOATHSameAndEqual(t *testing.T) {
	base := cloud.OATH{Name: "phone", Serial: "S1", Algorithm: cloud.SHA1, Digits: 6, Period: 30, Fingerprint: "F1"}
	changed := func(f func(*cloud.OATH)) cloud.OATH { o := base; f(&o); return o }
	for name, c := range map[string]struct {
		other       cloud.OATH
		same, equal bool
	}{
		"identical":                   {base, true, true},
		"drift does not count":        {changed(func(o *cloud.OATH) { o.Drift = 3 }), true, true},
		"hidden fingerprint":          {changed(func(o *cloud.OATH) { o.Fingerprint = "" }), true, true},
		"other name":                  {changed(func(o *cloud.OATH) { o.Name = "x" }), true, false},
		"other period":                {changed(func(o *cloud.OATH) { o.Period = 60 }), true, false},
		"other digits":                {changed(func(o *cloud.OATH) { o.Digits = 8 }), true, false},
		"other algorithm":             {changed(func(o *cloud.OATH) { o.Algorithm = cloud.SHA256 }), true, false},
		"other serial, same secret":   {changed(func(o *cloud.OATH) { o.Serial = "S2" }), true, false},
		"same serial, other secret":   {changed(func(o *cloud.OATH) { o.Fingerprint = "F2" }), false, false},
		"hidden secret, other serial": {changed(func(o *cloud.OATH) { o.Fingerprint, o.Serial = "", "S2" }), false, false},
	} {
		if base.Same(c.other) != c.same || base.Equal(c.other) != c.equal {
			t.Errorf("%s: Same %v Equal %v", name, base.Same(c.other), base.Equal(c.other))
		}
	}
}

func TestValueEqual(t *testing.T) {
	now := time.Date(2026, 11, 22, 0, 0, 0, 0, time.UTC)
	values := []cloud.Value{
		{},
		cloud.TextValue("+1 4255550100"),
		cloud.TextValue("+1 4255550101"),
		{OATH: &cloud.OATH{Serial: "S1"}},
		{OATH: &cloud.OATH{Serial: "S2"}},
		{Profile: &cloud.Profile{UPN: "ada@contoso.example", Enabled: true, Aliases: []string{"a", "b"}}},
		{Profile: &cloud.Profile{UPN: "ada@contoso.example", Aliases: []string{"a", "b"}}},
		{Profile: &cloud.Profile{UPN: "ada@contoso.example", Enabled: true, Aliases: []string{"a"}}},
		{Until: now},
		{Until: now.Add(time.Second)},
		{State: "invited"},
	}
	for i, v := range values {
		for j, w := range values {
			if v.Equal(w) != (i == j) {
				t.Errorf("values %d and %d: Equal = %v", i, j, v.Equal(w))
			}
		}
		if v.IsZero() != (i == 0) {
			t.Errorf("value %d: IsZero = %v", i, v.IsZero())
		}
	}
	swapped := cloud.Value{Profile: &cloud.Profile{UPN: "ada@contoso.example", Enabled: true, Aliases: []string{"b", "a"}}}
	if !values[5].Equal(swapped) {
		t.Error("the order of aliases counts")
	}
}

func TestUserValue(t *testing.T) {
	u := &cloud.User{ID: "u1", Profile: cloud.Profile{UPN: "ada@contoso.example", Enabled: true},
		Mobile: "+1 4255550100", Alternate: "+1 4255550101", Office: "+1 4255550102x7", Email: "ada@home.example",
		Default: cloud.SMS, BlockedUntil: time.Unix(1, 0),
		OATH: []cloud.OATHEntry{
			{ID: "o1", Method: cloud.SoftwareOATH, OATH: cloud.OATH{Serial: "S1"}},
			{ID: "o2", Method: cloud.HardwareOATH, OATH: cloud.OATH{Serial: "S2"}}},
		Authenticators: []cloud.AuthenticatorEntry{{ID: "a1", State: "active"}}}
	oath := func(serial string) cloud.Value { return cloud.Value{OATH: &cloud.OATH{Serial: serial}} }
	for _, c := range []struct {
		method cloud.Method
		id     string
		want   cloud.Value // to look for
		found  cloud.Value
	}{
		{cloud.Mobile, "", cloud.Value{}, cloud.TextValue("+1 4255550100")},
		{cloud.AlternateMobile, "", cloud.Value{}, cloud.TextValue("+1 4255550101")},
		{cloud.Office, "", cloud.Value{}, cloud.TextValue("+1 4255550102x7")},
		{cloud.Email, "", cloud.Value{}, cloud.TextValue("ada@home.example")},
		{cloud.DefaultMethod, "", cloud.Value{}, cloud.TextValue("sms")},
		{cloud.Blocked, "", cloud.Value{}, cloud.Value{Until: time.Unix(1, 0)}},
		{cloud.SoftwareOATH, "o1", cloud.Value{}, oath("S1")},
		{cloud.SoftwareOATH, "", oath("S1"), oath("S1")},
		{cloud.SoftwareOATH, "", oath("S2"), cloud.Value{}}, // is hardware
		{cloud.HardwareOATH, "", oath("S2"), oath("S2")},
		{cloud.HardwareOATH, "o9", oath("S2"), cloud.Value{}}, // the id decides
		{cloud.Authenticator, "", cloud.Value{}, cloud.Value{State: "active"}},
		{cloud.Account, "", cloud.Value{}, cloud.Value{Profile: &u.Profile}},
	} {
		if got := u.Value(c.method, c.id, c.want); !got.Equal(c.found) {
			t.Errorf("Value(%s, %q) = %+v", c.method, c.id, got)
		}
	}
	if v := (&cloud.User{}).Value(cloud.Account, "", cloud.Value{}); !v.IsZero() {
		t.Error("a user who is not there has a profile")
	}
}

func TestKindOf(t *testing.T) {
	cause := errors.New("disk full")
	err := fmt.Errorf("batch 7: %w", &cloud.Error{Kind: cloud.Unavailable, Message: "the store cannot be written", Err: cause})
	if cloud.KindOf(err) != cloud.Unavailable || !errors.Is(err, cause) {
		t.Errorf("kind %v of %v", cloud.KindOf(err), err)
	}
	if err.Error() != "batch 7: the store cannot be written: disk full" {
		t.Errorf("message: %v", err)
	}
	if cloud.KindOf(cause) != cloud.Internal {
		t.Error("a foreign error has a kind")
	}
	seen := map[string]bool{}
	for k := cloud.Internal; k <= cloud.Locked; k++ {
		if name := k.String(); name == "unknown" || seen[name] {
			t.Errorf("kind %d is called %q", k, name)
		}
		seen[k.String()] = true
	}
}
