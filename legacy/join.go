package legacy

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
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
	roleUser     role = 1 + iota // a row of users with this Username
	roleUPN                      // a row with this UserPrincipalName and another Username
	roleDevice                   // a device of this Username
	roleToken                    // a token of this Username
	roleTokenBy                  // a token of this Username or UserPrincipalName
	roleActivity                 // a login of this Username or UserPrincipalName
	roleBlocked                  // an answer that this Username is blocked
	roleListed                   // this Username in a list of users
)

// Flags of a user's record.
const (
	flagBad = 1 << iota // the row is left out
	flagToken
	flagSeed // the token in the row has a usable secret
	flagText // it has something in its column, usable or not
)

// key begins a record: folded name, NUL (which no name holds), role, number.
func key(b, name []byte, r role, number uint64) []byte {
	b = append(appendFold(b, name), 0, byte(r))
	return binary.BigEndian.AppendUint64(b, number)
}

// addUser enters a row of users. One that is left out is entered too, as
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
		switch r.seedState() {
		case SeedMissing:
		case SeedOK:
			flags |= flagSeed | flagText
		default:
			flags |= flagText
		}
	}
	l.body = appendFold(l.body[:0], upn)
	l.rec = key(l.rec[:0], name, roleUser, ordinal)
	folded := l.rec[:bytes.IndexByte(l.rec, 0)]
	hasUPN := len(upn) > 0 && !bytes.Equal(folded, l.body)
	if bytes.Equal(folded, name) {
		name = nil
	}
	l.rec = appendMember(l.rec, flags, r)
	l.rec = append(appendBytes(l.rec, name), l.body...)
	if err := l.names.Add(l.rec); err != nil {
		return err
	}
	if hasUPN {
		l.rec = appendMember(key(l.rec[:0], upn, roleUPN, ordinal), flags, r)
		if err := l.names.Add(appendBytes(l.rec, []byte(nil))); err != nil {
			return err
		}
	}
	return l.addSerial(r, flags, ordinal)
}

func appendMember(b []byte, flags byte, r *userRow) []byte {
	return appendPlace(append(b, flags), r.part, r.line)
}

func appendPlace(b []byte, part, line int) []byte {
	return binary.AppendUvarint(binary.AppendUvarint(b, uint64(part)), uint64(line))
}

// addAttached enters a device or a token. A token that names nobody belongs to
// whoever has its serial number.
func (l *loader) addAttached(k kind, a *attached, user, upn []byte) error {
	role, name := roleDevice, user
	switch {
	case k == kindDevice:
	case len(user) == 0 && len(upn) == 0:
		return l.addSeed(a)
	case len(user) == 0:
		role, name, upn = roleTokenBy, upn, nil
	default:
		role = roleToken
	}
	l.body = appendFold(l.body[:0], upn)
	l.rec = key(l.rec[:0], name, role, uint64(l.rows))
	l.rec = appendBytes(l.rec, name)   // as written
	l.rec = appendBytes(l.rec, l.body) // what the user's UserPrincipalName must be; empty: anything
	l.rec = a.pack(l.rec)
	return l.names.Add(l.rec)
}

// group is what is known of one folded name while its records go by.
type group struct {
	name    []byte
	rows    int      // with this Username
	named   []member // the first of them
	first   member   // of them
	written []byte   // its Username, if that is not the folded one
	upns    int      // rows with this UserPrincipalName and another Username
	other   member   // the first of them
	owners  []member // of a serial number, the first of them
	use     use      // what was logged of this name
	blocked member   // the first answer that the user is blocked; its upn is the name as written
	listed  member   // likewise
}

