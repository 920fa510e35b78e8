package engine

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"fmt"
	"hash"
	"math/big"
	"strings"
	"time"

	"mfabridge/cloud"
	"mfabridge/cloud/form"
	"mfabridge/internal/secret"
)

// Message is a code on its way to a user.
type Message struct {
	ID          string // the challenge's: the same message again has the same one
	Time        time.Time
	To          string       // "+CC NNN", behind an office number with xEXT; an address with EmailCode
	Text        secret.Bytes // it holds the code
	Application string       // as users know it
	Subject     string       // of a mail; empty: that of the mail server's configuration
	Code        secret.Bytes // in Text, for a sender that has words of its own
	User        cloud.UserID // who gets it

	// Way is how the user is asked: SMS, EmailCode or one of the calls. A notice
	// has the way that it goes by, and no Code.
	Way cloud.Preference

	// Legs are the channels that a text goes by, where there is more than one: the
	// next one when the one before cannot reach the number. See [Router].
	Legs []string
}

// Masked is the number or address for people and logs.
func (m Message) Masked() string { return masked(m.Way, m.To) }

func masked(way cloud.Preference, to string) string {
	if way == cloud.EmailCode {
		return form.MaskEmail(to)
	}
	return form.MaskPhone(to)
}

func (m *Message) wipe() {
	m.Text.Wipe()
	m.Code.Wipe()
}

// Sender hands messages to a telephone network or a mail server, or to a
// stand-in for one.
type Sender interface {
	// Send returns nil once the network has taken the message over. An error
	// says why not, without the text and with the number masked. It returns when
	// ctx is done.
	Send(ctx context.Context, m Message) error

	// Delivers tells whether messages reach a telephone: false for an outbox.
	Delivers() bool
}

// DefaultText is the template of a message. Both marks are replaced.
const DefaultText = "Your code for " + markApplication + " is " + markCode + ". Do not share it."

const (
	markCode        = "<$otp$>"
	markApplication = "<$application_name$>"
)

// sentDigits is the length of a code that is sent, sentTries how many wrong
// ones it survives at most. A code that is asked for without any other factor,
// and so by whoever knows a name, is longer.
const (
	sentDigits = 6
	longDigits = 8
	sentTries  = 5
)

func checkTemplate(s string) error {
	if strings.Count(s, markCode) != 1 || len(s) > 1000 {
		return refuse(cloud.Invalid, "the text of a code message must hold "+markCode+" once and at most 1000 bytes")
	}
	return nil
}

// randomCode is a code to send of so many digits, each equally likely.
func randomCode(digits int) (string, error) {
	limit := new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(digits)), nil)
	n, err := rand.Int(rand.Reader, limit)
	if err != nil {
		return "", fmt.Errorf("no code can be made: %w", err)
	}
	return fmt.Sprintf("%0*d", digits, n), nil
}

func newHash() hash.Hash { return sha256.New() }

// sentMAC stands for a code in the store. It binds the code to its challenge
// and to the number that it was sent to: once the user has another one, what
// the old telephone shows is worth nothing.
func (e *Engine) sentMAC(id cloud.ChallengeID, to string, code []byte) []byte {
	mac := hmac.New(newHash, e.codeKey.Reveal())
	mac.Write([]byte(id))
	mac.Write([]byte{0})
	mac.Write([]byte(to))
	mac.Write([]byte{0})
	mac.Write(code)
	return mac.Sum(nil)
}

// isSent tells whether typed is the code that was sent for c to where u is
// reached that way now.
func (e *Engine) isSent(c *Challenge, u *User, typed []byte) bool {
	to := e.reached(u, c.Method)
	if to == "" {
		return false
	}
	return c.Sent != nil && subtle.ConstantTimeCompare(c.Sent, e.sentMAC(c.ID, to, typed)) == 1
}

// isCoded tells whether a way sends a code that the user types.
func isCoded(way cloud.Preference) bool { return way == cloud.SMS || way == cloud.EmailCode }

// reached is where a user is reached in a way that sends something, or "".
func (e *Engine) reached(u *User, way cloud.Preference) string {
	switch {
	case way == cloud.SMS:
		return u.Mobile
	case way == cloud.EmailCode && e.confirmed(u):
		return u.Email
	}
	return ""
}

// message is what is sent for c, by a template.
func message(c *Challenge, text, to, code string) Message {
	app := c.App
	if app == "" {
		app = "your sign-in"
	}
	text = strings.NewReplacer(markCode, code, markApplication, app).Replace(text)
	return Message{ID: string(c.ID), Time: c.Created, To: to, Way: c.Method, Text: secret.FromString(text), Application: app, Code: secret.FromString(code), User: c.User}
}

// How long whoever has changed something waits for what tells its user, and how
// long that may take: a provider that is slow is not their fault.
const (
	notifyWait = 2 * time.Second
	notifyMost = 30 * time.Second
)

// subjectNotice is the subject of a notice by mail.
const subjectNotice = "Your sign-in has changed"

// notify tells a user something that verifies nothing: by text, and by mail where
// the user has confirmed the address or gets no text. Whoever has taken one of
// the two must not be the only one who hears of it.
func (e *Engine) notify(ctx context.Context, u *User, text string) {
	var all []Message
	add := func(way cloud.Preference, to string) {
		if to != "" && e.senders[way] != nil {
			all = append(all, Message{ID: string(newChallengeID(e.now())), Time: e.now(), Text: secret.FromString(text), Subject: subjectNotice, User: u.ID, Way: way, To: to})
		}
	}
	add(cloud.SMS, u.Mobile)
	if len(all) == 0 || e.confirmed(u) {
		add(cloud.EmailCode, u.Email)
	}
	told := make(chan struct{}, len(all))
	for _, m := range all {
		e.laters.Go(func() {
			ctx, stop := context.WithTimeout(context.WithoutCancel(ctx), notifyMost)
			defer stop()
			if err := e.senders[m.Way].Send(ctx, m); err != nil {
				e.log.WarnContext(ctx, "the user was not told", "user", u.ID, "way", m.Way, "err", err)
			}
			told <- struct{}{}
		})
	}
	patience := time.NewTimer(notifyWait)
	defer patience.Stop()
	for range all {
		select {
		case <-told:
		case <-patience.C:
			return
		}
	}
}
