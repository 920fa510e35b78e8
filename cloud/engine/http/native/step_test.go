package native_test

import (
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"mfabridge/cloud/engine"
	"mfabridge/cloud/engine/http/native"
)

// sends sends one request of a walk and returns its answer.
type sends func(path string, pairs ...string) answer

// walks go through every row of the table of steps, each request as it is sent
// when it is its turn. That of resets is last: where mail resets passwords it is
// no second factor.
var walks = []func(testing.TB, *house, sends){
	func(t testing.TB, h *house, send sends) {
		a := send(initiate, "username", ada, "challenge_type", every, "capabilities", "mfa_required")
		a = send(challenge, "continuation_token", a.token(t), "challenge_type", every)
		a = send(token, "grant_type", "password", "continuation_token", a.token(t), "password", password, "scope", everything)
		a = send(introspect, "continuation_token", a.token(t))
		a = send(challenge, "continuation_token", a.token(t), "id", methodID(t, a, "sms"))
		code, _ := h.texts.last(t)
		a = send(token, "grant_type", "mfa_oob", "continuation_token", a.token(t), "oob", code, "scope", everything)
		ends(t, send(token, "grant_type", "refresh_token", "refresh_token", a.text("refresh_token")), "access_token")
	},
	func(t testing.TB, h *house, send sends) {
		a := send(signUpStart, "username", eve, "challenge_type", every, "capabilities", everyCapacity)
		a = send(signUpAsk, "continuation_token", a.token(t), "challenge_type", every)
		code, _ := h.mail.last(t)
		a = send(signUpGoOn, "continuation_token", a.token(t), "grant_type", "oob", "oob", code)
		a = send(signUpGoOn, "continuation_token", a.token(t), "grant_type", "password", "password", password)
		a = send(signUpGoOn, "continuation_token", a.token(t), "grant_type", "attributes", "attributes", `{"displayName":"Eve"}`)
		a = send(token, "grant_type", "continuation_token", "continuation_token", a.token(t), "scope", everything)
		a = send(enrolList, "continuation_token", a.token(t))
		a = send(enrolAsk, "continuation_token", a.token(t), "challenge_type", "oob", "challenge_target", "+14255550123", "challenge_channel", "sms")
		text, _ := h.texts.last(t)
		a = send(enrolGoOn, "continuation_token", a.token(t), "grant_type", "oob", "oob", text)
		ends(t, send(token, "grant_type", "continuation_token", "continuation_token", a.token(t), "scope", everything), "access_token")
	},
	func(t testing.TB, h *house, send sends) {
		a := send(signUpStart, "username", "frank@fabrikam.example", "challenge_type", every, "capabilities", everyCapacity, "password", password, "attributes", `{"displayName":"Frank"}`)
		a = send(signUpAsk, "continuation_token", a.token(t))
		code, _ := h.mail.last(t)
		a = send(signUpGoOn, "continuation_token", a.token(t), "grant_type", "oob", "oob", code)
		a = send(token, "grant_type", "continuation_token", "continuation_token", a.token(t), "scope", everything)
		a = send(enrolAsk, "continuation_token", a.token(t), "challenge_type", "oob", "challenge_target", "frank@fabrikam.example")
		ends(t, send(enrolGoOn, "continuation_token", a.token(t), "grant_type", "continuation_token"), "continuation_token")
	},
	func(t testing.TB, h *house, send sends) {
		h.person(t, bob, "+1 4255550111", "bob@fabrikam.example")
		a := send(initiate, "username", bob, "challenge_type", "oob redirect", "capabilities", "mfa_required")
		a = send(challenge, "continuation_token", a.token(t))
		code, _ := h.mail.last(t)
		ends(t, send(token, "grant_type", "oob", "continuation_token", a.token(t), "oob", code, "scope", everything), "continuation_token")
	},
	func(t testing.TB, h *house, send sends) {
		if err := h.ChangeNativeApp(t.Context(), operator, h.app.ID, func(a *engine.NativeApp) error { a.Reset = true; return nil }); err != nil {
			t.Fatal(err)
		}
		h.person(t, "gil@fabrikam.example", "+1 4255550112", "gil@fabrikam.example")
		a := send(resetStart, "username", "gil@fabrikam.example", "challenge_type", "oob redirect", "capabilities", "mfa_required")
		a = send(resetAsk, "continuation_token", a.token(t), "challenge_type", "oob redirect")
		code, _ := h.mail.last(t)
		a = send(resetGoOn, "continuation_token", a.token(t), "grant_type", "oob", "oob", code)
		a = send(resetSubmit, "continuation_token", a.token(t), "new_password", "Other-Heron-77")
		ends(t, send(resetPoll, "continuation_token", a.token(t)), "continuation_token")
	},
}

func ends(t testing.TB, a answer, with string) {
	t.Helper()
	if a.text(with) == "" {
		t.Fatalf("the walk ends in %d %s", a.status, a.raw)
	}
}

// walk goes through all walks; before a request is sent touch may try others.
func (h *house) walk(t *testing.T, touch func(path string, form url.Values)) {
	t.Helper()
	rows := map[string]bool{}
	for _, walk := range walks {
		walk(t, h, func(path string, pairs ...string) answer {
			form := h.form(pairs...)
			rows[path+" "+form.Get("grant_type")] = true
			touch(path, form)
			return h.send(path, form)
		})
	}
	for _, row := range native.Rows() {
		if !rows[row.Path+" "+row.Grant] {
			t.Errorf("no walk goes by %s %s", row.Path, row.Grant)
		}
	}
}

