// Package remote is our engine over its HTTP API: a [cloud.Directory] and a
// [cloud.Verifier] with everything that goes with them, so that a migration
// and a shim work with an engine elsewhere as they do with one in process.
//
// # What it adds to the contracts
//
// A lock is a lease that is renewed as long as the process lives; an engine
// that does not hear from it any more gives the lock to the next run, and
// refuses what is written under the old one. An application sees what it began,
// wherever: the nodes of a cluster share one, and answer each other's
// challenges. Each call of Decisions is a stream of its own, which goes on
// where it was when its connection breaks.
//
// # What is tried again
//
// A call is repeated by itself where it cannot do a thing twice: reading, and
// Begin and Answer with a Key. Everything is repeated that the engine refused
// before it did anything, and everything that never reached it. A Write whose
// answer was lost is not: its caller must be told, so that it reads back what
// became of it.
//
// # Trust
//
// Only https, to a certificate that the system or [Options.CA] trusts; http to
// a loopback address, for tests and for engines on the same machine. Redirects
// are refused: a token goes to the engine or nowhere.
package remote

import (
	"cmp"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"sync"
	"time"

	"mfabridge/cloud"
	"mfabridge/internal/hint"
	"mfabridge/internal/secret"
)

// Options say which engine, and as whom.
type Options struct {
	URL      string // https://engine.example[/path]
	ClientID string
	Secret   secret.Bytes
	CA       *x509.CertPool // nil: what the system trusts
	Timeout  time.Duration  // of a call with all its attempts; 0: 60 s
	Now      func() time.Time
}

// Client is an engine elsewhere. All methods may be called concurrently.
type Client struct {
	base    string // without a slash at its end
	id      string
	word    secret.Bytes
	timeout time.Duration
	now     func() time.Time
	http    *http.Client

	asking chan struct{} // holds who asks for a token

	mu    sync.Mutex
	token token
	lock  string // id of the lock that is held
}

var (
	_ cloud.Directory   = (*Client)(nil)
	_ cloud.Locker      = (*Client)(nil)
	_ cloud.GroupReader = (*Client)(nil)
	_ cloud.Preflighter = (*Client)(nil)
	_ cloud.Verifier    = (*Client)(nil)
	_ cloud.CodeMatcher = (*Client)(nil)
	_ cloud.Passwords   = (*Client)(nil)
)

// New makes a client. It connects to nothing yet.
func New(o Options) (*Client, error) {
	base, err := CheckURL(o.URL)
	if err != nil {
		return nil, err
	}
	if o.ClientID == "" || o.Secret.IsZero() {
		return nil, hint.Wrap(&cloud.Error{Kind: cloud.Invalid, Message: "an engine over HTTP asks who calls"},
			"give the name of an application and where its secret is; mfabridge engine app add makes one")
	}
	// HTTP/1.1 and not HTTP/2, by saying nothing of it: a login costs the engine
	// a third less on a connection of its own.
	transport := &http.Transport{
		Proxy:                 http.ProxyFromEnvironment,
		DialContext:           (&net.Dialer{Timeout: 10 * time.Second, KeepAlive: 15 * time.Second}).DialContext,
		TLSClientConfig:       &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: o.CA},
		TLSHandshakeTimeout:   10 * time.Second,
		MaxIdleConnsPerHost:   256, // the workers of a shim
		IdleConnTimeout:       90 * time.Second,
		ExpectContinueTimeout: time.Second,
	}
	c := &Client{base: base, id: o.ClientID, word: o.Secret, timeout: cmp.Or(o.Timeout, time.Minute), now: o.Now,
		asking: make(chan struct{}, 1)}
	if c.now == nil {
		c.now = time.Now
	}
	stay := func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	c.http = &http.Client{Transport: transport, CheckRedirect: stay}
	return c, nil
}

// Close gives idle connections back.
func (c *Client) Close() error {
	c.http.CloseIdleConnections()
	return nil
}

// CheckURL returns the address of an engine without a slash at its end, or
// says why it is none.
func CheckURL(s string) (string, error) {
	u, err := url.Parse(s)
	switch {
	case err != nil || u.Hostname() == "":
		return "", bad("the address of an engine is not an URL", "write https://HOST or https://HOST:PORT")
	case u.User != nil:
		return "", bad("the address of an engine holds a user or a password", "give the application's name and secret by their own options")
	case u.RawQuery != "" || u.ForceQuery || u.Fragment != "":
		return "", bad("the address of an engine has a query or a fragment", "write https://HOST or https://HOST:PORT")
	case u.Scheme == "http" && !isLoopback(u.Hostname()):
		return "", bad(fmt.Sprintf("%s would send secrets in the clear", s), "use https; http is for loopback addresses only")
	case u.Scheme != "http" && u.Scheme != "https":
		return "", bad("the address of an engine must begin with https", "write https://HOST or https://HOST:PORT")
	}
	return strings.TrimRight(u.String(), "/"), nil
}

func isLoopback(host string) bool {
	if host == "localhost" {
		return true
	}
	a, err := netip.ParseAddr(host)
	return err == nil && a.Unmap().IsLoopback()
}

func bad(message, advice string) error {
	return hint.Wrap(&cloud.Error{Kind: cloud.Invalid, Message: message}, advice)
}
