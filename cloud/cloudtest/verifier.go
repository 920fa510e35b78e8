package cloudtest

import (
	"cmp"
	"context"
	"fmt"
	"testing"
	"time"

	"mfabridge/cloud"
	"mfabridge/internal/secret"
)

// Peer is a Verifier under test with what the suite needs around it.
type Peer struct {
	Verifier  cloud.Verifier
	Directory cloud.Directory
	Now       func() time.Time                                     // the peer's clock
	Advance   func(time.Duration)                                  // moves it
	SentCode  func(t *testing.T, id cloud.ChallengeID) string      // the code sent for a challenge; nil: it sends nothing
	Telephone *Telephone                                           // nil: it asks nobody by push
	Reopen    func(t *testing.T) (cloud.Verifier, cloud.Directory) // nil: cannot

	// Method is what a challenge for a code is called where a user has one
	// generator; empty: cloud.OATHCode.
	Method cloud.Preference

	// Lacks names checks that the verifier cannot pass, each with what the
	// service behind it does not offer.
	Lacks map[string]string
}

// Verifier checks an implementation. open returns a peer without users, whose
// clock stands still, and cleans up after t.
func Verifier(t *testing.T, open func(t *testing.T) *Peer) {
	checks := map[string]func(*testing.T, *Peer){
		"a right code is accepted once":          acceptOnce,
		"wrong codes use up the tries":           tries,
		"a code with the request":                codeWithRequest,
		"an equal answer gets the same verdict":  repeatAnswer,
		"an equal request gets the same verdict": repeatRequest,
		"a key does not pass to another user":    keyOfAnother,
		"somebody else of the same name":         otherSID,
		"time runs out":                          expiry,
		"who cannot be asked":                    refusals,
		"a block counts between the legs":        blockBetween,
		"what is unknown":                        unknown,
		"limits of a call":                       requestLimits,
		"where challenges stand":                 look,
		"decisions are streamed":                 stream,
		"one of many answers wins":               parallelAnswers,
		"one of many logins wins":                parallelLogins,
		"many equal requests are one login":      parallelRepeats,
		"many logins at once":                    byTheDozen,
		"limits count at the answer":             lateAnswer,
		"a success ends the count":               successResets,
		"a far clock needs two codes":            farClock,
		"several generators":                     severalGenerators,
		"every algorithm":                        algorithms,
		"failures slow one station down":         slowStation,
		"a sent code":                            sentCode,
		"a resend ends the code before":          resend,
		"used stays used after a restart":        restart,
		"a block counts after an approval":       blockAfter,
		"two generators with one secret":         twinGenerators,
		"a code sent to a former number":         otherNumber,
		"the clock is set back":                  clockSetBack,
		"notices":                                notices,
		"a push":                                 pushes,
		"a push with a number":                   pushNumber,
		"one push for a login":                   onePush,
		"too many pushes":                        tiredOfPushes,
		"a push of who may not verify":           pushOfWhoMayNot,
		"a code is told without being used":      matching,
		"a sent code is told without being used": matchingTexts,
	}
	for name, check := range checks {
		t.Run(name, func(t *testing.T) {
			p := open(t)
			for lack := range p.Lacks {
				if checks[lack] == nil {
					t.Fatalf("there is no check %q to lack", lack)
				}
			}
			if why := p.Lacks[name]; why != "" {
				t.Logf("not offered: %s", why)
				return
			}
			check(t, p)
		})
	}
}

var station = cloud.Client{App: "vpn", Station: "station-1"}

// enrol makes user n with Generator(n).
func (p *Peer) enrol(t *testing.T, n int) cloud.UserID {
	t.Helper()
	id := addUser(t, p.Directory, n)
	write(t, p.Directory, cloud.Done, addOATH(id, Generator(n)))
	return id
}

// code is what the generator of user n shows, some steps from now.
func (p *Peer) code(n, steps int) secret.Bytes {
	return Code(Seed(n), Generator(n), p.Now().Add(time.Duration(steps)*30*time.Second))
}

