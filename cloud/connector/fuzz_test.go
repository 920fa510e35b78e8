package connector

import (
	"bytes"
	"strings"
	"testing"

	"mfabridge/cloud"
)

func FuzzParse(f *testing.F) {
	f.Add([]byte(`<R><Result><Value>Success</Value><Retry>true</Retry></Result><AuthenticationResult>true</AuthenticationResult></R>`))
	f.Add([]byte(`<R xmlns:i="http://www.w3.org/2001/XMLSchema-instance"><AuthenticationResult i:nil="true"/></R>`))
	s := &Service{}
	f.Fuzz(func(t *testing.T, body []byte) {
		r, err := parse(bytes.NewReader(body))
		if err != nil {
			return
		}
		turn, err := s.turn(r, &going{}, true)
		if err == nil && turn.State == cloud.Approved && (r.authenticated != "true" || !strings.EqualFold(r.value, "Success")) {
			t.Fatalf("%+v lets somebody in", r)
		}
	})
}

// What users and configurations bring in stays text.
func FuzzRequest(f *testing.F) {
	f.Add("ada@contoso.example", "12]]>3456")
	f.Add("<a&b>\x00\x1f", "\xff￾")
	f.Add("a\uffffb", "\t \ufffd")
	f.Fuzz(func(t *testing.T, upn, code string) {
		body := request("R", []element{text("SessionId", upn), text("AuthenticationResult", code)})
		r, err := parse(bytes.NewReader(body))
		if err != nil {
			t.Fatalf("%q: %v", body, err)
		}
		if want := strings.TrimSpace(escape(upn)); !strings.ContainsAny(upn, "&<>\r") && r.session != want {
			t.Fatalf("%q became %q", upn, r.session)
		}
	})
}
