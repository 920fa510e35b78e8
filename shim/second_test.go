package shim_test

import (
	"context"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"mfabridge/cloud"
	"mfabridge/shim"
	"mfabridge/shim/radius"
)

func TestNumberIsShownAndItsAnswerIsHeld(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, h := holding(t)
		defer r.close()
		h.reply = []byte{25, 7, 's', 't', 'a', 'f', 'f'}
		q := ask{from: show, user: "push", password: "pw", station: "laptop"}
		p := r.login(q)
		state := stateOf(t, p)
		if text, _ := p.Lookup(radius.ReplyMessage); !strings.Contains(string(text), "42") {
			t.Errorf("prompt %q", text)
		}
		if len(state) > 96 {
			t.Errorf("State has %d octets", len(state))
		}
		r.waitingFor(0)
		q.password, q.state, q.id = "", state, 1
		request := r.start(q)
		r.waitingFor(1)
		time.Sleep(20 * time.Second)
		r.engine.person("id-push", cloud.Approved, "")
		accept := r.checked(r.receive(), request)
		want(t, accept, radius.AccessAccept)
		if class, _ := accept.Lookup(25); string(class) != "staff" {
			t.Errorf("Class %q", class)
		}
		// Clients whose users type nothing leave the attribute out, or empty.
		q.bare, q.id = true, 4
		want(t, r.login(q), radius.AccessAccept)
		q.fill, q.id = func(w *radius.Builder) { w.Add(radius.UserPassword, nil) }, 5
		want(t, r.login(q), radius.AccessAccept)
		q.bare, q.fill = false, nil
		// An equal repeat has the verdict, for as long as any has.
		q.id, q.password = 2, "ok"
		want(t, r.login(q), radius.AccessAccept)
		time.Sleep(31 * time.Second)
		q.id = 3
		want(t, r.login(q), radius.AccessReject)
		if got := r.server.Counters().Reasons["repeat_refused"]; got != 1 || r.engine.pushes != 1 {
			t.Errorf("reasons %v, %d pushes", r.server.Counters().Reasons, r.engine.pushes)
		}
	})
}

// The State of a number is good for its own login alone, and never as one that
// asks for a code, or the other way round.
func TestStateOfANumber(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, _ := holding(t)
		defer r.close()
		q := ask{from: show, user: "push", password: "pw", station: "laptop"}
		state := stateOf(t, r.login(q))
		r.engine.person("id-push", cloud.Approved, "")
		q.state, q.id = state, 1
		for i, change := range []func(*ask){
			func(q *ask) { q.user = "both" }, func(q *ask) { q.from = other },
			func(q *ask) { q.state = rewritten(t, state, func(octets []byte) { octets[0] = 1 }) }, func(q *ask) { q.state = state[:len(state)-8] },
		} {
			altered := q
			altered.id = byte(10 + i)
			change(&altered)
			want(t, r.login(altered), radius.AccessReject)
		}
		if got := r.server.Counters().Reasons; got["state_foreign"] != 2 || got["state_altered"] != 2 {
			t.Errorf("reasons %v", got)
		}
		want(t, r.login(q), radius.AccessAccept)

		code := ask{from: show, user: "ada", password: "correct horse", station: "laptop", id: 20}
		codeState := stateOf(t, r.login(code))
		code.state, code.id = rewritten(t, codeState, func(octets []byte) { octets[0] = 2 }), 21
		want(t, r.login(code), radius.AccessReject)
		code.bare, code.id = true, 22
		want(t, r.login(code), radius.AccessReject)
		code.state, code.id = codeState, 23
		want(t, r.login(code), radius.AccessReject)
		if got := r.server.Counters().Reasons; got["state_altered"] != 4 || got["no_password"] != 1 {
			t.Errorf("reasons %v", got)
		}
	})
}

func TestDeniedNumberIsRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, _ := holding(t)
		defer r.close()
		for i, from := range []string{show, showfall} { // who says no is not asked for a code instead
			q := ask{from: from, user: "both", password: "pw", station: "laptop", id: byte(10 * i)}
			q.state, q.id = stateOf(t, r.login(q)), q.id+1
			r.engine.person("id-both", cloud.Refused, cloud.UserDenied)
			want(t, r.login(q), radius.AccessReject)
			q.id++
			want(t, r.login(q), radius.AccessReject)
		}
	})
}

