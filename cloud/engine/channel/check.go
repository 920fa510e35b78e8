package channel

import (
	"fmt"
	"maps"
	"net/netip"
	"net/textproto"
	"net/url"
	"slices"
	"strings"
	"time"

	"mfabridge/internal/confcheck"
	"mfabridge/internal/hint"
)

// checking collects what is wrong with a configuration. No value stands in a
// problem: somebody may have written a secret in the wrong place.
type checking struct {
	confcheck.Check
	channel  string // whose providers are being checked
	names    map[string]bool
	patience time.Duration // of all providers that one message may ask
}

func wrapped(at string, err error) error { return fmt.Errorf("%s: %w", at, err) }

// maxPatience is what all tries of one message may take: a login has ten
// seconds.
const maxPatience = 9 * time.Second

func (k *checking) provider(p *Provider) {
	at := "channels." + k.channel + ".providers." + p.Name
	if !isName(p.Name) {
		k.Refuse("write letters, digits and hyphens", "a provider of channels.%s has no plain name", k.channel)
		return
	}
	if !slices.Contains([]string{Live, Evaluate, Off}, p.Mode) {
		k.Refuse("write mode: evaluate to begin with", "%s.mode must be live, evaluate or off", at)
	}
	if p.Percent == 0 {
		p.Percent = 100
	}
	if p.Percent < 0 || p.Percent > 100 {
		k.Refuse("write 1 to 100; mode: off takes a provider out", "%s.percent cannot be %d", at, p.Percent)
	}
	if p.Price < 0 {
		k.Refuse("write what one message costs", "%s.price cannot be less than nothing", at)
	}
	var names, may []string
	var given []kind
	for _, one := range p.kinds() {
		names = append(names, one.name)
		if slices.Contains(one.channels, k.channel) {
			may = append(may, one.name)
		}
		if one.has {
			given = append(given, one)
		}
	}
	if len(given) != 1 {
		k.Refuse("write one of them", "%s needs one of %s", at, strings.Join(names, ", "))
		return
	}
	if !slices.Contains(may, given[0].name) {
		k.Refuse("use "+strings.Join(may, " or "), "%s.%s is nothing for channels.%s", at, given[0].name, k.channel)
		return
	}
	given[0].settings.check(k, at+"."+given[0].name)
}

func (t *Twin) check(k *checking, at string) {
	if t.Folder == "" {
		k.Refuse("write folder: twins", "%s.folder is missing", at)
	}
	t.Folder = k.Path(t.Folder)
	for _, prefix := range t.Reaches {
		if !isPrefix(prefix) {
			k.Refuse(`write them as ["+91"]`, "%s.reaches: an entry is no country prefix", at)
		}
	}
	may := []string{"", "none", "delivered", "failed"}
	if k.channel == "voice" {
		may = []string{"", "none", "confirmed", "fraud", "declined"}
	}
	if !slices.Contains(may, t.Receipts) {
		k.Refuse("write one of "+strings.Join(may[1:], ", "), "%s.receipts is none that a twin of channels.%s gives", at, k.channel)
	}
}

func (h *HTTP) check(k *checking, at string) {
	if err := h.fill(k.channel); err != nil {
		k.Add(hint.Wrap(wrapped(at, err), "docs/delivery.md has a recipe for each profile"))
		return
	}
	k.vars(at, h)
	if h.Method == "" {
		h.Method = "POST"
	}
	if h.Method != "POST" && h.Method != "PUT" {
		k.Refuse("use POST", "%s.method must be POST or PUT: what is in an address of GET stands in the logs of others", at)
	}
	k.url(at, h)
	for name, value := range h.Headers {
		k.header(at, name, value)
		h.Headers[name] = k.Ref(value)
	}
	k.access(at, h)
	switch {
	case (h.Form == nil) == (h.JSON == nil):
		k.Refuse("write one of them", "%s needs form or json", at)
	default:
		if _, err := newBody(h); err != nil {
			k.Add(hint.Wrap(wrapped(at, err), "docs/delivery.md lists the marks"))
		}
	}
	k.success(at, &h.Success)
	k.receipts(at+".receipts", h.Receipts)
	k.atOnce(at, &h.AtOnce, 64, 1024)
	k.timeout(at, h.Timeout)
	h.CA = k.Path(h.CA)
}

