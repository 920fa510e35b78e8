package postgres_test

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"mfabridge/cloud"
	"mfabridge/cloud/cloudtest"
	"mfabridge/cloud/engine"
	"mfabridge/cloud/engine/seal"
	"mfabridge/cloud/engine/store/postgres"
	"mfabridge/internal/peer"
	"mfabridge/internal/secret"
)

// back takes what a step brought out of a store again, by the version that the
// step led to: what is left is what the program of the version before left.
var back = map[int]string{
	6: "DROP INDEX tokens_secret",
	5: "ALTER TABLE users DROP COLUMN email_proof; DROP TABLE flights, receipts",
	4: "DROP TABLE slips",
	3: "ALTER TABLE devices DROP COLUMN aside",
	2: "ALTER TABLE devices DROP COLUMN public_key, DROP COLUMN opened; DELETE FROM meta WHERE name = 'origin'",
}

// asVersion makes the store of a schema one of an earlier version.
func asVersion(t *testing.T, schema string, version int) {
	t.Helper()
	for n := postgres.Version; n > version; n-- {
		if back[n] == "" {
			t.Fatalf("there is no way back from version %d: add one", n)
		}
		sql(t, "SET search_path = "+schema+"; "+back[n]+"; UPDATE store_version SET version = "+strconv.Itoa(n-1))
	}
}

// columnsOf are the columns of a schema, by table.
func columnsOf(t *testing.T, schema string) map[string][]string {
	t.Helper()
	all := map[string][]string{}
	for line := range strings.Lines(sql(t, "SELECT table_name, column_name FROM information_schema.columns WHERE table_schema = '"+schema+"' ORDER BY 1, 2")) {
		table, column, _ := strings.Cut(strings.TrimSpace(line), "|")
		all[table] = append(all[table], column)
	}
	return all
}

// rowsOf is what stands in these columns. Left out is what every process that
// opens a store writes about itself.
func rowsOf(t *testing.T, schema string, columns map[string][]string) map[string]string {
	t.Helper()
	all := map[string]string{}
	for table, names := range columns {
		if table == "writers" || table == "store_version" {
			continue
		}
		list := strings.Join(names, ", ")
		where := ""
		if table == "meta" {
			where = " WHERE name <> 'origin'"
		}
		all[table] = sql(t, "SELECT "+list+" FROM "+schema+"."+table+where+" ORDER BY "+list)
	}
	return all
}

// lived is a store in which somebody of everything is, and what is to be asked
// of it later.
type lived struct {
	address, schema string
	key             seal.Key
	now             time.Time
	ada             cloud.UserID
	login           cloud.Request // that was approved
	verdict         cloud.Challenge
}

var actor = engine.Actor{Who: "operator", Reason: "test"}

