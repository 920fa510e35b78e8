package engine_test

import (
	"encoding/base64"
	"net/url"
	"testing"

	"mfabridge/cloud"
	"mfabridge/cloud/engine"
)

// What is taken as a subscription can be called: by https, at a host, without a
// name and a password.
func FuzzSubscription(f *testing.F) {
	point := base64.RawURLEncoding.EncodeToString([]byte("\x04k\x17\xd1\xf2\xe1,BG\xf8\xbc\xe6\xe5c\xa4@\xf2w\x03}\x81-\xeb3\xa0\xf4\xa19E\xd8\x98\xc2\x96" +
		"O\xe3B\xe2\xfe\x1a\x7f\x9b\x8e\xe7\xebJ|\x0f\x9e\x16+\xce3Wk1^\xce\xcb\xb6@h7\xbfQ\xf5")) // the generator of P-256
	for _, endpoint := range []string{"https://push.example/a", "http://push.example", "https://u:p@push.example", "https://push.example#x", "https:///x", "https://[::1]:1/", "//push.example"} {
		f.Add(endpoint, point, "AAAAAAAAAAAAAAAAAAAAAA")
	}
	f.Add("https://push.example", "", "AAAA")
	f.Fuzz(func(t *testing.T, endpoint, key, auth string) {
		s := engine.Subscription{Endpoint: endpoint, P256DH: key, Auth: auth}
		if err := s.Check(); err != nil {
			if cloud.KindOf(err) != cloud.Invalid {
				t.Errorf("%+v: %v", s, err)
			}
			return
		}
		u, err := url.Parse(endpoint)
		if err != nil || u.Scheme != "https" || u.Host == "" || u.User != nil || len(endpoint) > 1024 {
			t.Errorf("taken: %+v", s)
		}
	})
}
