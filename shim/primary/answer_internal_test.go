package primary

import (
	"testing"

	"mfabridge/cloud"
	"mfabridge/shim"
	"mfabridge/shim/radius"
	"mfabridge/shim/upstream"
)

// EAP that nothing protects lets nobody in, also where an answer without
// Message-Authenticator came this far (RFC 3579 section 3.2).
func TestUnsignedEAPIsNoAnswer(t *testing.T) {
	p, err := radius.Parse([]byte{byte(radius.AccessAccept), 1, 0, 26, 19: 0, 20: byte(radius.EAPMessage), 6, byte(radius.EAPSuccess), 7, 0, 4})
	if err != nil {
		t.Fatal(err)
	}
	for _, signed := range []bool{false, true} {
		var answer shim.Answer
		err := answerEAP(shim.Relayed{Protocol: shim.EAP}, upstream.Reply{Packet: p, Signed: signed}, &answer)
		if signed != (err == nil) || !signed && cloud.KindOf(err) != cloud.Unsupported || signed != (len(answer.Attributes) > 0) {
			t.Errorf("signed %v: %+v, %v", signed, answer, err)
		}
	}
}
