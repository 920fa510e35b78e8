package connector

import (
	"context"
	"strings"

	"github.com/google/uuid"

	"mfabridge/cloud"
	"mfabridge/cloud/session"
	"mfabridge/internal/secret"
)

// methods are the words for methods, seen in public clients.
var methods = map[cloud.Preference]string{
	cloud.Push: "PhoneAppNotification", cloud.OATHCode: "PhoneAppOTP", cloud.SMS: "OneWaySMS",
	cloud.VoiceMobile: "TwoWayVoiceMobile", cloud.VoiceAlternateMobile: "TwoWayVoiceAlternateMobile", cloud.VoiceOffice: "TwoWayVoiceOffice",
}

// going is a session of the service.
type going struct {
	upn, context, session, address string
	method                         cloud.Preference
}

// Begin implements [session.Service].
func (s *Service) Begin(ctx context.Context, a session.Ask) (session.Turn, error) {
	method, known := methods[a.Method]
	if a.Method != "" && !known {
		return session.Turn{State: cloud.Refused, Reason: cloud.NoMethod, Method: a.Method}, nil
	}
	if a.Method == "" && a.WithCode {
		method = methods[cloud.OATHCode]
	}
	g := &going{upn: a.UPN, context: uuid.NewString(), method: a.Method}
	override := "false"
	if !s.o.NumberMatching && !a.ShowsNumber {
		override = "true"
	}
	children := []element{text("Version", "1.0"), text("UserPrincipalName", a.UPN), text("Lcid", s.o.LCID)}
	if method != "" {
		children = append(children, text("AuthenticationMethodId", method))
	}
	children = append(children, element{name: "AuthenticationMethodProperties", pairs: []pair{{"OverrideVoiceOtp", "false"}, {"OverrideNumberMatchingWithOTP", override}}},
		text("ContextId", g.context), text("SyncCall", "false"), text("RequireUserMatch", "true"), text("CallerName", s.o.CallerName), text("CallerIP", "UNKNOWN:"))
	r, err := s.call(ctx, s.o.Base+beginOperation, request(beginOperation+"Request", children))
	if err != nil {
		return session.Turn{}, err
	}
	g.session, g.address = r.session, s.end(r.affinity)
	return s.turn(r, g, a.ShowsNumber)
}

// Code implements [session.Service].
func (s *Service) Code(ctx context.Context, handle any, code secret.Bytes) (session.Turn, error) {
	word := string(code.Reveal())
	return s.next(ctx, handle, &word)
}

// Look implements [session.Service].
func (s *Service) Look(ctx context.Context, handle any) (session.Turn, error) {
	return s.next(ctx, handle, nil)
}

func (s *Service) next(ctx context.Context, handle any, code *string) (session.Turn, error) {
	g := handle.(*going)
	r, err := s.call(ctx, g.address, request(endOperation+"Request", []element{text("Version", "1.0"), text("SessionId", g.session), text("ContextId", g.context),
		{name: "AdditionalAuthData", value: code}, text("UserPrincipalName", g.upn)}))
	if err != nil {
		return session.Turn{}, err
	}
	return s.turn(r, g, false)
}

// turn is where an answer leaves a session.
func (s *Service) turn(r response, g *going, shows bool) (session.Turn, error) {
	t := session.Turn{Handle: g, Method: g.method, Life: s.o.Life}
	switch {
	case r.authenticated == "true" && strings.EqualFold(r.value, "Success"):
		t.State = cloud.Approved
	case r.authenticated == "challenge":
		t.State, t.Prompt = cloud.Pending, "Enter your verification code"
		if t.Method == "" {
			t.Method = cloud.OATHCode
		}
		if strings.EqualFold(r.value, "SMSSent") {
			t.Method = cloud.SMS
		}
	case strings.EqualFold(r.value, "AuthenticationPending"), r.authenticated == "" && strings.EqualFold(r.value, "Success") && r.session != "":
		t.State, t.Again = cloud.Pending, s.o.Poll
		if t.Method == "" {
			t.Method = cloud.Push
		}
		t.Prompt = "Answer on your telephone"
		if shows && r.entropy != "" && r.entropy != "0" {
			t.Number = r.entropy
		}
	default:
		return s.refused(r, t)
	}
	g.method = t.Method
	return t, nil
}

// refused is the table from the service's words to reasons. A word that is
// not in it is a refusal all the same, without a reason: nobody is let in by a
// word that is new, nor spared by one (AccessDenied: the tenant's application
// has no business with this user).
func (s *Service) refused(r response, t session.Turn) (session.Turn, error) {
	t.State = cloud.Refused
	switch strings.ToLower(r.value) {
	case "oathcodeincorrect", "smsauthfailedwrongcodeentered", "smsauthfailedwrongcodepinentered", "oathcodepinincorrect":
		t.State, t.Reason = cloud.Pending, cloud.WrongCode
	case "oathcodeduplicate", "oathcodeold":
		t.State, t.Reason = cloud.Pending, cloud.UsedCode
	case "phoneappdenied", "phoneappfraud", "uservoiceauthfailedphonehungup":
		t.Reason = cloud.UserDenied
	case "phoneappnoresponse", "invalidsession", "invalidsessionid":
		t.State, t.Reason = cloud.Expired, cloud.TimedOut
	case "userisblocked", "phoneappalldevicesblocked", "authenticationmethodlocked":
		t.Reason = cloud.UserBlocked
	case "proofdatanotfound", "authenticationmethodnotconfigured", "nodefaultauthenticationmethodisconfigured", "invalidformat":
		t.Reason = cloud.NoMethod
	case "authenticationmethodnotsupported":
		t.Reason = cloud.NotAllowed
	case "authenticationthrottled", "authenticationmethodlimitreached", "smsauthfailedmaxallowedcoderetryreached", "userauthfailedduplicaterequest":
		t.Reason = cloud.TooManyTries
	case "phoneappnotificationfailed", "uservoiceauthfailedphoneunreachable", "uservoiceauthfailedcallwenttovoicemail", "authenticationmethodfailed":
		t.Reason = cloud.Undeliverable
	case "usernotfound", "becaccessdenied":
		return session.Turn{}, &cloud.Error{Kind: cloud.NotFound, Message: "the tenant has no such user"}
	case "internalerror", "":
		return session.Turn{}, &cloud.Error{Kind: cloud.Unavailable, Message: "the connector has reached no verdict"}
	}
	return t, nil
}