// wrong is a code that no generator of user n shows within reach.
func (p *Peer) wrong(n int) secret.Bytes {
	taken := map[string]bool{}
	for step := -60; step <= 60; step++ {
		taken[string(p.code(n, step).Reveal())] = true
	}
	for i := 0; ; i++ {
		if code := fmt.Sprintf("%06d", i); !taken[code] {
			return secret.FromString(code)
		}
	}
}

func request(id cloud.UserID, tries int) cloud.Request {
	return cloud.Request{Subject: cloud.Key{Kind: cloud.ByID, Value: string(id)}, Client: station, Tries: tries, Context: []byte("opaque")}
}

func (p *Peer) begin(t *testing.T, r cloud.Request, want cloud.State) cloud.Challenge {
	t.Helper()
	c, err := p.Verifier.Begin(t.Context(), r)
	if err != nil {
		t.Fatal(err)
	}
	if c.State != want || c.ID == "" || len(c.ID) > 32 {
		t.Fatalf("Begin: %+v, want state %s", c, want)
	}
	return c
}

func (p *Peer) answer(t *testing.T, a cloud.Answer, want cloud.State, reason cloud.Reason) cloud.Decision {
	t.Helper()
	d, err := p.Verifier.Answer(t.Context(), a)
	if err != nil {
		t.Fatal(err)
	}
	if d.State != want || d.Reason != reason || d.Challenge != a.Challenge || d.User == "" {
		t.Fatalf("Answer: %+v, want %s %q", d, want, reason)
	}
	if string(d.Context) != "opaque" {
		t.Fatalf("the context came back as %q", d.Context)
	}
	return d
}

func acceptOnce(t *testing.T, p *Peer) {
	id := p.enrol(t, 1)
	c := p.begin(t, request(id, 3), cloud.Pending)
	if c.Method != cmp.Or(p.Method, cloud.OATHCode) || c.Prompt == "" || c.User != id || !c.ExpiresAt.After(p.Now()) {
		t.Fatalf("challenge: %+v", c)
	}
	p.answer(t, cloud.Answer{Challenge: c.ID, Code: p.code(1, 0)}, cloud.Approved, "")
	p.answer(t, cloud.Answer{Challenge: c.ID, Code: p.code(1, 0)}, cloud.Refused, cloud.RepeatRefused)
	p.answer(t, cloud.Answer{Challenge: c.ID, Code: p.code(1, 1)}, cloud.Refused, cloud.RepeatRefused)
	c = p.begin(t, request(id, 3), cloud.Pending)
	d := p.answer(t, cloud.Answer{Challenge: c.ID, Code: p.code(1, 0)}, cloud.Pending, cloud.UsedCode)
	if d.TriesLeft != 2 {
		t.Errorf("%d tries left, want 2", d.TriesLeft)
	}
	p.answer(t, cloud.Answer{Challenge: c.ID, Code: p.code(1, -1)}, cloud.Pending, cloud.UsedCode)
	p.answer(t, cloud.Answer{Challenge: c.ID, Code: p.code(1, 1)}, cloud.Approved, "")
}

func tries(t *testing.T, p *Peer) {
	id := p.enrol(t, 1)
	c := p.begin(t, request(id, 3), cloud.Pending)
	for left := 2; left > 0; left-- {
		if d := p.answer(t, cloud.Answer{Challenge: c.ID, Code: p.wrong(1)}, cloud.Pending, cloud.WrongCode); d.TriesLeft != left {
			t.Errorf("%d tries left, want %d", d.TriesLeft, left)
		}
	}
	p.answer(t, cloud.Answer{Challenge: c.ID, Code: p.wrong(1)}, cloud.Refused, cloud.WrongCode)
	p.answer(t, cloud.Answer{Challenge: c.ID, Code: p.code(1, 0)}, cloud.Refused, cloud.RepeatRefused)
	c = p.begin(t, request(id, 1), cloud.Pending)
	for _, code := range []string{""} {
		p.answer(t, cloud.Answer{Challenge: c.ID, Code: secret.FromString(code)}, cloud.Refused, cloud.WrongCode)
	}
}

