// Package admin administers an engine over its HTTP API (/admin/v1), with the
// methods that [engine.Engine] has for it: what the commands mfabridge engine
// user, group, policy and app need. Reasons and persons go along and stand in
// the engine's audit. No change is repeated where its answer was lost: the
// caller is told, and looks.
package admin

import (
	"context"
	"crypto/rsa"
	"crypto/x509"
	"encoding/json"
	"iter"
	"time"

	"mfabridge/cloud"
	"mfabridge/cloud/engine"
	"mfabridge/cloud/engine/http/wire"
	"mfabridge/cloud/remote"
	"mfabridge/internal/secret"
)

// Client is an engine elsewhere, with what it takes to administer it.
type Client struct{ *remote.Client }

func by(a engine.Actor) wire.By { return wire.FromBy(a.Who, a.Reason) }

// Show is [engine.Engine.Show].
func (c Client) Show(ctx context.Context, name string) (cloud.User, error) {
	var answer wire.User
	if err := c.Post(ctx, wire.PathAdmin+"/users/show", wire.ShowRequest{Name: name}, &answer); err != nil {
		return cloud.User{}, err
	}
	return answer.User(), nil
}

// lines decodes the lines of a long answer up to its last one.
func lines[T any](c Client, ctx context.Context, path string, end func(*T) (bool, error)) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		for text, err := range c.Lines(ctx, wire.PathAdmin+path) {
			var line T
			last := false
			if err == nil {
				if err = json.Unmarshal(text, &line); err != nil {
					err = &cloud.Error{Kind: cloud.Unavailable, Message: "a line of the engine's answer cannot be read"}
				} else {
					last, err = end(&line)
				}
			}
			if last || !yield(line, err) || err != nil {
				return
			}
		}
	}
}

// Users is [engine.Engine.Users].
func (c Client) Users(ctx context.Context) iter.Seq2[cloud.User, error] {
	all := lines(c, ctx, "/users", func(l *wire.UserLine) (bool, error) { return l.End, l.Error.ToError(0) })
	return func(yield func(cloud.User, error) bool) {
		for line, err := range all {
			var u cloud.User
			if line.User != nil {
				u = line.User.User()
			}
			if !yield(u, err) {
				return
			}
		}
	}
}

// AddUser is [engine.Engine.AddUser].
func (c Client) AddUser(ctx context.Context, a engine.Actor, p cloud.Profile) (cloud.UserID, error) {
	var answer wire.NewAnswer
	err := c.Post(ctx, wire.PathAdmin+"/users/add", wire.FromNewUser(by(a), p), &answer)
	return cloud.UserID(answer.ID), err
}

func (c Client) change(ctx context.Context, verb string, body wire.UserRequest) error {
	return c.Post(ctx, wire.PathAdmin+"/users/"+verb, body, nil)
}

// SetEnabled is [engine.Engine.SetEnabled].
func (c Client) SetEnabled(ctx context.Context, a engine.Actor, id cloud.UserID, enabled bool) error {
	verb := "disable"
	if enabled {
		verb = "enable"
	}
	return c.change(ctx, verb, wire.UserRequest{By: by(a), ID: string(id)})
}

// SetPassword is [engine.Engine.SetPassword].
func (c Client) SetPassword(ctx context.Context, a engine.Actor, id cloud.UserID, password secret.Bytes) error {
	return c.change(ctx, "password", wire.UserRequest{By: by(a), ID: string(id), Password: password.Reveal()})
}

// Block is [engine.Engine.Block].
func (c Client) Block(ctx context.Context, a engine.Actor, id cloud.UserID, until time.Time) error {
	return c.change(ctx, "block", wire.UserRequest{By: by(a), ID: string(id), Until: until.UTC()})
}

// Unblock is [engine.Engine.Unblock].
func (c Client) Unblock(ctx context.Context, a engine.Actor, id cloud.UserID) error {
	return c.change(ctx, "unblock", wire.UserRequest{By: by(a), ID: string(id)})
}

