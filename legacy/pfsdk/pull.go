package pfsdk

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"mfabridge/internal/hint"
)

// Limits of a pull.
const (
	DefaultConcurrency = 4
	MaxConcurrency     = 32
	maxInARow          = 20  // users who fail one after the other before the pull stops
	maxFailures        = 100 // failures that are told one by one
)

// PullOptions say what to ask for and where to put it.
type PullOptions struct {
	Out         string // the folder to make; it must not be there yet
	Concurrency int    // 0: DefaultConcurrency
	Search      Search // how users are found; its Parallel is Concurrency

	SkipDevices bool // do not ask for activations of the mobile app
	SkipBlocked bool // do not ask who is blocked

	// LeaveOutFailed writes the export although some users could not be read.
	LeaveOutFailed bool

	Now func() time.Time // nil: time.Now

	// Progress is told how many users are read, of how many, and how many of
	// them failed. Nil: nobody is told.
	Progress func(done, total, failed int)
}

// Failure is a user who could not be read.
type Failure struct {
	Username string
	Err      error
}

// PullResult says what came of a pull.
type PullResult struct {
	Resumed          bool // an earlier run was gone on with
	Written          bool // the export is there
	Users            int
	Gone             int // users who were listed, but not there any more
	Blocked          int
	Devices          int
	Tokens           int // third-party tokens
	TokensWithSecret int // of which the server tells the secret
	Lists            int // lists of users that were asked for; 0: by an earlier run
	Failed           int
	Failures         []Failure // the first of them
	Warnings         []string
}

// Pull reads all users of a server and writes them as an export. If it is
// stopped, the same call goes on: what was read lies in a folder beside Out,
// which becomes Out when it is whole.
//
// The error is for the pull as a whole; ErrUnavailable says that running again
// may help. Users who fail are in the result: nothing is written then, unless
// LeaveOutFailed is set.
func (c *Client) Pull(ctx context.Context, o PullOptions) (result PullResult, err error) {
	if o, err = o.withDefaults(); err != nil {
		return result, err
	}
	if err := refuseExisting(o.Out); err != nil {
		return result, err
	}
	warnings, err := c.greet(ctx)
	if err != nil {
		return result, err
	}
	p, err := openProgress(o.Out, c.url.String(), o.skipped())
	if err != nil {
		return result, err
	}
	if result.Resumed = p != nil; !result.Resumed {
		if p, result.Lists, err = c.begin(ctx, o, warnings); err != nil {
			return result, err
		}
	}
	defer func() { err = errors.Join(err, p.Close()) }()
	result.Warnings = p.header.Warnings
	if result.Resumed {
		result.Warnings = slices.Concat(result.Warnings, missing(warnings, result.Warnings))
	}
	run := &run{client: c, o: o, progress: p, result: &result, named: map[string]bool{}}
	if err := run.users(ctx); err != nil {
		return result, err
	}
	if result.Failed > 0 && !o.LeaveOutFailed {
		return result, nil
	}
	return result, finish(p, o, &result)
}

func missing(all, from []string) []string {
	return slices.DeleteFunc(slices.Clone(all), func(s string) bool { return slices.Contains(from, s) })
}

func (o PullOptions) withDefaults() (PullOptions, error) {
	if o.Out == "" {
		return o, hint.New("there is no folder to write to", "give one with -o")
	}
	o.Out = filepath.Clean(o.Out)
	if o.Concurrency == 0 {
		o.Concurrency = DefaultConcurrency
	}
	if o.Concurrency < 1 || o.Concurrency > MaxConcurrency {
		return o, hint.New(fmt.Sprintf("%d requests at once are not possible", o.Concurrency), fmt.Sprintf("use 1 to %d", MaxConcurrency))
	}
	o.Search.Parallel = o.Concurrency
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Progress == nil {
		o.Progress = func(int, int, int) {}
	}
	return o, nil
}

// skipped names what is not asked for.
func (o PullOptions) skipped() []string {
	var all []string
	if o.SkipDevices {
		all = append(all, "devices")
	}
	if o.SkipBlocked {
		all = append(all, "blocked")
	}
	return all
}

