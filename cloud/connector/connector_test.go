package connector_test

import (
	"context"
	"encoding/xml"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"

	"mfabridge/cloud"
	"mfabridge/cloud/cloudtest"
	"mfabridge/cloud/connector"
	"mfabridge/cloud/session"
	"mfabridge/cloud/session/sessiontest"
	"mfabridge/internal/secret"
)

// credential is an application of the tenant.
type credential struct{}

func (credential) GetToken(_ context.Context, o policy.TokenRequestOptions) (azcore.AccessToken, error) {
	if len(o.Scopes) != 1 || o.Scopes[0] != connector.Audience+"/.default" {
		return azcore.AccessToken{}, fmt.Errorf("scopes %v", o.Scopes)
	}
	return azcore.AccessToken{Token: "synthetic", ExpiresOn: time.Now().Add(time.Hour)}, nil
}

// service plays the connector from what was published about it, in front of an
// engine: its own reading of the documents, with encoding/xml.
type service struct {
	*httptest.Server
	h    *sessiontest.House
	says func(operation string) string // a document instead of an answer; "": none
}

type begin struct {
	XMLName    xml.Name `xml:"BeginTwoWayAuthenticationRequest"`
	Version    string
	UPN        string `xml:"UserPrincipalName"`
	LCID       string `xml:"Lcid"`
	Method     string `xml:"AuthenticationMethodId"`
	Properties struct {
		Pairs []struct {
			Key   string `xml:"http://schemas.microsoft.com/2003/10/Serialization/Arrays Key"`
			Value string `xml:"http://schemas.microsoft.com/2003/10/Serialization/Arrays Value"`
		} `xml:"http://schemas.microsoft.com/2003/10/Serialization/Arrays KeyValueOfstringstring"`
	} `xml:"AuthenticationMethodProperties"`
	ContextID string `xml:"ContextId"`
	Sync      string `xml:"SyncCall"`
	Match     string `xml:"RequireUserMatch"`
	Caller    string `xml:"CallerName"`
	IP        string `xml:"CallerIP"`
}

type end struct {
	XMLName xml.Name `xml:"EndTwoWayAuthenticationRequest"`
	Session string   `xml:"SessionId"`
	Context string   `xml:"ContextId"`
	Data    struct {
		Nil  string `xml:"http://www.w3.org/2001/XMLSchema-instance nil,attr"`
		Code string `xml:",chardata"`
	} `xml:"AdditionalAuthData"`
	UPN string `xml:"UserPrincipalName"`
}

func newService(t *testing.T) *service {
	s := &service{h: sessiontest.Open(t)}
	mux := http.NewServeMux()
	for _, operation := range []string{"BeginTwoWayAuthentication", "EndTwoWayAuthentication"} {
		mux.HandleFunc("POST /Connector/"+operation, func(w http.ResponseWriter, r *http.Request) {
			if r.Header.Get("Authorization") != "Bearer synthetic" || r.Header.Get("Content-Type") != "application/xml" {
				w.WriteHeader(http.StatusUnauthorized)
				return
			}
			if s.says != nil {
				if said := s.says(operation); said != "" {
					_, _ = io.WriteString(w, said)
					return
				}
			}
			if operation == "BeginTwoWayAuthentication" {
				s.begin(t, w, r)
			} else {
				s.end(t, w, r)
			}
		})
	}
	s.Server = httptest.NewTLSServer(mux)
	t.Cleanup(s.Close)
	return s
}

func document(root, value, authenticated string, more ...string) string {
	if authenticated == "" {
		authenticated = `<AuthenticationResult xmlns:i="http://www.w3.org/2001/XMLSchema-instance" i:nil="true"/>`
	} else {
		authenticated = "<AuthenticationResult>" + authenticated + "</AuthenticationResult>"
	}
	return "<" + root + "><Version>1.0</Version><Result><Value>" + value + "</Value><Message/><Retry>false</Retry></Result>" + authenticated + strings.Join(more, "") + "</" + root + ">"
}

var asked = map[string]cloud.Preference{"PhoneAppNotification": cloud.Push, "PhoneAppOTP": cloud.OATHCode, "OneWaySMS": cloud.SMS, "TwoWayVoiceMobile": cloud.VoiceMobile}

