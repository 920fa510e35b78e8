package shim

import (
	"fmt"
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"mfabridge/internal/hint"
	"mfabridge/shim/config"
	"mfabridge/shim/observe"
	"mfabridge/shim/radius"
)

// client is a configured client as the packet path needs it.
type client struct {
	config.Client
	primary   Primary    // nil: the client has checked the first factor itself
	who       Identifier // nil: the typed name stands for itself
	relayer   Relayer    // nil: PAP alone can be judged
	inTLS     bool       // its packets come over a stream that nobody else can write to
	secrets   sync.Pool  // of *radius.Secret, for workers
	seen      *observe.Count
	atPrimary chan struct{} // a token for each worker at this primary; nil: any number may be
	ready     atomic.Int64  // when all that a login needs was last found there, in Unix nanoseconds; see status
}

func newClient(c config.Client, primary Primary, seen *observe.Count) *client {
	made := &client{Client: c, seen: seen}
	if primary != nil {
		made.primary = replying{primary, c.Reply.Rules}
		made.who, _ = primary.(Identifier)
		if relayer, ok := primary.(Relayer); ok {
			made.relayer = relaying{relayer, c.Reply.Rules}
		}
	}
	made.secrets.New = func() any { return radius.NewSecret(c.SharedSecret.Reveal()) }
	return made
}

// readyLife is how long what was found there holds for Status-Server.
const readyLife = 5 * time.Second

// isReady tells whether engine and primary were there a moment ago.
func (c *client) isReady(now time.Time) bool {
	age := now.Sub(time.Unix(0, c.ready.Load()))
	return age >= 0 && age < readyLife
}

// clientTable finds a client by the address that a packet comes from. It never
// changes once it is made.
type clientTable struct {
	v4, v6  []int // the prefix lengths there are, longest first
	owner   map[netip.Prefix]*client
	holders map[string]*client // over TLS, by what a certificate says
}

func newClientTable(clients []config.Client, primaries map[string]Primary, seen func(name string) *observe.Count) (clientTable, error) {
	t := clientTable{owner: make(map[netip.Prefix]*client), holders: make(map[string]*client)}
	for _, c := range clients {
		primary := primaries[c.Primary]
		if err := checkFactors(c, primary); err != nil {
			return t, err
		}
		made := newClient(c, primary, seen(c.Name))
		for _, name := range c.Certificates {
			if t.holders[name] != nil {
				return t, fmt.Errorf("certificate %s belongs to two clients", name)
			}
			t.holders[name] = made.overTLS()
		}
		for _, p := range c.Prefixes {
			if t.owner[p] != nil {
				return t, fmt.Errorf("network %s belongs to two clients", p)
			}
			t.owner[p] = made
			lengths := &t.v6
			if p.Addr().Is4() {
				lengths = &t.v4
			}
			if !slices.Contains(*lengths, p.Bits()) {
				*lengths = append(*lengths, p.Bits())
			}
		}
	}
	for _, lengths := range [][]int{t.v4, t.v6} {
		slices.SortFunc(lengths, func(a, b int) int { return b - a })
	}
	return t, nil
}

// checkFactors refuses a client whose logins could pass with less than their
// factors.
func checkFactors(c config.Client, primary Primary) error {
	switch {
	case c.SharedSecret.IsZero() && (len(c.Prefixes) > 0 || len(c.Certificates) == 0):
		return fmt.Errorf("client %s has no shared secret", c.Name)
	case c.Unmatched == config.PrimaryOnly && (c.Primary == config.None || c.Primary == config.Native || c.CodeEntry == config.Only),
		c.Cache.Life > 0 && (c.Primary == config.None || c.CallingStation == config.Unreliable),
		c.WithoutPassword && c.Primary != config.None:
		return fmt.Errorf("client %s would let logins through with no factor checked here", c.Name)
	case c.Primary == config.None && c.PrimaryDoneByClient && c.CodeEntry != config.Append:
		return nil
	case primary != nil && !c.PrimaryDoneByClient && c.CodeEntry != config.Only:
		return nil
	case c.Primary == config.Native && primary == nil:
		return hint.New(fmt.Sprintf("client %s has primary: engine, but this engine checks no passwords", c.Name),
			"let the client check the password and set primary: none with primary_done_by_client: true")
	}
	return fmt.Errorf("client %s would let logins through with a factor missing", c.Name)
}

// holder returns the client whom the first of these certificate names that is
// known belongs to, or nil.
func (t *clientTable) holder(certificate []string) *client {
	for _, name := range certificate {
		if c := t.holders[name]; c != nil {
			return c
		}
	}
	return nil
}

// find returns the client with the longest prefix around an address, or nil.
func (t *clientTable) find(a netip.Addr) *client {
	a = a.Unmap().WithZone("")
	lengths := t.v6
	if a.Is4() {
		lengths = t.v4
	}
	for _, bits := range lengths {
		p, err := a.Prefix(bits)
		if err != nil {
			return nil
		}
		if c := t.owner[p]; c != nil {
			return c
		}
	}
	return nil
}
