package ldapdir

import (
	"bytes"
	"context"
	"strings"
	"time"

	"mfabridge/cloud"
	"mfabridge/internal/casefold"
	"mfabridge/internal/hint"
	"mfabridge/internal/ldapconn"
	"mfabridge/migrate"
)

// batch is how many keys one filter asks for: Active Directory and slapd take
// far more, and answers stay well below their size limits.
const batch = 40

// Searcher finds entries; *ldapconn.Client is one.
type Searcher interface {
	Search(ctx context.Context, q ldapconn.Query) ([]ldapconn.Entry, error)
}

// Directory is a [migrate.People].
type Directory struct {
	searcher Searcher
	cfg      Config
}

// New returns a Directory, or says what is wrong with cfg. Nothing is asked yet.
func New(s Searcher, cfg Config) (*Directory, error) {
	if cfg.Filter == "" {
		cfg.Filter = DefaultFilter
	}
	if cfg.Attributes == (Attributes{}) {
		cfg.Attributes = ActiveDirectory()
	}
	if err := cfg.check(); err != nil {
		return nil, err
	}
	return &Directory{searcher: s, cfg: cfg}, nil
}

// Lookup implements [migrate.People].
func (d *Directory) Lookup(ctx context.Context, keys []migrate.PersonKey) ([]migrate.PersonHits, error) {
	hits := make([]migrate.PersonHits, len(keys))
	for first := 0; first < len(keys); first += batch {
		last := min(first+batch, len(keys))
		if err := d.ask(ctx, keys[first:last], hits[first:last]); err != nil {
			return nil, err
		}
	}
	return hits, nil
}

// ask fills in the hits of keys that fit into one filter.
func (d *Directory) ask(ctx context.Context, keys []migrate.PersonKey, hits []migrate.PersonHits) error {
	var filters []string
	questions := make([]question, len(keys))
	for i, k := range keys {
		questions[i] = d.question(k)
		hits[i].Attribute = questions[i].attribute
		if f := questions[i].filter(); f != "" {
			filters = append(filters, f)
		}
	}
	if len(filters) == 0 {
		return nil
	}
	entries, err := d.searcher.Search(ctx, ldapconn.Query{Base: d.cfg.Base,
		Filter: ldapconn.All(d.cfg.Filter, ldapconn.Any(filters)), Attributes: d.cfg.attributes()})
	if err != nil {
		return domainError(ctx, err)
	}
	for _, e := range entries {
		var person *migrate.Person
		for i, q := range questions {
			if !q.meets(e) {
				continue
			}
			if person == nil {
				if person, err = d.person(e); err != nil {
					return err
				}
			}
			hit := *person
			if q.domain != nil {
				hit.Domain = keys[i].Domain // one domain may have several names
			}
			hits[i].People = append(hits[i].People, hit)
		}
	}
	return nil
}

// question is one key in the directory's terms.
type question struct {
	attribute string
	text      string
	sid       []byte
	domain    *ldapconn.Domain // entries outside it are somebody else
}

func (d *Directory) question(k migrate.PersonKey) question {
	var q question
	switch a := d.cfg.Attributes; k.Kind {
	case migrate.PersonByAccount:
		q = question{attribute: a.Account, text: k.Value}
		for name, domain := range d.cfg.Domains {
			if k.Domain != "" && same(name, k.Domain) {
				q.domain = &domain
			}
		}
	case migrate.PersonByUPN:
		q = question{attribute: a.UPN, text: k.Value}
	case migrate.PersonByMail:
		q = question{attribute: a.Mail, text: k.Value}
	case migrate.PersonBySID:
		if q.sid, _ = ldapconn.EncodeSID(k.Value); q.sid != nil {
			q.attribute = a.SID
		}
	}
	return q
}

func (q question) filter() string {
	switch {
	case q.attribute == "":
		return ""
	case q.sid != nil:
		return ldapconn.EqualBytes(q.attribute, q.sid)
	default:
		return ldapconn.Equal(q.attribute, q.text)
	}
}

// meets tells whether the entry has the very value that was asked for.
func (q question) meets(e ldapconn.Entry) bool {
	switch {
	case q.attribute == "" || q.domain != nil && !q.domain.Holds(e.DN):
		return false
	case q.sid != nil:
		return bytes.Equal(q.sid, e.Bytes(q.attribute))
	}
	for _, value := range e.Values(q.attribute) {
		if same(value, q.text) {
			return true
		}
	}
	return false
}

// same compares names as all of the product does. Spaces count.
func same(a, b string) bool { return casefold.Equal(a, b) }

// person is what a plan uses of an entry.
func (d *Directory) person(e ldapconn.Entry) (*migrate.Person, error) {
	a := d.cfg.Attributes
	p := &migrate.Person{ID: strings.ToLower(e.DN)}
	for name, domain := range d.cfg.Domains {
		if domain.Holds(e.DN) && (p.Domain == "" || name < p.Domain) {
			p.Domain = name
		}
	}
	if names := e.Values(a.Account); a.Account != "" && len(names) == 1 {
		p.Account = names[0]
	}
	if names := e.Values(a.Cloud); len(names) == 1 { // of several nobody knows which the cloud has
		p.Name = names[0]
	}
	if b := e.Bytes(a.SID); a.SID != "" && len(b) > 0 {
		sid, err := ldapconn.DecodeSID(b)
		if err != nil {
			return nil, &cloud.Error{Kind: cloud.Invalid, Message: "an entry of the directory has a " + a.SID + " that is none", Err: err}
		}
		p.SID = sid
	}
	for _, attribute := range d.cfg.Phones {
		p.Phones = append(p.Phones, e.Values(attribute)...)
	}
	if a.Changed != "" {
		p.Changed = generalizedTime(e.Value(a.Changed))
	}
	return p, nil
}

// generalizedTime reads a time of RFC 4517, 3.3.13, in the forms that servers
// write; zero: it is none.
func generalizedTime(s string) time.Time {
	for _, layout := range []string{"20060102150405Z0700", "20060102150405.999999999Z0700"} {
		if t, err := time.Parse(layout, s); err == nil {
			return t.UTC()
		}
	}
	return time.Time{}
}

// adviceOn is what to do about a failure of the directory; empty: nothing is
// known.
func adviceOn(kind ldapconn.Kind) string {
	switch kind {
	case ldapconn.Unavailable:
		return "see that a server of --ldap can be reached and run it again; several may be named"
	case ldapconn.Untrusted:
		return "name the certificate of the directory's authority with --ldap-ca, and the server as its certificate does"
	case ldapconn.Denied:
		return "check --ldap-bind and --ldap-password, and that this account may read the people below --ldap-base"
	case ldapconn.TooMuch:
		return "raise the server's size limit for this account, or narrow --ldap-base or --ldap-filter"
	case ldapconn.Elsewhere:
		return "name a server that holds --ldap-base itself, or a global catalog (port 3269)"
	case ldapconn.Missing:
		return "correct --ldap-base"
	}
	return ""
}

// domainError says in the contract's words what went wrong.
func domainError(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	kind := ldapconn.KindOf(err)
	out := &cloud.Error{Kind: cloud.Invalid, Message: "the directory gave no answer", Err: err}
	switch kind {
	case ldapconn.Unavailable:
		out.Kind = cloud.Unavailable
	case ldapconn.Untrusted, ldapconn.Denied:
		out.Kind = cloud.Denied
	case ldapconn.Missing:
		out.Kind = cloud.NotFound
	}
	if advice := adviceOn(kind); advice != "" {
		return hint.Wrap(out, advice)
	}
	return out
}
