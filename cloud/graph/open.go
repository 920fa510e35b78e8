package graph

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"

	"mfabridge/cloud"
	"mfabridge/internal/hint"
	"mfabridge/internal/sleep"
)

// Published limits, and the part of them that is used: another tool of the same
// tenant shall not be throttled by a migration.
const (
	batchLimit    = 20  // requests in one $batch
	inLimit       = 15  // values in one "in" filter
	writesASecond = 10  // half of 3,000 in 150 s for an application in a tenant
	writesBurst   = 2   // seconds' worth that may be written at once: limits are published over 150 s
	unitsASecond  = 250 // of 3,500 in 10 s, the smallest class of tenant
	maxOATH       = 5   // hardware tokens and apps of one user
)

// Environment is one of Microsoft's clouds.
type Environment struct {
	Name  string // "global", "usgov", "usdod", "china"
	Root  string // of Graph, "https://graph.microsoft.com"
	Login string // of the authority, "https://login.microsoftonline.com"
	Word  string // as Capabilities.Cloud has it
}

// Global is the public cloud, GCC included.
func Global() Environment {
	return Environment{"global", "https://graph.microsoft.com", "https://login.microsoftonline.com", "global"}
}

// Environments are all clouds that are known.
func Environments() []Environment {
	return []Environment{Global(),
		{"usgov", "https://graph.microsoft.us", "https://login.microsoftonline.us", "usgov"},
		{"usdod", "https://dod-graph.microsoft.us", "https://login.microsoftonline.us", "usgov"},
		{"china", "https://microsoftgraph.chinacloudapi.cn", "https://login.chinacloudapi.cn", "china"}}
}

// Options say which tenant is meant and how it is asked.
type Options struct {
	Tenant     string // id or a domain of the tenant; for messages
	Cloud      Environment
	Credential azcore.TokenCredential // of an application; nil: nobody is asked for a token (a rehearsal)

	// Activates states that an application may activate hardware OATH tokens
	// of other users, on which the reference contradicts itself.
	Activates bool

	// Tokenless states that the cloud has no interface for hardware OATH tokens,
	// on which the reference contradicts itself: none is read or written. Of the
	// cloud in China it says so without contradiction.
	Tokenless bool

	Transport http.RoundTripper // nil: that of the system, with its proxies
	Log       *slog.Logger      // nil: no log. Every request is one line at debug, with its client-request-id
	Now       func() time.Time  // nil: time.Now
	Sleep     func(context.Context, time.Duration) error
	Writes    float64 // a second; 0: a half of what is published
}

// Directory is a tenant. It implements [cloud.Directory], [cloud.GroupReader],
// [cloud.Restorer] and [cloud.Preflighter]. All methods may be called concurrently.
type Directory struct {
	o      Options
	client *client
	tenant organization

	policy   kept[*policy]
	eligible kept[*eligibility]
	told     atomic.Pointer[cloud.UserID] // somebody whom Graph has told of

	mu      sync.Mutex
	failing map[cloud.UserID]bool // whom the service has failed at

	roles     sync.Mutex
	rolesSeen time.Time // until when a token lasts that lets us see who has which role
}

var (
	_ cloud.Directory   = (*Directory)(nil)
	_ cloud.GroupReader = (*Directory)(nil)
	_ cloud.Preflighter = (*Directory)(nil)
	_ cloud.Restorer    = (*Directory)(nil)
)

