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

// AboutAnswer is what anybody may know of the engine before they have proven
// anything.
type AboutAnswer struct {
	Account       string `json:"account"`            // what an authenticator shows it as
	PushKey       string `json:"push_key,omitempty"` // VAPID key (RFC 8292), for applicationServerKey
	PIN           bool   `json:"pin"`                // everybody approves with a PIN
	PINLength     int    `json:"pin_length"`
	WeakPINs      bool   `json:"weak_pins"`      // also those that are guessed first
	SelfEnrolment bool   `json:"self_enrolment"` // who proves who they are needs no invitation
	SignIn        bool   `json:"sign_in"`        // people activate by themselves; else with what the helpdesk gives
	Pass          bool   `json:"pass"`
}

// SignInRequest is the body of POST sign-in. For is activate or manage, empty:
// activate. Method is how to be asked for the second factor; empty: as ever.
type SignInRequest struct {
	User     string           `json:"user"`
	Password string           `json:"password"`
	For      string           `json:"for,omitempty"`
	Method   cloud.Preference `json:"method,omitempty"`
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
	For  string `json:"for,omitempty"`
}

// ActivationAnswer carries the code to activate with, or the token of the owner
// in its place: made for whoever asked and shown once. URL is the address that
// activates with the code, QR its code: a row of 0 and 1 each.
type ActivationAnswer struct {
	User      string    `json:"user"`
	Code      string    `json:"activation_code,omitempty"`
	Token     string    `json:"token,omitempty"`
	Until     time.Time `json:"until"`
	URL       string    `json:"url,omitempty"`
	QR        []string  `json:"qr,omitempty"`
	PIN       bool      `json:"pin,omitempty"` // the new authenticator needs one
	PINLength int       `json:"pin_length,omitempty"`
}

// EnrolRequest is the body of POST activate. Key and signature are Base64
// (RFC 4648 §5, no padding).
type EnrolRequest struct {
	User      string `json:"user"`
	Code      string `json:"activation_code"`
	Name      string `json:"name"`
	Key       string `json:"key"`
	PIN       string `json:"pin,omitempty"`
	Signature string `json:"signature"`
}

// EnrolledAnswer is what a new authenticator is told, once. Where it needs
// something (pin) nothing was made, and the code is as good as before.
type EnrolledAnswer struct {
	User    cloud.UserID `json:"user_id,omitempty"`
	UPN     string       `json:"user,omitempty"`
	Account string       `json:"account,omitempty"`
	Device  string       `json:"device,omitempty"`
	OATH    *AppOATH     `json:"oath,omitempty"`

	Needs     string `json:"needs,omitempty"`
	PINLength int    `json:"pin_length,omitempty"`
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

	Notices []DeviceNotice `json:"notices,omitempty"`
}

// DeviceNotice is what a device is to tell its user, as in [engine.Notice].
type DeviceNotice struct {
	ID   string    `json:"id"`
	At   time.Time `json:"at"`
	Text string    `json:"text"`
	Kind string    `json:"kind,omitempty"`
	Name string    `json:"name,omitempty"`
}

// Gone is a push that has gone.
type Gone struct {
	Challenge cloud.ChallengeID `json:"challenge"`
	State     cloud.State       `json:"state"`
	Reason    cloud.Reason      `json:"reason,omitempty"`
}

// Push is one login that waits.
type Push struct {
	Challenge cloud.ChallengeID `json:"challenge"`
	App       string            `json:"application"`
	From      string            `json:"from"`
	Begun     time.Time         `json:"begun_at"`
	Expires   time.Time         `json:"expires_at"`
	Number    bool              `json:"number"` // the user has to type the number that the login shows
	PIN       bool              `json:"pin"`    // and the PIN of the device
}

// PressRequest is the body of POST pushes/{id}/answer. Time is in seconds
// since the epoch, by the device's clock.
type PressRequest struct {
	Answer    string `json:"answer"` // approve, deny, fraud
	Number    string `json:"number,omitempty"`
	PIN       string `json:"pin,omitempty"`
	Time      int64  `json:"time"`
	Signature string `json:"signature"`
}

