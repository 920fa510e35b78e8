package engine

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/google/uuid"

	"mfabridge/cloud"
	"mfabridge/cloud/oath"
	"mfabridge/internal/hint"
)

// Names of Meta values of backups.
const (
	metaBackup     = "backup"     // there in a copy that was made as a backup: what it is
	metaFenced     = "fenced"     // decimal second: no code of before is accepted
	metaGeneration = "generation" // differs after each restore
	metaReplaced   = "replaced"   // there in a store that another one has replaced: its generation
)

// versionReplaced is the policy's version in a store that was replaced: every
// login looks at it, so that running processes stop at the next one.
const versionReplaced = "replaced"

// clockLead is how far the last entry of the audit may lie ahead of the clock.
const clockLead = time.Hour

// Backup says what a copy of a store is.
type Backup struct {
	Instance string    `json:"instance"`
	Time     time.Time `json:"time"`
	Audit    int64     `json:"audit"` // Seq of the last entry
}

// BeginBackup records in the audit that a backup is being made, and signs a
// checkpoint, so that the backup holds both. An audit that is not as it was
// written is not signed and is backed up all the same, which the log says: a
// backup is what one takes when that has happened.
func (e *Engine) BeginBackup(ctx context.Context, by Actor) error {
	if err := by.check(); err != nil {
		return err
	}
	if _, err := e.Checkpoint(ctx); err != nil {
		if kind := cloud.KindOf(err); kind != cloud.Conflict && kind != cloud.Internal {
			return err
		}
		e.log.WarnContext(ctx, "the backup holds an audit that is not as it was written", "err", err)
	}
	return asError(e.store.Update(ctx, func(tx Tx) error {
		return tx.Append(e.entry(by, "engine.backup", e.setup.Instance, "", e.now()))
	}))
}

// MarkBackup marks a copy of this engine's store as a backup. It does not open
// as an engine from then on, until Restore has made it safe to use.
func (e *Engine) MarkBackup(ctx context.Context, copied Store) (Backup, error) {
	b := Backup{Instance: e.setup.Instance, Time: e.now().UTC()}
	err := copied.Update(ctx, func(tx Tx) error {
		last, err := tx.LastAudit()
		if err != nil {
			return err
		}
		b.Audit = last.Seq
		text, err := json.Marshal(b)
		if err != nil {
			return err
		}
		return tx.SetMeta(metaBackup, text)
	})
	return b, asError(err)
}

// Restored says what a restore brought back.
type Restored struct {
	Backup     Backup // zero Time: it was no marked backup
	Instance   string
	Generation string
	Fenced     time.Time // codes that could be accepted until then are not
	Proven     time.Time // when generators that were in use take codes again, if their clocks are right
	Unproven   time.Time // when those do that were never used
}

// Restore makes the store of a backup, or one that was brought back by other
// means, safe to be used: no code that could have been accepted until now is
// accepted again, and challenges, bypasses and passes are void. It returns an
// engine that is not open; Open opens it afterwards.
func Restore(ctx context.Context, c Config, by Actor) (Restored, error) {
	if err := by.check(); err != nil {
		return Restored{}, err
	}
	e, err := open(ctx, c, true)
	if err != nil {
		return Restored{}, err
	}
	defer func() { _ = e.Close() }()
	var r Restored
	generation, err := uuid.NewRandom()
	if err != nil {
		return Restored{}, asError(err)
	}
	err = e.store.Update(ctx, func(tx Tx) (err error) {
		r, err = e.fence(tx, by, generation.String())
		return err
	})
	return r, asError(err)
}

