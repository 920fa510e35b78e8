package engine

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"mfabridge/cloud"
	"mfabridge/cloud/engine/seal"
	"mfabridge/internal/hint"
)

// metaRetired is the Meta value with the keys that must not seal any more.
const metaRetired = "keys-retired"

// resealBatch is how many users one transaction of a re-sealing looks at.
const resealBatch = 100

// maxUnopened bounds the list of secrets that do not open.
const maxUnopened = 20

// KeyUse is what the keys of a store were found to hold.
type KeyUse struct {
	Primary    seal.KeyID
	Generators map[seal.KeyID]int // secrets by the key that sealed them
	Passwords  map[seal.KeyID]int
	Others     map[seal.KeyID]int // keys of the store itself and of its faces, messages that wait for their next channel
	Unopened   []string           // what does not open, at most maxUnopened of it
	Failed     int                // how many do not open
}

// Of is how many secrets a key sealed.
func (u *KeyUse) Of(id seal.KeyID) int { return u.Generators[id] + u.Passwords[id] + u.Others[id] }

// CheckKeys opens every secret in the store and counts them by key.
func (e *Engine) CheckKeys(ctx context.Context) (KeyUse, error) {
	e.key.Refresh()
	c := keyCheck{e: e, use: KeyUse{Primary: e.key.Primary(), Generators: map[seal.KeyID]int{}, Passwords: map[seal.KeyID]int{}, Others: map[seal.KeyID]int{}}}
	err := e.store.View(ctx, c.values)
	if err == nil {
		err = e.store.View(ctx, c.messages)
	}
	for n := pageSize; err == nil && n == pageSize; {
		err = e.store.View(ctx, func(r Reader) (err error) {
			n, err = c.users(r)
			return err
		})
	}
	return c.use, asError(err)
}

// keyCheck is one run of CheckKeys.
type keyCheck struct {
	e    *Engine
	use  KeyUse
	last cloud.UserID // whom the last page of users ended with
}

// look opens one secret, and counts it. what names it if it does not open.
func (c *keyCheck) look(counts map[seal.KeyID]int, what string, sealed []byte, binding string) {
	value, err := c.e.key.Open(sealed, binding)
	if err != nil {
		if c.use.Failed++; len(c.use.Unopened) < maxUnopened {
			c.use.Unopened = append(c.use.Unopened, what)
		}
		return
	}
	value.Wipe()
	counts[seal.By(sealed)]++
}

// values looks at the keys of the store itself and of its faces.
func (c *keyCheck) values(r Reader) error {
	all, err := c.e.sealedValues(r)
	for name, v := range all {
		c.look(c.use.Others, name, v.sealed, v.binding)
	}
	return err
}

// messages looks at those that wait for their next channel.
func (c *keyCheck) messages(r Reader) error {
	waiting, err := waitingFlights(r, c.e.now())
	for _, w := range waiting {
		c.look(c.use.Others, "message "+string(w.row.ID), w.state.Sealed, bindingFlight(w.row.ID))
	}
	return err
}

// users looks at the next page of users, and returns how many these are.
func (c *keyCheck) users(r Reader) (n int, err error) {
	users, err := r.UsersAfter(c.last, pageSize)
	if err != nil {
		return len(users), err
	}
	for _, u := range users {
		if c.last = u.ID; u.Password != nil {
			c.look(c.use.Passwords, "password of user "+string(u.ID), u.Password, passwordBinding(u.ID))
		}
		tokens, err := r.Tokens(u.ID)
		if err != nil {
			return len(users), err
		}
		for i := range tokens {
			c.look(c.use.Generators, "generator "+tokens[i].ID, tokens[i].Sealed, tokenBinding(&tokens[i]))
		}
	}
	return len(users), nil
}

// sealedValue is a sealed Meta value and what it is bound to.
type sealedValue struct {
	sealed  []byte
	binding string
}

