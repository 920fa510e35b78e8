package engine_test

import (
	"database/sql"
	"fmt"
	"net/netip"
	"runtime"
	"slices"
	"testing"
	"time"

	"mfabridge/cloud"
	"mfabridge/cloud/engine"
	"mfabridge/internal/secret"
)

// effort is what an answer has cost of what takes time: a password hashed, which
// fills 19 MiB, and a commit of the store.
type effort struct{ hashed, wrote bool }

// effortOf measures one call.
func effortOf(t *testing.T, version func() int, call func()) (e effort) {
	t.Helper()
	var before, after runtime.MemStats
	was := version()
	runtime.ReadMemStats(&before)
	call()
	runtime.ReadMemStats(&after)
	return effort{after.TotalAlloc-before.TotalAlloc > 16<<20, version() != was}
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
