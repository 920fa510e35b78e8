package migrate_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"mfabridge/cloud"
	"mfabridge/migrate"
)

// showPlan has every kind of change and a finding.
func showPlan() *fakePlan {
	p := &fakePlan{instance: "i-1"}
	ada := migrate.Decision{Ordinal: 0, Username: "ada\x1b[31m", UPN: "ada@contoso.example", Target: "t-1", MatchedBy: "upn", Action: migrate.Modify, Outlook: migrate.MustAct}
	oath := &cloud.OATH{Name: "Phone\u202e", Serial: "MFB-A", Algorithm: cloud.SHA1, Digits: 6, Period: 30}
	ada.Changes = []migrate.PlannedChange{
		planned(&ada, cloud.Add, cloud.Mobile, cloud.Value{}, cloud.TextValue("+44 2079460012")),
		planned(&ada, cloud.Update, cloud.Office, cloud.TextValue("+1 4255550100"), cloud.TextValue("+1 4255550101")),
		planned(&ada, cloud.Remove, cloud.SoftwareOATH, cloud.Value{OATH: oath}, cloud.Value{}),
		planned(&ada, cloud.Set, cloud.DefaultMethod, cloud.TextValue("sms"), cloud.TextValue("oath")),
		planned(&ada, cloud.Add, cloud.Authenticator, cloud.Value{}, cloud.Value{State: "invited"}),
	}
	ada.Changes[2].ID, ada.Changes[2].Irreversible = "o-1", true
	ada.Findings = []migrate.Finding{{Code: "PHONE_INVALID", Severity: migrate.SeverityWarning, Field: "BackupPhone", Detail: "too short", Action: "Ask the user."}}
	p.decisions = []migrate.Decision{ada, {Ordinal: 1, Username: "eve", Action: migrate.Skip, Outlook: migrate.LockedOut}}
	return p
}

func TestShowJSON(t *testing.T) {
	var b bytes.Buffer
	if err := migrate.ShowJSON(t.Context(), &b, showPlan(), false); err != nil {
		t.Fatal(err)
	}
	want := `{"type":"user","username":"ada\u001b[31m","upn":"ada@contoso.example","target_id":"t-1","matched_by":"upn","wave":"","action":"update","changes":[` +
		`{"op":"add","method":"mobile","id":"","before":null,"after":"+44 ********12","reason":"sample"},` +
		`{"op":"update","method":"office","id":"","before":"+1 ********00","after":"+1 ********01","reason":"sample"},` +
		`{"op":"remove","method":"softwareOath","id":"o-1","before":{"name":"Phone\u202e","serial":"MFB-A","algorithm":"SHA1","digits":6,"period":30},"after":null,"reason":"sample","irreversible":true},` +
		`{"op":"set","method":"defaultMethod","id":"","before":"sms","after":"oath","reason":"sample"},` +
		`{"op":"add","method":"authenticator","id":"","before":null,"after":{"state":"invited"},"reason":"sample"}],` +
		`"findings":[{"code":"PHONE_INVALID","severity":"warning","field":"BackupPhone","detail":"too short","action":"Ask the user."}]}
{"type":"user","username":"eve","upn":"","target_id":"","matched_by":"","wave":"","action":"skip","changes":[],"findings":[]}
{"type":"summary","outlook":{},"users":{"skip":1,"update":1},"changes":{"add":2,"remove":1,"set":1,"update":1},"findings":{},"deadlines":{},"estimate":{"seconds":null,"requests":0},"unread":0,"devices":{"total":0,"with_secret":0},"digest":"d","seal":"holds","accepted":[],"waves":[],"plan":{"id":"p","created":"0001-01-01T00:00:00Z","tool_version":"","target":{"given":"fake:","instance":"i-1","product":"fake","existed":false,"kind":"","assumed":[]},"inputs":[],"options":{},"phone_metadata":"","preflight":null,"scope":{"given":"all","left_out":0}}}
`
	if diff := cmp.Diff(want, b.String()); diff != "" {
		t.Error(diff)
	}
	for line := range strings.Lines(b.String()) {
		if !json.Valid([]byte(line)) {
			t.Errorf("not JSON: %s", line)
		}
	}
}

func TestShowText(t *testing.T) {
	p := showPlan()
	p.unsealed = true
	var b bytes.Buffer
	if err := migrate.ShowText(t.Context(), &b, p, migrate.ShowOptions{}); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"devices with a usable code secret: 0 of 0\n\noutlook\n",
		"seal    not checked",
		"ada\\u001b[31m (ada@contoso.example)  is changed, matched by upn, must act\n",
		"  + mobile           +44 ********12  [sample]\n",
		"  ~ office           +1 ********00 -> +1 ********01  [sample]\n",
		"  - softwareOath     \"Phone\\u202e\" serial MFB-A, SHA1, 6 digits, 30 s  [sample, irreversible, left out without --allow-irreversible]\n",
		"  ~ defaultMethod    sms -> oath  [sample]\n",
		"  ! warning  PHONE_INVALID  BackupPhone: too short -- Ask the user.\n",
		"eve  is skipped, locked out\n",
		"\nusers     skip 1, update 1\nchanges   add 2, remove 1, set 1, update 1\n",
	} {
		if !strings.Contains(b.String(), want) {
			t.Errorf("%q is missing in:\n%s", want, b.String())
		}
	}
	if strings.ContainsAny(b.String(), "\x1b\u202e") {
		t.Error("something in it steers a terminal")
	}
	b.Reset()
	if err := migrate.ShowText(t.Context(), &b, p, migrate.ShowOptions{Color: true, Reveal: true}); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(b.String(), "  \x1b[32m+ mobile           +44 2079460012  [sample]\x1b[0m\n") {
		t.Errorf("neither coloured nor revealed:\n%s", b.String())
	}
}

type full struct{}

func (full) Write([]byte) (int, error) { return 0, errors.New("no space left") }

func TestShowToNowhere(t *testing.T) {
	if err := migrate.ShowText(t.Context(), full{}, showPlan(), migrate.ShowOptions{}); err == nil {
		t.Error("text: no error")
	}
	if err := migrate.ShowJSON(t.Context(), full{}, showPlan(), false); err == nil {
		t.Error("JSON: no error")
	}
}
