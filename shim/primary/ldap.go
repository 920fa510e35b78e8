package primary

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"mfabridge/cloud"
	"mfabridge/internal/casefold"
	"mfabridge/internal/ldapconn"
	"mfabridge/internal/secret"
	"mfabridge/shim"
)

// healthy is how long what was last seen of a directory holds for
// Status-Server.
const healthy = 5 * time.Second

// DefaultFilter finds people: in Active Directory computers are users too.
const DefaultFilter = "(&(objectClass=user)(!(objectClass=computer)))"

// Directory is who is asked; *ldapconn.Client is one.
type Directory interface {
	Search(ctx context.Context, q ldapconn.Query) ([]ldapconn.Entry, error)
	Authenticate(ctx context.Context, dn string, password secret.Bytes) error
}

// LDAPOptions say where people stand in a directory. Empty attributes: those
// of Active Directory.
type LDAPOptions struct {
	Directory Directory
	Base      string // below it, everywhere
	Filter    string // who may log in; empty: DefaultFilter
	Account   string // attribute that DOMAIN\name and bare names are; empty: sAMAccountName
	UPN       string // attribute that name@realm is; empty: userPrincipalName
	SID       string // binary security identifier; empty: objectSid

	// GroupsOf returns the distinguished names of all groups of an entry; nil:
	// nobody asks for them. If it cannot say, the login is not judged.
	GroupsOf func(ctx context.Context, dn string) ([]string, error)

	// Domains are those whose people may log in, by the name before the
	// backslash, in any case. A name with another domain is nobody's.
	Domains map[string]ldapconn.Domain

	MaxFailures int           // wrong passwords of one entry within Window, beyond which it is not bound; 0: 3
	Window      time.Duration // 0: 15 minutes

	Now func() time.Time // nil: time.Now
}

// LDAP asks a directory: it finds the one entry that a typed name stands for,
// and binds as it. Whose second factor is asked for depends on that entry
// alone: its security identifier, else its user principal name.
type LDAP struct {
	o        LDAPOptions
	failures *failures

	mu     sync.Mutex
	looked time.Time
	state  error
}

