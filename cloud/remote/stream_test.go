package remote_test

import (
	"context"
	"iter"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"mfabridge/cloud"
	"mfabridge/cloud/cloudtest"
	"mfabridge/cloud/engine"
	"mfabridge/cloud/engine/http/serve"
	"mfabridge/cloud/remote"
	"mfabridge/internal/secret"
)

// enrol makes user n with a generator.
func (h *house) enrol(t *testing.T, n int) cloud.UserID {
	t.Helper()
	upn := "user" + string(rune('0'+n)) + "@contoso.example"
	id, err := h.engine.AddUser(t.Context(), operator, cloud.Profile{UPN: upn, Enabled: true})
	if err != nil {
		t.Fatal(err)
	}
	r := h.engine.Write(t.Context(), []cloud.Change{{User: id, Op: cloud.Add, Method: cloud.SoftwareOATH, After: cloud.Value{OATH: cloudtest.Generator(n)}}})
	if r[0].Err != nil {
		t.Fatal(r[0].Err)
	}
	return id
}

// approve lets a user log in and returns the challenge.
func approve(t *testing.T, v cloud.Verifier, id cloud.UserID, n int, at time.Time) cloud.ChallengeID {
	t.Helper()
	c, err := v.Begin(t.Context(), cloud.Request{Subject: cloud.Key{Kind: cloud.ByID, Value: string(id)}, Tries: 1, Client: cloud.Client{App: "vpn"},
		Code: cloudtest.Code(cloudtest.Seed(n), cloudtest.Generator(n), at)})
	if err != nil || c.State != cloud.Approved {
		t.Fatalf("login %d: %+v, %v", n, c, err)
	}
	return c.ID
}

// A stream whose connection breaks goes on where it was, and misses nothing.
func TestStreamGoesOn(t *testing.T) {
	h := build(t)
	ids := []cloud.UserID{h.enrol(t, 1), h.enrol(t, 2), h.enrol(t, 3)}
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	stream := h.Decisions(ctx)
	var want []cloud.ChallengeID
	want = append(want, approve(t, h, ids[0], 1, h.Now()))
	got := 0
	for d, err := range stream {
		if err != nil {
			t.Fatal(err)
		}
		if d.Challenge != want[got] {
			t.Fatalf("decision %d is on %s, want %s", got, d.Challenge, want[got])
		}
		if got++; got == 3 {
			break
		}
		if got == len(want) {
			h.server.CloseClientConnections() // decided while nobody is connected, for in process
			want = append(want, approve(t, h.engine.As("all"), ids[got], got+1, h.Now()))
		}
	}
	if got != 3 {
		t.Errorf("%d decisions came", got)
	}
}

// Two nodes of one application each hear of every verdict, whoever began.
func TestNodesHearTheSame(t *testing.T) {
	h := build(t)
	ids := []cloud.UserID{h.enrol(t, 1), h.enrol(t, 2)}
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	one, two := h.client(t, "all", h.secret), h.client(t, "all", h.secret)
	streams := []iter.Seq2[cloud.Decision, error]{one.Decisions(ctx), two.Decisions(ctx)}
	want := []cloud.ChallengeID{approve(t, one, ids[0], 1, h.Now()), approve(t, two, ids[1], 2, h.Now())}
	for i, stream := range streams {
		var got []cloud.ChallengeID
		for d, err := range stream {
			if err != nil {
				t.Fatalf("stream %d: %v", i, err)
			}
			if got = append(got, d.Challenge); len(got) == len(want) {
				break
			}
		}
		if !slices.Equal(got, want) {
			t.Errorf("stream %d: %v, want %v", i, got, want)
		}
	}
}

