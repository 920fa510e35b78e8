package migrate_test

import (
	"fmt"
	"net/mail"
	"regexp"
	"slices"
	"sort"
	"strings"
	"time"

	"mfabridge/cloud"
	"mfabridge/legacy"
	numbers "mfabridge/legacy/phone"
	"mfabridge/migrate"
)

// oracle is a second reading of the rules, as plain as it can be made: slow,
// with the whole export in its hands, and of its own words. It shares nothing
// with the program but the reading of telephone numbers. Where it differs from
// the program, one of the two is wrong.
type oracle struct {
	caps   cloud.Capabilities
	opt    migrate.Options
	target *shelf
	rows   []legacy.User
	phones *numbers.Parser
	admins []string // lower case

	meets   []found          // by row: whom it leads to
	sharing map[string][]int // key of identity -> rows
	draw    []*verdict       // by row: as if nobody else were there
	numbers map[string][]int // telephone number that is written -> rows
	secrets map[string][]int // secret, as it is -> rows
	serials map[string][]int // lower case -> rows
	names   map[string][]int // login name that a row brings -> rows
}

// found is what a row leads to.
type found struct {
	user   *cloud.User
	create string // the name to create a user by
	code   string // why nothing moves
}

// verdict is what becomes of a row.
type verdict struct {
	action  string
	outlook string
	changes []string
	codes   []string

	row       legacy.User
	user      cloud.User // as it will be
	was       cloud.User
	mode      string
	stands    string // slot of Phone
	holds     bool   // the row has something to register
	moved     []cloud.Method
	fresh     []string // secrets of generators that are added
	tokenKeys []string // secrets of tokens that are this user's
	bad       []string // secrets that may be somebody else's
	seen      map[int]bool
	added     int // generators
	retires   bool
	names     []string
	writes    []string // numbers
}

func (v *verdict) say(code string) { v.codes = append(v.codes, code) }
func (v *verdict) said(code string) bool {
	return slices.Contains(v.codes, code)
}

var sidShape = regexp.MustCompile(`^[sS]-1(-[0-9]{1,15}){2,}$`)

// decideAll judges every row.
func (o *oracle) decideAll() []*verdict {
	o.sharing, o.numbers, o.secrets, o.serials, o.names = map[string][]int{}, map[string][]int{}, map[string][]int{}, map[string][]int{}, map[string][]int{}
	for i, row := range o.rows {
		o.meets = append(o.meets, o.match(row))
		for _, k := range o.identity(i) {
			o.sharing[k] = append(o.sharing[k], i)
		}
	}
	for i, row := range o.rows {
		v := o.judge(i, false)
		o.draw = append(o.draw, v)
		if !o.ignored(row) && o.meets[i].user != nil {
			for _, e := range o.meets[i].user.OATH {
				note(o.secrets, e.Fingerprint, i)
				note(o.serials, strings.ToLower(e.Serial), i)
			}
		}
		if v.action == "skip" && !v.said("USER_NOTHING_TO_MOVE") {
			continue
		}
		for _, n := range v.writes {
			note(o.numbers, n, i)
		}
		for _, n := range v.names {
			note(o.names, strings.ToLower(n), i)
		}
		if v.was.Guest {
			continue
		}
		for _, t := range row.Tokens {
			note(o.serials, strings.ToLower(t.Serial), i)
			note(o.secrets, o.print(t.Seed), i)
		}
		for _, d := range row.Devices {
			note(o.secrets, o.print(d.Seed), i)
		}
	}
	var all []*verdict
	for i := range o.rows {
		all = append(all, o.judge(i, true))
	}
	return all
}

func note(m map[string][]int, key string, row int) {
	if key != "" && !slices.Contains(m[key], row) {
		m[key] = append(m[key], row)
	}
}

func (o *oracle) print(s legacy.Seed) string {
	if s.State != legacy.SeedOK {
		return ""
	}
	return cloud.Fingerprint(o.caps.Instance, s.Key)
}

// filled is the row with the company's defaults where it says nothing.
func (o *oracle) filled(row legacy.User) legacy.User {
	company := o.opt.Settings.Defaults
	for _, f := range []struct {
		own *string
		all string
	}{{&row.DisabledBehavior, company.DisabledBehavior}, {&row.PinMode, company.PinMode}, {&row.SMSMode, company.SMSMode},
		{&row.SMSDirection, company.SMSDirection}, {&row.PhoneAppMode, company.PhoneAppMode}} {
		if *f.own == "" {
			*f.own = f.all
		}
	}
	return row
}

