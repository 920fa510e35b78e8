package pfsdk

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"time"

	"mfabridge/internal/hint"
	"mfabridge/internal/secret"
)

// Limits of what a server may answer, and for how long.
const (
	MaxListAnswer  = 1 << 30 // bytes of an answer to FindUsers, of which only names are kept
	MaxAnswer      = 4 << 20 // bytes of any other
	maxHeader      = 64 << 10
	DefaultTimeout = 60 * time.Second // of one request
	MaxTries       = 4                // of one request
)

// Config says where a server is and how to be let in.
type Config struct {
	URL      string // https://HOST/…/PfWsSdk.asmx; http on loopback only
	User     string // for Basic; DOMAIN\user
	Password secret.Bytes

	Certificate *tls.Certificate // of the client, instead of or beside Basic
	CA          *x509.CertPool   // nil: the system's
	Proxy       *url.URL         // nil: none, whatever the environment says

	Timeout time.Duration // of one request; 0: DefaultTimeout

	// FilterElement is the element of FindUsers that filters by user name.
	// Empty: "usernameFilter", which is derived and was never seen.
	FilterElement string

	// Wait waits between tries; nil: by the clock.
	Wait Waiter
}

// check returns the address, or says what is wrong with it.
func (c Config) check() (*url.URL, error) {
	u, err := url.Parse(c.URL)
	switch {
	case err != nil || u.Host == "":
		return nil, hint.New("the address of the Web Service SDK cannot be read", "write https://HOST/MultiFactorAuthWebServiceSdk/PfWsSdk.asmx")
	case u.User != nil:
		return nil, hint.New("the address of the Web Service SDK holds a user or password", "give them with --user and --password")
	case u.RawQuery != "" || u.Fragment != "":
		return nil, hint.New("the address of the Web Service SDK has a query", "end it with PfWsSdk.asmx")
	case u.Scheme == "http" && !isLoopback(u.Hostname()):
		return nil, hint.New("the Web Service SDK is asked over https only", "http:// is for loopback: the password and all secrets would be readable")
	case u.Scheme != "http" && u.Scheme != "https":
		return nil, hint.New(fmt.Sprintf("the Web Service SDK cannot be asked over %q", u.Scheme), "write https://HOST/…/PfWsSdk.asmx")
	case c.User == "" && c.Certificate == nil:
		return nil, hint.New("there is neither a user nor a client certificate", "use --user and --password, or --client-cert and --client-key")
	case c.User != "" && c.Password.IsZero():
		return nil, hint.New("there is no password of the user", "use --password file:PATH, env:NAME or prompt")
	case strings.Contains(c.User, ":"):
		return nil, hint.New("the user's name holds a colon, which HTTP Basic cannot carry", "use another account of the group PhoneFactor Admins")
	}
	return u, nil
}

func isLoopback(host string) bool {
	if strings.EqualFold(host, "localhost") {
		return true
	}
	ip, err := netip.ParseAddr(host)
	return err == nil && ip.IsLoopback()
}

// errRedirect refuses to follow: a redirect would carry the password elsewhere.
var errRedirect = errors.New("the server redirects")

// httpClient is one for this server and nothing else.
func (c Config) httpClient(parallel int) *http.Client {
	timeout := c.Timeout
	if timeout <= 0 {
		timeout = DefaultTimeout
	}
	settings := &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: c.CA}
	if c.Certificate != nil {
		settings.Certificates = []tls.Certificate{*c.Certificate}
		// IIS asks for the client's certificate after the path is known.
		settings.Renegotiation = tls.RenegotiateOnceAsClient
	}
	transport := &http.Transport{
		DialContext:            (&net.Dialer{Timeout: min(timeout, 20*time.Second)}).DialContext,
		TLSClientConfig:        settings,
		TLSHandshakeTimeout:    min(timeout, 20*time.Second),
		ResponseHeaderTimeout:  timeout,
		MaxResponseHeaderBytes: maxHeader,
		MaxIdleConnsPerHost:    parallel,
		MaxConnsPerHost:        parallel,
		IdleConnTimeout:        time.Minute,
		DisableCompression:     true, // what is limited is what arrives
	}
	if c.Proxy != nil {
		transport.Proxy = http.ProxyURL(c.Proxy)
	}
	return &http.Client{
		Transport:     transport,
		Timeout:       timeout,
		CheckRedirect: func(*http.Request, []*http.Request) error { return errRedirect },
	}
}
