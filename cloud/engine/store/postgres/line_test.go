package postgres_test

import (
	"context"
	"fmt"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgconn"

	"mfabridge/cloud"
	"mfabridge/cloud/engine/store/postgres"
	"mfabridge/internal/peer"
)

// A server that takes writes although another one has taken over, as one that has
// come back by itself, is not written to wherever it stands in the list: not by a
// process that starts, nor later.
func TestServerThatWasReplaced(t *testing.T) {
	peer.NeedCluster(t, cluster)
	direct, _ := made(t)
	count(t, openUntilEnd(t, direct))
	next, err := cluster.Successor()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := next.Stop(); err != nil {
			t.Error(err)
		}
	})
	both := strings.Replace(direct, "@", "@"+cluster.Host()+",", 1)
	both = strings.Replace(both, ","+cluster.Host(), ","+next.Host(), 1)
	if err := next.Start(); err != nil {
		t.Fatal(err)
	}
	s := openUntilEnd(t, both)
	count(t, s)
	if out, err := next.SQL("SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity WHERE application_name = 'mfabridge'"); err != nil {
		t.Fatal(err, out)
	}
	count(t, s)
	const length = "SELECT length(value) FROM %.meta WHERE name = 'count'"
	for on, want := range map[*peer.Cluster]string{cluster: "1", next: "3"} {
		if got, err := on.SQL(strings.Replace(length, "%", schemaOf(direct), 1)); err != nil || got != want {
			t.Errorf("%s was written to %s times, want %s, %v", on.Host(), got, want, err)
		}
	}
}

// openUntilEnd is a store that is closed when the test ends.
func openUntilEnd(t *testing.T, address string) *postgres.Store {
	t.Helper()
	s := opens(t, address)
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

// A connection that is open goes on no longer than until it is known that
// another server has taken over, and no other one is made to where it led.
func TestConnectionsToWhatWasReplacedEnd(t *testing.T) {
	peer.NeedCluster(t, cluster)
	address, _ := made(t)
	s := openUntilEnd(t, address)
	count(t, s)
	connections := func() string {
		return sql(t, "SELECT pid FROM pg_stat_activity WHERE application_name = 'mfabridge' AND state IS NOT NULL ORDER BY pid")
	}
	before := connections()
	back := postgres.TakeOver(s)
	answer := make(chan error, 1)
	go func() { answer <- s.Update(t.Context(), counting) }()
	for connections() == before {
		select {
		case err := <-answer:
			t.Fatalf("answered by a server that was replaced: %v", err)
		case <-time.After(10 * time.Millisecond):
		}
	}
	back()
	if err := <-answer; err != nil {
		t.Errorf("after the right one is back: %v", err)
	}
	if postgres.Replaced(s) != cloud.Unavailable {
		t.Error("a new connection to a server that was replaced")
	}
}

// Who listens on a server that was replaced hears nothing of the other one: that
// connection ends too.
func TestWatcherLeavesWhatWasReplaced(t *testing.T) {
	peer.NeedCluster(t, cluster)
	address, _ := made(t)
	s, other := openUntilEnd(t, address), openUntilEnd(t, address)
	count(t, other)
	if _, err := s.Watch(t.Context()); err != nil {
		t.Fatal(err)
	}
	listening := func() string {
		return sql(t, "SELECT pid FROM pg_stat_activity WHERE application_name = 'mfabridge' AND query LIKE 'LISTEN %'")
	}
	before := listening()
	back := postgres.TakeOver(s)
	defer back()
	count(t, other) // it is heard of
	for end := time.Now().Add(10 * time.Second); before == "" || listening() != ""; {
		if time.Now().After(end) {
			t.Fatalf("still listening where another server has taken over: %q, before %q", listening(), before)
		}
	}
}

// Hosts that take a connection and say nothing keep no process from starting that
// has another one, however long the address lets it wait.
func TestHostsThatSayNothing(t *testing.T) {
	peer.NeedCluster(t, cluster)
	direct, _ := made(t)
	hosts := cluster.Host()
	for range 4 { // so many that none of them is waited for for long
		mute, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = mute.Close() }()
		hosts += "," + mute.Addr().String()
	}
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	s, err := postgres.Open(ctx, strings.Replace(direct, cluster.Host(), hosts, 1)+"&connect_timeout=0")
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
}

// A server that does not tell its line, as a service may that is not quite
// PostgreSQL, is used all the same.
func TestServerThatDoesNotTellItsLine(t *testing.T) {
	peer.NeedCluster(t, cluster)
	address, schema := cluster.Address(t)
	owner := role(t, address, schema+"_owner", "CREATE SCHEMA "+schema+" AUTHORIZATION "+schema+"_owner")
	sql(t, "REVOKE EXECUTE ON FUNCTION pg_control_system() FROM PUBLIC")
	t.Cleanup(func() { sql(t, "GRANT EXECUTE ON FUNCTION pg_control_system() TO PUBLIC") })
	initAt(t, owner)
	count(t, openUntilEnd(t, owner))
}

// Only what says that there is no line to be told opens the way to a server
// whose line is not known.
func TestOnlyARefusedLineIsUntold(t *testing.T) {
	for code, untold := range map[string]bool{"42501": true, "42883": true, "0A000": true, "55000": true,
		"53200": false, "57014": false, "57P01": false, "XX000": false, "": false} {
		if got := postgres.Untold(fmt.Errorf("asked: %w", &pgconn.PgError{Code: code})); got != untold {
			t.Errorf("%q: %t", code, got)
		}
	}
	for _, err := range []error{nil, io.EOF} {
		if postgres.Untold(err) {
			t.Errorf("%v: untold", err)
		}
	}
}
