// Package phone makes telephone numbers of what an export of a retired MFA
// Server holds about them: three columns (CountryCode, number, extension),
// filled in by people. It is pure: no network, no files, no clock.
//
// # How a number is read
//
// Spaces, "- . ( ) /", Unicode hyphens and spaces, full-width digits and
// invisible left-to-right marks are folded away; "00" before 1 to 9 is "+".
// A letter that is no label of an extension makes the number invalid, and so do
// digits that end in ".0", which is how programs write what they take for a
// decimal number: the 0 is none of the number's. A number
// with its own calling code keeps it ([CountryConflict] if the column says
// otherwise), else the column counts, else [Options].DefaultCountry
// ([CountryAssumed]). A column that is no calling code of the world's plan is
// never guessed at: only a number with its own code survives it.
//
// # The verdict
//
// github.com/nyaruka/phonenumbers judges the number that results: a valid one
// moves; one that is possible but not valid moves as [Unverified] unless
// [Options].Strict; everything else does not. Its metadata also says which
// leading digits are a trunk prefix and go (+44 020 7946 … is +44 20 7946 …)
// and which belong to the number (+39 06 …). A number that would lose further
// digits if it were read again is refused, so that what is written is what is
// read back. Numbers are decided by automata made of the same metadata, with
// the same result at a fraction of the cost.
//
// # Extensions
//
// The extension is its own column or the end of the number: "x890", "ext 890",
// "ext. 890", "extn 890", "extension 890", "#890". Both may be there if they
// are equal; if not, nothing tells which is right and the number is refused.
// Leading "," (pauses) go with [ExtensionPauseDropped]. Any other ",", "*", "#"
// or ";" makes it a dial script, which no cloud takes: [DialScript], refused.
// Where only the extension is refused, [Result].Number still holds the number
// without it, since a text message needs none.
package phone

import "strings"

// Input are the columns of one number, as exported.
type Input struct{ CountryCode, Number, Extension string }

// Options are the rules that a plan fixes for all numbers.
type Options struct {
	DefaultCountry string // ISO 3166 code ("GB") or calling code ("44", "+44"); empty: none is assumed
	Strict         bool   // refuse what is possible but not valid
	Plans          *Plans // shared with other parsers; nil: read anew
}

// Number is a telephone number in the parts that E.164 knows, and an
// extension. All are ASCII digits; the zero Number is no number.
type Number struct {
	CallingCode string // 1 to 3 digits
	National    string // national significant number: no trunk prefix, leading zeros that count
	Extension   string // may be empty
}

// IsZero tells whether there is no number.
func (n Number) IsZero() bool { return n.National == "" }

// String is the number as it is written to a cloud: "+44 2079460000" or
// "+1 4255550100x55". The zero Number is "".
func (n Number) String() string {
	switch {
	case n.IsZero():
		return ""
	case n.Extension == "":
		return "+" + n.CallingCode + " " + n.National
	default:
		return "+" + n.CallingCode + " " + n.National + "x" + n.Extension
	}
}

// maskedBelow is the count of national digits under which two digits would
// give too much away.
const maskedBelow = 6

// Masked is the number for reports: calling code and last two digits stay,
// "+44 ********00". An extension shows only that it is there, as "x**".
func (n Number) Masked() string {
	if n.IsZero() {
		return ""
	}
	shown := 2
	if len(n.National) < maskedBelow {
		shown = 0
	}
	hidden := len(n.National) - shown
	masked := "+" + n.CallingCode + " " + strings.Repeat("*", hidden) + n.National[hidden:]
	if n.Extension != "" {
		masked += "x**"
	}
	return masked
}

// Notes is a set of what a person should know about how a number was read.
type Notes uint8

// The notes; the comment names the finding that a plan makes of each.
const (
	CountryConflict       Notes = 1 << iota // CountryCode says otherwise than the number's own calling code, which won (PHONE_COUNTRY_CONFLICT)
	CountryAssumed                          // the calling code is that of DefaultCountry (PHONE_COUNTRY_ASSUMED)
	Unverified                              // possible but not valid (PHONE_UNVERIFIED)
	ExtensionPauseDropped                   // leading "," of the extension are gone (EXTENSION_PAUSE_DROPPED)
	DialScript                              // the extension holds "," "*" "#" or ";": not OK (EXTENSION_DIAL_SCRIPT)
)

// Has tells whether all of want are noted.
func (n Notes) Has(want Notes) bool { return n&want == want }

// Result is what was read out of three columns.
type Result struct {
	// Number is set if OK; and, without its extension, where nothing but the
	// extension is wrong. Otherwise it is zero.
	Number Number
	// OK tells that Number moves, with its extension.
	OK bool
	// Notes hold for Number.
	Notes Notes
	// Problem says why not OK: a phrase that quotes nothing of the columns.
	Problem string
}
