package graph

import (
	"context"
	"net/http"
	"strings"
	"unicode"

	"mfabridge/cloud"
)

// Ids of the single slots (resources/phoneauthenticationmethod,
// resources/emailauthenticationmethod, resources/passwordauthenticationmethod).
const (
	idMobile    = "3179e48a-750b-4051-897c-87b9720928f7"
	idAlternate = "b6332ec1-7057-4abe-9331-3d72feddfe41"
	idOffice    = "e37fc753-ff3b-4958-9484-eaa9425c82bc"
	idEmail     = "3ddfcfc8-9383-446f-83cc-3ab9be4be18f"
	idPassword  = "28c10230-6103-485e-b985-444c60001490"
)

// slotByID is the slot that an id stands for, or "".
func slotByID(id string) cloud.Method {
	switch strings.ToLower(id) {
	case idMobile:
		return cloud.Mobile
	case idAlternate:
		return cloud.AlternateMobile
	case idOffice:
		return cloud.Office
	}
	return ""
}

func slotByType(kind string) (cloud.Method, string) {
	switch {
	case strings.EqualFold(kind, "mobile"):
		return cloud.Mobile, idMobile
	case strings.EqualFold(kind, "alternateMobile"):
		return cloud.AlternateMobile, idAlternate
	case strings.EqualFold(kind, "office"):
		return cloud.Office, idOffice
	}
	return "", ""
}

// numberOf is what a slot of a user holds.
func numberOf(u *cloud.User, slot cloud.Method) string { return u.Value(slot, "", cloud.Value{}).Text }

// showPhone is one phone method.
func (f *Face) showPhone(u *cloud.User, slot cloud.Method) object {
	state := "notSupported"
	id := idOffice
	switch slot {
	case cloud.Mobile:
		id, state = idMobile, "notAllowedByPolicy"
		if u.SMSSignIn {
			state = "ready"
			if f.shared(u.ID, u.Mobile) {
				state = "phoneNumberNotUnique"
			}
		}
	case cloud.AlternateMobile:
		id = idAlternate
	}
	return object{"id": id, "phoneNumber": f.shownNumber(numberOf(u, slot)), "phoneType": string(slot), "smsSignInState": state}
}

// shownNumber is a number as this caller sees it.
func (f *Face) shownNumber(number string) string {
	if !f.assume.Masked {
		return number
	}
	country, rest, _ := strings.Cut(number, " ")
	rest, _, _ = strings.Cut(rest, "x")
	return country + " " + strings.Repeat("X", max(len(rest)-2, 0)) + rest[max(len(rest)-2, 0):]
}

func (f *Face) phoneList(u *cloud.User) []object {
	all := []object{}
	for _, slot := range []cloud.Method{cloud.Mobile, cloud.AlternateMobile, cloud.Office} {
		if numberOf(u, slot) != "" {
			all = append(all, f.showPhone(u, slot))
		}
	}
	return all
}

func (f *Face) phones(c *call) (answer, error) {
	s, err := f.seen(c)
	if err != nil {
		return answer{}, err
	}
	all := f.phoneList(&s.User)
	if c.query.Has("filter") {
		t, err := c.asked(map[string]string{"phonetype": "eq", "id": "eq"}, false)
		if err != nil {
			return answer{}, err
		}
		kept := []object{}
		for _, o := range all {
			if t.holds(folded(o)) {
				kept = append(kept, o)
			}
		}
		all = kept
	}
	return f.listed(c, "phoneMethods", all)
}

// listed is a collection of methods of a user: it has no pages.
func (f *Face) listed(c *call, segment string, all []object) (answer, error) {
	if c.query.Has("count") && c.query.Get("count") == "true" {
		return answer{}, bad("$count is not supported for this resource.")
	}
	return okay(object{"@odata.context": c.context("users('" + c.vars[0] + "')/authentication/" + segment), "value": all})
}

func (f *Face) phone(c *call) (answer, error) {
	s, err := f.seen(c)
	if err != nil {
		return answer{}, err
	}
	slot := slotByID(c.vars[1])
	if slot == "" || numberOf(&s.User, slot) == "" {
		return answer{}, absent()
	}
	o := f.showPhone(&s.User, slot)
	o["@odata.context"] = c.context("users('" + c.vars[0] + "')/authentication/phoneMethods/$entity")
	return okay(o)
}

// phoneBody is what a phone is created and changed with.
type phoneBody struct {
	Number *string `json:"phoneNumber"`
	Type   *string `json:"phoneType"`
	State  *string `json:"smsSignInState"`
}

