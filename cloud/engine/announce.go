package engine

import "context"

// announce tells a user what became of their authenticators, by the other
// methods that they have: whoever did not do that must hear of it. It is no
// reason to undo anything if nobody takes the message.
func (e *Engine) announce(ctx context.Context, u *User, text string) {
	e.log.InfoContext(ctx, "the authenticators of a user have changed", "user", u.ID)
	e.bell.ring(u.ID)
	e.notify(ctx, u, text)
}
