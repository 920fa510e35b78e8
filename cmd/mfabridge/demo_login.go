package main

import (
	"bytes"
	"cmp"
	"context"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"

	"mfabridge/cloud"
	"mfabridge/internal/secret"
	"mfabridge/shim/radius"
)

// replyWait is how long the demo's client waits for an answer.
const replyWait = 10 * time.Second

// What a login of the demo has to end with.
const (
	accept = radius.AccessAccept
	reject = radius.AccessReject
)

// nas is an application that speaks RADIUS: it sends a name and a password,
// shows what it is asked, and sends what the user typed.
type nas struct {
	conn   net.Conn
	secret *radius.Secret
	next   byte
}

func newNAS(ctx context.Context, from, to string, shared secret.Bytes) (*nas, error) {
	dialer := net.Dialer{LocalAddr: &net.UDPAddr{IP: net.ParseIP(from)}}
	conn, err := dialer.DialContext(ctx, "udp", to)
	if err != nil {
		return nil, err
	}
	return &nas{conn: conn, secret: radius.NewSecret(shared.Reveal())}, nil
}

func (n *nas) Close() error { return n.conn.Close() }

// reply is an answer that was verified.
type reply struct {
	code    radius.Code
	message string
	state   []byte
}

// ask sends one Access-Request and waits for the answer to it.
func (n *nas) ask(user, password string, state []byte) (reply, error) {
	var authenticator [16]byte
	_, _ = rand.Read(authenticator[:])
	n.next++
	b := radius.NewRequest(make([]byte, 0, radius.MaxLength), radius.AccessRequest, n.next, authenticator)
	b.Add(radius.UserName, []byte(user))
	b.AddPassword(n.secret, []byte(password))
	if state != nil {
		b.Add(radius.State, state)
	}
	sent, err := n.secret.SealRequest(&b)
	if err != nil {
		return reply{}, err
	}
	request, err := radius.Parse(sent)
	if err != nil {
		return reply{}, err
	}
	if err := n.conn.SetDeadline(time.Now().Add(replyWait)); err != nil {
		return reply{}, err
	}
	if _, err := n.conn.Write(sent); err != nil {
		return reply{}, err
	}
	return n.receive(request)
}

func (n *nas) receive(request radius.Packet) (reply, error) {
	buf := make([]byte, radius.MaxLength)
	size, err := n.conn.Read(buf)
	if err != nil {
		return reply{}, fmt.Errorf("no answer: %w", err)
	}
	p, err := radius.Parse(buf[:size])
	if err != nil {
		return reply{}, err
	}
	if err := n.secret.VerifyReply(p, request); err != nil {
		return reply{}, err
	}
	message, _ := p.Lookup(radius.ReplyMessage)
	state, _ := p.Lookup(radius.State)
	return reply{p.Code(), string(message), slices.Clone(state)}, nil
}

// demoLogin is one login of the demo and what it must end with.
type demoLogin struct {
	nas      *nas
	client   string
	user     string
	password string
	typing   string                 // what the user types, for the reader
	code     func() (string, error) // nil: the password decides
	want     radius.Code
}

// login plays a login and tells it.
func (d *demo) login(l demoLogin, log *events) error {
	d.say("\n%s: %s", l.client, l.user)
	if l.typing != "" {
		d.say("  types %s", l.typing)
	}
	before := len(log.reasons())
	r, err := l.nas.ask(l.user, cmp.Or(l.password, "checked by the vpn"), nil)
	if err != nil {
		return err
	}
	d.say("  -> Access-Request  <- %s", r)
	if r.code == radius.AccessChallenge && l.code != nil {
		typed, err := l.code()
		if err != nil {
			return err
		}
		if r, err = l.nas.ask(l.user, typed, r.state); err != nil {
			return err
		}
		d.say("  -> %s with State  <- %s", typed, r)
	}
	if r.code == reject {
		d.say("  the operator's log says: %s", log.reasonAfter(before))
	}
	if r.code != l.want {
		return fmt.Errorf("%s got %s where %s was due", l.user, r.code, l.want)
	}
	return nil
}

func (r reply) String() string {
	if r.message == "" {
		return r.code.String()
	}
	return fmt.Sprintf("%s %q", r.code, r.message)
}

// code computes what a person would read off a token or an app now.
func (d *demo) code(seedHex string) (string, error) { return d.codeAt(seedHex, d.p.now()) }

func (d *demo) codeAt(seedHex string, at time.Time) (string, error) {
	key, err := hex.DecodeString(seedHex)
	if err != nil {
		return "", err
	}
	return generator{OATH: cloud.OATH{Algorithm: cloud.SHA1, Digits: 6, Period: 30, Secret: secret.New(key)}}.code(uint64(at.Unix()) / 30)
}

// wrong is another code of the same length.
func wrong(code string) string {
	b := []byte(code)
	for i := range b {
		b[i] = '0' + (b[i]-'0'+5)%10
	}
	return string(b)
}

// texted reads the code of the newest message of a channel, as the person whose
// telephone it went to would.
func (d *demo) texted(channel string) func() (string, error) {
	return func() (string, error) { return d.readText(channel) }
}

func (d *demo) readText(channel string) (string, error) {
	names, err := filepath.Glob(d.path("sent/" + channel + "/*.json"))
	if err != nil {
		return "", err
	}
	if len(names) == 0 {
		return "", fmt.Errorf("nothing was sent by %s", channel)
	}
	text, err := os.ReadFile(slices.Max(names))
	if err != nil {
		return "", err
	}
	var message struct{ To, Text string }
	if err := json.Unmarshal(text, &message); err != nil {
		return "", err
	}
	d.say("  by %s to %s: %q (in a folder of files in the provider's place)", channel, message.To, message.Text)
	return regexp.MustCompile(`\d{6}`).FindString(message.Text), nil
}

// events collects the log of the demo's shim.
type events struct {
	mu   sync.Mutex
	text bytes.Buffer
	came chan struct{} // holds a token when there is something new
}

func newEvents() *events { return &events{came: make(chan struct{}, 1)} }

func (e *events) Write(b []byte) (int, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	select {
	case e.came <- struct{}{}:
	default:
	}
	return e.text.Write(b)
}

// reasons are why logins were refused, oldest first.
func (e *events) reasons() (all []string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	for line := range strings.Lines(e.text.String()) {
		var event struct{ Outcome, Reason string }
		if json.Unmarshal([]byte(line), &event) == nil && event.Reason != "" {
			all = append(all, event.Reason)
		}
	}
	return all
}

// reasonAfter is why the refusal after the first n was one: the log comes a
// moment after the answer.
func (e *events) reasonAfter(n int) string {
	late := time.NewTimer(replyWait)
	defer late.Stop()
	for {
		if all := e.reasons(); len(all) > n {
			return all[n]
		}
		select {
		case <-e.came:
		case <-late.C:
			return "nothing"
		}
	}
}
