package pfsdk_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"mfabridge/legacy/pfsdk"
)

// wsdl writes a description in the manner of ASP.NET. It is derived, like all
// that this package expects.
func wsdl(namespace string, operations map[string][]string, types map[string][]string) string {
	var schema, port, binding strings.Builder
	for _, o := range pfsdk.Operations() {
		name := o.String()
		parts, ok := operations[name]
		if !ok {
			continue
		}
		fmt.Fprintf(&schema, `<s:element name="%s"><s:complexType><s:sequence>`, name)
		for _, p := range parts {
			fmt.Fprintf(&schema, `<s:element minOccurs="0" maxOccurs="1" name="%s" type="s:string" />`, p)
		}
		fmt.Fprintf(&schema, "</s:sequence></s:complexType></s:element>\n")
		fmt.Fprintf(&port, `<wsdl:operation name="%s"><wsdl:input message="tns:%sSoapIn" /></wsdl:operation>`+"\n", name, name)
		fmt.Fprintf(&binding, `<wsdl:operation name="%s"><soap:operation soapAction="%s/%s" style="document" /></wsdl:operation>`+"\n", name, namespace, name)
	}
	for _, name := range []string{"UserSettings3", "UserSettings2", "UserRow", "UserDevice", "CustomerDefaults3"} {
		if elements, ok := types[name]; ok {
			fmt.Fprintf(&schema, `<s:complexType name="%s"><s:sequence>`, name)
			for _, e := range elements {
				fmt.Fprintf(&schema, `<s:element name="%s" type="s:string" />`, e)
			}
			schema.WriteString("</s:sequence></s:complexType>\n")
		}
	}
	return `<?xml version="1.0" encoding="utf-8"?>
<wsdl:definitions xmlns:wsdl="http://schemas.xmlsoap.org/wsdl/" xmlns:soap="http://schemas.xmlsoap.org/wsdl/soap/" xmlns:s="http://www.w3.org/2001/XMLSchema" xmlns:tns="` + namespace + `" targetNamespace="` + namespace + `">
<wsdl:types><s:schema elementFormDefault="qualified" targetNamespace="` + namespace + `">
` + schema.String() + `</s:schema></wsdl:types>
<wsdl:portType name="PfWsSdkSoap">` + port.String() + `</wsdl:portType>
<wsdl:binding name="PfWsSdkSoap" type="tns:PfWsSdkSoap">` + binding.String() + `</wsdl:binding></wsdl:definitions>`
}

func expected() (operations, types map[string][]string) {
	find := strings.Fields("usernameFilter usernameCaseSensitive modeSpecified pinModeSpecified smsDirectionSpecified smsModeSpecified phoneAppModeSpecified tagMatchType enabledSpecified resultLimit")
	operations = map[string][]string{"TestSecurity": nil, "TestMasterConnection": nil, "FindUsers_4": find, "GetUserSettings_3": {"username"},
		"GetUserDevices": {"username"}, "UserIsBlocked": {"username"}, "GetCustomerDefaults_3": nil, "GetUserPortalSettings": nil}
	types = map[string][]string{
		"UserSettings3": strings.Fields(`FirstName LastName EmailAddress UserGroup CountryCode Phone Extension BackupCountryCode BackupPhone BackupExtension
			KeepPhoneSynchronized Mode PinMode SmsDirection SmsMode PhoneAppMode Enabled DisabledBehavior OathTokenExists OathTokenSerialNumber OathTokenSecretKey
			OathTokenTimeInterval PhoneAppActivated Pin HistoricalPinValues StaticToken EnableStaticToken VoiceCallLanguage SmsTextLanguage
			PhoneAppLanguage OathTokenLanguage SecurityQuestion1 SecurityAnswer1`),
		"UserRow": {"Username", "FirstName"}, "UserDevice": strings.Fields("UserDeviceId DeviceName DeviceToken PhoneAppVersion"),
		"CustomerDefaults3": strings.Fields(`Mode PinMode SmsDirection SmsMode PhoneAppMode EnableGlobalServices UserCanChangePhone KeepPhoneSynchronized
			DisabledBehavior VoiceCallLanguage SmsTextLanguage PhoneAppLanguage OathTokenLanguage UserCanChangePin MinimumPinLength PreventWeakPins
			PinExpirationDays HistoricalPins`)}
	return operations, types
}

