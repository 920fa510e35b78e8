// Package dictionary knows attributes of RADIUS replies by their names: those
// of the RFCs, and what well-known vendors let a server say of a person. The
// data is attributes.txt, with the source of every number.
//
//	a, err := dictionary.Lookup("Fortinet-Group-Name")
//	b, err = a.Append(b, "vpn-admins")     // in the form of a packet
//
// A vendor's attribute that has no name here is Vendor-NUMBER-NUMBER, whose
// value is a text, or octets as 0x and hexadecimal digits.
package dictionary

import (
	_ "embed"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"net/netip"
	"strconv"
	"strings"
	"sync"
	"unicode/utf8"
)

// vendorSpecific is the attribute that vendors' attributes stand in (RFC 2865
// section 5.26); maxValue is the longest value of any attribute.
const (
	vendorSpecific = 26
	maxValue       = 253
	maxVendorValue = maxValue - 6
)

// Key tells attributes apart: Vendor 0 is the RFCs' own space.
type Key struct {
	Vendor uint32
	Number uint8
}

// Attribute is an attribute that has a name.
type Attribute struct {
	Key
	Name   string
	Kind   string            // text, integer, ipv4, octets, tagged-integer, tagged-text
	Source string            // where its number comes from
	Values map[string]uint32 // of integers that have names, by the name in lower case
}

//go:embed attributes.txt
var data string

var load = sync.OnceValues(func() (map[string]Attribute, error) { return read(data) })

// Lookup returns the attribute of a name, in any case.
func Lookup(name string) (Attribute, error) {
	all, err := load()
	if err != nil {
		return Attribute{}, err
	}
	if a, ok := all[strings.ToLower(name)]; ok {
		return a, nil
	}
	var vendor, number uint32
	if n, err := fmt.Sscanf(strings.ToLower(name), "vendor-%d-%d", &vendor, &number); err == nil && n == 2 &&
		vendor > 0 && vendor < 1<<24 && number > 0 && number < 256 && strings.EqualFold(name, fmt.Sprintf("vendor-%d-%d", vendor, number)) {
		return Attribute{Key: Key{vendor, uint8(number)}, Name: name, Kind: "octets"}, nil
	}
	return Attribute{}, fmt.Errorf("attribute %q is not known", name)
}

// Append appends the attribute with a value, in the form of a packet.
func (a Attribute) Append(b []byte, value string) ([]byte, error) {
	v, err := a.encode(value)
	if err != nil {
		return b, fmt.Errorf("%s: %w", a.Name, err)
	}
	limit := maxValue
	if a.Vendor != 0 {
		limit = maxVendorValue
	}
	if len(v) == 0 || len(v) > limit {
		return b, fmt.Errorf("%s: a value has 1 to %d octets, this one has %d", a.Name, limit, len(v))
	}
	if a.Vendor == 0 {
		return append(append(b, a.Number, byte(len(v)+2)), v...), nil
	}
	b = append(b, vendorSpecific, byte(len(v)+8))
	b = binary.BigEndian.AppendUint32(b, a.Vendor)
	return append(append(b, a.Number, byte(len(v)+2)), v...), nil
}

func (a Attribute) encode(value string) ([]byte, error) {
	switch a.Kind {
	case "integer", "tagged-integer":
		n, ok := a.Values[strings.ToLower(value)]
		if !ok {
			parsed, err := strconv.ParseUint(value, 10, 32)
			if err != nil {
				return nil, fmt.Errorf("%q is not a number", value)
			}
			n = uint32(parsed)
		}
		if a.Kind == "tagged-integer" && n >= 1<<24 {
			return nil, fmt.Errorf("%d is more than three octets hold", n) // the first one is the tag
		}
		return binary.BigEndian.AppendUint32(nil, n), nil
	case "ipv4":
		address, err := netip.ParseAddr(value)
		if err != nil || !address.Is4() {
			return nil, fmt.Errorf("%q is not an IPv4 address", value)
		}
		return address.AsSlice(), nil
	case "octets":
		if digits, ok := strings.CutPrefix(value, "0x"); ok {
			v, err := hex.DecodeString(digits)
			if err != nil {
				return nil, fmt.Errorf("%q is not hexadecimal", value)
			}
			return v, nil
		}
	}
	if !utf8.ValidString(value) {
		return nil, fmt.Errorf("the value is not UTF-8")
	}
	if a.Kind == "tagged-text" {
		return append([]byte{0}, value...), nil
	}
	return []byte(value), nil
}

// Keys returns the attributes that an attribute of a packet stands for: itself,
// or those inside a Vendor-Specific. It is not ok where that does not follow
// the form that RFC 2865 section 5.26 recommends.
func Keys(kind uint8, value []byte) (keys []Key, ok bool) {
	if kind != vendorSpecific {
		return []Key{{0, kind}}, true
	}
	if len(value) < 6 || value[0] != 0 {
		return nil, false
	}
	vendor := binary.BigEndian.Uint32(value)
	for rest := value[4:]; len(rest) > 0; rest = rest[rest[1]:] {
		if len(rest) < 2 || rest[1] < 2 || int(rest[1]) > len(rest) {
			return nil, false
		}
		keys = append(keys, Key{vendor, rest[0]})
	}
	return keys, true
}

// read understands attributes.txt.
func read(text string) (map[string]Attribute, error) {
	all := make(map[string]Attribute)
	for i, line := range strings.Split(text, "\n") {
		line, _, _ = strings.Cut(line, "#")
		f := strings.Fields(line)
		if len(f) == 0 {
			continue
		}
		if err := readLine(f, all); err != nil {
			return nil, fmt.Errorf("attributes.txt, line %d: %w", i+1, err)
		}
	}
	return all, nil
}

func readLine(f []string, all map[string]Attribute) error {
	switch {
	case f[0] == "ATTRIBUTE" && len(f) == 6:
		vendor, err := strconv.ParseUint(f[2], 10, 24)
		if err != nil {
			return err
		}
		number, err := strconv.ParseUint(f[3], 10, 8)
		if err != nil {
			return err
		}
		name := strings.ToLower(f[1])
		if _, twice := all[name]; twice {
			return fmt.Errorf("%s stands there twice", f[1])
		}
		all[name] = Attribute{Key: Key{uint32(vendor), uint8(number)}, Name: f[1], Kind: f[4], Source: f[5], Values: make(map[string]uint32)}
		return nil
	case f[0] == "VALUE" && len(f) == 4:
		a, ok := all[strings.ToLower(f[1])]
		n, err := strconv.ParseUint(f[3], 10, 32)
		if !ok || err != nil {
			return fmt.Errorf("value of %s cannot be read", f[1])
		}
		a.Values[strings.ToLower(f[2])] = uint32(n)
		return nil
	}
	return fmt.Errorf("%q is not understood", strings.Join(f, " "))
}
