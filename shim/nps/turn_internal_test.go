package nps

import (
	"testing"

	"mfabridge/cloud"
	"mfabridge/cloud/session"
	"mfabridge/shim/radius"
	"mfabridge/shim/upstream"
)

// challenge is an Access-Challenge with these attributes.
func challenge(t *testing.T, attributes string) radius.Packet {
	t.Helper()
	p, err := radius.Parse(append([]byte{byte(radius.AccessChallenge), 1, 0, byte(20 + len(attributes)), 19: 0}, attributes...))
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// A challenge that cannot be answered is an outage, and nobody is shown what is
// not one plain line.
func TestChallengesThatAreOdd(t *testing.T) {
	s := New(Options{})
	for name, c := range map[string]struct{ attributes, prompt string }{
		"no State":        {"\x12\x04Hi", ""},
		"two States":      {"\x18\x03a\x18\x03b", ""},
		"nothing to show": {"\x18\x03a", defaultPrompt},
		"two messages":    {"\x18\x03a\x12\x03x\x12\x03y", defaultPrompt},
		"an empty one":    {"\x18\x03a\x12\x02", defaultPrompt},
		"two lines":       {"\x18\x03a\x12\x05x\ny", defaultPrompt},
		"another script":  {"\x18\x03a\x12\x04\xc3\xa9", defaultPrompt},
		"one plain line":  {"\x18\x03a\x12\x06Code", "Code"},
	} {
		turn, err := s.turn(&login{}, upstream.Reply{Packet: challenge(t, c.attributes)}, nil)
		if c.prompt == "" {
			if cloud.KindOf(err) != cloud.Unavailable {
				t.Errorf("%s: %+v, %v", name, turn, err)
			}
			continue
		}
		if err != nil || turn.State != cloud.Pending || turn.Prompt != c.prompt {
			t.Errorf("%s: %+v, %v", name, turn, err)
		}
	}
}

// A method that no server can be told to use is refused before one is asked.
func TestMethodsThatCannotBeAskedFor(t *testing.T) {
	turn, err := New(Options{}).Begin(t.Context(), session.Ask{UPN: "ada@contoso.example", Method: cloud.VoiceOffice})
	if err != nil || turn.State != cloud.Refused || turn.Reason != cloud.NoMethod {
		t.Errorf("%+v, %v", turn, err)
	}
}
