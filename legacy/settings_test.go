package legacy_test

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"mfabridge/internal/hint"
	"mfabridge/internal/secret"
	"mfabridge/legacy"
)

const settingsText = `{
  "customerDefaults": {"Mode": "PHONEAPP", "PinMode": "pin", "SmsDirection": "oneWay", "SmsMode": "otp", "PhoneAppMode": "standard",
    "EnableGlobalServices": true, "UserCanChangePhone": true, "KeepPhoneSynchronized": true, "DisabledBehavior": "succeed",
    "VoiceCallLanguage": "en", "SmsTextLanguage": "de", "PhoneAppLanguage": "fr", "OathTokenLanguage": "es",
    "UserCanChangePin": true, "MinimumPinLength": 4, "PreventWeakPins": true, "PinExpirationDays": 90, "HistoricalPins": 5},
  "mobileApp": {"accountName": "Contoso"},
  "userPortal": {"Url": "https://mfa.contoso.example", "AllowUserLogIn": true, "DeviceLimit": 5, "usersCanSwitchModeToSmsText": true},
  "radiusClients": [
    {"name": "vpn", "ipAddress": "10.0.0.5", "applicationName": "VPN", "sharedSecret": "s3cret-of-vpn", "requireUserMatch": true, "enableFallbackOathToken": true},
    {"name": "citrix", "sharedSecret": null}
  ],
  "radiusTarget": {"type": "Radius", "servers": ["10.0.0.9", {"address": "nps2", "authenticationPort": 1645, "sharedSecret": "s3cret-of-nps"}]},
  "ldapClients": [{"name": "jira", "ipAddress": "10.0.0.7", "applicationName": "Jira", "requireUserMatch": true}],
  "caching": [{"type": "user", "seconds": 300, "authenticationType": "radius", "application": "VPN"}],
  "trustedIps": ["192.0.2.1", "198.51.100.0/24", "203.0.113.5 - 203.0.113.9", {"SingleIp": "192.0.2.2"}, {"FromIp": "192.0.2.3", "ToIp": "192.0.2.4"},
    {"Subnet": "198.51.100.77", "Netmask": "255.255.255.240"}, {"Subnet": "2001:db8::", "Netslash": 126}]
}`

func TestSettings(t *testing.T) {
	ip := netip.MustParseAddr
	want := legacy.Settings{
		Present: true,
		Defaults: legacy.CustomerDefaults{Mode: legacy.ModePhoneApp, PinMode: "pin", SMSDirection: "oneWay", SMSMode: "otp", PhoneAppMode: "standard",
			EnableGlobalServices: true, UserCanChangePhone: true, KeepPhoneSynchronized: true, DisabledBehavior: "succeed",
			VoiceCallLanguage: "en", SMSTextLanguage: "de", PhoneAppLanguage: "fr", OathTokenLanguage: "es",
			UserCanChangePin: true, MinimumPinLength: 4, PreventWeakPins: true, PinExpirationDays: 90, HistoricalPins: 5},
		MobileApp:  legacy.MobileApp{AccountName: "Contoso"},
		UserPortal: legacy.UserPortal{URL: "https://mfa.contoso.example", AllowUserLogIn: true, DeviceLimit: 5, UsersCanSwitchToSMSText: true},
		RadiusClients: []legacy.RadiusClient{
			{Name: "vpn", IPAddress: "10.0.0.5", ApplicationName: "VPN", SharedSecret: secret.FromString("s3cret-of-vpn"), RequireUserMatch: true, EnableFallbackOathToken: true},
			{Name: "citrix"},
		},
		RadiusTarget: legacy.RadiusTarget{Type: "radius", Servers: []legacy.TargetServer{{Address: "10.0.0.9"},
			{Address: "nps2", AuthenticationPort: 1645, SharedSecret: secret.FromString("s3cret-of-nps")}}},
		LDAPClients: []legacy.LDAPClient{{Name: "jira", IPAddress: "10.0.0.7", ApplicationName: "Jira", RequireUserMatch: true}},
		Caching:     []legacy.CacheRule{{Type: "user", Seconds: 300, AuthenticationType: "radius", Application: "VPN"}},
		TrustedIPs: []legacy.TrustedIP{
			{From: ip("192.0.2.1"), To: ip("192.0.2.1")}, {From: ip("198.51.100.0"), To: ip("198.51.100.255")}, {From: ip("203.0.113.5"), To: ip("203.0.113.9")},
			{From: ip("192.0.2.2"), To: ip("192.0.2.2")}, {From: ip("192.0.2.3"), To: ip("192.0.2.4")},
			{From: ip("198.51.100.64"), To: ip("198.51.100.79")}, {From: ip("2001:db8::"), To: ip("2001:db8::3")},
		},
	}
	for name, text := range map[string]string{"plain": settingsText, "with a mark": "\xef\xbb\xbf" + settingsText} {
		e := open(t, files{"users.csv": "Username\nada\n", "Settings.JSON": text}.write(t), legacy.Options{})
		if diff := cmp.Diff(want, e.Settings(), equalSecrets(), cmpopts.EquateComparable(netip.Addr{})); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
		if p := problems(t, e); len(p) > 0 {
			t.Errorf("%s: %q", name, p)
		}
		if s := fmt.Sprintf("%+v %#v", e.Settings(), e.Settings()); strings.Contains(s, "s3cret") {
			t.Errorf("%s: a secret is printed", name)
		}
	}
	if s := open(t, files{"users.csv": "Username\nada\n"}.write(t), legacy.Options{}).Settings(); s.Present {
		t.Error("settings without a file")
	}
}