func (s *service) begin(t *testing.T, w http.ResponseWriter, r *http.Request) {
	var q begin
	if err := xml.NewDecoder(r.Body).Decode(&q); err != nil || q.Version != "1.0" || q.Sync != "false" || q.Caller != "radius" || q.ContextID == "" || len(q.Properties.Pairs) != 2 {
		t.Errorf("begin: %+v, %v", q, err)
	}
	const root = "BeginTwoWayAuthenticationResponse"
	c, err := s.h.Begin(context.WithoutCancel(r.Context()), cloud.Request{Subject: cloud.Key{Kind: cloud.ByUPN, Value: q.UPN}, Method: asked[q.Method], Tries: 50,
		ShowsNumber: q.Properties.Pairs[1].Value == "false", Client: cloud.Client{App: q.Caller}})
	if err != nil {
		_, _ = io.WriteString(w, document(root, "UserNotFound", "false"))
		return
	}
	s.h.Begun(c.ID)
	more := []string{"<SessionId>" + string(c.ID) + "</SessionId>", "<AffinityUrl>" + s.URL + "/Connector/EndTwoWayAuthentication?dc=1</AffinityUrl>",
		"<ValidEntropyNumber>" + c.Number + "</ValidEntropyNumber>"}
	switch {
	case c.State != cloud.Pending:
		_, _ = io.WriteString(w, document(root, word(c.State, c.Reason), "false", more...))
	case c.Method == cloud.Push:
		_, _ = io.WriteString(w, document(root, "Success", "", more...))
	case c.Method == cloud.SMS:
		_, _ = io.WriteString(w, document(root, "SMSSent", "challenge", more...))
	default:
		_, _ = io.WriteString(w, document(root, "Success", "challenge", more...))
	}
}

func (s *service) end(t *testing.T, w http.ResponseWriter, r *http.Request) {
	var q end
	if err := xml.NewDecoder(r.Body).Decode(&q); err != nil || r.FormValue("dc") != "1" {
		t.Errorf("end: %+v, %v", q, err)
	}
	const root = "EndTwoWayAuthenticationResponse"
	ctx := context.WithoutCancel(r.Context())
	d := cloud.Decision{}
	if q.Data.Nil == "true" {
		ds, err := s.h.Look(ctx, []cloud.ChallengeID{cloud.ChallengeID(q.Session)})
		if err != nil {
			t.Error(err)
			return
		}
		d = ds[0]
	} else {
		var err error
		if d, err = s.h.Answer(ctx, cloud.Answer{Challenge: cloud.ChallengeID(q.Session), Code: secret.FromString(q.Data.Code)}); err != nil {
			t.Error(err)
			return
		}
	}
	authenticated := "false"
	if d.State == cloud.Approved {
		authenticated = "true"
	}
	_, _ = io.WriteString(w, document(root, word(d.State, d.Reason), authenticated))
}

// word is what the service says of a verdict.
func word(state cloud.State, reason cloud.Reason) string {
	switch {
	case state == cloud.Approved:
		return "Success"
	case state == cloud.Pending && reason == "":
		return "AuthenticationPending"
	}
	return map[cloud.Reason]string{cloud.WrongCode: "OathCodeIncorrect", cloud.UsedCode: "OathCodeDuplicate", cloud.UserDenied: "PhoneAppDenied", cloud.TimedOut: "PhoneAppNoResponse",
		cloud.UserBlocked: "UserIsBlocked", cloud.UserDisabled: "AccessDenied", cloud.NoMethod: "ProofDataNotFound", cloud.NotAllowed: "AuthenticationMethodNotSupported",
		cloud.TooManyTries: "AuthenticationThrottled", cloud.Undeliverable: "PhoneAppNotificationFailed", cloud.RepeatRefused: "InvalidSession"}[reason]
}

func (s *service) verifier(t *testing.T) *session.Verifier {
	t.Helper()
	driver, err := connector.New(connector.Options{Unsupported: true, Base: s.URL + "/Connector/", Credential: credential{}, Client: s.Client(), Poll: time.Hour})
	if err != nil {
		t.Fatal(err)
	}
	v := session.New(session.Options{Service: driver, Who: s.h.Who, Now: s.h.Now, Log: slog.New(slog.NewTextHandler(t.Output(), nil))})
	t.Cleanup(func() { _ = v.Close() })
	return v
}

func TestVerifier(t *testing.T) {
	cloudtest.Verifier(t, func(t *testing.T) *cloudtest.Peer {
		s := newService(t)
		return s.h.Peer(s.verifier(t), map[string]string{
			"somebody else of the same name":   "no call names a security identifier",
			"who cannot be asked":              "one word stands for disabled users and forbidden methods",
			"a block counts after an approval": "an approved session is not asked again",
			"a far clock needs two codes":      "no word says that the next code is needed",
			"one push for a login":             "the same",
			"a sent code":                      "no word says where a code went, or how long it lasts",
			"a resend ends the code before":    "one word stands for a session that is over and one that was replaced",
			"a push with a number":             "OverrideNumberMatchingWithOTP asks for codes where no number can be shown",
		})
	})
}

func TestCodeByText(t *testing.T) {
	s := newService(t)
	id := s.h.Ada(t)
	p := s.h.Peer(s.verifier(t), nil)
	c, err := p.Verifier.Begin(t.Context(), cloud.Request{Subject: cloud.Key{Kind: cloud.ByID, Value: string(id)}, Tries: 3})
	if err != nil || c.State != cloud.Pending || c.Method != cloud.SMS || c.User != id {
		t.Fatalf("%+v, %v", c, err)
	}
	for _, want := range []cloud.State{cloud.Approved, cloud.Refused} {
		d, err := p.Verifier.Answer(t.Context(), cloud.Answer{Challenge: c.ID, Code: secret.FromString(p.SentCode(t, c.ID))})
		if err != nil || d.State != want {
			t.Fatalf("%+v, %v; want %s", d, err, want)
		}
	}
}

