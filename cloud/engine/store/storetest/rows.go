package storetest

import (
	"bytes"
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"mfabridge/cloud"
	"mfabridge/cloud/engine"
	"mfabridge/cloud/engine/audit"
	"mfabridge/cloud/engine/tries"
	"mfabridge/cloud/oath"
)

// sample is a user, token, challenge and so on with every field set.
func sampleUser() *engine.User {
	u := &engine.User{Password: []byte{0, 1, 2}, Created: epoch, Roles: []string{"User Administrator", "Reader"}, Devices: 2, Aside: []byte("aside"), Proof: []byte{7, 0}}
	u.ID = "id-1"
	u.Profile = cloud.Profile{UPN: "ada@contoso.example", DisplayName: "Ada Ωmega", SID: "S-1-5-21-1", Enabled: true, Aliases: []string{"ada", `CORP\ada`}}
	u.Guest, u.External = true, true
	u.Mobile, u.Alternate, u.Office, u.Email = "+1 4255550100", "+1 4255550101", "+1 4255550102", "ada@fabrikam.example"
	u.Default, u.BlockedUntil = cloud.SMS, epoch.Add(time.Hour)
	return u
}

func sampleToken() engine.Token {
	k := engine.Token{User: "id-1", Sealed: []byte{9, 0, 255}, Clock: oath.Clock{Proven: true, Drift: -3, Last: 1 << 40, Seen: 7}}
	k.ID, k.Method = "token-1", cloud.HardwareOATH
	k.OATH = cloud.OATH{Name: "n", Serial: "s", Manufacturer: "m", Model: "o", Algorithm: cloud.SHA256, Digits: 8, Period: 60, Fingerprint: "f"}
	return k
}

func sampleChallenge() *engine.Challenge {
	return &engine.Challenge{ID: "0001", Key: "k", User: "id-1", Method: cloud.SMS, State: cloud.Refused, Reason: cloud.WrongCode, Prompt: "p",
		App: "vpn", Owner: "gateway", Place: "station", Tries: 3, Sent: []byte{1, 0}, Context: []byte{0, 2}, Created: epoch, Expires: epoch.Add(time.Minute),
		Decided: epoch.Add(time.Second), Proven: true, Bypassed: true}
}

