package migrate_test

import (
	"fmt"
	"slices"
	"sort"
	"strings"

	"mfabridge/cloud"
	"mfabridge/legacy"
)

// gadget is a token or an app.
type gadget struct {
	kind   string // prefix of codes
	method cloud.Method
	seed   legacy.Seed
	params legacy.Generator
	name   string
	named  bool
	serial string
	own    bool
	key    string
}

func (o *oracle) tokens(i int, v *verdict, company bool) []string {
	var changes []string
	for _, t := range v.row.Tokens {
		g := gadget{kind: "TOKEN", method: cloud.HardwareOATH, seed: t.Seed, params: t.Generator, name: strings.TrimSpace(t.Manufacturer + " " + t.Model),
			serial: t.Serial, own: t.Serial != "", key: o.print(t.Seed)}
		if g.named = g.name != ""; !g.named {
			g.name = "OATH token"
		}
		if !g.own {
			g.serial = "MFB-" + g.key
		}
		twins, differ := 0, false
		for _, other := range v.row.Tokens {
			if g.own && strings.EqualFold(other.Serial, t.Serial) && other.Seed.State == legacy.SeedOK {
				twins++
				for _, third := range v.row.Tokens {
					differ = differ || strings.EqualFold(third.Serial, t.Serial) && third.Seed.State == legacy.SeedOK && o.print(third.Seed) != o.print(other.Seed)
				}
			}
		}
		switch {
		case t.Seed.State == legacy.SeedMissing && twins > 0:
			v.say("TOKEN_DUPLICATE")
		case differ && t.Seed.State == legacy.SeedOK:
			v.say("TOKEN_CONFLICT")
			v.bad = append(v.bad, g.key)
		case t.Unclear != "" && t.Seed.State == legacy.SeedOK:
			v.say("TOKEN_CONFLICT")
			v.bad = append(v.bad, g.key)
		case o.good(v, g):
			changes = append(changes, o.put(i, v, g, company)...)
			v.tokenKeys = append(v.tokenKeys, g.key)
		}
	}
	return changes
}

func (o *oracle) devices(i int, v *verdict, company bool) []string {
	devices := slices.Clone(v.row.Devices)
	sort.SliceStable(devices, func(a, b int) bool {
		x, y := devices[a], devices[b]
		if !x.Activated.Equal(y.Activated) {
			return x.Activated.After(y.Activated)
		}
		return x.LastUsed.After(y.LastUsed)
	})
	var changes, names []string
	for _, d := range devices {
		name := strings.ToLower(strings.TrimSpace(d.Name))
		if name != "" && slices.Contains(names, name) {
			v.say("DEVICE_SUPERSEDED")
			continue
		}
		names = append(names, name)
		if slices.Contains([]string{"c2dm", "mpns", "bps"}, strings.ToLower(d.NotificationType)) {
			v.say("DEVICE_PLATFORM_DEAD")
		}
		g := gadget{kind: "DEVICE", method: cloud.SoftwareOATH, seed: d.Seed, params: d.Generator, name: strings.TrimSpace(d.Name), key: o.print(d.Seed)}
		if g.named = g.name != ""; !g.named {
			g.name = "Mobile app"
		}
		g.serial = "MFB-" + g.key
		if !o.caps.Methods[cloud.SoftwareOATH].Create && o.caps.Methods[cloud.HardwareOATH].Create {
			g.method = cloud.HardwareOATH
		}
		if o.good(v, g) {
			changes = append(changes, o.put(i, v, g, company)...)
		}
	}
	return changes
}

// good tells whether the target takes a generator at all.
func (o *oracle) good(v *verdict, g gadget) bool {
	size := g.seed.Key.Len()
	switch {
	case g.seed.State == legacy.SeedMissing:
		v.say(g.kind + "_NO_SECRET")
	case g.seed.State == legacy.SeedAmbiguous:
		v.say("SECRET_AMBIGUOUS")
	case g.seed.State == legacy.SeedUnusable:
		v.say(g.kind + "_UNSUPPORTED")
	case g.seed.State != legacy.SeedOK:
		v.say(g.kind + "_SECRET_INVALID")
	case !o.caps.Methods[g.method].Create:
		v.say("METHOD_UNSUPPORTED")
	case size < o.caps.OATH.MinSecret || size > o.caps.OATH.MaxSecret:
		v.say(g.kind + "_SECRET_INVALID")
	case g.params.Interval != 30 && g.params.Interval != 60:
		v.say(g.kind + "_INTERVAL_UNSUPPORTED")
	case !slices.Contains(o.caps.OATH.Digits, g.params.Digits), !slices.Contains(o.caps.OATH.Algorithms, cloud.Algorithm(g.params.Algorithm)):
		v.say(g.kind + "_UNSUPPORTED")
	default:
		return true
	}
	return false
}

