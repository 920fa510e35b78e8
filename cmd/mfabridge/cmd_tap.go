package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"filippo.io/age"
	"github.com/urfave/cli/v2"

	"mfabridge/cloud"
	"mfabridge/cloud/graph"
	"mfabridge/internal/hint"
	"mfabridge/migrate"
)

// maxPasses is how many passes one run makes: more would be over before they
// are handed to anybody.
const maxPasses = 1000

func (p *program) tapCommand() *cli.Command {
	return &cli.Command{Name: "tap", Usage: "temporary access passes of Entra ID", Subcommands: []*cli.Command{{
		Name: "issue", Usage: "make a pass for one use for each user of a file, into an encrypted hand-out",
		Description: "Makes the passes at once, shortly before they are handed out: a pass lives an hour unless --lifetime says otherwise, and takes\n" +
			"the place of one that the user has. The hand-out is encrypted to the age recipients of --to and is the only place where the\n" +
			"passes stand. FILE.record.jsonl beside it keeps who made which pass for whom, when and why, without the pass itself.\n" +
			"Administrators, guests, disabled users and whom the methods policy allows no pass get none.",
		Flags: append(reachFlags(),
			&cli.StringFlag{Name: "tenant", Usage: "make them in `entra:TENANT`"},
			&cli.StringFlag{Name: "users", Usage: "`FILE` with a user principal name a line"},
			&cli.StringSliceFlag{Name: "to", Usage: "encrypt the hand-out to `age:RECIPIENT` (age1…); may repeat"},
			&cli.StringFlag{Name: "out", Aliases: []string{"o"}, Usage: "write the hand-out to the new `FILE` (default: that of --users with .passes.age)"},
			&cli.DurationFlag{Name: "lifetime", DefaultText: "1h, or what the policy says", Usage: "`DURATION` that a pass lives, within what the policy allows"},
			reasonFlag()),
		Action: p.issuePasses}}}
}

// issuing is one run of tap issue.
type issuing struct {
	target tenant
	life   time.Duration
	why    string
	given  string // the tenant, as the command line has it
	now    func() time.Time
	record *os.File
	hand   io.Writer // encrypts
	made   []passOf  // that would have to be taken back if nobody could read them
	failed int
}

// passOf is a pass that stands.
type passOf struct {
	user cloud.UserID
	id   string
}

func (p *program) issuePasses(c *cli.Context) error {
	if _, err := args(c); err != nil {
		return err
	}
	to, err := ageRecipients(c.StringSlice("to"))
	if err != nil {
		return err
	}
	by, err := actor(c)
	if err != nil {
		return err
	}
	path := c.String("users")
	if path == "" {
		return usage("--users is missing", "name a file with a user principal name a line")
	}
	names, err := migrate.ReadNames(filepath.Base(path), func() (io.ReadCloser, error) { return os.Open(path) })
	if err != nil {
		return err
	}
	t, err := parseTarget("--to", clouds, c.String("tenant"), "")
	if err != nil || t.tenant == "" {
		return usage("--tenant has to be an entra:TENANT", "e.g. --tenant entra:contoso.onmicrosoft.com; an engine makes passes with mfabridge engine user pass issue")
	}
	opened, err := p.tenant(c, t)
	if err != nil {
		return err
	}
	out := c.String("out")
	if out == "" {
		out = path + ".passes.age"
	}
	i := &issuing{target: opened.(tenant), why: by.Reason, given: t.given, now: p.now}
	if i.life, err = i.lifetime(c); err != nil {
		return err
	}
	return i.run(c.Context, p, names, to, out)
}

// ageRecipients are those whom a hand-out is encrypted to.
func ageRecipients(given []string) (to []age.Recipient, err error) {
	for _, word := range given {
		text, ok := strings.CutPrefix(word, "age:")
		found, err := age.ParseRecipients(strings.NewReader(text))
		if !ok || err != nil || len(found) != 1 { // which is not quoted: it may be the secret key
			return nil, usage("--to names something that is no age recipient", "it is age:age1…; age-keygen prints it as the public key")
		}
		to = append(to, found...)
	}
	if len(to) == 0 {
		return nil, usage("--to is missing", "a pass is never printed: it goes to a file that is encrypted, e.g. --to age:age1…")
	}
	return to, nil
}

// lifetime is what was asked for, within the policy.
func (i *issuing) lifetime(c *cli.Context) (time.Duration, error) {
	policy, err := i.target.Passes(c.Context)
	if err != nil {
		return 0, err
	}
	if !policy.Enabled {
		return 0, &exit{code: exitGate, err: hint.New("the methods policy of the tenant allows temporary access passes to nobody",
			"enable them for a group in the methods policy, for one use and for an hour")}
	}
	life := c.Duration("lifetime")
	if life == 0 {
		life = min(max(time.Hour, policy.Least), policy.Most)
	}
	if life < max(policy.Least, graph.MinPassLife) || life > policy.Most || life%time.Minute != 0 {
		return 0, usage(fmt.Sprintf("--lifetime cannot be %v", life), fmt.Sprintf("the policy of the tenant allows %v to %v, in whole minutes", policy.Least, policy.Most))
	}
	return life, nil
}

