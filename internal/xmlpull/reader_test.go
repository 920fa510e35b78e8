package xmlpull_test

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/google/go-cmp/cmp"

	"mfabridge/internal/xmlpull"
)

// spell writes tokens one a line.
func spell(in io.Reader, o xmlpull.Options) (string, error) {
	var b strings.Builder
	r := xmlpull.NewReader(in, o)
	for {
		t, err := r.Next()
		if err == io.EOF {
			return b.String(), nil
		}
		if err != nil {
			return b.String(), err
		}
		fmt.Fprintf(&b, "%d:%d %s", t.Line, t.Column, t.Kind)
		if t.Kind == xmlpull.Text {
			fmt.Fprintf(&b, " %q", t.Text)
		} else {
			fmt.Fprintf(&b, " {%s}%s", t.Name.Space, t.Name.Local)
		}
		for _, a := range t.Attr {
			fmt.Fprintf(&b, " {%s}%s=%q", a.Name.Space, a.Name.Local, a.Value)
		}
		b.WriteByte('\n')
	}
}

func TestTokens(t *testing.T) {
	const document = "\ufeff<?xml version=\"1.0\" encoding='Utf-8' standalone=\"no\" ?>\r\n" +
		"<!-- a comment -->\n" +
		"<s:a xmlns:s='urn:s' xmlns=\"urn:d\" s:x='1' y=\"&lt;&#x41;&quot;\">\n" +
		"  <b/>t&amp;u<!-- c -->v<![CDATA[<w>&]]><?pi x?>\r\nx\ry\n" +
		"  <c xmlns=''>é&#233;</c >" +
		"</s:a>\n<?end?>"
	const want = `3:1 start {urn:s}a {urn:s}x="1" {}y="<A\""
3:65 text "\n  "
4:3 start {urn:d}b
4:7 end {urn:d}b
4:7 text "t&uv<w>&\nx\ny\n  "
6:3 start {}c
6:15 text "éé"
6:23 end {}c
6:28 end {urn:s}a
`
	for name, in := range map[string]io.Reader{
		"at once":     strings.NewReader(document),
		"by bytes":    iotest.OneByteReader(strings.NewReader(document)),
		"with errors": iotest.DataErrReader(strings.NewReader(document)),
	} {
		got, err := spell(in, xmlpull.Options{})
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s: (-want +got)\n%s", name, diff)
		}
	}
}

