package legacy

import (
	"fmt"
	"io"
	"net/netip"

	"mfabridge/internal/hint"
)

// MaxSettings is the largest settings.json that is read, in bytes.
const MaxSettings = 4 << 20

// readTree reads a file of JSON as a whole.
func (l *loader) readTree(i int, limit int64, advice string) (*node, FileDigest, error) {
	p := l.folder.parts[i]
	in, err := l.folder.open(l.ctx, p)
	if err != nil {
		return nil, FileDigest{}, err
	}
	defer in.Close()
	t, err := decodeText(in, p.name, "") // JSON is never in Windows-1252
	if err != nil {
		return nil, FileDigest{}, err
	}
	b, err := io.ReadAll(io.LimitReader(t, limit+1))
	switch {
	case err != nil:
		return nil, FileDigest{}, err
	case int64(len(b)) > limit:
		return nil, FileDigest{}, hint.New(fmt.Sprintf("%s has more than %d bytes", p.name, limit), advice)
	}
	defer clear(b)
	n, bad := readText(b, t.wrong)
	if bad == nil && n.kind != nodeObject {
		bad = &badRow{line: n.line, col: n.col, text: "it must be an object, not " + n.kind.String()}
	}
	if bad != nil {
		return nil, FileDigest{}, hint.New(fmt.Sprintf("%s cannot be read: line %d, column %d: %s", p.name, bad.line, bad.col, bad.text), advice)
	}
	d, err := in.finish()
	return n, d, err
}

// readSettings reads settings.json.
func (l *loader) readSettings() error {
	for _, i := range l.folder.of(aboutSettings) {
		n, d, err := l.readTree(i, MaxSettings, "correct "+settingsFile+", or take it out of the export")
		if err != nil {
			return err
		}
		l.summary.Files = append(l.summary.Files, d)
		if err := l.manifest.check(d); err != nil {
			return err
		}
		b := &binder{problems: l.problems, file: l.folder.parts[i].name, unknown: map[string]bool{}}
		l.settings.Present = true
		b.object(&place{}, n, b.settings(&l.settings))
		if b.err != nil {
			return b.err
		}
	}
	return nil
}

func (b *binder) settings(s *Settings) fields {
	return fields{
		"customerDefaults": b.inner(b.defaults(&s.Defaults)),
		"mobileApp":        b.inner(fields{"accountName": b.text(&s.MobileApp.AccountName)}),
		"userPortal":       b.inner(b.portal(&s.UserPortal)),
		"radiusClients": b.list(func(p *place, n *node) {
			var c RadiusClient
			match := b.flag(&c.RequireUserMatch)
			b.object(p, n, fields{"name": b.text(&c.Name), "ipAddress": b.text(&c.IPAddress), "applicationName": b.text(&c.ApplicationName),
				"sharedSecret": b.secret(&c.SharedSecret), "enableFallbackOathToken": b.flag(&c.EnableFallbackOathToken),
				"requireUserMatch": func(p *place, n *node) {
					match(p, n)
					c.PassesUnknown = n.kind == nodeBool && !c.RequireUserMatch
				}})
			s.RadiusClients = append(s.RadiusClients, c)
		}),
		"radiusTarget": b.inner(fields{
			"type":    b.word(func(w string) { s.RadiusTarget.Type = w }, "windows", "ldap", "radius"),
			"servers": b.list(func(p *place, n *node) { b.server(&s.RadiusTarget, p, n) }),
		}),
		"ldapClients": b.list(func(p *place, n *node) {
			var c LDAPClient
			b.object(p, n, fields{"name": b.text(&c.Name), "ipAddress": b.text(&c.IPAddress), "applicationName": b.text(&c.ApplicationName),
				"requireUserMatch": b.flag(&c.RequireUserMatch)})
			s.LDAPClients = append(s.LDAPClients, c)
		}),
		"caching": b.list(func(p *place, n *node) {
			var c CacheRule
			b.object(p, n, fields{"type": b.text(&c.Type), "seconds": b.number(&c.Seconds, 0, maxSeconds),
				"authenticationType": b.text(&c.AuthenticationType), "application": b.text(&c.Application)})
			s.Caching = append(s.Caching, c)
		}),
		"trustedIps": b.list(func(p *place, n *node) { b.trusted(s, p, n) }),
	}
}

// Limits of numbers in settings.
const (
	maxSeconds = 366 * 24 * 60 * 60
	maxCount   = 1_000_000
	maxPort    = 65535
)

