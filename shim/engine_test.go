package shim_test

import (
	"context"
	"fmt"
	"iter"
	"sync"
	"time"

	"mfabridge/cloud"
	"mfabridge/internal/secret"
)

// person is a user of the fake engine.
type person struct {
	id       cloud.UserID
	password string
	code     string // the one right code, which works once
	method   cloud.Preference
	refused  cloud.Reason // Begin refuses at once
}

// recorded is what the fake engine answers to an equal key.
type recorded struct {
	at        time.Time
	challenge cloud.ChallengeID
	decision  cloud.Decision
}

// fakeEngine keeps the promises of cloud.Verifier and cloud.Passwords in
// memory, and breaks them where a test says so.
type fakeEngine struct {
	mu         sync.Mutex
	people     map[string]*person // by name as typed
	challenges map[cloud.ChallengeID]*cloud.Challenge
	owners     map[cloud.ChallengeID]*person
	contexts   map[cloud.ChallengeID][]byte
	begun      map[string]recorded
	answers    map[string]recorded
	used       map[string]bool

	begins, answerCalls, passwordCalls int
	subjects                           []cloud.Key
	asked                              []cloud.Client
	keys                               []string

	life time.Duration
	err  error                                   // of every call
	hold chan struct{}                           // every call waits for it to be closed
	hook func(*cloud.Challenge, *cloud.Decision) // alters what is returned
}

func newFakeEngine() *fakeEngine {
	return &fakeEngine{
		people: map[string]*person{
			"ada":   {id: "id-ada", password: "correct horse", code: "123456", method: cloud.OATHCode},
			"bob":   {id: "id-bob", password: "battery staple", code: "654321", method: cloud.SMS},
			"push":  {id: "id-push", password: "pw", method: cloud.Push},
			"gone":  {id: "id-gone", password: "pw", refused: cloud.UserDisabled},
			"naïve": {id: "id-naive", password: "pw", code: "111111", method: cloud.OATHCode},
		},
		challenges: make(map[cloud.ChallengeID]*cloud.Challenge), owners: make(map[cloud.ChallengeID]*person), contexts: make(map[cloud.ChallengeID][]byte),
		begun: make(map[string]recorded), answers: make(map[string]recorded), used: make(map[string]bool),
		life: 3 * time.Minute,
	}
}

func (e *fakeEngine) wait(ctx context.Context) error {
	e.mu.Lock()
	hold, err := e.hold, e.err
	e.mu.Unlock()
	if hold != nil {
		select {
		case <-hold:
		case <-ctx.Done():
			return &cloud.Error{Kind: cloud.Unavailable, Err: ctx.Err()}
		}
	}
	return err
}

func (e *fakeEngine) find(k cloud.Key) (*person, error) {
	for name, p := range e.people {
		if k.Kind == cloud.ByName && name == k.Value || k.Kind == cloud.ByID && string(p.id) == k.Value {
			return p, nil
		}
	}
	return nil, &cloud.Error{Kind: cloud.NotFound, Message: "no user has this name"}
}

func (e *fakeEngine) Begin(ctx context.Context, r cloud.Request) (cloud.Challenge, error) {
	e.mu.Lock()
	e.begins++
	e.subjects, e.asked, e.keys = append(e.subjects, r.Subject), append(e.asked, r.Client), append(e.keys, r.Key)
	e.mu.Unlock()
	if err := e.wait(ctx); err != nil {
		return cloud.Challenge{}, err
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	if old, ok := e.begun[r.Key]; ok && time.Since(old.at) < cloud.RepeatWindow {
		return *e.challenges[old.challenge], nil
	}
	p, err := e.find(r.Subject)
	if err != nil {
		return cloud.Challenge{}, err
	}
	c := &cloud.Challenge{ID: cloud.ChallengeID(fmt.Sprintf("challenge-%d", len(e.challenges)+1)), User: p.id, State: cloud.Pending,
		Method: p.method, Prompt: "Enter the code\nof your app", ExpiresAt: time.Now().Add(e.life)}
	if p.refused != "" {
		c.State, c.Reason = cloud.Refused, p.refused
	}
	if !r.Code.IsZero() && c.State == cloud.Pending {
		c.State, c.Reason = e.check(p, r.Code)
	}
	e.challenges[c.ID], e.owners[c.ID], e.contexts[c.ID] = c, p, r.Context
	e.begun[r.Key] = recorded{at: time.Now(), challenge: c.ID}
	out := *c
	if e.hook != nil {
		e.hook(&out, nil)
	}
	return out, nil
}

// check uses a code up.
func (e *fakeEngine) check(p *person, code secret.Bytes) (cloud.State, cloud.Reason) {
	switch {
	case p.code == "" || string(code.Reveal()) != p.code:
		return cloud.Refused, cloud.WrongCode
	case e.used[string(p.id)+p.code]:
		return cloud.Refused, cloud.UsedCode
	}
	e.used[string(p.id)+p.code] = true
	return cloud.Approved, ""
}

func (e *fakeEngine) Answer(ctx context.Context, a cloud.Answer) (cloud.Decision, error) {
	e.mu.Lock()
	e.answerCalls++
	e.keys = append(e.keys, a.Key)
	e.mu.Unlock()
	if err := e.wait(ctx); err != nil {
		return cloud.Decision{}, err
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	if old, ok := e.answers[a.Key]; ok && time.Since(old.at) < cloud.RepeatWindow {
		old.decision.Repeated = true
		return old.decision, nil
	}
	c := e.challenges[a.Challenge]
	if c == nil {
		return cloud.Decision{}, &cloud.Error{Kind: cloud.NotFound, Message: "no such challenge"}
	}
	d := cloud.Decision{Challenge: c.ID, User: c.User, State: cloud.Refused, Reason: cloud.RepeatRefused, Method: c.Method,
		Context: e.contexts[c.ID]}
	if c.State == cloud.Pending {
		c.State, c.Reason = e.check(e.owners[c.ID], a.Code)
		d.State, d.Reason = c.State, c.Reason
		e.answers[a.Key] = recorded{at: time.Now(), decision: d}
	}
	if e.hook != nil {
		e.hook(nil, &d)
	}
	return d, nil
}

func (e *fakeEngine) CheckPassword(ctx context.Context, k cloud.Key, password secret.Bytes, _ cloud.Client) (cloud.Proof, error) {
	e.mu.Lock()
	e.passwordCalls++
	e.mu.Unlock()
	if err := e.wait(ctx); err != nil {
		return cloud.Proof{}, err
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	p, err := e.find(k)
	if err != nil || p.password != string(password.Reveal()) {
		return cloud.Proof{Reason: cloud.WrongPassword}, nil
	}
	return cloud.Proof{OK: true, User: p.id, Groups: []string{"VPN"}}, nil
}

func (e *fakeEngine) Decisions(context.Context) iter.Seq2[cloud.Decision, error] {
	return func(func(cloud.Decision, error) bool) {}
}

func (e *fakeEngine) Look(context.Context, []cloud.ChallengeID) ([]cloud.Decision, error) {
	return nil, &cloud.Error{Kind: cloud.Unsupported, Message: "not part of this fake"}
}

// calls returns how often Begin, Answer and CheckPassword were called.
func (e *fakeEngine) calls() [3]int {
	e.mu.Lock()
	defer e.mu.Unlock()
	return [3]int{e.begins, e.answerCalls, e.passwordCalls}
}

// set changes the engine while it is in use.
func (e *fakeEngine) set(change func()) {
	e.mu.Lock()
	defer e.mu.Unlock()
	change()
}
