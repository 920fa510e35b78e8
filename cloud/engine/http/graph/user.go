package graph

import (
	"context"
	"iter"
	"net/http"
	"slices"
	"strings"
	"time"

	"mfabridge/cloud"
	"mfabridge/cloud/engine"
)

const typeUser = "microsoft.graph.user"

// standardUser is what a user shows who is not asked for more.
func standardUser() []string {
	return []string{"businessPhones", "displayName", "givenName", "jobTitle", "mail", "mobilePhone", "officeLocation", "preferredLanguage",
		"surname", "userPrincipalName", "id"}
}

// none is nil where there is nothing.
func none(s string) any {
	if s == "" {
		return nil
	}
	return s
}

// showUser is every property of a user that is known here.
func showUser(p *engine.Person) object {
	kind, mail := "Member", any(p.UPN)
	var creation, external any
	if p.Guest {
		kind = "Guest"
	}
	if p.External {
		creation, external, mail = "Invitation", "Accepted", nil
	}
	return object{"id": string(p.ID), "displayName": none(p.DisplayName), "userPrincipalName": p.UPN, "mail": mail, "accountEnabled": p.Enabled,
		"userType": kind, "creationType": creation, "externalUserState": external,
		"onPremisesSecurityIdentifier": none(p.SID), "onPremisesSamAccountName": none(p.Sam), "onPremisesUserPrincipalName": onPremises(p),
		"onPremisesSyncEnabled": onPremisesSync(p), "onPremisesImmutableId": nil, "onPremisesDomainName": nil, "onPremisesDistinguishedName": nil,
		"employeeId": nil, "proxyAddresses": []string{}, "otherMails": []string{}, "identities": []object{}, "businessPhones": []string{},
		"givenName": nil, "surname": nil, "jobTitle": nil, "mobilePhone": nil, "officeLocation": nil, "preferredLanguage": nil, "usageLocation": nil,
		"companyName": nil, "department": nil, "assignedLicenses": []object{}, "createdDateTime": nil, "securityIdentifier": nil, "signInSessionsValidFromDateTime": nil}
}

func onPremises(p *engine.Person) any {
	if p.SID == "" {
		return nil
	}
	return p.UPN
}

func onPremisesSync(p *engine.Person) any {
	if p.SID == "" {
		return nil
	}
	return true
}

// filter reads $filter against what can be asked.
func (c *call) filter(can map[string]string) (*test, error) {
	if c.query.Has("expand") {
		return nil, fail(http.StatusBadRequest, "Request_UnsupportedQuery", "$expand is not supported here.")
	}
	if (c.query.Has("search") || c.query.Has("filter") && c.query.Has("orderby")) && !c.advanced() {
		return nil, fail(http.StatusBadRequest, "Request_UnsupportedQuery", "Request with $search query parameter only works through MSGraph with a special request header: 'ConsistencyLevel: eventual'")
	}
	if c.query.Has("search") || c.query.Has("orderby") {
		return nil, fail(http.StatusBadRequest, "Request_UnsupportedQuery", "The rehearsal does not answer $search and $orderby.")
	}
	if !c.query.Has("filter") {
		return nil, nil
	}
	return c.asked(can, c.advanced())
}

// asked reads a $filter that is there, of properties with the operators that
// each can have.
func (c *call) asked(can map[string]string, advanced bool) (*test, error) {
	t, err := parseFilter(c.query.Get("filter"))
	if err != nil {
		return nil, err
	}
	return t, t.allowed(can, advanced)
}

func (f *Face) users(c *call) (answer, error) {
	t, err := c.filter(operators())
	if err != nil {
		return answer{}, err
	}
	if _, err := c.selected(showUser(&engine.Person{}), standardUser(), typeUser); err != nil {
		return answer{}, err
	}
	if kind := map[string]cloud.KeyKind{"id": cloud.ByID, "userprincipalname": cloud.ByUPN, "onpremisessecurityidentifier": cloud.BySID}; t != nil {
		if property, values := t.only(); kind[property] != "" {
			return f.usersBy(c, kind[property], values)
		}
	}
	keep := func(o object) bool { return true }
	if t != nil {
		keep = func(o object) bool { return t.holds(folded(o)) }
	}
	a, err := f.list(c, "users", func(after string, limit int) ([]entry, error) {
		some, err := f.core.PersonsAfter(c.ctx, cloud.UserID(after), limit)
		entries := make([]entry, len(some))
		for i := range some {
			entries[i] = entry{string(some[i].ID), showUser(&some[i])}
		}
		return entries, err
	}, keep)
	if err != nil {
		return answer{}, err
	}
	body := a.body.(object)
	values := body["value"].([]object)
	for i, o := range values {
		if values[i], err = c.selected(o, standardUser(), typeUser); err != nil {
			return answer{}, err
		}
	}
	if c.advanced() && !c.query.Has("skiptoken") {
		if body["@odata.count"], err = f.total(c, keep); err != nil {
			return answer{}, err
		}
	}
	return a, nil
}

