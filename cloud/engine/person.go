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
)

// record is what is kept about one user, as it is read for an export and for
// an erasure.
type record struct {
	user       *User
	tokens     []Token
	devices    []Device
	groups     []Group
	challenges []*Challenge
	failures   map[Counter]Failures
	slips      []Slip
	attributes map[string]string // given at a sign-up
}

// record reads everything about a user but the audit.
func (e *Engine) record(r Reader, id cloud.UserID) (p record, err error) {
	if p.user, err = r.User(id); err != nil {
		return p, err
	}
	if p.user == nil {
		return p, refuse(cloud.NotFound, "there is no such user")
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
	if p.attributes, err = attributesOf(r, id); err != nil {
		return p, err
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

// concerns tells whether an entry of the audit speaks of a user.
func (e *Entry) concerns(id cloud.UserID) bool {
	return !e.Erased() && (e.Subject == string(id) || strings.Contains(e.Detail, string(id)))
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
		if !entry.concerns(id) {
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

// fields is one object of an export.
type fields map[string]any

// at is a time in an export; null where there is none.
func at(t time.Time) any {
	if t.IsZero() {
		return nil
	}
	return t.UTC()
}

func (e *Engine) objects(p *record) (all []fields, err error) {
	u := p.user
	all = append(all, fields{"type": "user", "id": u.ID, "upn": u.UPN, "display_name": u.DisplayName, "aliases": u.Aliases, "sid": u.SID,
		"enabled": u.Enabled, "guest": u.Guest, "external": u.External, "roles": u.Roles, "created": at(u.Created), "blocked_until": at(u.BlockedUntil),
		"mobile": u.Mobile, "alternate_mobile": u.Alternate, "office": u.Office, "email": u.Email, "default_method": u.Default, "has_password": u.Password != nil})
	a, err := readAside(u)
	if err != nil {
		return nil, err
	}
	if a.Bypass != nil {
		all = append(all, fields{"type": "bypass", "until": at(a.Bypass.Until)})
	}
	for _, pass := range shownPasses(a.Passes, e.now()) {
		all = append(all, fields{"type": "pass", "id": pass.ID, "from": at(pass.From), "until": at(pass.Until), "used": at(pass.Used), "state": pass.State})
	}
	for i := range p.tokens {
		t := &p.tokens[i]
		used := time.Time{}
		if t.Last > 0 {
			used = time.Unix(t.Last*int64(t.Period), 0)
		}
		all = append(all, fields{"type": "generator", "id": t.ID, "method": t.Method, "name": t.Name, "serial": t.Serial, "manufacturer": t.Manufacturer,
			"model": t.Model, "algorithm": t.Algorithm, "digits": t.Digits, "period": t.Period, "drift": t.Clock.Drift, "last_used": at(used)})
	}
	for _, d := range p.devices {
		all = append(all, fields{"type": "authenticator", "id": d.ID, "name": d.Name, "state": d.State, "until": at(d.Until), "created": at(d.Created)})
	}
	for _, g := range p.groups {
		all = append(all, fields{"type": "group", "id": g.ID, "name": g.Name})
	}
	for _, c := range p.challenges {
		all = append(all, fields{"type": "challenge", "id": c.ID, "state": c.State, "reason": c.Reason, "method": c.Method, "prompt": c.Prompt,
			"application": c.App, "from": c.Place, "created": at(c.Created), "expires": at(c.Expires), "decided": at(c.Decided)})
	}
	if len(p.attributes) > 0 {
		all = append(all, fields{"type": "attributes", "given": p.attributes})
	}
	for _, k := range p.slips {
		kind, _, _ := strings.Cut(k.ID, "/")
		all = append(all, fields{"type": "slip", "kind": kind, "until": at(k.Until), "data": string(k.Data)})
	}
	for counter, f := range p.failures {
		all = append(all, fields{"type": "failures", "way": counter.Way, "from": counter.Place, "count": f.Count, "last": at(f.Last)})
	}
	return all, nil
}

// Erased says what an erasure did.
type Erased struct {
	Pseudonym string // what stands in the audit in the user's place
	Entries   int    // of the audit that were blanked
}

// ErasePerson removes a user with everything that hangs on it, and takes out of
// the audit what it says about the user: who did what when stays, and that it
// was about one person, who has a random name of which nobody knows whose it
// is. The chain of the audit holds. It cannot be undone.
func (e *Engine) ErasePerson(ctx context.Context, by Actor, id cloud.UserID) (done Erased, err error) {
	if err := by.check(); err != nil {
		return Erased{}, err
	}
	b := make([]byte, 12)
	rand.Read(b)
	done.Pseudonym = "erased:" + hex.EncodeToString(b)
	// Most of the audit is read before, so that nobody waits for it.
	var found []int64
	last := int64(0)
	for entry, err := range e.Audit(ctx, 0) {
		if err != nil {
			return Erased{}, err
		}
		if last = entry.Seq; entry.concerns(id) {
			found = append(found, entry.Seq)
		}
	}
	err = e.store.Update(ctx, func(tx Tx) error {
		p, err := e.record(tx, id)
		if err != nil {
			return err
		}
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
		if err := remove(tx, &p); err != nil {
			return err
		}
		return tx.Append(e.entry(by, actionErase, done.Pseudonym, fmt.Sprintf("entries=%d", done.Entries), e.now()))
	})
	return done, asError(err)
}

// concerning are the entries behind last that speak of a user.
func concerning(tx Tx, id cloud.UserID, last int64) (seqs []int64, err error) {
	for {
		page, err := tx.Audit(last, pageSize)
		if err != nil {
			return nil, err
		}
		for i := range page {
			if last = page[i].Seq; page[i].concerns(id) {
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
	e.erase(as)
	n := 0
	if e.Erased() {
		n = 1
	}
	return n, tx.Redact(e)
}

// remove deletes a user with everything that hangs on it. That codes were used
// stays known: not by whom, but by the digest of a secret that is gone.
func remove(tx Tx, p *record) error {
	id := p.user.ID
	var errs []error
	for _, n := range namesOf(&p.user.Profile) {
		errs = append(errs, tx.Release(n.space, n.text))
	}
	for i := range p.tokens {
		errs = append(errs, keepSpent(tx, &p.tokens[i]), tx.RemoveToken(id, p.tokens[i].ID))
	}
	for _, d := range p.devices {
		errs = append(errs, tx.RemoveDevice(id, d.ID))
	}
	if len(p.attributes) > 0 {
		errs = append(errs, tx.SetMeta(metaAttributes+string(id), []byte{}))
	}
	return errors.Join(append(errs, tx.LeaveAll(string(id)), tx.RemoveUser(id))...)
}
