package shim_test

import (
	"bytes"
	"crypto/rand"
	"encoding/base64"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"mfabridge/cloud"
	"mfabridge/internal/secret"
	"mfabridge/shim"
	"mfabridge/shim/radius"
)

func key(b byte) secret.Bytes { return secret.New(bytes.Repeat([]byte{b}, 32)) }

func TestStateOpensOnlyForItsClientUserAndTime(t *testing.T) {
	now := time.Unix(1_900_000_000, 0)
	keys := []secret.Bytes{key(1)}
	id := cloud.ChallengeID("abcdefghijklmnopqrstuvwxyz-_0123")
	state, err := shim.SealState(keys, id, now.Add(time.Minute), "vpn", "ada", "laptop")
	if err != nil {
		t.Fatal(err)
	}
	if len(state) > 96 {
		t.Errorf("State has %d octets, more than 96", len(state))
	}
	if bytes.Contains(state, []byte(id[:8])) {
		t.Error("State shows the challenge")
	}
	if octets, err := base64.RawURLEncoding.DecodeString(string(state)); err != nil || bytes.Contains(octets, []byte(id[:8])) {
		t.Errorf("State is not text, or shows the challenge: %q, %v", state, err)
	}
	anywhere, err := shim.SealState(keys, id, now.Add(time.Minute), "vpn", "ada", "")
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		name         string
		keys         []secret.Bytes
		state        []byte
		client, user string
		station      string
		after        time.Duration
		why          string
	}{
		{"right", keys, state, "vpn", "ada", "laptop", 0, ""},
		{"right until it expires", keys, state, "vpn", "ada", "laptop", 59 * time.Second, ""},
		{"expired", keys, state, "vpn", "ada", "laptop", time.Minute, "state_expired"},
		{"other user", keys, state, "vpn", "bob", "laptop", 0, "state_foreign"},
		{"other client", keys, state, "rdg", "ada", "laptop", 0, "state_foreign"},
		{"border between client and user moved", keys, state, "vpna", "da", "laptop", 0, "state_foreign"},
		{"other key", []secret.Bytes{key(2)}, state, "vpn", "ada", "laptop", 0, "state_altered"},
		{"key that seals no more", []secret.Bytes{key(2), key(1)}, state, "vpn", "ada", "laptop", 0, ""},
		{"no station any more", keys, state, "vpn", "ada", "", 0, ""},
		{"other station", keys, state, "vpn", "ada", "phone", 0, "station_differs"},
		{"station in another case", keys, state, "vpn", "ada", "Laptop", 0, "station_differs"},
		{"other station and expired", keys, state, "vpn", "ada", "phone", time.Minute, "state_expired"},
		{"station now, and none before", keys, anywhere, "vpn", "ada", "laptop", 0, ""},
		{"longer", keys, append(bytes.Clone(state), 0), "vpn", "ada", "laptop", 0, "state_malformed"},
		{"with a line end behind it", keys, append(bytes.Clone(state), '\n'), "vpn", "ada", "laptop", 0, "state_malformed"},
		{"with a line end in it", keys, slices.Insert(bytes.Clone(state), 20, '\n'), "vpn", "ada", "laptop", 0, "state_malformed"},
		{"padded", keys, append(bytes.Clone(state), '='), "vpn", "ada", "laptop", 0, "state_malformed"},
		{"empty", keys, nil, "vpn", "ada", "laptop", 0, "state_malformed"},
	} {
		got, why := shim.OpenState(test.keys, test.state, test.client, test.user, test.station, now.Add(test.after))
		if why != test.why || why == "" && got != id || why != "" && got != "" {
			t.Errorf("%s: %q, %q; want reason %q", test.name, got, why, test.why)
		}
	}
	for n := range state {
		if got, why := shim.OpenState(keys, state[:n], "vpn", "ada", "laptop", now); why == "" || got != "" {
			t.Errorf("cut to %d octets: opened", n)
		}
	}
	for bit := range base64.RawURLEncoding.DecodedLen(len(state)) * 8 {
		flipped := rewritten(t, state, func(octets []byte) { octets[bit/8] ^= 1 << (bit % 8) })
		if got, why := shim.OpenState(keys, flipped, "vpn", "ada", "laptop", now); why == "" || got != "" {
			t.Errorf("bit %d of the octets flipped: opened", bit)
		}
	}
	for bit := range len(state) * 8 {
		flipped := bytes.Clone(state)
		flipped[bit/8] ^= 1 << (bit % 8)
		if got, why := shim.OpenState(keys, flipped, "vpn", "ada", "laptop", now); why == "" || got != "" {
			t.Errorf("bit %d flipped: opened", bit)
		}
	}
}