// What the engine tells of another challenge than was asked decides nothing.
func TestNumberOfAnotherChallenge(t *testing.T) {
	for name, told := range map[string][]cloud.Decision{
		"none":    {},
		"another": {{Challenge: "another", User: "id-push", State: cloud.Approved, Method: cloud.Push}},
	} {
		synctest.Test(t, func(t *testing.T) {
			r, look, q := shown(t)
			defer r.close()
			look.told = told
			r.start(q)
			r.silent(name)
			if got := r.server.Counters().Reasons["outage"]; got != 1 {
				t.Errorf("%s: reasons %v", name, r.server.Counters().Reasons)
			}
		})
	}
}

// What was approved by a clock that has been set back since is no fresh verdict,
// no more than one of a while ago.
func TestNumberApprovedByAnotherClock(t *testing.T) {
	for off, code := range map[time.Duration]radius.Code{
		-cloud.RepeatWindow: radius.AccessAccept, cloud.RepeatWindow: radius.AccessAccept,
		-cloud.RepeatWindow - 1: radius.AccessReject, cloud.RepeatWindow + 1: radius.AccessReject, time.Hour: radius.AccessReject,
	} {
		synctest.Test(t, func(t *testing.T) {
			r, look, q := shown(t)
			defer r.close()
			look.told = []cloud.Decision{{Challenge: "challenge-1", User: "id-push", State: cloud.Approved, Method: cloud.Push, At: time.Now().Add(off)}}
			if p := r.login(q); p.Code() != code {
				t.Errorf("approved %v from now: answered by %v", off, p.Code())
			}
		})
	}
}

// shown is a login that has shown its number, and asks how it was answered.
func shown(t *testing.T) (*rig, *mistaken, ask) {
	t.Helper()
	look := new(mistaken)
	r, _ := holding(t, func(o *shim.Options) {
		look.fakeEngine = o.Passwords.(*fakeEngine)
		o.Verifier = look
	})
	q := ask{from: show, user: "push", password: "pw", station: "laptop"}
	q.state, q.id = stateOf(t, r.login(q)), 1
	return r, look, q
}

// mistaken is an engine that looks at other challenges than it is asked to.
type mistaken struct {
	*fakeEngine
	told []cloud.Decision // nil: it looks at the right ones
}

func (m *mistaken) Look(ctx context.Context, ids []cloud.ChallengeID) ([]cloud.Decision, error) {
	if m.told != nil {
		return m.told, nil
	}
	return m.fakeEngine.Look(ctx, ids)
}

func TestFallbackToACode(t *testing.T) {
	for _, test := range []struct {
		name, user string
		state      cloud.State
		why        cloud.Reason
		code       radius.Code
	}{
		{"timed out", "both", cloud.Expired, cloud.TimedOut, radius.AccessChallenge},
		{"undeliverable", "both", cloud.Refused, cloud.Undeliverable, radius.AccessChallenge},
		{"denied", "both", cloud.Refused, cloud.UserDenied, radius.AccessReject},
		{"blocked", "both", cloud.Refused, cloud.UserBlocked, radius.AccessReject},
		{"timed out, and there is no code", "push", cloud.Expired, cloud.TimedOut, radius.AccessReject},
	} {
		synctest.Test(t, func(t *testing.T) {
			r, _ := holding(t)
			defer r.close()
			for i, from := range []string{fall, vpn} {
				q := ask{from: from, user: test.user, password: "pw", station: "laptop", id: byte(i)}
				request := r.start(q)
				r.engine.person(cloud.UserID("id-"+test.user), test.state, test.why)
				p := r.checked(r.receive(), request)
				wanted := test.code
				if from == vpn {
					wanted = radius.AccessReject
				}
				if p.Code() != wanted {
					t.Errorf("%s from %s: answered by %v, want %v", test.name, from, p.Code(), wanted)
				}
				if p.Code() != radius.AccessChallenge {
					continue
				}
				q.state, q.password, q.id = stateOf(t, p), "222222", 7
				want(t, r.login(q), radius.AccessAccept)
			}
		})
	}
}

