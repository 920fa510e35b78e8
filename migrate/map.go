package migrate

import (
	"fmt"
	"slices"

	"mfabridge/cloud"
	"mfabridge/legacy"
	"mfabridge/legacy/phone"
)

// ConflictKind says what two users of an export have in common.
type ConflictKind byte

const (
	SharedTarget ConflictKind = 'a' + iota // the user of the target that their rows lead to
	SharedName                             // a login name
	SharedPhone                            // a telephone number
	SharedSecret                           // the secret of a code generator
	SharedSerial                           // the serial number of a token
)

// Conflict names the other users that have the same.
type Conflict struct {
	Others []string // usernames, at most maxOthers
	More   int      // how many more there are
	Idle   bool     // none of them moves it; of secrets and serial numbers alone
	Held   bool     // all of them have it in the target, and none in a row
}

// Conflicts tells what a user has in common with others who move it too, and
// which secrets and serial numbers with others who do not. A nil Conflicts:
// nothing.
type Conflicts interface {
	// Of returns the conflict over key, which is in the clear: an id, a folded
	// name, a telephone number, a fingerprint, a folded serial number.
	Of(kind ConflictKind, key string) (Conflict, bool)
}

// Mapper decides what becomes of a user. It is pure: what it returns depends
// on its arguments and on what NewMapper was given, on no clock, and on
// nothing outside. It may be used concurrently.
type Mapper struct {
	opt      Options
	caps     cloud.Capabilities
	phones   *phone.Parser
	ends     *Deadlines
	findings findings
	email    EmailPolicy
}

// NewMapper returns a Mapper for a target with these capabilities, or says
// what is wrong with the options.
func NewMapper(opt Options, caps cloud.Capabilities) (*Mapper, error) {
	if err := opt.Validate(); err != nil {
		return nil, err
	}
	phones, err := phone.NewParser(phone.Options{DefaultCountry: opt.DefaultCountry, Strict: opt.PhoneStrict, Plans: opt.NumberingPlans})
	if err != nil {
		return nil, err
	}
	m := &Mapper{opt: opt, caps: caps, phones: phones, ends: opt.Deadlines, findings: newFindings(), email: opt.Email}
	if m.ends == nil {
		m.ends = BuiltInDeadlines()
	}
	if m.email == EmailByTarget {
		m.email = EmailOff
		if caps.Methods[cloud.Email].Create && caps.EmailVerifies {
			m.email = EmailExternal
		}
	}
	return m, nil
}

// Map decides what becomes of one user.
func (m *Mapper) Map(u legacy.User, c Conflicts, match Match) Decision {
	d := new(draft)
	d.begin(m, &u, &match)
	d.shared = c
	d.decide()
	return d.Decision
}

// grade says how a claim counts against those of other users.
type grade byte

const (
	claimMoves grade = iota // is to be written
	claimHeld               // is in the target already
	claimAlias              // a login name besides the user's own
	claimIdle               // stands in a row that does not move it
)

// claim is something of a user that another user may have too.
type claim struct {
	kind  ConflictKind
	key   string
	grade grade
}

// draft is a decision in the making: the row, the user as the target has it,
// and as it will be.
type draft struct {
	*Mapper
	Decision

	u        *legacy.User
	match    *Match
	shared   Conflicts
	mode     legacy.Mode // the method that the user was asked by first
	now      cloud.User  // as the target has it; zero: to be created
	after    cloud.User  // methods as they will be
	claims   []claim
	claiming bool // only claims are wanted
	brought  bool // the row holds something that can be registered

	prints    *cloud.Fingerprints // of the target; made with the first secret
	placed    legacy.Place        // of the last finding; most are about the same row
	placeText string              // placed as text

	phoneSlot cloud.Method   // where Phone stands; empty: nowhere
	moved     []cloud.Method // methods that the row brought, where policy forbids any
	used      map[int]bool   // entries of now.OATH that a token or device of the row is
	tokens    []string       // fingerprints of the row's tokens
	refused   []string       // fingerprints of generators that may be somebody else's
	off       []string       // fingerprints of generators whose codes the target refuses until it knows their clocks

	outOfScope    bool   // skipped as disabled
	telephonyEnds bool   // texts and calls, all that verifies the user, are not delivered for ever
	deadline      string // with telephonyEnds: when they end, as Summary.Deadlines counts it; empty: now
}

// What most users have at most; a few have more.
const (
	usualChanges  = 4
	usualFindings = 4
)

