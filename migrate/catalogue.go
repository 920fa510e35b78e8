package migrate

import "slices"

// Codes of findings, in the order of docs/findings.md.
const (
	// About the match with the target's users.
	UserUnmatched      Code = "USER_UNMATCHED"
	UserUnreadable     Code = "USER_UNREADABLE"
	UserMatchConflict  Code = "USER_MATCH_CONFLICT"
	UserAmbiguous      Code = "USER_AMBIGUOUS"
	UserMatchShared    Code = "USER_MATCH_SHARED"
	MatchWeak          Code = "MATCH_WEAK"
	MatchWeakAllowed   Code = "MATCH_WEAK_ALLOWED"
	MatchFileUnused    Code = "MATCH_FILE_UNUSED"
	UserPrivileged     Code = "USER_PRIVILEGED"
	PrivilegedIncluded Code = "PRIVILEGED_INCLUDED"
	CloudUserDisabled  Code = "CLOUD_USER_DISABLED"
	CloudUserDisabling Code = "CLOUD_USER_DISABLING"
	CloudUserGuest     Code = "CLOUD_USER_GUEST"
	UserNothingToMove  Code = "USER_NOTHING_TO_MOVE"
	NoFactorAfterApply Code = "NO_FACTOR_AFTER_APPLY"
	AliasConflict      Code = "ALIAS_CONFLICT"
	AliasNotMoved      Code = "ALIAS_NOT_MOVED"
	AliasUnfit         Code = "ALIAS_UNFIT"
	SIDInvalid         Code = "SID_INVALID"
	NameDamaged        Code = "NAME_DAMAGED"

	// About the state of the user in the old server.
	UserDisabled      Code = "USER_DISABLED"
	PasswordOnlyToday Code = "PASSWORD_ONLY_TODAY"
	BlockExpired      Code = "BLOCK_EXPIRED"
	BlockNotMoved     Code = "BLOCK_NOT_MOVED"
	UserInactive      Code = "USER_INACTIVE"

	// About telephone numbers.
	PhoneInvalid          Code = "PHONE_INVALID"
	PhoneCountryConflict  Code = "PHONE_COUNTRY_CONFLICT"
	PhoneCountryAssumed   Code = "PHONE_COUNTRY_ASSUMED"
	PhoneUnverified       Code = "PHONE_UNVERIFIED"
	PhoneExtensionDropped Code = "PHONE_EXTENSION_DROPPED"
	ExtensionPauseDropped Code = "EXTENSION_PAUSE_DROPPED"
	ExtensionDialScript   Code = "EXTENSION_DIAL_SCRIPT"
	BackupPromoted        Code = "BACKUP_PROMOTED"
	BackupPhoneSkipped    Code = "BACKUP_PHONE_SKIPPED"
	PhoneDuplicate        Code = "PHONE_DUPLICATE"
	PhoneShared           Code = "PHONE_SHARED"
	PhoneSyncEnds         Code = "PHONE_SYNC_ENDS"

	PhoneFromDirectory        Code = "PHONE_FROM_DIRECTORY"
	PhoneDiffersFromDirectory Code = "PHONE_DIFFERS_FROM_DIRECTORY"

	// About any method.
	MethodDiffersInCloud Code = "METHOD_DIFFERS_IN_CLOUD"
	MethodNotAllowed     Code = "METHOD_NOT_ALLOWED"
	MethodUnsupported    Code = "METHOD_UNSUPPORTED"
	SMSSignInEnabled     Code = "SMS_SIGNIN_ENABLED"

	// About email addresses.
	EmailInvalid Code = "EMAIL_INVALID"
	EmailSkipped Code = "EMAIL_SKIPPED"

	// About third-party tokens.
	TokenNoSecret            Code = "TOKEN_NO_SECRET"
	TokenSecretInvalid       Code = "TOKEN_SECRET_INVALID"
	TokenSerialRounded       Code = "TOKEN_SERIAL_ROUNDED"
	TokenIntervalUnsupported Code = "TOKEN_INTERVAL_UNSUPPORTED"
	TokenUnsupported         Code = "TOKEN_UNSUPPORTED"
	TokenConflict            Code = "TOKEN_CONFLICT"
	TokenDuplicate           Code = "TOKEN_DUPLICATE"
	TokenLimit               Code = "TOKEN_LIMIT"
	TokenNotActivated        Code = "TOKEN_NOT_ACTIVATED"
	SecretNotCompared        Code = "SECRET_NOT_COMPARED"
	SecretAmbiguous          Code = "SECRET_AMBIGUOUS"
	SecretElsewhere          Code = "SECRET_ELSEWHERE"
	ClockOff                 Code = "CLOCK_OFF"

	// About the mobile app.
	DeviceNoSecret            Code = "DEVICE_NO_SECRET"
	DeviceSecretInvalid       Code = "DEVICE_SECRET_INVALID"
	DeviceIntervalUnsupported Code = "DEVICE_INTERVAL_UNSUPPORTED"
	DeviceUnsupported         Code = "DEVICE_UNSUPPORTED"
	DeviceSuperseded          Code = "DEVICE_SUPERSEDED"
	DeviceConflict            Code = "DEVICE_CONFLICT"
	DeviceDuplicate           Code = "DEVICE_DUPLICATE"
	DeviceLimit               Code = "DEVICE_LIMIT"
	DevicePlatformDead        Code = "DEVICE_PLATFORM_DEAD"
	PushNeedsActivation       Code = "PUSH_NEEDS_ACTIVATION"

	// About the way a user is asked.
	DefaultMethodChanged      Code = "DEFAULT_METHOD_CHANGED"
	DefaultMethodIgnored      Code = "DEFAULT_METHOD_IGNORED"
	PINNotMoved               Code = "PIN_NOT_MOVED"
	VoiceprintNotMoved        Code = "VOICEPRINT_NOT_MOVED"
	StaticTokenNotMoved       Code = "STATIC_TOKEN_NOT_MOVED"
	SecurityQuestionsNotMoved Code = "SECURITY_QUESTIONS_NOT_MOVED"
	SMSSignInEnds             Code = "SMS_SIGNIN_ENDS"
	SMSTwoWayRetired          Code = "SMS_TWO_WAY_RETIRED"
	TelephonyNoProvider       Code = "TELEPHONY_NO_PROVIDER"
	TelephonyRetirement       Code = "TELEPHONY_RETIREMENT"

	// About the export; these belong to no user that is read.
	RowInvalid    Code = "ROW_INVALID"
	UserDuplicate Code = "USER_DUPLICATE"
	OrphanDevice  Code = "ORPHAN_DEVICE"
	OrphanToken   Code = "ORPHAN_TOKEN"
	ColumnUnknown Code = "COLUMN_UNKNOWN"
	FileNotRead   Code = "FILE_NOT_READ"
	FileUnended   Code = "FILE_UNENDED"

	TokenDates     Code = "TOKEN_DATES"
	NotVerified    Code = "SIGNATURE_NOT_VERIFIED"
	SettingUnknown Code = "SETTING_UNKNOWN"
	SettingInvalid Code = "SETTING_INVALID"

	LDAPClientNotServed Code = "LDAP_CLIENT_NOT_SERVED"
	CacheRuleNotMoved   Code = "CACHE_RULE_NOT_MOVED"
	TrustedIPNotMoved   Code = "TRUSTED_IP_NOT_MOVED"
	PortalApart         Code = "PORTAL_SETTINGS_APART"

	ExportProblem Code = "EXPORT_PROBLEM"

	// About whom the plan is for, and the target as a whole.
	ListedUserUnknown Code = "LISTED_USER_UNKNOWN"
	WaveEmpty         Code = "WAVE_EMPTY"
	WaveOverlap       Code = "WAVE_OVERLAP"
	TargetNotReady    Code = "TARGET_NOT_READY"
	EligibleNotSeen   Code = "ELIGIBLE_NOT_SEEN"
)

