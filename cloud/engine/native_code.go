package engine

import (
	"context"
	"crypto/subtle"
	"strconv"
	"strings"
	"time"

	"mfabridge/cloud"
	"mfabridge/cloud/engine/tries"
	"mfabridge/internal/secret"
)

// wayNative is the Way of failures with codes that prove a number or an address
// of nobody yet.
const wayNative = "native"

// Reasons for which a sign-up, a new password or a registration is refused, in
// the words of the protocol.
const (
	RefusedTooShort   cloud.Reason = "password_too_short"
	RefusedTooLong    cloud.Reason = "password_too_long"
	RefusedTooWeak    cloud.Reason = "password_too_weak"
	RefusedBanned     cloud.Reason = "password_banned"
	RefusedRecent     cloud.Reason = "password_recently_used"
	RefusedPassword   cloud.Reason = "credential_required"
	RefusedMissing    cloud.Reason = "attributes_required"         // see [Attributes]
	RefusedAttributes cloud.Reason = "attribute_validation_failed" // see [Attributes]
	RefusedExists     cloud.Reason = "user_already_exists"
	RefusedRegion     cloud.Reason = "provider_blocked_by_admin"
	RefusedReputation cloud.Reason = "provider_blocked_by_rep"
	RefusedTarget     cloud.Reason = "target" // that is no number or address that can be used
)

// Attributes are those that are missing or wrong: the cause of a refusal.
type Attributes []string

// Error implements error.
func (a Attributes) Error() string { return strings.Join(a, ", ") }

func refuseAs(why cloud.Reason, attributes ...string) error {
	e := &cloud.Error{Kind: cloud.Denied, Reason: why, Message: "that is refused: " + string(why)}
	if len(attributes) > 0 {
		e.Err = Attributes(attributes)
	}
	return e
}

// posting is a code on its way to a number or address that a flow is to prove.
type posting struct {
	app     *NativeApp
	f       Flow
	channel string
	to      string
	step    Step // that follows
	client  NativeClient
	hides   bool // nothing is proven, and nobody is to learn who there is: the answer is the same where nothing is sent
	nobody  bool // there is no such user: nothing is sent
	late    bool // what is sent goes out after the answer, whose time would tell
	notice  string
}

// typed is what whoever asks has typed, by which is counted what they are told.
func (p *posting) typed() string {
	if p.hides {
		return p.f.Name
	}
	return p.to
}

// post sends a code, and ends the one before.
func (e *Engine) post(ctx context.Context, p posting) (Flow, Asked, error) {
	asked := Asked{Channel: p.channel, Label: maskDigits(p.to), Digits: longDigits}
	way := cloud.SMS
	if p.channel == channelMail {
		way, asked.Label = cloud.EmailCode, maskMail(p.to)
	}
	sender := e.senders[way]
	if sender == nil {
		return p.f, Asked{Redirect: "nothing here delivers codes by " + p.channel}, nil
	}
	code, err := randomCode(longDigits)
	if err != nil {
		return p.f, asked, err
	}
	var after *late
	if p.late {
		if after, err = e.lateMails.take(ctx); err != nil {
			return p.f, asked, err
		}
		defer after.hand()
	}
	now := e.now()
	next := p.f.on(p.step, now)
	var say string
	withheld := false
	err = e.store.Update(ctx, func(tx Tx) error {
		st, err := flowAt(tx, &p.f)
		if err != nil {
			return err
		}
		if say, withheld, err = e.mayPost(tx, &p, now); say != "" || err != nil {
			return err
		}
		if !withheld {
			st.Code, st.Tries, st.Until = e.sentMAC(cloud.ChallengeID(slipFlow+p.f.ID), p.to, []byte(code)), nativeTries, now.UTC().Add(waitText)
		}
		return putFlow(tx, &next, st)
	})
	switch {
	case err != nil:
		return p.f, asked, asError(err)
	case say == sayTrouble && p.channel == channelText:
		return p.f, asked, refuseAs(RefusedReputation)
	case say != "":
		return p.f, asked, &cloud.Error{Kind: cloud.Throttled, Message: say, RetryAfter: time.Minute}
	case p.nobody, withheld:
		return next, asked, nil
	}
	m := e.letter(&p, way, code)
	send := func(ctx context.Context) error {
		defer m.wipe()
		err := sender.Send(ctx, m)
		if err != nil {
			e.log.WarnContext(ctx, "code was not sent", "flow", p.f.ID, "err", err)
		}
		return err
	}
	if after != nil {
		after.send = func(ctx context.Context) { _ = send(ctx) }
	} else if send(ctx) != nil {
		return p.f, Asked{Redirect: "the code could not be delivered"}, nil
	}
	return next, asked, nil
}

