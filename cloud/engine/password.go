package engine

import (
	"cmp"
	"context"
	"crypto/rand"
	"encoding/base64"
	"fmt"
	"net/netip"
	"runtime"
	"time"

	"github.com/alexedwards/argon2id"
	"golang.org/x/crypto/argon2"

	"mfabridge/cloud"
	"mfabridge/cloud/engine/tries"
	"mfabridge/cloud/form"
	"mfabridge/internal/secret"
	"mfabridge/internal/share"
)

// Lengths of a password in bytes.
const (
	minPassword = 8
	maxPassword = 512
)

// wayPassword is the Way of password failures.
const wayPassword = "password"

// HashCost is what argon2id takes for one hash, with 1 lane. The zero value is
// what the OWASP Password Storage Cheat Sheet asks for: 19 MiB in 2 passes.
// Stored hashes carry their own, so that it can grow.
type HashCost struct {
	Memory uint32 // KiB
	Passes uint32
}

// params are argon2id's.
func (c HashCost) params() *argon2id.Params {
	return &argon2id.Params{Memory: cmp.Or(c.Memory, 19<<10), Iterations: cmp.Or(c.Passes, 2), Parallelism: 1, SaltLength: 16, KeyLength: 32}
}

// passwords bounds how many hashes are computed at once, and how many callers
// may wait for that.
type passwords struct {
	params *argon2id.Params // of new hashes
	slots  chan struct{}
	queue  chan struct{}
	crowd  *share.Pool   // anybody from the public pages: who waits
	door   chan struct{} // and who of them is let in: at most half the slots
	dummy  string        // hash of nothing that anybody knows
}

func newPasswords(cost HashCost) passwords {
	n := runtime.GOMAXPROCS(0)
	p := cost.params()
	random := make([]byte, p.SaltLength+p.KeyLength)
	rand.Read(random)
	b64 := base64.RawStdEncoding
	dummy := fmt.Sprintf("$argon2id$v=%d$m=%d,t=%d,p=%d$%s$%s", argon2.Version, p.Memory, p.Iterations, p.Parallelism,
		b64.EncodeToString(random[:p.SaltLength]), b64.EncodeToString(random[p.SaltLength:]))
	return passwords{params: p, slots: make(chan struct{}, n), queue: make(chan struct{}, 64*n),
		crowd: share.New(16 * n), door: make(chan struct{}, max(1, n/2)), dummy: dummy}
}

// enterPublic waits until somebody from the public pages may ask for a slot:
// whoever floods those leaves programs their share, and whoever comes from
// another address theirs. leavePublic must follow a nil error.
func (p passwords) enterPublic(ctx context.Context, from netip.Addr) error {
	if err := p.enterCrowd(ctx, from); err != nil {
		return err
	}
	select {
	case p.door <- struct{}{}:
		return nil
	case <-ctx.Done():
		p.leaveCrowd(from)
		return &cloud.Error{Kind: cloud.Unavailable, Message: "the password was not checked", Err: ctx.Err()}
	}
}

func (p passwords) leavePublic(from netip.Addr) {
	<-p.door
	p.leaveCrowd(from)
}

// enterCrowd counts somebody from the public pages who needs no slot.
func (p passwords) enterCrowd(_ context.Context, from netip.Addr) error {
	if !p.crowd.Take(share.Single(from)) {
		return &cloud.Error{Kind: cloud.Throttled, Message: "too many passwords are being checked", RetryAfter: time.Second}
	}
	return nil
}

func (p passwords) leaveCrowd(from netip.Addr) { p.crowd.Leave(share.Single(from)) }

// enter waits for a slot. leave must follow a nil error.
func (p passwords) enter(ctx context.Context) error {
	select {
	case p.queue <- struct{}{}:
	default:
		return &cloud.Error{Kind: cloud.Throttled, Message: "too many passwords are being checked", RetryAfter: time.Second}
	}
	select {
	case p.slots <- struct{}{}:
		return nil
	case <-ctx.Done():
		<-p.queue
		return &cloud.Error{Kind: cloud.Unavailable, Message: "the password was not checked", Err: ctx.Err()}
	}
}

func (p passwords) leave() { <-p.slots; <-p.queue }