// Entry says what a code stands for.
type Entry struct {
	Code     Code
	Severity Severity
	Meaning  string // when it is found; a sentence
	Action   string // what to do about it; a sentence
}

// Catalogue lists all findings that there are, in the order of
// docs/findings.md.
func Catalogue() []Entry {
	return slices.Concat(matchEntries(), stateEntries(), phoneEntries(), methodEntries(),
		tokenEntries(), deviceEntries(), askEntries(), exportEntries())
}

func matchEntries() []Entry {
	return []Entry{
		{UserUnmatched, SeverityError, "No user of the target matches the row, or none can be created for it.",
			"Create the user in the target, correct UserPrincipalName or Sid in the export, or plan with --create-users where the target allows it."},
		{UserUnreadable, SeverityError, "The target has the user and does not tell what the user has registered; nothing is planned for the user.",
			"Find out why by the status and the request-id in the detail: a restricted administrative unit, or a fault of the service; then plan again, or have the user register in person."},
		{UserMatchConflict, SeverityError, "The row's keys lead to different users of the target or different people in the directory, or the Sid contradicts the one that the matched user has.",
			"Find out whose row it is and correct UserPrincipalName, Username or Sid, or say who it is in a file for --match-file."},
		{UserAmbiguous, SeverityError, "One key of the row leads to several users of the target, or to several people in the directory.",
			"Make the key unique there, take it out of the row, or say who it is in a file for --match-file."},
		{UserMatchShared, SeverityError, "Several rows lead to one user of the target; none of them moves.",
			"Keep the row that is used and take the others out of the export."},
		{MatchWeak, SeverityError, "Only an address, or an account name outside the configured domains, leads to the user, and somebody else may have the same; nothing moves.",
			"Say who it is in a file for --match-file, name the domain with --directory-domain, or look at all of these and plan with --allow-weak-match."},
		{MatchWeakAllowed, SeverityWarning, "Only an address, or an account name outside the configured domains, leads to the user, and --allow-weak-match takes it.",
			"Check that row and user are the same person before applying."},
		{MatchFileUnused, SeverityWarning, "A row of the match file names a user who is not in the export.",
			"Check how its Username is written: case does not count, everything else does."},
		{UserPrivileged, SeverityError, "The user has an administrative role in the target, or may take one on; methods of administrators are not written from an export.",
			"Let the administrator register in person, or name the user in the file of --include-privileged."},
		{PrivilegedIncluded, SeverityWarning, "The user has an administrative role in the target, or may take one on, and is moved all the same, because the file of --include-privileged names the user.",
			"Check with the administrator that the row's numbers and tokens are theirs."},
		{CloudUserDisabled, SeverityWarning, "The user is disabled in the target. The methods move, and cannot be used until the user is enabled.",
			"Enable the user in the target if the account is still wanted."},
		{CloudUserDisabling, SeverityError, "The user is enabled in the target and disabled in the old server, and this plan disables the account in the target (--include-disabled): the user is locked out.",
			"Ask whether the account is in use. If it is, correct Enabled in the row, or plan for the others (--scope, or without --include-disabled)."},
		{CloudUserGuest, SeverityWarning, "The user is a guest in the target. Telephone numbers move, code generators do not.",
			"Have the guest register a code generator in the home organisation."},
		{UserNothingToMove, SeverityInfo, "The row holds nothing that can be registered. A user who would have to be created is not; one who exists keeps the login names of the old server.",
			"Nothing, if the user does not log in any more; else have the user register."},
		{NoFactorAfterApply, SeverityError, "After this plan nothing verifies the user; the user is locked out.",
			"Have the user register before the cut-over, or correct the row's numbers and secrets."},
		{AliasConflict, SeverityWarning, "A login name of the old server belongs to another user, or to several rows; it is not registered.",
			"Tell the user to log in with the user principal name, or free the name in the target."},
		{AliasNotMoved, SeverityWarning, "The target keeps no login names besides the user principal name.",
			"Tell the user to log in with the user principal name."},
		{AliasUnfit, SeverityWarning, "A login name of the old server is longer than targets take, one too many for the user, or has a character in it that cannot be seen, as text that was copied from a page has; it is not registered.",
			"Correct Username in the export, or tell the user to log in with the user principal name."},
		{SIDInvalid, SeverityWarning, "Sid is no Windows security identifier (S-1-…); nobody is looked up by it, and it is not registered.",
			"Correct the Sid, or leave it empty."},
		{NameDamaged, SeverityWarning, "The first or the last name has a question mark in place of a letter, as a program leaves that could not write it; the new user is called that.",
			"Export again with all letters before applying; a plan corrects no name of a user who exists."},
	}
}

