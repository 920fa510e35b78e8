package engine

import (
	"context"
	"crypto/ed25519"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"time"

	"mfabridge/cloud"
	"mfabridge/cloud/engine/audit"
	"mfabridge/internal/hint"
)

// Names of Meta values of the audit.
const (
	metaCheckpoint = "audit-checkpoint/" // and a node
	metaRemoved    = "audit-removed"     // the signed [audit.Floor]; [audit.MetaFloor] is the store's own, for its triggers
)

// maxCheckpoints is how often a checkpoint is begun whose update is undone.
const maxCheckpoints = 5

// pruneBatch is how many entries one transaction removes.
const pruneBatch = 1000

// AuditPublic is the key that checks signed checkpoints.
func (e *Engine) AuditPublic() ed25519.PublicKey { return e.audit.Public() }

// VerifyAudit checks the whole audit: links, who wrote, signatures, and that
// the checkpoints that were kept (in the store, and elsewhere) are there.
func (e *Engine) VerifyAudit(ctx context.Context, kept ...audit.Checkpoint) (audit.Result, error) {
	for {
		a, f, err := e.auditor(ctx, kept)
		if err != nil {
			return audit.Result{}, asError(err)
		}
		for entry, err := range e.Audit(ctx, f.Seq) {
			if err != nil {
				return audit.Result{}, err
			}
			a.Check(&entry)
		}
		result := a.Finish()
		if _, now, err := e.auditor(ctx, nil); err != nil || now.Seq == f.Seq || ctx.Err() != nil {
			return result, asError(err)
		}
		// Retention removed entries meanwhile: once more from where they begin now.
	}
}

// auditor makes an auditor of this store, and returns its floor.
func (e *Engine) auditor(ctx context.Context, kept []audit.Checkpoint) (a *audit.Auditor, f *audit.Floor, err error) {
	err = e.store.View(ctx, func(r Reader) error {
		f, err = e.floor(r)
		if err != nil {
			return err
		}
		last, err := checkpoints(r)
		if err != nil {
			return err
		}
		a = audit.NewOwnAuditor(e.audit, e.setup.Instance, f, append(last, kept...)...)
		return nil
	})
	return a, f, err
}

// floor reads what was removed by retention.
func (e *Engine) floor(r Reader) (*audit.Floor, error) {
	f := &audit.Floor{}
	text, err := r.Meta(metaRemoved)
	if err != nil || text == nil {
		return f, err
	}
	if err := json.Unmarshal(text, f); err != nil || f.Instance != e.setup.Instance || !f.Holds(e.AuditPublic()) {
		return nil, hint.Wrap(refuse(cloud.Internal, "what retention removed from the audit is not signed by this store"),
			"somebody has written into the store by hand: take a backup, and look at who could")
	}
	return f, nil
}

// checkpoints are the last ones of all nodes.
func checkpoints(r Reader) (all []audit.Checkpoint, err error) {
	names, err := r.MetaNames(metaCheckpoint)
	if err != nil {
		return nil, err
	}
	for _, name := range names {
		text, err := r.Meta(name)
		if err != nil {
			return nil, err
		}
		var p audit.Checkpoint
		if err := json.Unmarshal(text, &p); err != nil {
			return nil, refuse(cloud.Internal, "a checkpoint of the audit cannot be read")
		}
		all = append(all, p)
	}
	return all, nil
}

// Checkpoint signs how far the chains of all nodes have come since the last
// time, and returns what it signed; none: nothing was new. What is not as it
// was written is not signed: the error says where.
func (e *Engine) Checkpoint(ctx context.Context) (made []audit.Checkpoint, err error) {
	for range maxCheckpoints {
		if made, err = e.checkpoint(ctx); !errors.Is(err, errSeenUndone) {
			break
		}
	}
	return made, asError(err)
}

// errSeenUndone says that an update ran once more: what it has seen before may
// have been undone, and must not be signed.
var errSeenUndone = refuse(cloud.Unavailable, "the store could not sign its audit now")

