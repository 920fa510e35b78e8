package engine_test

import (
	"context"
	"database/sql"
	"fmt"
	"net/netip"
	"runtime"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"mfabridge/cloud"
	"mfabridge/cloud/engine"
	"mfabridge/cloud/engine/enginetest"
	"mfabridge/cloud/engine/store/sqlite"
	"mfabridge/internal/secret"
)

// dear is what a hash costs where one has to be told from everything else that
// an answer needs memory for.
const dear = 4 << 20 // bytes

// effort is what an answer has cost of what takes time: a password hashed, which
// fills as much memory, and a commit of the store.
type effort struct{ hashed, wrote bool }

// effortOf measures one call.
func effortOf(t *testing.T, version func() int, call func()) (e effort) {
	t.Helper()
	var before, after runtime.MemStats
	was := version()
	runtime.ReadMemStats(&before)
	call()
	runtime.ReadMemStats(&after)
	return effort{after.TotalAlloc-before.TotalAlloc > dear*3/4, version() != was}
}

// versions tells whether the store was written, as another connection sees it.
func (h *house) versions(t *testing.T) func() (version int) {
	t.Helper()
	db, err := sql.Open("sqlite3", "file:"+h.path+"?mode=ro")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	db.SetMaxOpenConns(1)
	return func() (version int) {
		t.Helper()
		if err := db.QueryRow("PRAGMA data_version").Scan(&version); err != nil {
			t.Fatal(err)
		}
		return version
	}
}

// By how long an answer takes nobody learns which names are somebody's: not
// where few names were tried, not where so many were that those of nobody are
// not counted any more, and not from elsewhere after that.
func TestTimeTellsNotWhoIsThere(t *testing.T) {
	h := build(t)
	h.tries.Free = 1 // ten names that are nobody's from one network, and ten failures of one user from all
	h.hashes = engine.HashCost{Memory: dear >> 10, Passes: 1}
	h.Reopen(t)
	app := h.shop(t)
	h.worded(t, 1)
	h.user(t, 2)
	version := h.versions(t)
	names := []string{"user1@contoso.example", "user2@contoso.example", "nobody@contoso.example", "noone"}
	at := func(network, host int) netip.Addr {
		return netip.AddrFrom4([4]byte{198, 51, byte(network), byte(host)})
	}
	word := secret.FromString("wrong password")
	for door, try := range map[string]func(name string, from netip.Addr) error{
		"sign-in": func(name string, from netip.Addr) error {
			_, err := h.SignIn(t.Context(), engine.SignIn{Name: name, Password: word, Client: cloud.Client{Address: from}})
			return err
		},
		"pass": func(name string, from netip.Addr) error {
			_, err := h.ProvePass(t.Context(), name, word, engine.ForActivation, cloud.Client{Address: from})
			return err
		},
		"activation": func(name string, from netip.Addr) error {
			_, err := h.Enrol(t.Context(), newApp(t).enrolment(t, engine.Activation{User: name, Code: word}, "x"), cloud.Client{Address: from})
			return err
		},
		"native": func(name string, from netip.Addr) error {
			client := engine.NativeClient{Address: from}
			f, err := h.BeginSignIn(t.Context(), app, name, engine.Offer{Password: true})
			if err == nil {
				f, _, err = h.AskFirst(t.Context(), app, f, client)
			}
			if err != nil {
				t.Fatal(err)
			}
			_, err = h.AnswerPassword(t.Context(), app, f, word, client, engine.Wish{})
			return err
		},
	} {
		look := func(what string, host, times int) {
			t.Helper()
			want := make([]effort, times)
			for i, name := range names {
				got := make([]effort, times)
				for n := range got {
					got[n] = effortOf(t, version, func() {
						if err := try(name, at(host/256, host%256)); cloud.KindOf(err) != cloud.Denied {
							t.Fatalf("%s, %s: %v", door, name, err)
						}
					})
				}
				if i == 0 {
					want = got
				} else if !slices.Equal(got, want) {
					t.Errorf("%s, %s: %s cost\n%+v, and %s\n%+v", door, what, name, got, names[0], want)
				}
			}
		}
		look("few names", 1, 3)
		for n := range 12 {
			if err := try(fmt.Sprint("madeup", n), at(1, n)); cloud.KindOf(err) != cloud.Denied {
				t.Fatal(err)
			}
		}
		for host := range 11 { // names that are somebody's are shut everywhere by now
			look("many names", 256+100+host, 2)
		}
		look("elsewhere", 2*256+1, 2)
		names = []string{"user2@contoso.example", "user1@contoso.example", "none@contoso.example", "nobody"}
		h.Advance(25 * time.Hour)
	}
}

// counting is a store that counts its commits.
type counting struct {
	*sqlite.Store
	commits atomic.Int64
}

func (c *counting) Update(ctx context.Context, do func(engine.Tx) error) error {
	c.commits.Add(1)
	return c.Store.Update(ctx, do)
}

// Where a code goes to an address by mail, an answer takes as many commits for
// nobody as for somebody, and no wait for the mail.
func TestMailTellsNotWhoIsThere(t *testing.T) {
	h := build(t)
	app := h.shopOf(t, func(a *engine.NativeApp) { a.First, a.Reset = []string{engine.FirstPassword, engine.FirstEmail}, true })
	h.customer(t, app, "ada@contoso.example")
	s := &counting{Store: h.store}
	outbox := enginetest.Outbox(t, h.path)
	e, err := engine.Open(t.Context(), engine.Config{Store: s, Key: enginetest.Key(t, h.path), Now: h.Now,
		Senders: map[cloud.Preference]engine.Sender{cloud.SMS: outbox, cloud.EmailCode: outbox}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = e.Close() })
	for door, steps := range map[string]func(name string) []func(f engine.Flow) (engine.Flow, error){
		"sign-in": func(name string) []func(f engine.Flow) (engine.Flow, error) {
			ask := func(f engine.Flow) (engine.Flow, error) {
				next, _, err := e.AskFirst(t.Context(), app, f, somewhere)
				return next, err
			}
			return []func(f engine.Flow) (engine.Flow, error){func(engine.Flow) (engine.Flow, error) {
				return e.BeginSignIn(t.Context(), app, name, engine.Offer{Code: true})
			}, ask, ask}
		},
		"reset": func(name string) []func(f engine.Flow) (engine.Flow, error) {
			return []func(f engine.Flow) (engine.Flow, error){func(engine.Flow) (engine.Flow, error) { return e.BeginReset(t.Context(), app, name, can) },
				func(f engine.Flow) (engine.Flow, error) {
					next, _, err := e.AskReset(t.Context(), app, f, somewhere)
					return next, err
				}}
		},
	} {
		var seen [2][]int64
		for i, name := range []string{"ada@contoso.example", "eve@contoso.example"} {
			var f engine.Flow
			for _, step := range steps(name) {
				before := s.commits.Load()
				if f, err = step(f); err != nil {
					t.Fatalf("%s, %s: %v", door, name, err)
				}
				seen[i] = append(seen[i], s.commits.Load()-before)
			}
		}
		if !slices.Equal(seen[0], seen[1]) {
			t.Errorf("%s: commits for somebody %v, for nobody %v", door, seen[0], seen[1])
		}
	}
	e.AwaitSent()
}
