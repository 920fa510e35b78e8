package main

import (
	"encoding/pem"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
)

const sdkSpace = "http://www.phonefactor.com/PfWsSdk"

// oldServer answers as the documents describe it, for three users. fails is how
// many requests about bob it answers with an error.
func oldServer(t *testing.T, fails int32) (url, ca string) {
	t.Helper()
	return oldServerOf(t, []string{"ada", "bob", "eve"}, fails, func(string) {})
}

// oldServerOf calls asked with the operation of each request.
func oldServerOf(t *testing.T, users []string, fails int32, asked func(operation string)) (url, ca string) {
	t.Helper()
	rows := ""
	for _, name := range users {
		rows += "<UserRow><Username>" + name + "@contoso.example</Username></UserRow>"
	}
	var left atomic.Int32
	left.Store(fails)
	user := regexp.MustCompile("<username>(.*)</username>")
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		if name, word, _ := r.BasicAuth(); name != `CONTOSO\pull` || word != "hunter two" {
			http.Error(w, "", http.StatusUnauthorized)
			return
		}
		operation := strings.TrimPrefix(strings.Trim(r.Header.Get("SOAPAction"), `"`), sdkSpace+"/")
		asked(operation)
		name := ""
		if m := user.FindSubmatch(body); m != nil {
			name = string(m[1])
		}
		answers := map[string]string{
			"TestSecurity":          "",
			"TestMasterConnection":  "",
			"FindUsers_4":           "<userRows>" + rows + "</userRows><resultsComplete>true</resultsComplete>",
			"GetCustomerDefaults_3": "<customerDefaults><Mode>smsText</Mode></customerDefaults>",
			"GetUserPortalSettings": "<userPortalSettings><DeviceLimit>5</DeviceLimit></userPortalSettings>",
			"GetUserSettings_3": "<userSettings><CountryCode>1</CountryCode><Phone>425-555-0100</Phone><Mode>smsText</Mode><Pin>987654</Pin>" +
				"<Enabled>true</Enabled></userSettings>",
			"UserIsBlocked":  "<blocked>false</blocked>",
			"GetUserDevices": "<userDevices />",
		}
		content, known := answers[operation]
		if !known || operation == "GetUserSettings_3" && strings.HasPrefix(name, "bob") && left.Add(-1) >= 0 {
			content = "<error><Code>77</Code><Description>out of order</Description></error>"
		}
		result := "true"
		if operation == "TestSecurity" {
			result = "secure"
		}
		w.Header().Set("Content-Type", "text/xml; charset=utf-8")
		fmt.Fprintf(w, `<soap:Envelope xmlns:soap="http://schemas.xmlsoap.org/soap/envelope/"><soap:Body><%[1]sResponse xmlns="%[2]s">`+
			`<%[1]sResult>%[3]s</%[1]sResult>%[4]s</%[1]sResponse></soap:Body></soap:Envelope>`, operation, sdkSpace, result, content)
	}))
	s.Config.ErrorLog = log.New(io.Discard, "", 0)
	s.StartTLS()
	t.Cleanup(s.Close)
	ca = filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(ca, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: s.Certificate().Raw}), 0o600); err != nil {
		t.Fatal(err)
	}
	return s.URL + "/PfWsSdk.asmx", ca
}

