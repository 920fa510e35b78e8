package engine

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/google/uuid"

	"mfabridge/cloud"
	"mfabridge/cloud/form"
	"mfabridge/cloud/oath"
	"mfabridge/internal/secret"
)

// normalise checks that a change makes sense by itself and brings its values
// into the form in which they are stored and compared.
func (w *writing) normalise(c *cloud.Change) error {
	if err := checkShape(c); err != nil {
		return err
	}
	if err := admit(&w.e.caps, c); err != nil {
		return err
	}
	if c.After.IsZero() {
		return nil
	}
	switch {
	case c.Method.IsPhone():
		return form.CheckPhone(c.Method, c.After.Text)
	case c.Method == cloud.Email:
		return form.CheckEmail(c.After.Text)
	case c.Method.IsOATH():
		o := *c.After.OATH
		if err := w.identify(&o); err != nil {
			return err
		}
		c.After.OATH = &o
	case c.Method == cloud.Account:
		p := *c.After.Profile
		p.Aliases = slices.Sorted(slices.Values(p.Aliases))
		c.After.Profile = &p
		return form.CheckProfile(&p)
	case c.Method == cloud.Blocked && c.After.Until.Year() > 2200:
		return refuse(cloud.Invalid, "a block must end before the year 2200")
	}
	return nil
}

// checkShape checks that op, method and values belong together.
func checkShape(c *cloud.Change) error {
	set := c.Method == cloud.DefaultMethod || c.Method == cloud.Blocked
	known := set || c.Method == cloud.Account || c.Method == cloud.Email || c.Method == cloud.Authenticator || c.Method.IsPhone() || c.Method.IsOATH()
	switch {
	case !known:
		return refuse(cloud.Unsupported, fmt.Sprintf("the engine keeps no method %q", string(c.Method)))
	case c.User == "" && c.UPN == "":
		return refuse(cloud.Invalid, "the change names no user")
	case set != (c.Op == cloud.Set),
		c.Op != cloud.Set && c.Op != cloud.Add && c.Op != cloud.Update && c.Op != cloud.Remove:
		return refuse(cloud.Invalid, fmt.Sprintf("%q cannot be done to %s", string(c.Op), c.Method))
	case c.Op == cloud.Add && (!c.Before.IsZero() || c.After.IsZero()),
		c.Op == cloud.Update && (c.Before.IsZero() || c.After.IsZero()),
		c.Op == cloud.Remove && (c.Before.IsZero() || !c.After.IsZero()):
		return refuse(cloud.Invalid, fmt.Sprintf("the values of the change do not belong to %q", string(c.Op)))
	}
	return errors.Join(checkValue(c.Method, c.Before), checkValue(c.Method, c.After))
}

// checkValue checks that only the field that the method has is filled.
func checkValue(m cloud.Method, v cloud.Value) error {
	left := v
	switch {
	case m.IsOATH():
		left.OATH = nil
	case m == cloud.Account:
		left.Profile = nil
	case m == cloud.Blocked:
		left.Until = time.Time{}
	case m == cloud.Authenticator:
		left.State = ""
	default:
		left.Text = ""
	}
	if !left.IsZero() {
		return refuse(cloud.Invalid, fmt.Sprintf("the value is not one of %s", m))
	}
	return nil
}

// identify fills fingerprint and, where there is none, serial number in.
func (w *writing) identify(o *cloud.OATH) error {
	if err := form.CheckOATH(o); err != nil {
		return err
	}
	if !o.Secret.IsZero() {
		fingerprint := cloud.Fingerprint(w.e.setup.Instance, o.Secret)
		if o.Fingerprint != "" && o.Fingerprint != fingerprint {
			return refuse(cloud.Invalid, "the fingerprint does not belong to the secret of the OATH method")
		}
		o.Fingerprint = fingerprint
	}
	if o.Serial == "" {
		if o.Fingerprint == "" {
			return refuse(cloud.Invalid, "an OATH method needs a serial number or a secret")
		}
		o.Serial = "MFB-" + o.Fingerprint
	}
	return nil
}

// token is the index of the generator that a change is about, or -1: the one
// with the id, else the one as it was before, else the one as it is to be.
func (d *draft) token(c cloud.Change) int {
	find := func(is func(o *cloud.OATHEntry) bool) int { // user.OATH is tokens, as this target compares them
		return slices.IndexFunc(d.user.OATH, func(o cloud.OATHEntry) bool { return o.Method == c.Method && is(&o) })
	}
	if c.ID != "" {
		return find(func(o *cloud.OATHEntry) bool { return o.ID == c.ID })
	}
	for _, o := range []*cloud.OATH{c.Before.OATH, c.After.OATH} {
		if o == nil {
			continue
		}
		if i := find(func(entry *cloud.OATHEntry) bool { return entry.Same(*o) }); i >= 0 {
			return i
		}
	}
	return -1
}

