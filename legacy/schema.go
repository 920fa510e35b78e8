package legacy

// Names of the files of an export, compared without case. Tables may come in
// several files and forms, see classify.
const (
	usersFile    = "users.csv"
	settingsFile = "settings.json"
	manifestFile = "manifest.json"
	soapFolder   = "soap"
)

// Columns of users.csv.
const (
	userName = iota
	userUPN
	userSID
	userFirst
	userLast
	userEmail
	userGroup
	userCountry
	userPhone
	userExtension
	userBackupCountry
	userBackupPhone
	userBackupExtension
	userKeepPhone
	userMode
	userPinMode
	userSMSDirection
	userSMSMode
	userAppMode
	userEnabled
	userDisabled
	userBlocked
	userPinSet
	userStaticSet
	userQuestionsSet
	userTokenExists
	userSerial
	userSecret
	userInterval
	userAppActivated
	userLanguage
	userChanged
)

// usersSchema is quiet where a value may be a secret that went astray: a PIN
// in PinSet, a seed in its neighbour.
func usersSchema() schema {
	return schema{keys: []int{userName}, columns: []column{
		userName:            {name: "Username"},
		userUPN:             {name: "UserPrincipalName", also: []string{"upn"}},
		userSID:             {name: "Sid"},
		userFirst:           {name: "FirstName"},
		userLast:            {name: "LastName"},
		userEmail:           {name: "EmailAddress"},
		userGroup:           {name: "UserGroup"},
		userCountry:         {name: "CountryCode"},
		userPhone:           {name: "Phone"},
		userExtension:       {name: "Extension"},
		userBackupCountry:   {name: "BackupCountryCode"},
		userBackupPhone:     {name: "BackupPhone"},
		userBackupExtension: {name: "BackupExtension"},
		userKeepPhone:       {name: "KeepPhoneSynchronized"},
		userMode:            {name: "Mode"},
		userPinMode:         {name: "PinMode"},
		userSMSDirection:    {name: "SmsDirection"},
		userSMSMode:         {name: "SmsMode"},
		userAppMode:         {name: "PhoneAppMode"},
		userEnabled:         {name: "Enabled"},
		userDisabled:        {name: "DisabledBehavior"},
		userBlocked:         {name: "Blocked"},
		userPinSet:          {name: "PinSet", quiet: true},
		userStaticSet:       {name: "StaticTokenSet", also: []string{"EnableStaticToken"}, quiet: true},
		userQuestionsSet:    {name: "SecurityQuestionsSet", quiet: true},
		userTokenExists:     {name: "OathTokenExists", quiet: true},
		userSerial:          {name: "OathTokenSerialNumber", quiet: true},
		userSecret:          {name: "OathTokenSecretKey", quiet: true},
		userInterval:        {name: "OathTokenTimeInterval", quiet: true},
		userAppActivated:    {name: "PhoneAppActivated", quiet: true},
		userLanguage:        {name: "Language"},
		userChanged:         {name: "LastChanged"},
	}}
}

// Columns of devices.csv.
const (
	deviceUser = iota
	deviceID
	deviceName
	devicePushToken
	deviceNotification
	deviceVersion
	deviceSecret
	deviceInterval
	deviceDrift
	deviceDigits
	deviceAlgorithm
	deviceActivated
	deviceLastUsed
)

func devicesSchema() schema {
	return schema{keys: []int{deviceUser}, columns: []column{
		deviceUser:         {name: "Username"},
		deviceID:           {name: "UserDeviceId"},
		deviceName:         {name: "DeviceName"},
		devicePushToken:    {name: "DeviceToken", quiet: true},
		deviceNotification: {name: "NotificationType"},
		deviceVersion:      {name: "PhoneAppVersion"},
		deviceSecret:       {name: "OathTokenSecretKey", quiet: true},
		deviceInterval:     {name: "OathTokenTimeInterval", quiet: true},
		deviceDrift:        {name: "TimeDrift", quiet: true},
		deviceDigits:       {name: "Digits", quiet: true},
		deviceAlgorithm:    {name: "Algorithm", quiet: true},
		deviceActivated:    {name: "Activated", quiet: true},
		deviceLastUsed:     {name: "LastUsed", quiet: true},
	}}
}

// Columns of tokens.csv.
const (
	tokenUser = iota
	tokenUPN
	tokenSerial
	tokenSecret
	tokenInterval
	tokenManufacturer
	tokenModel
	tokenDrift
	tokenDigits
	tokenAlgorithm
)

func tokensSchema() schema {
	return schema{keys: []int{tokenUPN, tokenUser, tokenSerial}, columns: []column{
		tokenUser:         {name: "Username"},
		tokenUPN:          {name: "upn", also: []string{"UserPrincipalName"}},
		tokenSerial:       {name: "serial number", also: []string{"serial", "serial no", "token serial", "token serial number", "OathTokenSerialNumber"}, quiet: true},
		tokenSecret:       {name: "secret key", also: []string{"secret", "seed", "token seed", "token secret", "OathTokenSecretKey"}, quiet: true},
		tokenInterval:     {name: "time interval", also: []string{"interval", "time step", "period", "OathTokenTimeInterval"}, quiet: true},
		tokenManufacturer: {name: "manufacturer", also: []string{"vendor"}},
		tokenModel:        {name: "model", also: []string{"token model", "token type"}},
		tokenDrift:        {name: "time drift", quiet: true},
		tokenDigits:       {name: "digits", also: []string{"code length"}, quiet: true},
		tokenAlgorithm:    {name: "algorithm", also: []string{"hash algorithm"}, quiet: true},
	}}
}

func schemas() []schema {
	return []schema{usersSchema(), devicesSchema(), tokensSchema(), activitySchema()}
}
