package migrate

import (
	"encoding/binary"
	"errors"
	"time"

	"mfabridge/cloud"
)

// errSnapshot means that a record is not one that appendMatch made. Records
// come from a sealed file of this process, so it is a fault of ours.
var errSnapshot = errors.New("a record of the target's state cannot be read")

// appendMatch writes a match, the target's user included, so that the second
// pass sees the same user without asking the target again. Secrets are never
// part of a user that was read, and are not written.
func appendMatch(b []byte, m *Match) []byte {
	p := packer{b}
	p.flag(m.Create)
	p.flag(m.Outside)
	p.text(m.UPN)
	p.text(m.By)
	p.text(string(m.Problem))
	p.text(m.Detail)
	p.texts(m.Taken)
	p.flag(m.Weak)
	p.text(m.Known)
	p.texts(m.Logins)
	p.text(m.SID)
	p.texts(m.Claims)
	p.texts(m.Phones)
	p.time(m.Changed)
	p.flag(m.User != nil)
	if m.User != nil {
		p.user(m.User)
	}
	return p.b
}

// readMatch is the reverse of appendMatch.
func readMatch(b []byte) (Match, error) {
	p := newUnpacker(b)
	m := Match{Create: p.flag(), Outside: p.flag(), UPN: p.text(), By: p.text(), Problem: Code(p.text()), Detail: p.text(), Taken: p.texts(),
		Weak: p.flag(), Known: p.text(), Logins: p.texts(), SID: p.text(), Claims: p.texts(), Phones: p.texts(), Changed: p.time()}
	if p.flag() {
		m.User = p.user()
	}
	if p.bad || len(p.b) != 0 {
		return Match{}, errSnapshot
	}
	return m, nil
}

type packer struct{ b []byte }

func (p *packer) number(n int) { p.b = binary.AppendVarint(p.b, int64(n)) }

func (p *packer) text(s string) {
	p.number(len(s))
	p.b = append(p.b, s...)
}

func (p *packer) texts(list []string) {
	p.number(len(list))
	for _, s := range list {
		p.text(s)
	}
}

func (p *packer) flag(v bool) {
	if v {
		p.b = append(p.b, 1)
	} else {
		p.b = append(p.b, 0)
	}
}

func (p *packer) time(t time.Time) {
	p.flag(!t.IsZero())
	if !t.IsZero() {
		p.b = binary.AppendVarint(p.b, t.Unix())
		p.number(t.Nanosecond())
	}
}

func (p *packer) user(u *cloud.User) {
	for _, s := range []string{string(u.ID), u.UPN, u.DisplayName, u.SID, u.Mobile, u.Alternate, u.Office, u.Email, string(u.Default)} {
		p.text(s)
	}
	p.texts(u.Aliases)
	p.flag(u.Enabled)
	p.flag(u.Guest)
	p.flag(u.External)
	p.flag(u.Privileged)
	p.flag(u.GlobalAdmin)
	p.flag(u.SMSSignIn)
	p.flag(u.NumberSignIn)
	p.flag(u.EmailConfirmed)
	p.time(u.BlockedUntil)
	p.number(len(u.Forbidden))
	for _, m := range u.Forbidden {
		p.text(string(m))
	}
	p.number(len(u.ForbiddenWays))
	for _, way := range u.ForbiddenWays {
		p.text(string(way))
	}
	p.number(len(u.OATH))
	for i := range u.OATH {
		p.oath(&u.OATH[i])
	}
	p.number(len(u.Authenticators))
	for _, a := range u.Authenticators {
		p.text(a.ID)
		p.text(a.Name)
		p.text(a.State)
		p.time(a.Until)
	}
}

func (p *packer) oath(e *cloud.OATHEntry) {
	p.flag(e.Inactive)
	for _, s := range []string{e.ID, string(e.Method), e.Name, e.Serial, e.Manufacturer, e.Model, string(e.Algorithm), e.Fingerprint} {
		p.text(s)
	}
	p.number(e.Digits)
	p.number(e.Period)
	p.number(e.Drift)
}

// unpacker reads what packer wrote.
type unpacker struct {
	b     []byte // what is left
	whole string // the record, whose memory all its texts share; empty: each has its own
	bad   bool
}

func newUnpacker(b []byte) unpacker { return unpacker{b: b, whole: string(b)} }

func (p *unpacker) varint() int64 {
	v, n := binary.Varint(p.b)
	if n <= 0 {
		p.bad, p.b = true, nil
		return 0
	}
	p.b = p.b[n:]
	return v
}

// count reads a length; nothing is longer than what is left of the record.
func (p *unpacker) count() int {
	n := p.varint()
	if n < 0 || n > int64(len(p.b)) {
		p.bad, p.b = true, nil
		return 0
	}
	return int(n)
}

func (p *unpacker) text() string {
	n := p.count()
	at := len(p.whole) - len(p.b)
	text := p.b[:n]
	p.b = p.b[n:]
	if p.whole == "" {
		return string(text)
	}
	return p.whole[at : at+n]
}

func (p *unpacker) texts() []string {
	var list []string
	for range p.count() {
		list = append(list, p.text())
	}
	return list
}

func (p *unpacker) flag() bool {
	if len(p.b) == 0 {
		p.bad = true
		return false
	}
	v := p.b[0]
	p.b = p.b[1:]
	return v == 1
}

func (p *unpacker) time() time.Time {
	if !p.flag() {
		return time.Time{}
	}
	seconds := p.varint()
	return time.Unix(seconds, p.varint()).UTC()
}

func (p *unpacker) user() *cloud.User {
	u := new(cloud.User)
	u.ID = cloud.UserID(p.text())
	for _, s := range []*string{&u.UPN, &u.DisplayName, &u.SID, &u.Mobile, &u.Alternate, &u.Office, &u.Email} {
		*s = p.text()
	}
	u.Default = cloud.Preference(p.text())
	u.Aliases = p.texts()
	u.Enabled, u.Guest, u.External = p.flag(), p.flag(), p.flag()
	u.Privileged, u.GlobalAdmin, u.SMSSignIn = p.flag(), p.flag(), p.flag()
	u.NumberSignIn, u.EmailConfirmed = p.flag(), p.flag()
	u.BlockedUntil = p.time()
	for range p.count() {
		u.Forbidden = append(u.Forbidden, cloud.Method(p.text()))
	}
	for range p.count() {
		u.ForbiddenWays = append(u.ForbiddenWays, cloud.Preference(p.text()))
	}
	for range p.count() {
		u.OATH = append(u.OATH, p.oath())
	}
	for range p.count() {
		u.Authenticators = append(u.Authenticators, cloud.AuthenticatorEntry{ID: p.text(), Name: p.text(), State: p.text(), Until: p.time()})
	}
	return u
}

func (p *unpacker) oath() cloud.OATHEntry {
	e := cloud.OATHEntry{Inactive: p.flag(), ID: p.text(), Method: cloud.Method(p.text())}
	for _, s := range []*string{&e.Name, &e.Serial, &e.Manufacturer, &e.Model} {
		*s = p.text()
	}
	e.Algorithm = cloud.Algorithm(p.text())
	e.Fingerprint = p.text()
	e.Digits, e.Period, e.Drift = int(p.varint()), int(p.varint()), int(p.varint())
	return e
}
