package rows

import (
	"strings"

	"mfabridge/cloud"
	"mfabridge/cloud/engine"
)

// ChallengeColumns are those of challenges, without the user's. app: who began
// it, [ownerEnds] and the application that users are shown, or that one alone.
// flags: bit 0 whoever began it had proven who the user is, bit 1 a bypass
// approved it.
const ChallengeColumns = "id, request_key, method, state, reason, prompt, app, place, tries, sent, context, created, expires, decided, flags"

// ownerEnds divides who began a challenge from the application that users are
// shown. Neither holds control characters.
const ownerEnds = "\x1f"

// Challenge reads one, the user first.
func Challenge(r Row) *engine.Challenge {
	c := &engine.Challenge{User: cloud.UserID(r.Text()), ID: cloud.ChallengeID(r.Text()), Key: r.Text(),
		Method: cloud.Preference(r.Text()), State: cloud.State(r.Text()), Reason: cloud.Reason(r.Text()), Prompt: r.Text()}
	var owned bool
	if c.Owner, c.App, owned = strings.Cut(r.Text(), ownerEnds); !owned {
		c.Owner, c.App = "", c.Owner
	}
	c.Place, c.Tries, c.Sent, c.Context = r.Text(), int(r.Number()), r.Bytes(), r.Bytes()
	c.Created, c.Expires, c.Decided = clock(r), clock(r), clock(r)
	flags := r.Number()
	c.Proven, c.Bypassed = flags&1 != 0, flags&2 != 0
	return c
}

// ChallengeValues appends what is written, the user first. A key that is empty
// is NULL: nothing is found by it.
func ChallengeValues(to []any, c *engine.Challenge) []any {
	var key any
	if c.Key != "" {
		key = c.Key
	}
	app := c.App
	if c.Owner != "" {
		app = c.Owner + ownerEnds + c.App
	}
	return append(to, string(c.User), string(c.ID), key, string(c.Method), string(c.State), string(c.Reason), c.Prompt, app, c.Place,
		int64(c.Tries), c.Sent, c.Context, Nanos(c.Created), Nanos(c.Expires), Nanos(c.Decided), flag(c.Proven)|flag(c.Bypassed)<<1)
}

// Columns of attempts.
const (
	AttemptKeys    = "challenge, answer_key"
	AttemptColumns = "state, reason, tries, at"
)

// Attempt reads one, whose keys are not in the row.
func Attempt(r Row, id cloud.ChallengeID, key string) *engine.Attempt {
	return &engine.Attempt{Challenge: id, Key: key, State: cloud.State(r.Text()), Reason: cloud.Reason(r.Text()), Tries: int(r.Number()), At: clock(r)}
}

// AttemptValues appends what is written, the keys first.
func AttemptValues(to []any, a *engine.Attempt) []any {
	return append(to, string(a.Challenge), a.Key, string(a.State), string(a.Reason), int64(a.Tries), Nanos(a.At))
}
