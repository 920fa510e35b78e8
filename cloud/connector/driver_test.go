package connector_test

import (
	"context"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"

	"mfabridge/cloud"
	"mfabridge/cloud/connector"
	"mfabridge/cloud/session"
	"mfabridge/internal/secret"
)

// spoken is a service that says what a test has it say, and hears what it is
// asked first.
type spoken struct {
	*connector.Service
	status int
	says   string
	begin  begin
	asked  int
}

const poll = 7 * time.Second

func speaks(t *testing.T, o connector.Options) *spoken {
	t.Helper()
	s := &spoken{status: http.StatusOK}
	server := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.asked++
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		if r.URL.Path == "/Connector/BeginTwoWayAuthentication" {
			if err := xml.Unmarshal(body, &s.begin); err != nil {
				t.Error(err)
			}
		}
		w.Header().Set("Location", "/elsewhere")
		w.WriteHeader(s.status)
		_, _ = io.WriteString(w, s.says)
	}))
	t.Cleanup(server.Close)
	o.Unsupported, o.Base, o.Client, o.Poll = true, server.URL+"/Connector/", server.Client(), poll
	if o.Credential == nil {
		o.Credential = credential{}
	}
	var err error
	if s.Service, err = connector.New(o); err != nil {
		t.Fatal(err)
	}
	return s
}

const (
	beginRoot = "BeginTwoWayAuthenticationResponse"
	endRoot   = "EndTwoWayAuthenticationResponse"
	withID    = "<SessionId>s</SessionId>"
)

// A session asks for the method that it is to be, and for a code in place of a
// number that nobody would see.
func TestWhatIsAskedFor(t *testing.T) {
	for name, c := range map[string]struct {
		ask      session.Ask
		matching bool
		method   string
		override string
	}{
		"the default":                   {override: "true"},
		"a method by name":              {ask: session.Ask{Method: cloud.VoiceOffice}, method: "TwoWayVoiceOffice", override: "true"},
		"a code that is there":          {ask: session.Ask{WithCode: true}, method: "PhoneAppOTP", override: "true"},
		"a code for another method":     {ask: session.Ask{WithCode: true, Method: cloud.SMS}, method: "OneWaySMS", override: "true"},
		"a client that shows numbers":   {ask: session.Ask{ShowsNumber: true}, override: "false"},
		"numbers left to the service":   {matching: true, override: "false"},
		"numbers, and a client as well": {ask: session.Ask{ShowsNumber: true}, matching: true, override: "false"},
	} {
		t.Run(name, func(t *testing.T) {
			s := speaks(t, connector.Options{NumberMatching: c.matching})
			s.says = document(beginRoot, "Success", "challenge", withID)
			c.ask.UPN = "ada@contoso.example"
			if _, err := s.Begin(t.Context(), c.ask); err != nil {
				t.Fatal(err)
			}
			q := s.begin
			if q.UPN != "ada@contoso.example" || q.Method != c.method || q.LCID != connector.DefaultLCID || q.Match != "true" || len(q.Properties.Pairs) != 2 || q.Properties.Pairs[1].Value != c.override {
				t.Errorf("asked for %+v", q)
			}
		})
	}
}

// A method that the service has no word for asks nobody.
func TestUnknownMethodAsksNobody(t *testing.T) {
	s := speaks(t, connector.Options{})
	s.says = document(beginRoot, "Success", "true", withID)
	turn, err := s.Begin(t.Context(), session.Ask{UPN: "ada@contoso.example", Method: "carrierPigeon"})
	if err != nil || turn.State != cloud.Refused || turn.Reason != cloud.NoMethod || s.asked > 0 {
		t.Errorf("%+v, %v; asked %d times", turn, err, s.asked)
	}
}

