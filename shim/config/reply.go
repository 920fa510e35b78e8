package config

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"mfabridge/cloud/firstfactor"
	"mfabridge/internal/ldapconn"
	"mfabridge/shim/dictionary"
)

// Reply says what Access-Accept tells a client of the person, besides yes.
type Reply struct {
	// Pass: all (default), none, or names of attributes: what a primary of type
	// radius says that the client gets to hear.
	Pass any `yaml:"pass"`

	// Groups are attributes for the members of groups, by the group's
	// distinguished name with a primary of type ldap, by its name with
	// primary: engine. A member of several gets the attributes of all.
	Groups map[string]map[string]any `yaml:"groups"`

	// Static are attributes for everybody.
	Static map[string]any `yaml:"static"`

	// Rules is what the keys above say, understood.
	Rules ReplyRules `yaml:"-"`
}

// ReplyRules are reply rules in the form of packets.
type ReplyRules struct {
	PassAll bool
	Pass    map[dictionary.Key]bool // if not PassAll
	Groups  map[string][]byte       // by the group's name as GroupKey folds it
	Static  []byte
}

// GroupKey is a group's name as reply rules compare it: a distinguished name
// without its spellings, else the name without case.
func GroupKey(name string) string {
	if folded, err := ldapconn.FoldName(name); err == nil {
		return folded
	}
	return strings.ToLower(name)
}

// reply understands a client's reply rules.
func (k *check) reply(c *Client, at string) {
	if c.Reply == nil {
		c.Reply = new(Reply)
	}
	at += ": reply"
	r := c.Reply
	k.pass(r, at)
	r.Rules.Static = k.attributes(r.Static, at+".static")
	r.Rules.Groups = make(map[string][]byte, len(r.Groups))
	primary := k.Primaries[c.Primary]
	switch {
	case len(r.Groups) == 0:
	case c.Primary != Native && (primary == nil || primary.Type != firstfactor.TypeLDAP):
		k.Refuse("remove them, or let a primary of type ldap or the engine check the password", "%s.groups: primary %s knows no groups", at, c.Primary)
	}
	for _, name := range slices.Sorted(maps.Keys(r.Groups)) {
		here := fmt.Sprintf("%s.groups.%s", at, name)
		if _, err := ldapconn.FoldName(name); err != nil && primary != nil && primary.Type == firstfactor.TypeLDAP {
			k.Refuse(`write the whole name, e.g. "CN=VPN,OU=Groups,DC=corp,DC=example": short names are not unique in a directory; a + or a comma inside a name has a backslash before it, and then the whole is in single quotes`, "%s is not a distinguished name", here)
		}
		key := GroupKey(name)
		if _, twice := r.Rules.Groups[key]; twice {
			k.Refuse("remove one of them", "%s stands there twice", here)
		}
		r.Rules.Groups[key] = k.attributes(r.Groups[name], here)
		if primary != nil && primary.Type == firstfactor.TypeLDAP {
			primary.WantGroups = true
		}
	}
}

// pass understands what is passed on.
func (k *check) pass(r *Reply, at string) {
	names, list := r.Pass.([]any)
	switch word, _ := r.Pass.(string); {
	case r.Pass == nil || word == "all":
		r.Rules.PassAll = true
	case word == "none":
	case !list:
		k.Refuse("write pass: all, pass: none, or pass: [Class, Filter-Id]", "%s.pass: %v is not understood", at, r.Pass)
	}
	r.Rules.Pass = make(map[dictionary.Key]bool, len(names))
	for _, n := range names {
		a, err := dictionary.Lookup(fmt.Sprint(n))
		if err != nil {
			k.unknown(err, at+".pass")
			continue
		}
		r.Rules.Pass[a.Key] = true
	}
}

func (k *check) unknown(err error, at string) {
	k.Refuse("docs/shim.md lists the attributes; one of another vendor is Vendor-NUMBER-NUMBER", "%s: %v", at, err)
}

// maxReply is how much of a reply rules may fill, in octets: the rest of a
// packet is for what passes, and it has to fit into a challenge's context.
const maxReply = 2048

// attributes encodes names and values; a value may be a list.
func (k *check) attributes(values map[string]any, at string) []byte {
	var out []byte
	for _, name := range slices.Sorted(maps.Keys(values)) {
		a, err := dictionary.Lookup(name)
		if err != nil {
			k.unknown(err, at)
			continue
		}
		list, ok := values[name].([]any)
		if !ok {
			list = []any{values[name]}
		}
		for _, v := range list {
			switch v.(type) {
			case string, int, int64, uint64:
				out, err = a.Append(out, fmt.Sprint(v))
			default:
				err = fmt.Errorf("%s: a value is a text or a number", name)
			}
			if err != nil {
				k.Refuse("correct the value", "%s: %v", at, err)
			}
		}
	}
	if len(out) > maxReply {
		k.Refuse("say less", "%s: these are %d octets, more than %d", at, len(out), maxReply)
	}
	return out
}
