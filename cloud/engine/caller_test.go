package engine_test

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"math/big"
	"strings"
	"testing"
	"time"

	"mfabridge/cloud"
	"mfabridge/cloud/cloudtest"
	"mfabridge/cloud/engine"
	"mfabridge/internal/secret"
)

// One caller never meets what another began: not by id, by key, or in a stream.
func TestCallersAreApart(t *testing.T) {
	h := build(t)
	p := cloud.Profile{UPN: "ada@contoso.example", Enabled: true}
	id, err := h.AddUser(t.Context(), operator, p)
	if err != nil {
		t.Fatal(err)
	}
	if r := h.Write(t.Context(), []cloud.Change{{User: id, Op: cloud.Add, Method: cloud.SoftwareOATH,
		After: cloud.Value{OATH: cloudtest.Generator(1)}}})[0]; r.Err != nil {
		t.Fatal(r.Err)
	}
	mine, other := h.As("shim-1"), h.As("shim-2")
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	stream := other.Decisions(ctx)
	r := cloud.Request{Subject: cloud.Key{Kind: cloud.ByID, Value: string(id)}, Client: cloud.Client{App: "vpn"}, Tries: 2, Key: "login"}
	c, err := mine.Begin(t.Context(), r)
	if err != nil {
		t.Fatal(err)
	}
	code := cloudtest.Code(cloudtest.Seed(1), cloudtest.Generator(1), h.Now())
	if _, err := other.Answer(t.Context(), cloud.Answer{Challenge: c.ID, Code: code}); err == nil || cloud.KindOf(err) != cloud.NotFound {
		t.Errorf("another caller answered: %v", err)
	}
	if ds, err := other.Look(t.Context(), []cloud.ChallengeID{c.ID}); err != nil || ds[0].State != cloud.Expired || ds[0].User != "" {
		t.Errorf("another caller sees %+v, %v", ds, err)
	}
	d, err := other.Begin(t.Context(), r)
	if err != nil || d.ID == c.ID {
		t.Errorf("an equal key of another caller: %+v, %v", d, err)
	}
	if again, err := mine.Begin(t.Context(), r); err != nil || again.ID != c.ID {
		t.Errorf("the same key again: %+v, %v", again, err)
	}
	if a, err := mine.Answer(t.Context(), cloud.Answer{Challenge: c.ID, Code: code}); err != nil || a.State != cloud.Approved {
		t.Fatalf("the answer: %+v, %v", a, err)
	}
	if a, err := other.Answer(t.Context(), cloud.Answer{Challenge: d.ID, Code: code}); err != nil || a.Reason != cloud.UsedCode {
		t.Fatalf("its code at another caller: %+v, %v", a, err)
	}
	if last := h.lastEntry(t); !strings.Contains(last.Detail, ` caller="shim-2" `) {
		t.Errorf("the audit does not say who called: %s", last.Detail)
	}
	cancel()
	for v, err := range stream {
		t.Errorf("another caller's stream has %+v, %v", v, err)
	}
}

func TestKept(t *testing.T) {
	h := build(t)
	set := func(value string) {
		t.Helper()
		err := h.Keep(t.Context(), "thing", func(secret.Bytes) (secret.Bytes, error) { return secret.FromString(value), nil })
		if err != nil {
			t.Fatal(err)
		}
	}
	s, err := h.Standing(t.Context(), "nobody", "thing")
	if err != nil || len(s.Sealed) != 0 || s.App.Usable(h.Now()) {
		t.Fatalf("nothing is kept: %+v, %v", s, err)
	}
	set("one")
	s, err = h.Standing(t.Context(), "nobody", "thing")
	if err != nil {
		t.Fatal(err)
	}
	if v, err := h.Unseal("thing", s.Sealed); err != nil || string(v.Reveal()) != "one" {
		t.Errorf("kept: %v", err)
	}
	if _, err := h.Unseal("other", s.Sealed); err == nil {
		t.Error("a value opens under another name")
	}
}

