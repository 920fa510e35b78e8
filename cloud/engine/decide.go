package engine

import (
	"slices"
	"time"

	"mfabridge/cloud"
)

// wayBypass is what [Decide] says where nobody is asked: a bypass lets this
// login pass. No caller can wish for it.
const wayBypass cloud.Preference = "bypass"

// Question is what is asked of a user at a login, and what there is to ask
// with.
type Question struct {
	Tokens []Token            // generators that verify here
	Push   bool               // an authenticator is active
	Texts  bool               // a channel takes texts
	Calls  []cloud.Preference // ways in which the user can be called
	Mail   bool               // a channel takes mail, and the user's address is confirmed
	Bypass *Bypass            // what an administrator has allowed, if anything
	Method cloud.Preference   // what the caller wants; empty: no wish
	App    string             // where the user logs in
	Code   bool               // a code came along: it can only be one of a generator

	// Shut are ways that limits have closed for now: of these users, the others
	// stay open.
	Shut []cloud.Preference
}

// Decide says how a user is asked, or why not: the whole rule in one place,
// without a look at anything else. Who is disabled or blocked is not asked. A
// bypass stands in for any question, except where the code is all that came:
// then nothing would be left that proves anything. Else the way is as the
// caller says, else the user's own preference, else the most secure one; of
// what is registered, can be delivered, is allowed and is not shut. Where there
// is a reason, nothing is asked; the way then is the one that would have been,
// if any.
func Decide(u *User, q Question, may Allowed, now time.Time) (cloud.Preference, cloud.Reason) {
	way, reason := choose(u, q, may)
	if why := usable(u, now); why != "" {
		return way, why
	}
	if !q.Code && q.Bypass.opens(q.App, now) {
		return wayBypass, ""
	}
	return way, reason
}

func choose(u *User, q Question, may Allowed) (cloud.Preference, cloud.Reason) {
	if u == nil {
		return "", cloud.UserDisabled
	}
	ways := []cloud.Preference{u.Default, cloud.Push, cloud.OATHCode, cloud.SMS, cloud.VoiceMobile, cloud.VoiceOffice, cloud.VoiceAlternateMobile, cloud.EmailCode}
	if q.Method != "" {
		ways = []cloud.Preference{q.Method}
	}
	forbidden, shut := false, false
	for _, way := range ways {
		there, allowed := false, false
		switch way {
		case cloud.Push:
			there, allowed = q.Push && !q.Code, may.Authenticator
		case cloud.OATHCode:
			there, allowed = len(q.Tokens) > 0, len(may.tokens(q.Tokens)) > 0
		case cloud.SMS:
			there, allowed = u.Mobile != "" && q.Texts && !q.Code, may.SMS
		case cloud.VoiceMobile, cloud.VoiceAlternateMobile, cloud.VoiceOffice:
			there, allowed = slices.Contains(q.Calls, way) && !q.Code, may.Voice
		case cloud.EmailCode:
			there, allowed = q.Mail && !q.Code, may.Email
		}
		switch {
		case there && !allowed:
			forbidden = true
		case there && slices.Contains(q.Shut, way):
			shut = true
		case there:
			return way, ""
		}
	}
	switch {
	case shut:
		return "", cloud.TooManyTries
	case forbidden:
		return "", cloud.NotAllowed
	}
	return "", cloud.NoMethod
}

// usable says why a user may not verify at all, or "". One who is gone (nil)
// may not.
func usable(u *User, now time.Time) cloud.Reason {
	switch {
	case u == nil, !u.Enabled:
		return cloud.UserDisabled
	case now.Before(u.BlockedUntil):
		return cloud.UserBlocked
	}
	return ""
}

// still says why a user may not verify any more in a way that was chosen
// before, or "".
func still(u *User, way cloud.Preference, tokens []Token, may Allowed, now time.Time) cloud.Reason {
	if reason := usable(u, now); reason != "" {
		return reason
	}
	if way == cloud.SMS && !may.SMS || way == cloud.EmailCode && !may.Email || isCall(way) && !may.Voice || way == cloud.Push && !may.Authenticator ||
		way == cloud.OATHCode && len(tokens) > 0 && len(may.tokens(tokens)) == 0 {
		return cloud.NotAllowed
	}
	return ""
}

// mayStill is still for a verdict that was reached before.
func (e *Engine) mayStill(r Reader, id cloud.UserID, way cloud.Preference, now time.Time) (cloud.Reason, error) {
	u, err := r.User(id)
	if err != nil {
		return "", err
	}
	may, err := e.allowed(r, id)
	if err != nil {
		return "", err
	}
	var tokens []Token
	if way == cloud.OATHCode && !(may.SoftwareOATH && may.HardwareOATH) {
		if tokens, err = r.Tokens(id); err != nil {
			return "", err
		}
	}
	return still(u, way, tokens, may, now), nil
}
