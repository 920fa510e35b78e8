package cloudtest

import (
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"mfabridge/cloud"
	"mfabridge/internal/secret"
)

// Telephone stands for the authenticator of users, where a verifier asks by
// push.
type Telephone struct {
	Activate func(t *testing.T, user cloud.UserID)
	// Press answers approve, deny or fraud, with the number that was typed.
	Press func(t *testing.T, user cloud.UserID, id cloud.ChallengeID, answer, number string)
}

// pushUser makes a user with an authenticator and a generator.
func (p *Peer) pushUser(t *testing.T) cloud.UserID {
	t.Helper()
	id := p.enrol(t, 1)
	p.Telephone.Activate(t, id)
	return id
}

func (p *Peer) stands(t *testing.T, id cloud.ChallengeID, want cloud.State, reason cloud.Reason) {
	t.Helper()
	ds, err := p.Verifier.Look(t.Context(), []cloud.ChallengeID{id})
	if err != nil || len(ds) != 1 || ds[0].State != want || ds[0].Reason != reason {
		t.Fatalf("Look: %+v, %v; want %s %q", ds, err, want, reason)
	}
}

func pushes(t *testing.T, p *Peer) {
	if p.Telephone == nil {
		t.Log("this verifier asks nobody by push")
		return
	}
	id := p.pushUser(t)
	c := p.begin(t, request(id, 3), cloud.Pending)
	if c.Method != cloud.Push || c.Number != "" || c.Prompt == "" || !c.ExpiresAt.After(p.Now()) {
		t.Fatalf("challenge: %+v", c)
	}
	p.answer(t, cloud.Answer{Challenge: c.ID, Code: p.code(1, 0)}, cloud.Pending, cloud.WrongCode) // typed where nothing is typed
	p.Telephone.Press(t, id, c.ID, "approve", "")
	p.stands(t, c.ID, cloud.Approved, "")
	p.Telephone.Press(t, id, c.ID, "deny", "")
	p.stands(t, c.ID, cloud.Approved, "")
	c = p.begin(t, request(id, 3), cloud.Pending)
	p.Telephone.Press(t, id, c.ID, "deny", "")
	p.stands(t, c.ID, cloud.Refused, cloud.UserDenied)
	p.Telephone.Press(t, id, c.ID, "approve", "")
	p.stands(t, c.ID, cloud.Refused, cloud.UserDenied)
	c = p.begin(t, request(id, 3), cloud.Pending)
	p.Advance(c.ExpiresAt.Sub(p.Now()))
	p.Telephone.Press(t, id, c.ID, "approve", "")
	p.stands(t, c.ID, cloud.Expired, cloud.TimedOut)
}

func pushNumber(t *testing.T, p *Peer) {
	if p.Telephone == nil {
		t.Log("this verifier asks nobody by push")
		return
	}
	id := p.pushUser(t)
	r := request(id, 3)
	r.ShowsNumber, r.Key = true, "login"
	c := p.begin(t, r, cloud.Pending)
	if c.Method != cloud.Push || len(c.Number) != 2 {
		t.Fatalf("challenge: %+v", c)
	}
	if again := p.begin(t, r, cloud.Pending); again.ID != c.ID || again.Number != c.Number {
		t.Errorf("an equal request shows another number: %+v, %+v", c, again)
	}
	p.Telephone.Press(t, id, c.ID, "approve", c.Number)
	p.stands(t, c.ID, cloud.Approved, "")
	for _, number := range []string{"", "00", "7"} {
		r.Key = "again " + number
		c = p.begin(t, r, cloud.Pending)
		p.Telephone.Press(t, id, c.ID, "approve", number)
		p.stands(t, c.ID, cloud.Refused, cloud.WrongCode)
		p.Advance(11 * time.Minute)
	}
}

