package nps_test

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"sync"
	"testing"
	"time"

	layeh "layeh.com/radius"
	"layeh.com/radius/rfc2865"

	"mfabridge/cloud"
	"mfabridge/cloud/cloudtest"
	"mfabridge/cloud/session"
	"mfabridge/cloud/session/sessiontest"
	"mfabridge/internal/secret"
	"mfabridge/shim/nps"
	"mfabridge/shim/radius"
	"mfabridge/shim/upstream"
)

// server plays a Network Policy Server with the extension, as Microsoft
// describes it, with another implementation of RADIUS, in front of an engine:
// it holds the request while somebody is asked, challenges for codes, drops
// copies, and says in a Reject nothing of why.
type server struct {
	h       *sessiontest.House
	address string
	v       *session.Verifier

	mu       sync.Mutex
	requests int
	held     map[cloud.ChallengeID]chan struct{} // closed with the answer
	settling []chan time.Time                    // logins that wait to learn whether a code has to be typed
}

const word = "synthetic shared secret"

func newServer(t *testing.T) *server {
	s := &server{h: sessiontest.Open(t), held: map[cloud.ChallengeID]chan struct{}{}}
	conn, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s.address = conn.LocalAddr().String()
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	p := layeh.PacketServer{SecretSource: layeh.StaticSecretSource([]byte(word)), Handler: layeh.HandlerFunc(func(w layeh.ResponseWriter, r *layeh.Request) { s.answer(ctx, w, r) })}
	var ended sync.WaitGroup
	ended.Go(func() { _ = p.Serve(conn) })
	t.Cleanup(func() { cancel(); _ = p.Shutdown(context.Background()); _ = conn.Close(); ended.Wait() })
	s.h.Settle = func(t *testing.T, engines, drivers cloud.ChallengeID) {
		s.mu.Lock()
		answered := s.held[engines]
		s.mu.Unlock()
		<-answered
		for look := time.NewTicker(5 * time.Millisecond); ; <-look.C {
			if ds, err := s.v.Look(t.Context(), []cloud.ChallengeID{drivers}); err != nil || ds[0].State != cloud.Pending {
				look.Stop()
				return
			}
		}
	}
	return s
}

func (s *server) answer(ctx context.Context, w layeh.ResponseWriter, r *layeh.Request) {
	s.mu.Lock()
	s.requests++
	s.mu.Unlock()
	if r.Code != layeh.CodeAccessRequest {
		return // the genuine one does not speak Status-Server
	}
	if state := rfc2865.State_Get(r.Packet); state != nil {
		d, err := s.h.Answer(ctx, cloud.Answer{Challenge: cloud.ChallengeID(state), Code: secret.FromString(rfc2865.UserPassword_GetString(r.Packet))})
		switch {
		case err == nil && d.State == cloud.Approved:
			_ = w.Write(r.Response(layeh.CodeAccessAccept))
		default:
			_ = w.Write(r.Response(layeh.CodeAccessReject))
		}
		return
	}
	c, err := s.h.Begin(ctx, cloud.Request{Subject: cloud.Key{Kind: cloud.ByUPN, Value: rfc2865.UserName_GetString(r.Packet)}, Tries: 1,
		Client: cloud.Client{App: rfc2865.NASIdentifier_GetString(r.Packet), Station: rfc2865.CallingStationID_GetString(r.Packet)}})
	s.h.Begun(c.ID)
	settled := s.next()
	switch {
	case err != nil || c.State == cloud.Refused:
		_ = w.Write(r.Response(layeh.CodeAccessReject))
	case c.Method == cloud.Push:
		s.hold(ctx, w, r, c.ID, settled)
	default:
		challenge := r.Response(layeh.CodeAccessChallenge)
		_ = rfc2865.State_SetString(challenge, string(c.ID))
		_ = rfc2865.ReplyMessage_SetString(challenge, "Enter Your Microsoft verification code")
		_ = w.Write(challenge)
	}
}

