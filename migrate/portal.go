package migrate

import (
	"fmt"

	"mfabridge/cloud"
	"mfabridge/legacy"
)

// maxPortalDevices is how many authenticators a user can have at the target: the
// old server went up to ten.
const maxPortalDevices = 5

// Portal is what the old server's settings say of authenticators, as far as it
// still means something.
type Portal struct {
	Account   string             // what the app showed; empty: nothing is said
	Portal    bool               // the four below were said
	Enrol     bool               // who proves who they are needs no invitation
	Activate  bool               // people activate without the helpdesk
	Select    []cloud.Preference // what people may choose
	Devices   int                // 0: not said
	PINLength int                // 0: not said

	Notes []string // what is not as it was, in sentences for the operator
}

// String is what they say, in one line.
func (p Portal) String() string {
	if !p.Portal {
		return fmt.Sprintf("the app showed the account as %q", p.Account)
	}
	word := map[bool]string{true: "yes", false: "no"}
	return fmt.Sprintf("account name %q, users enrol: %s, users activate: %s, methods to select: %d, devices a user: %d", p.Account, word[p.Enrol], word[p.Activate], len(p.Select), p.Devices)
}

// PortalSettings reads them out of the old server's settings.
func PortalSettings(s legacy.Settings) (p Portal) {
	p.Account = s.MobileApp.AccountName
	if s.Defaults.MinimumPinLength > 0 {
		p.PINLength = min(max(s.Defaults.MinimumPinLength, 4), 16)
	}
	old := s.UserPortal
	if old == (legacy.UserPortal{}) {
		return p
	}
	p.Portal = true
	p.Enrol = old.AllowUserEnrollment && old.UsersCanActivatePhoneApp
	p.Activate = old.UsersCanActivatePhoneApp
	if old.UsersCanSwitchMode {
		for _, m := range []struct {
			may     bool
			methods []cloud.Preference
		}{{old.UsersCanSwitchToPhoneApp, []cloud.Preference{cloud.Push}}, {old.UsersCanSwitchToOathToken, []cloud.Preference{cloud.OATHCode}},
			{old.UsersCanSwitchToSMSText, []cloud.Preference{cloud.SMS}}, {old.UsersCanSwitchToVoiceCall, []cloud.Preference{cloud.VoiceMobile, cloud.VoiceOffice}}} {
			if m.may {
				p.Select = append(p.Select, m.methods...)
			}
		}
	}
	if p.Devices = old.DeviceLimit; p.Devices > maxPortalDevices {
		p.Notes = append(p.Notes, fmt.Sprintf("the old server allowed %d devices a user: %d are possible here", p.Devices, maxPortalDevices))
		p.Devices = maxPortalDevices
	}
	if old.EnableSecurityQuestions {
		p.Notes = append(p.Notes, "security questions are not asked here")
	}
	if old.AllowOneTimeBypass {
		p.Notes = append(p.Notes, "people cannot let themselves pass once: the helpdesk can, with mfabridge engine user bypass")
	}
	return p
}
