package native

import (
	"slices"
	"strings"

	"mfabridge/cloud"
	"mfabridge/cloud/engine"
)

func (c *call) initiate() error {
	offer, err := c.offer()
	if err != nil {
		return err
	}
	f, err := c.core.BeginSignIn(c.ctx, c.app, c.form.Get("username"), offer)
	if err != nil {
		return err
	}
	return c.goOn(f, nil)
}

// challenge asks for the first factor, or sends a code for the second.
func (c *call) challenge() error {
	if err := c.again(); err != nil {
		return err
	}
	id := c.form.Get("id")
	if c.flow.Step == engine.AtBegun || c.flow.Step == engine.AtCode {
		if id != "" {
			return badRequest
		}
		f, asked, err := c.core.AskFirst(c.ctx, c.app, c.flow, c.client)
		if err != nil {
			return err
		}
		return c.asks(f, asked, nil)
	}
	if id == "" {
		return badRequest
	}
	f, asked, err := c.core.AskSecond(c.ctx, c.app, c.flow, id, c.client)
	if err != nil {
		if cloud.KindOf(err) == cloud.NotFound {
			return noMethod
		}
		return err
	}
	return c.asks(f, asked, nil)
}

// shownMethod is a method in a list.
type shownMethod struct {
	ID      string `json:"id"`
	Type    string `json:"challenge_type"`
	Channel string `json:"challenge_channel"`
	Hint    string `json:"login_hint,omitempty"`
}

func (c *call) introspect() error {
	methods, f, err := c.core.SecondFactors(c.ctx, c.app, c.flow)
	if err != nil {
		return err
	}
	return c.lists(f, methods)
}

func (c *call) lists(f engine.Flow, methods []engine.NativeMethod) error {
	all := []shownMethod{}
	for _, m := range methods {
		all = append(all, shownMethod{ID: m.ID, Type: "oob", Channel: m.Channel, Hint: m.Label})
	}
	return c.goOn(f, map[string]any{"methods": all})
}

// wish is what tokens are asked for.
func (c *call) wish() (w engine.Wish, err error) {
	w.Scopes, err = c.scopes()
	if err == nil && len(w.Scopes) == 0 {
		err = badScope
	}
	w.Offline = slices.Contains(w.Scopes, "offline_access")
	return w, err
}

// scopes are those that are asked for, of those that there are.
func (c *call) scopes() (all []string, err error) {
	for _, s := range strings.Fields(c.form.Get("scope")) {
		if !c.app.Has(s) {
			return nil, badScope
		}
		if !slices.Contains(all, s) {
			all = append(all, s)
		}
	}
	return all, nil
}

func (c *call) password() error {
	wish, err := c.wish()
	if err != nil {
		return err
	}
	word := c.secret("password")
	defer word.Wipe()
	out, err := c.core.AnswerPassword(c.ctx, c.app, c.flow, word, c.client, wish)
	return c.comes(out, err)
}

func (c *call) code() error {
	wish, err := c.wish()
	if err != nil {
		return err
	}
	code := c.secret("oob")
	defer code.Wipe()
	out, err := c.core.AnswerCode(c.ctx, c.app, c.flow, code, c.client, wish)
	return c.comes(out, err)
}

func (c *call) finish() error {
	wish, err := c.wish()
	if err != nil {
		return err
	}
	out, err := c.core.Finish(c.ctx, c.app, c.flow, c.client, wish)
	return c.comes(out, err)
}

// comes answers with what came of a request for tokens.
func (c *call) comes(out engine.Outcome, err error) error {
	if err != nil {
		return err
	}
	switch out.Kind {
	case engine.OutTokens:
		return c.tokens(out.Granted)
	case engine.OutSecond:
		return c.stops(out.Flow, refused{refusal: needSecond})
	case engine.OutEnrol:
		return c.stops(out.Flow, refused{refusal: needEnrol})
	case engine.OutRedirect:
		return c.redirects(out.Why)
	}
	return blocked
}

func (c *call) refresh() error {
	scopes, err := c.scopes()
	if err != nil {
		return err
	}
	g, err := c.core.RefreshGrant(c.ctx, c.app, c.form.Get("refresh_token"), scopes, c.client)
	if err != nil {
		if cloud.KindOf(err) == cloud.Invalid {
			return badScope
		}
		return err
	}
	return c.tokens(g)
}
