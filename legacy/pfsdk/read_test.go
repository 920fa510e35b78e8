package pfsdk_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"mfabridge/internal/xmlpull"
	"mfabridge/legacy/pfsdk"
)

// notes spells what Read finds, a line each. Secrets are shown: they are
// synthetic.
type notes struct{ strings.Builder }

func (n *notes) Record(r pfsdk.Record) error {
	fmt.Fprintf(n, "%d:%d %s %s %q", r.Place.Line, r.Place.Column, r.Kind, r.Operation, r.Username)
	for _, f := range r.Fields {
		fmt.Fprintf(n, " %s=%s%s", f.Name, f.Value, f.Secret.Reveal())
	}
	n.WriteByte('\n')
	return nil
}

func (n *notes) Problem(p pfsdk.Problem) error {
	fmt.Fprintf(n, "! %s", p.Error())
	if p.Username != "" {
		fmt.Fprintf(n, " (%s)", p.Username)
	}
	if p.Field != "" {
		fmt.Fprintf(n, " [%s]", p.Field)
	}
	n.WriteByte('\n')
	return nil
}

func read(t *testing.T, document, user string) string {
	t.Helper()
	var n notes
	if err := pfsdk.Read(strings.NewReader(document), pfsdk.Options{Username: user}, &n); err != nil {
		t.Fatalf("%v\n%s", err, document)
	}
	return n.String()
}

// envelope is an answer or a request in its envelope.
func envelope(namespace, operation, content string) string {
	return `<soap:Envelope xmlns:soap="http://schemas.xmlsoap.org/soap/envelope/"><soap:Header><x>skipped</x></soap:Header><soap:Body>` +
		"<" + operation + ` xmlns="` + namespace + `">` + content + "</" + operation + "></soap:Body></soap:Envelope>"
}

func sdk(operation, content string) string { return envelope(pfsdk.SDKNamespace, operation, content) }

func app(operation, content string) string {
	return envelope(pfsdk.ActivationNamespace, operation, content)
}

const done = "<error><Code>0</Code><Description/></error>"

func answer(operation, content string) string {
	return sdk(operation+"Response", "<"+operation+"Result>true</"+operation+"Result>"+content+done)
}

// The PINs, tokens and answers of this user must appear nowhere.
const ada = `<userSettings>
<FirstName>Ada</FirstName><LastName>O&apos;Neil</LastName><EmailAddress>ada@contoso.example</EmailAddress><UserGroup>Sales</UserGroup>
<CountryCode>1</CountryCode><Phone>425-555-0100</Phone><Extension></Extension><BackupCountryCode>44</BackupCountryCode>
<BackupPhone>20 7946 0100</BackupPhone><BackupExtension xmlns:i="http://www.w3.org/2001/XMLSchema-instance" i:nil="true"/>
<Mode>smsText</Mode><PinMode>pin</PinMode><SmsDirection>oneWay</SmsDirection><SmsMode>otp</SmsMode><PhoneAppMode>standard</PhoneAppMode>
<Pin>PINPIN</Pin><PinFormat>clear</PinFormat><HistoricalPinValues><string>OLDPIN</string></HistoricalPinValues>
<EnableStaticToken>true</EnableStaticToken><StaticToken>STATICSTATIC</StaticToken>
<SecurityQuestion1>3</SecurityQuestion1><SecurityAnswer1>FLUFFY</SecurityAnswer1>
<Enabled>true</Enabled><DisabledBehavior>fail</DisabledBehavior><KeepPhoneSynchronized>false</KeepPhoneSynchronized>
<VoiceCallLanguage>en</VoiceCallLanguage><SmsTextLanguage>de</SmsTextLanguage><PhoneAppLanguage>fr</PhoneAppLanguage>
<OathTokenExists>true</OathTokenExists><OathTokenSerialNumber>T-1</OathTokenSerialNumber>
<OathTokenSecretKey>GEZDGNBVGY3TQOJQ</OathTokenSecretKey><OathTokenTimeInterval>30</OathTokenTimeInterval><PhoneAppActivated>false</PhoneAppActivated>
<Flavour>new</Flavour></userSettings>`