// member is a user's record.
type member struct {
	ordinal uint64
	flags   byte
	part    int
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
		if end < 1 || len(rec) < end+10 {
			return errPacked
		}
		if !bytes.Equal(rec[:end], g.name) {
			if err := l.endGroup(&g); err != nil {
				return err
			}
			g = group{name: append(g.name[:0], rec[:end]...), named: g.named[:0], owners: g.owners[:0],
				first: member{upn: g.first.upn[:0]}, written: g.written[:0], use: g.use.empty()}
		}
		number := binary.BigEndian.Uint64(rec[end+2:])
		switch r := role(rec[end+1]); {
		case rec[0] == serialMark:
			err = l.joinSerial(&g, r, number, rec[end+10:])
		case r == roleUser, r == roleUPN:
			err = l.joinUser(&g, r, number, rec[end+10:])
		case r == roleBlocked, r == roleListed:
			err = l.joinMention(&g, r, rec[end+10:])
		case r == roleActivity:
			err = g.use.add(number, rec[end+10:])
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
	m := u.member(ordinal)
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
		g.named = append(g.named, m)
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

func (l *loader) place(m member) Place {
	return Place{File: l.folder.parts[m.part].name, Line: m.line}
}

// rowsOf says where the rows of a name stand: "on lines 2, 3", or with their
// files where these differ.
func (l *loader) rowsOf(g *group) string {
	same := !slices.ContainsFunc(g.named, func(m member) bool { return m.part != g.named[0].part })
	var all []string
	for _, m := range g.named {
		if same {
			all = append(all, fmt.Sprint(m.line))
		} else {
			all = append(all, l.place(m).String())
		}
	}
	text := strings.Join(all, ", ")
	if same {
		text = "on lines " + text
	}
	if more := g.rows - len(g.named); more > 0 {
		text += fmt.Sprintf(" and %d more", more)
	}
	return text
}

// endGroup counts the user of a name, or reports that there are several.
func (l *loader) endGroup(g *group) error {
	if err := errors.Join(l.endUse(g), l.endMentions(g)); err != nil {
		return err
	}
	switch {
	case g.rows > 1:
		l.summary.Duplicates++
		return l.problems.add(Problem{
			Code:     UserDuplicate,
			Place:    l.place(g.first),
			Username: cmp.Or(string(g.written), string(g.name)),
			Field:    "Username",
			Detail:   fmt.Sprintf("%d rows have this Username, %s; none of them is read", g.rows, l.rowsOf(g)),
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

// owner is the user whom a name leads to that may be a Username or a
// UserPrincipalName, and how many there are.
func (g *group) owner() (member, int) {
	switch {
	case g.rows > 1:
		return g.first, g.rows
	case g.rows == 0:
		return g.other, g.upns
	default:
		return g.first, 1 + g.upns
	}
}

// joinAttached gives a device or token to its user.
func (l *loader) joinAttached(g *group, r role, number uint64, body []byte) error {
	u := unpacker{b: body}
	name, upn := u.bytes(), u.bytes()
	if u.failed {
		return errPacked
	}
	owner, owners := g.first, g.rows
	if r == roleTokenBy {
		owner, owners = g.owner()
	}
	switch {
	case owners == 0:
		return l.orphan(r, string(name), u.b)
	case g.rows > 1, owners == 1 && owner.flags&flagBad != 0:
		l.summary.LeftOut++
		return nil
	case owners > 1:
		return l.reject(string(name), u.b, "upn leads to several users of the export")
	case len(upn) > 0 && !bytes.Equal(upn, owner.upn) && !bytes.Equal(upn, g.name):
		return l.reject(string(name), u.b, "Username and upn lead to different users")
	}
	k := kindToken
	if r == roleDevice {
		k = kindDevice
	}
	return l.attach(owner.ordinal, k, number, u.b)
}

// attach enters what belongs to a user.
func (l *loader) attach(ordinal uint64, k kind, number uint64, packed []byte) error {
	l.rec = append(binary.BigEndian.AppendUint64(l.rec[:0], ordinal), byte(k))
	l.rec = binary.BigEndian.AppendUint64(l.rec, number)
	return l.attached.Add(append(l.rec, packed...))
}

func (l *loader) orphan(r role, name string, packed []byte) error {
	p := Problem{Code: OrphanToken, Place: l.packedPlace(packed), Username: name, Detail: "the token belongs to a user that is not in the export"}
	if r == roleDevice {
		p.Code, p.Detail = OrphanDevice, strings.Replace(p.Detail, "token", "device", 1)
	}
	return l.problems.add(p)
}

func (l *loader) reject(name string, packed []byte, why string) error {
	l.summary.SkippedRows++
	return l.problems.add(Problem{Code: RowInvalid, Place: l.packedPlace(packed), Username: name, Detail: why + "; the row is left out"})
}

// packedPlace reads where a packed row stands.
func (l *loader) packedPlace(packed []byte) Place {
	u := unpacker{b: packed}
	u.byte()
	part, line := int(u.uvarint()), int(u.uvarint())
	return l.place(member{part: part, line: line})
}

// member reads what appendMember wrote.
func (u *unpacker) member(ordinal uint64) member {
	return member{ordinal: ordinal, flags: u.byte(), part: int(u.uvarint()), line: int(u.uvarint())}
}
