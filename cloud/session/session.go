// Package session makes a [cloud.Verifier] of a service that asks people for
// second factors but keeps nothing of what a caller needs: no context, no
// verdict for an equal repeat, no stream of decisions.
//
//	v := session.New(session.Options{Service: s, Who: who, Now: time.Now, Log: log})
//	defer v.Close()
//
// It keeps challenges in memory, for this process alone. What [cloud.Verifier]
// promises across nodes and restarts cannot hold here, and is this, exactly:
//
//   - An equal repeat gets its verdict within one process. After a restart a
//     challenge is unknown, which nobody mistakes for an approval.
//   - That a code is accepted once is up to the service.
//   - How often was guessed, and how often somebody was asked by push or call, is
//     counted here whatever the service counts ([Brake]), and forgotten by a
//     restart.
//   - Whether a user may still verify is known only while the service asks; an
//     approval that was recorded is repeated within its window.
//
// Verdicts that people reach later are found out by asking the service again at
// the pace that it wishes for: by one goroutine that knows what is due, and a
// few that ask.
package session

import (
	"cmp"
	"context"
	"crypto/rand"
	"encoding/base64"
	"log/slog"
	"strings"
	"sync"
	"time"
	"unicode/utf8"

	"mfabridge/cloud"
	"mfabridge/internal/secret"
)

// Ask is what a service is asked to begin.
type Ask struct {
	UPN         string
	Method      cloud.Preference // empty: the user's default
	Client      cloud.Client
	ShowsNumber bool
	WithCode    bool // a code follows at once: nothing need be sent

	// Changed may be called once a Look is worth the while, at any time and from
	// any goroutine, instead of waiting for Turn.Again.
	Changed func()
}

// Turn is where a service's session stands.
type Turn struct {
	State  cloud.State
	Reason cloud.Reason // with a verdict; with Pending after a code, why it was not taken
	Method cloud.Preference
	Prompt string
	Number string

	Handle any           // the service's session; of a verdict it is not used any more
	Again  time.Duration // when to look again; 0: nothing happens before a code comes
	Life   time.Duration // of what is pending, from now
}

// Service asks people. Its methods return within seconds, whatever a person
// does, may be called concurrently, and err as [cloud.Verifier].
type Service interface {
	Begin(ctx context.Context, a Ask) (Turn, error)
	Code(ctx context.Context, handle any, code secret.Bytes) (Turn, error)
	Look(ctx context.Context, handle any) (Turn, error)
}

// Watched is a Service that may know whether whoever it has ask people is there.
type Watched interface {
	// Away says why a session that nobody has decided may have been lost rather
	// than left unanswered by a person; nil: nothing speaks for that. It asks
	// nobody, and returns at once.
	Away(handle any) error

	// Ready says why nobody could be asked just now; nil: nothing is known
	// against it.
	Ready(ctx context.Context) error
}

// Options are what a Verifier is made of.
type Options struct {
	Service Service

	// Who finds the user of a key, NotFound if there is none. The name is that
	// of the service; the id is what challenges name the user by.
	Who func(ctx context.Context, key cloud.Key) (id cloud.UserID, upn string, err error)

	Now func() time.Time
	Log *slog.Logger

	// Loud says that the service cannot be asked for a code without asking the
	// person, by whatever way is theirs.
	Loud bool

	// CodesOnly says that the service never asks by push or call.
	CodesOnly bool

	Open    int           // challenges kept at once; 0: 20,000
	Timeout time.Duration // of one question between the calls; 0: 10 s
}

// Bounds.
const (
	defaultOpen    = 20_000
	defaultTimeout = 10 * time.Second
	askers         = 8 // questions at once between the calls
	maxLife        = 10 * time.Minute
	keepDecided    = 2 * cloud.RepeatWindow
)

