package admin

import (
	"crypto/rsa"
	"crypto/x509"
	"net/http"

	"mfabridge/cloud"
	"mfabridge/cloud/engine"
	"mfabridge/cloud/engine/http/serve"
	"mfabridge/cloud/engine/http/wire"
)

func (f *Face) apps(w http.ResponseWriter, r *http.Request) error {
	apps, err := f.core.Apps(r.Context())
	if err != nil {
		return err
	}
	answer := wire.AppsAnswer{Apps: []wire.App{}}
	for _, a := range apps {
		line := wire.App{Name: a.Name, Role: string(a.Role), Created: a.Created.UTC(), Disabled: a.Disabled}
		if !a.Until.IsZero() {
			line.Until = a.Until.UTC()
		}
		answer.Apps = append(answer.Apps, line)
	}
	return serve.Answer(w, http.StatusOK, answer)
}

// addApp answers with the secret of the new application.
func (f *Face) addApp(w http.ResponseWriter, r *http.Request) error {
	var body wire.AppRequest
	by, err := read(r, &body, &body.By)
	if err != nil {
		return err
	}
	word, err := f.core.AddApp(r.Context(), by, body.Name, engine.Role(body.Role), body.Until)
	if err != nil {
		return err
	}
	defer word.Wipe()
	return serve.Answer(w, http.StatusCreated, wire.AppAnswer{Name: body.Name, Secret: string(word.Reveal())})
}

func (f *Face) removeApp(w http.ResponseWriter, r *http.Request) error {
	var body wire.AppRequest
	by, err := read(r, &body, &body.By)
	if err != nil {
		return err
	}
	if body.Role != "" || !body.Until.IsZero() {
		return &cloud.Error{Kind: cloud.Invalid, Message: "an application is removed by its name alone"}
	}
	return done(w, f.core.RemoveApp(r.Context(), by, body.Name))
}

func (f *Face) addKey(w http.ResponseWriter, r *http.Request) error {
	var body wire.AppKeyRequest
	by, err := read(r, &body, &body.By)
	if err != nil {
		return err
	}
	public, err := x509.ParsePKIXPublicKey(body.SPKI)
	key, ok := public.(*rsa.PublicKey)
	if err != nil || !ok {
		return &cloud.Error{Kind: cloud.Invalid, Message: "spki is not the SubjectPublicKeyInfo of an RSA key"}
	}
	id, err := f.core.AddAppKey(r.Context(), by, body.Name, key, body.ID, body.Until)
	if err != nil {
		return err
	}
	return serve.Answer(w, http.StatusCreated, wire.NewAnswer{ID: id})
}
