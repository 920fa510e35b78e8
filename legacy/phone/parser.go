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
	plans    *Plans
}

// Plans are the numbering plans of all calling codes. A table of each is made
// when it is first needed, which takes milliseconds: parsers that are made one
// after the other can share them. They may be used by many goroutines at once.
type Plans struct {
	of [1000]*plan // by calling code
}

// NewPlans reads which calling codes there are.
func NewPlans() *Plans {
	p := &Plans{}
	for code := range phonenumbers.GetSupportedCallingCodes() {
		p.of[code] = &plan{number: code, code: strconv.Itoa(code)}
	}
	return p
}

// NewParser makes a Parser. It fails if the default country is unknown.
func NewParser(options Options) (*Parser, error) {
	p := &Parser{strict: options.Strict, plans: options.Plans}
	if p.plans == nil {
		p.plans = NewPlans()
	}
	if options.DefaultCountry == "" {
		return p, nil
	}
	p.fallback, _ = p.column(options.DefaultCountry)
	if p.fallback == nil {
		region := strings.ToUpper(strings.TrimSpace(options.DefaultCountry))
		p.fallback = p.plans.of[phonenumbers.GetCountryCodeForRegion(region)]
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
	start, _ := d.international()
	found, length := p.callingCode(d.buf[start:d.n])
	if rest != "" || start+length < d.n {
		return nil, true
	}
	return found, true
}

// callingCode returns the plan of the calling code that an international
// number starts with, and the length of the code; nil if there is none. No
// calling code is the start of another (E.164 section 6).
func (p *Parser) callingCode(number []byte) (*plan, int) {
	code := 0
	for i := 0; i < len(number) && i < maxCallingCode; i++ {
		code = code*10 + int(number[i]-'0')
		if found := p.plans.of[code]; found != nil {
			return found, i + 1
		}
	}
	return nil, 0
}

// Parse reads one number.
func (p *Parser) Parse(in Input) Result {
	if len(in.CountryCode) > maxColumn || len(in.Number) > maxColumn || len(in.Extension) > maxColumn {
		return Result{Problem: "a column is too long"}
	}
	if decimal(in.Number) {
		return Result{Problem: "the number ends in .0: a program took it for a decimal number"}
	}
	d, tail := scan(in.Number)
	if problem := d.problem(tail); problem != "" {
		return Result{Problem: problem}
	}
	end := readEnd(tail)
	if end.problem != "" && !end.notes.Has(DialScript) {
		return Result{Problem: end.problem}
	}
	c := p.country(&d, in.CountryCode)
	if c.problem != "" {
		return Result{Problem: c.problem}
	}
	national, verdict := c.plan.judge(d.buf[c.start:d.n])
	switch {
	case verdict == possible && p.strict:
		return Result{Notes: c.notes, Problem: "the number is possible but not valid"}
	case verdict == possible:
		c.notes |= Unverified
	case verdict != valid:
		return Result{Notes: c.notes, Problem: verdict.problem()}
	}
	number := Number{CallingCode: c.plan.code, National: national}
	return Result{Number: number, OK: true, Notes: c.notes}.extended(end, readColumn(in.Extension))
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

// country is whose number it is, and how that is known.
type country struct {
	plan    *plan
	start   int // where the number starts behind its own calling code
	notes   Notes
	problem string // why it is not known
}

// country decides whose number d is.
func (p *Parser) country(d *digits, column string) country {
	said, given := p.column(column)
	start, international := d.international()
	switch {
	case international:
		own, length := p.callingCode(d.buf[start:d.n])
		switch {
		case own == nil:
			return country{problem: "the number starts with no known calling code"}
		case given && own != said:
			return country{plan: own, start: start + length, notes: CountryConflict}
		default:
			return country{plan: own, start: start + length}
		}
	case given && said == nil:
		return country{problem: "CountryCode is no known calling code"}
	case given:
		return country{plan: said}
	case p.fallback != nil:
		return country{plan: p.fallback, notes: CountryAssumed}
	default:
		return country{problem: "there is no calling code"}
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
