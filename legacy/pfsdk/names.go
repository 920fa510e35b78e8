package pfsdk

import "strings"

// Namespaces.
const (
	SDKNamespace        = "http://www.phonefactor.com/PfWsSdk"
	ActivationNamespace = "http://www.phonefactor.com/PfPaWs"

	soap11 = "http://schemas.xmlsoap.org/soap/envelope/"
	soap12 = "http://www.w3.org/2003/05/soap-envelope"
)

// family is what an operation is about, whatever its overload.
type family byte

const (
	unknownFamily family = iota
	settingsFamily
	devicesFamily
	findFamily
	blockFamily
	defaultsFamily
	portalFamily
	activateFamily
	confirmFamily
	testFamily // TestSecurity, TestMasterConnection
)

// familyOf knows the overloads of an operation by their numeric suffixes: the
// old GetUserSettings2 and the later GetUserSettings_3.
func familyOf(operation string) family {
	base := strings.TrimRight(operation, "0123456789")
	base = strings.TrimSuffix(base, "_")
	switch base {
	case "GetUserSettings":
		return settingsFamily
	case "GetUserDevices":
		return devicesFamily
	case "FindUsers":
		return findFamily
	case "UserIsBlocked":
		return blockFamily
	case "GetCustomerDefaults":
		return defaultsFamily
	case "GetUserPortalSettings":
		return portalFamily
	case "ActivateNew":
		return activateFamily
	case "ConfirmActivation":
		return confirmFamily
	case "TestSecurity", "TestMasterConnection":
		return testFamily
	}
	return unknownFamily
}

// namespace is where the operations of a family live.
func (f family) namespace() string {
	if f == activateFamily || f == confirmFamily {
		return ActivationNamespace
	}
	return SDKNamespace
}

// how says what becomes of an element.
type how byte

const (
	notKnown how = iota
	keep         // a value
	keepSecret
	seen     // only that it is there: PINs, tokens, answers
	switched // a boolean that says that something is there
	language // one of four; Language is that of the user's Mode
	ignore   // known, of no use
)

// element is what is known about an element of a record.
type element struct {
	how  how
	name string // of the field; empty: as the element
}

// userElements are those of UserSettings3 and UserRow. The questions' names are
// not known; see userElement.
var userElements = map[string]element{
	"Username":  {how: ignore}, // read by itself
	"FirstName": {how: keep}, "LastName": {how: keep}, "EmailAddress": {how: keep}, "UserGroup": {how: keep},
	"CountryCode": {how: keep}, "Phone": {how: keep}, "Extension": {how: keep},
	"BackupCountryCode": {how: keep}, "BackupPhone": {how: keep}, "BackupExtension": {how: keep},
	"KeepPhoneSynchronized": {how: keep}, "Mode": {how: keep}, "PinMode": {how: keep}, "SmsDirection": {how: keep},
	"SmsMode": {how: keep}, "PhoneAppMode": {how: keep}, "Enabled": {how: keep}, "DisabledBehavior": {how: keep},
	"OathTokenExists": {how: keep}, "OathTokenSerialNumber": {how: keep}, "OathTokenSecretKey": {how: keepSecret}, "OathTokenTimeInterval": {how: keep},
	"PhoneAppActivated": {how: keep},

	"Pin": {how: seen, name: "PinSet"}, "HistoricalPinValues": {how: seen, name: "PinSet"},
	"StaticToken": {how: seen, name: "StaticTokenSet"}, "EnableStaticToken": {how: switched, name: "StaticTokenSet"},

	"VoiceCallLanguage": {how: language}, "SmsTextLanguage": {how: language},
	"PhoneAppLanguage": {how: language}, "OathTokenLanguage": {how: language},

	"PinFormat": {how: ignore}, "PinChangeRequired": {how: ignore}, "SecondsSincePinChange": {how: ignore},
	"OverridePinRules": {how: ignore}, "UserCanChangePin": {how: ignore}, "MinimumPinLength": {how: ignore},
	"PreventWeakPins": {how: ignore}, "PinExpirationDays": {how: ignore}, "HistoricalPins": {how: ignore},
	"EnableGlobalServices": {how: ignore}, "UserCanChangePhone": {how: ignore},
	"Tags": {how: ignore}, "TagIds": {how: ignore},
}

