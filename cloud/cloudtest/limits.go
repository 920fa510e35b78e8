package cloudtest

import (
	"net/netip"
	"testing"
	"time"

	"mfabridge/cloud"
)

// lateAnswer collects challenges before it guesses: that must not pay.
func lateAnswer(t *testing.T, p *Peer) {
	id := p.enrol(t, 1)
	var open []cloud.ChallengeID
	for range 30 {
		open = append(open, p.begin(t, request(id, 1), cloud.Pending).ID)
	}
	var d cloud.Decision
	for _, c := range open[:29] {
		var err error
		if d, err = p.Verifier.Answer(t.Context(), cloud.Answer{Challenge: c, Code: p.wrong(1)}); err != nil {
			t.Fatal(err)
		}
	}
	if d.State != cloud.Refused || d.Reason != cloud.TooManyTries {
		t.Errorf("the 29th wrong answer: %+v", d)
	}
	p.answer(t, cloud.Answer{Challenge: open[29], Code: p.code(1, 0)}, cloud.Refused, cloud.TooManyTries)
}

func successResets(t *testing.T, p *Peer) {
	id := p.enrol(t, 1)
	for range 4 {
		r := request(id, 1)
		for range 3 {
			r.Code = p.wrong(1)
			if c := p.begin(t, r, cloud.Refused); c.Reason != cloud.WrongCode {
				t.Fatalf("a wrong code: %+v", c)
			}
		}
		r.Code = p.code(1, 0)
		p.begin(t, r, cloud.Approved)
		p.Advance(30 * time.Second)
	}
}

func slowStation(t *testing.T, p *Peer) {
	id := p.enrol(t, 1)
	outsider := request(id, 1)
	outsider.Client = cloud.Client{App: "vpn", Address: netip.MustParseAddr("192.0.2.66")}
	outsider.Code = p.wrong(1)
	slowed := false
	for range 20 {
		slowed = p.begin(t, outsider, cloud.Refused).Reason == cloud.TooManyTries
	}
	if !slowed {
		t.Error("20 wrong codes did not slow the outsider down")
	}
	outsider.Code = p.code(1, 0)
	if c := p.begin(t, outsider, cloud.Refused); c.Reason != cloud.TooManyTries {
		t.Errorf("the right code while slowed down: %+v", c)
	}
	own := request(id, 1)
	own.Code = p.code(1, 0)
	p.begin(t, own, cloud.Approved) // it is neither used up nor locked here
	p.Advance(time.Hour)
	outsider.Code = p.wrong(1)
	if c := p.begin(t, outsider, cloud.Refused); c.Reason != cloud.WrongCode {
		t.Errorf("an hour later: %+v", c)
	}
}
