package engine

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	"mfabridge/cloud"
	"mfabridge/cloud/form"
)

// First factors of native authentication.
const (
	FirstPassword = "password" // name and password
	FirstEmail    = "email"    // a code to the confirmed address
)

// Bounds of an application that signs people in.
const (
	maxNativeApps    = 200
	maxOrigins       = 20
	maxScopes        = 50
	maxAttributes    = 20
	maxRegions       = 300
	leastRefresh     = time.Hour
	defaultRefresh   = 24 * time.Hour
	mostRefresh      = 90 * 24 * time.Hour
	maxAttributeText = 256 // bytes of one attribute's value
)

// NativeApp is a public application (RFC 6749 §2.1) whose users sign in by
// native authentication: inside the application, without a browser's redirect.
type NativeApp struct {
	ID       string    `json:"id"`   // client_id: a UUID
	Name     string    `json:"name"` // as its users know it; stands in messages and in the audit
	Created  time.Time `json:"created"`
	Disabled bool      `json:"disabled,omitempty"`

	// Origins are those of web pages that may call (RFC 6454), exactly as a
	// browser sends them. Applications that are no web pages need none.
	Origins []string `json:"origins,omitempty"`

	First    []string `json:"first"`              // first factors, FirstPassword or FirstEmail or both
	Audience string   `json:"audience,omitempty"` // aud of access tokens; empty: ID
	Scopes   []string `json:"scopes,omitempty"`   // that may be asked for beside StandardScopes

	SignUp bool `json:"sign_up,omitempty"` // people may make themselves an account
	Reset  bool `json:"reset,omitempty"`   // who forgot the password sets another by a code to the confirmed address
	Enrol  bool `json:"enrol,omitempty"`   // who needs a second factor and has none at all registers one

	// Attributes are what is asked at sign-up; displayName is the user's.
	Attributes []NativeAttribute `json:"attributes,omitempty"`

	// Reveal answers user_not_found and user_already_exists, which Microsoft's
	// service does and which tells anybody who has an account.
	Reveal bool `json:"reveal,omitempty"`

	Refresh time.Duration `json:"refresh,omitempty"` // life of a refresh token from the sign-in on; 0: 24 hours

	// Open and Closed are prefixes of telephone numbers, "+44" or longer, of
	// which the longest counts: to which texts go beyond [DefaultRegions], and to
	// which not.
	Open   []string `json:"open,omitempty"`
	Closed []string `json:"closed,omitempty"`

	Brand Brand `json:"brand,omitzero"`
}

// Brand is how an application shows itself.
type Brand struct {
	Text   string `json:"text,omitempty"`   // template of a code message; empty: the engine's
	Accent string `json:"accent,omitempty"` // colour, #rrggbb
	Logo   string `json:"logo,omitempty"`   // https address of a picture
	Terms  string `json:"terms,omitempty"`  // https address
	Help   string `json:"help,omitempty"`   // https address
}

// NativeAttribute is something that is asked at sign-up.
type NativeAttribute struct {
	Name     string `json:"name"`
	Required bool   `json:"required,omitempty"`
}

// AttributeDisplayName is the one attribute that the engine knows.
const AttributeDisplayName = "displayName"

// DefaultRegions are the prefixes to which texts of native authentication go
// unless an application says otherwise. Microsoft's list of countries that are
// closed by default is not published as data; these are the ones that are known
// not to be on it.
func DefaultRegions() []string {
	return []string{"+1", "+33", "+34", "+39", "+43", "+44", "+48", "+49", "+55", "+61", "+81", "+91"}
}

// TextsTo tells whether texts may go to a number, "+CC NNN".
func (a *NativeApp) TextsTo(number string) bool {
	digits := strings.ReplaceAll(number, " ", "")
	best, open := 0, false
	for _, list := range []struct {
		prefixes []string
		open     bool
	}{{DefaultRegions(), true}, {a.Open, true}, {a.Closed, false}} {
		for _, p := range list.prefixes {
			if strings.HasPrefix(digits, p) && len(p) >= best {
				best, open = len(p), list.open
			}
		}
	}
	return open
}

// Takes tells whether a first factor is one of this application's.
func (a *NativeApp) Takes(first string) bool { return slices.Contains(a.First, first) }

// StandardScopes are what may be asked for at every application (OpenID Connect
// Core 1.0 §3.1.2.1, §5.4 and §11).
func StandardScopes() []string { return []string{"openid", "profile", "email", "offline_access"} }

// Has tells whether a scope may be asked for at this application.
func (a *NativeApp) Has(scope string) bool {
	return slices.Contains(StandardScopes(), scope) || slices.Contains(a.Scopes, scope)
}

// Aud is whom access tokens are for.
func (a *NativeApp) Aud() string {
	if a.Audience != "" {
		return a.Audience
	}
	return a.ID
}

// RefreshLife is how long a refresh token lives, with all that follow it.
func (a *NativeApp) RefreshLife() time.Duration {
	if a.Refresh == 0 {
		return defaultRefresh
	}
	return a.Refresh
}