func stateEntries() []Entry {
	return []Entry{
		{UserDisabled, SeverityInfo, "The user is disabled in the old server and is skipped, or with --include-disabled moved, and kept disabled where the target can.",
			"Nothing, if the account is not wanted any more; else plan with --include-disabled."},
		{PasswordOnlyToday, SeverityError, "The user is disabled in the old server with DisabledBehavior=succeed, its own or by the company's default: the password alone is enough today.",
			"Decide: enable the user in the old server and have a method registered, or expect the login to be refused after the cut-over."},
		{BlockExpired, SeverityInfo, "The user is blocked in the old server, but the block is more than 90 days old and over.",
			"Nothing, or block the user in the target by hand."},
		{BlockNotMoved, SeverityError, "The user is blocked in the old server, and the target cannot keep a block.",
			"Disable the user in the target before the cut-over."},
		{UserInactive, SeverityInfo, "The report of attempts (activity.csv) holds no login of this user.",
			"Ask whether the account is still wanted before anything is moved for it."},
	}
}

func phoneEntries() []Entry {
	return []Entry{
		{PhoneInvalid, SeverityWarning, "A telephone number cannot be read, or does not exist in its country's numbering plan; it is not moved.",
			"Correct the number in the export, or have the user register it. Where only the calling code is missing, plan with --default-country."},
		{PhoneCountryConflict, SeverityWarning, "The number has a calling code of its own that differs from CountryCode; its own counts.",
			"Check which of the two is right."},
		{PhoneCountryAssumed, SeverityInfo, "The number has no calling code; that of --default-country was added.",
			"Check a few of these numbers before applying."},
		{PhoneUnverified, SeverityInfo, "The number is possible, but not one that its country's numbering plan assigns; it moves.",
			"Check the number, or plan with --phone-validity strict to leave such numbers out."},
		{PhoneExtensionDropped, SeverityWarning, "The user gets codes by text, and a text reaches no extension; the number moves as a mobile phone without it.",
			"Check that the number itself receives texts."},
		{ExtensionPauseDropped, SeverityInfo, "The extension begins with pauses, which no cloud keeps; the digits move.",
			"Place a test call if the switchboard needs the pause."},
		{ExtensionDialScript, SeverityWarning, "The extension is a dial script (with pauses, * or # in it), which no cloud takes; the number is not moved.",
			"Register a direct number for the user."},
		{BackupPromoted, SeverityInfo, "There is no mobile phone, so the backup number becomes it.",
			"Nothing."},
		{BackupPhoneSkipped, SeverityWarning, "The place for the backup number is where Phone stands, as where both have an extension; the backup is not moved.",
			"Have the user register another number if one is needed."},
		{PhoneDuplicate, SeverityInfo, "The user has this number already in another place; it is written once.",
			"Nothing."},
		{PhoneShared, SeverityWarning, "The number that moves is that of other users, too, who move it or have it already: whoever holds the phone can verify for all of them.",
			"Give each user a number or a token of their own."},
		{PhoneSyncEnds, SeverityInfo, "The old server kept this user's number in step with the directory; after the move nobody does.",
			"Let users change their own number, or plan again when the directory has changed."},
		{PhoneFromDirectory, SeverityWarning, "The old server kept this user's number in step with the directory, which has another one now; --phones takes the directory's.",
			"Check a few of these: in many directories people can change their own numbers."},
		{PhoneDiffersFromDirectory, SeverityWarning, "The old server kept this user's number in step with the directory, which has another one now; the old server's moves.",
			"Ask which number is right, or plan with --phones directory or newest."},
	}
}

