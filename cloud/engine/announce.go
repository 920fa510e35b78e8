package engine

import (
	"context"

	"mfabridge/cloud"
	"mfabridge/internal/secret"
)

// announce tells a user what became of their authenticators, by the other
// methods that they have: whoever did not do that must hear of it. It is no
// reason to undo anything if nobody takes the message.
func (e *Engine) announce(ctx context.Context, u *User, text string) {
	e.log.InfoContext(ctx, "the authenticators of a user have changed", "user", u.ID)
	e.bell.ring(u.ID)
	sender := e.senders[cloud.SMS]
	if sender == nil || u.Mobile == "" {
		return
	}
	m := Message{ID: string(newChallengeID(e.now())), Time: e.now(), To: u.Mobile, Text: secret.FromString(text), Application: appActivation}
	if err := sender.Send(context.WithoutCancel(ctx), m); err != nil {
		e.log.WarnContext(ctx, "the user was not told of a change of their authenticators", "user", u.ID, "err", err)
	}
}
