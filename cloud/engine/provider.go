package engine

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"mfabridge/cloud"
	"mfabridge/cloud/form"
)

// metaProvider is how names of Meta values begin that say how a provider is used.
const metaProvider = "provider/"

// ProviderState is how a provider of engine.yaml is used, as an administrator has
// said since. It holds on every node and across restarts.
type ProviderState struct {
	Mode    string `json:"mode"`    // live, evaluate or off
	Percent int    `json:"percent"` // of all users, 1 to 100
}

// SetProvider says how a provider is used from now on. Every node follows within
// seconds.
func (e *Engine) SetProvider(ctx context.Context, by Actor, name string, s ProviderState) error {
	if err := by.check(); err != nil {
		return err
	}
	if err := form.CheckText("the name of a provider", name, form.MaxLabel); err != nil {
		return err
	}
	switch {
	case s.Mode != "live" && s.Mode != "evaluate" && s.Mode != "off":
		return refuse(cloud.Invalid, "a provider is live, evaluate or off")
	case s.Percent < 1 || s.Percent > 100:
		return refuse(cloud.Invalid, "a provider takes 1 to 100 percent of all users")
	}
	value, err := json.Marshal(s)
	if err != nil {
		return errors.New("the state of a provider cannot be written")
	}
	return asError(e.store.Update(ctx, func(tx Tx) error {
		return errors.Join(tx.SetMeta(metaProvider+name, value),
			tx.Append(e.entry(by, "provider.set", name, fmt.Sprintf("mode=%s percent=%d", s.Mode, s.Percent), e.now())))
	}))
}

// Providers are the states that were set, by name.
func (e *Engine) Providers(ctx context.Context) (all map[string]ProviderState, err error) {
	err = e.store.View(ctx, func(r Reader) error {
		all = map[string]ProviderState{}
		names, err := r.MetaNames(metaProvider)
		if err != nil {
			return err
		}
		for _, name := range names {
			value, err := r.Meta(name)
			if err != nil {
				return err
			}
			var s ProviderState
			if json.Unmarshal(value, &s) != nil {
				return refuse(cloud.Internal, "the state of a provider cannot be read")
			}
			all[strings.TrimPrefix(name, metaProvider)] = s
		}
		return nil
	})
	return all, asError(err)
}
