// Package shimconf turns what the old server had configured for RADIUS into a
// configuration of the shim. It is pure: it reads and writes nothing.
//
//	r, err := shimconf.Convert(export.Settings(), shimconf.Options{Store: "sqlite:cloud.db"})
//	// r.YAML goes into shim.yaml, each of r.Secrets into a file of 0600 beside it
//
// What an export cannot say (a directory's base, a secret that it left out) is
// left empty with a comment, so that the shim refuses to start until somebody
// fills it in: nothing is guessed that decides who gets in. What the shim does
// not do stands there as a comment with the code of its finding.
package shimconf

import (
	"cmp"
	"encoding/json"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"mfabridge/internal/hint"
	"mfabridge/internal/secret"
	"mfabridge/legacy"
	"mfabridge/migrate"
)

// Options are what settings do not say.
type Options struct {
	Store string // engine.store, e.g. sqlite:cloud.db
	// Source is where the settings come from, for the first comment.
	Source string
}

// File is a secret that goes into a file of its own.
type File struct {
	Name  string // beside the configuration
	Value secret.Bytes
}

// Result is a configuration.
type Result struct {
	YAML    string
	Secrets []File
	Clients int
	Notes   []string // what somebody has to look at, in the order of the configuration
}

// primary is the name of the old server's target in the configuration.
const primary = "old"

// Ports where the old server says none (RFC 2865, RFC 2866).
const (
	authenticationPort = 1812
	accountingPort     = 1813
)

// writer makes the text.
type writer struct {
	strings.Builder
	r     Result
	taken map[string]bool // names of clients
	nets  map[netip.Addr]string
}

func (w *writer) line(format string, args ...any) { fmt.Fprintf(w, format+"\n", args...) }

// note writes a comment that somebody has to look at.
func (w *writer) note(indent, format string, args ...any) {
	text := plain(fmt.Sprintf(format, args...))
	w.line("%s# %s", indent, text)
	w.r.Notes = append(w.r.Notes, text)
}

// plain is a text on one line, without what a terminal would obey.
func plain(s string) string {
	return strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return ' '
		}
		return r
	}, s)
}

// quote is a text as YAML takes it: JSON is YAML.
func quote(s string) string {
	b, err := json.Marshal(plain(s))
	if err != nil {
		return `""`
	}
	return string(b)
}

// Convert makes a configuration of settings.
func Convert(s legacy.Settings, o Options) (Result, error) {
	if len(s.RadiusClients) == 0 {
		return Result{}, hint.New("the export has no RADIUS clients", "add settings.json with radiusClients, as docs/export.md describes it, or write shim.yaml by hand (docs/shim.md)")
	}
	w := &writer{taken: make(map[string]bool), nets: make(map[netip.Addr]string)}
	w.line("# Made by mfabridge shim import%s. Look at every comment, then: mfabridge shim check", plain(from(o.Source)))
	w.line("engine:\n  store: %s", quote(o.Store))
	w.line("data: .\nradius:")
	all := everywhere(s.RadiusClients)
	w.line("  listen: [%s]", all(authenticationPort))
	accounting := relays(s.RadiusTarget)
	if accounting {
		w.line("  accounting: [%s]", all(accountingPort))
	}
	w.line("  clients:")
	for i, c := range s.RadiusClients {
		w.client(i, c, s.RadiusTarget.Type, accounting)
	}
	w.target(s.RadiusTarget)
	w.rest(s)
	w.r.YAML = w.String()
	return w.r, nil
}

// everywhere writes the sockets of a port for all addresses: of IPv6 too where
// a client has such an address.
func everywhere(clients []legacy.RadiusClient) func(port int) string {
	six := slices.ContainsFunc(clients, func(c legacy.RadiusClient) bool {
		a, err := netip.ParseAddr(c.IPAddress)
		return err == nil && a.Unmap().Is6()
	})
	return func(port int) string {
		list := fmt.Sprintf(`"0.0.0.0:%d"`, port)
		if six {
			list += fmt.Sprintf(`, "[::]:%d"`, port)
		}
		return list
	}
}