func TestFallbackWhenTheTimeIsOver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, h := holding(t)
		defer r.close()
		h.reply = []byte{25, 7, 's', 't', 'a', 'f', 'f'}
		q := ask{from: fall, user: "both", password: "pw", station: "laptop"}
		request := r.start(q)
		p := r.checked(r.receive(), request)
		q.state, q.password, q.id = stateOf(t, p), "222222", 1
		accept := r.login(q)
		want(t, accept, radius.AccessAccept)
		if class, _ := accept.Lookup(25); string(class) != "staff" {
			t.Errorf("Class %q is lost on the way through push and code", class)
		}
		// Also after a number was shown.
		q = ask{from: showfall, user: "both", password: "pw", station: "laptop", id: 10}
		r.engine.set(func() { clear(r.engine.used) })
		q.state, q.id = stateOf(t, r.login(q)), 11
		request = r.start(q)
		r.waitingFor(1)
		p = r.checked(r.receive(), request)
		q.state, q.password, q.id = stateOf(t, p), "222222", 12
		accept = r.login(q)
		want(t, accept, radius.AccessAccept)
		if class, _ := accept.Lookup(25); string(class) != "staff" {
			t.Errorf("Class %q is lost on the way through number and code", class)
		}
	})
}

// A user who is refused before anything is sent gets no second question.
func TestUndeliverableAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, _ := holding(t)
		defer r.close()
		r.engine.set(func() {
			r.engine.hook = func(c *cloud.Challenge, _ *cloud.Decision) {
				if c != nil && c.Method == cloud.Push {
					c.State, c.Reason = cloud.Refused, cloud.Undeliverable
				}
			}
		})
		q := ask{from: fall, user: "both", password: "pw", station: "laptop"}
		q.state, q.id = stateOf(t, r.login(q)), 1
		q.password = "222222"
		want(t, r.login(q), radius.AccessAccept)
		want(t, r.login(ask{from: vpn, user: "both", password: "pw", station: "laptop", id: 2}), radius.AccessReject)
	})
}

// A bypass counts once, for the user that it was given to.
func TestBypass(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, h := holding(t)
		defer r.close()
		h.reply = []byte{25, 7, 's', 't', 'a', 'f', 'f'}
		r.engine.set(func() { r.engine.people["push"].bypass = true })
		want(t, r.login(ask{from: vpn, user: "push", password: "wrong", station: "laptop", id: 8}), radius.AccessReject)
		want(t, r.login(ask{from: vpn, user: "both", password: "pw", station: "laptop", id: 9}.with(",x")), radius.AccessReject)
		accept := r.login(pushLogin)
		want(t, accept, radius.AccessAccept)
		if class, _ := accept.Lookup(25); string(class) != "staff" {
			t.Errorf("Class %q", class)
		}
		if !strings.Contains(r.log.String(), `"by":"bypass"`) {
			t.Errorf("the log does not tell of the bypass:\n%s", r.log)
		}
		time.Sleep(31 * time.Second)
		q := pushLogin
		q.id = 1
		r.start(q)
		r.waitingFor(1)
		r.engine.person("id-push", cloud.Refused, cloud.UserDenied)
		r.receive()
	})
}

// with is the same with more behind the password.
func (q ask) with(tail string) ask {
	q.password += tail
	return q
}

func TestCacheSparesOnlyTheSecondFactor(t *testing.T) {
	login := func(r *rig, change func(*ask)) radius.Code {
		q := ask{from: keeps, user: "push", password: "pw", station: "laptop", id: byte(r.serial)}
		change(&q)
		request := r.start(q)
		if r.server.Counters().Waiting > 0 {
			r.engine.person("id-push", cloud.Approved, "")
			r.engine.person("id-both", cloud.Approved, "")
		}
		return r.checked(r.receive(), request).Code()
	}
	same := func(*ask) {}
	for _, test := range []struct {
		name   string
		change func(*ask)
		before func(*rig)
		pushes int
		code   radius.Code
	}{
		{"same", same, nil, 1, radius.AccessAccept},
		{"later", same, func(*rig) { time.Sleep(59 * time.Minute) }, 1, radius.AccessAccept},
		{"too late", same, func(*rig) { time.Sleep(61 * time.Minute) }, 2, radius.AccessAccept},
		{"wrong password", func(q *ask) { q.password = "wrong" }, nil, 1, radius.AccessReject},
		{"another station", func(q *ask) { q.station = "phone" }, nil, 2, radius.AccessAccept},
		{"no station", func(q *ask) { q.station = "" }, nil, 2, radius.AccessAccept},
		{"another user", func(q *ask) { q.user = "both" }, nil, 2, radius.AccessAccept},
		{"another client", func(q *ask) { q.from = keepsToo }, nil, 2, radius.AccessAccept},
		{"a client without a cache", func(q *ask) { q.from = vpn }, nil, 2, radius.AccessAccept},
		{"blocked since", same, func(r *rig) { r.engine.set(func() { r.engine.people["push"].refused = cloud.UserBlocked }) }, 1, radius.AccessReject},
		{"somebody else has the name now", same, func(r *rig) { r.engine.set(func() { r.engine.people["push"].id = "id-both" }) }, 2, radius.AccessAccept},
	} {
		synctest.Test(t, func(t *testing.T) {
			r, _ := holding(t)
			defer r.close()
			if code := login(r, same); code != radius.AccessAccept {
				t.Fatalf("first login: %v", code)
			}
			time.Sleep(11 * time.Second)
			if test.before != nil {
				test.before(r)
			}
			if code := login(r, test.change); code != test.code || r.engine.pushes != test.pushes {
				t.Errorf("%s: answered by %v after %d pushes, want %v after %d", test.name, code, r.engine.pushes, test.code, test.pushes)
			}
		})
	}
}

