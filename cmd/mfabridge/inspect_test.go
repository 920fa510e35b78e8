package main

import (
	"encoding/json"
	"os"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"mfabridge/fixtures"
)

// contosoStory writes the sample without device secrets, with settings and a
// report of attempts that are smaller than its own. Its manifest, which would
// not fit them, is taken away.
func contosoStory(t *testing.T) story {
	t.Helper()
	s := story{folder: t.TempDir()}
	if err := os.CopyFS(s.path("contoso"), fixtures.Contoso()); err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(s.path("contoso/manifest.json")); err != nil {
		t.Fatal(err)
	}
	s.write(t, "contoso/settings.json", `{"radiusClients":[{"name":"vpn","ipAddress":"10.0.0.5","applicationName":"VPN","sharedSecret":"`+sharedCanary+`"},
		{"name":"rdg","ipAddress":"10.0.0.6"}],"ldapClients":[{"name":"wiki"}],"trustedIps":["10.1.0.0-10.1.0.255"]}`)
	s.write(t, "contoso/activity.csv", "Timestamp,Username,Authentication Method,Authentication Type,Application Name\n"+
		"2024-09-01 08:00:00,"+fixtures.Ada+",OATH Token,radius,VPN\n2024-09-02 08:00:00,"+fixtures.Tim+",Text Message,radius,Firewall\n"+
		"2024-09-03 08:00:00,stranger,Phone Call,ldap,wiki\n")
	return s
}

const sharedCanary = "a-shared-secret-of-the-vpn"

// contosoErrors are the sample's findings of severity error, in the order listed.
var contosoErrors = []string{"NO_FACTOR_AFTER_APPLY, 4", "PASSWORD_ONLY_TODAY, 1", "TOKEN_CONFLICT, 4", "ROW_INVALID, 5", "USER_DUPLICATE, 1"}

func TestInspectText(t *testing.T) {
	s := contosoStory(t)
	r := must(t, exitPending, "inspect", s.path("contoso"), "--default-country", "US")
	if !strings.HasPrefix(r.out, "devices with a usable code secret: 0 of 19\n\noutlook of 61 users\n  password only       1  ") {
		t.Errorf("it begins with:\n%.300s", r.out)
	}
	for _, want := range []string{
		"\nrows          67 of users: 61 read, 4 skipped, 2 of 1 duplicate name; 1 of other tables skipped\n",
		"\ncountries     +1 38, +44 15, +33 1, +49 1\n",
		"\nactivity      3 attempts from 2024-09-01 to 2024-09-03; 2 users with one, 59 without; 1 attempt of 1 unknown name\n",
		"\nother logins  ldap 1\n",
		"\nsettings      2 RADIUS clients, 1 LDAP client, 0 caching rules, 1 trusted range\n",
		"\n  Windows Phone               0             0             0             0         1\n",
		"\n  vpn          10.0.0.5  with its secret     1 by 1 user, last 2024-09-01\n",
		"\n  rdg          10.0.0.6  without its secret  none known\n",
		"\n  Firewall     -         not there           1 by 1 user, last 2024-09-02\n",
		"\n    users.csv:30: the row has 9 fields, the header has 33; the row is left out\n",
		"\n    users.csv:1:395: Pin: nothing is read from this column, and its values are not kept\n",
		"\n    devices.csv:18: vera@contoso.example: the export holds no secret of app \"Old phone\"\n",
		"\n  USER_INACTIVE, 57\n",
		"\n    and 47 more (--all lists them)\n",
		"\n    settings.json: ldapClients: wiki asked the old server by LDAP\n",
	} {
		if !strings.Contains(r.out, want) {
			t.Errorf("%q is missing", want)
		}
	}
	_, list, _ := strings.Cut(r.out, "\nERRORS: ")
	list, _, _ = strings.Cut(list, "\nWARNINGS: ")
	var got []string
	for _, m := range regexp.MustCompile(`(?m)^  ([A-Z_]+, \d+)$`).FindAllStringSubmatch(list, -1) {
		got = append(got, m[1])
	}
	if strings.Join(got, "; ") != strings.Join(contosoErrors, "; ") {
		t.Errorf("errors %q, want %q", got, contosoErrors)
	}
	all := must(t, exitPending, "inspect", s.path("contoso"), "--default-country", "US", "--all")
	if n := strings.Count(all.out, "the report of attempts holds no login of this user"); n != 57 || strings.Contains(all.out, "more (--all") {
		t.Errorf("--all lists %d of 57", n)
	}
	if t.Failed() {
		t.Log(r.out)
	}
}

