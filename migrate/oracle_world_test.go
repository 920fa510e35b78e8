package migrate_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strings"

	"mfabridge/cloud"
	"mfabridge/fixtures/gen"
	"mfabridge/internal/secret"
	"mfabridge/legacy"
)

// entra are the capabilities of a target like Entra ID, by Graph.
func entra() cloud.Capabilities {
	all := cloud.Access{Create: true, Read: true, Update: true, Delete: true}
	return cloud.Capabilities{
		Instance: "99999999-2222-3333-4444-555555555555", Product: "test rehearsal", Batch: 20, Delayed: true,
		Methods: map[cloud.Method]cloud.Access{
			cloud.Mobile: all, cloud.AlternateMobile: all, cloud.Office: all, cloud.Email: all,
			cloud.SoftwareOATH: {Read: true, Delete: true}, cloud.Authenticator: {Read: true, Delete: true},
			cloud.HardwareOATH: {Create: true, Read: true, Delete: true},
		},
		DefaultMethod: cloud.Access{Create: true, Read: true, Update: true},
		Preferences:   []cloud.Preference{cloud.Push, cloud.OATHCode, cloud.SMS, cloud.VoiceMobile, cloud.VoiceAlternateMobile, cloud.VoiceOffice},
		OATH: cloud.OATHCapabilities{Limit: 5, Algorithms: []cloud.Algorithm{cloud.SHA1, cloud.SHA256}, Digits: []int{6},
			Periods: []int{30, 60}, Activates: true, MinSecret: 10, MaxSecret: 80, MaxDrift: 2},
		Telephony:        []cloud.Preference{cloud.SMS, cloud.VoiceMobile, cloud.VoiceAlternateMobile, cloud.VoiceOffice},
		RetiresTelephony: true, Cloud: "global",
	}
}

// shelf is a DirectoryReader that finds quickly.
type shelf struct {
	caps  cloud.Capabilities
	users []*cloud.User
	by    map[cloud.Key][]*cloud.User // values in lower case
}

func newShelf(caps cloud.Capabilities, users []*cloud.User) *shelf {
	s := &shelf{caps: caps, users: users, by: map[cloud.Key][]*cloud.User{}}
	for _, u := range users {
		keys := map[cloud.Key]bool{{Kind: cloud.ByID, Value: string(u.ID)}: true, {Kind: cloud.ByUPN, Value: strings.ToLower(u.UPN)}: true,
			{Kind: cloud.ByName, Value: strings.ToLower(u.UPN)}: true}
		if u.SID != "" {
			keys[cloud.Key{Kind: cloud.BySID, Value: strings.ToLower(u.SID)}] = true
		}
		for _, a := range u.Aliases {
			keys[cloud.Key{Kind: cloud.ByName, Value: strings.ToLower(a)}] = true
		}
		for k := range keys {
			s.by[k] = append(s.by[k], u)
		}
	}
	return s
}

func (s *shelf) Capabilities(context.Context) (cloud.Capabilities, error) { return s.caps, nil }

func (s *shelf) Find(_ context.Context, keys []cloud.Key) ([][]cloud.UserID, error) {
	found := make([][]cloud.UserID, len(keys))
	for i, k := range keys {
		for _, u := range s.find(k.Kind, k.Value) {
			found[i] = append(found[i], u.ID)
		}
	}
	return found, nil
}

func (s *shelf) find(kind cloud.KeyKind, value string) []*cloud.User {
	return s.by[cloud.Key{Kind: kind, Value: strings.ToLower(value)}]
}

func (s *shelf) Read(_ context.Context, ids []cloud.UserID) ([]cloud.User, error) {
	users := make([]cloud.User, len(ids))
	for i, id := range ids {
		if found := s.by[cloud.Key{Kind: cloud.ByID, Value: string(id)}]; len(found) == 1 {
			users[i] = *found[0]
		}
	}
	return users, nil
}

// nastyCloud are users of a target in which most rows of a nasty export find
// something that is in their way.
func nastyCloud(rows []legacy.User, caps cloud.Capabilities, seed uint64) []*cloud.User {
	var users []*cloud.User
	for i, row := range rows {
		m := made{rand.New(rand.NewPCG(seed, uint64(i)))}
		if caps.CreateUsers && m.maybe() {
			continue
		}
		users = append(users, nastyUser(m, i, row, caps))
		if m.IntN(200) == 0 { // names are not unique everywhere
			users = append(users, person(fmt.Sprintf("twin%d", i), gen.NastyUPN(i), ""))
		}
	}
	return users
}

