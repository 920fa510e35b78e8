package postgres_test

import (
	"strings"
	"testing"
	"time"

	"mfabridge/cloud"
	"mfabridge/cloud/engine"
	"mfabridge/cloud/engine/store/postgres"
	"mfabridge/internal/peer"
)

// confirmed is a cluster whose commits wait for a standby that is not there,
// when it is told so.
type confirmed struct {
	*peer.Cluster
	t *testing.T
}

func confirming(t *testing.T) confirmed {
	t.Helper()
	peer.NeedCluster(t, cluster)
	c := confirmed{cluster, t}
	t.Cleanup(func() { c.standbys("") })
	return c
}

func (c confirmed) ask(statement string) string {
	c.t.Helper()
	out, err := c.SQL(statement)
	if err != nil {
		c.t.Fatal(err, out)
	}
	return out
}

func (c confirmed) standbys(names string) {
	c.t.Helper()
	c.ask("ALTER SYSTEM SET synchronous_standby_names = '" + names + "'")
	c.ask("SELECT pg_reload_conf()")
}

// stuck returns when a transaction waits for the standby, another one than not;
// told is whether an answer came before that.
func (c confirmed) stuck(not string, answers <-chan error) (who string, told bool, err error) {
	c.t.Helper()
	for who == not || who == "" {
		select {
		case err, told = <-answers:
			if told {
				return "", told, err
			}
		default:
		}
		who = c.ask("SELECT pid || '@' || xact_start FROM pg_stat_activity WHERE wait_event = 'SyncRep'")
	}
	return who, false, nil
}

// waiting has a store update until an update waits for the standby; the answer
// to that one is then still to come. It is the last of n.
func (c confirmed) waiting(s *postgres.Store) (who string, answer <-chan error, n int) {
	c.t.Helper()
	c.standbys("nobody")
	for told := true; told; n++ {
		answers := make(chan error, 1)
		go func() { answers <- s.Update(c.t.Context(), counting) }()
		who, told, _ = c.stuck("", answers)
		answer = answers
	}
	return who, answer, n
}

// A commit that the standbys have not confirmed is not told as one that they
// have, although the server's own wait for them was cut short: by its limit, an
// administrator, or the end of the connection.
func TestCommitThatNoStandbyHasConfirmed(t *testing.T) {
	c := confirming(t)
	for _, end := range []string{"pg_cancel_backend", "pg_terminate_backend"} {
		t.Run(end, func(t *testing.T) {
			address, _ := made(t)
			s := opens(t, address)
			postgres.SetPatience(s, time.Hour)
			who, answer, n := c.waiting(s)
			for range 2 { // what is sent to make sure is not confirmed either
				var told bool
				var err error
				pid, _, _ := strings.Cut(who, "@")
				c.ask("SELECT " + end + "(" + pid + ")")
				if who, told, err = c.stuck(who, answer); told {
					t.Fatalf("told although no standby has confirmed it: %v", err)
				}
			}
			c.standbys("")
			if err := <-answer; err != nil {
				t.Errorf("confirmed in the end: %v", err)
			}
			if is := len(sql(t, "SELECT convert_from(value, 'UTF8') FROM "+schemaOf(address)+".meta WHERE name = 'count'")); is != n {
				t.Errorf("%d updates were made %d times", n, is)
			}
			if err := s.Close(); err != nil {
				t.Error(err)
			}
		})
	}
}

// Where no standby confirms a commit in time, it is not known; and what it left
// is not taken for true by whoever asks next, before it is confirmed.
func TestCommitThatStaysUnconfirmed(t *testing.T) {
	c := confirming(t)
	address, _ := made(t)
	for _, end := range []string{"pg_cancel_backend", "pg_terminate_backend"} {
		t.Run(end, func(t *testing.T) {
			s := opens(t, address)
			postgres.SetPatience(s, 0)
			who, answer, _ := c.waiting(s)
			pid, _, _ := strings.Cut(who, "@")
			c.ask("SELECT " + end + "(" + pid + ")")
			if err := <-answer; cloud.KindOf(err) != cloud.Internal {
				t.Errorf("nobody knows: %v", err)
			}
			asked := make(chan error, 1)
			go func() {
				asked <- s.Update(t.Context(), func(tx engine.Tx) error { _, err := tx.Meta("count"); return err })
			}()
			if _, told, err := c.stuck(who, asked); told {
				t.Fatalf("read before it was confirmed: %v", err)
			}
			c.standbys("")
			if err := <-asked; err != nil {
				t.Error(err)
			}
			count(t, s)
			if err := s.Close(); err != nil {
				t.Error(err)
			}
		})
	}
}
