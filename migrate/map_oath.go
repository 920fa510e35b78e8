package migrate

import (
	"fmt"
	"slices"

	"mfabridge/cloud"
	"mfabridge/cloud/form"
	"mfabridge/legacy"
)

// What an OATH method without a serial number of its own is called; see
// [cloud.Fingerprint].
const (
	serialPrefix    = "MFB-"
	ownManufacturer = "mfabridge"
	unknownMaker    = "unknown" // of a token with a serial number of its own
	modelApp        = "app"
	modelToken      = "token"
)

// generator is a token or an app on its way into a target.
type generator struct {
	method    cloud.Method
	oath      cloud.OATH
	named     bool   // the export gives it a name
	ownSerial bool   // the export gives it a serial number
	field     string // column of findings
	place     legacy.Place
	kind      string // for findings: "token", "app"
	called    string // what the export calls it; may be empty
	reason    string
	codes     *generatorCodes
}

// label is what findings call the generator: `token "1234"`.
func (g *generator) label() string {
	if g.called == "" {
		return "the " + g.kind
	}
	return g.kind + " " + Quoted(g.called)
}

// generatorCodes are the findings that tokens and devices have each of their own.
type generatorCodes struct {
	missing, invalid, interval, unsupported, conflict, duplicate, limit Code
}

var (
	tokenCodes = generatorCodes{TokenNoSecret, TokenSecretInvalid, TokenIntervalUnsupported, TokenUnsupported,
		TokenConflict, TokenDuplicate, TokenLimit}
	deviceCodes = generatorCodes{DeviceNoSecret, DeviceSecretInvalid, DeviceIntervalUnsupported, DeviceUnsupported,
		DeviceConflict, DeviceDuplicate, DeviceLimit}
)

func (d *draft) parameters(seed legacy.Seed, g legacy.Generator) cloud.OATH {
	o := cloud.OATH{Algorithm: cloud.Algorithm(g.Algorithm), Digits: g.Digits, Period: g.Interval, Drift: g.Drift, Secret: seed.Key}
	if seed.State == legacy.SeedOK {
		if d.prints == nil {
			d.prints = cloud.NewFingerprints(d.caps.Instance)
		}
		o.Fingerprint = d.prints.Of(seed.Key)
	}
	return o
}

// usable tells whether the target takes a generator, and says why not.
func (d *draft) usable(g *generator, seed legacy.Seed) bool {
	limits, o := d.caps.OATH, g.oath
	switch size := seed.Key.Len(); {
	case seed.State == legacy.SeedMissing:
		d.findAt(g.place, g.codes.missing, g.field, "the export holds no secret of "+g.label())
	case seed.State == legacy.SeedAmbiguous:
		d.findAt(g.place, SecretAmbiguous, g.field, "the secret of "+g.label()+": "+seed.Problem)
	case seed.State == legacy.SeedUnusable:
		d.findAt(g.place, g.codes.unsupported, g.field, "the key of "+g.label()+": "+seed.Problem)
	case seed.State != legacy.SeedOK:
		d.findAt(g.place, g.codes.invalid, g.field, "the secret of "+g.label()+": "+seed.Problem)
	case !d.caps.Methods[g.method].Create:
		d.findAt(g.place, MethodUnsupported, g.field, "the target takes no "+string(g.method)+"; "+g.label()+" is left out")
	case size == 0 || size < limits.MinSecret || limits.MaxSecret > 0 && size > limits.MaxSecret:
		d.findAt(g.place, g.codes.invalid, g.field, fmt.Sprintf("the secret of %s has %d bytes; the target takes %d to %d", g.label(), size, limits.MinSecret, limits.MaxSecret))
	case !slices.Contains(limits.Periods, o.Period):
		d.findAt(g.place, g.codes.interval, "OathTokenTimeInterval", fmt.Sprintf("the codes of %s change every %d seconds", g.label(), o.Period))
	case len(o.Serial) > form.MaxLabel || !form.IsPlain(o.Serial):
		d.findAt(g.place, g.codes.unsupported, g.field, fmt.Sprintf("the serial number of %s is longer than %d bytes, or has a character in it that cannot be seen", g.label(), form.MaxLabel))
	case !slices.Contains(limits.Digits, o.Digits) || !slices.Contains(limits.Algorithms, o.Algorithm):
		d.findAt(g.place, g.codes.unsupported, g.field, fmt.Sprintf("the codes of %s have %d digits by %s", g.label(), o.Digits, o.Algorithm))
	default:
		return true
	}
	return false
}

