// Package webpush wakes authenticators through the push services of browsers
// (RFC 8030), with messages encrypted for the one device (RFC 8291) and signed by
// the engine's own key (VAPID, RFC 8292).
//
// A [Sender] listens for pushes that begin in any process on the store and sends
// each to the devices of its user that have subscribed, once. It only wakes: what
// is to be answered is asked for by the device, so that a message which is late,
// lost or dropped costs no more than that the page has to be opened. That is why
// nothing waits for it: what a push service does not take in time is dropped, and
// one that is slow has few places at once, so that it delays no other. A
// subscription that is gone (404, 410) is forgotten.
//
// Endpoints are named by whoever has a device. They are called only on hosts of
// push services that are known ([DefaultHosts], or those of the configuration), by
// a client that calls no private address and follows no redirect.
package webpush

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	push "github.com/SherClockHolmes/webpush-go"

	"mfabridge/cloud"
	"mfabridge/cloud/engine"
	"mfabridge/internal/secret"
)

// Limits of what is under way.
const (
	maxSending  = 32  // at once
	maxForHost  = 8   // of them to one host
	maxWaiting  = 256 // that wait for one host
	maxTold     = 1 << 16
	toldFor     = 5 * time.Minute
	maxAnswer   = 4 << 10
	maxMessage  = 3000 // bytes before encryption, which leaves room in a record
	noticeLives = 24 * time.Hour
	testLives   = time.Minute
	tryPatience = 8 * time.Second
)

// DefaultHosts are the push services of Chromium, Firefox, Safari and Edge.
func DefaultHosts() []string {
	return []string{"fcm.googleapis.com", "*.push.services.mozilla.com", "*.push.apple.com", "*.notify.windows.com"}
}

// Core is what a sender needs of the engine.
type Core interface {
	PushKey() (public []byte, private secret.Bytes, err error)
	ListenAll(ctx context.Context) (changed <-chan cloud.UserID, leave func(), err error)
	Wakes(ctx context.Context, user cloud.UserID) ([]engine.Wake, error)
	Unsubscribe(ctx context.Context, user cloud.UserID, device, endpoint string) error
}

// Options of a sender.
type Options struct {
	Core    Core
	Client  *http.Client // see channel.Outward
	Hosts   []string     // that are called: "push.example", "*.push.example", with a port if it is not 443; nil: DefaultHosts
	Subject string       // whom a push service may write to: mailto:… or https://…
	Now     func() time.Time
	Log     *slog.Logger
}

// Sender sends to push services.
type Sender struct {
	o       Options
	public  string
	private secret.Bytes // in Base64url, as the library takes it
	lanes   lanes
	told    map[string]time.Time // what was sent, by device and what it is
}

