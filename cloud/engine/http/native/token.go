package native

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"time"

	"mfabridge/cloud/engine"
	"mfabridge/cloud/engine/http/serve"
)

// Paths of what is published.
const (
	pathDiscovery = "/v2.0/.well-known/openid-configuration"
	pathKeys      = "/discovery/v2.0/keys"
	pathBranding  = "/branding"
)

// Values of acr: whether one factor was proven or two.
const (
	acrSingle = "urn:mfabridge:acr:single-factor"
	acrMulti  = "urn:mfabridge:acr:multi-factor"
)

// claims are what both tokens say.
type claims struct {
	Issuer   string   `json:"iss"`
	Audience string   `json:"aud"`
	Subject  string   `json:"sub"` // of this user in this application
	User     string   `json:"oid"`
	Tenant   string   `json:"tid"`
	Version  string   `json:"ver"`
	IssuedAt int64    `json:"iat"`
	Before   int64    `json:"nbf"`
	Expires  int64    `json:"exp"`
	AuthTime int64    `json:"auth_time"`
	SignIn   string   `json:"sid"`
	Class    string   `json:"acr"`
	Ways     []string `json:"amr"`
	ID       string   `json:"jti"`

	Name     string `json:"name,omitempty"`
	Username string `json:"preferred_username,omitempty"`
	Mail     string `json:"email,omitempty"`
	Party    string `json:"azp,omitempty"`
	Scope    string `json:"scp,omitempty"`
}

// granted is the answer with tokens.
type granted struct {
	TokenType   string `json:"token_type"`
	Scope       string `json:"scope"`
	ExpiresIn   int    `json:"expires_in"`
	ExtExpires  int    `json:"ext_expires_in"`
	AccessToken string `json:"access_token"`
	Refresh     string `json:"refresh_token,omitempty"`
	IDToken     string `json:"id_token,omitempty"`
	ClientInfo  string `json:"client_info,omitempty"`
}

// tokens answers with what a sign-in has come to.
func (c *call) tokens(g *engine.Granted) error {
	now := c.now()
	say := claims{Issuer: c.Issuer(), Audience: c.app.Aud(), Subject: subject(c.app.ID, string(g.User)), User: string(g.User), Tenant: c.core.Instance(), Version: "2.0",
		IssuedAt: now.Unix(), Before: now.Unix(), Expires: now.Add(c.life).Unix(), AuthTime: g.At.Unix(), SignIn: g.ID, Class: acrSingle, Ways: methods(g),
		ID: rand.Text(), Party: c.app.ID, Scope: strings.Join(apiScopes(g.Scopes), " ")}
	if g.Second {
		say.Class = acrMulti
	}
	access, err := c.signer.Sign(c.ctx, "at+jwt", say)
	if err != nil {
		return err
	}
	answer := granted{TokenType: "Bearer", Scope: strings.Join(g.Scopes, " "), ExpiresIn: int(c.life / time.Second), ExtExpires: int(c.life / time.Second),
		AccessToken: access, Refresh: g.Refresh}
	if slices.Contains(g.Scopes, "openid") {
		say.Audience, say.Party, say.Scope, say.ID = c.app.ID, "", "", rand.Text()
		if slices.Contains(g.Scopes, "profile") {
			say.Name, say.Username = g.Name, g.UPN
		}
		if slices.Contains(g.Scopes, "email") {
			say.Mail = g.Mail
		}
		if answer.IDToken, err = c.signer.Sign(c.ctx, "JWT", say); err != nil {
			return err
		}
	}
	if c.form.Get("client_info") == "1" {
		info, err := json.Marshal(map[string]string{"uid": string(g.User), "utid": c.core.Instance()})
		if err != nil {
			return err
		}
		answer.ClientInfo = base64.RawURLEncoding.EncodeToString(info)
	}
	c.w.Header().Set("Pragma", "no-cache")
	return serve.Answer(c.w, http.StatusOK, answer)
}

// subject is who a user is to one application; two of them cannot compare.
func subject(app, user string) string {
	sum := sha256.Sum256([]byte("sub\x00" + app + "\x00" + user))
	return base64.RawURLEncoding.EncodeToString(sum[:])
}

// methods are the values of amr (RFC 8176).
func methods(g *engine.Granted) (amr []string) {
	for _, way := range g.Ways {
		switch way {
		case engine.WayPassword, engine.WayReset:
			amr = append(amr, "pwd")
		case engine.WaySMS:
			amr = append(amr, "sms")
		case engine.WayEmail:
			amr = append(amr, "otp")
		}
	}
	if g.Second {
		amr = append(amr, "mfa")
	}
	return amr
}

// apiScopes are those of the application's own service.
func apiScopes(scopes []string) (own []string) {
	for _, s := range scopes {
		if !slices.Contains(engine.StandardScopes(), s) {
			own = append(own, s)
		}
	}
	return own
}

// discovery answers with OpenID Provider Metadata.
func (f *Face) discovery(w http.ResponseWriter, r *http.Request) error {
	w.Header().Set("Cache-Control", "public, max-age=3600")
	return serve.Answer(w, http.StatusOK, map[string]any{
		"issuer": f.Issuer(), "token_endpoint": f.base + "/oauth2/v2.0/token", "jwks_uri": f.base + pathKeys,
		"response_types_supported": []string{"id_token", "token"}, "subject_types_supported": []string{"pairwise"},
		"id_token_signing_alg_values_supported": []string{"ES256"}, "token_endpoint_auth_methods_supported": []string{"none"},
		"grant_types_supported": []string{"password", "oob", "mfa_oob", "continuation_token", "refresh_token"},
		"scopes_supported":      engine.StandardScopes(), "acr_values_supported": []string{acrSingle, acrMulti},
		"claims_supported": []string{"iss", "aud", "sub", "oid", "tid", "ver", "iat", "nbf", "exp", "auth_time", "sid", "acr", "amr", "name", "preferred_username", "email"},
	})
}

// keys answers with the public keys.
func (f *Face) keys(w http.ResponseWriter, r *http.Request) error {
	set, err := f.signer.PublicKeys(r.Context())
	if err != nil {
		return err
	}
	w.Header().Set("Cache-Control", "public, max-age=300")
	return serve.Answer(w, http.StatusOK, set)
}
