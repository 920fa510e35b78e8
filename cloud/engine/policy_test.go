package engine_test

import (
	"slices"
	"testing"
	"time"

	"mfabridge/cloud"
	"mfabridge/cloud/cloudtest"
	"mfabridge/cloud/engine"
)

func (h *house) policy(t testing.TB, method engine.PolicyMethod, m engine.MethodPolicy) {
	t.Helper()
	if err := h.SetPolicy(t.Context(), operator, method, m); err != nil {
		t.Fatal(err)
	}
}

var everyMethod = []cloud.Method{cloud.Mobile, cloud.AlternateMobile, cloud.Office, cloud.Email, cloud.SoftwareOATH, cloud.HardwareOATH, cloud.Authenticator}

// What policy forbids shows in Read, by group, nesting and exclusion, and as
// soon as any of them changes.
func TestPolicyShowsInRead(t *testing.T) {
	h := build(t)
	in, out, both := h.user(t, 1), h.user(t, 2), h.user(t, 3)
	pilots, crew, banned := h.group(t, "pilots"), h.group(t, "crew"), h.group(t, "banned")
	h.join(t, crew, in, both)
	h.join(t, banned, both)
	check := func(when string, want map[cloud.UserID][]cloud.Method) {
		t.Helper()
		for id, methods := range want {
			if got := h.read(t, id).Forbidden; !slices.Equal(got, methods) {
				t.Errorf("%s: %s is forbidden %v, want %v", when, id, got, methods)
			}
		}
	}
	check("at first", map[cloud.UserID][]cloud.Method{in: nil, out: nil, both: nil})
	h.policy(t, engine.PolicyHardwareOATH, engine.MethodPolicy{Enabled: true, Include: []string{"PILOTS"}, Exclude: []string{banned}})
	hard := []cloud.Method{cloud.HardwareOATH}
	check("before the nesting", map[cloud.UserID][]cloud.Method{in: hard, out: hard, both: hard})
	h.within(t, pilots, crew)
	check("with the nesting", map[cloud.UserID][]cloud.Method{in: nil, out: hard, both: hard})
	h.join(t, crew, out)
	check("a new member", map[cloud.UserID][]cloud.Method{out: nil})
	if err := h.RemoveFromGroup(t.Context(), operator, pilots, engine.MemberGroup, crew); err != nil {
		t.Fatal(err)
	}
	check("without the nesting", map[cloud.UserID][]cloud.Method{in: hard, out: hard, both: hard})
	h.policy(t, engine.PolicyHardwareOATH, engine.MethodPolicy{Enabled: true})
	h.policy(t, engine.PolicyVoice, engine.MethodPolicy{})
	phones := []cloud.Method{cloud.AlternateMobile, cloud.Office}
	check("no voice", map[cloud.UserID][]cloud.Method{in: phones, both: phones})
	if got := h.read(t, in).ForbiddenWays; !slices.Equal(got, []cloud.Preference{cloud.VoiceMobile}) {
		t.Errorf("no voice: the ways %v are forbidden", got)
	}
	for _, method := range engine.PolicyMethods() {
		h.policy(t, method, engine.MethodPolicy{})
	}
	if caps, err := h.Capabilities(t.Context()); err != nil || !slices.Equal(caps.Forbidden, everyMethod) {
		t.Errorf("new users are forbidden %v, %v", caps.Forbidden, err)
	}
	check("nothing", map[cloud.UserID][]cloud.Method{in: everyMethod, out: everyMethod})
	h.Reopen(t)
	check("reopened", map[cloud.UserID][]cloud.Method{in: everyMethod})
}

func TestSignInByText(t *testing.T) {
	h := build(t)
	id := h.user(t, 1)
	if h.read(t, id).SMSSignIn {
		t.Error("sign-in by text is on from the start")
	}
	h.policy(t, engine.PolicySMS, engine.MethodPolicy{Enabled: true, SignIn: true})
	if !h.read(t, id).SMSSignIn {
		t.Error("sign-in by text does not show")
	}
	h.policy(t, engine.PolicySMS, engine.MethodPolicy{SignIn: true})
	if h.read(t, id).SMSSignIn {
		t.Error("sign-in by text shows where texts are forbidden")
	}
}

