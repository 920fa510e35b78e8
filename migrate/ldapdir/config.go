package ldapdir

import (
	"fmt"
	"slices"

	"mfabridge/internal/hint"
	"mfabridge/internal/ldapconn"
)

// Attributes are the attributes that mean something here. An empty one is
// neither asked nor read.
type Attributes struct {
	Account string // the name before Windows 2000
	UPN     string
	SID     string // binary
	Mail    string
	Cloud   string // the user principal name that the cloud knows
	Changed string // generalized time
}

// ActiveDirectory are the attributes of Active Directory.
func ActiveDirectory() Attributes {
	return Attributes{Account: "sAMAccountName", UPN: "userPrincipalName", SID: "objectSid", Mail: "mail",
		Cloud: "userPrincipalName", Changed: "whenChanged"}
}

// Set changes one attribute by the word that the command line has for it.
func (a *Attributes) Set(word, attribute string) error {
	field, ok := map[string]*string{"account": &a.Account, "upn": &a.UPN, "sid": &a.SID, "mail": &a.Mail, "cloud": &a.Cloud, "changed": &a.Changed}[word]
	if !ok {
		return hint.New(fmt.Sprintf("%q stands for no attribute", word), "use account, upn, sid, mail, cloud or changed")
	}
	if err := ldapconn.CheckAttribute(attribute); err != nil && attribute != "" {
		return err
	}
	*field = attribute
	return nil
}

// DefaultFilter finds people: in Active Directory computers are users too.
const DefaultFilter = "(&(objectClass=user)(!(objectClass=computer)))"

// DefaultPhones are the attributes whose first value is the person's number.
func DefaultPhones() []string { return []string{"mobile", "telephoneNumber"} }

// Config says where people stand in a directory.
type Config struct {
	Base       string                     // below it, everywhere
	Filter     string                     // who counts; empty: DefaultFilter
	Attributes Attributes                 // zero: ActiveDirectory
	Domains    map[string]ldapconn.Domain // ours, by the name before the backslash
	Phones     []string                   // attributes of telephone numbers, the one that counts most first; nil: none are read
}

func (c Config) check() error {
	if c.Base == "" {
		return hint.New("the directory's base is missing", "name the entry below which people are, e.g. dc=corp,dc=example")
	}
	for _, attribute := range c.Phones {
		if err := ldapconn.CheckAttribute(attribute); err != nil {
			return err
		}
	}
	if c.Attributes.Cloud == "" {
		return hint.New("no attribute holds the cloud's user principal name", "userPrincipalName does in most directories")
	}
	return ldapconn.CheckFilter(c.Filter)
}

// attributes are all that are read.
func (c Config) attributes() []string {
	a := c.Attributes
	all := append([]string{a.Account, a.UPN, a.SID, a.Mail, a.Cloud, a.Changed}, c.Phones...)
	all = slices.DeleteFunc(all, func(s string) bool { return s == "" })
	slices.Sort(all)
	return slices.Compact(all)
}