func (e *Engine) checkpoint(ctx context.Context) (made []audit.Checkpoint, err error) {
	a, _, err := e.auditor(ctx, nil)
	if err != nil {
		return nil, err
	}
	from := a.Resume()
	for entry, err := range e.Audit(ctx, from) {
		if err != nil {
			return nil, err
		}
		from = entry.Seq
		a.Check(&entry)
	}
	ran := false
	err = e.store.Update(ctx, func(tx Tx) error {
		if ran {
			return errSeenUndone
		}
		ran = true
		for {
			page, err := tx.Audit(from, pageSize)
			if err != nil {
				return err
			}
			for i := range page {
				from = page[i].Seq
				a.Check(&page[i])
			}
			if len(page) < pageSize {
				break
			}
		}
		signed, flaw := a.Sign(from, e.now().UTC())
		if flaw != nil {
			return hint.Wrap(refuse(cloud.Conflict, "the audit is not signed: "+flaw.String()),
				"look at all of it with: mfabridge engine audit verify")
		}
		made = signed
		return e.keepCheckpoints(tx, made)
	})
	if err != nil {
		return nil, err
	}
	return made, nil
}

// keepCheckpoints puts checkpoints where the next check finds them, and into the
// audit.
func (e *Engine) keepCheckpoints(tx Tx, made []audit.Checkpoint) error {
	for _, p := range made {
		text, err := json.Marshal(p)
		if err != nil {
			return err
		}
		if err := tx.SetMeta(metaCheckpoint+p.Node, text); err != nil {
			return err
		}
		entry := audit.Entry{Time: p.Time, Node: e.node, Actor: e.actor, Action: audit.ActionCheckpoint, Subject: p.Node, Detail: string(text)}
		if err := tx.Append(entry); err != nil {
			return err
		}
	}
	return nil
}

// PruneAudit removes entries of before a time, as far as they are signed and
// as they were written, and returns how many. What stays can be verified: the
// ends of what goes are kept, signed.
func (e *Engine) PruneAudit(ctx context.Context, by Actor, before time.Time) (removed int, err error) {
	if err := by.check(); err != nil {
		return 0, err
	}
	if _, err := e.Checkpoint(ctx); err != nil {
		return 0, err
	}
	f, err := e.lower(ctx, before)
	if err != nil {
		return 0, asError(err)
	}
	text, err := json.Marshal(f)
	if err != nil {
		return 0, asError(err)
	}
	err = e.store.Update(ctx, func(tx Tx) error {
		// Another process may have been quicker, and the floor never sinks.
		if now, err := e.floor(tx); err != nil || now.Seq >= f.Seq {
			return err
		}
		if err := tx.SetMeta(metaRemoved, text); err != nil {
			return err
		}
		return tx.Append(e.entry(by, "audit.prune", "", fmt.Sprintf("through=%d before=%s", f.Seq, before.UTC().Format(time.RFC3339)), e.now()))
	})
	for err == nil {
		n := 0
		err = e.store.Update(ctx, func(tx Tx) (err error) {
			n, err = tx.PruneAudit(f.Seq, pruneBatch)
			return err
		})
		if removed += n; n == 0 {
			break
		}
	}
	return removed, asError(err)
}

// lower finds where the floor can be, and signs it. It may be where it was.
func (e *Engine) lower(ctx context.Context, before time.Time) (*audit.Floor, error) {
	a, old, err := e.auditor(ctx, nil)
	if err != nil {
		return nil, err
	}
	through, last := a.Signed(), old.Seq
	for entry, err := range e.Audit(ctx, old.Seq) {
		if err != nil {
			return nil, err
		}
		if !entry.Time.Before(before) || entry.Seq > through {
			break
		}
		a.Check(&entry)
		last = entry.Seq
	}
	if last == old.Seq {
		return old, nil
	}
	f, flaw := a.Lower(last, e.now().UTC())
	if flaw != nil {
		return nil, hint.Wrap(refuse(cloud.Conflict, "nothing is removed: "+flaw.String()),
			"look at all of it with: mfabridge engine audit verify")
	}
	return f, nil
}

// AuditBetween yields the entries of a span of time, oldest first; zero times
// leave an end open.
func (e *Engine) AuditBetween(ctx context.Context, since, until time.Time) iter.Seq2[audit.Entry, error] {
	return func(yield func(audit.Entry, error) bool) {
		for entry, err := range e.Audit(ctx, 0) {
			if err == nil && (!since.IsZero() && entry.Time.Before(since) || !until.IsZero() && !entry.Time.Before(until)) {
				continue
			}
			if !yield(entry, err) {
				return
			}
		}
	}
}

// Checkpoints are the last signed ones of all nodes.
func (e *Engine) Checkpoints(ctx context.Context) (all []audit.Checkpoint, err error) {
	err = e.store.View(ctx, func(r Reader) (err error) {
		all, err = checkpoints(r)
		return err
	})
	return all, asError(err)
}
