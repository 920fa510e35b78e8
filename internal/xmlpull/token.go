package xmlpull

import "fmt"

// Limits of a document. Options may set narrower ones.
const (
	MaxDepth      = 64       // elements within each other
	MaxToken      = 1 << 20  // bytes of one tag, comment or stretch of text, and of the text between two tags
	MaxAttributes = 64       // of one element, declarations of namespaces included
	MaxName       = 256      // bytes of a name with its prefix
	MaxInterned   = 4 << 10  // different names that are kept; further ones cost an allocation each
	readBuffer    = 64 << 10 // bytes; grows to MaxToken when a token needs it
)

// Kind says what a token is.
type Kind byte

// Kinds of tokens.
const (
	Start Kind = iota + 1 // the start of an element; <a/> yields a Start and an End
	End                   // its end
	Text                  // all text up to the next tag, with CDATA, references and line ends resolved
)

func (k Kind) String() string {
	switch k {
	case Start:
		return "start"
	case End:
		return "end"
	case Text:
		return "text"
	}
	return fmt.Sprintf("Kind(%d)", byte(k))
}

// Name is a name in its namespace. Space is the URI, "" for none.
type Name struct {
	Space, Local string
}

// Attr is an attribute. Declarations of namespaces are not among them. Value is
// valid until the next call of Next.
type Attr struct {
	Name  Name
	Value []byte
}

// Token is one token. All of it is valid until the next call of Next, but for
// the strings in names.
type Token struct {
	Kind   Kind
	Name   Name   // of Start and End
	Attr   []Attr // of Start, in the order of the document
	Text   []byte // of Text; never empty
	Line   int    // where it begins, from 1
	Column int    // in bytes, from 1
}

// Get returns the value of an attribute without a namespace.
func (t *Token) Get(local string) (value []byte, ok bool) {
	for i := range t.Attr {
		if a := &t.Attr[i]; a.Name.Space == "" && a.Name.Local == local {
			return a.Value, true
		}
	}
	return nil, false
}

// Error says why a document is not read, and where. It never quotes the
// document.
type Error struct {
	Line   int // from 1
	Column int // in bytes, from 1
	Text   string
}

func (e *Error) Error() string {
	return fmt.Sprintf("line %d, column %d: %s", e.Line, e.Column, e.Text)
}
