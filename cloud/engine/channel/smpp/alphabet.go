package smpp

import (
	"encoding/binary"
	"errors"
	"strings"
	"unicode/utf16"
)

// Data codings (SMPP 3.4 section 5.2.19).
const (
	codingDefault byte = 0x00
	codingLatin1  byte = 0x03
	codingUCS2    byte = 0x08
)

// Alphabet says what a centre's default alphabet is, which the protocol leaves
// to the centre.
type Alphabet string

// Alphabets.
const (
	GSM    Alphabet = "gsm"    // 3GPP TS 23.038, data_coding 0
	Latin1 Alphabet = "latin1" // ISO 8859-1, data_coding 3
	UCS2   Alphabet = "ucs2"   // always UCS-2, data_coding 8
)

// gsmBasic is the default alphabet (3GPP TS 23.038 section 6.2.1), each
// character at its number; 0x1B leads to gsmExtension.
var gsmBasic = []rune("@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞ\x1bÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?" +
	"¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà")

// gsmExtension is the extension table (section 6.2.1.1).
const gsmExtension = "\f\x0a^\x14{\x28}\x29\\\x2f[\x3c~\x3d]\x3e|\x40€\x65"

const gsmEscape = 0x1b

// gsm maps a character to one or two octets.
var gsm = func() map[rune]string {
	all := make(map[rune]string, len(gsmBasic)+10)
	for i, r := range gsmBasic {
		if r != gsmEscape {
			all[r] = string([]byte{byte(i)})
		}
	}
	extension := []rune(gsmExtension)
	for i := 0; i < len(extension); i += 2 {
		all[extension[i]] = string([]byte{gsmEscape, byte(extension[i+1])})
	}
	return all
}()

// Longest messages: alone, and as a part behind its header of six octets.
const (
	gsmAlone, gsmPart     = 160, 153
	latinAlone, latinPart = 140, 134
	ucsAlone, ucsPart     = 140, 134 // octets, two a unit
	maxParts              = 4
)

// errLong is a text that no telephone gets whole.
var errLong = errors.New("the text is longer than four messages")

// Parts is how many messages a network makes of a text, and charges for, where its
// centre has the default alphabet of GSM.
func Parts(text string) int {
	parts, _ := cut(text, GSM)
	return len(parts)
}

// encode cuts a text into the short_message of one or more PDUs, without their
// headers, and says how they are coded.
func encode(text string, a Alphabet) (parts [][]byte, coding byte, err error) {
	parts, coding = cut(text, a)
	if len(parts) > maxParts {
		return nil, 0, errLong
	}
	return parts, coding, nil
}

func cut(text string, a Alphabet) (parts [][]byte, coding byte) {
	units, alone, part := []string(nil), 0, 0
	switch {
	case a == GSM && each(text, &units, gsmUnit):
		coding, alone, part = codingDefault, gsmAlone, gsmPart
	case a == Latin1 && each(text, &units, latinUnit):
		coding, alone, part = codingLatin1, latinAlone, latinPart
	default:
		each(text, &units, ucsUnit)
		coding, alone, part = codingUCS2, ucsAlone, ucsPart
	}
	if whole := strings.Join(units, ""); len(whole) <= alone {
		return [][]byte{[]byte(whole)}, coding
	}
	return fill(units, part), coding
}

// each turns characters into units that must not be cut, until one has none.
func each(text string, units *[]string, unit func(rune) (string, bool)) bool {
	*units = (*units)[:0]
	for _, r := range text {
		u, known := unit(r)
		if !known {
			return false
		}
		*units = append(*units, u)
	}
	return true
}

func gsmUnit(r rune) (string, bool) {
	u, known := gsm[r]
	return u, known
}

func latinUnit(r rune) (string, bool) { return string([]byte{byte(r)}), r <= 0xff }

// ucsUnit is a character in UCS-2, one beyond its plane as a pair, as
// telephones have it.
func ucsUnit(r rune) (string, bool) {
	var b []byte
	for _, u := range utf16.AppendRune(nil, r) {
		b = binary.BigEndian.AppendUint16(b, u)
	}
	return string(b), true
}

// fill fills parts of at most limit octets with whole units.
func fill(units []string, limit int) [][]byte {
	var parts [][]byte
	var part []byte
	for _, u := range units {
		if len(part)+len(u) > limit {
			parts, part = append(parts, part), nil
		}
		part = append(part, u...)
	}
	return append(parts, part)
}
