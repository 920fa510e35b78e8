package postgres_test

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"testing"

	"mfabridge/cloud"
	"mfabridge/cloud/engine"
	"mfabridge/cloud/engine/store/postgres"
	"mfabridge/internal/peer"
)

// Text is what it is, whatever encoding the environment or the database's user
// has for a session.
func TestEncodingOfTheSession(t *testing.T) {
	peer.NeedCluster(t, cluster)
	address, _ := made(t)
	other := opens(t, with(t, address, "client_encoding", "LATIN1"))
	if err := other.Update(t.Context(), func(tx engine.Tx) error {
		return tx.PutUser(&engine.User{User: cloud.User{ID: "u", Profile: cloud.Profile{UPN: "u", DisplayName: "Zoë Ωmega"}}})
	}); err != nil {
		t.Fatal(err)
	}
	s := opens(t, address)
	var u *engine.User
	if err := s.View(t.Context(), func(r engine.Reader) (err error) { u, err = r.User("u"); return err }); err != nil || u == nil || u.DisplayName != "Zoë Ωmega" {
		t.Errorf("%+v, %v", u, err)
	}
	for _, s := range []*postgres.Store{s, other} {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	}
}

// A session is as the store needs it, whatever the database's user has for one:
// a verdict is flushed, nobody waits without end, and names are of our tables.
func TestSettingsOfTheSession(t *testing.T) {
	peer.NeedCluster(t, cluster)
	address, schema := cluster.Address(t)
	set := ""
	for name, theirs := range map[string]string{"synchronous_commit": "off", "default_transaction_isolation": "serializable", "lock_timeout": "1d", "statement_timeout": "1d",
		"idle_in_transaction_session_timeout": "1d", "idle_session_timeout": "1d", "search_path": "public", "client_min_messages": "error", "enable_seqscan": "on", "jit": "on"} {
		set += "; ALTER ROLE " + schema + "_odd SET " + name + " = '" + theirs + "'"
	}
	given := role(t, address, schema+"_odd", set[2:])
	for name, want := range map[string]string{"synchronous_commit": "on", "default_transaction_isolation": "read committed", "lock_timeout": "4s", "statement_timeout": "30s",
		"idle_in_transaction_session_timeout": "3s", "idle_session_timeout": "0", "search_path": schema + ", pg_temp", "client_min_messages": "warning", "enable_seqscan": "off", "jit": "off"} {
		if got, err := postgres.Setting(t.Context(), given, name); err != nil || got != want {
			t.Errorf("%s is %s, %v; want %s", name, got, err, want)
		}
	}
	sql(t, "ALTER ROLE "+schema+"_odd SET synchronous_commit = remote_apply")
	if got, err := postgres.Setting(t.Context(), given, "synchronous_commit"); err != nil || got != "remote_apply" {
		t.Errorf("what waits for standbys is %s, %v", got, err)
	}
}

// role makes a user of the database, and is an address under that name.
func role(t *testing.T, address, name, grants string) string {
	t.Helper()
	sql(t, "CREATE ROLE "+name+" LOGIN; "+grants)
	t.Cleanup(func() { sql(t, "DROP OWNED BY "+name+" CASCADE; DROP ROLE "+name) })
	return strings.Replace(address, "//postgres@", "//"+name+"@", 1)
}

// A user who owns the schema needs no more, and one who may only read and write
// rows can run an engine, but not bring a store of an earlier program forward.
func TestLeastPrivilege(t *testing.T) {
	peer.NeedCluster(t, cluster)
	address, schema := cluster.Address(t)
	owner := role(t, address, schema+"_owner", fmt.Sprintf("CREATE SCHEMA %s AUTHORIZATION %[1]s_owner", schema))
	initAt(t, owner)
	runner := role(t, address, schema+"_runner", fmt.Sprintf("GRANT USAGE ON SCHEMA %s TO %[1]s_runner; "+
		"GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA %[1]s TO %[1]s_runner", schema))
	s := opens(t, runner)
	count(t, s)
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	if err := postgres.MigrateWith(t.Context(), runner, "ALTER TABLE users ADD COLUMN more bigint"); cloud.KindOf(err) != cloud.Denied || !strings.Contains(postgres.Advice(err), "owns") {
		t.Errorf("brought forward by who may not: %v; %s", err, postgres.Advice(err))
	}
}

// pooler hands all its clients to one connection to the server, a query of one
// and then one of another, as poolers do that keep no sessions.
type pooler struct {
	mu      sync.Mutex
	server  *bufio.ReadWriter
	welcome []byte // what the server said to the first client that came
}

func pool(t *testing.T, address string) string {
	t.Helper()
	from := strings.Index(address, "@") + 1
	to := from + strings.Index(address[from:], "/")
	server, err := net.Dial("tcp", address[from:to])
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _, _ = l.Close(), server.Close() })
	p := &pooler{server: bufio.NewReadWriter(bufio.NewReader(server), bufio.NewWriter(server))}
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go p.serve(c)
		}
	}()
	return address[:from] + l.Addr().String() + address[to:]
}

func (p *pooler) serve(c net.Conn) {
	defer c.Close()
	in := bufio.NewReader(c)
	m, err := message(in, 0) // the first one has no kind
	for first := true; err == nil && m[0] != 'X'; first = false {
		var answer []byte
		if answer, err = p.pass(m, first); err == nil {
			_, err = c.Write(answer)
		}
		if err == nil {
			m, err = message(in, 1)
		}
	}
}