// since tells one registration of an id from another: what was begun with an
// application that was removed does not go on with the next one of its id.
func (a *NativeApp) since() int64 { return a.Created.UnixNano() }

// Began tells whether a flow was begun with this registration of the application.
func (a *NativeApp) Began(f *Flow) bool { return f.App == a.ID && f.Since == a.since() }

// metaNativeApp comes before a client id.
const metaNativeApp = "native-app/"

// AddNativeApp registers an application; without an ID it is given one.
// Conflict: the id is taken.
func (e *Engine) AddNativeApp(ctx context.Context, by Actor, a NativeApp) (NativeApp, error) {
	if err := by.check(); err != nil {
		return NativeApp{}, err
	}
	if a.ID == "" {
		a.ID = uuid.NewString()
	}
	a.Created = e.now().UTC()
	if err := a.check(); err != nil {
		return NativeApp{}, err
	}
	return a, asError(e.store.Update(ctx, func(tx Tx) error {
		names, err := tx.MetaNames(metaNativeApp)
		if err != nil {
			return err
		}
		old, err := readNativeApp(tx, a.ID)
		switch {
		case err != nil:
			return err
		case old != nil:
			return refuse(cloud.Conflict, "there is an application of that id")
		case len(names) >= maxNativeApps:
			return refuse(cloud.Invalid, fmt.Sprintf("there can be at most %d applications", maxNativeApps))
		}
		return e.putNativeApp(tx, by, "native.add", &a)
	}))
}

// ChangeNativeApp edits an application; it holds for the next request.
func (e *Engine) ChangeNativeApp(ctx context.Context, by Actor, id string, edit func(*NativeApp) error) error {
	if err := by.check(); err != nil {
		return err
	}
	return asError(e.store.Update(ctx, func(tx Tx) error {
		a, err := findNativeApp(tx, id)
		if err != nil {
			return err
		}
		was := *a
		if err := edit(a); err != nil {
			return err
		}
		a.ID, a.Created = was.ID, was.Created
		if err := a.check(); err != nil {
			return err
		}
		return e.putNativeApp(tx, by, "native.set", a)
	}))
}

func (e *Engine) putNativeApp(tx Tx, by Actor, action string, a *NativeApp) error {
	value, err := json.Marshal(a)
	if err != nil {
		return fmt.Errorf("the application cannot be written: %w", err)
	}
	if err := tx.SetMeta(metaNativeApp+a.ID, value); err != nil {
		return err
	}
	return tx.Append(e.entry(by, action, a.ID, string(value), e.now()))
}

// RemoveNativeApp forgets an application: nobody signs in to it any more, and
// its refresh tokens are worth nothing.
func (e *Engine) RemoveNativeApp(ctx context.Context, by Actor, id string) error {
	if err := by.check(); err != nil {
		return err
	}
	return asError(e.store.Update(ctx, func(tx Tx) error {
		a, err := findNativeApp(tx, id)
		if err != nil {
			return err
		}
		if err := tx.RemoveMeta(metaNativeApp + id); err != nil {
			return err
		}
		return tx.Append(e.entry(by, "native.remove", id, fmt.Sprintf("name=%q", a.Name), e.now()))
	}))
}

// NativeApps lists all applications, by id.
func (e *Engine) NativeApps(ctx context.Context) (all []NativeApp, err error) {
	err = e.store.View(ctx, func(r Reader) error {
		all, err = nativeApps(r)
		return err
	})
	return all, asError(err)
}

// NativeApp is an application by its id, as it stands now. NotFound: there is
// none.
func (e *Engine) NativeApp(ctx context.Context, id string) (a NativeApp, err error) {
	err = e.store.View(ctx, func(r Reader) error {
		found, err := findNativeApp(r, id)
		if err == nil {
			a = *found
		}
		return err
	})
	return a, asError(err)
}

func nativeApps(r Reader) (all []NativeApp, err error) {
	names, err := r.MetaNames(metaNativeApp)
	for i := 0; i < len(names) && err == nil; i++ {
		var a *NativeApp
		if a, err = readNativeApp(r, strings.TrimPrefix(names[i], metaNativeApp)); a != nil {
			all = append(all, *a)
		}
	}
	return all, err
}

// readNativeApp is nil where there is none. An id that is no UUID is not
// looked for.
func readNativeApp(r Reader, id string) (*NativeApp, error) {
	if u, err := uuid.Parse(id); err != nil || u.String() != id {
		return nil, nil
	}
	value, err := r.Meta(metaNativeApp + id)
	if err != nil || len(value) == 0 {
		return nil, err
	}
	a := new(NativeApp)
	if err := json.Unmarshal(value, a); err != nil {
		return nil, refuse(cloud.Internal, "an application cannot be read")
	}
	return a, nil
}

// findNativeApp is readNativeApp for whoever needs one. NotFound: there is none.
func findNativeApp(r Reader, id string) (*NativeApp, error) {
	a, err := readNativeApp(r, id)
	if a == nil && err == nil {
		err = refuse(cloud.NotFound, "there is no such application")
	}
	return a, err
}

