package config

import (
	"strings"
)

// Push has devices woken through the push services of browsers while the page is
// closed (docs/authenticator.md). Default: nothing is sent there, and devices
// hear of pushes while the page is open.
type Push struct {
	// Subject is whom a push service may write to: mailto:ADDRESS or https://….
	Subject string `yaml:"subject"`

	// Hosts are the push services that are called, HOST or *.DOMAIN. Default:
	// those of Chromium, Firefox, Safari and Edge.
	Hosts []string `yaml:"hosts"`

	// CA is a PEM file of authorities in place of the system's.
	CA string `yaml:"ca"`

	// AllowPrivate lets it call private addresses: for a push service inside.
	AllowPrivate bool `yaml:"allow_private"`
}

func (k *check) push() {
	p := k.Push
	if p == nil {
		return
	}
	mail, isMail := strings.CutPrefix(p.Subject, "mailto:")
	web, isWeb := strings.CutPrefix(p.Subject, "https://")
	if !(isMail && strings.Contains(mail, "@") || isWeb && web != "") {
		k.Refuse("write subject: mailto:it@contoso.example", "push.subject does not say whom a push service may write to")
	}
	for _, host := range p.Hosts {
		if bare := strings.TrimPrefix(host, "*."); bare == "" || strings.ContainsAny(bare, "*/@ ") {
			k.Refuse("write HOST, HOST:PORT or *.DOMAIN", "push.hosts: %q is not a host", host)
		}
	}
	if k.Listeners.Pages == nil {
		k.Refuse("open it, or remove push", "push has nobody to wake: there is no listener pages")
	}
	p.CA = k.Path(p.CA)
}
