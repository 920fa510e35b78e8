package main

import (
	"context"
	"crypto/rsa"
	"errors"
	"iter"
	"slices"
	"time"

	"github.com/urfave/cli/v2"

	"mfabridge/cloud"
	"mfabridge/cloud/engine"
	"mfabridge/cloud/engine/store/sqlite"
	"mfabridge/cloud/remote/admin"
	"mfabridge/internal/secret"
)

// administrator is an engine as those commands see it that administer users,
// groups, policy and applications: on its store, or over HTTP.
type administrator interface {
	Show(ctx context.Context, name string) (cloud.User, error)
	Users(ctx context.Context) iter.Seq2[cloud.User, error]
	AddUser(ctx context.Context, by engine.Actor, p cloud.Profile) (cloud.UserID, error)
	SetEnabled(ctx context.Context, by engine.Actor, id cloud.UserID, enabled bool) error
	SetPassword(ctx context.Context, by engine.Actor, id cloud.UserID, password secret.Bytes) error
	Block(ctx context.Context, by engine.Actor, id cloud.UserID, until time.Time) error
	Unblock(ctx context.Context, by engine.Actor, id cloud.UserID) error
	AllowBypass(ctx context.Context, by engine.Actor, id cloud.UserID, app string, until time.Time) error
	EndBypass(ctx context.Context, by engine.Actor, id cloud.UserID) error
	SetNumberSignIn(ctx context.Context, by engine.Actor, id cloud.UserID, open bool) error
	ConfirmEmail(ctx context.Context, by engine.Actor, id cloud.UserID) error
	UnconfirmEmail(ctx context.Context, by engine.Actor, id cloud.UserID) error
	SendEmailCode(ctx context.Context, by engine.Actor, id cloud.UserID) (until time.Time, err error)
	ProveEmail(ctx context.Context, by engine.Actor, id cloud.UserID, code secret.Bytes) error
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
	Capabilities(ctx context.Context) (cloud.Capabilities, error)
	Read(ctx context.Context, ids []cloud.UserID) ([]cloud.User, error)

	Groups(ctx context.Context) iter.Seq2[engine.Group, error]
	Members(ctx context.Context, group string) iter.Seq2[cloud.UserID, error]
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

	Close() error
}

var (
	_ administrator = (*embedded)(nil)
	_ administrator = admin.Client{}
)

// adminFlags name the engine that is administered, and let a command into one
// that is elsewhere.
func adminFlags() []cli.Flag {
	return slices.Concat(targetFlags("store", "work on", engines), accessFlags())
}

// administer opens the engine that a command names, wherever it is, hands it
// over, and closes it.
func (p *program) administer(c *cli.Context, use func(administrator) error) (err error) {
	t, err := parseTarget("--store", engines, c.String("store"), c.String("engine-key"))
	if err != nil {
		return err
	}
	var e administrator
	if t.url == "" {
		e, err = p.open(c.Context, t, sqlite.Options{})
	} else {
		e, err = p.dialAdmin(c, t)
	}
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, e.Close()) }()
	return use(e)
}

func (p *program) dialAdmin(c *cli.Context, t place) (administrator, error) {
	client, err := p.far(c, t)
	if err != nil {
		return nil, err
	}
	return admin.Client{Client: client}, nil
}
