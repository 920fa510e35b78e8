// Package config is the configuration of the shim: a YAML file as plain
// structs, whose field comments are the operator's manual.
//
//	c, warnings, err := config.Load("shim.yaml")
//
// Load is strict and does everything that can be done without changing
// anything: unknown keys are refused by line and name, what a key could
// say but this version cannot do is refused by name, secrets are read, and
// every combination that would leave a login without a factor is an error. A
// [Config] that Load returned is fit to serve. Relative paths count from the
// folder of the configuration file.
package config

import (
	"cmp"
	"crypto/tls"
	"crypto/x509"
	"net/netip"
	"time"

	"mfabridge/cloud/firstfactor"
	"mfabridge/internal/confcheck"
	"mfabridge/internal/secret"
)

// Config is the whole file.
type Config struct {
	// Engine is who is asked for the second factor.
	Engine Engine `yaml:"engine"`

	// Data is the folder for what the shim keeps, above all the cluster key
	// that it makes for a single node. Default: the configuration's folder.
	Data string `yaml:"data"`

	// ClusterKeys seal State and name logins towards the engine. The first
	// seals, all open; every node of a cluster needs the same. Each is file:
	// or env: with 32 random octets in base64. Default: cluster.key under
	// Data, made at the first start.
	ClusterKeys []string `yaml:"cluster_keys"`

	RADIUS RADIUS `yaml:"radius"`

	// Ops is host:port, on the loopback, where /metrics, /healthz and /readyz
	// are answered by HTTP. Left out: nowhere.
	Ops string `yaml:"ops"`

	// Primaries are first-factor checks by name.
	Primaries map[string]*firstfactor.Primary `yaml:"primaries"`

	// Usernames says what the names are that people type. To the engine they
	// go as typed.
	Usernames firstfactor.Usernames `yaml:"usernames"`

	// Keys are the loaded cluster keys, 32 octets each. Empty: none is
	// configured and none has been made yet; see [Config.MakeKeys].
	Keys []secret.Bytes `yaml:"-" says:"cluster_keys"`
}

// FirstFactors are the blocks of who checks first factors, together.
func (c *Config) FirstFactors() firstfactor.Config {
	return firstfactor.Config{Primaries: c.Primaries, Usernames: &c.Usernames}
}

// Engine says who is asked: exactly one of Store, Config, URL, RADIUS,
// Entra and Native.
type Engine struct {
	// Store is sqlite:PATH or postgres://… of an engine's store, opened in this process.
	Store string `yaml:"store"`

	// Config is the file of an engine's configuration (engine.yaml): the engine
	// runs in this process, with its channels and listeners.
	Config string `yaml:"config"`

	// URL is the address of an engine elsewhere: https://HOST[:PORT], or http://
	// on a loopback address.
	URL string `yaml:"url"`

	// ClientID is the name of the application, of role shim, as which the engine
	// at URL is called, and ClientSecret says where its secret is: file:PATH or
	// env:NAME. All nodes of a cluster use the same application: they answer
	// each other's challenges, and an application sees only those that it began.
	ClientID     string `yaml:"client_id"`
	ClientSecret string `yaml:"client_secret"`

	// CA is a file with the certificates of the authorities that the
	// certificate of the engine at URL may come from. Default: the system's.
	CA string `yaml:"ca"`

	// RADIUS asks Network Policy Servers with Microsoft's extension.
	RADIUS *NPS `yaml:"radius"`

	// Entra asks the service behind that extension. It is private to Microsoft.
	Entra *Entra `yaml:"entra"`

	// Native asks Microsoft Entra External ID for both factors.
	Native *External `yaml:"native"`

	// Secret and Authorities are ClientSecret and CA, loaded; Roots is what CA
	// holds.
	Secret      secret.Bytes   `yaml:"-" says:"client_secret"`
	Authorities *x509.CertPool `yaml:"-"`
	Roots       confcheck.PEM  `yaml:"-" says:"ca"`
}

