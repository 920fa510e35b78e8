package migrate_test

import (
	"testing"
	"unicode"

	"mfabridge/cloud"
	"mfabridge/internal/secret"
	"mfabridge/migrate"
)

func TestMask(t *testing.T) {
	for in, want := range map[string]string{
		"":                  "",
		"+44 2079460000":    "+44 ********00",
		"+1 4255550100x55":  "+1 ********00x**",
		"+1 12345":          "+1 *****",
		"+14255550100":      "************",
		"4255550100":        "**********",
		"+44 20 7946 0000x": "+44 **********00x",
	} {
		if got := migrate.MaskPhone(in); got != want {
			t.Errorf("MaskPhone(%q) = %q, want %q", in, got, want)
		}
	}
	for in, want := range map[string]string{
		"":                    "",
		"ada@contoso.example": "a***@contoso.example",
		"é.x@contoso.example": "é***@contoso.example",
		"@contoso.example":    "****************",
		"not an address":      "**************",
		"\"a@b\"@c.example":   "\"***@c.example",
	} {
		if got := migrate.MaskEmail(in); got != want {
			t.Errorf("MaskEmail(%q) = %q, want %q", in, got, want)
		}
	}
	v := cloud.Value{OATH: &cloud.OATH{Name: "n", Serial: "s", Digits: 6, Drift: 2, Secret: secret.FromString("seed"), Fingerprint: "f"}}
	if m := migrate.MaskValue(cloud.SoftwareOATH, v); !m.OATH.Secret.IsZero() || m.OATH.Fingerprint != "" || m.OATH.Serial != "s" {
		t.Errorf("masked generator %+v", m.OATH)
	}
	if v.OATH.Secret.IsZero() {
		t.Error("masking changed the value itself")
	}
}

func TestPlain(t *testing.T) {
	for in, want := range map[string]string{
		"Ada Lovelace, Zoë, 日本": "Ada Lovelace, Zoë, 日本",
		"می\u200cنا, 👩\u200d💻":  "می\u200cنا, 👩\u200d💻",
		"می\u200cنا\x1b":        `می\u200cنا\u001b`,
		"a\u200dda":             `a\u200dda`,
		"a\x1b[2Jb":             `a\u001b[2Jb`,
		"a\u009bb":              `a\u009bb`,
		"a\x9bb":                `a\ufffdb`,
		"tab\tline\n":           `tab\u0009line\u000a`,
		"evil\u202egpj":         `evil\u202egpj`,
		"\u2066\u2069\u200b":    `\u2066\u2069\u200b`,
		"\U000e0041":            `\udb40\udc41`,
		"fill\u3164er":          `fill\u3164er`,
	} {
		if got := migrate.Plain(in); got != want {
			t.Errorf("Plain(%q) = %q, want %q", in, got, want)
		}
	}
}

func TestQuoted(t *testing.T) {
	for in, want := range map[string]string{
		"Ada Lovelace":        `"Ada Lovelace"`,
		`Ada "the" C:\`:       `"Ada \"the\" C:\\"`,
		"رضایی\u200cنژاد":     "\"رضایی\u200cنژاد\"",
		"👩\u200d💻 Dev":        "\"👩\u200d💻 Dev\"",
		"evil\u202egpj":       `"evil\u202egpj"`,
		"fill\u3164er\x1b[2J": `"fill\u3164er\u001b[2J"`,
	} {
		if got := migrate.Quoted(in); got != want {
			t.Errorf("Quoted(%q) = %s, want %s", in, got, want)
		}
	}
}

func FuzzPlain(f *testing.F) {
	f.Add("a\x1b]0;x\a")
	f.Fuzz(func(t *testing.T, s string) {
		for _, r := range migrate.Plain(s) + migrate.Quoted(s) {
			if unicode.IsControl(r) || unicode.In(r, unicode.Bidi_Control) {
				t.Errorf("%U is left of %q", r, s)
			}
		}
	})
}

func FuzzParseValue(f *testing.F) {
	f.Add("softwareOath", []byte(`{"name":"n","serial":"s","algorithm":"SHA1","digits":6,"period":30}`))
	f.Add("user", []byte(`{"upn":"a@contoso.example","aliases":["b"],"enabled":true}`))
	f.Add("block", []byte(`{"until":"2027-02-01T00:00:00Z"}`))
	f.Add("mobile", []byte(`"+44 2079460000"`))
	f.Fuzz(func(t *testing.T, method string, b []byte) {
		m := cloud.Method(method)
		v, err := migrate.ParseValue(m, b)
		if err != nil {
			return
		}
		text, err := migrate.ValueJSON(m, v)
		if err != nil {
			return // a time beyond year 9999 has no form
		}
		if again, err := migrate.ParseValue(m, text); err != nil || !again.Equal(v) {
			t.Errorf("%s became %+v, not %+v (%v)", text, again, v, err)
		}
	})
}
