package shim_test

import (
	"testing"
	"testing/synctest"
	"time"

	"mfabridge/cloud"
	"mfabridge/shim"
	"mfabridge/shim/radius"
)

// twoNodes are two shims that share an engine and a primary. The primary
// answers once the gate is closed.
func twoNodes(t *testing.T) (one, two *rig, h *home, gate chan struct{}) {
	c := configured(t, heldClients)
	one, h = holding(t, func(o *shim.Options) { o.Config = c })
	two, _ = holding(t, func(o *shim.Options) {
		o.Config, o.Verifier, o.Primaries = c, one.engine, map[string]shim.Primary{"old": h}
	})
	gate = make(chan struct{})
	h.set(func() { h.gate = gate })
	return one, two, h, gate
}

// A wrong password that comes to two nodes in the same moment is tried once.
func TestWrongPasswordAtTwoNodesAtOnceIsTriedOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		one, two, h, gate := twoNodes(t)
		defer one.close()
		defer two.close()
		q := ask{from: vpn, user: "ada", password: "mistyped", station: "laptop"}
		nodes := []*rig{one, two, one, two, two, one}
		for i, node := range nodes {
			q.id = byte(i)
			node.send(node.build(q), q.source())
		}
		time.Sleep(2 * time.Second) // the directory is slow
		close(gate)
		for _, node := range nodes {
			p, err := radius.Parse(node.receive())
			if err != nil {
				t.Fatal(err)
			}
			want(t, p, radius.AccessReject)
		}
		if got := h.tried(); len(got) != 1 {
			t.Errorf("the primary heard of %q", got)
		}
		time.Sleep(58 * time.Second)
		q.id = 100
		want(t, two.login(q), radius.AccessReject)
		time.Sleep(3 * time.Second)
		want(t, one.login(q), radius.AccessReject)
		if got := h.tried(); len(got) != 2 {
			t.Errorf("after a minute the primary has heard of %q", got)
		}
	})
}

// A right password is proven by each node for itself, one after the other, and
// a different one waits for nobody.
func TestRightPasswordAtTwoNodesAtOnceIsProvenByEach(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		one, two, h, gate := twoNodes(t)
		defer one.close()
		defer two.close()
		q := ask{from: vpn, user: "ada", password: "correct horse", station: "laptop"}
		one.send(one.build(q), q.source())
		two.send(two.build(q), q.source())
		q.password, q.id = "another", 1
		two.send(two.build(q), q.source())
		synctest.Wait()
		close(gate)
		codes := make(map[radius.Code]int)
		for _, node := range []*rig{one, two, two} {
			p, err := radius.Parse(node.receive())
			if err != nil {
				t.Fatal(err)
			}
			codes[p.Code()]++
		}
		if codes[radius.AccessChallenge] != 2 || codes[radius.AccessReject] != 1 {
			t.Errorf("answers: %v", codes)
		}
		if got := h.tried(); len(got) != 3 {
			t.Errorf("the primary heard of %q", got)
		}
	})
}

// Nor does one node let a leg in by the proof of another: what the primary says
// of a login is for that login alone.
func TestRightPasswordAtOneNodeIsProvenByEachLeg(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		gate := make(chan struct{})
		r, h := withHome(t)
		defer r.close()
		h.set(func() { h.gate = gate })
		for id := range byte(3) {
			r.start(ask{from: homeClient, user: "ada", password: "correct horse", station: "laptop", id: id})
		}
		synctest.Wait()
		close(gate)
		for range 3 {
			want(t, mustParse(t, r.receive()), radius.AccessChallenge)
		}
		if got := h.tried(); len(got) != 3 {
			t.Errorf("the primary heard of %q", got)
		}
	})
}

// Equal passwords that come by two clients at once share what the primary says of
// them; where it says nothing, each client is answered as its own on_outage says.
func TestOutageOfOneTryIsEachClientsOwn(t *testing.T) {
	for _, froms := range [][]string{{vpn, rejects}, {rejects, vpn}} {
		synctest.Test(t, func(t *testing.T) {
			r, h := holding(t)
			defer r.close()
			gate := make(chan struct{})
			h.set(func() { h.gate, h.err = gate, &cloud.Error{Kind: cloud.Unavailable, Message: "the directory is gone"} })
			var strict []byte
			for id, from := range froms {
				request := r.start(ask{from: from, user: "ada", password: "correct horse", station: "laptop", id: byte(id)})
				if from == rejects {
					strict = request
				}
				synctest.Wait()
			}
			close(gate)
			want(t, r.checked(r.receive(), strict), radius.AccessReject)
			synctest.Wait()
			r.silent("the outage of a client that is to hear nothing of it")
			if got := h.tried(); len(got) != 1 {
				t.Errorf("the primary heard of %q", got)
			}
		})
	}
}

// A node that hangs or dies with its turn keeps the others from it for no longer
// than its login could have lasted, and they are silent meanwhile.
func TestTurnOfADeadNodeEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		one, two, h, gate := twoNodes(t)
		defer one.close()
		defer two.close()
		defer close(gate)
		q := ask{from: vpn, user: "ada", password: "correct horse", station: "laptop"}
		one.start(q)
		h.set(func() { h.gate = nil })
		two.start(q)
		time.Sleep(10*time.Second + time.Millisecond)
		two.silent("while another node may be trying the password")
		q.id++
		want(t, two.login(q), radius.AccessChallenge)
	})
}

// The same proof of CHAP at two nodes at once is tried once.
func TestRefusedCHAPAtTwoNodesIsTriedOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := configured(t, heldClients)
		h := &relayHome{home: &home{}}
		h.answer = func(shim.Relayed) (shim.Answer, error) {
			return shim.Answer{Proof: shim.Proof{Reason: cloud.WrongPassword}}, nil
		}
		one, _ := holding(t, func(o *shim.Options) { o.Config, o.Primaries = c, map[string]shim.Primary{"old": h} })
		defer one.close()
		h.engine = one.engine
		two, _ := holding(t, func(o *shim.Options) {
			o.Config, o.Verifier, o.Primaries = c, one.engine, map[string]shim.Primary{"old": h}
		})
		defer two.close()
		q := chap("ada", 1)
		proof := q.fill
		q.fill = func(w *radius.Builder) { proof(w); w.Add(radius.CHAPChallenge, make([]byte, 16)) }
		for _, node := range []*rig{one, two, one} {
			want(t, node.login(q), radius.AccessReject)
			q.id++
		}
		if len(h.relayed) != 1 {
			t.Errorf("the home server was asked %d times", len(h.relayed))
		}
	})
}
