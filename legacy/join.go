package legacy

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"fmt"
	"strings"
)

// Limits of what belongs to one user.
const (
	MaxAttached = 1000 // devices and tokens of one user; more are ROW_INVALID

	maxNamed = 5 // rows that a message about duplicates names
)

// role of a record among all that have one folded name. The roles sort so that
// users come before what belongs to them.
type role byte

const (
	roleUser    role = 1 + iota // a row of users.csv with this Username
	roleUPN                     // a row with this UserPrincipalName and another Username
	roleDevice                  // a device of this Username
	roleToken                   // a token of this Username
	roleTokenBy                 // a token of this Username or UserPrincipalName
)

// Flags of a user's record.
const (
	flagBad = 1 << iota // the row is left out
	flagToken
	flagSeed // the token in the row has a usable secret
)

// key begins a record: folded name, NUL (which no name holds), role, number.
func key(b, name []byte, r role, number uint64) []byte {
	b = append(appendFold(b, name), 0, byte(r))
	return binary.BigEndian.AppendUint64(b, number)
}

// addUser enters a row of users.csv. One that is left out is entered too, as
// far as it has a name: another row of that name is still a duplicate.
func (l *loader) addUser(r *userRow) error {
	ordinal := uint64(l.summary.Rows)
	l.summary.Rows++
	name, upn := r.cells[userName].text, r.cells[userUPN].text
	if len(name) == 0 {
		return nil
	}
	var flags byte
	if r.bad != nil {
		flags |= flagBad
	}
	if r.hasToken {
		flags |= flagToken
		if r.seedState() == SeedOK {
			flags |= flagSeed
		}
	}
	l.body = appendFold(l.body[:0], upn)
	l.rec = key(l.rec[:0], name, roleUser, ordinal)
	folded := l.rec[:bytes.IndexByte(l.rec, 0)]
	hasUPN := len(upn) > 0 && !bytes.Equal(folded, l.body)
	if bytes.Equal(folded, name) {
		name = nil
	}
	l.rec = binary.AppendUvarint(append(l.rec, flags), uint64(r.line))
	l.rec = append(appendBytes(l.rec, name), l.body...)
	if err := l.names.Add(l.rec); err != nil || !hasUPN {
		return err
	}
	l.rec = append(key(l.rec[:0], upn, roleUPN, ordinal), flags)
	l.rec = appendBytes(binary.AppendUvarint(l.rec, uint64(r.line)), []byte(nil))
	return l.names.Add(l.rec)
}

// addAttached enters a row of devices.csv or tokens.csv.
func (l *loader) addAttached(r *attachedRow, user, upn []byte) error {
	role, name := roleDevice, user
	switch {
	case r.kind == kindToken && len(user) == 0:
		role, name, upn = roleTokenBy, upn, nil
	case r.kind == kindToken:
		role = roleToken
	}
	l.body = appendFold(l.body[:0], upn)
	l.rec = key(l.rec[:0], name, role, uint64(l.rows))
	l.rec = appendBytes(l.rec, name)   // as written
	l.rec = appendBytes(l.rec, l.body) // what the user's UserPrincipalName must be; empty: anything
	l.rec = r.row.pack(l.rec)
	return l.names.Add(l.rec)
}

// group is what is known of one folded name while its records go by.
type group struct {
	name    []byte
	rows    int    // with this Username
	named   []int  // lines of the first of them
	first   member // of them
	written []byte // its Username, if that is not the folded one
	upns    int    // rows with this UserPrincipalName and another Username
	other   member // the first of them
}

// member is a user's record.
type member struct {
	ordinal uint64
	flags   byte
	line    int
	upn     []byte // folded
}

// join brings devices and tokens to their users, and finds what has none.
func (l *loader) join() error {
	var g group
	n := 0
	for rec, err := range l.names.Sorted() {
		if err != nil {
			return err
		}
		if n++; n%progressRows == 0 && l.ctx.Err() != nil {
			return l.ctx.Err()
		}
		end := bytes.IndexByte(rec, 0)
		if end < 0 || len(rec) < end+10 {
			return errPacked
		}
		if !bytes.Equal(rec[:end], g.name) {
			if err := l.endGroup(&g); err != nil {
				return err
			}
			g = group{name: append(g.name[:0], rec[:end]...), named: g.named[:0],
				first: member{upn: g.first.upn[:0]}, written: g.written[:0]}
		}
		number := binary.BigEndian.Uint64(rec[end+2:])
		switch r := role(rec[end+1]); r {
		case roleUser, roleUPN:
			err = l.joinUser(&g, r, number, rec[end+10:])
		default:
			err = l.joinAttached(&g, r, number, rec[end+10:])
		}
		if err != nil {
			return err
		}
	}
	return l.endGroup(&g)
}

