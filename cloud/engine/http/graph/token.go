package graph

import (
	"context"
	"crypto"
	"crypto/hmac"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"errors"
	"mime"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	"mfabridge/cloud"
	"mfabridge/cloud/engine"
	"mfabridge/internal/secret"
)

// Permissions of applications, as the permissions reference names them.
const (
	permMethods      = "UserAuthenticationMethod.ReadWrite.All"
	permMethodsRead  = "UserAuthenticationMethod.Read.All"
	permPolicy       = "Policy.ReadWrite.AuthenticationMethod"
	permPolicyRead   = "Policy.Read.All"
	permUsers        = "User.Read.All"
	permGroups       = "GroupMember.Read.All"
	permGroupsRead   = "Group.Read.All"
	permDirectory    = "Directory.Read.All"
	permRoles        = "RoleManagement.Read.Directory"
	permEligible     = "RoleEligibilitySchedule.Read.Directory"
	permJoiners      = "PrivilegedEligibilitySchedule.Read.AzureADGroup"
	permOrganization = "Organization.Read.All"
	permAudit        = "AuditLog.Read.All"
	permDomains      = "Domain.Read.All"
	permDomainsWrite = "Domain.ReadWrite.All"
	permDirectoryAll = "Directory.ReadWrite.All"
)

// permissions are what an application of a role was given.
func (f *Face) permissions(role engine.Role) []string {
	var all []string
	switch role {
	case engine.RoleMigrate:
		all = []string{permMethods, permPolicy, permUsers, permGroups, permRoles, permJoiners, permAudit, permDomains, permOrganization}
	case engine.RoleAdmin: // who changes the tenant itself, by hand
		all = []string{permMethods, permPolicy, permUsers, permGroups, permRoles, permAudit, permDomainsWrite, permDirectoryAll}
	case engine.RoleAuditor:
		all = []string{permMethodsRead, permPolicyRead, permUsers, permGroups, permRoles, permAudit, permDomains, permDirectory}
	}
	return slices.DeleteFunc(all, func(p string) bool { return slices.Contains(f.assume.Without, p) })
}

const (
	maxForm          = 32 << 10
	typeAssertion    = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
	maxAssertionLife = 24 * time.Hour
	slack            = 5 * time.Minute
	maxToken         = 8 << 10
)

// login answers the paths of the authority.
func (f *Face) login(r *http.Request, s []string, c *call) (answer, bool) {
	switch {
	case len(s) == 3 && s[0] == "common" && s[1] == "discovery" && s[2] == "instance" && r.Method == http.MethodGet:
		return answer{status: http.StatusOK, body: object{"tenant_discovery_endpoint": c.base + "/common/v2.0/.well-known/openid-configuration",
			"api-version": "1.1", "metadata": []any{object{"preferred_network": r.Host, "preferred_cache": r.Host, "aliases": []string{r.Host}}}}}, true
	case len(s) == 4 && s[1] == "v2.0" && s[2] == ".well-known" && s[3] == "openid-configuration" && r.Method == http.MethodGet:
		tenant := c.base + "/" + s[0]
		return answer{status: http.StatusOK, body: object{"token_endpoint": tenant + "/oauth2/v2.0/token",
			"authorization_endpoint": tenant + "/oauth2/v2.0/authorize", "jwks_uri": tenant + "/discovery/v2.0/keys",
			"issuer": tenant + "/v2.0", "tenant_region_scope": nil, "cloud_instance_name": r.Host,
			"token_endpoint_auth_methods_supported": []string{"client_secret_post", "private_key_jwt"}}}, true
	case len(s) == 4 && s[1] == "oauth2" && s[2] == "v2.0" && s[3] == "token":
		if r.Method != http.MethodPost {
			return f.deny(c, http.StatusMethodNotAllowed, "invalid_request", "AADSTS900561", "The endpoint only accepts POST requests."), true
		}
		return f.token(r, s[0], c), true
	}
	return answer{}, false
}

// deny answers as the token endpoint does (RFC 6749 §5.2, with Entra's codes).
func (f *Face) deny(c *call, status int, code, number, text string) answer {
	f.log.Warn("rehearsal of Graph: no token", "code", number, "why", text)
	return answer{status: status, body: object{"error": code, "error_description": number + ": " + text + " Trace ID: " + c.id,
		"timestamp": f.now().UTC().Format("2006-01-02 15:04:05Z"), "trace_id": c.id, "correlation_id": c.clientID}}
}

