package migrate_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"mfabridge/cloud"
	"mfabridge/legacy"
	numbers "mfabridge/legacy/phone"
	"mfabridge/migrate"
)

// made is a generator of rows and target users that are as odd as the types
// allow. The same seed makes the same world.
type made struct{ *rand.Rand }

func (m made) one(of ...string) string { return of[m.IntN(len(of))] }
func (m made) maybe() bool             { return m.IntN(3) == 0 }
func (m made) seldom() bool            { return m.IntN(9) == 0 }

func (m made) phone() legacy.PhoneFields {
	return legacy.PhoneFields{
		CountryCode: m.one("44", "44", "44", "", "1", "999"),
		Number:      m.one("", "2079460001", "020 7946 0002", "2079460003 x5", "+44 2079460001", "12", "letters", "6579460001", "2079460004,,5#"),
		Extension:   m.one("", "", "", "5", ",,7", "5#1", "x9"),
	}
}

func (m made) number(extension bool) string {
	n := m.one("", "", "+44 2079460001", "+44 2079460002", "+442079460003", "+44 2079460009")
	if n != "" && extension && m.maybe() {
		n += "x5"
	}
	return n
}

func (m made) seed() legacy.Seed {
	switch m.IntN(8) {
	case 0:
		return legacy.Seed{}
	case 1:
		return legacy.Seed{State: legacy.SeedInvalid, Problem: "is not Base32"}
	case 2:
		return legacy.Seed{State: legacy.SeedAmbiguous, Problem: "is both"}
	case 3:
		return seed("short")
	default:
		return seed(fmt.Sprintf("12345678901234567%03d", m.IntN(12)))
	}
}

func (m made) generator() legacy.Generator {
	g := sixDigits
	if m.maybe() {
		g.Interval, g.Digits = []int{30, 60, 45, 0, -1}[m.IntN(5)], []int{6, 8, 7, 0}[m.IntN(4)]
	}
	return g
}

func (m made) date() time.Time {
	if m.maybe() {
		return time.Time{}
	}
	return now.AddDate(0, 0, -m.IntN(100))
}

func (m made) row(n int) legacy.User {
	modes := []legacy.Mode{"", legacy.ModePhoneApp, legacy.ModeOathToken, legacy.ModeSMSText, legacy.ModeVoiceCall}
	u := legacy.User{
		Username: m.one(fmt.Sprintf("u%d@contoso.example", n), fmt.Sprintf(`CONTOSO\u%d`, n), fmt.Sprintf("u%d", n), "twin"),
		UPN:      m.one(fmt.Sprintf("u%d@contoso.example", n), "", "U1@contoso.example", "no address"),
		SID:      m.one("", "", fmt.Sprintf("S-1-5-%d", n), "S-1-5-1"),
		Email:    m.one("", "x@home.example", "x@contoso.example", "none"),
		Phone:    m.phone(), BackupPhone: m.phone(), Mode: modes[m.IntN(len(modes))],
		Enabled: !m.maybe(), DisabledBehavior: m.one("", "fail", "succeed"), Blocked: m.maybe(), PinSet: m.maybe(), PhoneAppActivated: m.maybe(),
		PinMode: m.one("", "pin", "voiceprint"), SMSMode: m.one("", "otpPlusPin"), PhoneAppMode: m.one("", "pin", "voiceprint"),
	}
	for range m.IntN(8) {
		u.Devices = append(u.Devices, legacy.Device{Name: m.one("", "A", "a ", "B", "C", "D", "E", "F"), Seed: m.seed(), Generator: m.generator(),
			NotificationType: m.one("apns", "gcm", "mpns"), Activated: m.date(), LastUsed: m.date()})
	}
	for range m.IntN(4) {
		u.Tokens = append(u.Tokens, legacy.Token{Serial: m.one("", "S1", "s1", "S2", "S3"), Model: m.one("", "T"), Seed: m.seed(), Generator: m.generator()})
	}
	return u
}

func (m made) user(n int) *cloud.User {
	u := person(fmt.Sprintf("id%d", n), fmt.Sprintf("u%d@contoso.example", n), m.one("", "", fmt.Sprintf("S-1-5-%d", n)))
	u.Mobile, u.Alternate, u.Office = m.number(false), m.number(false), m.number(true)
	u.Enabled, u.Guest, u.Privileged = !m.maybe(), m.seldom(), m.seldom()
	u.Email = m.one("", "", "x@home.example", "y@home.example")
	u.Default = cloud.Preference(m.one("", "", "sms", "oath", "push", "voiceOffice"))
	if m.maybe() {
		u.Aliases = []string{fmt.Sprintf("U%d", n)}
	}
	if m.maybe() {
		u.BlockedUntil = now.AddDate(0, 0, m.IntN(200)-50)
	}
	if m.maybe() {
		u.Forbidden = []cloud.Method{cloud.Method(m.one("mobile", "softwareOath", "hardwareOath", "office"))}
	}
	for i := range m.IntN(4) {
		e := entry(fmt.Sprintf("e%d", i), m.one("S1", "S2", "S9", "T")+fmt.Sprint(i), fmt.Sprintf("12345678901234567%03d", m.IntN(12)))
		if m.maybe() {
			e.Method = cloud.SoftwareOATH
		}
		if m.maybe() {
			e.Period, e.Digits, e.Algorithm = 0, 0, ""
		}
		if !slices.ContainsFunc(u.OATH, func(o cloud.OATHEntry) bool { return o.Same(e.OATH) }) {
			u.OATH = append(u.OATH, e)
		}
	}
	if m.maybe() {
		u.Authenticators = []cloud.AuthenticatorEntry{{ID: "auth", State: m.one("invited", "expired", "active")}}
	}
	return u
}