// After a restart of the engine nobody knows what was missed: the stream says so.
func TestStreamAfterRestart(t *testing.T) {
	h := build(t)
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	var handler atomic.Value
	handler.Store(h.api.Handler(serve.API))
	front := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { handler.Load().(http.Handler).ServeHTTP(w, r) }))
	t.Cleanup(front.Close)
	c, err := remote.New(remote.Options{URL: front.URL, ClientID: "all", Secret: h.secret, Now: h.Now})
	if err != nil {
		t.Fatal(err)
	}
	stream := c.Decisions(ctx)
	h.close(t)
	h.open(t)
	handler.Store(h.api.Handler(serve.API))
	front.CloseClientConnections()
	// The new engine has another address and so another issuer; the client
	// gets another token by itself.
	var last error
	for _, err := range stream {
		last = err
	}
	if last == nil || cloud.KindOf(last) != cloud.Unavailable || !strings.Contains(last.Error(), "missed") {
		t.Errorf("the stream ended with %v", last)
	}
	h.connect(t)
}

func TestStreamOfNobody(t *testing.T) {
	h := build(t)
	c := h.client(t, "all", secret.FromString("wrong"))
	n := 0
	for _, err := range c.Decisions(t.Context()) {
		if n++; err == nil || cloud.KindOf(err) != cloud.Denied {
			t.Errorf("%v", err)
		}
	}
	if n != 1 {
		t.Errorf("%d values", n)
	}
}

// GET challenges/{id}?wait= returns at the verdict, and at the end of its time.
func TestWaitingLook(t *testing.T) {
	h := build(t)
	id := h.enrol(t, 1)
	c, err := h.Begin(t.Context(), cloud.Request{Subject: cloud.Key{Kind: cloud.ByID, Value: string(id)}, Tries: 1})
	if err != nil {
		t.Fatal(err)
	}
	state := func(wait string) (string, error) {
		return h.get(t, "/verify/v1/challenges/"+string(c.ID)+"?wait="+wait)
	}
	if text, err := state("10ms"); err != nil || !strings.Contains(text, `"pending"`) {
		t.Errorf("while it is open: %s, %v", text, err)
	}
	answered := make(chan string)
	go func() {
		text, _ := state("60s")
		answered <- text
	}()
	a := cloud.Answer{Challenge: c.ID, Code: cloudtest.Code(cloudtest.Seed(1), cloudtest.Generator(1), h.Now())}
	if d, err := h.Answer(t.Context(), a); err != nil || d.State != cloud.Approved {
		t.Fatalf("%+v, %v", d, err)
	}
	if text := <-answered; !strings.Contains(text, `"approved"`) {
		t.Errorf("after the verdict: %s", text)
	}
}

// A cluster of shims sees what it began, on each of its nodes; another does not.
func TestShimsAreApart(t *testing.T) {
	h := build(t)
	id := h.enrol(t, 1)
	clients, words := map[string]*remote.Client{}, map[string]secret.Bytes{}
	for _, name := range []string{"one", "two"} {
		word, err := h.engine.AddApp(t.Context(), operator, name, engine.RoleShim, time.Time{})
		if err != nil {
			t.Fatal(err)
		}
		clients[name], words[name] = h.client(t, name, word), word
	}
	r := cloud.Request{Subject: cloud.Key{Kind: cloud.ByID, Value: string(id)}, Tries: 2, Key: "login", Context: []byte("sealed")}
	c, err := clients["one"].Begin(t.Context(), r)
	if err != nil {
		t.Fatal(err)
	}
	code := cloudtest.Code(cloudtest.Seed(1), cloudtest.Generator(1), h.Now())
	if _, err := clients["two"].Answer(t.Context(), cloud.Answer{Challenge: c.ID, Code: code}); err == nil || cloud.KindOf(err) != cloud.NotFound {
		t.Errorf("another shim answers: %v", err)
	}
	ds, err := clients["two"].Look(t.Context(), []cloud.ChallengeID{c.ID})
	if err != nil || ds[0].State != cloud.Expired || ds[0].Context != nil {
		t.Errorf("another shim looks: %+v, %v", ds, err)
	}
	if _, err := clients["one"].Read(t.Context(), []cloud.UserID{id}); err == nil || cloud.KindOf(err) != cloud.Denied {
		t.Errorf("a shim reads users: %v", err)
	}
	node := h.client(t, "one", words["one"]) // another process of the same cluster
	if d, err := node.Answer(t.Context(), cloud.Answer{Challenge: c.ID, Code: code}); err != nil || d.State != cloud.Approved || string(d.Context) != "sealed" {
		t.Errorf("another node of its own: %+v, %v", d, err)
	}
}
