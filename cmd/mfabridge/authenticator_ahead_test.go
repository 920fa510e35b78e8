package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"

	"github.com/urfave/cli/v2"

	"mfabridge/cloud"
	"mfabridge/cloud/engine"
)

// What the engine would refuse after a pass was used up is refused before.
func TestActivateUsesUpNoPassInVain(t *testing.T) {
	passes, weak := 0, 0
	refused := func(w http.ResponseWriter, status int, body string) {
		w.WriteHeader(status)
		fmt.Fprint(w, body)
	}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/authenticator/v1/about":
			fmt.Fprint(w, `{"account":"Contoso","pin":false,"pin_length":6,"weak_pins":false,"self_enrolment":false,"sign_in":true,"pass":true}`)
		case "/authenticator/v1/pass":
			if passes++; passes > 1 {
				refused(w, http.StatusForbidden, `{"error":{"code":"denied","reason":"wrong_code","message":"the pass was used"}}`)
				return
			}
			fmt.Fprint(w, `{"user":"ada@contoso.example","activation_code":"abcd-efgh-jkmn","until":"2026-11-22T09:10:00Z"}`)
		case "/authenticator/v1/activate":
			weak++
			refused(w, http.StatusBadRequest, `{"error":{"code":"invalid","reason":"weak_pin","message":"another one, please"}}`)
		}
	}))
	defer server.Close()
	dir := t.TempDir()
	write := func(name, content string) string { return "file:" + (story{folder: dir}).write(t, name, content) }
	activate := func(stdin string, args ...string) result {
		t.Helper()
		r := mfabridgeIn(t, stdin, append([]string{"authenticator", "activate", "--url", server.URL, "--user", "ada@contoso.example",
			"--device", filepath.Join(dir, "new.json"), "--pass", write("pass", "aaaabbbbcccc\n")}, args...)...)
		if r.code != exitFailed {
			t.Errorf("%v: exit code %d: %s", args, r.code, r.err)
		}
		return r
	}
	for says, args := range map[string][]string{
		"the name of an authenticator must be": {"--name", strings.Repeat("x", 200)},
		"a PIN must have 6 to 16 digits":       {"--pin", write("short", "2580\n")},
		"is guessed first":                     {"--pin", write("weak", "111111\n")},
	} {
		if r := activate("", args...); !strings.Contains(r.err, says) || passes != 0 {
			t.Errorf("%v: %d passes were used: %s", args, passes, r.err)
		}
	}
	// One that is refused after all is asked for once more, as long as somebody answers.
	if r := activate("273914\n", "--pin", write("pin", "273914\n")); passes != 1 || weak != 2 || !strings.Contains(r.err, "another one, please") || !strings.Contains(r.err, "no PIN was given") {
		t.Errorf("%d passes, %d tries: %s", passes, weak, r.err)
	}
	// It is used up then, and the way on is told.
	if r := activate(""); !strings.Contains(r.err, "the pass was used\n") || !strings.Contains(r.err, "ask the helpdesk for another one then") {
		t.Errorf("once more: %s", r.err)
	}
}

// mailing is an engine that does nothing but mail invitations.
type mailing struct {
	administrator
	err error
}

func (m mailing) MailInvitation(context.Context, engine.Actor, cloud.UserID) error { return m.err }

// Who was written to a moment ago is left out; who could not be written to for
// any other limit is told of.
func TestInviteTellsWhoWasNotWrittenTo(t *testing.T) {
	waits := []invitee{{user: cloud.User{Profile: cloud.Profile{UPN: "ada@contoso.example"}}, Invitation: engine.Invitation{State: engine.InvitationPending}}}
	for says, err := range map[string]error{
		"before 1":          &cloud.Error{Kind: cloud.Throttled, Reason: cloud.MailedBefore, Message: "the mail was sent a moment ago"},
		"too many requests": &cloud.Error{Kind: cloud.Throttled, Message: "too many requests"},
	} {
		mails, errs := (&program{}).mailInvitees(&cli.Context{Context: t.Context()}, mailing{err: err}, engine.Actor{}, waits)
		failed := errors.Join(errs...)
		if text := fmt.Sprint("before ", mails.Before, " ", failed); !strings.Contains(text, says) || (failed == nil) != (cloud.ReasonOf(err) == cloud.MailedBefore) {
			t.Errorf("%v: %s", err, text)
		}
	}
}