// userElement also knows what may be a security question by its name: the
// answer counts, the question is of no use.
func userElement(name string) element {
	if e, ok := userElements[name]; ok {
		return e
	}
	switch lower := strings.ToLower(name); {
	case strings.Contains(lower, "answer"):
		return element{how: seen, name: "SecurityQuestionsSet"}
	case strings.Contains(lower, "question"):
		return element{how: ignore}
	case strings.Contains(lower, "pin"), strings.Contains(lower, "password"):
		return element{how: ignore} // a later version's secret
	}
	return element{}
}

var deviceElements = map[string]element{
	"UserDeviceId": {how: keep}, "DeviceName": {how: keep}, "DeviceToken": {how: keep}, "PhoneAppVersion": {how: keep},
	"NotificationType": {how: keep}, "OathTokenSecretKey": {how: keepSecret}, "Username": {how: ignore},
}

func deviceElement(name string) element { return deviceElements[name] }

var defaultsElements = all("Mode", "PinMode", "SmsDirection", "SmsMode", "PhoneAppMode", "EnableGlobalServices", "UserCanChangePhone",
	"KeepPhoneSynchronized", "DisabledBehavior", "VoiceCallLanguage", "SmsTextLanguage", "PhoneAppLanguage", "OathTokenLanguage",
	"UserCanChangePin", "MinimumPinLength", "PreventWeakPins", "PinExpirationDays", "HistoricalPins")

func defaultsElement(name string) element { return defaultsElements[name] }

var portalElements = all("Url", "PrimaryAuth", "AllowUserLogIn", "AllowUserEnrollment", "PromptForBackupPhone", "PromptForOathToken",
	"AllowOneTimeBypass", "AllowBypassSeconds", "UsersCanSwitchMode", "UsersCanSwitchModeToVoiceCall", "UsersCanSwitchModeToSmsText",
	"UsersCanSwitchModeToPhoneApp", "UsersCanSwitchModeToOathToken", "UsersCanSwitchToVoiceCall", "UsersCanSwitchToSmsText",
	"UsersCanSwitchToPhoneApp", "UsersCanSwitchToOathToken", "UsersCanSelectLanguage", "UsersCanActivatePhoneApp", "DeviceLimit",
	"EnableSecurityQuestions", "SecurityQuestionsToAnswer", "UsersCanEnrollOathToken", "UseOathTokenForFallback", "SessionTimeoutMinutes")

// portalElement passes over what belongs to other sign-ons.
func portalElement(name string) element {
	if strings.HasPrefix(name, "Saml") || strings.HasSuffix(name, "Url") && name != "Url" {
		return element{how: ignore}
	}
	return portalElements[name]
}

func all(names ...string) map[string]element {
	m := make(map[string]element, len(names))
	for _, n := range names {
		m[n] = element{how: keep}
	}
	return m
}

// languageOf is the element that holds the language of a Mode.
func languageOf(mode string) string {
	switch strings.ToLower(mode) {
	case "voicecall":
		return "VoiceCallLanguage"
	case "smstext":
		return "SmsTextLanguage"
	case "phoneapp":
		return "PhoneAppLanguage"
	case "oathtoken":
		return "OathTokenLanguage"
	}
	return ""
}

// Errors of the server whose numbers are known.
const (
	codeUserNotFound   = 10
	codeNotBlocked     = 133
	codeNotBlockedToo  = 136
	codeTimedOut       = 1001
	maxDescription     = 200 // bytes of a Description that are quoted
	maxNamedUnknown    = 100 // unknown elements that are named
	maxValue           = 64 << 10
	maxPendingRequests = 1000
)

// meaning says in words what an error of the server is.
func meaning(code int) string {
	switch code {
	case codeUserNotFound:
		return "the server does not know this user"
	case codeNotBlocked, codeNotBlockedToo:
		return "the user is not blocked"
	case codeTimedOut:
		return "the server's own authentication timed out"
	}
	return ""
}
