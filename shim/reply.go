package shim

import (
	"context"
	"fmt"
	"maps"
	"slices"

	"mfabridge/cloud"
	"mfabridge/shim/config"
	"mfabridge/shim/dictionary"
	"mfabridge/shim/radius"
)

// replying is a primary with a client's reply rules applied to what it proves.
type replying struct {
	Primary
	rules config.ReplyRules
}

// Prove implements [Primary].
func (r replying) Prove(ctx context.Context, l Login) (Proof, error) {
	proof, err := r.Primary.Prove(ctx, l)
	if err != nil || !proof.OK {
		return proof, err
	}
	if proof.Reply, err = compose(r.rules, proof.Reply, proof.Groups); err != nil {
		return Proof{}, err
	}
	proof.Hidden = slices.DeleteFunc(proof.Hidden, func(h Hidden) bool { return !passes(r.rules, h) })
	return proof, nil
}

// passes tells whether the client may hear of a hidden attribute.
func passes(rules config.ReplyRules, h Hidden) bool { return rules.PassAll || rules.Pass[h.key()] }

// key is what a rule names it by.
func (h Hidden) key() dictionary.Key {
	if h.Type == radius.VendorSpecific {
		return dictionary.Key{Vendor: h.Vendor, Number: h.Kind}
	}
	return dictionary.Key{Number: uint8(h.Type)}
}

// relaying is a relayer with a client's reply rules applied.
type relaying struct {
	Relayer
	rules config.ReplyRules
}

// Relay implements [Relayer].
func (r relaying) Relay(ctx context.Context, what Relayed) (Answer, error) {
	answer, err := r.Relayer.Relay(ctx, what)
	if err != nil || !answer.OK {
		return answer, err
	}
	answer.Reply, err = compose(r.rules, answer.Reply, answer.Groups)
	// The keys are the protocol's own: without them it would end in nothing.
	answer.Hidden = slices.DeleteFunc(answer.Hidden, func(h Hidden) bool { return h.Type == radius.TunnelPassword && !passes(r.rules, h) })
	return answer, err
}

// compose is what a client is told of a person: what the primary says of them
// as far as it may pass, but for attributes that a rule sets; what holds for
// everybody, but for attributes that a group sets; and that of all their
// groups. Equal attributes stand there once.
func compose(rules config.ReplyRules, passed []byte, groups []string) ([]byte, error) {
	mine := make(map[string]bool)
	for _, g := range groups {
		if key := config.GroupKey(g); rules.Groups[key] != nil {
			mine[key] = true
		}
	}
	if rules.PassAll && len(mine) == 0 && len(rules.Static) == 0 {
		return passed, nil
	}
	c := composition{seen: make(map[string]bool), set: make(map[dictionary.Key]bool)}
	for _, name := range slices.Sorted(maps.Keys(mine)) {
		if err := c.add(rules.Groups[name], func([]dictionary.Key, bool) bool { return true }); err != nil {
			return nil, err
		}
	}
	c.settle()
	if err := c.add(rules.Static, c.free); err != nil {
		return nil, err
	}
	c.settle()
	mayPass := func(keys []dictionary.Key, known bool) bool {
		named := known && !slices.ContainsFunc(keys, func(k dictionary.Key) bool { return !rules.Pass[k] })
		return (rules.PassAll || named) && c.free(keys, known)
	}
	if err := c.add(passed, mayPass); err != nil {
		return nil, err
	}
	if len(c.out) > radius.MaxLength {
		return nil, &cloud.Error{Kind: cloud.Invalid, Message: fmt.Sprintf("attributes of a reply have %d octets", len(c.out))}
	}
	return c.out, nil
}

// composition is a reply in the making, from the strongest source of attributes
// to the weakest.
type composition struct {
	out  []byte
	seen map[string]bool         // attributes that are in out
	set  map[dictionary.Key]bool // what stronger sources have set, and weaker ones leave alone
}

// add adds those attributes of a source that may be there. known is false for
// one of which the dictionary cannot tell the keys.
func (c *composition) add(attributes []byte, may func(keys []dictionary.Key, known bool) bool) error {
	for rest := attributes; len(rest) > 0; rest = rest[rest[1]:] {
		if len(rest) < 2 || rest[1] < 2 || int(rest[1]) > len(rest) {
			return &cloud.Error{Kind: cloud.Invalid, Message: "attributes of a reply are malformed"}
		}
		one := rest[:rest[1]]
		if keys, known := dictionary.Keys(one[0], one[2:]); may(keys, known) && !c.seen[string(one)] {
			c.seen[string(one)] = true
			c.out = append(c.out, one...)
		}
	}
	return nil
}

// free tells whether no stronger source has set any of these.
func (c *composition) free(keys []dictionary.Key, _ bool) bool {
	return !slices.ContainsFunc(keys, func(k dictionary.Key) bool { return c.set[k] })
}

// settle ends what sources of one strength say: what is there now is set.
func (c *composition) settle() {
	for rest := c.out; len(rest) > 0; rest = rest[rest[1]:] {
		keys, _ := dictionary.Keys(rest[0], rest[2:rest[1]])
		for _, k := range keys {
			c.set[k] = true
		}
	}
}