// AllowBypass lets a user pass once, up to a time; app: for logins to that
// application alone, empty: any.
func (c Client) AllowBypass(ctx context.Context, a engine.Actor, id cloud.UserID, app string, until time.Time) error {
	return c.change(ctx, "bypass", wire.UserRequest{By: by(a), ID: string(id), App: app, Until: until.UTC()})
}

// EndBypass takes a bypass back.
func (c Client) EndBypass(ctx context.Context, a engine.Actor, id cloud.UserID) error {
	return c.change(ctx, "bypass/end", wire.UserRequest{By: by(a), ID: string(id)})
}

// Invite is [engine.Engine.Invite].
func (c Client) Invite(ctx context.Context, a engine.Actor, id cloud.UserID) (string, time.Time, error) {
	var answer wire.NewAnswer
	err := c.Post(ctx, wire.PathAdmin+"/users/invite", wire.UserRequest{By: by(a), ID: string(id)}, &answer)
	return answer.ID, answer.Until, err
}

// SetNumberSignIn is [engine.Engine.SetNumberSignIn].
func (c Client) SetNumberSignIn(ctx context.Context, a engine.Actor, id cloud.UserID, open bool) error {
	path := "number/close"
	if open {
		path = "number/open"
	}
	return c.change(ctx, path, wire.UserRequest{By: by(a), ID: string(id)})
}

// ConfirmEmail is [engine.Engine.ConfirmEmail].
func (c Client) ConfirmEmail(ctx context.Context, a engine.Actor, id cloud.UserID) error {
	return c.change(ctx, "email/confirm", wire.UserRequest{By: by(a), ID: string(id)})
}

// UnconfirmEmail is [engine.Engine.UnconfirmEmail].
func (c Client) UnconfirmEmail(ctx context.Context, a engine.Actor, id cloud.UserID) error {
	return c.change(ctx, "email/unconfirm", wire.UserRequest{By: by(a), ID: string(id)})
}

// SendEmailCode is [engine.Engine.SendEmailCode].
func (c Client) SendEmailCode(ctx context.Context, a engine.Actor, id cloud.UserID) (time.Time, error) {
	var answer wire.NewAnswer
	err := c.Post(ctx, wire.PathAdmin+"/users/email/code", wire.UserRequest{By: by(a), ID: string(id)}, &answer)
	return answer.Until, err
}

// ProveEmail is [engine.Engine.ProveEmail].
func (c Client) ProveEmail(ctx context.Context, a engine.Actor, id cloud.UserID, code secret.Bytes) error {
	return c.change(ctx, "email/prove", wire.UserRequest{By: by(a), ID: string(id), Code: string(code.Reveal())})
}

// Groups is [engine.Engine.Groups].
func (c Client) Groups(ctx context.Context) iter.Seq2[engine.Group, error] {
	all := lines(c, ctx, "/groups", func(l *wire.GroupLine) (bool, error) { return l.End, l.Error.ToError(0) })
	return func(yield func(engine.Group, error) bool) {
		for line, err := range all {
			var g engine.Group
			if line.Group != nil {
				g = engine.Group{ID: line.Group.ID, Name: line.Group.Name}
			}
			if !yield(g, err) {
				return
			}
		}
	}
}

// AddGroup is [engine.Engine.AddGroup].
func (c Client) AddGroup(ctx context.Context, a engine.Actor, name string) (string, error) {
	var answer wire.NewAnswer
	err := c.Post(ctx, wire.PathAdmin+"/groups/add", wire.GroupRequest{By: by(a), Group: name}, &answer)
	return answer.ID, err
}

func (c Client) group(ctx context.Context, verb string, body wire.GroupRequest) error {
	return c.Post(ctx, wire.PathAdmin+"/groups/"+verb, body, nil)
}

// RemoveGroup is [engine.Engine.RemoveGroup].
func (c Client) RemoveGroup(ctx context.Context, a engine.Actor, group string) error {
	return c.group(ctx, "remove", wire.GroupRequest{By: by(a), Group: group})
}

// AddUserToGroup is [engine.Engine.AddUserToGroup].
func (c Client) AddUserToGroup(ctx context.Context, a engine.Actor, group string, user cloud.UserID) error {
	return c.group(ctx, "join", wire.GroupRequest{By: by(a), Group: group, User: string(user)})
}

