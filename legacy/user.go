package legacy

import (
	"strconv"
	"time"

	"mfabridge/internal/secret"
)

// Place is where something stands in an export: a file's name within it, and
// the line and column (both from 1; 0: the whole line or file). Columns count
// bytes, as editors that go to a byte do.
type Place struct {
	File   string
	Line   int
	Column int
}

// String is "users.csv:12:5", leaving out what is 0.
func (p Place) String() string {
	switch {
	case p.Line == 0:
		return p.File
	case p.Column == 0:
		return p.File + ":" + strconv.Itoa(p.Line)
	default:
		return p.File + ":" + strconv.Itoa(p.Line) + ":" + strconv.Itoa(p.Column)
	}
}

// Mode is the method that a user was asked by first (SDK enumeration Mode3).
type Mode string

const (
	ModeUnset     Mode = "" // empty, "unspecified" or "invalid" in the export
	ModePhoneApp  Mode = "phoneApp"
	ModeOathToken Mode = "oathToken"
	ModeSMSText   Mode = "smsText"
	ModeVoiceCall Mode = "voiceCall"
)

// PhoneFields are the three columns of one telephone number, as exported.
// legacy/phone makes a number of them.
type PhoneFields struct {
	CountryCode string
	Number      string
	Extension   string
}

// IsZero tells whether there is no number. A country code alone is the
// console's default and means nothing.
func (p PhoneFields) IsZero() bool { return p.Number == "" && p.Extension == "" }

// User is one user of the old server with devices and tokens, values as they
// stood in the export (trimmed), enumerations in the spelling of the constants.
type User struct {
	Place   Place
	Ordinal int // position among the users of the export, from 0; rows that were skipped count

	Username    string // the key, as written; compared by Fold
	UPN         string
	SID         string
	FirstName   string
	LastName    string
	Email       string
	Group       string
	Phone       PhoneFields
	BackupPhone PhoneFields

	KeepPhoneSynchronized bool

	Mode         Mode
	PinMode      string // "standard", "pin", "returnPin", "voiceprint" or ""
	SMSDirection string // "oneWay", "twoWay" or ""
	SMSMode      string // "otp", "otpPlusPin" or ""
	PhoneAppMode string // "standard", "pin", "voiceprint" or ""

	Enabled              bool
	DisabledBehavior     string // "succeed": while disabled the password alone is enough; "fail"; "": as CustomerDefaults says
	Blocked              bool
	PinSet               bool
	StaticTokenSet       bool
	SecurityQuestionsSet bool
	TokenExists          bool // a third-party token, whether or not Tokens has it
	PhoneAppActivated    bool
	Language             string
	LastChanged          time.Time // zero: not said

	Devices []Device // in the order of their table
	Tokens  []Token  // the user row's own token first, then those of other files

	Activity Activity
}

// Device is a mobile-app activation record.
type Device struct {
	Place            Place
	ID               string
	Name             string
	PushToken        string // of Microsoft's app; evidence of identity, of no other use
	NotificationType string // apns, gcm, c2dm, mpns, bps, …, lower case
	AppVersion       string
	Seed             Seed
	Generator
	Activated time.Time // zero: not said
	LastUsed  time.Time
}

// Token is a third-party OATH token.
type Token struct {
	Place        Place
	Serial       string
	Manufacturer string
	Model        string
	Seed         Seed
	Generator
	Unclear string // how two rows of this serial number contradict each other about Generator; empty: they do not
}

// Generator are the parameters of a time-based code (RFC 6238). What a user's
// devices and tokens have is whole: 30 seconds, 6 digits, SHA1 and no drift
// where nothing is said.
type Generator struct {
	Interval  int // seconds
	Digits    int
	Algorithm string // "SHA1", "SHA256", "SHA512"
	Drift     int    // steps
}

// Seed is a decoded OATH secret, or why there is none.
type Seed struct {
	Key     secret.Bytes // zero unless State is SeedOK
	State   SeedState
	Problem string // with SeedInvalid, SeedAmbiguous and SeedUnusable: a phrase that does not quote the value
}

// SeedState says whether a secret can be used.
type SeedState uint8

const (
	SeedMissing   SeedState = iota // the field is empty or absent
	SeedOK                         // decoded
	SeedInvalid                    // not in the format that is said or assumed
	SeedAmbiguous                  // valid in two formats, and nothing says for certain which
	SeedUnusable                   // a key of a PSKC file that is not for time-based codes, or may not be used
)

// Code names a kind of Problem. The words are those of docs/findings.md.
type Code string

const (
	RowInvalid    Code = "ROW_INVALID"    // a row that cannot be read; it is skipped
	UserDuplicate Code = "USER_DUPLICATE" // several rows with one Username; none is yielded
	OrphanDevice  Code = "ORPHAN_DEVICE"  // a device of a user that is not in the export
	OrphanToken   Code = "ORPHAN_TOKEN"   // a token of a user that is not in the export
	ColumnUnknown Code = "COLUMN_UNKNOWN" // a column that nothing is read from
	FileNotRead   Code = "FILE_NOT_READ"  // a file of the export that this version does not read

	FileUnended Code = "FILE_UNENDED" // a table ends within a line; more of it may be missing

	TokenDates     Code = "TOKEN_DATES"            // a key of a PSKC file is valid for a time only; no target keeps such dates
	NotVerified    Code = "SIGNATURE_NOT_VERIFIED" // a PSKC file is signed; signatures are not verified
	SettingUnknown Code = "SETTING_UNKNOWN"        // a key of settings.json or manifest.json that nothing is read from
	SettingInvalid Code = "SETTING_INVALID"        // a value of settings.json that cannot be read; it is left out
)

// Problem is something wrong with an export that belongs to no user that the
// reader yields. Detail never quotes the value of a secret or unknown column.
type Problem struct {
	Code     Code
	Place    Place
	Username string // as written, where one is known
	Field    string // the column as its header spells it, where there is one
	Detail   string
}