// onePush: a login that asks again ends the push that it asked by before.
func onePush(t *testing.T, p *Peer) {
	if p.Telephone == nil {
		t.Log("this verifier asks nobody by push")
		return
	}
	id := p.pushUser(t)
	first, second := p.begin(t, request(id, 3), cloud.Pending), p.begin(t, request(id, 3), cloud.Pending)
	p.stands(t, first.ID, cloud.Expired, cloud.TimedOut)
	p.Telephone.Press(t, id, first.ID, "approve", "")
	p.stands(t, first.ID, cloud.Expired, cloud.TimedOut)
	elsewhere := request(id, 3)
	elsewhere.Client.Station = "station-2"
	other := p.begin(t, elsewhere, cloud.Pending)
	p.Telephone.Press(t, id, second.ID, "approve", "")
	p.stands(t, second.ID, cloud.Approved, "")
	p.stands(t, other.ID, cloud.Pending, "")
}

// tiredOfPushes: who gets pushes that are not theirs is not asked for ever.
func tiredOfPushes(t *testing.T, p *Peer) {
	if p.Telephone == nil {
		t.Log("this verifier asks nobody by push")
		return
	}
	id := p.pushUser(t)
	for range 3 {
		p.Telephone.Press(t, id, p.begin(t, request(id, 3), cloud.Pending).ID, "deny", "")
	}
	r := request(id, 3)
	if c := p.begin(t, r, cloud.Pending); c.Method != cloud.OATHCode {
		t.Errorf("after three denials: %+v", c)
	}
	r.Method = cloud.Push
	if c := p.begin(t, r, cloud.Refused); c.Reason != cloud.TooManyTries {
		t.Errorf("a push that was wished for: %+v", c)
	}
	p.Advance(10 * time.Minute)
	if c := p.begin(t, r, cloud.Pending); c.Method != cloud.Push {
		t.Errorf("ten minutes later: %+v", c)
	}
}

// pushOfWhoMayNot: a block holds for a push that waits, and for its answer.
func pushOfWhoMayNot(t *testing.T, p *Peer) {
	if p.Telephone == nil {
		t.Log("this verifier asks nobody by push")
		return
	}
	id := p.pushUser(t)
	c := p.begin(t, request(id, 3), cloud.Pending)
	write(t, p.Directory, cloud.Done, cloud.Change{User: id, Op: cloud.Set, Method: cloud.Blocked, After: cloud.Value{Until: p.Now().Add(time.Hour)}})
	p.stands(t, c.ID, cloud.Refused, cloud.UserBlocked)
	p.Telephone.Press(t, id, c.ID, "approve", "")
	p.stands(t, c.ID, cloud.Refused, cloud.UserBlocked)
}

// matching tells right codes without using them up.
func matching(t *testing.T, p *Peer) {
	m, ok := p.Verifier.(cloud.CodeMatcher)
	if !ok {
		t.Log("this verifier matches no codes")
		return
	}
	id := p.enrol(t, 1)
	key := cloud.Key{Kind: cloud.ByID, Value: string(id)}
	match := func(key cloud.Key, code secret.Bytes, client cloud.Client) bool {
		t.Helper()
		found, err := m.MatchCode(t.Context(), key, code, client)
		if err != nil {
			t.Fatal(err)
		}
		return found
	}
	for range 3 {
		if !match(key, p.code(1, 0), station) {
			t.Fatal("the code of now does not match")
		}
	}
	for _, typed := range []string{"", "x", "12345", "123456789", "１２３４５６"} {
		if match(key, secret.FromString(typed), station) {
			t.Errorf("%q matches", typed)
		}
	}
	if match(cloud.Key{Kind: cloud.ByName, Value: "nobody"}, p.code(1, 0), station) || match(key, p.code(2, 0), station) {
		t.Error("a code of somebody else matches")
	}
	r := request(id, 1)
	r.Code = p.code(1, 0)
	p.begin(t, r, cloud.Approved)
	if !match(key, p.code(1, 0), station) {
		t.Error("a code that was used a moment ago is taken for a part of the password")
	}
	p.Advance(2 * time.Minute)
	if match(key, p.code(1, -4), station) {
		t.Error("a code that was used long ago matches")
	}
	for range 20 {
		if match(key, p.wrong(1), station) {
			t.Error("a wrong code matches")
		}
	}
	if match(key, p.code(1, 0), station) {
		t.Error("a code matches beyond the limit on failures")
	}
	if !match(key, p.code(1, 0), cloud.Client{App: "vpn", Station: "station-2"}) {
		t.Error("another station is slowed down too")
	}
	r.Code = p.code(1, 0)
	p.begin(t, r, cloud.Approved) // a password that ends in digits locks nobody out of answering
}