// put decides about a generator that the target would take.
func (o *oracle) put(i int, v *verdict, g gadget, company bool) []string {
	if slices.Contains(v.bad, g.key) {
		v.say(g.kind + "_CONFLICT")
		return nil
	}
	duplicate := func() []string {
		if slices.Contains(v.tokenKeys, g.key) {
			v.say("TOKEN_DUPLICATE")
		} else {
			v.say(g.kind + "_DUPLICATE")
		}
		return nil
	}
	at := slices.IndexFunc(v.user.OATH, func(e cloud.OATHEntry) bool { return e.Fingerprint == g.key })
	if at < 0 {
		at = slices.IndexFunc(v.user.OATH, func(e cloud.OATHEntry) bool { return strings.EqualFold(e.Serial, g.serial) })
	}
	if at >= len(v.was.OATH) || at >= 0 && v.seen[at] {
		return duplicate()
	}
	if at >= 0 {
		return o.there(v, g, at)
	}
	app := len(v.row.Devices) > 0 || v.row.PhoneAppActivated || v.mode == "phoneApp"
	active := 0
	for _, a := range v.was.Authenticators {
		if a.State == "active" {
			active++
		}
	}
	taken := len(v.user.OATH) + active
	if app && active == 0 {
		taken++
	}
	if taken >= o.caps.OATH.Limit {
		v.holds = true
		v.say(g.kind + "_LIMIT")
		return nil
	}
	if company && (others(o.secrets[g.key], i) || g.own && others(o.serials[strings.ToLower(g.serial)], i)) {
		v.bad = append(v.bad, g.key)
		v.say(g.kind + "_CONFLICT")
		return nil
	}
	if company && (len(o.lying["secret "+g.key]) > 0 || g.own && len(o.lying["serial "+strings.ToLower(g.serial)]) > 0) {
		v.say("SECRET_ELSEWHERE")
	}
	v.has(g.method)
	if off := g.params.Drift; off > o.caps.OATH.MaxDrift || -off > o.caps.OATH.MaxDrift {
		v.say("CLOCK_OFF")
		v.off = append(v.off, g.key)
	}
	if !o.caps.OATH.Activates {
		v.say("TOKEN_NOT_ACTIVATED")
	}
	v.added++
	v.user.OATH = append(v.user.OATH, cloud.OATHEntry{Method: g.method, OATH: cloud.OATH{Name: g.name, Serial: g.serial, Fingerprint: g.key}})
	return []string{change("add", string(g.method), "", g.serial+"/"+g.name+"/"+fmt.Sprint(g.params.Interval))}
}

// there compares a generator with the one that the target has.
func (o *oracle) there(v *verdict, g gadget, at int) []string {
	e := v.was.OATH[at]
	if e.Fingerprint != "" && e.Fingerprint != g.key {
		v.has(e.Method)
		v.say("METHOD_DIFFERS_IN_CLOUD")
		return nil
	}
	v.seen[at] = true
	v.has(e.Method)
	v.user.OATH[at].Fingerprint = g.key
	if e.Inactive {
		v.say("TOKEN_NOT_ACTIVATED")
	}
	if e.Fingerprint == "" && g.own {
		v.say("SECRET_NOT_COMPARED")
	}
	name, period := e.Name, e.Period
	if g.named {
		name = g.name
	}
	if period != 0 {
		period = g.params.Interval
	}
	// A target that tells digits and algorithm has those of the export, too.
	other := e.Digits != g.params.Digits || string(e.Algorithm) != g.params.Algorithm
	if name == e.Name && period == e.Period && !other {
		return nil
	}
	if !o.caps.Methods[e.Method].Update {
		if e.Name != "" || period != e.Period || other {
			v.say("METHOD_DIFFERS_IN_CLOUD")
		}
		return nil
	}
	return []string{change("update", string(e.Method), e.Serial+"/"+e.Name+"/"+fmt.Sprint(e.Period), e.Serial+"/"+name+"/"+fmt.Sprint(period))}
}

func (o *oracle) push(v *verdict) []string {
	app := len(v.row.Devices) > 0 || v.row.PhoneAppActivated || v.mode == "phoneApp"
	if !app || v.active() {
		return nil
	}
	v.say("PUSH_NEEDS_ACTIVATION")
	if !o.caps.Methods[cloud.Authenticator].Create {
		return nil
	}
	v.has(cloud.Authenticator)
	if len(v.was.Authenticators) == 0 {
		return []string{change("add", "authenticator", "", "invited")}
	}
	for _, a := range v.was.Authenticators {
		if a.State != "expired" {
			return nil
		}
	}
	if o.opt.Reinvite {
		return []string{change("update", "authenticator", "expired", "invited")}
	}
	return nil
}

func (v *verdict) active() bool {
	return slices.ContainsFunc(v.was.Authenticators, func(a cloud.AuthenticatorEntry) bool { return a.State == "active" })
}