func (k *checking) vars(at string, h *HTTP) {
	if len(h.Vars) > maxTable {
		k.Refuse("list fewer", "%s.vars has more than %d entries", at, maxTable)
	}
	for name, value := range h.Vars {
		if !isMark(name) || slices.Contains(marksOfBody, name) {
			k.Refuse("use small letters, digits and _, and none of the marks that docs/delivery.md lists", "%s.vars: a name cannot be used", at)
		}
		h.Vars[name] = k.Ref(value)
	}
}

// url holds the address: its scheme, its host, and what of a message may be in
// it.
func (k *checking) url(at string, h *HTTP) {
	if h.URL == "" {
		k.Refuse("write url: https://HOST/PATH", "%s.url is missing", at)
		return
	}
	if _, err := newAddress(h); err != nil {
		k.Add(hint.Wrap(wrapped(at+".url", err), "write https://HOST/PATH, marks only behind the host, and none for the code"))
	}
}

// forbiddenHeaders are those that the request has anyway, or that mean
// something to proxies.
var forbiddenHeaders = []string{"Host", "Content-Length", "Content-Type", "Transfer-Encoding", "Connection", "Upgrade", "Te", "Trailer", "Expect", "Proxy-Authorization", "Accept-Encoding"}

func (k *checking) header(at, name, value string) {
	if !isToken(name) || slices.Contains(forbiddenHeaders, textproto.CanonicalMIMEHeaderKey(name)) || strings.ContainsFunc(value, isControl) {
		k.Refuse("remove it", "%s.headers: a header cannot be set", at)
	}
	if strings.EqualFold(name, "Authorization") && !isRef(value) {
		k.Refuse("write file:PATH or env:NAME, or use bearer or basic", "%s.headers.Authorization holds a secret in the open", at)
	}
}

func (k *checking) access(at string, h *HTTP) {
	if h.Basic != nil && h.Bearer != "" {
		k.Refuse("leave one of them", "%s has basic and bearer", at)
	}
	if h.Bearer != "" && !isRef(h.Bearer) {
		k.Refuse("write file:PATH or env:NAME", "%s.bearer does not say where the secret is", at)
	}
	h.Bearer = k.Ref(h.Bearer)
	if h.Basic == nil {
		return
	}
	if _, err := ParseTemplate(h.Basic.User, slices.Collect(maps.Keys(h.Vars))...); err != nil || h.Basic.User == "" || !isRef(h.Basic.Password) {
		k.Refuse("write basic: {user: NAME, password: file:PATH}", "%s.basic needs a user, and says where the password is", at)
	}
	h.Basic.Password = k.Ref(h.Basic.Password)
}

func (k *checking) success(at string, s *Success) {
	for _, status := range s.Status {
		if status < 200 || status > 299 {
			k.Refuse("list numbers from 200 to 299", "%s.success.status: %d is no success", at, status)
		}
	}
	if (s.Field == "") != (len(s.Is) == 0) {
		k.Refuse("write for example success: {field: status, is: [queued]}", "%s.success has one of field and is", at)
	}
}