func TestPolicyRefuses(t *testing.T) {
	h := build(t)
	group := h.group(t, "pilots")
	h.policy(t, engine.PolicyEmail, engine.MethodPolicy{Enabled: true, Exclude: []string{group}})
	for name, c := range map[string]struct {
		err  error
		kind cloud.Kind
	}{
		"an unknown method": {h.SetPolicy(t.Context(), operator, "pigeon", engine.MethodPolicy{}), cloud.Invalid},
		"sign-in by voice":  {h.SetPolicy(t.Context(), operator, engine.PolicyVoice, engine.MethodPolicy{SignIn: true}), cloud.Invalid},
		"an unknown group":  {h.SetPolicy(t.Context(), operator, engine.PolicySMS, engine.MethodPolicy{Include: []string{"x"}}), cloud.NotFound},
		"no actor":          {h.SetPolicy(t.Context(), engine.Actor{}, engine.PolicySMS, engine.MethodPolicy{}), cloud.Invalid},
		"a group in use":    {h.RemoveGroup(t.Context(), operator, group), cloud.Conflict},
		"too many groups":   {h.SetPolicy(t.Context(), operator, engine.PolicySMS, engine.MethodPolicy{Include: make([]string, 101)}), cloud.Invalid},
	} {
		if c.err == nil || cloud.KindOf(c.err) != c.kind {
			t.Errorf("%s: %v", name, c.err)
		}
	}
	p, err := h.Policy(t.Context())
	if err != nil || len(p) != 9 || p[engine.PolicyTextSignIn].Enabled || !p[engine.PolicySMS].Enabled || !slices.Equal(p[engine.PolicyEmail].Exclude, []string{group}) {
		t.Errorf("policy: %+v, %v", p, err)
	}
}