// live makes one.
func live(t *testing.T) *lived {
	t.Helper()
	l := &lived{now: time.Date(2026, 11, 2, 9, 0, 7, 0, time.UTC)}
	l.address, l.key = made(t)
	l.schema = schemaOf(l.address)
	s := opens(t, l.address)
	e := opened(t, s, l.key, &l.now)
	ada := &cloud.Profile{UPN: "ada@contoso.example", DisplayName: "Ada Ωmega", Aliases: []string{`CORP\ada`}, SID: "S-1-5-21-1-2-3-1001", Enabled: true}
	for i, r := range e.Write(t.Context(), []cloud.Change{
		{UPN: ada.UPN, Op: cloud.Add, Method: cloud.Account, After: cloud.Value{Profile: ada}},
		{UPN: ada.UPN, Op: cloud.Add, Method: cloud.SoftwareOATH, After: cloud.Value{OATH: cloudtest.Generator(1)}},
		{UPN: ada.UPN, Op: cloud.Add, Method: cloud.Mobile, After: cloud.TextValue("+1 4255550100")},
		{UPN: ada.UPN, Op: cloud.Add, Method: cloud.Authenticator, After: cloud.Value{State: "invited"}},
		{UPN: ada.UPN, Op: cloud.Set, Method: cloud.DefaultMethod, After: cloud.TextValue(string(cloud.OATHCode))},
	}) {
		if r.Outcome != cloud.Done {
			t.Fatal(i, r.Err)
		}
		if i == 0 {
			l.ada = cloud.UserID(r.ID)
		}
	}
	l.login = cloud.Request{Subject: cloud.Key{Kind: cloud.ByName, Value: `corp\ADA`}, Tries: 1, Method: cloud.OATHCode, Key: "login 1",
		Client: cloud.Client{App: "vpn", Station: "here"}, Context: []byte("a nonce")}
	l.login.Code = cloudtest.Code(cloudtest.Seed(1), cloudtest.Generator(1), l.now)
	for _, err := range []error{
		e.SetPassword(t.Context(), actor, l.ada, secret.FromString("correct horse")),
		add(e.AddGroup(t.Context(), actor, "staff")), add(e.AddGroup(t.Context(), actor, "pilot")),
		e.AddUserToGroup(t.Context(), actor, "staff", l.ada),
		e.AddGroupToGroup(t.Context(), actor, "pilot", "staff"),
		add(e.AddApp(t.Context(), actor, "vpn", engine.RoleShim, time.Time{})),
		add(e.CheckPassword(t.Context(), l.login.Subject, secret.FromString("wrong horse"), cloud.Client{})),
		s.Update(t.Context(), l.holds),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	var err error
	if l.verdict, err = e.Begin(t.Context(), l.login); err != nil || l.verdict.State != cloud.Approved {
		t.Fatalf("%+v, %v", l.verdict, err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	return l
}

// holds gives Ada what is written here without the engine: a device with a key,
// a slip, and a message on its way.
func (l *lived) holds(tx engine.Tx) error {
	u, err := tx.User(l.ada)
	if err != nil {
		return err
	}
	u.Devices++
	d := engine.Device{User: l.ada, ID: "device", Name: "Synthetic phone", State: "active", Created: l.now, Opened: l.now, Key: []byte{4, 0, 1}, Aside: []byte("{}")}
	for _, err := range []error{tx.PutUser(u), tx.PutDevice(&d), tx.PutSlip(&engine.Slip{ID: "slip", User: l.ada, Data: []byte("{}"), Until: l.now.Add(time.Hour)}),
		tx.PutFlight(&engine.Flight{ID: "flight", User: l.ada}), tx.PutReceipt("receipt", "flight")} {
		if err != nil {
			return err
		}
	}
	return nil
}

func add[T any](_ T, err error) error { return err }

// A store that an earlier program left has its rows still when this one has
// opened it: who is in it logs in, no code is taken twice, and the audit is as
// it was written.
func TestEarlierVersionsKeepTheirRows(t *testing.T) {
	peer.NeedCluster(t, cluster)
	for version := 1; version < postgres.Version; version++ {
		t.Run(fmt.Sprint("version ", version), func(t *testing.T) {
			l := live(t)
			asVersion(t, l.schema, version)
			old, oldSchema := cluster.Address(t)
			if err := postgres.MakeVersion(t.Context(), old, version); err != nil {
				t.Fatal(err)
			}
			columns := columnsOf(t, l.schema)
			if got, want := fmt.Sprint(columns), fmt.Sprint(columnsOf(t, oldSchema)); got != want {
				t.Fatalf("the way back leads to\n%s\nand version %d was\n%s", got, version, want)
			}
			before := rowsOf(t, l.schema, columns)
			for table := range before {
				if before[table] == "" && !slices.Contains([]string{"attempts", "last_sent", "spent"}, table) {
					t.Errorf("nothing is in %s", table)
				}
			}
			s := opens(t, l.address)
			t.Cleanup(func() { _ = s.Close() })
			if got := sql(t, "SELECT version FROM "+l.schema+".store_version"); got != strconv.Itoa(postgres.Version) {
				t.Fatalf("version %s", got)
			}
			for table, rows := range rowsOf(t, l.schema, columns) {
				if rows != before[table] {
					t.Errorf("%s held\n%s\nand holds\n%s", table, before[table], rows)
				}
			}
			l.goesOn(t, opened(t, s, l.key, &l.now))
		})
	}
}

// goesOn asks an engine for all that its store is to know.
func (l *lived) goesOn(t *testing.T, e *engine.Engine) {
	t.Helper()
	users, err := e.Read(t.Context(), []cloud.UserID{l.ada})
	if err != nil {
		t.Fatal(err)
	}
	u := users[0]
	if u.UPN != "ada@contoso.example" || u.Mobile != "+1 4255550100" || u.Default != cloud.OATHCode || len(u.OATH) != 1 || len(u.Authenticators) != 2 {
		t.Errorf("%+v", u)
	}
	for _, group := range []string{"staff", "pilot"} { // of pilot by staff
		var members []cloud.UserID
		for id, err := range e.Members(t.Context(), group) {
			if err != nil {
				t.Fatal(err)
			}
			members = append(members, id)
		}
		if !slices.Equal(members, []cloud.UserID{l.ada}) {
			t.Errorf("members of %s: %v", group, members)
		}
	}
	if apps, err := e.Apps(t.Context()); err != nil || len(apps) != 1 || apps[0].Name != "vpn" {
		t.Errorf("applications: %+v, %v", apps, err)
	}
	if p, err := e.CheckPassword(t.Context(), l.login.Subject, secret.FromString("correct horse"), cloud.Client{}); err != nil || !p.OK {
		t.Errorf("the password: %+v, %v", p, err)
	}
	if again, err := e.Begin(t.Context(), l.login); err != nil || again.ID != l.verdict.ID || again.State != cloud.Approved {
		t.Errorf("the login again: %+v, %v", again, err)
	}
	other := l.login
	other.Key = "login 2"
	if c, err := e.Begin(t.Context(), other); err != nil || c.State == cloud.Approved || c.Reason != cloud.UsedCode {
		t.Errorf("a code that was used: %+v, %v", c, err)
	}
	l.now = l.now.Add(time.Minute)
	other.Key, other.Code = "login 3", cloudtest.Code(cloudtest.Seed(1), cloudtest.Generator(1), l.now)
	if c, err := e.Begin(t.Context(), other); err != nil || c.State != cloud.Approved {
		t.Errorf("a new code: %+v, %v", c, err)
	}
	invited := slices.IndexFunc(u.Authenticators, func(a cloud.AuthenticatorEntry) bool { return a.State == "invited" })
	if err := e.Activate(t.Context(), l.ada, u.Authenticators[invited].ID, "Synthetic phone"); err != nil {
		t.Errorf("the invitation: %v", err)
	}
	if use, err := e.CheckKeys(t.Context()); err != nil || use.Failed > 0 || len(use.Generators) == 0 {
		t.Errorf("secrets: %+v, %v", use, err)
	}
	if found, err := e.VerifyAudit(t.Context()); err != nil || len(found.Flaws) > 0 || found.Entries == 0 {
		t.Errorf("the audit: %+v, %v", found, err)
	}
}
