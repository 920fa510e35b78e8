package pfsdk

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"mfabridge/internal/xmlpull"
)

// MaxWSDL is the size of a WSDL file that is read, in bytes.
const MaxWSDL = 16 << 20

const (
	wsdlSpace   = "http://schemas.xmlsoap.org/wsdl/"
	wsdlSOAP    = "http://schemas.xmlsoap.org/wsdl/soap/"
	schemaSpace = "http://www.w3.org/2001/XMLSchema"
)

// Difference is one thing in which a WSDL is not what this package expects.
type Difference struct {
	Line   int  // in the file; 0: it is not there at all
	Breaks bool // a pull cannot work, or would leave something out
	Text   string
}

// service is what a WSDL describes, as far as it matters.
type service struct {
	namespace  string
	operations map[string]int               // operation: line
	actions    map[string]string            // operation: SOAPAction
	requests   map[string]map[string]int    // element at the top of a message: its parts
	types      map[string]map[string]string // complex type: its elements and their types
	lines      map[string]int               // complex type: line
}

// CompareWSDL reads a server's own description ("…/PfWsSdk.asmx?WSDL", saved)
// and says in what it differs from what this package sends and reads. No
// difference does not prove that the server behaves as expected.
func CompareWSDL(in io.Reader, filterElement string) ([]Difference, error) {
	if filterElement == "" {
		filterElement = "usernameFilter"
	}
	s, err := readWSDL(in)
	if err != nil {
		return nil, err
	}
	if len(s.operations) == 0 {
		return []Difference{{Breaks: true, Text: "this is no WSDL, or it describes no operation"}}, nil
	}
	var all []Difference
	if s.namespace != SDKNamespace {
		all = append(all, Difference{Line: 1, Breaks: true, Text: fmt.Sprintf("the namespace is %q, expected %q", printable(s.namespace), SDKNamespace)})
	}
	all = append(all, s.compareOperations(filterElement)...)
	return append(all, s.compareTypes()...), nil
}

// compareOperations looks at each group of overloads: one has to be there, and
// the one that will be asked has to take what is sent.
func (s *service) compareOperations(filterElement string) []Difference {
	var all []Difference
	seen := map[Operation]bool{}
	for _, o := range Operations() {
		overloads := o.overloads()
		if seen[overloads[0]] {
			continue
		}
		seen[overloads[0]] = true
		i := slices.IndexFunc(overloads, func(o Operation) bool { return s.operations[o.String()] > 0 })
		if i < 0 {
			all = append(all, Difference{Breaks: familyOf(o.String()) != testFamily && familyOf(o.String()) != defaultsFamily && familyOf(o.String()) != portalFamily,
				Text: fmt.Sprintf("there is no %s, in no version that is known", overloads[0])})
			continue
		}
		asked := overloads[i]
		if i > 0 {
			all = append(all, Difference{Line: s.operations[asked.String()], Text: fmt.Sprintf("there is no %s; %s will be asked", overloads[0], asked)})
		}
		all = append(all, s.compareRequest(asked, filterElement)...)
	}
	for _, name := range slices.Sorted(maps.Keys(s.operations)) {
		f := familyOf(name)
		if f != unknownFamily && !slices.ContainsFunc(Operations(), func(o Operation) bool { return o.String() == name }) {
			all = append(all, Difference{Line: s.operations[name], Text: fmt.Sprintf("there is %s, which is not known and will not be asked", name)})
		}
	}
	return all
}

func (s *service) compareRequest(o Operation, filterElement string) []Difference {
	var all []Difference
	line := s.operations[o.String()]
	if action := s.actions[o.String()]; action != SDKNamespace+"/"+o.String() {
		all = append(all, Difference{Line: line, Breaks: true, Text: fmt.Sprintf("the SOAPAction of %s is %q, expected %q", o, printable(action), SDKNamespace+"/"+o.String())})
	}
	var sent []parameter
	switch familyOf(o.String()) {
	case findFamily:
		sent = findParameters(filterElement, "", "")
	case settingsFamily, devicesFamily, blockFamily:
		sent = byUser("")
	}
	parts := s.requests[o.String()]
	for _, p := range sent {
		if _, ok := parts[p.name]; ok {
			continue
		}
		d := Difference{Line: line, Text: fmt.Sprintf("%s takes no element %s", o, p.name)}
		if p.name == filterElement || p.name == "username" || p.name == "resultLimit" {
			d.Breaks = true
			d.Text += fmt.Sprintf("; it takes %s", list(parts))
		}
		all = append(all, d)
	}
	return all
}

// list names elements, a few of them.
func list(parts map[string]int) string {
	names := slices.Sorted(maps.Keys(parts))
	if len(names) == 0 {
		return "none"
	}
	const most = 40
	if len(names) > most {
		names = append(names[:most], "…")
	}
	return strings.Join(names, ", ")
}

