package remote

import (
	"context"
	"encoding/json"
	"fmt"
	"iter"
	"net/http"
	"net/url"
	"time"

	"mfabridge/cloud"
	"mfabridge/cloud/engine/http/wire"
)

// Capabilities implements [cloud.DirectoryReader].
func (c *Client) Capabilities(ctx context.Context) (cloud.Capabilities, error) {
	var answer wire.Capabilities
	err := c.call(ctx, request{method: http.MethodGet, path: wire.PathDirectory + "/capabilities", repeatable: true}, &answer)
	if err != nil {
		return cloud.Capabilities{}, err
	}
	return answer.Capabilities(), nil
}

// Find implements [cloud.DirectoryReader].
func (c *Client) Find(ctx context.Context, keys []cloud.Key) ([][]cloud.UserID, error) {
	body := wire.FindRequest{Keys: make([]wire.Key, len(keys))}
	for i, k := range keys {
		body.Keys[i] = wire.Key{Kind: string(k.Kind), Value: exact(k.Value)}
	}
	var answer wire.FindAnswer
	err := c.call(ctx, request{method: http.MethodPost, path: wire.PathDirectory + "/find", body: body, repeatable: true}, &answer)
	if err != nil {
		return nil, err
	}
	if len(answer.Users) != len(keys) {
		return nil, wrongCount("keys", len(keys), len(answer.Users))
	}
	for i, ids := range answer.Users {
		if len(ids) == 0 {
			answer.Users[i] = nil
		}
	}
	return answer.Users, nil
}

// Read implements [cloud.DirectoryReader].
func (c *Client) Read(ctx context.Context, ids []cloud.UserID) ([]cloud.User, error) {
	var answer wire.ReadAnswer
	err := c.call(ctx, request{method: http.MethodPost, path: wire.PathDirectory + "/read", body: wire.ReadRequest{IDs: ids}, repeatable: true}, &answer)
	if err != nil {
		return nil, err
	}
	if len(answer.Users) != len(ids) {
		return nil, wrongCount("ids", len(ids), len(answer.Users))
	}
	users := make([]cloud.User, len(ids))
	for i := range answer.Users {
		users[i] = answer.Users[i].User()
	}
	return users, nil
}

// Write implements [cloud.Directory].
func (c *Client) Write(ctx context.Context, changes []cloud.Change) []cloud.Result {
	results := make([]cloud.Result, len(changes))
	if len(changes) == 0 {
		return results
	}
	body := wire.WriteRequest{Changes: make([]wire.Change, len(changes))}
	for i := range changes {
		body.Changes[i] = wire.FromChange(&changes[i])
	}
	var answer wire.WriteAnswer
	err := c.call(ctx, request{method: http.MethodPost, path: wire.PathDirectory + "/write", body: body, header: c.underLock()}, &answer)
	if err == nil && len(answer.Results) != len(changes) {
		err = wrongCount("changes", len(changes), len(answer.Results))
	}
	for i := range results {
		if err != nil {
			results[i] = cloud.Result{Outcome: cloud.Failed, Err: err}
		} else {
			results[i] = answer.Results[i].Result()
		}
	}
	return results
}

func wrongCount(what string, asked, got int) error {
	return &cloud.Error{Kind: cloud.Internal, Message: fmt.Sprintf("the engine answered %d %s with %d values", asked, what, got)}
}

// Preflight implements [cloud.Preflighter].
func (c *Client) Preflight(ctx context.Context) ([]cloud.Check, error) {
	var answer wire.PreflightAnswer
	err := c.call(ctx, request{method: http.MethodGet, path: wire.PathDirectory + "/preflight", repeatable: true}, &answer)
	if err != nil {
		if cloud.KindOf(err) != cloud.Unsupported {
			return nil, err
		}
		return []cloud.Check{{Name: "preflight", Result: cloud.CheckUnknown, Detail: "this engine offers no checks",
			Action: "Make a plan: it says what cannot move."}}, nil
	}
	var checks []cloud.Check
	for _, w := range answer.Checks {
		checks = append(checks, cloud.Check{Name: w.Name, Result: cloud.CheckResult(w.Result), Detail: w.Detail, Action: w.Action})
	}
	return checks, nil
}

// maxLine bounds a line of an answer of many, in bytes: a user with all methods.
const maxLine = 256 << 10

// Members implements [cloud.GroupReader].
func (c *Client) Members(ctx context.Context, group string) iter.Seq2[cloud.UserID, error] {
	return func(yield func(cloud.UserID, error) bool) {
		if group == "" || group == "." || group == ".." {
			yield("", &cloud.Error{Kind: cloud.NotFound, Message: "there is no such group"})
			return
		}
		path := wire.PathDirectory + "/groups/" + url.PathEscape(group) + "/members"
		for line, err := range c.Lines(ctx, path) {
			var m wire.Member
			if err == nil && json.Unmarshal(line, &m) != nil {
				err = unavailable("a line of the group's members cannot be read", nil)
			}
			if err == nil {
				err = m.Error.ToError(0)
			}
			switch {
			case err != nil:
				yield("", err)
				return
			case m.End || !yield(cloud.UserID(m.ID), nil):
				return
			}
		}
	}
}

// Lock implements [cloud.Locker]: a lease that is renewed until unlock.
func (c *Client) Lock(ctx context.Context, holder string) (func() error, error) {
	var answer wire.LockAnswer
	err := c.call(ctx, request{method: http.MethodPost, path: wire.PathDirectory + "/lock", body: wire.LockRequest{Holder: holder}}, &answer)
	if err != nil {
		return nil, err
	}
	path := wire.PathDirectory + "/lock/" + url.PathEscape(answer.ID)
	c.hold("", answer.ID)
	renewing, stop := context.WithCancel(context.WithoutCancel(ctx))
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		c.renew(renewing, path, max(time.Duration(answer.ExpiresIn)*time.Second/3, 100*time.Millisecond))
	}()
	return func() error {
		stop()
		<-ended
		defer c.hold(answer.ID, "")
		// The run may have been interrupted; its lock is given back all the same.
		err := c.call(context.WithoutCancel(ctx), request{method: http.MethodDelete, path: path, repeatable: true}, nil)
		if err != nil && cloud.KindOf(err) == cloud.NotFound {
			return nil // it has ended by itself, or by an attempt before
		}
		return err
	}, nil
}

// renew keeps a lease until ctx ends or the engine has given it up. What is
// written after that is refused there.
func (c *Client) renew(ctx context.Context, path string, every time.Duration) {
	ticker := time.NewTicker(every)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		err := c.call(ctx, request{method: http.MethodPut, path: path, repeatable: true}, nil)
		if err != nil && cloud.KindOf(err) == cloud.NotFound {
			return
		}
	}
}

// hold notes under which lock is written, if it is still the one before.
func (c *Client) hold(before, id string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if before == "" || c.lock == before {
		c.lock = id
	}
}

func (c *Client) underLock() map[string]string {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.lock == "" {
		return nil
	}
	return map[string]string{wire.HeaderLock: c.lock}
}
