package main

import (
	"database/sql"
	"slices"
	"strconv"
	"strings"
	"testing"

	_ "github.com/mattn/go-sqlite3" // ages what the store holds

	"mfabridge/cloud/engine"
)

// Invitations that have expired are renewed only where --reinvite asks for it,
// and undo takes the new ones back.
func TestReinvite(t *testing.T) {
	s, _ := onto(t, 20)
	const statement = "UPDATE devices SET until = 1700000000000000000"
	db, err := sql.Open("sqlite3", s.path("cloud.db"))
	if err != nil {
		t.Fatal(err)
	}
	done, err := db.Exec(statement)
	if err != nil {
		t.Fatal(err)
	}
	if n, err := done.RowsAffected(); err != nil || n == 0 {
		t.Fatalf("%d invitations aged, %v", n, err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	plan := func(name string, args ...string) {
		must(t, exitDone, append([]string{"plan", s.path("contoso"), "--to", s.store, "--default-country", "US", "-o", s.path(name)}, args...)...)
	}
	plan("calm.plan")
	if out := must(t, exitDone, "show", s.path("calm.plan"), "--format", "json"); strings.Contains(out.out, `"method":"authenticator"`) {
		t.Error("invitations are renewed though nobody asked for it")
	}
	plan("again.plan", "--reinvite")
	if out := must(t, exitDone, "show", s.path("again.plan"), "--format", "json"); !strings.Contains(out.out, `"before":{"state":"expired"},"after":{"state":"invited"}`) {
		t.Error("--reinvite renews nothing")
	}
	must(t, exitDone, "apply", s.path("again.plan"))
	must(t, exitDone, "check", s.path("again.plan"))
	must(t, exitDone, "undo", s.path("again.plan"))
}

// Of several invitations one that can be used counts first, and none of those
// that are not done escapes a --revoke.
func TestInvitationThatCounts(t *testing.T) {
	of := func(states ...string) (all []engine.Invitation) {
		for i, state := range states {
			all = append(all, engine.Invitation{Device: strconv.Itoa(i), State: state})
		}
		return all
	}
	for _, c := range []struct {
		states []string
		counts string
		unused []string
	}{
		{nil, "", nil},
		{[]string{"expired"}, "expired", []string{"0"}},
		{[]string{"done", "expired"}, "done", []string{"1"}},
		{[]string{"pending", "done", "expired"}, "pending", []string{"0", "2"}},
		{[]string{"pending", "opened", "pending"}, "opened", []string{"0", "1", "2"}},
	} {
		i := invitee{Invitation: engine.Invitation{Device: "old", State: "opened"}, unused: []string{"old"}}
		if i.counts(of(c.states...)); i.State != c.counts || !slices.Equal(i.unused, c.unused) {
			t.Errorf("of %v: %+v", c.states, i)
		}
	}
}