// Place is where the engine is, for people.
func (e *Engine) Place() string {
	switch {
	case e.RADIUS != nil && len(e.RADIUS.Servers) > 0:
		return "NPS at " + e.RADIUS.Servers[0].Address
	case e.Entra != nil:
		return "the private connector of tenant " + e.Entra.Tenant
	case e.Native != nil:
		return "External ID at " + e.Native.URL
	}
	return cmp.Or(e.Store, e.Config, e.URL)
}

// RADIUS says where the shim listens and to whom.
type RADIUS struct {
	// Listen are addresses with port, one UDP socket each: "127.0.0.1:1812",
	// "[::]:1812".
	Listen []string `yaml:"listen"`

	// Clients are the applications (NAS) that may ask.
	Clients []Client `yaml:"clients"`

	// Accounting are addresses with port for accounting: "127.0.0.1:1813".
	// Left out: none.
	Accounting []string `yaml:"accounting"`

	// RadSec is RADIUS over TLS (RFC 6614). Left out: none.
	RadSec *RadSec `yaml:"radsec"`

	// Addresses is Listen, parsed.
	Addresses []netip.AddrPort `yaml:"-"`

	// AccountingAddresses is Accounting, parsed.
	AccountingAddresses []netip.AddrPort `yaml:"-"`
}

// RadSec says how RADIUS over TLS is answered: TLS 1.2 or later, and only to
// clients whose certificate comes from one of the authorities and stands at a
// client.
type RadSec struct {
	// Listen are addresses with a port, one port each: ["0.0.0.0:2083"].
	Listen []string `yaml:"listen"`

	// Cert, Key and CA are PEM files: our certificate with its chain, its key,
	// and the authorities that clients' certificates come from.
	Cert string `yaml:"cert"`
	Key  string `yaml:"key"`
	CA   string `yaml:"ca"`

	// MaxConnections at once at each port; default 256, of one client at most a
	// quarter.
	MaxConnections int `yaml:"max_connections"`

	// Addresses, Certificate and Authorities are what the keys above say, parsed
	// and loaded; Chain and Roots are what the files hold.
	Addresses   []netip.AddrPort `yaml:"-"`
	Certificate tls.Certificate  `yaml:"-"`
	Authorities *x509.CertPool   `yaml:"-"`
	Chain       confcheck.PEM    `yaml:"-" says:"cert"`
	Roots       confcheck.PEM    `yaml:"-" says:"ca"`
}

// Words of the configuration.
const (
	Require = firstfactor.Require // message_authenticator
	Observe = firstfactor.Observe // message_authenticator

	None   = firstfactor.None   // primary: the client has checked the password
	Native = firstfactor.Native // primary: the engine checks the password

	Challenge = "challenge" // code_entry: asked for by Access-Challenge
	Append    = "append"    // code_entry: typed behind the password
	Only      = "only"      // code_entry: the password field is the code

	Deny        = "deny"         // unmatched
	PrimaryOnly = "primary_only" // unmatched: the first factor is enough for who has no second

	Silent = "silent" // on_outage: no answer, so that the client fails over
	Reject = "reject" // on_outage: Access-Reject

	Record = "record" // accounting: kept under data
	Ignore = "ignore" // accounting: answered and forgotten

	Reliable   = "reliable"   // calling_station
	Unreliable = "unreliable" // calling_station: none sent, or a constant one
)

