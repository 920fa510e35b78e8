package postgres_test

import (
	"net"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"mfabridge/cloud"
	"mfabridge/cloud/engine"
	"mfabridge/cloud/engine/store/postgres"
	"mfabridge/internal/peer"
)

// vanishing is a server that refuses everybody at once, until its machine is
// gone: then nobody hears anything of it.
func vanishing(t *testing.T) (address string, gone *atomic.Bool) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	gone = &atomic.Bool{}
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			if !gone.Load() {
				_ = c.Close()
				continue
			}
			t.Cleanup(func() { _ = c.Close() })
		}
	}()
	return l.Addr().String(), gone
}

// with is an address with one more parameter.
func with(t *testing.T, address, name, value string) string {
	t.Helper()
	u, err := url.Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	q := u.Query()
	q.Set(name, value)
	u.RawQuery = q.Encode()
	return u.String()
}

// disconnect ends every connection of clients to the cluster.
func disconnect(t *testing.T) {
	t.Helper()
	sql(t, "SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity WHERE application_name = 'mfabridge'")
}

// Of several hosts the first may be a machine that is gone, of which nobody
// hears: the next one is reached all the same.
func TestFirstHostIsGone(t *testing.T) {
	peer.NeedCluster(t, cluster)
	direct, _ := made(t)
	first, gone := vanishing(t)
	s := opens(t, with(t, strings.Replace(direct, "@", "@"+first+",", 1), "connect_timeout", "6")) // the first takes longer than a login waits for one
	if err := s.Update(t.Context(), counting); err != nil {
		t.Fatal(err)
	}
	gone.Store(true)
	disconnect(t)
	if err := s.Update(t.Context(), counting); err != nil {
		t.Errorf("the second host was not reached: %v", err)
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
}

// A look that loses its connection ends: what would be read afterwards is not
// of the same state.
func TestLookEndsWithItsConnection(t *testing.T) {
	peer.NeedCluster(t, cluster)
	address, _ := made(t)
	s := opens(t, address)
	count(t, s)
	var lost, after error
	_ = s.View(t.Context(), func(r engine.Reader) error {
		if _, err := r.Meta("count"); err != nil {
			return err
		}
		disconnect(t)
		_, lost = r.Meta("count")
		_, after = r.Meta("count")
		return nil
	})
	if lost == nil || cloud.KindOf(after) != cloud.Unavailable {
		t.Errorf("%v, and then %v", lost, after)
	}
	count(t, s)
	if err := s.Close(); err != nil {
		t.Error(err)
	}
}

// A password that is changed while an engine runs is taken from its file when
// the next connection is made.
func TestPasswordIsChanged(t *testing.T) {
	peer.NeedCluster(t, cluster)
	address, _ := made(t)
	address = role(t, address, "renewed", "ALTER ROLE renewed SUPERUSER")
	access := sql(t, "SHOW hba_file")
	rules, err := os.ReadFile(access)
	if err != nil {
		t.Fatal(err)
	}
	allow := func(rules []byte) {
		t.Helper()
		if err := os.WriteFile(access, rules, 0o600); err != nil {
			t.Fatal(err)
		}
		sql(t, "SELECT pg_reload_conf()")
	}
	t.Cleanup(func() { allow(rules) })
	allow(append([]byte("host all renewed all scram-sha-256\n"), rules...))
	file := filepath.Join(t.TempDir(), "pgpass")
	t.Setenv("PGPASSFILE", file)
	change := func(password string) {
		t.Helper()
		sql(t, "ALTER ROLE renewed PASSWORD '"+password+"'")
		if err := os.WriteFile(file, []byte("*:*:*:renewed:"+password+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	change("one")
	s := opens(t, address)
	if err := s.Update(t.Context(), counting); err != nil {
		t.Fatal(err)
	}
	change("two")
	disconnect(t)
	if err := s.Update(t.Context(), counting); err != nil {
		t.Errorf("with the new password: %v", err)
	}
	sql(t, "ALTER ROLE renewed PASSWORD 'three'")
	if s, err := postgres.Open(t.Context(), address); cloud.KindOf(err) != cloud.Denied || !strings.Contains(postgres.Advice(err), "PGPASSFILE") {
		t.Errorf("with an old password: %v, %v", s, err)
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
}

// A node whose machine is gone loses the lock of a run by keepalives within
// half a minute; the server's own settings come to more than two hours.
func TestServerNoticesMachinesThatAreGone(t *testing.T) {
	peer.NeedCluster(t, cluster)
	address, _ := cluster.Address(t)
	for name, want := range map[string]string{"tcp_keepalives_idle": "10", "tcp_keepalives_interval": "5", "tcp_keepalives_count": "2", "client_encoding": "UTF8"} {
		if got, err := postgres.Setting(t.Context(), address, name); err != nil || got != want {
			t.Errorf("%s is %s, %v", name, got, err)
		}
	}
}

// Logins wait for a server that is away for a moment only.
func TestServerIsSoonBack(t *testing.T) {
	peer.NeedCluster(t, cluster)
	direct, _ := made(t)
	c, address := cut(t, direct)
	s := opens(t, address)
	if err := s.Update(t.Context(), counting); err != nil {
		t.Fatal(err)
	}
	c.refuse.Store(1)
	disconnect(t)
	if err := s.Update(t.Context(), counting); err != nil || c.refuse.Load() != 0 {
		t.Errorf("%v; still to be refused: %d", err, c.refuse.Load())
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
}

// A watcher whom the server does not let in asks less and less often, and hears
// again when it is let in.
func TestWatcherAsksLessOften(t *testing.T) {
	peer.NeedCluster(t, cluster)
	direct, _ := made(t)
	c, address := cut(t, direct)
	s := opens(t, address)
	heard, err := s.Watch(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	c.refuse.Store(5)
	disconnect(t)
	var asked []time.Time
	for range 5 {
		asked = append(asked, <-c.refused)
	}
	if gap := asked[4].Sub(asked[3]); gap < 7*postgres.RetryPause {
		t.Errorf("asked again after %v, at the fifth time", gap)
	}
	<-heard
	if err := s.Close(); err != nil {
		t.Error(err)
	}
}