// number takes "+CC NNN" with an extension for offices: digits, and what
// people write between them.
func number(s string) (string, error) {
	country, rest, ok := strings.Cut(strings.TrimSpace(s), " ")
	if !ok || !strings.HasPrefix(country, "+") || len(s) > 60 {
		return "", fail(http.StatusBadRequest, "badRequest", "The phone number is not in the format +{country code} {number}x{extension}.")
	}
	var b strings.Builder
	for _, r := range strings.ToLower(rest) {
		switch {
		case r >= '0' && r <= '9' || r == 'x':
			b.WriteRune(r)
		case unicode.IsSpace(r) || strings.ContainsRune("-.()", r):
		default:
			return "", fail(http.StatusBadRequest, "badRequest", "The phone number is not in the format +{country code} {number}x{extension}.")
		}
	}
	return country + " " + b.String(), nil
}

func (f *Face) addPhone(c *call) (answer, error) {
	var in phoneBody
	if err := c.decode(&in); err != nil {
		return answer{}, err
	}
	if in.Number == nil || in.Type == nil || in.State != nil {
		return answer{}, bad("phoneNumber and phoneType are required, and nothing else.")
	}
	slot, _ := slotByType(*in.Type)
	value, err := number(*in.Number)
	if err != nil {
		return answer{}, err
	}
	if slot == "" {
		return answer{}, bad("phoneType must be mobile, alternateMobile or office.")
	}
	p, err := f.person(c.ctx, c.vars[0])
	if err != nil {
		return answer{}, err
	}
	if numberOf(&p.User, slot) != "" {
		return answer{}, fail(f.assume.Second, "badRequest", "The user has a phone method of this type already.")
	}
	if err := f.put(c, &p.User, slot, value); err != nil {
		return answer{}, err
	}
	if p, err = f.core.PersonBy(c.ctx, cloud.Key{Kind: cloud.ByID, Value: string(p.ID)}); err != nil {
		return answer{}, err
	}
	o := f.showPhone(&p.User, slot)
	o["@odata.context"] = c.context("users('" + c.vars[0] + "')/authentication/phoneMethods/$entity")
	o["@odata.type"] = "#microsoft.graph.phoneAuthenticationMethod"
	return answer{status: http.StatusCreated, body: o}, nil
}

func (f *Face) changePhone(c *call) (answer, error) {
	var in phoneBody
	if err := c.decode(&in); err != nil {
		return answer{}, err
	}
	slot := slotByID(c.vars[1])
	p, err := f.person(c.ctx, c.vars[0])
	switch {
	case err != nil:
		return answer{}, err
	case slot == "" || numberOf(&p.User, slot) == "":
		return answer{}, absent()
	case in.Number == nil || in.State != nil:
		return answer{}, bad("phoneNumber is required, and smsSignInState cannot be written.")
	}
	if in.Type != nil {
		if other, _ := slotByType(*in.Type); other != slot {
			return answer{}, bad("The type of a phone cannot be changed.")
		}
	}
	value, err := number(*in.Number)
	if err != nil {
		return answer{}, err
	}
	if err := f.put(c, &p.User, slot, value); err != nil {
		return answer{}, err
	}
	return done()
}

func (f *Face) removePhone(c *call) (answer, error) {
	p, err := f.person(c.ctx, c.vars[0])
	if err != nil {
		return answer{}, err
	}
	slot := slotByID(c.vars[1])
	if slot == "" || numberOf(&p.User, slot) == "" {
		return answer{}, absent()
	}
	if err := f.put(c, &p.User, slot, ""); err != nil {
		return answer{}, err
	}
	return done()
}

// put writes a slot; "" empties it. A number that another user has may answer
// 409 though it is stored.
func (f *Face) put(c *call, u *cloud.User, slot cloud.Method, value string) error {
	before := numberOf(u, slot)
	change := cloud.Change{User: u.ID, Op: cloud.Update, Method: slot, Before: cloud.TextValue(before), After: cloud.TextValue(value)}
	switch {
	case before == value:
		return nil
	case before == "":
		change.Op, change.Before = cloud.Add, cloud.Value{}
	case value == "":
		change.Op, change.After = cloud.Remove, cloud.Value{}
	}
	if err := f.change(c, change); err != nil {
		return err
	}
	if slot != cloud.Mobile {
		return nil
	}
	f.moved(u.ID, before, value)
	taken := f.assume.PhoneTaken == "always" || (f.assume.PhoneTaken == "shared" || u.SMSSignIn) && f.shared(u.ID, value)
	if value != "" && taken {
		return fail(http.StatusConflict, "phoneNumberNotUnique", "The phone number is already in use by another user for sign-in.")
	}
	return nil
}

