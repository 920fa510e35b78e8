package engine

import (
	"cmp"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/google/uuid"

	"mfabridge/cloud"
	"mfabridge/cloud/engine/audit"
	"mfabridge/cloud/engine/seal"
	"mfabridge/cloud/engine/tries"
	"mfabridge/cloud/form"
	"mfabridge/internal/hint"
	"mfabridge/internal/secret"
)

// Format is the version of what the engine keeps in a store: the meaning of
// its values, beside the store's own schema version.
const Format = 1

// Names of Meta values.
const (
	metaSetup   = "engine"
	metaCodeKey = "code-key"
)

// bindingCodeKey is the associated data of the sealed key for sent codes.
const bindingCodeKey = "code-key"

// Config is what an engine needs to work on a store.
type Config struct {
	Store   Store
	Key     seal.Key
	Senders map[cloud.Preference]Sender // how codes are sent and calls are made, by preference; what is not there is not done
	Now     func() time.Time            // nil: time.Now
	Log     *slog.Logger                // nil: nothing is logged

	// Node names this installation in the audit; empty: "local".
	Node string
	// Actor stands in the audit for what comes through Directory.Write;
	// empty: "local".
	Actor string

	Tries tries.Limits // how failures slow a user down; zero values: see there
	Texts Texts        // limits on texts; zero values: see there
	Calls Texts        // the same of calls, counted apart
	Fraud Fraud        // what a report of fraud leads to
	Text  string       // template of a code message; empty: DefaultText

	// HashCost is what a new hash of a password or a PIN costs. Only tests of
	// something else set it.
	HashCost HashCost

	// Link is the address that invites a user, by name; nil: nobody is invited by mail.
	Link func(name string) string
}

// Engine works on one store. All methods may be called concurrently.
type Engine struct {
	store     *taking
	key       seal.Key
	codeKey   secret.Bytes
	audit     *audit.Key
	observe   atomic.Pointer[func(cloud.Decision)] // see Observe
	senders   map[cloud.Preference]Sender
	now       func() time.Time
	log       *slog.Logger
	node      string
	actor     string
	tries     tries.Limits
	textLimit Texts
	callLimit Texts
	fraud     atomic.Pointer[Fraud]
	text      string
	link      func(name string) string // see Config.Link
	setup     setup
	caps      cloud.Capabilities
	hub       hub
	bell      bell
	tests     testMeter
	passwords passwords
	primaries atomic.Pointer[primaries] // who proves passwords
	asking    chan struct{}             // questions to them that are under way
	policy    atomic.Pointer[rules]     // as it was last read; see rules
	networks  atomic.Pointer[networksRead]
	lateTexts lates // go out after the answer
	lateMails lates
	laters    sync.WaitGroup // of both, and of what users are told
}

var (
	_ cloud.Directory   = (*Engine)(nil)
	_ cloud.Locker      = (*Engine)(nil)
	_ cloud.GroupReader = (*Engine)(nil)
	_ cloud.Preflighter = (*Engine)(nil)
	_ cloud.Verifier    = (*Engine)(nil)
	_ cloud.Settler     = (*Engine)(nil)
	_ cloud.CodeMatcher = (*Engine)(nil)
	_ cloud.Noticeboard = (*Engine)(nil)
	_ cloud.Passwords   = (*Engine)(nil)
)

// Setup is what a store is made with.
type Setup struct {
	Instance string // identity; empty: a random UUID
	Kind     Kind   // empty: KindEngine
	Assumed  Assumptions
	Domains  []string // mail domains of the organisation
	Actor    Actor
	Node     string    // empty: "local"
	Now      time.Time // zero: time.Now
}

// setup is the value of metaSetup.
type setup struct {
	Format   int         `json:"format"`
	Kind     Kind        `json:"kind"`
	Assumed  Assumptions `json:"assumed,omitzero"`
	Instance string      `json:"instance"`
	Domains  []string    `json:"domains,omitempty"`
	Created  time.Time   `json:"created"`
}

// Init makes an empty store into an engine. A store that is one already is
// refused with kind Conflict.
func Init(ctx context.Context, s Store, key seal.Key, with Setup) error {
	if err := with.Actor.check(); err != nil {
		return err
	}
	if with.Now.IsZero() {
		with.Now = time.Now()
	}
	made, err := with.setup()
	if err != nil {
		return err
	}
	value, err := json.Marshal(made)
	if err != nil {
		return fmt.Errorf("setup cannot be written: %w", err)
	}
	codeKey := make([]byte, 32)
	rand.Read(codeKey)
	sealed, err := key.Seal(codeKey, bindingCodeKey+"/"+made.Instance)
	if err != nil {
		return err
	}
	seed, sealedSeed, err := newAuditSeed(key, made.Instance)
	if err != nil {
		return err
	}
	defer seed.Wipe()
	audited := &linked{Store: s, key: audit.NewKey(seed)}
	return audited.Update(ctx, func(tx Tx) error {
		old, err := tx.Meta(metaSetup)
		if err != nil {
			return err
		}
		if old != nil {
			return refuse(cloud.Conflict, "the store is an engine already")
		}
		return errors.Join(tx.SetMeta(metaSetup, value), tx.SetMeta(metaCodeKey, sealed), tx.SetMeta(metaAuditKey, sealedSeed),
			tx.Append(audit.Entry{Time: with.Now, Node: orLocal(with.Node), Actor: with.Actor.Who, Action: "engine.init",
				Subject: made.Instance, Detail: "domains=" + strings.Join(made.Domains, ","), Reason: with.Actor.Reason}))
	})
}