// Client is one application that speaks RADIUS to us.
type Client struct {
	// Name is shown to users and stands in logs. It must be the same on every
	// node of a cluster.
	Name string `yaml:"name"`

	// Networks are prefixes or addresses that the client sends from. Of all
	// clients the longest prefix wins.
	Networks []string `yaml:"networks"`

	// Certificates are what the client's certificate says where it comes by
	// RadSec: a DNS name of it (its common name, if it has none), or
	// sha256: and the fingerprint of the whole certificate. A client that comes
	// by RadSec only needs neither networks nor secret.
	Certificates []string `yaml:"certificates"`

	// Secret is the shared secret, file:PATH or env:NAME. Under 12 octets is a
	// warning, none an error.
	Secret string `yaml:"secret"`

	// MessageAuthenticator: require (default). A request without it is
	// dropped. observe takes it, unless it has Proxy-State, and counts; shim
	// check says when require is safe.
	MessageAuthenticator string `yaml:"message_authenticator"`

	// Primary says who checks the first factor: engine, a name under
	// primaries, or none together with primary_done_by_client: true. There is
	// no default.
	Primary string `yaml:"primary"`

	// PrimaryDoneByClient states that the client itself has proven the first
	// factor before it asks us.
	PrimaryDoneByClient bool `yaml:"primary_done_by_client"`

	// WithoutPassword states that the client sends no password, since it has
	// proven the first factor and cannot show a prompt: RD Gateway is one. Its
	// users are asked by push or call alone. Only with PrimaryDoneByClient.
	WithoutPassword bool `yaml:"without_password"`

	// Unmatched is for a user whom the engine does not know: deny (default), or
	// primary_only, which lets in whom a primary of type ldap has found and
	// proven. What counts is the entry's own key, never the typed name.
	Unmatched string `yaml:"unmatched"`

	// Disabled: deny (default), for a user whom the engine has disabled.
	Disabled string `yaml:"disabled"`

	// CodeEntry: challenge (default) asks for the code in a second step; append
	// takes a code behind the password, and asks where there is none; only takes
	// the password field as the code.
	CodeEntry string `yaml:"code_entry"`

	// FactorDelimiter stands between the password and a word that says how to
	// be asked: push, sms, phone or code. With append it stands before the code
	// too. One to four signs that are no letters and digits; default: none, and
	// no word is looked for.
	FactorDelimiter string `yaml:"factor_delimiter"`

	// PushWait is how long a request is held for a push or a call: from 3s to
	// 3m, below the time after which the client gives up. Default: 45s.
	PushWait string `yaml:"push_wait"`

	// PushNumber shows the number to match in an Access-Challenge; its answer,
	// whatever it says, is held. For clients that can prompt.
	PushNumber bool `yaml:"push_number"`

	// FallbackOATH asks for the code of a token or an app where a push or call
	// was not answered in time or nothing could be delivered; never after
	// somebody has pressed deny.
	FallbackOATH bool `yaml:"fallback_oath"`

	// Cache spares the second factor for a while.
	Cache Cache `yaml:"cache"`

	// CallingStation: reliable (default) tells logins of one user apart and
	// counts failures by Calling-Station-Id; unreliable ignores it.
	CallingStation string `yaml:"calling_station"`

	// Accounting: record (default) keeps accounting under Data, ignore answers
	// and forgets it, and the name of a primary of type radius relays it to
	// those of its servers that have an address for it.
	Accounting string `yaml:"accounting"`

	// OnOutage: silent (default) or reject, when the engine cannot be asked.
	OnOutage string `yaml:"on_outage"`

	// PasswordCharset: utf-8 (default).
	PasswordCharset string `yaml:"password_charset"`

	// Reply says what Access-Accept tells the client of the person.
	Reply *Reply `yaml:"reply"`

	// Prefixes is Networks, parsed; SharedSecret is Secret, loaded.
	Prefixes     []netip.Prefix `yaml:"-"`
	SharedSecret secret.Bytes   `yaml:"-" says:"secret"`

	// Hold is PushWait, parsed.
	Hold time.Duration `yaml:"-"`
}

// Cache says for how long after a second factor none is asked for. Each login
// needs a first factor all the same.
type Cache struct {
	// For is the time after a second factor within which the same user, from
	// the same calling station through the same client, is asked for none: at
	// most 24h. Default: 0s, no cache.
	For string `yaml:"for"`

	// Life is For, parsed.
	Life time.Duration `yaml:"-"`
}
