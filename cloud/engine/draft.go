package engine

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/google/uuid"

	"mfabridge/cloud"
)

// Ids of the single slots, as Graph has them.
const (
	idMobile    = "3179e48a-750b-4051-897c-87b9720928f7"
	idAlternate = "b6332ec1-7057-4abe-9331-3d72feddfe41"
	idOffice    = "e37fc753-ff3b-4958-9484-eaa9425c82bc"
	idEmail     = "3ddfcfc8-9383-446f-83cc-3ab9be4be18f"
)

// draft is a user in the course of a Write: the row is changed here and
// written once at the end; names and generators are written at once, because
// only the store knows whether they are free.
type draft struct {
	user    User // ID is empty where there is none; OATH shows tokens
	tokens  []Token
	devices []Device
	subject cloud.UserID // for the audit, also after removal
	changed bool         // the row is to be written
	stuck   bool         // an account change went wrong: nothing more in this call
	did     []string
}

// show brings the user's OATH in line with its tokens.
func (d *draft) show(e *Engine) {
	d.subject = d.user.ID
	d.user.OATH = e.shown(d.tokens)
}

// change makes c if the user is as c expects. Only a fault of the store is an
// error; everything else is in the Result.
func (d *draft) change(w *writing, c cloud.Change) (cloud.Result, error) {
	if err := w.normalise(&c); err != nil {
		return cloud.Result{Outcome: cloud.Failed, Err: err}, nil
	}
	if d.user.ID == "" {
		return d.absent(w, c)
	}
	if id := slotID(c.Method); id != "" && c.ID != "" && c.ID != id {
		return failed(cloud.NotFound, fmt.Sprintf("%s has another method id", c.Method)), nil
	}
	before := d.user.Value(c.Method, c.ID, c.Before)
	after := d.user.Value(c.Method, c.ID, c.After)
	if c.After.IsZero() {
		after = before
	}
	switch {
	case after.Equal(c.After):
		return cloud.Result{Outcome: cloud.Already, ID: d.methodID(c)}, nil
	case !before.Equal(c.Before), c.Op == cloud.Add && !after.IsZero():
		return cloud.Result{Outcome: cloud.Outdated, ID: d.methodID(c),
			Err: refuse(cloud.Stale, fmt.Sprintf("%s is not as it was when the change was planned", c.Method))}, nil
	}
	id := d.methodID(c)
	made, err := d.apply(w, c)
	if e, refused := errors.AsType[*refusal](err); refused {
		return cloud.Result{Outcome: cloud.Failed, Err: e.err}, nil
	}
	if id == "" {
		id = made
	}
	return cloud.Result{Outcome: cloud.Done, ID: id}, err
}

// absent answers for a user who is not there: there is nothing of them.
func (d *draft) absent(w *writing, c cloud.Change) (cloud.Result, error) {
	switch {
	case c.After.IsZero():
		return cloud.Result{Outcome: cloud.Already}, nil
	case c.Method != cloud.Account || c.User != "":
		return failed(cloud.NotFound, "there is no such user"), nil
	case c.Op != cloud.Add:
		return cloud.Result{Outcome: cloud.Outdated, Err: refuse(cloud.Stale, "there is no such user")}, nil
	case Fold(c.UPN) != Fold(c.After.Profile.UPN):
		return failed(cloud.Invalid, "a user cannot be made under another user principal name than the change names"), nil
	}
	err := d.create(w, c.After.Profile)
	if e, refused := errors.AsType[*refusal](err); refused {
		return cloud.Result{Outcome: cloud.Failed, Err: e.err}, nil
	}
	return cloud.Result{Outcome: cloud.Done, ID: string(d.user.ID)}, err
}

// refusal is an error that concerns one change only.
type refusal struct{ err error }

func (r *refusal) Error() string { return r.err.Error() }

// Unwrap is the error that the caller gets.
func (r *refusal) Unwrap() error { return r.err }

func refused(k cloud.Kind, message string) error { return &refusal{refuse(k, message)} }

