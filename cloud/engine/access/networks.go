package access

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"net/netip"
	"slices"

	"mfabridge/cloud"
)

// MaxNetworks bounds the operator's list of networks, in lines.
const MaxNetworks = 500_000

// Network says that addresses from First to Last are in a country, two
// capital letters.
type Network struct {
	First, Last netip.Addr
	Country     string
}

// Countries are ranges that do not overlap, ascending.
type Countries []countryRange

type countryRange struct {
	first, last [16]byte // IPv4 as IPv4-mapped IPv6
	country     [2]byte
}

// CompileCountries resolves overlaps: of two lines that hold an address the
// narrower one counts.
func CompileCountries(list []Network) (Countries, error) {
	if len(list) > MaxNetworks {
		return nil, invalid(fmt.Sprintf("there can be at most %d networks", MaxNetworks))
	}
	all := make(Countries, 0, len(list))
	for i, n := range list {
		if !n.First.IsValid() || !n.Last.IsValid() || n.First.Unmap().Is4() != n.Last.Unmap().Is4() || n.Last.Compare(n.First) < 0 || !isCountry(n.Country) {
			return nil, invalid(fmt.Sprintf("network %d is no range of addresses with a country of two capital letters", i+1))
		}
		all = append(all, countryRange{n.First.As16(), n.Last.As16(), [2]byte{n.Country[0], n.Country[1]}})
	}
	slices.SortStableFunc(all, func(a, b countryRange) int {
		if c := bytes.Compare(a.first[:], b.first[:]); c != 0 {
			return c
		}
		return bytes.Compare(b.last[:], a.last[:]) // the wider one first
	})
	return flatten(all), nil
}

// flatten cuts what lies around a narrower range.
func flatten(sorted Countries) Countries {
	var out, open Countries // open: ranges around the place, the narrowest last
	emit := func(r countryRange) {
		if bytes.Compare(r.first[:], r.last[:]) <= 0 {
			out = append(out, r)
		}
	}
	shut := func(before *[16]byte) { // close what ends before a place; nil: everything
		for len(open) > 0 {
			top := open[len(open)-1]
			if before != nil && bytes.Compare(top.last[:], before[:]) >= 0 {
				return
			}
			emit(top)
			open = open[:len(open)-1]
			after, more := next(top.last)
			for i := range open {
				if !more {
					open[i].first, open[i].last = [16]byte{1}, [16]byte{} // empty
				} else if bytes.Compare(open[i].first[:], after[:]) < 0 {
					open[i].first = after
				}
			}
		}
	}
	for _, r := range sorted {
		shut(&r.first)
		if len(open) > 0 {
			top := open[len(open)-1]
			if before, ok := previous(r.first); ok {
				emit(countryRange{top.first, before, top.country})
			}
		}
		open = append(open, r)
	}
	shut(nil)
	return out
}

func next(a [16]byte) ([16]byte, bool) {
	n := netip.AddrFrom16(a).Next()
	if !n.IsValid() {
		return a, false
	}
	return n.As16(), true
}

func previous(a [16]byte) ([16]byte, bool) {
	n := netip.AddrFrom16(a).Prev()
	if !n.IsValid() {
		return a, false
	}
	return n.As16(), true
}

// Of is that of an address, or UnknownCountry.
func (all Countries) Of(a netip.Addr) string {
	if !a.IsValid() {
		return UnknownCountry
	}
	key := a.WithZone("").As16()
	at, found := slices.BinarySearchFunc(all, key, func(r countryRange, key [16]byte) int { return bytes.Compare(r.first[:], key[:]) })
	if !found {
		at--
	}
	if at < 0 || bytes.Compare(key[:], all[at].last[:]) > 0 {
		return UnknownCountry
	}
	return string(all[at].country[:])
}

// sizeRange is a range as it is kept, in bytes.
const sizeRange = 34

func (all Countries) Encode() []byte {
	b := binary.BigEndian.AppendUint32(nil, uint32(len(all)))
	b = slices.Grow(b, len(all)*sizeRange)
	for _, r := range all {
		b = append(append(append(b, r.first[:]...), r.last[:]...), r.country[:]...)
	}
	return b
}

func DecodeCountries(b []byte) (Countries, error) {
	if len(b) == 0 {
		return nil, nil
	}
	if len(b) < 4 || len(b) != 4+sizeRange*int(binary.BigEndian.Uint32(b)) {
		return nil, &cloud.Error{Kind: cloud.Internal, Message: "the list of networks cannot be read"}
	}
	all := make(Countries, 0, len(b)/sizeRange)
	for b = b[4:]; len(b) > 0; b = b[sizeRange:] {
		var r countryRange
		copy(r.first[:], b)
		copy(r.last[:], b[16:])
		copy(r.country[:], b[32:])
		all = append(all, r)
	}
	return all, nil
}