func TestRefuses(t *testing.T) {
	for _, c := range []struct{ document, want string }{
		{"", "line 1, column 1: there is no element"},
		{"<!-- a -->", "line 1, column 11: there is no element"},
		{"<a>", "line 1, column 4: the document ends within an element"},
		{"<a", "line 1, column 1: the document ends within a tag"},
		{"<", "line 1, column 1: the document ends within a tag"},
		{"<a></b>", "line 1, column 4: this is not the end tag of the element that is open"},
		{"</a>", "line 1, column 1: an end tag stands where no element is open"},
		{"<a/><b/>", "line 1, column 5: there is a second root element"},
		{"<a/>\n x", "line 2, column 2: there is text outside the root element"},
		{"<a/><![CDATA[x]]>", "line 1, column 5: there is text outside the root element"},
		{"<a>\n<1/></a>", "line 2, column 2: this is not a name of ASCII letters, digits and _ - . with at most one prefix"},
		{"<a:b:c/>", "line 1, column 2: this is not a name of ASCII letters, digits and _ - . with at most one prefix"},
		{"<ä/>", "line 1, column 2: this is not a name of ASCII letters, digits and _ - . with at most one prefix"},
		{"<p:a/>", "line 1, column 2: the prefix of a name is not declared"},
		{"<a p:b=''/>", "line 1, column 4: the prefix of a name is not declared"},
		{"<a xmlns:p='u'/><p:a/>", "line 1, column 17: there is a second root element"},
		{"<a><b xmlns:p='u'/><p:a/></a>", "line 1, column 21: the prefix of a name is not declared"},
		{"<a xmlns:p=''/>", "line 1, column 4: a prefix is declared for no namespace"},
		{"<a xmlns:xml='u'/>", "line 1, column 4: the prefixes xml and xmlns cannot be declared anew"},
		{"<a xmlns:xmlns='u'/>", "line 1, column 4: the prefixes xml and xmlns cannot be declared anew"},
		{"<a xmlns='http://www.w3.org/2000/xmlns/'/>", "line 1, column 4: the prefixes xml and xmlns cannot be declared anew"},
		{"<a xmlns:p='http://www.w3.org/2000/xmlns/'/>", "line 1, column 4: the prefixes xml and xmlns cannot be declared anew"},
		{"<a xmlns:p='http://www.w3.org/XML/1998/namespace'/>", "line 1, column 4: the prefixes xml and xmlns cannot be declared anew"},
		{"<a b='' b=''/>", "line 1, column 9: an attribute is there twice"},
		{"<a xmlns:p='u' xmlns:q='u' p:b='' q:b=''/>", "line 1, column 35: an attribute is there twice"},
		{"<a b/>", "line 1, column 5: an attribute has no value"},
		{"<a b=c/>", "line 1, column 6: the value of an attribute is not in quotes"},
		{"<a b='c'd='e'/>", "line 1, column 9: this does not belong into a tag"},
		{"<a b='<'/>", "line 1, column 7: \"<\" stands in the value of an attribute"},
		{"<a <b/>", "line 1, column 4: \"<\" stands within a tag"},
		{"<a>]]></a>", "line 1, column 4: \"]]>\" stands in text"},
		{"<a>&nbsp;</a>", "line 1, column 4: this entity is none of the five of XML"},
		{"<a>&amp</a>", "line 1, column 4: \"&\" does not begin a reference"},
		{"<a>&#xD800;</a>", "line 1, column 4: this is not the number of a character"},
		{"<a>&#0;</a>", "line 1, column 4: this is not the number of a character"},
		{"<a>&#x_1;</a>", "line 1, column 4: this is not the number of a character"},
		{"<a>&#;</a>", "line 1, column 4: this entity is none of the five of XML"},
		{"<a>x\x00</a>", "line 1, column 5: this character may not stand in XML"},
		{"<a>x\xff</a>", "line 1, column 5: this is not UTF-8"},
		{"<a>\uffff</a>", "line 1, column 4: this character may not stand in XML"},
		{"<a><!-- -- --></a>", "line 1, column 9: \"--\" stands within a comment"},
		{"<a><!--", "line 1, column 4: the document ends within a comment"},
		{"<a><![CDATA[", "line 1, column 4: the document ends within a CDATA section"},
		{"<a><?p", "line 1, column 4: the document ends within a processing instruction"},
		{"<a><??></a>", "line 1, column 4: the name of a processing instruction is none"},
		{"<a><!X></a>", "line 1, column 4: this is neither a comment nor a CDATA section"},
		{"<!DOCTYPE a [<!ENTITY b \"c\">]><a>&b;</a>", "line 1, column 1: a DOCTYPE is refused; remove it, exports need none"},
		{"<!doctype a><a/>", "line 1, column 1: a DOCTYPE is refused; remove it, exports need none"},
		{"\n<?xml version='1.0'?><a/>", "line 2, column 1: an XML declaration stands elsewhere than at the very start"},
		{"<?xml version='1.1'?><a/>", "line 1, column 1: only version 1.0 of XML is read"},
		{"<?xml ?><a/>", "line 1, column 1: the XML declaration has no version"},
		{"<?xml version='1.0' encoding='windows-1252'?><a/>", "line 1, column 1: the encoding windows-1252 is not read; save the file as UTF-8"},
		{"<?xml version='1.0' encoding='&%'?><a/>", "line 1, column 1: the encoding that the XML declaration names is not read; save the file as UTF-8"},
		{"<?xml version='1.0' standalone='maybe'?><a/>", "line 1, column 1: the XML declaration cannot be read"},
		{"<?xml version='1.0'encoding='utf-8'?><a/>", "line 1, column 1: the XML declaration cannot be read"},
		{"<?xml encoding='utf-8'?><a/>", "line 1, column 1: the XML declaration cannot be read"},
		{"<?xml version='1.0' version='1.0'?><a/>", "line 1, column 1: the XML declaration cannot be read"},
		{"<?xml version='1.0' standalone='no' encoding='utf-8'?><a/>", "line 1, column 1: the XML declaration cannot be read"},
		{"<?xml standalone='no' version='1.0'?><a/>", "line 1, column 1: the XML declaration cannot be read"},
		{"<?xml version '1.0'?><a/>", "line 1, column 1: the XML declaration cannot be read"},
		{"<?xml version=1.0?><a/>", "line 1, column 1: the XML declaration cannot be read"},
		{"<?xml version?><a/>", "line 1, column 1: the XML declaration cannot be read"},
		{"<?xml version=?><a/>", "line 1, column 1: the XML declaration cannot be read"},
		{"<?xml version='1.0?><a/>", "line 1, column 1: the XML declaration cannot be read"},
		{"<?xml version='1.0'", "line 1, column 1: the document ends within the XML declaration"},
		{"\xff\xfe<\x00a\x00", "line 1, column 1: the encoding UTF-16 is not read; save the file as UTF-8"},
		{"<\x00a\x00", "line 1, column 1: the encoding UTF-16 is not read; save the file as UTF-8"},
	} {
		_, err := spell(strings.NewReader(c.document), xmlpull.Options{})
		wanted := &xmlpull.Error{}
		if !errors.As(err, &wanted) || err.Error() != c.want {
			t.Errorf("%q:\n got %v\nwant %s", c.document, err, c.want)
		}
		if _, err := spell(iotest.OneByteReader(strings.NewReader(c.document)), xmlpull.Options{}); err == nil || err.Error() != c.want {
			t.Errorf("%q, byte by byte:\n got %v\nwant %s", c.document, err, c.want)
		}
	}
}

