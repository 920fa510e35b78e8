package graph

import (
	"encoding/json"
	"errors"
	"strings"

	"mfabridge/cloud"
)

// The JSON of Graph, as far as it is used. Field names are those of the
// reference; what is not named here is ignored.

// page is one page of a list.
type page[T any] struct {
	Value []T    `json:"value"`
	Next  string `json:"@odata.nextLink"`
}

// UnmarshalJSON refuses a list that has no values: that is not an empty one.
func (p *page[T]) UnmarshalJSON(b []byte) error {
	var list struct {
		Value *[]T   `json:"value"`
		Next  string `json:"@odata.nextLink"`
	}
	if err := json.Unmarshal(b, &list); err != nil {
		return err
	}
	if list.Value == nil {
		return errors.New("a list without its values")
	}
	p.Value, p.Next = *list.Value, list.Next
	return nil
}

// object is anything of the directory of which only the id is asked (v1.0).
type object struct {
	ID string `json:"id"`
}

// organization is the tenant itself (v1.0).
type organization struct {
	ID              string `json:"id"`
	DisplayName     string `json:"displayName"`
	TenantType      string `json:"tenantType"`
	VerifiedDomains []struct {
		Name string `json:"name"`
	} `json:"verifiedDomains"`
}

// user is a user of the directory (v1.0).
type user struct {
	ID                string `json:"id"`
	UserPrincipalName string `json:"userPrincipalName"`
	DisplayName       string `json:"displayName"`
	AccountEnabled    *bool  `json:"accountEnabled"`
	UserType          string `json:"userType"`
	CreationType      string `json:"creationType"`
	SID               string `json:"onPremisesSecurityIdentifier"`
}

// userFields are what is read of a user.
const userFields = "id,userPrincipalName,displayName,accountEnabled,userType,creationType,onPremisesSecurityIdentifier"

// role is a directory role that a user has in the whole tenant (v1.0).
type role struct {
	ID             string `json:"id"`
	RoleTemplateID string `json:"roleTemplateId"`
}

// assignment is any role of a user, also one of a part of the tenant and one
// that the tenant made itself (beta).
type assignment struct {
	Definition string `json:"roleDefinitionId"` // of a role of Microsoft's its template
}

// globalAdministrator is the template of the role above all others.
const globalAdministrator = "62e90394-69f5-4237-9190-012177145e10"

// phoneMethod is a telephone (v1.0).
type phoneMethod struct {
	ID             string `json:"id,omitempty"`
	PhoneNumber    string `json:"phoneNumber"`
	PhoneType      string `json:"phoneType"`
	SMSSignInState string `json:"smsSignInState,omitempty"` // read only
}

// Fixed ids of the single slots.
const (
	mobileID    = "3179e48a-750b-4051-897c-87b9720928f7"
	alternateID = "b6332ec1-7057-4abe-9331-3d72feddfe41"
	officeID    = "e37fc753-ff3b-4958-9484-eaa9425c82bc"
	emailID     = "3ddfcfc8-9383-446f-83cc-3ab9be4be18f"
)

// emailMethod is an address (v1.0).
type emailMethod struct {
	ID           string `json:"id,omitempty"`
	EmailAddress string `json:"emailAddress"`
}

// appMethod is a push device or a software OATH token (v1.0).
type appMethod struct {
	ID          string `json:"id"`
	DisplayName string `json:"displayName"`
}

// oathMethod is a hardware token as a user has it (beta).
type oathMethod struct {
	ID     string      `json:"id"`
	Device *oathDevice `json:"device"`
}

// told tells whether the user's side says of a token what there is to know.
func (m oathMethod) told() bool {
	return m.Device != nil && m.Device.SerialNumber != "" && m.Device.Status != ""
}

// oathDevice is a hardware token of the inventory (beta).
type oathDevice struct {
	ID           string          `json:"id,omitempty"`
	DisplayName  string          `json:"displayName,omitempty"`
	SerialNumber string          `json:"serialNumber,omitempty"`
	Manufacturer string          `json:"manufacturer,omitempty"`
	Model        string          `json:"model,omitempty"`
	SecretKey    string          `json:"secretKey,omitempty"`             // Base32; never returned
	Interval     json.RawMessage `json:"timeIntervalInSeconds,omitempty"` // a number, or a string of one
	HashFunction string          `json:"hashFunction,omitempty"`          // hmacsha1, hmacsha256
	Status       string          `json:"status,omitempty"`                // available, assigned, activated, failedActivation
	AssignedTo   *struct {
		ID string `json:"id"`
	} `json:"assignedTo,omitempty"`
}

// isOf tells whether a token is assigned to a user.
func (v *oathDevice) isOf(id cloud.UserID) bool {
	return v != nil && v.AssignedTo != nil && strings.EqualFold(v.AssignedTo.ID, string(id))
}

// isFree tells whether a token is assigned to nobody.
func (v *oathDevice) isFree() bool { return v.AssignedTo == nil || v.AssignedTo.ID == "" }

// preferences are how a user is asked first (beta).
type preferences struct {
	System    *bool  `json:"isSystemPreferredAuthenticationMethodEnabled,omitempty"`
	Preferred string `json:"userPreferredMethodForSecondaryAuthentication"`
}

// failure is the envelope of an error. The parser of an envelope tolerates
// anything: some components answer in a form of their own.
type failure struct {
	Error struct {
		Code    string `json:"code"`
		Message string `json:"message"`
	} `json:"error"`
}
