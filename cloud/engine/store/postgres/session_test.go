package postgres_test

import (
	"fmt"
	"strings"
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
