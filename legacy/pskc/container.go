package pskc

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"mfabridge/internal/hint"
	"mfabridge/internal/xmlpull"
)

// Namespaces (RFC 6030 §1.3).
const (
	spacePSKC   = "urn:ietf:params:xml:ns:keyprov:pskc"
	spaceDS     = "http://www.w3.org/2000/09/xmldsig#"
	spaceEnc    = "http://www.w3.org/2001/04/xmlenc#"
	spaceEnc11  = "http://www.w3.org/2009/xmlenc11#"
	spacePKCS5  = "http://www.rsasecurity.com/rsalabs/pkcs/schemas/pkcs-5v2-0#"
	spaceDraft1 = "urn:ietf:params:xml:ns:keyprov:pskc:1.0"             // draft-hoyer-keyprov-pskc-algorithm-profiles-01
	spaceDraft2 = "urn:ietf:params:xml:ns:keyprov:container"            // draft-hoyer-keyprov-portable-symmetric-key-container-01
	spaceDraft3 = "urn:ietf:params:xml:ns:keyprov:container:1.0"        // seen in files of one vendor
	spaceDraft4 = "http://www.openauthentication.org/OATH/2006/08/PSKC" // …-container-00
)

// container is a file that is being read.
type container struct {
	space  string // namespace of the root element
	locks  locks
	keys   []Key
	signed bool

	err error // the first that one, part or text met
}

func (c *container) read(r io.Reader) error {
	x := xmlpull.NewReader(r, xmlpull.Options{MaxDepth: MaxDepth, MaxBytes: MaxFile})
	if err := c.root(x); err != nil {
		return err
	}
	for {
		t, err := x.Next()
		switch {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return err
		case t.Kind == xmlpull.Start:
			if err := c.child(x, t); err != nil {
				return err
			}
		}
	}
}

func (c *container) root(x *xmlpull.Reader) error {
	t, err := x.Next()
	if err != nil {
		return err
	}
	c.space = t.Name.Space
	known := t.Name.Local == "KeyContainer" && slices.Contains([]string{spacePSKC, spaceDraft1, spaceDraft2, spaceDraft3}, c.space) ||
		t.Name.Local == "SecretContainer" && c.space == spaceDraft4
	if !known {
		return hint.New(fmt.Sprintf("line %d: the root element is %s in the namespace %s, which is no PSKC container",
			t.Line, quote(t.Name.Local), quote(c.space)), "a PSKC file begins with <KeyContainer xmlns="+`"`+spacePSKC+`">`)
	}
	if c.space == spacePSKC {
		version, _ := t.Get("Version")
		if major, _, _ := strings.Cut(string(version), "."); strings.TrimLeft(major, "0") != "1" {
			return fmt.Errorf("line %d: the container has version %s, and only version 1 is known", t.Line, quote(string(version)))
		}
	}
	return nil
}

// child reads one child of the container.
func (c *container) child(x *xmlpull.Reader, t *xmlpull.Token) error {
	if t.Name.Local == "Signature" && t.Name.Space == spaceDS {
		c.signed = true
		return x.Skip()
	}
	var take func(*node) error
	if t.Name.Space == c.space {
		take = c.taker(t.Name.Local)
	}
	if take == nil {
		return x.Skip() // an extension: RFC 6030 §9 has them passed over
	}
	g := grower{x: x}
	n, err := g.grow(t)
	defer n.wipe()
	if err != nil {
		return err
	}
	if err := take(n); err != nil {
		return err
	}
	return c.err
}

// taker says who reads a child of the container; nil: nobody.
func (c *container) taker(local string) func(*node) error {
	switch local {
	case "EncryptionKey":
		return c.encryptionKey
	case "MACMethod":
		return c.macMethod
	case "EncryptionMethod", "MACAlgorithm", "DigestMethod":
		return c.draftMethod
	case "KeyPackage", "Device":
		return c.keyPackage
	}
	return nil
}

// one returns the only child of one of the names, in the container's own
// namespace, or nil. Two are an error: who can say which is meant?
func (c *container) one(n *node, names ...string) *node {
	return c.only(n, []string{c.space}, names...)
}

// part is one for the elements of XML Encryption and PKCS #5. Writers disagree
// in which of their namespaces some of them are; the names do not overlap.
func (c *container) part(n *node, names ...string) *node {
	return c.only(n, []string{spaceEnc, spaceEnc11, spacePKCS5, spaceDS, c.space, ""}, names...)
}

func (c *container) only(n *node, spaces []string, names ...string) *node {
	var found *node
	if n == nil {
		return nil
	}
	for _, child := range n.children {
		if !slices.Contains(names, child.local) || !slices.Contains(spaces, child.space) {
			continue
		}
		if found != nil {
			c.fail(child.errorAt("there is a second %s in one %s", child.local, n.local))
		}
		found = child
	}
	return found
}

// text is the text of the only child of one of the names.
func (c *container) text(n *node, names ...string) string {
	child := c.one(n, names...)
	b := child.trimmed()
	if len(b) > MaxField {
		c.fail(child.errorAt("%s has more than %d bytes", child.local, MaxField))
		return ""
	}
	return string(b)
}

func (c *container) fail(err error) {
	if c.err == nil {
		c.err = err
	}
}

// quote is for what a message may show: names and identifiers of algorithms.
func quote(s string) string {
	const most = 120
	if len(s) > most {
		s = s[:most] + "…"
	}
	return fmt.Sprintf("%q", s)
}
