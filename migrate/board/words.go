package board

import (
	"fmt"
	"slices"
	"strings"

	"mfabridge/cloud"
	"mfabridge/legacy"
	"mfabridge/migrate"
)

// group is a group of the outlook in plain words.
type group struct {
	Outlook migrate.Outlook
	Name    string // short
	Says    string // a sentence: what awaits these users
	Nobody  string // the same where there are none
}

// groups are the groups in the order of importance to a board.
func groups() []group {
	return []group{
		{migrate.PasswordOnly, "Password only today",
			"The old server lets them in with the password alone. Decide for each: register a method, or expect the login to be refused after the move.",
			"Nobody gets in with the password alone today."},
		{migrate.LockedOut, "Locked out",
			"They cannot log in after the move unless somebody acts: nothing would verify them, their account is disabled in the target or by the plan, or it is not certain which account is theirs.",
			"Nobody is locked out by this plan."},
		{migrate.MustAct, "Must act",
			"They have to do something themselves, such as activating an app anew or registering one. Until they do, they may not be able to log in.",
			"Nobody has to do anything."},
		{migrate.Works, "Go on working",
			"They log in as before and have nothing to do.",
			"Nobody goes on working without doing something."},
		{migrate.OutOfScope, "Left out",
			"Their accounts are disabled in the old server. They are not moved and stay unable to log in.",
			"Nobody is left out as disabled."},
	}
}

// others is a group that this version does not know.
const others = 5

func outlookNumber(o migrate.Outlook) int {
	for i, g := range groups() {
		if g.Outlook == o {
			return i
		}
	}
	return others
}

var actions = [...]migrate.Action{migrate.Create, migrate.Modify, migrate.Keep, migrate.Skip}

func actionNumber(a migrate.Action) int {
	if i := slices.Index(actions[:], a); i >= 0 {
		return i
	}
	return len(actions)
}

// actionName is what is done with a user.
func actionName(a migrate.Action) string {
	switch a {
	case migrate.Create:
		return "Account is created"
	case migrate.Modify:
		return "Account is changed"
	case migrate.Keep:
		return "Nothing changes"
	case migrate.Skip:
		return "Skipped"
	}
	return text(string(a))
}

// methodName is a method in plain words.
func methodName(m cloud.Method) string {
	switch m {
	case cloud.Authenticator:
		return "Authenticator app"
	case cloud.SoftwareOATH:
		return "Codes from an app"
	case cloud.HardwareOATH:
		return "Codes from a token"
	case cloud.Mobile:
		return "Mobile phone"
	case cloud.AlternateMobile:
		return "Second mobile phone"
	case cloud.Office:
		return "Office phone"
	case cloud.Email:
		return "Email address"
	case cloud.DefaultMethod:
		return "Asked first by"
	case cloud.Blocked:
		return "Block"
	case cloud.Account:
		return "User account"
	}
	return text(string(m))
}

// modeName is how the old server asks a user.
func modeName(m legacy.Mode) string {
	switch m {
	case legacy.ModePhoneApp:
		return "Push to the mobile app"
	case legacy.ModeOathToken:
		return "Code from an app or a token"
	case legacy.ModeSMSText:
		return "Text message"
	case legacy.ModeVoiceCall:
		return "Telephone call"
	case legacy.ModeUnset:
		return "Not said in the export"
	}
	return text(string(m))
}

// preferenceName is how a user is asked first.
func preferenceName(p string) string {
	switch cloud.Preference(p) {
	case cloud.Push:
		return "push to the app"
	case cloud.OATHCode:
		return "code from an app or token"
	case cloud.SMS:
		return "text message"
	case cloud.VoiceMobile:
		return "call to the mobile phone"
	case cloud.VoiceAlternateMobile:
		return "call to the second mobile phone"
	case cloud.VoiceOffice:
		return "call to the office phone"
	}
	return text(p)
}

// opWords says what a change does.
func opWords(c *migrate.PlannedChange) string {
	switch {
	case c.Op == cloud.Remove:
		return "removed"
	case c.Before.IsZero():
		return "added"
	default:
		return "changed"
	}
}

// matchedWords says how the account was found.
func matchedWords(by string) string {
	switch by {
	case "":
		return ""
	case "created":
		return "new account"
	case "match-file":
		return "the file of matches"
	case "upn":
		return "sign-in name"
	case "username":
		return "name in the old server"
	case "sid":
		return "Windows security identifier (SID)"
	}
	if attribute, ok := strings.CutPrefix(by, "directory:"); ok {
		return "directory attribute " + attribute
	}
	return by
}