// A State that is kept as a string is still whole: no octet of any State is
// other than a letter, a figure, '-' or '_' (ocserv 1.1.6 and some releases of
// IOS send back what stands before the first NUL).
func TestStateSurvivesAClientThatKeepsAString(t *testing.T) {
	now := time.Unix(1_900_000_000, 0)
	for n := range 500 {
		state, err := shim.SealState([]secret.Bytes{key(byte(n))}, cloud.ChallengeID(strings.Repeat("x", 1+n%32)), now.Add(time.Duration(n)*time.Second), "vpn", "ada", "")
		if err != nil {
			t.Fatal(err)
		}
		if len(state) > 96 || bytes.ContainsFunc(state, func(r rune) bool {
			return r != '-' && r != '_' && (r < '0' || r > '9') && (r < 'A' || r > 'Z') && (r < 'a' || r > 'z')
		}) {
			t.Fatalf("State %d is %q", n, state)
		}
	}
}

func TestStateSealsOnlyWhatFits(t *testing.T) {
	for _, id := range []cloud.ChallengeID{"", "abcdefghijklmnopqrstuvwxyz-_01234"} {
		if _, err := shim.SealState([]secret.Bytes{key(1)}, id, time.Now(), "vpn", "ada", ""); err == nil {
			t.Errorf("challenge %q was sealed", id)
		}
	}
	if _, err := shim.SealState([]secret.Bytes{secret.New(make([]byte, 31))}, "x", time.Now(), "vpn", "ada", ""); err == nil {
		t.Error("a short cluster key was taken")
	}
}

func FuzzState(f *testing.F) {
	now := time.Unix(1_900_000_000, 0)
	random := make([]byte, 32)
	_, _ = rand.Read(random) // so that no stored input is a State by chance
	keys := []secret.Bytes{secret.New(random), key(2)}
	state, err := shim.SealState(keys, "challenge", now.Add(time.Minute), "vpn", "ada", "laptop")
	if err != nil {
		f.Fatal(err)
	}
	f.Add([]byte{1}, uint8(0), uint8(0), uint8(0))
	f.Add(bytes.Repeat([]byte("A"), 74), uint8(50), uint8(1), uint8(0))
	f.Add(append([]byte("AQ"), bytes.Repeat([]byte("-"), 72)...), uint8(0), uint8(0), uint8(1))
	f.Fuzz(func(t *testing.T, in []byte, at, xor, cut uint8) {
		if id, why := shim.OpenState(keys, in, "vpn", "ada", "laptop", now); why == "" {
			t.Fatalf("%x opens as %q", in, id)
		}
		altered := bytes.Clone(state)
		altered[int(at)%len(altered)] ^= xor
		altered = altered[:len(altered)-int(cut)%len(altered)]
		if id, why := shim.OpenState(keys, altered, "vpn", "ada", "laptop", now); (why == "") != bytes.Equal(altered, state) {
			t.Fatalf("altered at %d by %x and cut by %d: %q, reason %q", at, xor, cut, id, why)
		}
	})
}

// rewritten is a State whose octets somebody changed, and wrote down again.
func rewritten(t *testing.T, state []byte, change func(octets []byte)) []byte {
	t.Helper()
	octets, err := base64.RawURLEncoding.DecodeString(string(state))
	if err != nil {
		t.Fatal(err)
	}
	change(octets)
	return []byte(base64.RawURLEncoding.EncodeToString(octets))
}