// Nobody is let in by an answer that is not exactly the one that says yes.
func TestStrangeAnswersLetNobodyIn(t *testing.T) {
	const root = "EndTwoWayAuthenticationResponse"
	for name, says := range map[string]string{
		"true without success": document(root, "OathCodeIncorrect", "true"),
		"success and false":    document(root, "Success", "false"),
		"a new word":           document(root, "Delighted", "true"),
		"no value":             document(root, "", "true"),
		"empty":                "<" + root + "/>",
		"elsewhere":            "<" + root + "><Extra><Result><Value>Success</Value></Result><AuthenticationResult>true</AuthenticationResult></Extra></" + root + ">",
		"twice":                document(root, "PhoneAppDenied", "false", "<Result><Value>Success</Value></Result><AuthenticationResult>true</AuthenticationResult>"),
		"no document":          "true",
		"cut off":              document(root, "Success", "true")[:60],
		"entity":               `<!DOCTYPE x [<!ENTITY y "Success">]>` + document(root, "&y;", "true"),
		"huge":                 strings.Repeat(" ", 300<<10) + document(root, "Success", "true"),
	} {
		t.Run(name, func(t *testing.T) {
			s := newService(t)
			id := s.h.Ada(t)
			v := s.verifier(t)
			c, err := v.Begin(t.Context(), cloud.Request{Subject: cloud.Key{Kind: cloud.ByID, Value: string(id)}, Tries: 1})
			if err != nil {
				t.Fatal(err)
			}
			s.says = func(string) string { return says }
			if d, err := v.Answer(t.Context(), cloud.Answer{Challenge: c.ID, Code: secret.FromString("000000")}); err == nil && d.State == cloud.Approved {
				t.Errorf("let in: %+v", d)
			}
		})
	}
}

// A session is gone on with at the service's own host, wherever an answer
// points.
func TestAffinityStaysWithTheService(t *testing.T) {
	s := newService(t)
	id := s.h.Ada(t)
	heard := false
	elsewhere := httptest.NewTLSServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { heard = true }))
	defer elsewhere.Close()
	s.says = func(operation string) string {
		if operation == "BeginTwoWayAuthentication" {
			return document("BeginTwoWayAuthenticationResponse", "SMSSent", "challenge", "<SessionId>s</SessionId><AffinityUrl>"+elsewhere.URL+"/Connector/End</AffinityUrl>")
		}
		return ""
	}
	v := s.verifier(t)
	c, err := v.Begin(t.Context(), cloud.Request{Subject: cloud.Key{Kind: cloud.ByID, Value: string(id)}, Tries: 1})
	if err != nil {
		t.Fatal(err)
	}
	s.says = func(string) string { return document("EndTwoWayAuthenticationResponse", "Success", "true") }
	if d, err := v.Answer(t.Context(), cloud.Answer{Challenge: c.ID, Code: secret.FromString("123456")}); err != nil || d.State != cloud.Approved || heard {
		t.Errorf("%+v, %v; the other host was called: %t", d, err, heard)
	}
}

func TestNothingGoesWithoutAcknowledgement(t *testing.T) {
	if _, err := connector.New(connector.Options{Credential: credential{}, Client: &http.Client{}}); err == nil {
		t.Error("a private interface is used without being asked for")
	}
	if _, err := connector.New(connector.Options{Unsupported: true, Base: "http://127.0.0.1/", Credential: credential{}, Client: &http.Client{}}); err == nil {
		t.Error("tokens go over plain http")
	}
}

func TestUnreachableIsNoVerdict(t *testing.T) {
	s := newService(t)
	id := s.h.Ada(t)
	v := s.verifier(t)
	s.Close()
	_, err := v.Begin(t.Context(), cloud.Request{Subject: cloud.Key{Kind: cloud.ByID, Value: string(id)}, Tries: 1})
	if cloud.KindOf(err) != cloud.Unavailable || strings.Contains(err.Error(), "127.0.0.1") {
		t.Errorf("got %v", err)
	}
}

// A refusal by a word that is new, or that says that the tenant's application
// has no business with the user, has none of the reasons for which a caller may
// spare a second factor.
func TestNewWordsSpareNobody(t *testing.T) {
	for _, word := range []string{"AccessDenied", "Delighted", "TenantIsBlocked"} {
		s := newService(t)
		id := s.h.Ada(t)
		v := s.verifier(t)
		s.says = func(string) string { return document("BeginTwoWayAuthenticationResponse", word, "false") }
		c, err := v.Begin(t.Context(), cloud.Request{Subject: cloud.Key{Kind: cloud.ByID, Value: string(id)}, Method: cloud.OATHCode, Tries: 1})
		if err != nil || c.State != cloud.Refused || c.Reason == cloud.NotAllowed || c.Reason == cloud.NoMethod {
			t.Errorf("%s: %+v, %v", word, c, err)
		}
	}
}
