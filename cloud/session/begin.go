package session

import (
	"context"
	"slices"
	"strings"

	"mfabridge/cloud"
	"mfabridge/internal/secret"
)

// Begin implements [cloud.Verifier].
func (v *Verifier) Begin(ctx context.Context, r cloud.Request) (cloud.Challenge, error) {
	if len(r.Context) > cloud.MaxContext || len(r.Key) > cloud.MaxIdempotencyKey || r.Tries < 1 {
		return cloud.Challenge{}, refuse(cloud.Invalid, "the request is beyond a limit")
	}
	user, upn, err := v.o.Who(ctx, r.Subject)
	if err != nil {
		return cloud.Challenge{}, err
	}
	c, mine, err := v.join(user, &r)
	if err != nil {
		return cloud.Challenge{}, err
	}
	if !mine {
		select {
		case <-c.begun:
		case <-ctx.Done():
			return cloud.Challenge{}, ctx.Err()
		}
		v.mu.Lock()
		defer v.mu.Unlock()
		again := c.show()
		again.Repeated = true
		return again, c.err
	}
	err = v.start(ctx, c, upn, &r)
	v.mu.Lock()
	defer v.mu.Unlock()
	if c.err = err; err != nil {
		v.forget(c)
	}
	close(c.begun)
	return c.show(), err
}

// join returns the challenge that an equal request began, or a new one.
func (v *Verifier) join(user cloud.UserID, r *cloud.Request) (c *challenge, mine bool, err error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	now := v.o.Now()
	key := ""
	if r.Key != "" {
		key = string(user) + "\x00" + r.Key
		if c := v.byKey[key]; c != nil && v.repeats(c) {
			return c, false, nil
		}
	}
	if len(v.byID) >= v.o.Open {
		return nil, false, refuse(cloud.Throttled, "too many challenges are open")
	}
	c = &challenge{id: newID(), user: user, key: key, context: slices.Clone(r.Context), client: r.Client, proven: r.Subject.Kind != cloud.ByName, begun: make(chan struct{}),
		state: cloud.Pending, tries: r.Tries, answers: map[string]recorded{}, index: -1}
	c.expires = now.Add(maxLife)
	v.byID[c.id] = c
	if key != "" {
		v.byKey[key] = c
	}
	return c, true, nil
}

// repeats tells whether an equal request is the same login.
func (v *Verifier) repeats(c *challenge) bool {
	now := v.o.Now()
	select {
	case <-c.begun:
	default:
		return true
	}
	v.expire(c, now)
	window := cloud.RepeatWindow
	if isHeld(c.method) {
		window = cloud.JoinWindow
	}
	if c.state == cloud.Expired && v.away(c) != nil {
		return false // nobody was asked, or nobody was heard: it begins anew
	}
	if c.state == cloud.Pending {
		return now.Before(c.expires) && !now.Before(c.expires.Add(-maxLife))
	}
	return within(now, c.decided, window)
}

// isHeld tells whether a person answers elsewhere.
func isHeld(m cloud.Preference) bool { return m == cloud.Push || strings.HasPrefix(string(m), "voice") }

// start asks the service.
func (v *Verifier) start(ctx context.Context, c *challenge, upn string, r *cloud.Request) error {
	c.turn.Lock()
	defer c.turn.Unlock()
	ask := Ask{UPN: upn, Method: r.Method, Client: r.Client, ShowsNumber: r.ShowsNumber, WithCode: !r.Code.IsZero(), Changed: func() { v.changed(c) }}
	one, wary := v.bother(c.user, &ask)
	turn, err := Turn{State: cloud.Refused, Reason: cloud.TooManyTries, Method: r.Method}, error(nil)
	if one != nil || !wary {
		turn, err = v.ask(ctx, c, ask, r.Code)
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	if err != nil || !isHeld(turn.Method) && turn.Again == 0 || turn.State == cloud.Approved {
		v.bothers.end(one)
	} else if c.bother = one; one == nil && turn.State == cloud.Pending {
		turn.State, turn.Reason = cloud.Refused, cloud.TooManyTries // pressed, though a code was wished for
	}
	if err != nil {
		return err
	}
	v.open(c, turn, r)
	return nil
}

// bother counts what may become a push or call. Where there were too many of
// them, a code is asked for; wary and none: nothing is.
func (v *Verifier) bother(user cloud.UserID, ask *Ask) (one *bother, wary bool) {
	code := ask.WithCode || ask.Method != "" && !isHeld(ask.Method)
	if v.o.CodesOnly || code && !v.o.Loud {
		return nil, false
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	one, ok := v.bothers.begin(user, v.o.Now())
	if !ok && ask.Method == "" && !v.o.Loud {
		ask.Method = cloud.OATHCode
		return nil, false
	}
	return one, true
}

// ask begins at the service. A code that came with the request is all that is
// to decide: who is let in or asked elsewhere without it is refused.
func (v *Verifier) ask(ctx context.Context, c *challenge, a Ask, code secret.Bytes) (Turn, error) {
	if a.WithCode && v.brake.Shut(c.user, c.client, c.proven) {
		return Turn{State: cloud.Refused, Reason: cloud.TooManyTries, Method: a.Method}, nil
	}
	turn, err := v.o.Service.Begin(ctx, a)
	if err != nil || !a.WithCode {
		return turn, err
	}
	switch {
	case turn.State == cloud.Approved, turn.State == cloud.Pending && (turn.Again > 0 || isHeld(turn.Method)):
		turn.State, turn.Reason = cloud.Refused, cloud.NoMethod
	case turn.State == cloud.Pending:
		return v.code(ctx, c, turn, code)
	}
	return turn, nil
}

// code answers at once; a code that is not taken ends a challenge that was
// begun with it.
func (v *Verifier) code(ctx context.Context, c *challenge, begun Turn, code secret.Bytes) (Turn, error) {
	turn, err := v.guess(ctx, c, begun.Handle, code)
	if turn.Method == "" {
		turn.Method = begun.Method
	}
	if turn.State == cloud.Pending {
		turn.State = cloud.Refused
	}
	return turn, err
}

// open takes over what the service said.
func (v *Verifier) open(c *challenge, turn Turn, r *cloud.Request) {
	now := v.o.Now()
	c.handle, c.method, c.prompt, c.number = turn.Handle, turn.Method, turn.Prompt, turn.Number
	life := turn.Life
	if life <= 0 || life > maxLife {
		life = maxLife
	}
	c.expires = now.Add(life)
	if turn.State != cloud.Pending {
		v.decide(c, turn.State, turn.Reason, now)
		return
	}
	if c.again = turn.Again; c.again == 0 {
		v.enqueue(c, c.expires)
		return
	}
	// One push a login: the one before is not looked at any more.
	c.login = string(c.user) + "\x00" + r.Client.App + "\x00" + r.Client.Station
	if before := v.pushes[c.login]; before != nil {
		v.decide(before, cloud.Expired, cloud.TimedOut, now)
	}
	v.pushes[c.login] = c
	v.enqueue(c, now.Add(c.again))
}
