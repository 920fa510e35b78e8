package oauth

import (
	"context"
	"crypto/rand"
	"crypto/x509"
	"errors"
	"fmt"
	"mime"
	"net/http"
	"net/url"
	"slices"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"

	"mfabridge/cloud"
	"mfabridge/cloud/engine"
	"mfabridge/cloud/engine/http/serve"
	"mfabridge/cloud/engine/http/wire"
	"mfabridge/internal/secret"
)

// typeAssertion is the kind of assertion that is taken (RFC 7523 §2.2).
const typeAssertion = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"

// Bounds of an assertion.
const (
	maxAssertionLife = 10 * time.Minute
	maxAssertionID   = 128 // bytes of jti
	assertionSlack   = time.Minute
)

func newID() string { return rand.Text() }

// refusal is an error of RFC 6749 §5.2.
type refusal struct {
	Code        string `json:"error"`
	Description string `json:"error_description"`
	status      int
}

func (r *refusal) Error() string { return r.Code + ": " + r.Description }

func invalidRequest(why string) error {
	return &refusal{Code: "invalid_request", Description: why, status: http.StatusBadRequest}
}

func invalidClient() error {
	return &refusal{Code: "invalid_client", Description: "the application is unknown or did not prove itself", status: http.StatusUnauthorized}
}

// granted is the answer of RFC 6749 §5.1.
type granted struct {
	AccessToken string `json:"access_token"`
	TokenType   string `json:"token_type"`
	ExpiresIn   int    `json:"expires_in"`
	Scope       string `json:"scope"`
}

// token answers POST /oauth2/token.
func (f *Face) token(w http.ResponseWriter, r *http.Request) error {
	app, err := f.prove(r)
	if err == nil {
		var token string
		var life time.Duration
		if token, life, err = f.sign(r.Context(), &app); err == nil {
			f.log.InfoContext(r.Context(), "token issued", "app", app.Name, "role", app.Role, "from", serve.AddressOf(r.Context()))
			return serve.Answer(w, http.StatusOK, granted{AccessToken: token, TokenType: "Bearer", ExpiresIn: int(life / time.Second), Scope: string(app.Role)})
		}
	}
	no, ok := errors.AsType[*refusal](err)
	if !ok {
		return err
	}
	f.log.WarnContext(r.Context(), "token refused", "code", no.Code, "why", no.Description, "from", serve.AddressOf(r.Context()))
	if no.status == http.StatusUnauthorized {
		w.Header().Set("WWW-Authenticate", `Basic realm="mfabridge"`)
	}
	return serve.Answer(w, no.status, no)
}

// prove reads the request and says which application sent it.
func (f *Face) prove(r *http.Request) (engine.App, error) {
	form, err := readForm(r)
	if err != nil {
		return engine.App{}, err
	}
	if form.Get("grant_type") != "client_credentials" {
		return engine.App{}, &refusal{Code: "unsupported_grant_type", Description: "only client_credentials is granted", status: http.StatusBadRequest}
	}
	name, word, basic := r.BasicAuth()
	ways := 0
	for _, used := range []bool{basic, form.Has("client_secret"), form.Has("client_assertion")} {
		if used {
			ways++
		}
	}
	if ways != 1 || !basic && r.Header.Get("Authorization") != "" {
		return engine.App{}, invalidRequest("an application proves itself in exactly one way")
	}
	var app engine.App
	switch {
	case basic:
		app, err = f.proveBasic(r.Context(), form, name, word)
	case form.Has("client_secret"):
		app, err = f.proveSecret(r.Context(), form.Get("client_id"), form.Get("client_secret"))
	default:
		app, err = f.proveAssertion(r.Context(), form)
	}
	if err != nil {
		return engine.App{}, err
	}
	if scope := form.Get("scope"); scope != "" && scope != string(app.Role) {
		return engine.App{}, &refusal{Code: "invalid_scope", Description: "an application has the scope of its role and no other", status: http.StatusBadRequest}
	}
	return app, nil
}

// readForm reads the body; parameters must not repeat (RFC 6749 §3.2).
func readForm(r *http.Request) (url.Values, error) {
	media, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	switch {
	case err != nil || media != "application/x-www-form-urlencoded":
		return nil, invalidRequest("the body must be application/x-www-form-urlencoded")
	case r.URL.RawQuery != "":
		return nil, invalidRequest("parameters belong into the body")
	}
	if err := r.ParseForm(); err != nil {
		if _, large := errors.AsType[*http.MaxBytesError](err); large {
			return nil, &cloud.Error{Kind: cloud.Invalid, Message: "the body is too large", Err: err}
		}
		return nil, invalidRequest("the body is not a form")
	}
	for _, values := range r.PostForm {
		if len(values) > 1 {
			return nil, invalidRequest("a parameter is given twice")
		}
	}
	return r.PostForm, nil
}

