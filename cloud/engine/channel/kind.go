package channel

import (
	"slices"
	"strings"

	"mfabridge/cloud/engine/channel/carrier"
)

// settings are what a provider of one kind is configured with: [HTTP], [SMTP],
// [SMPP], [WhatsApp], [RCS] or [Twin].
type settings interface {
	// check completes the settings, and says everything that is wrong with them.
	// at is where they stand in the configuration.
	check(k *checking, at string)

	// host is the host that is called; of an outbox the folder.
	host() string

	// callsUs tells whether the provider calls us, with receipts or keys.
	callsUs(channel string) bool

	// open makes the driver of settings that were checked. hook is where the
	// provider calls us; empty: nobody has said.
	open(channel, hook string, o *Options) (carrier.Driver, error)
}

// kind is one kind of provider.
type kind struct {
	name     string   // the key of its settings in a provider
	channels []string // that take it, by their names in the configuration
	has      bool     // whether the provider has such settings
	settings settings // of the provider; counts with has
}

// kinds are all kinds, with what the provider has of each. A new kind is a field
// of [Provider] and a row here.
func (p *Provider) kinds() []kind {
	return []kind{
		{"http", []string{"text", "voice"}, p.HTTP != nil, p.HTTP},
		{"smpp", []string{"text"}, p.SMPP != nil, p.SMPP},
		{"smtp", []string{"text", "email"}, p.SMTP != nil, p.SMTP},
		{"whatsapp", []string{"whatsapp"}, p.WhatsApp != nil, p.WhatsApp},
		{"rcs", []string{"rcs"}, p.RCS != nil, p.RCS},
		{"outbox", []string{"text", "whatsapp", "rcs", "voice", "email"}, p.Outbox != nil, p.Outbox},
	}
}

// kind is the one kind that a checked provider has.
func (p *Provider) kind() kind {
	all := p.kinds()
	return all[slices.IndexFunc(all, func(k kind) bool { return k.has })]
}

// Kind says what a provider is: http, with its profile, smtp, whatsapp, smpp, rcs
// or outbox.
func (p *Provider) Kind() string {
	if p.HTTP != nil && p.HTTP.Profile != "" {
		return "http (" + p.HTTP.Profile + ")"
	}
	return p.kind().name
}

// Host is the host that is called; of an outbox the folder.
func (p *Provider) Host() string { return p.kind().settings.host() }

// hostOf is the host of an address.
func hostOf(address string) string {
	_, rest, _ := strings.Cut(address, "://")
	host, _, _ := strings.Cut(rest, "/")
	return host
}

func (h *HTTP) host() string     { return hostOf(h.URL) }
func (s *SMPP) host() string     { return s.Host }
func (s *SMTP) host() string     { return s.Host }
func (w *WhatsApp) host() string { return hostOf(w.URL) }
func (r *RCS) host() string      { return hostOf(r.URL) }
func (t *Twin) host() string     { return t.Folder }

func (h *HTTP) callsUs(channel string) bool { return h.Receipts != nil || channel == "voice" }
func (s *SMPP) callsUs(string) bool         { return false } // receipts come by the connection
func (s *SMTP) callsUs(string) bool         { return false }
func (w *WhatsApp) callsUs(string) bool     { return w.AppSecret != "" }
func (r *RCS) callsUs(string) bool          { return r.Token != "" }
func (t *Twin) callsUs(string) bool         { return false }

func (h *HTTP) open(channel, hook string, o *Options) (carrier.Driver, error) {
	if channel == "voice" {
		return NewPhone(o.Config.Voice, h, hook)
	}
	return NewCaller(h, hook)
}

func (s *SMPP) open(_, _ string, o *Options) (carrier.Driver, error) { return openCentre(s, o.Log) }

func (s *SMTP) open(channel, _ string, _ *Options) (carrier.Driver, error) {
	return NewMailer(s, channel == "email")
}

func (w *WhatsApp) open(_, _ string, _ *Options) (carrier.Driver, error) { return NewMessenger(w) }

func (r *RCS) open(_, _ string, o *Options) (carrier.Driver, error) { return newAgent(r, o.Now) }

func (t *Twin) open(channel, _ string, o *Options) (carrier.Driver, error) {
	return newTwin(t, channel, o.Now)
}
