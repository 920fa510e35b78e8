package migrate

import (
	"fmt"
	"strings"
	"time"

	"mfabridge/cloud"
	"mfabridge/cloud/form"
	"mfabridge/internal/casefold"
	"mfabridge/legacy"
)

// Words of Decision.MatchedBy.
const (
	MatchedByFile     = "match-file"
	MatchedByUPN      = "upn"
	MatchedByUsername = "username"
	MatchedBySID      = "sid"
	MatchedCreated    = "created"
)

// Match is what the search for a row's user in the target came to. At most one
// of User, Create and Problem says something; none of them: not matched.
type Match struct {
	User    *cloud.User // the target's user
	Create  bool        // there is none, and one with UPN is to be made
	UPN     string      // with Create
	By      string      // which key led to User
	Problem Code        // why none of them was taken
	Detail  string      // with Problem, and where the row is not matched: a sentence
	Outside bool        // the row is out of scope, and nothing else is known of it
	Taken   []string    // folded login names, wanted for this user, that belong to another

	// What the match file and the customer's directory add.
	Weak    bool      // By proves little, and was taken all the same
	Known   string    // the name that the directory has for the person, in the cloud
	Logins  []string  // what the person may type in a domain that is ours: the account's name, with the domain and without
	SID     string    // of the person in the directory
	Claims  []string  // keys that no other row may have; nil: those that the row itself has
	Phones  []string  // of the person in the directory, where the row's is kept in step with it
	Changed time.Time // with Phones: when the person's entry was changed last
}

// fold is the form in which names are compared, as targets do, without the
// space around them.
func fold(name string) string { return casefold.String(strings.TrimSpace(name)) }

// alike tells whether two names are one to a target.
func alike(a, b string) bool {
	return a == b || casefold.Equal(strings.TrimSpace(a), strings.TrimSpace(b))
}

// isAddress tells whether s could be a user principal name: one @ between
// something and something, no spaces, no backslash.
func isAddress(s string) bool {
	name, domain, ok := strings.Cut(s, "@")
	return ok && name != "" && domain != "" && !strings.ContainsAny(domain, "@") && !strings.ContainsFunc(s, func(r rune) bool {
		return r == ' ' || r == '\\'
	}) && form.IsPlain(s)
}

// mayBeMade tells whether a user can be made with that name. What marks it as
// something else around an address ("mailto:", "<…>", a list) stands in no name
// that anybody has: nobody would ever sign in with it.
func mayBeMade(s string) bool {
	return isAddress(s) && form.IsName(s) && !strings.ContainsAny(s, `<>()[]:;,"`)
}

// sidOf is the row's security identifier, or "" where it is none: then it is no
// key, and nobody gets it.
func sidOf(u *legacy.User) string {
	if !form.IsSID(u.SID) {
		return ""
	}
	return u.SID
}

// rowKey is one way in which a row may lead to a user of the target.
type rowKey struct {
	by   string
	key  cloud.Key
	weak bool // proves little about who the row's person is
}

// claim is the key in the form in which rows are compared.
func (k rowKey) claim() string { return string(k.key.Kind) + ":" + fold(k.key.Value) }

// rowKeys are all keys that the row has, the one that counts most first.
func rowKeys(u *legacy.User) []rowKey {
	keys := make([]rowKey, 0, 3)
	if u.UPN != "" {
		keys = append(keys, rowKey{by: MatchedByUPN, key: cloud.Key{Kind: cloud.ByUPN, Value: u.UPN}})
	}
	if strings.Contains(u.Username, "@") && !alike(u.Username, u.UPN) {
		keys = append(keys, rowKey{by: MatchedByUsername, key: cloud.Key{Kind: cloud.ByUPN, Value: u.Username}})
	}
	if sid := sidOf(u); sid != "" {
		keys = append(keys, rowKey{by: MatchedBySID, key: cloud.Key{Kind: cloud.BySID, Value: sid}})
	}
	return keys
}

