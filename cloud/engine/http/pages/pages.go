// Package pages is /authenticator/v1 on the public listener: where people prove
// who they are to activate an authenticator or to look after theirs, and where
// authenticators hear of pushes and answer them. docs/authenticator.md is its
// manual.
//
// Five routes are open, because who calls has nothing yet: about tells what
// anybody may know; sign-in and code, or pass, end in an activation code or in
// the token of an owner; activate takes the code. Whatever uses something up is a
// POST, so that a program that only looks at links uses up nothing, and the core
// limits each by user and address. The others are for two roles: a device signs
// its token itself, and is let in by it for two minutes; an owner has just signed
// in.
//
// Nothing here decides: what was signed, by whom and when is the core's.
package pages

import (
	"context"
	"net/http"
	"slices"
	"strings"
	"time"

	"mfabridge/cloud"
	"mfabridge/cloud/engine"
	"mfabridge/cloud/engine/http/serve"
	"mfabridge/cloud/engine/http/wire"
	"mfabridge/cloud/engine/signature"
	"mfabridge/internal/secret"
)

// maxBody is the largest body, in bytes.
const maxBody = 4 << 10

// lookEvery is how often a device that waits is looked at without a signal:
// what rings is a hint.
const lookEvery = 10 * time.Second

// Core is what this face needs of the engine.
type Core interface {
	Settings(ctx context.Context) (engine.Settings, error)
	SignIn(ctx context.Context, n engine.SignIn) (cloud.Challenge, error)
	ProveCode(ctx context.Context, id cloud.ChallengeID, code secret.Bytes) (engine.Activation, error)
	ProvePass(ctx context.Context, name string, pass secret.Bytes, purpose engine.Purpose, client cloud.Client) (engine.Activation, error)
	Enrol(ctx context.Context, n engine.Enrolment, client cloud.Client) (engine.Enrolled, error)

	AuthenticateDevice(ctx context.Context, token string) (cloud.UserID, string, error)
	Pushes(ctx context.Context, user cloud.UserID, device string) ([]engine.Push, []engine.Notice, error)
	Listen(ctx context.Context, user cloud.UserID) (*engine.Ear, error)
	Attend(ctx context.Context, user cloud.UserID, device string) (*engine.Ear, error)
	TestStreams(user cloud.UserID, device, name string) (streams int, err error)
	SubscriptionOf(ctx context.Context, user cloud.UserID, device string) (*engine.Subscription, error)
	Fate(ctx context.Context, user cloud.UserID, id cloud.ChallengeID) (cloud.State, cloud.Reason, error)
	Press(ctx context.Context, s engine.SignedResponse) (engine.Pressed, error)
	SetPIN(ctx context.Context, n engine.NewPIN) (engine.PINState, int, error)
	Subscribe(ctx context.Context, user cloud.UserID, device string, s *engine.Subscription) error
	SeenNotices(ctx context.Context, user cloud.UserID, device string, ids []string) error

	AuthenticateOwner(ctx context.Context, token string) (cloud.UserID, error)
	Owned(ctx context.Context, user cloud.UserID) (engine.Owned, error)
	RenameDevice(ctx context.Context, o engine.Owner, device, name string) error
	DismissDevice(ctx context.Context, o engine.Owner, device string, lost bool) error
	UnlockDevice(ctx context.Context, o engine.Owner, device string) error
	SetDefault(ctx context.Context, o engine.Owner, method cloud.Preference) error
	Approvals(ctx context.Context, user cloud.UserID) ([]engine.Approval, error)
	ReportApproval(ctx context.Context, o engine.Owner, id cloud.ChallengeID) (blocked time.Time, err error)
}

// Options of a face.
type Options struct {
	PublicURL string // of the pages listener, as people know it; empty: no addresses are given out

	// PushKey is the VAPID key of this engine in Base64url; empty: devices
	// hear of pushes while they are connected only.
	PushKey string
	// MayPush says why nothing is sent to an endpoint, or nil.
	MayPush func(endpoint string) error
	// Wake wakes a device through its push service and says what became of it;
	// nil: nothing is sent.
	Wake func(ctx context.Context, w engine.Wake) engine.Woken

	Rate serve.Rate // of requests that need no token
	Now  func() time.Time
}

