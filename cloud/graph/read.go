package graph

import (
	"context"
	"encoding/json"
	"errors"
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

	tokens    []oathMethod // of hardware
	tokensErr error
	devices   []*item // of the inventory, for tokens of which the user's side does not tell enough; beta

	masked bool // numbers are shown in part
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
	g, err := d.ground(ctx)
	if err != nil {
		return nil, err
	}
	users, refused, err := d.readSome(ctx, ids, g)
	if err == nil && len(refused) > 0 {
		err = d.blame(ctx, users, refused, g)
	}
	if err != nil {
		return nil, err
	}
	if i := slices.IndexFunc(users, isThere); i >= 0 {
		id := users[i].ID
		d.told.Store(&id)
	}
	if len(refused) > 0 {
		return users, &cloud.UnreadError{Users: refused}
	}
	return users, nil
}

// readSome reads users, and tells apart who cannot be read by himself. Where a
// part of one who is there is not (404), the user was deleted in between, or one
// copy of the directory knows a new user before another: they are asked for
// again. The error is about all.
func (d *Directory) readSome(ctx context.Context, ids []cloud.UserID, g *ground) (users []cloud.User, refused map[cloud.UserID]*cloud.Error, err error) {
	users, refused = make([]cloud.User, len(ids)), map[cloud.UserID]*cloud.Error{}
	var open []int
	for i, id := range ids {
		if isGUID(string(id)) { // no user has another id
			open = append(open, i)
		}
	}
	for _, pause := range visible {
		if len(open) == 0 {
			break
		}
		if err := d.o.Sleep(ctx, pause); err != nil {
			return nil, nil, err
		}
		if open, err = d.readOnce(ctx, ids, open, users, refused, g); err != nil {
			return nil, nil, err
		}
	}
	for _, i := range open {
		refused[ids[i]] = &cloud.Error{Kind: cloud.Unavailable, Message: fmt.Sprintf("user %s cannot be read: Graph knows the user, and not what the user has", ids[i])}
	}
	return users, refused, nil
}

// readOnce reads the users at some places, and returns those of whom a part was
// not there.
func (d *Directory) readOnce(ctx context.Context, ids []cloud.UserID, at []int, users []cloud.User, refused map[cloud.UserID]*cloud.Error, g *ground) (again []int, err error) {
	readings := make([]*reading, len(at))
	var first, second []*item
	for k, i := range at {
		readings[k] = newReading(ids[i], g.groups, !d.o.Tokenless)
		first, second = append(first, readings[k].first()...), append(second, readings[k].second()...)
	}
	if err := d.client.readAll(ctx, wanted{v1, first}, wanted{beta, second}); err != nil {
		return nil, err
	}
	if err := d.readDevices(ctx, readings); err != nil {
		return nil, err
	}
	for k, i := range at {
		var u cloud.User
		err := d.assemble(ctx, readings[k], &u, g)
		if err == nil && isThere(u) && !strings.EqualFold(string(u.ID), string(ids[i])) {
			err = &cloud.Error{Kind: cloud.Internal, Message: "Graph tells of another one"}
		}
		e, ok := errors.AsType[*cloud.Error](err)
		switch {
		case err == nil:
			users[i] = u
		case !ok || ctx.Err() != nil:
			return nil, err
		case e.Kind == cloud.NotFound:
			again = append(again, i)
		default:
			err = fmt.Errorf("user %s cannot be read: %w", ids[i], err)
			if e.Kind == cloud.Throttled || readings[k].everybodys() {
				return nil, err
			}
			refused[ids[i]] = &cloud.Error{Kind: e.Kind, Message: err.Error()}
		}
	}
	return again, nil
}

// everybodys tells a trouble that is not of one user: no connection, a batch
// that was refused as such, no leave to call at all, a limit, numbers that are
// shown in part.
func (r *reading) everybodys() bool {
	return r.masked || slices.ContainsFunc(slices.Concat(r.first(), r.second(), r.devices), func(i *item) bool {
		return i.err != nil || i.whole || i.answered && (i.answer.status == http.StatusUnauthorized || i.answer.status == http.StatusTooManyRequests)
	})
}

// assemble makes a user of the answers. One who is not there stays empty.
func (d *Directory) assemble(ctx context.Context, r *reading, u *cloud.User, g *ground) error {
	if r.user.missing() {
		return nil
	}
	var who user
	if err := r.user.into(&who); err != nil {
		return err
	}
	if who.ID == "" { // nobody is told, which is not to say that nobody is there
		return &cloud.Error{Kind: cloud.Internal, Message: "an answer of Graph tells of nobody"}
	}
	u.Profile = cloud.Profile{UPN: who.UserPrincipalName, DisplayName: who.DisplayName, SID: who.SID,
		Enabled: who.AccountEnabled == nil || *who.AccountEnabled}
	u.Guest = strings.EqualFold(who.UserType, "Guest")
	u.External = strings.EqualFold(who.CreationType, "Invitation") || strings.Contains(strings.ToUpper(who.UserPrincipalName), "#EXT#@")
	for _, fill := range []func(context.Context, *reading, *cloud.User) error{d.fillRoles, d.fillPhones, d.fillEmail, d.fillApps, d.fillPreferences, d.fillHardware} {
		if err := fill(ctx, r, u); err != nil {
			return err
		}
	}
	member := []string{who.ID} // single users may be named where groups are
	for _, i := range r.groups {
		in, err := whole[string](ctx, d.client, i)
		if err != nil {
			return err
		}
		member = append(member, in...)
	}
	g.policy.judge(u, member)
	u.Privileged = u.Privileged || g.eligible.names(member)
	u.ID = cloud.UserID(who.ID)
	return nil
}

