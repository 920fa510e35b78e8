package engine

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"mfabridge/cloud"
	"mfabridge/cloud/engine/audit"
	"mfabridge/cloud/engine/tries"
	"mfabridge/internal/hint"
)

// record is what is kept about one user, as it is read for an export and for
// an erasure.
type record struct {
	user       *User
	tokens     []Token
	devices    []Device
	groups     []Group
	challenges []*Challenge
	failures   map[tries.Counter]tries.Failures
	slips      []Slip
	flights    []*Flight
	attributes map[string]string // given at a sign-up
	rules      []string          // of access, that name the user
}

// record reads everything about a user but the audit.
func (e *Engine) record(r Reader, id cloud.UserID) (p record, err error) {
	if p.user, err = findUser(r, id); err != nil {
		return p, err
	}
	if p.tokens, err = r.Tokens(id); err != nil {
		return p, err
	}
	if p.devices, err = r.Devices(id); err != nil {
		return p, err
	}
	parents, err := r.Parents(string(id), maxParents+1)
	if err != nil {
		return p, err
	}
	for _, parent := range parents {
		g, err := r.Group(parent)
		if err != nil {
			return p, err
		}
		if g != nil {
			p.groups = append(p.groups, *g)
		}
	}
	if p.challenges, err = challengesOf(r, id); err != nil {
		return p, err
	}
	for _, c := range p.challenges {
		f, err := r.Flight(c.ID)
		if err != nil {
			return p, err
		}
		if f != nil {
			p.flights = append(p.flights, f)
		}
	}
	if p.attributes, err = attributesOf(r, id); err != nil {
		return p, err
	}
	rules, err := accessRules(r)
	if err != nil {
		return p, err
	}
	for _, rule := range rules {
		if slices.Contains(rule.Users, id) || slices.Contains(rule.NotUsers, id) {
			p.rules = append(p.rules, rule.Name)
		}
	}
	if p.slips, err = r.SlipsOf(id); err != nil {
		return p, err
	}
	p.failures, err = r.FailuresOf(string(id))
	return p, err
}

func challengesOf(r Reader, id cloud.UserID) (found []*Challenge, err error) {
	for last := cloud.ChallengeID(""); ; {
		page, err := r.ChallengesAfter(last, pageSize)
		if err != nil {
			return nil, err
		}
		for _, c := range page {
			last = c.ID
			if c.User == id {
				found = append(found, c)
			}
		}
		if len(page) < pageSize {
			return found, nil
		}
	}
}

// concerns tells whether an entry of the audit speaks of a user: as its subject, or
// as one whom a group or a rule has. What others did is not theirs for a text in it
// that whoever logged in has chosen.
func concerns(e *audit.Entry, id cloud.UserID) bool {
	lists := strings.HasPrefix(e.Action, "group.") || strings.HasPrefix(e.Action, "access.")
	return !e.Erased() && (e.Subject == string(id) || lists && strings.Contains(e.Detail, string(id)))
}

// ExportPerson writes everything that is kept about a user as JSON, one object
// a line, each with a type: first "user", then what hangs on it, then the
// entries of the audit that speak of the user. Numbers and addresses are in the
// clear; no secret is in it.
func (e *Engine) ExportPerson(ctx context.Context, by Actor, id cloud.UserID, w io.Writer) error {
	if err := by.check(); err != nil {
		return err
	}
	var p record
	err := e.store.Update(ctx, func(tx Tx) (err error) {
		if p, err = e.record(tx, id); err != nil {
			return err
		}
		if err := by.mayChange(p.user); err != nil {
			return err
		}
		return tx.Append(e.entry(by, "person.export", string(id), "", e.now()))
	})
	if err != nil {
		return asError(err)
	}
	lines := json.NewEncoder(w)
	objects, err := e.objects(&p)
	if err != nil {
		return asError(err)
	}
	for _, object := range objects {
		if err := lines.Encode(object); err != nil {
			return err
		}
	}
	for entry, err := range e.Audit(ctx, 0) {
		if err != nil {
			return err
		}
		if !concerns(&entry, id) {
			continue
		}
		err = lines.Encode(fields{"type": "audit", "seq": entry.Seq, "time": entry.Time, "node": entry.Node, "actor": entry.Actor,
			"action": entry.Action, "subject": entry.Subject, "detail": entry.Detail, "reason": entry.Reason})
		if err != nil {
			return err
		}
	}
	return nil
}