// usersBy is a listing by keys that are unique.
func (f *Face) usersBy(c *call, kind cloud.KeyKind, keys []string) (answer, error) {
	if _, err := f.top(c); err != nil {
		return answer{}, err
	}
	values := []object{}
	for i, key := range keys {
		if slices.ContainsFunc(keys[:i], func(other string) bool { return engine.Fold(other) == engine.Fold(key) }) {
			continue
		}
		p, err := f.core.PersonBy(c.ctx, cloud.Key{Kind: kind, Value: key})
		if err != nil {
			if cloud.KindOf(err) == cloud.NotFound {
				continue
			}
			return answer{}, err
		}
		o, err := c.selected(showUser(&p), standardUser(), typeUser)
		if err != nil {
			return answer{}, err
		}
		values = append(values, o)
	}
	body := object{"@odata.context": c.context("users"), "value": values}
	if c.advanced() {
		body["@odata.count"] = len(values)
	}
	return okay(body)
}

// total counts the users that pass.
func (f *Face) total(c *call, keep func(object) bool) (int, error) {
	n := 0
	for p, err := range f.everybody(c.ctx) {
		if err != nil {
			return 0, err
		}
		if keep(showUser(&p)) {
			n++
		}
	}
	return n, nil
}

// personsAtOnce is how many users are read from the store at a time.
const personsAtOnce = 500

// everybody yields all users; an error ends it.
func (f *Face) everybody(ctx context.Context) iter.Seq2[engine.Person, error] {
	return func(yield func(engine.Person, error) bool) {
		for last := cloud.UserID(""); ; {
			some, err := f.core.PersonsAfter(ctx, last, personsAtOnce)
			if err != nil {
				yield(engine.Person{}, err)
				return
			}
			for _, p := range some {
				if last = p.ID; !yield(p, nil) {
					return
				}
			}
			if len(some) < personsAtOnce {
				return
			}
		}
	}
}

func (f *Face) countUsers(c *call) (answer, error) {
	if !strings.EqualFold(c.header.Get("ConsistencyLevel"), "eventual") {
		return answer{}, fail(http.StatusBadRequest, "Request_BadRequest", "$count is not currently supported.")
	}
	c.query.Set("count", "true")
	t, err := c.filter(operators())
	if err != nil {
		return answer{}, err
	}
	n, err := f.total(c, func(o object) bool { return t == nil || t.holds(folded(o)) })
	return answer{status: http.StatusOK, body: itoa(n)}, err
}

func (f *Face) user(c *call) (answer, error) {
	p, err := f.person(c.ctx, c.vars[0])
	if err != nil {
		return answer{}, err
	}
	o, err := c.selected(showUser(&p), standardUser(), typeUser)
	if err != nil {
		return answer{}, err
	}
	o["@odata.context"] = c.context("users/$entity")
	return okay(o)
}

// organization is the tenant itself.
func (f *Face) organization(c *call) (answer, error) {
	caps, err := f.core.Capabilities(c.ctx)
	if err != nil {
		return answer{}, err
	}
	domains := []object{}
	for i, name := range caps.Domains {
		domains = append(domains, object{"name": name, "isDefault": i == 0, "isInitial": i == 0, "type": "Managed", "capabilities": "Email, OfficeCommunicationsOnline"})
	}
	o := object{"id": caps.Instance, "displayName": "Rehearsal", "tenantType": f.assume.Tenant, "verifiedDomains": domains, "deletedDateTime": nil,
		"onPremisesSyncEnabled": true, "createdDateTime": time.Unix(0, 0).UTC().Format(time.RFC3339), "countryLetterCode": nil, "assignedPlans": []object{}}
	if len(c.vars) > 0 {
		if c.vars[0] != caps.Instance {
			return answer{}, missing(c.vars[0])
		}
		shown, err := c.selected(o, keys(o), "microsoft.graph.organization")
		return answer{status: http.StatusOK, body: shown}, err
	}
	shown, err := c.selected(o, keys(o), "microsoft.graph.organization")
	return answer{status: http.StatusOK, body: object{"@odata.context": c.context("organization"), "value": []object{shown}}}, err
}

func keys(o object) (names []string) {
	for name := range o {
		names = append(names, name)
	}
	return names
}