// A forbidden method never verifies: not at the start, not at the answer, not
// as the repeat of an approval, and not by another generator's right.
func TestForbiddenNeverVerifies(t *testing.T) {
	h := build(t)
	id := h.user(t, 1)
	soft, hard := cloudtest.Generator(1), cloudtest.Generator(2)
	h.write(t, cloud.Change{User: id, Op: cloud.Add, Method: cloud.SoftwareOATH, After: cloud.Value{OATH: soft}})
	begin := func(code bool, key string) cloud.Challenge {
		t.Helper()
		r := cloud.Request{Subject: cloud.Key{Kind: cloud.ByID, Value: string(id)}, Tries: 3, Key: key}
		if code {
			r.Code = cloudtest.Code(soft.Secret.Reveal(), soft, h.Now())
		}
		c, err := h.Begin(t.Context(), r)
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	answer := func(c cloud.Challenge, key string) cloud.Decision {
		t.Helper()
		d, err := h.Answer(t.Context(), cloud.Answer{Challenge: c.ID, Key: key, Code: cloudtest.Code(soft.Secret.Reveal(), soft, h.Now())})
		if err != nil {
			t.Fatal(err)
		}
		return d
	}
	forbid, permit := engine.MethodPolicy{}, engine.MethodPolicy{Enabled: true}

	pending, repeated := begin(false, ""), begin(true, "login")
	if repeated.State != cloud.Approved {
		t.Fatalf("allowed: %+v", repeated)
	}
	h.policy(t, engine.PolicySoftwareOATH, forbid)
	if d := answer(pending, ""); d.State != cloud.Refused || d.Reason != cloud.NotAllowed {
		t.Errorf("an answer: %+v", d)
	}
	if c := begin(true, "login"); c.State != cloud.Refused || c.Reason != cloud.NotAllowed {
		t.Errorf("the repeat of an approval: %+v", c)
	}
	h.Advance(time.Minute)
	if c := begin(true, ""); c.State != cloud.Refused || c.Reason != cloud.NotAllowed {
		t.Errorf("a code at once: %+v", c)
	}
	if c := begin(false, ""); c.State != cloud.Refused || c.Reason != cloud.NotAllowed {
		t.Errorf("a challenge: %+v", c)
	}
	// Another kind of generator is allowed: the code of the forbidden one is wrong.
	h.write(t, cloud.Change{User: id, Op: cloud.Add, Method: cloud.HardwareOATH, After: cloud.Value{OATH: hard}})
	if c := begin(true, ""); c.State == cloud.Approved {
		t.Errorf("the forbidden generator verified: %+v", c)
	}
	if d := answer(begin(false, ""), ""); d.State == cloud.Approved {
		t.Errorf("the forbidden generator verified at the answer: %+v", d)
	}
	h.login(t, id, hard, cloud.Approved, "")
	h.policy(t, engine.PolicySoftwareOATH, permit)
	h.Advance(time.Minute)
	if c := begin(true, ""); c.State != cloud.Approved {
		t.Errorf("allowed again: %+v", c)
	}
}

func TestForbiddenTexts(t *testing.T) {
	h := build(t)
	id := h.user(t, 1)
	h.write(t, cloud.Change{User: id, Op: cloud.Add, Method: cloud.Mobile, After: cloud.TextValue("+1 4255550100")},
		cloud.Change{User: id, Op: cloud.Set, Method: cloud.DefaultMethod, After: cloud.TextValue("sms")})
	r := cloud.Request{Subject: cloud.Key{Kind: cloud.ByID, Value: string(id)}, Tries: 3}
	pending, err := h.Begin(t.Context(), r)
	if err != nil || pending.State != cloud.Pending {
		t.Fatalf("allowed: %+v, %v", pending, err)
	}
	h.policy(t, engine.PolicySMS, engine.MethodPolicy{})
	d, err := h.Answer(t.Context(), cloud.Answer{Challenge: pending.ID, Code: cloudtest.Code(cloudtest.Seed(1), cloudtest.Generator(1), h.Now())})
	if err != nil || d.State != cloud.Refused || d.Reason != cloud.NotAllowed {
		t.Errorf("an answer: %+v, %v", d, err)
	}
	if c, err := h.Begin(t.Context(), r); err != nil || c.State != cloud.Refused || c.Reason != cloud.NotAllowed {
		t.Errorf("a text: %+v, %v", c, err)
	}
}

func TestForbiddenMail(t *testing.T) {
	h := build(t)
	id := h.mailed(t, 1)
	if _, err := h.SendEmailCode(t.Context(), operator, id); err != nil {
		t.Fatal(err)
	}
	if err := h.ProveEmail(t.Context(), operator, id, codeIn(h.newest(t).Text)); err != nil {
		t.Fatal(err)
	}
	pending := h.ask(t, id, nil)
	code := codeIn(h.sent(t, pending.ID).Text)
	h.policy(t, engine.PolicyEmail, engine.MethodPolicy{})
	if d, err := h.Answer(t.Context(), cloud.Answer{Challenge: pending.ID, Code: code}); err != nil || d.State != cloud.Refused || d.Reason != cloud.NotAllowed {
		t.Errorf("an answer: %+v, %v", d, err)
	}
	if c := h.ask(t, id, nil); c.State != cloud.Refused || c.Reason != cloud.NotAllowed {
		t.Errorf("a mail: %+v", c)
	}
}

// What is forbidden leaves what is not as it was, between the legs too.
func TestForbiddenMethodsLeaveOthersAlone(t *testing.T) {
	h := build(t)
	id := h.coded(t, 1)
	pending := h.ask(t, id, nil)
	for _, method := range []engine.PolicyMethod{engine.PolicySMS, engine.PolicyVoice, engine.PolicyEmail, engine.PolicyAuthenticator, engine.PolicyHardwareOATH} {
		h.policy(t, method, engine.MethodPolicy{})
	}
	a := cloud.Answer{Challenge: pending.ID, Code: h.shows(1, 0), Key: "answer"}
	for range 2 { // and its repeat
		if d, err := h.Answer(t.Context(), a); err != nil || d.State != cloud.Approved {
			t.Errorf("%+v, %v", d, err)
		}
	}
}

// Decide, line by line.
func TestDecide(t *testing.T) {
	now := time.Date(2026, 11, 2, 9, 0, 0, 0, time.UTC)
	soft := []engine.Token{{OATHEntry: cloud.OATHEntry{Method: cloud.SoftwareOATH}}}
	both := append(slices.Clone(soft), engine.Token{OATHEntry: cloud.OATHEntry{Method: cloud.HardwareOATH}})
	all := engine.Allowed{SMS: true, Voice: true, SoftwareOATH: true, HardwareOATH: true, Email: true, Authenticator: true}
	but := func(f func(*engine.Allowed)) engine.Allowed { a := all; f(&a); return a }
	noSMS, noSoft := but(func(a *engine.Allowed) { a.SMS = false }), but(func(a *engine.Allowed) { a.SoftwareOATH = false })
	user := func(p cloud.Preference, mobile string) *engine.User {
		return &engine.User{User: cloud.User{Profile: cloud.Profile{Enabled: true}, Default: p, Mobile: mobile}}
	}
	disabled, blocked := user("", "+1 4255550100"), user("", "+1 4255550100")
	disabled.Enabled, blocked.BlockedUntil = false, now.Add(time.Second)
	noPush := but(func(a *engine.Allowed) { a.Authenticator = false })
	noVoice, noMail := but(func(a *engine.Allowed) { a.Voice = false }), but(func(a *engine.Allowed) { a.Email = false })
	noHard := but(func(a *engine.Allowed) { a.HardwareOATH = false })
	shut := func(ways ...cloud.Preference) []cloud.Preference { return ways }
	calls := shut
	opens, over := &engine.Bypass{Until: now.Add(time.Second)}, &engine.Bypass{Until: now}
	vpn := &engine.Bypass{Until: now.Add(time.Second), App: "VPN"}
	const phone = "+1 4255550100"
	for name, c := range map[string]struct {
		user   *engine.User
		q      engine.Question
		may    engine.Allowed
		way    cloud.Preference
		reason cloud.Reason
	}{
		"nobody":                     {nil, engine.Question{Tokens: soft, Texts: true}, all, "", cloud.UserDisabled},
		"disabled":                   {disabled, engine.Question{Texts: true}, all, cloud.SMS, cloud.UserDisabled},
		"blocked":                    {blocked, engine.Question{Texts: true}, all, cloud.SMS, cloud.UserBlocked},
		"nothing there":              {user("", ""), engine.Question{Texts: true}, all, "", cloud.NoMethod},
		"the default":                {user(cloud.SMS, phone), engine.Question{Tokens: soft, Texts: true}, all, cloud.SMS, ""},
		"the most secure":            {user("", phone), engine.Question{Tokens: soft, Texts: true}, all, cloud.OATHCode, ""},
		"a default that is not here": {user(cloud.Push, phone), engine.Question{Texts: true}, all, cloud.SMS, ""},
		"no channel":                 {user(cloud.SMS, phone), engine.Question{}, all, "", cloud.NoMethod},
		"the caller's wish":          {user(cloud.OATHCode, phone), engine.Question{Tokens: soft, Texts: true, Method: cloud.SMS}, all, cloud.SMS, ""},
		"a wish that is not there":   {user("", phone), engine.Question{Texts: true, Method: cloud.OATHCode}, all, "", cloud.NoMethod},
		"a code is no text":          {user(cloud.SMS, phone), engine.Question{Tokens: soft, Texts: true, Code: true}, all, cloud.OATHCode, ""},
		"a code without generator":   {user(cloud.SMS, phone), engine.Question{Texts: true, Code: true}, all, "", cloud.NoMethod},
		"texts are forbidden":        {user(cloud.SMS, phone), engine.Question{Texts: true}, noSMS, "", cloud.NotAllowed},
		"so the code instead":        {user(cloud.SMS, phone), engine.Question{Tokens: soft, Texts: true}, noSMS, cloud.OATHCode, ""},
		"the wish is forbidden":      {user("", phone), engine.Question{Tokens: soft, Texts: true, Method: cloud.SMS}, noSMS, "", cloud.NotAllowed},
		"the app is forbidden":       {user("", ""), engine.Question{Tokens: soft}, noSoft, "", cloud.NotAllowed},
		"the token is not":           {user("", ""), engine.Question{Tokens: both}, noSoft, cloud.OATHCode, ""},
		"push before codes":          {user("", phone), engine.Question{Tokens: soft, Texts: true, Push: true}, all, cloud.Push, ""},
		"the default before push":    {user(cloud.SMS, phone), engine.Question{Texts: true, Push: true}, all, cloud.SMS, ""},
		"push is forbidden":          {user(cloud.Push, ""), engine.Question{Tokens: soft, Push: true}, noPush, cloud.OATHCode, ""},
		"a code is no push":          {user(cloud.Push, ""), engine.Question{Tokens: soft, Push: true, Code: true}, all, cloud.OATHCode, ""},
		"no authenticator":           {user(cloud.Push, ""), engine.Question{}, all, "", cloud.NoMethod},
		"push is shut":               {user(cloud.Push, ""), engine.Question{Tokens: soft, Push: true, Shut: shut(cloud.Push)}, all, cloud.OATHCode, ""},
		"a wish that is shut":        {user("", ""), engine.Question{Tokens: soft, Push: true, Method: cloud.Push, Shut: shut(cloud.Push)}, all, "", cloud.TooManyTries},
		"everything is shut":         {user("", phone), engine.Question{Tokens: soft, Texts: true, Shut: shut(cloud.OATHCode, cloud.SMS)}, all, "", cloud.TooManyTries},
		"shut and forbidden":         {user("", phone), engine.Question{Tokens: soft, Texts: true, Shut: shut(cloud.OATHCode)}, noSMS, "", cloud.TooManyTries},
		"a bypass":                   {user("", ""), engine.Question{Tokens: soft, Bypass: opens}, all, "bypass", ""},
		"a bypass without method":    {user("", ""), engine.Question{Bypass: opens}, all, "bypass", ""},
		"a bypass that is over":      {user("", ""), engine.Question{Tokens: soft, Bypass: over}, all, cloud.OATHCode, ""},
		"a bypass of another place":  {user("", ""), engine.Question{Tokens: soft, Bypass: vpn, App: "citrix"}, all, cloud.OATHCode, ""},
		"a bypass of this place":     {user("", ""), engine.Question{Tokens: soft, Bypass: vpn, App: "vpn"}, all, "bypass", ""},
		"a bypass and only a code":   {user("", ""), engine.Question{Tokens: soft, Bypass: opens, Code: true}, all, cloud.OATHCode, ""},
		"a bypass of who is blocked": {blocked, engine.Question{Texts: true, Bypass: opens}, all, cloud.SMS, cloud.UserBlocked},
		"a bypass of the disabled":   {disabled, engine.Question{Texts: true, Bypass: opens}, all, cloud.SMS, cloud.UserDisabled},
		"a bypass that is wished":    {user("", ""), engine.Question{Tokens: soft, Method: "bypass"}, all, "", cloud.NoMethod},
		"a mobile is called":         {user("", phone), engine.Question{Calls: calls(cloud.VoiceMobile)}, all, cloud.VoiceMobile, ""},
		"another mobile is called":   {user("", ""), engine.Question{Calls: calls(cloud.VoiceAlternateMobile)}, all, cloud.VoiceAlternateMobile, ""},
		"an office is called":        {user("", ""), engine.Question{Calls: calls(cloud.VoiceOffice)}, all, cloud.VoiceOffice, ""},
		"calls are forbidden":        {user(cloud.VoiceMobile, phone), engine.Question{Calls: calls(cloud.VoiceMobile)}, noVoice, "", cloud.NotAllowed},
		"a code is no call":          {user(cloud.VoiceMobile, phone), engine.Question{Calls: calls(cloud.VoiceMobile), Code: true}, all, "", cloud.NoMethod},
		"mail at last":               {user("", ""), engine.Question{Mail: true}, all, cloud.EmailCode, ""},
		"mail is forbidden":          {user("", ""), engine.Question{Mail: true}, noMail, "", cloud.NotAllowed},
		"a code is no mail":          {user("", ""), engine.Question{Mail: true, Code: true}, all, "", cloud.NoMethod},
		"the app alone is allowed":   {user("", ""), engine.Question{Tokens: soft}, noHard, cloud.OATHCode, ""},
		"what is shut is not there":  {user("", ""), engine.Question{Shut: shut(cloud.OATHCode)}, all, "", cloud.NoMethod},
		"nothing is allowed":         {user("", phone), engine.Question{Tokens: both, Texts: true}, engine.Allowed{}, "", cloud.NotAllowed},
	} {
		if way, reason := engine.Decide(c.user, c.q, c.may, now); way != c.way || reason != c.reason {
			t.Errorf("%s: %q %q, want %q %q", name, way, reason, c.way, c.reason)
		}
	}
}

// A policy that allows nothing leaves no method: one that it did not know would
// be everybody's.
func TestPolicyKnowsEveryMethod(t *testing.T) {
	got, want := engine.Allowed{}.Forbidden(), cloud.Methods()
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) {
		t.Errorf("forbidden are %v, and there are %v", got, want)
	}
}
