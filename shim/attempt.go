package shim

import (
	"encoding/hex"
	"net/netip"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"

	"mfabridge/cloud/form"
	"mfabridge/internal/casefold"
	"mfabridge/internal/secret"
	"mfabridge/shim/config"
	"mfabridge/shim/radius"
)

// attempt is what an Access-Request says, checked.
type attempt struct {
	client   *client
	user     string // NFC, else as typed
	folded   string // for comparing
	station  string // Calling-Station-Id, if this client's is reliable
	place    string // tells logins of one user apart: the station, else see readStation
	address  netip.Addr
	password secret.Bytes // revealed User-Password
	state    []byte       // empty: a first leg
	protocol Protocol
	signed   bool       // nobody but the client can have written it
	eap      radius.EAP // with protocol EAP
	packet   radius.Packet
}

// readAttempt takes an Access-Request apart. What it returns besides a reason
// is good for a log line at most.
func readAttempt(p radius.Packet, c *client, s *radius.Secret, from netip.Addr) (attempt, reason) {
	a := attempt{client: c, packet: p}
	_, signatures := p.Lookup(radius.MessageAuthenticator) // a wrong one gets nothing this far
	a.signed = signatures > 0 || c.inTLS
	name, names := p.Lookup(radius.UserName)
	a.user = string(name)
	if r := a.readUser(names); r != "" {
		return a, r
	}
	state, states := p.Lookup(radius.State)
	a.state = state
	a.readStation(p, from)
	if otherProtocol(p) {
		return a.readRelayed(p, states)
	}
	a.protocol = PAP
	hidden, passwords := p.Lookup(radius.UserPassword)
	switch {
	case states > 1 || passwords > 1:
		return a, attributeTwice // RFC 2865 section 5.44
	case len(hidden) == 0 && showsNumber(state):
		return a, "" // nothing has to be typed there, and nothing of it counts
	case passwords == 0 && states == 0 && a.client.WithoutPassword:
		a.protocol = Bare
		return a, ""
	case passwords == 0:
		return a, noPassword
	case states == 1 && len(state) == 0:
		return a, stateMalformed
	}
	password, err := s.Password(make([]byte, 0, radius.MaxPassword), hidden, p.Authenticator())
	if err != nil || !utf8.Valid(password) {
		return a, badPassword
	}
	a.password = secret.New(password)
	return a, ""
}

// readRelayed takes a request apart whose first factor is proven by another
// protocol than PAP, and must not be judged as if it were PAP.
func (a attempt) readRelayed(p radius.Packet, states int) (attempt, reason) {
	var why reason
	a.protocol, a.eap, why = readProtocol(p) // first: the protocol says how to refuse
	name, _ := p.Lookup(radius.UserName)
	switch {
	case a.client.relayer == nil:
		why = protocolNotSupported
	case string(name) != a.user:
		why = badUserName // it travels as it is, and the engine is asked of its NFC
	case why == "" && (a.protocol == PAP || states > 1):
		why = attributeTwice
	}
	return a, why
}

// readUser checks the name and brings it into its forms.
func (a *attempt) readUser(count int) reason {
	switch {
	case a.user == "":
		return noUserName
	case count > 1:
		return attributeTwice
	case !utf8.ValidString(a.user) || strings.ContainsFunc(a.user, unicode.IsControl):
		return badUserName
	}
	a.user = norm.NFC.String(a.user)
	a.folded = casefold.String(a.user)
	return ""
}

// readStation takes Calling-Station-Id, where this client's can be relied on.
// Bytes that are no text are kept as hexadecimal digits.
//
// Without one, all who come through a client look alike. So each request is a
// login of its own, and only its very copies (RFC 5080 section 2.2.2), which
// have its authenticator, are equal to it: whoever read a code off a screen
// would get its verdict once more, and whoever knows a password would come in
// by the push that somebody else approves. Where the configuration says that
// there never is a station, the address that asks stands for it, but not for
// codes in the password field (see codeAtOnce). A State is a login's own name:
// with one, the answer to it need not be told apart.
func (a *attempt) readStation(p radius.Packet, from netip.Addr) {
	unreliable := a.client.CallingStation == config.Unreliable
	a.place = "from " + from.Unmap().String()
	if len(a.state) == 0 && (a.client.CodeEntry == config.Only || !unreliable) {
		a.place += " request " + hex.EncodeToString(p.Authenticator())
	}
	if unreliable {
		return
	}
	value, _ := p.Lookup(radius.CallingStationID)
	if len(value) == 0 {
		return
	}
	a.station = string(value)
	if printable(a.station) != a.station {
		a.station = "0x" + hex.EncodeToString(value)
	}
	a.place = "station " + a.station
	if address, err := netip.ParseAddr(a.station); err == nil {
		a.address = address
	}
}

// owner is whose the State of the attempt is.
func (a attempt) owner() owner { return owner{a.client.Name, a.folded, a.station} }

// otherProtocol tells whether the request proves itself by something else than
// User-Password, alone or besides.
func otherProtocol(p radius.Packet) bool {
	for kind, value := range p.Attributes() {
		switch kind {
		case radius.CHAPPassword, radius.EAPMessage:
			return true
		case radius.VendorSpecific:
			if vendor, first, ok := radius.Vendor(value); ok && vendor == radius.Microsoft && proves(first) {
				return true
			}
			vendor, inside, ok := radius.VendorAttributes(value)
			if !ok || vendor != radius.Microsoft {
				continue
			}
			for kind := range inside {
				if proves(kind) {
					return true
				}
			}
		}
	}
	return false
}

// proves tells whether a Microsoft attribute is a proof: MS-CHAP-Response,
// -CPW-1, -CPW-2, MS-CHAP2-Response, -CPW.
func proves(kind uint8) bool {
	return kind == radius.MSCHAPResponse || kind == 3 || kind == 4 || kind == radius.MSCHAP2Response || kind == 27
}

// printable is a text as it may stand in a log: as it is, or quoted if it has
// anything that could fool a reader.
func printable(s string) string {
	if form.IsPlain(s) {
		return s
	}
	return strconv.QuoteToASCII(s)
}