func methodEntries() []Entry {
	return []Entry{
		{MethodDiffersInCloud, SeverityWarning, "The target holds another value in this place, or another name or interval of this code generator, and it is kept.",
			"Ask the user which is right; --existing replace writes the old server's telephone number or address."},
		{MethodNotAllowed, SeverityWarning, "The target's policy does not allow this method to the user; it moves, and cannot be used.",
			"Allow the method in the target, or have the user register another."},
		{MethodUnsupported, SeverityWarning, "The target does not take this method.",
			"Have the user register a method that the target takes."},
		{SMSSignInEnabled, SeverityError, "The target's policy lets a mobile phone of this user sign in without a password, and the plan writes one: whoever holds the phone is in with a text alone.",
			"Take the user out of the policy's sign-in by text before the plan is applied."},
		{EmailInvalid, SeverityWarning, "EmailAddress is not an address; it is not moved.",
			"Correct the address, or leave it."},
		{EmailSkipped, SeverityInfo, "The address is not moved: an address of the organisation itself cannot help with a login to it, or addresses are switched off.",
			"Nothing; --email chooses which addresses move."},
	}
}

func tokenEntries() []Entry {
	return []Entry{
		{TokenNoSecret, SeverityWarning, "The export holds no secret of this token; it cannot be moved.",
			"Get the seed file from the token's vendor, or replace the token."},
		{TokenSecretInvalid, SeverityWarning, "The token's secret cannot be decoded, or is of a length that the target does not take; it is not moved.",
			"Check the format of the secret: Base32 is assumed; prefix it with hex: or base64: if it is that."},
		{TokenSerialRounded, SeverityWarning, "The token's serial number is one that a spreadsheet has rounded (1.23457E+11): which token it is nobody can tell; it is not moved.",
			"Take the serial number from the vendor's file or from the token itself, or export again and keep the table out of spreadsheets."},
		{TokenIntervalUnsupported, SeverityWarning, "The token's codes change at an interval that the target does not take; it is not moved.",
			"Replace the token."},
		{TokenUnsupported, SeverityWarning, "The token's codes are of a kind that the target does not take (digits, algorithm, counting events), its serial number is too long or has a character in it that cannot be seen, or the PSKC file says of its key something that forbids to use it; it is not moved.",
			"Replace the token, or ask its vendor for another file where only that is wrong."},
		{TokenConflict, SeverityError, "The token's secret or serial number stands with several users, or its rows contradict each other (secret, interval, digits, algorithm); nobody gets it.",
			"Find out who holds the token and what it is, and correct the other rows, or take it out of them; where it is in the target alone, remove it there."},
		{TokenDuplicate, SeverityInfo, "The user has this token twice, or as token and as app; it moves once, as token.",
			"Nothing."},
		{TokenLimit, SeverityWarning, "The user has as many code generators as the target takes; this token is not moved.",
			"Remove one in the target that is not used any more."},
		{TokenNotActivated, SeverityWarning, "The target registers the code generator without activating it, or has one that nobody has activated yet; until somebody does, its codes verify nothing and it does not count.",
			"Have the user, or an administrator with a code of the generator, activate it in the target before the cut-over."},
		{SecretNotCompared, SeverityInfo, "The target tells no secrets. A generator of the same serial number is taken for this one, and compared by name and interval.",
			"Have one code of it tried in the target if you are not sure that its seed is the same."},
		{SecretAmbiguous, SeverityWarning, "The secret is valid in two formats (hexadecimal, Base32, or what --secret-format says), and nothing says for certain which it is; it is not moved.",
			"Prefix the secret with hex:, base32: or base64:, or name the format that it has with --secret-format."},
		{SecretElsewhere, SeverityWarning, "The secret or the serial number of a token or app that moves stands in a row as well that does not move it: its user is skipped, or a guest of the target.",
			"Find out who holds it, since that person can give this user's codes. If it is not this user, take it out of the row."},
		{ClockOff, SeverityWarning, "The clock of this token or app was off by more in the old server than the target makes up for. The code generator moves; until the target knows its clock, its codes are refused and it does not count.",
			"Have two codes in a row tried in the target before the cut-over (mfabridge engine user resync), set the clock of the telephone, or replace the token."},
	}
}

