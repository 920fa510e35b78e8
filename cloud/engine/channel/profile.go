package channel

import (
	"cmp"
	_ "embed"
	"fmt"
	"maps"
	"slices"
	"strings"

	"mfabridge/internal/strictyaml"
)

//go:embed profiles.yaml
var profilesText []byte

// profile is a ready shape of a provider.
type profile struct {
	Channel string `yaml:"channel"` // voice; empty: of texts

	Vars []string `yaml:"vars"` // that a provider must give
	HTTP HTTP     `yaml:"http"`
}

func profiles() (map[string]profile, error) {
	all := map[string]profile{}
	kind := strictyaml.Kind{Name: "profiles", Manual: "docs/delivery.md", Empty: "it needs a profile"}
	return all, kind.Decode(profilesText, "profiles.yaml", &all)
}

// Profiles are the names of all profiles.
func Profiles() []string {
	all, _ := profiles() // a test reads them all
	return slices.Sorted(maps.Keys(all))
}

// fill takes what h leaves out from its profile.
func (h *HTTP) fill(channel string) error {
	if h.Profile == "" {
		return nil
	}
	all, err := profiles()
	if err != nil {
		return err
	}
	p, known := all[h.Profile]
	if known && (p.Channel == "voice") != (channel == "voice") {
		return fmt.Errorf("the profile %s is not for %s", h.Profile, channel)
	}
	if !known {
		return fmt.Errorf("profile is none of %s", strings.Join(Profiles(), ", "))
	}
	for _, name := range p.Vars {
		if h.Vars[name] == "" {
			return fmt.Errorf("the profile %s needs vars: {%s: …}", h.Profile, name)
		}
	}
	if h.Method == "" {
		h.Method = p.HTTP.Method
	}
	if h.URL == "" {
		h.URL = p.HTTP.URL
	}
	if p.HTTP.Basic != nil && h.Bearer == "" {
		switch {
		case h.Basic == nil:
			h.Basic = &Basic{User: p.HTTP.Basic.User}
		case h.Basic.User == "":
			h.Basic = &Basic{User: p.HTTP.Basic.User, Password: h.Basic.Password}
		}
	}
	if h.Form == nil && h.JSON == nil {
		h.Form, h.JSON = p.HTTP.Form, p.HTTP.JSON
	}
	if h.ID == "" {
		h.ID = p.HTTP.ID
	}
	if r, known := h.Receipts, p.HTTP.Receipts; r != nil && known != nil && r.Signature == "" {
		filled := *r // what is written stays, and is refused where it means nothing
		filled.Signature, filled.ID, filled.Status = known.Signature, cmp.Or(r.ID, known.ID), cmp.Or(r.Status, known.Status)
		if r.Map == nil {
			filled.Map = known.Map
		}
		h.Receipts = &filled
	}
	if len(h.Success.Status) == 0 && h.Success.Field == "" {
		h.Success = p.HTTP.Success
	}
	return nil
}