// AddGroupToGroup is [engine.Engine.AddGroupToGroup].
func (c Client) AddGroupToGroup(ctx context.Context, a engine.Actor, group, inner string) error {
	return c.group(ctx, "join", wire.GroupRequest{By: by(a), Group: group, Inner: inner})
}

// RemoveFromGroup is [engine.Engine.RemoveFromGroup].
func (c Client) RemoveFromGroup(ctx context.Context, a engine.Actor, group string, kind engine.MemberKind, member string) error {
	body := wire.GroupRequest{By: by(a), Group: group, User: member}
	if kind == engine.MemberGroup {
		body.User, body.Inner = "", member
	}
	return c.group(ctx, "leave", body)
}

// Policy is [engine.Engine.Policy].
func (c Client) Policy(ctx context.Context) (engine.Policy, error) {
	var answer wire.PolicyAnswer
	if err := c.Get(ctx, wire.PathAdmin+"/policy", &answer); err != nil {
		return nil, err
	}
	p := engine.Policy{}
	for _, m := range answer.Methods {
		p[engine.PolicyMethod(m.Method)] = engine.MethodPolicy{Enabled: m.Enabled, Include: m.Include, Exclude: m.Exclude, SignIn: m.SignIn}
	}
	return p, nil
}

// SetPolicy is [engine.Engine.SetPolicy].
func (c Client) SetPolicy(ctx context.Context, a engine.Actor, method engine.PolicyMethod, m engine.MethodPolicy) error {
	return c.Post(ctx, wire.PathAdmin+"/policy", wire.PolicyRequest{By: by(a), PolicyLine: wire.PolicyLine{Method: string(method),
		Enabled: m.Enabled, Include: m.Include, Exclude: m.Exclude, SignIn: m.SignIn}}, nil)
}

// Apps is [engine.Engine.Apps], without digests.
func (c Client) Apps(ctx context.Context) ([]engine.App, error) {
	var answer wire.AppsAnswer
	if err := c.Get(ctx, wire.PathAdmin+"/apps", &answer); err != nil {
		return nil, err
	}
	var apps []engine.App
	for _, a := range answer.Apps {
		apps = append(apps, engine.App{Name: a.Name, Role: engine.Role(a.Role), Created: a.Created, Until: a.Until, Disabled: a.Disabled})
	}
	return apps, nil
}

// AddApp is [engine.Engine.AddApp].
func (c Client) AddApp(ctx context.Context, a engine.Actor, name string, role engine.Role, until time.Time) (secret.Bytes, error) {
	body := wire.AppRequest{By: by(a), Name: name, Role: string(role)}
	if !until.IsZero() {
		body.Until = until.UTC()
	}
	var answer wire.AppAnswer
	if err := c.Post(ctx, wire.PathAdmin+"/apps/add", body, &answer); err != nil {
		return secret.Bytes{}, err
	}
	if answer.Secret == "" {
		return secret.Bytes{}, &cloud.Error{Kind: cloud.Internal, Message: "the engine gave no secret"}
	}
	return secret.FromString(answer.Secret), nil
}

// RemoveApp is [engine.Engine.RemoveApp].
func (c Client) RemoveApp(ctx context.Context, a engine.Actor, name string) error {
	return c.Post(ctx, wire.PathAdmin+"/apps/remove", wire.AppRequest{By: by(a), Name: name}, nil)
}

// AddAppKey is [engine.Engine.AddAppKey].
func (c Client) AddAppKey(ctx context.Context, a engine.Actor, app string, key *rsa.PublicKey, id string, until time.Time) (string, error) {
	der, err := x509.MarshalPKIXPublicKey(key)
	if err != nil {
		return "", &cloud.Error{Kind: cloud.Invalid, Message: "the public key cannot be encoded"}
	}
	body := wire.AppKeyRequest{By: by(a), Name: app, SPKI: der, ID: id}
	if !until.IsZero() {
		body.Until = until.UTC()
	}
	var answer wire.NewAnswer
	err = c.Post(ctx, wire.PathAdmin+"/apps/key", body, &answer)
	return answer.ID, err
}
