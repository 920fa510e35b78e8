package legacy_test

import (
	"bytes"
	"encoding/base32"
	"encoding/base64"
	"encoding/hex"
	"strings"
	"testing"

	"mfabridge/fixtures"
	"mfabridge/legacy"
)

func TestDecodeSeed(t *testing.T) {
	const raw = fixtures.CanaryTokenRaw
	b32, hexa := fixtures.CanaryTokenBase32, fixtures.CanaryTokenHex
	b64 := base64.StdEncoding.EncodeToString([]byte(raw))
	both := "ABCD2345EF67ABCD2345EF67ABCD2345"
	for name, tt := range map[string]struct {
		text, format string
		want         string // raw key, if usable
		state        legacy.SeedState
		phrase       string
	}{
		"nothing":                           {"", "", "", legacy.SeedMissing, ""},
		"space":                             {" \t ", "", "", legacy.SeedMissing, ""},
		"Base32":                            {b32, "", raw, legacy.SeedOK, ""},
		"lower case":                        {strings.ToLower(b32), "", raw, legacy.SeedOK, ""},
		"groups":                            {b32[:4] + " " + b32[4:] + " ", "", raw, legacy.SeedOK, ""},
		"no padding":                        {"GEZA", "", "12", legacy.SeedOK, ""},
		"padding":                           {"GEZA====", "", "12", legacy.SeedOK, ""},
		"wrong padding":                     {"GEZA==", "", "", legacy.SeedInvalid, "padding"},
		"only padding":                      {"====", "", "", legacy.SeedInvalid, "padding"},
		"impossible length":                 {b32 + "A", "", "", legacy.SeedInvalid, "length"},
		"a digit that is none":              {b32[:31] + "1", "", "", legacy.SeedInvalid, "character 32"},
		"hexadecimal":                       {hexa, "", "", legacy.SeedInvalid, "looks like hexadecimal"},
		"both":                              {both, "", "", legacy.SeedAmbiguous, "both"},
		"both, small":                       {strings.ToLower(both), "", "", legacy.SeedAmbiguous, "both"},
		"both, told hex":                    {"hex:234567AB", "", "\x23\x45\x67\xab", legacy.SeedOK, ""},
		"both, told Base32":                 {"base32:" + both, "", decode32(both), legacy.SeedOK, ""},
		"prefix hex":                        {"hex:" + hexa, "", raw, legacy.SeedOK, ""},
		"prefix HEX":                        {"HEX: " + strings.ToUpper(hexa), "", raw, legacy.SeedOK, ""},
		"prefix base64":                     {"base64:" + b64, "", raw, legacy.SeedOK, ""},
		"prefix hex, is not":                {"hex:" + b32, "", "", legacy.SeedInvalid, "not hexadecimal"},
		"prefix hex, nothing":               {"hex:", "", "", legacy.SeedInvalid, "not hexadecimal"},
		"prefix base64, nothing":            {"base64:", "", "", legacy.SeedInvalid, "not Base64"},
		"format hex":                        {hexa, "hex", raw, legacy.SeedOK, ""},
		"format hex, both":                  {both, "hex", string(decodeHex(both)), legacy.SeedOK, ""},
		"format base32, both":               {both, "base32", decode32(both), legacy.SeedOK, ""},
		"format base64":                     {b64, "base64", raw, legacy.SeedOK, ""},
		"format base64, Base32":             {b32, "base64", "", legacy.SeedAmbiguous, "characters of Base32 alone"},
		"format base64, Base32, small":      {strings.ToLower(b32), "base64", "", legacy.SeedAmbiguous, "characters of Base32 alone"},
		"format base64, Base32, padded":     {"GEZDGNBVGY3TQOI=", "base64", "", legacy.SeedAmbiguous, "characters of Base32 alone"},
		"format base64, hexadecimal":        {hexa, "base64", "", legacy.SeedAmbiguous, "characters of hexadecimal alone"},
		"format base64, Base32, told so":    {"base32:" + b32, "base64", raw, legacy.SeedOK, ""},
		"format base64, Base32 as Base64":   {"base64:" + b32, "base64", string(decode64(b32)), legacy.SeedOK, ""},
		"format base64, small and capitals": {"MTIzNDU2Nzg5MDEyMzQ1", "base64", "123456789012345", legacy.SeedOK, ""},
		"format base64, URL":                {"-_-_", "base64", "\xfb\xff\xbf", legacy.SeedOK, ""},
		"format base64, mixed":              {"+_-/", "base64", "", legacy.SeedInvalid, "not Base64"},
		"format hex, prefix base64":         {"base64:" + b64, "hex", raw, legacy.SeedOK, ""},
		"format unknown":                    {b32, "octal", "", legacy.SeedInvalid, "format"},
		"far too long":                      {strings.Repeat("A", legacy.MaxSecretText+8), "", "", legacy.SeedInvalid, "characters"},
		"not ASCII":                         {"ＡＢＣＤ", "", "", legacy.SeedInvalid, "character 1"},
	} {
		t.Run(name, func(t *testing.T) {
			got := legacy.DecodeSeed([]byte(tt.text), tt.format)
			if got.State != tt.state || string(got.Key.Reveal()) != tt.want || !strings.Contains(got.Problem, tt.phrase) {
				t.Errorf("state %d, %d bytes, %q; want state %d, %d bytes, …%s…",
					got.State, got.Key.Len(), got.Problem, tt.state, len(tt.want), tt.phrase)
			}
			if (got.Problem != "") != (tt.state == legacy.SeedInvalid || tt.state == legacy.SeedAmbiguous) {
				t.Errorf("Problem %q with state %d", got.Problem, got.State)
			}
		})
	}
}