// begin makes d the draft of another user by the same Mapper, of which nothing
// is decided yet. What the draft before was made with stays; what it has decided
// may be in use elsewhere.
func (d *draft) begin(m *Mapper, u *legacy.User, match *Match) {
	claims, prints := d.claims[:0], d.prints
	*d = draft{}
	d.Mapper, d.u, d.match, d.claims, d.prints = m, u, match, claims, prints
}

// decide runs the rules in their order. The order matters: what is skipped is
// not looked at, and the default method comes last, when the others are known.
//
// A draft that is claiming is made for its claims alone: it has no changes and
// no findings.
func (d *draft) decide() {
	m, u, match := d.Mapper, d.u, d.match
	d.mode = u.Mode
	d.Ordinal, d.Username, d.UPN = u.Ordinal, u.Username, u.UPN
	if d.mode == legacy.ModeUnset {
		d.mode = m.opt.CompanyMode
	}
	if match.User != nil {
		d.now, d.after = *match.User, *match.User
		d.after.OATH = append([]cloud.OATHEntry(nil), d.now.OATH...)
	} else if match.Create {
		d.now.Forbidden, d.now.ForbiddenWays, d.now.SMSSignIn = m.caps.Forbidden, m.caps.ForbiddenWays, m.caps.SMSSignIn
	}
	if d.admit() {
		if !d.claiming {
			d.Changes = make([]PlannedChange, 0, usualChanges)
		}
		d.activityRule()
		d.phoneRules()
		d.emailRule()
		d.tokenRules()
		d.deviceRules()
		d.pushRule()
		d.notMoved()
		if d.accountRules() && !d.claiming { // what follows claims nothing
			d.defaultRule()
			d.policyRule()
		}
	} else {
		d.idleClaims()
	}
	if !d.claiming {
		d.outlook()
	}
}

// admit decides whether the user moves at all, and says why not.
func (d *draft) admit() bool {
	if !d.disabledRule() {
		return false
	}
	d.holdClaims()
	c, sharing := d.shareTarget()
	switch {
	case d.match.Problem != "":
		return d.skip(d.match.Problem, "Username", d.match.Detail)
	case sharing && (d.match.User != nil || d.caps.CreateUsers && d.opt.CreateUsers):
		return d.skip(UserMatchShared, "Username", "the rows of "+others(c)+" lead to the same user"+spelt(d.u.Username, c.Others))
	case d.match.User == nil && !d.match.Create:
		return d.skip(UserUnmatched, "UserPrincipalName", d.match.Detail)
	}
	d.identify()
	if d.match.Weak {
		d.find(MatchWeakAllowed, "Username", "only "+keyColumn(d.match.By)+" leads to the user")
	}
	switch {
	case d.now.Privileged && !d.includesPrivileged():
		return d.skip(UserPrivileged, "UserPrincipalName", "the user has an administrative role in the target, or may take one on")
	case d.now.Privileged:
		d.find(PrivilegedIncluded, "UserPrincipalName", "the user has an administrative role in the target, or may take one on, and is moved since --include-privileged names the user")
	}
	if d.u.SID != "" && sidOf(d.u) == "" {
		d.find(SIDInvalid, "Sid", "Sid is not written S-1-…")
	}
	if d.Target != "" && !d.now.Enabled {
		d.find(CloudUserDisabled, "enabled", "the user is disabled in the target")
	}
	if d.now.Guest {
		d.find(CloudUserGuest, "userType", fmt.Sprintf("the user is a guest in the target; %d tokens and %d app devices are left out",
			len(d.u.Tokens), len(d.u.Devices)))
	}
	return true
}

// shareTarget claims the target's user for this row, and all keys that could
// lead to one: a row that matches nobody today would match the user whom
// another row of its Sid creates, and whose login it is would be open.
func (d *draft) shareTarget() (Conflict, bool) {
	if !d.comparing() {
		return Conflict{}, false
	}
	keys := make([]string, 0, 4)
	if d.match.User != nil {
		keys = append(keys, "id:"+string(d.match.User.ID))
	}
	if keys = append(keys, d.match.Claims...); d.match.Claims == nil {
		for _, k := range rowKeys(d.u) {
			keys = append(keys, k.claim())
		}
	}
	var shared Conflict
	found := false
	for _, key := range keys {
		d.claim(SharedTarget, key, claimMoves)
		if c, ok := d.conflict(SharedTarget, key); ok && !found {
			shared, found = c, true
		}
	}
	return shared, found
}

