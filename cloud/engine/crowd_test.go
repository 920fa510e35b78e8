package engine_test

import (
	"net/netip"
	"testing"

	"mfabridge/cloud"
	"mfabridge/cloud/engine"
	"mfabridge/internal/secret"
)

// One address has so many passwords waiting as it may, and the next person who
// comes from another one is asked in all the same.
func TestACrowdOfOneAddressKeepsNobodyOut(t *testing.T) {
	h := build(t)
	eve, ada := netip.MustParseAddr("198.51.100.7"), netip.MustParseAddr("192.0.2.1")
	app := h.shop(t)
	enter := map[string]func(from netip.Addr) error{
		"page": func(from netip.Addr) error {
			_, err := h.SignIn(t.Context(), engine.SignIn{Name: "nobody@contoso.example", Password: secret.FromString("wrong"), Client: cloud.Client{Address: from}})
			return err
		},
		"native": func(from netip.Addr) error {
			f, err := h.BeginSignIn(t.Context(), app, "nobody@contoso.example", engine.Offer{Password: true})
			if err != nil {
				return err
			}
			client := engine.NativeClient{Address: from}
			if f, _, err = h.AskFirst(t.Context(), app, f, client); err != nil {
				return err
			}
			_, err = h.AnswerPassword(t.Context(), app, f, secret.FromString("wrong"), client, engine.Wish{})
			return err
		},
	}
	_, leave := h.CrowdFrom(eve)
	for name, in := range enter {
		if err := in(eve); cloud.KindOf(err) != cloud.Throttled {
			t.Errorf("%s: one more of the crowd: %v", name, err)
		}
		if err := in(ada); cloud.KindOf(err) != cloud.Denied {
			t.Errorf("%s: somebody else: %v", name, err)
		}
	}
	leave()
	for name, in := range enter {
		if err := in(eve); cloud.KindOf(err) != cloud.Denied {
			t.Errorf("%s: afterwards: %v", name, err)
		}
	}
}
