// Package directory is /directory/v1: the contract [cloud.Directory] over
// HTTP, with the lock, groups and preflight that go with it. It adds nothing to
// the contract but who may call: bodies are those of package wire, and every
// promise is the core's.
//
// A lock over HTTP is a lease: it ends when its holder has not renewed it in
// time, because a program that died cannot unlock. It is the core's, so that any
// node renews what another one gave. Changes written under a lock name it
// ([wire.HeaderLock]) and are refused once it has gone, so that a run that was
// cut off for a while does not write beside its successor.
//
// A helpdesk reads here and changes nothing: what it may do asks for a reason,
// and is at /admin/v1.
package directory

import (
	"context"
	"net/http"
	"slices"
	"time"

	"mfabridge/cloud"
	"mfabridge/cloud/engine"
	"mfabridge/cloud/engine/http/serve"
	"mfabridge/cloud/engine/http/wire"
)

// Largest bodies, in bytes. A full batch of changes is well below a megabyte.
const (
	maxWrite = 8 << 20
	maxLook  = 1 << 20
	maxLock  = 4 << 10
)

// DefaultLease is how long a lock lives without being renewed.
const DefaultLease = time.Minute

// Core is what this face needs of the engine, for one caller.
type Core interface {
	cloud.Directory

	// Lease gives a lock out, Renew lets it live on, Return ends it, and
	// WriteUnder writes as long as it has not ended; see [engine.Caller].
	Lease(ctx context.Context, holder string, life time.Duration) (id string, err error)
	Renew(ctx context.Context, id string, life time.Duration) error
	Return(ctx context.Context, id string) error
	WriteUnder(ctx context.Context, id string, changes []cloud.Change) []cloud.Result
}

// Options of a face.
type Options struct {
	For       func(app string) Core
	Groups    cloud.GroupReader // nil: the engine knows none
	Preflight cloud.Preflighter // nil: the engine has none
	Lease     time.Duration     // 0: DefaultLease
}

// Face answers for /directory/v1.
type Face struct{ Options }

// New makes a face.
func New(o Options) *Face {
	if o.Lease <= 0 {
		o.Lease = DefaultLease
	}
	return &Face{Options: o}
}

// Routes are the face's rows.
func (f *Face) Routes() []serve.Route {
	read := []engine.Role{engine.RoleMigrate, engine.RoleHelpdesk, engine.RoleAuditor, engine.RoleAdmin}
	plan := []engine.Role{engine.RoleMigrate, engine.RoleAuditor, engine.RoleAdmin}
	write := writers()
	row := func(method, path string, roles []engine.Role, body int64, h serve.Handler) serve.Route {
		return serve.Route{Listener: serve.API, Method: method, Path: wire.PathDirectory + path, Roles: roles, Body: body,
			Heavy: body >= maxLook, Handler: h}
	}
	members := row(http.MethodGet, "/groups/{group}/members", plan, 0, f.members)
	members.Streams = true
	return []serve.Route{
		row(http.MethodGet, "/capabilities", read, 0, f.capabilities),
		row(http.MethodPost, "/find", read, maxLook, f.find),
		row(http.MethodPost, "/read", read, maxLook, f.read),
		row(http.MethodPost, "/write", write, maxWrite, f.write),
		row(http.MethodPost, "/lock", write, maxLock, f.lock),
		row(http.MethodPut, "/lock/{id}", write, 0, f.renew),
		row(http.MethodDelete, "/lock/{id}", write, 0, f.unlock),
		row(http.MethodGet, "/preflight", plan, 0, f.preflight),
		members,
	}
}

// writers are the roles that may change users here.
func writers() []engine.Role { return []engine.Role{engine.RoleMigrate, engine.RoleAdmin} }

func (f *Face) core(r *http.Request) Core { return f.For(serve.CallerOf(r.Context()).App) }

func (f *Face) capabilities(w http.ResponseWriter, r *http.Request) error {
	c, err := f.core(r).Capabilities(r.Context())
	if err != nil {
		return err
	}
	body := wire.FromCapabilities(&c)
	body.Groups, body.Preflight = f.Groups != nil, f.Preflight != nil
	return serve.Answer(w, http.StatusOK, body)
}