// matchingTexts matches the code that was sent last.
func matchingTexts(t *testing.T, p *Peer) {
	m, ok := p.Verifier.(cloud.CodeMatcher)
	if !ok || p.SentCode == nil {
		t.Log("this verifier matches no codes that were sent")
		return
	}
	id := p.textUser(t)
	first, second := p.begin(t, request(id, 3), cloud.Pending), p.begin(t, request(id, 3), cloud.Pending)
	for _, c := range []struct {
		code    string
		matches bool
	}{{p.SentCode(t, first.ID), false}, {p.SentCode(t, second.ID), true}, {p.SentCode(t, second.ID), true}} {
		found, err := m.MatchCode(t.Context(), cloud.Key{Kind: cloud.ByID, Value: string(id)}, secret.FromString(c.code), station)
		if err != nil || found != c.matches {
			t.Errorf("a sent code: %t, %v; want %t", found, err, c.matches)
		}
	}
	p.answer(t, cloud.Answer{Challenge: second.ID, Code: secret.FromString(p.SentCode(t, second.ID))}, cloud.Approved, "")
}

// notices are seen by the next caller, for their time and no longer.
func notices(t *testing.T, p *Peer) {
	board, ok := p.Verifier.(cloud.Noticeboard)
	if !ok {
		t.Log("this verifier has no noticeboard")
		return
	}
	for _, bad := range []struct {
		key  string
		life time.Duration
	}{{"", time.Second}, {strings.Repeat("k", cloud.MaxIdempotencyKey+1), time.Second}, {"k", 0}, {"k", -time.Second}, {"k", 2*cloud.RepeatWindow + time.Second}} {
		if err := board.Note(t.Context(), bad.key, bad.life); cloud.KindOf(err) != cloud.Invalid {
			t.Errorf("%d bytes for %s: %v", len(bad.key), bad.life, err)
		}
	}
	up := func(key string, want bool) {
		t.Helper()
		if got, err := board.Noted(t.Context(), key); err != nil || got != want {
			t.Errorf("%q is up: %v, %v", key, got, err)
		}
	}
	up("k", false)
	if err := board.Note(t.Context(), "k", time.Minute); err != nil {
		t.Fatal(err)
	}
	up("k", true)
	up("K", false)
	p.Advance(59 * time.Second)
	up("k", true)
	p.Advance(time.Second)
	up("k", false)
	claims(t, p, board)
}

// claims are one caller's at a time.
func claims(t *testing.T, p *Peer, board cloud.Noticeboard) {
	claim := func(key string, want bool) {
		t.Helper()
		if got, err := board.Claim(t.Context(), key, 10*time.Second); err != nil || got != want {
			t.Errorf("claim of %q: %v, %v", key, got, err)
		}
	}
	if mine, err := board.Claim(t.Context(), "c", 0); mine || cloud.KindOf(err) != cloud.Invalid {
		t.Errorf("a claim for no time: %v, %v", mine, err)
	}
	var mine atomic.Int32
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			if got, err := board.Claim(t.Context(), "c", 10*time.Second); err != nil {
				t.Error(err)
			} else if got {
				mine.Add(1)
			}
		})
	}
	all.Wait()
	if n := mine.Load(); n != 1 {
		t.Errorf("%d of eight callers have claimed the same", n)
	}
	claim("c", false)
	claim("C", true)
	for range 2 {
		if err := board.Withdraw(t.Context(), "c"); err != nil {
			t.Error(err)
		}
	}
	claim("c", true)
	p.Advance(10 * time.Second)
	claim("c", true)
	if err := board.Note(t.Context(), "c", time.Minute); err != nil {
		t.Error(err)
	}
	p.Advance(10 * time.Second)
	claim("c", false)
}
