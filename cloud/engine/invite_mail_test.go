package engine_test

import (
	"strings"
	"testing"
	"time"

	"mfabridge/cloud"
	"mfabridge/cloud/engine"
)

// An invitation goes out by mail once, to whom it is for, and holds nothing that
// lets anybody in.
func TestInvitationGoesOutByMail(t *testing.T) {
	h := build(t)
	id := h.user(t, 1)
	upn := h.read(t, id).UPN
	if err := h.MailInvitation(t.Context(), operator, id); cloud.KindOf(err) != cloud.NotFound {
		t.Errorf("who is not invited: %v", err)
	}
	h.invite(t, id)
	if err := h.MailInvitation(t.Context(), engine.Actor{}, id); cloud.KindOf(err) != cloud.Invalid {
		t.Errorf("by nobody: %v", err)
	}
	if err := h.MailInvitation(t.Context(), operator, id); err != nil {
		t.Fatal(err)
	}
	all := h.messages(t)
	if len(all) != 1 || all[0].Channel != "email" || all[0].To != upn || all[0].Subject == "" ||
		!strings.Contains(all[0].Text, "https://mfa.contoso.example/authenticator#user="+strings.ReplaceAll(upn, "@", "%40")+"\n") {
		t.Fatalf("the mail: %+v", all)
	}
	if err := h.MailInvitation(t.Context(), operator, id); cloud.KindOf(err) != cloud.Throttled || cloud.ReasonOf(err) != cloud.MailedBefore {
		t.Errorf("once more at once: %v", err)
	}
	h.Advance(11 * time.Minute)
	h.write(t, cloud.Change{User: id, Op: cloud.Add, Method: cloud.Email, After: cloud.TextValue(address)})
	if err := h.MailInvitation(t.Context(), operator, id); err != nil {
		t.Fatal(err)
	}
	if last := h.messages(t)[1]; last.To != address {
		t.Errorf("the mail to a user with an address went to %s", last.To)
	}
	a := newApp(t)
	if _, err := h.Enrol(t.Context(), a.enrolment(t, h.opened(t, id), "phone"), cloud.Client{}); err != nil {
		t.Fatal(err)
	}
	if err := h.MailInvitation(t.Context(), operator, id); cloud.KindOf(err) != cloud.NotFound {
		t.Errorf("who has activated: %v", err)
	}
}

// The organisation chooses the language of the mail, of those that there are.
func TestInvitationInGerman(t *testing.T) {
	h := build(t)
	id := h.user(t, 1)
	h.invite(t, id)
	if _, err := h.ChangeSettings(t.Context(), operator, func(s *engine.Settings) { s.Language = "xx" }); cloud.KindOf(err) != cloud.Invalid {
		t.Errorf("a language that is none: %v", err)
	}
	if _, err := h.ChangeSettings(t.Context(), operator, func(s *engine.Settings) { s.Language = "de" }); err != nil {
		t.Fatal(err)
	}
	if err := h.MailInvitation(t.Context(), operator, id); err != nil {
		t.Fatal(err)
	}
	all := h.messages(t)
	if len(all) != 1 || all[0].Subject != "Richten Sie Ihren Authenticator ein" || !strings.Contains(all[0].Text, "Sie sind eingeladen") || !strings.Contains(all[0].Text, "https://mfa.contoso.example/authenticator#user=") {
		t.Errorf("the mail: %+v", all)
	}
}

// Who cannot be written to is named.
func TestInvitationIsNotMailed(t *testing.T) {
	h := build(t)
	outside, err := h.AddUser(t.Context(), operator, cloud.Profile{UPN: "eve@fabrikam.example", Enabled: true})
	if err != nil {
		t.Fatal(err)
	}
	h.invite(t, outside)
	if err := h.MailInvitation(t.Context(), operator, outside); cloud.KindOf(err) != cloud.Invalid {
		t.Errorf("a name outside the organisation: %v", err)
	}
	if err := h.MailInvitation(t.Context(), operator, "nobody"); cloud.KindOf(err) != cloud.NotFound {
		t.Errorf("nobody: %v", err)
	}
	id := h.user(t, 1)
	h.invite(t, id)
	if err := h.Block(t.Context(), operator, id, h.Now().Add(time.Hour)); err != nil {
		t.Fatal(err)
	}
	if err := h.MailInvitation(t.Context(), operator, id); cloud.KindOf(err) != cloud.Denied {
		t.Errorf("a blocked user: %v", err)
	}
	if n := len(h.messages(t)); n != 0 {
		t.Errorf("%d mails", n)
	}
}