// New makes a sender. It sends nothing before Run.
func New(o Options) (*Sender, error) {
	public, private, err := o.Core.PushKey()
	if err != nil {
		return nil, err
	}
	defer private.Wipe()
	if o.Hosts == nil {
		o.Hosts = DefaultHosts()
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	b64 := base64.RawURLEncoding
	return &Sender{o: o, public: b64.EncodeToString(public), private: secret.FromString(b64.EncodeToString(private.Reveal())), told: map[string]time.Time{}}, nil
}

// Key is the public key, as browsers take it for applicationServerKey.
func (s *Sender) Key() string { return s.public }

// MayPush says why an endpoint is not called, or nil.
func (s *Sender) MayPush(endpoint string) error {
	u, err := url.Parse(endpoint)
	if err != nil || u.Scheme != "https" || u.User != nil {
		return errors.New("the endpoint is not an https address")
	}
	for _, known := range s.o.Hosts {
		if hostIs(u, strings.ToLower(known)) {
			return nil
		}
	}
	return errors.New("the endpoint is not one of a push service that is known here")
}

// hostIs tells whether an address is one of a host, or of those below "*.".
func hostIs(u *url.URL, known string) bool {
	port := u.Port()
	if port == "" {
		port = "443"
	}
	host := strings.ToLower(u.Hostname())
	want, wantPort, err := net.SplitHostPort(known)
	if err != nil {
		want, wantPort = known, "443"
	}
	if port != wantPort {
		return false
	}
	if below, ok := strings.CutPrefix(want, "*"); ok {
		return strings.HasSuffix(host, below) && len(host) > len(below)
	}
	return host == want
}

// Run sends until ctx is done. What it was sending then is ended.
func (s *Sender) Run(ctx context.Context) error {
	changed, leave, err := s.o.Core.ListenAll(ctx)
	if err != nil {
		return err
	}
	defer leave()
	defer s.lanes.close()
	for {
		select {
		case <-ctx.Done():
			return nil
		case user := <-changed:
			s.wake(ctx, user)
		}
	}
}

// wake sends what a user's devices have not been told yet.
func (s *Sender) wake(ctx context.Context, user cloud.UserID) {
	wakes, err := s.o.Core.Wakes(ctx, user)
	if err != nil {
		if ctx.Err() == nil {
			s.o.Log.WarnContext(ctx, "devices cannot be woken", "user", user, "err", err)
		}
		return
	}
	for i := range wakes {
		w := &wakes[i]
		if s.once(w) {
			s.send(ctx, w)
		}
	}
}

// once tells whether a device was not woken for this yet.
func (s *Sender) once(w *engine.Wake) bool {
	now := s.o.Now()
	if w.Notice != nil && now.Sub(w.Notice.At) >= toldFor { // the page tells of it until it was seen; nobody is woken again
		return false
	}
	key := w.Device + "/" + about(w)
	if at, ok := s.told[key]; ok && now.Sub(at) < toldFor {
		return false
	}
	if len(s.told) >= maxTold {
		for old, at := range s.told {
			if now.Sub(at) >= toldFor {
				delete(s.told, old)
			}
		}
	}
	if len(s.told) < maxTold {
		s.told[key] = now
	}
	return true
}

// about is what a device is woken for. One test takes the place of another that
// the push service still has.
func about(w *engine.Wake) string {
	switch {
	case w.Push != nil:
		return string(w.Push.Challenge)
	case w.Notice != nil:
		return "notice " + w.Notice.ID
	}
	return "test"
}

// message is what a device is sent.
type message struct {
	Type      string            `json:"type"`
	Challenge cloud.ChallengeID `json:"challenge,omitempty"`
	App       string            `json:"application,omitempty"`
	From      string            `json:"from,omitempty"`
	Expires   time.Time         `json:"expires_at,omitzero"`
	Number    bool              `json:"number,omitempty"`
	Text      string            `json:"text,omitempty"` // of a notice, and Kind and Name as in engine.Notice
	Kind      string            `json:"kind,omitempty"`
	Name      string            `json:"name,omitempty"`
	ID        string            `json:"id,omitempty"` // of a test
}

// messageOf is what wakes a device, and how long a push service keeps it.
func (s *Sender) messageOf(w *engine.Wake) (m message, life time.Duration) {
	switch {
	case w.Push != nil:
		_, place, found := strings.Cut(w.Push.From, ":")
		if !found {
			place = w.Push.From
		}
		return message{Type: "push", Challenge: w.Push.Challenge, App: w.Push.App, From: place, Expires: w.Push.Expires.UTC(), Number: w.Push.Matched},
			w.Push.Expires.Sub(s.o.Now())
	case w.Notice != nil:
		return message{Type: "notice", Text: w.Notice.Text, Kind: w.Notice.Kind, Name: w.Notice.Name}, noticeLives
	}
	return message{Type: "test", ID: w.Test}, testLives
}

// queue hands a message to the lane of its host, and told what became of it.
// False: it was not taken, told is not called.
func (s *Sender) queue(ctx context.Context, w *engine.Wake, told func(engine.Woken)) bool {
	m, life := s.messageOf(w)
	text, err := json.Marshal(m)
	if err != nil || len(text) > maxMessage || life <= 0 {
		return false
	}
	ok := s.lanes.run(host(w.Subscription.Endpoint), func() { told(s.deliver(ctx, w, text, life)) })
	if !ok {
		s.o.Log.WarnContext(ctx, "a push service is too slow: a device is not woken", "host", host(w.Subscription.Endpoint))
	}
	return ok
}

// send sends what nobody waits for.
func (s *Sender) send(ctx context.Context, w *engine.Wake) {
	if err := s.MayPush(w.Subscription.Endpoint); err != nil { // the configuration was another when it was taken
		s.o.Log.InfoContext(ctx, "a device is not woken", "user", w.User, "err", err)
		return
	}
	s.queue(ctx, w, func(engine.Woken) {})
}

// Try wakes one device, within the limits that all wakes have, and says what the
// push service made of it. It waits for a place and for the answer, eight seconds
// at most.
func (s *Sender) Try(ctx context.Context, w engine.Wake) engine.Woken {
	if s.MayPush(w.Subscription.Endpoint) != nil {
		return engine.WokenFailed
	}
	ctx, stop := context.WithTimeout(ctx, tryPatience)
	defer stop()
	became := make(chan engine.Woken, 1)
	if !s.queue(ctx, &w, func(word engine.Woken) { became <- word }) {
		return engine.WokenBusy
	}
	select {
	case word := <-became:
		return word
	case <-ctx.Done():
		return engine.WokenBusy
	}
}

func host(endpoint string) string {
	u, err := url.Parse(endpoint)
	if err != nil {
		return ""
	}
	return strings.ToLower(u.Host)
}

// deliver sends one message, and says what became of it. Of what a push service
// answers nothing but its status is looked at.
func (s *Sender) deliver(ctx context.Context, w *engine.Wake, text []byte, life time.Duration) engine.Woken {
	sum := sha256.Sum256([]byte(about(w)))
	to := &push.Subscription{Endpoint: w.Subscription.Endpoint, Keys: push.Keys{P256dh: w.Subscription.P256DH, Auth: w.Subscription.Auth}}
	answer, err := push.SendNotificationWithContext(ctx, text, to, &push.Options{HTTPClient: s.o.Client, Subscriber: strings.TrimPrefix(s.o.Subject, "mailto:"),
		Topic: base64.RawURLEncoding.EncodeToString(sum[:18]), TTL: int(life / time.Second), Urgency: push.UrgencyHigh,
		VAPIDPublicKey: s.public, VAPIDPrivateKey: string(s.private.Reveal()), VapidExpiration: s.o.Now().Add(12 * time.Hour)})
	if err != nil {
		if ctx.Err() == nil { // the error quotes the address, which whoever has it may send to
			s.o.Log.InfoContext(ctx, "a push service was not reached", "host", host(w.Subscription.Endpoint))
		}
		return engine.WokenFailed
	}
	_, _ = io.Copy(io.Discard, io.LimitReader(answer.Body, maxAnswer))
	_ = answer.Body.Close()
	switch {
	case answer.StatusCode == http.StatusNotFound || answer.StatusCode == http.StatusGone:
		if err := s.o.Core.Unsubscribe(ctx, w.User, w.Device, w.Subscription.Endpoint); err != nil && ctx.Err() == nil {
			s.o.Log.WarnContext(ctx, "a subscription that is gone cannot be forgotten", "user", w.User, "err", err)
		}
		return engine.WokenGone
	case answer.StatusCode < 200 || answer.StatusCode > 299:
		s.o.Log.InfoContext(ctx, "a push service refused", "host", host(w.Subscription.Endpoint), "status", answer.StatusCode)
		return engine.WokenFailed
	}
	return engine.WokenSent
}
