package shim_test

import (
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"os"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"mfabridge/cloud"
	"mfabridge/shim"
	"mfabridge/shim/radius"
)

// What a client does whose packets get lost: it sends a request four times,
// then asks the other shim in a request of its own, four times.
const (
	loss    = 0.2
	sends   = 4
	patient = 1200 * time.Millisecond
)

// conversation is where a reply belongs.
type conversation struct {
	shim int
	peer netip.AddrPort
	id   byte
}

// network is two shims behind a line that loses packets either way.
type network struct {
	t      *testing.T
	shims  [2]*rig
	secret *radius.Secret

	mu      sync.Mutex
	random  *rand.Rand
	serial  uint64
	waiting map[conversation]chan []byte
}

// chance draws whether a packet is lost, and else how long it is on its way.
func (n *network) chance() (delay time.Duration, lost bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	return time.Duration(10+n.random.IntN(150)) * time.Millisecond, n.random.Float64() < loss
}

// route brings the replies of a shim to who waits for them.
func (n *network) route(shim int, stop chan struct{}) {
	for {
		select {
		case <-stop:
			return
		case d := <-n.shims[shim].conn.out:
			delay, lost := n.chance()
			if lost {
				continue
			}
			time.AfterFunc(delay, func() {
				n.mu.Lock()
				defer n.mu.Unlock()
				select {
				case n.waiting[conversation{shim, d.peer, d.b[1]}] <- d.b:
				default: // who asked has given up, or has its answer
				}
			})
		}
	}
}

func (n *network) send(shim int, d datagram, stop chan struct{}) {
	if delay, lost := n.chance(); !lost {
		time.AfterFunc(delay, func() {
			select {
			case n.shims[shim].conn.in <- d:
			case <-stop:
			}
		})
	}
}

// exchange asks both shims, one after the other; zero: no answer.
func (n *network) exchange(number int, q ask, stop chan struct{}) radius.Packet {
	for i := range 2 {
		shim := (number + i) % 2
		q.id += byte(i)
		request := n.build(q)
		where := conversation{shim, q.source(), q.id}
		reply := make(chan []byte, 1)
		n.mu.Lock()
		n.waiting[where] = reply
		n.mu.Unlock()
		for range sends {
			n.send(shim, datagram{b: request, peer: q.source()}, stop)
			select {
			case b := <-reply:
				n.mu.Lock() // a Secret is for one at a time
				defer n.mu.Unlock()
				return checkReply(n.t, n.secret, b, request)
			case <-time.After(patient):
			}
		}
	}
	return radius.Packet{}
}

// build is rig.build for many at once.
func (n *network) build(q ask) []byte {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.serial++
	var authenticator [16]byte
	binary.BigEndian.PutUint64(authenticator[8:], n.serial)
	w := radius.NewRequest(nil, radius.AccessRequest, q.id, authenticator)
	w.Add(radius.UserName, []byte(q.user))
	w.AddPassword(n.secret, []byte(q.password))
	if q.state != nil {
		w.Add(radius.State, q.state)
	}
	w.Add(radius.CallingStationID, []byte(q.station))
	b, err := n.secret.SealRequest(&w)
	if err != nil {
		n.t.Error(err)
	}
	return b
}

// plan is what a person of the test does, and what must come of it.
type plan struct {
	name    string
	from    string
	method  cloud.Preference
	typed   string
	answer  string // to a challenge
	decides cloud.State
	code    radius.Code
}

var plans = []plan{
	{"approve", vpn, cloud.Push, "pw", "", cloud.Approved, radius.AccessAccept},
	{"deny", vpn, cloud.Push, "pw", "", cloud.Refused, radius.AccessReject},
	{"code", vpn, cloud.OATHCode, "pw", "135790", "", radius.AccessAccept},
	{"wrong code", vpn, cloud.OATHCode, "pw", "000000", "", radius.AccessReject},
	{"wrong password", vpn, cloud.Push, "mistyped", "", cloud.Approved, radius.AccessReject},
	{"appended", appended, cloud.OATHCode, "pw135790", "", "", radius.AccessAccept},
	{"number", show, cloud.Push, "pw", "", cloud.Approved, radius.AccessAccept},
}

