package graph

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"mfabridge/cloud"
)

// readUnits is what reading one user costs, about.
const readUnits = 10

// reading are the requests that one user takes.
type reading struct {
	user, roles, phones, email, apps, software *item
	hardware, preferences, assigned            *item // beta
	groups                                     []*item
}

func userPath(id cloud.UserID) string { return "/users/" + url.PathEscape(string(id)) }

func newReading(id cloud.UserID, groups []string, tokens bool) *reading {
	get := func(path string) *item { return &item{method: http.MethodGet, path: userPath(id) + path} }
	r := &reading{
		user:   get("?$select=" + userFields),
		roles:  get("/transitiveMemberOf/microsoft.graph.directoryRole?$count=true&$select=id,roleTemplateId"),
		phones: get("/authentication/phoneMethods"), email: get("/authentication/emailMethods"),
		apps: get("/authentication/microsoftAuthenticatorMethods"), software: get("/authentication/softwareOathMethods"),
		preferences: get("/authentication/signInPreferences"),
		assigned: &item{method: http.MethodGet, index: true,
			path: assignmentsPath + "?$count=true&$filter=" + url.PathEscape("principalId eq '"+string(id)+"'")},
	}
	r.roles.index = true
	if tokens {
		r.hardware = get("/authentication/hardwareOathMethods")
	}
	for part := range slices.Chunk(groups, maxPolicyGroups) {
		r.groups = append(r.groups, memberItem(id, part))
	}
	return r
}

func (r *reading) first() []*item {
	return append([]*item{r.user, r.roles, r.phones, r.email, r.apps, r.software}, r.groups...)
}

func (r *reading) second() []*item {
	items := []*item{r.preferences, r.assigned}
	if r.hardware != nil {
		items = append(items, r.hardware)
	}
	return items
}

// assignmentsPath tells every role that somebody has, himself or by a group. The
// list of memberships leaves out roles of a part of the tenant.
const assignmentsPath = "/roleManagement/directory/transitiveRoleAssignments"

// Read implements [cloud.DirectoryReader].
func (d *Directory) Read(ctx context.Context, ids []cloud.UserID) ([]cloud.User, error) {
	if len(ids) > batchLimit {
		return nil, &cloud.Error{Kind: cloud.Invalid, Message: fmt.Sprintf("at most %d users can be read at once", batchLimit)}
	}
	if err := d.seesRoles(ctx); err != nil {
		return nil, err
	}
	p, err := d.methodsPolicy(ctx)
	if err != nil {
		return nil, err
	}
	groups := p.groups()
	readings := make([]*reading, len(ids))
	var first, second []*item
	for i, id := range ids {
		if !isGUID(string(id)) {
			continue // no user has such an id
		}
		readings[i] = newReading(id, groups, !d.o.Tokenless)
		first, second = append(first, readings[i].first()...), append(second, readings[i].second()...)
	}
	if err := d.client.readAll(ctx, wanted{v1, first}, wanted{beta, second}); err != nil {
		return nil, err
	}
	users := make([]cloud.User, len(ids))
	for i, r := range readings {
		if r == nil {
			continue
		}
		if err := d.wholly(ctx, ids[i], r, &users[i], p); err != nil {
			return nil, fmt.Errorf("user %s cannot be read: %w", ids[i], err)
		}
		if users[i].ID != "" && !strings.EqualFold(string(users[i].ID), string(ids[i])) {
			return nil, &cloud.Error{Kind: cloud.Internal, Message: fmt.Sprintf("user %s cannot be read: Graph tells of another one", ids[i])}
		}
	}
	return users, nil
}

// wholly makes a user of the answers. Where a part of one who is there is not
// (404), the user was deleted in between, or one copy of the directory knows a
// new user before another: they are asked for again.
func (d *Directory) wholly(ctx context.Context, id cloud.UserID, r *reading, u *cloud.User, p *policy) error {
	for _, pause := range visible[1:] {
		err := d.assemble(ctx, r, u, p)
		if err == nil || cloud.KindOf(err) != cloud.NotFound {
			return err
		}
		*u = cloud.User{}
		if err := d.o.Sleep(ctx, pause); err != nil {
			return err
		}
		r = newReading(id, p.groups(), !d.o.Tokenless)
		if err := d.client.readAll(ctx, wanted{v1, r.first()}, wanted{beta, r.second()}); err != nil {
			return err
		}
	}
	err := d.assemble(ctx, r, u, p)
	if err != nil && cloud.KindOf(err) == cloud.NotFound {
		err = &cloud.Error{Kind: cloud.Unavailable, Message: "Graph knows the user, and not what the user has", Err: err}
	}
	return err
}

// assemble makes a user of the answers. One who is not there stays empty.
func (d *Directory) assemble(ctx context.Context, r *reading, u *cloud.User, p *policy) error {
	if r.user.missing() {
		return nil
	}
	var who user
	if err := r.user.into(&who); err != nil {
		return err
	}
	u.Profile = cloud.Profile{UPN: who.UserPrincipalName, DisplayName: who.DisplayName, SID: who.SID,
		Enabled: who.AccountEnabled == nil || *who.AccountEnabled}
	u.Guest = strings.EqualFold(who.UserType, "Guest")
	u.External = strings.EqualFold(who.CreationType, "Invitation") || strings.Contains(strings.ToUpper(who.UserPrincipalName), "#EXT#@")
	for _, fill := range []func(*reading, *cloud.User) error{fillRoles, fillPhones, fillEmail, fillApps, fillPreferences} {
		if err := fill(r, u); err != nil {
			return err
		}
	}
	if err := d.fillHardware(ctx, r, u); err != nil {
		return err
	}
	var member []string
	for _, i := range r.groups {
		var in page[string]
		if err := i.into(&in); err != nil {
			return err
		}
		member = append(member, in.Value...)
	}
	p.judge(u, member)
	u.ID = cloud.UserID(who.ID)
	return nil
}

