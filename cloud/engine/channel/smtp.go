package channel

import (
	"cmp"
	"context"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"errors"
	"fmt"
	"net"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	gomail "github.com/wneessen/go-mail"
	"github.com/wneessen/go-mail/smtp"

	"mfabridge/cloud/engine/channel/carrier"
	"mfabridge/cloud/form"
	"mfabridge/internal/secret"
)

// How a mail server is talked to.
const (
	startTLS    = "starttls"
	implicitTLS = "implicit"
	noTLS       = "none"
)

// maxTalk is what a mail server may say in one session, in bytes.
const maxTalk = 256 << 10

// envelope is what a message gets around it.
type envelope struct {
	from        string
	to, subject Template
}

// newEnvelope reads the addresses. direct: letters go to the address that a note
// names, and not to one that is made of a number.
func newEnvelope(s *SMTP, direct bool) (e envelope, err error) {
	if !isMailbox(s.From) {
		return e, errors.New("from is no address of mail")
	}
	e.from = s.From
	if e.subject, err = ParseTemplate(s.Subject, markApplication); err == nil && strings.ContainsFunc(s.Subject, isControl) {
		err = errors.New("it is one line of printable characters")
	}
	if err != nil {
		return e, wrapped("subject", err)
	}
	if direct {
		if s.To != "" {
			return e, errors.New("to is of texts that go by mail: here the address is the user's")
		}
		return e, nil
	}
	if e.to, err = ParseTemplate(s.To, markNumber, markDigits); err != nil {
		return e, wrapped("to", err)
	}
	if !isMailbox(e.to.Fill(Values{markNumber: "+10", markDigits: "10"}, nil)) || e.to.count(markNumber)+e.to.count(markDigits) != 1 {
		return e, errors.New("to is no address of mail with <$number$> or <$digits$> in it")
	}
	if _, domain, _ := strings.Cut(s.To, "@"); strings.Contains(domain, "<$") {
		return e, errors.New("a mark stands in the domain of to")
	}
	return e, nil
}

// isMailbox tells whether s is an address and nothing else.
func isMailbox(s string) bool { return form.CheckEmail(s) == nil }

// Mailer is a provider that takes messages by mail, such as the gateway of a
// telephone network. One connection is opened for each message. What the
// server says is never in an error: it may repeat the address.
type Mailer struct {
	s        *SMTP
	envelope envelope
	word     secret.Bytes
	timeout  time.Duration
	tls      *tls.Config
}

// NewMailer reads the secrets of a configuration that was checked.
//
// direct: its letters go to the address that a note has in place of a number.
func NewMailer(s *SMTP, direct bool) (m *Mailer, err error) {
	m = &Mailer{s: s}
	if m.envelope, err = newEnvelope(s, direct); err != nil {
		return nil, err
	}
	if m.timeout, err = timeoutOf(s.Timeout); err != nil {
		return nil, err
	}
	if s.Password != "" {
		if m.word, err = secret.Load(s.Password); err != nil {
			return nil, err
		}
	}
	roots, err := authorities(s.CA)
	if err != nil {
		return nil, err
	}
	m.tls = &tls.Config{ServerName: s.Host, RootCAs: roots, MinVersion: tls.VersionTLS12}
	return m, nil
}

// Send implements [carrier.Driver].
func (m *Mailer) Send(ctx context.Context, n carrier.Note) (carrier.Taken, error) {
	ctx, cancel := context.WithTimeout(ctx, m.timeout)
	defer cancel()
	letter, err := m.letter(n)
	if err != nil {
		return carrier.Taken{}, err
	}
	client, err := m.client(ctx)
	if err != nil {
		return carrier.Taken{}, err
	}
	session, err := client.DialToSMTPClientWithContext(ctx)
	if err != nil {
		return carrier.Taken{}, carrier.Mark(carrier.ErrUnwell, refusal(ctx, "the mail server cannot be used", err).Error())
	}
	err = client.SendWithSMTPClient(session, letter)
	_ = client.CloseWithSMTPClient(session) // what was taken over stays so
	if err != nil {
		return carrier.Taken{}, lost(refusal(ctx, "the mail server has not taken the message", err), err)
	}
	return carrier.Taken{}, nil
}

// lost tells a letter that was refused, or not now (RFC 5321, 4.2.1: either way
// nothing was taken), from one of which nobody knows.
func lost(told, err error) error {
	reply, replied := errors.AsType[*gomail.SendError](err)
	switch {
	case replied && reply.ErrorCode() >= 500:
		return told
	case replied && reply.ErrorCode() >= 400:
		return carrier.Mark(carrier.ErrUnwell, told.Error())
	}
	return carrier.Mark(carrier.ErrUnknown, told.Error())
}

func (m *Mailer) letter(n carrier.Note) (*gomail.Msg, error) {
	v := values(n, "", nil)
	to, subject := m.envelope.to.Fill(v, nil), m.envelope.subject.Fill(v, nil)
	if to == "" {
		subject = cmp.Or(n.Subject, subject) // a gateway of texts may go by its subject
		if to = n.Number; !isMailbox(to) {
			return nil, errors.New("it is no address of mail")
		}
	}
	letter := gomail.NewMsg(gomail.WithCharset(gomail.CharsetUTF8), gomail.WithNoDefaultUserAgent())
	if letter.From(m.envelope.from) != nil || letter.To(to) != nil {
		return nil, errors.New("the number does not fit into an address of mail")
	}
	letter.Subject(subject)
	letter.SetDate()
	id := sha256.Sum256([]byte("letter\x00" + n.ID))
	_, domain, _ := strings.Cut(m.envelope.from, "@")
	letter.SetMessageIDWithValue(hex.EncodeToString(id[:16]) + "@" + domain)
	letter.SetGenHeader("Auto-Submitted", "auto-generated") // RFC 3834: no vacation answers
	letter.SetBodyString(gomail.TypeTextPlain, n.Text)
	return letter, nil
}

