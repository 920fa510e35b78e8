package engine

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"mfabridge/cloud"
	"mfabridge/cloud/engine/audit"
	"mfabridge/cloud/engine/tries"
	"mfabridge/cloud/oath"
	"mfabridge/internal/numeral"
	"mfabridge/internal/secret"
)

// Answer implements [cloud.Verifier].
func (e *Engine) Answer(ctx context.Context, a cloud.Answer) (cloud.Decision, error) {
	return e.answerFor(ctx, "", a)
}

// answerFor is Answer for an application; empty: for this process.
func (e *Engine) answerFor(ctx context.Context, owner string, a cloud.Answer) (cloud.Decision, error) {
	g := answering{e: e, owner: owner, a: a}
	if err := g.check(); err != nil {
		return cloud.Decision{}, err
	}
	if err := e.store.Update(ctx, g.run); err != nil {
		return cloud.Decision{}, asError(err)
	}
	return g.done(), nil
}

// answering is one Answer.
type answering struct {
	e     *Engine
	owner string // who calls
	a     cloud.Answer

	d       cloud.Decision
	decided bool
	began   string // who began the challenge
}

func (g *answering) check() error {
	if len(g.a.Key) > cloud.MaxIdempotencyKey {
		return refuse(cloud.Invalid, fmt.Sprintf("an idempotency key must be at most %d bytes", cloud.MaxIdempotencyKey))
	}
	return nil
}

// run is its transaction.
func (g *answering) run(tx Tx) error {
	c, err := tx.Challenge(g.a.Challenge)
	if err != nil {
		return err
	}
	if c == nil || !c.isFor(g.owner) {
		return refuse(cloud.NotFound, "there is no such challenge")
	}
	g.began = c.Owner
	g.d, g.decided, err = g.e.answer(tx, c, g.a, g.e.now())
	return err
}

// done does what is left to do once it is durable.
func (g *answering) done() cloud.Decision {
	if g.decided {
		g.e.publish(Verdict{g.began, g.d})
	}
	return g.d
}

// isFor tells whether a challenge is there for an application; empty: for this
// process, which sees all second factors. A first factor is there for who began
// it alone.
func (c *Challenge) isFor(owner string) bool {
	return c.Owner == owner || owner == "" && !strings.HasPrefix(c.Owner, ownerNumber)
}

// answer is one Answer inside its transaction; decided: a verdict was reached.
func (e *Engine) answer(tx Tx, c *Challenge, a cloud.Answer, now time.Time) (d cloud.Decision, decided bool, err error) {
	if a.Key != "" && c.wasAnswered() {
		old, err := tx.Attempt(c.ID, a.Key)
		if err != nil {
			return d, false, err
		}
		if old != nil && isRepeat(old.At, now) {
			d, err = e.repeat(tx, old.decision(c), now)
			return d, false, err
		}
	}
	if c.State != cloud.Pending {
		d = c.decision(false)
		d.State, d.Reason = cloud.Refused, cloud.RepeatRefused
		return d, false, nil
	}
	if isPressed(c.Method) && now.Before(c.Expires) { // it is answered on the telephone: nothing that is typed here tells of it
		d = c.decision(false)
		d.Reason = cloud.WrongCode
		return d, false, nil
	}
	if decided, err = e.check(tx, c, a.Code, now); err != nil {
		return d, false, err
	}
	if err := tx.PutChallenge(c); err != nil {
		return d, false, err
	}
	if a.Key != "" {
		err = tx.PutAttempt(&Attempt{Challenge: c.ID, Key: a.Key, State: c.State, Reason: c.Reason, Tries: c.Tries, At: now})
	}
	return c.decision(false), decided, err
}

// wasAnswered tells whether there may be an attempt at the challenge: each one
// leaves a verdict, or a reason that it was none.
func (c *Challenge) wasAnswered() bool { return c.State != cloud.Pending || c.Reason != "" }

// repeat gives a recorded decision once more, unless it was an approval and
// the user may not verify any more.
func (e *Engine) repeat(r Reader, d cloud.Decision, now time.Time) (cloud.Decision, error) {
	if d.State != cloud.Approved {
		return d, nil
	}
	return e.unlessShutOut(r, d, now)
}

// unlessShutOut is a decision, or the refusal of a user who may not verify any
// more. It is of this answer: what is recorded stays.
func (e *Engine) unlessShutOut(r Reader, d cloud.Decision, now time.Time) (cloud.Decision, error) {
	reason, err := e.mayStill(r, d.User, d.Method, now)
	if err != nil {
		return cloud.Decision{}, err
	}
	if reason != "" {
		d.State, d.Reason, d.TriesLeft = cloud.Refused, reason, 0
	}
	return d, nil
}