// run makes the file first: a pass that nobody can be handed must not exist.
func (i *issuing) run(ctx context.Context, p *program, names *migrate.Names, to []age.Recipient, out string) (err error) {
	f, err := newPart(out)
	if err != nil {
		return err
	}
	defer func() { err = f.end(err) }()
	if i.record, err = os.OpenFile(out+".record.jsonl", os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o600); err != nil {
		return hint.Wrap(fmt.Errorf("the record of passes cannot be written: %w", err), "name a file in a folder that you may write to")
	}
	defer func() { err = errors.Join(err, i.record.Close()) }()
	sealed, err := age.Encrypt(f, to...)
	if err != nil {
		return fmt.Errorf("the hand-out cannot be encrypted: %w", err)
	}
	i.hand = sealed
	total := 0
	stopped := names.Each(func(_ int, name string) error {
		if total++; total > maxPasses {
			return hint.New(fmt.Sprintf("one run makes at most %d passes", maxPasses), "split the file: a pass lives for an hour, and has to be handed out by then")
		}
		return i.one(ctx, p, name)
	})
	if len(i.made) == 0 {
		return errors.Join(stopped, passless(i.failed, total))
	}
	if err := errors.Join(sealed.Close(), f.publish()); err != nil {
		return errors.Join(err, i.takeBack(ctx))
	}
	fmt.Fprintf(p.out, "%s: %s, for one use within %v; the record is %s\n", out, migrate.Number(len(i.made), "pass", "passes"), i.life, out+".record.jsonl")
	return errors.Join(stopped, passless(i.failed, total))
}

// passless is the end of a run in which some users got no pass; nil: all did.
func passless(failed, total int) error {
	switch {
	case failed == 0:
		return nil
	case failed == total:
		return hint.New("no pass was made", "see the lines above")
	}
	return &exit{code: exitPartly, err: hint.New(users(failed)+" got no pass", "see the lines above")}
}

// one makes the pass of a user, records it, and writes it into the hand-out.
// Only an error that concerns all users is returned.
func (i *issuing) one(ctx context.Context, p *program, name string) error {
	line := passLine{Time: i.now().UTC(), Who: operator(), Reason: i.why, Tenant: i.given, UPN: name, Outcome: "begun"}
	pass, refused := i.issue(ctx, name, &line)
	line.Time, line.Outcome = i.now().UTC(), "made"
	if refused != nil {
		i.failed++
		line.Outcome = "refused: " + refused.Error()
		fmt.Fprintf(p.err, "mfabridge: %s: %s\n", migrate.Plain(name), migrate.Plain(refused.Error()))
		if err := i.note(line); err != nil {
			return errors.Join(err, i.takeBack(ctx))
		}
		if alone, _ := cloud.Unread(refused); alone != nil && ctx.Err() == nil {
			return nil
		}
		_, nobody := errors.AsType[*graph.NobodyError](refused)
		if kind := cloud.KindOf(refused); nobody || ctx.Err() != nil || kind == cloud.Unavailable || kind == cloud.Throttled {
			return refused
		}
		return nil
	}
	if err := errors.Join(i.handOver(name, &pass), i.note(line)); err != nil {
		return errors.Join(err, i.takeBack(ctx))
	}
	return nil
}

// issue makes a pass once the record says that it is about to.
func (i *issuing) issue(ctx context.Context, name string, line *passLine) (graph.Pass, error) {
	ids, err := i.target.Find(ctx, []cloud.Key{{Kind: cloud.ByUPN, Value: name}})
	if err != nil { // a name that nobody has is none
		return graph.Pass{}, &graph.NobodyError{Err: err}
	}
	if len(ids[0]) != 1 {
		return graph.Pass{}, &cloud.Error{Kind: cloud.NotFound, Message: "there is no such user"}
	}
	line.User = string(ids[0][0])
	if err := i.note(*line); err != nil {
		return graph.Pass{}, err
	}
	pass, err := i.target.IssuePass(ctx, ids[0][0], i.life)
	if err != nil {
		return graph.Pass{}, err
	}
	i.made = append(i.made, passOf{ids[0][0], pass.ID})
	line.Pass, line.From, line.Until = pass.ID, stamp(pass.From), stamp(pass.Until)
	return pass, nil
}

// handOver writes a pass into the hand-out.
func (i *issuing) handOver(name string, pass *graph.Pass) error {
	var b bytes.Buffer
	fmt.Fprintf(&b, "user  %s\npass  %s\nuntil %s\n\n", migrate.Plain(name), pass.Word.Reveal(), stamp(pass.Until))
	_, err := i.hand.Write(b.Bytes())
	clear(b.Bytes())
	pass.Word.Wipe()
	if err != nil {
		return fmt.Errorf("the hand-out cannot be written: %w", err)
	}
	return nil
}

// passLine is a line of the record: everything but the pass.
type passLine struct {
	Time    time.Time `json:"time"`
	Who     string    `json:"who"`
	Reason  string    `json:"reason"`
	Tenant  string    `json:"tenant"`
	UPN     string    `json:"upn"`
	User    string    `json:"user,omitempty"`
	Pass    string    `json:"pass_id,omitempty"`
	From    string    `json:"from,omitempty"`
	Until   string    `json:"until,omitempty"`
	Outcome string    `json:"outcome"`
}

// note makes a line of the record durable.
func (i *issuing) note(line passLine) error {
	b, err := json.Marshal(line)
	if err == nil {
		_, err = i.record.Write(append(b, '\n'))
	}
	if err = errors.Join(err, i.record.Sync()); err != nil {
		return fmt.Errorf("the record of passes cannot be written: %w", err)
	}
	return nil
}

// takeBack ends passes that nobody will ever read.
func (i *issuing) takeBack(ctx context.Context) error {
	end, cancel := context.WithTimeout(context.WithoutCancel(ctx), 2*time.Minute)
	defer cancel()
	var errs []error
	for _, made := range i.made {
		err := i.target.RevokePass(end, made.user, made.id)
		line := passLine{Time: i.now().UTC(), Who: operator(), Reason: "nobody can be handed it", Tenant: i.given, User: string(made.user), Pass: made.id, Outcome: "taken back"}
		if err != nil {
			line.Outcome = "not taken back: " + err.Error()
		}
		errs = append(errs, err, i.note(line))
	}
	i.made = nil
	return errors.Join(errs...)
}
