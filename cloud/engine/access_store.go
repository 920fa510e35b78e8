package engine

import (
	"context"
	"encoding/json"
	"fmt"
	"net/netip"
	"slices"
	"time"

	"github.com/google/uuid"

	"mfabridge/cloud"
	"mfabridge/cloud/engine/access"
	"mfabridge/cloud/engine/tries"
)

// Names of Meta values of access. The version stands beside the list of
// networks, which is large and is read once for each.
const (
	metaAccess          = "access-rules"
	metaNetworks        = "access-networks"
	metaNetworksVersion = "access-networks-version"
)

// Limits on rules of access.
const (
	maxAccessRules = 200
	maxAccessRule  = 40 << 10 // bytes of one as JSON: an entry of the audit holds it, and a line of an export that
)

// AccessRules are the rules of access, in their order.
func (e *Engine) AccessRules(ctx context.Context) (rules []access.Rule, err error) {
	err = e.store.View(ctx, func(r Reader) error {
		rules, err = accessRules(r)
		return err
	})
	return rules, asError(err)
}

func accessRules(r Reader) ([]access.Rule, error) {
	value, err := r.Meta(metaAccess)
	if err != nil {
		return nil, err
	}
	return access.Parse(value)
}

// SetAccessRule adds a rule behind the others, or puts it in the place of the
// one of its name. Groups are given by id or name, users and applications by id.
func (e *Engine) SetAccessRule(ctx context.Context, by Actor, rule access.Rule) error {
	if err := rule.Check(); err != nil {
		return err
	}
	return e.changeAccess(ctx, by, "access.set", rule.Name, func(tx Tx, rules []access.Rule) ([]access.Rule, error) {
		set := rule // fn may run twice
		var err error
		if text, err := json.Marshal(set); err != nil || len(text) > maxAccessRule {
			return nil, refuse(cloud.Invalid, fmt.Sprintf("a rule must be at most %d bytes as JSON: name a group in place of its users, or make two rules", maxAccessRule))
		}
		if set.Groups, err = groupIDs(tx, rule.Groups); err != nil {
			return nil, err
		}
		if set.NotGroups, err = groupIDs(tx, rule.NotGroups); err != nil {
			return nil, err
		}
		for _, id := range slices.Concat(set.Users, set.NotUsers) {
			u, err := tx.User(id)
			if err == nil && u == nil {
				err = refuse(cloud.NotFound, "a user that the rule names does not exist")
			}
			if err != nil {
				return nil, err
			}
		}
		for _, id := range slices.Concat(set.Apps, set.NotApps) {
			a, err := readNativeApp(tx, id)
			if err == nil && a == nil {
				err = refuse(cloud.NotFound, "an application that the rule names does not exist")
			}
			if err != nil {
				return nil, err
			}
		}
		at := slices.IndexFunc(rules, func(r access.Rule) bool { return r.Name == rule.Name })
		if at < 0 {
			return append(rules, set), nil
		}
		rules[at] = set
		return rules, nil
	})
}

// RemoveAccessRule takes a rule away.
func (e *Engine) RemoveAccessRule(ctx context.Context, by Actor, name string) error {
	return e.changeAccess(ctx, by, "access.remove", name, func(_ Tx, rules []access.Rule) ([]access.Rule, error) {
		at := slices.IndexFunc(rules, func(r access.Rule) bool { return r.Name == name })
		if at < 0 {
			return nil, refuse(cloud.NotFound, "there is no such rule")
		}
		return slices.Delete(rules, at, at+1), nil
	})
}

// changeAccess changes the rule of a name. What it is now, or was before it was
// removed, stands in the audit, all of it: nobody hides a change behind a long list.
func (e *Engine) changeAccess(ctx context.Context, by Actor, action, name string, edit func(Tx, []access.Rule) ([]access.Rule, error)) error {
	if err := by.check(); err != nil {
		return err
	}
	return asError(e.store.Update(ctx, func(tx Tx) error {
		rules, err := accessRules(tx)
		if err != nil {
			return err
		}
		of := ruleNamed(rules, name)
		if rules, err = edit(tx, rules); err != nil {
			return err
		}
		if now := ruleNamed(rules, name); now.Name != "" { // else the one that was removed
			of = now
		}
		said, err := json.Marshal(of)
		if err != nil {
			return fmt.Errorf("a rule of access cannot be written: %w", err)
		}
		if len(rules) > maxAccessRules {
			return refuse(cloud.Invalid, fmt.Sprintf("there can be at most %d rules", maxAccessRules))
		}
		value, err := json.Marshal(slices.Grow(rules, 1)) // "[]", not "null": none is something else than not set
		if err != nil {
			return fmt.Errorf("the rules of access cannot be written: %w", err)
		}
		if err := tx.SetMeta(metaAccess, value); err != nil {
			return err
		}
		return tx.Append(e.entry(by, action, name, string(said), e.now()))
	}))
}

// ruleNamed is the rule of a name; the zero rule: there is none.
func ruleNamed(rules []access.Rule, name string) access.Rule {
	if at := slices.IndexFunc(rules, func(r access.Rule) bool { return r.Name == name }); at >= 0 {
		return rules[at]
	}
	return access.Rule{}
}

