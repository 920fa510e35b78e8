package legacy

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"mfabridge/internal/hint"
)

// Limits of the files of an export.
const (
	MaxParts = 100_000 // files that are read

	maxOthers = 100 // files that are not read and named one by one
)

// about is what a file of an export is about. The values are in the order in
// which files are read and complained about.
type about uint8

const (
	aboutNothing about = iota
	aboutUsers
	aboutDevices
	aboutTokens
	aboutKeys // tokens, as key containers of RFC 6030
	aboutAnswers
	aboutActivity
	aboutSettings
	aboutManifest
)

// form is how a file is written.
type form uint8

const (
	formNone form = iota
	formCSV
	formLines // JSON, an object a line
	formXML
	formJSON
)

// part is a file of an export that is read.
type part struct {
	about   about
	form    form
	name    string // in messages, in lower case
	written string // as it is called where it lies
}

// folder is an export as it lies there.
type folder struct {
	path   string
	shelf  shelf
	parts  []part            // in the order in which they are read
	others []string          // what is not read, sorted
	more   int               // how many others are not named
	names  map[string]string // of parts: as written
}

// openFolder lists an export.
func openFolder(path string, o Options) (*folder, error) {
	s, err := openShelf(path, o)
	if err != nil {
		return nil, err
	}
	f := &folder{path: path, shelf: s, names: map[string]string{}}
	if _, alone := s.(fileShelf); alone {
		err = s.each("", f.enterAlone)
	} else {
		err = s.each("", f.enter)
	}
	if err == nil {
		slices.Sort(f.others)
		slices.SortStableFunc(f.parts, comparePart)
		err = f.check()
	}
	if err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return f, nil
}

// formOf tells how a file is written by the end of its name.
func formOf(lower string) form {
	switch {
	case strings.HasSuffix(lower, ".csv"):
		return formCSV
	case strings.HasSuffix(lower, ".jsonl"):
		return formLines
	case strings.HasSuffix(lower, ".xml"):
		return formXML
	}
	return formNone
}

// classify tells what a file is by its name. A table may come in several
// files: what follows the name of the table must not go on with a letter.
func classify(lower string) (about, form) {
	switch lower {
	case manifestFile:
		return aboutManifest, formJSON
	case settingsFile:
		return aboutSettings, formJSON
	}
	f := formOf(lower)
	for _, t := range []struct {
		stem  string
		about about
	}{{"users", aboutUsers}, {"devices", aboutDevices}, {"tokens", aboutTokens}, {"activity", aboutActivity}} {
		rest, ok := strings.CutPrefix(lower, t.stem)
		if r, _ := utf8.DecodeRuneInString(rest); !ok || f == formNone || unicode.IsLetter(r) {
			continue
		}
		switch {
		case t.about == aboutActivity && f != formCSV:
			return aboutNothing, formNone
		case t.about == aboutTokens && f == formXML:
			return aboutKeys, f
		}
		return t.about, f
	}
	if f == formXML || strings.HasSuffix(lower, ".pskc") {
		return aboutKeys, formXML
	}
	return aboutNothing, formNone
}

func (f *folder) enter(name string, isDir bool) error {
	lower := strings.ToLower(name)
	if isDir && lower == soapFolder {
		return f.shelf.each(name, f.enterAnswer)
	}
	a, form := classify(lower)
	if isDir && formOf(lower) == formNone { // "users.csv" is to be complained about by name
		a = aboutNothing
	}
	if a == aboutNothing {
		f.pass(name)
		return nil
	}
	return f.add(part{about: a, form: form, name: lower, written: name})
}

// enterAnswer takes a captured response.
func (f *folder) enterAnswer(name string, isDir bool) error {
	lower := strings.ToLower(name)
	if isDir || formOf(lower) != formXML {
		f.pass(name)
		return nil
	}
	return f.add(part{about: aboutAnswers, form: formXML, name: lower, written: name})
}

func (f *folder) add(p part) error {
	if first, ok := f.names[p.name]; ok {
		return hint.New(fmt.Sprintf("the export holds both %s and %s", first, p.written), "remove the one that does not belong to it")
	}
	f.names[p.name] = p.written
	if len(f.parts) == MaxParts {
		return hint.New(fmt.Sprintf("the export has more than %d files", MaxParts), "join files of the same table")
	}
	f.parts = append(f.parts, p)
	return nil
}

// pass notes a file that is not read.
func (f *folder) pass(name string) {
	if len(f.others) == maxOthers {
		f.more++
		return
	}
	f.others = append(f.others, name)
}

// enterAlone takes the one file for users, whatever it is called.
func (f *folder) enterAlone(name string, _ bool) error {
	return f.add(part{about: aboutUsers, form: formOf(strings.ToLower(name)), name: name, written: name})
}

// comparePart sorts files by what they are about, then by name: without what
// follows the last dot, and numbers by what they are worth.
func comparePart(a, b part) int {
	return cmp.Or(cmp.Compare(a.about, b.about),
		compareNatural(stem(a.name), stem(b.name)), cmp.Compare(a.name, b.name))
}

func stem(name string) string {
	if i := strings.LastIndexByte(name, '.'); i > 0 {
		return name[:i]
	}
	return name
}

func compareNatural(a, b string) int {
	digits := func(s string) int {
		return len(s) - len(strings.TrimLeft(s, "0123456789"))
	}
	for a != "" && b != "" {
		if n, m := digits(a), digits(b); n > 0 && m > 0 {
			x, _ := strconv.ParseUint(a[:n], 10, 64) // of an overlong number the largest there is
			y, _ := strconv.ParseUint(b[:m], 10, 64)
			if x != y {
				return cmp.Compare(x, y)
			}
			a, b = a[n:], b[m:]
			continue
		}
		if a[0] != b[0] {
			return cmp.Compare(a[0], b[0])
		}
		a, b = a[1:], b[1:]
	}
	return cmp.Compare(len(a), len(b))
}

func (f *folder) check() error {
	if len(f.of(aboutUsers)) > 0 || len(f.of(aboutAnswers)) > 0 {
		return nil
	}
	for _, name := range f.others {
		if strings.HasSuffix(strings.ToLower(name), ".zip") {
			return hint.New(fmt.Sprintf("%s holds no %s, but %q", f.path, usersFile, name), "unpack it first: no zip within another is read")
		}
		if lower := strings.ToLower(name); strings.HasPrefix(lower, "users.") {
			return hint.New(fmt.Sprintf("%s holds no %s, and %q is not read", f.path, usersFile, name), "export the users as .csv, .jsonl or .xml")
		}
	}
	return hint.New(fmt.Sprintf("%s holds no %s", f.path, usersFile), folderAdvice)
}

// of returns the positions of the parts that are about something.
func (f *folder) of(a about) []int {
	var all []int
	for i, p := range f.parts {
		if p.about == a {
			all = append(all, i)
		}
	}
	return all
}

// has tells whether there is a file of that name, read or not.
func (f *folder) has(name string) bool {
	_, ok := f.names[strings.ToLower(name)]
	return ok || f.more > 0 ||
		slices.ContainsFunc(f.others, func(o string) bool { return strings.EqualFold(o, name) })
}

// notRead are the problems that name what is not read.
func (f *folder) notRead() []Problem {
	var all []Problem
	for _, name := range f.others {
		all = append(all, Problem{Code: FileNotRead, Place: Place{File: name}, Detail: "this version does not read this file"})
	}
	if f.more > 0 {
		all = append(all, Problem{Code: FileNotRead, Detail: fmt.Sprintf("%d more files are not read by this version", f.more)})
	}
	return all
}
