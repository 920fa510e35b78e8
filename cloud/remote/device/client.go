package device

import (
	"bytes"
	"cmp"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"sync/atomic"
	"time"

	"mfabridge/cloud"
	"mfabridge/cloud/engine/http/wire"
	"mfabridge/cloud/engine/signature"
	"mfabridge/cloud/remote"
	"mfabridge/internal/hint"
	"mfabridge/internal/secret"
)

// maxAnswer bounds an answer, in bytes.
const maxAnswer = 64 << 10

// clockOff is how far our clock has to be off before the engine's is taken.
const clockOff = 30 * time.Second

// Options of a client. Zero fields are defaults.
type Options struct {
	URL     string         // of the engine's pages listener; http on loopback only
	CA      *x509.CertPool // nil: the system's
	Timeout time.Duration  // of a call, beside what it asks to wait; 20 s
	Now     func() time.Time
}

// Client asks one engine. All methods may be called concurrently. Errors are
// *cloud.Error; Denied: the engine refused, and will again.
type Client struct {
	base    string
	timeout time.Duration
	now     func() time.Time
	offset  atomic.Int64 // of the engine's clock, in nanoseconds
	http    *http.Client
}

// New makes a client. It connects to nothing yet.
func New(o Options) (*Client, error) {
	base, err := remote.CheckURL(o.URL)
	if err != nil {
		return nil, err
	}
	transport := &http.Transport{Proxy: http.ProxyFromEnvironment, TLSClientConfig: &tls.Config{RootCAs: o.CA, MinVersion: tls.VersionTLS12},
		ForceAttemptHTTP2: true, TLSHandshakeTimeout: 10 * time.Second, MaxIdleConns: 1024, MaxIdleConnsPerHost: 1024, IdleConnTimeout: 90 * time.Second}
	stay := func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	c := &Client{base: base, timeout: cmp.Or(o.Timeout, 20*time.Second), now: o.Now, http: &http.Client{Transport: transport, CheckRedirect: stay}}
	if c.now == nil {
		c.now = time.Now
	}
	return c, nil
}

// Close gives idle connections back.
func (c *Client) Close() error {
	c.http.CloseIdleConnections()
	return nil
}

// About is what anybody may know of the engine.
func (c *Client) About(ctx context.Context) (about wire.AboutAnswer, err error) {
	err = c.call(ctx, call{method: http.MethodGet, path: "/about"}, &about)
	return about, err
}

// SignIn proves the password of a user; what it answers asks for the second
// factor, which Code proves.
func (c *Client) SignIn(ctx context.Context, user string, password secret.Bytes) (asked wire.SignInAnswer, err error) {
	err = c.post(ctx, "/sign-in", wire.SignInRequest{User: user, Password: string(password.Reveal())}, &asked)
	return asked, err
}

// Code answers what SignIn asked, and gets the code to activate with.
func (c *Client) Code(ctx context.Context, challenge cloud.ChallengeID, code secret.Bytes) (Activation, error) {
	return c.activation(ctx, "/code", wire.CodeRequest{Challenge: challenge, Code: string(code.Reveal())})
}

// Activation is what a new authenticator is activated with.
type Activation struct {
	User  string
	Code  secret.Bytes
	Until time.Time
}

// Pass gets the code to activate with for a pass of the helpdesk.
func (c *Client) Pass(ctx context.Context, user string, pass secret.Bytes) (Activation, error) {
	return c.activation(ctx, "/pass", wire.PassRequest{User: user, Pass: string(pass.Reveal())})
}

func (c *Client) activation(ctx context.Context, path string, body any) (Activation, error) {
	var a wire.ActivationAnswer
	if err := c.post(ctx, path, body, &a); err != nil {
		return Activation{}, err
	}
	return Activation{User: a.User, Code: secret.FromString(a.Code), Until: a.Until}, nil
}

// ErrNeedsPIN says that the new authenticator needs a PIN: the same again with
// one. The code is as good as before.
var ErrNeedsPIN = errors.New("the new authenticator needs a PIN")

// Activate makes a device with a new key pair, and with a PIN where one is
// given. The code is used up, unless it is ErrNeedsPIN.
func (c *Client) Activate(ctx context.Context, user string, code secret.Bytes, name string, pin secret.Bytes) (*Device, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("no key can be made: %w", err)
	}
	public, err := key.PublicKey.Bytes()
	if err != nil {
		return nil, fmt.Errorf("no key can be made: %w", err)
	}
	signed, err := signature.Make(key, signature.Activation(user, code, name, public, pin))
	if err != nil {
		return nil, err
	}
	var got wire.EnrolledAnswer
	err = c.post(ctx, "/activate", wire.EnrolRequest{User: user, Code: string(code.Reveal()), Name: name, PIN: string(pin.Reveal()),
		Key: base64.RawURLEncoding.EncodeToString(public), Signature: base64.RawURLEncoding.EncodeToString(signed)}, &got)
	if err != nil {
		return nil, err
	}
	if got.Needs != "" {
		return nil, fmt.Errorf("%w of at least %d digits", ErrNeedsPIN, got.PINLength)
	}
	return &Device{URL: c.base, User: got.User, UPN: got.UPN, ID: got.Device, Name: name, key: key, oath: got.OATH}, nil
}

