// Package nativeauth asks Microsoft Entra External ID for both factors of a
// login, by the native authentication API, version 1: the one published HTTP
// interface by which a program without a browser can have a second factor
// verified.
//
//	v, err := nativeauth.New(nativeauth.Options{Base: "https://contoso.ciamlogin.com/contoso.onmicrosoft.com", ClientID: id, …})
//	proof, err := v.CheckPassword(ctx, key, password, client)   // first factor
//	challenge, err := v.Begin(ctx, request)                     // second: a code by text or mail
//
// The interface gives a second factor only to who has just proven the first,
// so this is a [cloud.Passwords] and a [cloud.Verifier] in one: Begin goes on
// with what CheckPassword has begun, once, for the same user, within
// [proofLife]. A user whom the tenant's policy asks for no second factor is
// refused, for nothing would have been verified.
//
// It offers codes by text and mail, and neither push nor generators nor calls.
// Tokens that the tenant hands out at the end are dropped unread. It was tried
// against a server written from Microsoft's pages and against an engine's own
// face of that interface, never against a genuine tenant.
package nativeauth

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"mfabridge/cloud"
	"mfabridge/cloud/session"
	"mfabridge/internal/secret"
)

// Times and bounds.
const (
	proofLife = 2 * time.Minute // from the right password to Begin
	codeLife  = 5 * time.Minute // of a code; a continuation token lives ten minutes at most
	maxProofs = 20_000
	maxOwn    = 8 // of one user
	maxAnswer = 64 << 10
)

// Options are which application asks where.
type Options struct {
	Base     string // https://SUBDOMAIN.ciamlogin.com/SUBDOMAIN.onmicrosoft.com
	ClientID string // of a public client with native authentication
	Client   *http.Client

	// Who is session.ByName if nil.
	Who func(ctx context.Context, key cloud.Key) (cloud.UserID, string, error)
	Now func() time.Time
	Log *slog.Logger
}

// Verifier is made by [New].
type Verifier struct {
	*session.Verifier
	o      Options
	client *http.Client

	brake *session.Brake // on passwords

	mu     sync.Mutex
	proofs map[string][]proof // by user principal name, oldest first
	kept   int
}

// proof is a first factor that was proven, and waits for the second.
type proof struct {
	until  time.Time
	token  secret.Bytes // continuation token; zero: nothing goes on
	reason cloud.Reason // why not
}

var (
	_ cloud.Verifier  = (*Verifier)(nil)
	_ cloud.Passwords = (*Verifier)(nil)
)

// New checks the options. It calls nobody.
func New(o Options) (*Verifier, error) {
	at, err := url.Parse(o.Base)
	if err != nil || at.Scheme != "https" || at.Host == "" || at.RawQuery != "" || at.User != nil {
		return nil, errors.New("the address of the tenant is not https://HOST/TENANT")
	}
	if o.ClientID == "" || len(o.ClientID) > 256 {
		return nil, errors.New("client_id has 1 to 256 characters")
	}
	if o.Who == nil {
		o.Who = session.ByName
	}
	o.Base = strings.TrimSuffix(o.Base, "/")
	client := *o.Client
	client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	v := &Verifier{o: o, client: &client, brake: session.NewBrake(o.Now), proofs: map[string][]proof{}}
	v.Verifier = session.New(session.Options{Service: (*service)(v), Who: o.Who, CodesOnly: true, Now: o.Now, Log: o.Log})
	return v, nil
}

// keep remembers a proof until Begin takes it.
func (v *Verifier) keep(upn string, p proof) error {
	v.mu.Lock()
	defer v.mu.Unlock()
	now := v.o.Now()
	if v.kept >= maxProofs {
		v.sweep(now)
	}
	if v.kept >= maxProofs {
		return &cloud.Error{Kind: cloud.Throttled, Message: "too many logins have proven a first factor and go no further"}
	}
	p.until = now.Add(proofLife)
	list := append(v.proofs[upn], p)
	if v.kept++; len(list) > maxOwn { // the oldest is the one that goes no further
		list = append([]proof(nil), list[1:]...)
		v.kept--
	}
	v.proofs[upn] = list
	return nil
}

// take hands out the newest proof of a user that is still good, once.
func (v *Verifier) take(upn string) (proof, bool) {
	v.mu.Lock()
	defer v.mu.Unlock()
	list := v.proofs[upn]
	if len(list) == 0 {
		return proof{}, false
	}
	p := list[len(list)-1]
	if list = list[:len(list)-1]; len(list) == 0 {
		delete(v.proofs, upn)
	} else {
		v.proofs[upn] = list
	}
	v.kept--
	return p, v.o.Now().Before(p.until)
}

// sweep drops what nobody has taken in time.
func (v *Verifier) sweep(now time.Time) {
	for upn, list := range v.proofs {
		good := list[:0]
		for _, p := range list {
			if now.Before(p.until) {
				good = append(good, p)
			}
		}
		v.kept -= len(list) - len(good)
		if len(good) == 0 {
			delete(v.proofs, upn)
		} else {
			v.proofs[upn] = good
		}
	}
}
