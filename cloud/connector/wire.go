package connector

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"

	"mfabridge/cloud"
	"mfabridge/internal/xmlpull"
)

const (
	beginOperation = "BeginTwoWayAuthentication"
	endOperation   = "EndTwoWayAuthentication"
	arrays         = "http://schemas.microsoft.com/2003/10/Serialization/Arrays"
	instance       = "http://www.w3.org/2001/XMLSchema-instance"
)

// element is one child of a request, in the order that a DataContract reader
// wants. A value that is nil is written as nil.
type element struct {
	name  string
	value *string
	pairs []pair // instead of a value
}

type pair struct{ key, value string }

func text(name, value string) element { return element{name: name, value: &value} }

// request writes a document. Nothing in it has to be trusted: all is escaped.
func request(root string, children []element) []byte {
	b := &bytes.Buffer{}
	fmt.Fprintf(b, "<%s>", root)
	for _, c := range children {
		switch {
		case c.pairs != nil:
			fmt.Fprintf(b, `<%s xmlns:a="%s">`, c.name, arrays)
			for _, p := range c.pairs {
				fmt.Fprintf(b, "<a:KeyValueOfstringstring><a:Key>%s</a:Key><a:Value>%s</a:Value></a:KeyValueOfstringstring>", escape(p.key), escape(p.value))
			}
			fmt.Fprintf(b, "</%s>", c.name)
		case c.value == nil:
			fmt.Fprintf(b, `<%s xmlns:i="%s" i:nil="true"/>`, c.name, instance)
		default:
			fmt.Fprintf(b, "<%s>%s</%s>", c.name, escape(*c.value), c.name)
		}
	}
	fmt.Fprintf(b, "</%s>", root)
	return b.Bytes()
}

// escape makes text fit for an element; what XML 1.0 cannot hold is replaced.
func escape(s string) string {
	clean := strings.Map(func(r rune) rune {
		if r < ' ' && r != '\t' || r == 0xfffe || r == 0xffff || r == 0xfffd {
			return '?'
		}
		return r
	}, s)
	return strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;").Replace(clean)
}

// response is what is read of an answer.
type response struct {
	value         string // Result/Value
	authenticated string // AuthenticationResult: "true", "false", "challenge", "" for nil
	session       string
	affinity      string
	entropy       string
}

// parse reads an answer. Names are told by their local part alone: the
// namespaces of the service are not published.
func parse(body io.Reader) (r response, err error) {
	x := xmlpull.NewReader(body, xmlpull.Options{MaxBytes: maxAnswer, MaxDepth: 16, MaxToken: 64 << 10})
	var path []string
	for {
		t, err := x.Next()
		if errors.Is(err, io.EOF) {
			return r, nil
		}
		if err != nil {
			return response{}, errors.New("the answer is no document that can be read")
		}
		switch t.Kind {
		case xmlpull.Start:
			path = append(path, t.Name.Local)
		case xmlpull.End:
			path = path[:len(path)-1]
		case xmlpull.Text:
			r.take(strings.Join(path, "/"), strings.TrimSpace(string(t.Text)))
		}
	}
}

// take keeps one text, the first of its place.
func (r *response) take(path, value string) {
	_, at, _ := strings.Cut(path, "/")
	field := map[string]*string{"Result/Value": &r.value, "AuthenticationResult": &r.authenticated, "SessionId": &r.session,
		"AffinityUrl": &r.affinity, "ValidEntropyNumber": &r.entropy}[at]
	if field != nil && *field == "" {
		*field = value
	}
}

// call posts a document once: whether one whose answer was lost was heard is
// not known, and it may have made a telephone ring.
func (s *Service) call(ctx context.Context, address string, body []byte) (response, error) {
	token, err := s.token(ctx)
	if err != nil {
		return response{}, err
	}
	q, err := http.NewRequestWithContext(ctx, http.MethodPost, address, bytes.NewReader(body))
	if err != nil {
		return response{}, &cloud.Error{Kind: cloud.Internal, Message: "the connector's address cannot be used"}
	}
	q.Header.Set("Authorization", "Bearer "+token)
	q.Header.Set("Content-Type", "application/xml")
	answer, err := s.client.Do(q)
	if err != nil {
		if ctx.Err() != nil {
			return response{}, ctx.Err()
		}
		// The address of a session is in the library's error.
		return response{}, &cloud.Error{Kind: cloud.Unavailable, Message: "the connector does not answer"}
	}
	defer answer.Body.Close()
	switch {
	case answer.StatusCode == http.StatusTooManyRequests:
		return response{}, &cloud.Error{Kind: cloud.Throttled, Message: "the connector asks to come back later"}
	case answer.StatusCode == http.StatusUnauthorized || answer.StatusCode == http.StatusForbidden:
		return response{}, &cloud.Error{Kind: cloud.Denied, Message: fmt.Sprintf("the connector lets the application not in (%d)", answer.StatusCode)}
	case answer.StatusCode != http.StatusOK:
		return response{}, &cloud.Error{Kind: cloud.Unavailable, Message: fmt.Sprintf("the connector answered %d", answer.StatusCode)}
	}
	r, err := parse(answer.Body)
	if err != nil {
		return response{}, &cloud.Error{Kind: cloud.Unavailable, Message: "the connector answered something else", Err: err}
	}
	return r, nil
}
