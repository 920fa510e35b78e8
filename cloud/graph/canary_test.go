package graph_test

import (
	"net/http"
	"regexp"
	"strings"
	"testing"

	"mfabridge/cloud"
	"mfabridge/cloud/graph"
)

// A canary touches nobody who is more, or less, than an ordinary user.
func TestWhoIsNoCanary(t *testing.T) {
	for name, change := range map[string]func(*person){
		"an administrator":          func(p *person) { p.roles = []string{"729827e3-9c14-49f7-bb1b-9608f156bbb8"} },
		"a guest":                   func(p *person) { p.guest = true },
		"somebody of another house": func(p *person) { p.creation = "Invitation" },
		"a disabled user":           func(p *person) { p.disabled = true },
		"nobody":                    func(p *person) { p.upn = "someone@contoso.example" },
	} {
		x := newTenant(t)
		change(x.people[adaID])
		checks, err := x.open().Canary(t.Context(), "ada@contoso.example")
		if err != nil || len(checks) != 1 || checks[0].Name != "canary.user" || checks[0].Result != cloud.CheckBlocker || len(x.people[adaID].phones) != 0 || len(x.devices) != 0 {
			t.Errorf("%s: %+v, %v", name, checks, err)
		}
	}
}

// The number of a canary comes into a slot that is empty, and every number that
// the user has stays; an alternate one is never alone.
func TestSlotOfACanary(t *testing.T) {
	for have, want := range map[string]string{
		"":                              "office",
		"mobile":                        "office",
		"office":                        "mobile",
		"office mobile":                 "alternateMobile",
		"office alternateMobile":        "mobile",
		"office mobile alternateMobile": "",
	} {
		x := newTenant(t)
		ada := x.people[adaID]
		for _, slot := range strings.Fields(have) {
			ada.phones[slot] = "+1 4255550101"
		}
		var written []string
		d := x.open(func(o *graph.Options) {
			o.Tokenless = true
			o.Transport = mutate(x, func(_ *http.Request, body []byte) (*http.Response, error) {
				for slot := range slots {
					if strings.Contains(string(body), `"phoneType":"`+slot+`"`) {
						written = append(written, slot)
					}
				}
				return nil, nil
			})
		})
		checks, err := d.Canary(t.Context(), "ada@contoso.example")
		result := cloud.CheckPassed
		if want == "" {
			result = cloud.CheckUnknown
		}
		if err != nil || len(checks) != 2 || checks[1].Result != result || strings.Join(written, " ") != want {
			t.Errorf("%q: written to %q, %+v, %v", have, written, checks, err)
		}
		if len(ada.phones) != len(strings.Fields(have)) {
			t.Errorf("%q: the user has %v", have, ada.phones)
		}
		for _, slot := range strings.Fields(have) {
			if ada.phones[slot] != "+1 4255550101" {
				t.Errorf("%q: the %s is %q", have, slot, ada.phones[slot])
			}
		}
	}
}

// What a canary could not write, see or take back is told; above all the last.
func TestWhatACanaryTells(t *testing.T) {
	for name, c := range map[string]struct {
		fault  func(method, path string) int
		result cloud.CheckResult
		says   string
	}{
		"nothing is in the way": {func(string, string) int { return 0 }, cloud.CheckPassed, "written as office"},
		"it cannot be written": {func(method, path string) int {
			if method == "POST" && strings.HasSuffix(path, "/phoneMethods") {
				return 403
			}
			return 0
		}, cloud.CheckBlocker, "cannot be written"},
		"it cannot be taken back": {func(method, _ string) int {
			if method == "DELETE" {
				return 403
			}
			return 0
		}, cloud.CheckBlocker, "could not be taken back"},
	} {
		x := newTenant(t)
		x.fault = func(method, path string, _ int) (int, http.Header) { return c.fault(method, path), nil }
		d := x.open(func(o *graph.Options) { o.Tokenless = true })
		checks, err := d.Canary(t.Context(), "ada@contoso.example")
		if err != nil || len(checks) != 2 || checks[1].Result != c.result || !strings.Contains(checks[1].Detail, c.says) {
			t.Errorf("%s: %+v, %v", name, checks, err)
		}
	}
	// It is taken back while nobody can look: then it may still be there.
	x := newTenant(t)
	gone := false
	x.fault = func(method, path string, _ int) (int, http.Header) {
		gone = gone || method == "DELETE"
		if gone && method == "GET" && strings.HasSuffix(path, "/phoneMethods") {
			return 403, nil
		}
		return 0, nil
	}
	checks, err := x.open(func(o *graph.Options) { o.Tokenless = true }).Canary(t.Context(), "ada@contoso.example")
	if err != nil || len(checks) != 2 || checks[1].Result != cloud.CheckBlocker || !strings.Contains(checks[1].Detail, "may still be") {
		t.Errorf("nobody could look: %+v, %v", checks, err)
	}
}