// rowsComeBack puts one of each kind twice, and reads it.
func rowsComeBack(t *testing.T, p Place) {
	s := p.opens(t)
	token, device := sampleToken(), engine.Device{User: "id-1", ID: "d", Name: "phone", State: "invited", Until: epoch, Created: epoch, Key: []byte{4, 0, 1}, Opened: epoch, Aside: []byte("aside of a device")}
	app := engine.App{Name: "gateway", Role: engine.RoleShim, Digest: []byte{1, 2}, Created: epoch, Until: epoch.Add(time.Hour), Disabled: true}
	attempt := engine.Attempt{Challenge: "0001", Key: "a", State: cloud.Pending, Reason: cloud.WrongCode, Tries: 2, At: epoch}
	group := engine.Group{ID: "g", Name: "Staff", Created: epoch}
	flight := engine.Flight{ID: "0001", User: "id-1", Due: epoch, State: []byte{1, 0}}
	counter, failures := tries.Counter{User: "id-1", Way: "oath", Place: "x"}, tries.Failures{Count: 3, Last: epoch}
	slip := engine.Slip{ID: "s", User: "id-1", Data: []byte{0, 3}, Until: epoch}
	for range 2 {
		update(t, s, func(tx engine.Tx) error {
			if owner, err := tx.Claim(engine.Names, "ada", "id-1"); err != nil || owner != "id-1" {
				t.Errorf("Claim: %s, %v", owner, err)
			}
			if owner, err := tx.Claim(engine.GroupNames, "staff", "g"); err != nil || owner != "g" {
				t.Errorf("Claim: %s, %v", owner, err)
			}
			for _, err := range []error{tx.PutUser(sampleUser()), tx.PutToken(&token), tx.PutChallenge(sampleChallenge()), tx.PutAttempt(&attempt),
				tx.SetLastSent("id-1", "x", "0001"), tx.PutFailures(counter, failures), tx.PutApp(&app), tx.PutDevice(&device), tx.PutGroup(&group), tx.PutSlip(&slip),
				tx.PutFlight(&flight), tx.PutFlight(&engine.Flight{ID: "0002", User: "id-2", State: []byte{2}}), tx.PutReceipt("r", "0001")} {
				if err != nil {
					return err
				}
			}
			_, err := tx.AddMember("g", engine.MemberUser, "id-1")
			return err
		})
	}
	same := func(what string, got any, err error, want any) {
		t.Helper()
		if err != nil {
			t.Errorf("%s: %v", what, err)
		} else if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s:\n%s", what, diff)
		}
	}
	err := s.View(t.Context(), func(r engine.Reader) error {
		user, err := r.UserNamed(engine.Names, "ada")
		same("user", user, err, sampleUser())
		tokens, err := r.Tokens("id-1")
		same("tokens", tokens, err, []engine.Token{token})
		challenge, err := r.Challenge("0001")
		same("challenge", challenge, err, sampleChallenge())
		after, err := r.ChallengesAfter("", 10)
		same("challenges", after, err, []*engine.Challenge{sampleChallenge()})
		got, err := r.Attempt("0001", "a")
		same("attempt", got, err, &attempt)
		flown, err := r.Flight("0001")
		same("flight", flown, err, &flight)
		flown, err = r.FlightOf("r")
		same("flight of a receipt", flown, err, &flight)
		due, err := r.FlightsDue(epoch, 10)
		same("flights that are due", due, err, []*engine.Flight{&flight})
		due, err = r.FlightsDue(epoch.Add(-1), 10)
		same("flights that are due later", due, err, []*engine.Flight(nil))
		sent, err := r.LastSent("id-1", "x")
		same("last sent", sent, err, cloud.ChallengeID("0001"))
		counted, err := r.FailuresOf("id-1")
		same("failures", counted, err, map[tries.Counter]tries.Failures{counter: failures})
		apps, err := r.Apps()
		same("apps", apps, err, []engine.App{app})
		devices, err := r.Devices("id-1")
		same("devices", devices, err, []engine.Device{device})
		kept, err := r.Slip("s")
		same("slip", kept, err, &slip)
		slips, err := r.SlipsOf("id-1")
		same("slips", slips, err, []engine.Slip{slip})
		named, err := r.GroupNamed("staff")
		same("group", named, err, &group)
		members, err := r.MembersAfter("g", engine.MemberUser, "", 10)
		same("members", members, err, []string{"id-1"})
		parents, err := r.Parents("id-1", 10)
		same("parents", parents, err, []string{"g"})
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	forgotten(t, s)
}

// forgotten fences and prunes what rowsComeBack has put.
func forgotten(t *testing.T, s engine.Store) {
	t.Helper()
	update(t, s, func(tx engine.Tx) error { return tx.Fence(epoch, 2, 20) })
	update(t, s, func(tx engine.Tx) error { return tx.ForgetUser("id-1") })
	update(t, s, func(tx engine.Tx) error { return tx.Prune("zzzz", epoch.Add(time.Hour), 10) })
	err := s.View(t.Context(), func(r engine.Reader) error {
		tokens, err := r.Tokens("id-1")
		if err != nil || len(tokens) != 1 || tokens[0].Last != 1<<40 || tokens[0].Seen != 0 {
			t.Errorf("fenced: %+v, %v", tokens, err)
		}
		if u, err := r.User("id-1"); err != nil || u.Aside != nil {
			t.Errorf("fenced: %v", err)
		}
		if c, err := r.Challenge("0001"); err != nil || c != nil {
			t.Errorf("fenced: %+v, %v", c, err)
		}
		if k, err := r.Slip("s"); err != nil || k != nil {
			t.Errorf("fenced: %+v, %v", k, err)
		}
		for _, id := range []cloud.ChallengeID{"0001", "0002"} {
			if f, err := r.Flight(id); err != nil || f != nil {
				t.Errorf("fenced: %+v, %v", f, err)
			}
		}
		if f, err := r.FailuresOf("id-1"); err != nil || len(f) > 0 {
			t.Errorf("forgotten: %+v, %v", f, err)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// slipsEnd: slips are forgotten once they have ended, a bounded number at a
// time, when they are removed, and with their user.
func slipsEnd(t *testing.T, p Place) {
	s := p.opens(t)
	put := func() {
		update(t, s, func(tx engine.Tx) error {
			for i, id := range []string{"c", "b", "a"} {
				if err := tx.PutSlip(&engine.Slip{ID: id, User: cloud.UserID("of-" + id), Data: []byte{1}, Until: epoch.Add(time.Duration(i) * time.Minute)}); err != nil {
					return err
				}
			}
			return nil
		})
	}
	left := func() (left string) {
		err := s.View(t.Context(), func(r engine.Reader) error {
			for _, id := range []string{"a", "b", "c"} {
				k, err := r.Slip(id)
				if err != nil {
					return err
				}
				if k != nil {
					left += id
				}
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		return left
	}
	for _, c := range []struct {
		what string
		do   func(engine.Tx) error
		want string
	}{
		{"one at a time", func(tx engine.Tx) error { return tx.PruneSlips(epoch.Add(time.Hour), 1) }, "ab"},
		{"those that have ended", func(tx engine.Tx) error { return tx.PruneSlips(epoch.Add(time.Minute+1), 10) }, "a"},
		{"none that is good", func(tx engine.Tx) error { return tx.PruneSlips(epoch, 10) }, "abc"},
		{"removed", func(tx engine.Tx) error { return tx.RemoveSlip("b") }, "ac"},
		{"the user's", func(tx engine.Tx) error { return tx.ForgetUser("of-a") }, "bc"},
	} {
		put()
		update(t, s, c.do)
		if got := left(); got != c.want {
			t.Errorf("%s: left %q, want %q", c.what, got, c.want)
		}
	}
}

// strangeText looks up what cannot be there. It is not there.
func strangeText(t *testing.T, p Place) {
	s := p.opens(t)
	for _, text := range []string{"a\x00b", "\xff\xfe", "'; DROP TABLE users; --", "$1", "\\", ""} {
		err := s.View(t.Context(), func(r engine.Reader) error {
			u, err := r.UserNamed(engine.Names, text)
			if err != nil || u != nil {
				t.Errorf("%q: %+v, %v", text, u, err)
			}
			c, err := r.Challenge(cloud.ChallengeID(text))
			if err != nil || c != nil {
				t.Errorf("%q: %+v, %v", text, c, err)
			}
			return nil
		})
		if err != nil {
			t.Errorf("%q: %v", text, err)
		}
	}
}

// auditChains appends from several handles, some of it undone, to the chains
// of two nodes.
func auditChains(t *testing.T, p Place) {
	stores := []engine.Store{p.opens(t), p.opens(t)}
	const each = 30
	var wg sync.WaitGroup
	for k, s := range stores {
		for i := range each {
			wg.Go(func() {
				_ = s.Update(context.Background(), func(tx engine.Tx) error {
					err := tx.Append(audit.Entry{Time: epoch, Node: fmt.Sprint("node", k), Actor: "a", Action: fmt.Sprint(i), Subject: "s"})
					if err == nil {
						err = tx.Append(audit.Entry{Time: epoch, Node: "both", Actor: "a", Action: fmt.Sprint(i)})
					}
					if err == nil && i%5 == 0 {
						err = errNo
					}
					return err
				})
			})
		}
	}
	wg.Wait()
	var all []audit.Entry
	if err := stores[0].View(t.Context(), func(r engine.Reader) (err error) { all, err = r.Audit(1, 1000); return err }); err != nil {
		t.Fatal(err)
	}
	const kept = each - each/5
	last := map[string]audit.Entry{}
	for i, e := range all {
		if i > 0 && e.Seq <= all[i-1].Seq {
			t.Errorf("entry %d does not ascend", i)
		}
		if prev := last[e.Node]; e.Node != "local" && (e.Number != prev.Number+1 || len(e.Link) != 64 || bytes.Equal(e.Link[:32], prev.Link)) {
			t.Errorf("%s: number %d behind %d", e.Node, e.Number, prev.Number)
		}
		last[e.Node] = e
	}
	for node, want := range map[string]int64{"node0": kept, "node1": kept, "both": 2 * kept} {
		if last[node].Number != want {
			t.Errorf("%s ends at %d, want %d", node, last[node].Number, want)
		}
	}
}

// nilIsEmpty: bytes that are nil can be kept wherever bytes are, and what has
// none is there all the same.
func nilIsEmpty(t *testing.T, p Place) {
	s := p.opens(t)
	token := sampleToken()
	token.Sealed = nil
	for what, put := range map[string]func(engine.Tx) error{
		"meta":      func(tx engine.Tx) error { return tx.SetMeta("n", nil) },
		"user":      func(tx engine.Tx) error { return tx.PutUser(&engine.User{User: cloud.User{ID: "id-1"}}) },
		"token":     func(tx engine.Tx) error { return tx.PutToken(&token) },
		"challenge": func(tx engine.Tx) error { return tx.PutChallenge(&engine.Challenge{ID: "0001"}) },
		"device":    func(tx engine.Tx) error { return tx.PutDevice(&engine.Device{User: "id-1", ID: "d"}) },
		"slip":      func(tx engine.Tx) error { return tx.PutSlip(&engine.Slip{ID: "s"}) },
		"flight":    func(tx engine.Tx) error { return tx.PutFlight(&engine.Flight{ID: "0001"}) },
		"app":       func(tx engine.Tx) error { return tx.PutApp(&engine.App{Name: "gateway"}) },
	} {
		if err := s.Update(t.Context(), put); err != nil {
			t.Errorf("%s: %v", what, err)
		}
	}
	err := s.View(t.Context(), func(r engine.Reader) error {
		value, err := r.Meta("n")
		if err != nil || value == nil || len(value) > 0 {
			t.Errorf("meta: %#v, %v", value, err)
		}
		tokens, err := r.Tokens("id-1")
		if err != nil || len(tokens) != 1 || len(tokens[0].Sealed) > 0 {
			t.Errorf("tokens: %+v, %v", tokens, err)
		}
		user, err := r.User("id-1")
		if err != nil || user == nil || user.Password != nil || user.Aside != nil || user.Proof != nil {
			t.Errorf("user: %+v, %v", user, err)
		}
		challenge, err := r.Challenge("0001")
		if err != nil || challenge == nil || challenge.Sent != nil {
			t.Errorf("challenge: %+v, %v", challenge, err)
		}
		devices, err := r.Devices("id-1")
		if err != nil || len(devices) != 1 || len(devices[0].Key) > 0 {
			t.Errorf("devices: %+v, %v", devices, err)
		}
		slip, err := r.Slip("s")
		if err != nil || slip == nil || len(slip.Data) > 0 {
			t.Errorf("slip: %+v, %v", slip, err)
		}
		flight, err := r.Flight("0001")
		if err != nil || flight == nil || len(flight.State) > 0 {
			t.Errorf("flight: %+v, %v", flight, err)
		}
		app, err := r.App("gateway")
		if err != nil || app == nil || len(app.Digest) > 0 {
			t.Errorf("application: %+v, %v", app, err)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}