func (s *SMTP) check(k *checking, at string) {
	if s.Host == "" || strings.ContainsAny(s.Host, ":/@ <") && !isAddress(s.Host) {
		k.Refuse("write host: mail.contoso.example", "%s.host is no name of a host", at)
	}
	switch s.TLS {
	case "":
		s.TLS = startTLS
	case startTLS, implicitTLS:
	case noTLS:
		if !isLoopback(s.Host) {
			k.Refuse("write tls: starttls or tls: implicit", "%s.tls: none is for a loopback host", at)
		}
		if s.User != "" {
			k.Refuse("use tls: starttls", "%s sends a password without TLS", at)
		}
	default:
		k.Refuse("write starttls or implicit", "%s.tls must be starttls, implicit or none", at)
	}
	if s.Port == 0 {
		s.Port = map[string]int{implicitTLS: 465}[s.TLS]
		if s.Port == 0 {
			s.Port = 587
		}
	}
	if s.Port < 1 || s.Port > 65535 {
		k.Refuse("write 587 or 465", "%s.port is no port", at)
	}
	if (s.User == "") != (s.Password == "") || s.Password != "" && !isRef(s.Password) {
		k.Refuse("write user: NAME and password: file:PATH", "%s needs both of user and password, or none, and says where the password is", at)
	}
	s.Password = k.Ref(s.Password)
	if s.Subject == "" {
		s.Subject = "Verification code"
	}
	if _, err := newEnvelope(s, k.channel == "email"); err != nil {
		k.Add(hint.Wrap(wrapped(at, err), `write from: codes@contoso.example and for example to: "<$digits$>@sms.contoso.example"`))
	}
	k.timeout(at, s.Timeout)
	s.CA = k.Path(s.CA)
}

// atOnce completes a number of requests that are open at once.
func (k *checking) atOnce(at string, n *int, normally, most int) {
	if *n == 0 {
		*n = normally
	}
	if *n < 1 || *n > most {
		k.Refuse(fmt.Sprintf("write 1 to %d", most), "%s.at_once cannot be %d", at, *n)
	}
}

func (k *checking) timeout(at, text string) {
	d, err := timeoutOf(text)
	if err != nil {
		k.Refuse(fmt.Sprintf("write a time from %v to %v", timeoutLeast, timeoutMost), "%s.timeout is no time that a try may take", at)
	}
	k.patience += d
}

func timeoutOf(text string) (time.Duration, error) {
	if text == "" {
		return timeoutDefault, nil
	}
	d, err := time.ParseDuration(text)
	if err != nil || d < timeoutLeast || d > timeoutMost {
		return 0, fmt.Errorf("no time from %v to %v", timeoutLeast, timeoutMost)
	}
	return d, nil
}

func isRef(s string) bool { return strings.HasPrefix(s, "file:") || strings.HasPrefix(s, "env:") }

// isToken tells whether s can be the name of a header (RFC 9110 §5.6.2).
func isToken(s string) bool {
	for i := range len(s) {
		c := s[i]
		if (c < '0' || c > '9') && (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && !strings.ContainsRune("!#$%&'*+-.^_`|~", rune(c)) {
			return false
		}
	}
	return s != "" && len(s) <= 64
}

func isAddress(s string) bool {
	_, err := netip.ParseAddr(s)
	return err == nil
}

// isLoopback tells whether a host is this machine whatever a name server says.
func isLoopback(host string) bool {
	a, err := netip.ParseAddr(host)
	return err == nil && a.Unmap().IsLoopback()
}

// newAddress reads the url: https, or http on a loopback address; its host has
// no marks, and the code and the text are never in it.
func newAddress(h *HTTP) (Template, error) {
	t, err := ParseTemplate(h.URL, append(slices.Collect(maps.Keys(h.Vars)), markNumber, markDigits, markID)...)
	if err != nil {
		return Template{}, err
	}
	u, err := url.Parse(t.Fill(nil, func(string) string { return "" }))
	if err != nil || u.Host == "" || u.User != nil || u.Fragment != "" {
		return Template{}, fmt.Errorf("it is no address of a host without a user")
	}
	if u.Scheme != "https" && (u.Scheme != "http" || !isLoopback(u.Hostname()) || !h.AllowPrivate) {
		return Template{}, fmt.Errorf("it must begin with https://")
	}
	if before, _, found := strings.Cut(h.URL, "<$"); found && !strings.Contains(strings.TrimPrefix(before, u.Scheme+"://"), "/") {
		return Template{}, fmt.Errorf("a mark stands in its host")
	}
	return t, nil
}
