package nativeauth_test

import (
	"context"
	"log/slog"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"mfabridge/cloud"
	"mfabridge/cloud/engine"
	"mfabridge/cloud/engine/enginetest"
	"mfabridge/cloud/engine/http/api"
	"mfabridge/cloud/engine/http/native"
	"mfabridge/cloud/engine/http/serve"
	"mfabridge/cloud/nativeauth"
	"mfabridge/internal/secret"
)

// office keeps the last code.
type office struct {
	mu   sync.Mutex
	code string
}

func (o *office) Send(_ context.Context, m engine.Message) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.code = string(m.Code.Reveal())
	return nil
}

func (o *office) Delivers() bool { return true }

// The driver signs somebody in at an engine's own face of the interface, which
// others wrote from the same pages and which the published client of Microsoft
// is driven against.
func TestAgainstAnEnginesFace(t *testing.T) {
	operator := engine.Actor{Who: "operator", Reason: "test"}
	box := &office{}
	e, _ := enginetest.Open(t, enginetest.Create(t, engine.Setup{}), engine.Config{Senders: map[cloud.Preference]engine.Sender{cloud.SMS: box}})
	faces, err := api.New(api.Options{Engine: e, Issuer: "https://api.contoso.example", Public: "https://login.contoso.example", Native: serve.Rate{Address: 10_000, All: 10_000}, Now: time.Now})
	if err != nil {
		t.Fatal(err)
	}
	defer faces.Close()
	app, err := e.AddNativeApp(t.Context(), operator, engine.NativeApp{Name: "mfabridge shim", First: []string{engine.FirstPassword}, Audience: "api://shim"})
	if err != nil {
		t.Fatal(err)
	}
	id, err := e.AddUser(t.Context(), operator, cloud.Profile{UPN: "ada@contoso.example", DisplayName: "Ada", Enabled: true})
	if err != nil {
		t.Fatal(err)
	}
	if err := e.SetPassword(t.Context(), operator, id, secret.FromString(password)); err != nil {
		t.Fatal(err)
	}
	if r := e.Write(t.Context(), []cloud.Change{{User: id, Op: cloud.Add, Method: cloud.Mobile, After: cloud.TextValue("+1 4255550100")}})[0]; r.Err != nil {
		t.Fatal(r.Err)
	}
	server := httptest.NewTLSServer(faces.Handler(serve.Pages))
	defer server.Close()
	v, err := nativeauth.New(nativeauth.Options{Base: server.URL + native.Base, ClientID: app.ID, Client: server.Client(), Now: time.Now, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	defer v.Close()

	who := cloud.Key{Kind: cloud.ByName, Value: "ada@contoso.example"}
	if proof, err := v.CheckPassword(t.Context(), who, secret.FromString("Green-Heron-43"), cloud.Client{}); err != nil || proof.OK {
		t.Fatalf("a wrong password: %+v, %v", proof, err)
	}
	proof, err := v.CheckPassword(t.Context(), who, secret.FromString(password), cloud.Client{})
	if err != nil || !proof.OK {
		t.Fatalf("%+v, %v", proof, err)
	}
	c, err := v.Begin(t.Context(), cloud.Request{Subject: cloud.Key{Kind: cloud.ByID, Value: string(proof.User)}, Tries: 3})
	if err != nil || c.State != cloud.Pending || c.Method != cloud.SMS {
		t.Fatalf("%+v, %v", c, err)
	}
	wrong := "00000000"[:len(box.code)]
	if d, err := v.Answer(t.Context(), cloud.Answer{Challenge: c.ID, Code: secret.FromString(wrong)}); err != nil || d.State != cloud.Pending || d.Reason != cloud.WrongCode {
		t.Fatalf("a wrong code: %+v, %v", d, err)
	}
	for _, want := range []cloud.State{cloud.Approved, cloud.Refused} {
		if d, err := v.Answer(t.Context(), cloud.Answer{Challenge: c.ID, Code: secret.FromString(box.code)}); err != nil || d.State != want {
			t.Fatalf("%+v, %v; want %s", d, err, want)
		}
	}
}