// Only a plain false lets users pass whom the old server did not know: not
// that nothing is said, nor what cannot be read.
func TestUnknownUsersPassOnlyWhereTheSettingsSaySo(t *testing.T) {
	for value, want := range map[string]bool{`{"requireUserMatch":false}`: true, `{"requireUserMatch":true}`: false, `{}`: false,
		`{"requireUserMatch":"false"}`: false, `{"requireUserMatch":null}`: false} {
		e := open(t, files{"users.csv": "Username\nada\n", "settings.json": `{"radiusClients":[` + value + `]}`}.write(t), legacy.Options{})
		if c := e.Settings().RadiusClients[0]; c.PassesUnknown != want {
			t.Errorf("%s: %+v", value, c)
		}
	}
}

// Each value that is not of its kind is one problem with its path and place,
// is not quoted, and leaves the others alone.
func TestSettingsRefused(t *testing.T) {
	for text, want := range map[string]string{
		`{"mobileApp":{"accountName":5}}`:                                       "settings.json:1:29 SETTING_INVALID |mobileApp.accountName|must be a text, not a number; it is left out",
		`{"mobileApp":[]}`:                                                      "settings.json:1:14 SETTING_INVALID |mobileApp|must be an object, not a list; it is left out",
		`{"radiusClients":{}}`:                                                  "settings.json:1:18 SETTING_INVALID |radiusClients|must be a list, not an object; it is left out",
		"{\"radiusClients\":[{},\n{\"sharedSecret\":7391}]}":                    "settings.json:2:17 SETTING_INVALID |radiusClients[1].sharedSecret|must be a text, not a number; it is left out",
		`{"radiusClients":["s3cret"]}`:                                          "settings.json:1:19 SETTING_INVALID |radiusClients[0]|must be an object, not a text; it is left out",
		`{"radiusClients":[{"requireUserMatch":"true"}]}`:                       "settings.json:1:39 SETTING_INVALID |radiusClients[0].requireUserMatch|must be true or false, not a text; it is left out",
		`{"customerDefaults":{"Mode":"s3cret"}}`:                                "settings.json:1:29 SETTING_INVALID |customerDefaults.Mode|must be phoneApp, oathToken, smsText or voiceCall; it is left out",
		`{"customerDefaults":{"Mode":"unspecified"}}`:                           "",
		`{"customerDefaults":{"MinimumPinLength":4.5}}`:                         "settings.json:1:41 SETTING_INVALID |customerDefaults.MinimumPinLength|must be a whole number from 0 to 1000000; it is left out",
		`{"customerDefaults":{"MinimumPinLength":4,"minimum_pin_length":5}}`:    "settings.json:1:64 SETTING_INVALID |customerDefaults.minimum_pin_length|stands twice in its object; it is left out",
		`{"caching":[{"seconds":-1}]}`:                                          "settings.json:1:24 SETTING_INVALID |caching[0].seconds|must be a whole number from 0 to 31622400; it is left out",
		`{"caching":null}`:                                                      "",
		`{"trustedIps":["10.0.0.300"]}`:                                         "settings.json:1:16 SETTING_INVALID |trustedIps[0]|must be an address, a subnet or a range of addresses; it is left out",
		`{"trustedIps":["10.0.0.9-10.0.0.1"]}`:                                  "settings.json:1:16 SETTING_INVALID |trustedIps[0]|must be an address, a subnet or a range of addresses; it is left out",
		`{"trustedIps":[{"Subnet":"10.0.0.0","Netmask":"255.0.255.0"}]}`:        "settings.json:1:16 SETTING_INVALID |trustedIps[0]|must be an address, a subnet or a range of addresses; it is left out",
		`{"radiusTarget":{"servers":[{"authenticationPort":0}]}}`:               "settings.json:1:51 SETTING_INVALID |radiusTarget.servers[0].authenticationPort|must be a whole number from 1 to 65535; it is left out",
		`{"mobileApp":{"accountName":"` + strings.Repeat("x", 5000) + `"}}`:     "settings.json:1:29 SETTING_INVALID |mobileApp.accountName|has more than 4096 bytes; it is left out",
		`{"trustedIps":[` + strings.Repeat("1,", legacy.MaxSettingList) + `1]}`: "settings.json:1:15 SETTING_INVALID |trustedIps|has more than 10000 items; it is left out",
		`{"pin":"7391","radiusClients":[{"pin":"7391"},{"pin":{"pin":"7391"}}]}`: "settings.json:1:2 SETTING_UNKNOWN |pin|nothing is read from this key, and its value is not kept\n" +
			"settings.json:1:33 SETTING_UNKNOWN |radiusClients[].pin|nothing is read from this key, and its value is not kept",
	} {
		e := open(t, files{"users.csv": "Username\nada\n", "settings.json": text}.write(t), legacy.Options{})
		if diff := cmp.Diff(want, strings.Join(problems(t, e), "\n")); diff != "" {
			t.Errorf("%.60s: %s", text, diff)
		}
	}
}