// hold waits for the person.
func (s *server) hold(ctx context.Context, w layeh.ResponseWriter, r *layeh.Request, id cloud.ChallengeID, settled chan time.Time) {
	answered := make(chan struct{})
	s.mu.Lock()
	s.held[id] = answered
	s.mu.Unlock()
	close(settled)
	look := time.NewTicker(5 * time.Millisecond)
	defer look.Stop()
	for {
		ds, err := s.h.Look(ctx, []cloud.ChallengeID{id})
		if err == nil && ds[0].State != cloud.Pending {
			code := layeh.CodeAccessReject
			if ds[0].State == cloud.Approved {
				code = layeh.CodeAccessAccept
			}
			_ = w.Write(r.Response(code))
			close(answered)
			return
		}
		select {
		case <-look.C:
		case <-ctx.Done():
			return
		}
	}
}

// settled is when a login counts as one that a person answers elsewhere: here
// once one is held, however busy the machine is. Of several at once each counts by
// a request of its own; no test begins logins with codes and pushes at once.
func (s *server) settled(time.Duration) <-chan time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	c := make(chan time.Time)
	s.settling = append(s.settling, c)
	return c
}

// next is the login that has waited longest to learn what comes.
func (s *server) next() (settled chan time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	settled, s.settling = s.settling[0], s.settling[1:]
	return settled
}

func (s *server) verifier(t *testing.T) *session.Verifier {
	t.Helper()
	log := slog.New(slog.NewTextHandler(t.Output(), nil))
	c, err := upstream.New(upstream.Options{Homes: []upstream.Home{{Address: s.address, Secret: secret.FromString(word), Observe: true}}, Log: log,
		Patience: nps.Life, First: 5 * time.Second})
	if err != nil {
		t.Fatal(err)
	}
	v := session.New(session.Options{Service: nps.New(nps.Options{Client: c, After: s.settled}), Who: s.h.Who, Loud: true, Now: s.h.Now, Log: log})
	t.Cleanup(func() { _ = v.Close(); c.Close() })
	s.v = v
	return v
}

func TestVerifier(t *testing.T) {
	blind := "an Access-Reject does not say why"
	once := "the server ends a login with the first wrong code"
	cloudtest.Verifier(t, func(t *testing.T) *cloudtest.Peer {
		s := newServer(t)
		return s.h.Peer(s.verifier(t), map[string]string{
			"a right code is accepted once":          once,
			"wrong codes use up the tries":           once,
			"an equal answer gets the same verdict":  once,
			"decisions are streamed":                 once,
			"a code sent to a former number":         once,
			"a resend ends the code before":          blind,
			"who cannot be asked":                    blind,
			"a far clock needs two codes":            blind,
			"a block counts between the legs":        blind,
			"a push of who may not verify":           blind,
			"a code with the request":                blind,
			"an equal request gets the same verdict": blind,
			"a sent code":                            "no attribute says where a code went",
			"somebody else of the same name":         "no attribute names a security identifier",
			"a block counts after an approval":       "what was approved is not asked about again",
			"one push for a login":                   "a request that was overtaken is answered all the same",
			"too many pushes":                        "nobody can be asked for a code instead: then nobody is asked",
			"a push with a number":                   "no number can be shown",
		})
	})
}

func user(t *testing.T, h *sessiontest.House, phone string) cloud.UserID {
	t.Helper()
	profile := &cloud.Profile{UPN: "ada@contoso.example", DisplayName: "Ada", Enabled: true}
	id := cloud.UserID(h.Write(t.Context(), []cloud.Change{{UPN: profile.UPN, Op: cloud.Add, Method: cloud.Account, After: cloud.Value{Profile: profile}}})[0].ID)
	change := cloud.Change{User: id, Op: cloud.Add, Method: cloud.Mobile, After: cloud.TextValue(phone)}
	if phone == "" {
		change = cloud.Change{User: id, Op: cloud.Add, Method: cloud.SoftwareOATH, After: cloud.Value{OATH: cloudtest.Generator(1)}}
	}
	if r := h.Write(t.Context(), []cloud.Change{change})[0]; r.Err != nil {
		t.Fatal(r.Err)
	}
	return id
}

