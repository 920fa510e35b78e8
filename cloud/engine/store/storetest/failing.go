package storetest

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"mfabridge/cloud/engine"
	"mfabridge/cloud/engine/audit"
	"mfabridge/cloud/engine/tries"
)

// verb is a method of [engine.Reader] or [engine.Tx] with the tables that it
// cannot do without, and those that a driver may ask besides.
type verb struct {
	name   string
	tables string
	read   func(engine.Reader) error // one of both
	write  func(engine.Tx) error
	also   string
}

func (v *verb) touches(table string) bool {
	return slices.Contains(strings.Fields(v.tables), table)
}

// asks makes a verb that reads out of what returns a value.
func asks[T any](ask func(engine.Reader) (T, error)) func(engine.Reader) error {
	return func(r engine.Reader) error { _, err := ask(r); return err }
}

func reads() []verb {
	return []verb{
		{name: "Meta", tables: "meta", read: func(r engine.Reader) error { _, err := r.Meta("n"); return err }},
		{name: "MetaNames", tables: "meta", read: asks(func(r engine.Reader) ([]string, error) { return r.MetaNames("n") })},
		{name: "User", tables: "users", read: asks(func(r engine.Reader) (*engine.User, error) { return r.User("id-1") })},
		{name: "UserNamed", tables: "names users", read: asks(func(r engine.Reader) (*engine.User, error) { return r.UserNamed(engine.Names, "ada") })},
		{name: "UsersAfter", tables: "users", read: asks(func(r engine.Reader) ([]*engine.User, error) { return r.UsersAfter("", 2) })},
		{name: "Tokens", tables: "tokens", read: asks(func(r engine.Reader) ([]engine.Token, error) { return r.Tokens("id-1") })},
		{name: "Spent", tables: "spent", read: asks(func(r engine.Reader) (int64, error) { return r.Spent("f") })},
		{name: "Challenge", tables: "challenges", read: asks(func(r engine.Reader) (*engine.Challenge, error) { return r.Challenge("0001") })},
		{name: "ChallengesAfter", tables: "challenges", read: asks(func(r engine.Reader) ([]*engine.Challenge, error) { return r.ChallengesAfter("", 2) })},
		{name: "Attempt", tables: "attempts", read: asks(func(r engine.Reader) (*engine.Attempt, error) { return r.Attempt("0001", "a") })},
		{name: "LastSent", tables: "last_sent", read: func(r engine.Reader) error { _, err := r.LastSent("id-1", "x"); return err }},
		{name: "Failures", tables: "failures", read: asks(func(r engine.Reader) (tries.Failures, error) { return r.Failures(tries.Counter{User: "id-1"}) })},
		{name: "FailuresOf", tables: "failures", read: func(r engine.Reader) error { _, err := r.FailuresOf("id-1"); return err }},
		{name: "Flight", tables: "flights", read: asks(func(r engine.Reader) (*engine.Flight, error) { return r.Flight("0001") })},
		{name: "FlightOf", tables: "receipts flights", read: asks(func(r engine.Reader) (*engine.Flight, error) { return r.FlightOf("r") })},
		{name: "FlightsDue", tables: "flights", read: asks(func(r engine.Reader) ([]*engine.Flight, error) { return r.FlightsDue(epoch, 2) })},
		{name: "App", tables: "apps", read: asks(func(r engine.Reader) (*engine.App, error) { return r.App("gateway") })},
		{name: "Apps", tables: "apps", read: asks(func(r engine.Reader) ([]engine.App, error) { return r.Apps() })},
		{name: "Audit", tables: "audit", read: asks(func(r engine.Reader) ([]audit.Entry, error) { return r.Audit(0, 2) })},
		{name: "LastAudit", tables: "audit", read: asks(func(r engine.Reader) (audit.Entry, error) { return r.LastAudit() })},
		{name: "Devices", tables: "devices", read: asks(func(r engine.Reader) ([]engine.Device, error) { return r.Devices("id-1") })},
		{name: "Slip", tables: "slips", read: asks(func(r engine.Reader) (*engine.Slip, error) { return r.Slip("s") })},
		{name: "SlipsOf", tables: "slips", read: asks(func(r engine.Reader) ([]engine.Slip, error) { return r.SlipsOf("id-1") })},
		{name: "Group", tables: "groups", read: asks(func(r engine.Reader) (*engine.Group, error) { return r.Group("g") })},
		{name: "GroupNamed", tables: "names groups", read: asks(func(r engine.Reader) (*engine.Group, error) { return r.GroupNamed("staff") })},
		{name: "GroupsAfter", tables: "groups", read: asks(func(r engine.Reader) ([]engine.Group, error) { return r.GroupsAfter("", 2) })},
		{name: "MembersAfter", tables: "members", read: asks(func(r engine.Reader) ([]string, error) { return r.MembersAfter("g", engine.MemberUser, "", 2) })},
		{name: "Parents", tables: "members", read: asks(func(r engine.Reader) ([]string, error) { return r.Parents("id-1", 2) })},
	}
}