// pass sends a message on and returns what the server says to it.
func (p *pooler) pass(m []byte, first bool) (answer []byte, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if first && p.welcome != nil {
		return p.welcome, nil
	}
	_, err = p.server.Write(m)
	err = errors.Join(err, p.server.Flush())
	for part := []byte(nil); err == nil && (part == nil || part[0] != 'Z'); { // ReadyForQuery
		part, err = message(p.server.Reader, 1)
		answer = append(answer, part...)
	}
	if first {
		p.welcome = answer
	}
	return answer, err
}

// message is one of the protocol's, whose length stands behind its kind.
func message(r *bufio.Reader, kind int) ([]byte, error) {
	head, err := r.Peek(kind + 4)
	if err != nil {
		return nil, err
	}
	m := make([]byte, kind+int(binary.BigEndian.Uint32(head[kind:])))
	_, err = io.ReadFull(r, m)
	return m, err
}

// A pooler that gives a session to whoever asks next is refused, and nothing is
// made behind it.
func TestPoolerWithoutSessions(t *testing.T) {
	peer.NeedCluster(t, cluster)
	address, schema := cluster.Address(t)
	if err := tryInit(t, pool(t, address)); cloud.KindOf(err) != cloud.Unsupported || postgres.Advice(err) == "" {
		t.Errorf("made: %v", err)
	}
	if there := sql(t, "SELECT to_regnamespace('"+schema+"')"); there != "" {
		t.Error("something was made")
	}
	initAt(t, address)
	if s, err := postgres.Open(t.Context(), pool(t, address)); cloud.KindOf(err) != cloud.Unsupported {
		t.Errorf("opened: %v, %v", s, err)
	}
}

// A server that is not suited, and one that does not take us, is told with what
// to do.
func TestServersThatAreRefused(t *testing.T) {
	peer.NeedCluster(t, cluster)
	address, schema := cluster.Address(t)
	initAt(t, address)
	sql(t, "CREATE DATABASE narrow ENCODING 'LATIN1' TEMPLATE template0")
	sql(t, "REVOKE CONNECT ON DATABASE narrow FROM PUBLIC")
	t.Cleanup(func() { sql(t, "DROP DATABASE narrow") })
	sql(t, "CREATE DATABASE shut ALLOW_CONNECTIONS false")
	t.Cleanup(func() { sql(t, "DROP DATABASE shut") })
	nobody := func(name, grants string) string { return role(t, address, schema+name, grants) }
	for name, c := range map[string]struct {
		address string
		kind    cloud.Kind
		advice  string
	}{
		"another encoding":   {strings.Replace(address, "/postgres?", "/narrow?", 1), cloud.Unsupported, "UTF8"},
		"lets nobody in":     {strings.Replace(address, "/postgres?", "/shut?", 1), cloud.Unavailable, "takes connections"},
		"no such database":   {strings.Replace(address, "/postgres?", "/none?", 1), cloud.NotFound, "createdb"},
		"no such user":       {strings.Replace(address, "postgres@", "nobody@", 1), cloud.Denied, "PGPASSFILE"},
		"may not connect":    {strings.Replace(nobody("_apart", ""), "/postgres?", "/narrow?", 1), cloud.Denied, "GRANT CONNECT"},
		"no rights":          {nobody("_poor", ""), cloud.Denied, "owns"},
		"no connection left": {nobody("_many", "ALTER ROLE "+schema+"_many CONNECTION LIMIT 0"), cloud.Unavailable, "max_connections"},
		"takes no writes":    {nobody("_read", "ALTER ROLE "+schema+"_read SET default_transaction_read_only = on"), cloud.Unavailable, "takes writes"},
	} {
		s, err := postgres.Open(t.Context(), c.address)
		if cloud.KindOf(err) != c.kind || !strings.Contains(postgres.Advice(err), c.advice) {
			t.Errorf("%s: %v, %v; %s", name, s, err, postgres.Advice(err))
		}
	}
	if _, err := postgres.Setting(t.Context(), with(t, nobody("_any", "ALTER ROLE "+schema+"_any SET default_transaction_read_only = on"), "target_session_attrs", "any"), "fsync"); err != nil {
		t.Errorf("a server of any kind, as it was asked for: %v", err)
	}
}

// A server that does not flush is refused, which forgets codes in a crash.
func TestServerThatForgets(t *testing.T) {
	peer.NeedCluster(t, cluster)
	address, _ := cluster.Address(t)
	initAt(t, address)
	fsync := func(to string) {
		t.Helper()
		sql(t, "ALTER SYSTEM SET fsync = "+to)
		for sql(t, "SELECT pg_reload_conf()"); sql(t, "SHOW fsync") != to; {
		}
	}
	t.Cleanup(func() { fsync("on") })
	fsync("off")
	if s, err := postgres.Open(t.Context(), address); cloud.KindOf(err) != cloud.Unsupported || !strings.Contains(postgres.Advice(err), "fsync") {
		t.Errorf("%v, %v", s, err)
	}
}

// Who held the lock of a run on a connection that was lost hears so at the end,
// and does not keep the next one from it.
func TestLockIsLost(t *testing.T) {
	peer.NeedCluster(t, cluster)
	address, _ := made(t)
	s := opens(t, address)
	for _, lose := range []bool{false, true, false} {
		unlock, err := s.Lock(t.Context(), "a run")
		if err != nil {
			t.Fatal(err)
		}
		if lose {
			disconnect(t)
		}
		if err := unlock(); lose != (err != nil) || lose && cloud.KindOf(err) != cloud.Unavailable {
			t.Errorf("lost %v: %v", lose, err)
		}
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
}
