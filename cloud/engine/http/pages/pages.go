// Package pages is /authenticator/v1 on the public listener: where people prove
// who they are to activate an authenticator, and where authenticators hear of
// pushes and answer them. docs/authenticator.md is its manual.
//
// Four routes are open, because who calls has nothing yet: sign-in and code, or
// pass, end in an activation code; activate takes it. All are POST, so that no
// link that is only looked at uses anything up, and the core limits each by
// user and address. The others are for the role device, whose token is no
// application's: the device signs it, and it lets in for two minutes.
//
// Nothing here decides: what was signed, by whom and when is the core's.
package pages

import (
	"context"
	"crypto/sha256"
	"encoding/base32"
	"encoding/base64"
	"fmt"
	"net/http"
	"strings"
	"time"

	"mfabridge/cloud"
	"mfabridge/cloud/engine"
	"mfabridge/cloud/engine/http/serve"
	"mfabridge/cloud/engine/http/wire"
	"mfabridge/internal/secret"
)

// maxBody is the largest body, in bytes.
const maxBody = 4 << 10

// lookEvery is how often a device that waits is looked at without a signal:
// what rings is a hint.
const lookEvery = 10 * time.Second

// Core is what this face needs of the engine.
type Core interface {
	SignIn(ctx context.Context, name string, password secret.Bytes, client cloud.Client) (cloud.Challenge, error)
	ProveCode(ctx context.Context, id cloud.ChallengeID, code secret.Bytes) (engine.Activation, error)
	ProvePass(ctx context.Context, name string, pass secret.Bytes, client cloud.Client) (engine.Activation, error)
	Enrol(ctx context.Context, n engine.Enrolment, client cloud.Client) (engine.Enrolled, error)

	AuthenticateDevice(ctx context.Context, token string) (cloud.UserID, string, error)
	Pushes(ctx context.Context, user cloud.UserID, device string) ([]engine.Push, error)
	Listen(ctx context.Context, user cloud.UserID) (changed <-chan struct{}, leave func(), err error)
	Press(ctx context.Context, s engine.SignedResponse) (cloud.Decision, error)
}

// Face answers for /authenticator/v1.
type Face struct {
	core  Core
	ended <-chan struct{} // a server that ends keeps nobody waiting
}

// New makes a face; whoever waits is answered when ctx ends.
func New(ctx context.Context, core Core) *Face { return &Face{core: core, ended: ctx.Done()} }

// Routes are the face's rows.
func (f *Face) Routes() []serve.Route {
	row := func(method, path string, body int64, h serve.Handler) serve.Route {
		return serve.Route{Listener: serve.Pages, Method: method, Path: wire.PathDevice + path, Body: body, Handler: h}
	}
	rows := []serve.Route{
		row(http.MethodPost, "/sign-in", maxBody, f.signIn),
		row(http.MethodPost, "/code", maxBody, f.code),
		row(http.MethodPost, "/pass", maxBody, f.pass),
		row(http.MethodPost, "/activate", maxBody, f.activate),
		row(http.MethodGet, "/pushes", 0, f.pushes),
		row(http.MethodPost, "/pushes/{id}/answer", maxBody, f.press),
	}
	for i := range rows[:4] {
		rows[i].Open = true
	}
	for i := range rows[4:] {
		rows[4+i].Roles = []engine.Role{engine.RoleDevice}
	}
	rows[4].Streams = true
	return rows
}

// Authenticate implements [serve.Authenticator] for tokens of devices.
func (f *Face) Authenticate(ctx context.Context, token string) (serve.Caller, error) {
	user, device, err := f.core.AuthenticateDevice(ctx, token)
	if err != nil {
		return serve.Caller{}, err
	}
	return serve.Caller{Role: engine.RoleDevice, User: user, Device: device}, nil
}

// Takes tells whether a token is one of a device.
func Takes(token string) bool { return strings.HasPrefix(token, engine.DeviceTokenPrefix) }

// from is who asks, as far as limits know.
func from(r *http.Request) cloud.Client {
	return cloud.Client{Address: serve.AddressOf(r.Context())}
}

func (f *Face) signIn(w http.ResponseWriter, r *http.Request) error {
	var body wire.SignInRequest
	if err := serve.Read(r, &body); err != nil {
		return err
	}
	password := wire.Secret(body.Password)
	defer password.Wipe()
	c, err := f.core.SignIn(context.WithoutCancel(r.Context()), body.User, password, from(r))
	if err != nil {
		return err
	}
	return serve.Answer(w, http.StatusOK, wire.SignInAnswer{Challenge: c.ID, Method: c.Method, Prompt: c.Prompt, Expires: c.ExpiresAt.UTC()})
}

func (f *Face) code(w http.ResponseWriter, r *http.Request) error {
	var body wire.CodeRequest
	if err := serve.Read(r, &body); err != nil {
		return err
	}
	code := wire.Secret(body.Code)
	defer code.Wipe()
	made, err := f.core.ProveCode(context.WithoutCancel(r.Context()), body.Challenge, code)
	return f.given(w, made, err)
}

func (f *Face) pass(w http.ResponseWriter, r *http.Request) error {
	var body wire.PassRequest
	if err := serve.Read(r, &body); err != nil {
		return err
	}
	pass := wire.Secret(body.Pass)
	defer pass.Wipe()
	made, err := f.core.ProvePass(context.WithoutCancel(r.Context()), body.User, pass, from(r))
	return f.given(w, made, err)
}