func (m *Mailer) client(ctx context.Context) (*gomail.Client, error) {
	options := []gomail.Option{gomail.WithPort(m.s.Port), gomail.WithTimeout(m.timeout + time.Second), gomail.WithTLSConfig(m.tls), gomail.WithoutNoop(),
		gomail.WithoutRset(), // behind a letter that was taken; what it is answered would be told as the letter's
		gomail.WithTLSPolicy(gomail.TLSMandatory), gomail.WithDialContextFunc(m.dial(ctx))}
	switch m.s.TLS {
	case implicitTLS:
		options = append(options, gomail.WithSSL())
	case noTLS:
		options = append(options, gomail.WithTLSPolicy(gomail.NoTLS))
	}
	if m.s.User != "" {
		options = append(options, gomail.WithSMTPAuthCustom(&access{user: m.s.User, word: m.word, host: m.s.Host}))
	}
	c, err := gomail.NewClient(m.s.Host, options...)
	if err != nil {
		return nil, errors.New("the mail server's settings cannot be used")
	}
	return c, nil
}

// dial opens a connection that ends with the session, whatever the server does,
// and that takes only so much from it.
func (m *Mailer) dial(session context.Context) gomail.DialContextFunc {
	return func(ctx context.Context, network, _ string) (net.Conn, error) {
		plain, err := new(net.Dialer).DialContext(ctx, network, net.JoinHostPort(m.s.Host, strconv.Itoa(m.s.Port)))
		if err != nil {
			return nil, err
		}
		context.AfterFunc(session, func() { _ = plain.Close() })
		c := &bounded{Conn: plain, left: maxTalk}
		if m.s.TLS != implicitTLS {
			return c, nil
		}
		secured := tls.Client(c, m.tls)
		if err := secured.HandshakeContext(ctx); err != nil {
			return nil, errors.Join(err, plain.Close())
		}
		return secured, nil
	}
}

// bounded is a connection that says only so much.
type bounded struct {
	net.Conn
	left int
}

var errTalk = errors.New("the server says too much")

func (b *bounded) Read(p []byte) (int, error) {
	if b.left <= 0 {
		return 0, errTalk
	}
	n, err := b.Conn.Read(p[:min(len(p), b.left)])
	b.left -= n
	return n, err
}

// access logs in by what the server offers, PLAIN or LOGIN, and only inside
// TLS.
type access struct {
	user, host string
	word       secret.Bytes
	smtp.Auth
}

var errOffer = errors.New("the mail server offers no PLAIN and no LOGIN inside TLS")

// Start implements smtp.Auth.
func (a *access) Start(server *smtp.ServerInfo) (string, []byte, error) {
	switch {
	case !server.TLS:
		return "", nil, errOffer
	case slices.Contains(server.Auth, "PLAIN"):
		a.Auth = smtp.PlainAuth("", a.user, string(a.word.Reveal()), a.host, false)
	case slices.Contains(server.Auth, "LOGIN"):
		a.Auth = smtp.LoginAuth(a.user, string(a.word.Reveal()), a.host, false)
	default:
		return "", nil, errOffer
	}
	return a.Auth.Start(server)
}

// refusal says what went wrong by the server's number, without its words.
func refusal(ctx context.Context, what string, err error) error {
	_, unknown := errors.AsType[x509.UnknownAuthorityError](err)
	_, misnamed := errors.AsType[x509.HostnameError](err)
	_, invalid := errors.AsType[x509.CertificateInvalidError](err)
	reply, replied := errors.AsType[*gomail.SendError](err)
	switch {
	case ctx.Err() != nil || os.IsTimeout(err):
		return fmt.Errorf("%s: no answer in time", what)
	case unknown || misnamed || invalid:
		return fmt.Errorf("%s: its certificate cannot be trusted", what)
	case errors.Is(err, errOffer), errors.Is(err, errTalk):
		return fmt.Errorf("%s: %w", what, err)
	case replied && reply.ErrorCode() > 0:
		return fmt.Errorf("%s: it answered %d", what, reply.ErrorCode())
	case strings.HasPrefix(err.Error(), "STARTTLS mode"):
		return fmt.Errorf("%s: it offers no STARTTLS", what)
	}
	if code := codeOf(err); code != "" {
		return fmt.Errorf("%s: it answered %s", what, code)
	}
	return errors.New(what + ": the connection failed")
}

// codeOf is the number that an SMTP reply begins with.
func codeOf(err error) string {
	s := err.Error()
	if i := strings.LastIndex(s, ": "); i >= 0 && len(s) >= i+5 {
		s = s[i+2:]
	}
	if len(s) < 3 || s[0] != '4' && s[0] != '5' || strings.Trim(s[:3], "0123456789") != "" {
		return ""
	}
	return s[:3]
}

// Close implements [carrier.Driver].
func (m *Mailer) Close() error { return nil }