// place decides about a usable generator: there already, twice, too many,
// somebody else's, or new.
func (d *draft) place(g *generator) {
	if slices.Contains(d.refused, g.oath.Fingerprint) {
		d.refuse(g, g.label()+" is the same generator as another of this user that may be somebody else's")
		return
	}
	i := d.same(g)
	switch {
	case i < 0:
		d.register(g)
	case i >= len(d.now.OATH) || d.used[i]:
		d.duplicate(g)
	case d.now.OATH[i].Fingerprint != "" && d.now.OATH[i].Fingerprint != g.oath.Fingerprint:
		d.brings(d.now.OATH[i].Method)
		d.findAt(g.place, MethodDiffersInCloud, g.field, "the target has another secret for "+g.label())
	default:
		d.refresh(i, g)
	}
}

// same finds the entry that is this generator: by its secret where the target
// tells, which says more than a serial number; else by its serial number. -1:
// there is none.
func (d *draft) same(g *generator) int {
	if len(d.after.OATH) == 0 {
		return -1
	}
	if i := slices.IndexFunc(d.after.OATH, func(e cloud.OATHEntry) bool { return e.Fingerprint == g.oath.Fingerprint }); i >= 0 {
		return i
	}
	serial := fold(g.oath.Serial)
	return slices.IndexFunc(d.after.OATH, func(e cloud.OATHEntry) bool { return e.Serial != "" && fold(e.Serial) == serial })
}

// duplicate leaves out what is there as another token or app of the row. Where
// one of them is a token, that is what a person should know.
func (d *draft) duplicate(g *generator) {
	code := g.codes.duplicate
	if slices.Contains(d.tokens, g.oath.Fingerprint) {
		code = TokenDuplicate
	}
	d.findAt(g.place, code, g.field, g.label()+" is the same generator as another of this user"+d.unlike(g))
}

// unlike says how a generator's codes are said to be where that which moves
// in its place says something else: one of the two rows is wrong, and if it is
// the one that moves, no code is ever right. Empty: they agree.
func (d *draft) unlike(g *generator) string {
	i := slices.IndexFunc(d.after.OATH, func(e cloud.OATHEntry) bool { return e.Fingerprint == g.oath.Fingerprint })
	if i < 0 {
		return ""
	}
	moves, codes := d.after.OATH[i].OATH, func(o cloud.OATH) string {
		return fmt.Sprintf("%d digits by %s every %d seconds", o.Digits, o.Algorithm, o.Period)
	}
	if moves.Period == 0 || moves.Digits == 0 || moves.Algorithm == "" || codes(moves) == codes(g.oath) { // a target may not tell
		return ""
	}
	return ", with " + codes(g.oath) + " here and " + codes(moves) + " there, which moves: see which of them its owner's shows"
}

// refresh brings name and parameters of an entry that is there up to date.
func (d *draft) refresh(i int, g *generator) {
	if d.used == nil {
		d.used = make(map[int]bool)
	}
	d.used[i] = true
	have := d.now.OATH[i]
	d.brings(have.Method)
	d.tellInactive(have.Inactive, g)
	if have.Fingerprint == "" && g.ownSerial {
		d.findAt(g.place, SecretNotCompared, g.field, g.label()+" is taken for the one that is there by its serial number, name and interval")
	}
	want := have.OATH
	if g.named {
		want.Name = g.oath.Name
	}
	want.Period = known(have.Period, g.oath.Period)
	want.Digits = known(have.Digits, g.oath.Digits)
	want.Algorithm = known(have.Algorithm, g.oath.Algorithm)
	switch {
	case want.Equal(have.OATH):
	case d.caps.Methods[have.Method].Update:
		d.after.OATH[i].OATH = want
		before := have.OATH
		d.change(cloud.Change{Op: cloud.Update, Method: have.Method, ID: have.ID,
			Before: cloud.Value{OATH: &before}, After: cloud.Value{OATH: &want}}, g.reason)
	case have.Name == "" && want.Period == have.Period && want.Digits == have.Digits && want.Algorithm == have.Algorithm:
		// The target tells no name, and might have this one.
	default:
		d.findAt(g.place, MethodDiffersInCloud, g.field, "the target has another name, interval or kind of code for "+g.label()+", and cannot change it")
	}
	d.after.OATH[i].Fingerprint = g.oath.Fingerprint // the target may hide it: a second one with this secret is the same
}

// known is what a value should be: as the export says, where the target tells
// its own at all.
func known[T comparable](have, want T) T {
	var unknown T
	if have == unknown {
		return have
	}
	return want
}

// claimGenerator claims a generator for this user, whether or not the target
// takes it: if somebody else's row holds it too, nothing tells whose it is.
func (d *draft) claimGenerator(g *generator, as grade) {
	if !d.claiming {
		return
	}
	if g.oath.Fingerprint != "" {
		d.claim(SharedSecret, g.oath.Fingerprint, as)
	}
	if g.ownSerial {
		d.claim(SharedSerial, fold(g.oath.Serial), as)
	}
}

