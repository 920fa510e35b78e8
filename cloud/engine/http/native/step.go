package native

import (
	"slices"

	"mfabridge/cloud/engine"
)

// step is one row of the table: a request, from where it may come, and what it
// takes.
type step struct {
	path  string
	grant string        // grant_type, where the path has several
	from  []engine.Step // steps that its continuation token may stand at; none: it takes no such token
	must  []string      // parameters, beside client_id and those that follow from the fields above
	may   []string
	no    refusal // what Denied is told as
	do    func(*call) error
}

// steps is the whole protocol.
func (f *Face) steps() []step {
	const signIn, signUp, reset, register = "/oauth2/v2.0/", "/signup/v1.0/", "/resetpassword/v1.0/", "/register/v1.0/"
	begins := []string{"username", "challenge_type"}
	token := []string{"client_info", "claims", "username"}
	return []step{
		{path: signIn + "initiate", must: begins, may: []string{"capabilities"}, do: (*call).initiate},
		{path: signIn + "challenge", from: []engine.Step{engine.AtBegun, engine.AtCode, engine.AtSecond, engine.AtSent}, may: []string{"challenge_type", "id"}, do: (*call).challenge},
		{path: signIn + "introspect", from: []engine.Step{engine.AtSecond, engine.AtSent}, do: (*call).introspect},
		{path: signIn + "token", grant: "password", from: []engine.Step{engine.AtPassword}, must: []string{"password", "scope"}, may: token, no: wrongPassword, do: (*call).password},
		{path: signIn + "token", grant: "oob", from: []engine.Step{engine.AtCode}, must: []string{"oob", "scope"}, may: token, no: wrongCode, do: (*call).code},
		{path: signIn + "token", grant: "mfa_oob", from: []engine.Step{engine.AtSent}, must: []string{"oob", "scope"}, may: token, no: wrongCode, do: (*call).code},
		{path: signIn + "token", grant: "continuation_token", from: []engine.Step{engine.AtReady}, must: []string{"scope"}, may: token, no: blocked, do: (*call).finish},
		{path: signIn + "token", grant: "refresh_token", must: []string{"refresh_token"}, may: []string{"scope", "client_info", "claims"}, no: overRefresh, do: (*call).refresh},

		{path: signUp + "start", must: begins, may: []string{"password", "attributes", "capabilities"}, do: (*call).signUp},
		{path: signUp + "challenge", from: []engine.Step{engine.AtSignUp, engine.AtSignCode}, may: []string{"challenge_type"}, do: (*call).signUpChallenge},
		{path: signUp + "continue", grant: "oob", from: []engine.Step{engine.AtSignCode}, must: []string{"oob"}, no: wrongCode, do: (*call).signUpCode},
		{path: signUp + "continue", grant: "password", from: []engine.Step{engine.AtProven}, must: []string{"password"}, do: (*call).signUpPassword},
		{path: signUp + "continue", grant: "attributes", from: []engine.Step{engine.AtProven}, must: []string{"attributes"}, do: (*call).signUpAttributes},

		{path: reset + "start", must: begins, may: []string{"capabilities"}, do: (*call).reset},
		{path: reset + "challenge", from: []engine.Step{engine.AtReset, engine.AtResetCode}, may: []string{"challenge_type"}, do: (*call).resetChallenge},
		{path: reset + "continue", grant: "oob", from: []engine.Step{engine.AtResetCode}, must: []string{"oob"}, no: wrongCode, do: (*call).resetCode},
		{path: reset + "submit", from: []engine.Step{engine.AtNewWord}, must: []string{"new_password"}, do: (*call).resetSubmit},
		{path: reset + "poll_completion", from: []engine.Step{engine.AtResetDone}, do: (*call).resetPoll},

		{path: register + "introspect", from: []engine.Step{engine.AtEnrol, engine.AtEnrolling}, do: (*call).enrolMethods},
		{path: register + "challenge", from: []engine.Step{engine.AtEnrol, engine.AtEnrolling}, must: []string{"challenge_type", "challenge_target"}, may: []string{"challenge_channel"}, do: (*call).enrolChallenge},
		{path: register + "continue", grant: "oob", from: []engine.Step{engine.AtEnrolling}, must: []string{"oob"}, no: wrongCode, do: (*call).enrolCode},
		{path: register + "continue", grant: "continuation_token", from: []engine.Step{engine.AtKnown}, do: (*call).enrolKnown},
	}
}

// sizes are the longest values, in bytes; every name that the protocol has is
// here. What is a name of it and not of this request is refused, what is no name
// of it is not looked at (RFC 6749 §3.2).
var sizes = map[string]int{
	"client_id": 64, "continuation_token": engine.MaxFlowToken, "grant_type": 64, "username": maxUsername, "challenge_type": 200, "capabilities": 200,
	"id": 64, "scope": maxScope, "password": 512, "new_password": 512, "oob": maxOOB, "refresh_token": engine.MaxFlowToken, "client_info": 1,
	"claims": maxExtra, "attributes": maxExtra, "challenge_target": 254, "challenge_channel": 16,
}

// find is the row of a path and a grant; grants: the path has several.
func (f *Face) find(path, grant string) (found *step, grants bool) {
	for _, s := range f.steps() {
		if s.path != path {
			continue
		}
		grants = grants || s.grant != ""
		if s.grant == "" || s.grant == grant {
			return &s, grants
		}
	}
	return nil, grants
}

// takes tells whether a parameter is one of this request, and whether it must
// be there.
func (s *step) takes(name string) (may, must bool) {
	switch {
	case name == "client_id", name == "continuation_token" && len(s.from) > 0, name == "grant_type" && s.grant != "":
		return true, true
	case slices.Contains(s.must, name):
		return true, true
	}
	return slices.Contains(s.may, name), false
}