// check answers a pending challenge: the user and the policy are looked at
// again, so that a block between question and answer counts.
func (e *Engine) check(tx Tx, c *Challenge, code secret.Bytes, now time.Time) (decided bool, err error) {
	u, err := tx.User(c.User)
	if err != nil {
		return false, err
	}
	over, err := e.outlived(c, u, now)
	if err != nil {
		return false, err
	}
	if over {
		c.conclude(cloud.Expired, cloud.TimedOut, now)
		return true, e.auditVerdict(tx, c, now)
	}
	var tokens []Token
	if c.Method == cloud.OATHCode {
		if tokens, err = e.usableTokens(tx, c.User); err != nil {
			return false, err
		}
	}
	may, err := e.allowed(tx, c.User)
	if err != nil {
		return false, err
	}
	reason := still(u, c.Method, tokens, may, now)
	g, err := e.tries.Gate(tx, ofCode(c), now)
	if err != nil {
		return false, err
	}
	if reason == "" && g.Shut && !isCoded(c.Method) { // what was sent has tries of its own
		reason = cloud.TooManyTries
	}
	if reason != "" {
		c.conclude(cloud.Refused, reason, now)
		return true, e.auditVerdict(tx, c, now)
	}
	return e.judge(tx, c, u, may.tokens(tokens), g, code, now)
}

// judge checks a code for a pending challenge and changes the challenge, the
// generators, the counters and the audit by it. The caller stores the challenge.
func (e *Engine) judge(tx Tx, c *Challenge, u *User, tokens []Token, g tries.Gate, code secret.Bytes, now time.Time) (decided bool, err error) {
	typed := cleanCode(code.Reveal())
	defer clear(typed)
	reason := cloud.WrongCode
	if c.Method == cloud.OATHCode {
		reason, err = e.checkTokens(tx, tokens, typed, now)
	} else if e.isSent(c, u, typed) {
		reason = ""
	}
	if err != nil {
		return false, err
	}
	if reason == "" {
		c.conclude(cloud.Approved, "", now)
		if err := g.Count(tx, true, now); err != nil {
			return false, err
		}
		return true, e.auditVerdict(tx, c, now)
	}
	if err := g.Count(tx, false, now); err != nil {
		return false, err
	}
	if reason, err = e.whyWrong(u, reason, typed, now); err != nil {
		return false, err
	}
	c.Reason = reason
	if c.Tries--; c.Tries <= 0 {
		c.conclude(cloud.Refused, reason, now)
	}
	return c.State != cloud.Pending, e.auditVerdict(tx, c, now)
}

// cleanCode drops the spaces that people type between groups of digits, and
// reads the digits of every script.
func cleanCode(typed []byte) []byte {
	return []byte(strings.Map(func(r rune) rune {
		if r == ' ' {
			return -1
		}
		return numeral.Plain(r)
	}, string(typed)))
}

// whyWrong tells a temporary access pass from a wrong code: it is right, and
// does not count here. Callers of the verifier answer for RADIUS, where a pass
// would be a second factor that anybody can read over a shoulder.
func (e *Engine) whyWrong(u *User, reason cloud.Reason, typed []byte, now time.Time) (cloud.Reason, error) {
	a, err := readAside(u)
	if err != nil || len(a.Passes) == 0 {
		return reason, err
	}
	if e.findPass(u.ID, a.Passes, typed, now) >= 0 {
		return cloud.NotAllowed, nil
	}
	return reason, nil
}

// checkTokens tries a code on all generators of the user. The first that
// takes it has used it; else the answer that says most is returned.
func (e *Engine) checkTokens(tx Tx, tokens []Token, typed []byte, now time.Time) (cloud.Reason, error) {
	clocks := make([]oath.Clock, len(tokens))
	worst := cloud.WrongCode
	for i := range tokens {
		t := &tokens[i]
		clock, reason, err := e.checkToken(t, typed, now)
		if err != nil {
			return "", err
		}
		if reason == "" {
			return "", use(tx, tokens, i, clock)
		}
		clocks[i] = clock
		if reason == cloud.UsedCode || reason == cloud.NeedNextCode && worst == cloud.WrongCode {
			worst = reason
		}
	}
	if worst != cloud.NeedNextCode {
		return worst, nil
	}
	for i := range tokens {
		if clocks[i] != tokens[i].Clock {
			if err := tx.SetClock(tokens[i].User, tokens[i].ID, clocks[i]); err != nil {
				return "", err
			}
		}
	}
	return worst, nil
}

// use records that generator i took a code. What else the user has with the
// same secret, an app and a token say, has used that code with it.
func use(tx Tx, tokens []Token, i int, clock oath.Clock) error {
	errs := []error{tx.SetClock(tokens[i].User, tokens[i].ID, clock)}
	for k := range tokens {
		t := &tokens[k]
		if k != i && t.Fingerprint == tokens[i].Fingerprint && t.Period == tokens[i].Period && t.Last < clock.Last {
			t.Last = clock.Last
			errs = append(errs, tx.SetClock(t.User, t.ID, t.Clock))
		}
	}
	return errors.Join(errs...)
}