// Where an answer leaves a session, of the begin and of a look behind it.
func TestWhereAnswersLead(t *testing.T) {
	const number = "<ValidEntropyNumber>42</ValidEntropyNumber>"
	for name, c := range map[string]struct {
		ask  session.Ask
		says string
		want session.Turn
	}{
		"a code by text":             {says: document(beginRoot, "SMSSent", "challenge", withID), want: session.Turn{State: cloud.Pending, Method: cloud.SMS}},
		"a code of a device":         {says: document(beginRoot, "Success", "challenge", withID), want: session.Turn{State: cloud.Pending, Method: cloud.OATHCode}},
		"a code as asked for":        {ask: session.Ask{Method: cloud.SMS}, says: document(beginRoot, "Success", "challenge", withID), want: session.Turn{State: cloud.Pending, Method: cloud.SMS}},
		"a push":                     {says: document(beginRoot, "Success", "", withID), want: session.Turn{State: cloud.Pending, Method: cloud.Push, Again: poll}},
		"a push that waits":          {says: document(beginRoot, "AuthenticationPending", "false", withID), want: session.Turn{State: cloud.Pending, Method: cloud.Push, Again: poll}},
		"a call as asked for":        {ask: session.Ask{Method: cloud.VoiceMobile}, says: document(beginRoot, "Success", "", withID), want: session.Turn{State: cloud.Pending, Method: cloud.VoiceMobile, Again: poll}},
		"a number":                   {ask: session.Ask{ShowsNumber: true}, says: document(beginRoot, "Success", "", withID, number), want: session.Turn{State: cloud.Pending, Method: cloud.Push, Again: poll, Number: "42"}},
		"a number that nobody shows": {says: document(beginRoot, "Success", "", withID, number), want: session.Turn{State: cloud.Pending, Method: cloud.Push, Again: poll}},
		"no number": {ask: session.Ask{ShowsNumber: true}, says: document(beginRoot, "Success", "", withID, "<ValidEntropyNumber>0</ValidEntropyNumber>"),
			want: session.Turn{State: cloud.Pending, Method: cloud.Push, Again: poll}},
		"success of nothing":       {says: document(beginRoot, "Success", ""), want: session.Turn{State: cloud.Refused}},
		"success that is none":     {says: document(beginRoot, "Success", "false", withID), want: session.Turn{State: cloud.Refused}},
		"a session without a word": {says: document(beginRoot, "Delighted", "", withID), want: session.Turn{State: cloud.Refused}},
	} {
		t.Run(name, func(t *testing.T) {
			s := speaks(t, connector.Options{})
			s.says = c.says
			turn, err := s.Begin(t.Context(), c.ask)
			if err != nil || turn.State != c.want.State || turn.Reason != "" || turn.Method != c.want.Method || turn.Again != c.want.Again || turn.Number != c.want.Number {
				t.Fatalf("%+v, %v; want %+v", turn, err, c.want)
			}
			if turn.State != cloud.Pending {
				return
			}
			s.says = document(endRoot, "PhoneAppDenied", "false")
			if later, err := s.Look(t.Context(), turn.Handle); err != nil || later.State != cloud.Refused || later.Method != c.want.Method {
				t.Errorf("later: %+v, %v", later, err)
			}
		})
	}
}

// The service's words for a code that was not taken, one of each group.
func TestWords(t *testing.T) {
	for word, want := range map[string]struct {
		state  cloud.State
		reason cloud.Reason
	}{
		"OathCodeIncorrect":                       {cloud.Pending, cloud.WrongCode},
		"OATHCODEINCORRECT":                       {cloud.Pending, cloud.WrongCode},
		"OathCodeOld":                             {cloud.Pending, cloud.UsedCode},
		"PhoneAppFraud":                           {cloud.Refused, cloud.UserDenied},
		"PhoneAppNoResponse":                      {cloud.Expired, cloud.TimedOut},
		"UserIsBlocked":                           {cloud.Refused, cloud.UserBlocked},
		"ProofDataNotFound":                       {cloud.Refused, cloud.NoMethod},
		"AuthenticationThrottled":                 {cloud.Refused, cloud.TooManyTries},
		"AuthenticationMethodNotSupported":        {cloud.Refused, cloud.NotAllowed},
		"UserVoiceAuthFailedPhoneUnreachable":     {cloud.Refused, cloud.Undeliverable},
		"SMSAuthFailedMaxAllowedCodeRetryReached": {cloud.Refused, cloud.TooManyTries},
	} {
		s := speaks(t, connector.Options{})
		s.says = document(beginRoot, "Success", "challenge", withID)
		turn, err := s.Begin(t.Context(), session.Ask{})
		if err != nil {
			t.Fatal(err)
		}
		s.says = document(endRoot, word, "false")
		if got, err := s.Code(t.Context(), turn.Handle, secret.FromString("123456")); err != nil || got.State != want.state || got.Reason != want.reason {
			t.Errorf("%s: %+v, %v", word, got, err)
		}
	}
}

