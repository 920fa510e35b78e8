// Package admin is /admin/v1: what the commands mfabridge engine user, group,
// policy and app do, for those who administer an engine over the network.
//
// Every change names its reason, and is refused without one; in the audit it
// stands under the application that asked, and under the person on whose behalf
// it says that it did ("ada via desk"). The engine believes the application
// about the person: who can show one of its tokens is trusted that far.
//
// The role helpdesk may look one user up, block and unblock, allow a bypass,
// send an invitation and take an authenticator away, but not for who has an
// administrative role: the engine checks that within the transaction that
// changes the user. Everything else is for admin; auditor may read, the audit too.
package admin

import (
	"context"
	"crypto/ed25519"
	"crypto/rsa"
	"iter"
	"net/http"
	"strings"
	"time"

	"mfabridge/cloud"
	"mfabridge/cloud/engine"
	"mfabridge/cloud/engine/audit"
	"mfabridge/cloud/engine/http/serve"
	"mfabridge/cloud/engine/http/wire"
	"mfabridge/internal/secret"
)

// maxBody is the largest body, in bytes: a key, or a list of groups.
const maxBody = 64 << 10

// Core is what this face needs of the engine.
type Core interface {
	Show(ctx context.Context, name string) (cloud.User, error)
	Users(ctx context.Context) iter.Seq2[cloud.User, error]
	AddUser(ctx context.Context, by engine.Actor, p cloud.Profile) (cloud.UserID, error)
	SetEnabled(ctx context.Context, by engine.Actor, id cloud.UserID, enabled bool) error
	SetPassword(ctx context.Context, by engine.Actor, id cloud.UserID, password secret.Bytes) error
	Block(ctx context.Context, by engine.Actor, id cloud.UserID, until time.Time) error
	Unblock(ctx context.Context, by engine.Actor, id cloud.UserID) error
	Invite(ctx context.Context, by engine.Actor, id cloud.UserID) (device string, until time.Time, err error)
	Invitations(ctx context.Context, id cloud.UserID) ([]engine.Invitation, error)
	RenewInvitation(ctx context.Context, by engine.Actor, id cloud.UserID, device string) (until time.Time, err error)
	RevokeInvitation(ctx context.Context, by engine.Actor, id cloud.UserID, device string) error
	MailInvitation(ctx context.Context, by engine.Actor, id cloud.UserID) error
	RequirePIN(ctx context.Context, by engine.Actor, id cloud.UserID, required, reset bool) error
	ResetPINs(ctx context.Context, by engine.Actor, id cloud.UserID) error
	Authenticators(ctx context.Context, id cloud.UserID) ([]engine.OwnedDevice, error)
	RemoveDevice(ctx context.Context, by engine.Actor, id cloud.UserID, device string) (engine.Dismissed, error)
	Settings(ctx context.Context) (engine.Settings, error)
	ChangeSettings(ctx context.Context, by engine.Actor, edit func(*engine.Settings)) (engine.Settings, error)
	AllowBypass(ctx context.Context, by engine.Actor, id cloud.UserID, app string, until time.Time) error
	EndBypass(ctx context.Context, by engine.Actor, id cloud.UserID) error
	SetNumberSignIn(ctx context.Context, by engine.Actor, id cloud.UserID, open bool) error
	ConfirmEmail(ctx context.Context, by engine.Actor, id cloud.UserID) error
	UnconfirmEmail(ctx context.Context, by engine.Actor, id cloud.UserID) error
	SendEmailCode(ctx context.Context, by engine.Actor, id cloud.UserID) (until time.Time, err error)
	ProveEmail(ctx context.Context, by engine.Actor, id cloud.UserID, code secret.Bytes) error

	Groups(ctx context.Context) iter.Seq2[engine.Group, error]
	AddGroup(ctx context.Context, by engine.Actor, name string) (string, error)
	RemoveGroup(ctx context.Context, by engine.Actor, group string) error
	AddUserToGroup(ctx context.Context, by engine.Actor, group string, user cloud.UserID) error
	AddGroupToGroup(ctx context.Context, by engine.Actor, group, inner string) error
	RemoveFromGroup(ctx context.Context, by engine.Actor, group string, kind engine.MemberKind, member string) error

	Policy(ctx context.Context) (engine.Policy, error)
	SetPolicy(ctx context.Context, by engine.Actor, method engine.PolicyMethod, m engine.MethodPolicy) error

	Apps(ctx context.Context) ([]engine.App, error)
	AddApp(ctx context.Context, by engine.Actor, name string, role engine.Role, until time.Time) (secret.Bytes, error)
	RemoveApp(ctx context.Context, by engine.Actor, name string) error
	AddAppKey(ctx context.Context, by engine.Actor, app string, key *rsa.PublicKey, id string, until time.Time) (string, error)

	ImportUsers(ctx context.Context, by engine.Actor, users []engine.Newcomer) []engine.ImportResult
	Audit(ctx context.Context, after int64) iter.Seq2[audit.Entry, error]
	AuditPublic() ed25519.PublicKey
	Checkpoints(ctx context.Context) ([]audit.Checkpoint, error)
}