func (b *binder) defaults(d *CustomerDefaults) fields {
	return fields{
		"Mode": b.word(func(w string) { d.Mode = Mode(w) }, string(ModePhoneApp), string(ModeOathToken), string(ModeSMSText), string(ModeVoiceCall)),

		"PinMode":               b.word(func(w string) { d.PinMode = w }, "standard", "pin", "returnPin", "voiceprint"),
		"SmsDirection":          b.word(func(w string) { d.SMSDirection = w }, "oneWay", "twoWay"),
		"SmsMode":               b.word(func(w string) { d.SMSMode = w }, "otp", "otpPlusPin"),
		"PhoneAppMode":          b.word(func(w string) { d.PhoneAppMode = w }, "standard", "pin", "voiceprint"),
		"EnableGlobalServices":  b.flag(&d.EnableGlobalServices),
		"UserCanChangePhone":    b.flag(&d.UserCanChangePhone),
		"KeepPhoneSynchronized": b.flag(&d.KeepPhoneSynchronized),
		"DisabledBehavior":      b.word(func(w string) { d.DisabledBehavior = w }, "succeed", "fail"),
		"VoiceCallLanguage":     b.text(&d.VoiceCallLanguage),
		"SmsTextLanguage":       b.text(&d.SMSTextLanguage),
		"PhoneAppLanguage":      b.text(&d.PhoneAppLanguage),
		"OathTokenLanguage":     b.text(&d.OathTokenLanguage),
		"UserCanChangePin":      b.flag(&d.UserCanChangePin),
		"MinimumPinLength":      b.number(&d.MinimumPinLength, 0, maxCount),
		"PreventWeakPins":       b.flag(&d.PreventWeakPins),
		"PinExpirationDays":     b.number(&d.PinExpirationDays, 0, maxCount),
		"HistoricalPins":        b.number(&d.HistoricalPins, 0, maxCount),
	}
}

func (b *binder) portal(p *UserPortal) fields {
	return fields{
		"Url":                           b.text(&p.URL),
		"PrimaryAuth":                   b.text(&p.PrimaryAuth),
		"AllowUserLogIn":                b.flag(&p.AllowUserLogIn),
		"AllowUserEnrollment":           b.flag(&p.AllowUserEnrollment),
		"PromptForBackupPhone":          b.flag(&p.PromptForBackupPhone),
		"PromptForOathToken":            b.flag(&p.PromptForOathToken),
		"AllowOneTimeBypass":            b.flag(&p.AllowOneTimeBypass),
		"AllowBypassSeconds":            b.number(&p.AllowBypassSeconds, 0, maxSeconds),
		"UsersCanSwitchMode":            b.flag(&p.UsersCanSwitchMode),
		"UsersCanSwitchModeToVoiceCall": b.flag(&p.UsersCanSwitchToVoiceCall),
		"UsersCanSwitchModeToSmsText":   b.flag(&p.UsersCanSwitchToSMSText),
		"UsersCanSwitchModeToPhoneApp":  b.flag(&p.UsersCanSwitchToPhoneApp),
		"UsersCanSwitchModeToOathToken": b.flag(&p.UsersCanSwitchToOathToken),
		"UsersCanSelectLanguage":        b.flag(&p.UsersCanSelectLanguage),
		"UsersCanActivatePhoneApp":      b.flag(&p.UsersCanActivatePhoneApp),
		"DeviceLimit":                   b.number(&p.DeviceLimit, 0, maxCount),
		"EnableSecurityQuestions":       b.flag(&p.EnableSecurityQuestions),
		"SecurityQuestionsToAnswer":     b.number(&p.SecurityQuestionsToAnswer, 0, maxCount),
		"UsersCanEnrollOathToken":       b.flag(&p.UsersCanEnrollOathToken),
		"UseOathTokenForFallback":       b.flag(&p.UseOathTokenForFallback),
		"SessionTimeoutMinutes":         b.number(&p.SessionTimeoutMinutes, 0, maxCount),
	}
}

// server is an address, or an object with more.
func (b *binder) server(t *RadiusTarget, p *place, n *node) {
	var s TargetServer
	if n.kind == nodeText {
		b.text(&s.Address)(p, n)
	} else {
		b.object(p, n, fields{"address": b.text(&s.Address), "authenticationPort": b.number(&s.AuthenticationPort, 1, maxPort),
			"accountingPort": b.number(&s.AccountingPort, 1, maxPort), "sharedSecret": b.secret(&s.SharedSecret)})
	}
	t.Servers = append(t.Servers, s)
}

// trusted is "10.0.0.1", "10.0.0.0/8", "10.0.0.1-10.0.0.9", or the SDK's object
// of the same.
func (b *binder) trusted(s *Settings, p *place, n *node) {
	var written string
	if n.kind == nodeText {
		written = n.text
	} else {
		var single, from, to, subnet, mask string
		var bits int
		b.object(p, n, fields{"SingleIp": b.text(&single), "FromIp": b.text(&from), "ToIp": b.text(&to),
			"Subnet": b.text(&subnet), "Netmask": b.text(&mask), "Netslash": b.number(&bits, 0, 128)})
		switch {
		case single != "":
			written = single
		case from != "":
			written = from + "-" + to
		case subnet != "" && mask != "":
			written = subnet + "/" + fmt.Sprint(maskBits(mask))
		case subnet != "":
			written = subnet + "/" + fmt.Sprint(bits)
		}
	}
	if t, ok := parseRange(written); ok {
		s.TrustedIPs = append(s.TrustedIPs, t)
		return
	}
	b.invalid(p, n, "must be an address, a subnet or a range of addresses")
}

// maskBits is the length of a subnet mask such as 255.255.0.0; -1: it is none.
func maskBits(mask string) int {
	a, err := netip.ParseAddr(mask)
	if err != nil || !a.Is4() {
		return -1
	}
	bits, ended := 0, false
	for _, octet := range a.As4() {
		for i := 7; i >= 0; i-- {
			one := octet>>i&1 == 1
			if one && ended {
				return -1
			}
			if one {
				bits++
			} else {
				ended = true
			}
		}
	}
	return bits
}