// PressAnswer is how the push stands now.
type PressAnswer struct {
	State  cloud.State  `json:"state"`
	Reason cloud.Reason `json:"reason,omitempty"`

	PIN  string `json:"pin,omitempty"` // needed, wrong or locked: the answer was not taken
	Left int    `json:"tries_left,omitempty"`
}

// Bodies for who looks after authenticators of their own.
type (
	// MeAnswer is a user with their authenticators.
	MeAnswer struct {
		User      cloud.UserID       `json:"user_id"`
		UPN       string             `json:"user"`
		Account   string             `json:"account"`
		Default   cloud.Preference   `json:"default,omitempty"`
		Methods   []cloud.Preference `json:"methods"`
		MaySelect []cloud.Preference `json:"may_select"`
		PIN       bool               `json:"pin_required"`
		PINLength int                `json:"pin_length"`
		Limit     int                `json:"device_limit"`
		Devices   []OwnDevice        `json:"devices"`
	}
	// Device is an authenticator; Used is its last answer.
	Device struct {
		ID      string    `json:"id"`
		Name    string    `json:"name"`
		Created time.Time `json:"created_at"`
		Used    time.Time `json:"used_at,omitzero"`
		Push    bool      `json:"push"`
		PIN     bool      `json:"pin"`
		Locked  bool      `json:"locked"`
	}
	// OwnDevice is one of those of who asks.
	OwnDevice struct {
		Device
		This bool `json:"this"` // it asks
	}
	// RenameRequest is the body of POST devices/{id}/rename.
	RenameRequest struct {
		Name string `json:"name"`
	}
	// RemoveRequest is the body of POST devices/{id}/remove.
	RemoveRequest struct {
		Lost bool `json:"lost,omitempty"`
	}
	// DefaultRequest is the body of POST default.
	DefaultRequest struct {
		Method cloud.Preference `json:"method"`
	}
	// PINRequest is the body of POST pin.
	PINRequest struct {
		PIN       string `json:"pin"`
		Old       string `json:"old,omitempty"`
		Time      int64  `json:"time"`
		Signature string `json:"signature"`
	}
	// PINAnswer says how it went: without a state the PIN is set.
	PINAnswer struct {
		PIN  string `json:"pin,omitempty"` // needed, wrong or locked: of the old one
		Left int    `json:"tries_left,omitempty"`
	}
	// ApprovalsAnswer are the last pushes that were answered, newest first.
	ApprovalsAnswer struct {
		Approvals []Approval `json:"approvals"`
	}
	// Approval is one of them.
	Approval struct {
		Challenge cloud.ChallengeID `json:"challenge"`
		App       string            `json:"application"`
		From      string            `json:"from"`
		At        time.Time         `json:"at"`
		State     cloud.State       `json:"state"`
		Device    string            `json:"device"`
		Name      string            `json:"name"`
		Reported  bool              `json:"reported"`
	}
	// ReportAnswer says what a report led to.
	ReportAnswer struct {
		Blocked bool      `json:"blocked"`
		Until   time.Time `json:"until,omitzero"`
	}
	// SubscriptionRequest is the body of POST subscription.
	SubscriptionRequest struct {
		Endpoint string `json:"endpoint"`
		Expires  any    `json:"expirationTime,omitempty"` // browsers say it; nothing is made of it
		Keys     struct {
			P256DH string `json:"p256dh"`
			Auth   string `json:"auth"`
		} `json:"keys"`
	}
	// SeenRequest is the body of POST notices/seen.
	SeenRequest struct {
		IDs []string `json:"ids"`
	}
	// TestRequest is the body of POST test: the name of the event, by which the
	// device knows it again.
	TestRequest struct {
		ID string `json:"id"`
	}
	// TestAnswer says where a test event went. Whether it arrived the device knows.
	TestAnswer struct {
		Streams int    `json:"streams"`      // that this device holds open at the node that answers
		Service string `json:"push_service"` // an engine.Woken: none, sent, gone, busy or failed
	}
	// Tested is the data of a test event.
	Tested struct {
		ID string `json:"id"`
	}
	// Nothing is a body without a word.
	Nothing struct{}
)

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
