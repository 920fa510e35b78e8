package pfsdk

import (
	"bytes"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode"

	"mfabridge/internal/secret"
	"mfabridge/internal/xmlpull"
)

// answer is one answer while it is read.
type answer struct {
	operation string
	family    family
	place     Place
	username  string

	hasResult   bool
	result      string
	code        int
	description string
	complete    string // resultsComplete
	blocked     string // an element of UserIsBlocked that says so
	records     []Record
	fault       bool
	refused     string // why no record comes of it
	activated   activation
}

// answer reads an answer and passes on what it says.
func (r *reader) answer(operation string, f family, place Place) error {
	q, found, ambiguous := r.requested(operation)
	a := answer{operation: operation, family: f, place: place, username: q.username}
	a.activated.request = q
	switch {
	case ambiguous:
		a.refused = "several requests stand before this answer, so that it cannot be told whose answer it is"
	case !found:
		a.username = r.o.Username
	case r.o.Username != "" && q.username != "" && !strings.EqualFold(q.username, r.o.Username):
		a.refused = "the name of the file and the request in it name different users"
	}
	for {
		t, err := r.x.Next()
		if err != nil {
			return err
		}
		if t.Kind == xmlpull.End {
			break
		}
		if t.Kind == xmlpull.Start {
			if err := r.part(&a, t.Name.Local, Place{t.Line, t.Column}); err != nil {
				return err
			}
		}
	}
	err := r.conclude(&a)
	r.last = a
	return err
}

// part reads one element of an answer.
func (r *reader) part(a *answer, name string, at Place) (err error) {
	lower := strings.ToLower(name)
	switch {
	case name == a.operation+"Result" && a.family != activateFamily:
		a.hasResult = true
		a.result, err = r.leaf()
		return err
	case lower == "error":
		return r.serverError(a)
	case a.family == activateFamily:
		return r.activation(a, name, at)
	case a.family == settingsFamily && strings.HasPrefix(lower, "usersettings"):
		return r.one(a, User, userElement, at)
	case a.family == devicesFamily && lower == "userdevices":
		return r.many(a, Device, deviceElement)
	case a.family == findFamily && lower == "userrows":
		return r.many(a, Row, userElement)
	case a.family == findFamily && lower == "resultscomplete":
		a.complete, err = r.leaf()
		return err
	case a.family == defaultsFamily && strings.HasPrefix(lower, "customerdefaults"):
		return r.one(a, Defaults, defaultsElement, at)
	case a.family == portalFamily && strings.Contains(lower, "settings"):
		return r.one(a, Portal, portalElement, at)
	case a.family == blockFamily && strings.Contains(lower, "blocked"):
		a.blocked, err = r.leaf()
		return err
	}
	if err := r.nameOnce(name, at, "this element of an answer is not read"); err != nil {
		return err
	}
	return r.x.Skip()
}

func (r *reader) serverError(a *answer) error {
	return r.leaves(func(name string, _ Place, value func() (string, error)) error {
		switch name {
		case "Code":
			v, err := value()
			if err != nil {
				return err
			}
			code, err := strconv.Atoi(strings.TrimSpace(v))
			if err != nil {
				code = -1 // whatever it is, it is no success
			}
			a.code = code
		case "Description":
			v, err := value()
			a.description = printable(v)
			return err
		}
		return nil
	})
}

// printable is what of a text of the server may be shown.
func printable(s string) string {
	s = strings.Map(func(c rune) rune {
		if !unicode.IsPrint(c) {
			return ' '
		}
		return c
	}, s)
	if len(s) > maxDescription {
		s = strings.ToValidUTF8(s[:maxDescription], "") + "…"
	}
	return strings.TrimSpace(s)
}

// one reads a record that is the open element.
func (r *reader) one(a *answer, kind Kind, known func(string) element, at Place) error {
	record := Record{Kind: kind, Operation: a.operation, Place: at}
	if kind == User {
		record.Username = a.username
	}
	if err := r.fields(a, &record, known); err != nil {
		return err
	}
	if kind == User && len(a.records) > 0 {
		a.refused = "an answer holds the settings of two users"
	}
	return r.add(a, record)
}

// many reads the records within the open element. A list of users is passed on
// as it comes.
func (r *reader) many(a *answer, kind Kind, known func(string) element) error {
	for {
		t, err := r.x.Next()
		if err != nil {
			return err
		}
		switch t.Kind {
		case xmlpull.End:
			return nil
		case xmlpull.Start:
			record := Record{Kind: kind, Operation: a.operation, Place: Place{t.Line, t.Column}}
			if kind == Device {
				record.Username = a.username
			}
			if err := r.fields(a, &record, known); err != nil {
				return err
			}
			if err := r.add(a, record); err != nil {
				return err
			}
		}
	}
}