// setup checks what was asked for and fills the rest in.
func (with Setup) setup() (setup, error) {
	made := setup{Format: Format, Kind: cmp.Or(with.Kind, KindEngine), Assumed: with.Assumed, Instance: with.Instance, Created: with.Now.UTC()}
	if _, err := ParseKind(string(made.Kind)); err != nil {
		return setup{}, err
	}
	if err := made.Assumed.check(); err != nil {
		return setup{}, err
	}
	if made.Kind == KindEngine && made.Assumed != (Assumptions{}) {
		return setup{}, refuse(cloud.Invalid, "an engine leaves nothing to be assumed: assumptions belong to a store that rehearses Entra ID")
	}
	if made.Instance == "" {
		id, err := uuid.NewRandom()
		if err != nil {
			return setup{}, fmt.Errorf("no instance id can be made: %w", err)
		}
		made.Instance = id.String()
	}
	if err := form.CheckText("instance", made.Instance, 64); err != nil {
		return setup{}, err
	}
	for _, domain := range with.Domains {
		if !form.IsDomain(domain) {
			return setup{}, refuse(cloud.Invalid, fmt.Sprintf("%q is not a mail domain", domain))
		}
		made.Domains = append(made.Domains, strings.ToLower(domain))
	}
	slices.Sort(made.Domains)
	made.Domains = slices.Compact(made.Domains)
	return made, nil
}

// Open checks that the store is an engine of this version and that the key
// belongs to it. Errors are *cloud.Error with advice: NotFound (not made into
// an engine yet), Unsupported (newer, or another kind), Denied (wrong key),
// Unavailable. The store stays the caller's to close, after Close.
func Open(ctx context.Context, c Config) (*Engine, error) { return open(ctx, c, false) }

// open is Open; restoring: also of what must not verify as it is.
func open(ctx context.Context, c Config, restoring bool) (*Engine, error) {
	if c.Store == nil || c.Key.IsZero() {
		return nil, refuse(cloud.Internal, "an engine needs a store and a key")
	}
	e := &Engine{key: c.Key, senders: c.Senders, now: c.Now, log: c.Log,
		node: orLocal(c.Node), actor: orLocal(c.Actor), tries: c.Tries.Filled(), textLimit: c.Texts.filled(), callLimit: c.Calls.filled(),
		text: c.Text, link: c.Link}
	e.fraud.Store(&c.Fraud)
	if e.now == nil {
		e.now = time.Now
	}
	if e.log == nil {
		e.log = slog.New(slog.DiscardHandler)
	}
	if e.text == "" {
		e.text = DefaultText
	}
	if err := checkTemplate(e.text); err != nil {
		return nil, err
	}
	e.passwords, e.asking = newPasswords(c.HashCost), make(chan struct{}, maxAsked)
	e.lateTexts, e.lateMails = newLates(&e.laters), newLates(&e.laters)
	e.primaries.Store(&primaries{use: OwnPasswords})
	e.store = &taking{Store: c.Store, now: e.now, log: e.log}
	err := c.Store.View(ctx, func(r Reader) error {
		if err := e.load(r); err != nil || restoring {
			return err
		}
		return mayOpen(r)
	})
	if err != nil {
		return nil, asError(err)
	}
	key, err := e.auditKey(ctx)
	if err != nil {
		return nil, asError(err)
	}
	e.audit = key
	e.store.Store = &linked{Store: c.Store, key: key}
	e.caps = e.capabilities()
	e.key.Guard(e.fits)
	return e, nil
}

// load reads what Init wrote.
func (e *Engine) load(r Reader) error {
	value, err := r.Meta(metaSetup)
	switch {
	case err != nil:
		return err
	case value == nil:
		return hint.Wrap(refuse(cloud.NotFound, "the store was not made into an engine"),
			"make one with: mfabridge engine init")
	}
	if err := json.Unmarshal(value, &e.setup); err != nil {
		return refuse(cloud.Internal, "the store's description of itself cannot be read")
	}
	if e.setup.Format > Format {
		return hint.Wrap(refuse(cloud.Unsupported, fmt.Sprintf("the store has format %d, this program knows up to %d",
			e.setup.Format, Format)), "use a newer mfabridge")
	}
	if _, err := ParseKind(string(e.setup.Kind)); err != nil {
		return hint.Wrap(refuse(cloud.Unsupported, fmt.Sprintf("the store is of kind %q, which this program does not know", string(e.setup.Kind))), "use a newer mfabridge")
	}
	sealed, err := r.Meta(metaCodeKey)
	if err != nil {
		return err
	}
	if e.codeKey, err = e.key.Open(sealed, bindingCodeKey+"/"+e.setup.Instance); err != nil {
		return hint.Wrap(refuse(cloud.Denied, "the key does not belong to this store"),
			"name the key file that was made with it (--engine-key, by default PATH.key)")
	}
	return nil
}

// Instance is the identity of the engine, as in Capabilities.
func (e *Engine) Instance() string { return e.setup.Instance }

// Kind is what the store was made as.
func (e *Engine) Kind() Kind { return e.setup.Kind }

// Assumed is what a store that rehearses was made to assume.
func (e *Engine) Assumed() Assumptions { return e.setup.Assumed }

// Close ends all streams of decisions, and waits for messages that go out after
// an answer. It does not close the store, and calls that still run go on until
// the store is closed.
func (e *Engine) Close() error {
	e.hub.close()
	e.bell.close()
	e.AwaitSent()
	return nil
}

// refuse makes an error of the one vocabulary.
func refuse(k cloud.Kind, message string) error { return &cloud.Error{Kind: k, Message: message} }

// because is refuse with the word by which a caller tells it from others of its
// kind.
func because(why cloud.Reason, k cloud.Kind, message string) error {
	return &cloud.Error{Kind: k, Reason: why, Message: message}
}

func orLocal(s string) string {
	if s == "" {
		return "local"
	}
	return s
}