func (o *oracle) ignored(row legacy.User) bool { return !row.Enabled && !o.opt.IncludeDisabled }

func (o *oracle) sid(row legacy.User) string {
	if sidShape.MatchString(row.SID) {
		return row.SID
	}
	return ""
}

// identity are all keys that say who a row is.
func (o *oracle) identity(i int) []string {
	row := o.rows[i]
	if o.ignored(row) {
		return nil
	}
	var keys []string
	add := func(k string) {
		if !slices.Contains(keys, k) {
			keys = append(keys, k)
		}
	}
	if row.UPN != "" {
		add("name " + strings.ToLower(row.UPN))
	}
	if strings.Contains(row.Username, "@") {
		add("name " + strings.ToLower(row.Username))
	}
	if sid := o.sid(row); sid != "" {
		add("sid " + strings.ToLower(sid))
	}
	if u := o.meets[i].user; u != nil {
		add("user " + string(u.ID))
	}
	return keys
}

func (o *oracle) match(row legacy.User) found {
	if o.ignored(row) {
		return found{}
	}
	var hit *cloud.User
	look := func(kind cloud.KeyKind, value string) string {
		users := o.target.find(kind, value)
		switch {
		case len(users) > 1:
			return "USER_AMBIGUOUS"
		case len(users) == 1 && hit != nil && hit != users[0]:
			return "USER_MATCH_CONFLICT"
		case len(users) == 1:
			hit = users[0]
		}
		return ""
	}
	problem := ""
	if row.UPN != "" {
		problem = look(cloud.ByUPN, row.UPN)
	}
	if problem == "" && strings.Contains(row.Username, "@") && !strings.EqualFold(row.Username, row.UPN) {
		problem = look(cloud.ByUPN, row.Username)
	}
	if problem == "" && o.sid(row) != "" {
		problem = look(cloud.BySID, row.SID)
	}
	if problem != "" {
		return found{code: problem}
	}
	if hit != nil {
		if o.sid(row) != "" && hit.SID != "" && !strings.EqualFold(hit.SID, row.SID) {
			return found{code: "USER_MATCH_CONFLICT"}
		}
		return found{user: hit}
	}
	name := row.UPN
	if name == "" {
		name = row.Username
	}
	if !o.caps.CreateUsers || !o.opt.CreateUsers || strings.Count(name, "@") != 1 || strings.Contains(name, " ") {
		return found{code: "USER_UNMATCHED"}
	}
	if len(o.target.find(cloud.ByName, name)) > 0 {
		return found{code: "USER_MATCH_CONFLICT"} // the name is somebody's already
	}
	return found{create: name}
}

// others tells whether another row than i is among rows.
func others(rows []int, i int) bool {
	return len(rows) > 1 || len(rows) == 1 && rows[0] != i
}

// judge decides about row i. Without company it is as if it were the only one.
func (o *oracle) judge(i int, company bool) *verdict {
	row, meets := o.filled(o.rows[i]), o.meets[i]
	v := &verdict{row: row, seen: map[int]bool{}, mode: string(row.Mode)}
	if v.mode == "" {
		v.mode = string(o.opt.CompanyMode)
	}
	if !row.Enabled {
		if row.DisabledBehavior == "succeed" {
			v.say("PASSWORD_ONLY_TODAY")
		}
		v.say("USER_DISABLED")
		if !o.opt.IncludeDisabled {
			v.action, v.outlook = "skip", "out_of_scope"
			if row.DisabledBehavior == "succeed" {
				v.outlook = "password_only"
			}
			return v
		}
	}
	if meets.code == "USER_UNMATCHED" && o.caps.CreateUsers && o.opt.CreateUsers && o.meeting(i) {
		meets.code = "USER_MATCH_SHARED"
	}
	if meets.code == "" && o.meeting(i) {
		meets.code = "USER_MATCH_SHARED"
	}
	if meets.code != "" {
		v.say(meets.code)
		v.action, v.outlook = "skip", "locked_out"
		if v.said("PASSWORD_ONLY_TODAY") {
			v.outlook = "password_only"
		}
		return v
	}
	if meets.user != nil {
		v.was, v.user = *meets.user, *meets.user
		v.user.OATH = slices.Clone(meets.user.OATH)
	} else {
		v.was.Forbidden, v.was.ForbiddenWays, v.was.SMSSignIn = o.caps.Forbidden, o.caps.ForbiddenWays, o.caps.SMSSignIn
	}
	if v.was.Privileged {
		named := slices.Contains(o.admins, strings.ToLower(row.Username)) || slices.Contains(o.admins, strings.ToLower(row.UPN)) ||
			slices.Contains(o.admins, strings.ToLower(v.was.UPN))
		if !named {
			v.say("USER_PRIVILEGED")
			v.action = "skip"
			o.close(v)
			return v
		}
		v.say("PRIVILEGED_INCLUDED")
	}
	if row.SID != "" && o.sid(row) == "" {
		v.say("SID_INVALID")
	}
	if meets.user != nil && !v.was.Enabled {
		v.say("CLOUD_USER_DISABLED")
	}
	if v.was.Guest {
		v.say("CLOUD_USER_GUEST")
	}
	methods := o.methods(i, v, company)
	o.sayWhatStays(v)
	o.account(i, v, meets, methods, company)
	o.close(v)
	return v
}