// NewLDAP returns an LDAP, or says what is wrong with the options. Nothing is
// asked yet.
func NewLDAP(o LDAPOptions) (*LDAP, error) {
	for field, standard := range map[*string]string{&o.Filter: DefaultFilter, &o.Account: "sAMAccountName", &o.UPN: "userPrincipalName", &o.SID: "objectSid"} {
		if *field == "" {
			*field = standard
		}
	}
	if err := ldapconn.CheckFilter(o.Filter); err != nil {
		return nil, err
	}
	for _, attribute := range []string{o.Account, o.UPN, o.SID} {
		if err := ldapconn.CheckAttribute(attribute); err != nil {
			return nil, err
		}
	}
	if o.Base == "" {
		return nil, fmt.Errorf("the directory's base is missing")
	}
	if o.MaxFailures <= 0 {
		o.MaxFailures = 3
	}
	if o.Window <= 0 {
		o.Window = 15 * time.Minute
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	domains := make(map[string]ldapconn.Domain, len(o.Domains))
	for name, domain := range o.Domains {
		domains[casefold.String(name)] = domain
	}
	o.Domains = domains
	return &LDAP{o: o, failures: newFailures(o.MaxFailures, o.Window)}, nil
}

// Prove implements [shim.Primary].
func (p *LDAP) Prove(ctx context.Context, l shim.Login) (shim.Proof, error) {
	entry, err := p.find(ctx, l.User)
	if err != nil {
		return shim.Proof{}, err
	}
	subject, otherwise, sid, err := p.identify(entry)
	if err != nil {
		return shim.Proof{}, err
	}
	name := entry.Value(p.o.UPN)
	if !p.failures.begin(entry.DN, p.o.Now()) {
		return shim.Proof{Name: name, Reason: cloud.TooManyTries}, nil
	}
	err = p.o.Directory.Authenticate(ctx, entry.DN, l.Password)
	kind := ldapconn.KindOf(err)
	p.failures.end(entry.DN, err == nil, err != nil && kind == ldapconn.WrongPassword, p.o.Now())
	if err == nil {
		proof := shim.Proof{OK: true, Name: name, Subject: subject, Otherwise: otherwise, SID: sid}
		if p.o.GroupsOf != nil {
			if proof.Groups, err = p.o.GroupsOf(ctx, entry.DN); err != nil {
				return shim.Proof{}, away(ctx, err)
			}
		}
		return proof, nil
	}
	if reason, no := refusals[kind]; no {
		return shim.Proof{Name: name, Reason: reason}, nil
	}
	return shim.Proof{}, away(ctx, err)
}

// Identify implements [shim.Identifier]: it finds the entry and binds nothing.
func (p *LDAP) Identify(ctx context.Context, l shim.Login) (subject, otherwise cloud.Key, err error) {
	entry, err := p.find(ctx, l.User)
	if err != nil {
		return cloud.Key{}, cloud.Key{}, err
	}
	subject, otherwise, _, err = p.identify(entry)
	return subject, otherwise, err
}

// refusals are the directory's ways to say no.
var refusals = map[ldapconn.Kind]cloud.Reason{
	ldapconn.WrongPassword:   cloud.WrongPassword,
	ldapconn.PasswordExpired: shim.PasswordExpired,
	ldapconn.MustChange:      shim.PasswordMustChange,
	ldapconn.Locked:          shim.AccountLocked,
	ldapconn.Disabled:        cloud.UserDisabled,
	ldapconn.AccountExpired:  shim.AccountExpired,
	ldapconn.NotNow:          shim.NotNow,
}

// find returns the one entry that a typed name stands for.
func (p *LDAP) find(ctx context.Context, name string) (ldapconn.Entry, error) {
	q, ok := p.question(name)
	if ok {
		entries, err := p.o.Directory.Search(ctx, ldapconn.Query{Base: p.o.Base,
			Filter:     ldapconn.All(p.o.Filter, ldapconn.Equal(q.attribute, q.value)),
			Attributes: []string{p.o.Account, p.o.UPN, p.o.SID}})
		if err != nil {
			return ldapconn.Entry{}, away(ctx, err)
		}
		found := len(entries)
		entries = slices.DeleteFunc(entries, func(e ldapconn.Entry) bool { return q.domain != nil && !q.domain.Holds(e.DN) })
		switch len(entries) {
		case 0:
			if found > 0 {
				return ldapconn.Entry{}, &cloud.Error{Kind: cloud.NotFound, Message: "the directory has this name, but not in the domain that usernames.domains gives for the word before the backslash"}
			}
		case 1:
			if !q.meets(entries[0]) {
				// The directory folds more than we do: accents, widths, spaces.
				return ldapconn.Entry{}, &cloud.Error{Kind: cloud.NotFound, Message: "the directory has only a name that looks like it"}
			}
			return entries[0], nil
		default:
			return ldapconn.Entry{}, &cloud.Error{Kind: cloud.Conflict, Message: "the name stands for several entries of the directory"}
		}
	}
	message := "the directory has no entry of this name, below base_dn and met by filter"
	if !ok {
		message = "the word before the backslash is no domain of usernames.domains, or nothing is behind it"
	}
	return ldapconn.Entry{}, &cloud.Error{Kind: cloud.NotFound, Message: message}
}

// question asks for the entry that a name stands for.
type question struct {
	attribute, value string
	domain           *ldapconn.Domain // the entry stands in it
}

// question is the way for a typed name. It is not ok where the name stands for
// nobody, whatever the directory holds.
func (p *LDAP) question(name string) (q question, ok bool) {
	if domain, account, found := strings.Cut(name, `\`); found {
		d, ours := p.o.Domains[casefold.String(domain)]
		return question{p.o.Account, account, &d}, ours && account != ""
	}
	if strings.Contains(name, "@") {
		return question{attribute: p.o.UPN, value: name}, true
	}
	return question{attribute: p.o.Account, value: name}, true
}

// meets tells whether the entry has the very value that was asked for, as names
// are compared everywhere: directories find more, such as letters without their
// accents.
func (q question) meets(e ldapconn.Entry) bool {
	for _, value := range e.Values(q.attribute) {
		if casefold.Equal(value, q.value) {
			return true
		}
	}
	return false
}

// identify reads who the entry is: by its security identifier, and where the
// engine has none of it by its user principal name.
func (p *LDAP) identify(e ldapconn.Entry) (subject, otherwise cloud.Key, sid string, err error) {
	if upn := e.Value(p.o.UPN); upn != "" {
		otherwise = cloud.Key{Kind: cloud.ByUPN, Value: upn}
	}
	if raw := e.Bytes(p.o.SID); len(raw) > 0 {
		if sid, err = ldapconn.DecodeSID(raw); err != nil {
			return subject, otherwise, "", &cloud.Error{Kind: cloud.Conflict, Message: "the entry's security identifier cannot be read", Err: err}
		}
		return cloud.Key{Kind: cloud.BySID, Value: sid}, otherwise, sid, nil
	}
	if otherwise.Value == "" {
		return subject, otherwise, "", &cloud.Error{Kind: cloud.NotFound, Message: "the entry has neither a security identifier nor a user principal name"}
	}
	return otherwise, cloud.Key{}, "", nil
}

// away is an error of the directory in the words of the contract.
func away(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return &cloud.Error{Kind: cloud.Unavailable, Message: "the directory did not answer in time", Err: err}
	}
	return &cloud.Error{Kind: cloud.Unavailable, Message: "the directory cannot say", Err: err}
}

// Peopled tells whether the directory shows anybody below the base whom the
// filter meets and who has an attribute that names are looked up in.
func (p *LDAP) Peopled(ctx context.Context) (bool, error) {
	entries, err := p.o.Directory.Search(ctx, ldapconn.Query{Base: p.o.Base, Most: 1, Attributes: []string{"1.1"},
		Filter: ldapconn.All(p.o.Filter, ldapconn.Any([]string{"(" + p.o.Account + "=*)", "(" + p.o.UPN + "=*)"}))})
	if ldapconn.KindOf(err) == ldapconn.TooMuch {
		return true, nil // there are more than one
	}
	return len(entries) > 0, err
}

// Ready implements [shim.Primary]: it reads the base, not more often than
// every few seconds. A caller who gave up says nothing of the directory to
// those who come after.
func (p *LDAP) Ready(ctx context.Context) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if now := p.o.Now(); p.looked.IsZero() || now.Sub(p.looked) >= healthy || now.Before(p.looked) {
		given := ctx.Err() // it had no time left before anybody was asked
		_, err := p.o.Directory.Search(ctx, ldapconn.Query{Base: p.o.Base, BaseOnly: true, Filter: "(objectClass=*)", Attributes: []string{"1.1"}})
		if err != nil && (given != nil || errors.Is(ctx.Err(), context.Canceled)) {
			return away(ctx, err)
		}
		if p.looked, p.state = now, nil; err != nil {
			p.state = away(ctx, err)
		}
	}
	return p.state
}