func (f *Face) token(r *http.Request, tenant string, c *call) answer {
	caps, err := f.core.Capabilities(r.Context())
	if err != nil {
		return asTrouble(err).answer(c, f.now())
	}
	if !strings.EqualFold(tenant, f.core.Instance()) && len(caps.Domains) > 0 && !slices.Contains(caps.Domains, strings.ToLower(tenant)) {
		return f.deny(c, http.StatusBadRequest, "invalid_request", "AADSTS90002", "Tenant '"+clip(tenant)+"' not found.")
	}
	media, _, _ := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if media != "application/x-www-form-urlencoded" || r.ContentLength > maxForm || r.ParseForm() != nil {
		return f.deny(c, http.StatusBadRequest, "invalid_request", "AADSTS900144", "The request body must be a form.")
	}
	form := r.PostForm
	switch {
	case form.Get("grant_type") != "client_credentials":
		return f.deny(c, http.StatusBadRequest, "unsupported_grant_type", "AADSTS70003", "The app requested an unsupported grant type.")
	case !strings.HasSuffix(form.Get("scope"), "/.default") && !slices.ContainsFunc(strings.Fields(form.Get("scope")), func(s string) bool { return strings.HasSuffix(s, "/.default") }):
		return f.deny(c, http.StatusBadRequest, "invalid_scope", "AADSTS1002012", "The scope of client credentials must end in /.default.")
	}
	var app engine.App
	if form.Has("client_assertion") {
		app, err = f.assertion(r.Context(), form.Get("client_id"), form.Get("client_assertion_type"), form.Get("client_assertion"),
			c.base+"/"+tenant)
	} else {
		app, err = f.core.Authenticate(r.Context(), form.Get("client_id"), secret.FromString(form.Get("client_secret")))
	}
	switch {
	case err != nil && cloud.KindOf(err) == cloud.Denied:
		return f.deny(c, http.StatusUnauthorized, "invalid_client", "AADSTS7000215", "Invalid client secret or assertion provided.")
	case err != nil:
		return asTrouble(err).answer(c, f.now())
	}
	life := f.assume.TokenLife
	return answer{status: http.StatusOK, body: object{"token_type": "Bearer", "expires_in": int(life / time.Second),
		"ext_expires_in": int(life / time.Second), "access_token": f.sign(&app, life)}}
}

// claims are what an access token says.
type claims struct {
	Audience string   `json:"aud"`
	Issuer   string   `json:"iss"`
	Issued   int64    `json:"iat"`
	Not      int64    `json:"nbf"`
	Expires  int64    `json:"exp"`
	App      string   `json:"appid"`
	Kind     string   `json:"idtyp"`
	Tenant   string   `json:"tid"`
	Roles    []string `json:"roles,omitempty"`
	ID       string   `json:"uti"`
	Version  string   `json:"ver"`
	Since    int64    `json:"xms_since"` // when the application was registered
}

// sign makes an access token of an application.
func (f *Face) sign(app *engine.App, life time.Duration) string {
	now := f.now()
	b, err := json.Marshal(claims{Audience: "https://graph.microsoft.com", Issuer: "https://sts.windows.net/" + f.core.Instance() + "/",
		Issued: now.Unix(), Not: now.Unix(), Expires: now.Add(life).Unix(), App: app.Name, Kind: "app", Tenant: f.core.Instance(),
		Roles: f.permissions(app.Role), ID: uuid.NewString(), Version: "1.0", Since: app.Created.UnixNano()})
	if err != nil {
		panic(err) // strings and numbers
	}
	said := encode([]byte(`{"typ":"JWT","alg":"HS256"}`)) + "." + encode(b)
	return said + "." + encode(f.mac(said))
}

func (f *Face) mac(s string) []byte {
	m := hmac.New(sha256.New, f.key[:])
	m.Write([]byte(s))
	return m.Sum(nil)
}

func encode(b []byte) string { return base64.RawURLEncoding.EncodeToString(b) }