// A test token of which nobody knows whether it came into the inventory is taken
// out of it, or named.
func TestTokenOfACanaryThatIsNotKnown(t *testing.T) {
	const made, stock = "POST /directory/authenticationMethodDevices/hardwareOathDevices", "/directory/authenticationMethodDevices/hardwareOathDevices"
	for name, c := range map[string]struct {
		status int                                  // of its making
		looks  func(method, path string, n int) int // of what follows
		stored bool
		says   string
		left   int
	}{
		"refused":                     {403, nil, false, "403", 0},
		"failed, and not there":       {503, nil, false, "may stand in the inventory", 0},
		"failed, and nobody can look": {503, func(m, _ string, _ int) int { return map[bool]int{true: 503}[m == "GET"] }, true, "may stand in the inventory", 1},
		"seen only later":             {503, func(m, _ string, n int) int { return map[bool]int{true: 403}[m == "GET" && n == 1] }, true, "was taken out", 0},
		"it stays":                    {503, func(m, _ string, n int) int { return map[bool]int{true: 403}[m == "GET" && n == 1 || m == "DELETE"] }, true, "may stand in the inventory", 1},
	} {
		x := newTenant(t)
		asked := 0
		x.fault = func(method, path string, _ int) (int, http.Header) {
			switch {
			case method+" "+path == made:
				if c.stored {
					x.devices = append(x.devices, map[string]any{"id": "device-1", "serialNumber": "", "status": "available"})
				}
				return c.status, nil
			case strings.HasPrefix(path, stock) && c.looks != nil:
				if method == "GET" {
					asked++
				}
				return c.looks(method, path, asked), nil
			}
			return 0, nil
		}
		serial := ""
		d := x.open(func(o *graph.Options) {
			o.Transport = mutate(x, func(_ *http.Request, body []byte) (*http.Response, error) {
				if m := canarySerial.FindSubmatch(body); m != nil {
					serial = string(m[1])
				}
				for _, v := range x.devices {
					v["serialNumber"] = serial
				}
				return nil, nil
			})
		})
		checks, err := d.Canary(t.Context(), "ada@contoso.example")
		last := checks[len(checks)-1]
		if err != nil || last.Name != "canary.token" || last.Result != cloud.CheckBlocker || !strings.Contains(last.Detail, c.says) || len(x.devices) != c.left {
			t.Errorf("%s: %+v, %v, the inventory %v", name, last, err, x.devices)
		}
		if named := strings.Contains(last.Detail, serial); serial == "" || named != strings.Contains(c.says, "may stand") {
			t.Errorf("%s: %q, of %q", name, last.Detail, serial)
		}
	}
}

var canarySerial = regexp.MustCompile(`"serialNumber":"(MFB-CANARY-[A-Z2-7]+)"`)

// The token of a canary leaves nothing behind wherever it was stopped, and what
// it leaves all the same is told.
func TestTokenOfACanary(t *testing.T) {
	for name, c := range map[string]struct {
		fault func(method, path string) bool
		want  string
		stays bool
	}{
		"all goes well":          {func(string, string) bool { return false }, "canary.token passed, canary.activation passed", false},
		"it cannot be assigned":  {func(m, p string) bool { return m == "POST" && strings.HasSuffix(p, "/hardwareOathMethods") }, "canary.token blocker", false},
		"it cannot be activated": {func(_, p string) bool { return strings.HasSuffix(p, "/activate") }, "canary.token passed, canary.activation warning", false},
		"it cannot be made":      {func(m, p string) bool { return m == "POST" && strings.HasSuffix(p, "/hardwareOathDevices") }, "canary.token blocker", false},
		"it cannot be taken back": {func(m, p string) bool { return m == "DELETE" && strings.Contains(p, "/hardwareOathDevices/") },
			"canary.token blocker", true},
	} {
		x := newTenant(t)
		x.fault = func(method, path string, _ int) (int, http.Header) {
			if c.fault(method, path) {
				return 403, nil
			}
			return 0, nil
		}
		checks, err := x.open().Canary(t.Context(), "ada@contoso.example")
		var words []string
		for _, check := range checks[min(2, len(checks)):] {
			words = append(words, check.Name+" "+string(check.Result))
		}
		if got := strings.Join(words, ", "); err != nil || got != c.want || len(x.people[adaID].tokens) != 0 || (len(x.devices) != 0) != c.stays {
			t.Errorf("%s: %s, %v, the user has %v, the inventory %v", name, got, err, x.people[adaID].tokens, x.devices)
		}
	}
}