func deviceEntries() []Entry {
	return []Entry{
		{DeviceNoSecret, SeverityWarning, "The export holds no code secret of this mobile app, as is always so with the Web Service SDK; its codes do not move.",
			"Have the user activate the app anew."},
		{DeviceSecretInvalid, SeverityWarning, "The app's code secret cannot be decoded, or is of a length that the target does not take; it is not moved.",
			"Have the user activate the app anew."},
		{DeviceIntervalUnsupported, SeverityWarning, "The app's codes change at an interval that the target does not take; it is not moved.",
			"Have the user activate the app anew."},
		{DeviceUnsupported, SeverityWarning, "The app's number of digits or its algorithm is none that the target takes; it is not moved.",
			"Have the user activate the app anew."},
		{DeviceSuperseded, SeverityInfo, "The user has activated an app of the same name later; only the newest moves.",
			"Nothing."},
		{DeviceConflict, SeverityError, "The app's code secret stands with several users; none of them gets it.",
			"Have these users activate the app anew."},
		{DeviceDuplicate, SeverityInfo, "Two of the user's apps have the same code secret; it moves once.",
			"Nothing."},
		{DeviceLimit, SeverityWarning, "The user has as many code generators as the target takes, one place being kept for the app that is to be activated; this app's codes are not moved.",
			"Nothing, if the app is an old one; else have the user remove one and activate the app anew."},
		{DevicePlatformDead, SeverityWarning, "The app runs on a platform whose push service has ended (c2dm, mpns, bps).",
			"Give the user another phone or a token."},
		{PushNeedsActivation, SeverityWarning, "Pushes of the old app cannot be moved; the user has to activate an app anew.",
			"Send the user the instructions for activation before the cut-over."},
	}
}