func fillRoles(r *reading, u *cloud.User) error {
	var roles page[role]
	var assigned page[assignment]
	if err := r.roles.into(&roles); err != nil {
		return err
	}
	if r.assigned.missing() {
		return &cloud.Error{Kind: cloud.Denied, Message: "Graph does not tell which roles the user has"}
	}
	if err := r.assigned.into(&assigned); err != nil {
		return err
	}
	// An empty page that goes on tells nothing: then the user counts as one.
	u.Privileged = len(roles.Value) > 0 || len(assigned.Value) > 0 || roles.Next != "" || assigned.Next != ""
	u.GlobalAdmin = slices.ContainsFunc(roles.Value, func(x role) bool { return x.RoleTemplateID == globalAdministrator }) ||
		slices.ContainsFunc(assigned.Value, func(x assignment) bool { return x.Definition == globalAdministrator })
	return nil
}

func fillPhones(r *reading, u *cloud.User) error {
	var phones page[phoneMethod]
	if err := r.phones.into(&phones); err != nil {
		return err
	}
	for _, p := range phones.Value {
		if isMasked(p.PhoneNumber) {
			return &cloud.Error{Kind: cloud.Denied, Message: "Graph shows telephone numbers masked to this application, so nothing can be compared: it needs UserAuthenticationMethod.ReadWrite.All as an application permission"}
		}
		switch p.ID {
		case mobileID:
			u.Mobile = p.PhoneNumber
			u.SMSSignIn = u.SMSSignIn || p.SMSSignInState == "ready"
		case alternateID:
			u.Alternate = p.PhoneNumber
		case officeID:
			u.Office = p.PhoneNumber
		}
	}
	return nil
}

// isMasked tells a number of which Graph shows a part only, as it does to
// weaker roles: "+X XXXXXXXX34".
func isMasked(number string) bool {
	return strings.Contains(number, "XX") || strings.HasPrefix(number, "+X") || strings.Contains(number, "*")
}

func fillEmail(r *reading, u *cloud.User) error {
	var addresses page[emailMethod]
	if err := r.email.into(&addresses); err != nil {
		return err
	}
	if len(addresses.Value) > 0 {
		u.Email = addresses.Value[0].EmailAddress
	}
	return nil
}

func fillApps(r *reading, u *cloud.User) error {
	var apps, tokens page[appMethod]
	if err := r.apps.into(&apps); err != nil {
		return err
	}
	if err := r.software.into(&tokens); err != nil {
		return err
	}
	for _, a := range apps.Value {
		u.Authenticators = append(u.Authenticators, cloud.AuthenticatorEntry{ID: a.ID, Name: a.DisplayName, State: "active"})
	}
	for _, t := range tokens.Value {
		u.OATH = append(u.OATH, cloud.OATHEntry{ID: t.ID, Method: cloud.SoftwareOATH, OATH: cloud.OATH{Name: t.DisplayName, Serial: t.ID,
			Algorithm: cloud.SHA1, Digits: 6, Period: 30}})
	}
	return nil
}

func fillPreferences(r *reading, u *cloud.User) error {
	var p preferences
	if r.preferences.missing() {
		return nil
	}
	if err := r.preferences.into(&p); err != nil {
		return err
	}
	if p.Preferred != "none" {
		u.Default = cloud.Preference(plain(p.Preferred)) // one that nobody knows yet is somebody's choice all the same
	}
	return nil
}

// fillHardware reads the user's tokens. What the user's side leaves out of a
// token is looked up in the inventory.
func (d *Directory) fillHardware(ctx context.Context, r *reading, u *cloud.User) error {
	if r.hardware == nil {
		return nil
	}
	var tokens page[oathMethod]
	if err := r.hardware.into(&tokens); err != nil {
		return err
	}
	var items []*item
	for _, t := range tokens.Value {
		if t.Device == nil || t.Device.SerialNumber == "" {
			items = append(items, &item{method: http.MethodGet, path: devicesPath + "/" + url.PathEscape(t.ID)})
		}
	}
	if err := d.client.reads(ctx, beta, items); err != nil {
		return err
	}
	for _, t := range tokens.Value {
		device := oathDevice{}
		if t.Device != nil && t.Device.SerialNumber != "" {
			device = *t.Device
		} else {
			found := items[0]
			items = items[1:]
			if found.missing() {
				device = oathDevice{SerialNumber: t.ID} // not in the inventory: brought in by another way
			} else if err := found.into(&device); err != nil {
				return err
			}
		}
		if d.o.Activates && device.Status == statusAssigned {
			continue // half made; Write goes on with it
		}
		u.OATH = append(u.OATH, cloud.OATHEntry{ID: t.ID, Method: cloud.HardwareOATH, OATH: device.oath()})
	}
	return nil
}

// oath is a token of the inventory in the words of the contract.
func (v oathDevice) oath() cloud.OATH {
	o := cloud.OATH{Name: v.DisplayName, Serial: v.SerialNumber, Manufacturer: v.Manufacturer, Model: v.Model,
		Algorithm: cloud.SHA1, Digits: 6, Period: interval(v.Interval)}
	if strings.EqualFold(v.HashFunction, "hmacsha256") {
		o.Algorithm = cloud.SHA256
	}
	return o
}

// interval reads seconds, which come as a number or as a text; 30 is what is
// not said.
func interval(raw json.RawMessage) int {
	if n, err := strconv.Atoi(strings.Trim(string(raw), `"`)); err == nil {
		return n
	}
	return 30
}
