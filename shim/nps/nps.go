// Package nps asks a Network Policy Server with Microsoft's extension for
// second factors, by RADIUS: the way that Microsoft supports for applications
// without a browser. [Service] is a session.Service; package session makes a
// Verifier of it.
//
//	c, err := upstream.New(upstream.Options{Homes: servers, Patience: nps.Life, …})
//	v := session.New(session.Options{Service: nps.New(nps.Options{Client: c}), …})
//
// The server asks whoever the network policy lets in, and one Access-Request is
// one login: it is held while a person answers on a telephone, and it is
// challenged where a code has to be typed. A server that is only to ask for the
// second factor needs a connection request policy that accepts users without
// checking a password; one that checks it needs what [Options.Password] cannot
// be, the person's own, and refuses everybody.
//
// Limits of this way, which are the extension's: no method can be wished for,
// no number is shown, and why somebody was refused is not said. Failing over
// to a second server after the first has begun to ask would ask twice; so the
// servers are given the whole life of a login to answer.
//
// A server that a person keeps waiting and one that is gone are both silent.
// [Service.Away] tells them apart as far as it can be told: by what the server
// has answered to others, by Status-Server where it answers that, by requests
// that it left unanswered for a whole life of a login, and by what ICMP says.
//
// It was tried against a server written from what Microsoft publishes about the
// extension, never against a genuine one.
package nps

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"mfabridge/cloud"
	"mfabridge/cloud/session"
	"mfabridge/internal/secret"
	"mfabridge/shim/radius"
	"mfabridge/shim/upstream"
)

// Times. Microsoft advises clients to wait at least a minute; a session of the
// cloud ends after three.
const (
	Life          = 90 * time.Second
	DefaultSettle = 4 * time.Second
)

// Exchanger sends a request to the servers; [upstream.Client] is one.
type Exchanger interface {
	Exchange(ctx context.Context, r upstream.Request) (upstream.Reply, error)
	Doubt(server string, since time.Time) error
	Ready(ctx context.Context) error
}

// Options are how the servers are asked.
type Options struct {
	Client Exchanger

	// Password is sent with the first request of each login, for servers that
	// refuse one without; zero: none.
	Password secret.Bytes

	// NASIdentifier tells policies of the server who asks; default "mfabridge".
	NASIdentifier string

	// Settle is how long a login waits to learn whether a code has to be typed
	// before it is taken for one that a person answers elsewhere; default
	// [DefaultSettle]. A challenge that comes later than that is lost.
	Settle time.Duration

	Now   func() time.Time                     // as of Client; nil: time.Now
	After func(time.Duration) <-chan time.Time // of Settle; nil: time.After

	Life time.Duration // of a login; default [Life]
	Most int           // logins that wait at once; default 2,000
}

const defaultMost = 2000

// Service asks the servers.
type Service struct {
	o      Options
	places chan struct{}
}

var (
	_ session.Watched = (*Service)(nil)
	_ Exchanger       = (*upstream.Client)(nil)
)

