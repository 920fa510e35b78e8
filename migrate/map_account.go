package migrate

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"mfabridge/cloud"
	"mfabridge/cloud/form"
	"mfabridge/legacy"
)

// blockFor is how long the old server keeps a block.
const blockFor = 90 * 24 * time.Hour

// disabledRule decides whether a disabled user is looked at.
func (d *draft) disabledRule() bool {
	if d.u.Enabled {
		return true
	}
	switch {
	case d.u.DisabledBehavior == "succeed":
		d.find(PasswordOnlyToday, "DisabledBehavior", "the old server lets the user in with the password alone")
	case d.u.DisabledBehavior == "" && d.opt.Settings.Defaults.DisabledBehavior == "succeed":
		d.find(PasswordOnlyToday, "DisabledBehavior", "the old server lets the user in with the password alone: the row does not say, and the company's default is to")
	}
	switch {
	case !d.opt.IncludeDisabled:
		d.outOfScope = true
		return d.skip(UserDisabled, "Enabled", "the user is disabled in the old server and is skipped")
	case !d.caps.Disable:
		d.find(UserDisabled, "Enabled", "the user is disabled in the old server and is moved; whether the user is enabled in the target is not changed")
	default:
		d.find(UserDisabled, "Enabled", "the user is disabled in the old server, is moved, and is disabled in the target")
	}
	return true
}

// activityRule names the users whom the report of attempts does not know.
func (d *draft) activityRule() {
	if d.opt.Activity && d.u.Activity.Attempts == 0 {
		d.find(UserInactive, "Username", "the report of attempts holds no login of this user")
	}
}

// accountRules make the user, or complete names and state of one who exists,
// and put these changes before all others. They return false if nothing is
// left to do for the user.
func (d *draft) accountRules() bool {
	block, blocked := d.blockRule()
	if !d.brought && !(blocked && d.match.User != nil) {
		d.find(UserNothingToMove, "Username", "the row holds nothing that can be registered")
		if d.match.Create {
			d.Action, d.MatchedBy = Skip, ""
			return false
		}
	}
	if blocked && !d.claiming {
		d.Changes = slices.Insert(d.Changes, 0, block)
	}
	if account, ok := d.account(); ok {
		d.Changes = slices.Insert(d.Changes, 0, account)
	}
	return d.brought
}

// account is the change of the user itself.
func (d *draft) account() (PlannedChange, bool) {
	names := d.aliases()
	if d.claiming {
		if d.match.Create {
			d.claim(SharedName, fold(d.UPN), claimMoves)
		}
		return PlannedChange{}, false
	}
	change := cloud.Change{Op: cloud.Update, Method: cloud.Account}
	profile := d.now.Profile
	reason := "login names and Sid of the old server"
	if d.match.Create {
		change.Op = cloud.Add
		profile = cloud.Profile{UPN: d.UPN, Enabled: true,
			DisplayName: form.Fit(d.u.FirstName+" "+d.u.LastName, form.MaxName)}
		reason = "new user"
		if strings.ContainsAny(profile.DisplayName, "?\ufffd") {
			d.find(NameDamaged, "FirstName", "the new user would be called "+Quoted(profile.DisplayName))
		}
	} else {
		before := d.now.Profile
		change.Before = cloud.Value{Profile: &before}
	}
	profile.Aliases = append(slices.Clone(profile.Aliases), names...)
	slices.Sort(profile.Aliases)
	if profile.SID == "" && d.caps.Aliases {
		profile.SID = sidOf(d.u)
		if profile.SID == "" && alike(d.match.Known, d.UPN) { // the directory means this very user
			profile.SID = d.match.SID
		}
	}
	if !d.u.Enabled && d.caps.Disable {
		profile.Enabled = false
	}
	d.after.Profile = profile
	if change.Op == cloud.Update {
		if profile.Equal(d.now.Profile) {
			return PlannedChange{}, false
		}
		if d.now.Enabled && !profile.Enabled {
			d.find(CloudUserDisabling, "Enabled", "the user is enabled in the target, and this plan disables the account there")
			reason = "disabled in the old server, and its login names and Sid"
		}
	}
	change.After = cloud.Value{Profile: &profile}
	return d.planned(change, reason), true
}