func pullArgs(t *testing.T, url, ca, out string, more ...string) []string {
	t.Helper()
	word := filepath.Join(t.TempDir(), "password")
	if err := os.WriteFile(word, []byte("hunter two\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	return append([]string{"pull", "--sdk", url, "--ca", ca, "--user", `CONTOSO\pull`, "--password", "file:" + word, "-o", out}, more...)
}

func TestPullIsReadByInspect(t *testing.T) {
	url, ca := oldServer(t, 0)
	out := filepath.Join(t.TempDir(), "export")
	r := must(t, exitDone, pullArgs(t, url, ca, out)...)
	for _, want := range []string{"users     3, 0 of them blocked; 0 were gone when asked for", "next      mfabridge inspect " + out} {
		if !strings.Contains(r.out, want) {
			t.Errorf("no %q in\n%s", want, r.out)
		}
	}
	r = must(t, exitDone, "inspect", out)
	if !strings.Contains(r.out, "3 of users: 3 read, 0 skipped, 0 of 0 duplicate names") || !strings.Contains(r.out, "PIN_NOT_MOVED") && !strings.Contains(r.out, "works") {
		t.Errorf("inspect says\n%s", r.out)
	}
	files, err := filepath.Glob(filepath.Join(out, "*"))
	if err != nil || len(files) != 4 {
		t.Errorf("files: %v, %v", files, err)
	}
	for _, file := range files {
		b, err := os.ReadFile(file)
		if err != nil || strings.Contains(string(b), "987654") || strings.Contains(string(b), "hunter") {
			t.Errorf("%s holds a PIN or the password (%v)", file, err)
		}
	}
	r = must(t, exitFailed, pullArgs(t, url, ca, out)...)
	if !strings.Contains(r.err, "is there already") {
		t.Errorf("stderr: %s", r.err)
	}
}

func TestPullGoesOnAfterAFailure(t *testing.T) {
	url, ca := oldServer(t, 1)
	out := filepath.Join(t.TempDir(), "export")
	r := must(t, exitPartly, pullArgs(t, url, ca, out, "--format", "json")...)
	if !strings.Contains(r.out, `"username":"bob@contoso.example"`) || !strings.Contains(r.out, `"written":false`) || !strings.Contains(r.out, `"export":null`) || !strings.Contains(r.out, `"tokens_with_secret":`) || !strings.Contains(r.err, "1 user could not be read") {
		t.Errorf("stdout: %s\nstderr: %s", r.out, r.err)
	}
	r = must(t, exitDone, pullArgs(t, url, ca, out, "--format", "json")...)
	if !strings.Contains(r.out, `"resumed":true`) || !strings.Contains(r.out, `"users":3`) {
		t.Errorf("stdout: %s", r.out)
	}

	url, ca = oldServer(t, 1)
	out = filepath.Join(t.TempDir(), "export")
	r = must(t, exitPartly, pullArgs(t, url, ca, out, "--leave-out-failed")...)
	if !strings.Contains(r.out, "users     2,") || !strings.Contains(r.err, "is not in the export") {
		t.Errorf("stdout: %s\nstderr: %s", r.out, r.err)
	}
}

// A pull that is killed at any time goes on, and asks for nobody twice but for
// those who were under way.
func TestPullSurvivesKills(t *testing.T) {
	var users []string
	for i := range 200 {
		users = append(users, fmt.Sprintf("user%03d", i))
	}
	const rounds = 3
	var settings atomic.Int32
	var gate sync.RWMutex // closed by a server that waits for the kill
	kill := make(chan struct{}, rounds)
	url, ca := oldServerOf(t, users, 0, func(operation string) {
		n := int32(1)
		gate.RLock()
		if operation == "GetUserSettings_3" {
			n = settings.Add(1)
		}
		gate.RUnlock()
		if n%60 == 0 && n <= 60*rounds {
			gate.Lock()
			kill <- struct{}{}
		}
	})
	out := filepath.Join(t.TempDir(), "export")
	kills := 0
	for range rounds {
		cmd := child(t.Context(), pullArgs(t, url, ca, out)...)
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		<-kill
		if err := cmd.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		err := cmd.Wait()
		gate.Unlock()
		if err == nil {
			t.Fatal("the pull ended before it was killed")
		}
		kills++
		if _, err := os.Stat(out); err == nil {
			t.Fatal("half an export is there")
		}
	}
	r := must(t, exitDone, pullArgs(t, url, ca, out)...)
	if !strings.Contains(r.out, "users     200,") {
		t.Errorf("stdout: %s", r.out)
	}
	if n := settings.Load(); n > int32(200+kills*8) {
		t.Errorf("%d requests for the settings of 200 users", n)
	}
	if r := must(t, exitDone, "inspect", out); !strings.Contains(r.out, "200 of users: 200 read, 0 skipped, 0 of 0 duplicate names") {
		t.Errorf("inspect says\n%s", r.out)
	}
}

func TestPullRefuses(t *testing.T) {
	url, ca := oldServer(t, 0)
	folder := t.TempDir()
	out := filepath.Join(folder, "export")
	open := filepath.Join(folder, "open")
	if err := os.WriteFile(open, []byte("hunter two"), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(open, 0o644); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		want string
		code int
		args []string
	}{
		{"--sdk is missing", exitUsage, []string{"pull", "-o", out}},
		{"--out is missing", exitUsage, []string{"pull", "--sdk", url}},
		{"there is neither a user nor a client certificate", exitFailed, []string{"pull", "--sdk", url, "-o", out}},
		{"asked over https only", exitFailed, pullArgs(t, "http://mfa.contoso.example/PfWsSdk.asmx", ca, out)},
		{"may be read by others", exitFailed, []string{"pull", "--sdk", url, "-o", out, "--user", "a", "--password", "file:" + open}},
		{"a secret must be given as file:PATH or env:NAME", exitUsage, []string{"pull", "--sdk", url, "-o", out, "--user", "a", "--password", "hunter two"}},
		{"there is no terminal to ask for the password on", exitUsage, []string{"pull", "--sdk", url, "-o", out, "--user", "a", "--password", "prompt"}},
		{"--password is given without --user", exitUsage, []string{"pull", "--sdk", url, "-o", out, "--password", "file:" + open}},
		{"--client-cert and --client-key belong together", exitUsage, []string{"pull", "--sdk", url, "-o", out, "--client-cert", ca}},
		{"--concurrency cannot be 100", exitUsage, pullArgs(t, url, ca, out, "--concurrency", "100")},
		{`--filter-style cannot be "regexp"`, exitUsage, pullArgs(t, url, ca, out, "--filter-style", "regexp")},
		{`--skip cannot be "users"`, exitUsage, pullArgs(t, url, ca, out, "--skip", "users")},
		{"--list-limit must be at least 1", exitUsage, pullArgs(t, url, ca, out, "--list-limit", "0")},
		{"--timeout must be more than 0", exitUsage, pullArgs(t, url, ca, out, "--timeout", "0s")},
		{"--proxy is not an address", exitUsage, pullArgs(t, url, ca, out, "--proxy", "proxy:3128")},
		{"holds no certificate", exitFailed, pullArgs(t, url, open, out)},
		{"the TLS connection fails", exitFailed, []string{"pull", "--sdk", url, "-o", out, "--user", "a", "--password", "env:PATH"}},
	} {
		r := must(t, c.code, c.args...)
		if !strings.Contains(r.err, c.want) || strings.Contains(r.err+r.out, "hunter") {
			t.Errorf("%v: stderr is %s, want %s", c.args, r.err, c.want)
		}
	}
	if _, err := os.Stat(out); err == nil {
		t.Error("an export was written")
	}
}

func TestPullComparesAWSDL(t *testing.T) {
	file := filepath.Join(t.TempDir(), "sdk.wsdl")
	document := `<wsdl:definitions xmlns:wsdl="http://schemas.xmlsoap.org/wsdl/" targetNamespace="` + sdkSpace + `">` +
		"\n" + `<wsdl:portType name="PfWsSdkSoap"><wsdl:operation name="GetUserSettings_4"/></wsdl:portType></wsdl:definitions>`
	if err := os.WriteFile(file, []byte(document), 0o600); err != nil {
		t.Fatal(err)
	}
	r := must(t, exitPending, "pull", "--wsdl", file)
	for _, want := range []string{"! there is no FindUsers_4, in no version that is known", "* line 2: there is GetUserSettings_4, which is not known and will not be asked"} {
		if !strings.Contains(r.out, want) {
			t.Errorf("no %q in\n%s", want, r.out)
		}
	}
	r = must(t, exitPending, "pull", "--wsdl", file, "--format", "json")
	if !strings.Contains(r.out, `{"breaks":true,"line":0,"text":"there is no FindUsers_4, in no version that is known","type":"difference"}`) {
		t.Errorf("stdout: %s", r.out)
	}
	// A server that a pull cannot work with is not asked.
	r = must(t, exitPending, "pull", "--wsdl", file, "--sdk", "https://127.0.0.1:1/", "-o", "x", "--user", "a")
	if r.err != "" {
		t.Errorf("stderr: %s", r.err)
	}
	must(t, exitFailed, "pull", "--wsdl", filepath.Join(t.TempDir(), "none"))
}
