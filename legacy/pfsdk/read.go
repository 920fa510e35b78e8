package pfsdk

import (
	"fmt"
	"io"
	"net/url"
	"path"
	"strings"

	"mfabridge/internal/xmlpull"
)

// MaxToken is the longest value or tag of a capture, in bytes.
const MaxToken = 256 << 10

// Options of Read; the zero value is usable.
type Options struct {
	// Username is whom answers speak of that do not say so themselves and
	// whose request is not in the capture. See CaptureUser.
	Username string

	// MaxBytes is the size of the whole capture; 0: any.
	MaxBytes int64
}

// CaptureUser returns the user that the name of a captured file stands for:
// "GetUserSettings_3.ada@contoso.example.xml" is that of ada@contoso.example.
// What file names cannot hold is percent-encoded, as in "CORP%5Cada". ok is
// false if the name names no user.
func CaptureUser(file string) (username string, ok bool) {
	base := path.Base(strings.ReplaceAll(file, `\`, "/"))
	if len(base) > 4 && strings.EqualFold(base[len(base)-4:], ".xml") {
		base = base[:len(base)-4]
	}
	operation, user, found := strings.Cut(base, ".")
	if !found || user == "" || familyOf(operation) == unknownFamily {
		return "", false
	}
	user, err := url.PathUnescape(user)
	return user, err == nil
}

// Read reads one captured file: an answer of the SDK with or without its
// envelope, or several exchanges within one element of any name, requests
// before their answers. Users whom answers do not name are those of the
// request, or else Options.Username. The error says that the file cannot be
// read to its end (an *xmlpull.Error where it is not XML), or is the sink's.
func Read(in io.Reader, o Options, to Sink) error {
	r := &reader{
		x:       xmlpull.NewReader(in, xmlpull.Options{MaxToken: MaxToken, MaxBytes: o.MaxBytes}),
		o:       o,
		to:      to,
		pending: map[string][]request{},
		named:   map[string]bool{},
	}
	if err := r.all(); err != nil {
		return err
	}
	if err := r.unconfirmed(); err != nil {
		return err
	}
	if r.operations == 0 {
		return to.Problem(Problem{Place: Place{1, 1}, Detail: "there is no exchange of the Web Service SDK in this file"})
	}
	return nil
}

// all reads every operation to the end of the document.
func (r *reader) all() error {
	for {
		t, err := r.x.Next()
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
		if t.Kind == xmlpull.Start {
			if err := r.element(t); err != nil {
				return err
			}
		}
	}
}

// reader reads one capture.
type reader struct {
	x  *xmlpull.Reader
	o  Options
	to Sink

	pending     map[string][]request // requests without an answer, by operation
	waiting     int
	activations []activation // that are not confirmed yet
	operations  int
	unnamed     int             // records of which it is not said whose they are
	named       map[string]bool // elements that were reported
	last        answer          // for the client
}

// request is what is kept of one.
type request struct {
	place    Place
	username string
	device   []Field // of ActivateNew
	code     string  // of ConfirmActivation
}

// element reads an operation, or goes into what surrounds one.
func (r *reader) element(t *xmlpull.Token) error {
	name, place := t.Name, Place{t.Line, t.Column}
	switch name.Space {
	case soap11, soap12:
		switch name.Local {
		case "Header":
			return r.x.Skip()
		case "Fault":
			r.operations++
			return r.fault(place)
		}
		return nil
	case SDKNamespace, ActivationNamespace:
	default:
		return nil
	}
	r.operations++
	operation, answered := strings.CutSuffix(name.Local, "Response")
	f := familyOf(operation)
	if f == unknownFamily || f.namespace() != name.Space {
		if err := r.nameOnce(operation, place, "this operation is not read"); err != nil {
			return err
		}
		return r.x.Skip()
	}
	if answered {
		return r.answer(operation, f, place)
	}
	return r.request(operation, place)
}

// nameOnce reports an element, the first time it is met.
func (r *reader) nameOnce(name string, place Place, detail string) error {
	if r.named[name] || len(r.named) == maxNamedUnknown {
		return nil
	}
	r.named[name] = true
	return r.to.Problem(Problem{Place: place, Field: name, Detail: detail})
}

// request keeps what an answer will need. Codes of an activation are not
// among it, nor is any other value.
func (r *reader) request(operation string, place Place) error {
	q := request{place: place}
	err := r.leaves(func(name string, at Place, value func() (string, error)) (err error) {
		switch {
		case strings.EqualFold(name, "username"):
			q.username, err = value()
		case strings.EqualFold(name, "confirmationCode"):
			q.code, err = value()
		case name == "DeviceToken", name == "DeviceName":
			var v string
			if v, err = value(); v != "" {
				q.device = append(q.device, Field{Name: name, Value: v, Place: at})
			}
		case name == "Version":
			var v string
			if v, err = value(); v != "" {
				q.device = append(q.device, Field{Name: "PhoneAppVersion", Value: v, Place: at})
			}
		}
		return err
	})
	if err != nil {
		return err
	}
	if r.waiting++; r.waiting > maxPendingRequests {
		return fmt.Errorf("line %d: more than %d requests stand without their answers", place.Line, maxPendingRequests)
	}
	r.pending[operation] = append(r.pending[operation], q)
	return nil
}

// requested returns the request of an answer. With more than one waiting there
// is no telling whose answer it is.
func (r *reader) requested(operation string) (q request, found, ambiguous bool) {
	waiting := r.pending[operation]
	if len(waiting) == 0 {
		return request{}, false, false
	}
	if len(waiting) > 1 {
		return request{}, true, true
	}
	delete(r.pending, operation)
	r.waiting--
	return waiting[0], true, false
}

// leaves calls each for all elements below the open one, at any depth. A value
// that each does not ask for is passed over unread.
func (r *reader) leaves(each func(name string, at Place, value func() (string, error)) error) error {
	for depth := r.x.Depth(); ; {
		t, err := r.x.Next()
		if err != nil {
			return err
		}
		switch {
		case t.Kind == xmlpull.End && r.x.Depth() < depth:
			return nil
		case t.Kind == xmlpull.Start:
			if err := each(t.Name.Local, Place{t.Line, t.Column}, r.leaf); err != nil {
				return err
			}
		}
	}
}

// leaf reads the text of the element that is open.
func (r *reader) leaf() (string, error) {
	b, err := r.x.Leaf()
	if err == nil && len(b) > maxValue {
		return "", fmt.Errorf("a value has more than %d bytes", maxValue)
	}
	return string(b), err
}
