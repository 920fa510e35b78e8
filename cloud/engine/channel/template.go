package channel

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// Marks of templates, the first two as the old server wrote them.
const (
	markCode        = "otp"
	markApplication = "application_name"
	markText        = "text"   // the whole message
	markNumber      = "number" // +442079460000 (E.164)
	markDigits      = "digits" // 442079460000
	markID          = "id"     // of the message, the same when it is sent again

	markExtension = "extension" // digits behind an office number
	markCallback  = "callback"  // where the provider tells what became of the message
	markScript    = "script"    // of calls: a document that says and asks what there is to say and ask
)

// Limits of templates.
const (
	maxTemplate = 2000 // bytes
	maxMarks    = 32
	maxText     = 300 // bytes of the text of a message: two parts at most in most alphabets
)

// errMark is told without the template: somebody may have written a secret
// into it.
var errMark = errors.New("a mark is written <$name$>, of small letters, digits and _")

// A Template is text with marks in it: "To <$number$>".
type Template struct{ parts []part }

// part is text, or the name of a mark.
type part struct{ text, mark string }

// Values stand in for marks.
type Values map[string]string

// ParseTemplate reads a template. Only the marks that are named may stand in
// it; "<$" has no other meaning.
func ParseTemplate(s string, marks ...string) (Template, error) {
	if len(s) > maxTemplate {
		return Template{}, fmt.Errorf("it has more than %d bytes", maxTemplate)
	}
	var t Template
	for range maxMarks {
		text, rest, found := strings.Cut(s, "<$")
		if text != "" {
			t.parts = append(t.parts, part{text: text})
		}
		if !found {
			return t, nil
		}
		mark, behind, closed := strings.Cut(rest, "$>")
		if !closed || !isMark(mark) {
			return Template{}, errMark
		}
		if !slices.Contains(marks, mark) {
			return Template{}, fmt.Errorf("the mark <$%s$> means nothing here", mark)
		}
		t.parts = append(t.parts, part{mark: mark})
		s = behind
	}
	return Template{}, fmt.Errorf("it has %d marks or more", maxMarks)
}

func isMark(s string) bool {
	for i := range len(s) {
		if c := s[i]; c != '_' && (c < 'a' || c > 'z') && (c < '0' || c > '9') {
			return false
		}
	}
	return s != "" && len(s) <= 32
}

// Fill is the text with values for marks, each escaped for where it goes (nil:
// as it is). Values are never read as templates.
func (t Template) Fill(v Values, escape func(string) string) string {
	var b strings.Builder
	for _, p := range t.parts {
		value := p.text
		if p.mark != "" {
			if value = v[p.mark]; escape != nil {
				value = escape(value)
			}
		}
		b.WriteString(value)
	}
	return b.String()
}

// count is how often a mark stands in the template.
func (t Template) count(mark string) (n int) {
	for _, p := range t.parts {
		if p.mark == mark {
			n++
		}
	}
	return n
}

// ParseText reads the template of a message: the code once, the name of the
// application at most once, and never a link.
func ParseText(s string) (Template, error) {
	t, err := ParseTemplate(s, markCode, markApplication)
	switch {
	case err != nil:
		return Template{}, err
	case len(s) > maxText:
		return Template{}, fmt.Errorf("a text has at most %d bytes", maxText)
	case t.count(markCode) != 1 || t.count(markApplication) > 1:
		return Template{}, errors.New("a text holds <$otp$> once and <$application_name$> at most once")
	case strings.ContainsFunc(s, isControl):
		return Template{}, errors.New("a text is one line of printable characters")
	case isLink(t.Fill(Values{markCode: "000000", markApplication: "x"}, nil)):
		return Template{}, errors.New("a text never holds a link or an address: telephones make them clickable, which is what phishing lives on")
	}
	return t, nil
}

func isControl(r rune) bool {
	return r < ' ' || r == 0x7f || r == '\uFFFD' || r == '\u2028' || r == '\u2029'
}

// linkLike is what telephones make clickable: an address with a scheme, an
// address of mail, or a name with a dot inside and letters behind it.
var linkLike = regexp.MustCompile(`(?i)://|\bwww\.|[\p{L}\p{N}_-]@[\p{L}\p{N}]|[\p{L}\p{N}-]\.[\p{L}]{2,}`)

func isLink(s string) bool { return linkLike.MatchString(s) }

// anApplication stands for the name of one that would be a link.
const anApplication = "your sign-in"

// render is the text of a message.
func render(t Template, code, application string) string {
	if application == "" || isLink(application) || strings.ContainsFunc(application, isControl) {
		application = anApplication
	}
	return t.Fill(Values{markCode: code, markApplication: application}, nil)
}