func TestAppKeys(t *testing.T) {
	h := build(t)
	if _, err := h.AddApp(t.Context(), operator, "vpn", engine.RoleShim, h.Now().Add(time.Hour)); err != nil {
		t.Fatal(err)
	}
	weak, err := rsa.GenerateKey(rand.Reader, 1024)
	if err == nil {
		if _, err := h.AddAppKey(t.Context(), operator, "vpn", &weak.PublicKey, "", time.Time{}); err == nil {
			t.Error("a weak key was taken")
		}
	}
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := h.AddAppKey(t.Context(), operator, "nobody", &key.PublicKey, "", time.Time{}); err == nil || cloud.KindOf(err) != cloud.NotFound {
		t.Errorf("a key of nobody: %v", err)
	}
	kid, err := h.AddAppKey(t.Context(), operator, "vpn", &key.PublicKey, "", h.Now().Add(time.Minute))
	if err != nil {
		t.Fatal(err)
	}
	if app, keys, err := h.AppKeys(t.Context(), "vpn"); err != nil || app.Name != "vpn" || len(keys) != 1 || keys[0].ID != kid {
		t.Errorf("keys: %+v, %v, %v", app, keys, err)
	}
	if err := h.UseAssertion(t.Context(), "vpn", "a1", h.Now(), h.Now().Add(time.Minute)); err != nil {
		t.Fatal(err)
	}
	if err := h.UseAssertion(t.Context(), "vpn", "a1", h.Now(), h.Now().Add(time.Minute)); err == nil || cloud.KindOf(err) != cloud.Denied {
		t.Errorf("an assertion again: %v", err)
	}
	h.Advance(time.Minute)
	if _, keys, err := h.AppKeys(t.Context(), "vpn"); err != nil || len(keys) != 0 {
		t.Errorf("an ended key: %v, %v", keys, err)
	}
	if err := h.RemoveApp(t.Context(), operator, "vpn"); err != nil {
		t.Fatal(err)
	}
	if _, err := h.AddApp(t.Context(), operator, "vpn", engine.RoleShim, time.Time{}); err != nil {
		t.Fatal(err)
	}
	if app, keys, err := h.AppKeys(t.Context(), "vpn"); err != nil || app.Name == "" || len(keys) != 0 {
		t.Errorf("a new application has keys of its forerunner: %v, %v", keys, err)
	}
}

// An application has a few keys that are long enough, each once, and none once it
// has ended.
func TestAppKeysAreBounded(t *testing.T) {
	h := build(t)
	if _, err := h.AddApp(t.Context(), operator, "vpn", engine.RoleShim, h.Now().Add(time.Hour)); err != nil {
		t.Fatal(err)
	}
	for name, until := range map[string]time.Time{"over": h.Now(), "before": h.Now().Add(-time.Hour)} {
		if _, err := h.AddApp(t.Context(), operator, name, engine.RoleShim, until); cloud.KindOf(err) != cloud.Invalid {
			t.Errorf("an application that ends at once: %v", err)
		}
	}
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	add := func(by engine.Actor, key *rsa.PublicKey, id string) error {
		_, err := h.AddAppKey(t.Context(), by, "vpn", key, id, time.Time{})
		return err
	}
	long := &rsa.PublicKey{N: new(big.Int).Lsh(key.N, 8192), E: key.E}
	for what, err := range map[string]error{"nobody adds": add(engine.Actor{}, &key.PublicKey, "k"), "no key": add(operator, nil, "k"), "too long": add(operator, long, "k"),
		"an odd id": add(operator, &key.PublicKey, "a\nb")} {
		if cloud.KindOf(err) != cloud.Invalid {
			t.Errorf("%s: %v", what, err)
		}
	}
	for n := range 9 {
		if err := add(operator, &key.PublicKey, string(rune('a'+n))); (err == nil) != (n < 8) || n == 8 && cloud.KindOf(err) != cloud.Conflict {
			t.Errorf("key %d: %v", n+1, err)
		}
		if n == 0 {
			if last := h.lastEntry(t); last.Action != "app.key" || last.Detail != "kid=a" {
				t.Errorf("the audit says %+v", last)
			}
			if err := add(operator, &key.PublicKey, "a"); cloud.KindOf(err) != cloud.Conflict {
				t.Errorf("the same: %v", err)
			}
		}
	}
	word, err := h.AddApp(t.Context(), operator, "other", engine.RoleShim, h.Now().Add(time.Minute))
	if err != nil {
		t.Fatal(err)
	}
	for _, left := range []time.Duration{time.Minute - 1, 1} {
		if a, err := h.Authenticate(t.Context(), "other", word); err != nil || a.Name != "other" {
			t.Errorf("%+v, %v", a, err)
		}
		h.Advance(left)
	}
	_, err = h.Authenticate(t.Context(), "other", word)
	denied(t, "one that has ended", err)
	h.Advance(time.Hour)
	if a, keys, err := h.AppKeys(t.Context(), "vpn"); err != nil || a.Name != "" || len(keys) != 0 {
		t.Errorf("of one that has ended: %+v, %v, %v", a, keys, err)
	}
	if a, keys, err := h.AppKeys(t.Context(), "nobody"); err != nil || a.Name != "" || len(keys) != 0 {
		t.Errorf("of nobody: %+v, %v, %v", a, keys, err)
	}
}

// An assertion is remembered for as long as it is good, and no longer.
func TestAssertionsAreForgotten(t *testing.T) {
	h := build(t)
	use := func(want cloud.Kind) {
		t.Helper()
		if err := h.UseAssertion(t.Context(), "vpn", "a1", h.Now(), h.Now().Add(time.Minute)); cloud.KindOf(err) != want {
			t.Errorf("%v", err)
		}
	}
	use(cloud.KindOf(nil))
	h.Advance(time.Minute)
	use(cloud.Denied)
	h.Advance(2 * time.Second)
	use(cloud.KindOf(nil))
}
