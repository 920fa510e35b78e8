package pfsdk_test

import (
	"context"
	"crypto/sha256"
	"encoding/csv"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"mfabridge/internal/hint"
	"mfabridge/internal/secret"
	"mfabridge/legacy/pfsdk"
)

// atOnce waits for nothing.
func atOnce(ctx context.Context, _ time.Duration) error { return ctx.Err() }

func options(t *testing.T) pfsdk.PullOptions {
	return pfsdk.PullOptions{Out: filepath.Join(t.TempDir(), "export"), Now: func() time.Time { return time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC) }}
}

func pull(t *testing.T, c pfsdk.Config, o pfsdk.PullOptions) (pfsdk.PullResult, error) {
	t.Helper()
	client, err := pfsdk.NewClient(c, 4)
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	return client.Pull(t.Context(), o)
}

func table(t *testing.T, path string) []map[string]string {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	rows, err := csv.NewReader(f).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	var all []map[string]string
	for _, row := range rows[1:] {
		m := map[string]string{}
		for i, name := range rows[0] {
			if row[i] != "" {
				m[name] = row[i]
			}
		}
		all = append(all, m)
	}
	return all
}

func TestPull(t *testing.T) {
	for _, byCert := range []bool{false, true} {
		s, config := start(t, &server{users: people(25), byCert: byCert})
		o := options(t)
		result, err := pull(t, config, o)
		if err != nil {
			t.Fatal(err, hint.Of(err))
		}
		want := pfsdk.PullResult{Written: true, Users: 25, Blocked: 1, Devices: 25, Tokens: 2, TokensWithSecret: 2, Lists: 1}
		if diff := cmp.Diff(want, result); diff != "" {
			t.Errorf("(-want +got)\n%s", diff)
		}
		users := table(t, filepath.Join(o.Out, "users.csv"))
		if len(users) != 25 {
			t.Fatalf("%d users", len(users))
		}
		wantUser := map[string]string{"Username": "user010@contoso.example", "FirstName": "Ada", "CountryCode": "1", "Phone": "425-555-0100", "Mode": "smsText",
			"PinMode": "pin", "PinSet": "true", "StaticTokenSet": "true", "Enabled": "true", "Blocked": "false", "OathTokenExists": "true", "OathTokenSerialNumber": "T-user010@contoso.example",
			"OathTokenSecretKey": "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ", "OathTokenTimeInterval": "30"}
		found := false
		for _, u := range users {
			if u["Username"] == wantUser["Username"] {
				found = true
				if diff := cmp.Diff(wantUser, u); diff != "" {
					t.Errorf("(-want +got)\n%s", diff)
				}
			}
		}
		if !found {
			t.Errorf("no %s", wantUser["Username"])
		}
		devices := table(t, filepath.Join(o.Out, "devices.csv"))
		if diff := cmp.Diff(map[string]string{"Username": "b b@contoso.example", "UserDeviceId": "1", "DeviceName": `Phone, "one"`,
			"DeviceToken": "push-b b@contoso.example", "PhoneAppVersion": "6.1"}, devices[0]); diff != "" {
			t.Errorf("(-want +got)\n%s", diff)
		}
		checkFolder(t, o.Out)
		if n := s.askedFor("GetUserSettings_3"); n != 25 {
			t.Errorf("%d requests for settings", n)
		}
	}
}

// checkFolder looks at modes, sums and what must not be there.
func checkFolder(t *testing.T, out string) {
	t.Helper()
	var manifest struct {
		Format, Source, Created string
		Version                 int
		SHA256                  map[string]string
	}
	b, err := os.ReadFile(filepath.Join(out, "manifest.json"))
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(b, &manifest); err != nil || manifest.Format != "mfabridge-export" || manifest.Version != 1 || manifest.Created != "2026-03-01T12:00:00Z" {
		t.Errorf("%+v, %v", manifest, err)
	}
	if len(manifest.SHA256) != 3 {
		t.Errorf("sums of %d files", len(manifest.SHA256))
	}
	for name, sum := range manifest.SHA256 {
		b, err := os.ReadFile(filepath.Join(out, name))
		if got := sha256.Sum256(b); err != nil || hex.EncodeToString(got[:]) != sum {
			t.Errorf("the sum of %s is wrong", name)
		}
	}
	var settings map[string]map[string]any
	b, _ = os.ReadFile(filepath.Join(out, "settings.json"))
	if err := json.Unmarshal(b, &settings); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(map[string]map[string]any{
		"customerDefaults": {"Mode": "phoneApp", "MinimumPinLength": 4.0, "PreventWeakPins": true},
		"userPortal":       {"Url": "https://portal.contoso.example", "DeviceLimit": 5.0},
	}, settings); diff != "" {
		t.Errorf("settings: (-want +got)\n%s", diff)
	}
	checkSecrets(t, filepath.Dir(out))
	if _, err := os.Stat(out + ".partial"); !errors.Is(err, fs.ErrNotExist) {
		t.Error("the folder of the progress is still there")
	}
}