// change makes one change through the store's own rules.
func (f *Face) change(c *call, change cloud.Change) error {
	return f.core.As(c.app).Write(c.ctx, []cloud.Change{change})[0].Err
}

// shared tells whether another user has the number as mobile.
func (f *Face) shared(user cloud.UserID, number string) bool {
	if number == "" {
		return false
	}
	f.readNumbers()
	f.mu.Lock()
	defer f.mu.Unlock()
	holders := f.numbers[number]
	return len(holders) > 1 || len(holders) == 1 && !holders[user]
}

// moved keeps who has which mobile number up to date, once it was read.
func (f *Face) moved(user cloud.UserID, before, after string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.numbers == nil {
		return
	}
	if delete(f.numbers[before], user); len(f.numbers[before]) == 0 {
		delete(f.numbers, before)
	}
	if after != "" {
		f.holds(user, after)
	}
}

func (f *Face) holds(user cloud.UserID, number string) {
	if f.numbers[number] == nil {
		f.numbers[number] = map[cloud.UserID]bool{}
	}
	f.numbers[number][user] = true
}

// readNumbers reads who has which mobile number, the first time.
func (f *Face) readNumbers() {
	f.mu.Lock()
	known := f.numbers != nil
	f.mu.Unlock()
	if known {
		return
	}
	mobile := map[cloud.UserID]string{}
	for p, err := range f.everybody(context.Background()) { // for all requests to come, whoever leaves this one
		if err != nil {
			f.log.Warn("rehearsal of Graph: numbers of users were not read", "err", err)
			return
		}
		if p.Mobile != "" {
			mobile[p.ID] = p.Mobile
		}
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.numbers = map[string]map[cloud.UserID]bool{}
	for user, number := range mobile {
		f.holds(user, number)
	}
}

func showEmail(u *cloud.User) object { return object{"id": idEmail, "emailAddress": u.Email} }

func (f *Face) emails(c *call) (answer, error) {
	s, err := f.seen(c)
	if err != nil {
		return answer{}, err
	}
	all := []object{}
	if s.Email != "" {
		all = append(all, showEmail(&s.User))
	}
	return f.listed(c, "emailMethods", all)
}

func (f *Face) email(c *call) (answer, error) {
	s, err := f.seen(c)
	if err != nil {
		return answer{}, err
	}
	if !strings.EqualFold(c.vars[1], idEmail) || s.Email == "" {
		return answer{}, absent()
	}
	return okay(showEmail(&s.User))
}

// emailBody reads the one field of an address.
func (c *call) emailBody() (string, error) {
	var in struct {
		Address *string `json:"emailAddress"`
	}
	if err := c.decode(&in); err != nil {
		return "", err
	}
	if in.Address == nil || *in.Address == "" {
		return "", bad("emailAddress is required.")
	}
	return *in.Address, nil
}

func (f *Face) addEmail(c *call) (answer, error) {
	address, err := c.emailBody()
	if err != nil {
		return answer{}, err
	}
	p, err := f.person(c.ctx, c.vars[0])
	if err != nil {
		return answer{}, err
	}
	if p.Email != "" {
		return answer{}, fail(f.assume.Second, "badRequest", "The user has an email method already.")
	}
	if err := f.put(c, &p.User, cloud.Email, address); err != nil {
		return answer{}, err
	}
	p.Email = address
	o := showEmail(&p.User)
	o["@odata.type"] = "#microsoft.graph.emailAuthenticationMethod"
	return answer{status: http.StatusCreated, body: o}, nil
}

func (f *Face) changeEmail(c *call) (answer, error) {
	address, err := c.emailBody()
	if err != nil {
		return answer{}, err
	}
	p, err := f.person(c.ctx, c.vars[0])
	if err != nil {
		return answer{}, err
	}
	if !strings.EqualFold(c.vars[1], idEmail) || p.Email == "" {
		return answer{}, absent()
	}
	if err := f.put(c, &p.User, cloud.Email, address); err != nil {
		return answer{}, err
	}
	return done()
}

func (f *Face) removeEmail(c *call) (answer, error) {
	p, err := f.person(c.ctx, c.vars[0])
	if err != nil {
		return answer{}, err
	}
	if !strings.EqualFold(c.vars[1], idEmail) || p.Email == "" {
		return answer{}, absent()
	}
	if err := f.put(c, &p.User, cloud.Email, ""); err != nil {
		return answer{}, err
	}
	return done()
}