// puts are the verbs that bring rows; stamp is new with each call.
func puts(stamp string) []verb {
	token := sampleToken()
	counter := tries.Counter{User: "id-1", Way: "oath", Place: "x"}
	return []verb{
		{name: "SetMeta", tables: "meta", write: func(tx engine.Tx) error { return tx.SetMeta("n", []byte("value")) }},
		{name: "PutUser", tables: "users", write: func(tx engine.Tx) error { return tx.PutUser(sampleUser()) }},
		{name: "Claim", tables: "names", write: func(tx engine.Tx) error {
			_, err := tx.Claim(engine.Names, "ada", "id-1")
			if err == nil {
				_, err = tx.Claim(engine.GroupNames, "staff", "g")
			}
			return err
		}},
		{name: "PutToken", tables: "tokens", write: func(tx engine.Tx) error { return tx.PutToken(&token) }},
		{name: "SetClock", tables: "tokens", write: func(tx engine.Tx) error { return tx.SetClock("id-1", token.ID, token.Clock) }},
		{name: "SetSpent", tables: "spent", write: func(tx engine.Tx) error { return tx.SetSpent("f", 1) }},
		{name: "PutChallenge", tables: "challenges", write: func(tx engine.Tx) error { return tx.PutChallenge(sampleChallenge()) }},
		{name: "ChallengeByKey", tables: "challenges", write: func(tx engine.Tx) error { _, err := tx.ChallengeByKey("k"); return err }},
		{name: "PutAttempt", tables: "attempts", write: func(tx engine.Tx) error { return tx.PutAttempt(&engine.Attempt{Challenge: "0001", Key: "a"}) }},
		{name: "SetLastSent", tables: "last_sent", write: func(tx engine.Tx) error { return tx.SetLastSent("id-1", "x", "0001") }},
		{name: "PutFailures", tables: "failures", write: func(tx engine.Tx) error { return tx.PutFailures(counter, tries.Failures{Count: 1, Last: epoch}) }},
		{name: "PutFlight", tables: "flights", write: func(tx engine.Tx) error {
			return tx.PutFlight(&engine.Flight{ID: "0001", User: "id-1", Due: epoch, State: []byte{1}})
		}},
		{name: "PutReceipt", tables: "receipts", write: func(tx engine.Tx) error { return tx.PutReceipt("r", "0001") }},
		{name: "PutApp", tables: "apps", write: func(tx engine.Tx) error { return tx.PutApp(&engine.App{Name: "gateway", Digest: []byte{1}}) }},
		{name: "Append", tables: "audit meta", write: func(tx engine.Tx) error {
			return tx.Append(audit.Entry{Node: "node-" + stamp, Time: epoch, Action: "test"})
		}},
		{name: "PutDevice", tables: "devices", write: func(tx engine.Tx) error { return tx.PutDevice(&engine.Device{User: "id-1", ID: "d"}) }},
		{name: "PutSlip", tables: "slips", write: func(tx engine.Tx) error {
			return tx.PutSlip(&engine.Slip{ID: "s", User: "id-1", Data: []byte{1}, Until: epoch})
		}},
		{name: "PutGroup", tables: "groups", write: func(tx engine.Tx) error { return tx.PutGroup(&engine.Group{ID: "g", Name: "Staff"}) }},
		{name: "AddMember", tables: "members", write: func(tx engine.Tx) error { _, err := tx.AddMember("g", engine.MemberUser, "id-1"); return err }},
	}
}

