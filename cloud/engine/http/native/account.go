package native

import (
	"net/http"
	"time"

	"mfabridge/cloud"
	"mfabridge/cloud/engine"
	"mfabridge/cloud/engine/http/serve"
)

// Sign-up.

func (c *call) signUp() error {
	offer, err := c.offer()
	if err != nil {
		return err
	}
	attributes, err := c.attributes()
	if err != nil {
		return err
	}
	word := c.secret("password")
	defer word.Wipe()
	if !offer.Code {
		return c.redirects("the address of mail has to be proven by a code")
	}
	f, err := c.core.BeginSignUp(c.ctx, c.app, c.form.Get("username"), word, attributes, offer, c.client)
	if err != nil {
		if cloud.KindOf(err) == cloud.Invalid {
			return badUsername
		}
		return err
	}
	return c.goOn(f, nil)
}

func (c *call) signUpChallenge() error {
	if err := c.again(); err != nil {
		return err
	}
	f, asked, err := c.core.AskSignUp(c.ctx, c.app, c.flow, c.client)
	if err != nil {
		return err
	}
	return c.asks(f, asked, nil)
}

// account answers with the flow of an account to be, or with what is missing.
func (c *call) account(f engine.Flow, err error) error {
	if missing(err) {
		return c.stops(f, *told(err, blocked))
	}
	if err != nil {
		return err
	}
	return c.goOn(f, nil)
}

func (c *call) signUpCode() error {
	code := c.secret("oob")
	defer code.Wipe()
	return c.account(c.core.AnswerSignUp(c.ctx, c.app, c.flow, code, c.client))
}

func (c *call) signUpPassword() error {
	word := c.secret("password")
	defer word.Wipe()
	return c.account(c.core.PasswordForSignUp(c.ctx, c.app, c.flow, word, c.client))
}

func (c *call) signUpAttributes() error {
	attributes, err := c.attributes()
	if err != nil {
		return err
	}
	return c.account(c.core.AttributesForSignUp(c.ctx, c.app, c.flow, attributes, c.client))
}

// Password reset.

func (c *call) reset() error {
	offer, err := c.offer()
	if err != nil {
		return err
	}
	if !offer.Code {
		return c.redirects("a code has to be typed")
	}
	f, err := c.core.BeginReset(c.ctx, c.app, c.form.Get("username"), offer)
	if err != nil {
		return err
	}
	return c.goOn(f, nil)
}

func (c *call) resetChallenge() error {
	if err := c.again(); err != nil {
		return err
	}
	f, asked, err := c.core.AskReset(c.ctx, c.app, c.flow, c.client)
	if err != nil {
		return err
	}
	return c.asks(f, asked, nil)
}

func (c *call) resetCode() error {
	code := c.secret("oob")
	defer code.Wipe()
	f, err := c.core.AnswerReset(c.ctx, c.flow, code, c.client)
	if err != nil {
		return err
	}
	return c.goOn(f, map[string]any{"expires_in": int(f.Until.Sub(c.now()).Seconds())})
}

// pollAfter is how many seconds a client waits before it asks whether the new
// password is set. It is set by then.
const pollAfter = 1

func (c *call) resetSubmit() error {
	word := c.secret("new_password")
	defer word.Wipe()
	f, err := c.core.SetWord(c.ctx, c.app, c.flow, word, c.client)
	if err != nil {
		return err
	}
	return c.goOn(f, map[string]any{"poll_interval": pollAfter})
}

func (c *call) resetPoll() error {
	f, err := c.core.ResetDone(c.ctx, c.flow)
	if err != nil {
		return err
	}
	return c.goOn(f, map[string]any{"status": "succeeded"})
}

// Registration of a second factor.

func (c *call) enrolMethods() error {
	methods, f, err := c.core.EnrolMethods(c.ctx, c.app, c.flow)
	if err != nil {
		return err
	}
	return c.lists(f, methods)
}

func (c *call) enrolChallenge() error {
	if c.form.Get("challenge_type") != "oob" {
		return noRedirect
	}
	channel, target := c.form.Get("challenge_channel"), c.form.Get("challenge_target")
	switch channel {
	case "phone", "sms":
		channel = "sms"
	case "", "email":
	default:
		return badTarget
	}
	f, asked, err := c.core.AskEnrol(c.ctx, c.app, c.flow, channel, target, c.client)
	switch {
	case err != nil:
		return err
	case asked.Known:
		return c.goOn(f, map[string]any{"challenge_type": "preverified", "challenge_channel": asked.Channel, "challenge_target": target})
	}
	return c.asks(f, asked, map[string]any{"challenge_target": target})
}

func (c *call) enrolCode() error {
	code := c.secret("oob")
	defer code.Wipe()
	f, err := c.core.AnswerEnrol(c.ctx, c.app, c.flow, code, c.client)
	if err != nil {
		return err
	}
	return c.goOn(f, nil)
}

func (c *call) enrolKnown() error {
	f, err := c.core.EnrolKnown(c.ctx, c.app, c.flow, c.client)
	if err != nil {
		return err
	}
	return c.goOn(f, nil)
}

// branding is how an application shows itself, for its own pages.
func (f *Face) branding(w http.ResponseWriter, r *http.Request) error {
	if !f.meter.Take(from(r).Address) {
		return &cloud.Error{Kind: cloud.Throttled, Message: "there are too many requests", RetryAfter: time.Second}
	}
	app, err := f.core.NativeApp(r.Context(), r.URL.Query().Get("client_id"))
	if err != nil || app.Disabled {
		return &cloud.Error{Kind: cloud.NotFound, Message: "there is no such application"}
	}
	w.Header().Add("Vary", "Origin")
	if err := allow(w, r, &app); err != nil {
		return &cloud.Error{Kind: cloud.Denied, Message: "the origin is not one of the application's"}
	}
	return serve.Answer(w, http.StatusOK, map[string]any{"name": app.Name, "accent": app.Brand.Accent, "logo": app.Brand.Logo, "terms": app.Brand.Terms,
		"help": app.Brand.Help, "sign_up": app.SignUp, "reset": app.Reset})
}
