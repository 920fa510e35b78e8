package engine_test

import (
	"fmt"
	"testing"

	"mfabridge/cloud"
	"mfabridge/cloud/cloudtest"
	"mfabridge/internal/secret"
)

// by is a request for a user.
func by(id cloud.UserID, change func(*cloud.Request)) cloud.Case {
	r := cloud.Request{Subject: cloud.Key{Kind: cloud.ByID, Value: string(id)}, Tries: 1, Client: cloud.Client{App: "VPN", Station: "laptop"}}
	change(&r)
	return cloud.Case{Request: r}
}

// Guesses of one round count one by one: what comes after too many of them is
// not looked at, and the right code neither.
func TestGuessesOfOneRoundCount(t *testing.T) {
	h := build(t)
	id, other := h.coded(t, 1), h.coded(t, 2)
	var round []cloud.Case
	for n := range 40 {
		round = append(round, by(id, func(r *cloud.Request) { r.Code = secret.FromString(fmt.Sprintf("%06d", n)) }))
	}
	round = append(round,
		by(id, func(r *cloud.Request) { r.Code = cloudtest.Code(cloudtest.Seed(1), cloudtest.Generator(1), h.Now()) }),
		by(other, func(r *cloud.Request) { r.Code = cloudtest.Code(cloudtest.Seed(2), cloudtest.Generator(2), h.Now()) }))
	h.Settle(t.Context(), round)
	reasons := map[cloud.Reason]int{}
	for _, c := range round {
		if c.Err != nil || c.Apart {
			t.Errorf("%+v", c)
		}
		reasons[c.Challenge.Reason]++
	}
	if reasons[cloud.WrongCode] != 5 || reasons[cloud.TooManyTries] != 36 || round[41].Challenge.State != cloud.Approved {
		t.Errorf("reasons %v, somebody else %s", reasons, round[41].Challenge.State)
	}
}

// What is left to Begin has left nothing: no challenge, no line of the audit, no
// message; and what others of its round did stays.
func TestWhatIsLeftToBeginLeavesNothing(t *testing.T) {
	h := build(t)
	id := h.coded(t, 1)
	asked := h.texted(t, 2, "+1 4255550142")
	pushed := h.user(t, 3)
	device := h.activate(t, pushed)
	before := len(h.actions(t))
	round := []cloud.Case{
		by(asked, func(r *cloud.Request) { r.Method, r.Key = cloud.SMS, "k" }),
		by(id, func(r *cloud.Request) { r.Code = secret.FromString("000000") }),
		by(asked, func(r *cloud.Request) { r.Method, r.Key = cloud.SMS, "k" }),
		by(id, func(r *cloud.Request) { r.Code = cloudtest.Code(cloudtest.Seed(1), cloudtest.Generator(1), h.Now()) }),
		by(pushed, func(r *cloud.Request) {}),
	}
	mails := len(h.messages(t))
	h.Settle(t.Context(), round)
	if !round[0].Apart || !round[2].Apart || round[0].Challenge.ID != "" || round[0].Err != nil {
		t.Errorf("left to Begin: %+v", round[0])
	}
	if round[1].Challenge.Reason != cloud.WrongCode || round[3].Challenge.State != cloud.Approved {
		t.Errorf("the others: %+v, %+v", round[1], round[3])
	}
	if n := len(h.actions(t)) - before; n != 2 {
		t.Errorf("%d lines of the audit", n)
	}
	if waiting, _, err := h.Pushes(t.Context(), pushed, device); !round[4].Apart || err != nil || len(waiting) != 0 {
		t.Errorf("a push: %+v, %v, %v", round[4], waiting, err)
	}
	if n := len(h.messages(t)) - mails; n != 0 {
		t.Errorf("%d messages", n)
	}
	c, err := h.Begin(t.Context(), round[0].Request)
	if err != nil || c.State != cloud.Pending || c.Method != cloud.SMS {
		t.Errorf("by Begin: %+v, %v", c, err)
	}
	again := []cloud.Case{{Request: round[0].Request}}
	if h.Settle(t.Context(), again); again[0].Apart || again[0].Challenge.ID != c.ID {
		t.Errorf("once it is begun: %+v", again[0])
	}
	if audited := verified(t, h); len(audited.Flaws) > 0 {
		t.Errorf("the audit: %+v", audited.Flaws)
	}
}
