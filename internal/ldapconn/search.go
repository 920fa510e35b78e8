package ldapconn

import (
	"context"
	"fmt"
	"strings"

	"github.com/go-ldap/ldap/v3"
)

// Query is a search of a whole subtree. Filter is RFC 4515; values in it come
// through [Equal] or [EqualBytes], never by pasting.
type Query struct {
	Base       string
	Filter     string
	Attributes []string
	BaseOnly   bool // the entry at Base alone
	Most       int  // more entries than these are TooMuch; 0: as Config says
}

// Entry is what was found. Attribute names are compared without case.
type Entry struct {
	DN    string
	entry *ldap.Entry
}

// Values returns an attribute's values; none: it is not there, or may not be
// read.
func (e Entry) Values(attribute string) []string {
	return e.entry.GetEqualFoldAttributeValues(attribute)
}

// Value returns an attribute's first value, or "".
func (e Entry) Value(attribute string) string { return e.entry.GetEqualFoldAttributeValue(attribute) }

// Bytes returns an attribute's first value as it came; empty: there is none.
func (e Entry) Bytes(attribute string) []byte {
	return e.entry.GetEqualFoldRawAttributeValue(attribute)
}

// Equal is the filter (attribute=value), with value escaped.
func Equal(attribute, value string) string {
	return "(" + attribute + "=" + ldap.EscapeFilter(value) + ")"
}

// EqualBytes is [Equal] for a binary value.
func EqualBytes(attribute string, value []byte) string {
	var b strings.Builder
	b.WriteString("(" + attribute + "=")
	for _, c := range value {
		fmt.Fprintf(&b, `\%02x`, c)
	}
	return b.String() + ")"
}

// Any is the filter that holds where one of filters does.
func Any(filters []string) string { return "(|" + strings.Join(filters, "") + ")" }

// All is the filter that holds where all of filters do.
func All(filters ...string) string { return "(&" + strings.Join(filters, "") + ")" }

// Search returns all entries that the query finds, page by page, or an error
// and none: see the package's promises.
func (c *Client) Search(ctx context.Context, q Query) ([]Entry, error) {
	var found []Entry
	err := c.use(ctx, &c.searcher, c.mayBind, func(l *link) error { return c.bind(ctx, l) }, func(l *link) error {
		var err error
		found, err = c.pages(ctx, l, q)
		return err
	})
	if err != nil {
		return nil, err
	}
	return found, nil
}

// pages reads one answer on one connection: the cookie between two pages means
// nothing on another.
func (c *Client) pages(ctx context.Context, l *link, q Query) ([]Entry, error) {
	scope := ldap.ScopeWholeSubtree
	if q.BaseOnly {
		scope = ldap.ScopeBaseObject
	}
	paging := ldap.NewControlPaging(uint32(c.cfg.Page))
	var found []Entry
	for pages := 0; ; pages++ {
		result, err := l.Search(ldap.NewSearchRequest(q.Base, scope, ldap.NeverDerefAliases,
			q.Most, int(c.cfg.Timeout.Seconds())+1, false, q.Filter, q.Attributes, []ldap.Control{paging}))
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		if err != nil {
			return nil, classify(l.server, err)
		}
		for _, e := range result.Entries {
			found = append(found, Entry{DN: e.DN, entry: e})
		}
		if len(found) > c.cfg.Entries || pages > c.cfg.Entries { // pages may be empty
			return nil, &Error{Kind: TooMuch, Server: l.server.address, Message: fmt.Sprintf("the search finds more than %d entries", c.cfg.Entries)}
		}
		next, _ := ldap.FindControl(result.Controls, ldap.ControlTypePaging).(*ldap.ControlPaging)
		if next == nil || len(next.Cookie) == 0 {
			return found, nil
		}
		paging.SetCookie(next.Cookie)
	}
}