func TestUserSettings(t *testing.T) {
	for _, operation := range []string{"GetUserSettings", "GetUserSettings2", "GetUserSettings_2", "GetUserSettings_3"} {
		got := read(t, answer(operation, ada), "ada@contoso.example")
		for _, want := range []string{
			"user " + operation + ` "ada@contoso.example" FirstName=Ada LastName=O'Neil EmailAddress=ada@contoso.example UserGroup=Sales CountryCode=1 ` +
				"Phone=425-555-0100 BackupCountryCode=44 BackupPhone=20 7946 0100 Mode=smsText PinMode=pin SmsDirection=oneWay SmsMode=otp PhoneAppMode=standard " +
				"PinSet=true StaticTokenSet=true SecurityQuestionsSet=true Enabled=true DisabledBehavior=fail KeepPhoneSynchronized=false " +
				"OathTokenExists=true OathTokenSerialNumber=T-1 OathTokenSecretKey=GEZDGNBVGY3TQOJQ OathTokenTimeInterval=30 PhoneAppActivated=false Language=de\n",
			"this element is not read [Flavour]",
		} {
			if !strings.Contains(got, want) {
				t.Errorf("%s: no %q in\n%s", operation, want, got)
			}
		}
		for _, never := range []string{"PINPIN", "OLDPIN", "STATICSTATIC", "FLUFFY", "skipped"} {
			if strings.Contains(got, never) {
				t.Errorf("%s: %s appears in\n%s", operation, never, got)
			}
		}
	}
}

func TestWhoseSettings(t *testing.T) {
	const settings = "<userSettings><Phone>1</Phone></userSettings>"
	request := func(user string) string { return sdk("GetUserSettings_3", "<username>"+user+"</username>") }
	response := answer("GetUserSettings_3", settings)
	for _, c := range []struct{ name, document, user, want string }{
		{"by the file", response, "ada", `user GetUserSettings_3 "ada" Phone=1`},
		{"by the request", "<capture>" + request("ada") + response + "</capture>", "", `user GetUserSettings_3 "ada" Phone=1`},
		{"by both", "<capture>" + request("ADA") + response + "</capture>", "ada", `user GetUserSettings_3 "ADA" Phone=1`},
		{"two after each other", "<c>" + request("ada") + response + request("bob") + response + "</c>", "", `user GetUserSettings_3 "bob" Phone=1`},
		{"by nobody", response, "", "! line 1, column 248: it is not said whose answer this is: keep the request in the file, or name the file GetUserSettings_3.USERNAME.xml\n"},
		{"by two", "<c>" + request("bob") + response + "</c>", "ada", "the name of the file and the request in it name different users (bob)"},
		{"mixed up", "<c>" + request("ada") + request("bob") + response + response + "</c>", "", "several requests stand before this answer"},
	} {
		got := read(t, c.document, c.user)
		if !strings.Contains(got, c.want) {
			t.Errorf("%s: no %q in\n%s", c.name, c.want, got)
		}
	}
	for _, document := range []string{
		"<c>" + request("ada") + request("bob") + response + response + "</c>",
		"<c>" + request("ada") + request("bob") + response + sdk("Unrelated", "") + response + "</c>",
	} {
		if got := read(t, document, ""); strings.Contains(got, "Phone") {
			t.Errorf("a user was guessed:\n%s", got)
		}
	}
}

