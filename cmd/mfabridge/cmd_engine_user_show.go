package main

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"mfabridge/cloud"
	"mfabridge/cloud/engine"
	"mfabridge/migrate"
)

// userForm is a user in JSON. Numbers and addresses are masked: a listing of
// a store goes where plans go.
type userForm struct {
	Type         string           `json:"type"`
	ID           cloud.UserID     `json:"id"`
	UPN          string           `json:"upn"`
	DisplayName  string           `json:"display_name"`
	Aliases      []string         `json:"aliases"`
	SID          string           `json:"sid"`
	Enabled      bool             `json:"enabled"`
	Methods      []methodForm     `json:"methods"`
	Default      cloud.Preference `json:"default_method"`
	BlockedUntil *time.Time       `json:"blocked_until"`
	Class        []string         `json:"class"`
	MayNotUse    []cloud.Method   `json:"may_not_use"` // by the method policy

	// Of one who is shown, not of a list.
	Authenticators *[]authenticatorForm `json:"authenticators,omitempty"`
	Bypass         *bypassForm          `json:"bypass,omitempty"` // that waits; an engine elsewhere does not tell
}

type bypassForm struct {
	Until time.Time `json:"until"`
	App   string    `json:"app"` // empty: anywhere
	By    string    `json:"by"`
}

type methodForm struct {
	Method    cloud.Method    `json:"method"`
	ID        string          `json:"id,omitempty"`
	Value     json.RawMessage `json:"value"`
	Confirmed *bool           `json:"confirmed,omitempty"` // of an email address: a code may go there
	SignIn    bool            `json:"sign_in,omitempty"`   // of a mobile: the user signs in with it, and it is no second factor
	Until     *time.Time      `json:"until,omitempty"`     // of an authenticator of one who is shown: when its invitation ends
}

func formOf(u cloud.User) (userForm, error) {
	form := userForm{Type: "user", ID: u.ID, UPN: u.UPN, DisplayName: u.DisplayName, Aliases: slices.Clone(u.Aliases), SID: u.SID,
		Enabled: u.Enabled, Methods: []methodForm{}, Default: u.Default, Class: classOf(u), MayNotUse: u.Forbidden}
	if form.Aliases == nil {
		form.Aliases = []string{}
	}
	if form.MayNotUse == nil {
		form.MayNotUse = []cloud.Method{}
	}
	if !u.BlockedUntil.IsZero() {
		form.BlockedUntil = &u.BlockedUntil
	}
	add := func(as methodForm, v cloud.Value) (err error) {
		if v.IsZero() {
			return nil
		}
		as.Value, err = migrate.ValueJSON(as.Method, migrate.MaskValue(as.Method, v))
		form.Methods = append(form.Methods, as)
		return err
	}
	var errs []error
	for _, m := range []cloud.Method{cloud.Mobile, cloud.AlternateMobile, cloud.Office, cloud.Email} {
		as := methodForm{Method: m, SignIn: m == cloud.Mobile && u.NumberSignIn}
		if m == cloud.Email {
			as.Confirmed = &u.EmailConfirmed
		}
		errs = append(errs, add(as, u.Value(m, "", cloud.Value{})))
	}
	for _, a := range u.Authenticators {
		errs = append(errs, add(methodForm{Method: cloud.Authenticator, ID: a.ID}, cloud.Value{State: a.State}))
	}
	for i := range u.OATH {
		errs = append(errs, add(methodForm{Method: u.OATH[i].Method, ID: u.OATH[i].ID}, cloud.Value{OATH: &u.OATH[i].OATH}))
	}
	return form, errors.Join(errs...)
}

func (p *program) listUsers(c *cli.Context) error {
	if _, err := args(c); err != nil {
		return err
	}
	l, err := p.list(c, "USER", "STATE", "DEFAULT", "METHODS")
	if err != nil {
		return err
	}
	return p.administer(c, func(e administrator) error {
		for u, err := range e.Users(c.Context) {
			if err != nil {
				return err
			}
			form, err := formOf(u)
			if err != nil {
				return err
			}
			var methods []string
			for _, m := range form.Methods {
				methods = append(methods, string(m.Method))
			}
			if err := l.add(form, u.UPN, p.state(u), cmp.Or(string(u.Default), "none"), cmp.Or(strings.Join(methods, " "), "none")); err != nil {
				return err
			}
		}
		return l.end()
	})
}