func decode32(s string) string {
	b, _ := base32.StdEncoding.DecodeString(s)
	return string(b)
}

func decode64(s string) []byte {
	b, _ := base64.StdEncoding.DecodeString(s)
	return b
}

func decodeHex(s string) []byte {
	b, _ := hex.DecodeString(s)
	return b
}

func FuzzDecodeSeed(f *testing.F) {
	for _, s := range []string{"", fixtures.CanaryTokenBase32, fixtures.CanaryTokenHex, "hex:00", "base64:AA==", "GEZA====", "ABCD2345"} {
		f.Add([]byte(s), "")
		f.Add([]byte(s), "hex")
		f.Add([]byte(s), "base64")
	}
	f.Fuzz(func(t *testing.T, text []byte, format string) {
		before := bytes.Clone(text)
		seed := legacy.DecodeSeed(text, format)
		if !bytes.Equal(text, before) {
			t.Fatal("the text was changed")
		}
		if (seed.State == legacy.SeedOK) == seed.Key.IsZero() {
			t.Fatalf("state %d with a key of %d bytes", seed.State, seed.Key.Len())
		}
		if named := legacy.DecodeSeed(append([]byte("base32:"), text...), ""); format == "base64" && seed.State == legacy.SeedOK && named.State == legacy.SeedOK &&
			!bytes.Contains(text, []byte(":")) && (string(bytes.ToUpper(text)) == string(text) || string(bytes.ToLower(text)) == string(text)) {
			t.Fatal("Base32 was taken for Base64")
		}
		if seed.State != legacy.SeedOK || format != "" || bytes.Contains(text, []byte(":")) {
			return
		}
		// Without being told, only Base32 is taken, and the key says it all.
		squeezed := strings.ToUpper(strings.Join(strings.Fields(string(text)), ""))
		again := base32.StdEncoding.WithPadding(base32.NoPadding).EncodeToString(seed.Key.Reveal())
		body := strings.TrimRight(squeezed, "=")
		if len(again) != len(body) || again[:len(again)-1] != body[:len(body)-1] {
			t.Fatal("the key is not what the text says")
		}
	})
}
