package xmlpull_test

import (
	"bytes"
	"encoding/xml"
	"fmt"
	"io"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"mfabridge/internal/xmlpull"
)

// standard is what encoding/xml reads, in our terms: text in one piece, none
// outside the root, no declarations of namespaces.
func standard(document []byte) ([]string, error) {
	var all []string
	var text strings.Builder
	flush := func() {
		if text.Len() > 0 {
			all = append(all, fmt.Sprintf("text %q", text.String()))
			text.Reset()
		}
	}
	d := xml.NewDecoder(bytes.NewReader(document))
	depth := 0
	for {
		tok, err := d.Token()
		if err == io.EOF {
			return all, nil
		}
		if err != nil {
			return nil, err
		}
		switch v := tok.(type) {
		case xml.StartElement:
			flush()
			depth++
			s := fmt.Sprintf("start %q %q", v.Name.Space, v.Name.Local)
			for _, a := range v.Attr {
				if a.Name.Space != "xmlns" && (a.Name.Space != "" || a.Name.Local != "xmlns") {
					s += fmt.Sprintf(" %q %q %q", a.Name.Space, a.Name.Local, a.Value)
				}
			}
			all = append(all, s)
		case xml.EndElement:
			flush()
			depth--
			all = append(all, fmt.Sprintf("end %q %q", v.Name.Space, v.Name.Local))
		case xml.CharData:
			if depth > 0 {
				text.Write(v)
			}
		}
	}
}

func ours(document []byte) ([]string, error) {
	var all []string
	r := xmlpull.NewReader(bytes.NewReader(document), xmlpull.Options{})
	for {
		t, err := r.Next()
		if err == io.EOF {
			return all, nil
		}
		if err != nil {
			return nil, err
		}
		switch t.Kind {
		case xmlpull.Text:
			all = append(all, fmt.Sprintf("text %q", t.Text))
		case xmlpull.Start:
			s := fmt.Sprintf("start %q %q", t.Name.Space, t.Name.Local)
			for _, a := range t.Attr {
				s += fmt.Sprintf(" %q %q %q", a.Name.Space, a.Name.Local, a.Value)
			}
			all = append(all, s)
		case xmlpull.End:
			all = append(all, fmt.Sprintf("end %q %q", t.Name.Space, t.Name.Local))
		}
	}
}

func FuzzAgainstEncodingXML(f *testing.F) {
	for _, seed := range []string{
		"<a/>", "<a b='c'>d</a>", "<p:a xmlns:p='u'><b xmlns='v'/></p:a>", "<a>x<!-- y -->z<![CDATA[&<]]>&amp;&#65;&#x41;</a>",
		"<?xml version=\"1.0\" encoding=\"utf-8\"?>\r\n<a>\r\n</a>\r\n", "\ufeff<a/>", "<a>]]</a>", "<a>]]&gt;</a>", "<a>&#13;\n\r\n</a>",
		"<a b=\"'>\" c='\">'/>", "<a xml:lang='de'/>", "<!DOCTYPE a><a/>", "<a><b></a></b>", "<a>&lt", "<a\n\t/ >", "<a><?b c?></a>",
		"<a b = 'c' />", "<a></a >", "<a>\xc3\x28</a>", "<a>\x01</a>", "<a xmlns:b='c'><b:d b:e=''/></a>", "<a:b/>", "<a b='1' b='2'/>", "<é/>",
		"<s:Envelope xmlns:s=\"http://schemas.xmlsoap.org/soap/envelope/\"><s:Body><GetUserSettings_3Response xmlns=\"http://www.phonefactor.com/PfWsSdk\">" +
			"<GetUserSettings_3Result>true</GetUserSettings_3Result></GetUserSettings_3Response></s:Body></s:Envelope>",
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, document []byte) {
		got, err := ours(document)
		if err != nil {
			return // we may refuse more
		}
		want, err := standard(document)
		if err != nil {
			t.Fatalf("%q is accepted, encoding/xml says: %v", document, err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%q: (-encoding/xml +ours)\n%s", document, diff)
		}
	})
}

// users are synthetic records in the shape of the old server's answers.
func users(n int) []byte {
	var b bytes.Buffer
	b.WriteString("<?xml version=\"1.0\" encoding=\"utf-8\"?>\n<users xmlns=\"http://www.phonefactor.com/PfWsSdk\">\n")
	for i := range n {
		fmt.Fprintf(&b, "  <user>\n    <Username>user%06d@contoso.example</Username>\n    <FirstName>Ada</FirstName>\n    <LastName>O&apos;Neil</LastName>\n"+
			"    <CountryCode>1</CountryCode>\n    <Phone>425-555-01%02d</Phone>\n    <Mode>phoneApp</Mode>\n    <PinMode>standard</PinMode>\n"+
			"    <SmsDirection>oneWay</SmsDirection>\n    <Enabled>true</Enabled>\n    <Extension />\n  </user>\n", i, i%100)
	}
	b.WriteString("</users>\n")
	return b.Bytes()
}

func TestUsersAreEqual(t *testing.T) {
	document := users(500)
	want, err := standard(document)
	if err != nil {
		t.Fatal(err)
	}
	got, err := ours(document)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func cpu(b *testing.B) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// BenchmarkUsers prints the CPU time of a megabyte by both readers, taken in
// turns, and their ratio. The bar is 5.
func BenchmarkUsers(b *testing.B) {
	document := users(2_000)
	var mine, theirs time.Duration
	b.SetBytes(int64(len(document)))
	for b.Loop() {
		begun := cpu(b)
		r := xmlpull.NewReader(bytes.NewReader(document), xmlpull.Options{})
		for {
			if _, err := r.Next(); err == io.EOF {
				break
			} else if err != nil {
				b.Fatal(err)
			}
		}
		between := cpu(b)
		d := xml.NewDecoder(bytes.NewReader(document))
		for {
			if _, err := d.Token(); err == io.EOF {
				break
			} else if err != nil {
				b.Fatal(err)
			}
		}
		mine, theirs = mine+between-begun, theirs+cpu(b)-between
	}
	megabytes := float64(len(document)) * float64(b.N) / 1e6
	b.ReportMetric(float64(mine.Microseconds())/megabytes, "cpu-µs/MB")
	b.ReportMetric(float64(theirs.Microseconds())/megabytes, "encoding/xml-cpu-µs/MB")
	b.ReportMetric(float64(theirs)/float64(mine), "times-faster")
}
