package postgres_test

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"mfabridge/cloud/engine"
	"mfabridge/cloud/engine/seal"
	"mfabridge/cloud/engine/store/postgres"
	"mfabridge/cloud/engine/store/storetest"
	"mfabridge/internal/peer"
)

// cluster is the server of this package's tests; nil: PostgreSQL is missing.
var cluster *peer.Cluster

func TestMain(m *testing.M) {
	if word := os.Getenv(childVariable); word != "" {
		fmt.Fprintln(os.Stderr, underLoad(word))
		os.Exit(1)
	}
	var err error
	if cluster, err = peer.NewCluster(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	code := m.Run()
	if err := cluster.Stop(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	os.Exit(code)
}

// made makes an engine in a database of its own.
func made(t testing.TB) (string, seal.Key) {
	t.Helper()
	address, _ := cluster.Address(t)
	key, err := seal.NewKey()
	if err != nil {
		t.Fatal(err)
	}
	if err := postgres.Init(t.Context(), address, key, storetest.Setup()); err != nil {
		t.Fatal(err)
	}
	return address, key
}

// hide renames a table, or gives it its name back.
func hide(t testing.TB, address, table string, hidden bool) {
	t.Helper()
	from, to := table, "aside_"+table
	if !hidden {
		from, to = to, from
	}
	_, schema, _ := strings.Cut(address, "search_path=")
	if out, err := cluster.SQL("ALTER TABLE " + schema + "." + from + " RENAME TO " + to); err != nil {
		t.Fatal(err, out)
	}
}

func TestSuite(t *testing.T) {
	peer.NeedCluster(t, cluster)
	storetest.Suite(t, func(t *testing.T) storetest.Place {
		address, key := made(t)
		return storetest.Place{Key: key, Open: func(t testing.TB) engine.Store { return opens(t, address) },
			Hide: func(t testing.TB, table string, hidden bool) { hide(t, address, table, hidden) }}
	})
}

func opens(t testing.TB, address string) *postgres.Store {
	t.Helper()
	s, err := postgres.Open(t.Context(), address)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func tryInit(t testing.TB, address string) error {
	t.Helper()
	key, err := seal.NewKey()
	if err != nil {
		t.Fatal(err)
	}
	return postgres.Init(t.Context(), address, key, storetest.Setup())
}

func initAt(t testing.TB, address string) {
	t.Helper()
	if err := tryInit(t, address); err != nil {
		t.Fatal(err)
	}
}

// counting adds one to a value.
func counting(tx engine.Tx) error {
	value, err := tx.Meta("count")
	if err != nil {
		return err
	}
	return tx.SetMeta("count", append(value, '.'))
}

// count updates, and sees that it did.
func count(t testing.TB, s *postgres.Store) {
	t.Helper()
	length := func() (n int) {
		if err := s.View(t.Context(), func(r engine.Reader) error {
			value, err := r.Meta("count")
			n = len(value)
			return err
		}); err != nil {
			t.Fatal(err)
		}
		return n
	}
	was := length()
	if err := s.Update(t.Context(), counting); err != nil {
		t.Fatal(err)
	}
	if is := length(); is != was+1 {
		t.Errorf("%d after %d", is, was)
	}
}
