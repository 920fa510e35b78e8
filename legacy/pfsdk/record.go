package pfsdk

import (
	"fmt"

	"mfabridge/internal/secret"
)

// Kind says what a record is about.
type Kind byte

// Kinds of records.
const (
	User     Kind = iota + 1 // the settings of a user: GetUserSettings
	Row                      // a line of a list of users: FindUsers. Few fields; the user's settings are elsewhere
	Block                    // UserIsBlocked: the field Blocked, true or false
	Device                   // GetUserDevices, or an activation that was confirmed
	Defaults                 // GetCustomerDefaults
	Portal                   // GetUserPortalSettings
)

func (k Kind) String() string {
	names := [...]string{"unknown", "user", "row", "block", "device", "defaults", "portal"}
	if int(k) < len(names) {
		return names[k]
	}
	return fmt.Sprintf("Kind(%d)", byte(k))
}

// Place is where something stands in a capture, both from 1; columns count
// bytes.
type Place struct {
	Line, Column int
}

// Field is one value that is not empty. Name is that of the export's column
// (users.csv for User, Row and Block; devices.csv for Device), or of the SDK
// for Defaults and Portal.
type Field struct {
	Name   string
	Value  string
	Secret secret.Bytes // instead of Value: OathTokenSecretKey
	Place  Place
}

// Record is what one answer says about one user, device or the company.
type Record struct {
	Kind      Kind
	Operation string // that answered, as on the wire: "GetUserSettings_3"
	Username  string // empty for Defaults and Portal
	Fields    []Field
	Place     Place
}

// Get returns the field of a name.
func (r *Record) Get(name string) (Field, bool) {
	for _, f := range r.Fields {
		if f.Name == name {
			return f, true
		}
	}
	return Field{}, false
}

// Problem is something in a capture that yields no record, or only a part of
// one. Detail quotes no value of a user.
type Problem struct {
	Place     Place
	Operation string
	Username  string // where one is known
	Field     string // the element, where one is meant
	Code      int    // of the server's error; 0: none
	Detail    string
}

func (p *Problem) Error() string {
	return fmt.Sprintf("line %d, column %d: %s", p.Place.Line, p.Place.Column, p.Detail)
}

// Sink takes what Read finds, in the order of the capture. An error ends the
// reading and is returned by Read.
type Sink interface {
	Record(Record) error
	Problem(Problem) error
}
