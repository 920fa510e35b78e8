package shim

import (
	"context"
	"errors"
	"time"

	"mfabridge/cloud"
	"mfabridge/shim/radius"
)

// byClient is the by of a login at a client whose second factor an
// administrator has put aside for a while.
const byClient by = "client_bypass"

// bypassPatience is how long the engine is asked about a user who needs no
// second factor from it: it may be what the bypass is for.
const bypassPatience = 3 * time.Second

// Bypasses says at which clients no second factor is asked for just now;
// *bypass.Book is one.
type Bypasses interface {
	// Of returns until when; not ok: it is asked for.
	Of(client string) (until time.Time, ok bool)
}

// bypass tells until when a client's logins need no second factor. Where the
// first is not checked here there would be none at all, so that no bypass
// counts.
func (l *logins) bypass(c *client) (until time.Time, ok bool) {
	if l.bypasses == nil || c == nil || c.primary == nil {
		return time.Time{}, false
	}
	return l.bypasses.Of(c.Name)
}

// bypassed lets in who has proven a first factor at a client whose second an
// administrator has put aside. The engine is asked all the same whether the
// user may still verify, by beginning a challenge for a code, which sends
// nothing and is left alone: a user who is blocked, disabled or unknown there
// is none of those whom it spares. Only an engine that cannot be reached says
// nothing about that, and then the first factor decides.
func (l *logins) bypassed(ctx context.Context, a attempt, proof Proof, key string) (v verdict, ok bool) {
	if _, ok := l.bypass(a.client); !ok || !proof.OK {
		return verdict{}, false
	}
	if l.loud {
		v = verdict{code: radius.AccessAccept, by: byClient}
		v.grant(proof)
		return v, true
	}
	limit, cancel := context.WithTimeout(ctx, bypassPatience)
	defer cancel()
	c, err := l.begin(limit, proof, cloud.Request{Client: a.asker(), Method: cloud.OATHCode, Tries: 1, Key: l.keys().name("client bypass", key)})
	v = verdict{code: radius.AccessAccept, by: byClient, method: c.Method, challenge: c.ID}
	v.grant(proof)
	switch {
	case cloud.KindOf(err) == cloud.Unavailable, errors.Is(err, context.DeadlineExceeded) && ctx.Err() == nil:
		v.cause = err
		return v, true
	case err != nil || !mayVerify(c):
		return verdict{}, false
	}
	return v, true
}
