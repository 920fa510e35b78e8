package main

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/urfave/cli/v2"

	"mfabridge/internal/hint"
	"mfabridge/internal/secret"
	"mfabridge/migrate"
	"mfabridge/shim"
	"mfabridge/shim/bypass"
	"mfabridge/shim/config"
	"mfabridge/shim/radius"
)

// inside is a shim of one client on a port of its own on the loopback, which
// is asked by the program itself.
type inside struct {
	conn   net.PacketConn
	asker  *net.UDPConn
	secret *radius.Secret
	stop   func() error
}

// openInside starts a shim with the configuration as it is, but for one client
// that comes from the loopback with a secret of this run.
func (p *program) openInside(parts *shimParts, client config.Client, log *slog.Logger) (*inside, error) {
	var key [32]byte
	_, _ = rand.Read(key[:]) // never fails, see crypto/rand
	client.Prefixes, client.SharedSecret = []netip.Prefix{netip.MustParsePrefix("127.0.0.1/32")}, secret.New(key[:])
	client.Certificates, client.MessageAuthenticator = nil, config.Require
	conf := *parts.config
	conf.RADIUS.Clients = []config.Client{client}
	server, err := shim.New(shim.Options{Config: &conf, Verifier: parts.engine, Passwords: parts.engine, Primaries: parts.primaries.byName, Log: log, Now: p.now, Bypasses: bypass.Open(conf.Data, p.now), Workers: 8, Queue: 64})
	if err != nil {
		return nil, err
	}
	conn, err := shim.Listen(netip.MustParseAddrPort("127.0.0.1:0"))
	if err != nil {
		return nil, err
	}
	asker, err := net.DialUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)}, conn.LocalAddr().(*net.UDPAddr)) // what Listen opens
	if err != nil {
		return nil, errors.Join(err, conn.Close())
	}
	ended := make(chan error, 1)
	go func() { ended <- server.Serve(conn) }()
	return &inside{conn: conn, asker: asker, secret: radius.NewSecret(key[:]), stop: func() error {
		ctx, cancel := context.WithTimeout(context.Background(), drainLimit)
		defer cancel()
		err := errors.Join(asker.Close(), server.Shutdown(ctx))
		if e := <-ended; !errors.Is(e, shim.ErrServerClosed) {
			err = errors.Join(err, e)
		}
		return err
	}}, nil
}

// exchange sends a datagram and waits for the answer; none in time is the zero
// Packet and no error.
func (i *inside) exchange(ctx context.Context, b []byte, patience time.Duration) (p radius.Packet, answered bool, err error) {
	if err := i.asker.SetReadDeadline(time.Now().Add(patience)); err != nil { // before there can be a reason to stop
		return p, false, err
	}
	if _, err := i.asker.Write(b); err != nil {
		return p, false, err
	}
	defer context.AfterFunc(ctx, func() { _ = i.asker.SetReadDeadline(time.Now()) })()
	in := make([]byte, radius.MaxLength)
	n, err := i.asker.Read(in)
	if errors.Is(err, os.ErrDeadlineExceeded) {
		return p, false, ctx.Err()
	}
	if err != nil {
		return p, false, err
	}
	if p, err = radius.Parse(in[:n]); err != nil {
		return p, true, err
	}
	request, err := radius.Parse(b)
	if err != nil {
		return p, true, nil // what was sent is no packet: nothing to compare with
	}
	return p, true, i.secret.VerifyReply(p, request)
}

// clientOf finds a client of a configuration: by its very name, else in any case.
func clientOf(conf *config.Config, name string) (config.Client, error) {
	at := slices.IndexFunc(conf.RADIUS.Clients, func(c config.Client) bool { return c.Name == name })
	if at < 0 {
		at = slices.IndexFunc(conf.RADIUS.Clients, func(c config.Client) bool { return strings.EqualFold(c.Name, name) })
	}
	if at < 0 {
		return config.Client{}, hint.New(fmt.Sprintf("there is no client %q", name), "mfabridge shim check lists them")
	}
	return conf.RADIUS.Clients[at], nil
}