func codeWithRequest(t *testing.T, p *Peer) {
	id := p.enrol(t, 1)
	r := request(id, 1)
	r.Code = p.code(1, 0)
	c := p.begin(t, r, cloud.Approved)
	p.answer(t, cloud.Answer{Challenge: c.ID, Code: p.code(1, 1)}, cloud.Refused, cloud.RepeatRefused)
	if c = p.begin(t, r, cloud.Refused); c.Reason != cloud.UsedCode {
		t.Errorf("the code again: %+v", c)
	}
	r.Code = p.wrong(1)
	if c = p.begin(t, r, cloud.Refused); c.Reason != cloud.WrongCode {
		t.Errorf("a wrong code: %+v", c)
	}
}

func repeatAnswer(t *testing.T, p *Peer) {
	id := p.enrol(t, 1)
	c := p.begin(t, request(id, 3), cloud.Pending)
	bad := cloud.Answer{Challenge: c.ID, Code: p.wrong(1), Key: "first"}
	good := cloud.Answer{Challenge: c.ID, Code: p.code(1, 0), Key: "second"}
	p.answer(t, bad, cloud.Pending, cloud.WrongCode)
	p.answer(t, good, cloud.Approved, "")
	p.Advance(cloud.RepeatWindow)
	if d := p.answer(t, bad, cloud.Pending, cloud.WrongCode); !d.Repeated || d.TriesLeft != 2 {
		t.Errorf("the first answer again: %+v", d)
	}
	if d := p.answer(t, good, cloud.Approved, ""); !d.Repeated {
		t.Error("the verdict does not say that it is a repeat")
	}
	p.answer(t, cloud.Answer{Challenge: c.ID, Code: good.Code, Key: "third"}, cloud.Refused, cloud.RepeatRefused)
	p.Advance(time.Second)
	p.answer(t, good, cloud.Refused, cloud.RepeatRefused)
}

func repeatRequest(t *testing.T, p *Peer) {
	id := p.enrol(t, 1)
	r := request(id, 1)
	r.Key, r.Code = "login", p.code(1, 0)
	c := p.begin(t, r, cloud.Approved)
	p.Advance(cloud.RepeatWindow)
	if again := p.begin(t, r, cloud.Approved); again.ID != c.ID || c.Repeated || !again.Repeated {
		t.Errorf("an equal request: %+v, after %+v", again, c)
	}
	p.Advance(time.Second)
	if c = p.begin(t, r, cloud.Refused); c.Reason != cloud.UsedCode {
		t.Errorf("after the window: %+v", c)
	}
	r = request(id, 1)
	r.Key = "challenge"
	if a, b := p.begin(t, r, cloud.Pending), p.begin(t, r, cloud.Pending); a.ID != b.ID || a.Repeated || !b.Repeated {
		t.Errorf("an equal request: %+v, after %+v", b, a)
	}
}

func keyOfAnother(t *testing.T, p *Peer) {
	a, b := p.enrol(t, 1), p.enrol(t, 2)
	r := request(a, 1)
	r.Key, r.Code = "login", p.code(1, 0)
	p.begin(t, r, cloud.Approved)
	r.Subject.Value = string(b)
	if c, err := p.Verifier.Begin(t.Context(), r); err == nil && c.State == cloud.Approved {
		t.Errorf("another user got the verdict: %+v", c)
	}
}

