package postgres_test

import (
	"errors"
	"strings"
	"testing"

	"mfabridge/cloud"
	"mfabridge/cloud/engine"
	"mfabridge/cloud/engine/store/postgres"
	"mfabridge/internal/peer"
)

// A database that takes no changes is told with advice, by what a single update
// hears, and does not last: another server may take over.
func TestReadOnlyIsToldWithAdvice(t *testing.T) {
	peer.NeedCluster(t, cluster)
	address, schema := cluster.Address(t)
	initAt(t, address)
	s := opens(t, address)
	in := "SET search_path = " + schema + "; "
	sql(t, in+"CREATE FUNCTION refused() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "+
		"RAISE EXCEPTION 'cannot execute INSERT in a read-only transaction' USING ERRCODE = 'read_only_sql_transaction'; END $$; "+
		"CREATE TRIGGER refused BEFORE INSERT OR UPDATE ON meta FOR EACH ROW EXECUTE FUNCTION refused()")
	err := s.Update(t.Context(), counting)
	e, ok := errors.AsType[*cloud.Error](err)
	if !ok || e.Kind != cloud.Unavailable || e.Lasting || !strings.Contains(err.Error(), "read-only") || !strings.Contains(postgres.Advice(err), "standby") {
		t.Errorf("%v; %s", err, postgres.Advice(err))
	}
	sql(t, in+"DROP TRIGGER refused ON meta")
	count(t, s)
	if err := s.Close(); err != nil {
		t.Error(err)
	}
}

// A store that somebody has locked by hand is told with advice, and counted; it
// does not last. The error is the server's own, raised by a trigger.
func TestLockedStoreIsToldWithAdvice(t *testing.T) {
	peer.NeedCluster(t, cluster)
	address, schema := cluster.Address(t)
	initAt(t, address)
	s := opens(t, address)
	count(t, s)
	in := "SET search_path = " + schema + "; "
	sql(t, in+"CREATE FUNCTION locked() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "+
		"RAISE EXCEPTION 'canceling statement due to lock timeout' USING ERRCODE = 'lock_not_available'; END $$; "+
		"CREATE TRIGGER locked BEFORE INSERT OR UPDATE ON meta FOR EACH ROW EXECUTE FUNCTION locked()")
	before := s.Stats()
	err := s.Update(t.Context(), counting)
	e, ok := errors.AsType[*cloud.Error](err)
	if !ok || e.Kind != cloud.Unavailable || e.Lasting || !strings.Contains(err.Error(), "locked the store") || !strings.Contains(postgres.Advice(err), "VACUUM FULL") {
		t.Errorf("%v; %s", err, postgres.Advice(err))
	}
	if is := s.Stats(); is.Abandoned != before.Abandoned+1 || is.Commits != before.Commits {
		t.Errorf("%+v after %+v", is, before)
	}
	sql(t, in+"DROP TRIGGER locked ON meta")
	count(t, s)
	if is := s.Stats(); is.Commits != before.Commits+1 || is.Updates != before.Updates+1 {
		t.Errorf("%+v after %+v", is, before)
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
}

// A full disk is said to last, whether the server notices at a statement or at
// the commit; nothing is written, what others do goes on, and so does the store
// once there is room. The error is the server's own, raised by a trigger.
func TestFullDisk(t *testing.T) {
	peer.NeedCluster(t, cluster)
	for name, trigger := range map[string]string{
		"at a statement": "CREATE TRIGGER full_disk BEFORE INSERT OR UPDATE ON meta FOR EACH ROW EXECUTE FUNCTION full_disk()",
		"at the commit":  "CREATE CONSTRAINT TRIGGER full_disk AFTER INSERT OR UPDATE ON meta DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION full_disk()",
	} {
		t.Run(name, func(t *testing.T) {
			address, schema := cluster.Address(t)
			initAt(t, address)
			s := opens(t, address)
			count(t, s)
			in := "SET search_path = " + schema + "; "
			sql(t, in+"CREATE FUNCTION full_disk() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "+
				"IF NEW.name = 'count' THEN RAISE EXCEPTION 'could not extend file: No space left on device' USING ERRCODE = 'disk_full'; END IF; RETURN NEW; END $$; "+trigger)
			err := s.Update(t.Context(), counting)
			if e, ok := errors.AsType[*cloud.Error](err); !ok || e.Kind != cloud.Unavailable || !e.Lasting || postgres.Advice(err) == "" {
				t.Errorf("a full disk: %v", err)
			}
			small := func(tx engine.Tx) error { return tx.SetMeta("small", []byte("x")) }
			if err := s.Update(t.Context(), small); err != nil {
				t.Errorf("what still fits: %v", err)
			}
			if errs := s.UpdateEach(t.Context(), []func(engine.Tx) error{small, counting, small}); errs[0] != nil || errs[1] == nil || errs[2] != nil {
				t.Errorf("what came at the same moment: %v", errs)
			}
			sql(t, in+"DROP TRIGGER full_disk ON meta")
			count(t, s)
			if err := s.Close(); err != nil {
				t.Error(err)
			}
		})
	}
}
