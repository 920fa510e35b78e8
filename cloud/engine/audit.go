package engine

import (
	"context"
	"crypto/ed25519"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"maps"
	"slices"
	"time"

	"mfabridge/cloud"
	"mfabridge/internal/hint"
)

// Names of Meta values of the audit.
const (
	metaCheckpoint = "audit-checkpoint/" // and a node
	metaFloor      = "audit-removed"
)

// maxCheckpoints is how often a checkpoint is begun whose update is undone.
const maxCheckpoints = 5

// pruneBatch is how many entries one transaction removes.
const pruneBatch = 1000

// AuditPublic is the key that checks signed checkpoints.
func (e *Engine) AuditPublic() ed25519.PublicKey { return e.audit.Public() }

// VerifyAudit checks the whole audit: links, who wrote, signatures, and that
// the checkpoints that were kept (in the store, and elsewhere) are there.
func (e *Engine) VerifyAudit(ctx context.Context, kept ...Checkpoint) (Audited, error) {
	for {
		a, f, err := e.auditor(ctx, kept)
		if err != nil {
			return Audited{}, asError(err)
		}
		for entry, err := range e.Audit(ctx, f.Seq) {
			if err != nil {
				return Audited{}, err
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
func (e *Engine) auditor(ctx context.Context, kept []Checkpoint) (a *Auditor, f *floor, err error) {
	err = e.store.View(ctx, func(r Reader) error {
		f, err = e.floor(r)
		if err != nil {
			return err
		}
		last, err := checkpoints(r)
		if err != nil {
			return err
		}
		a = NewAuditor(e.AuditPublic(), append(last, kept...)...)
		a.key, a.instance = e.audit, e.setup.Instance
		a.below(f)
		return nil
	})
	return a, f, err
}

// floor reads what was removed by retention.
func (e *Engine) floor(r Reader) (*floor, error) {
	f := &floor{}
	text, err := r.Meta(metaFloor)
	if err != nil || text == nil {
		return f, err
	}
	if err := json.Unmarshal(text, f); err != nil || f.Instance != e.setup.Instance || !ed25519.Verify(e.AuditPublic(), f.signed(), f.Signature) {
		return nil, hint.Wrap(refuse(cloud.Internal, "what retention removed from the audit is not signed by this store"),
			"somebody has written into the store by hand: take a backup, and look at who could")
	}
	return f, nil
}

// checkpoints are the last ones of all nodes.
func checkpoints(r Reader) (all []Checkpoint, err error) {
	names, err := r.MetaNames(metaCheckpoint)
	if err != nil {
		return nil, err
	}
	for _, name := range names {
		text, err := r.Meta(name)
		if err != nil {
			return nil, err
		}
		var p Checkpoint
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
func (e *Engine) Checkpoint(ctx context.Context) (made []Checkpoint, err error) {
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

func (e *Engine) checkpoint(ctx context.Context) (made []Checkpoint, err error) {
	a, f, err := e.auditor(ctx, nil)
	if err != nil {
		return nil, err
	}
	old := a.wanted
	a.wanted = nil
	from := resume(a, old, f)
	for entry, err := range e.Audit(ctx, max(from, f.Seq)) {
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
			page, err := tx.Audit(max(from, f.Seq), pageSize)
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
		a.lookFor(old)
		if flaws := a.result.Flaws; len(flaws) > 0 {
			return hint.Wrap(refuse(cloud.Conflict, "the audit is not signed: "+flaws[0].String()),
				"look at all of it with: mfabridge engine audit verify")
		}
		made, err = e.sign(tx, a, old, from)
		return err
	})
	if err != nil {
		return nil, err
	}
	return made, nil
}

// resume makes an auditor begin at the last checkpoints, where all chains have
// one, and returns the Seq behind which it goes on.
func resume(a *Auditor, old []Checkpoint, f *floor) (from int64) {
	for i := range old {
		if p := &old[i]; !p.Holds(a.public) || p.Instance != a.instance || p.Seq <= f.Seq {
			return 0
		}
	}
	if len(old) == 0 {
		return 0
	}
	from = old[0].Seq
	for i := range old {
		from = min(from, old[i].Seq)
	}
	for i := range old {
		if old[i].Seq != from {
			return 0 // not all of one moment: go through all of it
		}
	}
	a.chains = map[string]*chain{}
	a.sinceHere = true
	for i := range old {
		p := &old[i]
		a.chains[p.Node] = &chain{Chained: Chained{Node: p.Node, From: p.Number, To: p.Number, Signed: p.Number}, hash: p.Hash,
			recent: map[int64][]byte{p.Number: p.Hash}}
	}
	return from
}

// sign appends one checkpoint for each chain if any has grown by more than
// checkpoints.
func (e *Engine) sign(tx Tx, a *Auditor, old []Checkpoint, seq int64) (made []Checkpoint, err error) {
	grown := int64(0)
	for _, c := range a.chains {
		grown += c.To
	}
	for i := range old {
		grown -= old[i].Number
	}
	if grown <= int64(len(old)) { // the checkpoints of last time
		return nil, nil
	}
	now := e.now().UTC()
	for _, node := range slices.Sorted(maps.Keys(a.chains)) {
		c := a.chains[node]
		p := Checkpoint{Instance: e.setup.Instance, Node: node, Seq: seq, Number: c.To, Hash: c.hash, Time: now}
		p.Signature = ed25519.Sign(e.audit.signer, p.signed())
		text, err := json.Marshal(p)
		if err != nil {
			return nil, err
		}
		if err := tx.SetMeta(metaCheckpoint+node, text); err != nil {
			return nil, err
		}
		entry := Entry{Time: now, Node: e.node, Actor: e.actor, Action: actionCheckpoint, Subject: node, Detail: string(text)}
		if err := tx.Append(entry); err != nil {
			return nil, err
		}
		made = append(made, p)
	}
	return made, nil
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
		if err := tx.SetMeta(metaFloor, text); err != nil {
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
func (e *Engine) lower(ctx context.Context, before time.Time) (*floor, error) {
	a, old, err := e.auditor(ctx, nil)
	if err != nil {
		return nil, err
	}
	signed := int64(1) << 62
	for _, p := range a.wanted {
		signed = min(signed, p.Seq)
	}
	a.wanted = nil
	f := &floor{Instance: e.setup.Instance, Seq: old.Seq, Heads: map[string]ended{}, Time: e.now().UTC()}
	for entry, err := range e.Audit(ctx, old.Seq) {
		if err != nil {
			return nil, err
		}
		if !entry.Time.Before(before) || entry.Seq > signed {
			break
		}
		a.Check(&entry)
		f.Seq = entry.Seq
	}
	if len(a.result.Flaws) > 0 {
		return nil, hint.Wrap(refuse(cloud.Conflict, "nothing is removed: "+a.result.Flaws[0].String()),
			"look at all of it with: mfabridge engine audit verify")
	}
	if f.Seq == old.Seq {
		return old, nil
	}
	for node, c := range a.chains {
		f.Heads[node] = ended{c.To, c.hash}
	}
	f.Signature = ed25519.Sign(e.audit.signer, f.signed())
	return f, nil
}

// AuditBetween yields the entries of a span of time, oldest first; zero times
// leave an end open.
func (e *Engine) AuditBetween(ctx context.Context, since, until time.Time) iter.Seq2[Entry, error] {
	return func(yield func(Entry, error) bool) {
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
func (e *Engine) Checkpoints(ctx context.Context) (all []Checkpoint, err error) {
	err = e.store.View(ctx, func(r Reader) (err error) {
		all, err = checkpoints(r)
		return err
	})
	return all, asError(err)
}