func TestCompareWSDL(t *testing.T) {
	for _, c := range []struct {
		name   string
		change func(operations, types map[string][]string)
		want   []pfsdk.Difference
	}{
		{"as expected", func(_, _ map[string][]string) {}, nil},
		{"an older one", func(o, y map[string][]string) {
			o["GetUserSettings2"] = o["GetUserSettings_3"]
			delete(o, "GetUserSettings_3")
			y["UserSettings2"] = y["UserSettings3"]
			delete(y, "UserSettings3")
		}, []pfsdk.Difference{{Line: 20, Text: "there is no GetUserSettings_3; GetUserSettings2 will be asked"}}},
		{"another filter", func(o, _ map[string][]string) { o["FindUsers_4"][0] = "userFilter" }, []pfsdk.Difference{{Line: 19, Breaks: true,
			Text: "FindUsers_4 takes no element usernameFilter; it takes enabledSpecified, modeSpecified, phoneAppModeSpecified, pinModeSpecified, resultLimit, smsDirectionSpecified, smsModeSpecified, tagMatchType, userFilter, usernameCaseSensitive"}}},
		{"no devices", func(o, _ map[string][]string) { delete(o, "GetUserDevices") }, []pfsdk.Difference{{Breaks: true, Text: "there is no GetUserDevices, in no version that is known"}}},
		{"no portal", func(o, _ map[string][]string) { delete(o, "GetUserPortalSettings") }, []pfsdk.Difference{{Text: "there is no GetUserPortalSettings, in no version that is known"}}},
		{"a new element", func(_, y map[string][]string) { y["UserDevice"] = append(y["UserDevice"], "OathTokenDrift") },
			[]pfsdk.Difference{{Line: 14, Text: "UserDevice has an element OathTokenDrift, which is not read"}}},
		{"names elsewhere", func(_, y map[string][]string) { y["UserRow"] = []string{"Name"} }, []pfsdk.Difference{
			{Line: 13, Text: "UserRow has an element Name, which is not read"}, {Line: 13, Breaks: true, Text: "UserRow has no element Username"}}},
		{"no rows", func(_, y map[string][]string) { delete(y, "UserRow") }, []pfsdk.Difference{{Breaks: true, Text: "there is no type UserRow"}}},
	} {
		operations, types := expected()
		c.change(operations, types)
		got, err := pfsdk.CompareWSDL(strings.NewReader(wsdl(pfsdk.SDKNamespace, operations, types)), "")
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(c.want, got); diff != "" {
			t.Errorf("%s: (-want +got)\n%s", c.name, diff)
		}
	}
	operations, types := expected()
	got, err := pfsdk.CompareWSDL(strings.NewReader(wsdl("urn:other", operations, types)), "")
	if err != nil || len(got) < 2 || got[0].Text != `the namespace is "urn:other", expected "http://www.phonefactor.com/PfWsSdk"` || !got[1].Breaks {
		t.Errorf("%v, %v", got, err)
	}
	if got, err := pfsdk.CompareWSDL(strings.NewReader("<a/>"), ""); err != nil || len(got) != 1 || !got[0].Breaks {
		t.Errorf("%v, %v", got, err)
	}
	if _, err := pfsdk.CompareWSDL(strings.NewReader("<a"), ""); err == nil {
		t.Error("half a file was compared")
	}
	if _, err := pfsdk.CompareWSDL(strings.NewReader("<a>"+strings.Repeat("<!-- x -->", 2<<20)), ""); err == nil || !strings.Contains(err.Error(), "more than 16777216 bytes") {
		t.Errorf("a huge file: %v", err)
	}
}

func FuzzCompareWSDL(f *testing.F) {
	operations, types := expected()
	f.Add([]byte(wsdl(pfsdk.SDKNamespace, operations, types)))
	f.Add([]byte("<a/>"))
	f.Fuzz(func(t *testing.T, b []byte) {
		if got, err := pfsdk.CompareWSDL(strings.NewReader(string(b)), ""); err != nil && got != nil {
			t.Error("differences with an error")
		}
	})
}

func FuzzAnswer(f *testing.F) {
	f.Add(byte(pfsdk.GetUserSettings3), []byte(answer("GetUserSettings_3", ada)))
	f.Add(byte(pfsdk.FindUsers4), []byte(answer("FindUsers_4", "<userRows><UserRow><Username>a</Username></UserRow></userRows><resultsComplete>true</resultsComplete>")))
	f.Add(byte(pfsdk.UserIsBlocked), []byte(answer("UserIsBlocked", "<blocked>true</blocked>")))
	f.Add(byte(pfsdk.TestSecurity), []byte(sdk("TestSecurityResponse", "<TestSecurityResult>secure</TestSecurityResult>")))
	f.Fuzz(func(t *testing.T, o byte, b []byte) {
		if n, err := pfsdk.Understand(pfsdk.Operation(o), strings.NewReader(string(b))); err != nil && n > 0 {
			t.Errorf("%d records and %v", n, err)
		}
	})
}
