package engine_test

import (
	"strings"
	"testing"

	"mfabridge/cloud/engine"
	"mfabridge/internal/secret"
)

// A keyset is read whole or not at all, and an error shows nothing of it.
func FuzzParseKey(f *testing.F) {
	key, err := engine.NewKey()
	if err != nil {
		f.Fatal(err)
	}
	good, err := key.Marshal()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(string(good.Reveal()))
	f.Add("{}")
	f.Add(`{"primaryKeyId":1,"key":[{"keyData":{"typeUrl":"type.googleapis.com/google.crypto.tink.HmacKey","value":"CANARY","keyMaterialType":"SYMMETRIC"},"status":"ENABLED","keyId":1,"outputPrefixType":"TINK"}]}`)
	f.Fuzz(func(t *testing.T, s string) {
		k, err := engine.ParseKey(secret.FromString(s))
		switch {
		case err != nil && len(s) > 12 && strings.Contains(err.Error(), s):
			t.Errorf("the error quotes the key: %v", err)
		case err == nil:
			if _, err := k.Marshal(); err != nil {
				t.Errorf("a key that was read cannot be written: %v", err)
			}
		}
	})
}
