package phone_test

import (
	"testing"

	"mfabridge/legacy/phone"
)

func parser(t testing.TB, options phone.Options) *phone.Parser {
	t.Helper()
	p, err := phone.NewParser(options)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestParse(t *testing.T) {
	for _, c := range []struct {
		name    string
		options phone.Options
		in      phone.Input
		want    string // Number.String, "" for none
		notes   phone.Notes
		problem string // "": OK
	}{
		{name: "column", in: phone.Input{"44", "20 7946 0000", ""}, want: "+44 2079460000"},
		{name: "column with plus", in: phone.Input{"+1", "425-555-0100", ""}, want: "+1 4255550100"},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := parser(t, c.options).Parse(c.in)
			if got.Number.String() != c.want || got.Notes != c.notes || got.Problem != c.problem || got.OK != (c.problem == "") {
				t.Errorf("got %q notes %05b ok %v problem %q; want %q notes %05b problem %q",
					got.Number, got.Notes, got.OK, got.Problem, c.want, c.notes, c.problem)
			}
		})
	}
}

func TestVersion(t *testing.T) { t.Log(phone.MetadataVersion()) }
