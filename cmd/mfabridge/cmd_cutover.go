package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/urfave/cli/v2"

	"mfabridge/cloud"
	"mfabridge/cloud/graph"
	"mfabridge/internal/hint"
	"mfabridge/migrate"
	"mfabridge/migrate/planfile"
)

func (p *program) cutoverCommand() *cli.Command {
	return &cli.Command{
		Name:  "cutover",
		Usage: "see how far the change from the old server to Entra ID has come",
		Subcommands: []*cli.Command{{
			Name:      "status",
			Usage:     "who does multifactor authentication for whom today, and what remains to be changed; changes nothing",
			ArgsUsage: "[F]",
			Description: "Reads federated domains and staged rollout of the tenant, and how far the waves of the plan F have come.\n" +
				"Prints each change that remains, exactly, with the one that takes it back. It makes none of them.",
			Flags: slices.Concat(targetFlags("to", "read", clouds), reachFlags(), []cli.Flag{
				planKeyFlag(), formatFlag(),
				&cli.BoolFlag{Name: "users", Usage: "list the users of F who still depend on the old server"},
			}),
			Action: p.cutoverStatus,
		}},
	}
}

func (p *program) cutoverStatus(c *cli.Context) (err error) {
	if c.NArg() > 1 {
		return usage("cutover status takes one plan at most", "mfabridge cutover status F --to entra:TENANT")
	}
	asJSON, err := format(c)
	if err != nil {
		return err
	}
	to, err := parseTarget("--to", clouds, c.String("to"), c.String("engine-key"))
	if err != nil {
		return err
	}
	if to.tenant == "" {
		return usage("cutover status is about Microsoft Entra ID", "use --to entra:TENANT; an engine is cut over client by client (docs/shim.md)")
	}
	opened, err := p.tenant(c, to)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, opened.Close()) }()
	status := cutover{tenant: to.tenant, urls: opened.(tenant).URL}
	if err := status.read(c.Context, opened.(tenant).Directory); err != nil {
		return err
	}
	if path := c.Args().First(); path != "" {
		if err := status.readPlan(c, path, opened.(tenant).Directory); err != nil {
			return err
		}
	}
	if asJSON {
		return status.json(p.out)
	}
	return status.text(p.out)
}

// cutover is what was found out about a tenant and a plan.
type cutover struct {
	tenant     string
	urls       func(path string) string
	domains    []graph.Domain
	rollouts   []graph.Rollout
	unreadable error // why staged rollout is not known

	plan  string // its file; empty: none was given
	waves []migrate.WaveStanding
	group map[string]string // id of the group of a wave that was chosen as one
	lost  map[string]error  // why there is none for such a wave: the group went, or another has its name
	old   []oldPath
}

// oldPath is a user who still depends on the old server.
type oldPath struct {
	username, wave string
	standing       migrate.Standing
}

func (s *cutover) read(ctx context.Context, d *graph.Directory) (err error) {
	if s.domains, err = d.Domains(ctx); err != nil {
		return err
	}
	if s.rollouts, s.unreadable = d.Rollouts(ctx); ctx.Err() != nil {
		return ctx.Err()
	}
	return nil
}

// readPlan finds out how far the waves of a plan are.
func (s *cutover) readPlan(c *cli.Context, path string, d *graph.Directory) (err error) {
	plan, err := openPlan(c, path, true)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, plan.Close()) }()
	// Who was moved in a rehearsal depends on the old server all the same.
	if planned := plan.Header().Target; planned.Instance != d.Instance() {
		return hint.Wrap(&migrate.WrongTargetError{Planned: planned, Have: d.Instance(), Product: "Microsoft Entra ID"},
			"give the plan that was made for this tenant")
	}
	journal, end, err := readJournal(plan, planfile.JournalPath(path))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, end()) }()
	list := c.Bool("users")
	s.plan, s.group, s.lost = path, map[string]string{}, map[string]error{}
	s.waves, err = migrate.Stand(c.Context, plan, journal, func(d migrate.Decision, standing migrate.Standing) error {
		if list && standing.Old() {
			s.old = append(s.old, oldPath{d.Username, d.Wave, standing})
		}
		return nil
	})
	if err != nil {
		return err
	}
	for _, w := range s.waves {
		if name, is := strings.CutPrefix(w.Given, "group:"); is {
			id, err := d.Group(c.Context, name)
			switch {
			case err == nil:
				s.group[w.Wave] = id
			case slices.Contains([]cloud.Kind{cloud.NotFound, cloud.Conflict}, cloud.KindOf(err)):
				s.lost[w.Wave] = err
			default:
				return err
			}
		}
	}
	return nil
}