func askEntries() []Entry {
	return []Entry{
		{DefaultMethodChanged, SeverityWarning, "The method that the user was asked by first is not there after this plan, is not allowed, or is left for a more secure one with --default-method secure; the most secure one that is there becomes the default.",
			"Tell the user what to expect at the next login."},
		{DefaultMethodIgnored, SeverityInfo, "The target chooses by itself how to ask, or lets no default be set.",
			"Nothing."},
		{PINNotMoved, SeverityWarning, "The user has a PIN besides the second factor; PINs are not moved.",
			"Tell the user that no PIN is asked for any more."},
		{VoiceprintNotMoved, SeverityWarning, "The user is recognised by voice; voiceprints are not moved.",
			"Tell the user that a key press or a code takes its place."},
		{StaticTokenNotMoved, SeverityWarning, "The user has a fixed code; it is not moved, since a fixed code is no second factor.",
			"Give the user a token or another method."},
		{SecurityQuestionsNotMoved, SeverityInfo, "The user has answered security questions; the answers are not moved.",
			"Tell the helpdesk to identify callers in another way."},
		{SMSSignInEnds, SeverityWarning, "The user may sign in to the target with a mobile number and a code alone; the target ends that at the date that is named, with or without a provider.",
			"Give the user a password, a passkey or an app before the date."},
		{SMSTwoWayRetired, SeverityWarning, "The user answers a text with the code; after the move the code is typed at the login.",
			"Check that the application can ask for a code, and tell the user."},
		{TelephonyNoProvider, SeverityWarning, "Only texts or calls verify the user, and the target has no provider that delivers them.",
			"Set a provider up before the cut-over, or have the user register an app or a token."},
		{TelephonyRetirement, SeverityWarning, "Only texts or calls verify the user, and the target's own delivery of them ends at the date that is named; info where --telephony-provider delivers them. Sign-in by text alone ends with or without a provider.",
			"Have the user register an app or a token before the date."},
	}
}