// proveBasic takes id and secret as RFC 6749 §2.3.1 encodes them.
func (f *Face) proveBasic(ctx context.Context, form url.Values, name, word string) (engine.App, error) {
	name, err := url.QueryUnescape(name)
	word, err2 := url.QueryUnescape(word)
	if err := errors.Join(err, err2); err != nil {
		return engine.App{}, invalidRequest("the credentials are not form-encoded")
	}
	if id := form.Get("client_id"); id != "" && id != name {
		return engine.App{}, invalidRequest("client_id is another one than in the credentials")
	}
	return f.proveSecret(ctx, name, word)
}

func (f *Face) proveSecret(ctx context.Context, name, word string) (engine.App, error) {
	app, err := f.core.Authenticate(ctx, name, secret.FromString(word))
	if err != nil && cloud.KindOf(err) == cloud.Denied {
		return engine.App{}, invalidClient()
	}
	return app, err
}

// proveAssertion checks a signed assertion. Everything that is wrong with it
// answers alike.
func (f *Face) proveAssertion(ctx context.Context, form url.Values) (engine.App, error) {
	if form.Get("client_assertion_type") != typeAssertion {
		return engine.App{}, invalidRequest("client_assertion_type is not " + typeAssertion)
	}
	parsed, err := jwt.ParseSigned(form.Get("client_assertion"), []jose.SignatureAlgorithm{jose.RS256, jose.PS256})
	if err != nil || len(parsed.Headers) != 1 {
		return engine.App{}, invalidClient()
	}
	var c jwt.Claims
	if err := parsed.UnsafeClaimsWithoutVerification(&c); err != nil || c.Subject == "" || c.Subject != c.Issuer {
		return engine.App{}, invalidClient()
	}
	if id := form.Get("client_id"); id != "" && id != c.Subject {
		return engine.App{}, invalidClient()
	}
	app, keys, err := f.core.AppKeys(ctx, c.Subject)
	if err != nil {
		return engine.App{}, err
	}
	at := slices.IndexFunc(keys, func(k engine.AppKey) bool { return k.ID == parsed.Headers[0].KeyID })
	if at < 0 {
		return engine.App{}, invalidClient()
	}
	public, err := x509.ParsePKIXPublicKey(keys[at].DER)
	if err != nil {
		return engine.App{}, fmt.Errorf("a key of application %s cannot be read", app.Name)
	}
	c = jwt.Claims{}
	if err := parsed.Claims(public, &c); err != nil || !f.fits(&c, app.Name) {
		return engine.App{}, invalidClient()
	}
	err = f.core.UseAssertion(ctx, app.Name, c.ID, begins(&c), c.Expiry.Time().Add(assertionSlack))
	if err != nil && cloud.KindOf(err) == cloud.Denied {
		return engine.App{}, invalidClient()
	}
	return app, err
}

// fits checks the claims of a proven assertion (RFC 7523 §3).
func (f *Face) fits(c *jwt.Claims, app string) bool {
	now := f.now()
	switch {
	case c.Subject != app, c.Issuer != app, c.ID == "", len(c.ID) > maxAssertionID:
		return false
	case !slices.Contains(c.Audience, f.issuer) && !slices.Contains(c.Audience, f.issuer+wire.PathToken):
		return false
	case c.Expiry == nil, !now.Before(c.Expiry.Time()), c.Expiry.Time().After(now.Add(maxAssertionLife)):
		return false
	case c.NotBefore != nil && now.Before(c.NotBefore.Time().Add(-assertionSlack)):
		return false
	case c.IssuedAt != nil && (now.Before(c.IssuedAt.Time().Add(-assertionSlack)) || now.After(c.IssuedAt.Time().Add(maxAssertionLife))):
		return false
	}
	return true
}

// begins is the time before which fits says no to the claims.
func begins(c *jwt.Claims) time.Time {
	first := c.Expiry.Time().Add(-maxAssertionLife)
	for _, said := range []*jwt.NumericDate{c.NotBefore, c.IssuedAt} {
		if said != nil && said.Time().Add(-assertionSlack).After(first) {
			first = said.Time().Add(-assertionSlack)
		}
	}
	return first
}

// metadata is RFC 8414 §2.
type metadata struct {
	Issuer        string   `json:"issuer"`
	TokenEndpoint string   `json:"token_endpoint"`
	Keys          string   `json:"jwks_uri"`
	Scopes        []string `json:"scopes_supported"`
	ResponseTypes []string `json:"response_types_supported"`
	GrantTypes    []string `json:"grant_types_supported"`
	AuthMethods   []string `json:"token_endpoint_auth_methods_supported"`
	AuthAlgs      []string `json:"token_endpoint_auth_signing_alg_values_supported"`
}

// discovery answers with what this face is.
func (f *Face) discovery(w http.ResponseWriter, _ *http.Request) error {
	m := metadata{Issuer: f.issuer, TokenEndpoint: f.issuer + wire.PathToken, Keys: f.issuer + wire.PathKeys,
		ResponseTypes: []string{}, GrantTypes: []string{"client_credentials"},
		AuthMethods: []string{"client_secret_basic", "client_secret_post", "private_key_jwt"},
		AuthAlgs:    []string{string(jose.RS256), string(jose.PS256)}}
	for _, role := range engine.Roles() {
		m.Scopes = append(m.Scopes, string(role))
	}
	return serve.Answer(w, http.StatusOK, m)
}