func (l *loader) joinUser(g *group, r role, ordinal uint64, body []byte) error {
	u := unpacker{b: body}
	m := member{ordinal: ordinal, flags: u.byte(), line: int(u.uvarint())}
	written := u.bytes()
	if u.failed {
		return errPacked
	}
	if r == roleUPN {
		if g.upns++; g.upns == 1 {
			g.other = m
		}
		return nil
	}
	g.rows++
	if len(g.named) < maxNamed {
		g.named = append(g.named, m.line)
	}
	if g.rows == 1 {
		m.upn = append(g.first.upn, u.b...)
		g.first = m
		g.written = append(g.written[:0], written...)
		return nil
	}
	if g.rows == 2 {
		if err := l.mark(g.first.ordinal); err != nil {
			return err
		}
	}
	return l.mark(ordinal)
}

// mark enters that a user is not yielded.
func (l *loader) mark(ordinal uint64) error {
	l.rec = binary.BigEndian.AppendUint64(l.rec[:0], ordinal)
	return l.attached.Add(append(l.rec, byte(kindSkipped)))
}

// endGroup counts the user of a name, or reports that there are several.
func (l *loader) endGroup(g *group) error {
	switch {
	case g.rows > 1:
		l.summary.Duplicates++
		lines := fmt.Sprint(g.named[0])
		for _, line := range g.named[1:] {
			lines += fmt.Sprintf(", %d", line)
		}
		if more := g.rows - len(g.named); more > 0 {
			lines += fmt.Sprintf(" and %d more", more)
		}
		return l.problems.add(Problem{
			Code:     UserDuplicate,
			Place:    Place{File: usersFile, Line: g.named[0]},
			Username: cmp.Or(string(g.written), string(g.name)),
			Field:    "Username",
			Detail:   fmt.Sprintf("%d rows have this Username, on lines %s; none of them is read", g.rows, lines),
		})
	case g.rows == 1 && g.first.flags&flagBad == 0:
		l.summary.Users++
		if g.first.flags&flagToken != 0 {
			l.summary.Tokens++
		}
		if g.first.flags&flagSeed != 0 {
			l.summary.TokensWithSecret++
		}
	}
	return nil
}

// joinAttached gives a device or token to its user.
func (l *loader) joinAttached(g *group, r role, number uint64, body []byte) error {
	u := unpacker{b: body}
	name, upn := u.bytes(), u.bytes()
	if u.failed {
		return errPacked
	}
	owner, owners := g.first, g.rows
	if r == roleTokenBy && g.rows < 2 {
		if owners += g.upns; g.rows == 0 {
			owner = g.other
		}
	}
	switch {
	case owners == 0:
		return l.orphan(r, string(name), u.b)
	case g.rows > 1, owners == 1 && owner.flags&flagBad != 0:
		l.summary.LeftOut++
		return nil
	case owners > 1:
		return l.reject(r, string(name), u.b, "upn leads to several users of the export")
	case len(upn) > 0 && !bytes.Equal(upn, owner.upn) && !bytes.Equal(upn, g.name):
		return l.reject(r, string(name), u.b, "Username and upn lead to different users")
	}
	k := kindToken
	if r == roleDevice {
		k = kindDevice
	}
	l.rec = append(binary.BigEndian.AppendUint64(l.rec[:0], owner.ordinal), byte(k))
	l.rec = binary.BigEndian.AppendUint64(l.rec, number)
	return l.attached.Add(append(l.rec, u.b...))
}

func (l *loader) orphan(r role, name string, packed []byte) error {
	p := Problem{Code: OrphanToken, Place: packedPlace(r, packed), Username: name, Detail: "the token belongs to a user that is not in the export"}
	if r == roleDevice {
		p.Code, p.Detail = OrphanDevice, strings.Replace(p.Detail, "token", "device", 1)
	}
	return l.problems.add(p)
}

func (l *loader) reject(r role, name string, packed []byte, why string) error {
	l.summary.SkippedRows++
	return l.problems.add(Problem{Code: RowInvalid, Place: packedPlace(r, packed), Username: name, Detail: why + "; the row is left out"})
}

// packedPlace reads where a packed row stands.
func packedPlace(r role, packed []byte) Place {
	u := unpacker{b: packed}
	u.byte()
	p := Place{File: tokensFile, Line: int(u.uvarint())}
	if r == roleDevice {
		p.File = devicesFile
	}
	return p
}