// What may stand in a declaration is read past, whatever of it is left out.
func TestDeclarations(t *testing.T) {
	for _, declaration := range []string{"<?xml version='1.0'?>", `<?xml version = "1.0"	standalone="yes"?>`, "<?xml version='1.0' encoding='UTF-8'\n?>", "<?xmlx?>"} {
		if got, err := spell(strings.NewReader(declaration+"<_a-1.Z/>"), xmlpull.Options{}); err != nil || strings.Count(got, "{}_a-1.Z") != 2 {
			t.Errorf("%s: %s, %v", declaration, got, err)
		}
	}
}

func TestLimits(t *testing.T) {
	long := strings.Repeat("x", xmlpull.MaxToken)
	deep := strings.Repeat("<a>", xmlpull.MaxDepth) + strings.Repeat("</a>", xmlpull.MaxDepth)
	var attributes strings.Builder
	for i := range xmlpull.MaxAttributes {
		fmt.Fprintf(&attributes, " a%d=''", i)
	}
	const tooLong = "a tag, comment or text has more than 1048576 bytes"
	for _, c := range []struct{ name, document, want string }{
		{"text as long as it may be", "<a>" + long + "</a>", ""},
		{"longer text", "<a>" + long + "y</a>", "line 1, column 4: " + tooLong},
		{"endless text", "<a>" + strings.Repeat(long, 100), "line 1, column 4: " + tooLong},
		{"text in pieces", "<a>" + long[:600_000] + "<!-- -->" + long[:600_000] + "</a>", "line 1, column 1200012: " + tooLong},
		{"value", "<a b='" + long + "'/>", "line 1, column 1: " + tooLong},
		{"comment", "<a><!--" + long + "--></a>", "line 1, column 4: " + tooLong},
		{"cdata", "<a><![CDATA[" + long + "]]></a>", "line 1, column 4: " + tooLong},
		{"instruction", "<a><?b " + long + "?></a>", "line 1, column 4: " + tooLong},
		{"as deep as it may be", deep, ""},
		{"deeper", "<b>" + deep + "</b>", "line 1, column 193: more than 64 elements stand within each other"},
		{"as many attributes as may be", "<a" + attributes.String() + "/>", ""},
		{"more attributes", "<a" + attributes.String() + " b=''/>", "line 1, column 442: an element has more than 64 attributes"},
		{"long name", "<" + long[:257] + "/>", "line 1, column 2: this is not a name of ASCII letters, digits and _ - . with at most one prefix"},
	} {
		_, err := spell(strings.NewReader(c.document), xmlpull.Options{})
		if got := fmt.Sprint(err); err == nil && c.want != "" || err != nil && got != c.want {
			t.Errorf("%s:\n got %v\nwant %s", c.name, got, c.want)
		}
	}
	for _, c := range []struct {
		o    xmlpull.Options
		want string
	}{
		{xmlpull.Options{MaxDepth: 1}, "line 1, column 4: more than 1 elements stand within each other"},
		{xmlpull.Options{MaxToken: 5}, "line 1, column 4: a tag, comment or text has more than 5 bytes"},
		{xmlpull.Options{MaxAttributes: 1}, "line 1, column 12: an element has more than 1 attributes"},
		{xmlpull.Options{MaxBytes: 20}, "line 1, column 1: the document has more than 20 bytes"},
	} {
		if _, err := spell(strings.NewReader("<a><b c='' d=''/></a>"), c.o); err == nil || err.Error() != c.want {
			t.Errorf("%+v:\n got %v\nwant %s", c.o, err, c.want)
		}
	}
}

