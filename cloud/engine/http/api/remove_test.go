package api_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"mfabridge/cloud"
	"mfabridge/cloud/engine"
	"mfabridge/cloud/engine/http/serve"
	"mfabridge/cloud/engine/http/wire"
)

// A helpdesk that is called about a stolen telephone looks which one it is, and
// removes it; the telephone hears of nothing from then on, also where it listens.
func TestDeskRemovesADevice(t *testing.T) {
	h := build(t)
	second := newPhone(t, h)
	server := httptest.NewServer(h.Handler(serve.Pages))
	defer server.Close()
	ctx, stop := context.WithTimeout(t.Context(), 20*time.Second) // a stream beats after as much as 25: it is not that which ends it
	defer stop()
	r, err := http.NewRequestWithContext(ctx, "GET", server.URL+base+"/events", nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+second.token(t))
	stream, err := server.Client().Do(r)
	if err != nil || stream.StatusCode != http.StatusOK {
		t.Fatalf("%+v, %v", stream, err)
	}
	defer stream.Body.Close()

	ask := func(path, body string) *httptest.ResponseRecorder {
		return h.as(engine.RoleHelpdesk, "POST", "/admin/v1/users/devices/"+path, body)
	}
	shown := read[wire.DevicesAnswer](t, ask("show", `{"name":"ADA@contoso.example"}`))
	if len(shown.Devices) != 2 || shown.User != h.user || shown.Devices[1].ID != second.got.Device || shown.Devices[1].Name != "Phone" || shown.Devices[1].Created.IsZero() {
		t.Fatalf("%+v", shown)
	}
	c := h.ask(t, false)
	remove := func(device string) string {
		return fmt.Sprintf(`{"name":"ada@contoso.example","device":"%s","person":"grace","reason":"ticket 4711"}`, device)
	}
	got := read[wire.RemovedAnswer](t, ask("remove", remove(second.got.Device)))
	if got != (wire.RemovedAnswer{Device: second.got.Device, Name: "Phone", Left: cloud.Push, Ended: 1}) {
		t.Errorf("%+v", got)
	}
	for lines := bufio.NewScanner(stream.Body); lines.Scan(); { // until it ends
	}
	if ctx.Err() != nil {
		t.Error("the stream of the removed device stays")
	}
	if w := h.do(serve.Pages, "GET", base+"/pushes", "", by(second.token(t))...); w.Code != http.StatusUnauthorized {
		t.Errorf("what waits for it: %d", w.Code)
	}
	if w := second.press(t, c.ID, "approve", ""); w.Code != http.StatusUnauthorized {
		t.Errorf("its answer: %d %s", w.Code, w.Body)
	}
	if w := h.do(serve.Pages, "GET", base+"/me", "", by(h.tokens[engine.RoleOwner])...); w.Code != http.StatusUnauthorized {
		t.Errorf("a sign-in of before: %d", w.Code)
	}
	if me := h.me(t, h.phone.token(t)); len(me.Devices) != 1 {
		t.Errorf("the other device sees %+v", me.Devices)
	}
	if w := ask("remove", remove(second.got.Device)); w.Code != http.StatusNotFound || !strings.Contains(w.Body.String(), "removed before") {
		t.Errorf("once more: %d %s", w.Code, w.Body)
	}
	if w := ask("remove", remove("")); w.Code != http.StatusBadRequest || !strings.Contains(w.Body.String(), "device is missing") {
		t.Errorf("no device: %d %s", w.Code, w.Body)
	}
	removals := 0
	for entry := range h.engine.Audit(t.Context(), 0) {
		if entry.Action == "device.remove" && entry.Actor == "grace via helpdesk" && entry.Subject == string(h.user) && entry.Detail == "device="+second.got.Device {
			removals++
		}
	}
	if removals != 1 {
		t.Errorf("%d removals in the audit", removals)
	}
	last := read[wire.RemovedAnswer](t, ask("remove", remove(h.phone.got.Device)))
	if last.Left != "" || last.Ended != 0 {
		t.Errorf("the last one: %+v", last)
	}
}

// leaving is a body whose sender goes away once it has been read.
type leaving struct {
	io.Reader
	leave func()
}

func (b leaving) Read(p []byte) (n int, err error) {
	if n, err = b.Reader.Read(p); err != nil {
		b.leave()
	}
	return n, err
}

// What a helpdesk has asked for is done, and told to the user, though the
// helpdesk does not wait for the answer.
func TestRemovalOutlivesItsCaller(t *testing.T) {
	h := build(t)
	ctx, leave := context.WithCancel(t.Context())
	defer leave()
	body := fmt.Sprintf(`{"id":"%s","device":"%s","person":"grace","reason":"ticket 4711"}`, h.user, h.phone.got.Device)
	r := httptest.NewRequestWithContext(ctx, "POST", "/admin/v1/users/devices/remove", leaving{strings.NewReader(body), leave})
	r.Header.Set("Authorization", "Bearer "+h.tokens[engine.RoleHelpdesk])
	r.Header.Set("Content-Type", "application/json")
	w := httptest.NewRecorder()
	h.Handler(serve.API).ServeHTTP(w, r)
	if ctx.Err() == nil {
		t.Fatal("the caller has not left")
	}
	if all, err := h.engine.Authenticators(t.Context(), h.user); err != nil || len(all) != 0 {
		t.Errorf("%d %s: %+v, %v", w.Code, w.Body, all, err)
	}
}
