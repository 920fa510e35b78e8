package phone

import (
	"errors"

	"github.com/nyaruka/phonenumbers"
)

// verdict is what nyaruka/phonenumbers says of a number with its calling code.
type verdict uint8

const (
	impossible verdict = iota
	tooShort
	tooLong
	localOnly // possible only within an area
	unstable  // it would lose further digits if it were read again
	possible  // of a length that exists, in no range that does
	valid
)

// problem is the phrase for a verdict under which no number moves.
func (v verdict) problem() string {
	switch v {
	case tooShort:
		return "the number is too short for its country"
	case tooLong:
		return "the number is too long for its country"
	case localOnly:
		return "the number lacks its area code"
	case unstable:
		return "the number starts with a trunk prefix more than once"
	default:
		return "the number has no length that its country uses"
	}
}

// ask has the library judge a number. What is written must be what is read
// back, so a number that the library would shorten once more is not possible.
func (p *plan) ask(number string) (national string, v verdict) {
	national, v = p.consult(number)
	if v >= possible && national != number {
		if again, _ := p.consult(national); again != national {
			return "", unstable
		}
	}
	return national, v
}

// consult is one question to the library.
func (p *plan) consult(number string) (national string, v verdict) {
	parsed, err := phonenumbers.Parse("+"+p.code+number, phonenumbers.UNKNOWN_REGION)
	switch {
	case errors.Is(err, phonenumbers.ErrNumTooLong):
		return "", tooLong
	case err != nil:
		return "", tooShort
	case phonenumbers.IsValidNumber(parsed):
		return phonenumbers.GetNationalSignificantNumber(parsed), valid
	}
	switch phonenumbers.IsPossibleNumberWithReason(parsed) {
	case phonenumbers.IS_POSSIBLE:
		return phonenumbers.GetNationalSignificantNumber(parsed), possible
	case phonenumbers.IS_POSSIBLE_LOCAL_ONLY:
		return "", localOnly
	case phonenumbers.TOO_SHORT:
		return "", tooShort
	case phonenumbers.TOO_LONG:
		return "", tooLong
	default:
		return "", impossible
	}
}
