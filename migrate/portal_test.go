package migrate_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"mfabridge/cloud"
	"mfabridge/legacy"
	"mfabridge/migrate"
)

func TestPortalSettings(t *testing.T) {
	for name, c := range map[string]struct {
		said legacy.Settings
		want migrate.Portal
	}{
		"nothing": {legacy.Settings{Present: true}, migrate.Portal{}},
		"a name":  {legacy.Settings{MobileApp: legacy.MobileApp{AccountName: "Contoso"}}, migrate.Portal{Account: "Contoso"}},
		"who may enrol cannot without activating": {legacy.Settings{UserPortal: legacy.UserPortal{AllowUserEnrollment: true, DeviceLimit: 2}},
			migrate.Portal{Portal: true, Devices: 2}},
		"everything": {legacy.Settings{Defaults: legacy.CustomerDefaults{MinimumPinLength: 2}, UserPortal: legacy.UserPortal{AllowUserEnrollment: true, UsersCanActivatePhoneApp: true,
			UsersCanSwitchMode: true, UsersCanSwitchToPhoneApp: true, UsersCanSwitchToVoiceCall: true, DeviceLimit: 10}},
			migrate.Portal{Portal: true, Enrol: true, Activate: true, Select: []cloud.Preference{cloud.Push, cloud.VoiceMobile, cloud.VoiceOffice}, Devices: 5, PINLength: 4,
				Notes: []string{"the old server allowed 10 devices a user: 5 are possible here"}}},
		"no switching": {legacy.Settings{UserPortal: legacy.UserPortal{UsersCanActivatePhoneApp: true, UsersCanSwitchToPhoneApp: true}}, migrate.Portal{Portal: true, Activate: true}},
	} {
		if diff := cmp.Diff(c.want, migrate.PortalSettings(c.said)); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
}
