package migrate

// Holds is for tests.
var Holds = holds

// For tests of what has a short way for most and a long one for the rest.
var IsMailbox = isMailbox

// For tests of rules that a plan of samples meets on a few of their sides only.
var (
	SIDOf        = sidOf
	IsAddress    = isAddress
	SamePhone    = samePhone
	DigitsOf     = digitsOf
	Irreversible = irreversible
)
