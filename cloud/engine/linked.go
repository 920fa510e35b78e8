package engine

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"errors"
	"slices"
	"strings"

	"mfabridge/cloud"
	"mfabridge/cloud/engine/audit"
	"mfabridge/cloud/engine/seal"
	"mfabridge/cloud/oath"
	"mfabridge/internal/hint"
	"mfabridge/internal/secret"
)

// metaAuditKey is the Meta value of the sealed seed of the audit's keys.
const metaAuditKey = "audit-key"

// bindingAuditKey is its associated data, with the instance.
const bindingAuditKey = "audit-key/"

// linked is a store whose transactions write the audit with the engine's key,
// whoever appends.
type linked struct {
	Store
	key *audit.Key
}

// Update implements [Store].
func (l *linked) Update(ctx context.Context, fn func(Tx) error) error {
	return l.Store.Update(ctx, l.link(fn))
}

// UpdateEach implements [Store].
func (l *linked) UpdateEach(ctx context.Context, fns []func(Tx) error) []error {
	all := make([]func(Tx) error, len(fns))
	for i, fn := range fns {
		all[i] = l.link(fn)
	}
	return l.Store.UpdateEach(ctx, all)
}

func (l *linked) link(fn func(Tx) error) func(Tx) error {
	return func(tx Tx) error { return fn(&linkedTx{Tx: tx, key: l.key}) }
}

type linkedTx struct {
	Tx
	key     *audit.Key
	asked   bool // for what follows
	retired []seal.KeyID
	fenced  int64
}

// Append implements [Tx].
func (t *linkedTx) Append(e audit.Entry) error {
	e.Key = t.key
	return t.Tx.Append(e)
}

// PutToken implements [Tx]. After a restore a generator that was registered
// since the backup may come again: its codes of before the restore are used.
func (t *linkedTx) PutToken(k *Token) error {
	if err := t.mayStand(k.Sealed); err != nil {
		return err
	}
	if t.fenced > 0 && k.Period > 0 {
		k.Last = max(k.Last, t.fenced/int64(k.Period)+int64(max(0, k.Clock.Drift))+oath.WindowFar)
	}
	return t.Tx.PutToken(k)
}

// PutUser implements [Tx].
func (t *linkedTx) PutUser(u *User) error {
	if u.Password != nil {
		if err := t.mayStand(u.Password); err != nil {
			return err
		}
	}
	return t.Tx.PutUser(u)
}

// SetMeta implements [Tx].
func (t *linkedTx) SetMeta(name string, value []byte) error {
	if strings.HasPrefix(name, metaKept) || name == metaCodeKey || name == metaAuditKey {
		if err := t.mayStand(value); err != nil {
			return err
		}
	}
	return t.Tx.SetMeta(name, value)
}

// mayStand refuses what a retired key sealed: whoever sealed it has read the
// key file before the key was taken out, and soon nobody could open it.
func (t *linkedTx) mayStand(sealed []byte) (err error) {
	if !t.asked {
		if t.retired, err = retiredKeys(t.Tx); err != nil {
			return err
		}
		if t.fenced, err = fencedUntil(t.Tx); err != nil {
			return err
		}
		t.asked = true
	}
	if slices.Contains(t.retired, seal.By(sealed)) {
		return hint.Wrap(refuse(cloud.Unavailable, "the key "+seal.By(sealed).String()+" was retired: nothing is sealed with it any more"),
			"give this process the key file as it is now, and do it again")
	}
	return nil
}

// newAuditSeed makes the seed of an audit's keys, and seals it.
func newAuditSeed(key seal.Key, instance string) (seed secret.Bytes, sealed []byte, err error) {
	b := make([]byte, ed25519.SeedSize)
	rand.Read(b)
	sealed, err = key.Seal(b, bindingAuditKey+instance)
	return secret.New(b), sealed, err
}

// auditKey opens the audit's keys. A store of an earlier version has none: it
// gets them now, by whoever is first.
func (e *Engine) auditKey(ctx context.Context) (*audit.Key, error) {
	var sealed []byte
	err := e.store.View(ctx, func(r Reader) (err error) {
		sealed, err = r.Meta(metaAuditKey)
		return err
	})
	if err == nil && sealed == nil {
		var made []byte
		if _, made, err = newAuditSeed(e.key, e.setup.Instance); err != nil {
			return nil, err
		}
		err = e.store.Update(ctx, func(tx Tx) (err error) {
			if sealed, err = tx.Meta(metaAuditKey); err != nil || sealed != nil {
				return err
			}
			sealed = made
			return tx.SetMeta(metaAuditKey, made)
		})
	}
	if err != nil {
		return nil, err
	}
	seed, err := e.key.Open(sealed, bindingAuditKey+e.setup.Instance)
	if err == nil && seed.Len() != ed25519.SeedSize {
		err = errors.New("it has another length")
	}
	if err != nil {
		return nil, hint.Wrap(&cloud.Error{Kind: cloud.Denied, Message: "the audit's key does not open", Err: err},
			"name the key file that was made with the store; if it is the right one, the store is damaged: take the backup")
	}
	defer seed.Wipe()
	return audit.NewKey(seed), nil
}
