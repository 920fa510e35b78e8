package ldapconn

import (
	"context"
	"fmt"
	"strings"
)

// Limits of nesting; a directory beyond them is refused, not cut off.
const (
	maxGroups  = 5000
	maxNesting = 64
	groupBatch = 40 // names in one filter
)

// Groups says how groups stand in a directory. Empty fields: group and member,
// as in Active Directory; OpenLDAP has groupOfNames and member.
type Groups struct {
	Base   string
	Class  string
	Member string
}

// Of returns the distinguished names of all groups that the entry dn is in,
// directly or through other groups, each once; groups that contain each other
// end it no less. It asks level by level, since only Active Directory has a
// rule that does it (1.2.840.113556.1.4.1941), and that one is slow there.
//
// The primary group of Active Directory (mostly Domain Users) is not a member
// relation, and is not among them.
func (g Groups) Of(ctx context.Context, c *Client, dn string) ([]string, error) {
	class, member := g.Class, g.Member
	if class == "" {
		class = "group"
	}
	if member == "" {
		member = "member"
	}
	var all []string
	seen := map[string]bool{}
	level := []string{dn}
	for depth := 0; len(level) > 0; depth++ {
		if depth == maxNesting {
			return nil, &Error{Kind: TooMuch, Message: fmt.Sprintf("groups are nested more than %d deep", maxNesting)}
		}
		var next []string
		for len(level) > 0 {
			part := level[:min(len(level), groupBatch)]
			level = level[len(part):]
			filters := make([]string, len(part))
			for i, name := range part {
				filters[i] = Equal(member, name)
			}
			found, err := c.Search(ctx, Query{Base: g.Base, Filter: All(Equal("objectClass", class), Any(filters)), Attributes: []string{"1.1"}})
			if err != nil {
				return nil, err
			}
			for _, e := range found {
				if key := strings.ToLower(e.DN); !seen[key] {
					seen[key] = true
					next = append(next, e.DN)
				}
			}
		}
		if all = append(all, next...); len(all) > maxGroups {
			return nil, &Error{Kind: TooMuch, Message: fmt.Sprintf("an entry is in more than %d groups", maxGroups)}
		}
		level = next
	}
	return all, nil
}
