package phone

import (
	"errors"
	"regexp"
	"regexp/syntax"
	"slices"
	"strings"

	"github.com/nyaruka/phonenumbers"
)

// none is the number of no pattern.
const none = -1

// errMetadata means that the metadata of a calling code are not as a table
// needs them; the library then decides alone.
var errMetadata = errors.New("the metadata are not in the expected form")

// region is one country or territory that shares a calling code.
type region struct {
	leading int // pattern of the digits that its numbers start with, or none
	general ranges
	types   []ranges
}

// ranges are the numbers of one type.
type ranges struct {
	pattern int
	lengths uint32 // bit n: n digits; 0: any
}

func (r ranges) contain(length int, matched []bool) bool {
	return r.pattern != none && matched[r.pattern] && (r.lengths == 0 || r.lengths>>length&1 == 1)
}

// holds tells whether a number is one of the region's, of whatever type.
func (r *region) holds(length int, matched []bool) bool {
	if !r.general.contain(length, matched) {
		return false
	}
	for _, t := range r.types {
		if t.contain(length, matched) {
			return true
		}
	}
	return false
}

// inRange tells whether a number is valid. The first region with the number's
// leading digits decides alone; one without any counts if it has the number.
func inRange(regions []region, length int, matched []bool) bool {
	for i := range regions {
		r := &regions[i]
		if r.holds(length, matched) {
			return true
		}
		if r.leading != none && matched[r.leading] {
			return false
		}
	}
	return false
}

// metadataOf returns the metadata of the regions of a calling code in the
// library's order, the main region first.
func metadataOf(code int) ([]*phonenumbers.PhoneMetadata, error) {
	collection, err := phonenumbers.MetadataCollection()
	if err != nil {
		return nil, err
	}
	var found []*phonenumbers.PhoneMetadata
	for _, id := range phonenumbers.GetRegionCodesForCountryCode(code) {
		var region *phonenumbers.PhoneMetadata
		for _, m := range collection.GetMetadata() {
			if m.GetId() == id && int(m.GetCountryCode()) == code {
				region = m
			}
		}
		if region == nil {
			return nil, errMetadata
		}
		found = append(found, region)
	}
	if len(found) == 0 {
		return nil, errMetadata
	}
	return found, nil
}

// region adds the patterns of a region. Leading digits matter only where it
// is not the only one.
func (p *patterns) region(m *phonenumbers.PhoneMetadata, shared bool) (region, error) {
	r := region{leading: none}
	var err error
	if digits := m.GetLeadingDigits(); digits != "" && shared {
		if r.leading, err = p.add("(?:" + digits + `)\d*`); err != nil {
			return r, err
		}
	}
	if r.general, err = p.ranges(m.GetGeneralDesc()); err != nil {
		return r, err
	}
	if r.general.pattern == none {
		return r, errMetadata
	}
	types := []*phonenumbers.PhoneNumberDesc{
		m.GetPremiumRate(), m.GetTollFree(), m.GetSharedCost(), m.GetVoip(), m.GetPersonalNumber(),
		m.GetPager(), m.GetUan(), m.GetVoicemail(), m.GetFixedLine(),
	}
	if !m.GetSameMobileAndFixedLinePattern() {
		types = append(types, m.GetMobile())
	}
	for _, desc := range types {
		t, err := p.ranges(desc)
		if err != nil {
			return r, err
		}
		if t.pattern != none {
			r.types = append(r.types, t)
		}
	}
	return r, nil
}

// ranges adds the pattern of one type of numbers; desc may be nil.
func (p *patterns) ranges(desc *phonenumbers.PhoneNumberDesc) (r ranges, err error) {
	r.pattern = none
	if desc.GetNationalNumberPattern() == "" {
		return r, nil
	}
	for _, n := range desc.GetPossibleLength() {
		if n < 0 { // there are no numbers of this type
			return r, nil
		}
		if n > maxNational {
			return r, errMetadata
		}
		r.lengths |= 1 << n
	}
	r.pattern, err = p.add(desc.GetNationalNumberPattern())
	return r, err
}

