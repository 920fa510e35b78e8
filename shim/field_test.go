package shim_test

import (
	"context"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"mfabridge/cloud"
	"mfabridge/internal/secret"
	"mfabridge/shim"
	"mfabridge/shim/radius"
)

// tried are the passwords that the primary has heard of.
func (h *home) tried() []string {
	h.engine.mu.Lock()
	defer h.engine.mu.Unlock()
	var out []string
	for _, l := range h.proofs {
		out = append(out, string(l.Password.Reveal()))
	}
	return out
}

// Where the password ends: the primary hears of one password a login, whatever
// is typed.
func TestCodeBehindThePassword(t *testing.T) {
	for _, test := range []struct {
		name, from, user, typed, primary string
		code                             radius.Code
	}{
		{"six digits", appended, "ada", "correct horse123456", "correct horse", radius.AccessAccept},
		{"eight digits", appended, "long", "pw12345678", "pw", radius.AccessAccept},
		{"no tail", appended, "ada", "correct horse", "correct horse", radius.AccessChallenge},
		{"a password that ends in digits, no code", appended, "digit", "pw987654", "pw987654", radius.AccessChallenge},
		{"a password that ends in digits, and a code", appended, "digit", "pw987654333333", "pw987654", radius.AccessAccept},
		{"a wrong code is part of the password", appended, "ada", "correct horse000000", "correct horse000000", radius.AccessReject},
		{"a right code behind a wrong password", appended, "ada", "wrong123456", "wrong", radius.AccessReject},
		{"a code alone", appended, "ada", "123456", "123456", radius.AccessReject},
		{"digits of another script", appended, "ada", "correct horse۱۲۳۴۵۶", "correct horse", radius.AccessAccept},
		{"full-width digits", bothWays, "ada", "correct horse::１２３４５６", "correct horse", radius.AccessAccept},
		{"digits that are none", appended, "ada", "correct horse¹²³⁴⁵⁶", "correct horse¹²³⁴⁵⁶", radius.AccessReject},
		{"five digits", appended, "ada", "correct horse12345", "correct horse12345", radius.AccessReject},
		{"delimiter and code", bothWays, "ada", "correct horse::123456", "correct horse", radius.AccessAccept},
		{"code without its delimiter", bothWays, "ada", "correct horse123456", "correct horse123456", radius.AccessReject},
		{"a password with the delimiter in it", bothWays, "ada", "a::b::123456", "a::b", radius.AccessReject},
		{"delimiter and a wrong code", bothWays, "ada", "correct horse::000000", "correct horse::000000", radius.AccessReject},
		{"delimiter and seven digits", bothWays, "ada", "correct horse::1123456", "correct horse::1123456", radius.AccessReject},
		{"a word", bothWays, "both", "pw::code", "pw", radius.AccessChallenge},
		{"a word in capitals", wordy, "both", "pw,CODE", "pw", radius.AccessChallenge},
		{"no word", wordy, "both", "pw,codes", "pw,codes", radius.AccessReject},
		{"a code where none is looked for", wordy, "ada", "correct horse,123456", "correct horse,123456", radius.AccessReject},
		{"an empty word", wordy, "ada", "correct horse,", "correct horse,", radius.AccessReject},
		{"a word for what the user has not", wordy, "push", "pw,code", "pw", radius.AccessReject},
		{"a word where none is looked for", vpn, "both", "pw,code", "pw,code", radius.AccessReject},
	} {
		synctest.Test(t, func(t *testing.T) {
			r, h := holding(t)
			defer r.close()
			p := r.login(ask{from: test.from, user: test.user, password: test.typed, station: "laptop"})
			if p.Code() != test.code {
				t.Errorf("%s: answered by %v, want %v", test.name, p.Code(), test.code)
			}
			if got := h.tried(); !slices.Equal(got, []string{test.primary}) {
				t.Errorf("%s: the primary heard of %q", test.name, got)
			}
		})
	}
}

func TestNoPasswordBeforeTheWord(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, h := holding(t)
		defer r.close()
		want(t, r.login(ask{from: wordy, user: "both", password: ",push", station: "laptop"}), radius.AccessReject)
		if len(h.tried()) != 0 || r.server.Counters().Reasons["empty_password"] != 1 || r.engine.pushes != 0 {
			t.Errorf("tried %q", h.tried())
		}
	})
}

func TestWordsChooseTheMethod(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, _ := holding(t)
		defer r.close()
		q := ask{from: wordy, user: "ada", password: "correct horse,push", station: "laptop"}
		request := r.start(q)
		r.waitingFor(1)
		r.engine.person("id-ada", cloud.Approved, "")
		want(t, r.checked(r.receive(), request), radius.AccessAccept)
		q.password, q.id = "correct horse,phone", 1
		request = r.start(q)
		r.waitingFor(1)
		r.engine.person("id-ada", cloud.Refused, cloud.UserDenied)
		want(t, r.checked(r.receive(), request), radius.AccessReject)
		q.password, q.id = "correct horse,sms", 2
		state := stateOf(t, r.login(q))
		q.password, q.id, q.state = "123456", 3, state
		want(t, r.login(q), radius.AccessAccept)
	})
}

