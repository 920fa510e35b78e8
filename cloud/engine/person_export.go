package engine

import (
	"encoding/base64"
	"strings"
	"time"
)

// fields is one object of an export.
type fields map[string]any

// at is a time in an export; null where there is none.
func at(t time.Time) any {
	if t.IsZero() {
		return nil
	}
	return t.UTC()
}

// listed is a list in an export, also where nothing is in it.
func listed[T any](list []T) []T {
	if list == nil {
		return []T{}
	}
	return list
}

// objects is everything in a record, without what is secret.
func (e *Engine) objects(p *record) (all []fields, err error) {
	u := p.user
	a, err := readAside(u)
	if err != nil {
		return nil, err
	}
	all = append(all, fields{"type": "user", "id": u.ID, "upn": u.UPN, "display_name": u.DisplayName, "aliases": listed(u.Aliases), "sid": u.SID,
		"enabled": u.Enabled, "guest": u.Guest, "external": u.External, "roles": listed(u.Roles), "created": at(u.Created), "blocked_until": at(u.BlockedUntil),
		"mobile": u.Mobile, "alternate_mobile": u.Alternate, "office": u.Office, "email": u.Email, "email_confirmed": e.confirmed(u),
		"default_method": u.Default, "has_password": u.Password != nil, "pin_required": a.PIN, "signs_in_with": a.Number, "signed_out": at(a.SignedOut), "password_changed": at(a.Reworded)})
	all = append(all, a.objects(e.now())...)
	for i := range p.tokens {
		t := &p.tokens[i]
		used := time.Time{}
		if t.Last > 0 {
			used = time.Unix(t.Last*int64(t.Period), 0)
		}
		all = append(all, fields{"type": "generator", "id": t.ID, "method": t.Method, "name": t.Name, "serial": t.Serial, "manufacturer": t.Manufacturer,
			"model": t.Model, "algorithm": t.Algorithm, "digits": t.Digits, "period": t.Period, "drift": t.Clock.Drift, "last_used": at(used)})
	}
	for i := range p.devices {
		object, err := p.devices[i].object()
		if err != nil {
			return nil, err
		}
		all = append(all, object)
	}
	for _, g := range p.groups {
		all = append(all, fields{"type": "group", "id": g.ID, "name": g.Name})
	}
	for _, name := range p.rules {
		all = append(all, fields{"type": "access_rule", "name": name})
	}
	passing, err := p.passing()
	return append(all, passing...), err
}

// objects is what stands aside of a user.
func (a *aside) objects(now time.Time) (all []fields) {
	if a.Bypass != nil {
		all = append(all, fields{"type": "bypass", "until": at(a.Bypass.Until), "application": a.Bypass.App, "by": a.Bypass.By})
	}
	for _, pass := range shownPasses(a.Passes, now) {
		all = append(all, fields{"type": "pass", "id": pass.ID, "from": at(pass.From), "until": at(pass.Until), "used": at(pass.Used), "state": pass.State})
	}
	if c := a.Activation; c != nil {
		all = append(all, fields{"type": "activation_code", "authenticator": c.Device, "until": at(c.Until)})
	}
	if c := a.Confirming; c != nil {
		all = append(all, fields{"type": "address_code", "until": at(c.Until), "tries_left": c.Tries})
	}
	for _, push := range a.Pushes {
		all = append(all, fields{"type": "push", "challenge": push.ID, "at": at(push.At)})
	}
	return all
}

// object is an authenticator in an export: where its browser hears of pushes
// too, but not the secret of that.
func (d *Device) object() (fields, error) {
	a, err := d.aside()
	if err != nil {
		return nil, err
	}
	f := fields{"type": "authenticator", "id": d.ID, "name": d.Name, "state": d.State, "until": at(d.Until), "created": at(d.Created),
		"opened": at(d.Opened), "key": base64.RawURLEncoding.EncodeToString(d.Key), "last_used": at(a.Used), "has_pin": a.PIN != nil}
	if a.PIN != nil {
		f["pin_tries_left"] = a.PIN.Tries
	}
	if a.Push != nil {
		f["push_endpoint"] = a.Push.Endpoint
	}
	if len(a.Answers) > 0 {
		f["answers"] = a.Answers
	}
	if len(a.Notices) > 0 {
		f["notices"] = a.Notices
	}
	return f, nil
}

// passing is what ends by itself: challenges, messages, slips, counts.
func (p *record) passing() (all []fields, err error) {
	for _, c := range p.challenges {
		all = append(all, fields{"type": "challenge", "id": c.ID, "state": c.State, "reason": c.Reason, "method": c.Method, "prompt": c.Prompt,
			"application": c.App, "from": c.Place, "created": at(c.Created), "expires": at(c.Expires), "decided": at(c.Decided)})
	}
	for _, row := range p.flights {
		f, err := readFlight(row)
		if err != nil {
			return nil, err
		}
		all = append(all, fields{"type": "message", "challenge": row.ID, "due": at(row.Due), "channels": f.Legs})
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
