package confcheck_test

import (
	"strings"
	"testing"

	"mfabridge/internal/confcheck"
	"mfabridge/internal/hint"
)

func TestNetwork(t *testing.T) {
	for text, want := range map[string]string{
		"10.0.0.0/24": "10.0.0.0/24", "10.0.0.7": "10.0.0.7/32", "fd00::/64": "fd00::/64", "fd00::1": "fd00::1/128", "0.0.0.0/0": "0.0.0.0/0",
	} {
		var k confcheck.Check
		if p, ok := k.Network(text, "here"); !ok || p.String() != want || len(k.Problems) > 0 {
			t.Errorf("%s: %s, %v, %v", text, p, ok, k.Problems)
		}
	}
	for text, want := range map[string]struct{ says, advises string }{
		"":                   {`here: "" is not a network`, "write 10.0.0.5"},
		"10.0.0.256":         {`"10.0.0.256" is not a network`, "write 10.0.0.5"},
		"10.0.0.0/33":        {"is not a network", "write 10.0.0.5"},
		"fe80::1%eth0":       {"is not a network", "write 10.0.0.5"},
		"10.0.0.1/24":        {"here: network 10.0.0.1/24 has bits set", "write 10.0.0.0/24 or"},
		"::ffff:10.0.0.7":    {"IPv4 inside IPv6", "write 10.0.0.7/32"},
		"::ffff:10.0.0.7/95": {"IPv4 inside IPv6", "the networks that are meant"},
	} {
		var k confcheck.Check
		if p, ok := k.Network(text, "here"); ok || p.IsValid() || len(k.Problems) != 1 {
			t.Errorf("%s: %s, %v, %v", text, p, ok, k.Problems)
			continue
		}
		if err := k.Problems[0]; !strings.Contains(err.Error(), want.says) || !strings.Contains(hint.Of(err), want.advises) {
			t.Errorf("%s: %v, advice %q", text, err, hint.Of(err))
		}
	}
}