// anyResets tells whether a password can be reset by mail anywhere: then mail
// is no second factor to a password.
func anyResets(r Reader) (bool, error) {
	all, err := nativeApps(r)
	return slices.ContainsFunc(all, func(a NativeApp) bool { return a.Reset }), err
}

// check says what is wrong with an application.
func (a *NativeApp) check() error {
	if u, err := uuid.Parse(a.ID); err != nil || u.String() != a.ID {
		return refuse(cloud.Invalid, "the id of an application must be a UUID in lower case")
	}
	if err := form.CheckText("the name of an application", a.Name, 64); err != nil {
		return err
	}
	for _, first := range a.First {
		if first != FirstPassword && first != FirstEmail {
			return refuse(cloud.Invalid, "a first factor must be password or email")
		}
	}
	switch {
	case len(a.First) == 0:
		return refuse(cloud.Invalid, "an application needs a first factor: password, email or both")
	case a.Reset && !a.Takes(FirstPassword):
		return refuse(cloud.Invalid, "where nobody has a password there is none to reset")
	case a.Refresh != 0 && (a.Refresh < leastRefresh || a.Refresh > mostRefresh):
		return refuse(cloud.Invalid, fmt.Sprintf("a refresh token lives %v to %v", leastRefresh, mostRefresh))
	case len(a.Origins) > maxOrigins || len(a.Scopes) > maxScopes || len(a.Attributes) > maxAttributes:
		return refuse(cloud.Invalid, fmt.Sprintf("at most %d origins, %d scopes and %d attributes", maxOrigins, maxScopes, maxAttributes))
	}
	for _, origin := range a.Origins {
		if err := checkOrigin(origin); err != nil {
			return err
		}
	}
	for _, scope := range append(slices.Clone(a.Scopes), a.Aud()) {
		if !isScope(scope) {
			return refuse(cloud.Invalid, "a scope or audience must be 1 to 200 printable ASCII characters without space, quote or backslash")
		}
	}
	for _, at := range a.Attributes {
		if !isAttribute(at.Name) {
			return refuse(cloud.Invalid, "the name of an attribute must be 1 to 64 letters, digits and underscores")
		}
	}
	if err := checkRegions(a.Open, a.Closed); err != nil {
		return err
	}
	return a.Brand.check()
}

// checkOrigin takes an origin as a browser writes it, of a page that cannot be
// changed on its way: https, or http on this machine.
func checkOrigin(s string) error {
	u, err := url.Parse(s)
	if err == nil && s == u.Scheme+"://"+u.Host && u.Host != "" && s == strings.ToLower(s) && !strings.ContainsAny(s, "*@ ") {
		ip := net.ParseIP(u.Hostname())
		if u.Scheme == "https" || u.Scheme == "http" && (u.Hostname() == "localhost" || ip != nil && ip.IsLoopback()) {
			return nil
		}
	}
	return refuse(cloud.Invalid, "an origin must be written https://HOST or https://HOST:PORT, or http:// for localhost, and nothing behind it")
}

// isScope tells whether s is a scope token (RFC 6749 §3.3) of moderate length.
func isScope(s string) bool {
	for i := range len(s) {
		if s[i] <= ' ' || s[i] > '~' || s[i] == '"' || s[i] == '\\' {
			return false
		}
	}
	return s != "" && len(s) <= 200
}

func isAttribute(s string) bool {
	for i := range len(s) {
		c := s[i] | 0x20
		if !(c >= 'a' && c <= 'z' || s[i] >= '0' && s[i] <= '9' || s[i] == '_') {
			return false
		}
	}
	return s != "" && len(s) <= 64
}

func checkRegions(open, closed []string) error {
	for _, p := range slices.Concat(open, closed) {
		if !strings.HasPrefix(p, "+") || !form.IsDigits(p[1:]) || p[1] == '0' || len(p) > maxPrefix {
			return refuse(cloud.Invalid, fmt.Sprintf("a region is the beginning of numbers: + and 1 to %d digits", maxPrefix-1))
		}
		if slices.Contains(open, p) && slices.Contains(closed, p) {
			return refuse(cloud.Invalid, "region "+p+" cannot be both open and closed")
		}
	}
	if len(open)+len(closed) > maxRegions {
		return refuse(cloud.Invalid, fmt.Sprintf("an application names at most %d regions", maxRegions))
	}
	return nil
}

func (b *Brand) check() error {
	if b.Text != "" {
		if err := checkTemplate(b.Text); err != nil {
			return err
		}
	}
	if b.Accent != "" && (len(b.Accent) != 7 || b.Accent[0] != '#' || strings.Trim(b.Accent[1:], "0123456789abcdef") != "") {
		return refuse(cloud.Invalid, "an accent must be written #rrggbb, in lower case")
	}
	for _, address := range []string{b.Logo, b.Terms, b.Help} {
		if u, err := url.Parse(address); address != "" && (err != nil || u.Scheme != "https" || u.Host == "" || len(address) > 300 || !form.IsPlain(address)) {
			return refuse(cloud.Invalid, "logo, terms and help must be https addresses")
		}
	}
	return nil
}