func (e *Engine) checkToken(t *Token, typed []byte, now time.Time) (oath.Clock, cloud.Reason, error) {
	g, err := e.generator(t)
	if err != nil {
		return t.Clock, "", err
	}
	return g.Check(typed, t.Clock, now)
}

// generator opens the secret of a token for one question.
func (e *Engine) generator(t *Token) (oath.Generator, error) {
	key, err := e.key.Open(t.Sealed, tokenBinding(t))
	if err != nil {
		return oath.Generator{}, fmt.Errorf("generator %s: %w", t.ID, err)
	}
	defer key.Wipe()
	return oath.New(key.Reveal(), &t.OATH)
}

// Look implements [cloud.Verifier].
func (e *Engine) Look(ctx context.Context, ids []cloud.ChallengeID) ([]cloud.Decision, error) {
	return e.look(ctx, "", ids)
}

func (e *Engine) look(ctx context.Context, owner string, ids []cloud.ChallengeID) ([]cloud.Decision, error) {
	if len(ids) > batch {
		return nil, refuse(cloud.Invalid, fmt.Sprintf("at most %d challenges can be looked at at once", batch))
	}
	var ds []cloud.Decision
	err := e.store.View(ctx, func(r Reader) error {
		ds = make([]cloud.Decision, len(ids))
		now := e.now()
		for i, id := range ids {
			c, err := r.Challenge(id)
			switch {
			case err != nil:
				return err
			case c == nil || !c.isFor(owner):
				ds[i] = cloud.Decision{Challenge: id, State: cloud.Expired, Reason: cloud.TimedOut}
				continue
			case c.State == cloud.Pending && !now.Before(c.Expires):
				c.State, c.Reason = cloud.Expired, cloud.TimedOut
			}
			ds[i] = c.decision(c.State != cloud.Pending)
			if c.State != cloud.Approved && c.State != cloud.Pending {
				continue
			}
			if ds[i], err = e.unlessShutOut(r, ds[i], now); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return nil, asError(err)
	}
	return ds, nil
}

// conclude gives the challenge its verdict. A sent code is gone with it.
func (c *Challenge) conclude(s cloud.State, reason cloud.Reason, now time.Time) {
	c.State, c.Reason, c.Decided = s, reason, now
}

// asSeen is a challenge as its caller sees it.
func (e *Engine) asSeen(c *Challenge) cloud.Challenge {
	s := cloud.Challenge{ID: c.ID, User: c.User, State: c.State, Reason: c.Reason, Method: c.Method,
		Prompt: c.Prompt, Bypassed: c.Bypassed && c.State == cloud.Approved, ExpiresAt: c.Expires}
	if c.Method == cloud.Push && c.Sent != nil && c.State == cloud.Pending {
		s.Number = e.number(c.ID)
	}
	return s
}

func (c *Challenge) decision(repeated bool) cloud.Decision {
	d := cloud.Decision{Challenge: c.ID, User: c.User, State: c.State, Reason: c.Reason, Method: c.Method,
		Context: c.Context, Repeated: repeated}
	if c.State == cloud.Pending {
		d.TriesLeft = c.Tries
	} else {
		d.At = c.Decided
	}
	return d
}

// decision is the answer that was given to this attempt.
func (a *Attempt) decision(c *Challenge) cloud.Decision {
	d := c.decision(true)
	d.State, d.Reason, d.TriesLeft = a.State, a.Reason, 0
	if a.State == cloud.Pending {
		d.TriesLeft = a.Tries
	}
	return d
}

// auditVerdict records a verdict, or an attempt that left the challenge open.
func (e *Engine) auditVerdict(tx Tx, c *Challenge, now time.Time) error {
	b := make([]byte, 0, 160)
	b = append(b, "challenge="...)
	b = append(b, c.ID...)
	b = append(b, " method="...)
	b = append(b, c.Method...)
	if c.Bypassed {
		b = append(b, " bypassed"...)
	}
	if c.Reason != "" {
		b = append(b, " reason="...)
		b = append(b, c.Reason...)
	}
	b = append(b, " app="...)
	b = strconv.AppendQuote(b, c.App)
	if c.Owner != "" {
		b = append(b, " caller="...)
		b = strconv.AppendQuote(b, c.Owner)
	}
	b = append(b, " from="...)
	b = strconv.AppendQuote(b, c.Place)
	return tx.Append(audit.Entry{Time: now, Node: e.node, Actor: c.App, Action: "verify." + string(c.State), Subject: string(c.User), Detail: string(b)})
}