// sealedValues are the sealed Meta values by name.
func (e *Engine) sealedValues(r Reader) (map[string]sealedValue, error) {
	all := map[string]sealedValue{metaCodeKey: {binding: bindingCodeKey + "/" + e.setup.Instance}, metaAuditKey: {binding: bindingAuditKey + e.setup.Instance}}
	names, err := r.MetaNames(metaKept)
	if err != nil {
		return nil, err
	}
	for _, name := range names {
		all[name] = sealedValue{binding: e.keptBinding(strings.TrimPrefix(name, metaKept))}
	}
	for name, v := range all {
		if v.sealed, err = r.Meta(name); err != nil {
			return nil, err
		}
		if len(v.sealed) == 0 {
			delete(all, name)
			continue
		}
		all[name] = v
	}
	return all, nil
}

// Reseal seals with the primary key what another key sealed, in small
// transactions, and tells progress how many values it has changed. It can be
// stopped at any time and begun again.
func (e *Engine) Reseal(ctx context.Context, by Actor, progress func(changed int)) (changed int, err error) {
	if err := by.check(); err != nil {
		return 0, err
	}
	e.key.Refresh()
	now := 0
	err = e.store.Update(ctx, func(tx Tx) (err error) {
		if now, err = e.resealValues(tx); err != nil {
			return err
		}
		messages, err := e.resealFlights(tx)
		now += messages
		return err
	})
	changed = now
	for last := cloud.UserID(""); err == nil; {
		if err = ctx.Err(); err != nil {
			break
		}
		n, end := 0, last
		err = e.store.Update(ctx, func(tx Tx) error {
			users, err := tx.UsersAfter(last, resealBatch)
			if n = len(users); err != nil || n == 0 {
				return err
			}
			end = users[n-1].ID
			now, err = e.resealUsers(tx, users)
			return err
		})
		if n == 0 || err != nil {
			break
		}
		last, changed = end, changed+now
		progress(changed)
	}
	if err == nil && changed > 0 {
		err = e.store.Update(ctx, func(tx Tx) error {
			return tx.Append(e.entry(by, "key.reseal", "", fmt.Sprintf("secrets=%d", changed), e.now()))
		})
	}
	return changed, asError(err)
}

func (e *Engine) resealValues(tx Tx) (changed int, err error) {
	all, err := e.sealedValues(tx)
	if err != nil {
		return 0, err
	}
	for name, v := range all {
		sealed, err := e.resealed(v.sealed, v.binding)
		if err != nil {
			return 0, fmt.Errorf("%s: %w", name, err)
		}
		if sealed == nil {
			continue
		}
		if err := tx.SetMeta(name, sealed); err != nil {
			return 0, err
		}
		changed++
	}
	return changed, nil
}

func (e *Engine) resealUsers(tx Tx, users []*User) (changed int, err error) {
	for _, u := range users {
		if u.Password != nil {
			sealed, err := e.resealed(u.Password, passwordBinding(u.ID))
			if err != nil {
				return 0, fmt.Errorf("password of user %s: %w", u.ID, err)
			}
			if sealed != nil {
				u.Password = sealed
				if err := tx.PutUser(u); err != nil {
					return 0, err
				}
				changed++
			}
		}
		tokens, err := tx.Tokens(u.ID)
		if err != nil {
			return 0, err
		}
		for i := range tokens {
			t := &tokens[i]
			sealed, err := e.resealed(t.Sealed, tokenBinding(t))
			if err != nil {
				return 0, fmt.Errorf("generator %s: %w", t.ID, err)
			}
			if sealed == nil {
				continue
			}
			t.Sealed = sealed
			if err := tx.PutToken(t); err != nil {
				return 0, err
			}
			changed++
		}
	}
	return changed, nil
}

// resealed is the value under the primary key; nil: it is already.
func (e *Engine) resealed(sealed []byte, binding string) ([]byte, error) {
	if seal.By(sealed) == e.key.Primary() {
		return nil, nil
	}
	value, err := e.key.Open(sealed, binding)
	if err != nil {
		return nil, err
	}
	defer value.Wipe()
	return e.key.Seal(value.Reveal(), binding)
}

// NoteKeys records in the audit what was done to the key file.
func (e *Engine) NoteKeys(ctx context.Context, by Actor, action string, id seal.KeyID) error {
	if err := by.check(); err != nil {
		return err
	}
	return asError(e.store.Update(ctx, func(tx Tx) error {
		return tx.Append(e.entry(by, "key."+action, id.String(), "", e.now()))
	}))
}