// maxRecords is how many records of one answer are held back until its end.
const maxRecords = 1000

func (r *reader) add(a *answer, record Record) error {
	if record.Kind == Row && a.refused == "" && a.hasResult && isTrue(a.result) {
		return r.emit(record)
	}
	if len(a.records) == maxRecords {
		a.refused = fmt.Sprintf("an answer holds more than %d records", maxRecords)
		return nil
	}
	a.records = append(a.records, record)
	return nil
}

// emit passes a record on, if it is known whom it is about.
func (r *reader) emit(record Record) error {
	if record.Username == "" && record.Kind <= Device {
		r.unnamed++
		return r.to.Problem(Problem{Place: record.Place, Operation: record.Operation,
			Detail: "it is not said whose answer this is: keep the request in the file, or name the file " + record.Operation + ".USERNAME.xml"})
	}
	return r.to.Record(record)
}

// fields reads the elements of a record.
func (r *reader) fields(a *answer, record *Record, known func(string) element) error {
	languages := map[string]Field{}
	for {
		t, err := r.x.Next()
		if err != nil {
			return err
		}
		if t.Kind == xmlpull.End {
			break
		}
		if t.Kind == xmlpull.Text {
			continue
		}
		name, at := t.Name.Local, Place{t.Line, t.Column}
		if name == "Username" && record.Kind <= Device {
			if err := r.username(a, record, at); err != nil {
				return err
			}
			continue
		}
		e := known(name)
		if e.name == "" {
			e.name = name
		}
		field := Field{Name: e.name, Place: at}
		switch e.how {
		case keep, language, switched:
			field.Value, err = r.leaf()
		case keepSecret:
			field.Secret, err = r.secret()
		case seen:
			field.Value, err = r.present()
		case ignore:
			err = r.x.Skip()
		default:
			if err = r.nameOnce(name, at, "this element is not read"); err == nil {
				err = r.x.Skip()
			}
		}
		if err != nil {
			return err
		}
		r.put(a, record, field, e, languages)
	}
	speak(record, languages)
	return nil
}

// username reads a name that a record itself holds.
func (r *reader) username(a *answer, record *Record, at Place) error {
	name, err := r.leaf()
	switch {
	case err != nil || name == "":
		return err
	case record.Username == "", record.Username == anyone:
		record.Username = name
	case !strings.EqualFold(record.Username, name):
		a.refused = "the answer and its request, or the name of the file, name different users"
	}
	return nil
}

// put adds a field that is not empty. Several elements may say that one thing
// is there; of all others there is one.
func (r *reader) put(a *answer, record *Record, field Field, e element, languages map[string]Field) {
	if field.Value == "" && field.Secret.IsZero() {
		return
	}
	switch e.how {
	case language:
		if record.Kind == User || record.Kind == Row {
			languages[field.Name] = field
			return
		}
	case switched:
		if !isTrue(field.Value) {
			return
		}
		field.Value = "true"
	}
	for i := range record.Fields {
		if record.Fields[i].Name != field.Name {
			continue
		}
		if e.how != seen && e.how != switched {
			a.refused = "the element " + field.Name + " is there twice in one record"
		}
		return
	}
	record.Fields = append(record.Fields, field)
}

// speak chooses the language of the user's Mode.
func speak(record *Record, languages map[string]Field) {
	mode, _ := record.Get("Mode")
	field, ok := languages[languageOf(mode.Value)]
	for _, name := range []string{"PhoneAppLanguage", "VoiceCallLanguage", "SmsTextLanguage", "OathTokenLanguage"} {
		if !ok {
			field, ok = languages[name]
		}
	}
	if ok {
		field.Name = "Language"
		record.Fields = append(record.Fields, field)
	}
}

// secret reads a value that must never be shown.
func (r *reader) secret() (secret.Bytes, error) {
	b, err := r.x.Leaf()
	if err != nil || len(bytes.TrimSpace(b)) == 0 {
		return secret.Bytes{}, err
	}
	s := secret.New(slices.Clone(b))
	clear(b)
	return s, nil
}

// present tells whether there is any text in the element that is open, and
// wipes it.
func (r *reader) present() (string, error) {
	found := ""
	for depth := r.x.Depth(); ; {
		t, err := r.x.Next()
		if err != nil {
			return "", err
		}
		if t.Kind == xmlpull.Text {
			if len(bytes.TrimSpace(t.Text)) > 0 {
				found = "true"
			}
			clear(t.Text)
		}
		if t.Kind == xmlpull.End && r.x.Depth() < depth {
			return found, nil
		}
	}
}

func isTrue(s string) bool {
	s = strings.TrimSpace(s)
	return strings.EqualFold(s, "true") || s == "1"
}

func isFalse(s string) bool {
	s = strings.TrimSpace(s)
	return strings.EqualFold(s, "false") || s == "0"
}
