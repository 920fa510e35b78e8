package main

import (
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"mfabridge/cloud"
	"mfabridge/cloud/engine"
	"mfabridge/cloud/engine/http/pages"
	"mfabridge/internal/hint"
	"mfabridge/migrate"
)

func (p *program) inviteCommand() *cli.Command {
	return &cli.Command{
		Name: "invite", Usage: "list who is invited to activate an authenticator, invite, and write to them or the file of a mail merge", ArgsUsage: "[USER]",
		Description: "For one user, or for those whom the plan --from invites, or one wave of it. Lists each with its state: pending, opened,\n" +
			"done, expired, or none. --new, --renew and --revoke change that and need --reason; nothing else does.\n" +
			"--out writes a CSV file of those who have yet to activate: upn, display_name, state, until, url. No secret is in it: the address of\n" +
			"each leads to the page on which they prove who they are. --mail sends each that address by the engine's mail servers: to the user's\n" +
			"address of mail, or to their name where that is an address in a domain of the organisation (engine init --domain).\n" +
			"At https://HOST the application needs the role helpdesk or admin; to list alone, auditor.",
		Flags: slices.Concat(adminFlags(), []cli.Flag{
			&cli.StringFlag{Name: "from", Usage: "the plan `F`, in place of USER"},
			&cli.StringFlag{Name: "wave", Usage: "only the users of the wave `NAME`"},
			planKeyFlag(),
			&cli.BoolFlag{Name: "new", Usage: "invite those who were not invited, and have no authenticator"},
			&cli.BoolFlag{Name: "renew", Usage: "give invitations that are not done 14 days from now"},
			&cli.BoolFlag{Name: "revoke", Usage: "end invitations that are not done"},
			&cli.BoolFlag{Name: "mail", Usage: "write to those who have yet to activate"},
			mailConfigFlag(),
			&cli.StringFlag{Name: "out", Aliases: []string{"o"}, Usage: "write the mail merge to the new `FILE`"},
			&cli.StringFlag{Name: "url", Usage: "with --out, or --mail without --engine-config: `URL` of the engine's pages as users reach it, the public_url of engine.yaml"},
			reasonFlag(),
			formatFlag(),
		}), Action: p.invite}
}

// invitee is a user and the invitation that counts.
type invitee struct {
	user cloud.User
	engine.Invitation
	unused []string // invitations that are not done
}

// waits tells whether the user has yet to activate.
func (i *invitee) waits() bool {
	return i.State == engine.InvitationPending || i.State == engine.InvitationOpened
}

// counts has i.Invitation be the one of several that says most: one that can be
// used, also of who has an authenticator already; else one that is done; else
// the last.
func (i *invitee) counts(all []engine.Invitation) {
	i.Invitation, i.unused = engine.Invitation{}, nil
	rank := func(v engine.Invitation) int {
		return slices.Index([]string{"", engine.InvitationExpired, engine.InvitationDone, engine.InvitationPending, engine.InvitationOpened}, v.State)
	}
	for _, v := range all {
		if v.State != engine.InvitationDone {
			i.unused = append(i.unused, v.Device)
		}
		if rank(v) >= rank(i.Invitation) {
			i.Invitation = v
		}
	}
}

func (p *program) invite(c *cli.Context) error {
	by, err := inviteOptions(c)
	if err != nil {
		return err
	}
	l, err := p.list(c, "USER", "STATE", "UNTIL")
	if err != nil {
		return err
	}
	open := p.administer
	if c.Bool("mail") {
		open = p.administerSending
	}
	return open(c, func(e administrator) error {
		users, err := p.invitees(c, e)
		if err != nil {
			return err
		}
		var errs []error
		for i := range users {
			if err := reinvite(c, e, by, &users[i]); err != nil {
				errs = append(errs, fmt.Errorf("%s: %w", migrate.Plain(users[i].user.UPN), err))
			}
		}
		var mails mailsForm
		if c.Bool("mail") {
			var failed []error
			mails, failed = p.mailInvitees(c, e, by, users)
			errs = append(errs, failed...)
		}
		err = listInvitees(l, users)
		if err == nil && c.Bool("mail") {
			err = l.note(mails, fmt.Sprintf("mails: %d sent, %d were sent a moment ago", mails.Sent, mails.Before))
		}
		err = errors.Join(err, l.end(), p.mergeFile(c, users))
		if failed := errors.Join(errs...); failed != nil {
			return errors.Join(err, &exit{code: exitPartly, err: failed})
		}
		return err
	})
}

// inviteOptions checks what was asked for.
func inviteOptions(c *cli.Context) (by engine.Actor, err error) {
	asked := 0
	for _, name := range []string{"new", "renew", "revoke"} {
		if c.Bool(name) {
			asked++
		}
	}
	switch {
	case (c.NArg() == 1) == (c.String("from") != ""), c.NArg() > 1:
		return by, usage("one USER or --from F is needed", "e.g. mfabridge engine invite --from move.plan --wave pilot")
	case c.String("wave") != "" && c.String("from") == "":
		return by, usage("--wave is one of a plan", "add --from F")
	case c.Bool("revoke") && asked > 1:
		return by, usage("--revoke cannot go with --new or --renew", "do one after the other")
	case c.String("out") != "" && c.String("url") == "", c.String("url") != "" && c.String("out") == "" && !c.Bool("mail"):
		return by, usage("--out and --url belong together", "e.g. --out invitations.csv --url https://engine.contoso.example")
	case c.Bool("mail") && c.Bool("revoke"):
		return by, usage("--mail cannot go with --revoke", "do one after the other")
	case asked > 0, c.Bool("mail"):
		return actor(c)
	}
	return by, nil
}