// mayPost counts a posting, or says what whoever asks is told instead. Where
// nobody is to learn who there is, that depends on what was typed and from where
// alone; beyond what a user or a mailbox may get nothing is sent, and it is not
// told: withheld.
func (e *Engine) mayPost(tx Tx, p *posting, now time.Time) (say string, withheld bool, err error) {
	from := tries.Place(cloud.Client{Address: p.client.Address})
	if say, err = e.spendIn(tx, p.channel, p.typed()+"\x00"+from, p.client); say != "" || err != nil {
		return say, false, err
	}
	if !p.hides {
		say, err = e.mayText(tx, e.quotasOf(p, from, now), now)
		return say, false, err
	}
	window := "mh" + strconv.FormatInt(now.Unix()/3600, 10) + " " + from
	asked := quota{counter: tries.Counter{User: "?" + digest("native-asked/"+Fold(p.typed())), Way: wayTexts, Place: window}, limit: e.textLimit.Unproven, say: sayMails}
	if say, err = e.mayText(tx, []quota{asked}, now); say != "" || err != nil || p.nobody {
		return say, false, err
	}
	quiet, err := e.mayText(tx, e.quotasOf(p, from, now), now)
	if p.app.Reveal {
		return quiet, false, err
	}
	return "", quiet != "", err
}

// quotasOf are the limits on texts and mails that a posting counts in. Who is
// nobody yet counts by the number or address. Of what one number or address, a
// country and all may get, half is left to those who have proven theirs.
func (e *Engine) quotasOf(p *posting, from string, now time.Time) (all []quota) {
	user := p.f.User
	if user == "" {
		to := dialled(p.to)
		if p.channel == channelMail {
			to = mailbox(p.to)
		}
		user = cloud.UserID("?" + digest("native/"+Fold(to)))
	}
	if p.channel == channelMail {
		all = e.mailQuotas(user, p.to, from, false, now)
	} else {
		all = e.quotas(user, p.to, from, false, now)
	}
	for _, q := range all {
		if q.counter.User == string(user) {
			continue
		}
		q.counter.Place += " posted"
		q.limit = max(1, q.limit/2)
		if q.budget != "" {
			q.budget += ", of newcomers"
		}
		all = append(all, q)
	}
	return all
}

// letter is the message of a posting.
func (e *Engine) letter(p *posting, way cloud.Preference, code string) Message {
	c := Challenge{ID: newChallengeID(e.now()), User: p.f.User, App: p.app.Name, Created: e.now(), Method: way}
	m := message(&c, e.template(p.app), p.to, code)
	if p.notice != "" {
		m.wipe()
		m.Text, m.Code = secret.FromString(p.notice), secret.Bytes{}
	}
	return m
}

// template is that of an application's code messages.
func (e *Engine) template(app *NativeApp) string {
	if app.Brand.Text != "" {
		return app.Brand.Text
	}
	return e.text
}

// proves tells whether code is the one that was sent last to a number or an
// address. It is used up; a wrong one costs a try.
func (e *Engine) proves(tx Tx, f *Flow, to string, code secret.Bytes, client NativeClient) (bool, error) {
	st, err := flowAt(tx, f)
	if err != nil {
		return false, err
	}
	now := e.now()
	g, err := e.tries.Gate(tx, tries.Where{User: "?" + digest("native/"+Fold(to)), Way: wayNative, Place: tries.Place(cloud.Client{Address: client.Address})}, now)
	if err != nil || g.Shut || st.Tries <= 0 || !now.Before(st.Until) {
		return false, err
	}
	typed := cleanCode(code.Reveal())
	defer clear(typed)
	right := subtle.ConstantTimeCompare(st.Code, e.sentMAC(cloud.ChallengeID(slipFlow+f.ID), to, typed)) == 1
	if err := g.Count(tx, right, now); err != nil {
		return false, err
	}
	if st.Tries--; right {
		st.Code, st.Tries = nil, 0
	}
	return right, putFlow(tx, f, st)
}

func wrongCode() error { return refuse(cloud.Denied, "the code is wrong, over or was used") }