// idleClaims notes the generators of a row that moves none: whoever moves the
// same one is to hear who may hold it.
func (d *draft) idleClaims() {
	if !d.claiming {
		return
	}
	for _, t := range d.u.Tokens {
		if legacy.Rounded(t.Serial) {
			continue
		}
		g := d.token(t)
		d.claimGenerator(&g, claimIdle)
	}
	for _, device := range d.u.Devices {
		g := d.device(device)
		d.claimGenerator(&g, claimIdle)
	}
}

// register adds a generator if there is room and nobody else has it.
func (d *draft) register(g *generator) {
	if !d.room() {
		d.brought = true
		d.findAt(g.place, g.codes.limit, g.field, d.noRoom(g.label()))
		return
	}
	shared, idle := d.standsWith(g)
	if shared != "" && !idle {
		d.refuse(g, shared)
		return
	}
	if shared != "" {
		d.findAt(g.place, SecretElsewhere, g.field, shared+", and does not move from there")
	}
	d.brings(g.method)
	o := g.oath
	if most := d.caps.OATH.MaxDrift; o.Drift < -most || o.Drift > most {
		d.findAt(g.place, ClockOff, g.field, fmt.Sprintf("the clock of %s was off by %s of %d seconds, and the target makes up for %d",
			g.label(), Number(max(o.Drift, -o.Drift), "step", "steps"), o.Period, most))
		o.Drift, d.off = 0, append(d.off, o.Fingerprint)
	}
	inactive := !d.caps.OATH.Activates
	d.after.OATH = append(d.after.OATH, cloud.OATHEntry{Method: g.method, Inactive: inactive, OATH: o})
	d.change(cloud.Change{Op: cloud.Add, Method: g.method, After: cloud.Value{OATH: &o}}, g.reason)
	d.tellInactive(inactive, g)
}

// standsWith says with whom else a generator stands; empty: with nobody. idle:
// none of them moves it.
func (d *draft) standsWith(g *generator) (detail string, idle bool) {
	if c, ok := d.conflict(SharedSecret, g.oath.Fingerprint); ok {
		detail, idle = "the secret of "+g.label()+" also stands with "+owners(c), c.Idle
	}
	if !g.ownSerial || detail != "" && !idle {
		return detail, idle
	}
	if c, ok := d.conflict(SharedSerial, fold(g.oath.Serial)); ok && (detail == "" || !c.Idle) {
		detail, idle = "the serial number of "+g.label()+" also stands with "+owners(c), c.Idle
	}
	return detail, idle
}

// owners names the others who have a generator, and where it is to be found
// with them: not in their rows if the token has changed hands since the last move.
func owners(c Conflict) string {
	if c.Held {
		return others(c) + " in the target, and in no row but this"
	}
	return others(c)
}

// tellInactive says of a generator that it verifies nothing yet.
func (d *draft) tellInactive(inactive bool, g *generator) {
	if inactive {
		d.findAt(g.place, TokenNotActivated, g.field, g.label()+" is registered, and gives no valid code before somebody activates it in the target")
	}
}

// refuse leaves a generator out because it may be somebody else's, and with it
// whatever else has its secret.
func (d *draft) refuse(g *generator, detail string) {
	d.refused = append(d.refused, g.oath.Fingerprint)
	d.findAt(g.place, g.codes.conflict, g.field, detail)
}

// room tells whether the target takes another generator. Apps count, and one
// place is kept for the app that the user is to activate.
func (d *draft) room() bool {
	limit := d.caps.OATH.Limit
	if limit == 0 {
		return true
	}
	taken := len(d.after.OATH)
	for _, a := range d.now.Authenticators {
		if a.State == authenticatorActive && !slices.ContainsFunc(d.now.OATH, func(e cloud.OATHEntry) bool { return e.ID == a.ID }) {
			taken++ // an app whose own codes are counted above is one with them
		}
	}
	if d.keepsRoom() {
		taken++
	}
	return taken < limit
}

// keepsRoom tells whether the user has yet to activate an app.
func (d *draft) keepsRoom() bool { return d.usedApp() && !d.pushActive() }

// noRoom says why a generator is left out.
func (d *draft) noRoom(label string) string {
	text := fmt.Sprintf("there is no room for %s: the target takes %d code generators of a user", label, d.caps.OATH.Limit)
	if d.keepsRoom() {
		text += ", and one place is kept for the app that is to be activated"
	}
	return text
}

// holdClaims claims what the user has in the target for this user.
func (d *draft) holdClaims() {
	if !d.claiming {
		return
	}
	for _, e := range d.now.OATH {
		if e.Fingerprint != "" {
			d.claim(SharedSecret, e.Fingerprint, claimHeld)
		}
		if e.Serial != "" {
			d.claim(SharedSerial, fold(e.Serial), claimHeld)
		}
	}
}
