package postgres_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"mfabridge/cloud"
	"mfabridge/cloud/cloudtest"
	"mfabridge/cloud/engine"
	"mfabridge/cloud/engine/audit"
	"mfabridge/cloud/engine/seal"
	"mfabridge/cloud/engine/store/postgres"
	"mfabridge/cloud/oath"
	"mfabridge/internal/peer"
)

// schemaOf is the schema of an address of the cluster.
func schemaOf(address string) string {
	_, schema, _ := strings.Cut(address, "search_path=")
	return schema
}

// opened is an engine over a store, with the clock that now tells.
func opened(t *testing.T, s *postgres.Store, key seal.Key, now *time.Time) *engine.Engine {
	t.Helper()
	e, err := engine.Open(t.Context(), engine.Config{Store: s, Key: key, Now: func() time.Time { return *now }})
	if err != nil {
		t.Fatal(err)
	}
	return e
}

// logsIn tries the code that user i's generator shows at a time.
func logsIn(t *testing.T, e *engine.Engine, i int, at time.Time) (cloud.Challenge, error) {
	t.Helper()
	return e.Begin(t.Context(), cloud.Request{Subject: cloud.Key{Kind: cloud.ByName, Value: loadName(i)}, Tries: 1,
		Client: cloud.Client{App: "vpn", Station: "here"}, Code: cloudtest.Code(cloudtest.Seed(i), cloudtest.Generator(i), at)})
}

// A dump that is brought back by pg_restore does not verify as it is, nor does
// a process that had the tables open before; engine.Restore makes it safe, and
// no code of before is accepted from then on.
func TestDumpAcceptsNoOldCode(t *testing.T) {
	peer.NeedCluster(t, cluster)
	address, key := made(t)
	now := time.Date(2026, 11, 2, 9, 0, 7, 0, time.UTC)
	running := opens(t, address)
	t.Cleanup(func() { _ = running.Close() })
	e := opened(t, running, key, &now)
	for i := range 2 {
		enrolLoad(t, e, i)
	}
	if c, err := logsIn(t, e, 0, now); err != nil || c.State != cloud.Approved {
		t.Fatalf("before the dump: %+v, %v", c, err)
	}
	dump, err := cluster.Dump(schemaOf(address))
	if err != nil {
		t.Fatal(err)
	}
	now = now.Add(time.Minute)
	used := now
	for i := range 2 {
		if c, err := logsIn(t, e, i, now); err != nil || c.State != cloud.Approved {
			t.Fatalf("after the dump: %+v, %v", c, err)
		}
	}
	if err := cluster.Restore(dump); err != nil {
		t.Fatal(err)
	}

	// The process that was there all the time sees that the audit ends earlier.
	if c, err := logsIn(t, e, 0, used); err == nil || cloud.KindOf(err) != cloud.Unavailable || postgres.Advice(err) == "" {
		t.Errorf("by a running process: %+v, %v", c, err)
	}
	// A new one sees that these are other tables.
	if _, err := postgres.Open(t.Context(), address); cloud.KindOf(err) != cloud.Conflict || postgres.Advice(err) == "" {
		t.Errorf("opened as it is: %v", err)
	}
	s, err := postgres.OpenRestored(t.Context(), address)
	if err != nil {
		t.Fatal(err)
	}
	r, err := engine.Restore(t.Context(), engine.Config{Store: s, Key: key, Now: func() time.Time { return now }}, engine.Actor{Who: "operator", Reason: "test"})
	if err := errors.Join(err, s.Close()); err != nil {
		t.Fatal(err)
	}
	back := opens(t, address)
	t.Cleanup(func() { _ = back.Close() })
	e = opened(t, back, key, &now)
	for i := range 2 {
		if c, err := logsIn(t, e, i, used); err != nil || c.State == cloud.Approved {
			t.Errorf("an old code of user %d: %+v, %v", i, c, err)
		}
	}
	now = r.Unproven.Add(time.Minute)
	for i := range 2 {
		if c, err := logsIn(t, e, i, now); err != nil || c.State != cloud.Approved {
			t.Errorf("a new code of user %d: %+v, %v", i, c, err)
		}
	}
	if found, err := e.VerifyAudit(t.Context()); err != nil || len(found.Flaws) > 0 {
		t.Errorf("the audit: %+v, %v", found, err)
	}
}

// A database that falls back behind what a process has seen, as a standby does
// that had not heard of everything, verifies nothing there.
func TestDatabaseInAnEarlierState(t *testing.T) {
	peer.NeedCluster(t, cluster)
	address, _ := made(t)
	s := opens(t, address)
	audit := func(tx engine.Tx) error { return tx.Append(audit.Entry{Node: "local", Action: "test"}) }
	for range 3 {
		if err := s.Update(t.Context(), audit); err != nil {
			t.Fatal(err)
		}
	}
	sql(t, "UPDATE "+schemaOf(address)+".audit_end SET seq = seq - 1")
	for range 2 {
		err := s.Update(t.Context(), audit)
		if e, ok := errors.AsType[*cloud.Error](err); !ok || e.Kind != cloud.Unavailable || !e.Lasting {
			t.Errorf("written to an earlier state: %v", err)
		}
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
}

// A store is made safe however long that takes: with a million generators it is
// longer than any other statement may run. The limit of others is back after it.
func TestNoLimitOnMakingSafe(t *testing.T) {
	peer.NeedCluster(t, cluster)
	address, _ := made(t)
	s := opens(t, address)
	token := &engine.Token{User: "u", Sealed: []byte("x")}
	token.ID, token.Serial, token.Period = "k", "s", 30
	if err := s.Update(t.Context(), func(tx engine.Tx) error { return tx.PutToken(token) }); err != nil {
		t.Fatal(err)
	}
	sql(t, "SET search_path = "+schemaOf(address)+"; CREATE FUNCTION noted() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "+
		"NEW.name = current_setting('statement_timeout'); RETURN NEW; END $$; CREATE TRIGGER noted BEFORE UPDATE ON tokens FOR EACH ROW EXECUTE FUNCTION noted()")
	limit := func(update func(engine.Tx) error) (is string) {
		t.Helper()
		if err := s.Update(t.Context(), update); err != nil {
			t.Fatal(err)
		}
		return sql(t, "SELECT name FROM "+schemaOf(address)+".tokens")
	}
	if is := limit(func(tx engine.Tx) error { return tx.Fence(time.Now(), 1, 20) }); is != "0" {
		t.Errorf("the limit is %s", is)
	}
	if is := limit(func(tx engine.Tx) error { return tx.SetClock("u", "k", oath.Clock{}) }); is != "30s" {
		t.Errorf("the limit of others is %s", is)
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
}
