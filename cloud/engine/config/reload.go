package config

import (
	"errors"
	"fmt"
	"reflect"
	"slices"

	"mfabridge/internal/hint"
)

// Follows tells whether a configuration can take the place of c while it is
// served: only the files of certificates, the times of tokens, fraud, primaries
// and who of them is asked may differ. The error names every key that asks for
// a new start.
func (c *Config) Follows(next *Config) error {
	var problems []error
	fixed := func(key string, same bool) {
		if !same {
			problems = append(problems, hint.New(key+" cannot change while the engine runs", "start the engine again, or put the old value back"))
		}
	}
	fixed("store", c.Store == next.Store)
	fixed("key", c.Key == next.Key)
	fixed("limits", c.Limits == next.Limits)
	fixed("audit", c.Audit == next.Audit)
	fixed("public_url", c.PublicURL == next.PublicURL)
	fixed("channels", reflect.DeepEqual(c.Channels, next.Channels))
	fixed("push", reflect.DeepEqual(c.Push, next.Push))
	for _, l := range []struct {
		name      string
		was, will *Listener
	}{{"pages", c.Listeners.Pages, next.Listeners.Pages}, {"api", c.Listeners.API, next.Listeners.API}, {"ops", c.Listeners.Ops, next.Listeners.Ops},
		{"graph", c.Listeners.Graph, next.Listeners.Graph}} {
		at := fmt.Sprintf("listeners.%s", l.name)
		if l.was == nil || l.will == nil {
			fixed(at, l.was == l.will)
			continue
		}
		fixed(at+".listen", l.was.Address == l.will.Address)
		fixed(at+".url", l.was.URL == l.will.URL)
		fixed(at+".trusted_proxies", slices.Equal(l.was.Proxies, l.will.Proxies))
		fixed(at+".assume", slices.Equal(l.was.Assume, l.will.Assume))
		fixed(at+".tls", (l.was.TLS == nil) == (l.will.TLS == nil))
	}
	return errors.Join(problems...)
}