// login plays a plan through to its end; zero: unanswered.
func (n *network) login(number int, stop chan struct{}) radius.Code {
	p := plans[number%len(plans)]
	q := ask{from: fmt.Sprintf("%s:%d", p.from, 1024+number%60000), user: fmt.Sprint("user", number), password: p.typed,
		station: fmt.Sprint("station ", number), id: byte(number / 60000 * 8)}
	reply := n.exchange(number, q, stop)
	if reply.Bytes() == nil || reply.Code() != radius.AccessChallenge {
		return codeOf(reply)
	}
	q.state, q.password, q.id = stateOf(n.t, reply), p.answer, q.id+2
	return codeOf(n.exchange(number, q, stop))
}

func codeOf(p radius.Packet) radius.Code {
	if p.Bytes() == nil {
		return 0
	}
	return p.Code()
}

// Logins over two shims and a line that loses a fifth of all packets: whatever
// is answered is answered right, nobody's phone rings twice, and no directory
// hears of a password twice that it has refused.
func TestLossAndFailOver(t *testing.T) {
	logins := 2000
	if os.Getenv("MFABRIDGE_SOAK") != "" {
		logins = 100_000
	}
	synctest.Test(t, func(t *testing.T) {
		c := configured(t, heldClients)
		one, h := holding(t, func(o *shim.Options) { o.Config, o.Log = c, nil })
		two, _ := holding(t, func(o *shim.Options) {
			o.Config, o.Verifier, o.Log, o.Primaries = c, one.engine, nil, map[string]shim.Primary{"old": h}
		})
		n := &network{t: t, shims: [2]*rig{one, two}, secret: one.secret, random: rand.New(rand.NewPCG(7, 11)), waiting: make(map[conversation]chan []byte)}
		e := one.engine
		e.onPush = func(id cloud.ChallengeID, p *person) {
			var number int
			_, _ = fmt.Sscanf(string(p.id), "id-user%d", &number)
			n.mu.Lock()
			thinks := time.Duration(n.random.IntN(6000)) * time.Millisecond
			n.mu.Unlock()
			time.AfterFunc(thinks, func() {
				e.mu.Lock()
				defer e.mu.Unlock()
				e.decide(e.challenges[id], plans[number%len(plans)].decides, cloud.UserDenied)
			})
		}
		for i := range logins {
			name := fmt.Sprint("user", i)
			e.people[name] = &person{id: cloud.UserID("id-" + name), password: "pw", code: "135790", method: plans[i%len(plans)].method}
		}
		stop := make(chan struct{})
		for shim := range n.shims {
			go n.route(shim, stop)
		}
		var group sync.WaitGroup
		var mu sync.Mutex
		unanswered := 0
		for i := range logins {
			time.Sleep(20 * time.Millisecond)
			group.Go(func() {
				got := n.login(i, stop)
				mu.Lock()
				defer mu.Unlock()
				if got == 0 {
					unanswered++
				} else if p := plans[i%len(plans)]; got != p.code {
					t.Errorf("login %d (%s): answered by %v, want %v", i, p.name, got, p.code)
				}
			})
		}
		group.Wait()
		time.Sleep(10 * time.Second)
		close(stop)
		one.close()
		two.close()
		for id, pushes := range e.pushesOf {
			if pushes != 1 {
				t.Errorf("%d pushes to %s", pushes, id)
			}
		}
		tried := make(map[string]int)
		for _, l := range h.proofs {
			if string(l.Password.Reveal()) == "mistyped" {
				tried[l.User]++
			}
		}
		for user, times := range tried {
			if times != 1 {
				t.Errorf("the primary heard %d times of the wrong password of %s", times, user)
			}
		}
		if unanswered > logins/20 {
			t.Errorf("%d of %d logins got no answer", unanswered, logins)
		}
		t.Logf("%d logins, %d pushes, %d unanswered", logins, e.pushes, unanswered)
	})
}