// waiting is how many users of the plan still depend on the old server.
func (s *cutover) waiting() int {
	n := 0
	for _, w := range s.waves {
		n += w.Total() - w.Users[migrate.Moved]
	}
	return n
}

// request is one call of Graph that somebody makes by hand.
type request struct {
	Method string `json:"method"`
	URL    string `json:"url"`
	Body   string `json:"body,omitempty"` // JSON
}

// step is one change that remains.
type step struct {
	what       string
	early      string // why it should wait; empty: it need not
	make, back request
}

// steps are the changes that remain: groups of waves into staged rollout, then
// the domains, which end the old server's part for everybody else.
func (s *cutover) steps() []step {
	var all []step
	for _, w := range s.waves {
		id := s.group[w.Wave]
		rollout := s.rollout()
		if id == "" || rollout == nil || slices.ContainsFunc(rollout.Groups, func(g graph.RolloutGroup) bool { return strings.EqualFold(g.ID, id) }) {
			continue
		}
		soon := s.early(w.Total() - w.Users[migrate.Moved])
		if len(rollout.Groups)+len(all) >= graph.MaxRolloutGroups {
			soon = fmt.Sprintf("staged rollout takes %d groups: take one out first", graph.MaxRolloutGroups)
		}
		at := s.urls("/policies/featureRolloutPolicies/" + url.PathEscape(rollout.ID) + "/appliesTo/")
		all = append(all, step{what: fmt.Sprintf("put the group of wave %s into staged rollout", w.Wave), early: soon,
			make: request{http.MethodPost, at + "$ref", `{"@odata.id":"` + s.urls("/directoryObjects/"+id) + `"}`},
			back: request{http.MethodDelete, at + id + "/$ref", ""}})
	}
	all = append(all, s.switchOn(len(all))...)
	for _, d := range s.domains {
		if !d.Federated || d.Federation == "" || d.Behavior == graph.MFAReject {
			continue
		}
		at := s.urls("/domains/" + url.PathEscape(d.Name) + "/federationConfiguration/" + url.PathEscape(d.Federation))
		before := d.Behavior
		if before == graph.MFAUnset {
			before = graph.MFAAccept
		}
		all = append(all, step{what: "let Entra ID do multifactor authentication for all of " + d.Name, early: s.early(s.waiting()),
			make: request{http.MethodPatch, at, behaves(graph.MFAReject)}, back: request{http.MethodPatch, at, behaves(before)}})
	}
	return all
}

// switchOn is the change without which staged rollout reaches nobody. added are
// the groups that are still to be put into it.
func (s *cutover) switchOn(added int) []step {
	r := s.rollout()
	if r == nil || r.Enabled || added+len(r.Groups) == 0 {
		return nil
	}
	waiting := 0
	for _, w := range s.waves {
		if s.group[w.Wave] != "" {
			waiting += w.Total() - w.Users[migrate.Moved]
		}
	}
	at := s.urls("/policies/featureRolloutPolicies/" + url.PathEscape(r.ID))
	return []step{{what: "switch staged rollout on: before that none of its groups is reached", early: s.early(waiting),
		make: request{http.MethodPatch, at, `{"isEnabled":true}`}, back: request{http.MethodPatch, at, `{"isEnabled":false}`}}}
}

// unknown is what could not be found out, so that more may be left to change
// than the steps.
func (s *cutover) unknown() []string {
	var what []string
	for _, d := range s.domains {
		if d.Unknown != "" {
			what = append(what, "who does multifactor authentication for "+d.Name+" is not known")
		}
	}
	if s.unreadable != nil {
		what = append(what, "staged rollout could not be read")
	}
	return what
}

func behaves(b graph.MFABehavior) string { return `{"federatedIdpMfaBehavior":"` + string(b) + `"}` }

// early is why a change should wait for so many users; empty: it need not.
// Without a plan nobody can tell how many there are.
func (s *cutover) early(users int) string {
	switch {
	case s.plan == "":
		return "which of its users still depend on the old server is not known without a plan: mfabridge cutover status F"
	case users == 0:
		return ""
	}
	return migrate.Number(users, "of its users still depends", "of its users still depend") + " on the old server"
}

// rollout is the staged rollout of multifactor authentication; nil: there is
// none, or it could not be read.
func (s *cutover) rollout() *graph.Rollout {
	for i := range s.rollouts {
		if s.rollouts[i].Feature == graph.MFAFeature {
			return &s.rollouts[i]
		}
	}
	return nil
}
