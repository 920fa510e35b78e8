package form_test

import (
	"errors"
	"regexp"
	"slices"
	"strings"
	"testing"

	"mfabridge/cloud"
	"mfabridge/cloud/form"
	"mfabridge/internal/secret"
)

func TestMaskPhone(t *testing.T) {
	for number, want := range map[string]string{"+44 2079460000": "+44 ********00", "+1 4255550101x55": "+1 ********01", "+1 123": "your phone", "": "your phone"} {
		if got := form.MaskPhone(number); got != want {
			t.Errorf("%q is masked as %q, want %q", number, got, want)
		}
	}
}

func FuzzCheckPhone(f *testing.F) {
	for _, s := range []string{"+1 4255550100", "+44 2079460000", "+1 4255550101x55", "+1  425", "1 425", "+1 425x", "+0 12345", "+1 ４２５５５", "x", "+ x", "+1 4255550100x55x5"} {
		f.Add(s)
	}
	written := regexp.MustCompile(`^\+[1-9][0-9]{0,2} [0-9]{2,14}(x[0-9]{1,11})?$`)
	f.Fuzz(func(t *testing.T, s string) {
		for _, m := range []cloud.Method{cloud.Mobile, cloud.Office} {
			if err := form.CheckPhone(m, s); err == nil && (!written.MatchString(s) || m == cloud.Mobile && strings.Contains(s, "x")) {
				t.Errorf("%s takes %q", m, s)
			}
		}
	})
}

func FuzzCheckEmail(f *testing.F) {
	for _, s := range []string{"user@contoso.example", "@", "a@b@c", "a@b\n", "ü@müller.example", "a b@c", `"a"@b`, "a@b..c", "आदित्य@डाटामेल.भारत", "a@نامه\u200cای.example", "a@abcא.example", "a@xn--a.example", "a@ß。example"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if form.CheckEmail(s) == nil && (strings.Count(s, "@") != 1 || strings.ContainsAny(s, " \r\n\t<>\"\u202e\u200b\u3164\u3002") || len(s) > 254) {
			t.Errorf("%q is taken as an address", s)
		}
	})
}

func TestNumbersAsPeopleWriteThem(t *testing.T) {
	for text, want := range map[string]string{"+14255550100": "+1 4255550100", "+1 (425) 555-0100": "+1 4255550100", "+44 20 7946 0123": "+44 2079460123",
		"+493012345678": "+49 3012345678", "+3531234567": "+353 1234567", "+71234567890": "+7 1234567890",
		"14255550100": "", "+": "", "+0123456": "", "+1": "", "+1425555010012345678": "", "+1 425 CALL": "", "": "", "+44+1": "", "+٤٤": "", "+٤٤ ٢٠ ٧٩٤٦ ٠١٢٣": "+44 2079460123", "+４４２０７９４６０１２３": "+44 2079460123",
		"+9": "", "+99": "", "+999": "", "+44": "", "+1 4": ""} {
		if got := form.PlainNumber(text); got != want {
			t.Errorf("%q: %q, want %q", text, got, want)
		}
	}
}

func TestFormsThatAreRefused(t *testing.T) {
	oath := func(edit func(*cloud.OATH)) error {
		o := cloud.OATH{Algorithm: cloud.SHA1, Digits: 6, Period: 30, Secret: secret.FromString("12345678901234567890")}
		edit(&o)
		return form.CheckOATH(&o)
	}
	profile := func(edit func(*cloud.Profile)) error {
		p := cloud.Profile{UPN: "ada@contoso.example", DisplayName: "Ada", Aliases: []string{"ada"}, SID: "S-1-5-21-1"}
		edit(&p)
		return form.CheckProfile(&p)
	}
	if err := errors.Join(oath(func(*cloud.OATH) {}), profile(func(*cloud.Profile) {}), form.CheckText("a name", "Ada", 3)); err != nil {
		t.Fatalf("what is right is refused: %v", err)
	}
	for what, err := range map[string]error{
		"no text":                form.CheckText("a name", "", 9),
		"a long text":            form.CheckText("a name", "Ada!", 3),
		"spaces around it":       form.CheckText("a name", "Ada ", 9),
		"a line break":           form.CheckText("a name", "A\nda", 9),
		"no UTF-8":               form.CheckText("a name", "A\xff", 9),
		"no name":                profile(func(p *cloud.Profile) { p.UPN = "" }),
		"a long display name":    profile(func(p *cloud.Profile) { p.DisplayName = strings.Repeat("a", form.MaxName+1) }),
		"too many aliases":       profile(func(p *cloud.Profile) { p.Aliases = slices.Repeat([]string{"ada"}, 21) }),
		"an empty alias":         profile(func(p *cloud.Profile) { p.Aliases = []string{""} }),
		"another authority":      profile(func(p *cloud.Profile) { p.SID = "S-2-5-21" }),
		"a SID without numbers":  profile(func(p *cloud.Profile) { p.SID = "S-1-5-x" }),
		"another algorithm":      oath(func(o *cloud.OATH) { o.Algorithm = "MD5" }),
		"seven digits":           oath(func(o *cloud.OATH) { o.Digits = 7 }),
		"a period of 45 seconds": oath(func(o *cloud.OATH) { o.Period = 45 }),
		"a short secret":         oath(func(o *cloud.OATH) { o.Secret = secret.FromString("123456789") }),
		"a drift of a day":       oath(func(o *cloud.OATH) { o.Drift = -form.MaxDrift - 1 }),
		"a label of two lines":   oath(func(o *cloud.OATH) { o.Serial = "1\n2" }),
	} {
		if cloud.KindOf(err) != cloud.Invalid {
			t.Errorf("%s: %v", what, err)
		}
	}
}