// apply makes a change that is known to fit, and returns the id of a new method.
func (d *draft) apply(w *writing, c cloud.Change) (string, error) {
	switch c.Method {
	case cloud.Account:
		if c.Op == cloud.Remove {
			return "", d.remove(w)
		}
		return "", d.rename(w, c.After.Profile)
	case cloud.SoftwareOATH, cloud.HardwareOATH:
		switch c.Op {
		case cloud.Add:
			return d.addToken(w, c)
		case cloud.Update:
			return "", d.updateToken(w, c)
		default:
			return "", d.removeToken(w, c)
		}
	case cloud.Authenticator:
		if c.Op == cloud.Remove {
			return "", d.dismiss(w, c)
		}
		return d.invite(w, c)
	case cloud.DefaultMethod:
		if p := cloud.Preference(c.After.Text); p != "" && !d.has(p) {
			return "", refused(cloud.Invalid, "the default method is not registered")
		}
		d.user.Default = cloud.Preference(c.After.Text)
	case cloud.Blocked:
		d.user.BlockedUntil = c.After.Until
		if err := dropBypass(&d.user); err != nil {
			return "", err
		}
		if reason := usable(&d.user, w.now); reason != "" {
			if err := w.shutOut(&d.user, reason); err != nil {
				return "", err
			}
		}
	default:
		if err := d.setSlot(w.e, c.Method, c.After.Text); err != nil || c.Method != cloud.Mobile {
			return "", err
		}
		return "", closeNumber(w.tx, &d.user)
	}
	d.changed = true
	return "", nil
}

// setSlot writes a phone or the address, by Graph's rules between them.
func (d *draft) setSlot(e *Engine, m cloud.Method, s string) error {
	switch {
	case m == cloud.AlternateMobile && s != "" && d.user.Mobile == "":
		return refused(cloud.Invalid, "an alternate mobile needs a mobile first")
	case m == cloud.Mobile && s == "" && d.user.Alternate != "":
		return refused(cloud.Invalid, "the mobile cannot be removed while there is an alternate mobile")
	case s == "" && slotOf(d.user.Default) == m:
		if err := d.dropDefault(e); err != nil {
			return err
		}
	}
	switch m {
	case cloud.Mobile:
		d.user.Mobile = s
	case cloud.AlternateMobile:
		d.user.Alternate = s
	case cloud.Office:
		d.user.Office = s
	case cloud.Email:
		d.user.Email = s
	}
	d.changed = true
	return nil
}

// dropDefault says whether the default method may be removed: Entra ID lets
// the last method go that a user has, and the default with it.
func (d *draft) dropDefault(e *Engine) error {
	u := &d.user
	methods := len(d.tokens) + len(d.devices)
	for _, phone := range []string{u.Mobile, u.Alternate, u.Office} {
		if phone != "" {
			methods++
		}
	}
	if e.setup.Kind != KindEntra || methods > 1 {
		return refused(cloud.Invalid, "the default method cannot be removed: set another default first")
	}
	u.Default, d.changed = "", true
	return nil
}

// has tells whether a preference has its method.
func (d *draft) has(p cloud.Preference) bool {
	if p == cloud.OATHCode {
		return len(d.tokens) > 0
	}
	if p == cloud.Push {
		return slices.ContainsFunc(d.devices, func(v Device) bool { return v.State == deviceActive })
	}
	slot := slotOf(p)
	return slot != "" && d.user.Value(slot, "", cloud.Value{}).Text != ""
}

// slotOf is the phone slot that a preference uses, or "".
func slotOf(p cloud.Preference) cloud.Method {
	switch p {
	case cloud.SMS, cloud.VoiceMobile:
		return cloud.Mobile
	case cloud.VoiceAlternateMobile:
		return cloud.AlternateMobile
	case cloud.VoiceOffice:
		return cloud.Office
	}
	return ""
}