// hash waits for a slot and hashes a word that is kept.
func (p passwords) hash(ctx context.Context, word string) (string, error) {
	if err := p.enter(ctx); err != nil {
		return "", err
	}
	defer p.leave()
	hash, err := argon2id.CreateHash(word, p.params)
	if err != nil {
		return "", fmt.Errorf("it cannot be hashed: %w", err)
	}
	return hash, nil
}

// CheckPassword implements [cloud.Passwords]: by the primary that
// [Engine.SetPrimaries] chose, the engine itself unless it was told otherwise.
func (e *Engine) CheckPassword(ctx context.Context, subject cloud.Key, password secret.Bytes, client cloud.Client) (cloud.Proof, error) {
	return e.CheckPasswordBy(ctx, "", subject, password, client)
}

// CheckPasswordBy is CheckPassword by the primary of that name; Invalid: there
// is none. Of the engine's own passwords ([OwnPasswords]) a user who is not
// there, has no password, or typed a wrong one costs the same work and gets the
// same answer, limits included.
func (e *Engine) CheckPasswordBy(ctx context.Context, primary string, subject cloud.Key, password secret.Bytes, client cloud.Client) (cloud.Proof, error) {
	return e.checkFor(ctx, primary, asking{subject: subject, client: client}, password)
}

// asking is who is said to be whom.
type asking struct {
	subject cloud.Key
	client  cloud.Client
	public  bool // anybody may ask there: the time that an answer takes is to tell nothing, whatever it costs
}

// checkPublic is CheckPassword for somebody from the public pages, who waits as
// one of the crowd.
func (e *Engine) checkPublic(ctx context.Context, name string, c cloud.Client, password secret.Bytes) (cloud.Proof, error) {
	asked, err := e.primaries.Load().named("")
	if err != nil {
		return cloud.Proof{}, err
	}
	enter, leave := e.passwords.enterPublic, e.passwords.leavePublic
	if asked != nil { // it takes none of our memory, and may take its time
		enter, leave = e.passwords.enterCrowd, e.passwords.leaveCrowd
	}
	if err := enter(ctx, c.Address); err != nil {
		return cloud.Proof{}, err
	}
	defer leave(c.Address) // also where that panics, which ends one request
	return e.checkFor(ctx, "", asking{subject: cloud.Key{Kind: cloud.ByName, Value: name}, client: c, public: true}, password)
}

// checkFor is CheckPasswordBy for whoever asks.
func (e *Engine) checkFor(ctx context.Context, primary string, a asking, password secret.Bytes) (cloud.Proof, error) {
	asked, err := e.primaries.Load().named(primary)
	if err != nil {
		return cloud.Proof{}, err
	}
	if password.Len() > maxPassword || len(a.subject.Value) > 4*form.MaxName {
		return cloud.Proof{Reason: cloud.WrongPassword}, nil
	}
	a.client.Station, a.client.App = clean(a.client.Station, form.MaxName), clean(a.client.App, maxApp)
	if asked != nil {
		return e.askPrimary(ctx, asked, a.subject, password, a.client)
	}
	return e.checkOwn(ctx, a, password)
}

// checkOwn checks a password that the engine keeps.
func (e *Engine) checkOwn(ctx context.Context, a asking, password secret.Bytes) (cloud.Proof, error) {
	if err := e.passwords.enter(ctx); err != nil {
		return cloud.Proof{}, err
	}
	defer e.passwords.leave()
	hash, closed, told, err := e.passwordOf(ctx, a)
	if err != nil {
		return cloud.Proof{}, err
	}
	if closed && !told { // nothing was checked, and nothing is recorded: it would have no end
		return cloud.Proof{Reason: cloud.TooManyTries}, nil
	}
	matches, err := argon2id.ComparePasswordAndHash(string(password.Reveal()), hash)
	if err != nil {
		return cloud.Proof{}, refuse(cloud.Internal, "the stored password hash cannot be read")
	}
	if closed { // it was compared with nobody's, for the time that it takes
		e.takeAsLong(ctx)
		return cloud.Proof{Reason: cloud.TooManyTries}, nil
	}
	var proof cloud.Proof
	err = e.store.Update(ctx, func(tx Tx) (err error) {
		proof, err = e.provePassword(tx, a.subject, a.client, hash, matches && password.Len() > 0)
		return err
	})
	if err != nil {
		return cloud.Proof{}, asError(err)
	}
	return proof, nil
}