func exportEntries() []Entry {
	return []Entry{
		{RowInvalid, SeverityError, "A row of the export cannot be read; it is left out.",
			"Correct the row at the place that is named."},
		{UserDuplicate, SeverityError, "Several rows have the same Username; none of them moves.",
			"Keep the row that is right and take the others out."},
		{OrphanDevice, SeverityWarning, "A device belongs to a user who is not in the export under that name, or whose row cannot be read.",
			"Write the name as the user's row has it (capitals do not count; ß is not ss), add the row, or leave the device."},
		{OrphanToken, SeverityWarning, "A token belongs to a user who is not in the export under that name, or whose row cannot be read.",
			"Write the name as the user's row has it (capitals do not count; ß is not ss), add the row, or assign the token anew."},
		{ColumnUnknown, SeverityInfo, "A column of the export is not known; nothing is read from it.",
			"Name it with --map theirs=ours if it is a column that counts."},
		{FileNotRead, SeverityWarning, "A file of the export is not read by this version.",
			"Bring what it holds into a file that is read."},
		{FileUnended, SeverityWarning, "A table ends within a line, as where a file was not copied whole: its last value may be cut off, and rows may be missing behind it.",
			"Compare its last row, and the number of rows, with where it comes from, or copy it again."},
		{TokenDates, SeverityWarning, "A token's key is valid for a time only, says its PSKC file. The token moves, and no target keeps the dates.",
			"Replace tokens that are out of date before the cut-over."},
		{NotVerified, SeverityInfo, "A PSKC file is signed. It is read, and its signature is not verified.",
			"Verify the signature with another program if the file came by a way that you do not trust."},
		{SettingUnknown, SeverityInfo, "A key of settings.json or manifest.json is not known; nothing is read from it.",
			"Check its spelling if it is a key that counts; docs/formats/settings.md lists them."},
		{SettingInvalid, SeverityWarning, "A value of settings.json cannot be read; it is as if it were not there.",
			"Correct the value at the place that is named."},
		{LDAPClientNotServed, SeverityWarning, "An application asked the old server by LDAP; the shim answers RADIUS only.",
			"Move the application to RADIUS, or to a sign-in of the cloud, before the cut-over."},
		{CacheRuleNotMoved, SeverityInfo, "The old server spared users a second factor for some time after a success; no rule of this kind moves.",
			"Tell users that they are asked more often, or set cache for the client in the shim."},
		{TrustedIPNotMoved, SeverityWarning, "The old server asked for no second factor from these addresses; nothing of this kind moves, and users there will be asked.",
			"Tell the users at these addresses, and see that each has a method."},
		{PortalApart, SeverityInfo, "The settings say what people could do with the app in the old server's portal; a plan is about users and does not carry that.",
			"Take them over with mfabridge engine settings --from EXPORT before the first wave, or decide anew."},
		{ExportProblem, SeverityError, "Something else is wrong with the export; the detail says what.",
			"Correct the export at the place that is named."},
		{ListedUserUnknown, SeverityWarning, "A file that --scope, --wave or --include-privileged names has a name that no user of the plan has.",
			"Correct the name, or take it out of the file."},
		{WaveEmpty, SeverityWarning, "Nobody is in this wave: whom it names is not in the export, not in scope, or in an earlier wave.",
			"Look at what the wave names, and at the order of the waves."},
		{WaveOverlap, SeverityInfo, "A wave names users whom an earlier wave has taken; they stay there.",
			"Nothing, if that is meant; else put the waves into another order."},
		{TargetNotReady, SeverityError, "The target said before the plan that an apply would fail.",
			"Do what the detail says; mfabridge preflight asks again."},
		{EligibleNotSeen, SeverityWarning, "The target does not tell who may take an administrative role on for a while (Privileged Identity Management); they move like everybody else.",
			"Do what the detail says and plan again, or leave those people out by --scope."},
	}
}
