package migrate

import (
	"context"
	"fmt"
	"slices"
	"time"

	"mfabridge/cloud"
	"mfabridge/internal/hint"
	"mfabridge/legacy"
	"mfabridge/legacy/phone"
)

// ExistingPolicy says what happens where the target holds another value in
// the place of a telephone number or an address.
type ExistingPolicy string

const (
	ExistingKeep    ExistingPolicy = "keep"
	ExistingReplace ExistingPolicy = "replace"
)

// DefaultPolicy says when the default method is set.
type DefaultPolicy string

const (
	DefaultUnset  DefaultPolicy = "unset"  // by Mode, where the target has none
	DefaultAlways DefaultPolicy = "always" // by Mode
	DefaultSecure DefaultPolicy = "secure" // the most secure one, where the target has none
)

// EmailPolicy says which addresses move.
type EmailPolicy string

const (
	EmailByTarget EmailPolicy = ""         // external where the target takes addresses, else off
	EmailOff      EmailPolicy = "off"      // none
	EmailExternal EmailPolicy = "external" // those outside the organisation's domains
	EmailAll      EmailPolicy = "all"
)

// PhonePolicy says which number moves of a user whose number the old server
// kept in step with the directory, where the two differ now.
type PhonePolicy string

const (
	PhonesExport    PhonePolicy = "export"    // the old server's: it verified the user until now
	PhonesDirectory PhonePolicy = "directory" // the directory's
	PhonesNewest    PhonePolicy = "newest"    // the directory's where its entry was changed after the old server's row
)

// Options are the rules of one plan. The zero Options plus Now is a careful
// plan: nothing is created, nothing replaced, disabled users are skipped.
type Options struct {
	CreateUsers     bool           // make users that do not exist, where the target takes that
	DefaultCountry  string         // ISO code or calling code of numbers without one; empty: none is assumed
	PhoneStrict     bool           // leave numbers out that are possible but not valid
	Existing        ExistingPolicy // empty: keep
	DefaultMethod   DefaultPolicy  // empty: unset
	Email           EmailPolicy
	IncludeDisabled bool         // move disabled users, and keep them disabled
	AllowWeakMatch  bool         // take a match that proves little: by an address, or by an account name of an unknown domain
	Phones          PhonePolicy  // empty: export
	CompanyMode     legacy.Mode  // of users whose row has none; empty: not known
	Reinvite        bool         // renew invitations that have expired
	Privileged      *Names       // users with an administrative role who move all the same; nil: nobody
	NumberingPlans  *phone.Plans // shared by plans that are made one after the other; nil: read anew
	Deadlines       *Deadlines   // when clouds end their own texts and calls; nil: [BuiltInDeadlines]
	Provider        Telephony    // what the customer's own provider delivers in a cloud that ends its own

	Scope Selection // whom the plan is about; zero: everybody
	Waves []Wave    // parts that are applied by themselves, the first that names a user takes him

	MatchFile *MatchFile // who users are in the target, before all their keys; nil: none
	People    People     // the customer's directory, asked besides the target; nil: none

	Preflight []cloud.Check // what the target said of itself; what blocks becomes a finding

	Settings legacy.Settings // of the old server; what of it no target takes becomes findings, and Defaults count where a row says nothing
	Activity bool            // the export says who logged in: users who did not are named
	Accepted *Accepted       // findings that count against no gate; nil: none
	Unread   int             // rows of users that the export has and cannot yield, for the summary

	Now        time.Time // when the plan is made; required
	ExportTime time.Time // when the export was made; zero: not known

	TempDir string // for sorting; empty: the system's folder for temporary files

	Tries   int                                        // as in ApplyOptions
	Sleep   func(context.Context, time.Duration) error // likewise
	Waiting func(cause error, pause time.Duration)     // likewise

	Asked func(rows int) // told of how many rows the target has been asked; may be nil
}

// clocksDiffer is how far the clock of the machine that exported may be ahead
// of this one's.
const clocksDiffer = 24 * time.Hour

// Validate tells what is wrong with the options. DefaultCountry is judged by
// [NewMapper].
func (o Options) Validate() error {
	checks := []struct {
		ok            bool
		option, value string
		allowed       string
	}{
		{slices.Contains([]ExistingPolicy{"", ExistingKeep, ExistingReplace}, o.Existing),
			"--existing", string(o.Existing), "keep or replace"},
		{slices.Contains([]DefaultPolicy{"", DefaultUnset, DefaultAlways, DefaultSecure}, o.DefaultMethod),
			"--default-method", string(o.DefaultMethod), "unset, always or secure"},
		{slices.Contains([]EmailPolicy{EmailByTarget, EmailOff, EmailExternal, EmailAll}, o.Email),
			"--email", string(o.Email), "off, external or all"},
		{slices.Contains([]PhonePolicy{"", PhonesExport, PhonesDirectory, PhonesNewest}, o.Phones),
			"--phones", string(o.Phones), "export, directory or newest"},
		{slices.Contains([]legacy.Mode{legacy.ModeUnset, legacy.ModePhoneApp, legacy.ModeOathToken, legacy.ModeSMSText, legacy.ModeVoiceCall}, o.CompanyMode),
			"the company's default mode", string(o.CompanyMode), "phoneApp, oathToken, smsText or voiceCall"},
	}
	for _, c := range checks {
		if !c.ok {
			return hint.New(fmt.Sprintf("%s cannot be %q", c.option, c.value), "use "+c.allowed)
		}
	}
	switch {
	case o.Now.IsZero():
		return fmt.Errorf("a plan needs the time at which it is made")
	case o.ExportTime.After(o.Now.Add(clocksDiffer)):
		return hint.New("the export says that it was made on "+o.ExportTime.UTC().Format(time.DateOnly)+", which is yet to come",
			"blocks last from that day on: correct created in manifest.json, or take it out; or set the clock of this machine")
	}
	return nil
}