func refuseExisting(out string) error {
	if _, err := os.Lstat(out); err == nil {
		advice := "give a -o that does not exist yet"
		if _, err := os.Lstat(out + partialSuffix); err == nil {
			advice += "; " + out + partialSuffix + " is left of a pull that was stopped: it holds secrets, remove it if the export is whole"
		}
		return hint.New(out+" is there already", advice)
	} else if !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("the export cannot be written: %w", err)
	}
	return nil
}

// greet asks, once and alone, whether the account is let in, and whether the
// server still hears of changes.
func (c *Client) greet(ctx context.Context) (warnings []string, err error) {
	answer, err := c.ask(ctx, TestSecurity, nil)
	switch {
	case errors.Is(err, errUnknown):
		warnings = append(warnings, "the server knows no TestSecurity: whether the account may read everything was not checked")
	case err != nil:
		return nil, err
	case !strings.EqualFold(strings.TrimSpace(answer.result), "secure"):
		return nil, hint.New("TestSecurity does not answer \"secure\"", "the connection or the account is not what the Web Service SDK asks for")
	}
	answer, err = c.ask(ctx, TestMasterConnection, nil)
	if _, refused := errors.AsType[*ServerError](err); refused {
		err, answer.result = nil, "false"
	}
	switch {
	case errors.Is(err, errUnknown):
	case err != nil:
		return nil, err
	case !isTrue(answer.result):
		warnings = append(warnings, "this server is cut off from its primary server: what it says may be out of date")
	}
	return warnings, nil
}

// begin finds all users and the settings of the company.
func (c *Client) begin(ctx context.Context, o PullOptions, warnings []string) (*progress, int, error) {
	created := o.Now().UTC().Truncate(time.Second)
	found, err := c.FindAll(ctx, o.Search)
	if err != nil {
		return nil, 0, err
	}
	if len(found.Usernames) == 0 {
		return nil, 0, hint.New("the server lists no users", filterAdvice)
	}
	h := header{Format: progressFormat, Version: 1, URL: c.url.String(), Created: created,
		Skipped: o.skipped(), Usernames: found.Usernames, Warnings: warnings}
	if found.Split {
		h.Warnings = append(h.Warnings, "the server lists users in parts: users whose names have a character that is neither in --alphabet nor in any name listed are not found; compare the number of users with that of the console")
	}
	if found.Underscore {
		h.Warnings = append(h.Warnings, "the server takes _ in a filter for any character: of users with an underscore in their names some may not be found; a --list-limit above the number of users avoids that")
	}
	for _, name := range found.Short {
		exists, err := c.exists(ctx, name)
		if err != nil {
			return nil, 0, err
		}
		if exists {
			h.Warnings = append(h.Warnings, fmt.Sprintf("no list shows a user %q, but the server knows the name: is it a user, or another name of one?", name))
		}
	}
	for _, company := range []struct {
		newest Operation
		to     *values
		what   string
	}{{GetCustomerDefaults3, &h.Defaults, "defaults of the company"}, {GetUserPortalSettings, &h.Portal, "settings of the user portal"}} {
		answer, err := c.ask(ctx, company.newest, nil)
		if _, refused := errors.AsType[*ServerError](err); refused || errors.Is(err, errUnknown) {
			h.Warnings = append(h.Warnings, fmt.Sprintf("the server does not tell the %s: %v", company.what, err))
			continue
		}
		if err != nil {
			return nil, 0, err
		}
		for _, record := range answer.records {
			*company.to = flat(record.Fields)
		}
	}
	p, err := beginProgress(o.Out, h)
	return p, found.Lists, err
}

// exists tells whether the server knows a name.
func (c *Client) exists(ctx context.Context, name string) (bool, error) {
	_, err := c.ask(ctx, GetUserSettings3, byUser(name))
	if e, refused := errors.AsType[*ServerError](err); refused && e.Code == codeUserNotFound {
		return false, nil
	}
	return err == nil, err
}

// run is the part of a pull that reads users.
type run struct {
	client   *Client
	o        PullOptions
	progress *progress

	mu     sync.Mutex
	result *PullResult
	done   int
	inARow int
	named  map[string]bool
}