func TestOtherAnswers(t *testing.T) {
	for _, c := range []struct{ name, document, want string }{
		{"devices", answer("GetUserDevices", `<userDevices><UserDevice><UserDeviceId>7</UserDeviceId><DeviceName>Ada's phone</DeviceName>`+
			`<DeviceToken>push-1</DeviceToken><PhoneAppVersion>6.1</PhoneAppVersion></UserDevice><UserDevice><UserDeviceId>8</UserDeviceId></UserDevice></userDevices>`),
			"1:252 device GetUserDevices \"ada\" UserDeviceId=7 DeviceName=Ada's phone DeviceToken=push-1 PhoneAppVersion=6.1\n" +
				"1:414 device GetUserDevices \"ada\" UserDeviceId=8\n"},
		{"users", answer("FindUsers_4", `<userRows><UserRow><Username>ada</Username><FirstName>Ada</FirstName></UserRow><UserRow><Username>bob</Username></UserRow></userRows>`+
			`<resultsComplete>true</resultsComplete>`),
			"1:240 row FindUsers_4 \"ada\" FirstName=Ada\n1:309 row FindUsers_4 \"bob\"\n"},
		{"some users", answer("FindUsers_2", `<userRows><UserRow><Username>ada</Username></UserRow></userRows><resultsComplete>false</resultsComplete>`),
			"1:240 row FindUsers_2 \"ada\"\n! line 1, column 123: the list of users is not complete: the server has more than it lists here\n"},
		{"blocked", answer("UserIsBlocked", "<blocked>true</blocked>"), "1:123 block UserIsBlocked \"ada\" Blocked=true\n"},
		{"not blocked", answer("UserIsBlocked", "<userIsBlocked>false</userIsBlocked>"), "1:123 block UserIsBlocked \"ada\" Blocked=false\n"},
		{"blocked by the result", answer("UserIsBlocked", ""), "1:123 block UserIsBlocked \"ada\" Blocked=true\n"},
		{"not blocked by the error", sdk("UserIsBlockedResponse", "<UserIsBlockedResult>false</UserIsBlockedResult><error><Code>136</Code></error>"),
			"1:123 block UserIsBlocked \"ada\" Blocked=false\n"},
		{"nobody knows", sdk("UserIsBlockedResponse", "<error><Code>0</Code></error>"),
			"! line 1, column 123: the answer does not say whether the user is blocked (ada)\n"},
		{"block unknown", sdk("UserIsBlockedResponse", "<UserIsBlockedResult>false</UserIsBlockedResult><error><Code>10</Code></error>"),
			"! line 1, column 123: the server does not know this user (code 10) (ada)\n"},
		{"defaults", answer("GetCustomerDefaults_3", `<customerDefaults><Mode>phoneApp</Mode><MinimumPinLength>4</MinimumPinLength></customerDefaults>`),
			"1:260 defaults GetCustomerDefaults_3 \"\" Mode=phoneApp MinimumPinLength=4\n"},
		{"portal", answer("GetUserPortalSettings", `<userPortalSettings><DeviceLimit>5</DeviceLimit><SamlCert>x</SamlCert></userPortalSettings>`),
			"1:260 portal GetUserPortalSettings \"\" DeviceLimit=5\n"},
		{"failed", sdk("GetUserDevicesResponse", "<GetUserDevicesResult>false</GetUserDevicesResult><userDevices/><error><Code>10</Code><Description>User ada not found</Description></error>"),
			"! line 1, column 123: the server does not know this user (code 10) (ada)\n"},
		{"failed otherwise", sdk("GetUserDevicesResponse", "<GetUserDevicesResult>false</GetUserDevicesResult><error><Code>77</Code><Description>no\tgood</Description></error>"),
			"! line 1, column 123: the server answers with the error 77: \"no good\" (ada)\n"},
		{"an odd error", sdk("GetUserDevicesResponse", "<GetUserDevicesResult>true</GetUserDevicesResult><error><Code>none</Code></error>"),
			"! line 1, column 123: the server answers with the error -1 (ada)\n"},
		{"no result", sdk("GetUserDevicesResponse", "<userDevices/>"),
			"! line 1, column 123: the answer has no GetUserDevicesResult (ada)\n"},
		{"true with an error", sdk("GetUserSettings_3Response", "<GetUserSettings_3Result>true</GetUserSettings_3Result><userSettings><Phone>1</Phone></userSettings><error><Code>1001</Code></error>"),
			"! line 1, column 123: the server's own authentication timed out (code 1001) (ada)\n"},
		{"two users", answer("GetUserSettings_3", "<userSettings><Phone>1</Phone></userSettings><userSettings><Phone>2</Phone></userSettings>"),
			"! line 1, column 123: an answer holds the settings of two users (ada)\n"},
		{"an element twice", answer("GetUserSettings_3", "<userSettings><Phone>1</Phone><Phone>2</Phone></userSettings>"),
			"! line 1, column 123: the element Phone is there twice in one record (ada)\n"},
		{"another user", answer("GetUserSettings_3", "<userSettings><Username>bob</Username><Phone>1</Phone></userSettings>"),
			"! line 1, column 123: the answer and its request, or the name of the file, name different users (ada)\n"},
		{"a fault", `<s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/"><s:Body><s:Fault><faultstring>Server did not recognize</faultstring></s:Fault></s:Body></s:Envelope>`,
			"! line 1, column 73: the server answers with a SOAP fault: \"Server did not recognize\"\n"},
		{"another operation", sdk("ChangePinResponse", "<pin>1234</pin>"), "! line 1, column 123: this operation is not read [ChangePin]\n"},
		{"another namespace", envelope("urn:other", "GetUserDevicesResponse", ""), "! line 1, column 1: there is no exchange of the Web Service SDK in this file\n"},
		{"the wrong service", app("GetUserDevicesResponse", ""), "! line 1, column 123: this operation is not read [GetUserDevices]\n"},
	} {
		if diff := cmp.Diff(c.want, read(t, c.document, "ada")); diff != "" {
			t.Errorf("%s: (-want +got)\n%s", c.name, diff)
		}
	}
}

