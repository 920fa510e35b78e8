package radius

import (
	"encoding/binary"
	"iter"
)

// Microsoft is the vendor number of RFC 2548.
const Microsoft = 311

// Types of Microsoft's attributes that carry MS-CHAP and keys (RFC 2548).
const (
	MSCHAPResponse  uint8 = 1
	MSCHAPError     uint8 = 2
	MSCHAPChallenge uint8 = 11
	MSMPPESendKey   uint8 = 16
	MSMPPERecvKey   uint8 = 17
	MSCHAP2Response uint8 = 25
	MSCHAP2Success  uint8 = 26
)

// VendorAttributes takes a Vendor-Specific value apart into all attributes
// inside. It is not ok where the value does not follow the form of RFC 2865
// section 5.26 to its end: then some of it may be anything.
func VendorAttributes(value []byte) (vendor uint32, inside iter.Seq2[uint8, []byte], ok bool) {
	if len(value) < 6 || value[0] != 0 {
		return 0, nil, false
	}
	rest := value[4:]
	for at := 0; at < len(rest); at += int(rest[at+1]) {
		if at+1 == len(rest) || rest[at+1] < 2 || at+int(rest[at+1]) > len(rest) {
			return 0, nil, false
		}
	}
	return binary.BigEndian.Uint32(value), func(yield func(uint8, []byte) bool) {
		for at := 0; at < len(rest); {
			end := at + int(rest[at+1])
			if !yield(rest[at], rest[at+2:end:end]) {
				return
			}
			at = end
		}
	}, true
}

// AppendVendor appends a Vendor-Specific attribute with one attribute inside
// to b. A value longer than 247 octets is an error.
func AppendVendor(b []byte, vendor uint32, kind uint8, value []byte) ([]byte, error) {
	inside := binary.BigEndian.AppendUint32(make([]byte, 0, 6+len(value)), vendor)
	inside = append(inside, kind, byte(len(value)+2))
	return AppendAttribute(b, VendorSpecific, append(inside, value...))
}
