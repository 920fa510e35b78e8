package engine

import (
	"context"
	"strings"
	"unicode"
)

// maxQuoted is how much of a name stands in a message, in characters.
const maxQuoted = 40

// quotedName is the name of an authenticator inside a message. Whoever activates
// one chooses its name, and may be the one of whom the message warns: it can
// neither look like a part of the message nor be an address that a telephone
// makes clickable.
func quotedName(name string) string {
	kept := strings.Map(func(r rune) rune {
		if unicode.IsLetter(r) || unicode.IsMark(r) && !unicode.Is(unicode.Variation_Selector, r) || unicode.IsDigit(r) || r == ' ' || r == '-' || r == '\'' || r == '(' || r == ')' {
			return r
		}
		return -1
	}, name)
	if long := []rune(kept); len(long) > maxQuoted {
		kept = string(long[:maxQuoted])
	}
	return `"` + strings.TrimSpace(kept) + `"`
}

// announce tells a user what became of their authenticators, by the other
// methods that they have: whoever did not do that must hear of it. It is no
// reason to undo anything if nobody takes the message.
func (e *Engine) announce(ctx context.Context, u *User, text string) {
	e.log.InfoContext(ctx, "the authenticators of a user have changed", "user", u.ID)
	e.bell.ring(u.ID)
	e.notify(ctx, u, text)
}