// Without a station there is no place of one's own, and what the engine says of a
// user spares nothing unless it says that the user may verify.
func TestCacheThatSparesNothing(t *testing.T) {
	for name, test := range map[string]struct {
		station  string
		state    cloud.State
		why      cloud.Reason
		bypassed bool
		spared   bool
	}{
		"no method":           {"laptop", cloud.Refused, cloud.NoMethod, false, true},
		"none that may":       {"laptop", cloud.Refused, cloud.NotAllowed, false, true},
		"a bypass":            {"laptop", cloud.Approved, "", true, true},
		"no station":          {"", cloud.Refused, cloud.NoMethod, false, false},
		"an approval of old":  {"laptop", cloud.Approved, "", false, false},
		"blocked":             {"laptop", cloud.Refused, cloud.UserBlocked, true, false},
		"over, and no method": {"laptop", cloud.Expired, cloud.NoMethod, false, false},
	} {
		synctest.Test(t, func(t *testing.T) {
			r, _ := holding(t)
			defer r.close()
			q := ask{from: keeps, user: "push", password: "pw", station: test.station}
			for n := range 2 {
				q.id++
				request := r.start(q)
				if n == 0 || !test.spared {
					r.waitingFor(1)
					r.engine.person("id-push", cloud.Approved, "")
				}
				want(t, r.checked(r.receive(), request), radius.AccessAccept)
				r.engine.set(func() {
					r.engine.hook = func(b *cloud.Challenge, _ *cloud.Decision) {
						if b.Method == cloud.OATHCode {
							b.State, b.Reason, b.Bypassed = test.state, test.why, test.bypassed
						}
					}
				})
				time.Sleep(cloud.RepeatWindow + time.Second)
			}
			if got := r.server.Counters().Spared["cache"]; (got == 1) != test.spared || r.engine.pushes == 1 != test.spared {
				t.Errorf("%s: %d spared, %d pushes", name, got, r.engine.pushes)
			}
		})
	}
}

// Who gave a code, and has lost the generator since or may not use it any more,
// is spared nothing.
func TestCacheEndsWithTheGenerator(t *testing.T) {
	for name, test := range map[string]struct {
		state  cloud.State
		why    cloud.Reason
		spared uint64
	}{"it is there": {cloud.Pending, "", 1}, "it is gone": {cloud.Refused, cloud.NoMethod, 0}, "it is forbidden": {cloud.Refused, cloud.NotAllowed, 0}} {
		synctest.Test(t, func(t *testing.T) {
			r, _ := holding(t)
			defer r.close()
			q := ask{from: keeps, user: "ada", password: "correct horse", station: "laptop"}
			code := q
			code.state, code.password, code.id = stateOf(t, r.login(q)), "123456", 1
			want(t, r.login(code), radius.AccessAccept)
			r.engine.set(func() {
				r.engine.hook = func(b *cloud.Challenge, _ *cloud.Decision) { b.State, b.Reason = test.state, test.why }
			})
			time.Sleep(cloud.RepeatWindow + time.Second)
			q.id = 2
			p := r.login(q)
			if got := r.server.Counters().Spared["cache"]; got != test.spared || (p.Code() == radius.AccessAccept) != (test.spared == 1) {
				t.Errorf("%s: %d spared, answered by %v", name, got, p.Code())
			}
		})
	}
}

