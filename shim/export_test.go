package shim

import (
	"context"
	"net/netip"
	"time"

	"mfabridge/cloud"
	"mfabridge/internal/secret"
	"mfabridge/shim/config"
	"mfabridge/shim/observe"
)

// FindClient returns the name of the client that an address belongs to.
func FindClient(clients []config.Client, a netip.Addr) (string, error) {
	t, err := newClientTable(clients, map[string]Primary{config.Native: native{}, "old": native{}},
		func(string) *observe.Count { return new(observe.Count) })
	if err != nil {
		return "", err
	}
	if c := t.find(a); c != nil {
		return c.Name, nil
	}
	return "", nil
}

// SealState makes a State as a server with these keys would.
func SealState(keys []secret.Bytes, id cloud.ChallengeID, expires time.Time, client, user, station string) ([]byte, error) {
	k, err := newKeyring(keys)
	if err != nil {
		return nil, err
	}
	return k.seal(codeStep, id, expires, owner{client, user, station})
}

// OpenState opens one, and returns the reason why it does not.
func OpenState(keys []secret.Bytes, state []byte, client, user, station string, now time.Time) (cloud.ChallengeID, string) {
	k, err := newKeyring(keys)
	if err != nil {
		return "", err.Error()
	}
	id, _, why := k.open(state, owner{client, user, station}, now)
	return id, string(why)
}

// RecentMax is how many refused passwords are remembered.
const RecentMax = recentMax

// RememberWrong remembers n passwords and tells how many are held, and whether
// the first and the last are known.
func RememberWrong(n int, now time.Time) (held int, first, last bool) {
	w := newRecent[struct{}]()
	name := func(i int) mark { return mark{byte(i), byte(i >> 8), byte(i >> 16)} }
	for i := range n {
		w.put(name(i), struct{}{}, now.Add(wrongLife))
	}
	_, first = w.find(name(0), now)
	_, last = w.find(name(n-1), now)
	return len(w.kept), first, last
}

// FloodReplies begins n different requests in a cache of the given size, every
// third of which is forgotten, and tells how many slots and sources it holds.
func FloodReplies(size, n int, now time.Time) (slots, sources, freed int) {
	c := newReplyCache(size, size)
	for i := range n {
		from := source{from: netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, byte(i >> 16), byte(i >> 8), byte(i)}), 1), identifier: byte(i)}
		_, _, t := c.begin(from, make([]byte, 16), now)
		if i%3 == 0 {
			c.forget(t)
		} else {
			c.complete(t, []byte("reply"), now)
		}
	}
	return len(c.slots), len(c.index), len(c.freed)
}

// AnswerAfterFlood begins a request in a full cache, has n others answered and
// tells whether the first may still be answered.
func AnswerAfterFlood(size, n int, now time.Time) bool {
	c := newReplyCache(size, size)
	begin := func(i int) ticket {
		from := source{from: netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, byte(i >> 16), byte(i >> 8), byte(i)}), 1)}
		_, _, t := c.begin(from, make([]byte, 16), now)
		return t
	}
	first := begin(0)
	for i := range n {
		c.complete(begin(i+1), []byte("reply"), now)
	}
	return c.complete(first, []byte("reply"), now)
}

// TakeApart finds the password in a password field, for a client with this
// delimiter and with or without codes behind the password.
func TakeApart(m cloud.CodeMatcher, text, delimiter string, appends bool) (password, code string, method cloud.Preference, err error) {
	c := &client{Client: config.Client{FactorDelimiter: delimiter, CodeEntry: config.Challenge}}
	if appends {
		c.CodeEntry = config.Append
	}
	l := logins{matcher: m}
	f, err := l.takeApart(context.Background(), attempt{client: c, user: "ada", password: secret.FromString(text)})
	return string(f.password.Reveal()), string(f.code.Reveal()), f.method, err
}

// Unpack takes apart what a challenge carries, and Pack puts it together.
func Unpack(plain []byte) (Proof, error) { return unpack(plain) }
func Pack(p Proof) []byte                { return pack(p) }