// New fills in defaults.
func New(o Options) *Service {
	if o.NASIdentifier == "" {
		o.NASIdentifier = "mfabridge"
	}
	if o.Settle == 0 {
		o.Settle = DefaultSettle
	}
	if o.Life == 0 {
		o.Life = Life
	}
	if o.Most == 0 {
		o.Most = defaultMost
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.After == nil {
		o.After = time.After
	}
	return &Service{o: o, places: make(chan struct{}, o.Most)}
}

// login is one Access-Request and what follows it.
type login struct {
	upn     string
	station string
	began   time.Time
	asked   atomic.Value // the server that was asked last, a string

	mu    sync.Mutex
	done  chan struct{} // closed with reply or err
	reply upstream.Reply
	err   error
	state []byte // of a challenge
	from  string // the server that challenged
}

// Begin implements [session.Service].
func (s *Service) Begin(ctx context.Context, a session.Ask) (session.Turn, error) {
	if a.Method != "" && a.Method != cloud.Push && a.Method != cloud.OATHCode && a.Method != cloud.SMS {
		return session.Turn{State: cloud.Refused, Reason: cloud.NoMethod, Method: a.Method}, nil
	}
	select {
	case s.places <- struct{}{}:
	default:
		return session.Turn{}, &cloud.Error{Kind: cloud.Throttled, Message: "too many logins wait for the NPS servers"}
	}
	l := &login{upn: a.UPN, station: a.Client.Station, began: s.o.Now(), done: make(chan struct{})}
	// The person has more time than the call that began it.
	held, cancel := context.WithTimeout(context.WithoutCancel(ctx), s.o.Life)
	settled := s.o.After(s.o.Settle)
	go func() {
		defer func() { <-s.places }()
		defer cancel()
		l.reply, l.err = s.o.Client.Exchange(held, s.request(l, s.o.Password, nil))
		close(l.done)
		if a.Changed != nil {
			a.Changed()
		}
	}()
	var left error
	select {
	case <-l.done:
	case <-settled:
	case <-ctx.Done():
		left = ctx.Err()
	}
	select {
	case <-l.done: // also in the moment in which the wait for it ends: nobody could answer its challenge later
		t, err := s.turn(l, l.reply, l.err)
		if t.State == cloud.Refused { // sooner than anybody can be asked
			t.Reason = cloud.NotAllowed
		}
		return t, err
	default:
	}
	if left != nil {
		cancel()
		return session.Turn{}, left
	}
	return session.Turn{State: cloud.Pending, Method: cloud.Push, Prompt: "Answer on your telephone", Handle: l, Again: time.Second, Life: s.o.Life}, nil
}

// request is what a login sends; state goes on with a challenge.
func (s *Service) request(l *login, password secret.Bytes, state []byte) upstream.Request {
	r := upstream.Request{Password: password, Asking: func(server string) { l.asked.Store(server) }, Attributes: []upstream.Attribute{
		{Type: radius.UserName, Value: []byte(l.upn)}, {Type: radius.NASIdentifier, Value: []byte(s.o.NASIdentifier)}}}
	if l.station != "" && len(l.station) < 254 {
		r.Attributes = append(r.Attributes, upstream.Attribute{Type: radius.CallingStationID, Value: []byte(l.station)})
	}
	if state != nil {
		r.Attributes = append(r.Attributes, upstream.Attribute{Type: radius.State, Value: state})
		r.Server = l.from
	}
	return r
}

// Look implements [session.Service].
func (s *Service) Look(_ context.Context, handle any) (session.Turn, error) {
	l := handle.(*login)
	select {
	case <-l.done:
	default:
		return session.Turn{State: cloud.Pending, Method: cloud.Push, Handle: l}, nil
	}
	t, err := s.turn(l, l.reply, l.err)
	if err == nil && t.State == cloud.Pending {
		// A challenge, but nobody can be asked for a code any more.
		t = session.Turn{State: cloud.Expired, Reason: cloud.TimedOut, Method: t.Method}
	}
	if err != nil { // asked no more: the request has ended
		t, err = session.Turn{State: cloud.Expired, Reason: cloud.TimedOut, Method: cloud.Push}, nil
	}
	return t, err
}

// Away implements [session.Watched]: no server is left, or nothing shows that the
// one that was asked last lives, and something that it does not.
func (s *Service) Away(handle any) error {
	l := handle.(*login)
	select {
	case <-l.done:
		if l.err == nil {
			return nil
		}
		if !errors.Is(l.err, context.DeadlineExceeded) { // else its time was over
			return l.err
		}
	default:
	}
	server, _ := l.asked.Load().(string)
	return s.o.Client.Doubt(server, l.began)
}

// Ready implements [session.Watched].
func (s *Service) Ready(ctx context.Context) error { return s.o.Client.Ready(ctx) }

// Code implements [session.Service].
func (s *Service) Code(ctx context.Context, handle any, code secret.Bytes) (session.Turn, error) {
	l := handle.(*login)
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.state == nil {
		return session.Turn{State: cloud.Refused, Reason: cloud.WrongCode}, nil
	}
	reply, err := s.o.Client.Exchange(ctx, s.request(l, code, l.state))
	if err != nil {
		return session.Turn{}, err
	}
	t, err := s.turn(l, reply, nil)
	t.Method = cloud.OATHCode
	if t.State != cloud.Approved {
		t.Reason = cloud.WrongCode
	}
	return t, err
}

// turn is what an answer means. Only an Access-Accept lets somebody in.
func (s *Service) turn(l *login, reply upstream.Reply, err error) (session.Turn, error) {
	if err != nil {
		return session.Turn{}, err
	}
	switch reply.Packet.Code() {
	case radius.AccessAccept:
		return session.Turn{State: cloud.Approved, Method: cloud.Push}, nil
	case radius.AccessReject:
		return session.Turn{State: cloud.Refused, Reason: cloud.UserDenied, Method: cloud.Push}, nil
	case radius.AccessChallenge:
		state, count := reply.Packet.Lookup(radius.State)
		if count != 1 {
			return session.Turn{}, &cloud.Error{Kind: cloud.Unavailable, Message: "the NPS server challenged without a State"}
		}
		l.state, l.from = append([]byte(nil), state...), reply.Server
		return session.Turn{State: cloud.Pending, Method: cloud.OATHCode, Prompt: prompt(reply.Packet), Handle: l, Life: s.o.Life}, nil
	}
	return session.Turn{}, &cloud.Error{Kind: cloud.Unavailable, Message: "the NPS server answered something else"}
}

// defaultPrompt stands where the server says nothing that can be shown.
const defaultPrompt = "Enter your verification code"

// prompt is what the server wants shown, if it is one plain line.
func prompt(p radius.Packet) string {
	message, count := p.Lookup(radius.ReplyMessage)
	if count != 1 || len(message) == 0 {
		return defaultPrompt
	}
	for _, b := range message {
		if b < ' ' || b > '~' {
			return defaultPrompt
		}
	}
	return string(message)
}
