package phone_test

import (
	"strings"
	"sync"
	"testing"

	"mfabridge/internal/hint"
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

// reading is one row of a table of tests: three columns and what they become.
type reading struct {
	country, number, extension string

	want    string // Number.String
	notes   phone.Notes
	problem string // part of Problem; empty: OK
}

func (r reading) check(t *testing.T, p *phone.Parser) {
	t.Helper()
	got := p.Parse(phone.Input{CountryCode: r.country, Number: r.number, Extension: r.extension})
	if got.Number.String() != r.want || got.Notes != r.notes ||
		got.OK != (r.problem == "") || got.OK != (got.Problem == "") || !strings.Contains(got.Problem, r.problem) {
		t.Errorf("%q %q %q:\n got %q ok %v notes %05b problem %q\nwant %q notes %05b problem %q", r.country, r.number, r.extension,
			got.Number, got.OK, got.Notes, got.Problem, r.want, r.notes, r.problem)
	}
}

func TestWriting(t *testing.T) {
	p := parser(t, phone.Options{})
	for _, r := range []reading{
		{number: "+1 4255550100", want: "+1 4255550100"},
		{number: "+1 (425) 555-0100", want: "+1 4255550100"},
		{number: "+1.425.555/0100 ", want: "+1 4255550100"},
		{number: "+1\u00a0425\u202f555\u20100100", want: "+1 4255550100"},
		{number: "+1\u2007425\u2011555\u22120100", want: "+1 4255550100"},
		{number: "\u202a+1 425 555 0100\u202c", want: "+1 4255550100"},
		{number: "＋１ （４２５） ５５５－０１００", want: "+1 4255550100"},
		{number: "(+1) 4255550100", want: "+1 4255550100"},
		{number: "001 425 555 0100", want: "+1 4255550100"},
		{number: "(00)44 20 7946 0000", want: "+44 2079460000"},
		{country: "44", number: "020 7946 0000", want: "+44 2079460000"},
		{country: "+44", number: "(020) 7946-0000", want: "+44 2079460000"},
		{number: "+44 (0)20 7946 0000", want: "+44 2079460000"},
		{country: "1", number: "1-425-555-0100", want: "+1 4255550100"},
		{country: "39", number: "06 1234 5678", want: "+39 0612345678"},
		{country: "39", number: "6 1234 5678", want: "+39 612345678", notes: phone.Unverified},

		{number: "", problem: "no number"},
		{number: " - ", problem: "no number"},
		{number: "", extension: "55", problem: "no number"},
		{number: "+", problem: "does not start with digits"},
		{number: "home", problem: "does not start with digits"},
		{number: "*67 4255550100", problem: "does not start with digits"},
		{number: "1.42556E+10", problem: "spreadsheet"},
		{number: "1,42556e+10", problem: "spreadsheet"},
		{number: "+1 800 FLOWERS", problem: "letters"},
		{number: "+1 4255550100 home", problem: "letters"},
		{number: "+1 425555010O", problem: "letters"},
		{country: "49", number: "30123456.0", problem: "ends in .0"},
		{number: " +4930123456.00 ", problem: "ends in .0"},
		{country: "49", number: "30.123456.0", want: "+49 301234560"},
		{country: "49", number: "30123456.01", want: "+49 3012345601"},
		{country: "1", number: "4255550100", extension: "890.0", want: "+1 4255550100", problem: "extension ends in .0"},
		{country: "1", number: "4255550100 x890.0", problem: "extension ends in .0"},
		{country: "1.0", number: "4255550100", problem: "no known calling code"},
		{number: "+1 425555٠١٠٠", problem: "else than digits"},
		{number: "+1 42555\u202e50100", problem: "else than digits"},
		{number: "+1 425+5550100", problem: "else than digits"},
		{number: "++1 4255550100", problem: "does not start with digits"},
		{number: "+1 4255550100 & +1 4255550101", problem: "else than digits"},
		{number: "+1 4255550100\xff", problem: "else than digits"},
		{number: "+1 4255550100/4255550101", problem: "too long"},
		{number: "+1 " + strings.Repeat("4", 40), problem: "too long"},
		{number: "+1 " + strings.Repeat(" ", 250), problem: "column is too long"},
		{country: "1", number: "4255550100", extension: strings.Repeat(" ", 251), problem: "column is too long"},
	} {
		r.check(t, p)
	}
}

func TestCountry(t *testing.T) {
	none, britain := parser(t, phone.Options{}), parser(t, phone.Options{DefaultCountry: "GB"})
	for _, r := range []reading{
		{country: "44", number: "+1 4255550100", want: "+1 4255550100", notes: phone.CountryConflict},
		{country: "44", number: "001 4255550100", want: "+1 4255550100", notes: phone.CountryConflict},
		{country: "nowhere", number: "+1 4255550100", want: "+1 4255550100", notes: phone.CountryConflict},
		{country: "+1", number: "+1 4255550100", want: "+1 4255550100"},
		{country: "001", number: "+1 4255550100", want: "+1 4255550100"},
		{country: " ＋１ ", number: "4255550100", want: "+1 4255550100"},
		{country: "0", number: "4255550100", problem: "no known calling code"},
		{country: "999", number: "4255550100", problem: "no known calling code"},
		{country: "1425", number: "5550100", problem: "no known calling code"},
		{country: "144", number: "4255550100", problem: "no known calling code"},
		{country: "US", number: "4255550100", problem: "no known calling code"},
		{country: "1", number: "+999 4255550100", problem: "starts with no known calling code"},
		{country: "1", number: "+0 4255550100", problem: "starts with no known calling code"},
		{country: "44", number: "44 20 7946 0000", problem: "too long"},
	} {
		r.check(t, none)
		r.check(t, britain)
	}
	reading{number: "020 7946 0000", problem: "no calling code"}.check(t, none)
	reading{number: "000 7946 0000", problem: "no calling code"}.check(t, none)
	reading{country: " + ", number: "020 7946 0000", problem: "no known calling code"}.check(t, britain)
	reading{number: "020 7946 0000", want: "+44 2079460000", notes: phone.CountryAssumed}.check(t, britain)
	reading{country: " ", number: "020 7946 0000", want: "+44 2079460000", notes: phone.CountryAssumed}.check(t, britain)
}

func TestDefaultCountry(t *testing.T) {
	for _, country := range []string{"US", "us", " CA ", "1", "+1", "001"} {
		reading{number: "4255550100", want: "+1 4255550100", notes: phone.CountryAssumed}.
			check(t, parser(t, phone.Options{DefaultCountry: country}))
	}
	for _, country := range []string{"XX", "UK", "999", "+", "0", "USA", "1425"} {
		if _, err := phone.NewParser(phone.Options{DefaultCountry: country}); err == nil || hint.Of(err) == "" {
			t.Errorf("%q: got %v, want an error with advice", country, err)
		}
	}
}

func TestVerdict(t *testing.T) {
	lenient, strict := parser(t, phone.Options{}), parser(t, phone.Options{Strict: true})
	for _, r := range []reading{
		{number: "+44 2079460000", want: "+44 2079460000"},
		{number: "+1 555 0100", problem: "area code"},
		{number: "+1 55501", problem: "too short"},
		{number: "+1 4", problem: "too short"},
		{number: "+1 42555501000", problem: "too long"},
		{number: "+44 2079 4600 0000 0000 0000", problem: "too long"},
		{number: "+7 9001 2345 6789", problem: "no length"},
		{number: "+44 00 2079 46000", problem: "trunk prefix more than once"},
	} {
		r.check(t, lenient)
		r.check(t, strict)
	}
	reading{number: "+1 2555550100", want: "+1 2555550100", notes: phone.Unverified}.check(t, lenient)
	reading{number: "+1 2555550100", problem: "possible but not valid"}.check(t, strict)
	reading{country: "44", number: "+1 2555550100", notes: phone.CountryConflict, problem: "possible but not valid"}.check(t, strict)
}

func TestExtension(t *testing.T) {
	p := parser(t, phone.Options{})
	const number, plain, extended = "+1 425 555 0100", "+1 4255550100", "+1 4255550100x890"
	for _, end := range []string{
		"x890", " x 890", "X890", "ext 890", " ext. 890", "Ext.890", "ext:890", " extn 890", " extension 890", "EXTENSION 8-90",
		"#890", " # 890", ", ext 890", "x８９０", ";ext=890", "; ext=890", ";EXT=890", " ext=890",
	} {
		reading{number: number + end, want: extended}.check(t, p)
	}
	for _, column := range []string{"890", " 8 90 ", "x890", "ext. 890", "８９０"} {
		reading{number: number, extension: column, want: extended}.check(t, p)
		reading{number: number + "x890", extension: column, want: extended}.check(t, p)
	}
	for _, r := range []reading{
		{number: number, extension: " - ", want: plain},
		{number: number, extension: "0890", want: plain + "x0890"},
		{number: number, extension: ",890", want: extended, notes: phone.ExtensionPauseDropped},
		{number: number, extension: ", , 890", want: extended, notes: phone.ExtensionPauseDropped},
		{number: number, extension: ",,", want: plain, notes: phone.ExtensionPauseDropped},
		{number: number + "x,,890", want: extended, notes: phone.ExtensionPauseDropped},
		{number: number + "x890", extension: ",890", want: extended, notes: phone.ExtensionPauseDropped},
		{number: number + "x890", extension: ",", want: extended, notes: phone.ExtensionPauseDropped},

		// The number alone is good, and a text would need no more.
		{number: number, extension: "8,90", want: plain, notes: phone.DialScript, problem: "dial script"},
		{number: number, extension: "890,", want: plain, notes: phone.DialScript, problem: "dial script"},
		{number: number, extension: ",,8,90", want: plain, notes: phone.DialScript, problem: "dial script"},
		{number: number, extension: "890#", want: plain, notes: phone.DialScript, problem: "dial script"},
		{number: number, extension: "#890", want: plain, notes: phone.DialScript, problem: "dial script"},
		{number: number, extension: "*890", want: plain, notes: phone.DialScript, problem: "dial script"},
		{number: number, extension: "8＊90", want: plain, notes: phone.DialScript, problem: "dial script"},
		{number: number + "x890#", want: plain, notes: phone.DialScript, problem: "dial script"},
		{number: number + "#890#", want: plain, notes: phone.DialScript, problem: "dial script"},
		{number: number + ",,890", want: plain, notes: phone.DialScript, problem: "dial script"},
		{number: number + ";890", want: plain, notes: phone.DialScript, problem: "dial script"},
		{number: number + "*890", extension: "890", want: plain, notes: phone.DialScript, problem: "dial script"},
		{number: number + "x890", extension: "8*90", want: plain, notes: phone.DialScript, problem: "dial script"},
		{number: number, extension: "desk", want: plain, problem: "else than digits"},
		{number: number, extension: "890 desk", want: plain, problem: "else than digits"},
		{number: number, extension: "+890", want: plain, problem: "else than digits"},
		{number: number, extension: "x", want: plain, problem: "announced and not given"},
		{number: number, extension: strings.Repeat("8", 21), want: plain, problem: "too long"},
		{number: number + "x890", extension: "891", want: plain, problem: "differ"},
		{number: number + "x890", extension: "0890", want: plain, problem: "differ"},

		// Letters at the end of the number are not an extension's fault.
		{number: number + "x", problem: "announced and not given"},
		{number: number + "#", problem: "announced and not given"},
		{number: number + "x,", problem: "announced and not given"},
		{number: number + "x890 desk", problem: "else than digits"},
		{number: number + "xx890", problem: "else than digits"},
		{number: number + "extra 890", problem: "else than digits"},
		{number: "+1 555 0100x890", problem: "area code"},
		{number: "+1 555 0100", extension: "8*90", problem: "area code"},
	} {
		r.check(t, p)
	}
	reading{number: "+1 2555550100", extension: "8#", want: "+1 2555550100", notes: phone.DialScript | phone.Unverified, problem: "dial script"}.check(t, p)
}

func TestProblemQuotesNothing(t *testing.T) {
	p := parser(t, phone.Options{})
	for _, in := range []phone.Input{
		{CountryCode: "7777", Number: "7777"}, {Number: "+7777777777777777"}, {Number: "+1 4255550100x7777777777777777777777"},
		{Number: "+1 4255550100", Extension: "7777#"}, {Number: "+1 4255550100 7777secret"},
	} {
		if got := p.Parse(in); got.OK || strings.Contains(got.Problem, "7777") || strings.Contains(got.Problem, "secret") {
			t.Errorf("%q: %q", in, got.Problem)
		}
	}
}

// TestParserIsShared has many goroutines make the same tables at once.
func TestParserIsShared(t *testing.T) {
	p := parser(t, phone.Options{})
	var group sync.WaitGroup
	for range 8 {
		group.Go(func() {
			for _, number := range []string{"+1 4255550100", "+44 2079460000", "+49 30 23125000"} {
				if got := p.Parse(phone.Input{Number: number}); !got.OK {
					t.Errorf("%s: %s", number, got.Problem)
				}
			}
		})
	}
	group.Wait()
}

func TestMetadataVersion(t *testing.T) {
	version := phone.MetadataVersion()
	if !strings.HasPrefix(version, "v") && !strings.HasPrefix(version, "sha256:") {
		t.Errorf("got %q", version)
	}
	if again := phone.MetadataVersion(); again != version {
		t.Errorf("first %q, then %q", version, again)
	}
}
