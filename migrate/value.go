package migrate

import (
	"encoding/json"
	"fmt"
	"time"

	"mfabridge/cloud"
)

// The forms of before and after in reports and in the clear columns of a plan
// file: a string for telephone numbers, addresses and the default method, an
// object for everything else, null for none.
type (
	oathForm struct {
		Name      string          `json:"name"`
		Serial    string          `json:"serial"`
		Algorithm cloud.Algorithm `json:"algorithm"`
		Digits    int             `json:"digits"`
		Period    int             `json:"period"`
	}
	profileForm struct {
		UPN         string   `json:"upn"`
		DisplayName string   `json:"display_name"`
		Aliases     []string `json:"aliases"`
		SID         string   `json:"sid"`
		Enabled     bool     `json:"enabled"`
	}
	stateForm struct {
		State string `json:"state"`
	}
	untilForm struct {
		Until time.Time `json:"until"`
	}
)

// ValueJSON returns v in the form that reports give to values of m. It masks
// nothing; secrets and fingerprints have no place in the form.
func ValueJSON(m cloud.Method, v cloud.Value) (json.RawMessage, error) {
	return AppendValue(nil, m, v)
}

// ParseValue is the inverse of [ValueJSON], as far as the form goes.
func ParseValue(m cloud.Method, b []byte) (cloud.Value, error) {
	var v cloud.Value
	if string(b) == "null" {
		return v, nil
	}
	if v, ok := parseQuick(m, b); ok {
		return v, nil
	}
	var err error
	switch {
	case m.IsOATH():
		var f oathForm
		err = json.Unmarshal(b, &f)
		v.OATH = &cloud.OATH{Name: f.Name, Serial: f.Serial, Algorithm: f.Algorithm, Digits: f.Digits, Period: f.Period}
	case m == cloud.Account:
		var f profileForm
		err = json.Unmarshal(b, &f)
		v.Profile = &cloud.Profile{UPN: f.UPN, DisplayName: f.DisplayName, SID: f.SID, Enabled: f.Enabled}
		if len(f.Aliases) > 0 {
			v.Profile.Aliases = f.Aliases
		}
	case m == cloud.Blocked:
		var f untilForm
		err = json.Unmarshal(b, &f)
		v.Until = f.Until
	case m == cloud.Authenticator:
		var f stateForm
		err = json.Unmarshal(b, &f)
		v.State = f.State
	default:
		err = json.Unmarshal(b, &v.Text)
	}
	if err != nil {
		return cloud.Value{}, fmt.Errorf("value of %q is not in its form", m)
	}
	return v, nil
}