// resolve decides which user the hits of a row's keys mean. An empty id: see
// Match.Problem and Match.Detail.
func resolve(keys []rowKey, hits [][]cloud.UserID) (cloud.UserID, Match) {
	var id cloud.UserID
	var m Match
	for i, k := range keys {
		switch found := hits[i]; {
		case len(found) == 0:
		case len(found) > 1:
			return "", Match{Problem: UserAmbiguous,
				Detail: fmt.Sprintf("%s leads to %d users of the target", keyColumn(k.by), len(found))}
		case id == "":
			id, m.By, m.Weak = found[0], k.by, k.weak
		case id != found[0]:
			return "", Match{Problem: UserMatchConflict,
				Detail: fmt.Sprintf("%s and %s lead to different users of the target", keyColumn(m.By), keyColumn(k.by))}
		case m.Weak && !k.weak:
			m.By, m.Weak = k.by, false
		}
	}
	return id, m
}

func keyColumn(by string) string {
	if attribute, ok := strings.CutPrefix(by, MatchedByDirectory); ok {
		return "the directory's " + attribute
	}
	switch by {
	case MatchedByFile:
		return "the match file"
	case MatchedByUPN:
		return "UserPrincipalName"
	case MatchedBySID:
		return "Sid"
	default:
		return "Username"
	}
}

// settle completes a match with the user that was read: one that vanished is
// not matched, one with another SID is somebody else, unless the match file
// has said who it is.
func (m Match) settle(u *legacy.User, user cloud.User) Match {
	switch {
	case user.ID == "":
		return Match{Detail: "the user was there when it was looked for, and gone when it was read"}
	case m.By == MatchedByFile:
	case contradicts(m.SID, user.SID):
		return Match{Problem: UserMatchConflict,
			Detail: keyColumn(m.By) + " leads to a user of the target who has another Sid than the person in the directory"}
	case sidOf(u) != "" && user.SID != "" && !alike(u.SID, user.SID):
		return Match{Problem: UserMatchConflict,
			Detail: keyColumn(m.By) + " leads to a user of the target who has another Sid"}
	}
	m.User = &user
	return m
}

// create decides whether a row that no key led anywhere becomes a new user,
// and under which name.
func create(u *legacy.User, k evidence, opt *Options, caps *cloud.Capabilities) Match {
	name, problem := k.name(u, opt)
	switch {
	case problem.Problem != "":
		return problem
	case !caps.CreateUsers:
		return Match{Detail: "no user of the target matches, and this target creates none"}
	case !opt.CreateUsers:
		return Match{Detail: "no user of the target matches; --create-users would create one"}
	case name != "":
		return Match{Create: true, UPN: name, Weak: k.weak && !alike(u.UPN, name)}
	case u.UPN != "" && !mayBeMade(u.UPN):
		return Match{Detail: "no user of the target matches, and UserPrincipalName is no name that one could be created with"}
	case u.UPN != "":
		return Match{Create: true, UPN: u.UPN}
	case mayBeMade(u.Username):
		return Match{Create: true, UPN: u.Username}
	default:
		return Match{Detail: "no user of the target matches, and the row has no user principal name to create one with"}
	}
}

// wantedNames are the login names that a user of the old server is to keep
// besides upn: Username, the bare name of DOMAIN\name, and those that the
// directory has for the person.
func (m *Match) wantedNames(u *legacy.User, upn string) []string {
	var names []string
	add := func(name string) {
		if name == "" || alike(name, upn) {
			return
		}
		for _, have := range names {
			if alike(have, name) {
				return
			}
		}
		names = append(names, name)
	}
	add(u.Username)
	if domain, sam, ok := strings.Cut(u.Username, `\`); ok && domain != "" {
		add(strings.TrimSpace(sam))
	}
	if alike(m.Known, upn) { // the directory means this very user
		for _, name := range m.Logins {
			add(name)
		}
	}
	return names
}

// newNames are the wanted names that the matched or created user lacks.
func (m *Match) newNames(u *legacy.User) []string {
	if m.Create {
		return m.wantedNames(u, m.UPN)
	}
	if m.User == nil {
		return nil
	}
	var names []string
	for _, name := range m.wantedNames(u, m.User.UPN) {
		if !hasName(m.User.Aliases, name) {
			names = append(names, name)
		}
	}
	return names
}

func hasName(names []string, name string) bool {
	for _, have := range names {
		if alike(have, name) {
			return true
		}
	}
	return false
}
