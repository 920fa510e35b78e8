package legacy

import (
	"bytes"
	"strings"
)

// Rounded tells whether a spreadsheet has written s for a long number, with
// its last digits gone: "1.23457E+11", with a comma in some languages. What it
// was nobody can tell, and several numbers may have become one.
func Rounded(s string) bool {
	digits := func(s string) bool { return s != "" && strings.Trim(s, "0123456789") == "" }
	mantissa, exponent, ok := strings.Cut(strings.ToUpper(s), "E+")
	whole, part, fraction := strings.Cut(strings.Replace(mantissa, ",", ".", 1), ".")
	return ok && digits(exponent) && len(whole) == 1 && digits(whole) && (!fraction || digits(part))
}

// serialMark begins the key of a serial number among the names, which hold no
// control characters.
const serialMark = 1

// maxOwners is how many users of one serial number get its token: one more
// than there may be, and a plan finds the conflict.
const maxOwners = 5

// serialKey returns the name that a serial number is joined by, or nil if it
// cannot be joined.
func serialKey(serial []byte) []byte {
	if len(serial) == 0 || len(serial) > MaxName || bytes.IndexByte(serial, 0) >= 0 || Rounded(string(serial)) {
		return nil
	}
	return append([]byte{serialMark}, serial...)
}

// addSerial enters a row of users that names a token by its serial number, if
// there are files which may hold it.
func (l *loader) addSerial(r *userRow, flags byte, ordinal uint64) error {
	if !l.seeds {
		return nil
	}
	name := serialKey(r.cells[userSerial].text)
	if name == nil {
		return nil
	}
	return l.names.Add(appendMember(key(l.rec[:0], name, roleUser, ordinal), flags, r))
}

// addSeed enters a token that names nobody.
func (l *loader) addSeed(a *attached) error {
	name := serialKey(a.text[packedSerial])
	if name == nil {
		l.rec = a.pack(l.rec[:0])
		if Rounded(string(a.text[packedSerial])) {
			return l.reject("", l.rec, "the token names no user, and its serial number is one that a spreadsheet has rounded")
		}
		return l.reject("", l.rec, "the token names neither its user nor a serial number")
	}
	return l.names.Add(a.pack(key(l.rec[:0], name, roleToken, uint64(l.rows))))
}

// joinSerial gives a token to the users who have its serial number.
func (l *loader) joinSerial(g *group, r role, number uint64, body []byte) error {
	if r == roleUser {
		u := unpacker{b: body}
		if m := u.member(number); !u.failed && len(g.owners) < maxOwners {
			g.owners = append(g.owners, m)
		}
		if u.failed {
			return errPacked
		}
		return nil
	}
	if len(g.owners) == 0 {
		return l.problems.add(Problem{Code: OrphanToken, Place: l.packedPlace(body),
			Detail: "no user of the export has a token with this serial number"})
	}
	for i := range g.owners {
		m := &g.owners[i]
		if m.flags&flagBad != 0 {
			l.summary.LeftOut++
			continue
		}
		k := kindRowToken
		if m.flags&flagText != 0 {
			k = kindToken
		}
		m.flags |= flagText // a second one is one more
		if err := l.attach(m.ordinal, k, number, body); err != nil {
			return err
		}
	}
	return nil
}
