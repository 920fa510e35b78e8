package shim

import "mfabridge/cloud"

// npsName is what the NPS extension calls a refusal, for those who search
// by its words. Reasons that it has no word for stand alone.
func npsName(why reason) string {
	switch why {
	case methodNeedsTyping:
		return "REQUEST_MISSING_CODE"
	case protocolNotSupported, mschapFirst, passwordChange, methodNotBuilt, reason(cloud.NotAllowed):
		return "AuthenticationMethodNotSupported"
	case noUserName:
		return "REQUEST_FORMAT_ERROR"
	case reason(cloud.NoMethod):
		return "AuthenticationMethodNotConfigured"
	case userUnknown:
		return "UserNotFound"
	case identityHidden, identityDiffers:
		return "USERNAME_CANONICALIZATION_ERROR"
	case stateExpired, stateForeign, stationDiffers, challengeUnknown:
		return "InvalidSession"
	case reason(cloud.WrongCode):
		return "OathCodeIncorrect"
	case reason(cloud.TooManyTries):
		return "AuthenticationThrottled"
	}
	return ""
}