// Open asks the tenant who it is. A tenant for customers (B2C) is refused with
// kind Unsupported: its users have no telephone methods to write.
func Open(ctx context.Context, o Options) (*Directory, error) {
	o.Log = cmp.Or(o.Log, slog.New(slog.DiscardHandler))
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Sleep == nil {
		o.Sleep = sleep.For
	}
	o.Tokenless = o.Tokenless || o.Cloud.Word == "china"
	if o.Writes <= 0 {
		o.Writes = writesASecond
	}
	root, err := url.Parse(o.Cloud.Root)
	if err != nil || root.Host == "" || root.Scheme != "https" && !(root.Scheme == "http" && isLoopback(root.Hostname())) {
		return nil, hint.New(fmt.Sprintf("%q is no address of Graph", o.Cloud.Root), "use https://, or http:// on loopback")
	}
	if o.Cloud.Root != root.Scheme+"://"+root.Host {
		return nil, hint.New(fmt.Sprintf("%q is more than the root of Graph", o.Cloud.Root), "give https://HOST or https://HOST:PORT alone: v1.0, beta and what follows are added")
	}
	d := &Directory{o: o, client: newClient(o), failing: map[cloud.UserID]bool{}}
	var list page[organization]
	if err := d.client.get(ctx, v1, "/organization?$select=id,displayName,tenantType,verifiedDomains", &list); err != nil {
		err = fmt.Errorf("tenant %s cannot be asked who it is: %w", o.Tenant, err)
		if e, ok := errors.AsType[*cloud.Error](err); ok && e.Kind == cloud.Denied && e.Err == nil {
			return nil, hint.Wrap(err, "the application needs the permission Organization.Read.All, and an administrator's consent to it; see docs/entra.md")
		}
		return nil, err
	}
	if len(list.Value) != 1 || list.Value[0].ID == "" {
		return nil, &cloud.Error{Kind: cloud.Internal, Message: fmt.Sprintf("tenant %s does not say who it is", o.Tenant)}
	}
	d.tenant = list.Value[0]
	if strings.Contains(strings.ToUpper(d.tenant.TenantType), "B2C") {
		return nil, &cloud.Error{Kind: cloud.Unsupported, Message: "this is a tenant for customers (B2C), whose users have no methods that Graph can write"}
	}
	return d, nil
}

func isLoopback(host string) bool {
	return host == "localhost" || host == "127.0.0.1" || host == "::1"
}

// Capabilities implements [cloud.DirectoryReader].
func (d *Directory) Capabilities(ctx context.Context) (cloud.Capabilities, error) {
	all := cloud.Access{Create: true, Read: true, Update: true, Delete: true}
	seen := cloud.Access{Read: true, Delete: true}
	c := cloud.Capabilities{
		Instance: d.tenant.ID, Product: "Microsoft Entra ID", Batch: batchLimit, Delayed: true, Cloud: d.o.Cloud.Word, RetiresTelephony: true,
		Methods: map[cloud.Method]cloud.Access{
			cloud.Mobile: all, cloud.AlternateMobile: all, cloud.Office: all, cloud.Email: all,
			cloud.SoftwareOATH: seen, cloud.Authenticator: seen,
			cloud.HardwareOATH: {Create: true, Read: true, Delete: true},
		},
		DefaultMethod: cloud.Access{Create: true, Read: true, Update: true},
		Preferences: []cloud.Preference{cloud.Push, cloud.OATHCode, cloud.SMS, cloud.VoiceMobile,
			cloud.VoiceAlternateMobile, cloud.VoiceOffice},
		OATH: cloud.OATHCapabilities{Limit: maxOATH, Algorithms: []cloud.Algorithm{cloud.SHA1, cloud.SHA256}, Digits: []int{6},
			Periods: []int{30, 60}, Activates: d.o.Activates, MinSecret: 1, MaxSecret: maxSecretText * 5 / 8, MaxDrift: maxDrift},
		Telephony: []cloud.Preference{cloud.SMS, cloud.VoiceMobile, cloud.VoiceAlternateMobile, cloud.VoiceOffice},
		Pace: cloud.Pace{PerSecond: d.o.Writes, Read: d.o.Writes * readUnits / unitsASecond,
			Change: map[cloud.Method]float64{cloud.HardwareOATH: 3}},
	}
	// Left to Microsoft ("default"), the system chooses; a default method counts for
	// the NPS extension and AD FS only.
	if p, err := d.methodsPolicy(ctx); err == nil {
		c.DefaultIsUsed = strings.EqualFold(p.System.State, "disabled")
	}
	if d.o.Tokenless {
		delete(c.Methods, cloud.HardwareOATH)
	}
	for _, domain := range d.tenant.VerifiedDomains {
		c.Domains = append(c.Domains, strings.ToLower(domain.Name))
	}
	return c, nil
}
