package wire

import (
	"encoding/base64"
	"fmt"
	"time"

	"mfabridge/cloud"
	"mfabridge/internal/secret"
)

// PathDevice is where authenticators ask, below the address of the pages
// listener.
const PathDevice = "/authenticator/v1"

// SignInRequest is the body of POST sign-in.
type SignInRequest struct {
	User     string `json:"user"`
	Password string `json:"password"`
}

// SignInAnswer says which second factor is to be proven, by POST code.
type SignInAnswer struct {
	Challenge cloud.ChallengeID `json:"challenge"`
	Method    cloud.Preference  `json:"method"`
	Prompt    string            `json:"prompt"`
	Expires   time.Time         `json:"expires_at"`
}

// CodeRequest is the body of POST code.
type CodeRequest struct {
	Challenge cloud.ChallengeID `json:"challenge"`
	Code      string            `json:"code"`
}

// PassRequest is the body of POST pass.
type PassRequest struct {
	User string `json:"user"`
	Pass string `json:"pass"`
}

// ActivationAnswer carries the code to activate with: the one secret of an
// answer besides EnrolledAnswer, made for whoever asked and shown once.
type ActivationAnswer struct {
	User  string    `json:"user"`
	Code  string    `json:"activation_code"`
	Until time.Time `json:"until"`
}

// EnrolRequest is the body of POST activate. Key and signature are Base64
// (RFC 4648 §5, no padding).
type EnrolRequest struct {
	User      string `json:"user"`
	Code      string `json:"activation_code"`
	Name      string `json:"name"`
	Key       string `json:"key"`
	Signature string `json:"signature"`
}

// EnrolledAnswer is what a new authenticator is told, once.
type EnrolledAnswer struct {
	User   cloud.UserID `json:"user_id"`
	UPN    string       `json:"user"`
	Device string       `json:"device"`
	OATH   *AppOATH     `json:"oath,omitempty"`
}

// AppOATH is the generator of an authenticator. Secret is Base32 without
// padding, as in otpauth URIs.
type AppOATH struct {
	Secret    string          `json:"secret"`
	Algorithm cloud.Algorithm `json:"algorithm"`
	Digits    int             `json:"digits"`
	Period    int             `json:"period"`
}

// PushesAnswer is what waits for a device. Version changes with it: asked for
// with the one that it has, a device waits until there is another.
type PushesAnswer struct {
	Version string `json:"version"`
	Pushes  []Push `json:"pushes"`
}

// Push is one login that waits.
type Push struct {
	Challenge cloud.ChallengeID `json:"challenge"`
	App       string            `json:"application"`
	From      string            `json:"from"`
	Begun     time.Time         `json:"begun_at"`
	Expires   time.Time         `json:"expires_at"`
	Number    bool              `json:"number"` // the user has to type the number that the login shows
}

// PressRequest is the body of POST pushes/{id}/answer. Time is in seconds
// since the epoch, by the device's clock.
type PressRequest struct {
	Answer    string `json:"answer"` // approve, deny, fraud
	Number    string `json:"number,omitempty"`
	Time      int64  `json:"time"`
	Signature string `json:"signature"`
}

// PressAnswer is how the push stands now.
type PressAnswer struct {
	State  cloud.State  `json:"state"`
	Reason cloud.Reason `json:"reason,omitempty"`
}

// Bytes decodes Base64 of a request.
func Bytes(what, text string, most int) ([]byte, error) {
	b, err := base64.RawURLEncoding.DecodeString(text)
	if err != nil || len(b) > most {
		return nil, &cloud.Error{Kind: cloud.Invalid, Message: fmt.Sprintf("%s must be Base64url of at most %d bytes", what, most)}
	}
	return b, nil
}

// Secret takes a secret out of a request.
func Secret(text string) secret.Bytes { return secret.FromString(text) }
