package admin

import (
	"context"
	"net/http"

	"mfabridge/cloud"
	"mfabridge/cloud/engine"
	"mfabridge/cloud/engine/http/serve"
	"mfabridge/cloud/engine/http/wire"
	"mfabridge/internal/hint"
)

// askedFor is the user whom a request that only shows something names.
func (f *Face) askedFor(r *http.Request) (cloud.UserID, error) {
	var body wire.WhoRequest
	if err := serve.Read(r, &body); err != nil {
		return "", err
	}
	return f.named(r.Context(), body.ID, body.Name)
}

// invitations shows what became of a user's invitations.
func (f *Face) invitations(w http.ResponseWriter, r *http.Request) error {
	id, err := f.askedFor(r)
	if err != nil {
		return err
	}
	all, err := f.core.Invitations(r.Context(), id)
	if err != nil {
		return err
	}
	answer := wire.InvitationsAnswer{User: id, Invitations: []wire.Invitation{}}
	for _, i := range all {
		answer.Invitations = append(answer.Invitations, wire.Invitation{Device: i.Device, State: i.State, Until: i.Until, Opened: i.Opened})
	}
	return serve.Answer(w, http.StatusOK, answer)
}

func (f *Face) renew(w http.ResponseWriter, r *http.Request) error {
	body, by, id, err := f.aboutUser(r)
	if err != nil {
		return err
	}
	until, err := f.core.RenewInvitation(r.Context(), by, id, body.Device)
	if err != nil {
		return err
	}
	return serve.Answer(w, http.StatusOK, wire.NewAnswer{ID: body.Device, Until: until.UTC()})
}

func (f *Face) revoke(ctx context.Context, by engine.Actor, id cloud.UserID, body *wire.UserRequest) error {
	return f.core.RevokeInvitation(ctx, by, id, body.Device)
}

func (f *Face) mailInvitation(ctx context.Context, by engine.Actor, id cloud.UserID, _ *wire.UserRequest) error {
	return f.core.MailInvitation(ctx, by, id)
}

func (f *Face) pin(ctx context.Context, by engine.Actor, id cloud.UserID, body *wire.UserRequest) error {
	switch {
	case body.Required != nil:
		return f.core.RequirePIN(ctx, by, id, *body.Required, body.Reset)
	case body.Reset:
		return f.core.ResetPINs(ctx, by, id)
	}
	return hint.Wrap(&cloud.Error{Kind: cloud.Invalid, Message: "nothing is asked for"}, "say required or reset")
}

// devices shows the authenticators of a user.
func (f *Face) devices(w http.ResponseWriter, r *http.Request) error {
	id, err := f.askedFor(r)
	if err != nil {
		return err
	}
	all, err := f.core.Authenticators(r.Context(), id)
	if err != nil {
		return err
	}
	answer := wire.DevicesAnswer{User: id, Devices: []wire.Device{}}
	for _, d := range all {
		answer.Devices = append(answer.Devices, wire.Device{ID: d.ID, Name: d.Name, Created: d.Created.UTC(), Used: d.Used, Push: d.Push, PIN: d.PIN, Locked: d.Locked})
	}
	return serve.Answer(w, http.StatusOK, answer)
}

// removeDevice takes an authenticator away, also if the caller goes away
// meanwhile: its user is told.
func (f *Face) removeDevice(w http.ResponseWriter, r *http.Request) error {
	body, by, id, err := f.aboutUser(r)
	if err != nil {
		return err
	}
	if body.Device == "" {
		return &cloud.Error{Kind: cloud.Invalid, Message: "device is missing: the id of the authenticator"}
	}
	did, err := f.core.RemoveDevice(context.WithoutCancel(r.Context()), by, id, body.Device)
	if err != nil {
		return err
	}
	return serve.Answer(w, http.StatusOK, wire.RemovedAnswer{Device: body.Device, Name: did.Name, Left: did.Left, Ended: did.Ended})
}

func (f *Face) settings(w http.ResponseWriter, r *http.Request) error {
	s, err := f.core.Settings(r.Context())
	if err != nil {
		return err
	}
	return serve.Answer(w, http.StatusOK, fromSettings(s))
}

func fromSettings(s engine.Settings) wire.Settings {
	language := s.LanguageName()
	return wire.Settings{Account: &s.Account, Enrol: &s.Enrol, Activate: &s.Activate, Select: &s.Select, Devices: &s.Devices, PIN: &s.PIN, Length: &s.Length, WeakPINs: &s.WeakPINs,
		Language: &language}
}

func (f *Face) setSettings(w http.ResponseWriter, r *http.Request) error {
	var body wire.SettingsRequest
	by, err := read(r, &body, &body.By)
	if err != nil {
		return err
	}
	now, err := f.core.ChangeSettings(r.Context(), by, func(s *engine.Settings) {
		put(&s.Account, body.Account)
		put(&s.Enrol, body.Enrol)
		put(&s.Activate, body.Activate)
		put(&s.Select, body.Select)
		put(&s.Devices, body.Devices)
		put(&s.PIN, body.PIN)
		put(&s.Length, body.Length)
		put(&s.WeakPINs, body.WeakPINs)
		put(&s.Language, body.Language)
	})
	if err != nil {
		return err
	}
	return serve.Answer(w, http.StatusOK, fromSettings(now))
}

// put sets what a request says.
func put[T any](at *T, said *T) {
	if said != nil {
		*at = *said
	}
}
