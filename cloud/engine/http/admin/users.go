package admin

import (
	"context"
	"net/http"

	"mfabridge/cloud"
	"mfabridge/cloud/engine"
	"mfabridge/cloud/engine/http/serve"
	"mfabridge/cloud/engine/http/wire"
	"mfabridge/internal/secret"
)

// users answers with one line for each user, and a last one.
func (f *Face) users(w http.ResponseWriter, r *http.Request) error {
	out := serve.NewLines(w)
	for u, err := range f.core.Users(r.Context()) {
		if err != nil {
			return out.Fail(err, wire.UserLine{Error: wire.FromError(err)})
		}
		shown := wire.FromUser(&u)
		if out.Put(wire.UserLine{User: &shown}) != nil {
			return nil // who hung up hears nothing
		}
	}
	return out.Last(wire.UserLine{End: true})
}

func (f *Face) show(w http.ResponseWriter, r *http.Request) error {
	var body wire.ShowRequest
	if err := serve.Read(r, &body); err != nil {
		return err
	}
	u, err := f.core.Show(r.Context(), body.Name)
	if err != nil {
		return err
	}
	if serve.CallerOf(r.Context()).Role == engine.RoleHelpdesk {
		u = engine.ForDesk(u)
	}
	return serve.Answer(w, http.StatusOK, wire.FromUser(&u))
}

func (f *Face) addUser(w http.ResponseWriter, r *http.Request) error {
	var body wire.NewUserRequest
	by, err := read(r, &body, &body.By)
	if err != nil {
		return err
	}
	id, err := f.core.AddUser(r.Context(), by, body.NewUser())
	if err != nil {
		return err
	}
	return serve.Answer(w, http.StatusCreated, wire.NewAnswer{ID: string(id)})
}

// change is a route that changes one user.
func (f *Face) change(do func(context.Context, engine.Actor, cloud.UserID, *wire.UserRequest) error) serve.Handler {
	return func(w http.ResponseWriter, r *http.Request) error {
		body, by, id, err := f.aboutUser(r)
		if err != nil {
			return err
		}
		return done(w, do(r.Context(), by, id, &body))
	}
}

// aboutUser reads a request that changes one user: who asks, and about whom.
func (f *Face) aboutUser(r *http.Request) (body wire.UserRequest, by engine.Actor, id cloud.UserID, err error) {
	if by, err = read(r, &body, &body.By); err == nil {
		id, err = f.named(r.Context(), body.ID, body.Name)
	}
	return body, by, id, err
}

// named is the user whom a request names in one of two ways.
func (f *Face) named(ctx context.Context, id, name string) (cloud.UserID, error) {
	switch {
	case (id == "") == (name == ""):
		return "", &cloud.Error{Kind: cloud.Invalid, Message: "exactly one of id and name must be given"}
	case id != "":
		return cloud.UserID(id), nil
	}
	u, err := f.core.Show(ctx, name)
	return u.ID, err
}

func (f *Face) enable(ctx context.Context, by engine.Actor, id cloud.UserID, _ *wire.UserRequest) error {
	return f.core.SetEnabled(ctx, by, id, true)
}

func (f *Face) disable(ctx context.Context, by engine.Actor, id cloud.UserID, _ *wire.UserRequest) error {
	return f.core.SetEnabled(ctx, by, id, false)
}

func (f *Face) password(ctx context.Context, by engine.Actor, id cloud.UserID, body *wire.UserRequest) error {
	if len(body.Password) == 0 {
		return &cloud.Error{Kind: cloud.Invalid, Message: "password_base64 is missing"}
	}
	password := secret.New(body.Password)
	defer password.Wipe()
	return f.core.SetPassword(ctx, by, id, password)
}

func (f *Face) block(ctx context.Context, by engine.Actor, id cloud.UserID, body *wire.UserRequest) error {
	return f.core.Block(ctx, by, id, body.Until)
}

func (f *Face) unblock(ctx context.Context, by engine.Actor, id cloud.UserID, _ *wire.UserRequest) error {
	return f.core.Unblock(ctx, by, id)
}

func (f *Face) bypass(ctx context.Context, by engine.Actor, id cloud.UserID, body *wire.UserRequest) error {
	return f.core.AllowBypass(ctx, by, id, body.App, body.Until)
}

func (f *Face) endBypass(ctx context.Context, by engine.Actor, id cloud.UserID, _ *wire.UserRequest) error {
	return f.core.EndBypass(ctx, by, id)
}

func (f *Face) invite(w http.ResponseWriter, r *http.Request) error {
	_, by, id, err := f.aboutUser(r)
	if err != nil {
		return err
	}
	device, until, err := f.core.Invite(r.Context(), by, id)
	if err != nil {
		return err
	}
	return serve.Answer(w, http.StatusCreated, wire.NewAnswer{ID: device, Until: until.UTC()})
}

func (f *Face) openNumber(ctx context.Context, by engine.Actor, id cloud.UserID, _ *wire.UserRequest) error {
	return f.core.SetNumberSignIn(ctx, by, id, true)
}

func (f *Face) closeNumber(ctx context.Context, by engine.Actor, id cloud.UserID, _ *wire.UserRequest) error {
	return f.core.SetNumberSignIn(ctx, by, id, false)
}

func (f *Face) confirmEmail(ctx context.Context, by engine.Actor, id cloud.UserID, _ *wire.UserRequest) error {
	return f.core.ConfirmEmail(ctx, by, id)
}

func (f *Face) unconfirmEmail(ctx context.Context, by engine.Actor, id cloud.UserID, _ *wire.UserRequest) error {
	return f.core.UnconfirmEmail(ctx, by, id)
}

func (f *Face) proveEmail(ctx context.Context, by engine.Actor, id cloud.UserID, body *wire.UserRequest) error {
	code := secret.FromString(body.Code)
	defer code.Wipe()
	return f.core.ProveEmail(ctx, by, id, code)
}

func (f *Face) emailCode(w http.ResponseWriter, r *http.Request) error {
	_, by, id, err := f.aboutUser(r)
	if err != nil {
		return err
	}
	until, err := f.core.SendEmailCode(context.WithoutCancel(r.Context()), by, id)
	if err != nil {
		return err
	}
	return serve.Answer(w, http.StatusOK, wire.NewAnswer{ID: string(id), Until: until.UTC()})
}
