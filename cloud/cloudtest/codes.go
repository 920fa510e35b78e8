package cloudtest

import (
	"testing"
	"time"

	"mfabridge/cloud"
	"mfabridge/internal/secret"
)

func farClock(t *testing.T, p *Peer) {
	id := p.enrol(t, 1)
	login := func(steps int) cloud.Challenge {
		r := request(id, 1)
		r.Code = p.code(1, steps)
		c, err := p.Verifier.Begin(t.Context(), r)
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	if c := login(10); c.State != cloud.Refused || c.Reason != cloud.NeedNextCode {
		t.Fatalf("a far code: %+v", c)
	}
	if c := login(12); c.State != cloud.Refused || c.Reason != cloud.NeedNextCode {
		t.Fatalf("a far code that is not the next one: %+v", c)
	}
	if c := login(13); c.State != cloud.Approved {
		t.Fatalf("the next code: %+v", c)
	}
	p.Advance(30 * time.Second)
	if c := login(0); c.State != cloud.Refused || c.Reason != cloud.WrongCode {
		t.Fatalf("a code of our clock: %+v", c)
	}
	if c := login(13); c.State != cloud.Approved {
		t.Fatalf("a code of its clock: %+v", c)
	}
	if c := login(15); c.State != cloud.Refused || c.Reason != cloud.WrongCode {
		t.Fatalf("a code two steps off: %+v", c)
	}
	far := Generator(2)
	far.Drift = 30
	other := addUser(t, p.Directory, 2)
	write(t, p.Directory, cloud.Done, addOATH(other, far))
	r := request(other, 1)
	r.Code = p.code(2, 31)
	p.begin(t, r, cloud.Approved) // the imported drift was used
}

func severalGenerators(t *testing.T, p *Peer) {
	id := p.enrol(t, 1)
	write(t, p.Directory, cloud.Done, addOATH(id, Generator(2)))
	for _, n := range []int{2, 1} {
		r := request(id, 1)
		r.Code = p.code(n, 0)
		p.begin(t, r, cloud.Approved)
		p.begin(t, r, cloud.Refused)
	}
}

func algorithms(t *testing.T, p *Peer) {
	for i, o := range []cloud.OATH{
		{Algorithm: cloud.SHA1, Digits: 8, Period: 30}, {Algorithm: cloud.SHA256, Digits: 6, Period: 60},
		{Algorithm: cloud.SHA512, Digits: 8, Period: 60},
	} {
		id := addUser(t, p.Directory, i)
		o.Secret = secret.New(Seed(i)) // no serial: it is given one
		write(t, p.Directory, cloud.Done, addOATH(id, &o))
		r := request(id, 1)
		r.Code = Code(Seed(i), &o, p.Now())
		p.begin(t, r, cloud.Approved)
	}
}

// textUser makes a user with a mobile only.
func (p *Peer) textUser(t *testing.T) cloud.UserID {
	t.Helper()
	id := addUser(t, p.Directory, 1)
	write(t, p.Directory, cloud.Done, addText(id, cloud.Mobile, "+44 2079460000"))
	return id
}

func sentCode(t *testing.T, p *Peer) {
	if p.SentCode == nil {
		t.Log("this verifier sends no codes")
		return
	}
	id := p.textUser(t)
	c := p.begin(t, request(id, 3), cloud.Pending)
	if c.Method != cloud.SMS || c.Prompt != "Enter the code sent to +44 ********00" {
		t.Fatalf("challenge: %+v", c)
	}
	code := p.SentCode(t, c.ID)
	p.answer(t, cloud.Answer{Challenge: c.ID, Code: secret.FromString(code + "0")}, cloud.Pending, cloud.WrongCode)
	p.answer(t, cloud.Answer{Challenge: c.ID, Code: secret.FromString(code)}, cloud.Approved, "")
	p.answer(t, cloud.Answer{Challenge: c.ID, Code: secret.FromString(code)}, cloud.Refused, cloud.RepeatRefused)
	r := request(id, 1)
	r.Code = secret.FromString(code)
	if c := p.begin(t, r, cloud.Refused); c.Reason != cloud.NoMethod {
		t.Errorf("a code that nobody was sent: %+v", c)
	}
	c = p.begin(t, request(id, 3), cloud.Pending)
	p.Advance(c.ExpiresAt.Sub(p.Now()))
	p.answer(t, cloud.Answer{Challenge: c.ID, Code: secret.FromString(p.SentCode(t, c.ID))}, cloud.Expired, cloud.TimedOut)
}

func resend(t *testing.T, p *Peer) {
	if p.SentCode == nil {
		t.Log("this verifier sends no codes")
		return
	}
	id := p.textUser(t)
	first, second := p.begin(t, request(id, 3), cloud.Pending), p.begin(t, request(id, 3), cloud.Pending)
	elsewhere := request(id, 3)
	elsewhere.Client.Station = "station-2"
	p.begin(t, elsewhere, cloud.Pending) // does not end what this station waits for
	p.answer(t, cloud.Answer{Challenge: first.ID, Code: secret.FromString(p.SentCode(t, first.ID))}, cloud.Refused, cloud.RepeatRefused)
	p.answer(t, cloud.Answer{Challenge: second.ID, Code: secret.FromString(p.SentCode(t, second.ID))}, cloud.Approved, "")
}