// relays tells whether a target takes accounting.
func relays(t legacy.RadiusTarget) bool {
	return t.Type == "radius" && slices.ContainsFunc(t.Servers, func(s legacy.TargetServer) bool { return s.AccountingPort != 0 })
}

func from(source string) string {
	if source == "" {
		return ""
	}
	return " from " + source
}

// client writes one client.
func (w *writer) client(i int, c legacy.RadiusClient, target string, accounting bool) {
	directory := target == "ldap" || target == "windows"
	name := w.name(cmp.Or(c.ApplicationName, c.Name, c.IPAddress), i)
	w.line("    - name: %s", quote(name))
	address, err := netip.ParseAddr(c.IPAddress)
	address = address.Unmap()
	switch {
	case err != nil:
		w.note("      ", "%s: the old server knew it as %q, which is no address: write the address that it asks from", name, c.IPAddress)
		w.line("      networks: []")
	case w.nets[address] != "":
		w.note("      ", "%s: %s belongs to %s too: tell them apart by address, or make them one", name, address, w.nets[address])
		w.line("      networks: [%s]", quote(address.String()))
	default:
		w.nets[address] = name
		w.line("      networks: [%s]", quote(address.String()))
	}
	w.secret("      ", fmt.Sprintf("client-%d-%s.secret", i+1, slug(name)), c.SharedSecret, name)
	w.line("      message_authenticator: observe    # shim check says when require is safe")
	if target != "" {
		w.line("      primary: %s", primary)
	} else {
		w.note("      ", "%s: the export does not say who checked the password: name a primary", name)
		w.line("      primary: \"\"")
	}
	switch {
	case c.RequireUserMatch:
		w.line("      unmatched: deny")
	case !c.PassesUnknown:
		w.note("      ", "%s: the export does not say whether the old server let users pass whom it did not know; deny keeps them out", name)
		w.line("      unmatched: deny")
	case !directory:
		w.note("      ", "%s: the old server let users pass on their password alone whom it did not know; the shim does that with a directory only", name)
		w.line("      unmatched: deny")
	default:
		w.note("      ", "%s: the old server let users pass on their password alone whom it did not know; deny closes that", name)
		w.line("      unmatched: primary_only")
	}
	w.line("      code_entry: challenge")
	w.line("      push_wait: 45s                    # must be below the client's time-out; the old server's manual asks for 60 seconds there")
	if c.EnableFallbackOathToken {
		w.line("      fallback_oath: true")
	}
	if accounting {
		w.line("      accounting: %s", primary)
	}
	w.r.Clients++
}

// name is a name that the shim takes, and no other client has.
func (w *writer) name(s string, i int) string {
	s = strings.TrimSpace(plain(s))
	for len(s) > 56 {
		_, size := utf8.DecodeLastRuneInString(s)
		s = strings.TrimSpace(s[:len(s)-size])
	}
	if s == "" {
		s = fmt.Sprintf("client %d", i+1)
	}
	if w.taken[s] {
		s = fmt.Sprintf("%s (%d)", s, i+1)
	}
	w.taken[s] = true
	return s
}

// slug is a part of a file's name.
func slug(s string) string {
	s = strings.Map(func(r rune) rune {
		switch {
		case r >= 'a' && r <= 'z', r >= '0' && r <= '9':
			return r
		}
		return '-'
	}, strings.ToLower(s))
	return strings.Trim(s[:min(len(s), 40)], "-")
}

// secret names a file for a shared secret.
func (w *writer) secret(indent, file string, value secret.Bytes, whose string) {
	if value.IsZero() {
		w.note(indent, "%s: the export has no shared secret for it: write it to %s, readable by you alone", whose, file)
	} else {
		w.r.Secrets = append(w.r.Secrets, File{Name: file, Value: value})
	}
	w.line("%ssecret: %s", indent, quote("file:"+file))
}

