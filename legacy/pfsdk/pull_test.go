package pfsdk_test

import (
	"context"
	"crypto/sha256"
	"crypto/x509"
	"encoding/csv"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"net/url"
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
			"PinMode": "pin", "PinSet": "true", "StaticTokenSet": "true", "Enabled": "true", "Blocked": "false", "OathTokenSerialNumber": "T-user010@contoso.example",
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

func TestAllUsersAreFoundThoughListsAreShort(t *testing.T) {
	all := people(300)
	all = append(all, "u", "us", "用户@contoso.example", "用@contoso.example")
	few := append(people(60), "u", "us")
	for _, style := range []pfsdk.FilterStyle{pfsdk.FilterPrefix, pfsdk.FilterWildcard, pfsdk.FilterSubstring} {
		all, limit, alphabet := all, 40, ""
		if style == pfsdk.FilterSubstring { // its lists are many
			all, limit, alphabet = few, 30, "abcdefghijklmnopqrstuvwxyz0123456789@."
		}
		s, config := start(t, &server{users: all, limit: limit, style: style})
		client, err := pfsdk.NewClient(config, 4)
		if err != nil {
			t.Fatal(err)
		}
		found, err := client.FindAll(t.Context(), pfsdk.Search{Style: style, Parallel: 4, Alphabet: alphabet})
		if err != nil {
			t.Fatalf("%s: %v", style, err)
		}
		missing := map[string]bool{}
		for _, u := range all {
			missing[u] = true
		}
		for _, u := range found.Usernames {
			delete(missing, u)
		}
		for _, short := range found.Short {
			delete(missing, short)
		}
		// A character of which no list ever shows a name cannot be guessed.
		for name := range missing {
			if !strings.HasPrefix(name, "用") || strings.Contains(strings.Join(found.Usernames, ""), "用") {
				t.Errorf("%s: %s was not found", style, name)
			}
		}
		t.Logf("%s: %d users by %d lists, asked %d times", style, len(found.Usernames), found.Lists, len(s.all()))
	}
}

func TestUnderscoresMayBeWildcards(t *testing.T) {
	var all []string
	for i := range 200 {
		all = append(all, fmt.Sprintf("user%c%03d@contoso.example", "_-"[i%2], i))
	}
	_, config := start(t, &server{users: all, limit: 40, like: true})
	client, err := pfsdk.NewClient(config, 4)
	if err != nil {
		t.Fatal(err)
	}
	const few = "abcdefghijklmnopqrstuvwxyz0123456789@.-"
	found, err := client.FindAll(t.Context(), pfsdk.Search{Parallel: 4, Alphabet: few})
	if err != nil || len(found.Usernames) != 200 || !found.Underscore {
		t.Fatalf("%d users, %v (%s)", len(found.Usernames), err, hint.Of(err))
	}
	t.Logf("%d lists", found.Lists)
}

func TestNonsenseOfListsStopsTheSearch(t *testing.T) {
	lists := func(rows, complete string) map[string]func(http.ResponseWriter, string) bool {
		return map[string]func(http.ResponseWriter, string) bool{"FindUsers_4": func(w http.ResponseWriter, _ string) bool {
			send(w, answer("FindUsers_4", "<userRows>"+rows+"</userRows><resultsComplete>"+complete+"</resultsComplete>"))
			return true
		}}
	}
	forgetful := &atomic.Int32{}
	for _, c := range []struct {
		name   string
		server *server
		style  pfsdk.FilterStyle
		want   string
	}{
		{"filters by substring", &server{users: people(100), limit: 10, style: pfsdk.FilterSubstring}, pfsdk.FilterPrefix, "a list holds users that were not asked for"},
		{"takes no wildcards", &server{users: people(100), limit: 10}, pfsdk.FilterWildcard, "a list that is said to be complete lacks a user that another list holds"},
		{"wants wildcards", &server{users: people(100), limit: 10, style: pfsdk.FilterWildcard}, pfsdk.FilterPrefix, "a list that is said to be complete lacks a user that another list holds"},
		{"ignores the filter", &server{answers: lists("<UserRow><Username>ada</Username></UserRow>", "false")}, pfsdk.FilterPrefix, "a list holds users that were not asked for"},
		{"never ends", &server{answers: lists("", "false")}, pfsdk.FilterPrefix, "the server says that a list is not complete, but lists nobody"},
		{"lists nobody", &server{answers: lists("", "true")}, pfsdk.FilterPrefix, "the server lists no users"},
		{"names nobody", &server{answers: lists("<UserRow><FirstName>Ada</FirstName></UserRow>", "true")}, pfsdk.FilterPrefix, "an answer cannot be right: it lists a user without a name"},
		{"one name for ever", &server{answers: map[string]func(http.ResponseWriter, string) bool{"FindUsers_4": func(w http.ResponseWriter, _ string) bool {
			forgetful.Add(1)
			send(w, answer("FindUsers_4", "<userRows><UserRow><Username>"+strings.Repeat("a", 400)+"</Username></UserRow></userRows><resultsComplete>false</resultsComplete>"))
			return true
		}}}, pfsdk.FilterPrefix, "a list holds users that were not asked for"},
	} {
		_, config := start(t, c.server)
		o := options(t)
		o.Search.Style = c.style
		_, err := pull(t, config, o)
		if err == nil || !strings.Contains(err.Error(), c.want) || hint.Of(err) == "" && !strings.Contains(c.want, "without a name") {
			t.Errorf("%s: got %v (%s)", c.name, err, hint.Of(err))
		}
		if _, err := os.Stat(o.Out); err == nil {
			t.Errorf("%s: an export was written", c.name)
		}
	}
}

func TestPullGoesOnWhereItWas(t *testing.T) {
	var left atomic.Int32
	left.Store(30)
	broken := func(w http.ResponseWriter, _ string) bool {
		if left.Add(-1) >= 0 {
			return false
		}
		http.Error(w, "busy", http.StatusServiceUnavailable)
		return true
	}
	s, config := start(t, &server{users: people(100), answers: map[string]func(http.ResponseWriter, string) bool{"GetUserDevices": broken}})
	o := options(t)
	result, err := pull(t, config, o)
	if !errors.Is(err, pfsdk.ErrUnavailable) || result.Written {
		t.Fatalf("%+v, %v", result, err)
	}
	checkSecrets(t, filepath.Dir(o.Out))
	read, err := os.ReadFile(o.Out + ".partial/progress.jsonl")
	if err != nil {
		t.Fatal(err)
	}
	if n := strings.Count(string(read), "\n"); n != 31 {
		t.Fatalf("%d lines, want those of 30 users", n)
	}
	// What a crash leaves of a line does not count.
	torn := read[:len(read)-10]
	if err := os.WriteFile(o.Out+".partial/progress.jsonl", torn, 0o600); err != nil {
		t.Fatal(err)
	}
	left.Store(1000)
	s.forget()
	result, err = pull(t, config, o)
	if err != nil || !result.Written || !result.Resumed || result.Users != 100 {
		t.Fatalf("%+v, %v", result, err)
	}
	if n := s.askedFor("GetUserSettings_3"); n != 71 {
		t.Errorf("%d users were asked for again, want 71", n)
	}
	if s.askedFor("FindUsers") != 0 {
		t.Error("the users were searched for again")
	}
	checkFolder(t, o.Out)
	if _, err := pull(t, config, o); err == nil || !strings.Contains(err.Error(), "is there already") {
		t.Errorf("an export was overwritten: %v", err)
	}
}

func TestProgressOfAnotherPullIsRefused(t *testing.T) {
	_, config := start(t, &server{users: people(3)})
	for _, c := range []struct{ content, want string }{
		{`{"format":"mfabridge-pull","version":1,"url":"https://other.example/","usernames":["a"]}` + "\n", "is of a pull from https://other.example/ with other settings"},
		{`{"format":"mfabridge-pull","version":2}` + "\n", "that this version can go on with"},
		{"", "is not the progress of a pull"},
		{"{}", "is not the progress of a pull"},
		{fmt.Sprintf(`{"format":"mfabridge-pull","version":1,"url":%q,"usernames":["a"]}`+"\n"+`{"u":"b"}`+"\n", config.URL), "is damaged"},
		{fmt.Sprintf(`{"format":"mfabridge-pull","version":1,"url":%q,"usernames":["a"]}`+"\n"+"x\n", config.URL), "is damaged"},
	} {
		o := options(t)
		if err := os.Mkdir(o.Out+".partial", 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(o.Out+".partial/progress.jsonl", []byte(c.content), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := pull(t, config, o); err == nil || !strings.Contains(err.Error(), c.want) || hint.Of(err) == "" {
			t.Errorf("%q: got %v, want %s", c.content, err, c.want)
		}
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

func TestOnePullAtATime(t *testing.T) {
	_, config := start(t, &server{users: people(20)})
	o := options(t)
	var second error
	once := make(chan struct{}, 1)
	o.Progress = func(int, int, int) {
		select {
		case once <- struct{}{}:
			other := o
			other.Progress = nil
			_, second = pull(t, config, other)
		default:
		}
	}
	if result, err := pull(t, config, o); err != nil || result.Users != 20 {
		t.Errorf("%+v, %v", result, err)
	}
	if !errors.Is(second, pfsdk.ErrLocked) {
		t.Errorf("the second pull: %v", second)
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

func TestWhatIsLeftOfAStoppedPullIsNamed(t *testing.T) {
	_, config := start(t, &server{users: people(5)})
	o := options(t)
	for _, folder := range []string{o.Out, o.Out + ".partial"} {
		if err := os.Mkdir(folder, 0o700); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := pull(t, config, o); err == nil || !strings.Contains(hint.Of(err), ".partial is left of a pull that was stopped: it holds secrets") {
		t.Errorf("%v: %s", err, hint.Of(err))
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

func TestInterruptedPull(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	_, config := start(t, &server{users: people(50)})
	client, err := pfsdk.NewClient(config, 2)
	if err != nil {
		t.Fatal(err)
	}
	o := options(t)
	o.Progress = func(done, _, _ int) {
		if done == 10 {
			cancel()
		}
	}
	if _, err := client.Pull(ctx, o); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	if _, err := os.Stat(o.Out); err == nil {
		t.Error("an export was written")
	}
	o.Progress = nil
	if result, err := client.Pull(t.Context(), o); err != nil || result.Users != 50 {
		t.Errorf("%+v, %v", result, err)
	}
}

func TestBadServers(t *testing.T) {
	always := func(f func(w http.ResponseWriter)) map[string]func(http.ResponseWriter, string) bool {
		return map[string]func(http.ResponseWriter, string) bool{"TestSecurity": func(w http.ResponseWriter, _ string) bool { f(w); return true }}
	}
	secure := sdk("TestSecurityResponse", "<TestSecurityResult>secure</TestSecurityResult>")
	for _, c := range []struct {
		name, want string
		answer     func(w http.ResponseWriter)
		tries      int
	}{
		{"torn", "the old server does not answer: the answer to TestSecurity breaks off", func(w http.ResponseWriter) {
			w.Header().Set("Content-Length", "10000")
			send(w, secure[:100])
		}, pfsdk.MaxTries},
		{"busy", "the old server does not answer: HTTP 503", func(w http.ResponseWriter) { http.Error(w, "busy", http.StatusServiceUnavailable) }, pfsdk.MaxTries},
		{"cut short", "the document ends within a tag", func(w http.ResponseWriter) { send(w, secure[:100]) }, 1},
		{"huge", "the document has more than 4194304 bytes", func(w http.ResponseWriter) {
			send(w, strings.TrimSuffix(secure, "</soap:Envelope>")+strings.Repeat("<!-- huge -->", 400_000))
		}, 1},
		{"bomb", "a DOCTYPE is refused", func(w http.ResponseWriter) {
			send(w, `<!DOCTYPE a [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;">]>`+strings.Replace(secure, "secure", "&b;", 1))
		}, 1},
		{"deep", "more than 64 elements stand within each other", func(w http.ResponseWriter) { send(w, strings.Repeat("<a>", 100_000)) }, 1},
		{"another encoding", "the server answers in the encoding utf-16, of which only UTF-8 is read", func(w http.ResponseWriter) {
			w.Header().Set("Content-Type", "text/xml; charset=utf-16")
			_, _ = w.Write([]byte(secure))
		}, 1},
		{"a page", "the server answers with something that is not XML", func(w http.ResponseWriter) {
			w.Header().Set("Content-Type", "text/html")
			_, _ = w.Write([]byte("<html>"))
		}, 1},
		{"nothing there", "there is no Web Service SDK at this address (HTTP 404)", func(w http.ResponseWriter) { http.Error(w, "", http.StatusNotFound) }, 1},
		{"failing", "the server answers with HTTP 500", func(w http.ResponseWriter) { http.Error(w, "", http.StatusInternalServerError) }, 1},
		{"redirect", "the server redirects to another address, which is not followed", func(w http.ResponseWriter) {
			w.Header().Set("Location", "http://192.0.2.1/")
			w.WriteHeader(http.StatusFound)
		}, 1},
		{"forbidden", "the server does not let this account in (HTTP 403)", func(w http.ResponseWriter) { http.Error(w, "", http.StatusForbidden) }, 1},
		{"not secure", `TestSecurity does not answer "secure"`, func(w http.ResponseWriter) { send(w, strings.Replace(secure, ">secure<", ">open<", 1)) }, 1},
		{"something else", "an answer cannot be right: it is not one to TestSecurity", func(w http.ResponseWriter) { send(w, answer("UserIsBlocked", "")) }, 1},
		{"twice", "an answer cannot be right: it is not one to TestSecurity", func(w http.ResponseWriter) { send(w, "<a>"+secure+secure+"</a>") }, 1},
		{"a fault", `TestSecurity: the server answers with a SOAP fault: "no"`, func(w http.ResponseWriter) { fault(w, "soap:Server", "no") }, 1},
	} {
		s, config := start(t, &server{users: people(3), answers: always(c.answer)})
		_, err := pull(t, config, options(t))
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: got %v, want %s", c.name, err, c.want)
		}
		if len(s.all()) != c.tries {
			t.Errorf("%s: asked %d times, want %d", c.name, len(s.all()), c.tries)
		}
	}
}

func TestATornAnswerIsAskedForAgain(t *testing.T) {
	var first atomic.Bool
	_, config := start(t, &server{users: people(5), answers: map[string]func(http.ResponseWriter, string) bool{"FindUsers_4": func(w http.ResponseWriter, _ string) bool {
		if first.Swap(true) {
			return false
		}
		w.Header().Set("Content-Length", "10000")
		send(w, "<a>")
		return true
	}}})
	if result, err := pull(t, config, options(t)); err != nil || result.Users != 5 {
		t.Errorf("%+v, %v", result, err)
	}
}

func TestSlowServer(t *testing.T) {
	release := make(chan struct{})
	_, config := start(t, &server{answers: map[string]func(http.ResponseWriter, string) bool{"TestSecurity": func(http.ResponseWriter, string) bool {
		<-release
		return true
	}}})
	defer close(release)
	config.Timeout = 50 * time.Millisecond
	if _, err := pull(t, config, options(t)); !errors.Is(err, pfsdk.ErrUnavailable) {
		t.Errorf("got %v", err)
	}
}

func TestStrangersAreNotAsked(t *testing.T) {
	s, config := start(t, &server{users: people(3)})
	config.CA = x509.NewCertPool()
	if _, err := pull(t, config, options(t)); err == nil || !strings.Contains(err.Error(), "the TLS connection fails") || !strings.Contains(hint.Of(err), "--ca") {
		t.Errorf("got %v", err)
	}
	if len(s.all()) != 0 {
		t.Error("the password went to a server that nobody vouches for")
	}
	s, config = start(t, &server{users: people(3), byCert: true})
	config.Certificate, config.User, config.Password = nil, account, secret.FromString(password)
	if _, err := pull(t, config, options(t)); err == nil || len(s.all()) != 0 {
		t.Errorf("without a client certificate: %v", err)
	}
}

func TestAddressesThatAreRefused(t *testing.T) {
	good := pfsdk.Config{URL: "https://mfa.contoso.example/PfWsSdk.asmx", User: account, Password: secret.FromString(password)}
	for _, c := range []struct {
		name, want string
		change     func(*pfsdk.Config)
	}{
		{"good", "", func(*pfsdk.Config) {}},
		{"loopback", "", func(c *pfsdk.Config) { c.URL = "http://127.0.0.1:4898/PfWsSdk.asmx" }},
		{"plain", "the Web Service SDK is asked over https only", func(c *pfsdk.Config) { c.URL = "http://mfa.contoso.example/PfWsSdk.asmx" }},
		{"looks like loopback", "the Web Service SDK is asked over https only", func(c *pfsdk.Config) { c.URL = "http://127.0.0.1.contoso.example/" }},
		{"another scheme", `the Web Service SDK cannot be asked over "ftp"`, func(c *pfsdk.Config) { c.URL = "ftp://mfa.contoso.example/" }},
		{"no host", "the address of the Web Service SDK cannot be read", func(c *pfsdk.Config) { c.URL = "mfa.contoso.example" }},
		{"a password", "the address of the Web Service SDK holds a user or password", func(c *pfsdk.Config) { c.URL = "https://a:b@mfa.contoso.example/" }},
		{"a query", "the address of the Web Service SDK has a query", func(c *pfsdk.Config) { c.URL += "?WSDL" }},
		{"nobody", "there is neither a user nor a client certificate", func(c *pfsdk.Config) { c.User = "" }},
		{"no password", "there is no password of the user", func(c *pfsdk.Config) { c.Password = secret.Bytes{} }},
		{"a colon", "the user's name holds a colon, which HTTP Basic cannot carry", func(c *pfsdk.Config) { c.User = "a:b" }},
		{"an element that is none", "the name of the filter's element is none", func(c *pfsdk.Config) { c.FilterElement = "x><ChangePin" }},
	} {
		config := good
		c.change(&config)
		_, err := pfsdk.NewClient(config, 1)
		if c.want == "" && err != nil || c.want != "" && (err == nil || err.Error() != c.want) {
			t.Errorf("%s: got %v, want %s", c.name, err, c.want)
		}
	}
}

func TestProxiesOfTheEnvironmentAreNotUsed(t *testing.T) {
	t.Setenv("HTTPS_PROXY", "http://proxy.contoso.example:3128")
	const address = "https://mfa.contoso.example/PfWsSdk.asmx"
	if proxy, err := pfsdk.ProxyFor(pfsdk.Config{}, address); proxy != nil || err != nil {
		t.Errorf("%v, %v", proxy, err)
	}
	named := &url.URL{Scheme: "http", Host: "other.contoso.example:3128"}
	if proxy, err := pfsdk.ProxyFor(pfsdk.Config{Proxy: named}, address); err != nil || proxy.String() != named.String() {
		t.Errorf("%v, %v", proxy, err)
	}
}

func FuzzProgress(f *testing.F) {
	const head = `{"format":"mfabridge-pull","version":1,"url":"u","usernames":["ada","bob"]}` + "\n"
	f.Add([]byte(head + `{"u":"ada","f":[["Phone","1"]],"d":[[["UserDeviceId","1"]]]}` + "\n" + `{"u":"bob","gone":true}` + "\n"))
	f.Add([]byte(head + `{"u":"ADA"}` + "\n" + `{"u":"bo`))
	f.Add([]byte(head + head))
	f.Fuzz(func(t *testing.T, content []byte) {
		users, err := pfsdk.ReadProgress(filepath.Join(t.TempDir(), "export"), "u", content)
		if err != nil && users > 0 {
			t.Errorf("%d users and %v", users, err)
		}
	})
}
