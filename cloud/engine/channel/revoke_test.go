package channel_test

import (
	"encoding/pem"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"sync/atomic"
	"testing"

	"mfabridge/cloud"
	"mfabridge/cloud/engine"
	"mfabridge/cloud/engine/channel/rcs/rcstest"
	"mfabridge/internal/secret"
)

// flaky stands before a service of RCS: it takes messages, and says so or not.
type flaky struct {
	*rcstest.Service
	front  *httptest.Server
	silent atomic.Bool  // messages are taken, and the connection breaks
	stays  atomic.Bool  // what was taken cannot be called back
	asked  atomic.Int32 // how often something was to be called back
}

func newFlaky(t *testing.T) *flaky {
	t.Helper()
	f := &flaky{Service: rcstest.New(t)}
	f.front = httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case r.Method == http.MethodPost && f.silent.Load():
			f.Config.Handler.ServeHTTP(httptest.NewRecorder(), r)
			panic(http.ErrAbortHandler)
		case r.Method == http.MethodDelete && f.stays.Load():
			f.asked.Add(1)
			http.Error(w, "{}", http.StatusNotFound)
			return
		case r.Method == http.MethodDelete:
			f.asked.Add(1)
		}
		f.Config.Handler.ServeHTTP(w, r)
	}))
	t.Cleanup(f.front.Close)
	return f
}

// withSMS is the block of channels: RCS by f, and SMS as sms says.
func (f *flaky) withSMS(t *testing.T, sms string) string {
	t.Helper()
	folder := t.TempDir()
	write(t, filepath.Join(folder, "ca.pem"), string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: f.Certificate().Raw})))
	write(t, filepath.Join(folder, "agent.json"), string(f.File(t).Reveal()))
	return `text: {providers: [{name: sms, mode: live, ` + sms + `}]}
rcs: {countries: [all], providers: [{name: agent, mode: live, rcs: {url: "` + f.front.URL + `", agent: ` + rcstest.Agent + `, account: "file:` + folder + `/agent.json", ca: ` + folder + `/ca.pem, allow_private: true}}]}
`
}

// A message of which nobody knows whether it was taken over is called back once
// the next channel has the code. Where it cannot be called back, both have the
// same code.
func TestMessageIsCalledBackWhenTheNextChannelHasIt(t *testing.T) {
	for _, stays := range []bool{false, true} {
		f := newFlaky(t)
		f.silent.Store(true)
		f.stays.Store(stays)
		o := newOffice(t, f.withSMS(t, "outbox: {folder: FOLDER/sms}"))
		c := o.ask(t, o.user(t, "tim", "+1 4255550100"), "")
		until(t, "the call back", func() bool { return f.asked.Load() == 1 })
		sms := o.files(t, "sms")
		_, rcs := sentByRCS(t, f.Service)
		if len(sms) != 1 || len(rcs) != 1 || sms[0].Text != rcs[0] || c.State != cloud.Pending {
			t.Fatalf("by SMS %+v, by RCS %v, %+v", sms, rcs, c)
		}
		if d, err := o.Answer(t.Context(), cloud.Answer{Challenge: c.ID, Code: secret.FromString(codeOf(sms[0]))}); err != nil || d.State != cloud.Approved {
			t.Errorf("the code: %+v, %v", d, err)
		}
	}
}

// One that nothing follows is not called back: it may be the only one that
// arrives.
func TestMessageStaysWhenTheNextChannelFails(t *testing.T) {
	f := newFlaky(t)
	f.silent.Store(true)
	o := newOffice(t, f.withSMS(t, `http: {profile: json, url: "https://127.0.0.1:1/", vars: {from: Contoso}, allow_private: true}`))
	o.ask(t, o.user(t, "tim", "+1 4255550100"), "")
	if err := o.channels.Close(); err != nil { // it waits for what is under way
		t.Error(err)
	}
	if _, rcs := sentByRCS(t, f.Service); len(rcs) != 1 || f.asked.Load() != 0 {
		t.Errorf("sent %v, called back %d times", rcs, f.asked.Load())
	}
}

// What the provider says that it did not deliver is not called back: there is
// nothing to call.
func TestWhatWasNotDeliveredIsNotCalledBack(t *testing.T) {
	f := newFlaky(t)
	text := f.withSMS(t, "outbox: {folder: FOLDER/sms}")
	o := newOffice(t, text)
	o.run(t)
	c := o.ask(t, o.user(t, "tim", "+1 4255550100"), "")
	_, known, err := o.Land(t.Context(), engine.NoteName(engine.ChannelRCS, engine.PublicID(string(c.ID))), "failed")
	if err != nil || !known {
		t.Fatalf("a receipt by our own id: known %v, %v", known, err)
	}
	until(t, "the fall-back", func() bool { return len(o.files(t, "sms")) == 1 })
	o.stop()
	if err := o.channels.Close(); err != nil {
		t.Error(err)
	}
	if f.asked.Load() != 0 {
		t.Errorf("called back %d times", f.asked.Load())
	}
}
