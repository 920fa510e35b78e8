package phone

import (
	"errors"
	"slices"

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

// rules are what the patterns of one calling code mean.
type rules struct {
	regions []region // the main one first
	prefix  int      // pattern of a prefix that is a case for the library, or none
}

// rules adds the patterns of all regions of a calling code, and prefix unless
// it is empty. Leading digits matter only where there are several regions.
func (p *patterns) rules(metadata []*phonenumbers.PhoneMetadata, prefix string) (*rules, error) {
	r := rules{prefix: none}
	for _, m := range metadata {
		region, err := p.region(m, len(metadata) > 1)
		if err != nil {
			return nil, err
		}
		r.regions = append(r.regions, region)
	}
	if prefix == "" {
		return &r, nil
	}
	var err error
	r.prefix, err = p.add(prefix)
	return &r, err
}

// marks says what holds of a number of length digits.
func (r *rules) marks(length int, matched, atEnd []bool) (m marks) {
	if r.valid(length, atEnd) {
		m |= markValid
	}
	if atEnd[r.regions[0].general.pattern] {
		m |= markGeneral
	}
	switch {
	case r.prefix == none || length == 0:
	case matched[r.prefix]:
		m |= markPrefix
	case atEnd[r.prefix]:
		m |= markPrefixEnd
	}
	return m
}

// valid tells whether a number is valid. The first region whose leading digits
// it has decides alone; a region without such counts if it has the number.
func (r *rules) valid(length int, matched []bool) bool {
	for i := range r.regions {
		region := &r.regions[i]
		switch {
		case region.leading == none && region.holds(length, matched):
			return true
		case region.leading != none && matched[region.leading]:
			return region.holds(length, matched)
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

// region adds the patterns of one region, its leading digits if it is shared.
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
	for _, desc := range types(m) {
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

// types are the kinds of numbers that make a number valid. A region whose
// mobile numbers look like its fixed ones has them in the fixed ones.
func types(m *phonenumbers.PhoneMetadata) []*phonenumbers.PhoneNumberDesc {
	descriptions := []*phonenumbers.PhoneNumberDesc{
		m.GetPremiumRate(), m.GetTollFree(), m.GetSharedCost(), m.GetVoip(), m.GetPersonalNumber(),
		m.GetPager(), m.GetUan(), m.GetVoicemail(), m.GetFixedLine(),
	}
	if !m.GetSameMobileAndFixedLinePattern() {
		descriptions = append(descriptions, m.GetMobile())
	}
	return descriptions
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
