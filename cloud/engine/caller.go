package engine

import (
	"context"
	"iter"
	"time"

	"mfabridge/cloud"
	"mfabridge/internal/secret"
)

// Caller is the engine as one application sees it that calls over the
// network: what it writes stands in the audit under its name, and of all
// challenges it sees those only that it began. The others do not exist for it,
// in keys and streams too.
type Caller struct {
	e   *Engine
	app string
}

var (
	_ cloud.Directory   = (*Caller)(nil)
	_ cloud.Locker      = (*Caller)(nil)
	_ cloud.GroupReader = (*Caller)(nil)
	_ cloud.Preflighter = (*Caller)(nil)
	_ cloud.Verifier    = (*Caller)(nil)
	_ cloud.CodeMatcher = (*Caller)(nil)
	_ cloud.Noticeboard = (*Caller)(nil)
	_ cloud.Passwords   = (*Caller)(nil)
)

// As is the engine for the application of that name. Who calls must have been
// proven before; see [Engine.Standing].
func (e *Engine) As(app string) *Caller { return &Caller{e: e, app: app} }

// Capabilities implements [cloud.DirectoryReader].
func (c *Caller) Capabilities(ctx context.Context) (cloud.Capabilities, error) {
	return c.e.Capabilities(ctx)
}

// Find implements [cloud.DirectoryReader].
func (c *Caller) Find(ctx context.Context, keys []cloud.Key) ([][]cloud.UserID, error) {
	return c.e.Find(ctx, keys)
}

// Read implements [cloud.DirectoryReader].
func (c *Caller) Read(ctx context.Context, ids []cloud.UserID) ([]cloud.User, error) {
	return c.e.Read(ctx, ids)
}

// Write implements [cloud.Directory].
func (c *Caller) Write(ctx context.Context, changes []cloud.Change) []cloud.Result {
	return c.e.write(ctx, c.app, changes)
}

// Lock implements [cloud.Locker].
func (c *Caller) Lock(ctx context.Context, holder string) (func() error, error) {
	return c.e.Lock(ctx, holder)
}

// Members implements [cloud.GroupReader].
func (c *Caller) Members(ctx context.Context, group string) iter.Seq2[cloud.UserID, error] {
	return c.e.Members(ctx, group)
}

// Preflight implements [cloud.Preflighter].
func (c *Caller) Preflight(ctx context.Context) ([]cloud.Check, error) { return c.e.Preflight(ctx) }

// Begin implements [cloud.Verifier].
func (c *Caller) Begin(ctx context.Context, r cloud.Request) (cloud.Challenge, error) {
	return c.e.begin(ctx, c.app, r)
}

// Answer implements [cloud.Verifier].
func (c *Caller) Answer(ctx context.Context, a cloud.Answer) (cloud.Decision, error) {
	return c.e.answerFor(ctx, c.app, a)
}

// Look implements [cloud.Verifier].
func (c *Caller) Look(ctx context.Context, ids []cloud.ChallengeID) ([]cloud.Decision, error) {
	return c.e.look(ctx, c.app, ids)
}

// Decisions implements [cloud.Verifier].
func (c *Caller) Decisions(ctx context.Context) iter.Seq2[cloud.Decision, error] {
	verdicts := c.e.Verdicts(ctx)
	return func(yield func(cloud.Decision, error) bool) {
		for v, err := range verdicts {
			if (err != nil || v.Owner == c.app) && !yield(v.Decision, err) {
				return
			}
		}
	}
}

// MatchCode implements [cloud.CodeMatcher].
func (c *Caller) MatchCode(ctx context.Context, subject cloud.Key, code secret.Bytes, client cloud.Client) (bool, error) {
	return c.e.matchFor(ctx, c.app, subject, code, client)
}

// Note implements [cloud.Noticeboard].
func (c *Caller) Note(ctx context.Context, key string, life time.Duration) error {
	return c.e.note(ctx, c.app, key, life)
}

// Noted implements [cloud.Noticeboard].
func (c *Caller) Noted(ctx context.Context, key string) (bool, error) {
	return c.e.noted(ctx, c.app, key)
}

// Claim implements [cloud.Noticeboard].
func (c *Caller) Claim(ctx context.Context, key string, life time.Duration) (bool, error) {
	return c.e.claim(ctx, c.app, key, life)
}

// Withdraw implements [cloud.Noticeboard].
func (c *Caller) Withdraw(ctx context.Context, key string) error {
	return c.e.withdraw(ctx, c.app, key)
}

// CheckPassword implements [cloud.Passwords].
func (c *Caller) CheckPassword(ctx context.Context, subject cloud.Key, password secret.Bytes, client cloud.Client) (cloud.Proof, error) {
	return c.e.CheckPassword(ctx, subject, password, client)
}

// CheckPasswordBy is [Engine.CheckPasswordBy].
func (c *Caller) CheckPasswordBy(ctx context.Context, primary string, subject cloud.Key, password secret.Bytes, client cloud.Client) (cloud.Proof, error) {
	return c.e.CheckPasswordBy(ctx, primary, subject, password, client)
}

// BeginNumber is [Engine.BeginNumber] for this application.
func (c *Caller) BeginNumber(ctx context.Context, number string, client cloud.Client) (NumberAsked, error) {
	return c.e.BeginNumber(ctx, c.app, number, client)
}

// AnswerNumber is [Engine.AnswerNumber] for this application.
func (c *Caller) AnswerNumber(ctx context.Context, a cloud.Answer, client cloud.Client) (cloud.Proof, error) {
	return c.e.AnswerNumber(ctx, c.app, a, client)
}

// Verdict is a decision and the application that began its challenge.
type Verdict struct {
	Owner string // empty: this process itself
	cloud.Decision
}

// ownedKey is the name under which a repeatable request of a caller is kept,
// so that one caller never meets the keys of another. Names of applications
// hold no control characters.
func ownedKey(owner, key string) string {
	if owner == "" || key == "" {
		return key
	}
	return owner + "\x1f" + key
}