// ByName is a Who for services that know users by user principal name: the
// name that somebody typed, or that a directory proved, is the user's id too.
// What is no such name, and a security identifier, is NotFound, so that a
// caller goes on with the name that it has besides.
func ByName(_ context.Context, key cloud.Key) (cloud.UserID, string, error) {
	name := strings.ToLower(strings.TrimSpace(key.Value))
	local, domain, cut := strings.Cut(name, "@")
	strange := strings.ContainsFunc(name, func(r rune) bool { return r <= ' ' || r == 0x7f || r == utf8.RuneError })
	if key.Kind == cloud.BySID || !cut || local == "" || domain == "" || len(name) > 253 || strange || strings.Contains(domain, "@") {
		return "", "", refuse(cloud.NotFound, "the service knows users by user principal name only")
	}
	return cloud.UserID(name), name, nil
}

// Verifier is made by [New]. All methods may be called concurrently.
type Verifier struct {
	o Options

	ctx  context.Context
	stop context.CancelFunc
	done sync.WaitGroup
	wake chan struct{} // something is due earlier than was known
	work chan *challenge

	brake *Brake

	mu     sync.Mutex
	byID   map[cloud.ChallengeID]*challenge
	byKey  map[string]*challenge // by user and idempotency key
	pushes map[string]*challenge // the pending one of a login, by user, application and station
	queue  queue                 // by what is due next
	feeds  map[*feed]struct{}

	bothers bothers
}

var _ cloud.Verifier = (*Verifier)(nil)

// New begins to look after challenges; Close ends that.
func New(o Options) *Verifier {
	o.Open = cmp.Or(o.Open, defaultOpen)
	o.Timeout = cmp.Or(o.Timeout, defaultTimeout)
	v := &Verifier{o: o, wake: make(chan struct{}, 1), work: make(chan *challenge), byID: map[cloud.ChallengeID]*challenge{},
		byKey: map[string]*challenge{}, pushes: map[string]*challenge{}, feeds: map[*feed]struct{}{}, brake: NewBrake(o.Now), bothers: bothers{open: map[cloud.UserID]int{}}}
	v.ctx, v.stop = context.WithCancel(context.Background())
	v.done.Go(v.schedule)
	for range askers {
		v.done.Go(v.asker)
	}
	return v
}

// Loud tells whether Begin asks a person whatever is wished for.
func (v *Verifier) Loud() bool { return v.o.Loud }

// Ready says why nobody could be asked just now, where the service can tell.
func (v *Verifier) Ready(ctx context.Context) error {
	if w, ok := v.o.Service.(Watched); ok {
		return w.Ready(ctx)
	}
	return nil
}

// Outage says why a challenge whose time is over, or that is waited for no
// longer, was decided by nobody: who was to ask the person is not there, for all
// that the service can tell. nil: nothing speaks for that. It asks nobody.
func (v *Verifier) Outage(id cloud.ChallengeID) error {
	v.mu.Lock()
	defer v.mu.Unlock()
	if c := v.byID[id]; c != nil {
		return v.away(c)
	}
	return nil
}

// away is Outage of a challenge. A person who has decided was asked.
func (v *Verifier) away(c *challenge) error {
	w, ok := v.o.Service.(Watched)
	if !ok || c.handle == nil || !isHeld(c.method) || c.state != cloud.Pending && c.state != cloud.Expired {
		return nil
	}
	return w.Away(c.handle)
}

// Close ends all streams. What is pending is forgotten.
func (v *Verifier) Close() error {
	v.stop()
	v.done.Wait()
	v.mu.Lock()
	defer v.mu.Unlock()
	for f := range v.feeds {
		f.close()
	}
	return nil
}

// newID cannot be guessed and has 32 characters.
func newID() cloud.ChallengeID {
	var b [24]byte
	_, _ = rand.Read(b[:]) // never fails
	return cloud.ChallengeID(base64.RawURLEncoding.EncodeToString(b[:]))
}

func refuse(kind cloud.Kind, message string) error { return &cloud.Error{Kind: kind, Message: message} }