// The code is used once, by whom the primary has proven; an equal repeat has
// its verdict, and hears nothing of a wrong password.
func TestAppendedCodeIsUsedOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, h := holding(t)
		defer r.close()
		q := ask{from: appended, user: "ada", password: "correct horse123456", station: "laptop"}
		want(t, r.login(q), radius.AccessAccept)
		time.Sleep(time.Second)
		q.id = 1
		want(t, r.login(q), radius.AccessAccept) // the answer was lost, and the client asks anew
		q.id, q.station = 2, "phone"
		want(t, r.login(q), radius.AccessReject)
		if got := r.server.Counters().Reasons; got["used_code"] != 1 || got["wrong_password"] != 0 {
			t.Errorf("reasons %v", got)
		}
		for _, password := range h.tried() {
			if password != "correct horse" {
				t.Errorf("the primary heard of %q", password)
			}
		}
	})
}

// Where nothing tells people apart, whoever read password and code off a screen
// gets nothing for them; a push is still one push there.
func TestAppendedCodeWithoutAStationIsUsedOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, _ := holding(t)
		defer r.close()
		q := ask{from: crowd, user: "ada", password: "correct horse123456"}
		request := r.build(q)
		for range 2 { // a copy is the same login
			r.send(request, q.source())
			want(t, r.checked(r.receive(), request), radius.AccessAccept)
		}
		q.id = 1
		want(t, r.login(q), radius.AccessReject)
		q.id, q.station = 2, "laptop" // which counts for nothing there
		want(t, r.login(q), radius.AccessReject)
		if got := r.server.Counters().Reasons; got["used_code"] != 2 {
			t.Errorf("reasons %v", got)
		}
		r.start(ask{from: crowd, user: "push", password: "pw", id: 3})
		r.start(ask{from: crowd, user: "push", password: "pw", id: 4})
		r.waitingFor(2)
		r.engine.person("id-push", cloud.Refused, cloud.UserDenied)
		r.receive()
		r.receive()
		if r.engine.pushes != 1 {
			t.Errorf("%d pushes", r.engine.pushes)
		}
	})
}

// A code is cut off by whom the typed name stands for, and used up by whom the
// password belongs to. If they differ the answer is no.
func TestAppendedCodeOfSomebodyElse(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, h := holding(t)
		defer r.close()
		h.set(func() { h.alter = func(p *proofOf) { p.Subject.Value = "id-both" } })
		want(t, r.login(ask{from: appended, user: "ada", password: "correct horse123456", station: "laptop"}), radius.AccessReject)
		h.set(func() { h.alter = nil })
		want(t, r.login(ask{from: appended, user: "ada", password: "correct horse123456", station: "laptop", id: 1}), radius.AccessReject)
		time.Sleep(cloud.RepeatWindow)
		want(t, r.login(ask{from: appended, user: "ada", password: "correct horse123456", station: "laptop", id: 2}), radius.AccessAccept)
	})
}

// If nobody can say whether digits are a code, no password is tried.
func TestAppendWithoutAnEngine(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, h := holding(t)
		defer r.close()
		r.engine.set(func() { r.engine.err = &cloud.Error{Kind: cloud.Unavailable, Message: "engine is away"} })
		r.start(ask{from: appended, user: "ada", password: "correct horse123456", station: "laptop"})
		r.silent("append without an engine")
		if len(h.tried()) != 0 {
			t.Errorf("the primary heard of %q", h.tried())
		}
	})
}

// willing takes every code, and remembers what it was asked.
type willing struct{ asked []string }

func (w *willing) MatchCode(_ context.Context, _ cloud.Key, code secret.Bytes, _ cloud.Client) (bool, error) {
	w.asked = append(w.asked, string(code.Reveal()))
	return len(w.asked)%2 == 0, nil
}

// Whatever is typed: the pieces are what was typed, in order; a code is six or
// eight digits that the engine has taken; without a word and a code nothing is
// cut; and no password is cut to nothing by a code.
func FuzzPasswordField(f *testing.F) {
	for _, text := range []string{"", ",", ",push", "pw,push", "pw123456", "pw12345678", "12345678", "pw,123456", "a,b,sms", "pw,１２３４５６", "\xff123456"} {
		f.Add(text, ",", true)
		f.Add(text, "", true)
		f.Add(text, "::", false)
	}
	f.Fuzz(func(t *testing.T, text, delimiter string, appends bool) {
		m := &willing{}
		password, code, method, err := shim.TakeApart(m, text, delimiter, appends)
		if err != nil {
			t.Fatal(err)
		}
		switch {
		case method != "" && code != "", code != "" && (!appends || password == "" || len(m.asked) == 0 || m.asked[len(m.asked)-1] != code):
			t.Fatalf("%q: password %q, code %q, method %q", text, password, code, method)
		case code != "" && (password+delimiter+code != text || len(code) != 6 && len(code) != 8 || strings.Trim(code, "0123456789") != ""):
			t.Fatalf("%q: password %q, code %q", text, password, code)
		case method != "" && (delimiter == "" || !strings.HasPrefix(text, password+delimiter) || strings.Contains(text[len(password)+len(delimiter):], delimiter)):
			t.Fatalf("%q: password %q, method %q", text, password, method)
		case method == "" && code == "" && password != text:
			t.Fatalf("%q: password %q", text, password)
		}
	})
}
