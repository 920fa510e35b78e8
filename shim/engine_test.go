package shim_test

import (
	"context"
	"fmt"
	"iter"
	"strings"
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
	bypass   bool         // the next login needs no second factor
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
	matched    map[string]time.Time // codes that were used, and when
	decided    map[cloud.ChallengeID]time.Time
	notes      map[string]time.Time
	streams    map[chan cloud.Decision]bool
	pushesOf   map[cloud.UserID]int
	onPush     func(cloud.ChallengeID, *person) // called with the engine's lock held

	pushes, looks, streamCount         int
	matches                            []string
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
			"both":  {id: "id-both", password: "pw", method: cloud.Push, code: "222222"},
			"long":  {id: "id-long", password: "pw", method: cloud.OATHCode, code: "12345678"},
			"digit": {id: "id-digit", password: "pw987654", method: cloud.OATHCode, code: "333333"},
			"gone":  {id: "id-gone", password: "pw", refused: cloud.UserDisabled},
			"naïve": {id: "id-naive", password: "pw", code: "111111", method: cloud.OATHCode},
		},
		challenges: make(map[cloud.ChallengeID]*cloud.Challenge), owners: make(map[cloud.ChallengeID]*person), contexts: make(map[cloud.ChallengeID][]byte),
		begun: make(map[string]recorded), answers: make(map[string]recorded), used: make(map[string]bool),
		matched: make(map[string]time.Time), decided: make(map[cloud.ChallengeID]time.Time), notes: make(map[string]time.Time),
		streams: make(map[chan cloud.Decision]bool), pushesOf: make(map[cloud.UserID]int),
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
	if p := e.people[strings.TrimPrefix(k.Value, "id-")]; p != nil && k.Kind == cloud.ByID && string(p.id) == k.Value {
		return p, nil
	}
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
	p, err := e.find(r.Subject)
	if err != nil {
		return cloud.Challenge{}, err
	}
	if old, ok := e.begun[r.Key]; ok && e.answersAgain(old) {
		c := *e.challenges[old.challenge]
		if c.User != p.id {
			return cloud.Challenge{}, &cloud.Error{Kind: cloud.Invalid, Message: "the key was used for another user"}
		}
		c.Repeated = true
		return c, nil
	}
	c := &cloud.Challenge{ID: cloud.ChallengeID(fmt.Sprintf("challenge-%d", len(e.challenges)+1)), User: p.id, State: cloud.Pending,
		Method: p.method, Prompt: "Enter the code\nof your app", ExpiresAt: time.Now().Add(e.life)}
	if r.Method != "" {
		c.Method = r.Method
	}
	switch {
	case p.refused != "":
		c.State, c.Reason = cloud.Refused, p.refused
	case p.bypass:
		c.State, c.Bypassed, p.bypass = cloud.Approved, true, false
	case !r.Code.IsZero():
		c.State, c.Reason = e.check(p, r.Code)
	case c.Method == cloud.OATHCode && p.code == "":
		c.State, c.Reason = cloud.Refused, cloud.NoMethod
	case c.Method == cloud.Push || c.Method == cloud.VoiceMobile:
		e.pushes++
		e.pushesOf[p.id]++
		if e.onPush != nil {
			e.onPush(c.ID, p)
		}
		if r.ShowsNumber {
			c.Number = "42"
		}
	}
	if c.State != cloud.Pending {
		e.decided[c.ID] = time.Now()
	}
	e.challenges[c.ID], e.owners[c.ID], e.contexts[c.ID] = c, p, r.Context
	e.begun[r.Key] = recorded{at: time.Now(), challenge: c.ID}
	out := *c
	if e.hook != nil {
		e.hook(&out, nil)
	}
	return out, nil
}

// answersAgain is the rule of cloud.Request.Key.
func (e *fakeEngine) answersAgain(old recorded) bool {
	c := e.challenges[old.challenge]
	switch {
	case c.Method == cloud.OATHCode || c.Method == cloud.SMS:
		return time.Since(old.at) < cloud.RepeatWindow
	case c.State == cloud.Pending:
		return time.Now().Before(c.ExpiresAt)
	}
	return time.Since(e.decided[c.ID]) <= cloud.JoinWindow
}

// person decides on all pushes of a user that are pending.
func (e *fakeEngine) person(id cloud.UserID, state cloud.State, why cloud.Reason) (decided int) {
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, c := range e.challenges {
		if c.User == id && c.State == cloud.Pending && c.Method != cloud.OATHCode && c.Method != cloud.SMS {
			e.decide(c, state, why)
			decided++
		}
	}
	return decided
}

// decide reaches the verdict on a push, with the engine's lock held.
func (e *fakeEngine) decide(c *cloud.Challenge, state cloud.State, why cloud.Reason) {
	c.State, c.Reason = state, why
	e.decided[c.ID] = time.Now()
	for stream := range e.streams {
		stream <- e.decision(c)
	}
}

