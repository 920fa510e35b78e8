package xmlpull

import "strings"

const (
	xmlSpace   = "http://www.w3.org/XML/1998/namespace"
	xmlnsSpace = "http://www.w3.org/2000/xmlns/"

	badName    = "this is not a name of ASCII letters, digits and _ - . with at most one prefix"
	undeclared = "the prefix of a name is not declared"
)

// rawName is a name as it is written.
type rawName struct {
	full, prefix, local string
}

// declares tells whether an attribute of this name declares a namespace, and
// for which prefix.
func (n *rawName) declares() (prefix string, ok bool) {
	if n.prefix == "xmlns" {
		return n.local, true
	}
	return "", n.full == "xmlns"
}

// binding is a declared prefix; "" is the default namespace.
type binding struct {
	prefix, space string
}

var nameByte = func() (t [256]bool) {
	for c := range t {
		t[c] = c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' ||
			c == '_' || c == '-' || c == '.' || c == ':'
	}
	return t
}()

// nameLength is how many bytes at the start of b may belong to a name.
func nameLength(b []byte) int {
	i := 0
	for i < len(b) && nameByte[b[i]] {
		i++
	}
	return i
}

// validName tells whether b, of bytes of names, is a name without a prefix.
func validName(b []byte) bool {
	if len(b) == 0 || len(b) > MaxName {
		return false
	}
	for _, c := range b {
		if c == ':' {
			return false
		}
	}
	c := b[0]
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c == '_'
}

// recentNames is the size of a table in front of that of all names.
const recentNames = 64

// intern returns the one copy of a name, or nil if it is none.
func (r *Reader) intern(b []byte) *rawName {
	if len(b) == 0 {
		return nil
	}
	recent := &r.recent[(len(b)*7+int(b[0])+int(b[len(b)-1])*5+int(b[len(b)/2])*3)%recentNames]
	if n := *recent; n != nil && n.full == string(b) {
		return n
	}
	n := r.named(b)
	*recent = n
	return n
}

// named looks a name up in the table of all, or makes it.
func (r *Reader) named(b []byte) *rawName {
	if n, ok := r.interned[string(b)]; ok {
		return n
	}
	if len(b) > MaxName {
		return nil
	}
	n := &rawName{full: string(b)}
	n.local = n.full
	if prefix, local, ok := strings.Cut(n.full, ":"); ok {
		n.prefix, n.local = prefix, local
		if !validName([]byte(prefix)) {
			return nil
		}
	}
	if !validName([]byte(n.local)) {
		return nil
	}
	if len(r.interned) < MaxInterned {
		r.interned[n.full] = n
	}
	return n
}

// declare takes the namespaces of a start tag into force.
func (r *Reader) declare() error {
	for i := range r.raw {
		a := &r.raw[i]
		prefix, ok := a.name.declares()
		if !ok {
			continue
		}
		space := r.shared(a.value)
		switch {
		case prefix == "xmlns", space == xmlnsSpace, (prefix == "xml") != (space == xmlSpace):
			return r.refuse(a.offset, "the prefixes xml and xmlns cannot be declared anew")
		case prefix != "" && space == "":
			return r.refuse(a.offset, "a prefix is declared for no namespace")
		}
		r.bindings = append(r.bindings, binding{prefix, space})
	}
	return nil
}

// shared returns a URI as the one string that is kept of it.
func (r *Reader) shared(uri []byte) string {
	if s, ok := r.spaces[string(uri)]; ok {
		return s
	}
	s := string(uri)
	if len(r.spaces) < MaxInterned && len(s) <= MaxName {
		r.spaces[s] = s
	}
	return s
}

// Resolve returns the namespace that a prefix stands for in the element whose
// Start Next returned last: for names in values, such as xsi:type. "" asks for
// the default namespace.
func (r *Reader) Resolve(prefix string) (space string, ok bool) {
	for i := len(r.bindings) - 1; i >= 0; i-- {
		if r.bindings[i].prefix == prefix {
			return r.bindings[i].space, true
		}
	}
	return "", prefix == ""
}

// resolve puts a name into its namespace. Attributes without a prefix have
// none (Namespaces in XML 1.0 §6.2).
func (r *Reader) resolve(n *rawName, isElement bool) (Name, bool) {
	if n.prefix == "" && !isElement {
		return Name{Local: n.local}, true
	}
	space, ok := r.Resolve(n.prefix)
	return Name{Space: space, Local: n.local}, ok
}

// resolveAttributes makes those that declare nothing part of the token.
func (r *Reader) resolveAttributes() error {
	r.attrs = r.attrs[:0]
	for i := range r.raw {
		a := &r.raw[i]
		if _, ok := a.name.declares(); ok {
			continue
		}
		name, ok := r.resolve(a.name, false)
		if !ok {
			return r.refuse(a.offset, undeclared)
		}
		for j := range r.attrs {
			if r.attrs[j].Name == name {
				return r.refuse(a.offset, "an attribute is there twice")
			}
		}
		r.attrs = append(r.attrs, Attr{Name: name, Value: a.value})
	}
	r.token.Attr = r.attrs
	return nil
}
