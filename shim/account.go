package shim

import (
	"context"
	"net"
	"net/netip"

	"mfabridge/shim/config"
	"mfabridge/shim/radius"
)

// Account is an Accounting-Request whose authenticator is right.
type Account struct {
	Client  config.Client // who sent it
	From    netip.AddrPort
	Request radius.Packet // valid during the call
}

// Accountant takes accounting. It may be called concurrently.
type Accountant interface {
	// Account returns nil once the request is safe where it belongs, and may be
	// answered. With an error it is not answered, and its client sends it again.
	Account(ctx context.Context, a Account) error
}

// ServeAccounting is [Server.Serve] for an accounting port (RFC 2866). It
// needs Options.Accountant.
func (s *Server) ServeAccounting(pc net.PacketConn) error {
	l := newLoop(s, pc)
	l.accounting = true
	return s.serve(l, pc)
}

// account does with a packet at the accounting port what needs no waiting.
func (l *loop) account(p radius.Packet, c *client) {
	secret := l.secret(c)
	if p.Code() == radius.StatusServer {
		if err := secret.VerifyRequest(p); err != nil {
			l.drop(wrongMessageAuthenticator, c, err)
			return
		}
		b, err := accountingResponse(l.out[:0], p, secret)
		if err == nil {
			err = l.conn.write(b, &l.path)
		}
		if err != nil {
			l.drop(sendFailed, c, err)
			return
		}
		l.s.count.statusServer.Add(1)
		return
	}
	if p.Code() != radius.AccountingRequest {
		l.drop(unexpectedCode, c, nil)
		return
	}
	if err := secret.VerifyAccounting(p); err != nil {
		l.drop(wrongRequestAuthenticator, c, err)
		return
	}
	l.request(p, c)
}

// account has an Accounting-Request taken, and answers it.
func (s *Server) account(j *job, p radius.Packet, out []byte) (replied bool) {
	select {
	case s.accounts <- struct{}{}:
		defer func() { <-s.accounts }()
	default: // logins come first
		s.count.dropped[overload].Add(1)
		return false
	}
	ctx, cancel := context.WithTimeout(s.calls, s.patience)
	defer cancel()
	if err := s.options.Accountant.Account(ctx, Account{Client: j.client.Client, From: j.path.from, Request: p}); err != nil {
		s.count.dropped[accountNotTaken].Add(1)
		s.log.Warn("accounting is not answered", "client", j.client.Name, "from", j.path.from.String(), "request", requestName(j.packet), "err", err.Error())
		return false
	}
	secret := j.client.secrets.Get().(*radius.Secret)
	defer j.client.secrets.Put(secret)
	b, err := accountingResponse(out, p, secret)
	if err != nil {
		s.count.dropped[malformed].Add(1)
		return false
	}
	s.count.accounted.Add(1)
	return s.reply(j, b)
}

// accountingResponse builds the answer at an accounting port in out, to
// Accounting-Request and to Status-Server alike.
func accountingResponse(out []byte, p radius.Packet, secret *radius.Secret) ([]byte, error) {
	w := radius.NewAccountingResponse(out, p)
	w.AddProxyStates(p)
	return secret.SealAccountingResponse(&w, p)
}
