package main

import (
	"strings"
	"testing"

	"mfabridge/cloud/engine/access"
)

func TestReadNetworks(t *testing.T) {
	all, err := readNetworks(strings.NewReader("network,country\n192.0.2.0/25, XA\n\n# told by nobody\n\"2001:db8::/32\",XB\n198.51.100.0,198.51.100.9,XC\n"))
	if err != nil || len(all) != 3 {
		t.Fatalf("%v, %v", all, err)
	}
	if n := all[0]; n.First.String() != "192.0.2.0" || n.Last.String() != "192.0.2.127" || n.Country != "XA" {
		t.Errorf("%+v", n)
	}
	if n := all[1]; n.Last.String() != "2001:db8:ffff:ffff:ffff:ffff:ffff:ffff" {
		t.Errorf("%+v", n)
	}
	for text, want := range map[string]string{
		"192.0.2.0/24,XA\nnetwork,country\n": "line 2", "192.0.2.0/33,XA\n": "line 1: the network is none", "192.0.2.0/24,xa\n": "two capital letters",
		"192.0.2.9,192.0.2.1,XA\n": "the range is none", "192.0.2.0,2001:db8::,XA\n": "the range is none", "192.0.2.0/24\n": "neither two nor three",
		"192.0.2.0/24,XA,XB,XC\n": "neither two nor three", "fe80::1%eth0,fe80::2%eth0,XA\n": "the range is none", "\"192.0.2.0/24,XA\n": "quote",
	} {
		if _, err := readNetworks(strings.NewReader(text)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %s", text, err, want)
		}
	}
}

func FuzzReadNetworks(f *testing.F) {
	f.Add("192.0.2.0/24,XA\n")
	f.Add("a,b\n192.0.2.0,192.0.2.9,XC\n")
	f.Fuzz(func(t *testing.T, text string) {
		all, err := readNetworks(strings.NewReader(text))
		for _, n := range all {
			if err == nil && (n.Last.Less(n.First) || len(n.Country) != 2 || n.First.Is4() != n.Last.Is4()) {
				t.Errorf("%q: %+v", text, n)
			}
		}
		if len(all) > access.MaxNetworks {
			t.Errorf("%d networks", len(all))
		}
	})
}
