package pages

import (
	"context"
	"encoding/base32"
	"net/http"

	"mfabridge/cloud/engine"
	"mfabridge/cloud/engine/http/serve"
	"mfabridge/cloud/engine/http/wire"
	"mfabridge/cloud/engine/signature"
)

func (f *Face) about(w http.ResponseWriter, r *http.Request) error {
	s, err := f.core.Settings(r.Context())
	if err != nil {
		return err
	}
	return serve.Answer(w, http.StatusOK, wire.AboutAnswer{Account: s.AccountName(), PushKey: f.o.PushKey, PIN: s.PIN, PINLength: s.Length, WeakPINs: s.WeakPINs,
		SelfEnrolment: s.Enrol && s.Activate, SignIn: s.Activate, Pass: true})
}

func (f *Face) signIn(w http.ResponseWriter, r *http.Request) error {
	var body wire.SignInRequest
	if err := serve.Read(r, &body); err != nil {
		return err
	}
	password := wire.Secret(body.Password)
	defer password.Wipe()
	c, err := f.core.SignIn(context.WithoutCancel(r.Context()), engine.SignIn{Name: body.User, Password: password, For: engine.Purpose(body.For),
		Method: body.Method, Client: from(r)})
	if err != nil {
		return err
	}
	return serve.Answer(w, http.StatusOK, wire.SignInAnswer{Challenge: c.ID, Method: c.Method, Prompt: c.Prompt, Expires: c.ExpiresAt.UTC()})
}

func (f *Face) code(w http.ResponseWriter, r *http.Request) error {
	var body wire.CodeRequest
	if err := serve.Read(r, &body); err != nil {
		return err
	}
	code := wire.Secret(body.Code)
	defer code.Wipe()
	made, err := f.core.ProveCode(context.WithoutCancel(r.Context()), body.Challenge, code)
	return f.given(w, made, err)
}

func (f *Face) pass(w http.ResponseWriter, r *http.Request) error {
	var body wire.PassRequest
	if err := serve.Read(r, &body); err != nil {
		return err
	}
	pass := wire.Secret(body.Pass)
	defer pass.Wipe()
	made, err := f.core.ProvePass(context.WithoutCancel(r.Context()), body.User, pass, engine.Purpose(body.For), from(r))
	return f.given(w, made, err)
}

// given hands the activation code, or the token of the owner, to whoever has
// proven to be the user.
func (f *Face) given(w http.ResponseWriter, made engine.Activation, err error) error {
	if err != nil {
		return err
	}
	answer := wire.ActivationAnswer{User: made.User, Until: made.Until}
	if !made.Token.IsZero() {
		defer made.Token.Wipe()
		answer.Token = string(made.Token.Reveal())
		return serve.Answer(w, http.StatusOK, answer)
	}
	defer made.Code.Wipe()
	answer.Code, answer.PIN, answer.PINLength = string(made.Code.Reveal()), made.PIN, made.PINLength
	if f.o.PublicURL != "" {
		answer.URL = Activation(f.o.PublicURL, made.User, answer.Code)
		if answer.QR, err = QR(answer.URL); err != nil {
			return err
		}
	}
	return serve.Answer(w, http.StatusOK, answer)
}

func (f *Face) activate(w http.ResponseWriter, r *http.Request) error {
	var body wire.EnrolRequest
	if err := serve.Read(r, &body); err != nil {
		return err
	}
	key, err := wire.Bytes("key", body.Key, signature.KeySize)
	if err != nil {
		return err
	}
	signed, err := wire.Bytes("signature", body.Signature, signature.Size)
	if err != nil {
		return err
	}
	n := engine.Enrolment{User: body.User, Code: wire.Secret(body.Code), Name: body.Name, PIN: wire.Secret(body.PIN), Key: key, Signature: signed}
	defer n.Code.Wipe()
	defer n.PIN.Wipe()
	got, err := f.core.Enrol(context.WithoutCancel(r.Context()), n, from(r))
	if err != nil {
		return err
	}
	if got.NeedsPIN {
		return serve.Answer(w, http.StatusOK, wire.EnrolledAnswer{Needs: "pin", PINLength: got.PINLength})
	}
	answer := wire.EnrolledAnswer{User: got.User, UPN: got.UPN, Account: got.Account, Device: got.Device}
	if !got.OATH.Secret.IsZero() {
		defer got.OATH.Secret.Wipe()
		answer.OATH = &wire.AppOATH{Secret: base32.StdEncoding.WithPadding(base32.NoPadding).EncodeToString(got.OATH.Secret.Reveal()),
			Algorithm: got.OATH.Algorithm, Digits: got.OATH.Digits, Period: got.OATH.Period}
	}
	return serve.Answer(w, http.StatusOK, answer)
}