// compareTypes looks at the elements of the records.
func (s *service) compareTypes() []Difference {
	var all []Difference
	for _, record := range []struct {
		prefix string
		known  func(string) element
		wanted []string
	}{
		{"UserSettings", userElement, read(userElements)},
		{"UserRow", userElement, []string{"Username"}},
		{"UserDevice", deviceElement, []string{"UserDeviceId", "DeviceName", "DeviceToken", "PhoneAppVersion"}},
		{"CustomerDefaults", defaultsElement, read(defaultsElements)},
	} {
		name := s.newest(record.prefix)
		if name == "" {
			all = append(all, Difference{Breaks: record.prefix != "CustomerDefaults", Text: "there is no type " + record.prefix})
			continue
		}
		elements, line := s.types[name], s.lines[name]
		for _, e := range slices.Sorted(maps.Keys(elements)) {
			if record.known(e).how == notKnown {
				all = append(all, Difference{Line: line, Text: fmt.Sprintf("%s has an element %s, which is not read", name, printable(e))})
			}
		}
		for _, e := range record.wanted {
			if _, ok := elements[e]; !ok {
				all = append(all, Difference{Line: line, Breaks: e == "Username", Text: fmt.Sprintf("%s has no element %s", name, e)})
			}
		}
	}
	return all
}

// read lists the elements that are of use, in order.
func read(elements map[string]element) []string {
	return slices.DeleteFunc(slices.Sorted(maps.Keys(elements)), func(name string) bool { return elements[name].how == ignore })
}

// newest finds the type of a name with the highest number behind it.
func (s *service) newest(prefix string) string {
	found := ""
	for name := range s.types {
		if digits, ok := strings.CutPrefix(name, prefix); ok && strings.Trim(digits, "_0123456789") == "" && (len(name) > len(found) || name > found) {
			found = name
		}
	}
	return found
}

// readWSDL collects what CompareWSDL needs.
func readWSDL(in io.Reader) (*service, error) {
	s := &service{operations: map[string]int{}, actions: map[string]string{}, requests: map[string]map[string]int{},
		types: map[string]map[string]string{}, lines: map[string]int{}}
	x := xmlpull.NewReader(in, xmlpull.Options{MaxBytes: MaxWSDL})
	var open []opened // elements that are open, outermost first
	for {
		t, err := x.Next()
		switch {
		case err == io.EOF:
			return s, nil
		case err != nil:
			return nil, err
		case t.Kind == xmlpull.End:
			open = open[:len(open)-1]
		case t.Kind == xmlpull.Start:
			name, _ := t.Get("name")
			o := opened{kind: t.Name, name: string(name)}
			s.start(t, o, open)
			open = append(open, o)
		}
	}
}

// opened is an element of a WSDL that is open.
type opened struct {
	kind xmlpull.Name
	name string
}

// nearest is the innermost open element of a kind.
func nearest(open []opened, space, local string) (o opened, depth int) {
	for i := len(open) - 1; i >= 0; i-- {
		if open[i].kind == (xmlpull.Name{Space: space, Local: local}) && open[i].name != "" {
			return open[i], len(open) - i
		}
	}
	return opened{}, 0
}

func (s *service) start(t *xmlpull.Token, o opened, open []opened) {
	switch o.kind {
	case xmlpull.Name{Space: wsdlSpace, Local: "definitions"}:
		namespace, _ := t.Get("targetNamespace")
		s.namespace = string(namespace)
	case xmlpull.Name{Space: wsdlSpace, Local: "operation"}:
		if o.name != "" && s.operations[o.name] == 0 {
			s.operations[o.name] = t.Line
		}
	case xmlpull.Name{Space: wsdlSOAP, Local: "operation"}:
		if operation, _ := nearest(open, wsdlSpace, "operation"); operation.name != "" {
			action, _ := t.Get("soapAction")
			s.actions[operation.name] = string(action)
		}
	case xmlpull.Name{Space: schemaSpace, Local: "complexType"}:
		if o.name != "" && s.types[o.name] == nil {
			s.types[o.name] = map[string]string{}
			s.lines[o.name] = t.Line
		}
	case xmlpull.Name{Space: schemaSpace, Local: "element"}:
		s.element(t, o, open)
	}
}

// element belongs to the nearest named type, or to the message around it.
func (s *service) element(t *xmlpull.Token, o opened, open []opened) {
	if o.name == "" {
		return
	}
	message, outer := nearest(open, schemaSpace, "element")
	record, inner := nearest(open, schemaSpace, "complexType")
	switch {
	case record.name != "" && (outer == 0 || inner < outer):
		kind, _ := t.Get("type")
		s.types[record.name][o.name] = string(kind)
	case message.name != "":
		if s.requests[message.name] == nil {
			s.requests[message.name] = map[string]int{}
		}
		s.requests[message.name][o.name] = t.Line
	}
}