// The same over the wire: whatever is not the State of this login is an
// Access-Reject, all alike, and never a new first leg.
func TestStateOfAnotherLoginIsRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		defer r.close()
		state := stateOf(t, r.login(ask{from: "127.0.0.2", user: "ada"}))
		altered := rewritten(t, state, func(octets []byte) { octets[40] ^= 1 })
		for i, q := range []ask{
			{from: "127.0.0.2", user: "bob", password: "123456", state: state},
			{from: "127.0.0.3", user: "ada", password: "123456", state: state},
			{from: "127.0.0.2", user: "ada", password: "123456", state: altered},
			{from: "127.0.0.2", user: "ada", password: "123456", state: state[:50]},
		} {
			q.id = byte(i + 1)
			want(t, r.login(q), radius.AccessReject)
		}
		if got := r.engine.calls(); got != [3]int{1, 0, 0} {
			t.Errorf("calls %v: a wrong State reached the engine", got)
		}
		time.Sleep(3 * time.Minute)
		want(t, r.login(ask{from: "127.0.0.2", user: "ada", password: "123456", state: state, id: 9}), radius.AccessReject)
		if got := r.server.Counters().Reasons; got["state_foreign"] != 2 || got["state_altered"] != 1 || got["state_malformed"] != 1 || got["state_expired"] != 1 {
			t.Errorf("reasons %v", got)
		}
	})
}

// A State is good at the calling station that the first leg named, and where a
// client's stations can be relied on nowhere else. A client may leave it out of
// the second leg, as some do, or have named it there alone.
func TestStateOfAnotherStationIsRefused(t *testing.T) {
	for _, test := range []struct {
		name, from, first, second string
		code                      radius.Code
	}{
		{"the same", "127.0.0.2", "laptop", "laptop", radius.AccessAccept},
		{"left out", "127.0.0.2", "laptop", "", radius.AccessAccept},
		{"named late", "127.0.0.2", "", "laptop", radius.AccessAccept},
		{"another", "127.0.0.2", "laptop", "phone", radius.AccessReject},
		{"another, which says nothing here", "127.0.0.7", "laptop", "phone", radius.AccessAccept},
	} {
		synctest.Test(t, func(t *testing.T) {
			r := newRig(t)
			defer r.close()
			state := stateOf(t, r.login(ask{from: test.from, user: "ada", station: test.first}))
			t.Log(test.name)
			want(t, r.login(ask{from: test.from, user: "ada", password: "123456", state: state, station: test.second, id: 1}), test.code)
			refused := test.code == radius.AccessReject
			if got := r.server.Counters().Reasons["station_differs"]; (got == 1) != refused {
				t.Errorf("%s: %d counted", test.name, got)
			}
			if refused { // and nothing was used up by it
				want(t, r.login(ask{from: test.from, user: "ada", password: "123456", state: state, station: test.first, id: 2}), radius.AccessAccept)
			}
		})
	}
}

// So it is with a number to match: whoever goes on behind it elsewhere hears
// nothing of the approval.
func TestNumberGoesOnAtItsStationOnly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, _ := holding(t)
		defer r.close()
		q := ask{from: show, user: "push", password: "pw", station: "laptop"}
		q.state = stateOf(t, r.login(q))
		q.station, q.id = "phone", 1
		want(t, r.login(q), radius.AccessReject)
		q.station, q.id = "laptop", 2
		request := r.start(q)
		r.waitingFor(1)
		r.engine.person("id-push", cloud.Approved, "")
		want(t, r.checked(r.receive(), request), radius.AccessAccept)
	})
}

// A login that is begun at one node is answered at another.
func TestAnotherNodeOpensTheState(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := configuration(t)
		same := func(o *shim.Options) { o.Config = c }
		one := newRig(t, same)
		defer one.close()
		state := stateOf(t, one.login(ask{from: "127.0.0.2", user: "ada"}))
		two := newRig(t, same, func(o *shim.Options) { o.Verifier = one.engine })
		defer two.close()
		want(t, two.login(ask{from: "127.0.0.2", user: "ada", password: "123456", state: state}), radius.AccessAccept)
		// The answer was lost; the client asks the first node from a new port.
		want(t, one.login(ask{from: "127.0.0.2:4001", user: "ada", password: "123456", state: state, id: 7}), radius.AccessAccept)
		if one.engine.keys[1] != one.engine.keys[2] {
			t.Error("two nodes name one attempt differently")
		}
		if len(one.engine.keys[1]) > cloud.MaxIdempotencyKey {
			t.Errorf("key has %d bytes", len(one.engine.keys[1]))
		}
	})
}
