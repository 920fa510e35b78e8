package postgres_test

import (
	"fmt"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"mfabridge/cloud"
	"mfabridge/cloud/engine/store/postgres"
	"mfabridge/internal/peer"
)

func sql(t *testing.T, statements string) string {
	t.Helper()
	out, err := cluster.SQL(statements)
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	return out
}

// Whoever opens an older store at the same moment finds it brought forward,
// once; a step that fails leaves it as it is.
func TestOlderStoreIsBroughtForward(t *testing.T) {
	peer.NeedCluster(t, cluster)
	address, schema := cluster.Address(t)
	if err := postgres.MigrateWith(t.Context(), address); err == nil || cloud.KindOf(err) != cloud.NotFound || postgres.Advice(err) == "" {
		t.Fatalf("a schema that is not there: %v", err)
	}
	initAt(t, address)
	if err := postgres.MigrateWith(t.Context(), address, "CREATE TABLE more (x bigint); CREATE TABLE meta (x bigint)"); err == nil {
		t.Error("a step that cannot be made was made")
	}
	if left := sql(t, "SELECT to_regclass('"+schema+".more'), version FROM "+schema+".store_version"); left != fmt.Sprintf("|%d", postgres.Version) {
		t.Errorf("half of a step was kept: %s", left)
	}
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			if err := postgres.MigrateWith(t.Context(), address, "CREATE TABLE more (x bigint)"); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if got := sql(t, "SELECT version FROM "+schema+".store_version"); got != strconv.Itoa(postgres.Version+1) {
		t.Errorf("version %s", got)
	}
	// This program does not know the version after its own.
	if s, err := postgres.Open(t.Context(), address); err == nil || cloud.KindOf(err) != cloud.Unsupported || postgres.Advice(err) == "" {
		t.Errorf("a store of a newer program: %v, %v", s, err)
	}
}

// Whoever opens a store while another one brings it forward waits as long as that
// takes, which grows with the store.
func TestWaitsForWhoBringsForward(t *testing.T) {
	peer.NeedCluster(t, cluster)
	address, schema := cluster.Address(t)
	initAt(t, address)
	sql(t, "UPDATE "+schema+".store_version SET version = version - 1")
	const key = int64(0x4d46<<48 | 3<<32) // of who makes or changes a schema
	locks := fmt.Sprintf("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND classid::int8 = %d AND ", key>>32)
	held := make(chan error, 1)
	go func() { // until somebody has waited for a while
		out, err := cluster.SQL(fmt.Sprintf("BEGIN; SELECT pg_advisory_xact_lock(%d); DO $$ BEGIN FOR i IN 1..1000 LOOP EXIT WHEN (%sNOT granted) > 0; "+
			"PERFORM pg_sleep(0.01); END LOOP; PERFORM pg_sleep(0.1); END $$; UPDATE %s.store_version SET version = %d; COMMIT", key, locks, schema, postgres.Version))
		if err != nil {
			err = fmt.Errorf("%w: %s", err, out)
		}
		held <- err
	}()
	for end := time.Now().Add(10 * time.Second); sql(t, locks+"granted") != "1"; {
		if time.Now().After(end) {
			t.Fatal("nobody has the lock")
		}
	}
	if err := postgres.MigrateImpatiently(t.Context(), address); err != nil {
		t.Error(err)
	}
	if err := <-held; err != nil {
		t.Error(err)
	}
}

// Of those who make a store in an empty database at the same moment one does, and
// the others hear that there is one.
func TestMadeOnce(t *testing.T) {
	peer.NeedCluster(t, cluster)
	address, _ := cluster.Address(t)
	errs := make(chan error, 4)
	for range cap(errs) {
		go func() { errs <- tryInit(t, address) }()
	}
	made := 0
	for range cap(errs) {
		err := <-errs
		if err == nil {
			made++
		} else if cloud.KindOf(err) != cloud.Conflict {
			t.Errorf("who came late hears %v", err)
		}
	}
	if made != 1 {
		t.Errorf("made %d times", made)
	}
}

// Every earlier version is brought to what a new store is.
func TestEveryEarlierVersionBecomesThisOne(t *testing.T) {
	peer.NeedCluster(t, cluster)
	columns := func(schema string) string {
		return sql(t, "SELECT table_name, column_name, data_type, is_nullable, column_default FROM information_schema.columns WHERE table_schema = '"+schema+"' ORDER BY 1, 2") +
			sql(t, "SELECT replace(indexdef, '"+schema+".', '') FROM pg_indexes WHERE schemaname = '"+schema+"' ORDER BY 1")
	}
	address, schema := cluster.Address(t)
	initAt(t, address)
	want := columns(schema)
	for version := 1; version < postgres.Version; version++ {
		address, schema := cluster.Address(t)
		if err := postgres.MakeVersion(t.Context(), address, version); err != nil {
			t.Fatal(err)
		}
		if got := sql(t, "SELECT version FROM "+schema+".store_version"); got != strconv.Itoa(version) {
			t.Fatalf("made version %s, not %d", got, version)
		}
		if err := postgres.MigrateWith(t.Context(), address); err != nil {
			t.Fatal(err)
		}
		if got := columns(schema); got != want {
			t.Errorf("version %d becomes\n%s\nand a new store is\n%s", version, got, want)
		}
	}
}

// A schema with other tables is left alone.
func TestForeignSchemaIsLeft(t *testing.T) {
	peer.NeedCluster(t, cluster)
	address, schema := cluster.Address(t)
	sql(t, "CREATE SCHEMA "+schema+"; CREATE TABLE "+schema+".users (precious text)")
	if err := tryInit(t, address); err == nil {
		t.Fatal("a store was made among other tables")
	}
	if left := sql(t, "SELECT count(*) FROM pg_tables WHERE schemaname = '"+schema+"'"); left != "1" {
		t.Errorf("%s tables are left", left)
	}
}

// Nobody changes the audit, not with the database's own tools either.
func TestAuditIsAppendOnly(t *testing.T) {
	peer.NeedCluster(t, cluster)
	address, schema := cluster.Address(t)
	initAt(t, address)
	for _, statement := range []string{"DELETE FROM audit", "UPDATE audit SET actor = 'nobody'", "TRUNCATE audit"} {
		if out, err := cluster.SQL("SET search_path = " + schema + "; " + statement); err == nil || !strings.Contains(out, "append-only") {
			t.Errorf("%s: %v: %s", statement, err, out)
		}
	}
}

// A server that goes away is Unavailable, and comes back without a new start.
func TestServerGoesAway(t *testing.T) {
	own := peer.Postgres(t)
	address, _ := own.Address(t)
	initAt(t, address)
	s := opens(t, address)
	count(t, s)
	own.Kill()
	if err := s.Update(t.Context(), counting); err == nil || cloud.KindOf(err) != cloud.Unavailable {
		t.Errorf("without a server: %v", err)
	}
	if err := own.Start(); err != nil {
		t.Fatal(err)
	}
	for range 3 { // more than there are connections
		count(t, s)
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
}