// Each place leads to a line that begins the record it speaks of.
func TestInspectPlacesAreTrue(t *testing.T) {
	s := contosoStory(t)
	r := must(t, exitPending, "inspect", s.path("contoso"), "--format", "json")
	checked := 0
	for line := range strings.Lines(r.out) {
		var u struct {
			Type, Username string
			Findings       []struct{ Code, Place string }
		}
		if err := json.Unmarshal([]byte(line), &u); err != nil {
			if !strings.Contains(line, `"type":"summary"`) {
				t.Fatalf("%v: %s", err, line)
			}
			continue
		}
		if u.Type != "user" {
			continue
		}
		for _, f := range u.Findings {
			checked++
			if !strings.Contains(strings.ToLower(placed(t, s, f.Place)), strings.ToLower(u.Username)) {
				t.Errorf("%s of %s is said to be at %s", f.Code, u.Username, f.Place)
			}
		}
	}
	if checked < 90 {
		t.Errorf("only %d findings", checked)
	}
}

// placed is the line of the export that a place names.
func placed(t *testing.T, s story, place string) string {
	t.Helper()
	parts := strings.Split(place, ":")
	text, err := os.ReadFile(s.path("contoso/" + parts[0]))
	if err != nil || len(parts) < 2 {
		t.Fatalf("place %q: %v", place, err)
	}
	lines := strings.Split(string(text), "\n")
	n, err := strconv.Atoi(parts[1])
	if err != nil || n < 2 || n > len(lines) {
		t.Fatalf("place %q", place)
	}
	return lines[n-1]
}

func TestInspectKeepsSecrets(t *testing.T) {
	s := contosoStory(t)
	for _, format := range []string{"text", "json", "html"} {
		r := must(t, exitPending, "inspect", s.path("contoso"), "--format", format)
		if strings.Contains(r.out+r.err, sharedCanary) {
			t.Errorf("the shared secret is in %s", format)
		}
		search(t, format, []byte(r.out+r.err))
	}
}

func TestInspectIntoAFile(t *testing.T) {
	s := contosoStory(t)
	args := []string{"inspect", s.path("contoso"), "--format", "html", "-o", s.path("report.html")}
	r := must(t, exitPending, args...)
	if r.out != "" || !strings.Contains(r.err, "report written to") {
		t.Errorf("printed %q and %q", r.out, r.err)
	}
	if info, err := os.Stat(s.path("report.html")); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v %v", info, err)
	}
	r = must(t, exitFailed, args...)
	if !strings.Contains(r.err, "report.html exists already") || !strings.Contains(r.err, "--overwrite") {
		t.Errorf("said %q", r.err)
	}
	must(t, exitPending, append(args, "--overwrite")...)
	must(t, exitFailed, "inspect", s.path("contoso"), "-o", s.path("nowhere/report"))
	s.write(t, "broken", "")
	must(t, exitFailed, "inspect", s.path("broken"), "-o", s.path("report.txt"))
	left, err := os.ReadDir(s.folder)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range left {
		if name := e.Name(); name != "contoso" && name != "report.html" && name != "broken" {
			t.Errorf("%s is left", name)
		}
	}
}

func TestInspectRefusesOptions(t *testing.T) {
	for want, args := range map[string][]string{
		"--format cannot be \"csv\"":                {"--format", "csv"},
		"--all goes with --format text":             {"--all", "--format", "html"},
		"--strict-codes: there is no finding \"X\"": {"--strict-codes", "X"},
	} {
		r := must(t, exitUsage, append([]string{"inspect", "nowhere"}, args...)...)
		if !strings.Contains(r.err, want) {
			t.Errorf("%q, want %q", r.err, want)
		}
	}
}

// allErrorsAccepted are acceptances of all errors of the sample.
const allErrorsAccepted = `code,user,reason,approver
NO_FACTOR_AFTER_APPLY,mara@contoso.example,gets a token,Dana
NO_FACTOR_AFTER_APPLY,short@contoso.example,gets a token,Dana
NO_FACTOR_AFTER_APPLY,letters@contoso.example,gets a token,Dana
NO_FACTOR_AFTER_APPLY,nothing@contoso.example,has left,Dana
PASSWORD_ONLY_TODAY,frozen@contoso.example,"known, to be refused",Dana
TOKEN_CONFLICT,serial.a@contoso.example,new token,Dana
TOKEN_CONFLICT,serial.b@contoso.example,new token,Dana
TOKEN_CONFLICT,twin.a@contoso.example,new token,Dana
TOKEN_CONFLICT,twin.b@contoso.example,new token,Dana
ROW_INVALID,maybe@contoso.example,test account,Dana
ROW_INVALID,users.csv:30,rubbish,Dana
ROW_INVALID,baddate@contoso.example,test account,Dana
ROW_INVALID,badmode@contoso.example,test account,Dana
ROW_INVALID,luis@contoso.example,lost token,Dana
USER_DUPLICATE,dora@contoso.example,sorted out by hand,Dana
`

