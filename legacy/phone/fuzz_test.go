package phone_test

import (
	"strings"
	"testing"

	"github.com/nyaruka/phonenumbers"

	"mfabridge/legacy/phone"
)

// FuzzParse: a result is whole, stays the same when it is read again, is the
// library's, and masked it shows nothing but calling code and two digits.
func FuzzParse(f *testing.F) {
	for _, seed := range [][3]string{
		{"44", "020 7946 0000", ""}, {"+1", "(425) 555-0100", ",890"}, {"39", "06 1234 5678", "8*90"},
		{"", "+44 (0)20 7946 0000 ext. 12", "12"}, {"1", "00442079460000x5", ""}, {"", "０２０ ７９４６ ００００", "#"},
		{"54", "011 15 2345 6789", ""}, {"55", "0 15 11 96123 4567", ""}, {"81", "0037680 120 123 456", ""}, {"7", "8 800 555 0100", ""},
		{"378", "886377", ""}, {"261", "2221234", ""}, {"241", "011 234567", ""}, {"44", "00 2079 46000", ""}, {"0", "001 310 0000", "0"},
	} {
		f.Add(seed[0], seed[1], seed[2])
	}
	p := parser(f, phone.Options{DefaultCountry: "GB"})
	f.Fuzz(func(t *testing.T, country, number, extension string) {
		got := p.Parse(phone.Input{CountryCode: country, Number: number, Extension: extension})
		if got.OK != (got.Problem == "") || got.OK && got.Number.IsZero() {
			t.Fatalf("half a result: %+v", got)
		}
		if got.Number.IsZero() {
			return
		}
		again := p.Parse(phone.Input{Number: got.Number.String()})
		if !again.OK || again.Number != got.Number {
			t.Errorf("%v reads back as %+v", got.Number, again)
		}
		if masked := got.Number.Masked(); strings.Count(masked, "*") < len(got.Number.National)-2 {
			t.Errorf("%v is masked as %s", got.Number, masked)
		}
		parsed, err := phonenumbers.Parse("+"+got.Number.CallingCode+got.Number.National, "ZZ")
		switch {
		case err != nil || phonenumbers.GetNationalSignificantNumber(parsed) != got.Number.National:
			t.Errorf("%v is another number to the library: %v %v", got.Number, parsed, err)
		case phonenumbers.IsValidNumber(parsed) == got.Notes.Has(phone.Unverified):
			t.Errorf("%v has notes %b, against the library", got.Number, got.Notes)
		case got.Notes.Has(phone.Unverified) && phonenumbers.IsPossibleNumberWithReason(parsed) != phonenumbers.IS_POSSIBLE:
			t.Errorf("%v is not possible to the library", got.Number)
		}
	})
}

// FuzzVerdict compares verdicts on digits of any calling code.
func FuzzVerdict(f *testing.F) {
	for code, number := range map[int]string{1: "4255550100", 44: "02079460000", 54: "91123456789", 55: "01511961234567", 81: "0037680120123456"} {
		f.Add(code, number)
	}
	p := parser(f, phone.Options{})
	f.Fuzz(func(t *testing.T, code int, number string) {
		if !phonenumbers.GetSupportedCallingCodes()[code] || len(number) > 28 || strings.Trim(number, "0123456789") != "" {
			return
		}
		check(t, p, code, number, library(code, number))
	})
}