// eventPrinter prints events as they come.
type eventPrinter struct {
	p     *program
	asker atomic.Pointer[net.UDPConn] // who waits for the answer, which an event may say will not come
}

func (t *eventPrinter) Write(line []byte) (int, error) {
	e := event{raw: line, fields: make(map[string]any)}
	if json.Unmarshal(line, &e.fields) != nil || e.text("msg") == "listening" {
		return len(line), nil
	}
	e.tell(t.p.out)
	if asker := t.asker.Load(); asker != nil && e.text("outcome") == "silent" {
		_ = asker.SetReadDeadline(time.Now()) // one that is closed waits for nothing
	}
	return len(line), nil
}

func (p *program) shimTest(c *cli.Context) (err error) {
	if _, err := args(c); err != nil {
		return err
	}
	if c.String("user") == "" || c.String("client") == "" {
		return usage("--user and --client are needed", "mfabridge shim test --user ada@contoso.example --client vpn")
	}
	parts, err := p.loadShim(c.Context, c.String("config"), c.String("engine-key"), p.engineBeside)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, parts.Close()) }()
	client, err := clientOf(parts.config, c.String("client"))
	if err != nil {
		return err
	}
	var password secret.Bytes
	if ref := c.String("password"); ref != "" {
		if password, err = secret.Load(ref); err != nil {
			return fmt.Errorf("--password: %w", err)
		}
	}
	events := &eventPrinter{p: p}
	in, err := p.openInside(parts, client, slog.New(jsonLines(events)))
	if err != nil {
		return err
	}
	events.asker.Store(in.asker)
	defer func() { err = errors.Join(err, in.stop()) }()
	fmt.Fprintf(p.out, "a login of %s at client %s (first factor: %s, code: %s)\n", c.String("user"), client.Name, client.Primary, client.CodeEntry)
	return p.testLogin(c.Context, in, client, c.String("user"), password)
}

// testLogin goes through a login step by step, asking for codes on the
// standard input.
func (p *program) testLogin(ctx context.Context, in *inside, client config.Client, user string, password secret.Bytes) error {
	var state []byte
	for id := byte(0); id < 8; id++ {
		var authenticator [16]byte
		_, _ = rand.Read(authenticator[:]) // never fails, see crypto/rand
		w := radius.NewRequest(nil, radius.AccessRequest, id, authenticator)
		w.Add(radius.UserName, []byte(user))
		if !client.WithoutPassword || !password.IsZero() {
			w.AddPassword(in.secret, password.Reveal())
		}
		w.Add(radius.CallingStationID, []byte("shim-test"))
		if state != nil {
			w.Add(radius.State, state)
		}
		b, err := in.secret.SealRequest(&w)
		if err != nil {
			return err
		}
		fmt.Fprintf(p.out, "> Access-Request %d\n", id+1)
		reply, answered, err := in.exchange(ctx, b, client.Hold+shim.DefaultCallTimeout+time.Second)
		if err != nil {
			return err
		}
		if !answered {
			return hint.New("no answer: the engine or the first factor could not be asked", "the event above has the cause; a client would go on to its next server")
		}
		prompt, _ := reply.Lookup(radius.ReplyMessage)
		fmt.Fprintf(p.out, "< %s, %d attributes: %s\n", reply.Code(), countAttributes(reply), migrate.Plain(string(prompt)))
		switch reply.Code() {
		case radius.AccessAccept:
			return nil
		case radius.AccessReject:
			return errors.New("the login was refused")
		}
		state, _ = reply.Lookup(radius.State)
		fmt.Fprint(p.err, "code: ")
		line, err := p.line(ctx)
		if errors.Is(err, io.EOF) {
			return hint.New("the login asks for a code, and the standard input has none", "type it, or pipe it in")
		}
		if err != nil {
			return err
		}
		password = secret.New(bytes.TrimSpace(line))
	}
	return errors.New("the login asks for more and more")
}

func countAttributes(p radius.Packet) (n int) {
	for range p.Attributes() {
		n++
	}
	return n
}
