package engine_test

import (
	"bytes"
	"database/sql"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"mfabridge/cloud"
	"mfabridge/cloud/cloudtest"
	"mfabridge/cloud/engine"
	"mfabridge/cloud/engine/enginetest"
	"mfabridge/cloud/engine/seal"
	"mfabridge/cloud/engine/store/sqlite"
	"mfabridge/internal/hint"
	"mfabridge/internal/secret"
)

// user makes a user without methods.
func (h *house) user(t *testing.T, n int) cloud.UserID {
	t.Helper()
	id, err := h.AddUser(t.Context(), operator, cloud.Profile{UPN: "user" + string(rune('0'+n)) + "@contoso.example", Enabled: true})
	if err != nil {
		t.Fatal(err)
	}
	return id
}

func (h *house) write(t *testing.T, changes ...cloud.Change) {
	t.Helper()
	for i, r := range h.Write(t.Context(), changes) {
		if r.Outcome != cloud.Done {
			t.Fatalf("%s %s: %s, %v", changes[i].Op, changes[i].Method, r.Outcome, r.Err)
		}
	}
}

func (h *house) read(t *testing.T, id cloud.UserID) cloud.User {
	t.Helper()
	users, err := h.Read(t.Context(), []cloud.UserID{id})
	if err != nil {
		t.Fatal(err)
	}
	return users[0]
}