// aliases are the login names to add; names that belong to somebody else are
// left out.
func (d *draft) aliases() []string {
	wanted := d.match.newNames(d.u)
	if len(wanted) > 0 && !d.caps.Aliases {
		d.find(AliasNotMoved, "Username", "users who typed "+wanted[0]+" have to type "+d.UPN)
		return nil
	}
	var free []string
	for _, name := range wanted {
		if !form.IsName(name) {
			d.find(AliasUnfit, "Username", fmt.Sprintf("the login name %s is longer than %d bytes, or has a character in it that cannot be seen", name, form.MaxName))
			continue
		}
		folded := fold(name)
		if slices.Contains(d.match.Taken, folded) {
			d.find(AliasConflict, "Username", "the login name "+name+" belongs to another user of the target")
			continue
		}
		d.claim(SharedName, folded, claimAlias)
		if c, ok := d.conflict(SharedName, folded); ok {
			d.find(AliasConflict, "Username", "the login name "+name+" is also wanted by "+others(c)+spelt(name, c.Others))
			continue
		}
		if !d.claiming && len(d.now.Aliases)+len(free) >= form.MaxAliases { // claimed all the same: it is nobody else's for want of room
			d.find(AliasUnfit, "Username", fmt.Sprintf("there is no room for the login name %s: a user can have %d", name, form.MaxAliases))
			continue
		}
		free = append(free, name)
	}
	return free
}

// blockRule keeps a user blocked for as long as the old server would have.
// A block that the target holds already is never shortened.
func (d *draft) blockRule() (PlannedChange, bool) {
	if !d.u.Blocked {
		return PlannedChange{}, false
	}
	from := d.opt.ExportTime
	if from.IsZero() {
		from = d.opt.Now
	}
	until := from.Add(blockFor).UTC().Truncate(time.Second)
	have := d.now.BlockedUntil
	stands := have.After(d.opt.Now) && (d.opt.ExportTime.IsZero() || !have.Before(until))
	switch {
	case stands:
		return PlannedChange{}, false
	case !until.After(d.opt.Now):
		d.find(BlockExpired, "Blocked", "the block ended on "+until.Format(time.DateOnly))
		return PlannedChange{}, false
	case !d.caps.Block:
		d.find(BlockNotMoved, "Blocked", "the old server blocks the user until "+until.Format(time.DateOnly)+"; the target would let the user in")
		return PlannedChange{}, false
	}
	return d.planned(cloud.Change{Op: cloud.Set, Method: cloud.Blocked,
		Before: cloud.Value{Until: have}, After: cloud.Value{Until: until}}, "Blocked"), true
}

// emailRule moves the address, if addresses move.
func (d *draft) emailRule() {
	address := d.u.Email
	if address == "" {
		return
	}
	have, masked := d.now.Email, ""
	if !d.claiming {
		masked = MaskEmail(address)
	}
	switch {
	case d.email == EmailOff:
		d.find(EmailSkipped, "EmailAddress", "addresses are not moved by this plan")
	case !isMailbox(address):
		d.find(EmailInvalid, "EmailAddress", "EmailAddress is not the address of a mailbox")
	case d.email == EmailExternal && len(d.caps.Domains) == 0:
		d.find(EmailSkipped, "EmailAddress", masked+" is not moved: the target does not know the organisation's domains, so that no address is known to be outside")
	case d.email == EmailExternal && d.internal(address):
		d.find(EmailSkipped, "EmailAddress", masked+" is in a domain of the organisation")
	case alike(have, address):
		d.brings(cloud.Email)
	case have == "" && d.caps.Methods[cloud.Email].Create:
		d.brings(cloud.Email)
		d.after.Email = address
		d.change(cloud.Change{Op: cloud.Add, Method: cloud.Email, After: cloud.TextValue(address)}, "EmailAddress")
	case have == "" || d.opt.Existing == ExistingReplace && !d.caps.Methods[cloud.Email].Update:
		d.find(MethodUnsupported, "EmailAddress", masked+" cannot be written")
	case d.opt.Existing == ExistingReplace:
		d.brings(cloud.Email)
		d.after.Email = address
		d.change(cloud.Change{Op: cloud.Update, Method: cloud.Email, Before: cloud.TextValue(have), After: cloud.TextValue(address)}, "EmailAddress")
	default:
		d.brings(cloud.Email)
		d.find(MethodDiffersInCloud, "EmailAddress", "the target has "+MaskEmail(have)+", the old server "+masked)
	}
}

