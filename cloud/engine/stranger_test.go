package engine_test

import (
	"fmt"
	"net/netip"
	"testing"
	"time"

	"mfabridge/cloud"
	"mfabridge/cloud/engine"
	"mfabridge/internal/secret"
)

// entries counts the audit.
func (h *house) entries(t *testing.T) int { t.Helper(); return len(h.actions(t)) }

// Whoever makes names up, or goes on where nothing is checked any more, fills
// neither the audit nor the disk; the answers stay the same.
func TestGuessingFillsNothing(t *testing.T) {
	h := build(t)
	id := h.user(t, 1)
	from := cloud.Client{App: "page", Address: netip.MustParseAddr("198.51.100.7")}
	before := h.entries(t)
	for n := range 300 {
		at := cloud.Client{App: "page", Address: netip.AddrFrom4([4]byte{198, 51, 100, byte(n)})} // all of one network
		reason, err := h.CheckPass(t.Context(), cloud.Key{Kind: cloud.ByName, Value: fmt.Sprint("nobody", n)}, secret.FromString("x"), at)
		if err != nil || reason != cloud.WrongCode {
			t.Fatalf("name %d: %q, %v", n, reason, err)
		}
	}
	if n := h.entries(t) - before; n != 50 {
		t.Errorf("300 made-up names left %d entries, want 50", n)
	}
	before = h.entries(t)
	for range 100 {
		if _, err := h.CheckPass(t.Context(), cloud.Key{Kind: cloud.ByID, Value: string(id)}, secret.FromString("x"), from); err != nil {
			t.Fatal(err)
		}
	}
	if n := h.entries(t) - before; n != 5 {
		t.Errorf("100 tries at one user left %d entries, want 5", n)
	}
	// Another network is heard, and so is this one later.
	other := cloud.Client{App: "page", Address: netip.MustParseAddr("203.0.113.7")}
	before = h.entries(t)
	if _, err := h.CheckPass(t.Context(), cloud.Key{Kind: cloud.ByName, Value: "nobody"}, secret.FromString("x"), other); err != nil {
		t.Fatal(err)
	}
	h.Advance(time.Hour)
	if _, err := h.CheckPass(t.Context(), cloud.Key{Kind: cloud.ByName, Value: "nobody else"}, secret.FromString("x"), from); err != nil {
		t.Fatal(err)
	}
	if n := h.entries(t) - before; n != 2 {
		t.Errorf("%d entries of two tries", n)
	}
}

// So it is where authenticators are activated.
func TestMadeUpActivationsFillNothing(t *testing.T) {
	h := build(t)
	a := newApp(t)
	before := h.entries(t)
	for n := range 80 {
		at := cloud.Client{Address: netip.AddrFrom4([4]byte{198, 51, 100, byte(n)})} // all of one network
		made := engine.Activation{User: fmt.Sprint("nobody", n), Code: secret.FromString("aaaa-aaaa-aaaa")}
		if _, err := h.Enrol(t.Context(), a.enrolment(t, made, "phone"), at); cloud.KindOf(err) != cloud.Denied {
			t.Fatalf("name %d: %v", n, err)
		}
	}
	if n := h.entries(t) - before; n != 50 {
		t.Errorf("80 made-up names left %d entries, want 50", n)
	}
}

// A name that is somebody's and one that is nobody's are answered alike.
func TestPassTellsNotWhoIsThere(t *testing.T) {
	h := build(t)
	h.user(t, 1)
	from := cloud.Client{App: "page", Station: "s"}
	for n := range 10 {
		var reasons [2]cloud.Reason
		for i, name := range []string{"user1@contoso.example", "nobody@contoso.example"} {
			var err error
			if reasons[i], err = h.CheckPass(t.Context(), cloud.Key{Kind: cloud.ByName, Value: name}, secret.FromString("x"), from); err != nil {
				t.Fatal(err)
			}
		}
		if reasons[0] != reasons[1] {
			t.Errorf("try %d: %q for somebody, %q for nobody", n, reasons[0], reasons[1])
		}
	}
}

// While a password is guessed at from everywhere, its owner gets in from where
// they came from in the last month: over a weekend, and with another address of
// the same network.
func TestGuessersLeaveTheOwnerIn(t *testing.T) {
	d := &elsewhere{says: func(string) engine.Proven { return bySID(sidOne) }} // hashing takes its time
	h, _, _ := primed(t, d)
	word := secret.FromString("correct horse")
	name := cloud.Key{Kind: cloud.ByName, Value: "user1@contoso.example"}
	try := func(word secret.Bytes, address string) cloud.Proof {
		t.Helper()
		p, err := h.CheckPassword(t.Context(), name, word, cloud.Client{App: "page", Address: netip.MustParseAddr(address)})
		if err != nil {
			t.Fatal(err)
		}
		return p
	}
	for _, home := range []string{"192.0.2.7", "2001:db8:1:2::7"} {
		if p := try(word, home); !p.OK {
			t.Fatalf("%+v", p)
		}
	}
	h.Advance(3 * 24 * time.Hour)
	for n := range 60 {
		try(secret.FromString("wrong password"), netip.AddrFrom4([4]byte{203, 0, byte(n), 1}).String())
	}
	for address, want := range map[string]bool{"192.0.2.7": true, "192.0.2.200": true, "2001:db8:1:9::1": true, "192.0.3.7": false, "2001:db8:2::1": false} {
		if p := try(word, address); p.OK != want || !want && p.Reason != cloud.TooManyTries {
			t.Errorf("from %s: %+v, want %v", address, p, want)
		}
	}
	h.Advance(31 * 24 * time.Hour)
	for n := range 60 {
		try(secret.FromString("wrong password"), netip.AddrFrom4([4]byte{203, 0, byte(n), 2}).String())
	}
	if p := try(word, "192.0.2.7"); p.OK {
		t.Error("a place is known for longer than a month")
	}
}