func (d *draft) addToken(w *writing, c cloud.Change) (string, error) {
	o := c.After.OATH
	if o.Secret.IsZero() {
		return "", refused(cloud.Invalid, "an OATH method cannot be registered without its secret")
	}
	if err := d.roomForMethod(w.e, 0); err != nil {
		return "", err
	}
	if w.e.setup.Kind == KindEntra {
		if err := d.assignable(o); err != nil {
			return "", err
		}
	}
	id, err := uuid.NewV7()
	if err != nil {
		return "", fmt.Errorf("no method id can be made: %w", err)
	}
	t := Token{User: d.user.ID, OATHEntry: cloud.OATHEntry{ID: id.String(), Method: c.Method}, Clock: oath.Clock{Drift: o.Drift}}
	if err := d.putToken(w, &t, o); err != nil {
		return "", err
	}
	d.tokens = append(d.tokens, t)
	d.show(w.e)
	return t.ID, nil
}

// assignable holds Graph's rules for a device of the inventory that a user is
// to have.
func (d *draft) assignable(o *cloud.OATH) error {
	switch {
	case d.user.Guest:
		return refused(cloud.Invalid, "a guest cannot have hardware OATH")
	case o.Manufacturer == "" || o.Model == "":
		return refused(cloud.Invalid, "hardware OATH needs a manufacturer and a model")
	}
	return nil
}

// updateToken changes a generator. Without a new secret it keeps its own, and
// what is known of its clock.
func (d *draft) updateToken(w *writing, c cloud.Change) error {
	i := d.token(c)
	t, o := d.tokens[i], c.After.OATH
	switch {
	case o.Secret.IsZero() && o.Fingerprint != "" && o.Fingerprint != t.Fingerprint:
		return refused(cloud.Invalid, "the secret of an OATH method cannot be changed without the new one")
	case o.Fingerprint != "" && o.Fingerprint != t.Fingerprint:
		if err := keepSpent(w.tx, &t); err != nil {
			return err
		}
		t.Clock = oath.Clock{Drift: o.Drift}
	case o.Period != t.Period: // steps are of another length
		t.Clock = oath.Clock{Last: t.usedUntil() / int64(o.Period)}
	}
	if err := d.putToken(w, &t, o); err != nil {
		return err
	}
	d.tokens[i] = t
	d.show(w.e)
	return nil
}

// putToken writes t with the values of o; a code that was used before is used,
// by a generator that is gone or by another one with the secret.
func (d *draft) putToken(w *writing, t *Token, o *cloud.OATH) error {
	kept := t.Fingerprint
	t.OATH = *o
	t.OATH.Secret, t.OATH.Drift = secret.Bytes{}, 0
	if o.Fingerprint == "" {
		t.Fingerprint = kept
	}
	if !o.Secret.IsZero() {
		if err := d.alone(w, t); err != nil {
			return err
		}
		var err error
		if t.Sealed, err = w.e.key.Seal(o.Secret.Reveal(), tokenBinding(t)); err != nil {
			return err
		}
		spent, err := w.tx.Spent(t.Fingerprint)
		if err != nil {
			return err
		}
		for i := range d.tokens {
			if other := &d.tokens[i]; other.ID != t.ID && other.Fingerprint == t.Fingerprint {
				spent = max(spent, other.usedUntil())
			}
		}
		t.Last = max(t.Last, spent/int64(o.Period))
	}
	err := w.tx.PutToken(t)
	if errors.Is(err, ErrTaken) {
		return refused(cloud.Conflict, "the serial number belongs to another OATH method")
	}
	return err
}

// alone refuses a secret that somebody else has, under whatever serial number:
// the codes of each would let the other in. It says who has it, since a plan
// knows only those whom its export has. Entra ID does not look.
func (d *draft) alone(w *writing, t *Token) error {
	if w.e.setup.Kind == KindEntra {
		return nil
	}
	id, err := w.tx.HolderBesides(t.User, t.Fingerprint)
	if err != nil || id == "" {
		return err
	}
	holder, err := w.tx.User(id)
	switch {
	case err != nil:
		return err
	case holder == nil:
		return refused(cloud.Conflict, "the secret belongs to an OATH method of another user")
	}
	return refused(cloud.Conflict, "the secret belongs to an OATH method of another user, "+holder.UPN)
}

func (d *draft) removeToken(w *writing, c cloud.Change) error {
	if d.user.Default == cloud.OATHCode && len(d.tokens) == 1 {
		if err := d.dropDefault(w.e); err != nil {
			return err
		}
	}
	i := d.token(c)
	t := d.tokens[i]
	if err := errors.Join(keepSpent(w.tx, &t), w.tx.RemoveToken(t.User, t.ID)); err != nil {
		return err
	}
	d.tokens = slices.Delete(d.tokens, i, i+1)
	d.show(w.e)
	return nil
}

// usedUntil is the last second of the last accepted step, since the epoch.
func (t *Token) usedUntil() int64 {
	if t.Last == 0 {
		return 0
	}
	return (t.Last+1)*int64(t.Period) - 1
}

// keepSpent remembers when a generator that goes away was last used.
func keepSpent(tx Tx, t *Token) error {
	if t.Last == 0 {
		return nil
	}
	return tx.SetSpent(t.Fingerprint, t.usedUntil())
}

// tokenBinding is the associated data of a generator's secret. User ids and
// method ids are UUIDs, so the parts cannot run into each other.
func tokenBinding(t *Token) string {
	return "oath/" + string(t.User) + "/" + string(t.Method) + "/" + t.ID
}