// given hands the activation code to whoever has proven to be the user.
func (f *Face) given(w http.ResponseWriter, made engine.Activation, err error) error {
	if err != nil {
		return err
	}
	defer made.Code.Wipe()
	return serve.Answer(w, http.StatusOK, wire.ActivationAnswer{User: made.User, Code: string(made.Code.Reveal()), Until: made.Until})
}

func (f *Face) activate(w http.ResponseWriter, r *http.Request) error {
	var body wire.EnrolRequest
	if err := serve.Read(r, &body); err != nil {
		return err
	}
	key, err := wire.Bytes("key", body.Key, engine.DeviceKeySize)
	if err != nil {
		return err
	}
	signature, err := wire.Bytes("signature", body.Signature, engine.DeviceSignatureSize)
	if err != nil {
		return err
	}
	n := engine.Enrolment{User: body.User, Code: wire.Secret(body.Code), Name: body.Name, Key: key, Signature: signature}
	defer n.Code.Wipe()
	got, err := f.core.Enrol(context.WithoutCancel(r.Context()), n, from(r))
	if err != nil {
		return err
	}
	answer := wire.EnrolledAnswer{User: got.User, UPN: got.UPN, Device: got.Device}
	if !got.OATH.Secret.IsZero() {
		defer got.OATH.Secret.Wipe()
		answer.OATH = &wire.AppOATH{Secret: base32.StdEncoding.WithPadding(base32.NoPadding).EncodeToString(got.OATH.Secret.Reveal()),
			Algorithm: got.OATH.Algorithm, Digits: got.OATH.Digits, Period: got.OATH.Period}
	}
	return serve.Answer(w, http.StatusOK, answer)
}

// pushes says what waits for a device; with ?version= and ?wait= once it is
// something else than the device knows, or that time is over.
func (f *Face) pushes(w http.ResponseWriter, r *http.Request) error {
	caller := serve.CallerOf(r.Context())
	known, wait, err := asked(r)
	if err != nil {
		return err
	}
	changed, leave, err := f.core.Listen(r.Context(), caller.User)
	if err != nil {
		return err
	}
	defer leave()
	over := time.NewTimer(wait)
	defer over.Stop()
	for last := wait == 0; ; {
		answer, err := f.waiting(r.Context(), caller)
		if err != nil {
			return err
		}
		if last || answer.Version != known {
			return serve.Answer(w, http.StatusOK, answer)
		}
		again := time.NewTimer(lookEvery)
		select {
		case <-changed:
		case <-again.C:
		case <-over.C:
			last = true
		case <-f.ended:
			last = true
		case <-r.Context().Done():
			again.Stop()
			return nil // nobody listens any more
		}
		again.Stop()
	}
}

func (f *Face) waiting(ctx context.Context, caller serve.Caller) (wire.PushesAnswer, error) {
	pushes, err := f.core.Pushes(ctx, caller.User, caller.Device)
	if err != nil {
		return wire.PushesAnswer{}, err
	}
	answer := wire.PushesAnswer{Pushes: []wire.Push{}}
	sum := sha256.New()
	for _, p := range pushes {
		fmt.Fprintln(sum, p.Challenge)
		answer.Pushes = append(answer.Pushes, wire.Push{Challenge: p.Challenge, App: p.App, From: place(p.From), Begun: p.Begun.UTC(), Expires: p.Expires.UTC(), Number: p.Matched})
	}
	answer.Version = base64.RawURLEncoding.EncodeToString(sum.Sum(nil)[:12])
	return answer, nil
}

// place is where a login comes from, as people read it: the core says first
// what kind of place it is.
func place(from string) string {
	_, name, ok := strings.Cut(from, ":")
	if !ok {
		return from
	}
	return name
}

// asked are the parameters of GET pushes.
func asked(r *http.Request) (version string, wait time.Duration, err error) {
	query := r.URL.Query()
	for name, values := range query {
		if name != "version" && name != "wait" || len(values) != 1 {
			return "", 0, &cloud.Error{Kind: cloud.Invalid, Message: "the parameters of this route are version and wait, once each"}
		}
	}
	if given := query.Get("wait"); given != "" {
		if wait, err = time.ParseDuration(given); err != nil || wait < 0 || wait > wire.MaxWait {
			return "", 0, &cloud.Error{Kind: cloud.Invalid, Message: fmt.Sprintf("wait must be a time from 0s to %v", wire.MaxWait)}
		}
	}
	return query.Get("version"), wait, nil
}

func (f *Face) press(w http.ResponseWriter, r *http.Request) error {
	var body wire.PressRequest
	if err := serve.Read(r, &body); err != nil {
		return err
	}
	signature, err := wire.Bytes("signature", body.Signature, engine.DeviceSignatureSize)
	if err != nil {
		return err
	}
	caller := serve.CallerOf(r.Context())
	d, err := f.core.Press(context.WithoutCancel(r.Context()), engine.SignedResponse{
		Response: engine.Response{User: caller.User, Device: caller.Device, Challenge: cloud.ChallengeID(r.PathValue("id")),
			Answer: engine.PushAnswer(body.Answer), Number: body.Number},
		At: time.Unix(body.Time, 0), Signature: signature})
	if err != nil {
		return err
	}
	return serve.Answer(w, http.StatusOK, wire.PressAnswer{State: d.State, Reason: d.Reason})
}
