package oauth

import (
	"context"
	"crypto/sha256"
	"strconv"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"

	"mfabridge/cloud"
	"mfabridge/cloud/engine"
	"mfabridge/cloud/engine/http/serve"
)

// typeToken is the type in the header of an access token (RFC 9068 §2.1).
const typeToken = "at+jwt"

// slack is how far clocks of two nodes may be apart.
const slack = 10 * time.Second

// maxProven bounds the signatures that are remembered.
const maxProven = 4096

// claims are what a token says.
type claims struct {
	jwt.Claims
	ClientID string      `json:"client_id"`
	Role     engine.Role `json:"role"`
	Target   string      `json:"target"` // instance of the engine
	Since    string      `json:"since"`  // when the application was registered, in nanoseconds
}

// proof is a token whose signature was right, and the key that made it.
type proof struct {
	claims claims
	kid    string
}

// audience is what tokens of this engine are for.
func (f *Face) audience() string { return "urn:mfabridge:engine:" + f.core.Instance() }

func since(a *engine.App) string { return strconv.FormatInt(a.Created.UnixNano(), 10) }

// Authenticate implements [serve.Authenticator].
func (f *Face) Authenticate(ctx context.Context, token string) (serve.Caller, error) {
	sum := sha256.Sum256([]byte(token))
	p, known := f.remembered(sum)
	var parsed *jwt.JSONWebToken
	if !known {
		var err error
		if parsed, err = jwt.ParseSigned(token, []jose.SignatureAlgorithm{jose.ES256}); err != nil {
			return serve.Caller{}, denied("the token is not one of this engine")
		}
		if p, err = unproven(parsed); err != nil {
			return serve.Caller{}, err
		}
	}
	stand := f.standing
	if !known { // whose application may be any name
		stand = func(ctx context.Context, app string) (engine.Standing, error) {
			return f.core.Standing(ctx, app, keptKeys)
		}
	}
	s, err := stand(ctx, p.claims.Subject)
	if err != nil {
		return serve.Caller{}, err
	}
	ring, err := f.opened(s.Sealed)
	if err != nil {
		return serve.Caller{}, err
	}
	key := ring.find(p.kid)
	if key == nil {
		return serve.Caller{}, denied("the token is not one of this engine")
	}
	if !known {
		p.claims = claims{}
		if err := parsed.Claims(&key.private.PublicKey, &p.claims); err != nil {
			return serve.Caller{}, denied("the token is not one of this engine")
		}
	}
	if err := f.check(&p.claims, &s.App, f.now()); err != nil {
		return serve.Caller{}, err
	}
	if !known {
		f.remember(sum, p)
	}
	return serve.Caller{App: s.App.Name, Role: s.App.Role}, nil
}

// unproven is what a token says of itself: where to look for the key.
func unproven(parsed *jwt.JSONWebToken) (proof, error) {
	var p proof
	if len(parsed.Headers) != 1 || parsed.Headers[0].ExtraHeaders[jose.HeaderType] != typeToken {
		return p, denied("the token is not an access token")
	}
	p.kid = parsed.Headers[0].KeyID
	if err := parsed.UnsafeClaimsWithoutVerification(&p.claims); err != nil || p.kid == "" || p.claims.Subject == "" || len(p.claims.Subject) > 64 {
		return p, denied("the token is not one of this engine")
	}
	return p, nil
}

// check compares what a proven token says with what holds now.
func (f *Face) check(c *claims, app *engine.App, now time.Time) error {
	switch {
	case c.Issuer != f.issuer, len(c.Audience) != 1, c.Audience[0] != f.audience(), c.Target != f.core.Instance():
		return denied("the token is for another engine")
	case c.Expiry == nil, c.IssuedAt == nil, c.NotBefore == nil, c.Expiry.Time().Sub(c.IssuedAt.Time()) > MaxLife:
		return denied("the token has no end")
	case !now.Before(c.Expiry.Time()):
		return denied("the token has ended")
	case now.Before(c.NotBefore.Time().Add(-slack)):
		return denied("the token does not hold yet")
	case !app.Usable(now), c.ClientID != app.Name, c.Subject != app.Name, c.Role != app.Role, c.Since != since(app):
		return denied("the application may not call any more")
	}
	return nil
}

func (f *Face) remembered(sum [32]byte) (proof, bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	p, ok := f.proven[sum]
	return p, ok
}

func (f *Face) remember(sum [32]byte, p proof) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(f.proven) >= maxProven {
		clear(f.proven)
	}
	f.proven[sum] = p
}

func denied(message string) error { return &cloud.Error{Kind: cloud.Denied, Message: message} }

// sign makes a token for an application.
func (f *Face) sign(ctx context.Context, app *engine.App) (string, time.Duration, error) {
	ring, err := f.current(ctx)
	if err != nil {
		return "", 0, err
	}
	now := f.now()
	life := f.times.Load().life
	if !app.Until.IsZero() {
		life = min(life, app.Until.Sub(now))
	}
	signer, err := ring.signer(now).signing(typeToken)
	if err != nil {
		return "", 0, err
	}
	end := now.Add(life)
	token, err := jwt.Signed(signer).Claims(claims{Claims: jwt.Claims{Issuer: f.issuer, Subject: app.Name, Audience: jwt.Audience{f.audience()},
		Expiry: jwt.NewNumericDate(end), NotBefore: jwt.NewNumericDate(now), IssuedAt: jwt.NewNumericDate(now), ID: newID()},
		ClientID: app.Name, Role: app.Role, Target: f.core.Instance(), Since: since(app)}).Serialize()
	return token, life, err
}
