package engine_test

import (
	"bytes"
	"strings"
	"testing"

	"mfabridge/cloud"
	"mfabridge/cloud/engine"
)

// An endpoint that is gone is forgotten, and not the one that the device has by
// now; a device without one is not woken, and one that is to tell something is.
func TestGoneEndpointIsForgotten(t *testing.T) {
	h := build(t)
	id := h.user(t, 1)
	a := h.enrolled(t, id, "first")
	h.ask(t, id, nil)
	s := engine.Subscription{Endpoint: endpoint, P256DH: b64u(a.public), Auth: b64u(bytes.Repeat([]byte{7}, 16))}
	wakes := func(want int) []engine.Wake {
		t.Helper()
		all, err := h.Wakes(t.Context(), id)
		if err != nil || len(all) != want {
			t.Fatalf("%+v, %v, want %d", all, err, want)
		}
		return all
	}
	gone := func(user cloud.UserID, device, endpoint string) {
		t.Helper()
		if err := h.Unsubscribe(t.Context(), user, device, endpoint); err != nil {
			t.Error(err)
		}
	}
	wakes(0)
	gone(id, a.got.Device, endpoint)
	if err := h.Subscribe(t.Context(), id, a.got.Device, &s); err != nil {
		t.Fatal(err)
	}
	gone(id, a.got.Device, endpoint+"/before")
	gone(id, "removed meanwhile", endpoint)
	if w := wakes(1)[0]; w.User != id || w.Device != a.got.Device || w.Subscription != s || w.Push == nil || w.Notice != nil {
		t.Errorf("%+v", w)
	}
	h.enrolled(t, id, "second")
	if w := wakes(2)[1]; w.User != id || w.Device != a.got.Device || w.Subscription != s || w.Push != nil || w.Notice == nil || w.Notice.Name != "second" {
		t.Errorf("%+v", w)
	}
	gone(id, a.got.Device, endpoint)
	wakes(0)

	s.Endpoint += strings.Repeat("x", 1025-len(endpoint))
	if err := h.Subscribe(t.Context(), id, a.got.Device, &s); cloud.KindOf(err) != cloud.Invalid {
		t.Errorf("an endpoint of %d bytes: %v", len(s.Endpoint), err)
	}
	s.Endpoint, s.P256DH = endpoint, b64u(a.public[:33])
	if err := h.Subscribe(t.Context(), id, a.got.Device, &s); cloud.KindOf(err) != cloud.Invalid {
		t.Errorf("half a key: %v", err)
	}
}
