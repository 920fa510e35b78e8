// Package graph rehearses Microsoft Graph over a store of kind entra: the part
// of v1.0 and beta that a migration of authentication methods uses, and the
// token endpoint in front of it. It was written from the published pages, by
// themselves, and shares nothing with the driver that it is there to try.
//
// # What it answers
//
// Client credentials (secret, signed assertion), organization, users, groups
// and memberships, methods of users, hardware OATH with its inventory, the
// preferred method, the methods policy, registration details, and JSON batches.
// What is not there answers 404 as Graph does for a segment that it does not
// know. Everything that is written goes through the rules of the store, under
// the name of the application that called.
//
// # Who may call
//
// An application of role migrate has the permissions that docs/entra.md names,
// an auditor those to read; [Assumptions.Without] takes some away. They stand
// in the token and are looked at again for every request, as is the
// application.
//
// # What nobody knows
//
// Where the published text is silent or contradicts itself, the answer is a
// named switch with its source ([Switches]); so are faults that somebody may
// want to see. Limits are those that Microsoft publishes for an application in
// a tenant, counted on the clock in [Options.Now].
package graph

import (
	"context"
	"crypto/rand"
	"iter"
	"log/slog"
	"net/http"
	"sync"
	"time"

	"mfabridge/cloud"
	"mfabridge/cloud/engine"
	"mfabridge/internal/secret"
)

// Core is what this face needs of the engine.
type Core interface {
	Instance() string
	Kind() engine.Kind
	Assumed() engine.Assumptions
	Capabilities(ctx context.Context) (cloud.Capabilities, error)

	Authenticate(ctx context.Context, name string, word secret.Bytes) (engine.App, error)
	AppKeys(ctx context.Context, app string) (engine.App, []engine.AppKey, error)
	UseAssertion(ctx context.Context, app, id string, since, until time.Time) error
	Standing(ctx context.Context, app, kept string) (engine.Standing, error)

	PersonBy(ctx context.Context, key cloud.Key) (engine.Person, error)
	PersonsAfter(ctx context.Context, after cloud.UserID, limit int) ([]engine.Person, error)
	FindGroup(ctx context.Context, group string) (engine.Group, error)
	GroupsAfter(ctx context.Context, after string, limit int) ([]engine.Group, error)
	MembersAfter(ctx context.Context, group string, kind engine.MemberKind, after string, limit int) ([]string, error)
	Members(ctx context.Context, group string) iter.Seq2[cloud.UserID, error]
	GroupsOf(ctx context.Context, user cloud.UserID, direct bool) ([]engine.Group, error)
	As(app string) *engine.Caller

	Policy(ctx context.Context) (engine.Policy, error)
	SetPolicy(ctx context.Context, by engine.Actor, method engine.PolicyMethod, m engine.MethodPolicy) error

	Hardware(ctx context.Context, id, serial string) (engine.Hardware, error)
	HardwareAfter(ctx context.Context, after string, limit int) ([]engine.Hardware, error)
	HardwareOf(ctx context.Context, user cloud.UserID) ([]engine.Hardware, error)
	AddHardware(ctx context.Context, actor string, d engine.Hardware, key secret.Bytes) (engine.Hardware, error)
	EditHardware(ctx context.Context, actor, id string, edit func(*engine.Hardware)) error
	AssignHardware(ctx context.Context, actor, id string, user cloud.UserID) error
	ActivateHardware(ctx context.Context, actor, id string, user cloud.UserID, code secret.Bytes, name string) error
	DeactivateHardware(ctx context.Context, actor, id string, user cloud.UserID) error
	UnassignHardware(ctx context.Context, actor, id string, user cloud.UserID) error
	RemoveHardware(ctx context.Context, actor, id string) error

	IssuePass(ctx context.Context, by engine.Actor, user cloud.UserID, life time.Duration, once bool) (engine.Pass, secret.Bytes, error)
	RevokePass(ctx context.Context, by engine.Actor, user cloud.UserID, id string) error
	Exceptions(ctx context.Context, user cloud.UserID) (engine.Exceptions, error)
}

// Bounds of what one request can take.
const (
	maxBody     = 1 << 20 // bytes, also when unpacked
	maxBatch    = 20      // requests of one batch (json-batching)
	maxInFlight = 64
	maxPath     = 2048
	maxSegments = 12
)

// Options of a face. Zero fields are defaults.
type Options struct {
	Core   Core
	Assume Assumptions
	Now    func() time.Time
	Log    *slog.Logger
}

// Face answers in Graph's place. All methods may be called concurrently.
type Face struct {
	core   Core
	assume Assumptions
	now    func() time.Time
	log    *slog.Logger
	key    [32]byte // signs tokens and paging links of this process
	places chan struct{}
	rows   []route

	tokenless bool // the store's cloud has no interface for hardware tokens

	mu      sync.Mutex
	buckets map[string]*bucket // by application
	dice    chances
	late    map[cloud.UserID][]earlier
	stocked []earlierDevice // in the order of time
	policy  settings
	numbers map[string]map[cloud.UserID]bool // who has a mobile number; nil: not read yet
}

var _ http.Handler = (*Face)(nil)

// New makes a face. Unsupported: the store does not rehearse Entra ID.
func New(o Options) (*Face, error) {
	if o.Core.Kind() != engine.KindEntra {
		return nil, &cloud.Error{Kind: cloud.Unsupported, Message: "only a store that rehearses Entra ID can answer in Graph's place"}
	}
	f := &Face{core: o.Core, assume: o.Assume.filled(), now: o.Now, log: o.Log, places: make(chan struct{}, maxInFlight), rows: routes(),
		buckets: map[string]*bucket{}, late: map[cloud.UserID][]earlier{}, dice: newChances()}
	if f.now == nil {
		f.now = time.Now
	}
	if f.log == nil {
		f.log = slog.New(slog.DiscardHandler)
	}
	f.tokenless = o.Core.Assumed().Cloud == "china"
	rand.Read(f.key[:])
	f.policy = newSettings(f.assume)
	return f, nil
}