func nastyUser(m made, i int, row legacy.User, caps cloud.Capabilities) *cloud.User {
	u := person(fmt.Sprintf("id%d", i), gen.NastyUPN(i), "")
	u.SID = m.one("", "", gen.NastySID(i), gen.NastySID(i), gen.NastySID(i+1))
	if caps.Aliases && m.maybe() {
		u.Aliases = []string{m.one(fmt.Sprintf("USER%07d", i), fmt.Sprintf("user%07d", i+1), fmt.Sprintf(`contoso\user%07d`, i), "old@contoso.example"+fmt.Sprint(i))}
	}
	u.Enabled, u.Guest, u.External, u.Privileged, u.SMSSignIn = m.IntN(12) > 0, m.IntN(12) == 0, m.IntN(12) == 0, m.IntN(15) == 0, m.IntN(12) == 0
	u.GlobalAdmin = u.Privileged && m.maybe()
	if m.maybe() {
		u.Mobile = m.one(row.Phone.Number, row.BackupPhone.Number, "+44 2079460001", "+442079460002", "+44 "+strings.ReplaceAll(row.Phone.Number, " ", ""), "")
	}
	if m.seldom() {
		u.Alternate = m.one("+44 2079460003", "+44 "+row.Phone.Number, "+44 "+row.BackupPhone.Number)
	}
	if m.seldom() {
		u.Office = m.one("+44 2079460004x5", "+44 "+row.Phone.Number, "+44 "+row.BackupPhone.Number+"x5")
	}
	u.Email = m.one("", "", row.Email, strings.ToUpper(row.Email), "other@home.example")
	u.Default = cloud.Preference(m.one("", "", "sms", "oath", "push", "voiceOffice", "voiceMobile"))
	if m.seldom() {
		u.BlockedUntil = now.AddDate(0, 0, m.IntN(200)-50)
	}
	if m.seldom() {
		u.Forbidden = []cloud.Method{cloud.Method(m.one("mobile", "softwareOath", "hardwareOath", "office", "alternateMobile", "authenticator", "email"))}
	}
	if m.seldom() {
		u.ForbiddenWays = []cloud.Preference{cloud.Preference(m.one("sms", "voiceMobile"))}
	}
	for range m.IntN(3) * m.IntN(2) {
		u.Authenticators = append(u.Authenticators, cloud.AuthenticatorEntry{ID: fmt.Sprint("a", len(u.Authenticators)), State: m.one("invited", "expired", "active")})
	}
	u.OATH = nastyEntries(m, row, caps)
	return u
}

func nastyEntries(m made, row legacy.User, caps cloud.Capabilities) []cloud.OATHEntry {
	var list []cloud.OATHEntry
	add := func(name, serial string, key secret.Bytes) {
		e := cloud.OATHEntry{ID: fmt.Sprint("e", len(list)), Method: cloud.Method(m.one("softwareOath", "hardwareOath")), OATH: cloud.OATH{
			Name: m.one(name, "old name", ""), Serial: serial, Algorithm: cloud.SHA1, Digits: 6, Period: []int{30, 30, 60, 0}[m.IntN(4)]}}
		e.Inactive = e.Method == cloud.HardwareOATH && !caps.OATH.Activates && m.maybe()
		if caps.OATH.Fingerprints {
			e.Fingerprint = cloud.Fingerprint(caps.Instance, key)
		}
		list = append(list, e)
	}
	for _, t := range row.Tokens {
		if m.maybe() && t.Seed.State == legacy.SeedOK {
			serial := m.one(t.Serial, strings.ToUpper(t.Serial), "Z-"+t.Serial)
			if t.Serial == "" {
				serial = "MFB-" + cloud.Fingerprint(caps.Instance, t.Seed.Key)
			}
			key := t.Seed.Key
			if m.seldom() {
				key = secret.FromString("another secret of somebody")
			}
			add(strings.TrimSpace(t.Manufacturer+" "+t.Model), serial, key)
		}
	}
	for _, d := range row.Devices {
		if m.maybe() && d.Seed.State == legacy.SeedOK {
			add(d.Name, "MFB-"+cloud.Fingerprint(caps.Instance, d.Seed.Key), d.Seed.Key)
		}
	}
	for n := range m.IntN(4) * m.IntN(2) {
		add("other", fmt.Sprintf("O-%s-%d", row.Username, n), secret.FromString(fmt.Sprintf("others %s %d", row.Username, n)))
	}
	return list
}