// What is no verdict is an error whose kind says whether another try helps.
func TestErrorsAreNoVerdicts(t *testing.T) {
	for name, c := range map[string]struct {
		status int
		says   string
		want   cloud.Kind
	}{
		"too many requests":    {http.StatusTooManyRequests, "", cloud.Throttled},
		"no token taken":       {http.StatusUnauthorized, "", cloud.Denied},
		"not for us":           {http.StatusForbidden, "", cloud.Denied},
		"a fault":              {http.StatusInternalServerError, document(endRoot, "Success", "true"), cloud.Unavailable},
		"moved":                {http.StatusTemporaryRedirect, document(endRoot, "Success", "true"), cloud.Unavailable},
		"created":              {http.StatusCreated, document(endRoot, "Success", "true"), cloud.Unavailable},
		"no document":          {http.StatusOK, "true", cloud.Unavailable},
		"no value":             {http.StatusOK, document(endRoot, "", "false"), cloud.Unavailable},
		"a fault, with a word": {http.StatusOK, document(endRoot, "InternalError", "false"), cloud.Unavailable},
		"nobody":               {http.StatusOK, document(endRoot, "UserNotFound", "false"), cloud.NotFound},
	} {
		s := speaks(t, connector.Options{})
		s.says = document(beginRoot, "Success", "challenge", withID)
		turn, err := s.Begin(t.Context(), session.Ask{})
		if err != nil {
			t.Fatal(err)
		}
		s.status, s.says, s.asked = c.status, c.says, 0
		for call, got := range map[string]func() (session.Turn, error){
			"begin": func() (session.Turn, error) { return s.Begin(t.Context(), session.Ask{}) },
			"code":  func() (session.Turn, error) { return s.Code(t.Context(), turn.Handle, secret.FromString("123456")) },
			"look":  func() (session.Turn, error) { return s.Look(t.Context(), turn.Handle) },
		} {
			if turn, err := got(); cloud.KindOf(err) != c.want || err == nil || turn.State != "" {
				t.Errorf("%s, %s: %+v, %v", name, call, turn, err)
			}
		}
		if s.asked != 3 {
			t.Errorf("%s: %d requests for three calls", name, s.asked)
		}
	}
}

// noToken is an authority that gives none.
type noToken struct{ err error }

func (n noToken) GetToken(context.Context, policy.TokenRequestOptions) (azcore.AccessToken, error) {
	return azcore.AccessToken{}, n.err
}

type final struct{ error }

func (final) NonRetriable() {}

// Without a token nobody is asked, and an authority that refuses is told from
// one that does not answer.
func TestNothingGoesWithoutToken(t *testing.T) {
	for name, c := range map[string]struct {
		err  error
		want cloud.Kind
	}{
		"refused":   {fmt.Errorf("first: %w", final{errors.New("many lines of the authority")}), cloud.Denied},
		"no answer": {errors.New("dial tcp 192.0.2.1:443"), cloud.Unavailable},
	} {
		s := speaks(t, connector.Options{Credential: noToken{c.err}})
		s.says = document(beginRoot, "Success", "true", withID)
		_, begun := s.Begin(t.Context(), session.Ask{})
		for call, err := range map[string]error{"begin": begun, "check": s.Check(t.Context())} {
			if cloud.KindOf(err) != c.want || errors.Is(err, c.err) || s.asked > 0 {
				t.Errorf("%s, %s: %v; %d requests", name, call, err, s.asked)
			}
		}
	}
}
