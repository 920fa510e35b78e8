// Package accounting takes the accounting that clients send (RFC 2866): it
// keeps it in a journal, or hands it to the servers that took it before.
//
//	d := accounting.New(journal, relays, time.Now)
//	server, err := shim.New(shim.Options{Accountant: d, …})
//
// A request is answered once its record is on the disk, or once a server has
// answered for it, and not otherwise: clients keep what is not answered, and
// send it again. So a record can stand there twice, and never not at all.
package accounting

import (
	"context"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"net/netip"
	"strings"
	"sync/atomic"
	"time"
	"unicode/utf8"

	"mfabridge/shim"
	"mfabridge/shim/config"
	"mfabridge/shim/radius"
	"mfabridge/shim/upstream"
)

// Journal keeps lines; *journal.Journal is one.
type Journal interface {
	// Append returns when the line is durable.
	Append(line []byte) error
}

// Relay hands accounting on; *upstream.Client is one.
type Relay interface {
	Account(ctx context.Context, attributes []upstream.Attribute) error
}

// Desk takes accounting; it is a [shim.Accountant].
type Desk struct {
	journal Journal
	relays  atomic.Pointer[map[string]Relay]
	now     func() time.Time
}

// New returns a Desk. Relays go by the names that clients have for them.
func New(j Journal, relays map[string]Relay, now func() time.Time) *Desk {
	d := &Desk{journal: j, now: now}
	d.Swap(relays)
	return d
}

// Swap replaces the relays.
func (d *Desk) Swap(relays map[string]Relay) { d.relays.Store(&relays) }

// Account implements [shim.Accountant].
func (d *Desk) Account(ctx context.Context, a shim.Account) error {
	switch to := a.Client.Accounting; to {
	case config.Ignore:
		return nil
	case config.Record:
		line, err := json.Marshal(read(a, d.now()))
		if err != nil {
			return err
		}
		return d.journal.Append(line)
	default:
		relay := (*d.relays.Load())[to]
		if relay == nil {
			return fmt.Errorf("accounting of client %s goes to %s, which is not there", a.Client.Name, to)
		}
		return relay.Account(ctx, forwarded(a.Request))
	}
}

// forwarded are the attributes that go on: all but those of the way between
// two hosts.
func forwarded(p radius.Packet) []upstream.Attribute {
	var out []upstream.Attribute
	for t, value := range p.Attributes() {
		switch t {
		case radius.MessageAuthenticator, radius.ProxyState, radius.UserPassword, radius.CHAPPassword:
		default:
			out = append(out, upstream.Attribute{Type: t, Value: value})
		}
	}
	return out
}

// Record is a line of the journal.
type Record struct {
	Time    time.Time      `json:"time"`
	Client  string         `json:"client"`
	From    netip.AddrPort `json:"from"`
	Status  string         `json:"status"` // start, stop, interim-update, accounting-on, accounting-off, or its number
	User    string         `json:"user,omitempty"`
	Session string         `json:"session,omitempty"`
	Station string         `json:"station,omitempty"`
	NAS     string         `json:"nas,omitempty"`
	Address netip.Addr     `json:"address,omitzero"` // Framed-IP-Address
	Seconds uint32         `json:"seconds,omitempty"`
	In      uint64         `json:"octets_in,omitempty"`
	Out     uint64         `json:"octets_out,omitempty"`
	Cause   uint32         `json:"terminate_cause,omitempty"`
	Late    uint32         `json:"delay,omitempty"` // seconds that the client has tried to send it

	// Attributes are all of the request as they came, in base64, but for
	// passwords and what belongs to the way.
	Attributes string `json:"attributes"`
}

// statuses are those of RFC 2866 section 5.1.
func status(n uint32) string {
	switch n {
	case 1:
		return "start"
	case 2:
		return "stop"
	case 3:
		return "interim-update"
	case 7:
		return "accounting-on"
	case 8:
		return "accounting-off"
	}
	return fmt.Sprint(n)
}

// read makes a record of a request.
func read(a shim.Account, now time.Time) Record {
	r := Record{Time: now.UTC(), Client: a.Client.Name, From: a.From, Status: status(number(a.Request, 40)),
		User: text(a.Request, radius.UserName), Session: text(a.Request, 44), Station: text(a.Request, radius.CallingStationID),
		NAS: text(a.Request, radius.NASIdentifier), Seconds: number(a.Request, 46), Cause: number(a.Request, 49), Late: number(a.Request, 41),
		In:  uint64(number(a.Request, 52))<<32 | uint64(number(a.Request, 42)),
		Out: uint64(number(a.Request, 53))<<32 | uint64(number(a.Request, 43))}
	if value, _ := a.Request.Lookup(8); len(value) == 4 {
		r.Address = netip.AddrFrom4([4]byte(value))
	}
	var all []byte
	for _, f := range forwarded(a.Request) {
		all = append(append(all, byte(f.Type), byte(len(f.Value)+2)), f.Value...)
	}
	r.Attributes = base64.StdEncoding.EncodeToString(all)
	return r
}

func number(p radius.Packet, t radius.Type) uint32 {
	if value, _ := p.Lookup(t); len(value) == 4 {
		return binary.BigEndian.Uint32(value)
	}
	return 0
}

// text is an attribute as it may stand in a record: what is not UTF-8 is in
// Attributes alone.
func text(p radius.Packet, t radius.Type) string {
	value, _ := p.Lookup(t)
	if !utf8.Valid(value) {
		return strings.ToValidUTF8(string(value), "?")
	}
	return string(value)
}
