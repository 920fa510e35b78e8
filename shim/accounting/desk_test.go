package accounting_test

import (
	"context"
	"encoding/json"
	"errors"
	"net/netip"
	"strings"
	"testing"
	"time"

	"mfabridge/shim"
	"mfabridge/shim/accounting"
	"mfabridge/shim/config"
	"mfabridge/shim/radius"
	"mfabridge/shim/upstream"
)

type memory struct {
	lines []string
	err   error
	sent  []upstream.Attribute
}

func (m *memory) Append(line []byte) error {
	m.lines = append(m.lines, string(line))
	return m.err
}

func (m *memory) Account(_ context.Context, attributes []upstream.Attribute) error {
	m.sent = attributes
	return m.err
}

func stop(t *testing.T, to string) shim.Account {
	t.Helper()
	w := radius.NewAccountingRequest(nil, 1)
	w.AddUint32(40, 2)
	w.Add(radius.UserName, []byte("ada\xff"))
	w.Add(44, []byte("s1"))
	w.AddUint32(46, 3600)
	w.AddUint32(42, 5)
	w.AddUint32(52, 1)
	w.Add(8, []byte{192, 0, 2, 7})
	w.Add(radius.ProxyState, []byte("way"))
	w.Add(radius.UserPassword, []byte("sixteen octets.."))
	b, err := radius.NewSecret([]byte("x")).SealAccountingRequest(&w)
	if err != nil {
		t.Fatal(err)
	}
	p, err := radius.Parse(b)
	if err != nil {
		t.Fatal(err)
	}
	return shim.Account{Client: config.Client{Name: "vpn", Accounting: to}, From: netip.MustParseAddrPort("192.0.2.1:4000"), Request: p}
}

func TestRecordsAreKept(t *testing.T) {
	m := new(memory)
	d := accounting.New(m, nil, func() time.Time { return time.Unix(1e9, 0) })
	if err := d.Account(t.Context(), stop(t, config.Record)); err != nil {
		t.Fatal(err)
	}
	var r accounting.Record
	if err := json.Unmarshal([]byte(m.lines[0]), &r); err != nil {
		t.Fatal(err)
	}
	if r.Status != "stop" || r.User != "ada?" || r.Session != "s1" || r.Seconds != 3600 || r.In != 1<<32+5 || r.Address.String() != "192.0.2.7" || r.Client != "vpn" || !r.Time.Equal(time.Unix(1e9, 0)) {
		t.Errorf("record %+v", r)
	}
	if strings.Contains(m.lines[0], "c2l4dGVlbiBvY3RldHMuLg") {
		t.Error("the record has a password")
	}
	m.err = errors.New("the disk is full")
	if err := d.Account(t.Context(), stop(t, config.Record)); err == nil {
		t.Error("answered for a record that is not safe")
	}
}

func TestAccountingIsRelayedOrIgnored(t *testing.T) {
	m := new(memory)
	d := accounting.New(m, map[string]accounting.Relay{"old": m}, time.Now)
	if err := d.Account(t.Context(), stop(t, config.Ignore)); err != nil || len(m.lines) != 0 || m.sent != nil {
		t.Errorf("ignored: %v, %q", err, m.lines)
	}
	if err := d.Account(t.Context(), stop(t, "old")); err != nil || len(m.sent) != 7 {
		t.Errorf("relayed: %v, %d attributes", err, len(m.sent))
	}
	m.err = errors.New("no answer")
	if err := d.Account(t.Context(), stop(t, "old")); err == nil {
		t.Error("answered for what nobody took")
	}
	d.Swap(nil)
	if err := d.Account(t.Context(), stop(t, "old")); err == nil {
		t.Error("answered for a server that is gone")
	}
}
