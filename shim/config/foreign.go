package config

import (
	"crypto/x509"
	"strings"
	"time"

	"mfabridge/cloud/firstfactor"
	"mfabridge/internal/confcheck"
	"mfabridge/internal/secret"
)

// NPS asks Network Policy Servers with Microsoft's extension by RADIUS. They
// must let users in by a policy that checks no password.
type NPS struct {
	// Servers in the order in which they are asked. They send no
	// Message-Authenticator unless the update of July 2024 is on them and the
	// setting is made; observe takes them as they are.
	Servers []firstfactor.Server `yaml:"servers"`

	// NASIdentifier tells the server's policies who asks. Default: mfabridge.
	NASIdentifier string `yaml:"nas_identifier"`

	// Password, file:PATH or env:NAME, is sent with each first request, for
	// servers that want one whatever it is. Default: none is sent.
	Password string `yaml:"password"`

	// Settle is how long a login waits to learn whether a code has to be typed,
	// before it counts as asked on a telephone. Default: 4s.
	Settle string `yaml:"settle"`

	// Word and Wait are Password and Settle, loaded.
	Word secret.Bytes  `yaml:"-" says:"password"`
	Wait time.Duration `yaml:"-"`
}

// Entra asks the service behind Microsoft's NPS extension itself. It is a
// private interface, never tried against the genuine service.
type Entra struct {
	// PrivateInterface has to be accepted: Microsoft supports no caller of this
	// service but its own extension, and may change it any day.
	PrivateInterface string `yaml:"private_interface"`

	Tenant string `yaml:"tenant"` // a domain or the id of the tenant

	// Cloud is global (default), usgov or china.
	Cloud string `yaml:"cloud"`

	// ClientID, and ClientSecret or ClientCertificate (file:PATH or env:NAME),
	// are what the tenant's "Azure Multi-Factor Auth Client" was given.
	ClientID          string `yaml:"client_id"`
	ClientSecret      string `yaml:"client_secret"`
	ClientCertificate string `yaml:"client_certificate"`

	// URL and Authority are addresses in the place of the cloud's own, to
	// rehearse: https://…
	URL       string `yaml:"url"`
	Authority string `yaml:"authority"`

	// CA is a PEM file with the authorities of both. Default: the system's.
	CA string `yaml:"ca"`

	// Poll is how often a push or call is asked about. Default: 5s.
	Poll string `yaml:"poll"`

	// Word is ClientSecret or ClientCertificate, Authorities is CA, and Pause is
	// Poll, loaded; Roots is what CA holds.
	Word        secret.Bytes   `yaml:"-" says:"client_secret or client_certificate"`
	Authorities *x509.CertPool `yaml:"-"`
	Roots       confcheck.PEM  `yaml:"-" says:"ca"`
	Pause       time.Duration  `yaml:"-"`
}

// External asks Microsoft Entra External ID for both factors by its native
// authentication API. Every client's primary is engine.
type External struct {
	// URL is https://SUBDOMAIN.ciamlogin.com/SUBDOMAIN.onmicrosoft.com, and
	// ClientID the application there, a public client with native authentication.
	URL      string `yaml:"url"`
	ClientID string `yaml:"client_id"`

	// CA is a PEM file with the authorities of URL. Default: the system's.
	CA string `yaml:"ca"`

	// Authorities is CA, loaded; Roots is what it holds.
	Authorities *x509.CertPool `yaml:"-"`
	Roots       confcheck.PEM  `yaml:"-" says:"ca"`
}

// maxSettle leaves a login time to be answered: all that it asks has to come
// within ten seconds.
const maxSettle = 8 * time.Second

// secretAdvice is what to do where a secret cannot be loaded.
const secretAdvice = "write file:PATH of a file readable by you alone, or env:NAME"

// accepted is what private_interface has to say.
const accepted = "accepted"

// nps checks engine.radius.
func (k *check) nps(n *NPS) {
	for i := range n.Servers {
		if s := &n.Servers[i]; s.StatusCheck == "" && s.TLS == nil {
			s.StatusCheck = firstfactor.NoStatusCheck
		}
	}
	firstfactor.CheckServers(&k.Check, n.Servers, "engine.radius")
	for _, s := range n.Servers {
		if s.Accounting != "" {
			k.Refuse("name the accounting server at a primary", "engine.radius: accounting does not go to an engine")
		}
	}
	if n.Password != "" {
		n.Word = k.Secret(n.Password, "engine.radius.password", secretAdvice)
	}
	n.Wait = k.duration(n.Settle, 4*time.Second, 200*time.Millisecond, maxSettle, "engine.radius", "settle")
	for _, c := range k.RADIUS.Clients {
		k.unable(&c, "engine.radius", oneOf(c.CodeEntry, Append, Only), "an NPS server tells only after it was asked whether a code is right")
		if c.PushNumber {
			k.Refuse("remove push_number", "client %s: push_number: an NPS server shows no number", c.Name)
		}
		if c.FactorDelimiter != "" {
			k.Refuse("remove factor_delimiter", "client %s: factor_delimiter: an NPS server cannot be told how to ask", c.Name)
		}
		if c.FallbackOATH {
			k.Refuse("remove fallback_oath", "client %s: fallback_oath: an NPS server cannot be asked for a code instead: it would ask by the user's own method again", c.Name)
		}
	}
}