// passwordOf is the hash to compare with, the dummy one where there is none, or
// where nothing is checked (closed). told: an answer at once would tell that
// there is somebody, as a name that is nobody's may not be closed.
func (e *Engine) passwordOf(ctx context.Context, a asking) (hash string, closed, told bool, err error) {
	err = e.store.View(ctx, func(r Reader) error {
		u, err := lookUp(r, a.subject)
		if err != nil {
			return err
		}
		g, err := e.tries.Gate(r, ofPassword(u, a.subject, a.client), e.now())
		if err != nil {
			return err
		}
		if closed = g.Shut; closed {
			u = nil
			s, err := e.tries.Strangers(r, wayPassword, tries.Place(a.client), e.now())
			if err != nil {
				return err
			}
			told = a.public || s.Crowded()
		}
		hash, err = e.hashOf(u)
		return err
	})
	if err != nil {
		return "", false, false, asError(err)
	}
	return hash, closed, told, nil
}

func (e *Engine) hashOf(u *User) (string, error) {
	if u == nil || u.Password == nil {
		return e.passwords.dummy, nil
	}
	opened, err := e.key.Open(u.Password, passwordBinding(u.ID))
	if err != nil {
		return "", fmt.Errorf("password of user %s: %w", u.ID, err)
	}
	return string(opened.Reveal()), nil
}

// provePassword records what came out. The hash was compared before: if the
// password was changed meanwhile, that comparison proves nothing.
func (e *Engine) provePassword(tx Tx, subject cloud.Key, client cloud.Client, hash string, matches bool) (cloud.Proof, error) {
	now := e.now()
	if _, err := e.rules(tx); err != nil { // a store that was replaced proves nothing
		return cloud.Proof{}, err
	}
	u, err := lookUp(tx, subject)
	if err != nil {
		return cloud.Proof{}, err
	}
	if u == nil {
		if shut, err := e.stranger(tx, wayPassword, tries.Place(client), now); shut || err != nil {
			return cloud.Proof{Reason: cloud.WrongPassword}, err
		}
	}
	g, err := e.tries.Gate(tx, ofPassword(u, subject, client), now)
	if err != nil {
		return cloud.Proof{}, err
	}
	current, err := e.hashOf(u)
	if err != nil {
		return cloud.Proof{}, err
	}
	proof := cloud.Proof{}
	switch {
	case g.Shut:
		proof.Reason = cloud.TooManyTries
	case !matches || current != hash || u == nil || u.Password == nil:
		proof.Reason = cloud.WrongPassword
		err = g.Count(tx, false, now)
	default:
		if proof, err = e.proofOf(tx, u, now); err == nil {
			err = g.Count(tx, true, now)
		}
	}
	if err != nil {
		return cloud.Proof{}, err
	}
	return proof, e.appendProof(tx, u, client, proof, now)
}

// ofPassword says where a wrong password counts. Whoever guesses has proven
// nothing, and a name without a bar over all places could be guessed at from
// everywhere: the bar is there, and leaves open where the user comes from.
func ofPassword(u *User, subject cloud.Key, client cloud.Client) tries.Where {
	return tries.Where{User: counted(u, subject), Way: wayPassword, Place: tries.Place(client), Proven: true}
}

func passwordBinding(id cloud.UserID) string { return "password/" + string(id) }

// sealPassword hashes a new password and seals the hash.
func (e *Engine) sealPassword(ctx context.Context, id cloud.UserID, password secret.Bytes) ([]byte, error) {
	if password.Len() < minPassword || password.Len() > maxPassword {
		return nil, refuse(cloud.Invalid, fmt.Sprintf("a password must have %d to %d bytes", minPassword, maxPassword))
	}
	hash, err := e.passwords.hash(ctx, string(password.Reveal()))
	if err != nil {
		return nil, err
	}
	return e.key.Seal([]byte(hash), passwordBinding(id))
}