// Face answers for /authenticator/v1.
type Face struct {
	core  Core
	o     Options
	meter *serve.Meter
	ended <-chan struct{} // a server that ends keeps nobody waiting
}

// New makes a face; whoever waits is answered when ctx ends.
func New(ctx context.Context, core Core, o Options) *Face {
	if o.Now == nil {
		o.Now = time.Now
	}
	return &Face{core: core, o: o, meter: serve.NewMeter(o.Rate, o.Now), ended: ctx.Done()}
}

// Routes are the face's rows.
func (f *Face) Routes() []serve.Route {
	device := []engine.Role{engine.RoleDevice}
	both := []engine.Role{engine.RoleDevice, engine.RoleOwner}
	open := func(path string, h serve.Handler) serve.Route {
		return serve.Route{Listener: serve.Pages, Method: http.MethodPost, Path: wire.PathDevice + path, Body: maxBody, Open: true, Handler: f.metered(h)}
	}
	post := func(path string, roles []engine.Role, h serve.Handler) serve.Route {
		return serve.Route{Listener: serve.Pages, Method: http.MethodPost, Path: wire.PathDevice + path, Body: maxBody, Roles: roles, Handler: h}
	}
	get := func(path string, roles []engine.Role, h serve.Handler) serve.Route {
		return serve.Route{Listener: serve.Pages, Method: http.MethodGet, Path: wire.PathDevice + path, Roles: roles, Handler: h}
	}
	about, pushes, events := get("/about", nil, f.about), get("/pushes", device, f.pushes), get("/events", device, f.events)
	about.Open, pushes.Streams, events.Streams = true, true, true
	return slices.Concat([]serve.Route{about, open("/sign-in", f.signIn), open("/code", f.code), open("/pass", f.pass), open("/activate", f.activate),
		pushes, events, post("/pushes/{id}/answer", device, f.press)},
		[]serve.Route{
			get("/me", both, f.me),
			post("/devices/{id}/rename", both, f.rename),
			post("/devices/{id}/remove", both, f.remove),
			post("/devices/{id}/unlock", []engine.Role{engine.RoleOwner}, f.unlock),
			post("/default", both, f.setDefault),
			get("/approvals", both, f.approvals),
			post("/approvals/{id}/report", both, f.report),
			post("/pin", device, f.setPIN),
			post("/subscription", device, f.subscribe),
			post("/subscription/remove", device, f.unsubscribe),
			post("/notices/seen", device, f.seen),
			post("/test", device, f.test),
		})
}

// metered bounds what one address asks for that needs no token: whoever floods
// it keeps nobody else from having a password checked.
func (f *Face) metered(h serve.Handler) serve.Handler {
	return func(w http.ResponseWriter, r *http.Request) error {
		if !f.meter.Take(serve.AddressOf(r.Context())) {
			return &cloud.Error{Kind: cloud.Throttled, Message: "too many requests come from this address", RetryAfter: time.Second}
		}
		return h(w, r)
	}
}

// Authenticate implements [serve.Authenticator] for tokens of devices and of
// owners.
func (f *Face) Authenticate(ctx context.Context, token string) (serve.Caller, error) {
	if strings.HasPrefix(token, engine.OwnerTokenPrefix) {
		user, err := f.core.AuthenticateOwner(ctx, token)
		if err != nil {
			return serve.Caller{}, err
		}
		return serve.Caller{Role: engine.RoleOwner, User: user}, nil
	}
	user, device, err := f.core.AuthenticateDevice(ctx, token)
	if err != nil {
		return serve.Caller{}, err
	}
	return serve.Caller{Role: engine.RoleDevice, User: user, Device: device}, nil
}

// Takes tells whether a token is one of a device or of an owner.
func Takes(token string) bool {
	return strings.HasPrefix(token, signature.TokenPrefix) || strings.HasPrefix(token, engine.OwnerTokenPrefix)
}

// from is who asks, as far as limits know.
func from(r *http.Request) cloud.Client {
	return cloud.Client{Address: serve.AddressOf(r.Context())}
}