// slotID is the fixed id of a single slot, or "".
func slotID(m cloud.Method) string {
	switch m {
	case cloud.Mobile:
		return idMobile
	case cloud.AlternateMobile:
		return idAlternate
	case cloud.Office:
		return idOffice
	case cloud.Email:
		return idEmail
	}
	return ""
}

// methodID is the id of what a change is about, as far as it exists.
func (d *draft) methodID(c cloud.Change) string {
	if c.Method == cloud.Account {
		return string(d.user.ID)
	}
	if c.Method == cloud.Authenticator {
		if i := d.device(c); i >= 0 {
			return d.devices[i].ID
		}
		return ""
	}
	if i := d.token(c); i >= 0 {
		return d.tokens[i].ID
	}
	return slotID(c.Method)
}

// create makes the user.
func (d *draft) create(w *writing, p *cloud.Profile) error {
	id, err := uuid.NewV7()
	if err != nil {
		return fmt.Errorf("no user id can be made: %w", err)
	}
	d.user = User{Created: w.now}
	d.user.ID = cloud.UserID(id.String())
	if err := d.rename(w, p); err != nil {
		d.user = User{}
		return err
	}
	d.tokens, d.devices = nil, nil
	d.show(w.e)
	w.byID[d.user.ID] = d
	return nil
}

// name is a unique name of a user.
type name struct {
	space Space
	text  string // folded
}

func namesOf(p *cloud.Profile) []name {
	if p.UPN == "" {
		return nil
	}
	names := []name{{Names, Fold(p.UPN)}}
	for _, alias := range p.Aliases {
		names = append(names, name{Names, Fold(alias)})
	}
	if p.SID != "" {
		names = append(names, name{SIDs, Fold(p.SID)})
	}
	return names
}

// rename gives the user another profile: new names are claimed first, and
// given back if one of them belongs to somebody else.
func (d *draft) rename(w *writing, p *cloud.Profile) error {
	old, wanted := namesOf(&d.user.Profile), namesOf(p)
	var claimed []name
	for _, n := range wanted {
		if slices.Contains(old, n) || slices.Contains(claimed, n) {
			continue
		}
		owner, err := w.tx.Claim(n.space, n.text, d.user.ID)
		if err != nil {
			return err
		}
		if owner != d.user.ID {
			return errors.Join(release(w, claimed), refused(cloud.Conflict, taken(n)))
		}
		claimed = append(claimed, n)
	}
	old = slices.DeleteFunc(old, func(n name) bool { return slices.Contains(wanted, n) })
	if err := release(w, old); err != nil {
		return err
	}
	if p.Enabled != d.user.Enabled {
		if err := dropBypass(&d.user); err != nil {
			return err
		}
		if d.user.Enabled {
			if err := w.shutOut(&d.user, cloud.UserDisabled); err != nil {
				return err
			}
		}
	}
	delete(w.byUPN, Fold(d.user.UPN))
	w.byUPN[Fold(p.UPN)] = d
	d.user.Profile = *p
	d.changed = true
	return nil
}

func release(w *writing, names []name) error {
	for _, n := range names {
		if err := w.tx.Release(n.space, n.text); err != nil {
			return err
		}
	}
	return nil
}

func taken(n name) string {
	if n.space == SIDs {
		return "the security identifier belongs to another user"
	}
	return "the user principal name or an alias belongs to another user"
}

// remove deletes the user, who must not have methods any more: nothing that
// somebody registered since is lost by removing an account.
func (d *draft) remove(w *writing) error {
	u := &d.user
	if u.Mobile+u.Alternate+u.Office+u.Email != "" || len(d.tokens)+len(d.devices) > 0 {
		return refused(cloud.Conflict, "the user still has methods: remove them first")
	}
	if err := errors.Join(w.shutOut(u, cloud.UserDisabled), closeNumber(w.tx, u), release(w, namesOf(&u.Profile)), w.e.leave(w.tx, u.ID)); err != nil {
		return err
	}
	d.subject = u.ID
	d.user, d.changed = User{}, false
	return nil
}

func joined(did []string) string { return strings.Join(did, ", ") }