// Erased says what an erasure did.
type Erased struct {
	Pseudonym string // what stands in the audit in the user's place
	Entries   int    // of the audit that were blanked
}

// ErasePerson removes a user with everything that hangs on it, and takes out of
// the audit what it says about the user: who did what when stays, and that it
// was about one person, who has a random name of which nobody knows whose it
// is. The chain of the audit holds. It cannot be undone. Conflict: a rule of
// access names the user.
func (e *Engine) ErasePerson(ctx context.Context, by Actor, id cloud.UserID) (done Erased, err error) {
	if err := by.check(); err != nil {
		return Erased{}, err
	}
	b := make([]byte, 12)
	rand.Read(b)
	done.Pseudonym = "erased:" + hex.EncodeToString(b)
	// Most of the audit is read before, so that nobody waits for it.
	var found []int64
	var ended []Verdict
	last := int64(0)
	for entry, err := range e.Audit(ctx, 0) {
		if err != nil {
			return Erased{}, err
		}
		if last = entry.Seq; concerns(&entry, id) {
			found = append(found, entry.Seq)
		}
	}
	err = e.store.Update(ctx, func(tx Tx) error {
		p, err := e.record(tx, id)
		if err != nil {
			return err
		}
		if err := by.mayChange(p.user); err != nil {
			return err
		}
		if len(p.rules) > 0 { // one that names nobody any more would be a rule for everybody
			return hint.Wrap(refuse(cloud.Conflict, fmt.Sprintf("the rule of access %q names the user", p.rules[0])),
				"change the rule first, or remove it: mfabridge engine policy access")
		}
		ended = p.shutOut(e.now())
		seqs, err := concerning(tx, id, last)
		if err != nil {
			return err
		}
		if err := tx.ForgetUser(id); err != nil { // first: it has the rest overwritten
			return err
		}
		done.Entries = 0
		for _, seq := range slices.Concat(found, seqs) {
			n, err := blank(tx, seq, done.Pseudonym)
			if err != nil {
				return err
			}
			done.Entries += n
		}
		if err := e.remove(tx, &p); err != nil {
			return err
		}
		return tx.Append(e.entry(by, audit.ActionErase, done.Pseudonym, fmt.Sprintf("entries=%d", done.Entries), e.now()))
	})
	if err != nil {
		return done, asError(err)
	}
	e.publish(ended...)
	return done, nil
}

// shutOut is what whoever holds a login for an approval of the user is told. It
// is not stored: the challenges go, too.
func (p *record) shutOut(now time.Time) (ended []Verdict) {
	for _, c := range p.challenges {
		if c.Method == cloud.Push && c.State == cloud.Pending && now.Before(c.Expires) {
			c.conclude(cloud.Refused, usable(nil, now), now)
			ended = append(ended, Verdict{c.Owner, c.decision(false)})
		}
	}
	return ended
}

// concerning are the entries behind last that speak of a user.
func concerning(tx Tx, id cloud.UserID, last int64) (seqs []int64, err error) {
	for {
		page, err := tx.Audit(last, pageSize)
		if err != nil {
			return nil, err
		}
		for i := range page {
			if last = page[i].Seq; concerns(&page[i], id) {
				seqs = append(seqs, last)
			}
		}
		if len(page) < pageSize {
			return seqs, nil
		}
	}
}

// blank takes out of one entry what it says, unless retention was quicker, and
// tells how many of a chain it changed.
func blank(tx Tx, seq int64, as string) (int, error) {
	page, err := tx.Audit(seq-1, 1)
	if err != nil || len(page) == 0 || page[0].Seq != seq {
		return 0, err
	}
	e := &page[0]
	e.Erase(as)
	n := 0
	if e.Erased() {
		n = 1
	}
	return n, tx.Redact(e)
}

// remove deletes a user with everything that hangs on it. That codes were used
// stays known: not by whom, but by the digest of a secret that is gone.
func (e *Engine) remove(tx Tx, p *record) error {
	id := p.user.ID
	errs := []error{closeNumber(tx, p.user)}
	for _, n := range namesOf(&p.user.Profile) {
		errs = append(errs, tx.Release(n.space, n.text))
	}
	for i := range p.tokens {
		errs = append(errs, keepSpent(tx, &p.tokens[i]), tx.RemoveToken(id, p.tokens[i].ID))
	}
	for _, d := range p.devices {
		errs = append(errs, tx.RemoveDevice(id, d.ID))
	}
	return errors.Join(append(errs, e.leave(tx, id))...)
}
