package radius_test

import (
	"bytes"
	"errors"
	"testing"

	layeh "layeh.com/radius"
	"layeh.com/radius/rfc2865"
	"layeh.com/radius/rfc2866"

	"mfabridge/shim/radius"
)

// An independent encoder and ours agree on accounting.
func TestAccountingAgreesWithAnotherEncoder(t *testing.T) {
	key := []byte("a synthetic secret of the client")
	theirs := layeh.New(layeh.CodeAccountingRequest, key)
	for _, err := range []error{rfc2865.UserName_SetString(theirs, "ada"), rfc2866.AcctStatusType_Set(theirs, rfc2866.AcctStatusType_Value_Start),
		rfc2866.AcctSessionID_SetString(theirs, "s1")} {
		if err != nil {
			t.Fatal(err)
		}
	}
	b, err := theirs.Encode()
	if err != nil {
		t.Fatal(err)
	}
	p, err := radius.Parse(b)
	if err != nil {
		t.Fatal(err)
	}
	s := radius.NewSecret(key)
	if err := s.VerifyAccounting(p); err != nil {
		t.Fatal(err)
	}
	w := radius.NewAccountingResponse(nil, p)
	w.AddProxyStates(p)
	reply, err := s.SealAccountingResponse(&w, p)
	if err != nil || !layeh.IsAuthenticResponse(reply, b, key) {
		t.Errorf("answer %x, %v", reply, err)
	}
	r, err := radius.Parse(reply)
	if err != nil || s.VerifyAccountingResponse(r, p) != nil {
		t.Errorf("our own answer: %v", err)
	}
	for i := range reply {
		altered := bytes.Clone(reply)
		altered[i] ^= 1
		if r, err := radius.Parse(altered); err == nil && s.VerifyAccountingResponse(r, p) == nil {
			t.Errorf("octet %d of an answer may be altered", i)
		}
	}
	if radius.NewSecret([]byte("x")).VerifyAccountingResponse(r, p) == nil {
		t.Error("an answer under another secret is as good")
	}
	ours := radius.NewAccountingRequest(nil, 7)
	ours.Add(radius.UserName, []byte("ada"))
	mine, err := s.SealAccountingRequest(&ours)
	if err != nil || !layeh.IsAuthenticRequest(mine, key) {
		t.Errorf("request %x, %v", mine, err)
	}
	if layeh.IsAuthenticRequest(mine, []byte("x")) || radius.NewSecret([]byte("x")).VerifyAccounting(p) == nil {
		t.Error("another secret is as good")
	}
	for i := range b {
		altered := bytes.Clone(b)
		altered[i] ^= 1
		if p, err := radius.Parse(altered); err == nil && s.VerifyAccounting(p) == nil && i != 1 {
			t.Errorf("octet %d may be altered", i)
		}
	}
}

// Message-Authenticator in accounting counts the authenticator as zeros
// (RFC 5176 section 3.3), and is checked where it is.
func TestAccountingMessageAuthenticatorIsChecked(t *testing.T) {
	s := radius.NewSecret([]byte("a synthetic secret of the client"))
	w := radius.NewRequest(nil, radius.AccountingRequest, 1, [16]byte{})
	signed, err := s.SealRequest(&w)
	if err != nil {
		t.Fatal(err)
	}
	for _, wrong := range []bool{false, true} {
		b := radius.NewAccountingRequest(nil, 1)
		value := bytes.Clone(signed[radius.HeaderLength+2:])
		if wrong {
			value[0] ^= 1
		}
		b.Add(radius.MessageAuthenticator, value)
		request, err := s.SealAccountingRequest(&b)
		if err != nil {
			t.Fatal(err)
		}
		p, err := radius.Parse(request)
		if err != nil {
			t.Fatal(err)
		}
		if err := s.VerifyAccounting(p); wrong != errors.Is(err, radius.ErrMessageAuthenticator) {
			t.Errorf("wrong %v: %v", wrong, err)
		}
	}
}
