package shim

import (
	"time"

	"mfabridge/cloud"
	"mfabridge/shim/config"
	"mfabridge/shim/radius"
)

// reason says why a login was refused or left unanswered: one of these, or a
// [cloud.Reason]. The words are those of logs and metrics, never of replies.
type reason string

const (
	noUserName           reason = "no_user_name"
	badUserName          reason = "bad_user_name" // not UTF-8, or with control characters
	attributeTwice       reason = "attribute_twice"
	noPassword           reason = "no_password"
	emptyPassword        reason = "empty_password"
	badPassword          reason = "bad_password"           // hidden in a wrong way, or not UTF-8
	protocolNotSupported reason = "protocol_not_supported" // CHAP, MS-CHAP, EAP where nobody can judge them
	protocolsMixed       reason = "protocols_mixed"
	mschapFirst          reason = "mschapv1_not_supported"
	passwordChange       reason = "password_change_not_supported"
	chapMalformed        reason = "chap_malformed"
	eapMalformed         reason = "eap_malformed"
	eapTooLong           reason = "eap_too_long"
	identityDiffers      reason = "identity_differs"    // EAP names another person than User-Name
	identityHidden       reason = "identity_hidden"     // nobody says who has proven the first factor
	methodNeedsTyping    reason = "method_needs_typing" // and the protocol has no room for it
	stateMalformed       reason = "state_malformed"     // not one of ours
	stateAltered         reason = "state_altered"       // or sealed with a key that is gone
	stateExpired         reason = "state_expired"
	stateForeign         reason = "state_foreign"   // of another client or user
	stationDiffers       reason = "station_differs" // the first leg named another
	numberUnsigned       reason = "number_unsigned" // the leg behind a number is anybody's
	userUnknown          reason = "user_unknown"
	userAmbiguous        reason = "user_ambiguous"
	challengeUnknown     reason = "challenge_unknown"
	methodNotBuilt       reason = "method_not_built" // neither a code nor a push nor a call
	notDecided           reason = "not_decided"      // the code did not settle it
	requestInvalid       reason = "request_invalid"
	outage               reason = "outage"
	replyTooLong         reason = "reply_too_long"
	stopped              reason = "stopped"       // the shim ended while the login waited
	tooManyHeld          reason = "too_many_held" // logins that wait for a push or call
)

// refusal is what a user may be shown with an Access-Reject. It is the same for
// all reasons but those of messages: a wrong password and a wrong code look
// alike.
const refusal = "Sign-in was not accepted."

// messages are the refusals that a person has to know the cause of, since they
// alone can mend it. Directories say these only to who has the right password,
// or they say them to everybody at every other login too.
var messages = map[reason]string{
	reason(PasswordExpired):    "Your password has expired. Change it, then sign in again.",
	reason(PasswordMustChange): "You must change your password before you can sign in here.",
	reason(AccountLocked):      "Your account is locked. Wait, or ask your help desk.",
	reason(AccountExpired):     "Your account has expired. Ask your help desk.",
	reason(NotNow):             "Your account does not allow sign-in at this time.",
}

// verdict is what becomes of a request.
type verdict struct {
	code      radius.Code // 0: no answer
	reason    reason      // empty with Access-Accept and Access-Challenge
	cause     error       // behind the reason, for the log
	method    cloud.Preference
	challenge cloud.ChallengeID
	repeated  bool
	person    string // who proved the first factor, by a name that a log may have; empty: whose name was typed
	by        by     // what stood in for a second factor, if anything did
	held      *held  // with code 0: what the login waits for

	reply   []byte        // with Access-Accept: further attributes, in the form of a packet
	hidden  []Hidden      // with Access-Accept
	ending  []byte        // what the protocol goes on or ends with, in the form of a packet
	relayed bool          // a challenge that a home server gave
	state   []byte        // with Access-Challenge
	message string        // Reply-Message
	timeout time.Duration // Session-Timeout, with Access-Challenge
}

// outcome is the verdict in one word.
func (v verdict) outcome() string {
	switch v.code {
	case radius.AccessAccept:
		return "accept"
	case radius.AccessChallenge:
		return "challenge"
	case radius.AccessReject:
		return "reject"
	}
	return "silent"
}

// grant adds attributes to an Access-Accept; no other answer gets any.
func (v *verdict) grant(p Proof) {
	if v.code == radius.AccessAccept {
		v.reply, v.hidden, v.ending = p.Reply, p.Hidden, p.Ending
	}
}

func deny(r reason) verdict {
	message, ok := messages[r]
	if !ok {
		message = refusal
	}
	return verdict{code: radius.AccessReject, reason: r, message: message}
}

// tooLong is the verdict in the place of one whose reply cannot be built.
func (v verdict) tooLong(cause error) verdict {
	instead := deny(replyTooLong)
	instead.cause, instead.method, instead.challenge, instead.person = cause, v.method, v.challenge, v.person
	return instead
}

// judge turns where a challenge stands after an answer into a verdict. Nothing
// but Approved is an Access-Accept.
func judge(state cloud.State, why cloud.Reason) verdict {
	switch state {
	case cloud.Approved:
		return verdict{code: radius.AccessAccept}
	case cloud.Refused, cloud.Expired:
		if why == "" {
			why = cloud.Reason(state)
		}
		return deny(reason(why))
	}
	return deny(notDecided)
}

// fault turns an error of the engine into a verdict: what the engine has
// decided is a refusal, what it could not decide is the client's on_outage.
func fault(c *client, err error, notFound reason) verdict {
	v := verdict{reason: outage}
	switch cloud.KindOf(err) {
	case cloud.NotFound:
		v = deny(notFound)
	case cloud.Conflict:
		v = deny(userAmbiguous)
	case cloud.Invalid, cloud.Unsupported:
		v = deny(requestInvalid)
	default: // Unavailable, Throttled, Internal, Denied, Stale, Locked, and what is new
		if c.OnOutage == config.Reject {
			v = deny(outage)
		}
	}
	v.cause = err
	return v
}