// identify fills in who the target's user is.
func (d *draft) identify() {
	d.Action = Keep
	if d.match.Create {
		d.UPN, d.MatchedBy = d.match.UPN, MatchedCreated
		return
	}
	d.Target, d.UPN, d.MatchedBy = d.now.ID, d.now.UPN, d.match.By
	d.Facts = FactsOf(&d.now)
}

// includesPrivileged tells whether the plan names the user among the
// administrators who move.
func (d *draft) includesPrivileged() bool {
	if d.opt.Privileged == nil {
		return false
	}
	for _, name := range []string{d.u.Username, d.u.UPN, d.now.UPN} {
		if _, named := d.opt.Privileged.set.find(name); named && name != "" {
			return true
		}
	}
	return false
}

func (d *draft) skip(code Code, field, detail string) bool {
	d.Action = Skip
	d.find(code, field, detail)
	return false
}

// find adds a finding about the user's row.
func (d *draft) find(code Code, field, detail string) {
	d.findAt(d.u.Place, code, field, detail)
}

// findAt adds a finding about a row of another table, or about part of one.
func (d *draft) findAt(place legacy.Place, code Code, field, detail string) {
	if d.claiming {
		return
	}
	if d.Findings == nil {
		d.Findings = make([]Finding, 0, usualFindings)
	}
	f := d.findings.of(code, field, detail)
	if d.placeText == "" || d.placed != place {
		d.placed, d.placeText = place, place.String()
	}
	f.Place = d.placeText
	d.Findings = append(d.Findings, f)
}

func (d *draft) has(code Code) bool {
	for i := range d.Findings {
		if d.Findings[i].Code == code {
			return true
		}
	}
	return false
}

// comparing tells whether what the user has is compared with what others have:
// claims are wanted, or there are conflicts.
func (d *draft) comparing() bool { return d.claiming || d.shared != nil }

func (d *draft) claim(kind ConflictKind, key string, g grade) {
	if d.claiming {
		d.claims = append(d.claims, claim{kind, key, g})
	}
}

func (d *draft) conflict(kind ConflictKind, key string) (Conflict, bool) {
	if d.shared == nil {
		return Conflict{}, false
	}
	return d.shared.Of(kind, key)
}

// change appends a change of this user.
func (d *draft) change(c cloud.Change, reason string) {
	if !d.claiming {
		d.Changes = append(d.Changes, d.planned(c, reason))
	}
}

func (d *draft) planned(c cloud.Change, reason string) PlannedChange {
	c.User, c.UPN = d.Target, d.UPN
	return PlannedChange{Change: c, Reason: Plain(reason), Irreversible: irreversible(c, &d.caps)}
}

// irreversible tells whether undo could not put Before back: because the
// target does not take what that needs, or because nobody holds the secret
// that would be needed. An invitation that had expired is worth nothing: to
// revoke the new one is to put it back.
func irreversible(c cloud.Change, caps *cloud.Capabilities) bool {
	access := caps.Methods[c.Method]
	switch c.Method {
	case cloud.Account:
		if c.Op == cloud.Update {
			return false // only what the target takes is changed
		}
		return !caps.CreateUsers // who creates users removes them
	case cloud.Blocked:
		return !caps.Block
	case cloud.DefaultMethod:
		access = caps.DefaultMethod
		if p := cloud.Preference(c.Before.Text); p != "" && !slices.Contains(caps.Preferences, p) {
			return true
		}
	}
	switch {
	case c.Before.IsZero():
		return !access.Delete
	case c.Method == cloud.Authenticator && c.Before.State == authenticatorExpired:
		return !access.Delete
	case c.Method == cloud.Authenticator, c.Method.IsOATH() && !keepsSecret(c):
		return true
	case c.After.IsZero():
		return !access.Create
	default:
		return !access.Update
	}
}

// keepsSecret tells whether a change of a code generator leaves its secret as
// it is.
func keepsSecret(c cloud.Change) bool {
	return c.Before.OATH != nil && c.After.OATH != nil && c.After.OATH.Secret.IsZero() && c.Before.OATH.Same(*c.After.OATH)
}

// brings notes that the row holds a method, whether or not it is a change.
func (d *draft) brings(m cloud.Method) {
	d.brought = true
	if len(d.now.Forbidden) > 0 {
		d.moved = append(d.moved, m)
	}
}