// profileWords are the names of an account, without the one that stands above.
func profileWords(p *cloud.Profile, upn string) string {
	var parts []string
	if p.DisplayName != "" {
		parts = append(parts, p.DisplayName)
	}
	if p.UPN != upn || len(parts) == 0 {
		parts = append(parts, p.UPN)
	}
	if len(p.Aliases) > 0 {
		parts = append(parts, "also "+strings.Join(p.Aliases, ", "))
	}
	if !p.Enabled {
		parts = append(parts, "disabled")
	}
	return text(strings.Join(parts, "; "))
}

// valueWords is a value as the page shows it, of a user of the name upn.
func valueWords(m cloud.Method, v cloud.Value, upn string, reveal bool) (string, error) {
	if !reveal {
		v = migrate.MaskValue(m, v)
	}
	switch {
	case m == cloud.DefaultMethod:
		return preferenceName(v.Text), nil
	case v.OATH != nil:
		o := v.OATH
		name := o.Name
		if o.Serial != "" {
			name += ", serial " + o.Serial
		}
		if o.Digits != 6 || o.Period != 30 || o.Algorithm != cloud.SHA1 { // the usual kind needs no words
			name += fmt.Sprintf(" (%d digits every %d s, %s)", o.Digits, o.Period, o.Algorithm)
		}
		return text(name), nil
	case v.Profile != nil:
		return profileWords(v.Profile, upn), nil
	case m == cloud.Authenticator && v.State == "invited":
		return "invited to activate", nil
	}
	s, err := migrate.ValueText(m, v, true)
	return text(s), err
}

// severityName heads the findings of a severity.
func severityName(s migrate.Severity) string {
	switch s {
	case migrate.SeverityError:
		return "Errors"
	case migrate.SeverityWarning:
		return "Warnings"
	case migrate.SeverityInfo:
		return "Good to know"
	}
	return text(string(s))
}

func severityMeaning(s migrate.Severity) string {
	switch s {
	case migrate.SeverityError:
		return "Somebody is locked out, let in, or left behind if nothing is done."
	case migrate.SeverityWarning:
		return "Something moves in another way or not at all, and the user will notice."
	case migrate.SeverityInfo:
		return "Nothing needs to be done."
	}
	return ""
}

// codesOf lists the catalogue, and behind it the codes that only the plan has.
func codesOf(t *tally) []migrate.Entry {
	all := migrate.Catalogue()
	known := map[migrate.Code]bool{}
	for _, e := range all {
		known[e.Code] = true
	}
	for _, code := range sortedKeys(t.findings) {
		if !known[code] {
			all = append(all, migrate.Entry{Code: code, Severity: t.gravest(code), Meaning: "This version of mfabridge does not know this finding.", Action: "Read the plan with the version that made it."})
		}
	}
	return all
}

// optionWords say what an option of plan decides.
func optionWords(name string) string {
	for _, w := range [...][2]string{
		{"allow-weak-match", "Accounts found by a weak key are used"},
		{"as", "Kind of target that is made"},
		{"create-users", "Accounts that do not exist are created"},
		{"deadlines", "File of dates on which texts and calls end"},
		{"default-country", "Country of numbers without a country code"},
		{"default-method", "Which users are given a method to be asked first by"},
		{"directory-attribute", "Attribute of the directory that leads to the account"},
		{"directory-domain", "Domains of the directory"},
		{"directory-phone", "Attribute of the directory that holds the telephone number"},
		{"email", "Which email addresses move"},
		{"encoding", "Character encoding of the export"},
		{"existing", "Where the target holds another value"},
		{"include-disabled", "Disabled users move, and are disabled in the target where it can"},
		{"include-privileged", "File of administrators who move after all"},
		{"ldap", "Directory that accounts are looked up in"},
		{"ldap-base", "Part of the directory that is searched"},
		{"ldap-filter", "Entries of the directory that count as users"},
		{"map", "Columns of the export under other names"},
		{"match-file", "File that says whose account is whose"},
		{"phone-validity", "How sure a telephone number has to be"},
		{"phones", "Whose telephone numbers count"},
		{"reinvite", "Invitations that have run out are renewed"},
		{"secret-format", "How secrets are written in the export"},
		{"telephony-provider", "What will deliver texts and calls"},
	} {
		if w[0] == name {
			return w[1]
		}
	}
	return "Another option"
}

// optionValue is the value of an option as people read it.
func optionValue(name, v string) string {
	says := map[string]string{
		"true": "yes", "false": "no",
		"default-method unset": "those for whom none is set yet", "default-method always": "everybody",
		"default-method secure": "everybody, the most secure that is there",
		"existing keep":         "it is kept", "existing replace": "that of the old server takes its place",
		"phone-validity possible": "possible in its country, even if not assigned", "phone-validity strict": "assigned in its country",
		"phones export": "those of the old server", "phones directory": "those of the directory", "phones newest": "the newer ones",
		"email off": "none", "email external": "those outside of the organisation", "email all": "all",
	}
	for _, key := range []string{name + " " + v, v} {
		if words := says[key]; words != "" {
			return words
		}
	}
	return text(v)
}