// otherSID: who was proven to have another identifier is not the user of that
// name, as after an account was deleted and its name given to another person.
func otherSID(t *testing.T, p *Peer) {
	id := p.enrol(t, 1)
	users, err := p.Directory.Read(t.Context(), []cloud.UserID{id})
	if err != nil {
		t.Fatal(err)
	}
	r := request(id, 1)
	r.SID = "S-1-5-21-9-9-9-1"
	if users[0].SID == "" {
		p.begin(t, r, cloud.Pending) // nothing contradicts
		after := users[0].Profile
		after.SID = "S-1-5-21-9-9-9-2"
		write(t, p.Directory, cloud.Done, cloud.Change{User: id, UPN: after.UPN, Op: cloud.Update, Method: cloud.Account,
			Before: cloud.Value{Profile: &users[0].Profile}, After: cloud.Value{Profile: &after}})
	}
	if c, err := p.Verifier.Begin(t.Context(), r); cloud.KindOf(err) != cloud.Conflict {
		t.Errorf("another identifier: %+v, %v", c, err)
	}
	for _, same := range []string{"s-1-5-21-9-9-9-2", ""} { // or none
		r.SID = same
		p.begin(t, r, cloud.Pending)
	}
}

func expiry(t *testing.T, p *Peer) {
	id := p.enrol(t, 1)
	c := p.begin(t, request(id, 3), cloud.Pending)
	p.Advance(c.ExpiresAt.Sub(p.Now()))
	p.answer(t, cloud.Answer{Challenge: c.ID, Code: p.code(1, 0)}, cloud.Expired, cloud.TimedOut)
	c = p.begin(t, request(id, 3), cloud.Pending)
	p.answer(t, cloud.Answer{Challenge: c.ID, Code: p.code(1, 0)}, cloud.Approved, "") // it was not used up
}

func refusals(t *testing.T, p *Peer) {
	refused := func(id cloud.UserID, want cloud.Reason) {
		t.Helper()
		r := request(id, 1)
		if c := p.begin(t, r, cloud.Refused); c.Reason != want {
			t.Errorf("reason %q, want %q", c.Reason, want)
		}
		r.Code = p.code(1, 0)
		if c := p.begin(t, r, cloud.Refused); c.Reason != want {
			t.Errorf("reason %q with a code, want %q", c.Reason, want)
		}
	}
	refused(addUser(t, p.Directory, 2), cloud.NoMethod)
	id := p.enrol(t, 1)
	until := p.Now().Add(time.Hour)
	block := cloud.Change{User: id, Op: cloud.Set, Method: cloud.Blocked, After: cloud.Value{Until: until}}
	write(t, p.Directory, cloud.Done, block)
	refused(id, cloud.UserBlocked)
	p.Advance(time.Hour)
	p.begin(t, request(id, 1), cloud.Pending)
	off := *person(1)
	off.Enabled = false
	write(t, p.Directory, cloud.Done, cloud.Change{User: id, Op: cloud.Update, Method: cloud.Account,
		Before: cloud.Value{Profile: person(1)}, After: cloud.Value{Profile: &off}})
	refused(id, cloud.UserDisabled)
}

func blockBetween(t *testing.T, p *Peer) {
	id := p.enrol(t, 1)
	c := p.begin(t, request(id, 3), cloud.Pending)
	block := cloud.Change{User: id, Op: cloud.Set, Method: cloud.Blocked, After: cloud.Value{Until: p.Now().Add(time.Hour)}}
	write(t, p.Directory, cloud.Done, block)
	p.answer(t, cloud.Answer{Challenge: c.ID, Code: p.code(1, 0)}, cloud.Refused, cloud.UserBlocked)
	block.Before, block.After = block.After, cloud.Value{}
	write(t, p.Directory, cloud.Done, block)
	p.answer(t, cloud.Answer{Challenge: c.ID, Code: p.code(1, 0)}, cloud.Refused, cloud.RepeatRefused)
}

func unknown(t *testing.T, p *Peer) {
	r := request("nobody", 1)
	if _, err := p.Verifier.Begin(t.Context(), r); err == nil || cloud.KindOf(err) != cloud.NotFound {
		t.Errorf("an unknown user: %v", err)
	}
	if _, err := p.Verifier.Answer(t.Context(), cloud.Answer{Challenge: "none"}); err == nil || cloud.KindOf(err) != cloud.NotFound {
		t.Errorf("an unknown challenge: %v", err)
	}
}

