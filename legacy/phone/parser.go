package phone

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/nyaruka/phonenumbers"

	"mfabridge/internal/hint"
)

// maxCallingCode is the count of digits of the longest calling codes (E.164).
const maxCallingCode = 3

// Parser reads numbers. It may be used by many goroutines at once.
type Parser struct {
	strict   bool
	fallback *plan // of the default country; nil: none
	plans    [1000]*plan
}

// NewParser makes a Parser. It fails if the default country is unknown.
func NewParser(options Options) (*Parser, error) {
	p := &Parser{strict: options.Strict}
	for code := range phonenumbers.GetSupportedCallingCodes() {
		p.plans[code] = &plan{number: code, code: strconv.Itoa(code)}
	}
	if options.DefaultCountry == "" {
		return p, nil
	}
	p.fallback, _ = p.column(options.DefaultCountry)
	if p.fallback == nil {
		region := strings.ToUpper(strings.TrimSpace(options.DefaultCountry))
		p.fallback = p.plans[phonenumbers.GetCountryCodeForRegion(region)]
	}
	if p.fallback == nil {
		return nil, hint.New(fmt.Sprintf("the default country %q is not known", options.DefaultCountry),
			"give an ISO country code such as GB, or a calling code such as 44")
	}
	return p, nil
}

// column reads a calling code that stands alone. The plan is nil if there is
// none, or none that the world's plan knows; given tells which.
func (p *Parser) column(s string) (found *plan, given bool) {
	d, rest := scan(s)
	if d.n == 0 && !d.plus && rest == "" {
		return nil, false
	}
	code, _ := d.cutInternational()
	if rest != "" || len(code) > maxCallingCode {
		return nil, true
	}
	found, national := p.cutCallingCode(code)
	if len(national) > 0 {
		return nil, true
	}
	return found, true
}

// cutCallingCode takes the calling code off the start of an international
// number. No calling code is the start of another (E.164 section 6). The plan
// is nil if there is none.
func (p *Parser) cutCallingCode(number []byte) (*plan, []byte) {
	code := 0
	for i := 0; i < len(number) && i < maxCallingCode; i++ {
		code = code*10 + int(number[i]-'0')
		if found := p.plans[code]; found != nil {
			return found, number[i+1:]
		}
	}
	return nil, number
}

// Parse reads one number.
func (p *Parser) Parse(in Input) Result {
	if len(in.CountryCode) > maxColumn || len(in.Number) > maxColumn || len(in.Extension) > maxColumn {
		return Result{Problem: "a column is too long"}
	}
	d, tail := scan(in.Number)
	if problem := d.problem(tail); problem != "" {
		return Result{Problem: problem}
	}
	end := readEnd(tail)
	if end.problem != "" && !end.notes.Has(DialScript) {
		return Result{Problem: end.problem}
	}
	number, international := d.cutInternational()
	country, notes, problem := p.country(&number, international, in.CountryCode)
	if problem != "" {
		return Result{Problem: problem}
	}
	national, verdict := country.judge(number)
	switch {
	case verdict == possible && p.strict:
		return Result{Notes: notes, Problem: "the number is possible but not valid"}
	case verdict == possible:
		notes |= Unverified
	case verdict != valid:
		return Result{Notes: notes, Problem: verdict.problem()}
	}
	result := Result{Number: Number{CallingCode: country.code, National: national}, OK: true, Notes: notes}
	return result.extended(end, readColumn(in.Extension))
}

// problem says why no number can be made of the digits before tail.
func (d *digits) problem(tail string) string {
	switch {
	case d.over:
		return "the number is too long"
	case d.n > 0:
		return ""
	case tail == "" && !d.plus:
		return "there is no number"
	default:
		return "the number does not start with digits"
	}
}

// country decides whose number it is, and takes the calling code off it.
func (p *Parser) country(number *[]byte, international bool, column string) (country *plan, notes Notes, problem string) {
	said, given := p.column(column)
	switch {
	case international:
		country, *number = p.cutCallingCode(*number)
		if country == nil {
			return nil, 0, "the number starts with no known calling code"
		}
		if given && said != country {
			notes = CountryConflict
		}
		return country, notes, ""
	case given && said == nil:
		return nil, 0, "CountryCode is no known calling code"
	case given:
		return said, 0, ""
	case p.fallback != nil:
		return p.fallback, CountryAssumed, ""
	default:
		return nil, 0, "there is no calling code"
	}
}

// extended adds the extension: that of the end of the number, that of its own
// column, or both if they are the same.
func (r Result) extended(end, column extension) Result {
	both := column
	switch {
	case column.problem != "":
	case end.problem != "" || column.digits == "":
		both = end
	case end.digits != "" && end.digits != column.digits:
		both = extension{problem: "the end of the number and the column Extension differ"}
	}
	r.Number.Extension, r.Problem = both.digits, both.problem
	r.OK = both.problem == ""
	r.Notes |= both.notes
	if r.OK {
		r.Notes |= end.notes | column.notes
	}
	return r
}
