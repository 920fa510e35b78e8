package migrate_test

import (
	"slices"
	"strings"
	"time"

	"mfabridge/cloud"
)

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
		if name := v.row.FirstName + v.row.LastName; strings.Contains(name, "?") || strings.Contains(name, "\uFFFD") {
			v.say("NAME_DAMAGED")
		}
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
		if strings.ContainsRune(n, '\u200b') {
			v.say("ALIAS_UNFIT")
			continue
		}
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
		if after.Enabled && meets.user != nil {
			v.say("CLOUD_USER_DISABLING")
		}
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
		if allowed(e.Method) && (i < len(v.was.OATH) && !e.Inactive || i >= len(v.was.OATH) && o.caps.OATH.Activates && !slices.Contains(v.off, e.Fingerprint)) {
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
		if o.caps.RetiresTelephony && v.was.SMSSignIn && v.user.Mobile != "" && !v.said("SMS_SIGNIN_ENABLED") {
			v.say("SMS_SIGNIN_ENDS")
		}
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
	case v.said("NO_FACTOR_AFTER_APPLY"), v.said("CLOUD_USER_DISABLING"), v.said("CLOUD_USER_DISABLED") && v.row.Enabled:
		v.outlook = "locked_out"
	case mustAct:
		v.outlook = "must_act"
	default:
		v.outlook = "works"
	}
}
