package ldapconn

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/go-ldap/ldap/v3"
)

// Client asks one directory, whichever of its servers answers.
type Client struct {
	cfg     Config
	servers []server
	account *account // who searches; nil: binds have no pace

	mu       sync.Mutex
	first    int     // the server that answered last
	searcher []*link // idle, bound by Config
	binder   []*link // idle, bound as anybody; never searched with
	closed   bool
}

// New returns a Client, or says what is wrong with cfg. It connects when it is
// asked something.
func New(cfg Config) (*Client, error) {
	servers, err := cfg.servers()
	if err != nil {
		return nil, err
	}
	return &Client{cfg: cfg.withDefaults(), servers: servers, account: cfg.Accounts.of(cfg)}, nil
}

// Close ends all idle connections; those in use end when they are done.
func (c *Client) Close() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.closed = true
	for _, l := range slices.Concat(c.searcher, c.binder) {
		l.close()
	}
	c.searcher, c.binder = nil, nil
	return nil
}

// use calls f with a connection that ready has prepared: an idle one, else, if
// may has nothing against it, one to the first server that can be reached. If the connection fails f is called
// again with the next; f must not keep what it got before. A server that has
// used up a call's time is the next call's last: else one that swallows what
// it is sent would keep all others from being asked.
func (c *Client) use(ctx context.Context, idle *[]*link, may func() error, ready, f func(*link) error) error {
	if l := c.take(idle); l != nil {
		asked := time.Now()
		err := c.call(ctx, l, idle, f)
		switch {
		case ctx.Err() != nil:
			c.forget(idle)
			c.avoid(l.server)
			return err
		case KindOf(err) != Unavailable:
			return err
		}
		c.forget(idle) // the server has ended them, as it does after some idle minutes
		if time.Since(asked) >= c.cfg.Timeout {
			c.leave(l.server)
		}
	}
	if err := may(); err != nil {
		return err
	}
	var failures []error
	for _, i := range c.order() {
		asked := time.Now()
		l, err := dial(ctx, c.cfg, c.servers[i])
		if err == nil {
			if err = c.call(ctx, l, nil, ready); err == nil {
				err = c.call(ctx, l, idle, f)
			} else {
				l.close()
			}
		}
		if ctx.Err() != nil {
			c.avoid(c.servers[i])
			return ctx.Err()
		}
		if kind := KindOf(err); err == nil || kind != Unavailable && kind != Untrusted {
			c.prefer(i)
			return err
		}
		if failures = append(failures, err); time.Since(asked) >= c.cfg.Timeout {
			c.leave(c.servers[i])
		}
	}
	return together(failures)
}

// together is the failure of all servers: Untrusted if one of them is, for
// then another try does not help.
func together(failures []error) error {
	if len(failures) == 1 {
		return failures[0]
	}
	kind := Unavailable
	for _, err := range failures {
		if KindOf(err) == Untrusted {
			kind = Untrusted
		}
	}
	return &Error{Kind: kind, Message: fmt.Sprintf("none of %d servers answers", len(failures)), Err: errors.Join(failures...)}
}

// call runs f on a connection, and keeps it in idle if it still works.
func (c *Client) call(ctx context.Context, l *link, idle *[]*link, f func(*link) error) error {
	done := l.guard(ctx)
	err := f(l)
	if !done() || ctx.Err() != nil {
		l.close()
		return context.Cause(ctx)
	}
	switch {
	case KindOf(err) == Unavailable || l.IsClosing():
		l.close()
	case idle != nil:
		c.put(l, idle)
	}
	return err
}

func (c *Client) take(idle *[]*link) *link {
	c.mu.Lock()
	defer c.mu.Unlock()
	for n := len(*idle); n > 0; n = len(*idle) {
		l := (*idle)[n-1]
		*idle = (*idle)[:n-1]
		if !l.IsClosing() {
			return l
		}
	}
	return nil
}

func (c *Client) put(l *link, idle *[]*link) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed || len(*idle) >= maxIdle {
		l.close()
		return
	}
	*idle = append(*idle, l)
}

func (c *Client) forget(idle *[]*link) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, l := range *idle {
		l.close()
	}
	*idle = nil
}

// order lists the servers, the one that answered last first.
func (c *Client) order() []int {
	c.mu.Lock()
	defer c.mu.Unlock()
	order := []int{c.first}
	for i := range c.servers {
		if i != c.first {
			order = append(order, i)
		}
	}
	return order
}

// avoid has the next call begin with another server.
func (c *Client) avoid(s server) {
	for i := range c.servers {
		if c.servers[i] == s {
			c.prefer((i + 1) % len(c.servers))
			return
		}
	}
}

// leave has whatever is asked next begin with another server than one that has
// said nothing: what is kept of its connections would be waited for as long.
func (c *Client) leave(s server) {
	c.avoid(s)
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, idle := range []*[]*link{&c.searcher, &c.binder} {
		*idle = slices.DeleteFunc(*idle, func(l *link) bool {
			if l.server == s {
				l.close()
			}
			return l.server == s
		})
	}
}

func (c *Client) prefer(i int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.first = i
}

// bind makes the connection that of Config, unless somebody has just learned
// that it would be refused.
func (c *Client) bind(ctx context.Context, l *link) error {
	if c.cfg.BindDN == "" {
		return nil
	}
	done, err := c.account.turn(ctx, l.server.address, c.cfg.Timeout)
	if err != nil {
		return err
	}
	defer done()
	if err := c.mayBind(); err != nil {
		return err
	}
	err = l.Bind(c.cfg.BindDN, string(c.cfg.Password.Reveal()))
	if err == nil {
		c.account.took()
		return nil
	}
	failed := classify(l.server, err)
	switch code, _ := resultCode(err); code {
	case ldap.LDAPResultInvalidCredentials, ldap.LDAPResultConstraintViolation: // the second of 389 Directory Server, after too many
		failed.Kind, failed.Message = Denied, "the bind to the directory is refused"
		if until, first := c.account.refuse(c.cfg.Now()); first {
			c.cfg.Refused(failed, until)
		}
	}
	return failed
}

// mayBind says why the account that searches is left alone just now; nil: it is
// not.
func (c *Client) mayBind() error { return c.account.admit(c.cfg.Now()) }
