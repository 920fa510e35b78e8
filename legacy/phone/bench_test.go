package phone_test

import (
	"strconv"
	"testing"

	"github.com/nyaruka/phonenumbers"

	"mfabridge/legacy/phone"
)

// export returns columns as an export has them: nearly all valid, half of them
// of the calling code 1.
func export() (inputs []phone.Input) {
	numbers(100_000, func(code int, number string) {
		parsed, err := phonenumbers.Parse("+"+strconv.Itoa(code)+number, "ZZ")
		if err == nil && phonenumbers.IsValidNumber(parsed) && len(inputs) < 8192 {
			inputs = append(inputs,
				phone.Input{CountryCode: "+" + strconv.Itoa(code), Number: phonenumbers.Format(parsed, phonenumbers.NATIONAL)},
				phone.Input{CountryCode: "1", Number: "425-555-0" + strconv.Itoa(100+len(inputs)%100), Extension: "55"})
		}
	})
	return inputs
}

// BenchmarkParse reads numbers by tables; BenchmarkLibrary is its anchor.
func BenchmarkParse(b *testing.B) {
	inputs, p := export(), parser(b, phone.Options{})
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		if got := p.Parse(inputs[i%len(inputs)]); !got.OK {
			b.Fatal(got.Problem)
		}
	}
}

// BenchmarkLibrary has the library alone read the same numbers.
func BenchmarkLibrary(b *testing.B) {
	inputs := export()
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		in := inputs[i%len(inputs)]
		parsed, err := phonenumbers.Parse("+"+in.CountryCode+in.Number, "ZZ")
		if err != nil {
			b.Fatal(err)
		}
		phonenumbers.IsValidNumber(parsed)
		phonenumbers.Format(parsed, phonenumbers.E164)
	}
}

// BenchmarkTables makes the tables of all calling codes.
func BenchmarkTables(b *testing.B) {
	for b.Loop() {
		for code := range phonenumbers.GetSupportedCallingCodes() {
			if _, err := phone.NewTable(code); err != nil {
				b.Fatal(err)
			}
		}
	}
}