func (m made) capabilities() cloud.Capabilities {
	caps := engine()
	caps.Aliases, caps.Disable, caps.Block, caps.DefaultIsUsed = !m.maybe(), !m.maybe(), !m.maybe(), !m.maybe()
	caps.OATH.Limit = []int{0, 1, 5, 5}[m.IntN(4)]
	for _, method := range []cloud.Method{cloud.Mobile, cloud.AlternateMobile, cloud.Office, cloud.Email, cloud.SoftwareOATH, cloud.HardwareOATH, cloud.Authenticator} {
		if m.IntN(8) == 0 {
			caps.Methods[method] = cloud.Access{Read: true, Update: m.maybe()}
		}
	}
	return caps
}

func (m made) options() migrate.Options {
	opt := migrate.Options{CreateUsers: !m.maybe(), IncludeDisabled: m.maybe(), PhoneStrict: m.maybe(), DefaultCountry: m.one("", "GB"), Now: now,
		Existing: migrate.ExistingPolicy(m.one("keep", "replace")), DefaultMethod: migrate.DefaultPolicy(m.one("", "unset", "always", "secure")),
		Email: migrate.EmailPolicy(m.one("", "off", "external", "all"))}
	if m.maybe() {
		opt.ExportTime = exported
	}
	return opt
}

// apply makes a change on the target's user as a Directory would, and says
// what a Directory would refuse.
func apply(u *cloud.User, c cloud.Change) error {
	want := c.After
	if !c.Before.IsZero() {
		want = c.Before
	}
	if found := u.Value(c.Method, c.ID, want); !found.Equal(c.Before) {
		return fmt.Errorf("the target holds %s, not %s", text(found), text(c.Before))
	}
	if c.Op == cloud.Add != c.Before.IsZero() && c.Op != cloud.Set || c.After.IsZero() {
		return fmt.Errorf("a change from %s to %s is no %s", text(c.Before), text(c.After), c.Op)
	}
	switch c.Method {
	case cloud.Account:
		if u.ID == "" {
			u.ID = cloud.UserID("new-" + c.UPN)
		}
		u.Profile = *c.After.Profile
	case cloud.Mobile:
		u.Mobile = c.After.Text
	case cloud.AlternateMobile:
		if u.Mobile == "" {
			return fmt.Errorf("an alternate mobile without a mobile")
		}
		u.Alternate = c.After.Text
	case cloud.Office:
		u.Office = c.After.Text
	case cloud.Email:
		u.Email = c.After.Text
	case cloud.DefaultMethod:
		u.Default = cloud.Preference(c.After.Text)
	case cloud.Blocked:
		u.BlockedUntil = c.After.Until
	case cloud.Authenticator:
		u.Authenticators = append(u.Authenticators, cloud.AuthenticatorEntry{ID: "invited", State: c.After.State})
	default:
		return applyOATH(u, c)
	}
	return nil
}

func applyOATH(u *cloud.User, c cloud.Change) error {
	o := *c.After.OATH
	if c.Op == cloud.Add {
		if o.Secret.IsZero() {
			return fmt.Errorf("a generator without a secret")
		}
		for _, e := range u.OATH {
			if e.Serial == o.Serial || e.Fingerprint != "" && e.Fingerprint == o.Fingerprint {
				return fmt.Errorf("%s is there already", o.Serial)
			}
		}
		o.Secret = legacy.Seed{}.Key
		u.OATH = append(u.OATH, cloud.OATHEntry{ID: "new-" + o.Serial, Method: c.Method, OATH: o})
		return nil
	}
	for i := range u.OATH {
		if u.OATH[i].ID == c.ID {
			u.OATH[i].OATH = o
			return nil
		}
	}
	return fmt.Errorf("there is no %s", c.ID)
}

// order is the place of a method among the changes of a user.
func order(m cloud.Method) int {
	return slices.Index([]cloud.Method{cloud.Account, cloud.Blocked, cloud.Mobile, cloud.AlternateMobile, cloud.Office, cloud.Email,
		cloud.SoftwareOATH, cloud.Authenticator, cloud.DefaultMethod}, map[bool]cloud.Method{true: cloud.SoftwareOATH, false: m}[m.IsOATH()])
}

