package phone_test

import (
	"errors"
	"math/rand/v2"
	"os"
	"strconv"
	"strings"
	"testing"

	"github.com/nyaruka/phonenumbers"

	"mfabridge/legacy/phone"
)

// opinion is what the library says of a number with its calling code, in the
// words of Result.
type opinion struct {
	national string
	verdict  string // "valid", "possible", or what Problem contains
}

// library asks it, and once more where it shortened the number.
func library(code int, number string) opinion {
	first := ask(code, number)
	if first.national != "" && first.national != number && ask(code, first.national).national != first.national {
		return opinion{verdict: "more than once"}
	}
	return first
}

func ask(code int, number string) opinion {
	parsed, err := phonenumbers.Parse("+"+strconv.Itoa(code)+number, "ZZ")
	if errors.Is(err, phonenumbers.ErrNumTooLong) {
		return opinion{verdict: "too long"}
	} else if err != nil {
		return opinion{verdict: "too short"}
	}
	national := phonenumbers.GetNationalSignificantNumber(parsed)
	if phonenumbers.IsValidNumber(parsed) {
		return opinion{national, "valid"}
	}
	switch phonenumbers.IsPossibleNumberWithReason(parsed) {
	case phonenumbers.IS_POSSIBLE:
		return opinion{national, "possible"}
	case phonenumbers.TOO_SHORT:
		return opinion{verdict: "too short"}
	case phonenumbers.TOO_LONG:
		return opinion{verdict: "too long"}
	case phonenumbers.IS_POSSIBLE_LOCAL_ONLY:
		return opinion{verdict: "area code"}
	default:
		return opinion{verdict: "no length"}
	}
}

// check compares what Parse makes of a number with the library's opinion.
func check(t testing.TB, p *phone.Parser, code int, number string, want opinion) {
	got := p.Parse(phone.Input{Number: "+" + strconv.Itoa(code) + " " + number})
	ok, notes := true, phone.Notes(0)
	switch want.verdict {
	case "valid":
	case "possible":
		notes = phone.Unverified
	default:
		ok = false
	}
	if got.OK != ok || got.Notes != notes || got.Number.National != want.national ||
		!ok && !strings.Contains(got.Problem, want.verdict) || ok && got.Problem != "" {
		t.Errorf("+%d %s: got %+v, the library says %+v", code, number, got, want)
	}
}

// numbers yields count numbers of every plan: examples of each region and type,
// with digits changed, added, taken away and put before, and random ones.
func numbers(count int, yield func(code int, number string)) {
	collection, err := phonenumbers.MetadataCollection()
	if err != nil {
		panic(err)
	}
	random := rand.New(rand.NewPCG(2079, 46))
	for made := 0; made < count; {
		for _, m := range collection.GetMetadata() {
			code := int(m.GetCountryCode())
			emit := func(number string) {
				yield(code, number)
				made++
			}
			lengths := m.GetGeneralDesc().GetPossibleLength()
			emit(randomDigits(random, int(lengths[random.IntN(len(lengths))])))
			emit(randomDigits(random, 1+random.IntN(18)))
			for _, desc := range []*phonenumbers.PhoneNumberDesc{
				m.GetFixedLine(), m.GetMobile(), m.GetTollFree(), m.GetPremiumRate(), m.GetSharedCost(),
				m.GetPersonalNumber(), m.GetVoip(), m.GetPager(), m.GetUan(), m.GetVoicemail(),
			} {
				if example := desc.GetExampleNumber(); example != "" {
					mutate(random, example, m.GetNationalPrefix(), emit)
				}
			}
		}
	}
}

// mutate emits number and neighbours of it.
func mutate(random *rand.Rand, number, trunk string, emit func(string)) {
	if random.IntN(8) == 0 {
		emit(number)
		emit(trunk + number)
	}
	at, digit := random.IntN(len(number)), randomDigits(random, 1)
	changed := number[:at] + digit + number[at+1:]
	tail := number[:2] + randomDigits(random, len(number)-2)
	for _, n := range []string{changed, tail} {
		emit(n)
		if random.IntN(4) == 0 {
			emit(trunk + n)
		}
	}
	switch random.IntN(6) {
	case 0:
		emit(number[:at] + number[at+1:])
	case 1:
		emit(number[:at] + digit + number[at:])
	case 2:
		emit(randomDigits(random, 2) + number)
	case 3:
		emit(trunk + trunk + changed)
	}
}

func randomDigits(random *rand.Rand, n int) string {
	b := make([]byte, n)
	for i := range b {
		b[i] = '0' + byte(random.IntN(10))
	}
	return string(b)
}

// TestLibraryEquality compares 150,000 numbers with the library, under the race
// detector 30,000, and with MFABRIDGE_SOAK=1 ten times as many.
func TestLibraryEquality(t *testing.T) {
	count := equalityCount
	if os.Getenv("MFABRIDGE_SOAK") != "" {
		count *= 10
	}
	p := parser(t, phone.Options{})
	tried, undecided := 0, 0
	verdicts := make(map[string]int)
	numbers(count, func(code int, number string) {
		tried++
		if !phone.Decided(p, code, number) {
			undecided++
		}
		want := library(code, number)
		verdicts[want.verdict]++
		check(t, p, code, number, want)
	})
	t.Logf("%d numbers, %d left to the library, %v", tried, undecided, verdicts)
}