func TestCodeByText(t *testing.T) {
	s := newServer(t)
	id := user(t, s.h, "+44 2079460000")
	p := s.h.Peer(s.verifier(t), nil)
	r := cloud.Request{Subject: cloud.Key{Kind: cloud.ByID, Value: string(id)}, Tries: 3, Client: cloud.Client{Station: "10.1.2.3"}}
	c, err := p.Verifier.Begin(t.Context(), r)
	if err != nil || c.State != cloud.Pending || c.Prompt != "Enter Your Microsoft verification code" {
		t.Fatalf("%+v, %v", c, err)
	}
	for _, want := range []cloud.State{cloud.Approved, cloud.Refused} {
		d, err := p.Verifier.Answer(t.Context(), cloud.Answer{Challenge: c.ID, Code: secret.FromString(p.SentCode(t, c.ID))})
		if err != nil || d.State != want {
			t.Fatalf("%+v, %v; want %s", d, err, want)
		}
	}
}

// A wrong code ends the login, and the right one afterwards is none of it.
func TestWrongCode(t *testing.T) {
	s := newServer(t)
	id := user(t, s.h, "+44 2079460000")
	p := s.h.Peer(s.verifier(t), nil)
	c, err := p.Verifier.Begin(t.Context(), cloud.Request{Subject: cloud.Key{Kind: cloud.ByID, Value: string(id)}, Tries: 3})
	if err != nil {
		t.Fatal(err)
	}
	right := p.SentCode(t, c.ID)
	wrong := "000000"
	if right == wrong {
		wrong = "000001"
	}
	for _, code := range []string{wrong, right} {
		if d, err := p.Verifier.Answer(t.Context(), cloud.Answer{Challenge: c.ID, Code: secret.FromString(code)}); err != nil || d.State != cloud.Refused {
			t.Fatalf("%+v, %v", d, err)
		}
	}
}

// A push is streamed as it is answered, and 50 equal requests are one packet.
func TestPushIsAskedOnceAndStreamed(t *testing.T) {
	s := newServer(t)
	id := user(t, s.h, "")
	p := s.h.Peer(s.verifier(t), nil)
	p.Telephone.Activate(t, id)
	decisions := p.Verifier.Decisions(t.Context())
	r := cloud.Request{Subject: cloud.Key{Kind: cloud.ByID, Value: string(id)}, Tries: 1, Key: "one login"}
	ids := make(chan cloud.ChallengeID, 50)
	var all sync.WaitGroup
	for range 50 {
		all.Go(func() {
			c, err := p.Verifier.Begin(t.Context(), r)
			if err != nil || c.State != cloud.Pending || c.Method != cloud.Push {
				t.Errorf("%+v, %v", c, err)
			}
			ids <- c.ID
		})
	}
	all.Wait()
	close(ids)
	first := <-ids
	for other := range ids {
		if other != first {
			t.Fatal("two challenges for one login")
		}
	}
	if s.requests != 1 {
		t.Fatalf("%d requests", s.requests)
	}
	p.Telephone.Press(t, id, first, "approve", "")
	for d, err := range decisions {
		if err != nil || d.Challenge != first || d.State != cloud.Approved {
			t.Fatalf("%+v, %v", d, err)
		}
		break
	}
}