// Face answers for /admin/v1.
type Face struct{ core Core }

// New makes a face.
func New(core Core) *Face { return &Face{core: core} }

// Routes are the face's rows.
func (f *Face) Routes() []serve.Route {
	all := []engine.Role{engine.RoleAdmin}
	read := []engine.Role{engine.RoleAuditor, engine.RoleAdmin}
	desk := []engine.Role{engine.RoleHelpdesk, engine.RoleAdmin}
	show := []engine.Role{engine.RoleHelpdesk, engine.RoleAuditor, engine.RoleAdmin}
	get := func(path string, h serve.Handler) serve.Route {
		return serve.Route{Listener: serve.API, Method: http.MethodGet, Path: wire.PathAdmin + path, Roles: read, Handler: h}
	}
	post := func(path string, roles []engine.Role, h serve.Handler) serve.Route {
		return serve.Route{Listener: serve.API, Method: http.MethodPost, Path: wire.PathAdmin + path, Roles: roles, Body: maxBody, Handler: h}
	}
	users, groups := get("/users", f.users), get("/groups", f.groups)
	users.Streams, groups.Streams = true, true
	audit := get("/audit", f.audit)
	audit.Streams = true
	imports := post("/users/import", all, f.importUsers)
	imports.Body, imports.Heavy = maxImportBody, true
	return []serve.Route{
		users,
		post("/users/show", show, f.show),
		post("/users/add", all, f.addUser),
		post("/users/enable", all, f.change(f.enable)),
		post("/users/disable", all, f.change(f.disable)),
		post("/users/password", all, f.change(f.password)),
		post("/users/block", desk, f.change(f.block)),
		post("/users/unblock", desk, f.change(f.unblock)),
		post("/users/bypass", desk, f.change(f.bypass)),
		post("/users/bypass/end", desk, f.change(f.endBypass)),
		post("/users/invite", desk, f.invite),
		post("/users/invite/renew", desk, f.renew),
		post("/users/invite/revoke", desk, f.change(f.revoke)),
		post("/users/invite/mail", desk, f.change(f.mailInvitation)),
		post("/users/invitations/show", show, f.invitations),
		post("/users/pin", desk, f.change(f.pin)),
		post("/users/devices/show", show, f.devices),
		post("/users/devices/remove", desk, f.removeDevice),
		get("/settings", f.settings),
		post("/settings", all, f.setSettings),
		post("/users/number/open", all, f.change(f.openNumber)),
		post("/users/number/close", desk, f.change(f.closeNumber)),
		post("/users/email/confirm", desk, f.change(f.confirmEmail)),
		post("/users/email/unconfirm", desk, f.change(f.unconfirmEmail)),
		post("/users/email/code", desk, f.emailCode),
		post("/users/email/prove", desk, f.change(f.proveEmail)),
		groups,
		post("/groups/add", all, f.addGroup),
		post("/groups/remove", all, f.removeGroup),
		post("/groups/join", all, f.join),
		post("/groups/leave", all, f.leave),
		get("/policy", f.policy),
		post("/policy", all, f.setPolicy),
		get("/apps", f.apps),
		post("/apps/add", all, f.addApp),
		post("/apps/remove", all, f.removeApp),
		post("/apps/key", all, f.addKey),
		imports,
		audit,
		get("/audit/key", f.auditKey),
		get("/audit/checkpoints", f.checkpoints),
	}
}

// actor is who stands in the audit for a change. A change without a reason is
// refused.
func actor(r *http.Request, by wire.By) (engine.Actor, error) {
	caller := serve.CallerOf(r.Context())
	if strings.TrimSpace(by.Reason) == "" {
		return engine.Actor{}, &cloud.Error{Kind: cloud.Invalid, Message: "reason is missing: say why, it stands in the audit"}
	}
	who := caller.App
	if by.Person != "" {
		who = by.Person + " via " + who
	}
	return engine.Actor{Who: who, Reason: by.Reason, Desk: caller.Role != engine.RoleAdmin}, nil
}

// read decodes a body into into, whose By is by, and says who asks.
func read(r *http.Request, into any, by *wire.By) (engine.Actor, error) {
	if err := serve.Read(r, into); err != nil {
		return engine.Actor{}, err
	}
	return actor(r, *by)
}

// done answers a change that leaves nothing to be said.
func done(w http.ResponseWriter, err error) error {
	if err == nil {
		w.WriteHeader(http.StatusNoContent)
	}
	return err
}