// meeting tells whether another row leads where row i leads.
func (o *oracle) meeting(i int) bool {
	for _, k := range o.identity(i) {
		if others(o.sharing[k], i) {
			return true
		}
	}
	return false
}

// methods decides all methods and returns their changes in order.
func (o *oracle) methods(i int, v *verdict, company bool) []string {
	changes := o.allPhones(i, v, company)
	changes = append(changes, o.email(v)...)
	if !v.was.Guest {
		changes = append(changes, o.tokens(i, v, company)...)
		changes = append(changes, o.devices(i, v, company)...)
	}
	return append(changes, o.push(v)...)
}

func change(op, method, before, after string) string {
	if before == "" {
		before = "none"
	}
	return op + " " + method + " " + before + " -> " + after
}

// number reads one number. For texts its extension does not matter.
func (o *oracle) number(v *verdict, in legacy.PhoneFields, text bool) (n numbers.Number, ok bool) {
	if in.Number == "" && in.Extension == "" {
		return n, false
	}
	r := o.phones.Parse(numbers.Input{CountryCode: in.CountryCode, Number: in.Number, Extension: in.Extension})
	n = r.Number
	if text && !n.IsZero() && (n.Extension != "" || !r.OK) {
		n.Extension = ""
		v.say("PHONE_EXTENSION_DROPPED")
	} else if r.Notes.Has(numbers.DialScript) {
		v.say("EXTENSION_DIAL_SCRIPT")
		return n, false
	} else if !r.OK {
		v.say("PHONE_INVALID")
		return n, false
	} else if r.Notes.Has(numbers.ExtensionPauseDropped) {
		v.say("EXTENSION_PAUSE_DROPPED")
	}
	for note, code := range map[numbers.Notes]string{numbers.CountryConflict: "PHONE_COUNTRY_CONFLICT", numbers.CountryAssumed: "PHONE_COUNTRY_ASSUMED", numbers.Unverified: "PHONE_UNVERIFIED"} {
		if r.Notes.Has(note) {
			v.say(code)
		}
	}
	return n, true
}

func equalNumbers(a, b string) bool {
	strip := func(s string) string {
		return strings.Join(regexp.MustCompile(`[+0-9x]`).FindAllString(s, -1), "")
	}
	return a != "" && strip(a) == strip(b)
}

func slotOf(u *cloud.User, slot string) *string {
	return map[string]*string{"mobile": &u.Mobile, "alternateMobile": &u.Alternate, "office": &u.Office}[slot]
}

var phoneSlots = []string{"mobile", "alternateMobile", "office"}

func (o *oracle) allPhones(i int, v *verdict, company bool) []string {
	bySlot := map[string]string{}
	if n, ok := o.number(v, v.row.Phone, v.mode == "smsText"); ok {
		slot := "mobile"
		if n.Extension != "" {
			slot = "office"
		}
		v.stands = o.write(i, v, n, slot, bySlot, company)
	}
	if n, ok := o.number(v, v.row.BackupPhone, false); ok {
		slot, promoted := "alternateMobile", false
		if n.Extension != "" {
			slot = "office"
		} else if v.user.Mobile == "" {
			slot, promoted = "mobile", true
		}
		there := slices.ContainsFunc(phoneSlots, func(s string) bool { return equalNumbers(*slotOf(&v.user, s), n.String()) })
		if slot == v.stands && !there {
			v.say("BACKUP_PHONE_SKIPPED")
		} else if o.write(i, v, n, slot, bySlot, company) == slot && promoted {
			v.say("BACKUP_PROMOTED")
		}
	}
	var changes []string
	for _, slot := range phoneSlots {
		if c, ok := bySlot[slot]; ok {
			changes = append(changes, c)
		}
	}
	if len(changes) > 0 && v.row.KeepPhoneSynchronized {
		v.say("PHONE_SYNC_ENDS")
	}
	return changes
}