func (e *fakeEngine) decision(c *cloud.Challenge) cloud.Decision {
	d := cloud.Decision{Challenge: c.ID, User: c.User, State: c.State, Reason: c.Reason, Method: c.Method, Context: e.contexts[c.ID]}
	if c.State == cloud.Pending && !time.Now().Before(c.ExpiresAt) {
		d.State, d.Reason = cloud.Expired, cloud.TimedOut
	}
	if c.State != cloud.Pending {
		d.At = e.decided[c.ID]
	}
	return d
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
	e.matched[string(p.id)+p.code] = time.Now()
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

func (e *fakeEngine) Decisions(ctx context.Context) iter.Seq2[cloud.Decision, error] {
	stream := make(chan cloud.Decision, 4096)
	e.mu.Lock()
	e.streams[stream] = true
	e.streamCount++
	e.mu.Unlock()
	return func(yield func(cloud.Decision, error) bool) {
		for {
			select {
			case <-ctx.Done():
				return
			case d, open := <-stream:
				if !open {
					yield(cloud.Decision{}, &cloud.Error{Kind: cloud.Unavailable, Message: "stream broke"})
					return
				}
				if !yield(d, nil) {
					return
				}
			}
		}
	}
}

// breakStreams ends all streams; what is decided until the next one is lost.
func (e *fakeEngine) breakStreams() {
	e.mu.Lock()
	defer e.mu.Unlock()
	for stream := range e.streams {
		close(stream)
		delete(e.streams, stream)
	}
}

func (e *fakeEngine) Look(ctx context.Context, ids []cloud.ChallengeID) ([]cloud.Decision, error) {
	e.mu.Lock()
	e.looks++
	e.mu.Unlock()
	if err := e.wait(ctx); err != nil {
		return nil, err
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	ds := make([]cloud.Decision, len(ids))
	for i, id := range ids {
		ds[i] = cloud.Decision{Challenge: id, State: cloud.Expired, Reason: cloud.TimedOut}
		if c := e.challenges[id]; c != nil {
			ds[i] = e.decision(c)
		}
	}
	return ds, nil
}

func (e *fakeEngine) MatchCode(ctx context.Context, k cloud.Key, code secret.Bytes, _ cloud.Client) (bool, error) {
	if err := e.wait(ctx); err != nil {
		return false, err
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	e.matches = append(e.matches, k.Value+" "+string(code.Reveal()))
	p, err := e.find(k)
	if err != nil || p.code != string(code.Reveal()) {
		return false, nil
	}
	used, was := e.matched[string(p.id)+p.code]
	return !was || time.Since(used) <= cloud.RepeatWindow, nil
}

func (e *fakeEngine) Note(ctx context.Context, key string, life time.Duration) error {
	if err := e.wait(ctx); err != nil {
		return err
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	e.notes[key] = time.Now().Add(life)
	return nil
}

func (e *fakeEngine) Noted(ctx context.Context, key string) (bool, error) {
	if err := e.wait(ctx); err != nil {
		return false, err
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	return time.Now().Before(e.notes[key]), nil
}

func (e *fakeEngine) Claim(ctx context.Context, key string, life time.Duration) (bool, error) {
	if err := e.wait(ctx); err != nil {
		return false, err
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	if time.Now().Before(e.notes[key]) {
		return false, nil
	}
	e.notes[key] = time.Now().Add(life)
	return true, nil
}

func (e *fakeEngine) Withdraw(ctx context.Context, key string) error {
	if err := e.wait(ctx); err != nil {
		return err
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	delete(e.notes, key)
	return nil
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

// settling is a fakeEngine that takes logins by the dozen: all at once, as an
// engine does whose store commits them together.
type settling struct{ *fakeEngine }

// Settle implements [cloud.Settler].
func (e settling) Settle(ctx context.Context, cases []cloud.Case) {
	var all sync.WaitGroup
	faults := make(chan any, len(cases))
	for i := range cases {
		all.Go(func() {
			defer func() { faults <- recover() }()
			e.settle(ctx, &cases[i])
		})
	}
	all.Wait()
	for range cases {
		if fault := <-faults; fault != nil {
			panic(fault)
		}
	}
}

func (e settling) settle(ctx context.Context, c *cloud.Case) {
	if c.Answer.Challenge != "" {
		c.Decision, c.Err = e.Answer(ctx, c.Answer)
		return
	}
	if c.Request.Code.IsZero() && e.asksPerson(c.Request) {
		c.Apart = true
		return
	}
	c.Challenge, c.Err = e.Begin(ctx, c.Request)
}

// asksPerson tells whether a request would send something, or ask by push.
func (e settling) asksPerson(r cloud.Request) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	p, err := e.find(r.Subject)
	if err != nil || p.refused != "" || p.bypass {
		return false
	}
	if _, again := e.begun[r.Key]; again {
		return false
	}
	return (r.Method == "" && p.method != cloud.OATHCode) || (r.Method != "" && r.Method != cloud.OATHCode)
}

// fakeOf is the fake engine behind a Verifier of these tests.
func fakeOf(v cloud.Verifier) *fakeEngine {
	if s, ok := v.(settling); ok {
		return s.fakeEngine
	}
	return v.(*fakeEngine)
}