// users reads everybody who is not read yet.
func (r *run) users(ctx context.Context) error {
	total := len(r.progress.header.Usernames)
	whole := ctx
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(r.o.Concurrency)
	for _, name := range r.progress.header.Usernames {
		if ctx.Err() != nil {
			break
		}
		group.Go(func() error {
			if err := ctx.Err(); err != nil {
				return err
			}
			var err error
			if !r.progress.has(name) {
				err = r.user(ctx, name)
			}
			return r.count(name, total, err)
		})
	}
	if err := group.Wait(); err != nil {
		return err
	}
	return whole.Err()
}

// count keeps how a user went. What concerns everybody ends the pull.
func (r *run) count(name string, total int, err error) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.done++
	_, refused := errors.AsType[*ServerError](err)
	switch {
	case err == nil:
		r.inARow = 0
	case !refused && !errors.Is(err, errAnswer) && !errors.Is(err, ErrUnavailable):
		return err
	default:
		r.inARow++
		r.result.Failed++
		if len(r.result.Failures) < maxFailures {
			r.result.Failures = append(r.result.Failures, Failure{name, err})
		}
		if errors.Is(err, ErrUnavailable) || r.inARow >= maxInARow {
			return fmt.Errorf("%w: user after user fails, the last with: %v", ErrUnavailable, err)
		}
	}
	r.o.Progress(r.done, total, r.result.Failed)
	return nil
}

// errAnswer is an answer that cannot be right; another user's may be.
var errAnswer = errors.New("an answer cannot be right")

// user reads all about one user, or nothing.
func (r *run) user(ctx context.Context, name string) error {
	answer, err := r.client.ask(ctx, GetUserSettings3, byUser(name))
	if e, refused := errors.AsType[*ServerError](err); refused && e.Code == codeUserNotFound {
		return r.progress.done(line{Username: name, Gone: true})
	}
	if err != nil {
		return err
	}
	if err := about(answer, name, User, 1, 1); err != nil {
		return err
	}
	r.unknown(answer)
	l := line{Username: name, Fields: flat(answer.records[0].Fields)}
	if !r.o.SkipBlocked {
		if answer, err = r.client.ask(ctx, UserIsBlocked, byUser(name)); err != nil {
			return skippable(err, "blocked")
		}
		if err := about(answer, name, Block, 1, 1); err != nil {
			return err
		}
		l.Fields = append(l.Fields, flat(answer.records[0].Fields)...)
	}
	if !r.o.SkipDevices {
		if answer, err = r.client.ask(ctx, GetUserDevices, byUser(name)); err != nil {
			return skippable(err, "devices")
		}
		if err := about(answer, name, Device, 0, maxRecords); err != nil {
			return err
		}
		r.unknown(answer)
		for _, device := range answer.records {
			l.Devices = append(l.Devices, flat(device.Fields))
		}
	}
	return r.progress.done(l)
}

func skippable(err error, what string) error {
	if errors.Is(err, errUnknown) {
		return hint.Wrap(err, "go on without with --skip "+what+", if you can live with it")
	}
	return err
}

// about checks that an answer is about the user who was asked for.
func about(answer reply, name string, kind Kind, low, high int) error {
	if n := len(answer.records); n < low || n > high {
		return fmt.Errorf("%w: it holds %d records", errAnswer, n)
	}
	for _, record := range answer.records {
		if record.Kind != kind || record.Username != "" && !strings.EqualFold(record.Username, name) {
			return fmt.Errorf("%w: it is about somebody else", errAnswer)
		}
	}
	return nil
}

// unknown warns once of each element that is not read.
func (r *run) unknown(answer reply) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, name := range answer.unknown {
		if !r.named[name] && len(r.named) < maxNamedUnknown {
			r.named[name] = true
			r.result.Warnings = append(r.result.Warnings, "the server sends an element that is not read: "+name)
		}
	}
}

// flat reveals secrets: they go into files that only the owner may read.
func flat(fields []Field) values {
	var v values
	for _, f := range fields {
		value := f.Value
		if !f.Secret.IsZero() {
			value = string(f.Secret.Reveal())
			f.Secret.Wipe()
		}
		v = append(v, [2]string{f.Name, value})
	}
	return v
}
