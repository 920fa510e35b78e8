package admin

import (
	"context"
	"time"

	"mfabridge/cloud"
	"mfabridge/cloud/engine"
	"mfabridge/cloud/engine/http/wire"
)

// Invitations is [engine.Engine.Invitations].
func (c Client) Invitations(ctx context.Context, id cloud.UserID) (all []engine.Invitation, err error) {
	var answer wire.InvitationsAnswer
	if err := c.Post(ctx, wire.PathAdmin+"/users/invitations/show", wire.WhoRequest{ID: string(id)}, &answer); err != nil {
		return nil, err
	}
	for _, i := range answer.Invitations {
		all = append(all, engine.Invitation{Device: i.Device, State: i.State, Until: i.Until, Opened: i.Opened})
	}
	return all, nil
}

// RenewInvitation is [engine.Engine.RenewInvitation].
func (c Client) RenewInvitation(ctx context.Context, a engine.Actor, id cloud.UserID, device string) (time.Time, error) {
	var answer wire.NewAnswer
	err := c.Post(ctx, wire.PathAdmin+"/users/invite/renew", wire.UserRequest{By: by(a), ID: string(id), Device: device}, &answer)
	return answer.Until, err
}

// RevokeInvitation is [engine.Engine.RevokeInvitation].
func (c Client) RevokeInvitation(ctx context.Context, a engine.Actor, id cloud.UserID, device string) error {
	return c.change(ctx, "invite/revoke", wire.UserRequest{By: by(a), ID: string(id), Device: device})
}

// MailInvitation is [engine.Engine.MailInvitation].
func (c Client) MailInvitation(ctx context.Context, a engine.Actor, id cloud.UserID) error {
	return c.change(ctx, "invite/mail", wire.UserRequest{By: by(a), ID: string(id)})
}

// RequirePIN is [engine.Engine.RequirePIN].
func (c Client) RequirePIN(ctx context.Context, a engine.Actor, id cloud.UserID, required, reset bool) error {
	return c.change(ctx, "pin", wire.UserRequest{By: by(a), ID: string(id), Required: &required, Reset: reset})
}

// ResetPINs is [engine.Engine.ResetPINs].
func (c Client) ResetPINs(ctx context.Context, a engine.Actor, id cloud.UserID) error {
	return c.change(ctx, "pin", wire.UserRequest{By: by(a), ID: string(id), Reset: true})
}

// Authenticators is [engine.Engine.Authenticators].
func (c Client) Authenticators(ctx context.Context, id cloud.UserID) (all []engine.OwnedDevice, err error) {
	var answer wire.DevicesAnswer
	if err := c.Post(ctx, wire.PathAdmin+"/users/devices/show", wire.WhoRequest{ID: string(id)}, &answer); err != nil {
		return nil, err
	}
	for _, d := range answer.Devices {
		all = append(all, engine.OwnedDevice{ID: d.ID, Name: d.Name, Created: d.Created, Used: d.Used, Push: d.Push, PIN: d.PIN, Locked: d.Locked})
	}
	return all, nil
}

// RemoveDevice is [engine.Engine.RemoveDevice].
func (c Client) RemoveDevice(ctx context.Context, a engine.Actor, id cloud.UserID, device string) (engine.Dismissed, error) {
	var answer wire.RemovedAnswer
	err := c.Post(ctx, wire.PathAdmin+"/users/devices/remove", wire.UserRequest{By: by(a), ID: string(id), Device: device}, &answer)
	return engine.Dismissed{Name: answer.Name, Left: answer.Left, Ended: answer.Ended}, err
}

// Settings is [engine.Engine.Settings].
func (c Client) Settings(ctx context.Context) (engine.Settings, error) {
	var answer wire.Settings
	if err := c.Get(ctx, wire.PathAdmin+"/settings", &answer); err != nil {
		return engine.Settings{}, err
	}
	return settings(&answer)
}

// settings are those of an answer, which says all of them.
func settings(w *wire.Settings) (s engine.Settings, err error) {
	if w.Account == nil || w.Enrol == nil || w.Activate == nil || w.Devices == nil || w.PIN == nil || w.Length == nil || w.WeakPINs == nil {
		return s, &cloud.Error{Kind: cloud.Internal, Message: "the engine does not tell all its settings"}
	}
	s = engine.Settings{Account: *w.Account, Enrol: *w.Enrol, Activate: *w.Activate, Devices: *w.Devices, PIN: *w.PIN, Length: *w.Length, WeakPINs: *w.WeakPINs}
	if w.Select != nil {
		s.Select = *w.Select
	}
	if w.Language != nil {
		s.Language = *w.Language
	}
	return s, nil
}

// ChangeSettings is [engine.Engine.ChangeSettings]: what edit changes of what it
// is given is sent, so that what others change meanwhile stays.
func (c Client) ChangeSettings(ctx context.Context, a engine.Actor, edit func(*engine.Settings)) (engine.Settings, error) {
	before, err := c.Settings(ctx)
	if err != nil {
		return engine.Settings{}, err
	}
	after := before
	after.Select = append([]cloud.Preference{}, before.Select...)
	edit(&after)
	body := wire.SettingsRequest{By: by(a)}
	said(&body.Account, before.Account, after.Account)
	said(&body.Enrol, before.Enrol, after.Enrol)
	said(&body.Activate, before.Activate, after.Activate)
	said(&body.Devices, before.Devices, after.Devices)
	said(&body.PIN, before.PIN, after.PIN)
	said(&body.Length, before.Length, after.Length)
	said(&body.WeakPINs, before.WeakPINs, after.WeakPINs)
	said(&body.Language, before.Language, after.Language)
	body.Select = &after.Select
	var answer wire.Settings
	if err := c.Post(ctx, wire.PathAdmin+"/settings", body, &answer); err != nil {
		return engine.Settings{}, err
	}
	return settings(&answer)
}

// said puts a value where it is another than before.
func said[T comparable](at **T, before, after T) {
	if before != after {
		*at = &after
	}
}