func (p *program) userJSON(u cloud.User, authenticators *[]authenticatorForm, waits *engine.Bypass) error {
	form, err := formOf(u)
	if err != nil {
		return err
	}
	form.Authenticators = authenticators
	for _, a := range u.Authenticators {
		i := slices.IndexFunc(form.Methods, func(m methodForm) bool { return m.Method == cloud.Authenticator && m.ID == a.ID })
		if i >= 0 && authenticators != nil && !a.Until.IsZero() {
			form.Methods[i].Until = &a.Until
		}
	}
	if waits != nil {
		form.Bypass = &bypassForm{waits.Until, waits.App, waits.By}
	}
	return p.jsonLine(form)
}

func (p *program) state(u cloud.User) string {
	switch {
	case !u.Enabled:
		return "disabled"
	case u.BlockedUntil.After(p.now()):
		return "blocked"
	default:
		return "enabled"
	}
}

func (p *program) showUser(c *cli.Context) error {
	given, err := args(c, "USER")
	if err != nil {
		return err
	}
	asJSON, err := format(c)
	if err != nil {
		return err
	}
	return ofUser(c, p.administer, given[0], func(e administrator, u cloud.User) error {
		devices, err := e.Authenticators(c.Context, u.ID)
		if err != nil {
			return err
		}
		waits, err := waitingBypass(c, e, u.ID)
		if err != nil {
			return err
		}
		if asJSON {
			return p.userJSON(u, authenticatorForms(devices), waits)
		}
		return p.printUser(u, devices, waits)
	})
}

func (p *program) printUser(u cloud.User, devices []engine.OwnedDevice, waits *engine.Bypass) error {
	t := table(p.out)
	fmt.Fprintf(t, "user\t%s\nid\t%s\nname\t%s\nalso\t%s\nsid\t%s\nstate\t%s\n", migrate.Plain(u.UPN), u.ID,
		cmp.Or(migrate.Plain(u.DisplayName), "none"), cmp.Or(migrate.Plain(strings.Join(u.Aliases, ", ")), "none"), cmp.Or(u.SID, "none"), p.state(u))
	if u.BlockedUntil.After(p.now()) {
		fmt.Fprintf(t, "until\t%s\n", stamp(u.BlockedUntil))
	}
	printBypass(t, waits)
	fmt.Fprintf(t, "asked by\t%s\n", cmp.Or(string(u.Default), "none"))
	if class := classOf(u); len(class) > 0 {
		fmt.Fprintf(t, "class\t%s\n", strings.Join(class, ", "))
	}
	if len(u.Forbidden) > 0 {
		fmt.Fprintf(t, "may not use\t%s\n", strings.Join(words(u.Forbidden), " "))
	}
	line := func(m cloud.Method, v cloud.Value) error {
		if v.IsZero() {
			return nil
		}
		text, err := migrate.ValueText(m, v, false)
		if m == cloud.Email && !u.EmailConfirmed {
			text += " (not confirmed: notices only)"
		}
		if m == cloud.Mobile && u.NumberSignIn {
			text += " (signs in with it, where the policy allows textSignIn: no second factor)"
		}
		fmt.Fprintf(t, "%s\t%s\n", m, migrate.Plain(text))
		return err
	}
	for _, m := range []cloud.Method{cloud.Mobile, cloud.AlternateMobile, cloud.Office, cloud.Email} {
		if err := line(m, u.Value(m, "", cloud.Value{})); err != nil {
			return err
		}
	}
	p.printAuthenticators(t, u, devices)
	for i := range u.OATH {
		if err := line(u.OATH[i].Method, cloud.Value{OATH: &u.OATH[i].OATH}); err != nil {
			return err
		}
	}
	return t.Flush()
}

// classOf says what is particular about who the user is.
func classOf(u cloud.User) []string {
	class := []string{}
	for _, is := range []struct {
		so   bool
		word string
	}{{u.Guest, "guest"}, {u.External, "external"}, {u.Privileged, "privileged"}, {u.GlobalAdmin, "global administrator"}} {
		if is.so {
			class = append(class, is.word)
		}
	}
	return class
}

func words(methods []cloud.Method) (list []string) {
	for _, m := range methods {
		list = append(list, string(m))
	}
	return list
}