// invitees are the users that are meant, as they stand.
func (p *program) invitees(c *cli.Context, e administrator) (users []invitee, err error) {
	add := func(name string) error {
		u, err := findUser(c, e, name)
		if err != nil {
			return err
		}
		all, err := e.Invitations(c.Context, u.ID)
		i := invitee{user: u}
		i.counts(all)
		users = append(users, i)
		return err
	}
	if c.NArg() == 1 {
		err = add(c.Args().First())
		return users, err
	}
	plan, err := openPlan(c, c.String("from"), true)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, plan.Close()) }()
	there, err := e.Capabilities(c.Context)
	if err != nil {
		return nil, err
	}
	if made := plan.Header().Target.Instance; made != "" && made != there.Instance {
		return nil, hint.New("the plan was made for another target than this store", "name the store that the plan was applied to with --store")
	}
	part, err := wavePart(c, plan)
	if err != nil {
		return nil, err
	}
	for d, err := range part.Users(c.Context, migrate.Masked) {
		if err != nil {
			return nil, err
		}
		if !slices.ContainsFunc(d.Changes, func(c migrate.PlannedChange) bool { return c.Method == cloud.Authenticator && c.Op != cloud.Remove }) {
			continue
		}
		if err := add(d.UPN); err != nil {
			return nil, err
		}
	}
	return users, nil
}

// reinvite does what the options ask for one user.
func reinvite(c *cli.Context, e administrator, by engine.Actor, i *invitee) (err error) {
	changed := true
	switch {
	case c.Bool("new") && i.State == "":
		_, _, err = e.Invite(c.Context, by, i.user.ID)
	case c.Bool("renew") && (i.waits() || i.State == engine.InvitationExpired):
		_, err = e.RenewInvitation(c.Context, by, i.user.ID, i.Device)
	case c.Bool("revoke") && len(i.unused) > 0: // all of them: one that is left lets somebody in
		for _, device := range i.unused {
			err = errors.Join(err, e.RevokeInvitation(c.Context, by, i.user.ID, device))
		}
	default:
		changed = false
	}
	if err != nil || !changed {
		return err
	}
	all, err := e.Invitations(c.Context, i.user.ID)
	i.counts(all)
	return err
}

// mailInvitees writes to those who have yet to activate. Who was written to a
// moment ago is left out: the command may have been run again.
func (p *program) mailInvitees(c *cli.Context, e administrator, by engine.Actor, users []invitee) (mails mailsForm, errs []error) {
	mails.Type = "mails"
	for _, i := range users {
		if !i.waits() {
			continue
		}
		switch err := e.MailInvitation(c.Context, by, i.user.ID); {
		case err == nil:
			mails.Sent++
		case cloud.ReasonOf(err) == cloud.MailedBefore:
			mails.Before++
		case cloud.KindOf(err) == cloud.Unsupported: // of nobody
			return mails, append(errs, hint.Wrap(err, "name the engine that runs by --store https://HOST, or its configuration by --engine-config, with public_url or --url"))
		default:
			errs = append(errs, fmt.Errorf("%s: %w", migrate.Plain(i.user.UPN), err))
		}
	}
	return mails, errs
}

// mailsForm counts mails in JSON.
type mailsForm struct {
	Type   string `json:"type"`
	Sent   int    `json:"sent"`
	Before int    `json:"before"` // were sent a moment ago
}

// invitationForm is an invitation in JSON.
type invitationForm struct {
	Type   string     `json:"type"`
	UPN    string     `json:"upn"`
	State  string     `json:"state"`
	Until  *time.Time `json:"until"`
	Opened *time.Time `json:"opened"`
}

func listInvitees(l *listing, users []invitee) error {
	for _, i := range users {
		state, until := i.State, "-"
		if state == "" {
			state = "none"
		}
		if !i.Until.IsZero() {
			until = stamp(i.Until)
		}
		if err := l.add(invitationForm{"invitation", i.user.UPN, state, orNull(i.Until), orNull(i.Opened)}, i.user.UPN, state, until); err != nil {
			return err
		}
	}
	return nil
}

// mergeFile writes who has yet to activate, for letters.
func (p *program) mergeFile(c *cli.Context, users []invitee) error {
	if c.String("out") == "" {
		return nil
	}
	return p.toFile(c.String("out"), func(w io.Writer) error {
		rows := csv.NewWriter(w)
		rows.UseCRLF = true
		all := [][]string{{"upn", "display_name", "state", "until", "url"}}
		for _, i := range users {
			if i.waits() {
				all = append(all, []string{migrate.Cell(i.user.UPN), migrate.Cell(i.user.DisplayName), i.State, stamp(i.Until), pages.Invitation(strings.TrimRight(c.String("url"), "/"), i.user.UPN)})
			}
		}
		return rows.WriteAll(all)
	})
}
