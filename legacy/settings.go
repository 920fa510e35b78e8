package legacy

import (
	"net/netip"

	"mfabridge/internal/secret"
)

// Settings is what settings.json says of the old server. Anything that it does
// not say is zero.
type Settings struct {
	Present bool // there is a settings.json

	Defaults      CustomerDefaults
	MobileApp     MobileApp
	UserPortal    UserPortal
	RadiusClients []RadiusClient
	RadiusTarget  RadiusTarget
	LDAPClients   []LDAPClient
	Caching       []CacheRule
	TrustedIPs    []TrustedIP
}

// CustomerDefaults are the company's defaults for users (SDK object
// CustomerDefaults3), enumerations spelled as in User.
type CustomerDefaults struct {
	Mode                  Mode
	PinMode               string
	SMSDirection          string
	SMSMode               string
	PhoneAppMode          string
	EnableGlobalServices  bool
	UserCanChangePhone    bool
	KeepPhoneSynchronized bool
	DisabledBehavior      string
	VoiceCallLanguage     string
	SMSTextLanguage       string
	PhoneAppLanguage      string
	OathTokenLanguage     string
	UserCanChangePin      bool
	MinimumPinLength      int
	PreventWeakPins       bool
	PinExpirationDays     int
	HistoricalPins        int
}

// MobileApp is what the app shows.
type MobileApp struct{ AccountName string }

// UserPortal are the settings of the user portal, as far as the SDK names them.
type UserPortal struct {
	URL                       string
	PrimaryAuth               string
	AllowUserLogIn            bool
	AllowUserEnrollment       bool
	PromptForBackupPhone      bool
	PromptForOathToken        bool
	AllowOneTimeBypass        bool
	AllowBypassSeconds        int
	UsersCanSwitchMode        bool
	UsersCanSwitchToVoiceCall bool
	UsersCanSwitchToSMSText   bool
	UsersCanSwitchToPhoneApp  bool
	UsersCanSwitchToOathToken bool
	UsersCanSelectLanguage    bool
	UsersCanActivatePhoneApp  bool
	DeviceLimit               int
	EnableSecurityQuestions   bool
	SecurityQuestionsToAnswer int
	UsersCanEnrollOathToken   bool
	UseOathTokenForFallback   bool
	SessionTimeoutMinutes     int
}

// RadiusClient is an appliance that asked the old server.
type RadiusClient struct {
	Name                    string
	IPAddress               string // as written: an address, or a name
	ApplicationName         string
	SharedSecret            secret.Bytes // zero: not in the export
	RequireUserMatch        bool         // unknown users are denied
	PassesUnknown           bool         // said to be false: unknown users pass on their password alone
	EnableFallbackOathToken bool
}

// RadiusTarget is who checked the first factor.
type RadiusTarget struct {
	Type    string // "windows", "ldap", "radius" or ""
	Servers []TargetServer
}

// TargetServer is one server of a target, in the order in which they are asked.
type TargetServer struct {
	Address            string
	AuthenticationPort int // 0: not said
	AccountingPort     int
	SharedSecret       secret.Bytes
}

// LDAPClient is an application that asked by LDAP.
type LDAPClient struct {
	Name             string
	IPAddress        string
	ApplicationName  string
	RequireUserMatch bool
}

// CacheRule spares a second factor for some time after a success.
type CacheRule struct {
	Type               string // as written: user, application, IP address
	Seconds            int
	AuthenticationType string
	Application        string
}

// TrustedIP is a range of addresses from which no second factor was asked for;
// both ends belong to it.
type TrustedIP struct{ From, To netip.Addr }
