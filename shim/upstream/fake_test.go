package upstream_test

import (
	"context"
	"net"
	"sync"
	"testing"
	"time"

	"mfabridge/internal/secret"
	"mfabridge/shim/radius"
	"mfabridge/shim/upstream"
)

// fake is a home server behind pipes, which live inside a synctest bubble. It
// shows faults that a genuine server cannot be made to show.
type fake struct {
	secret secret.Bytes
	answer func(request radius.Packet, n int) [][]byte // n: of datagrams before this one

	mu     sync.Mutex
	seen   [][]byte
	at     []time.Time
	opened int
	closed int
}

// dial opens one more pipe to the server.
func (f *fake) dial(context.Context, string) (net.Conn, error) {
	ours, theirs := net.Pipe()
	f.mu.Lock()
	f.opened++
	f.mu.Unlock()
	go func() {
		defer func() {
			f.mu.Lock()
			f.closed++
			f.mu.Unlock()
		}()
		buf := make([]byte, radius.MaxLength)
		for {
			n, err := theirs.Read(buf)
			if err != nil {
				return
			}
			request := append([]byte(nil), buf[:n]...)
			p, err := radius.Parse(request)
			if err != nil {
				return
			}
			f.mu.Lock()
			number, answer := len(f.seen), f.answer
			f.seen, f.at = append(f.seen, request), append(f.at, time.Now())
			f.mu.Unlock()
			for _, reply := range answer(p, number) {
				go func() { _, _ = theirs.Write(reply) }() // closed by then: nobody waits for it
			}
		}
	}()
	return ours, nil
}

// sockets are how many have been opened to it, and how many of them closed.
func (f *fake) sockets() (opened, closed int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.opened, f.closed
}

// becomes changes how it answers.
func (f *fake) becomes(answer func(radius.Packet, int) [][]byte) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.answer = answer
}

func (f *fake) datagrams() ([][]byte, []time.Time) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.seen, f.at
}

// reply is an authentic answer.
func (f *fake) reply(t *testing.T, code radius.Code, request radius.Packet, text string) []byte {
	t.Helper()
	w := radius.NewReply(nil, code, request)
	w.AddText(radius.ReplyMessage, text)
	b, err := radius.NewSecret(f.secret.Reveal()).SealReply(&w, request)
	if err != nil {
		t.Error(err)
	}
	return b
}

func silent(radius.Packet, int) [][]byte { return nil }

// always answers everything alike.
func (f *fake) always(t *testing.T, code radius.Code) {
	f.answer = func(p radius.Packet, _ int) [][]byte {
		if p.Code() == radius.StatusServer {
			return [][]byte{f.reply(t, radius.AccessAccept, p, "")}
		}
		return [][]byte{f.reply(t, code, p, "")}
	}
}

func newFake() *fake {
	return &fake{secret: secret.FromString("correct horse battery"), answer: silent}
}

// clientOf makes a client of fakes, named home0:1812, home1:1812, …
func clientOf(t *testing.T, change func(*upstream.Options), fakes ...*fake) *upstream.Client {
	t.Helper()
	o := upstream.Options{}
	byName := map[string]*fake{}
	for i, f := range fakes {
		name := "home" + string(rune('0'+i)) + ":1812"
		byName[name] = f
		o.Homes = append(o.Homes, upstream.Home{Address: name, Secret: f.secret})
	}
	o.Dial = func(ctx context.Context, address string) (net.Conn, error) { return byName[address].dial(ctx, address) }
	if change != nil {
		change(&o)
	}
	c, err := upstream.New(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

func login() upstream.Request { return loginOf("ada") }

func loginOf(user string) upstream.Request {
	return upstream.Request{Password: secret.FromString("pa55"), Attributes: []upstream.Attribute{{Type: radius.UserName, Value: []byte(user)}}}
}