// target writes who checks the first factor.
func (w *writer) target(t legacy.RadiusTarget) {
	switch t.Type {
	case "radius":
		w.line("primaries:\n  %s:\n    type: radius\n    servers:", primary)
		for i, s := range t.Servers {
			host, port := w.server("      ", s.Address)
			w.line("      - address: %s", quote(endpoint(host, cmp.Or(s.AuthenticationPort, port, authenticationPort))))
			if s.AccountingPort != 0 {
				w.line("        accounting: %s", quote(endpoint(host, s.AccountingPort)))
			}
			w.secret("        ", fmt.Sprintf("server-%d.secret", i+1), s.SharedSecret, "server "+s.Address)
			w.line("        message_authenticator: observe    # require, once that server sends it")
		}
	case "ldap", "windows":
		w.line("primaries:\n  %s:\n    type: ldap", primary)
		var urls []string
		for _, s := range t.Servers {
			if host, port := w.server("    ", s.Address); host != "" {
				urls = append(urls, quote(directory(host, port)))
			}
		}
		if t.Type == "windows" {
			w.note("    ", "the old server asked Windows itself; the shim asks a domain controller by LDAP")
		}
		if len(urls) == 0 {
			w.note("    ", "write the domain controllers, e.g. ldaps://dc1.corp.example")
		}
		w.line("    urls: [%s]", strings.Join(urls, ", "))
		w.note("    ", "the export does not have the directory's base, nor who may search it: fill in base_dn, bind_dn, bind_password")
		w.line("    base_dn: \"\"")
		w.note("", "where people type DOMAIN\\name, write the domain and its base: usernames: {domains: {CORP: corp.example}}")
	}
}

// server takes an address apart; port 0: it has none. Of what is no address
// nothing is kept, and the file says what stood there.
func (w *writer) server(indent, address string) (host string, port int) {
	host = strings.TrimSpace(address)
	if at, number, err := net.SplitHostPort(host); err == nil {
		n, err := strconv.ParseUint(number, 10, 16)
		if err != nil || n == 0 {
			at = ""
		}
		host, port = at, int(n)
	}
	host = strings.TrimSuffix(strings.TrimPrefix(host, "["), "]")
	strange := func(r rune) bool {
		return !unicode.IsLetter(r) && !unicode.IsDigit(r) && !strings.ContainsRune("-._:%", r)
	}
	if _, err := netip.ParseAddr(host); err != nil && (host == "" || strings.ContainsFunc(host, strange) || strings.Contains(host, ":")) {
		w.note(indent, "the old server asked %q, which is no address of a server: write the one that is meant", address)
		return "", 0
	}
	return host, port
}

// endpoint is host and port; of a host that is not known it is empty, which the
// shim refuses.
func endpoint(host string, port int) string {
	if host == "" {
		return ""
	}
	return net.JoinHostPort(host, strconv.Itoa(port))
}

// directory is the address of a directory by TLS. 389 is the port without it.
func directory(host string, port int) string {
	if port == 0 || port == 389 || port == 636 {
		if a, err := netip.ParseAddr(host); err == nil && a.Is6() {
			return "ldaps://[" + host + "]"
		}
		return "ldaps://" + host
	}
	return "ldaps://" + endpoint(host, port)
}

// rest writes what the shim does not do, with the findings' codes.
func (w *writer) rest(s legacy.Settings) {
	for _, c := range s.LDAPClients {
		w.note("", "%s: %s asked the old server by LDAP; the shim answers RADIUS only", migrate.LDAPClientNotServed, cmp.Or(c.ApplicationName, c.Name, c.IPAddress))
	}
	for _, c := range s.Caching {
		w.note("", "%s: no second factor for %s after a success (%s, %s); cache at a client is the nearest", migrate.CacheRuleNotMoved,
			time.Duration(c.Seconds)*time.Second, cmp.Or(c.Type, "a rule"), cmp.Or(c.Application, c.AuthenticationType, "every application"))
	}
	for _, t := range s.TrustedIPs {
		w.note("", "%s: no second factor was asked for from %s to %s", migrate.TrustedIPNotMoved, t.From, t.To)
	}
}