func TestActivation(t *testing.T) {
	request := app("ActivateNew", "<activationParams><ActivationCode>123456789</ActivationCode><DeviceToken>push-1</DeviceToken>"+
		"<DeviceName>Ada's phone</DeviceName><OathCounter>1</OathCounter><Version>6.1</Version></activationParams>")
	response := func(content string) string {
		return app("ActivateNewResponse", "<ActivateNewResult>true</ActivateNewResult>"+content+done)
	}
	const info = "<activationInfo><Username>ada</Username><ConfirmationCode>c-1</ConfirmationCode>" +
		"<OathTokenSecretKey>gezdgnbvgy3tqojqgezdgnbvgy3tqojq</OathTokenSecretKey><OathTokenEnabled>true</OathTokenEnabled></activationInfo>"
	confirm := func(code, result string) string {
		return app("ConfirmActivation", "<confirmationCode>"+code+"</confirmationCode>") +
			app("ConfirmActivationResponse", "<ConfirmActivationResult>"+result+"</ConfirmActivationResult>"+done)
	}
	const device = `device ActivateNew "ada" DeviceToken=push-1 DeviceName=Ada's phone PhoneAppVersion=6.1`
	const seed = " OathTokenSecretKey=gezdgnbvgy3tqojqgezdgnbvgy3tqojq\n"
	for _, c := range []struct{ name, document, want, not string }{
		{"confirmed", request + response(info) + confirm("c-1", "true"), device + seed, "!"},
		{"flat", request + response(strings.NewReplacer("<activationInfo>", "", "</activationInfo>", "").Replace(info)) + confirm("c-1", "true"), device + seed, "!"},
		{"in the result", request + app("ActivateNewResponse", "<ActivateNewResult>"+info+"</ActivateNewResult>"+done) + confirm("c-1", "true"), device + seed, "!"},
		{"not confirmed", request + response(info), device + "\n", "gezdgnbvgy3tqojq"},
		{"another's confirmed", request + response(info) + confirm("c-2", "true"), "no activation in this file has this confirmation code", "gezdgnbvgy3tqojq"},
		{"refused", request + response(info) + confirm("c-1", "false"), "the server says that the operation failed", "gezdgnbvgy3tqojq"},
		{"code not enabled", request + response(strings.Replace(info, "Enabled>true", "Enabled>false", 1)) + confirm("c-1", "true"), device + "\n", "gezdgnbvgy3tqojq"},
		{"failed", request + app("ActivateNewResponse", "<ActivateNewResult>false</ActivateNewResult>"+info+done), "the server says that the activation failed", "gezdgnbvgy3tqojq"},
		{"nobody's", request + response("<activationInfo/>"), "the answer names no user", "device"},
		{"user twice", request + response(info+info) + confirm("c-1", "true"), device + seed, "!"},
	} {
		got := read(t, "<capture>"+c.document+"</capture>", "")
		if !strings.Contains(got, c.want) || strings.Contains(got, c.not) {
			t.Errorf("%s:\n got %swant %s\n not %s", c.name, got, c.want, c.not)
		}
		if strings.Contains(got, "123456789") {
			t.Errorf("%s: the activation code appears in %s", c.name, got)
		}
	}
}