// SetNetworks replaces the operator's list of which network is in which
// country, and tells how many ranges it came to.
func (e *Engine) SetNetworks(ctx context.Context, by Actor, list []access.Network) (ranges int, err error) {
	if err := by.check(); err != nil {
		return 0, err
	}
	found, err := access.CompileCountries(list)
	if err != nil {
		return 0, err
	}
	value := found.Encode()
	return len(found), asError(e.store.Update(ctx, func(tx Tx) error {
		if err := tx.SetMeta(metaNetworks, value); err != nil {
			return err
		}
		if err := tx.SetMeta(metaNetworksVersion, []byte(uuid.NewString())); err != nil {
			return err
		}
		return tx.Append(e.entry(by, "access.networks", "", fmt.Sprintf("networks=%d ranges=%d", len(list), len(found)), e.now()))
	}))
}

// networksRead are the networks as they were read, and their version.
type networksRead struct {
	version string
	ranges  access.Countries
}

// country is where an address is, by the operator's list.
func (e *Engine) country(r Reader, a netip.Addr) (string, error) {
	version, err := r.Meta(metaNetworksVersion)
	if err != nil {
		return "", err
	}
	known := e.networks.Load()
	if known == nil || known.version != string(version) {
		value, err := r.Meta(metaNetworks)
		if err != nil {
			return "", err
		}
		ranges, err := access.DecodeCountries(value)
		if err != nil {
			return "", err
		}
		known = &networksRead{version: string(version), ranges: ranges}
		e.networks.Store(known)
	}
	return known.ranges.Of(a), nil
}

// slipDevice comes before where a user came in from.
const slipDevice = "device/"

// deviceLife is how long a user is remembered to have come in from somewhere.
const deviceLife = 90 * 24 * time.Hour

// deviceSlip names where a user comes from: the network, the IPv4 /24 or IPv6
// /48 around the address, with the software that calls. It is a hint that a
// login is like one before, and no proof. app is where one factor was enough:
// that makes it known to this application and to no other; empty: two were
// proven.
func (e *Engine) deviceSlip(user cloud.UserID, client NativeClient, app string) string {
	a := client.Address.Unmap().WithZone("")
	bits := 48
	if a.Is4() {
		bits = 24
	}
	around, _ := a.Prefix(bits) // the zero Prefix of no address
	return slipDevice + string(user) + "/" + digest(around.String()+"\x00"+client.Agent+"\x00"+app)
}

// NativeClient is who calls in native authentication.
type NativeClient struct {
	Address netip.Addr
	Agent   string // the software, as it says
}

func (c NativeClient) as(app *NativeApp) cloud.Client {
	return cloud.Client{App: app.Name, Address: c.Address}
}

// signs gathers what the rules of access look at.
func (e *Engine) signs(r Reader, user cloud.UserID, app string, client NativeClient) (s access.Signs, err error) {
	s = access.Signs{User: user, App: app, Address: client.Address}
	if s.Country, err = e.country(r, client.Address); err != nil {
		return s, err
	}
	s.NewDevice = true
	for _, app := range []string{"", app} {
		device, err := r.Slip(e.deviceSlip(user, client, app))
		if err != nil {
			return s, err
		}
		s.NewDevice = s.NewDevice && (device == nil || !e.now().Before(device.Until))
	}
	if s.Failures, err = e.failuresOf(r, user, client); err != nil {
		return s, err
	}
	s.Groups, err = groupsAround(r, string(user))
	return s, err
}

// failuresOf is how many failures in a row a user has: wrong passwords from
// anywhere, and wrong codes from where the client is. It looks at a few counts
// only: somebody who guesses from many places makes many.
func (e *Engine) failuresOf(r Reader, user cloud.UserID, client NativeClient) (most int, err error) {
	here := tries.Place(cloud.Client{Address: client.Address})
	for _, c := range []tries.Counter{{Way: wayPassword}, {Way: wayPassword, Place: here}, {Way: string(cloud.SMS), Place: here}, {Way: string(cloud.EmailCode), Place: here},
		{Way: string(cloud.OATHCode)}} {
		c.User = string(user)
		f, err := r.Failures(c)
		if err != nil {
			return 0, err
		}
		most = max(most, e.tries.Current(f, e.now()).Count)
	}
	return most, nil
}

// access is what the rules of this moment ask of a sign-in. failures are those
// from before it: a first factor that was right has ended their count.
func (e *Engine) access(r Reader, user cloud.UserID, app string, client NativeClient, failures int) (access.Verdict, error) {
	rules, err := accessRules(r)
	if err != nil {
		return access.Verdict{}, err
	}
	s, err := e.signs(r, user, app, client)
	if err != nil {
		return access.Verdict{}, err
	}
	s.Failures = max(s.Failures, failures)
	return access.Judge(rules, s), nil
}

// TestAccess is what would be asked of a user who signed in now, and of what
// the rules judge that. edit may change what is known of the sign-in.
func (e *Engine) TestAccess(ctx context.Context, user cloud.UserID, app string, client NativeClient, edit func(*access.Signs)) (s access.Signs, v access.Verdict, err error) {
	err = e.store.View(ctx, func(r Reader) error {
		rules, err := accessRules(r)
		if err != nil {
			return err
		}
		if s, err = e.signs(r, user, app, client); err != nil {
			return err
		}
		if edit != nil {
			edit(&s)
		}
		v = access.Judge(rules, s)
		return nil
	})
	return s, v, asError(err)
}
