package signature

import (
	"encoding/base64"
	"strconv"
	"strings"
	"time"

	"mfabridge/cloud"
)

// TokenPrefix begins the bearer token of a device, which no token of an
// application does.
const TokenPrefix = "mfd1."

// Token is the bearer token of a device: who it is, the time, and the signature
// of [Request].
type Token struct {
	User      cloud.UserID
	Device    string
	At        time.Time
	Signature []byte
}

// String is the token as it is sent.
func (t Token) String() string {
	return TokenPrefix + strings.Join([]string{string(t.User), t.Device, seconds(t.At), base64.RawURLEncoding.EncodeToString(t.Signature)}, ".")
}

// ParseToken reads what String wrote; false: it is none. Whether the signature
// holds is not looked at.
func ParseToken(s string) (t Token, ok bool) {
	rest, ok := strings.CutPrefix(s, TokenPrefix)
	parts := strings.Split(rest, ".")
	if !ok || len(parts) != 4 {
		return Token{}, false
	}
	second, err := strconv.ParseInt(parts[2], 10, 64)
	signature, err2 := base64.RawURLEncoding.DecodeString(parts[3])
	if err != nil || err2 != nil {
		return Token{}, false
	}
	return Token{User: cloud.UserID(parts[0]), Device: parts[1], At: time.Unix(second, 0), Signature: signature}, true
}