// RetireKeys lets no process seal any more with keys other than the primary
// one, whatever it has read, and then makes sure that nothing hangs on them.
// It returns those that may be removed from the key file. Conflict: a secret
// still needs one of them.
func (e *Engine) RetireKeys(ctx context.Context, by Actor) (old []seal.KeyID, err error) {
	if err := by.check(); err != nil {
		return nil, err
	}
	e.key.Refresh()
	old = e.key.Old()
	if len(old) == 0 {
		return nil, nil
	}
	// Before, so that a mark is not set for nothing; and after it, when no
	// process can add to what was found.
	if err := e.unneeded(ctx, old); err != nil {
		return nil, err
	}
	if err := e.mark(ctx, old, true); err != nil {
		return nil, asError(err)
	}
	if err := e.unneeded(ctx, old); err != nil {
		return nil, errors.Join(err, e.mark(context.WithoutCancel(ctx), old, false))
	}
	return old, asError(e.store.Update(ctx, func(tx Tx) error {
		return tx.Append(e.entry(by, "key.retire", e.key.Primary().String(), fmt.Sprintf("retired=%v", old), e.now()))
	}))
}

// mark puts keys on the list of those that must not seal, or takes them off.
func (e *Engine) mark(ctx context.Context, ids []seal.KeyID, retired bool) error {
	return e.store.Update(ctx, func(tx Tx) error {
		all, err := retiredKeys(tx)
		if err != nil {
			return err
		}
		all = slices.DeleteFunc(all, func(id seal.KeyID) bool { return slices.Contains(ids, id) })
		if retired {
			all = append(all, ids...)
		}
		text, err := json.Marshal(all)
		if err != nil {
			return err
		}
		return tx.SetMeta(metaRetired, text)
	})
}

// unneeded makes sure that no secret needs one of the keys.
func (e *Engine) unneeded(ctx context.Context, ids []seal.KeyID) error {
	use, err := e.CheckKeys(ctx)
	if err != nil {
		return err
	}
	left := use.Failed
	for _, id := range ids {
		left += use.Of(id)
	}
	if left > 0 {
		return hint.Wrap(refuse(cloud.Conflict, fmt.Sprintf("the old keys stay: %d secrets need them, or do not open", left)),
			"bring them under the new key with: mfabridge engine key reseal")
	}
	return nil
}

func retiredKeys(r Reader) (ids []seal.KeyID, err error) {
	text, err := r.Meta(metaRetired)
	if err != nil || len(text) == 0 {
		return nil, err
	}
	if err := json.Unmarshal(text, &ids); err != nil {
		return nil, refuse(cloud.Internal, "the list of retired keys cannot be read")
	}
	return ids, nil
}

// Opens tells whether the key of this process opens what the store holds now: not
// where the key was rotated elsewhere, and the copy here is an old one.
func (e *Engine) Opens(ctx context.Context) error { return e.opensWith(ctx, e.key) }

// fitPatience is how long the store may take to tell whether a key file is its own.
const fitPatience = 5 * time.Second

// fits tells whether a key is the store's; whoever seals or opens waits for it, so
// the store is not waited for without end.
func (e *Engine) fits(key seal.Key) error {
	ctx, stop := context.WithTimeout(context.Background(), fitPatience)
	defer stop()
	return e.opensWith(ctx, key)
}

func (e *Engine) opensWith(ctx context.Context, key seal.Key) error {
	return asError(e.store.View(ctx, func(r Reader) error {
		sealed, err := r.Meta(metaCodeKey)
		if err != nil {
			return err
		}
		value, err := key.Open(sealed, bindingCodeKey+"/"+e.setup.Instance)
		if err == nil {
			value.Wipe()
		}
		return err
	}))
}

// KeyFile says why a program that starts now could not use the key file that this
// one has read: it is gone or damaged, others may read it, or it does not open the
// store. This program goes on without it. nil also where there is no file.
func (e *Engine) KeyFile(ctx context.Context) error {
	key, err := e.key.Reread()
	if err != nil || key.IsZero() {
		return err
	}
	return e.opensWith(ctx, key)
}
