package engine

import (
	"context"
	"strings"

	"mfabridge/cloud"
	"mfabridge/cloud/engine/audit"
)

// followPage is how many entries of the audit are read at once.
const followPage = 500

// followOthers makes sure that verdicts of other processes on the store are
// published here, as long as somebody listens. They are read from the audit,
// where each stands in the order in which they were committed, so that none is
// missed whatever signals are lost.
func (e *Engine) followOthers(ctx context.Context) error {
	e.hub.starting.Lock()
	defer e.hub.starting.Unlock()
	if !e.hub.wantsFollower() {
		return nil
	}
	ctx, stop := context.WithCancel(context.WithoutCancel(ctx))
	signals, err := e.store.Watch(ctx)
	if err != nil {
		stop()
		return err
	}
	var last audit.Entry
	err = e.store.View(ctx, func(r Reader) (err error) {
		last, err = r.LastAudit()
		return err
	})
	if err != nil {
		stop()
		return err
	}
	if !e.hub.takeFollower(stop) {
		stop()
		return nil
	}
	go e.follow(ctx, signals, last.Seq)
	return nil
}

// follow publishes what comes after an entry of the audit.
func (e *Engine) follow(ctx context.Context, signals <-chan struct{}, after int64) {
	for range signals {
		for more := true; more && ctx.Err() == nil; {
			verdicts, read, err := e.verdictsAfter(ctx, after)
			if err != nil {
				if ctx.Err() == nil {
					e.log.WarnContext(ctx, "verdicts of other processes cannot be read", "err", err)
					e.hub.breakOff(asError(err))
				}
				return
			}
			for _, v := range verdicts {
				e.hub.publish(v)
				if v.Decision.Method == cloud.Push {
					e.bell.ring(v.Decision.User)
				}
			}
			after += read.passed
			more = read.count == followPage
		}
	}
	if ctx.Err() == nil { // the store was closed
		e.hub.breakOff(refuse(cloud.Unavailable, "the store is closed"))
	}
}

// pageRead says how far a page of the audit went.
type pageRead struct {
	count  int
	passed int64 // how much the number of the last entry is above the one asked for
}

// verdictsAfter are the verdicts that were recorded after an entry, as far as
// they were not published yet.
func (e *Engine) verdictsAfter(ctx context.Context, after int64) (verdicts []Verdict, read pageRead, err error) {
	err = e.store.View(ctx, func(r Reader) error {
		verdicts, read = nil, pageRead{}
		entries, err := r.Audit(after, followPage)
		if err != nil || len(entries) == 0 {
			return err
		}
		read = pageRead{len(entries), entries[len(entries)-1].Seq - after}
		for i := range entries {
			id := verdictOf(&entries[i])
			if id == "" || e.hub.was(id) {
				continue
			}
			c, err := r.Challenge(id)
			if err != nil {
				return err
			}
			if c != nil && c.State != cloud.Pending {
				verdicts = append(verdicts, Verdict{c.Owner, c.decision(false)})
			}
		}
		return nil
	})
	return verdicts, read, err
}

// verdictOf is the challenge on which an entry of the audit records the
// verdict; empty: it records something else. See auditVerdict.
func verdictOf(entry *audit.Entry) cloud.ChallengeID {
	state, ok := strings.CutPrefix(entry.Action, "verify.")
	if !ok || cloud.State(state) == cloud.Pending {
		return ""
	}
	text, ok := strings.CutPrefix(entry.Detail, "challenge=")
	if !ok {
		return ""
	}
	id, _, _ := strings.Cut(text, " ")
	return cloud.ChallengeID(id)
}
