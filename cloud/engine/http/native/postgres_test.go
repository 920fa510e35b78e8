package native_test

import (
	"net/http"
	"net/url"
	"sync"
	"sync/atomic"
	"testing"

	"mfabridge/cloud/engine"
	"mfabridge/cloud/engine/seal"
	"mfabridge/cloud/engine/store/postgres"
	"mfabridge/internal/peer"
)

// All flows on PostgreSQL, each request at another of two nodes; and races of
// requests at both.
func TestOnPostgres(t *testing.T) {
	address, _ := peer.Postgres(t).Address(t)
	key, err := seal.NewKey()
	if err != nil {
		t.Fatal(err)
	}
	if err := postgres.Init(t.Context(), address, key, setup); err != nil {
		t.Fatal(err)
	}
	h := buildOn(t, key, func(t testing.TB) engine.Store {
		s, err := postgres.Open(t.Context(), address)
		if err != nil {
			t.Fatal(err)
		}
		return s
	}, both)
	_, other, _ := h.node(t)
	first := h.pages
	var turn atomic.Int64
	h.pages = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if turn.Add(1)%2 == 0 {
			other.ServeHTTP(w, r)
			return
		}
		first.ServeHTTP(w, r)
	})
	h.walk(t, func(string, url.Values) {})
	race := func(what string, send func() answer) (won answer) {
		t.Helper()
		var wg sync.WaitGroup
		var mu sync.Mutex
		n := 0
		for range 50 {
			wg.Go(func() {
				a := send()
				mu.Lock()
				defer mu.Unlock()
				switch {
				case a.status == http.StatusOK:
					n++
					won = a
				case a.status != http.StatusBadRequest:
					t.Errorf("%s: %d %s", what, a.status, a.raw)
				}
			})
		}
		wg.Wait()
		if n != 1 {
			t.Errorf("%s: %d went on", what, n)
		}
		return won
	}
	a := h.sent(t, ada, "sms")
	code, _ := h.texts.last(t)
	got := race("one code", func() answer { return h.coded(a.token(t), code) })
	h.claimsOf(t, got.text("id_token"), "JWT")
	const hal = "hal@fabrikam.example"
	b := h.call(signUpAsk, "continuation_token", h.call(signUpStart, "username", hal, "challenge_type", every, "password", password, "attributes", `{"displayName":"Hal"}`).token(t))
	code, _ = h.mail.last(t)
	race("one sign-up", func() answer {
		return h.call(signUpGoOn, "continuation_token", b.token(t), "grant_type", "oob", "oob", code)
	})
}