func (f *Face) find(w http.ResponseWriter, r *http.Request) error {
	var body wire.FindRequest
	if err := serve.Read(r, &body); err != nil {
		return err
	}
	keys := make([]cloud.Key, len(body.Keys))
	for i, k := range body.Keys {
		keys[i] = cloud.Key{Kind: cloud.KeyKind(k.Kind), Value: k.Value}
	}
	users, err := f.core(r).Find(r.Context(), keys)
	if err != nil {
		return err
	}
	answer := wire.FindAnswer{Users: make([][]cloud.UserID, len(users))}
	for i, ids := range users {
		answer.Users[i] = append([]cloud.UserID{}, ids...) // [] and not null
	}
	return serve.Answer(w, http.StatusOK, answer)
}

func (f *Face) read(w http.ResponseWriter, r *http.Request) error {
	var body wire.ReadRequest
	if err := serve.Read(r, &body); err != nil {
		return err
	}
	users, err := f.core(r).Read(r.Context(), body.IDs)
	if err != nil {
		return err
	}
	answer := wire.ReadAnswer{Users: make([]wire.User, len(users))}
	desk := serve.CallerOf(r.Context()).Role == engine.RoleHelpdesk
	for i := range users {
		if desk {
			users[i] = engine.ForDesk(users[i])
		}
		answer.Users[i] = wire.FromUser(&users[i])
	}
	return serve.Answer(w, http.StatusOK, answer)
}

func (f *Face) write(w http.ResponseWriter, r *http.Request) error {
	var body wire.WriteRequest
	if err := serve.Read(r, &body); err != nil {
		return err
	}
	changes := make([]cloud.Change, len(body.Changes))
	for i := range body.Changes {
		changes[i] = body.Changes[i].Change()
	}
	var results []cloud.Result
	if id := r.Header.Get(wire.HeaderLock); id != "" {
		results = f.core(r).WriteUnder(r.Context(), id, changes)
	} else {
		results = f.core(r).Write(r.Context(), changes)
	}
	for i := range changes {
		wipe(&changes[i])
	}
	if len(results) > 0 && cloud.KindOf(results[0].Err) == cloud.Locked {
		return results[0].Err // of all of them: the lock has ended
	}
	answer := wire.WriteAnswer{Results: make([]wire.Result, len(results))}
	for i, result := range results {
		answer.Results[i] = wire.FromResult(result)
	}
	return serve.Answer(w, http.StatusOK, answer)
}

// wipe forgets the secrets of a change that was made.
func wipe(c *cloud.Change) {
	for _, o := range []*cloud.OATH{c.Before.OATH, c.After.OATH} {
		if o != nil {
			o.Secret.Wipe()
		}
	}
}

// mayWrite tells whether an application of that role could apply a plan. One
// that only reads may make one.
func mayWrite(role engine.Role) cloud.Check {
	if slices.Contains(writers(), role) {
		return cloud.Check{Name: "permission.write", Result: cloud.CheckPassed, Detail: "an application of role " + string(role) + " may write"}
	}
	return cloud.Check{Name: "permission.write", Result: cloud.CheckBlocker, Detail: "an application of role " + string(role) + " reads, and writes nothing",
		Action: "Apply as an application of role migrate: mfabridge engine app add NAME --role migrate."}
}

func (f *Face) preflight(w http.ResponseWriter, r *http.Request) error {
	if f.Preflight == nil {
		return &cloud.Error{Kind: cloud.Unsupported, Message: "this engine has no preflight"}
	}
	checks, err := f.Preflight.Preflight(r.Context())
	if err != nil {
		return err
	}
	checks = append(checks, mayWrite(serve.CallerOf(r.Context()).Role))
	answer := wire.PreflightAnswer{Checks: []wire.Check{}}
	for _, c := range checks {
		answer.Checks = append(answer.Checks, wire.Check{Name: c.Name, Result: string(c.Result), Detail: c.Detail, Action: c.Action})
	}
	return serve.Answer(w, http.StatusOK, answer)
}