// A code spares the next one as an approval does, and a refusal ends what was
// spared before it.
func TestCacheHoldsForCodesAndEndsWithARefusal(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, _ := holding(t)
		defer r.close()
		q := ask{from: keeps, user: "ada", password: "correct horse", station: "laptop"}
		code := q
		code.state, code.password, code.id = stateOf(t, r.login(q)), "123456", 1
		want(t, r.login(code), radius.AccessAccept)
		q.id = 2
		want(t, r.login(q), radius.AccessAccept)

		q = ask{from: keeps, user: "push", password: "pw", station: "desk", id: 10}
		for i, step := range []struct {
			id    cloud.UserID
			state cloud.State
		}{{"id-push", cloud.Approved}, {"id-both", cloud.Refused}, {"id-push", cloud.Approved}} {
			r.engine.set(func() { r.engine.people["push"].id = step.id }) // somebody else has the name for a while
			time.Sleep(cloud.RepeatWindow + time.Second)                  // what was begun for the one is not repeated for the other
			q.id++
			request := r.start(q)
			r.waitingFor(1)
			r.engine.person(step.id, step.state, "")
			if p := r.checked(r.receive(), request); (p.Code() == radius.AccessAccept) != (step.state == cloud.Approved) {
				t.Errorf("login %d: answered by %v", i, p.Code())
			}
		}
		if got := r.server.Counters().Spared["cache"]; got != 1 || r.engine.pushes != 3 {
			t.Errorf("%d spared, %d pushes", got, r.engine.pushes)
		}
	})
}

func TestUnmatched(t *testing.T) {
	for _, test := range []struct {
		name      string
		unmatched string
		alter     func(*shim.Proof)
		code      radius.Code
	}{
		{"a directory's entry", "primary_only", func(p *shim.Proof) { p.Subject = cloud.Key{Kind: cloud.BySID, Value: "S-1-5-21-1"} }, radius.AccessAccept},
		{"by its other key too", "primary_only", func(p *shim.Proof) {
			p.Subject, p.Otherwise = cloud.Key{Kind: cloud.BySID, Value: "S-1-5-21-1"}, cloud.Key{Kind: cloud.ByUPN, Value: "x@contoso.example"}
		}, radius.AccessAccept},
		{"deny", "deny", func(p *shim.Proof) { p.Subject = cloud.Key{Kind: cloud.BySID, Value: "S-1-5-21-1"} }, radius.AccessReject},
		{"a typed name", "primary_only", func(p *shim.Proof) { p.Subject = cloud.Key{Kind: cloud.ByName, Value: `CORP\ada`} }, radius.AccessReject},
		{"an id", "primary_only", func(p *shim.Proof) { p.Subject = cloud.Key{Kind: cloud.ByID, Value: "gone"} }, radius.AccessReject},
		{"known by its other key", "primary_only", func(p *shim.Proof) {
			p.Otherwise, p.Subject = p.Subject, cloud.Key{Kind: cloud.BySID, Value: "S-1-5-21-1"}
		}, radius.AccessChallenge},
	} {
		synctest.Test(t, func(t *testing.T) {
			r, h := holding(t, func(o *shim.Options) { o.Config.RADIUS.Clients[0].Unmatched = test.unmatched })
			defer r.close()
			h.set(func() { h.alter, h.reply = test.alter, []byte{25, 7, 's', 't', 'a', 'f', 'f'} })
			p := r.login(ask{from: vpn, user: "ada", password: "correct horse", station: "laptop"})
			if p.Code() != test.code {
				t.Errorf("%s: answered by %v, want %v", test.name, p.Code(), test.code)
			}
			if class, _ := p.Lookup(25); (string(class) == "staff") != (p.Code() == radius.AccessAccept) {
				t.Errorf("%s: Class %q", test.name, class)
			}
			want(t, r.login(ask{from: vpn, user: "ada", password: "wrong", station: "laptop", id: 1}), radius.AccessReject)
		})
	}
}

// An engine that cannot be asked knows nobody: that is no reason to let in.
func TestUnmatchedIsNotAnOutage(t *testing.T) {
	for _, kind := range []cloud.Kind{cloud.Unavailable, cloud.Throttled, cloud.Internal, cloud.Denied, cloud.Conflict, cloud.Invalid, cloud.Stale} {
		synctest.Test(t, func(t *testing.T) {
			r, h := holding(t, func(o *shim.Options) { o.Config.RADIUS.Clients[0].Unmatched = "primary_only" })
			defer r.close()
			h.set(func() {
				h.alter = func(p *shim.Proof) { p.Subject = cloud.Key{Kind: cloud.BySID, Value: "S-1-5-21-1"} }
				r.engine.err = &cloud.Error{Kind: kind}
			})
			r.start(ask{from: vpn, user: "ada", password: "correct horse", station: "laptop"})
			select {
			case d := <-r.conn.out:
				if radius.Code(d.b[0]) != radius.AccessReject {
					t.Errorf("%v: answered by %v", kind, radius.Code(d.b[0]))
				}
			default:
			}
		})
	}
}