func TestCaptureUser(t *testing.T) {
	for file, want := range map[string]string{
		"GetUserSettings_3.ada@contoso.example.xml": "ada@contoso.example",
		"soap/GetUserDevices.CORP%5Cada.xml":        `CORP\ada`,
		`soap\UserIsBlocked.ada.XML`:                "ada",
		"GetUserSettings_3.xml":                     "",
		"GetUserSettings_3..xml":                    "",
		"notes.ada.xml":                             "",
		"GetUserSettings_3.%zz.xml":                 "",
	} {
		if got, ok := pfsdk.CaptureUser(file); ok != (want != "") || ok && got != want {
			t.Errorf("%s: %q, %v; want %q", file, got, ok, want)
		}
	}
}

func TestWhatIsNotXMLIsAnError(t *testing.T) {
	for _, c := range []struct{ document, want string }{
		{"<a>", "line 1, column 4: the document ends within an element"},
		{answer("GetUserDevices", "")[:200], "line 1, column 190: the document ends within a tag"},
		{`<!DOCTYPE a [<!ENTITY b "c">]><a/>`, "line 1, column 1: a DOCTYPE is refused; remove it, exports need none"},
		{answer("GetUserSettings_3", "<userSettings><Phone>"+strings.Repeat("1", 300_000)+"</Phone></userSettings>"), "a tag, comment or text has more than 262144 bytes"},
		{answer("GetUserSettings_3", "<userSettings><Phone><b/></Phone></userSettings>"), "an element stands where only text may be"},
		{"<c>" + strings.Repeat(sdk("GetUserDevices", ""), 1001) + "</c>", "more than 1000 requests stand without their answers"},
	} {
		var n notes
		err := pfsdk.Read(strings.NewReader(c.document), pfsdk.Options{Username: "ada"}, &n)
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%.60q: got %v, want %s", c.document, err, c.want)
		}
		if strings.Contains(n.String(), "user ") {
			t.Errorf("%.60q: a record came of it: %s", c.document, n.String())
		}
	}
	var e *xmlpull.Error
	if err := pfsdk.Read(strings.NewReader("<a>"), pfsdk.Options{}, &notes{}); !errors.As(err, &e) || e.Line != 1 {
		t.Errorf("the error has no place: %v", err)
	}
}

type broken struct{ notes }

var errSink = errors.New("full")

func (broken) Record(pfsdk.Record) error { return errSink }

func TestErrorsOfTheSinkEndTheReading(t *testing.T) {
	if err := pfsdk.Read(strings.NewReader(answer("GetUserSettings_3", ada)), pfsdk.Options{Username: "ada"}, &broken{}); !errors.Is(err, errSink) {
		t.Errorf("got %v", err)
	}
}

func FuzzRead(f *testing.F) {
	f.Add([]byte(answer("GetUserSettings_3", ada)), "ada")
	f.Add([]byte("<c>"+sdk("GetUserDevices", "<username>ada</username>")+answer("GetUserDevices", "<userDevices><UserDevice/></userDevices>")+"</c>"), "")
	f.Add([]byte(answer("FindUsers_4", "<userRows><UserRow><Username>a</Username></UserRow></userRows><resultsComplete>true</resultsComplete>")), "")
	f.Add([]byte("<c>"+app("ActivateNew", "<DeviceName>a</DeviceName>")+app("ActivateNewResponse", "<Username>a</Username>")+"</c>"), "")
	f.Add([]byte(answer("UserIsBlocked", "<blocked>1</blocked>")), "a")
	f.Add([]byte(answer("GetCustomerDefaults_3", "<customerDefaults><Mode>x</Mode></customerDefaults>")), "")
	f.Fuzz(func(t *testing.T, document []byte, user string) {
		var n watch
		if err := pfsdk.Read(strings.NewReader(string(document)), pfsdk.Options{Username: user}, &n); err != nil && n.unnamed {
			t.Error(err)
		}
		if n.unnamed {
			t.Errorf("a record without a user came of %q", document)
		}
	})
}

// watch looks for records that must not be.
type watch struct{ unnamed bool }

func (w *watch) Record(r pfsdk.Record) error {
	w.unnamed = w.unnamed || r.Username == "" && r.Kind <= pfsdk.Device
	return nil
}

func (w *watch) Problem(pfsdk.Problem) error { return nil }
