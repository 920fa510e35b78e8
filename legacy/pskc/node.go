package pskc

import (
	"bytes"
	"fmt"

	"mfabridge/internal/xmlpull"
)

// node is an element with all that is within it. Its methods bear a nil node,
// which is one that is not there.
type node struct {
	space, local string
	attrs        []attr
	text         []byte // its own, of all stretches
	children     []*node
	line         int
}

type attr struct{ name, value string }

// errorAt is an error with the line of n.
func (n *node) errorAt(format string, args ...any) error {
	return fmt.Errorf("line %d: %w", n.line, fmt.Errorf(format, args...))
}

// attr returns the first attribute that is there.
func (n *node) attr(names ...string) string {
	if n == nil {
		return ""
	}
	for _, name := range names {
		for _, a := range n.attrs {
			if a.name == name {
				return a.value
			}
		}
	}
	return ""
}

// trimmed is the text without white space around it.
func (n *node) trimmed() []byte {
	if n == nil {
		return nil
	}
	return bytes.TrimSpace(n.text)
}

// wipe overwrites all text: secrets may be among it.
func (n *node) wipe() {
	if n == nil {
		return
	}
	clear(n.text[:cap(n.text)])
	for _, child := range n.children {
		child.wipe()
	}
}

// grower builds the tree of one child of the container.
type grower struct {
	x        *xmlpull.Reader
	elements int
}

// grow reads on to the end of the element that start began. With an error it
// returns what there is, to be wiped.
func (g *grower) grow(start *xmlpull.Token) (*node, error) {
	n := &node{space: start.Name.Space, local: start.Name.Local, line: start.Line}
	if g.elements++; g.elements > MaxElements {
		return n, n.errorAt("there are more than %d elements within one part of the file", MaxElements)
	}
	for _, a := range start.Attr {
		if a.Name.Space == "" {
			n.attrs = append(n.attrs, attr{a.Name.Local, string(a.Value)})
		}
	}
	for {
		t, err := g.x.Next()
		switch {
		case err != nil:
			return n, err
		case t.Kind == xmlpull.End:
			return n, nil
		case t.Kind == xmlpull.Text:
			if len(n.text)+len(t.Text) > MaxValue {
				return n, n.errorAt("the text of %s has more than %d bytes", n.local, MaxValue)
			}
			n.text = append(n.text, t.Text...)
		case t.Kind == xmlpull.Start:
			child, err := g.grow(t)
			n.children = append(n.children, child)
			if err != nil {
				return n, err
			}
		}
	}
}
