package tries

import (
	"crypto/sha256"
	"encoding/hex"
	"net/netip"
	"strings"

	"mfabridge/cloud"
)

// maxStation is the longest calling station that stands in a counter as it is, in
// bytes; of a longer one a digest does.
const maxStation = 64

// Place is what failures are counted by: "station:" with the calling station,
// else "address:" with the address, of IPv6 its /64, within which a caller picks
// addresses freely, else "unknown".
func Place(c cloud.Client) string {
	switch {
	case len(c.Station) > maxStation:
		sum := sha256.Sum256([]byte(c.Station))
		return "station:" + hex.EncodeToString(sum[:16])
	case c.Station != "":
		return "station:" + c.Station
	case c.Address.IsValid():
		return "address:" + subnet(c.Address)
	default:
		return "unknown"
	}
}

func subnet(a netip.Addr) string {
	a = a.Unmap()
	if a.Is6() {
		if p, err := a.Prefix(64); err == nil {
			return p.String()
		}
	}
	return a.String()
}

// around is the network that an address is in: people get another address at
// the same place every few days. A calling station is itself.
func around(place string) string {
	text, ok := strings.CutPrefix(place, "address:")
	if !ok {
		return place
	}
	bits := 24
	a, err := netip.ParseAddr(text)
	if err != nil { // IPv6 is a network already
		p, err := netip.ParsePrefix(text)
		if err != nil {
			return place
		}
		a, bits = p.Addr(), 48
	}
	p, err := a.Prefix(bits)
	if err != nil {
		return place
	}
	return "network:" + p.String()
}