// Two nodes of one engine: what one has heard of a wrong password the other
// does not ask again. Equal legs at one moment are one question, too.
func TestWrongPasswordIsAskedOnceByTwoNodes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := configured(t, heldClients)
		one, h := holding(t, func(o *shim.Options) { o.Config = c })
		defer one.close()
		two, _ := holding(t, func(o *shim.Options) {
			o.Config, o.Verifier, o.Primaries = c, one.engine, map[string]shim.Primary{"old": h}
		})
		defer two.close()
		q := ask{from: vpn, user: "ada", password: "mistyped", station: "laptop"}
		gate := make(chan struct{})
		h.set(func() { h.gate = gate })
		for i := range 5 {
			q.id = byte(i)
			b := one.build(q)
			one.send(b, q.source())
		}
		synctest.Wait()
		close(gate)
		for range 5 {
			one.receive()
		}
		for i := range 5 {
			q.id = byte(i)
			want(t, two.login(q), radius.AccessReject)
			time.Sleep(10 * time.Second)
		}
		if got := h.tried(); len(got) != 1 {
			t.Errorf("the primary heard of %q", got)
		}
		q.id, q.password = 20, "correct horse"
		want(t, two.login(q), radius.AccessChallenge)
		time.Sleep(11 * time.Second)
		q.id, q.password = 21, "mistyped"
		want(t, two.login(q), radius.AccessReject)
		if got := h.tried(); len(got) != 3 {
			t.Errorf("the primary heard of %q", got)
		}
	})
}

// The engine's noticeboard is a hint: without it the primary is asked.
func TestNoticeboardAway(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, h := holding(t, func(o *shim.Options) { o.Verifier = deaf{fakeOf(o.Verifier)} })
		defer r.close()
		q := ask{from: vpn, user: "ada", password: "mistyped", station: "laptop"}
		want(t, r.login(q), radius.AccessReject)
		q.password, q.id = "correct horse", 1
		want(t, r.login(q), radius.AccessChallenge)
		if got := h.tried(); len(got) != 2 {
			t.Errorf("the primary heard of %q", got)
		}
	})
}

// deaf is an engine whose noticeboard is broken.
type deaf struct{ *fakeEngine }

func (deaf) Note(context.Context, string, time.Duration) error {
	return &cloud.Error{Kind: cloud.Unavailable, Message: "no notices today"}
}

func (deaf) Claim(context.Context, string, time.Duration) (bool, error) {
	return false, &cloud.Error{Kind: cloud.Unavailable, Message: "no notices today"}
}

func (deaf) Withdraw(context.Context, string) error {
	return &cloud.Error{Kind: cloud.Unavailable, Message: "no notices today"}
}

func (deaf) Noted(context.Context, string) (bool, error) {
	return true, &cloud.Error{Kind: cloud.Unavailable, Message: "no notices today"}
}

// A cache that the operator shortens is shorter at once, also for those who gave
// a second factor before.
func TestShorterCacheHoldsForWhatWasGivenBefore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, h := holding(t)
		defer r.close()
		q := ask{from: keeps, user: "push", password: "pw", station: "desk"}
		request := r.start(q)
		r.engine.person("id-push", cloud.Approved, "")
		want(t, r.checked(r.receive(), request), radius.AccessAccept)
		time.Sleep(20 * time.Minute)
		q.id++
		want(t, r.login(q), radius.AccessAccept)
		next := configured(t, strings.Replace(heldClients, "cache: {for: 1h}", "cache: {for: 20m}", 1))
		if err := r.server.Swap(next, map[string]shim.Primary{"old": h}); err != nil {
			t.Fatal(err)
		}
		q.id++
		r.start(q)
		r.waitingFor(1)
		r.engine.person("id-push", cloud.Refused, cloud.UserDenied)
		r.receive()
		if got := r.server.Counters().Spared["cache"]; got != 1 || r.engine.pushes != 2 {
			t.Errorf("%d spared, %d pushes", got, r.engine.pushes)
		}
	})
}
