package graph

import (
	"context"
	"fmt"
	"strings"
	"time"

	"mfabridge/cloud"
	"mfabridge/cloud/engine"
)

// Lifetimes of the policy's line for passes, in minutes
// (resources/temporaryaccesspassauthenticationmethodconfiguration).
const (
	passDefault = 60
	passLeast   = 60
	passMost    = 480
)

// passBody is what a pass is created with; all of it is optional.
type passBody struct {
	Start *time.Time `json:"startDateTime"`
	Life  *int       `json:"lifetimeInMinutes"`
	Once  *bool      `json:"isUsableOnce"`
}

// addPass makes a pass, which takes the place of the one before it, and shows
// it this once.
func (f *Face) addPass(c *call) (answer, error) {
	var in passBody
	if len(c.body) > 0 {
		if err := c.decode(&in); err != nil {
			return answer{}, err
		}
	}
	p, err := f.person(c.ctx, c.vars[0])
	if err != nil {
		return answer{}, err
	}
	life, once := passDefault, f.assume.Pass == "once"
	if in.Life != nil {
		life = *in.Life
	}
	if in.Once != nil {
		once = *in.Once
	}
	switch {
	case f.assume.Pass == "no":
		return answer{}, bad("Temporary Access Pass is not enabled by policy for the user.")
	case p.Guest:
		return answer{}, bad("Temporary Access Pass cannot be added to an external guest user.")
	case in.Start != nil:
		return answer{}, bad("The rehearsal makes passes that begin at once.")
	case life < passLeast || life > passMost:
		return answer{}, bad("lifetimeInMinutes must be within %d and %d, which the policy allows.", passLeast, passMost)
	case !once && f.assume.Pass == "once":
		return answer{}, bad("The policy allows passes for one use only.")
	}
	by := engine.Actor{Who: c.app, Reason: "over the rehearsal of Graph"}
	if err := f.dropPasses(c.ctx, by, p.ID); err != nil {
		return answer{}, err
	}
	pass, word, err := f.core.IssuePass(c.ctx, by, p.ID, time.Duration(life)*time.Minute, once)
	if err != nil {
		return answer{}, err
	}
	o := showPass(&pass)
	o["temporaryAccessPass"] = string(word.Reveal())
	o["@odata.context"] = c.context("users('" + c.vars[0] + "')/authentication/temporaryAccessPassMethods/$entity")
	word.Wipe()
	return created(o)
}

// dropPasses ends what passes a user has: there is one at most.
func (f *Face) dropPasses(ctx context.Context, by engine.Actor, user cloud.UserID) error {
	x, err := f.core.Exceptions(ctx, user)
	if err != nil {
		return err
	}
	for _, pass := range x.Passes {
		if pass.State != "valid" {
			continue
		}
		if err := f.core.RevokePass(ctx, by, user, pass.ID); err != nil {
			return err
		}
	}
	return nil
}

// showPass is a pass without the pass itself, which is shown once.
func showPass(p *engine.Pass) object {
	usable, why := p.State == "valid", "EnabledByPolicy"
	switch p.State {
	case "used":
		why = "OneTimeUsed"
	case "expired", "revoked":
		why = "Expired"
	}
	return object{"id": p.ID, "temporaryAccessPass": nil, "createdDateTime": p.From.UTC().Format(time.RFC3339), "startDateTime": p.From.UTC().Format(time.RFC3339),
		"lifetimeInMinutes": int(p.Until.Sub(p.From) / time.Minute), "isUsableOnce": p.Once, "isUsable": usable, "methodUsabilityReason": why}
}

// passesOf are the passes of a user that are not revoked, the last one first.
func (f *Face) passesOf(c *call) ([]object, cloud.UserID, error) {
	p, err := f.person(c.ctx, c.vars[0])
	if err != nil {
		return nil, "", err
	}
	x, err := f.core.Exceptions(c.ctx, p.ID)
	if err != nil {
		return nil, "", fmt.Errorf("passes: %w", err)
	}
	all := []object{}
	for i := len(x.Passes) - 1; i >= 0 && len(all) == 0; i-- {
		if x.Passes[i].State != "revoked" {
			all = append(all, showPass(&x.Passes[i]))
		}
	}
	return all, p.ID, nil
}

func (f *Face) passes(c *call) (answer, error) {
	all, _, err := f.passesOf(c)
	if err != nil {
		return answer{}, err
	}
	return f.listed(c, "temporaryAccessPassMethods", all)
}

func (f *Face) pass(c *call) (answer, error) {
	all, _, err := f.passesOf(c)
	if err != nil {
		return answer{}, err
	}
	return one(all, c.vars[1])
}

func (f *Face) removePass(c *call) (answer, error) {
	all, user, err := f.passesOf(c)
	if err != nil {
		return answer{}, err
	}
	if len(all) == 0 || !strings.EqualFold(all[0]["id"].(string), c.vars[1]) {
		return answer{}, absent()
	}
	err = f.core.RevokePass(c.ctx, engine.Actor{Who: c.app, Reason: "over the rehearsal of Graph"}, user, c.vars[1])
	if err != nil && cloud.KindOf(err) != cloud.NotFound { // it is over
		return answer{}, err
	}
	return done()
}
