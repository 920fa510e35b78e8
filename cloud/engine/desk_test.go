package engine_test

import (
	"context"
	"errors"
	"io"
	"testing"
	"time"

	"mfabridge/cloud"
	"mfabridge/cloud/cloudtest"
	"mfabridge/cloud/engine"
	"mfabridge/cloud/engine/enginetest"
	"mfabridge/internal/secret"
)

// Whatever changes one user is closed to a helpdesk where that user has an
// administrative role, whichever face or command it comes through.
func TestHelpdeskChangesNoAdministrator(t *testing.T) {
	h := build(t)
	boss := h.coded(t, 1)
	h.write(t, cloud.Change{User: boss, Op: cloud.Add, Method: cloud.Mobile, After: cloud.TextValue("+1 4255550142")},
		cloud.Change{User: boss, Op: cloud.Add, Method: cloud.Email, After: cloud.TextValue(address)})
	device := h.enrolled(t, boss, "phone").got.Device
	invited := h.invite(t, boss)
	issued, _ := h.pass(t, boss, false)
	group := h.group(t, "Pilots")
	h.join(t, group, boss)
	h.administrator(t, boss)
	upn, before := h.read(t, boss).UPN, h.entries(t)
	code := func(shift time.Duration) secret.Bytes {
		return cloudtest.Code(cloudtest.Seed(1), cloudtest.Generator(1), h.Now().Add(shift))
	}
	imported := func(n engine.Newcomer) error { return h.ImportUsers(t.Context(), desk, []engine.Newcomer{n})[0].Err }
	later := h.Now().Add(time.Hour)
	for name, err := range map[string]error{
		"block":       h.Block(t.Context(), desk, boss, later),
		"unblock":     h.Unblock(t.Context(), desk, boss),
		"enable":      h.SetEnabled(t.Context(), desk, boss, true),
		"password":    h.SetPassword(t.Context(), desk, boss, secret.FromString("another password")),
		"bypass":      h.AllowBypass(t.Context(), desk, boss, "", later),
		"bypass end":  h.EndBypass(t.Context(), desk, boss),
		"pin":         h.RequirePIN(t.Context(), desk, boss, true, true),
		"number":      h.SetNumberSignIn(t.Context(), desk, boss, false),
		"confirm":     h.ConfirmEmail(t.Context(), desk, boss),
		"unconfirm":   h.UnconfirmEmail(t.Context(), desk, boss),
		"prove":       h.ProveEmail(t.Context(), desk, boss, secret.FromString("000000")),
		"mail":        denial2(h.SendEmailCode(t.Context(), desk, boss)),
		"invite":      denial3(h.Invite(t.Context(), desk, boss)),
		"renew":       denial2(h.RenewInvitation(t.Context(), desk, boss, invited)),
		"revoke":      h.RevokeInvitation(t.Context(), desk, boss, invited),
		"mail invite": h.MailInvitation(t.Context(), desk, boss),
		"activation":  denial2(h.IssueActivation(t.Context(), desk, boss)),
		"remove":      denial2(h.RemoveDevice(t.Context(), desk, boss, device)),
		"pass":        denial3(h.IssuePass(t.Context(), desk, boss, time.Hour, true)),
		"revoke pass": h.RevokePass(t.Context(), desk, boss, issued.ID),
		"sign-ins":    denial2(h.EndSignIns(t.Context(), desk, boss)),
		"resync":      denial2(h.Resync(t.Context(), desk, boss, "", code(0), code(30*time.Second))),
		"join":        h.AddUserToGroup(t.Context(), desk, group, boss),
		"leave":       h.RemoveFromGroup(t.Context(), desk, group, engine.MemberUser, string(boss)),
		"export":      h.ExportPerson(t.Context(), desk, boss, io.Discard),
		"erase":       denial2(h.ErasePerson(t.Context(), desk, boss)),
		"import":      imported(engine.Newcomer{Profile: cloud.Profile{UPN: upn, Enabled: true}}),
		"a role":      imported(engine.Newcomer{Profile: cloud.Profile{UPN: "new@contoso.example", Enabled: true}, Roles: []string{"Global Administrator"}}),
	} {
		if cloud.KindOf(err) != cloud.Denied {
			t.Errorf("%s: %v", name, err)
		}
	}
	if after := h.entries(t); after != before {
		t.Errorf("%d entries were written", after-before)
	}
}

func denial2[T any](_ T, err error) error { return err }

func denial3[T, U any](_ T, _ U, err error) error { return err }

// unread is a store of which no user can be read within an update.
type unread struct{ engine.Store }

type unreadTx struct{ engine.Tx }

var errUnread = errors.New("the page cannot be read")

func (s unread) Update(ctx context.Context, fn func(engine.Tx) error) error {
	return s.Store.Update(ctx, func(tx engine.Tx) error { return fn(unreadTx{tx}) })
}

func (unreadTx) User(cloud.UserID) (*engine.User, error) { return nil, errUnread }

// A user who cannot be read is nobody's to change.
func TestHelpdeskChangesNobodyUnread(t *testing.T) {
	h := build(t)
	ada := h.coded(t, 1)
	group := h.group(t, "Pilots")
	h.join(t, group, ada)
	e, err := engine.Open(t.Context(), engine.Config{Store: unread{h.store}, Key: enginetest.Key(t, h.path), Now: h.Now})
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	desk := engine.Actor{Who: "hal", Reason: "a test", Desk: true}
	for name, err := range map[string]error{
		"leave":  e.RemoveFromGroup(t.Context(), desk, group, engine.MemberUser, string(ada)),
		"join":   e.AddUserToGroup(t.Context(), desk, group, ada),
		"enable": e.SetEnabled(t.Context(), desk, ada, false),
	} {
		if !errors.Is(err, errUnread) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