// TestPlanning makes plans over random exports and targets, applies them to a
// model of the target, and plans again: whatever the export, every change
// starts from what the target holds, none touches a place twice, they come in
// their order, and a second plan has nothing to do.
func TestPlanning(t *testing.T) {
	rounds := 300
	if testing.Short() {
		rounds = 60
	}
	plans := numbers.NewPlans()
	for i := range rounds {
		planTwice(t, uint64(i), plans)
		if t.Failed() {
			t.Fatalf("world %d", i)
		}
	}
}

func planTwice(t *testing.T, number uint64, plans *numbers.Plans) {
	t.Helper()
	m := made{rand.New(rand.NewPCG(number, 7))}
	src := &export{}
	dir := &directory{caps: m.capabilities()}
	for n := range 1 + m.IntN(9) {
		src.users = append(src.users, m.row(n))
		if m.maybe() {
			dir.users = append(dir.users, m.user(n))
		}
	}
	opt := m.options()
	opt.NumberingPlans = plans
	first := planWorld(t, src, dir, opt)
	for _, d := range first.decisions {
		applyDecision(t, dir, d)
	}
	checkUnique(t, dir)
	second := planWorld(t, src, dir, opt)
	for _, d := range second.decisions {
		for _, c := range d.Changes {
			t.Errorf("the second plan changes %s: %s", d.Username, line(c))
		}
	}
}

func planWorld(t *testing.T, src *export, dir *directory, opt migrate.Options) *sheet {
	t.Helper()
	var out sheet
	sum, err := migrate.Plan(t.Context(), src, dir, opt, &out)
	if err != nil {
		t.Fatal(err)
	}
	groups := 0
	for _, o := range migrate.Outlooks {
		groups += sum.Outlook[o]
	}
	if groups != len(src.users) || sum.Total() != len(src.users) || len(out.decisions) != len(src.users) {
		t.Errorf("%d users, %d in the outlook, %d in the summary, %d decisions", len(src.users), groups, sum.Total(), len(out.decisions))
	}
	return &out
}

// applyDecision checks one decision while it makes its changes.
func applyDecision(t *testing.T, dir *directory, d migrate.Decision) {
	t.Helper()
	if d.Action == migrate.Skip || d.Action == migrate.Keep {
		if len(d.Changes) != 0 || d.Action == migrate.Skip && len(d.Findings) == 0 {
			t.Errorf("%s is %s with %d changes and %d findings", d.Username, d.Action, len(d.Changes), len(d.Findings))
		}
		return
	}
	user := &cloud.User{}
	if d.Target != "" {
		user = dir.users[slices.IndexFunc(dir.users, func(u *cloud.User) bool { return u.ID == d.Target })]
	}
	seen := map[string]bool{}
	last := -1
	for _, c := range d.Changes {
		place := string(c.Method) + c.ID
		if c.After.OATH != nil {
			place = "oath" + c.After.OATH.Serial
		}
		if seen[place] {
			t.Errorf("%s has two changes of %s", d.Username, place)
		}
		seen[place] = true
		if order(c.Method) < last {
			t.Errorf("%s: %s comes too late", d.Username, c.Method)
		}
		last = order(c.Method)
		if err := apply(user, c.Change); err != nil {
			t.Errorf("%s: %s: %v", d.Username, line(c), err)
		}
	}
	if d.Action == migrate.Create {
		dir.users = append(dir.users, user)
	}
	if dir.caps.OATH.Limit > 0 && len(user.OATH) > max(dir.caps.OATH.Limit, 3) {
		t.Errorf("%s has %d code generators", d.Username, len(user.OATH))
	}
}

// checkUnique says what a target would have refused: names and generators
// that two users have.
func checkUnique(t *testing.T, dir *directory) {
	t.Helper()
	owner := map[string]cloud.UserID{}
	for _, u := range dir.users {
		for _, name := range append([]string{u.UPN}, u.Aliases...) {
			key := "name " + lower(name)
			if other, taken := owner[key]; taken && other != u.ID {
				t.Errorf("%s and %s are both called %s", other, u.ID, name)
			}
			owner[key] = u.ID
		}
		for _, e := range u.OATH {
			if e.ID[0] != 'n' {
				continue // was there before
			}
			for _, key := range []string{"secret " + e.Fingerprint, "serial " + lower(e.Serial)} {
				if other, taken := owner[key]; taken && other != u.ID {
					t.Errorf("%s and %s both got %s", other, u.ID, key)
				}
				owner[key] = u.ID
			}
		}
	}
}

func lower(s string) string {
	b := []byte(s)
	for i, c := range b {
		if 'A' <= c && c <= 'Z' {
			b[i] = c + 32
		}
	}
	return string(b)
}