// try logs in with the code that a generator shows now.
func (h *house) try(t *testing.T, id cloud.UserID, o *cloud.OATH) cloud.Challenge {
	t.Helper()
	c, err := h.Begin(t.Context(), cloud.Request{Subject: cloud.Key{Kind: cloud.ByID, Value: string(id)}, Tries: 1,
		Client: cloud.Client{App: "vpn", Station: "station"}, Code: cloudtest.Code(o.Secret.Reveal(), o, h.Now())})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func (h *house) login(t *testing.T, id cloud.UserID, o *cloud.OATH, want cloud.State, reason cloud.Reason) {
	t.Helper()
	if c := h.try(t, id, o); c.State != want || c.Reason != reason {
		t.Fatalf("login: %s %q, want %s %q", c.State, c.Reason, want, reason)
	}
}

// actions are all audit entries as "action by actor: reason".
func (h *house) actions(t *testing.T) (actions []string) {
	t.Helper()
	for entry, err := range h.Audit(t.Context(), 0) {
		if err != nil {
			t.Fatal(err)
		}
		actions = append(actions, entry.Action+" by "+entry.Actor+": "+entry.Reason)
	}
	return actions
}

func TestAdministrationIsRecorded(t *testing.T) {
	h := build(t)
	by := engine.Actor{Who: "ada", Reason: "ticket 7"}
	id, err := h.AddUser(t.Context(), by, cloud.Profile{UPN: "bob@contoso.example", Enabled: true})
	if err != nil {
		t.Fatal(err)
	}
	_, err = h.AddApp(t.Context(), by, "vpn-shim", engine.RoleShim, time.Time{})
	err = errors.Join(err, h.SetEnabled(t.Context(), by, id, false), h.SetEnabled(t.Context(), by, id, true),
		h.Block(t.Context(), by, id, h.Now().Add(time.Hour)), h.Unblock(t.Context(), by, id),
		h.SetPassword(t.Context(), by, id, secret.FromString("correct horse")), h.RemoveApp(t.Context(), by, "vpn-shim"))
	if err != nil {
		t.Fatal(err)
	}
	got := strings.Join(h.actions(t), "\n")
	for _, action := range []string{"user.add", "app.add", "user.disable", "user.enable", "user.block", "user.unblock", "user.password", "app.remove"} {
		if !strings.Contains(got, action+" by ada: ticket 7") {
			t.Errorf("%s is not in the audit:\n%s", action, got)
		}
	}
	before := len(h.actions(t))
	nobody := engine.Actor{}
	for name, err := range map[string]error{
		"no actor":        h.SetEnabled(t.Context(), nobody, id, false),
		"unknown user":    h.Unblock(t.Context(), by, "nobody"),
		"a past block":    h.Block(t.Context(), by, id, h.Now()),
		"a short word":    h.SetPassword(t.Context(), by, id, secret.FromString("short")),
		"an unknown app":  h.RemoveApp(t.Context(), by, "vpn-shim"),
		"a broken reason": h.Unblock(t.Context(), engine.Actor{Who: "ada", Reason: "x\ny"}, id),
	} {
		if err == nil {
			t.Errorf("%s was accepted", name)
		}
	}
	if len(h.actions(t)) != before {
		t.Error("refused commands stand in the audit")
	}
}

func TestUsersAreListed(t *testing.T) {
	h := build(t)
	var changes []cloud.Change
	for n := range 999 {
		p := &cloud.Profile{UPN: "u" + strings.Repeat("x", n%7) + string(rune('a'+n%26)) + time.Duration(n).String() + "@contoso.example", Enabled: true}
		changes = append(changes, cloud.Change{UPN: p.UPN, Op: cloud.Add, Method: cloud.Account, After: cloud.Value{Profile: p}})
	}
	h.write(t, changes...)
	h.write(t, cloud.Change{UPN: changes[0].UPN, Op: cloud.Add, Method: cloud.SoftwareOATH, After: cloud.Value{OATH: cloudtest.Generator(1)}})
	seen, tokens := map[cloud.UserID]bool{}, 0
	for u, err := range h.Users(t.Context()) {
		if err != nil {
			t.Fatal(err)
		}
		seen[u.ID] = true
		tokens += len(u.OATH)
	}
	if len(seen) != 999 || tokens != 1 {
		t.Errorf("%d users and %d generators listed", len(seen), tokens)
	}
	if u, err := h.Show(t.Context(), strings.ToUpper(changes[5].UPN)); err != nil || u.UPN != changes[5].UPN {
		t.Errorf("Show: %q, %v", u.UPN, err)
	}
	for id := range seen {
		if u, err := h.Show(t.Context(), string(id)); err != nil || u.ID != id {
			t.Errorf("Show of an id: %q, %v", u.UPN, err)
		}
		if _, err := h.Show(t.Context(), strings.Replace(string(id), "-", "0", 1)); cloud.KindOf(err) != cloud.NotFound {
			t.Errorf("Show of no id: %v", err)
		}
		break
	}
	if _, err := h.Show(t.Context(), "nobody"); err == nil || cloud.KindOf(err) != cloud.NotFound {
		t.Errorf("Show of nobody: %v", err)
	}
}

// Nothing is done for nobody, and nothing is left of the try.
func TestNobodyAdministers(t *testing.T) {
	h := build(t)
	id := h.user(t, 1)
	before := h.entries(t)
	var nobody engine.Actor
	for name, try := range map[string]func() error{
		"a user": func() error {
			_, err := h.AddUser(t.Context(), nobody, cloud.Profile{UPN: "a@contoso.example"})
			return err
		},
		"a group":        func() error { _, err := h.AddGroup(t.Context(), nobody, "staff"); return err },
		"an application": func() error { _, err := h.AddApp(t.Context(), nobody, "app", engine.RoleShim, time.Time{}); return err },
		"a policy": func() error {
			return h.SetPolicy(t.Context(), nobody, engine.PolicySMS, engine.MethodPolicy{})
		},
		"a device":      func() error { _, err := h.RemoveDevice(t.Context(), nobody, id, "x"); return err },
		"an export":     func() error { return h.ExportPerson(t.Context(), nobody, id, new(bytes.Buffer)) },
		"an erasure":    func() error { _, err := h.ErasePerson(t.Context(), nobody, id); return err },
		"a prune":       func() error { _, err := h.PruneAudit(t.Context(), nobody, h.Now().Add(time.Hour)); return err },
		"a backup":      func() error { return h.BeginBackup(t.Context(), nobody) },
		"a replacement": func() error { return h.Replace(t.Context(), nobody, "x") },
	} {
		if err := try(); cloud.KindOf(err) != cloud.Invalid || err == nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	if n := h.entries(t); n != before {
		t.Errorf("%d entries more in the audit", n-before)
	}
	if _, err := h.Show(t.Context(), string(id)); err != nil {
		t.Error(err)
	}
}

func TestApplications(t *testing.T) {
	h := build(t)
	word, err := h.AddApp(t.Context(), operator, "mover", engine.RoleMigrate, h.Now().Add(time.Hour))
	if err != nil || word.Len() < 43 {
		t.Fatalf("AddApp: %d bytes, %v", word.Len(), err)
	}
	if app, err := h.Authenticate(t.Context(), "mover", word); err != nil || app.Role != engine.RoleMigrate {
		t.Errorf("Authenticate: %+v, %v", app, err)
	}
	denied := func(name string, word secret.Bytes) {
		t.Helper()
		if app, err := h.Authenticate(t.Context(), name, word); err == nil || cloud.KindOf(err) != cloud.Denied || app.Name != "" {
			t.Errorf("Authenticate: %+v, %v", app, err)
		}
	}
	denied("mover", secret.FromString("wrong"))
	denied("mover", secret.Bytes{})
	denied("other", word)
	if _, err := h.AddApp(t.Context(), operator, "mover", engine.RoleShim, time.Time{}); err == nil || cloud.KindOf(err) != cloud.Conflict {
		t.Errorf("the name again: %v", err)
	}
	for name, err := range map[string]error{
		"role":    second(h.AddApp(t.Context(), operator, "x", "root", time.Time{})),
		"no end":  second(h.AddApp(t.Context(), operator, "x", engine.RoleMigrate, time.Time{})),
		"no name": second(h.AddApp(t.Context(), operator, "", engine.RoleShim, time.Time{})),
	} {
		if err == nil || cloud.KindOf(err) != cloud.Invalid {
			t.Errorf("%s: %v", name, err)
		}
	}
	h.Advance(time.Hour)
	denied("mover", word)
	if err := h.RemoveApp(t.Context(), operator, "mover"); err != nil {
		t.Fatal(err)
	}
	if apps, err := h.Apps(t.Context()); err != nil || len(apps) != 0 {
		t.Errorf("Apps: %v, %v", apps, err)
	}
}

func second(_ secret.Bytes, err error) error { return err }

func TestPasswords(t *testing.T) {
	h := build(t)
	id, without := h.user(t, 1), h.user(t, 2)
	right, wrong := secret.FromString("correct horse"), secret.FromString("battery staple")
	if err := h.SetPassword(t.Context(), operator, id, right); err != nil {
		t.Fatal(err)
	}
	client := cloud.Client{App: "vpn", Station: "station"}
	check := func(who cloud.UserID, password secret.Bytes, client cloud.Client) cloud.Proof {
		t.Helper()
		p, err := h.CheckPassword(t.Context(), cloud.Key{Kind: cloud.ByID, Value: string(who)}, password, client)
		if err != nil {
			t.Fatal(err)
		}
		return p
	}
	if p := check(id, right, client); !p.OK || p.User != id || p.UPN == "" {
		t.Errorf("the right password: %+v", p)
	}
	for name, p := range map[string]cloud.Proof{
		"a wrong password": check(id, wrong, client), "an empty one": check(id, secret.Bytes{}, client),
		"a user without":  check(without, right, client),
		"an unknown user": check("nobody", right, client),
		"a very long one": check(id, secret.New(bytes.Repeat([]byte("x"), 10_000)), client),
	} {
		if p.OK || p.Reason != cloud.WrongPassword || p.User != "" || p.UPN != "" {
			t.Errorf("%s: %+v", name, p)
		}
	}
	// Limits do not tell who exists, and other stations go on.
	for _, who := range []cloud.UserID{id, "nobody"} {
		var last cloud.Proof
		for range 8 {
			last = check(who, wrong, client)
		}
		if last.Reason != cloud.TooManyTries {
			t.Errorf("8 wrong passwords of %s: %+v", who, last)
		}
	}
	if p := check(id, right, client); p.OK {
		t.Error("a right password passed the closed gate")
	}
	if p := check(id, right, cloud.Client{App: "vpn", Station: "elsewhere"}); !p.OK {
		t.Errorf("another station: %+v", p)
	}
	if err := h.Block(t.Context(), operator, id, h.Now().Add(time.Hour)); err != nil {
		t.Fatal(err)
	}
	if p := check(id, right, cloud.Client{Station: "third"}); p.OK || p.Reason != cloud.UserBlocked {
		t.Errorf("a blocked user: %+v", p)
	}
	if p := check(id, wrong, cloud.Client{Station: "fourth"}); p.Reason != cloud.WrongPassword {
		t.Errorf("a wrong password of a blocked user: %+v", p)
	}
}

// The store holds neither seeds nor passwords nor codes in the clear, and the
// audit no numbers.
func TestNothingSecretIsStored(t *testing.T) {
	h := build(t)
	id := h.user(t, 1)
	canary := []byte("CANARYCANARYCANARY20")
	o := &cloud.OATH{Name: "token", Algorithm: cloud.SHA1, Digits: 6, Period: 30, Secret: secret.New(bytes.Clone(canary))}
	h.write(t, cloud.Change{User: id, Op: cloud.Add, Method: cloud.SoftwareOATH, After: cloud.Value{OATH: o}},
		cloud.Change{User: id, Op: cloud.Add, Method: cloud.Mobile, After: cloud.TextValue("+44 2079460123")})
	if err := h.SetPassword(t.Context(), operator, id, secret.FromString("canary password")); err != nil {
		t.Fatal(err)
	}
	h.login(t, id, o, cloud.Approved, "")
	c, err := h.Begin(t.Context(), cloud.Request{Subject: cloud.Key{Kind: cloud.ByID, Value: string(id)}, Method: cloud.SMS, Tries: 1})
	if err != nil {
		t.Fatal(err)
	}
	text := h.sent(t, c.ID).Text
	h.Reopen(t)
	files, err := filepath.Glob(h.path + "*")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		content, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, word := range [][]byte{canary, []byte("canary password"), []byte("argon2id"), []byte(text)} {
			if bytes.Contains(content, word) {
				t.Errorf("%s holds %q", filepath.Base(file), word)
			}
		}
	}
	for entry := range h.Audit(t.Context(), 0) {
		if strings.Contains(entry.Detail+entry.Reason+entry.Subject, "2079460123") {
			t.Errorf("the audit shows a number: %+v", entry)
		}
	}
}

// A sealed secret that is copied to another row does not open there.
func TestSealedSecretsAreBound(t *testing.T) {
	h := build(t)
	a, b := h.user(t, 1), h.user(t, 2)
	for n, id := range []cloud.UserID{a, b} {
		h.write(t, cloud.Change{User: id, Op: cloud.Add, Method: cloud.SoftwareOATH, After: cloud.Value{OATH: cloudtest.Generator(n)}})
	}
	db, err := sql.Open("sqlite3", "file:"+h.path)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if _, err := db.Exec("UPDATE tokens SET sealed = (SELECT sealed FROM tokens WHERE user = $1) WHERE user = $2", string(a), string(b)); err != nil {
		t.Fatal(err)
	}
	c, err := h.Begin(t.Context(), cloud.Request{Subject: cloud.Key{Kind: cloud.ByID, Value: string(b)}, Tries: 1,
		Code: cloudtest.Code(cloudtest.Seed(0), cloudtest.Generator(0), h.Now())})
	if err == nil || c.State == cloud.Approved {
		t.Errorf("the secret of another user was used: %+v", c)
	}
}

func TestOpenRefuses(t *testing.T) {
	h := build(t)
	other, err := seal.NewKey()
	if err != nil {
		t.Fatal(err)
	}
	open := func(key seal.Key) error {
		_, err := engine.Open(t.Context(), engine.Config{Store: h.store, Key: key})
		return err
	}
	want := func(err error, kind cloud.Kind) {
		t.Helper()
		if err == nil || cloud.KindOf(err) != kind || hint.Of(err) == "" {
			t.Errorf("Open: %v (hint %q), want kind %s", err, hint.Of(err), kind)
		}
	}
	want(open(other), cloud.Denied)
	key := enginetest.Key(t, h.path)
	setup := func(s string) {
		if err := h.store.Update(t.Context(), func(tx engine.Tx) error { return tx.SetMeta("engine", []byte(s)) }); err != nil {
			t.Fatal(err)
		}
	}
	setup(`{"format":1,"kind":"other","instance":"x"}`)
	want(open(key), cloud.Unsupported)
	setup(`{"format":2,"kind":"engine","instance":"x"}`)
	want(open(key), cloud.Unsupported)
	empty := filepath.Join(t.TempDir(), "empty.db")
	if err := sqlite.Create(t.Context(), empty, func(*sqlite.Store) error { return nil }); err != nil {
		t.Fatal(err)
	}
	s, err := sqlite.Open(t.Context(), empty, sqlite.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	_, err = engine.Open(t.Context(), engine.Config{Store: s, Key: key})
	want(err, cloud.NotFound)
	if err := engine.Init(t.Context(), h.store, key, engine.Setup{Actor: operator}); err == nil || cloud.KindOf(err) != cloud.Conflict {
		t.Errorf("Init of an engine: %v", err)
	}
}

func TestKeyFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "key")
	key, err := seal.NewKey()
	if err != nil {
		t.Fatal(err)
	}
	if err := key.WriteFile(path); err != nil {
		t.Fatal(err)
	}
	if err := key.WriteFile(path); err == nil {
		t.Error("a key file was overwritten")
	}
	if _, err := seal.LoadKey("file:" + path); err != nil {
		t.Error(err)
	}
	if err := os.Chmod(path, 0o640); err != nil {
		t.Fatal(err)
	}
	if _, err := seal.LoadKey("file:" + path); err == nil || hint.Of(err) == "" {
		t.Errorf("a key that the group may read: %v", err)
	}
}
