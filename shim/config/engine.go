package config

import (
	"strings"

	"mfabridge/internal/strictyaml"
)

// engine checks who is asked for the second factor.
func (k *check) engine() {
	e := &k.Engine
	given := 0
	for _, s := range []string{e.Store, e.Config, e.URL} {
		if s != "" {
			given++
		}
	}
	if e.RADIUS != nil {
		given++
	}
	if e.Entra != nil {
		given++
	}
	if e.Native != nil {
		given++
	}
	switch {
	case given == 0:
		k.Refuse("write engine: {store: sqlite:PATH}, {config: engine.yaml}, or {url: https://HOST, client_id: NAME, client_secret: file:PATH}",
			"engine names no store, config, url, radius, entra or native, so there is nobody to ask for a second factor")
	case given > 1:
		k.Refuse("leave one of them", "engine has more than one of store, config, url, radius, entra and native")
	case e.RADIUS != nil:
		k.nps(e.RADIUS)
	case e.Entra != nil:
		k.entra(e.Entra)
	case e.Native != nil:
		k.external(e.Native)
	case e.URL != "":
		k.elsewhere(e)
	case e.Store != "":
		k.store(e)
	default:
		e.Config = k.Path(e.Config)
	}
	if e.URL == "" && e.ClientID+e.ClientSecret+e.CA != "" {
		k.Refuse("remove them, or name the engine by its url", "engine.client_id, client_secret and ca belong to engine.url")
	}
}

func (k *check) store(e *Engine) {
	switch path, ok := strings.CutPrefix(e.Store, "sqlite:"); {
	case strings.HasPrefix(e.Store, "postgres://"), strings.HasPrefix(e.Store, "postgresql://"):
		return // who opens it says whether it is right
	case !ok || path == "":
		k.Refuse("write sqlite:PATH or postgres://USER@HOST/DATABASE", "engine.store is not of the form sqlite:PATH or postgres://…")
	}
	e.Store = strictyaml.Resolve(e.Store, "sqlite", k.Folder)
}

// elsewhere checks the access to an engine over HTTP. The address itself is
// checked by who calls it.
func (k *check) elsewhere(e *Engine) {
	if !strings.HasPrefix(e.URL, "https://") && !strings.HasPrefix(e.URL, "http://") {
		k.Refuse("write https://HOST or https://HOST:PORT", "engine.url is not an address that begins with https://")
	}
	if e.ClientID == "" {
		k.Refuse("make an application with: mfabridge engine app add NAME --role shim", "engine.url needs client_id: the engine asks who calls")
	}
	if e.ClientSecret == "" {
		k.Refuse("write client_secret: file:PATH or env:NAME", "engine.url needs client_secret")
	} else {
		e.Secret = k.Secret(e.ClientSecret, "engine.client_secret", "name the file that mfabridge engine app add --secret-out wrote, readable by you alone")
	}
	e.Authorities, e.Roots = k.Trusted(&e.CA, "engine")
}