func TestAccept(t *testing.T) {
	s := contosoStory(t)
	contoso := s.path("contoso")
	all := s.write(t, "all.csv", allErrorsAccepted)
	must(t, exitGate, "inspect", contoso, "--default-country", "US", "--strict")
	r := must(t, exitDone, "inspect", contoso, "--default-country", "US", "--strict", "--accept", all)
	for _, want := range []string{"\nfindings      error 15, ", "; 15 of them accepted\n", "\n      accepted by Dana: known, to be refused\n"} {
		if !strings.Contains(r.out, want) {
			t.Errorf("%q is missing in:\n%s", want, r.out)
		}
	}
	// One left out is one too many.
	lines := strings.SplitAfter(strings.TrimSuffix(allErrorsAccepted, "\n"), "\n")
	for i := 1; i < len(lines); i += 4 {
		some := s.write(t, "some.csv", strings.Join(lines[:i], "")+strings.Join(lines[i+1:], ""))
		r := must(t, exitGate, "inspect", contoso, "--default-country", "US", "--strict", "--accept", some)
		if !strings.Contains(r.err, "the gate --strict is not met: 1 finding of severity error") {
			t.Errorf("without %s: %s", lines[i], r.err)
		}
		must(t, exitPending, "inspect", contoso, "--default-country", "US", "--accept", some)
	}
	must(t, exitGate, "inspect", contoso, "--default-country", "US", "--strict-codes", "TOKEN_CONFLICT")
	must(t, exitDone, "inspect", contoso, "--default-country", "US", "--strict-codes", "TOKEN_CONFLICT", "--accept", all)
	must(t, exitGate, "inspect", contoso, "--default-country", "US", "--strict-codes", "PHONE_SHARED", "--accept", all)

	unknown := s.write(t, "unknown.csv", "code,user,reason,approver\nTOKEN_CONFLICTS,ada,r,a\n")
	r = must(t, exitFailed, "inspect", contoso, "--accept", unknown)
	if !strings.Contains(r.err, `unknown.csv:2: there is no finding "TOKEN_CONFLICTS"`) || r.out != "" {
		t.Errorf("said %q", r.err)
	}
	must(t, exitFailed, "inspect", contoso, "--accept", s.path("none.csv"))
	nobody := s.write(t, "nobody.csv", "code,user,reason,approver\nTOKEN_CONFLICT,nobody,r,a\n")
	r = must(t, exitPending, "inspect", contoso, "--accept", nobody)
	if !strings.Contains(r.err, "warning: nobody.csv:2: the export gives no finding TOKEN_CONFLICT of nobody") {
		t.Errorf("said %q", r.err)
	}
}

// A plan keeps what was accepted, and by whom; show says it.
func TestAcceptIsKeptInThePlan(t *testing.T) {
	s := contosoStory(t)
	file := s.write(t, "some.csv", "code,user,reason,approver\nTOKEN_CONFLICT,twin.a@contoso.example,new token,Dana\n")
	plan := func(name string, code int, more ...string) string {
		must(t, code, append([]string{"plan", s.path("contoso"), "--to", "sqlite:" + s.path("cloud.db"), "--create-users", "--default-country", "US",
			"-o", s.path(name)}, more...)...)
		return s.path(name)
	}
	plan("refused.plan", exitGate, "--strict-codes", "TOKEN_CONFLICT", "--accept", file)
	with := plan("with.plan", exitDone, "--accept", file)
	if r := must(t, exitDone, "show", with); !strings.Contains(r.out, "\n  accept  TOKEN_CONFLICT of twin.a@contoso.example, by Dana: new token\n") {
		t.Errorf("show does not say it:\n%.1500s", r.out)
	}
	r := must(t, exitDone, "show", with, "--format", "json")
	if want := `"accepted":[{"code":"TOKEN_CONFLICT","user":"twin.a@contoso.example","reason":"new token","approver":"Dana"}]`; !strings.Contains(r.out, want) {
		t.Errorf("%s is missing", want)
	}
	r = must(t, exitDone, "show", plan("without.plan", exitDone), "--format", "json")
	if !strings.Contains(r.out, `"accepted":[]`) {
		t.Error("a plan without acceptances has some")
	}
}
