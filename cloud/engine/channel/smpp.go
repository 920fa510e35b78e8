package channel

import (
	"context"
	"crypto/tls"
	"log/slog"
	"net"
	"net/netip"
	"strconv"
	"strings"
	"syscall"
	"time"

	"mfabridge/cloud/engine/channel/carrier"
	"mfabridge/cloud/engine/channel/smpp"
	"mfabridge/internal/hint"
	"mfabridge/internal/secret"
)

// SMPP is a message centre that takes texts by SMPP 3.4.
type SMPP struct {
	Host string `yaml:"host"`
	Port int    `yaml:"port"` // default 3550, with tls: none 2775

	// TLS is implicit (default), or none: that is for a centre in a private network,
	// at the end of a VPN, and needs allow_private.
	TLS string `yaml:"tls"`
	CA  string `yaml:"ca"` // file of authorities (PEM); default: the system's

	SystemID   string `yaml:"system_id"`   // up to 15 characters
	Password   string `yaml:"password"`    // file:PATH or env:NAME; up to 8 characters
	SystemType string `yaml:"system_type"` // up to 12 characters; default empty

	// From is who a text is from: +CC…, a short code, or a name of up to eleven
	// characters. Empty: as the centre has it.
	From string `yaml:"from"`

	Alphabet string `yaml:"alphabet"` // the centre's own: gsm (default), latin1, or ucs2 for all texts

	// MessageIDs says how receipts name a message: same (default), as the answer did, or
	// decimal, where the answer had the same number in hexadecimal.
	MessageIDs string `yaml:"message_ids"`

	Window  int    `yaml:"window"`  // messages without an answer at once, 1 to 1000; default 10
	Timeout string `yaml:"timeout"` // of a message, 500ms to 8s; default 4s
	Enquire string `yaml:"enquire"` // silence before a sign of life is asked for, 5s to 10m; default 30s

	AllowPrivate bool `yaml:"allow_private"`
}

// Ports of SMPP, with TLS and without.
const (
	portSMPPS = 3550
	portSMPP  = 2775
)

// Bounds of enquire.
const enquireDefault, enquireLeast, enquireMost = 30 * time.Second, 5 * time.Second, 10 * time.Minute

func (s *SMPP) check(k *checking, at string) {
	if s.Host == "" || strings.ContainsAny(s.Host, ":/@ <") && !isAddress(s.Host) {
		k.Refuse("write host: smpp.example", "%s.host is no name of a host", at)
	}
	if s.TLS == "" {
		s.TLS = implicitTLS
	}
	switch {
	case s.TLS != implicitTLS && s.TLS != noTLS:
		k.Refuse("write implicit", "%s.tls must be implicit or none", at)
	case s.TLS == noTLS && !s.AllowPrivate:
		k.Refuse("use tls: implicit; or a VPN, and allow_private: true", "%s.tls: none is for a centre in a private network", at)
	}
	if s.Port == 0 {
		s.Port = portSMPPS
		if s.TLS == noTLS {
			s.Port = portSMPP
		}
	}
	if s.Port < 1 || s.Port > 65535 {
		k.Refuse("write the port that the provider names", "%s.port is no port", at)
	}
	if !isRef(s.Password) {
		k.Refuse("write file:PATH or env:NAME", "%s.password does not say where the secret is", at)
	}
	s.Password = k.Ref(s.Password)
	if s.Enquire != "" {
		if d, err := time.ParseDuration(s.Enquire); err != nil || d < enquireLeast || d > enquireMost {
			k.Refuse("write a time from 5s to 10m", "%s.enquire is no time of silence", at)
		}
	}
	if conf, err := s.client(); err == nil {
		if err := conf.Check(); err != nil {
			k.Add(hint.Wrap(wrapped(at, err), "docs/delivery.md lists what a centre needs"))
		}
	}
	k.timeout(at, s.Timeout)
	s.CA = k.Path(s.CA)
}

// client is the configuration of the driver, but for secrets.
func (s *SMPP) client() (c smpp.Config, err error) {
	c = smpp.Config{SystemID: s.SystemID, SystemType: s.SystemType, Source: s.From, Alphabet: smpp.Alphabet(s.Alphabet), IDs: smpp.IDs(s.MessageIDs), Window: s.Window,
		Enquire: enquireDefault}
	if c.Timeout, err = timeoutOf(s.Timeout); err == nil && s.Enquire != "" {
		c.Enquire, err = time.ParseDuration(s.Enquire)
	}
	return c, err
}

// centre is an [SMPP] at work: a message has its time together with the wait for a
// connection.
type centre struct {
	*smpp.Client
	timeout time.Duration
}

// openCentre reads the secret of a configuration that was checked, and begins to
// connect.
func openCentre(s *SMPP, log *slog.Logger) (*centre, error) {
	conf, err := s.client()
	if err != nil {
		return nil, err
	}
	if conf.Password, err = secret.Load(s.Password); err != nil {
		return nil, err
	}
	if conf.Dial, err = s.dial(); err != nil {
		return nil, err
	}
	conf.Log = log
	client, err := smpp.Open(conf)
	if err != nil {
		return nil, err
	}
	return &centre{client, conf.Timeout}, nil
}

// Send implements [carrier.Driver].
func (c *centre) Send(ctx context.Context, n carrier.Note) (carrier.Taken, error) {
	ctx, cancel := context.WithTimeout(ctx, c.timeout)
	defer cancel()
	return c.Client.Send(ctx, n)
}

// dial opens connections: with TLS to addresses that may be called, without it to
// private ones alone.
func (s *SMPP) dial() (func(context.Context) (net.Conn, error), error) {
	roots, err := authorities(s.CA)
	if err != nil {
		return nil, err
	}
	address := net.JoinHostPort(s.Host, strconv.Itoa(s.Port))
	if s.TLS == noTLS {
		dialer := &net.Dialer{Control: onlyPrivate}
		return func(ctx context.Context) (net.Conn, error) {
			conn, err := dialer.DialContext(ctx, "tcp", address)
			return conn, unreached(ctx, err)
		}, nil
	}
	dialer := &tls.Dialer{NetDialer: &net.Dialer{Control: mayDial(s.AllowPrivate)},
		Config: &tls.Config{ServerName: s.Host, RootCAs: roots, MinVersion: tls.VersionTLS12}}
	return func(ctx context.Context) (net.Conn, error) {
		conn, err := dialer.DialContext(ctx, "tcp", address)
		return conn, unreached(ctx, err)
	}, nil
}

// unreached says why there is no connection, without its address.
func unreached(ctx context.Context, err error) error {
	if err == nil {
		return nil
	}
	return why(ctx, err)
}

// errOpen is why an address is not called without TLS.
var errOpen = carrier.Mark(carrier.ErrUnwell, "its host is in no private network, and codes would go there in the open: use tls: implicit")

// onlyPrivate lets connections go to this machine and to private networks, by the
// address that is really called.
func onlyPrivate(_, address string, _ syscall.RawConn) error {
	a, err := netip.ParseAddrPort(address)
	if ip := a.Addr().Unmap(); err != nil || !ip.IsPrivate() && !ip.IsLoopback() {
		return errOpen
	}
	return nil
}