// write puts a number into a slot, or finds it elsewhere, and says where it is.
func (o *oracle) write(i int, v *verdict, n numbers.Number, slot string, bySlot map[string]string, company bool) string {
	number, have := n.String(), *slotOf(&v.user, slot)
	can := o.caps.Methods[cloud.Method(slot)]
	if equalNumbers(have, number) {
		v.has(cloud.Method(slot))
		return slot
	}
	for _, s := range phoneSlots {
		if equalNumbers(*slotOf(&v.user, s), number) {
			v.has(cloud.Method(s))
			v.say("PHONE_DUPLICATE")
			return s
		}
	}
	if have != "" && o.opt.Existing != "replace" {
		v.has(cloud.Method(slot))
		v.say("METHOD_DIFFERS_IN_CLOUD")
		return slot
	}
	op, allowed := "add", can.Create
	if have != "" {
		op, allowed = "update", can.Update
	}
	if !allowed {
		v.say("METHOD_UNSUPPORTED")
		if have == "" {
			return ""
		}
		v.has(cloud.Method(slot))
		return slot
	}
	v.has(cloud.Method(slot))
	if slot == "mobile" && v.was.SMSSignIn {
		v.say("SMS_SIGNIN_ENABLED")
	}
	bySlot[slot] = change(op, slot, have, number)
	*slotOf(&v.user, slot) = number
	v.writes = append(v.writes, number)
	if company && others(o.numbers[number], i) {
		v.say("PHONE_SHARED")
	}
	return slot
}

func (v *verdict) has(m cloud.Method) {
	v.holds = true
	v.moved = append(v.moved, m)
}

func (o *oracle) email(v *verdict) []string {
	address := v.row.Email
	if address == "" {
		return nil
	}
	policy := string(o.opt.Email)
	if policy == "" {
		policy = "off"
		if o.caps.EmailVerifies {
			policy = "external"
		}
	}
	a, err := mail.ParseAddress(address)
	good := err == nil && a.Address == address && strings.Contains(strings.SplitN(address, "@", 2)[1], ".")
	inside := false
	for _, d := range o.caps.Domains {
		domain := strings.ToLower(address[strings.LastIndex(address, "@")+1:])
		inside = inside || domain == d || strings.HasSuffix(domain, "."+d)
	}
	can := o.caps.Methods[cloud.Email]
	switch {
	case policy == "off":
		v.say("EMAIL_SKIPPED")
	case !good:
		v.say("EMAIL_INVALID")
	case policy == "external" && (inside || len(o.caps.Domains) == 0):
		v.say("EMAIL_SKIPPED")
	case strings.EqualFold(v.was.Email, address):
		v.has(cloud.Email)
	case v.was.Email != "" && o.opt.Existing != "replace":
		v.has(cloud.Email)
		v.say("METHOD_DIFFERS_IN_CLOUD")
	case v.was.Email == "" && !can.Create || v.was.Email != "" && !can.Update:
		v.say("METHOD_UNSUPPORTED")
	default:
		v.has(cloud.Email)
		op := "add"
		if v.was.Email != "" {
			op = "update"
		}
		v.user.Email = address
		return []string{change(op, "email", v.was.Email, address)}
	}
	return nil
}

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
	v.has(g.method)
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

