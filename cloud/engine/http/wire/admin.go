package wire

import (
	"time"

	"mfabridge/cloud"
)

// PathAdmin is the path of /admin/v1.
const PathAdmin = "/admin/v1"

// By is in every request that changes something: why, and who asks for it as
// the application knows them. Both stand in the audit, and so does the
// application.
type By struct {
	Person string `json:"person,omitempty"`
	Reason string `json:"reason"`
}

// Bodies of /admin/v1.
type (
	// UserRequest names a user, by id or by a name that a login may use.
	UserRequest struct {
		By
		ID   string `json:"id,omitempty"`
		Name string `json:"name,omitempty"`
		// Until is the end of a block or of a bypass.
		Until time.Time `json:"until,omitzero"`
		// App is the application that a bypass is for; empty: any.
		App string `json:"app,omitempty"`
		// Device is the invitation or the authenticator that is meant, by its id.
		Device string `json:"device,omitempty"`
		// Required: the user approves with a PIN. Reset: the PINs of all their
		// devices are taken away.
		Required *bool `json:"required,omitempty"`
		Reset    bool  `json:"reset,omitempty"`
		// Code is one that was sent to the address of the user.
		Code string `json:"code,omitempty"`
		// Password is a new one, in Base64.
		Password []byte `json:"password_base64,omitempty"`
	}
	// Invitation is one to activate an authenticator; State is pending, opened,
	// done or expired.
	Invitation struct {
		Device string    `json:"device"`
		State  string    `json:"state"`
		Until  time.Time `json:"until,omitzero"`
		Opened time.Time `json:"opened,omitzero"`
	}
	// WhoRequest names a user, by id or by a name that a login may use.
	WhoRequest struct {
		ID   string `json:"id,omitempty"`
		Name string `json:"name,omitempty"`
	}
	// InvitationsAnswer are those of a user, oldest first.
	InvitationsAnswer struct {
		User        cloud.UserID `json:"user_id"`
		Invitations []Invitation `json:"invitations"`
	}
	// DevicesAnswer are the authenticators of a user, oldest first.
	DevicesAnswer struct {
		User    cloud.UserID `json:"user_id"`
		Devices []Device     `json:"devices"`
	}
	// RemovedAnswer says how a user stands without an authenticator: how they are
	// asked from now on (nothing: no second factor is left), and how many sign-ins
	// that waited for an approval were ended.
	RemovedAnswer struct {
		Device string           `json:"device"`
		Name   string           `json:"name"`
		Left   cloud.Preference `json:"asked_by,omitempty"`
		Ended  int              `json:"ended"`
	}
	// Settings are what people may do with authenticators. In a request what is
	// left out stays as it is.
	Settings struct {
		Account  *string             `json:"account,omitempty"`
		Enrol    *bool               `json:"self_enrolment,omitempty"`
		Activate *bool               `json:"self_activation,omitempty"`
		Select   *[]cloud.Preference `json:"may_select,omitempty"`
		Devices  *int                `json:"device_limit,omitempty"`
		PIN      *bool               `json:"pin,omitempty"`
		Length   *int                `json:"pin_length,omitempty"`
		WeakPINs *bool               `json:"weak_pins,omitempty"`
		Language *string             `json:"language,omitempty"`
	}
	// SettingsRequest is the body of POST settings.
	SettingsRequest struct {
		By
		Settings
	}
	// ShowRequest is the body of POST users/show.
	ShowRequest struct {
		Name string `json:"name"`
	}
	// NewUserRequest is the body of POST users/add.
	NewUserRequest struct {
		By
		Profile
	}
	// NewAnswer is what was made.
	NewAnswer struct {
		ID    string    `json:"id"`
		Until time.Time `json:"until,omitzero"` // of an invitation, of a code
	}
	// UserLine is a line of GET users. The last line has End or Error; an
	// answer without it was cut off.
	UserLine struct {
		User  *User  `json:"user,omitempty"`
		End   bool   `json:"end,omitempty"`
		Error *Error `json:"error,omitempty"`
	}

	// Group is a named set of users.
	Group struct {
		ID   string `json:"id"`
		Name string `json:"name"`
	}
	// GroupLine is a line of GET groups, as UserLine.
	GroupLine struct {
		Group *Group `json:"group,omitempty"`
		End   bool   `json:"end,omitempty"`
		Error *Error `json:"error,omitempty"`
	}
	// GroupRequest names a group by id or name, and one member: a user by id,
	// or another group.
	GroupRequest struct {
		By
		Group string `json:"group"`
		User  string `json:"user,omitempty"`
		Inner string `json:"inner,omitempty"`
	}

	// PolicyLine says who may use one method.
	PolicyLine struct {
		Method  string   `json:"method"`
		Enabled bool     `json:"enabled"`
		Include []string `json:"include,omitempty"`
		Exclude []string `json:"exclude,omitempty"`
		SignIn  bool     `json:"sign_in,omitempty"`
	}
	// PolicyRequest is the body of POST policy.
	PolicyRequest struct {
		By
		PolicyLine
	}
	// PolicyAnswer is the whole policy.
	PolicyAnswer struct {
		Methods []PolicyLine `json:"methods"`
	}

	// App is a program that may call.
	App struct {
		Name     string    `json:"name"`
		Role     string    `json:"role"`
		Created  time.Time `json:"created,omitzero"`
		Until    time.Time `json:"until,omitzero"`
		Disabled bool      `json:"disabled,omitempty"`
	}
	// AppsAnswer are all of them.
	AppsAnswer struct {
		Apps []App `json:"apps"`
	}
	// AppRequest is the body of POST apps/add and apps/remove.
	AppRequest struct {
		By
		Name  string    `json:"name"`
		Role  string    `json:"role,omitempty"`
		Until time.Time `json:"until,omitzero"`
	}
	// AppAnswer holds the secret of a new application, which cannot be shown
	// again: the one secret in any answer, besides tokens.
	AppAnswer struct {
		Name   string `json:"name"`
		Secret string `json:"secret"`
	}
	// AppKeyRequest is the body of POST apps/key.
	AppKeyRequest struct {
		By
		Name  string    `json:"name"`
		SPKI  []byte    `json:"spki"` // SubjectPublicKeyInfo in Base64
		ID    string    `json:"kid,omitempty"`
		Until time.Time `json:"until,omitzero"`
	}
)

// FromBy is who asks, and why.
func FromBy(person, reason string) By { return By{Person: person, Reason: reason} }

// NewUser turns a body back.
func (r *NewUserRequest) NewUser() cloud.Profile { return *r.Profile.profile() }

// FromNewUser makes a request.
func FromNewUser(by By, p cloud.Profile) NewUserRequest {
	return NewUserRequest{By: by, Profile: *fromProfile(&p)}
}
