package pskc

import (
	"math"
	"strconv"
	"strings"

	"mfabridge/internal/secret"
)

// keyPackage reads a KeyPackage (RFC 6030 §4), in drafts a Device.
func (c *container) keyPackage(n *node) error {
	info := c.one(n, "DeviceInfo", "DeviceId")
	found := false
	for _, child := range n.children {
		if child.space != c.space || child.local != "Key" && (child.local != "Secret" || c.space != spaceDraft4) {
			continue
		}
		found = true
		if err := c.add(info, child); err != nil {
			return err
		}
	}
	if !found {
		k := Key{Line: n.line, Problem: "its package holds no key"}
		c.device(&k, info)
		c.keys = append(c.keys, k)
	}
	return nil
}

// add reads one key. What opens is opened and verified even where the key is of
// no use, so that a wrong key shows whatever the file holds.
func (c *container) add(info, n *node) error {
	if len(c.keys) == MaxKeys {
		return n.errorAt("there are more than %d keys", MaxKeys)
	}
	k := Key{Line: n.line}
	c.device(&k, info)
	if k.ID = n.attr("Id", "KeyId", "SecretId"); len(k.ID) > MaxField {
		return n.errorAt("the identifier of a key has more than %d bytes", MaxField)
	}
	k.Issuer = c.text(n, "Issuer")
	if user := c.text(n, "UserId"); user != "" {
		k.UserID = user
	}
	k.note(c.kind(&k, n))
	k.note(c.parameters(&k, n))
	plain, err := c.data(&k, n)
	if err != nil {
		return err
	}
	k.note(c.policy(&k, n))
	k.note(c.validity(&k, n))
	if c.err != nil {
		clear(plain)
		return c.err
	}
	if k.Problem != "" {
		clear(plain)
	} else {
		k.Secret = secret.New(plain)
	}
	c.keys = append(c.keys, k)
	return nil
}

// note keeps the first problem.
func (k *Key) note(problem string) {
	if k.Problem == "" {
		k.Problem = problem
	}
}

func (c *container) device(k *Key, info *node) {
	k.Serial = c.text(info, "SerialNo")
	k.Manufacturer = c.text(info, "Manufacturer")
	k.Model = c.text(info, "Model")
	k.UserID = c.text(info, "UserId")
	k.note(c.validity(k, info))
}

// kind reads the algorithm profile: of RFC 6030 §10 and its registry, or as a
// draft wrote it.
func (c *container) kind(k *Key, n *node) string {
	name := n.attr("Algorithm", "KeyAlgorithm", "SecretAlgorithm")
	switch strings.ToLower(name) {
	case spacePSKC + ":totp", spacePSKC + "#totp", "http://www.ietf.org/keyprov/pskc#totp", "totp":
		return ""
	case spacePSKC + ":hotp", spacePSKC + "#hotp", "http://www.ietf.org/keyprov/pskc#hotp", "hotp":
		k.HOTP = true
		return ""
	case "":
		return "nothing says what algorithm it is for"
	}
	return "its algorithm " + quote(name) + " is neither TOTP nor HOTP"
}

// parameters reads AlgorithmParameters (RFC 6030 §4.3.4), in drafts Usage.
func (c *container) parameters(k *Key, n *node) string {
	p := c.one(n, "AlgorithmParameters", "Usage")
	suite := c.text(p, "Suite")
	hash, ok := hashName(suite)
	k.Algorithm = hash
	format := c.one(p, "ResponseFormat")
	length := format.attr("Length", "length")
	encoding := format.attr("Encoding", "Format", "format")
	switch {
	case !ok:
		return "its suite " + quote(suite) + " is none of HMAC-SHA1, HMAC-SHA256 and HMAC-SHA512"
	case encoding != "" && !strings.EqualFold(encoding, "DECIMAL"):
		return "its codes are " + quote(encoding) + ", not decimal"
	case !isFalse(format.attr("CheckDigits", "CheckDigit")):
		return "its codes carry a check digit"
	case length == "":
		return ""
	}
	digits, err := strconv.Atoi(length)
	if err != nil || digits < 1 || digits > 10 {
		return "the length of its codes is not a number from 1 to 10"
	}
	k.Digits = digits
	return ""
}

// hashName reads a Suite; an empty one is the hash of RFC 4226.
func hashName(suite string) (string, bool) {
	if _, fragment, ok := strings.Cut(suite, "#"); ok {
		suite = fragment
	}
	s := strings.NewReplacer("-", "", "_", "").Replace(strings.ToUpper(suite))
	switch strings.TrimPrefix(s, "HMAC") {
	case "", "SHA1":
		return "SHA1", s != "HMAC"
	case "SHA256":
		return "SHA256", true
	case "SHA512":
		return "SHA512", true
	}
	return "", false
}

// data reads the values. The secret comes back as such, not in k.
func (c *container) data(k *Key, n *node) ([]byte, error) {
	elements := c.dataElements(n)
	plain, err := c.octets(k, elements.secret)
	if err != nil {
		return nil, err
	}
	counter, err := c.number(k, elements.counter, "counter", 0, math.MaxInt64)
	k.Counter = uint64(counter)
	if err != nil {
		return plain, err
	}
	interval, err := c.number(k, elements.interval, "interval", 1, math.MaxInt32)
	k.Interval = int(interval)
	if err != nil {
		return plain, err
	}
	drift, err := c.number(k, elements.drift, "drift", math.MinInt32, math.MaxUint32)
	k.Drift = int(int32(drift)) // libpskc writes a negative xs:int without its sign
	return plain, err
}

// dataElements are the values of a key.
type dataElements struct{ secret, counter, interval, drift *node }

// dataElements finds them: within one Data by their own names (RFC 6030 §4.1),
// in early drafts as one Data each, named by an attribute.
func (c *container) dataElements(n *node) dataElements {
	var e dataElements
	named := false
	for _, d := range n.children {
		name := strings.ToUpper(d.attr("Name"))
		if d.local != "Data" || d.space != c.space || name == "" {
			continue
		}
		named = true
		to := map[string]**node{"SECRET": &e.secret, "COUNTER": &e.counter, "TIME_INTERVAL": &e.interval}[name]
		if to == nil {
			continue
		}
		if *to != nil {
			c.fail(d.errorAt("there is a second %s in one key", name))
		}
		*to = d
	}
	if named {
		return e
	}
	d := c.one(n, "Data")
	return dataElements{c.one(d, "Secret"), c.one(d, "Counter"), c.one(d, "TimeInterval"), c.one(d, "TimeDrift")}
}

func isFalse(s string) bool { return s == "" || s == "0" || strings.EqualFold(s, "false") }
