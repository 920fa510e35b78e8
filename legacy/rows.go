package legacy

import (
	"bytes"
	"time"
)

// userRow is a row of users.csv with its values read, but for text, which
// stays in the cells until it is wanted.
type userRow struct {
	values
	line   int
	format string // Options.SecretFormat
	user   User   // without text and tokens

	hasToken bool
	interval int
}

func newUserRow(format string) *userRow {
	return &userRow{values: newValues(usersSchema()), format: format}
}

func newValues(s schema) values {
	return values{schema: s, spelled: make([]string, len(s.columns)), cells: make([]cell, len(s.columns))}
}

// read checks all values of the row that is in the cells.
func (r *userRow) read(line int) *badRow {
	r.line = line
	if len(r.whole(userName)) == 0 {
		r.refuseEmpty(userName)
	}
	r.whole(userUPN)
	r.user = User{
		Place:                 Place{File: r.file, Line: line},
		KeepPhoneSynchronized: r.flag(userKeepPhone, false),
		Mode:                  Mode(r.word(userMode, string(ModePhoneApp), string(ModeOathToken), string(ModeSMSText), string(ModeVoiceCall))),
		PinMode:               r.word(userPinMode, "standard", "pin", "returnPin", "voiceprint"),
		SMSDirection:          r.word(userSMSDirection, "oneWay", "twoWay"),
		SMSMode:               r.word(userSMSMode, "otp", "otpPlusPin"),
		PhoneAppMode:          r.word(userAppMode, "standard", "pin", "voiceprint"),
		Enabled:               r.flag(userEnabled, true),
		DisabledBehavior:      r.word(userDisabled, "succeed", "fail"),
		Blocked:               r.flag(userBlocked, false),
		PinSet:                r.flag(userPinSet, false),
		StaticTokenSet:        r.flag(userStaticSet, false),
		SecurityQuestionsSet:  r.flag(userQuestionsSet, false),
		TokenExists:           r.flag(userTokenExists, false),
		PhoneAppActivated:     r.flag(userAppActivated, false),
		LastChanged:           r.date(userChanged),
	}
	r.hasToken = len(r.cells[userSerial].text) > 0 || len(r.cells[userSecret].text) > 0
	r.interval = r.generatorInterval(userInterval, r.hasToken)
	return r.bad
}

// seedState tells what the row's own token is worth.
func (r *userRow) seedState() SeedState {
	key, state, _ := decodeSeed(r.cells[userSecret].text, r.format)
	clear(key)
	return state
}

// take returns the user. All its text shares one allocation, which the secret
// is not part of.
func (r *userRow) take(scratch []byte) (User, []byte) {
	columns := [...]int{userName, userUPN, userSID, userFirst, userLast, userEmail, userGroup, userCountry, userPhone,
		userExtension, userBackupCountry, userBackupPhone, userBackupExtension, userLanguage, userSerial}
	scratch = scratch[:0]
	for _, c := range columns {
		scratch = append(scratch, r.cells[c].text...)
	}
	all := string(scratch)
	text := func(column int) string {
		n := len(r.cells[column].text)
		s := all[:n]
		all = all[n:]
		return s
	}
	u := r.user
	u.Username, u.UPN, u.SID = text(userName), text(userUPN), text(userSID)
	u.FirstName, u.LastName, u.Email, u.Group = text(userFirst), text(userLast), text(userEmail), text(userGroup)
	u.Phone = PhoneFields{text(userCountry), text(userPhone), text(userExtension)}
	u.BackupPhone = PhoneFields{text(userBackupCountry), text(userBackupPhone), text(userBackupExtension)}
	u.Language = text(userLanguage)
	if serial := text(userSerial); r.hasToken {
		u.Tokens = []Token{r.token(serial)}
	}
	return u, scratch
}

// token is the third-party token that stands in the user's own row.
func (r *userRow) token(serial string) Token {
	at := r.cells[userSecret]
	if len(at.text) == 0 {
		at = r.cells[userSerial]
	}
	return Token{
		Place:     Place{File: r.file, Line: at.line, Column: at.col},
		Serial:    serial,
		Seed:      DecodeSeed(r.cells[userSecret].text, r.format),
		Generator: Generator{Interval: r.interval},
	}
}