// takes are the verbs that take rows away.
func takes() []verb {
	counter := tries.Counter{User: "id-1", Way: "oath", Place: "x"}
	const ofChallenges = "challenges attempts last_sent receipts flights"
	return []verb{
		{name: "RemoveMeta", tables: "meta", write: func(tx engine.Tx) error { return tx.RemoveMeta("n") }},
		{name: "Release", tables: "names", write: func(tx engine.Tx) error { return tx.Release(engine.Names, "ada") }},
		{name: "RemoveToken", tables: "tokens", write: func(tx engine.Tx) error { return tx.RemoveToken("id-1", "token-1") }},
		{name: "PutFailures of none", tables: "failures", write: func(tx engine.Tx) error { return tx.PutFailures(counter, tries.Failures{}) }},
		{name: "RemoveApp", tables: "apps", write: func(tx engine.Tx) error { return tx.RemoveApp("gateway") }},
		{name: "RemoveDevice", tables: "devices", write: func(tx engine.Tx) error { return tx.RemoveDevice("id-1", "d") }},
		{name: "RemoveSlip", tables: "slips", write: func(tx engine.Tx) error { return tx.RemoveSlip("s") }},
		{name: "PruneSlips", tables: "slips", write: func(tx engine.Tx) error { return tx.PruneSlips(epoch.Add(time.Hour), 2) }},
		{name: "RemoveMember", tables: "members", write: func(tx engine.Tx) error {
			_, err := tx.RemoveMember("g", engine.MemberUser, "id-1")
			return err
		}},
		{name: "LeaveAll", tables: "members", write: func(tx engine.Tx) error { return tx.LeaveAll("id-1") }},
		{name: "RemoveGroup", tables: "groups members", write: func(tx engine.Tx) error { return tx.RemoveGroup("g") }},
		{name: "Redact", tables: "audit", write: redactLast},
		{name: "PruneAudit", tables: "audit meta", write: func(tx engine.Tx) error {
			last, err := tx.LastAudit()
			if err == nil {
				_, err = tx.PruneAudit(last.Seq, 1)
			}
			return err
		}},
		{name: "Prune", tables: ofChallenges + " failures", write: func(tx engine.Tx) error { return tx.Prune("0009", epoch.Add(time.Hour), 2) }},
		{name: "ForgetUser", tables: ofChallenges + " failures slips", write: func(tx engine.Tx) error { return tx.ForgetUser("id-1") }},
		{name: "Fence", tables: ofChallenges + " tokens spent users slips", also: "meta", write: func(tx engine.Tx) error { return tx.Fence(epoch, 1, 1) }},
		{name: "RemoveUser", tables: "users", write: func(tx engine.Tx) error { return tx.RemoveUser("id-1") }},
	}
}

// redactLast has a link of the form that an entry has without what it said.
func redactLast(tx engine.Tx) error {
	e, err := tx.LastAudit()
	if err != nil {
		return err
	}
	e.Detail, e.Reason, e.Link = "", "", append(slices.Clip(e.Link[:48]), make([]byte, 32)...)
	return tx.Redact(&e)
}

// faultsAreTold takes each table away in its turn: whatever needs it has to
// fail, and nothing else may. After it nothing is left of the faults.
func faultsAreTold(t *testing.T, p Place) {
	s := p.opens(t)
	seed := func(stamp string) {
		update(t, s, func(tx engine.Tx) error {
			for _, v := range puts(stamp) {
				if err := v.write(tx); err != nil {
					return fmt.Errorf("%s: %w", v.name, err)
				}
			}
			return nil
		})
	}
	for _, table := range strings.Fields("meta users names tokens spent challenges attempts last_sent failures flights receipts apps audit devices slips groups members") {
		seed("before-" + table)
		p.Hide(t, table, true)
		var others []verb
		for _, v := range slices.Concat(reads(), puts(table), takes()) {
			switch {
			case v.touches(table):
				fails(t, s, &v, table)
			case !slices.Contains(strings.Fields(v.also), table):
				others = append(others, v)
			}
		}
		holds(t, s, others, "without "+table)
		p.Hide(t, table, false)
		seed("after-" + table)
		holds(t, s, slices.Concat(reads(), puts("whole-"+table), takes()), "with "+table+" again")
	}
}

// fails checks that a verb says that it cannot do what it is to do: at once, or
// where it only writes by the end of its update.
func fails(t *testing.T, s engine.Store, v *verb, table string) {
	t.Helper()
	if v.write != nil {
		if err := s.Update(t.Context(), v.write); err == nil {
			t.Errorf("%s without %s is done", v.name, table)
		}
		return
	}
	if err := s.View(t.Context(), v.read); err == nil {
		t.Errorf("%s without %s finds nothing wrong", v.name, table)
	}
	said := errors.New("it was not asked")
	err := s.Update(t.Context(), func(tx engine.Tx) error { said = v.read(tx); return said })
	if err == nil || said == nil {
		t.Errorf("%s without %s finds nothing wrong in an update: %v, %v", v.name, table, said, err)
	}
}

// holds checks that verbs succeed, one after the other.
func holds(t *testing.T, s engine.Store, verbs []verb, when string) {
	t.Helper()
	var fns []func(engine.Tx) error
	for _, v := range verbs {
		fns = append(fns, func(tx engine.Tx) error {
			if v.read != nil {
				return v.read(tx)
			}
			return v.write(tx)
		})
	}
	for i, err := range s.UpdateEach(t.Context(), fns) {
		if err != nil {
			t.Errorf("%s %s: %v", verbs[i].name, when, err)
		}
	}
}