// whole is a list that an item of a batch has begun, to its end: a page may be
// empty and go on.
func whole[T any](ctx context.Context, c *client, i *item) ([]T, error) {
	var p page[T]
	if err := i.into(&p); err != nil || p.Next == "" {
		return p.Value, err
	}
	rest, err := all[T](ctx, c, v1, p.Next, nil)
	return append(p.Value, rest...), err
}

func (d *Directory) fillRoles(_ context.Context, r *reading, u *cloud.User) error {
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

// fillPhones puts numbers into their slots. Whoever has two of a kind is not
// told: nobody knows which one would be replaced.
func (d *Directory) fillPhones(ctx context.Context, r *reading, u *cloud.User) error {
	phones, err := whole[phoneMethod](ctx, d.client, r.phones)
	if err != nil {
		return err
	}
	slots := map[string]*string{mobileID: &u.Mobile, alternateID: &u.Alternate, officeID: &u.Office}
	for _, p := range phones {
		if isMasked(p.PhoneNumber) {
			r.masked = true
			return &cloud.Error{Kind: cloud.Denied, Message: "Graph shows telephone numbers masked to this application, so nothing can be compared: it needs UserAuthenticationMethod.ReadWrite.All as an application permission"}
		}
		slot := slots[strings.ToLower(p.ID)]
		if slot == nil {
			slot = slots[slotIDs[phoneTypes[strings.ToLower(p.PhoneType)]]]
		}
		switch {
		case slot == nil:
			continue
		case *slot != "" && digits(*slot) != digits(p.PhoneNumber):
			return &cloud.Error{Kind: cloud.Conflict, Message: "Graph tells of two telephones of one kind"}
		}
		*slot = p.PhoneNumber
		u.SMSSignIn = u.SMSSignIn || slot == &u.Mobile && p.SMSSignInState == "ready"
	}
	return nil
}

// phoneTypes are the slots by their names in lower case.
var phoneTypes = map[string]cloud.Method{"mobile": cloud.Mobile, "alternatemobile": cloud.AlternateMobile, "office": cloud.Office}

// isMasked tells a number of which Graph shows a part only, as it does to
// weaker roles: "+X XXXXXXXX34".
func isMasked(number string) bool {
	return strings.Contains(number, "XX") || strings.HasPrefix(number, "+X") || strings.Contains(number, "*")
}

func (d *Directory) fillEmail(ctx context.Context, r *reading, u *cloud.User) error {
	addresses, err := whole[emailMethod](ctx, d.client, r.email)
	if err != nil {
		return err
	}
	if len(addresses) > 0 {
		u.Email = addresses[0].EmailAddress
	}
	return nil
}

func (d *Directory) fillApps(ctx context.Context, r *reading, u *cloud.User) error {
	apps, err := whole[appMethod](ctx, d.client, r.apps)
	if err != nil {
		return err
	}
	tokens, err := whole[appMethod](ctx, d.client, r.software)
	if err != nil {
		return err
	}
	for _, a := range apps {
		u.Authenticators = append(u.Authenticators, cloud.AuthenticatorEntry{ID: a.ID, Name: a.DisplayName, State: "active"})
	}
	for _, t := range tokens {
		u.OATH = append(u.OATH, cloud.OATHEntry{ID: t.ID, Method: cloud.SoftwareOATH, OATH: cloud.OATH{Name: t.DisplayName, Serial: t.ID,
			Algorithm: cloud.SHA1, Digits: 6, Period: 30}})
	}
	return nil
}

func (d *Directory) fillPreferences(_ context.Context, r *reading, u *cloud.User) error {
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

// readDevices looks up in the inventory what users' sides leave out of their
// tokens, of all users together.
func (d *Directory) readDevices(ctx context.Context, readings []*reading) error {
	var items []*item
	for _, r := range readings {
		if r.hardware == nil {
			continue
		}
		if r.tokens, r.tokensErr = whole[oathMethod](ctx, d.client, r.hardware); ctx.Err() != nil {
			return ctx.Err()
		}
		for _, t := range r.tokens {
			if !t.told() {
				r.devices = append(r.devices, &item{method: http.MethodGet, path: devicesPath + "/" + url.PathEscape(t.ID)})
			}
		}
		items = append(items, r.devices...)
	}
	return d.client.reads(ctx, beta, items)
}

// fillHardware puts the user's tokens together from both sides.
func (d *Directory) fillHardware(_ context.Context, r *reading, u *cloud.User) error {
	if r.tokensErr != nil {
		return r.tokensErr
	}
	items := r.devices
	for _, t := range r.tokens {
		device := oathDevice{}
		if t.told() {
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
		inactive := device.Status != "" && device.Status != statusActivated
		if d.o.Activates && inactive {
			continue // half made; Write goes on with it
		}
		u.OATH = append(u.OATH, cloud.OATHEntry{ID: t.ID, Method: cloud.HardwareOATH, Inactive: inactive, OATH: device.oath()})
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
