package shim

import (
	"context"
	"encoding/hex"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"runtime/debug"
	"strings"
	"time"

	"mfabridge/cloud"
	"mfabridge/shim/radius"
)

// work is the life of one worker: it takes requests until the queue is closed.
func (s *Server) work() {
	out := make([]byte, 0, radius.MaxLength)
	for j := range s.queue {
		s.giveBack(j, s.process(j, out))
	}
}

// process answers one request, or has it wait; if neither, it says no. A fault of
// ours costs this request and no more.
func (s *Server) process(j *job, out []byte) (replied bool) {
	defer func() {
		if p := recover(); p != nil {
			s.fell(j.client, p)
		}
	}()
	p, ok := s.unpack(j)
	if !ok {
		return false
	}
	if p.Code() == radius.AccountingRequest {
		return s.account(j, p, out)
	}
	if j.waited == nil && asksPrimary(p) {
		if !j.client.enter() {
			s.count.dropped[primaryBusy].Add(1)
			return false
		}
		defer j.client.leave()
	}
	if p.Code() == radius.StatusServer {
		s.probe(j, p, out)
		return false
	}
	secret := j.client.secrets.Get().(*radius.Secret)
	defer j.client.secrets.Put(secret)
	a, v := s.judge(j, p, secret)
	if v.held != nil {
		if s.hold(j, a, p, v) {
			return true
		}
		v = verdict{reason: tooManyHeld, method: v.method, challenge: v.challenge}
	}
	return s.finish(j, a, p, v, secret, out)
}

// giveBack gives a job back. If its request has no answer, and none to come, its
// next copy is tried anew.
func (s *Server) giveBack(j *job, replied bool) {
	if !replied && j.ticket.generation != 0 {
		j.loop.cache.forget(j.ticket)
	}
	j.waited = nil
	s.free <- j
}

// unpack reads the packet of a job, unless that is to go no further.
func (s *Server) unpack(j *job) (p radius.Packet, ok bool) {
	if s.now().Sub(j.at) > s.patience && j.waited == nil {
		s.count.dropped[overload].Add(1) // its client has long sent it again
		return p, false
	}
	p, err := radius.Parse(j.packet)
	if err != nil {
		s.count.dropped[malformed].Add(1)
	}
	return p, err == nil
}

// judge reaches the verdict on a request, or on one that has waited in vain.
func (s *Server) judge(j *job, p radius.Packet, secret *radius.Secret) (attempt, verdict) {
	ctx, cancel := context.WithTimeout(s.calls, s.patience)
	defer cancel()
	if g := j.waited; g != nil {
		v, ok := s.logins.fallback(ctx, g.who, g.held.proof, g.held.challenge, g.why)
		if !ok {
			v = deny(g.why)
			v.method, v.challenge = g.held.method, g.held.challenge
		}
		v.person = g.held.proof.Name
		return g.who, s.logins.seal(g.who, v)
	}
	a, why := readAttempt(p, j.client, secret, j.path.from.Addr())
	if why != "" {
		return a, deny(why)
	}
	return a, s.logins.decide(ctx, a)
}

// finish answers a request by its verdict, and tells whether an answer is kept
// for its copies.
func (s *Server) finish(j *job, a attempt, p radius.Packet, v verdict, secret *radius.Secret, out []byte) (replied bool) {
	v.conclude(a)
	b, err := v.packet(out, p, secret)
	if err != nil { // the next server would fare no better
		v = v.tooLong(err)
		v.conclude(a)
		if b, err = v.packet(out, p, secret); err != nil {
			v.code = 0
		}
	}
	if v.reason == outage || v.challenge != "" {
		s.away.Store(v.reason == outage)
	}
	if v.reason == outage {
		j.client.ready.Store(0)
	}
	s.count.login(v)
	s.logLogin(j, a, v, s.now().Sub(j.at))
	return v.code != 0 && s.reply(j, b)
}

// fell counts a fault of ours.
func (s *Server) fell(c *client, fault any) {
	s.count.panics.Add(1)
	s.log.Error("login dropped by a fault in the program", "client", c.Name, "fault", fmt.Sprint(fault), "stack", string(debug.Stack()))
}

// engineThere tells whether the engine can be asked. It asks for somebody who
// cannot exist: an engine that says so has looked. With a key that may be asked
// twice, where a connection has just been closed.
func (s *Server) engineThere(ctx context.Context) error {
	nobody := cloud.Request{Subject: cloud.Key{Kind: cloud.ByID, Value: "nobody"}, Tries: 1, Key: "nobody"}
	if _, err := s.logins.verifier.Begin(ctx, nobody); err != nil && cloud.KindOf(err) != cloud.NotFound {
		return err
	}
	if w, ok := s.logins.verifier.(watched); ok {
		return w.Ready(ctx)
	}
	return nil
}