func requestLimits(t *testing.T, p *Peer) {
	id := p.enrol(t, 1)
	for name, edit := range map[string]func(*cloud.Request){
		"context": func(r *cloud.Request) { r.Context = make([]byte, cloud.MaxContext+1) },
		"key":     func(r *cloud.Request) { r.Key = string(make([]byte, cloud.MaxIdempotencyKey+1)) },
		"tries":   func(r *cloud.Request) { r.Tries = 0 },
	} {
		r := request(id, 1)
		edit(&r)
		if _, err := p.Verifier.Begin(t.Context(), r); err == nil || cloud.KindOf(err) != cloud.Invalid {
			t.Errorf("%s: %v", name, err)
		}
	}
	c := p.begin(t, request(id, 1), cloud.Pending)
	long := cloud.Answer{Challenge: c.ID, Code: p.code(1, 0), Key: string(make([]byte, cloud.MaxIdempotencyKey+1))}
	if _, err := p.Verifier.Answer(t.Context(), long); err == nil || cloud.KindOf(err) != cloud.Invalid {
		t.Errorf("key of an answer: %v", err)
	}
}

func look(t *testing.T, p *Peer) {
	id := p.enrol(t, 1)
	open, done := p.begin(t, request(id, 2), cloud.Pending), p.begin(t, request(id, 1), cloud.Pending)
	p.answer(t, cloud.Answer{Challenge: done.ID, Code: p.code(1, 0)}, cloud.Approved, "")
	ds, err := p.Verifier.Look(t.Context(), []cloud.ChallengeID{done.ID, "none", open.ID})
	if err != nil || len(ds) != 3 {
		t.Fatalf("Look: %v, %v", ds, err)
	}
	if ds[0].State != cloud.Approved || ds[1].State != cloud.Expired || ds[1].Challenge != "none" ||
		ds[2].State != cloud.Pending || ds[2].TriesLeft != 2 || string(ds[2].Context) != "opaque" {
		t.Errorf("Look: %+v", ds)
	}
	p.Advance(open.ExpiresAt.Sub(p.Now()))
	if ds, err = p.Verifier.Look(t.Context(), []cloud.ChallengeID{open.ID}); err != nil || ds[0].State != cloud.Expired {
		t.Errorf("Look after the end: %+v, %v", ds, err)
	}
}

func stream(t *testing.T, p *Peer) {
	id := p.enrol(t, 1)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	decisions := p.Verifier.Decisions(ctx)
	c := p.begin(t, request(id, 2), cloud.Pending)
	p.answer(t, cloud.Answer{Challenge: c.ID, Code: p.wrong(1)}, cloud.Pending, cloud.WrongCode) // no verdict
	p.answer(t, cloud.Answer{Challenge: c.ID, Code: p.code(1, 0)}, cloud.Approved, "")
	n := 0
	for d, err := range decisions {
		if err != nil {
			t.Fatalf("the stream ended with %v", err)
		}
		if n++; d.Challenge != c.ID || d.State != cloud.Approved || string(d.Context) != "opaque" {
			t.Errorf("streamed: %+v", d)
		}
		cancel()
	}
	if n == 0 {
		t.Error("the verdict was not streamed")
	}
}

func restart(t *testing.T, p *Peer) {
	if p.Reopen == nil {
		t.Log("this verifier cannot be reopened: durability is not checked")
		return
	}
	id := p.enrol(t, 1)
	pending := p.begin(t, request(id, 2), cloud.Pending)
	c := p.begin(t, request(id, 2), cloud.Pending)
	a := cloud.Answer{Challenge: c.ID, Code: p.code(1, 0), Key: "k"}
	p.answer(t, a, cloud.Approved, "")
	p.Verifier, p.Directory = p.Reopen(t)
	if d := p.answer(t, a, cloud.Approved, ""); !d.Repeated {
		t.Error("the verdict is not marked as a repeat")
	}
	p.answer(t, cloud.Answer{Challenge: pending.ID, Code: p.code(1, 0)}, cloud.Pending, cloud.UsedCode)
	p.answer(t, cloud.Answer{Challenge: pending.ID, Code: p.code(1, 1)}, cloud.Approved, "")
}