// entra checks engine.entra.
func (k *check) entra(e *Entra) {
	if e.PrivateInterface != accepted {
		k.Refuse("use engine.radius with an NPS server and the extension, or write private_interface: accepted once you have read docs/shim.md",
			"engine.entra calls a private interface of Microsoft, and nobody has said that this is known")
	}
	if e.Tenant == "" || strings.ContainsAny(e.Tenant, "/ ") {
		k.Refuse("write tenant: contoso.example", "engine.entra: tenant: %q is no tenant", e.Tenant)
	}
	if e.ClientID == "" || (e.ClientSecret == "") == (e.ClientCertificate == "") {
		k.Refuse("write client_id, and client_certificate: file:PATH or client_secret: file:PATH", "engine.entra does not say as whom the service is called")
	} else {
		e.Word = k.Secret(e.ClientSecret+e.ClientCertificate, "engine.entra", secretAdvice)
	}
	k.Word("engine.entra", "cloud", &e.Cloud, []string{"global", "usgov", "china"})
	e.Authorities, e.Roots = k.Trusted(&e.CA, "engine.entra")
	for key, address := range map[string]string{"url": e.URL, "authority": e.Authority} {
		if address != "" && !strings.HasPrefix(address, "https://") {
			k.Refuse("write https://HOST/…", "engine.entra: %s: %q does not begin with https://", key, address)
		}
	}
	e.Pause = k.duration(e.Poll, 5*time.Second, time.Second, time.Minute, "engine.entra", "poll")
	for _, c := range k.RADIUS.Clients {
		k.unable(&c, "engine.entra", oneOf(c.CodeEntry, Append), "the service tells only after it was asked whether a code is right")
	}
}

// external checks engine.native.
func (k *check) external(e *External) {
	if !strings.HasPrefix(e.URL, "https://") {
		k.Refuse("write url: https://contoso.ciamlogin.com/contoso.onmicrosoft.com", "engine.native: url: %q does not begin with https://", e.URL)
	}
	if e.ClientID == "" {
		k.Refuse("write client_id: and the id of the application", "engine.native has no client_id")
	}
	e.Authorities, e.Roots = k.Trusted(&e.CA, "engine.native")
	for _, c := range k.RADIUS.Clients {
		if entry := oneOf(c.CodeEntry, Append, Only); entry != "" {
			k.Refuse("use code_entry: challenge", "client %s: code_entry: %s cannot be with engine.native: a code is sent only after the password", c.Name, entry)
		}
		if c.Primary != Native {
			k.Refuse("write primary: engine", "client %s: primary: engine.native gives a second factor only to who has proven the first there", c.Name)
		}
		if c.PushNumber || c.FallbackOATH {
			k.Refuse("remove push_number and fallback_oath", "client %s: push_number and fallback_oath: native authentication has no push", c.Name)
		}
		k.cacheless(&c, "engine.native")
	}
}

// oneOf is entry if it is one of words, and empty otherwise.
func oneOf(entry string, words ...string) string {
	for _, w := range words {
		if entry == w {
			return w
		}
	}
	return ""
}

// unable refuses what an engine that is not ours cannot do for a client.
func (k *check) unable(c *Client, engine, entry, why string) {
	if entry != "" {
		k.Refuse("use code_entry: challenge", "client %s: code_entry: %s cannot be with %s: %s", c.Name, entry, engine, why)
	}
	if c.Primary == Native {
		k.Refuse("name a primary of type ldap or radius", "client %s: primary: engine: %s keeps no passwords for us", c.Name, engine)
	}
	if c.Unmatched == PrimaryOnly {
		k.Refuse("write unmatched: deny", "client %s: unmatched: primary_only cannot be with %s: whoever has no user principal name in the directory would do without a second factor", c.Name, engine)
	}
	k.cacheless(c, engine)
}

// cacheless refuses to spare a second factor where nobody can be asked, without
// asking the person, whether the user may still verify.
func (k *check) cacheless(c *Client, engine string) {
	if d, err := time.ParseDuration(c.Cache.For); err == nil && d > 0 {
		k.Refuse("remove the cache", "client %s: cache cannot be with %s: it does not say, without asking the person, whether a user may still verify", c.Name, engine)
	}
}