// isMailbox tells whether s is the bare address of one mailbox, in a domain of
// at least two labels: one of a single label is known inside one network only.
func isMailbox(s string) bool {
	return strings.Contains(s[strings.LastIndexByte(s, '@')+1:], ".") && form.CheckEmail(s) == nil
}

// internal tells whether an address is in a domain of the organisation, or in
// one below it.
func (d *draft) internal(address string) bool {
	domain := form.FoldDomain(address[strings.LastIndexByte(address, '@')+1:])
	for _, own := range d.caps.Domains {
		if own = form.FoldDomain(own); domain == own || strings.HasSuffix(domain, "."+own) {
			return true
		}
	}
	return false
}

// notMoved says what of the user has no place in any target. Of the sub-modes
// only that of the active mode counts, the company's where the row says
// nothing; nothing is known of the values.
func (d *draft) notMoved() {
	if d.claiming {
		return
	}
	mode, company := d.mode, &d.opt.Settings.Defaults
	voice, text, app := mode == legacy.ModeVoiceCall, mode == legacy.ModeSMSText, mode == legacy.ModePhoneApp
	pin, sms, push := cmp.Or(d.u.PinMode, company.PinMode), cmp.Or(d.u.SMSMode, company.SMSMode), cmp.Or(d.u.PhoneAppMode, company.PhoneAppMode)
	switch {
	case voice && (pin == "pin" || pin == "returnPin"):
		d.find(PINNotMoved, "PinMode", "calls ask for a PIN today")
	case text && sms == "otpPlusPin":
		d.find(PINNotMoved, "SmsMode", "texts ask for a PIN today")
	case app && push == "pin":
		d.find(PINNotMoved, "PhoneAppMode", "the app asks for a PIN today")
	case d.u.PinSet:
		d.find(PINNotMoved, "PinSet", "the user has a PIN")
	}
	switch {
	case voice && pin == "voiceprint":
		d.find(VoiceprintNotMoved, "PinMode", "calls recognise the voice today")
	case app && push == "voiceprint":
		d.find(VoiceprintNotMoved, "PhoneAppMode", "the app recognises the voice today")
	}
	if text && cmp.Or(d.u.SMSDirection, company.SMSDirection) == "twoWay" {
		d.find(SMSTwoWayRetired, "SmsDirection", "the user replies to a text today, and will type its code at the login")
	}
	if d.u.StaticTokenSet {
		d.find(StaticTokenNotMoved, "StaticTokenSet", "the user has a fixed code")
	}
	if d.u.SecurityQuestionsSet {
		d.find(SecurityQuestionsNotMoved, "SecurityQuestionsSet", "the user has answered security questions")
	}
}

// policyRule says which of the moved methods the target's policy forbids.
func (d *draft) policyRule() {
	for _, m := range d.now.Forbidden {
		if slices.Contains(d.moved, m) {
			d.find(MethodNotAllowed, string(m), fmt.Sprintf("the target's policy does not allow %s to this user", m))
		}
	}
}
