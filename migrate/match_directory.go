package migrate

import (
	"context"
	"fmt"
	"strings"

	"mfabridge/cloud"
	"mfabridge/cloud/form"
	"mfabridge/legacy"
)

// MatchedByDirectory begins the word of Decision.MatchedBy for who was found
// through the customer's directory; the attribute follows: "directory:mail".
const MatchedByDirectory = "directory:"

// evidence is what the customer's directory says about a row. Without a Person
// and a Problem it says nothing.
type evidence struct {
	person  *Person
	by      string // word of Decision.MatchedBy
	weak    bool   // only keys led here that prove little
	named   bool   // the row's UserPrincipalName led here
	problem Code
	detail  string
}

// personKeys are all keys by which a row's person may stand in the customer's
// directory.
func personKeys(u *legacy.User) []PersonKey {
	var keys []PersonKey
	add := func(kind PersonKind, domain, value string) {
		for _, k := range keys {
			if k.Kind == kind && k.Domain == domain && alike(k.Value, value) {
				return
			}
		}
		if value != "" {
			keys = append(keys, PersonKey{Kind: kind, Domain: domain, Value: value})
		}
	}
	add(PersonByUPN, "", u.UPN)
	add(PersonBySID, "", sidOf(u))
	domain, name, qualified := strings.Cut(u.Username, `\`)
	switch {
	case qualified && domain != "":
		add(PersonByAccount, domain, name)
	case qualified:
	case strings.Contains(u.Username, "@"):
		add(PersonByUPN, "", u.Username)
		add(PersonByMail, "", u.Username)
	default:
		add(PersonByAccount, "", u.Username)
	}
	if isMailbox(u.Email) {
		add(PersonByMail, "", u.Email)
	}
	return keys
}

// proves tells whether a key that led to p says who the row's person is: an
// address does not, nor an account name outside the configured domains, for
// another domain may have somebody else of that name.
func (k PersonKey) proves(p Person) bool {
	switch k.Kind {
	case PersonByMail:
		return false
	case PersonByAccount:
		return p.Domain != "" && (k.Domain == "" || alike(k.Domain, p.Domain))
	default:
		return true
	}
}

// know decides who the person is that all keys of a row lead to.
func know(u *legacy.User, keys []PersonKey, hits []PersonHits) evidence {
	var k evidence
	for i, key := range keys {
		switch people := hits[i].People; {
		case len(people) == 0:
			continue
		case len(people) > 1:
			return evidence{problem: UserAmbiguous,
				detail: fmt.Sprintf("the directory has %d people with this %s", len(people), hits[i].Attribute)}
		case k.person != nil && k.person.ID != people[0].ID:
			return evidence{problem: UserMatchConflict,
				detail: fmt.Sprintf("%s and %s lead to different people in the directory", keyColumn(k.by), keyColumn(MatchedByDirectory+hits[i].Attribute))}
		}
		p, by := hits[i].People[0], MatchedByDirectory+hits[i].Attribute
		proof := key.proves(p)
		if k.person == nil {
			k.person, k.by, k.weak = &p, by, !proof
		} else if k.weak && proof {
			k.by, k.weak = by, false
		}
		k.named = k.named || key.Kind == PersonByUPN && alike(key.Value, u.UPN)
	}
	if k.person != nil && contradicts(sidOf(u), k.person.SID) {
		return evidence{problem: UserMatchConflict, detail: keyColumn(k.by) + " leads to a person in the directory who has another Sid"}
	}
	return k
}

func contradicts(a, b string) bool { return a != "" && b != "" && !alike(a, b) }

// rowKeys are the ways from the person to a user of the target.
func (k evidence) rowKeys() []rowKey {
	if k.person == nil {
		return nil
	}
	var keys []rowKey
	if k.person.Name != "" {
		keys = append(keys, rowKey{k.by, cloud.Key{Kind: cloud.ByUPN, Value: k.person.Name}, k.weak})
	}
	if k.person.SID != "" {
		keys = append(keys, rowKey{k.by, cloud.Key{Kind: cloud.BySID, Value: k.person.SID}, k.weak})
	}
	return keys
}

// name decides under which name a person becomes a user whom no key led to: the
// directory's counts, since it is the one that the cloud is filled from. A
// problem is one that forbids it; neither: the row's own names count.
func (k evidence) name(u *legacy.User, opt *Options) (string, Match) {
	switch {
	case k.person == nil || !isAddress(k.person.Name) || !form.IsName(k.person.Name):
		return "", Match{}
	case alike(u.UPN, k.person.Name):
		return k.person.Name, Match{}
	case k.weak && !opt.AllowWeakMatch:
		return "", weakly(k.by)
	case u.UPN != "" && !k.named:
		return "", Match{Problem: UserMatchConflict,
			Detail: "UserPrincipalName is not the name of the person whom " + keyColumn(k.by) + " leads to"}
	}
	return k.person.Name, Match{}
}

func weakly(by string) Match {
	return Match{Problem: MatchWeak, Detail: "only " + keyColumn(by) + " leads to a user, which does not prove who that is; --allow-weak-match would take it"}
}

// people asks the customer's directory for all rows that are to be matched by
// their own keys.
func (f *finder) people(ctx context.Context, users []legacy.User, asked []bool) ([]evidence, error) {
	if f.opt.People == nil {
		return nil, nil
	}
	var keys []PersonKey
	perUser := make([][]PersonKey, len(users))
	for i := range users {
		if asked[i] {
			perUser[i] = personKeys(&users[i])
			keys = append(keys, perUser[i]...)
		}
	}
	hits, err := f.opt.People.Lookup(ctx, keys)
	if err != nil {
		return nil, fmt.Errorf("people cannot be looked up in the directory: %w", err)
	}
	if len(hits) != len(keys) {
		return nil, fmt.Errorf("the directory answered %d of %d questions for people", len(hits), len(keys))
	}
	out := make([]evidence, len(users))
	for i := range users {
		n := len(perUser[i])
		out[i] = know(&users[i], perUser[i], hits[:n])
		hits = hits[n:]
	}
	return out, nil
}
