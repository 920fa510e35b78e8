package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/urfave/cli/v2"

	"mfabridge/shim/radius"
)

// selftestPatience is how long a hostile packet is given to get an answer that
// it must not get.
const selftestPatience = 300 * time.Millisecond

// trial is a hostile packet and what has to become of it.
type trial struct {
	name   string
	packet []byte
	want   radius.Code // 0: silence
}

func (p *program) shimSelftest(c *cli.Context) (err error) {
	if _, err := args(c); err != nil {
		return err
	}
	parts, err := p.loadShim(c.Context, c.String("config"), c.String("engine-key"), p.engineBeside)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, parts.Close()) }()
	failed := 0
	for _, client := range parts.config.RADIUS.Clients {
		in, err := p.openInside(parts, client, slog.New(slog.DiscardHandler))
		if err != nil {
			return err
		}
		wrong, err := p.playTrials(c.Context, in, client.Name)
		if err := errors.Join(err, in.stop()); err != nil {
			return err
		}
		failed += wrong
	}
	if failed > 0 {
		return fmt.Errorf("%d hostile packets were not met as they should be", failed)
	}
	fmt.Fprintln(p.out, "every hostile packet was met as it should be")
	return nil
}

// playTrials plays all trials at one client, and a good packet behind each:
// what is dropped must not take anybody else with it.
func (p *program) playTrials(ctx context.Context, in *inside, client string) (wrong int, err error) {
	trials, err := in.trials()
	if err != nil {
		return 0, err
	}
	for _, t := range trials {
		reply, answered, err := in.exchange(ctx, t.packet, map[bool]time.Duration{true: selftestPatience, false: 5 * time.Second}[t.want == 0])
		good := err == nil && answered == (t.want != 0) && (!answered || reply.Code() == t.want)
		if good && t.want == 0 {
			status, bad := in.request(radius.StatusServer, nil)
			if bad != nil {
				return wrong, bad
			}
			reply, answered, bad = in.exchange(ctx, status, 5*time.Second)
			good = bad == nil && answered && reply.Code() == radius.AccessAccept
		}
		if ctx.Err() != nil {
			return wrong, ctx.Err()
		}
		verdict := "ok  "
		if !good {
			verdict = "FAIL"
			wrong++
		}
		fmt.Fprintf(p.out, "%s  %s: %s\n", verdict, client, t.name)
	}
	return wrong, nil
}

// request makes a good request with attributes of its own.
func (i *inside) request(code radius.Code, fill func(*radius.Builder)) ([]byte, error) {
	var authenticator [16]byte
	_, _ = rand.Read(authenticator[:]) // never fails, see crypto/rand
	w := radius.NewRequest(nil, code, authenticator[0], authenticator)
	if fill != nil {
		fill(&w)
	}
	return i.secret.SealRequest(&w)
}

// unsigned takes Message-Authenticator, the first attribute, out of a request.
func unsigned(b []byte) []byte {
	out := append(append([]byte(nil), b[:radius.HeaderLength]...), b[radius.HeaderLength+18:]...)
	out[2], out[3] = byte(len(out)>>8), byte(len(out))
	return out
}

// trials are the hostile packets: what reference texts and other servers'
// faults suggest.
func (i *inside) trials() ([]trial, error) {
	var errs []error
	craft := func(code radius.Code, fill func(*radius.Builder)) []byte {
		b, err := i.request(code, fill)
		errs = append(errs, err)
		return b
	}
	nobody := func(w *radius.Builder) {
		w.Add(radius.UserName, []byte("nobody-of-selftest"))
		w.AddPassword(i.secret, []byte("x"))
	}
	with := func(more func(*radius.Builder)) func(*radius.Builder) {
		return func(w *radius.Builder) { nobody(w); more(w) }
	}
	login := craft(radius.AccessRequest, nobody)
	altered := func(change func([]byte)) []byte {
		b := append([]byte(nil), login...)
		change(b)
		return b
	}
	all := []trial{
		{"nothing at all", []byte{}, 0},
		{"nineteen octets", login[:19], 0},
		{"Length past the end", altered(func(b []byte) { b[2], b[3] = 0x0f, 0xff }), 0},
		{"Length below the header", altered(func(b []byte) { b[2], b[3] = 0, 3 }), 0},
		{"an attribute of length zero", altered(func(b []byte) { b[radius.HeaderLength+1] = 0 }), 0},
		{"an attribute past the end", altered(func(b []byte) { b[radius.HeaderLength+1] = 255 }), 0},
		{"an unknown code", altered(func(b []byte) { b[0] = 255 }), 0},
		{"an Access-Accept", altered(func(b []byte) { b[0] = 2 }), 0},
		{"one bit of Message-Authenticator changed", altered(func(b []byte) { b[radius.HeaderLength+2] ^= 1 }), 0},
		{"one bit of the name changed", altered(func(b []byte) { b[radius.HeaderLength+20] ^= 1 }), 0},
		{"no Message-Authenticator", unsigned(login), 0},
		{"Proxy-State and no Message-Authenticator", unsigned(craft(radius.AccessRequest, with(func(w *radius.Builder) { w.Add(radius.ProxyState, []byte("x")) }))), 0},
		{"two Message-Authenticators", craft(radius.AccessRequest, with(func(w *radius.Builder) { w.Add(radius.MessageAuthenticator, login[22:38]) })), 0},
		{"EAP and no Message-Authenticator", unsigned(craft(radius.AccessRequest, func(w *radius.Builder) { w.Add(radius.EAPMessage, []byte{2, 1, 0, 5, 1}) })), 0},
		{"Status-Server without Message-Authenticator", unsigned(craft(radius.StatusServer, nil)), 0},
		{"no User-Name", craft(radius.AccessRequest, func(w *radius.Builder) { w.AddPassword(i.secret, []byte("x")) }), radius.AccessReject},
		{"two User-Names", craft(radius.AccessRequest, with(func(w *radius.Builder) { w.Add(radius.UserName, []byte("ada")) })), radius.AccessReject},
		{"a name with a line break", craft(radius.AccessRequest, func(w *radius.Builder) {
			w.Add(radius.UserName, []byte("nobody\nada"))
			w.AddPassword(i.secret, []byte("x"))
		}), radius.AccessReject},
		{"an empty password", craft(radius.AccessRequest, func(w *radius.Builder) {
			w.Add(radius.UserName, []byte("nobody-of-selftest"))
			w.AddPassword(i.secret, nil)
		}), radius.AccessReject},
		{"a password of fifteen octets", craft(radius.AccessRequest, func(w *radius.Builder) {
			w.Add(radius.UserName, []byte("nobody-of-selftest"))
			w.Add(radius.UserPassword, login[:15])
		}), radius.AccessReject},
		{"a State of nobody", craft(radius.AccessRequest, with(func(w *radius.Builder) { w.Add(radius.State, []byte("not one of ours")) })), radius.AccessReject},
		{"a State of a hundred octets of noise", craft(radius.AccessRequest, with(func(w *radius.Builder) { w.Add(radius.State, append(append([]byte{1}, login...), login...)[:95]) })), radius.AccessReject},
	}
	return all, errors.Join(errs...)
}