// checkSecrets looks at everything below a folder.
func checkSecrets(t *testing.T, folder string) {
	t.Helper()
	err := filepath.WalkDir(folder, func(path string, d fs.DirEntry, err error) error {
		if err != nil || path == folder {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		if want := map[bool]fs.FileMode{true: 0o700, false: 0o600}[d.IsDir()]; info.Mode().Perm() != want {
			t.Errorf("%s has mode %o", path, info.Mode().Perm())
		}
		if d.IsDir() {
			return nil
		}
		b, err := os.ReadFile(path)
		for _, never := range []string{"PINPIN", "OLDPIN", "STATICSTATIC", password} {
			if strings.Contains(string(b), never) {
				t.Errorf("%s holds %s", path, never)
			}
		}
		return err
	})
	if err != nil {
		t.Error(err)
	}
}

func TestWrongPasswordIsSentOnce(t *testing.T) {
	s, config := start(t, &server{users: people(5)})
	config.Password = secret.FromString("wrong")
	_, err := pull(t, config, options(t))
	if err == nil || err.Error() != "the server does not let this account in (HTTP 401)" || !strings.Contains(hint.Of(err), "PhoneFactor Admins") {
		t.Errorf("got %v", err)
	}
	if len(s.all()) != 1 {
		t.Errorf("it was sent %d times: %v", len(s.all()), s.all())
	}
}

func TestOlderServersAreAskedForWhatTheyKnow(t *testing.T) {
	s, config := start(t, &server{users: people(10), lacks: []string{"FindUsers_4", "FindUsers_3", "GetUserSettings_3", "GetUserSettings_2",
		"GetCustomerDefaults_3", "GetCustomerDefaults_2", "GetCustomerDefaults", "TestSecurity"}})
	o := options(t)
	result, err := pull(t, config, o)
	if err != nil || !result.Written || result.Users != 10 {
		t.Fatalf("%+v, %v", result, err)
	}
	if s.askedFor("FindUsers_2") != 1 || s.askedFor("GetUserSettings2") != 10 {
		t.Errorf("asked for %v", s.all())
	}
	if n := s.askedFor("GetUserSettings_3"); n == 0 || n > 4 {
		t.Errorf("the newest was tried %d times", n)
	}
	if got := strings.Join(result.Warnings, "\n"); !strings.Contains(got, "the server does not tell the defaults of the company") || !strings.Contains(got, "knows no TestSecurity") {
		t.Errorf("warnings: %s", got)
	}

	s, config = start(t, &server{users: people(10), lacks: []string{"UserIsBlocked"}})
	if _, err = pull(t, config, options(t)); err == nil || !strings.Contains(hint.Of(err), "--skip blocked") {
		t.Errorf("who is blocked was passed over: %v", err)
	}
	o = options(t)
	o.SkipBlocked = true
	if result, err = pull(t, config, o); err != nil || result.Users != 10 || s.askedFor("UserIsBlocked") > 4 {
		t.Errorf("%+v, %v", result, err)
	}
}

func TestUsersWhoFail(t *testing.T) {
	odd := map[string]func(http.ResponseWriter, string) bool{"GetUserSettings_3": func(w http.ResponseWriter, user string) bool {
		switch user {
		case "user005@contoso.example":
			send(w, failed("GetUserSettings_3", 77))
		case "user006@contoso.example":
			send(w, failed("GetUserSettings_3", 10)) // removed meanwhile
		case "user007@contoso.example":
			send(w, answer("GetUserSettings_3", "<userSettings><Username>user008@contoso.example</Username></userSettings>"))
		case "user008@contoso.example":
			send(w, answer("GetUserSettings_3", "<userSettings><FirstName>&#x1;</FirstName></userSettings>"))
		case "user009@contoso.example":
			send(w, answer("GetUserSettings_3", ""))
		default:
			return false
		}
		return true
	}}
	_, config := start(t, &server{users: people(20), answers: odd})
	o := options(t)
	result, err := pull(t, config, o)
	if err != nil || result.Written || result.Failed != 4 || len(result.Failures) != 4 {
		t.Fatalf("%+v, %v", result, err)
	}
	if _, err := os.Stat(o.Out); err == nil {
		t.Error("an export was written")
	}
	o.LeaveOutFailed = true
	result, err = pull(t, config, o)
	if err != nil || !result.Written || result.Users != 15 || result.Gone != 1 || result.Failed != 4 {
		t.Fatalf("%+v, %v", result, err)
	}
}

func TestConcurrencyIsBounded(t *testing.T) {
	var now, most atomic.Int32
	_, config := start(t, &server{users: people(60), answers: map[string]func(http.ResponseWriter, string) bool{"GetUserSettings_3": func(http.ResponseWriter, string) bool {
		n := now.Add(1)
		defer now.Add(-1)
		for m := most.Load(); n > m && !most.CompareAndSwap(m, n); m = most.Load() {
		}
		return false
	}}})
	o := options(t)
	o.Concurrency = 3
	if _, err := pull(t, config, o); err != nil || most.Load() > 3 {
		t.Errorf("%d at once, %v", most.Load(), err)
	}
	o.Concurrency = pfsdk.MaxConcurrency + 1
	if _, err := pull(t, config, o); err == nil {
		t.Error("any number is taken")
	}
}

func TestUserAfterUserFails(t *testing.T) {
	_, config := start(t, &server{users: people(100), answers: map[string]func(http.ResponseWriter, string) bool{"GetUserSettings_3": func(w http.ResponseWriter, _ string) bool {
		fault(w, "soap:Server", "out of order")
		return true
	}}})
	result, err := pull(t, config, options(t))
	if !errors.Is(err, pfsdk.ErrUnavailable) || result.Failed > 30 {
		t.Errorf("%+v, %v", result, err)
	}
}