// attached is a row of devices.csv or tokens.csv with its values read. All but
// the key can be packed.
type attached struct {
	part      int
	line      int
	text      [][]byte // by the constants below
	secret    []byte
	state     SeedState
	generator Generator
	activated time.Time
	lastUsed  time.Time
}

// Text of a packed device and of a packed token.
const (
	packedID = iota
	packedName
	packedPush
	packedNotification
	packedVersion
	packedDevice // their number
)

const (
	packedSerial = iota
	packedManufacturer
	packedModel
	packedToken // their number
)

// attachedRow reads the rows of one of the two tables.
type attachedRow struct {
	values
	format string
	row    attached
	kind   kind
}

// kind says what a record of the joined tables is.
type kind byte

const (
	kindSkipped kind = iota // the user is not yielded
	kindDevice
	kindToken
	kindRowToken // a token that completes the one in the user's own row
	kindActivity
	kindBlocked // the user is blocked, whatever its row says
)

func newAttachedRow(k kind, format string) *attachedRow {
	s := devicesSchema()
	if k == kindToken {
		s = tokensSchema()
	}
	return &attachedRow{values: newValues(s), format: format, kind: k}
}

// read checks all values of the row that is in the cells. user is the name
// that it belongs to and upn the other one, if there are both.
func (r *attachedRow) read(line int) (user, upn []byte, bad *badRow) {
	r.row = attached{part: r.part, line: line, text: r.row.text[:0]}
	if r.kind == kindDevice {
		user = r.readDevice()
	} else {
		user, upn = r.readToken()
	}
	key, state, _ := decodeSeed(r.row.secret, r.format)
	clear(key)
	r.row.state = state
	return user, upn, r.bad
}

func (r *attachedRow) readDevice() (user []byte) {
	if user = r.whole(deviceUser); len(user) == 0 {
		r.refuseEmpty(deviceUser)
	}
	for _, c := range []int{deviceID, deviceName, devicePushToken, deviceNotification, deviceVersion} {
		r.row.text = append(r.row.text, r.cells[c].text)
	}
	r.row.text[packedNotification] = bytes.ToLower(r.row.text[packedNotification])
	r.row.secret = r.cells[deviceSecret].text
	r.row.generator = r.generator(deviceInterval, deviceDigits, deviceAlgorithm, deviceDrift, len(r.row.secret) > 0)
	r.row.activated, r.row.lastUsed = r.date(deviceActivated), r.date(deviceLastUsed)
	return user
}

// readToken returns Username and upn; where one is empty the other comes first.
func (r *attachedRow) readToken() (user, upn []byte) {
	user, upn = r.whole(tokenUser), r.whole(tokenUPN)
	if len(user) == 0 && len(upn) == 0 && len(r.cells[tokenSerial].text) == 0 {
		r.refuseEmpty(tokenUPN, tokenUser, tokenSerial)
	}
	for _, c := range []int{tokenSerial, tokenManufacturer, tokenModel} {
		r.row.text = append(r.row.text, r.cells[c].text)
	}
	r.row.secret = r.cells[tokenSecret].text
	exists := len(r.row.secret) > 0 || len(r.row.text[packedSerial]) > 0
	r.row.generator = r.generator(tokenInterval, tokenDigits, tokenAlgorithm, tokenDrift, exists)
	return user, upn
}

func (r *attachedRow) generator(interval, digits, algorithm, drift int, exists bool) Generator {
	return Generator{
		Interval:  r.generatorInterval(interval, exists),
		Digits:    r.generatorDigits(digits, exists),
		Algorithm: r.algorithm(algorithm),
		Drift:     r.number(drift, 0, -maxDrift, maxDrift),
	}
}

// refuseEmpty complains about the first of the columns that the table has.
func (v *values) refuseEmpty(columns ...int) {
	for _, c := range columns {
		if v.cells[c].col != 0 {
			v.refuse(c, v.schema.columns[c].name+" is empty")
			return
		}
	}
	v.refuse(columns[0], v.schema.columns[columns[0]].name+" is missing")
}