// probe answers Status-Server if the engine and the client's primary are there.
func (s *Server) probe(j *job, p radius.Packet, out []byte) {
	ctx, cancel := context.WithTimeout(s.calls, s.patience)
	defer cancel()
	if err := s.engineThere(ctx); err != nil {
		s.count.dropped[engineAway].Add(1)
		return
	}
	if j.client.primary != nil {
		if err := j.client.primary.Ready(ctx); err != nil {
			s.count.dropped[primaryAway].Add(1)
			return
		}
	}
	s.away.Store(false)
	j.client.ready.Store(s.now().UnixNano())
	secret := j.client.secrets.Get().(*radius.Secret)
	defer j.client.secrets.Put(secret)
	b, err := statusReply(out, p, secret)
	if err == nil {
		err = j.loop.conn.write(b, &j.path)
	}
	if err != nil {
		s.count.dropped[sendFailed].Add(1)
		return
	}
	s.count.statusServer.Add(1)
}

// packet builds the reply to a request in out; none is nil.
func (v verdict) packet(out []byte, request radius.Packet, secret *radius.Secret) ([]byte, error) {
	if v.code == 0 {
		return nil, nil
	}
	w := radius.NewReply(out, v.code, request)
	if v.code == radius.AccessChallenge {
		w.Add(radius.State, v.state)
		if v.timeout > 0 {
			w.AddUint32(radius.SessionTimeout, uint32(v.timeout/time.Second))
		}
	}
	w.AddEncoded(v.ending)
	w.AddText(radius.ReplyMessage, v.message)
	w.AddEncoded(v.reply)
	if err := addHidden(&w, secret, request, v.hidden, uint16(rand.Uint32())); err != nil {
		return nil, err
	}
	w.AddProxyStates(request)
	return secret.SealReply(&w, request)
}

// reply sends an answer and keeps it for retransmissions, unless the client has
// used the identifier for something else meanwhile.
func (s *Server) reply(j *job, b []byte) (kept bool) {
	if !j.loop.cache.complete(j.ticket, b, s.now()) {
		s.count.superseded.Add(1)
		return false
	}
	if err := j.loop.conn.write(b, &j.path); err != nil {
		s.count.dropped[sendFailed].Add(1)
		if j.loop.stream != nil {
			return true // its writer has told the log, for all of them
		}
		s.log.Warn("answer cannot be sent", "client", j.client.Name, "to", j.path.from.String(), "err", err)
	}
	return true
}

// requestName is how a request is called in logs: the first octets of its
// authenticator, which a packet capture shows too.
func requestName(packet []byte) string { return hex.EncodeToString(packet[4:10]) }

// logLogin writes the one event of a login. It holds no secret; of the
// challenge's id only as much as finds it again.
func (s *Server) logLogin(j *job, a attempt, v verdict, took time.Duration) {
	level := slog.LevelInfo
	if v.cause != nil {
		level = slog.LevelWarn
	}
	if v.relayed {
		level = slog.LevelDebug // a round of many
	}
	ctx := context.Background()
	if !s.log.Enabled(ctx, level) {
		return
	}
	attributes := make([]slog.Attr, 0, 16)
	add := func(key, value string) {
		if value != "" {
			attributes = append(attributes, slog.String(key, value))
		}
	}
	add("outcome", v.outcome())
	add("reason", string(v.reason))
	add("nps", npsName(v.reason))
	add("client", j.client.Name)
	add("user", printable(a.user))
	if !strings.EqualFold(v.person, a.user) {
		add("person", printable(v.person))
	}
	add("station", a.station)
	add("from", j.path.from.String())
	add("request", requestName(j.packet))
	if a.protocol != PAP {
		add("protocol", string(a.protocol))
	}
	add("method", string(v.method))
	add("by", string(v.by))
	if until, ok := s.logins.bypass(j.client); ok {
		add("bypass_until", until.Format(time.RFC3339))
	}
	add("challenge", string(v.challenge[:min(16, len(v.challenge))]))
	attributes = append(attributes, slog.Bool("repeated", v.repeated), slog.Float64("ms", float64(took.Microseconds())/1000))
	if v.cause != nil {
		attributes = append(attributes, slog.String("err", v.cause.Error()))
	}
	s.log.LogAttrs(ctx, level, "login", attributes...)
}