// What is no JSON is nothing at all.
func TestSettingsBroken(t *testing.T) {
	for text, want := range map[string]string{
		"":                                 "settings.json cannot be read: line 1, column 1: this is not JSON: it ends before it is complete",
		"{\n \"mobileApp\": {":             "settings.json cannot be read: line 2, column 16: this is not JSON: it ends before it is complete",
		"{\n x":                            "settings.json cannot be read: line 2, column 2: this is not JSON: what stands here does not belong here",
		"[]":                               "settings.json cannot be read: line 1, column 1: it must be an object, not a list",
		"{\"a\":\n\"\xff\"}":               "settings.json cannot be read: line 2, column 2: the value is not UTF-8; if the file is in Windows-1252, say so with --encoding windows-1252, else save it as UTF-8",
		`{"a":1,"a":2}`:                    `settings.json cannot be read: line 1, column 8: the key "a" stands twice`,
		`{"a":` + strings.Repeat("[", 200): "settings.json cannot be read: line 1, column 206: this is not JSON: it ends before it is complete",
		`{"a":` + strings.Repeat("[", 200) + strings.Repeat("]", 200) + "}": "settings.json cannot be read: line 1, column 37: values are nested more than 32 deep",
		strings.Repeat(" ", legacy.MaxSettings+1):                           "settings.json has more than 4194304 bytes",
	} {
		_, err := legacy.Open(t.Context(), files{"users.csv": "Username\nada\n", "settings.json": text}.write(t), legacy.Options{})
		if err == nil || err.Error() != want || hint.Of(err) == "" {
			t.Errorf("%.40q: %v", text, err)
		}
	}
}

func TestManifestKeys(t *testing.T) {
	dir := files{"users.csv": "Username\nada\n", "manifest.json": `{"format":"mfabridge-export","version":1,"author":"x","created":"2024-09-28T06:00:00Z"}`}
	want := []string{"manifest.json:1:42 SETTING_UNKNOWN |author|nothing is read from this key, and its value is not kept"}
	if diff := cmp.Diff(want, problems(t, open(t, dir.write(t), legacy.Options{}))); diff != "" {
		t.Error(diff)
	}
	for text, phrase := range map[string]string{
		`{"format":"mfabridge-export","version":"1"}`:                     "a value is of the wrong kind",
		`{"format":"mfabridge-export","version":1,"sha256":[]}`:           "a value is of the wrong kind",
		`{"format":"mfabridge-export","version":1,"sha256":{"a":1}}`:      "a value is of the wrong kind",
		`{"format":"mfabridge-export","version":1,"created":"yesterday"}`: "created is no date",
	} {
		dir["manifest.json"] = text
		if _, err := legacy.Open(t.Context(), dir.write(t), legacy.Options{}); err == nil || !strings.Contains(err.Error(), phrase) || hint.Of(err) == "" {
			t.Errorf("%s: %v", text, err)
		}
	}
}

func FuzzSettings(f *testing.F) {
	fuzzForm(f, "settings.json", settingsText, `{"radiusClients":[[{}]],"x":{"y":1}}`, `{"trustedIps":["::-::1","1.2.3.4/33"]}`)
}

func FuzzManifest(f *testing.F) {
	fuzzForm(f, "manifest.json", `{"format":"mfabridge-export","version":1,"created":"2024-09-28T06:00:00Z","sha256":{"users.csv":"00"}}`, "{}")
}
