package shim

import "mfabridge/cloud"

// Explain says for an operator what a reason in logs and metrics means, and
// what to look at. Of a word that it does not know it says so.
func Explain(why string) string {
	if text, ok := explanations()[why]; ok {
		return text
	}
	return "this version knows no explanation of the word"
}

func explanations() map[string]string {
	return map[string]string{
		string(noUserName):           "the request has no User-Name; look at the client's settings",
		string(badUserName):          "the name is not UTF-8 or has control characters",
		string(attributeTwice):       "an attribute that may come once came twice; the client does not follow RFC 2865",
		string(noPassword):           "the request has no User-Password; if the client checks it itself and sends none, as RD Gateway does, say without_password: true",
		string(emptyPassword):        "nothing was typed; an empty password is never tried",
		string(badPassword):          "the password cannot be revealed: the shared secret differs on the two sides, or it is not UTF-8",
		string(protocolNotSupported): "the client uses CHAP, MS-CHAP or EAP, which only a primary of type radius can judge; set it to PAP, or ask such a primary",
		string(protocolsMixed):       "the request proves the first factor in two ways at once; look at the client",
		string(mschapFirst):          "the client uses MS-CHAP version 1, which gives the password away; set it to version 2",
		string(passwordChange):       "the client wants to change a password; that is not relayed",
		string(chapMalformed):        "an attribute of CHAP or MS-CHAP is missing or has a wrong length",
		string(eapMalformed):         "EAP-Message is not one EAP response; look at the client",
		string(eapTooLong):           "the EAP conversation takes more rounds than any method needs",
		string(identityDiffers):      "EAP names another person than User-Name, or MS-CHAPv2 inside EAP does",
		string(identityHidden):       "a tunnel or a certificate proves a name that is not seen here; have the RADIUS server put it into User-Name of Access-Accept, and set names_tunnel_user: true",
		string(methodNeedsTyping):    "the person has nothing that works without typing, or the server asks for more: push and calls work with every protocol, codes with PAP",
		string(stateMalformed):       "the State that came back is not one of ours, or the client cut it",
		string(stateAltered):         "the State cannot be opened: it was altered, or sealed with a key that this node has not got (cluster_keys)",
		string(stateExpired):         "the code came too late, and the user starts again; with a first request: the clocks of the engine and of this machine are too far apart",
		string(stateForeign):         "the State belongs to another client or user",
		string(stationDiffers):       "the answer to a challenge names another Calling-Station-Id than its first request; a client that sends a new one with each packet needs calling_station: unreliable",
		string(numberUnsigned):       "a number was shown, and the request that goes on has no Message-Authenticator: anybody could have sent it who saw the State; switch it on at the client",
		string(userUnknown):          "nobody has this name: the first factor knows none, or the engine; the cause says who. Look at aliases (mfabridge explain F USER)",
		string(userAmbiguous):        "the name stands for several people, or the directory's entry contradicts the engine's user",
		string(challengeUnknown):     "the engine has forgotten this challenge",
		string(methodNotBuilt):       "the engine asks in a way that RADIUS cannot show: neither by a code nor by a push nor by a call",
		string(notDecided):           "the code did not settle it",
		string(requestInvalid):       "the engine or the first factor could not understand the request; the cause says why",
		string(byBypass):             "an administrator let this login in without a second factor",
		string(byClient):             "an administrator put the second factor of this client aside for a while (shim bypass --client)",
		string(byCache):              "no second factor was asked for: one was given from here a while ago",
		string(byPrimary):            "no second factor was asked for: the engine does not know this person, and unmatched lets them in",
		string(outage):               "the engine or the first factor could not be asked; the cause says which",
		string(stopped):              "the shim was stopped before the person had answered; the client asks another server",
		string(tooManyHeld):          "more logins wait for a push or a call than may; the client asks another server",
		string(replyTooLong):         "the answer does not fit a packet: too many attributes",
		unknownClient.String():       "no client has this address, or over TLS this certificate; add it to radius.clients",
		malformed.String():           "this is no RADIUS packet",
		unexpectedCode.String():      "a packet that this port does not take: a reply, or a login at the port for accounting, or the other way round",

		noMessageAuthenticator.String():    "the client sends no Message-Authenticator; switch it on there, or set message_authenticator: observe for a while",
		wrongMessageAuthenticator.String(): "the shared secret differs on the two sides, or somebody altered the packet",
		unsignedProxyState.String():        "a proxy on the way added Proxy-State without Message-Authenticator: that can be a forgery (CVE-2024-3596)",
		unsignedEAP.String():               "EAP without Message-Authenticator is never taken",
		wrongRequestAuthenticator.String(): "the shared secret differs on the two sides, or somebody altered the packet",
		accountNotTaken.String():           "what was to be recorded could not be made safe, or the server it is relayed to does not answer; the client sends it again",
		primaryBusy.String():               "the first factor of this client is slow or away, and its logins have all workers that they may have; clients send again",
		readFailed.String():                "the socket could not be read; the cause says why",
		sendFailed.String():                "the answer could not be sent; the cause says why",
		engineAway.String():                "Status-Server is not answered while the engine cannot be asked, so that clients go on to another server",
		primaryAway.String():               "Status-Server is not answered while the first factor of the client cannot be asked, so that it goes on to another server",
		overload.String():                  "more requests than workers could take; clients send again",

		string(cloud.WrongCode):     "the code is wrong",
		string(cloud.UsedCode):      "the code was used before; the user waits for the next one",
		string(cloud.WrongPassword): "the first factor refused the password; with code_entry: append a mistyped code is a part of it",
		string(cloud.TooManyTries):  "too many failures: of codes at the engine, or where no challenge is named of passwords (max_bind_failures); the limit ends by itself",
		string(cloud.UserDenied):    "the user pressed deny",
		string(cloud.UserBlocked):   "the user is blocked; a helpdesk can end that",
		string(cloud.NoMethod):      "the user has nothing registered that could be asked for here; a word behind the password may have asked for what is not there",
		string(cloud.NotAllowed):    "policy forbids the user every method that is registered",
		string(cloud.Undeliverable): "no channel could take the message",
		string(cloud.TimedOut):      "nobody answered in time",
		string(cloud.UserDisabled):  "the user is disabled",
		string(cloud.RepeatRefused): "this challenge, or this code, was answered before: the user starts again, with the next code",
		string(cloud.NeedNextCode):  "the generator's clock is off: the user types the next code too",
		string(PasswordExpired):     "the directory says that the password has expired",
		string(PasswordMustChange):  "the directory wants the password changed first",
		string(AccountLocked):       "the directory has locked the account",
		string(AccountExpired):      "the account has expired in the directory",
		string(NotNow):              "the directory allows no sign-in at this hour, or from here",
	}
}