// Whoever has the password cannot press until somebody gives in: neither one
// after the other, nor all at once.
func TestPushesAreBounded(t *testing.T) {
	s := newServer(t)
	id := user(t, s.h, "")
	p := s.h.Peer(s.verifier(t), nil)
	p.Telephone.Activate(t, id)
	var all sync.WaitGroup
	refused := make(chan cloud.Reason, 20)
	for i := range 20 {
		all.Go(func() {
			c, err := p.Verifier.Begin(t.Context(), cloud.Request{Subject: cloud.Key{Kind: cloud.ByID, Value: string(id)}, Tries: 1, Client: cloud.Client{Station: fmt.Sprint(i)}})
			if err != nil {
				t.Error(err)
			}
			if c.State != cloud.Pending {
				refused <- c.Reason
			}
		})
	}
	all.Wait()
	close(refused)
	n := 0
	for why := range refused {
		if n++; why != cloud.TooManyTries {
			t.Errorf("refused: %s", why)
		}
	}
	s.mu.Lock()
	requests := s.requests
	s.mu.Unlock()
	if n != 17 || requests != 3 {
		t.Errorf("%d refused, %d requests", n, requests)
	}
	r := cloud.Request{Subject: cloud.Key{Kind: cloud.ByID, Value: string(id)}, Tries: 1, Method: cloud.OATHCode}
	if c, err := p.Verifier.Begin(t.Context(), r); err != nil || c.State != cloud.Refused || c.Reason != cloud.TooManyTries {
		t.Errorf("a code that was wished for, which would ring all the same: %+v, %v", c, err)
	}
	s.h.Advance(10 * time.Minute)
	if c, err := p.Verifier.Begin(t.Context(), r); err != nil || c.State != cloud.Pending {
		t.Errorf("ten minutes later: %+v, %v", c, err)
	}
}

// challenges is a server that wants a code.
type challenges struct{ nps.Exchanger }

func (challenges) Exchange(context.Context, upstream.Request) (upstream.Reply, error) {
	key, asked := radius.NewSecret([]byte(word)), radius.NewRequest(nil, radius.AccessRequest, 1, [16]byte{1})
	b, err := key.SealRequest(&asked)
	if err != nil {
		return upstream.Reply{}, err
	}
	request, err := radius.Parse(b)
	if err != nil {
		return upstream.Reply{}, err
	}
	w := radius.NewReply(nil, radius.AccessChallenge, request)
	w.Add(radius.State, []byte("state"))
	if b, err = key.SealReply(&w, request); err != nil {
		return upstream.Reply{}, err
	}
	p, err := radius.Parse(b)
	return upstream.Reply{Packet: p}, err
}

// waitsFor is a context that is looked at when something has happened.
type waitsFor struct {
	context.Context
	happened chan struct{}
}

func (c waitsFor) Done() <-chan struct{} {
	<-c.happened
	return nil
}

// A challenge that has come when the wait for it ends is answered: later nobody
// could be asked for its code.
func TestChallengeAtTheLastMoment(t *testing.T) {
	over := make(chan time.Time)
	close(over)
	s := nps.New(nps.Options{Client: challenges{}, After: func(time.Duration) <-chan time.Time { return over }})
	for range 64 {
		come := make(chan struct{})
		turn, err := s.Begin(waitsFor{t.Context(), come}, session.Ask{UPN: "ada@contoso.example", Changed: func() { close(come) }})
		if err != nil || turn.Method != cloud.OATHCode || turn.State != cloud.Pending {
			t.Fatalf("%+v, %v", turn, err)
		}
	}
}

func TestSilenceIsNoVerdict(t *testing.T) {
	conn, err := net.ListenPacket("udp", "127.0.0.1:0") // it never answers
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	c, err := upstream.New(upstream.Options{Homes: []upstream.Home{{Address: conn.LocalAddr().String(), Secret: secret.FromString(word), Observe: true}},
		Log: slog.New(slog.DiscardHandler), Patience: 50 * time.Millisecond, First: 20 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	v := session.New(session.Options{Service: nps.New(nps.Options{Client: c}), Who: session.ByName, Now: time.Now, Log: slog.New(slog.DiscardHandler)})
	defer v.Close()
	_, err = v.Begin(t.Context(), cloud.Request{Subject: cloud.Key{Kind: cloud.ByUPN, Value: "ada@contoso.example"}, Tries: 1})
	if cloud.KindOf(err) != cloud.Unavailable {
		t.Errorf("got %v", err)
	}
}