// changed is a form with another value of one parameter; nil: without it.
func changed(form url.Values, name string, values ...string) url.Values {
	other := maps.Clone(form)
	if other[name] = values; values == nil {
		delete(other, name)
	}
	return other
}

// Every parameter of every request: missing, empty, twice, too long.
func TestParametersThatAreNotRight(t *testing.T) {
	h := build(t, both)
	may := map[string]bool{"capabilities": true, "challenge_channel": true}
	tried := 0
	h.walk(t, func(path string, form url.Values) {
		for _, name := range slices.Sorted(maps.Keys(form)) {
			optional := may[name] || name == "challenge_type" && strings.HasSuffix(path, "/challenge") && path != enrolAsk || path == signUpStart && (name == "password" || name == "attributes")
			for what, values := range map[string][]string{"missing": nil, "empty": {""}, "twice": {form.Get(name), form.Get(name)}, "oversized": {strings.Repeat("x", 9000)}} {
				if optional && (what == "missing" || what == "empty") {
					continue
				}
				tried++
				if a := h.send(path, changed(form, name, values...)); a.status != http.StatusBadRequest || a.text("error") == "" || a.text("error") == "server_error" {
					t.Errorf("%s, %s %s: %d %s", path, name, what, a.status, a.raw)
				}
			}
		}
	})
	if tried < 300 {
		t.Errorf("only %d were tried", tried)
	}
}

// Parameters of other requests, in the address, in another form, and what no
// form is.
func TestRequestsThatAreNone(t *testing.T) {
	h := build(t, both)
	h.walk(t, func(path string, form url.Values) {
		for _, foreign := range []string{"password", "oob", "new_password", "refresh_token", "attributes", "challenge_target"} {
			if form.Has(foreign) || path == signUpStart && (foreign == "password" || foreign == "attributes") {
				continue
			}
			h.send(path, changed(form, foreign, "x")).is(t, path+" with "+foreign, "invalid_request", "")
		}
		h.send(path+"?client_id=x", form).is(t, path+" with a parameter in the address", "invalid_request", "")
		h.send(path, form, "Content-Type", "application/json").is(t, path+" as JSON", "invalid_request", "")
		h.send(path, form, "Content-Type", "multipart/form-data; boundary=x").is(t, path+" as another form", "invalid_request", "")
		if a := h.do("POST", path, "%zz=1&client_id="+h.app.ID, "Content-Type", "application/x-www-form-urlencoded"); a.text("error") != "invalid_request" {
			t.Errorf("%s: %d %s", path, a.status, a.raw)
		}
		for _, size := range []int{25, 60} { // more than a form has, more than a body
			big := changed(form, "x-more", strings.Repeat("x", size<<10))
			if a := h.send(path, big); a.status != http.StatusRequestEntityTooLarge && a.text("error") != "invalid_request" {
				t.Errorf("%s, %d KiB: %d %s", path, size, a.status, a.raw)
			}
		}
		if a := h.send(path, form, "Origin", "null"); a.status != http.StatusForbidden || a.text("continuation_token") != "" {
			t.Errorf("%s from a page of nobody: %d %s", path, a.status, a.raw)
		}
		for _, method := range []string{"GET", "PUT", "DELETE"} {
			if a := h.do(method, path, ""); a.status != http.StatusMethodNotAllowed {
				t.Errorf("%s %s: %d", method, path, a.status)
			}
		}
	})
	a := h.send(initiate, url.Values{"client_id": {h.app.ID}, "username": {ada}, "challenge_type": {every}, "x-client-SKU": {"a"}, "claims_hint": {"b"}})
	if a.status != http.StatusOK { // RFC 6749 §3.2
		t.Errorf("parameters of nobody: %d %s", a.status, a.raw)
	}
}

// A continuation token is of one application, one name and one step, wherever
// the flow stands; and once the flow went on for good it is of none.
func TestTokensOfAllSteps(t *testing.T) {
	h := build(t, both)
	other := h.addApp(t, both, func(a *engine.NativeApp) { a.Name = "Other" })
	plausible := map[string]string{"scope": everything, "password": password, "oob": "123456", "attributes": `{"displayName":"x"}`, "new_password": "Some-Heron-44",
		"challenge_type": "oob", "challenge_target": "+14255550123"}
	var sent []url.Values
	var paths []string
	h.walk(t, func(path string, form url.Values) {
		held := form.Get("continuation_token")
		if held == "" {
			return
		}
		sent, paths = append(sent, form), append(paths, path)
		h.send(path, changed(form, "client_id", other.ID)).is(t, path+" of another application", "invalid_request", "")
		if path == token {
			h.send(path, changed(form, "username", "other@contoso.example")).is(t, path+" of another name", "invalid_request", "")
		}
		f, err := h.OpenFlow(held)
		if err != nil {
			t.Fatal(err)
		}
		for _, row := range native.Rows() {
			if len(row.From) == 0 || slices.Contains(row.From, f.Step) {
				continue
			}
			pairs := []string{"continuation_token", held}
			if row.Grant != "" {
				pairs = append(pairs, "grant_type", row.Grant)
			}
			for _, name := range row.Must {
				pairs = append(pairs, name, plausible[name])
			}
			if a := h.call(row.Path, pairs...); a.text("error") != "invalid_request" || !strings.Contains(a.raw, "55200") {
				t.Errorf("a token of step %s at %s %s: %d %s", f.Step, row.Path, row.Grant, a.status, a.raw)
			}
		}
	})
	for i, form := range sent {
		if paths[i] != resetPoll { // it may be asked again
			h.send(paths[i], form).is(t, paths[i]+" "+form.Get("grant_type")+" once more", "invalid_request", "")
		}
	}
}
