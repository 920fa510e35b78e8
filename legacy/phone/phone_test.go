package phone_test

import (
	"testing"

	"mfabridge/legacy/phone"
)

func TestMasking(t *testing.T) {
	for _, c := range []struct {
		number phone.Number
		text   string
		masked string
	}{
		{phone.Number{}, "", ""},
		{phone.Number{CallingCode: "44", National: "2079460012"}, "+44 2079460012", "+44 ********12"},
		{phone.Number{CallingCode: "1", National: "4255550100", Extension: "55"}, "+1 4255550100x55", "+1 ********00x**"},
		{phone.Number{CallingCode: "290", National: "22158"}, "+290 22158", "+290 *****"},
	} {
		if got := c.number.String(); got != c.text {
			t.Errorf("String: got %q, want %q", got, c.text)
		}
		if got := c.number.Masked(); got != c.masked {
			t.Errorf("Masked %s: got %q, want %q", c.text, got, c.masked)
		}
	}
}
