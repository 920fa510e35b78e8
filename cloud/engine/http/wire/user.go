package wire

import (
	"time"

	"mfabridge/cloud"
	"mfabridge/internal/secret"
)

// OATH is a code generator.
type OATH struct {
	ID           string `json:"id,omitempty"`       // in a user
	Method       string `json:"method,omitempty"`   // in a user
	Inactive     bool   `json:"inactive,omitempty"` // in a user
	Name         string `json:"name"`
	Serial       string `json:"serial"`
	Manufacturer string `json:"manufacturer,omitempty"`
	Model        string `json:"model,omitempty"`
	Algorithm    string `json:"algorithm"`
	Digits       int    `json:"digits"`
	Period       int    `json:"period"`
	Drift        int    `json:"drift,omitempty"`
	Secret       []byte `json:"secret,omitempty"` // Base64; in requests only
	Fingerprint  string `json:"fingerprint,omitempty"`
}

func fromOATH(o *cloud.OATH) *OATH {
	if o == nil {
		return nil
	}
	return &OATH{Name: o.Name, Serial: o.Serial, Manufacturer: o.Manufacturer, Model: o.Model, Algorithm: string(o.Algorithm),
		Digits: o.Digits, Period: o.Period, Drift: o.Drift, Fingerprint: o.Fingerprint}
}

func (o *OATH) oath() *cloud.OATH {
	if o == nil {
		return nil
	}
	return &cloud.OATH{Name: o.Name, Serial: o.Serial, Manufacturer: o.Manufacturer, Model: o.Model,
		Algorithm: cloud.Algorithm(o.Algorithm), Digits: o.Digits, Period: o.Period, Drift: o.Drift,
		Secret: secret.New(o.Secret), Fingerprint: o.Fingerprint}
}

// Profile is what a user is called.
type Profile struct {
	UPN         string   `json:"upn"`
	DisplayName string   `json:"display_name,omitempty"`
	Aliases     []string `json:"aliases,omitempty"`
	SID         string   `json:"sid,omitempty"`
	Enabled     bool     `json:"enabled"`
}

func fromProfile(p *cloud.Profile) *Profile {
	if p == nil {
		return nil
	}
	q := Profile(*p)
	return &q
}

func (p *Profile) profile() *cloud.Profile {
	if p == nil {
		return nil
	}
	q := cloud.Profile(*p)
	return &q
}

// Authenticator is a push device or an invitation.
type Authenticator struct {
	ID    string    `json:"id"`
	Name  string    `json:"name,omitempty"`
	State string    `json:"state"`
	Until time.Time `json:"until,omitzero"`
}

// User is a user with all methods. One who does not exist has no id.
type User struct {
	ID string `json:"id"`
	Profile
	Guest          bool               `json:"guest,omitempty"`
	External       bool               `json:"external,omitempty"`
	Privileged     bool               `json:"privileged,omitempty"`
	GlobalAdmin    bool               `json:"global_admin,omitempty"`
	SMSSignIn      bool               `json:"sms_sign_in,omitempty"`
	Mobile         string             `json:"mobile,omitempty"`
	Alternate      string             `json:"alternate_mobile,omitempty"`
	Office         string             `json:"office,omitempty"`
	Email          string             `json:"email,omitempty"`
	NumberSignIn   bool               `json:"number_sign_in,omitempty"`
	EmailConfirmed bool               `json:"email_confirmed,omitempty"`
	OATH           []OATH             `json:"oath,omitempty"`
	Authenticators []Authenticator    `json:"authenticators,omitempty"`
	Default        string             `json:"default_method,omitempty"`
	BlockedUntil   time.Time          `json:"blocked_until,omitzero"`
	Forbidden      []cloud.Method     `json:"forbidden,omitempty"`
	ForbiddenWays  []cloud.Preference `json:"forbidden_ways,omitempty"`
}

// FromUser makes the answer; it holds no secret.
func FromUser(u *cloud.User) User {
	w := User{ID: string(u.ID), Profile: Profile(u.Profile), Guest: u.Guest, External: u.External, Privileged: u.Privileged,
		GlobalAdmin: u.GlobalAdmin, SMSSignIn: u.SMSSignIn, Mobile: u.Mobile, Alternate: u.Alternate, Office: u.Office,
		Email: u.Email, NumberSignIn: u.NumberSignIn, EmailConfirmed: u.EmailConfirmed, Default: string(u.Default), BlockedUntil: utc(u.BlockedUntil), Forbidden: u.Forbidden, ForbiddenWays: u.ForbiddenWays}
	for i := range u.OATH {
		o := fromOATH(&u.OATH[i].OATH)
		o.ID, o.Method, o.Inactive = u.OATH[i].ID, string(u.OATH[i].Method), u.OATH[i].Inactive
		w.OATH = append(w.OATH, *o)
	}
	for _, a := range u.Authenticators {
		w.Authenticators = append(w.Authenticators, Authenticator{ID: a.ID, Name: a.Name, State: a.State, Until: utc(a.Until)})
	}
	return w
}

// User turns it back.
func (w *User) User() cloud.User {
	u := cloud.User{ID: cloud.UserID(w.ID), Profile: cloud.Profile(w.Profile), Guest: w.Guest, External: w.External,
		Privileged: w.Privileged, GlobalAdmin: w.GlobalAdmin, SMSSignIn: w.SMSSignIn, Mobile: w.Mobile, Alternate: w.Alternate,
		Office: w.Office, Email: w.Email, NumberSignIn: w.NumberSignIn, EmailConfirmed: w.EmailConfirmed, Default: cloud.Preference(w.Default), BlockedUntil: w.BlockedUntil, Forbidden: w.Forbidden, ForbiddenWays: w.ForbiddenWays}
	for i := range w.OATH {
		o := &w.OATH[i]
		u.OATH = append(u.OATH, cloud.OATHEntry{ID: o.ID, Method: cloud.Method(o.Method), Inactive: o.Inactive, OATH: *o.oath()})
	}
	for _, a := range w.Authenticators {
		u.Authenticators = append(u.Authenticators, cloud.AuthenticatorEntry(a))
	}
	return u
}

func utc(t time.Time) time.Time {
	if t.IsZero() {
		return time.Time{}
	}
	return t.UTC()
}
