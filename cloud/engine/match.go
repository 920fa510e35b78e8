package engine

import (
	"context"

	"mfabridge/cloud"
	"mfabridge/cloud/engine/tries"
	"mfabridge/cloud/form"
	"mfabridge/internal/secret"
)

// wayMatch is the Way of codes that were looked for and not found: apart from
// those that were answered, because a password that ends in digits is no wrong
// code.
const wayMatch = "match"

// MatchCode implements [cloud.CodeMatcher].
func (e *Engine) MatchCode(ctx context.Context, subject cloud.Key, code secret.Bytes, client cloud.Client) (bool, error) {
	return e.matchFor(ctx, "", subject, code, client)
}

func (e *Engine) matchFor(ctx context.Context, owner string, subject cloud.Key, code secret.Bytes, client cloud.Client) (found bool, err error) {
	if n := code.Len(); n < 6 || n > 8 || !form.IsDigits(string(code.Reveal())) {
		return false, nil // no generator shows this, and no message holds it
	}
	client.Station, client.App = clean(client.Station, form.MaxName), clean(client.App, maxApp)
	err = e.store.Update(ctx, func(tx Tx) (err error) {
		found, err = e.match(tx, owner, subject, code, client)
		return err
	})
	return found && err == nil, asError(err)
}

// match writes nothing but the count of failures, and that only when it
// changes.
func (e *Engine) match(tx Tx, owner string, subject cloud.Key, code secret.Bytes, client cloud.Client) (bool, error) {
	now := e.now()
	u, err := lookUp(tx, subject)
	if err != nil || u == nil {
		return false, err
	}
	g, err := e.tries.Gate(tx, tries.Where{User: string(u.ID), Way: wayMatch, Place: tries.Place(client)}, now)
	if err != nil || g.Shut || usable(u, now) != "" {
		return false, err
	}
	found, err := e.matches(tx, u, owner, code, client)
	if err != nil {
		return false, err
	}
	return found, g.Count(tx, found, now)
}

// matches compares with what the user's generators show and with the code that
// was sent last to a login at the same place.
func (e *Engine) matches(r Reader, u *User, owner string, code secret.Bytes, client cloud.Client) (bool, error) {
	may, err := e.allowed(r, u.ID)
	if err != nil {
		return false, err
	}
	tokens, err := e.usableTokens(r, u.ID)
	if err != nil {
		return false, err
	}
	tokens = may.tokens(tokens)
	for i := range tokens {
		_, reason, err := e.checkToken(&tokens[i], code.Reveal(), e.now())
		if err != nil {
			return false, err
		}
		if reason == "" || reason == cloud.UsedCode { // a repeat of the login that used it is still password and code
			return true, nil
		}
	}
	id, err := r.LastSent(u.ID, textedAt(client.App, tries.Place(client)))
	if err != nil || id == "" {
		return false, err
	}
	c, err := r.Challenge(id)
	if err != nil || c == nil || !isCoded(c.Method) || still(u, c.Method, nil, may, e.now()) != "" {
		return false, err
	}
	return c.State == cloud.Pending && c.Owner == owner && e.now().Before(c.Expires) && e.isSent(c, u, code.Reveal()), nil
}
