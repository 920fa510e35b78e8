package legacy_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"mfabridge/fixtures"
	"mfabridge/legacy"
)

// The exchanges below have the shape that the SDK's interface metadata gives
// them; none of them was captured from a real server.

func answer(operation, inner string) string {
	return `<soap:Envelope xmlns:soap="http://schemas.xmlsoap.org/soap/envelope/"><soap:Body><` + operation + `Response xmlns="http://www.phonefactor.com/PfWsSdk"><` +
		operation + `Result>true</` + operation + `Result>` + inner + `<error><Code>0</Code><Description/></error></` + operation + "Response></soap:Body></soap:Envelope>\n"
}

func captured(t testing.TB, names files, more files) string {
	t.Helper()
	dir := more.write(t)
	if err := os.Mkdir(filepath.Join(dir, "SOAP"), 0o700); err != nil {
		t.Fatal(err)
	}
	for name, text := range names {
		if err := os.WriteFile(filepath.Join(dir, "SOAP", name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func exchanges() files {
	return files{
		"GetUserSettings_3.ada@contoso.example.xml": answer("GetUserSettings_3", "<userSettings><FirstName>Ada</FirstName><Mode>phoneApp</Mode><Phone>425 555 0100</Phone><Enabled>true</Enabled>"+
			"<Pin>"+fixtures.CanaryPIN+"</Pin><OathTokenSerialNumber>S-1</OathTokenSerialNumber><OathTokenSecretKey>gezdgnbv</OathTokenSecretKey><Later>x</Later></userSettings>"),
		"GetUserSettings_3.ben.xml":              answer("GetUserSettings_3", "<userSettings><Mode>smoke</Mode></userSettings>"),
		"GetUserSettings_3.kim.xml":              answer("GetUserSettings_3", "<userSettings><FirstName>Kim</FirstName><Mode>smsText</Mode><Later>x</Later></userSettings>"),
		"GetUserDevices.ada@contoso.example.xml": answer("GetUserDevices", "<userDevices><UserDevice><UserDeviceId>1</UserDeviceId><DeviceName>Phone</DeviceName></UserDevice></userDevices>"),
		"UserIsBlocked.Kim.xml":                  answer("UserIsBlocked", ""),
		"UserIsBlocked.ghost.xml":                answer("UserIsBlocked", ""),
		"FindUsers_2.xml":                        answer("FindUsers_2", "<userRows><UserRow><Username>KIM</Username></UserRow><UserRow><Username>Lea</Username></UserRow></userRows><resultsComplete>true</resultsComplete>"),
		"GetCustomerDefaults_3.xml":              answer("GetCustomerDefaults_3", "<customerDefaults><Mode>voiceCall</Mode><MinimumPinLength>4</MinimumPinLength><PreventWeakPins>true</PreventWeakPins></customerDefaults>"),
		"cut.xml":                                answer("GetUserDevices", "")[:200],
	}
}

func TestAnswers(t *testing.T) {
	e := open(t, captured(t, exchanges(), files{"settings.json": `{"mobileApp":{"accountName":"Contoso"}}`}), legacy.Options{})
	for range 2 {
		var got []string
		for _, u := range users(t, e) {
			got = append(got, fmt.Sprintf("%d %s %s %s blocked=%v pin=%v %d %d %s", u.Ordinal, u.Username, u.FirstName, u.Mode, u.Blocked, u.PinSet, len(u.Devices), len(u.Tokens), u.Place.File))
		}
		want := []string{"0 ada@contoso.example Ada phoneApp blocked=false pin=true 1 1 soap/getusersettings_3.ada@contoso.example.xml",
			"2 kim Kim smsText blocked=true pin=false 0 0 soap/getusersettings_3.kim.xml"}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Fatal(diff)
		}
	}
	var got []string
	for _, p := range problems(t, e) {
		place, rest, _ := strings.Cut(p, " ")
		file, _, _ := strings.Cut(place, ":")
		got = append(got, strings.TrimPrefix(file, "soap/")+" "+rest)
	}
	want := []string{
		"cut.xml ROW_INVALID ||the document ends within a tag; nothing after this place is read",
		"findusers_2.xml ROW_INVALID Lea||the user is listed here, and the user's settings are not in the export; the row is left out",
		"getusersettings_3.ada@contoso.example.xml COLUMN_UNKNOWN |Later|this element is not read",
		`getusersettings_3.ben.xml ROW_INVALID ben|Mode|Mode is "smoke", but must be phoneApp, oathToken, smsText or voiceCall; the row is left out`,
		"userisblocked.ghost.xml ROW_INVALID ghost||the user is blocked, and is not in the export; the row is left out",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if said := fmt.Sprint(got, e.Settings(), users(t, e)); strings.Contains(said, fixtures.CanaryPIN) {
		t.Error("a PIN is said")
	}
	s := e.Settings()
	if !s.Present || s.Defaults.Mode != legacy.ModeVoiceCall || s.Defaults.MinimumPinLength != 4 || !s.Defaults.PreventWeakPins || s.MobileApp.AccountName != "Contoso" {
		t.Errorf("settings %+v", s)
	}
	if sum := e.Summary(); sum.Rows != 3 || sum.Users != 2 || sum.Devices != 1 || sum.Tokens != 1 || len(sum.Files) != 10 {
		t.Errorf("summary %+v", sum)
	}
	n := 0
	for range e.Users(t.Context()) { // left in the middle of a file
		n++
		break
	}
	if n != 1 {
		t.Errorf("%d users", n)
	}
}

// A user of both a table and an answer is there twice.
func TestAnswersBeside(t *testing.T) {
	e := open(t, captured(t, files{"GetUserSettings.ada.xml": answer("GetUserSettings", "<userSettings/>"), "GetUserSettings.ben.xml": answer("GetUserSettings", "<userSettings/>")},
		files{"users.csv": "Username\nADA\n", "devices.csv": "Username\nben\n"}), legacy.Options{})
	if all := users(t, e); len(all) != 1 || all[0].Username != "ben" || len(all[0].Devices) != 1 {
		t.Errorf("users %+v", all)
	}
	want := []string{"users.csv:2 USER_DUPLICATE ADA|Username|2 rows have this Username, users.csv:2, soap/getusersettings.ada.xml:1; none of them is read"}
	if diff := cmp.Diff(want, problems(t, e)); diff != "" {
		t.Error(diff)
	}
}

func TestAnswersWithoutUsers(t *testing.T) {
	dir := captured(t, files{"FindUsers.xml": answer("FindUsers", "<userRows/>")}, files{})
	if _, err := legacy.Open(t.Context(), dir, legacy.Options{}); err == nil || err.Error() != "none of the 1 files in soap holds the settings of a user" {
		t.Errorf("got %v", err)
	}
}

func TestAnswerChanged(t *testing.T) {
	dir := captured(t, exchanges(), files{})
	e := open(t, dir, legacy.Options{})
	path := filepath.Join(dir, "SOAP", "GetUserSettings_3.kim.xml")
	if err := os.WriteFile(path, []byte(answer("GetUserSettings_3", "<userSettings><FirstName>Kit</FirstName></userSettings>")), 0o600); err != nil {
		t.Fatal(err)
	}
	var got error
	for _, err := range e.Users(t.Context()) {
		got = err
	}
	if got == nil || !strings.Contains(got.Error(), "getusersettings_3.kim.xml changed while it was read") {
		t.Errorf("got %v", got)
	}
}

// A file that asks too much of the reader costs itself only.
func TestAnswerRefused(t *testing.T) {
	long := answer("GetUserSettings", "<userSettings><FirstName>"+strings.Repeat("x", 100<<10)+"</FirstName></userSettings>")
	e := open(t, captured(t, files{"GetUserSettings.ada.xml": long, "GetUserSettings.ben.xml": answer("GetUserSettings", "<userSettings/>")}, files{}), legacy.Options{})
	if all := users(t, e); len(all) != 1 || all[0].Username != "ben" {
		t.Errorf("users %+v", all)
	}
	if got := problems(t, e); len(got) != 1 || !strings.Contains(got[0], "soap/getusersettings.ada.xml ROW_INVALID ||a value has more than 65536 bytes; nothing after this place is read") {
		t.Errorf("problems %q", got)
	}
}

// A user whose values together are longer than a row is left out in both
// passes, and everything that belongs to the name with it.
func TestAnswerTooLong(t *testing.T) {
	text := "<userSettings>"
	for _, name := range []string{"FirstName", "LastName", "EmailAddress", "UserGroup", "Phone"} {
		text += "<" + name + ">" + strings.Repeat("x", 60<<10) + "</" + name + ">"
	}
	e := open(t, captured(t, files{"GetUserSettings.ada.xml": answer("GetUserSettings", text+"</userSettings>")},
		files{"users.csv": "Username\nben\n", "devices.csv": "Username\nada\n"}), legacy.Options{})
	if all, s := users(t, e), e.Summary(); len(all) != 1 || s.Users != 1 || s.LeftOut != 1 || s.SkippedRows != 1 {
		t.Errorf("%d users, summary %+v", len(all), s)
	}
}

func FuzzAnswers(f *testing.F) {
	for _, text := range exchanges() {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		dir := captured(t, files{"GetUserSettings_3.ada.xml": text, "UserIsBlocked.ada.xml": answer("UserIsBlocked", "")}, files{"users.csv": "Username\nben\n"})
		e, err := legacy.Open(t.Context(), dir, legacy.Options{})
		if err != nil {
			t.Fatal(err)
		}
		defer e.Close()
		first, second := users(t, e), users(t, e)
		if diff := cmp.Diff(first, second, equalSecrets()); diff != "" || e.Summary().Users != int64(len(first)) {
			t.Fatalf("%s %+v", diff, e.Summary())
		}
		problems(t, e)
	})
}