// admit looks at the token of a request, and at the application as it stands.
func (f *Face) admit(r *http.Request, c *call) error {
	no := func(why string) error {
		return fail(http.StatusUnauthorized, "InvalidAuthenticationToken", why)
	}
	scheme, token, ok := strings.Cut(r.Header.Get("Authorization"), " ")
	if !ok || !strings.EqualFold(scheme, "Bearer") || token == "" || len(token) > maxToken {
		return no("Access token is empty.")
	}
	at := strings.LastIndexByte(token, '.')
	if at < 0 {
		return no("CompactToken parsing failed.")
	}
	mac, err := base64.RawURLEncoding.DecodeString(token[at+1:])
	if err != nil || !hmac.Equal(mac, f.mac(token[:at])) {
		return no("CompactToken validation failed.")
	}
	var said claims
	_, payload, _ := strings.Cut(token[:at], ".")
	b, err := base64.RawURLEncoding.DecodeString(payload)
	if err != nil || json.Unmarshal(b, &said) != nil {
		return no("CompactToken parsing failed.")
	}
	if now := f.now().Unix(); now >= said.Expires {
		return no("Lifetime validation failed, the token is expired.")
	}
	s, err := f.core.Standing(c.ctx, said.App, "")
	switch {
	case err != nil:
		return err
	case !s.App.Usable(f.now()) || s.App.Created.UnixNano() != said.Since:
		return no("The identity of the calling application could not be established.")
	}
	c.app, c.granted = said.App, f.permissions(s.App.Role)
	return nil
}

// may tells whether the caller was given one of some permissions.
func (c *call) may(any []string) bool {
	return slices.ContainsFunc(any, func(p string) bool { return slices.Contains(c.granted, p) })
}

// assertion checks a signed assertion (RFC 7523) as Entra ID takes them: RS256
// or PS256, for the token endpoint, of a key that the application has.
func (f *Face) assertion(ctx context.Context, client, kind, text, tenant string) (engine.App, error) {
	no := &cloud.Error{Kind: cloud.Denied, Message: "the assertion does not prove the application"}
	parts := strings.Split(text, ".")
	if kind != typeAssertion || len(parts) != 3 || len(text) > maxForm {
		return engine.App{}, no
	}
	var head struct {
		Alg string `json:"alg"`
	}
	var said struct {
		Audience string  `json:"aud"`
		Issuer   string  `json:"iss"`
		Subject  string  `json:"sub"`
		ID       string  `json:"jti"`
		Expires  float64 `json:"exp"`
		Not      float64 `json:"nbf"`
	}
	signature, err := base64.RawURLEncoding.DecodeString(parts[2])
	if err := errors.Join(err, unpack(parts[0], &head), unpack(parts[1], &said)); err != nil {
		return engine.App{}, no
	}
	now := float64(f.now().Unix())
	if said.Subject != client || said.Issuer != client || said.ID == "" || len(said.ID) > 128 || said.Expires <= now-slack.Seconds() ||
		said.Expires > now+maxAssertionLife.Seconds() || said.Not > now+slack.Seconds() ||
		!slices.Contains([]string{tenant + "/oauth2/v2.0/token", tenant + "/v2.0"}, said.Audience) {
		return engine.App{}, no
	}
	app, keys, err := f.core.AppKeys(ctx, client)
	if err != nil {
		return engine.App{}, err
	}
	sum := sha256.Sum256([]byte(parts[0] + "." + parts[1]))
	proven := slices.ContainsFunc(keys, func(k engine.AppKey) bool { return signedBy(k.DER, head.Alg, sum[:], signature) })
	if !proven || app.Name != client {
		return engine.App{}, no
	}
	ends, begins := time.Unix(int64(said.Expires), 0), time.Unix(int64(said.Not), 0).Add(-slack)
	if first := ends.Add(-maxAssertionLife); first.After(begins) {
		begins = first
	}
	return app, f.core.UseAssertion(ctx, client, said.ID, begins, ends.Add(slack))
}

func unpack(part string, into any) error {
	b, err := base64.RawURLEncoding.DecodeString(part)
	if err != nil {
		return err
	}
	return json.Unmarshal(b, into)
}

func signedBy(der []byte, alg string, sum, signature []byte) bool {
	public, err := x509.ParsePKIXPublicKey(der)
	key, ok := public.(*rsa.PublicKey)
	if err != nil || !ok {
		return false
	}
	switch alg {
	case "RS256":
		return rsa.VerifyPKCS1v15(key, crypto.SHA256, sum, signature) == nil
	case "PS256":
		return rsa.VerifyPSS(key, crypto.SHA256, sum, signature, nil) == nil
	}
	return false
}