func TestReadErrorsAreNotErrorsOfTheDocument(t *testing.T) {
	broken := errors.New("broken")
	_, err := spell(io.MultiReader(strings.NewReader("<a><b"), iotest.ErrReader(broken)), xmlpull.Options{})
	if !errors.Is(err, broken) {
		t.Errorf("got %v", err)
	}
	r := xmlpull.NewReader(strings.NewReader("<a><"), xmlpull.Options{})
	_, _ = r.Next()
	_, first := r.Next()
	if _, second := r.Next(); first == nil || second != first {
		t.Errorf("after %v comes %v", first, second)
	}
}

func TestLeafAndSkip(t *testing.T) {
	r := xmlpull.NewReader(strings.NewReader("<a><b>x&amp;y</b><c><d>1</d>2</c><e/><f>z</f><g>p<h/></g></a>"), xmlpull.Options{})
	next := func(local string) {
		t.Helper()
		if tok, err := r.Next(); err != nil || tok.Kind != xmlpull.Start || tok.Name.Local != local {
			t.Fatalf("got %v %v, %v; want the start of %s", tok.Kind, tok.Name, err, local)
		}
	}
	leaf := func(local, want string) {
		t.Helper()
		next(local)
		if got, err := r.Leaf(); err != nil || string(got) != want {
			t.Fatalf("the text of %s is %q, %v", local, got, err)
		}
	}
	next("a")
	leaf("b", "x&y")
	next("c")
	if err := r.Skip(); err != nil || r.Depth() != 1 {
		t.Fatalf("after Skip: %v, depth %d", err, r.Depth())
	}
	leaf("e", "")
	leaf("f", "z")
	next("g")
	if _, err := r.Leaf(); err == nil || err.Error() != "line 1, column 50: an element stands where only text may be" {
		t.Errorf("an element within a leaf: %v", err)
	}
	if _, err := r.Next(); err == nil {
		t.Error("reading goes on after an error")
	}
}

func TestResolve(t *testing.T) {
	r := xmlpull.NewReader(strings.NewReader("<a xmlns='urn:d' xmlns:p='urn:p' b='p:x'/>"), xmlpull.Options{})
	tok, err := r.Next()
	if err != nil {
		t.Fatal(err)
	}
	if v, ok := tok.Get("b"); !ok || string(v) != "p:x" {
		t.Errorf("b is %q", v)
	}
	if _, ok := tok.Get("c"); ok {
		t.Error("there is a c")
	}
	for prefix, want := range map[string]string{"": "urn:d", "p": "urn:p", "xml": "http://www.w3.org/XML/1998/namespace"} {
		if got, ok := r.Resolve(prefix); !ok || got != want {
			t.Errorf("%q is %q, %v", prefix, got, ok)
		}
	}
	if _, ok := r.Resolve("q"); ok {
		t.Error("q is declared")
	}
}

func TestNoAllocationPerToken(t *testing.T) {
	document := "<a>" + strings.Repeat("<b c='d'>text</b>\n", 10_000) + "</a>"
	got := testing.AllocsPerRun(3, func() {
		r := xmlpull.NewReader(strings.NewReader(document), xmlpull.Options{})
		for {
			if _, err := r.Next(); err != nil {
				return
			}
		}
	})
	if got > 50 {
		t.Errorf("%v allocations for 40,000 tokens", got)
	}
}
