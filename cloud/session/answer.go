package session

import (
	"context"

	"mfabridge/cloud"
	"mfabridge/internal/secret"
)

// Answer implements [cloud.Verifier].
func (v *Verifier) Answer(ctx context.Context, a cloud.Answer) (cloud.Decision, error) {
	if len(a.Key) > cloud.MaxIdempotencyKey {
		return cloud.Decision{}, refuse(cloud.Invalid, "the key of the answer is too long")
	}
	c := v.find(a.Challenge)
	if c == nil {
		return cloud.Decision{}, refuse(cloud.NotFound, "there is no such challenge")
	}
	c.turn.Lock() // one answer at a time: the next one finds the verdict
	defer c.turn.Unlock()
	if d, over := v.before(c, &a); over {
		return d, nil
	}
	if a.Code.IsZero() {
		return v.record(c, &a, Turn{State: cloud.Pending, Reason: cloud.WrongCode}), nil
	}
	v.mu.Lock()
	held := c.again > 0
	v.mu.Unlock()
	if held { // typed where nothing is typed
		return v.record(c, &a, Turn{State: cloud.Pending, Reason: cloud.WrongCode}), nil
	}
	turn, err := v.guess(ctx, c, c.handle, a.Code)
	if err != nil {
		return cloud.Decision{}, err
	}
	return v.record(c, &a, turn), nil
}

// guess has the service judge a code, unless too many were wrong.
func (v *Verifier) guess(ctx context.Context, c *challenge, handle any, code secret.Bytes) (Turn, error) {
	done, ok := v.brake.Try(c.user, c.client, c.proven)
	if !ok {
		return Turn{State: cloud.Refused, Reason: cloud.TooManyTries}, nil
	}
	outcome := Unknown // also if the service panics
	defer func() { done(outcome) }()
	turn, err := v.o.Service.Code(ctx, handle, code)
	switch {
	case err != nil:
	case turn.State == cloud.Approved:
		outcome = Passed
	default:
		outcome = Failed
	}
	return turn, err
}

func (v *Verifier) find(id cloud.ChallengeID) *challenge {
	v.mu.Lock()
	defer v.mu.Unlock()
	c := v.byID[id]
	if c == nil {
		return nil
	}
	select {
	case <-c.begun:
		return c
	default:
		return nil // its id is not known to anybody yet
	}
}

// before is the decision where the service need not be asked.
func (v *Verifier) before(c *challenge, a *cloud.Answer) (cloud.Decision, bool) {
	v.mu.Lock()
	defer v.mu.Unlock()
	now := v.o.Now()
	if r, there := c.answers[a.Key]; there && a.Key != "" && within(now, r.at, cloud.RepeatWindow) {
		d := r.decision
		d.Repeated = true
		return d, true
	}
	v.expire(c, now)
	d := c.decision()
	switch c.state {
	case cloud.Pending:
		return d, false
	case cloud.Expired:
		return d, true
	}
	d.State, d.Reason, d.Repeated = cloud.Refused, cloud.RepeatRefused, true
	return d, true
}

// record keeps what came of a code.
func (v *Verifier) record(c *challenge, a *cloud.Answer, turn Turn) cloud.Decision {
	v.mu.Lock()
	defer v.mu.Unlock()
	now := v.o.Now()
	if turn.Handle != nil {
		c.handle = turn.Handle
	}
	if c.state != cloud.Pending { // its time ran out meanwhile
		return c.decision()
	}
	d := cloud.Decision{}
	switch {
	case turn.State != cloud.Pending:
		v.decide(c, turn.State, turn.Reason, now)
		d = c.decision()
	case c.tries <= 1:
		v.decide(c, cloud.Refused, turn.Reason, now)
		d = c.decision()
	default:
		c.tries--
		d = c.decision()
		d.Reason = turn.Reason
	}
	if a.Key != "" {
		c.answers[a.Key] = recorded{d, now}
	}
	return d
}

// Look implements [cloud.Verifier]. What a person may have answered by now is
// asked for.
func (v *Verifier) Look(ctx context.Context, ids []cloud.ChallengeID) ([]cloud.Decision, error) {
	all := make([]cloud.Decision, len(ids))
	for i, id := range ids {
		all[i] = cloud.Decision{Challenge: id, State: cloud.Expired}
		c := v.find(id)
		if c == nil {
			continue
		}
		if err := v.refresh(ctx, c); err != nil {
			return nil, err
		}
		v.mu.Lock()
		v.expire(c, v.o.Now())
		all[i] = c.decision()
		v.mu.Unlock()
	}
	return all, nil
}

// refresh asks the service where a push or call stands.
func (v *Verifier) refresh(ctx context.Context, c *challenge) error {
	c.turn.Lock()
	defer c.turn.Unlock()
	v.mu.Lock()
	v.expire(c, v.o.Now())
	asks := c.state == cloud.Pending && c.again > 0
	v.mu.Unlock()
	if !asks {
		return nil
	}
	turn, err := v.o.Service.Look(ctx, c.handle)
	if err != nil {
		return err
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	if c.state != cloud.Pending {
		return nil
	}
	if turn.Handle != nil {
		c.handle = turn.Handle
	}
	if turn.State != cloud.Pending {
		v.decide(c, turn.State, turn.Reason, v.o.Now())
	}
	return nil
}
