package upstream_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"mfabridge/internal/peer"
	"mfabridge/internal/secret"
	"mfabridge/shim/radius"
	"mfabridge/shim/upstream"
)

// TestFreeRADIUSAsHomeServer: in Debian 12 it puts no Message-Authenticator
// into plain answers, so that it is observed.
func TestFreeRADIUSAsHomeServer(t *testing.T) {
	const key = "a secret of the home server"
	long := strings.Repeat("ü", 64) // 128 octets, as much as there can be
	address := peer.HomeServer(t, key, fmt.Sprintf(`ada Cleartext-Password := "pa55"
	Class := "staff", Filter-Id := "vpn", Reply-Message := "hello ada"
long Cleartext-Password := %q
`, long))
	look, err := upstream.New(upstream.Options{Patience: time.Second, Homes: []upstream.Home{{Address: address, Secret: secret.FromString(key), Observe: true}}})
	if err != nil {
		t.Fatal(err)
	}
	defer look.Close()
	ready(t, look, address)
	dead := "127.0.0.1:" + peer.FreePort(t)
	c, err := upstream.New(upstream.Options{Patience: 5 * time.Second, First: 200 * time.Millisecond, Homes: []upstream.Home{
		{Address: dead, Secret: secret.FromString(key)},
		{Address: address, Secret: secret.FromString(key), Observe: true},
	}})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	for _, try := range []struct {
		user, password string
		want           radius.Code
	}{
		{"ada", "pa55", radius.AccessAccept}, {"ada", "pa56", radius.AccessReject}, {"nobody", "pa55", radius.AccessReject},
		{"long", long, radius.AccessAccept}, {"long", long[2:], radius.AccessReject},
	} {
		r, err := c.Exchange(t.Context(), upstream.Request{Password: secret.FromString(try.password),
			Attributes: []upstream.Attribute{{Type: radius.UserName, Value: []byte(try.user)}}})
		if err != nil || r.Packet.Code() != try.want || r.Server != address {
			t.Errorf("%s: got %v of %s, %v; want %v", try.user, r.Packet.Code(), r.Server, err, try.want)
			continue
		}
		if text, _ := r.Packet.Lookup(radius.ReplyMessage); try.user == "ada" && try.want == radius.AccessAccept && string(text) != "hello ada" {
			t.Errorf("Reply-Message is %q", text)
		}
	}
	if got := c.Counters(); !got[0].Down || got[1].Answered < 5 {
		t.Errorf("counted %+v", got)
	}
}

// ready waits for the server by asking it: it answers once it listens.
func ready(t *testing.T, c *upstream.Client, address string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	for {
		err := c.Check(ctx)[address]
		if err == nil {
			return
		}
		select {
		case <-ctx.Done():
			t.Fatal(err)
		case <-time.After(20 * time.Millisecond): // a connection that failed is not made again at once
		}
	}
}
