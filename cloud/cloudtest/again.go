package cloudtest

import (
	"testing"
	"time"

	"mfabridge/cloud"
	"mfabridge/internal/secret"
)

// blockAfter repeats logins that were approved before a block: the block holds
// for the next call, also for one that asks for a recorded verdict, or after a
// push.
func blockAfter(t *testing.T, p *Peer) {
	id := p.enrol(t, 1)
	c := p.begin(t, request(id, 1), cloud.Pending)
	a := cloud.Answer{Challenge: c.ID, Code: p.code(1, 0), Key: "answer"}
	p.answer(t, a, cloud.Approved, "")
	r := request(id, 1)
	r.Code, r.Key = p.code(1, 1), "login"
	p.begin(t, r, cloud.Approved)
	var pushed cloud.ChallengeID
	if p.Telephone != nil {
		p.Telephone.Activate(t, id)
		pushed = p.begin(t, request(id, 1), cloud.Pending).ID
		p.Telephone.Press(t, id, pushed, "approve", "")
		p.stands(t, pushed, cloud.Approved, "")
	}
	block := cloud.Change{User: id, Op: cloud.Set, Method: cloud.Blocked, After: cloud.Value{Until: p.Now().Add(time.Hour)}}
	write(t, p.Directory, cloud.Done, block)
	p.answer(t, a, cloud.Refused, cloud.UserBlocked)
	if c := p.begin(t, r, cloud.Refused); c.Reason != cloud.UserBlocked {
		t.Errorf("an approved request of a blocked user: %+v", c)
	}
	if pushed != "" {
		p.stands(t, pushed, cloud.Refused, cloud.UserBlocked)
	}
	block.Before, block.After = block.After, cloud.Value{}
	write(t, p.Directory, cloud.Done, block)
	p.answer(t, a, cloud.Approved, "") // the record was left alone
	p.begin(t, r, cloud.Approved)
}

// twinGenerators are two entries with one secret, an app and a token say: what
// one of them showed is one code.
func twinGenerators(t *testing.T, p *Peer) {
	id := p.enrol(t, 1)
	twin := Generator(1)
	twin.Serial = "SYN-TWIN"
	results := p.Directory.Write(t.Context(), []cloud.Change{{User: id, Op: cloud.Add, Method: cloud.HardwareOATH, After: cloud.Value{OATH: twin}}})
	if results[0].Outcome == cloud.Failed {
		return // a target may refuse them
	}
	r := request(id, 1)
	r.Code = p.code(1, 0)
	p.begin(t, r, cloud.Approved)
	for range 4 {
		p.begin(t, r, cloud.Refused)
		p.Advance(15 * time.Second)
	}
	r.Code = p.code(1, 0)
	p.begin(t, r, cloud.Approved)
}

// otherNumber answers with a code that went to a telephone which is not the
// user's any more.
func otherNumber(t *testing.T, p *Peer) {
	if p.SentCode == nil {
		t.Log("this verifier sends no codes")
		return
	}
	id := p.textUser(t)
	c := p.begin(t, request(id, 3), cloud.Pending)
	code := secret.FromString(p.SentCode(t, c.ID))
	change := cloud.Change{User: id, Op: cloud.Update, Method: cloud.Mobile,
		Before: cloud.TextValue("+44 2079460000"), After: cloud.TextValue("+44 2079460001")}
	write(t, p.Directory, cloud.Done, change)
	p.answer(t, cloud.Answer{Challenge: c.ID, Code: code}, cloud.Pending, cloud.WrongCode)
	c = p.begin(t, request(id, 3), cloud.Pending)
	p.answer(t, cloud.Answer{Challenge: c.ID, Code: secret.FromString(p.SentCode(t, c.ID))}, cloud.Approved, "")
}

// clockSetBack takes a clock that was ahead: what was recorded then neither
// locks anybody out nor lets anybody in.
func clockSetBack(t *testing.T, p *Peer) {
	id, other := p.enrol(t, 1), p.enrol(t, 2)
	r := request(id, 1)
	r.Code, r.Key = p.code(1, 0), "login"
	p.begin(t, r, cloud.Approved)
	pending := request(other, 1)
	pending.Key = "challenge"
	old := p.begin(t, pending, cloud.Pending)
	answer := cloud.Answer{Challenge: old.ID, Code: p.code(2, 0), Key: "answer"}
	p.answer(t, answer, cloud.Approved, "")
	wrong := request(other, 1)
	for range 20 {
		wrong.Code = p.wrong(2)
		p.begin(t, wrong, cloud.Refused)
	}
	p.Advance(-24 * time.Hour)
	if c := p.begin(t, r, cloud.Refused); c.Reason == "" {
		t.Errorf("a login of tomorrow: %+v", c)
	}
	p.answer(t, answer, cloud.Refused, cloud.RepeatRefused)
	if c := p.begin(t, pending, cloud.Pending); c.ID == old.ID {
		t.Error("a challenge of tomorrow was begun once more")
	}
}