// Pushes are those that wait for a device. With a wait it returns when they are
// others than those of version, or when that time is over.
func (c *Client) Pushes(ctx context.Context, d *Device, version string, wait time.Duration) (got wire.PushesAnswer, err error) {
	query := url.Values{"version": {version}, "wait": {min(wait, wire.MaxWait).String()}}
	err = c.signed(ctx, func(now time.Time) error {
		return c.call(ctx, call{device: d, now: now, wait: wait, method: http.MethodGet, path: "/pushes?" + query.Encode()}, &got)
	})
	return got, err
}

// Press answers a push by approve, deny or fraud; number is what the login
// shows, where it is matched, and pin that of the device, where it needs one. With
// a state of the PIN the answer was not taken.
// RepeatRefused: it has had its answer, or its time is over.
func (c *Client) Press(ctx context.Context, d *Device, id cloud.ChallengeID, answer, number string, pin secret.Bytes) (got wire.PressAnswer, err error) {
	err = c.signed(ctx, func(now time.Time) error {
		pressed := signature.Answer{User: d.User, Device: d.ID, Challenge: id, Word: answer, Number: number, PIN: pin}
		signed, err := signature.Make(d.key, pressed.Text(now))
		if err != nil {
			return err
		}
		body := wire.PressRequest{Answer: answer, Number: number, PIN: string(pin.Reveal()),
			Time: now.Unix(), Signature: base64.RawURLEncoding.EncodeToString(signed)}
		return c.call(ctx, call{device: d, now: now, method: http.MethodPost, path: "/pushes/" + url.PathEscape(string(id)) + "/answer", body: body}, &got)
	})
	return got, err
}

// signed makes a call by the engine's clock as far as it is known, and once
// more if its answer shows that ours is wrong.
func (c *Client) signed(ctx context.Context, call func(now time.Time) error) error {
	err := call(c.now().Add(time.Duration(c.offset.Load())))
	if cloud.ReasonOf(err) == cloud.WrongClock && ctx.Err() == nil {
		err = call(c.now().Add(time.Duration(c.offset.Load())))
	}
	return err
}

func (c *Client) post(ctx context.Context, path string, body, into any) error {
	return c.call(ctx, call{method: http.MethodPost, path: path, body: body}, into)
}

// call is one question.
type call struct {
	device       *Device       // that asks; nil: nobody who is known
	now          time.Time     // by the engine's clock, of a device
	wait         time.Duration // for which the engine may hold it, beside the client's timeout
	method, path string
	body         any // as JSON; nil: none
}

// call asks once.
func (c *Client) call(ctx context.Context, q call, into any) error {
	ctx, cancel := context.WithTimeout(ctx, c.timeout+q.wait)
	defer cancel()
	r, err := c.deviceRequest(ctx, q)
	if err != nil {
		return err
	}
	w, err := c.http.Do(r)
	if err != nil {
		silent := &cloud.Error{Kind: cloud.Unavailable, Message: "the engine does not answer", Err: err}
		if _, unknown := errors.AsType[x509.UnknownAuthorityError](err); unknown {
			return hint.Wrap(silent, "where its certificate comes from an authority of your organisation, name the file of that with --ca")
		}
		return silent
	}
	defer w.Body.Close()
	text, err := io.ReadAll(io.LimitReader(w.Body, maxAnswer+1))
	if err != nil || len(text) > maxAnswer {
		return &cloud.Error{Kind: cloud.Unavailable, Message: "the engine's answer cannot be read", Err: err}
	}
	if w.StatusCode == http.StatusNoContent && into == nil {
		return nil
	}
	if w.StatusCode != http.StatusOK {
		c.learn(w.Header.Get("Date"))
		return refusal(w.StatusCode, text)
	}
	if err := json.Unmarshal(text, into); err != nil {
		return &cloud.Error{Kind: cloud.Unavailable, Message: "what answers is not an engine of ours"}
	}
	return nil
}

// deviceRequest is a request, signed by the device if there is one.
func (c *Client) deviceRequest(ctx context.Context, q call) (*http.Request, error) {
	r, err := c.request(ctx, q.method, q.path, q.body)
	if err != nil || q.device == nil {
		return r, err
	}
	d := q.device
	signed, err := signature.Make(d.key, signature.Request(d.User, d.ID, q.now))
	if err != nil {
		return nil, err
	}
	r.Header.Set("Authorization", "Bearer "+signature.Token{User: d.User, Device: d.ID, At: q.now, Signature: signed}.String())
	return r, nil
}

func (c *Client) request(ctx context.Context, method, path string, body any) (*http.Request, error) {
	var content io.Reader
	if body != nil {
		text, err := json.Marshal(body)
		if err != nil {
			return nil, fmt.Errorf("the request cannot be written: %w", err)
		}
		content = bytes.NewReader(text)
	}
	r, err := http.NewRequestWithContext(ctx, method, c.base+wire.PathDevice+path, content)
	if err == nil && body != nil {
		r.Header.Set("Content-Type", "application/json")
	}
	return r, err
}

func refusal(status int, text []byte) error {
	var body wire.Refusal
	if err := json.Unmarshal(text, &body); err != nil || body.Error == nil {
		return &cloud.Error{Kind: wire.KindOf("", status), Message: fmt.Sprintf("the engine answered with status %d", status)}
	}
	return body.Error.ToError(status)
}

// learn takes the engine's clock where ours is far from it.
func (c *Client) learn(date string) {
	at, err := http.ParseTime(date)
	if err != nil {
		return
	}
	now := c.now()
	if off := at.Sub(now.Add(time.Duration(c.offset.Load()))); off > clockOff || off < -clockOff {
		c.offset.Store(int64(at.Sub(now)))
	}
}