// sayWhatStays names what has no place in any cloud.
func (o *oracle) sayWhatStays(v *verdict) {
	r := v.row
	pin := r.PinSet || v.mode == "voiceCall" && (r.PinMode == "pin" || r.PinMode == "returnPin") ||
		v.mode == "smsText" && r.SMSMode == "otpPlusPin" || v.mode == "phoneApp" && r.PhoneAppMode == "pin"
	for _, c := range []struct {
		is   bool
		code string
	}{
		{pin, "PIN_NOT_MOVED"},
		{v.mode == "voiceCall" && r.PinMode == "voiceprint" || v.mode == "phoneApp" && r.PhoneAppMode == "voiceprint", "VOICEPRINT_NOT_MOVED"},
		{v.mode == "smsText" && r.SMSDirection == "twoWay", "SMS_TWO_WAY_RETIRED"},
		{r.StaticTokenSet, "STATIC_TOKEN_NOT_MOVED"},
		{r.SecurityQuestionsSet, "SECURITY_QUESTIONS_NOT_MOVED"},
	} {
		if c.is {
			v.say(c.code)
		}
	}
}

// account puts the user itself before the methods, and the default after them.
func (o *oracle) account(i int, v *verdict, meets found, methods []string, company bool) {
	block := o.block(v)
	if !v.holds && !(block != "" && meets.user != nil) {
		v.say("USER_NOTHING_TO_MOVE")
		if meets.user == nil {
			v.action = "skip"
			return
		}
	}
	var before, after cloud.User
	before, after = v.was, v.was
	if meets.user == nil {
		after.UPN, after.Enabled = meets.create, true
		v.names = append(v.names, meets.create)
	}
	var extra []string
	if !strings.EqualFold(v.row.Username, after.UPN) {
		extra = append(extra, v.row.Username)
	}
	if _, sam, ok := strings.Cut(v.row.Username, `\`); ok {
		extra = append(extra, sam)
	}
	var fresh []string
	for _, n := range extra {
		if !slices.ContainsFunc(before.Aliases, func(a string) bool { return strings.EqualFold(a, n) }) {
			fresh = append(fresh, n)
		}
	}
	if len(fresh) > 0 && !o.caps.Aliases {
		v.say("ALIAS_NOT_MOVED")
		fresh = nil
	}
	after.Aliases = slices.Clone(before.Aliases)
	for _, n := range fresh {
		holders := o.target.find(cloud.ByName, n)
		if slices.ContainsFunc(holders, func(u *cloud.User) bool { return u.ID != v.was.ID }) {
			v.say("ALIAS_CONFLICT")
			continue
		}
		v.names = append(v.names, n)
		if company && others(o.names[strings.ToLower(n)], i) {
			v.say("ALIAS_CONFLICT")
			continue
		}
		after.Aliases = append(after.Aliases, n)
	}
	slices.Sort(after.Aliases)
	if o.caps.Aliases && after.SID == "" {
		after.SID = o.sid(v.row)
	}
	if !v.row.Enabled && o.caps.Disable {
		after.Enabled = false
	}
	if meets.user == nil {
		v.changes = append(v.changes, change("add", "user", "", profileText(after)))
	} else if profileText(before) != profileText(after) {
		v.changes = append(v.changes, change("update", "user", profileText(before), profileText(after)))
	}
	if block != "" {
		v.changes = append(v.changes, block)
	}
	v.changes = append(v.changes, methods...)
	if v.holds {
		v.changes = append(v.changes, o.first(v)...)
		for _, m := range v.was.Forbidden {
			if slices.Contains(v.moved, m) {
				v.say("METHOD_NOT_ALLOWED")
			}
		}
	}
	switch {
	case meets.user == nil:
		v.action = "create"
	case len(v.changes) > 0:
		v.action = "update"
	default:
		v.action = "none"
	}
}

func profileText(u cloud.User) string { return text(cloud.Value{Profile: &u.Profile}) }

func (o *oracle) block(v *verdict) string {
	if !v.row.Blocked {
		return ""
	}
	from := o.opt.ExportTime
	if from.IsZero() {
		from = o.opt.Now
	}
	until := from.Add(90 * 24 * time.Hour)
	blocked := v.was.BlockedUntil.After(o.opt.Now)
	switch {
	case blocked && (o.opt.ExportTime.IsZero() || !v.was.BlockedUntil.Before(until)):
	case !until.After(o.opt.Now):
		v.say("BLOCK_EXPIRED")
	case !o.caps.Block:
		v.say("BLOCK_NOT_MOVED")
	default:
		before := ""
		if !v.was.BlockedUntil.IsZero() {
			before = v.was.BlockedUntil.Format(time.DateOnly)
		}
		return change("set", "block", before, until.Format(time.DateOnly))
	}
	return ""
}

// ways are all ways in which the user can be verified afterwards, the most
// secure first.
func (o *oracle) ways(v *verdict) []string {
	allowed := func(m cloud.Method) bool { return !slices.Contains(v.was.Forbidden, m) }
	var ways []string
	if v.active() && allowed(cloud.Authenticator) {
		ways = append(ways, "push")
	}
	for i, e := range v.user.OATH {
		if allowed(e.Method) && (i < len(v.was.OATH) || o.caps.OATH.Activates) {
			ways = append(ways, "oath")
			break
		}
	}
	if v.user.Mobile != "" && allowed(cloud.Mobile) {
		ways = append(ways, "sms", "voiceMobile")
	}
	if v.user.Office != "" && allowed(cloud.Office) {
		ways = append(ways, "voiceOffice")
	}
	if v.user.Alternate != "" && allowed(cloud.AlternateMobile) {
		ways = append(ways, "voiceAlternateMobile")
	}
	return slices.DeleteFunc(ways, func(w string) bool { return slices.Contains(v.was.ForbiddenWays, cloud.Preference(w)) })
}

// first decides how the user is asked first.
func (o *oracle) first(v *verdict) []string {
	have := string(v.was.Default)
	if have != "" && o.opt.DefaultMethod != "always" {
		return nil
	}
	wanted := map[string]string{"phoneApp": "oath", "oathToken": "oath", "smsText": "sms"}[v.mode]
	if v.mode == "phoneApp" && v.active() {
		wanted = "push"
	}
	if v.mode == "voiceCall" {
		slot := v.stands
		if slot == "" && v.user.Mobile == "" && v.user.Office != "" {
			slot = "office"
		}
		wanted = map[string]string{"": "voiceMobile", "mobile": "voiceMobile", "office": "voiceOffice", "alternateMobile": "voiceAlternateMobile"}[slot]
	}
	if wanted == "" && have != "" {
		return nil
	}
	var can []string
	for _, w := range o.ways(v) {
		if slices.Contains(o.caps.Preferences, cloud.Preference(w)) {
			can = append(can, w)
		}
	}
	becomes := wanted
	if !slices.Contains(can, wanted) || o.opt.DefaultMethod == "secure" {
		if len(can) == 0 {
			return nil
		}
		becomes = can[0]
	}
	if becomes == have {
		return nil
	}
	settable := have == "" && o.caps.DefaultMethod.Create || have != "" && o.caps.DefaultMethod.Update
	if !settable || !o.caps.DefaultIsUsed {
		v.say("DEFAULT_METHOD_IGNORED")
	}
	if !settable {
		return nil
	}
	if becomes != wanted {
		v.say("DEFAULT_METHOD_CHANGED")
	}
	return []string{change("set", "defaultMethod", have, becomes)}
}

// close says what verifies the user, and which group of the outlook that is.
func (o *oracle) close(v *verdict) {
	ways := o.ways(v)
	strong := slices.Contains(ways, "push") || slices.Contains(ways, "oath")
	mustAct := v.mode == "phoneApp" && v.said("PUSH_NEEDS_ACTIVATION")
	text, voice := slices.Contains(ways, "sms"), slices.ContainsFunc(ways, func(w string) bool { return strings.HasPrefix(w, "voice") })
	switch {
	case len(ways) == 0:
		v.say("NO_FACTOR_AFTER_APPLY")
	case strong:
	case o.caps.RetiresTelephony:
		provided := text && o.opt.Provider.SMS || voice && o.opt.Provider.Voice
		if provided && !(v.was.SMSSignIn && v.user.Mobile != "") {
			v.say("TELEPHONY_RETIREMENT info")
			break
		}
		date := "2027-02-01"
		if v.was.External || v.was.GlobalAdmin {
			date = "2027-07-01"
		}
		v.say("TELEPHONY_RETIREMENT " + date)
		mustAct = true
	case !slices.ContainsFunc(ways, func(w string) bool { return slices.Contains(o.caps.Telephony, cloud.Preference(w)) }):
		v.say("TELEPHONY_NO_PROVIDER")
		mustAct = true
	}
	switch {
	case v.said("PASSWORD_ONLY_TODAY"):
		v.outlook = "password_only"
	case v.said("NO_FACTOR_AFTER_APPLY"):
		v.outlook = "locked_out"
	case mustAct:
		v.outlook = "must_act"
	default:
		v.outlook = "works"
	}
}