// lengths says what numbers of each length are that lie in no range.
func lengths(general *phonenumbers.PhoneNumberDesc) (byLength [maxNational + 1]verdict, err error) {
	full := general.GetPossibleLength()
	if len(full) == 0 || full[0] < 0 {
		return byLength, errMetadata
	}
	for n := range byLength {
		switch length := int32(n); {
		case slices.Contains(general.GetPossibleLengthLocalOnly(), length):
			byLength[n] = localOnly
		case slices.Contains(full, length):
			byLength[n] = possible
		case length < full[0]:
			byLength[n] = tooShort
		case length > full[len(full)-1]:
			byLength[n] = tooLong
		default:
			byLength[n] = impossible
		}
	}
	return byLength, nil
}

// maxTrunks bounds the prefixes that are tried one by one.
const maxTrunks = 128

// readPrefix splits the expression of what may have to go from the start of
// a number into trunks, which just go, and the rest of its alternatives: an
// expression for the library, "" if there is none.
func readPrefix(m *phonenumbers.PhoneMetadata) (trunks []string, rest string, err error) {
	expression := m.GetNationalPrefixForParsing()
	if expression == "" {
		return nil, "", nil
	}
	compiled, err := regexp.Compile("^(?:" + expression + ")")
	if err != nil {
		return nil, "", err
	}
	if groups := compiled.FindStringSubmatchIndex(""); groups != nil && groups[len(groups)-1] >= 0 {
		return nil, "", errMetadata
	}
	parsed, err := syntax.Parse(expression, syntax.Perl)
	if err != nil {
		return nil, "", err
	}
	alternatives := []*syntax.Regexp{parsed}
	if parsed.Op == syntax.OpAlternate {
		alternatives = parsed.Sub
	}
	var others []string
	for _, alternative := range alternatives {
		words, ok := enumerate(alternative, m.GetNationalPrefixTransformRule() == "")
		if ok && len(trunks)+len(words) <= maxTrunks {
			trunks = append(trunks, words...)
		} else {
			others = append(others, alternative.String())
		}
	}
	rest = strings.Join(others, "|")
	if empty, err := regexp.MatchString("^(?:"+rest+")$", ""); err != nil || empty && rest != "" && len(trunks) > 0 {
		return nil, "", errMetadata // an empty match would hide the trunks behind it
	}
	return trunks, rest, nil
}

// enumerate lists what an expression matches, in the order in which it is
// preferred, if that is not too much. A group that is captured matters only
// to a rule of transformation.
func enumerate(e *syntax.Regexp, captures bool) (words []string, ok bool) {
	switch e.Op {
	case syntax.OpEmptyMatch:
		return []string{""}, true
	case syntax.OpLiteral:
		return []string{string(e.Rune)}, e.Flags&syntax.FoldCase == 0
	case syntax.OpCharClass:
		for i := 0; i < len(e.Rune); i += 2 {
			if e.Rune[i] < '0' || e.Rune[i+1] > '9' {
				return nil, false
			}
			for c := e.Rune[i]; c <= e.Rune[i+1]; c++ {
				words = append(words, string(c))
			}
		}
		return words, true
	case syntax.OpCapture:
		if !captures {
			return nil, false
		}
		return enumerate(e.Sub[0], captures)
	case syntax.OpQuest:
		words, ok = enumerate(e.Sub[0], captures)
		return append(words, ""), ok && e.Flags&syntax.NonGreedy == 0
	case syntax.OpAlternate:
		for _, sub := range e.Sub {
			more, ok := enumerate(sub, captures)
			if words = append(words, more...); !ok || len(words) > maxTrunks {
				return nil, false
			}
		}
		return words, true
	case syntax.OpConcat:
		words = []string{""}
		for _, sub := range e.Sub {
			tails, ok := enumerate(sub, captures)
			if !ok || len(words)*len(tails) > maxTrunks {
				return nil, false
			}
			words = join(words, tails)
		}
		return words, true
	default:
		return nil, false
	}
}

// join puts every tail behind every head, the first head's first.
func join(heads, tails []string) []string {
	joined := make([]string, 0, len(heads)*len(tails))
	for _, head := range heads {
		for _, tail := range tails {
			joined = append(joined, head+tail)
		}
	}
	return joined
}
