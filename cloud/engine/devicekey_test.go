package engine_test

import (
	"testing"
	"time"

	"mfabridge/cloud/engine/signature"
)

// Nothing but what the device signed lets in.
func FuzzDeviceToken(f *testing.F) {
	f.Add("mfd1.user.device.1.AAAA")
	f.Add(signature.Token{User: "u", Device: "d", At: time.Unix(1, 0), Signature: make([]byte, signature.Size)}.String())
	h := build(f)
	f.Fuzz(func(t *testing.T, token string) {
		if user, device, err := h.AuthenticateDevice(t.Context(), token); err == nil {
			t.Errorf("%q lets in as %s of %s", token, device, user)
		}
	})
}