func (e *Engine) fence(tx Tx, by Actor, generation string) (r Restored, err error) {
	now := e.now()
	r = Restored{Instance: e.setup.Instance, Generation: generation}
	text, err := tx.Meta(metaBackup)
	if err != nil {
		return r, err
	}
	if len(text) > 0 {
		if err := json.Unmarshal(text, &r.Backup); err != nil {
			return r, refuse(cloud.Internal, "what the backup says of itself cannot be read")
		}
	}
	last, err := tx.LastAudit()
	if err != nil {
		return r, err
	}
	for _, t := range []time.Time{last.Time, r.Backup.Time} {
		if t.Sub(now) > clockLead {
			return r, hint.Wrap(refuse(cloud.Conflict, fmt.Sprintf("the clock says %s, and the backup is of %s", now.UTC().Format(time.RFC3339), t.UTC().Format(time.RFC3339))),
				"set the clock: codes are judged by it")
		}
		if t.After(now) {
			now = t
		}
	}
	r.Fenced = now
	// A generator of 60 seconds takes longest.
	r.Proven = now.Add((oath.WindowProven + 1) * time.Minute).Truncate(time.Minute)
	r.Unproven = now.Add((oath.WindowFar + 1) * time.Minute).Truncate(time.Minute)
	stays, err := standings(tx)
	if err != nil {
		return r, err
	}
	detail := fmt.Sprintf("generation=%s backup=%s audit=%d", generation, r.Backup.Time.UTC().Format(time.RFC3339), last.Seq)
	return r, errors.Join(tx.Fence(now, oath.WindowProven, oath.WindowFar), restand(tx, stays),
		tx.SetMeta(metaFenced, strconv.AppendInt(nil, now.Unix(), 10)),
		tx.SetMeta(metaBackup, []byte{}), tx.SetMeta(metaGeneration, []byte(generation)),
		tx.Append(e.entry(by, "engine.restore", e.setup.Instance, detail, now)))
}

// standing is what stands aside of a user and outlives a restore.
type standing struct {
	user  cloud.UserID
	aside aside
}

// standings are what a restore must not make void of what is aside of users, or
// it would ask for less than before: that somebody approves with a PIN, and that
// a telephone is a first factor and so no second one.
func standings(r Reader) (all []standing, err error) {
	for last := cloud.UserID(""); ; {
		page, err := r.UsersAfter(last, pageSize)
		if err != nil {
			return nil, err
		}
		for _, u := range page {
			last = u.ID
			a, err := readAside(u)
			if err != nil { // it may have said either
				a = aside{PIN: true}
				if a.Number, err = claimedNumber(r, u); err != nil {
					return nil, err
				}
			}
			if a.PIN || a.Number != "" {
				all = append(all, standing{u.ID, aside{PIN: a.PIN, Number: a.Number}})
			}
		}
		if len(page) < pageSize {
			return all, nil
		}
	}
}

// claimedNumber is a user's mobile if it is the user's to sign in with.
func claimedNumber(r Reader, u *User) (string, error) {
	number := signInNumber(u.Mobile)
	owner, err := r.UserNamed(Numbers, number)
	if err != nil || owner == nil || owner.ID != u.ID {
		return "", err
	}
	return number, nil
}

func restand(tx Tx, all []standing) error {
	for _, s := range all {
		u, err := tx.User(s.user)
		if err != nil {
			return err
		}
		if err := setAside(u, s.aside); err != nil {
			return err
		}
		if err := tx.PutUser(u); err != nil {
			return err
		}
	}
	return nil
}

// Replace marks this store as one that another, restored one has replaced: all
// processes that have it open refuse every login from the next one on.
func (e *Engine) Replace(ctx context.Context, by Actor, generation string) error {
	if err := by.check(); err != nil {
		return err
	}
	return asError(e.store.Update(ctx, func(tx Tx) error {
		return errors.Join(tx.SetMeta(metaReplaced, []byte(generation)), tx.SetMeta(metaPolicyVersion, []byte(versionReplaced)),
			tx.Append(e.entry(by, "engine.replaced", e.setup.Instance, "generation="+generation, e.now())))
	}))
}

// mayOpen refuses stores that must not verify.
func mayOpen(r Reader) error {
	text, err := r.Meta(metaBackup)
	if err != nil {
		return err
	}
	if len(text) > 0 {
		return hint.Wrap(refuse(cloud.Conflict, "the store is a backup, which does not know what was used since it was made"),
			"put it back with: mfabridge engine restore BACKUP --store sqlite:NEW")
	}
	text, err = r.Meta(metaReplaced)
	if err != nil {
		return err
	}
	if len(text) > 0 {
		return replaced()
	}
	return nil
}

func replaced() error {
	return hint.Wrap(refuse(cloud.Unavailable, "the store was replaced by a restored one"), "use the restored one; keep this one for its audit")
}

// fencedUntil is the second of the last restore; 0: there was none.
func fencedUntil(r Reader) (int64, error) {
	text, err := r.Meta(metaFenced)
	if err != nil || len(text) == 0 {
		return 0, err
	}
	second, err := strconv.ParseInt(string(text), 10, 64)
	if err != nil {
		return 0, refuse(cloud.Internal, "the time of the last restore cannot be read")
	}
	return second, nil
}
