package main

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"

	"mfabridge/cloud/graph"
	"mfabridge/migrate"
)

// meaning says what a federated domain's setting does to people.
func meaning(b graph.MFABehavior) string {
	switch b {
	case graph.MFAUnset:
		return "never set: what the federated server did counts"
	case graph.MFAAccept:
		return "what the federated server did counts; who did nothing there is asked by Entra ID"
	case graph.MFAEnforce:
		return "users are sent to the federated server for it: the old server asks"
	case graph.MFAReject:
		return "Entra ID asks always: the old server has no part any more"
	}
	return "a value that this program does not know"
}

func (s *cutover) text(w io.Writer) error {
	out := table(w)
	fmt.Fprintf(out, "tenant %s\n", migrate.Plain(s.tenant))
	for _, d := range s.domains {
		if !d.Federated {
			fmt.Fprintf(out, "  %s\tmanaged\tEntra ID signs in and asks\n", migrate.Plain(d.Name))
			continue
		}
		if d.Unknown != "" {
			fmt.Fprintf(out, "  %s\tfederated\tnot known: %s\n", migrate.Plain(d.Name), migrate.Plain(d.Unknown))
			continue
		}
		if d.Like != "" {
			fmt.Fprintf(out, "  %s\tfederated\tas %s\n", migrate.Plain(d.Name), migrate.Plain(d.Like))
			continue
		}
		value := string(d.Behavior)
		if value == "" {
			value = "not set"
		}
		fmt.Fprintf(out, "  %s\tfederated\t%s (%s)\n", migrate.Plain(d.Name), meaning(d.Behavior), migrate.Plain(value))
	}
	s.textRollout(out)
	s.textWaves(out)
	if err := out.Flush(); err != nil {
		return err
	}
	return s.textSteps(w)
}

func (s *cutover) textRollout(out io.Writer) {
	fmt.Fprint(out, "staged rollout of multifactor authentication\n")
	r := s.rollout()
	switch {
	case s.unreadable != nil:
		fmt.Fprintf(out, "  not known: %s\n", migrate.Plain(s.unreadable.Error()))
	case r == nil:
		fmt.Fprint(out, "  there is none\n")
	default:
		state := "switched off"
		if r.Enabled {
			state = "on"
		}
		fmt.Fprintf(out, "  %s\t%s\t%d of %d groups\n", migrate.Plain(r.Name), state, len(r.Groups), graph.MaxRolloutGroups)
		for _, g := range r.Groups {
			fmt.Fprintf(out, "    %s\t%s\n", migrate.Plain(g.Name), migrate.Plain(g.ID))
		}
	}
}

func (s *cutover) textWaves(out io.Writer) {
	if s.plan == "" {
		return
	}
	fmt.Fprintf(out, "waves of %s\n  wave\tmembers\tmoved\tpartly\twaiting\tskipped\n", migrate.Plain(s.plan))
	for _, w := range s.waves {
		name := migrate.Plain(w.Wave)
		if w.Wave == "" {
			if w.Total() == 0 {
				continue
			}
			name = "(in no wave)"
		}
		fmt.Fprintf(out, "  %s\t%s", name, migrate.Plain(w.Given))
		for _, standing := range migrate.Standings {
			fmt.Fprintf(out, "\t%d", w.Users[standing])
		}
		fmt.Fprintln(out)
	}
}

func (s *cutover) textSteps(w io.Writer) error {
	out := &strings.Builder{}
	if s.plan != "" {
		fmt.Fprintf(out, "%s on the old server\n", migrate.Number(s.waiting(), "user of the plan still depends", "users of the plan still depend"))
	}
	for _, u := range s.old {
		fmt.Fprintf(out, "  %-8s %s\n", u.standing, migrate.Plain(u.username))
	}
	for _, w := range s.waves {
		if err := s.lost[w.Wave]; err != nil {
			fmt.Fprintf(out, "wave %s cannot be put into staged rollout: %s\n", migrate.Plain(w.Wave), migrate.Plain(err.Error()))
		}
	}
	steps, unknown := s.steps(), s.unknown()
	switch {
	case len(steps) == 0 && len(s.lost) > 0:
	case len(steps) == 0 && len(unknown) > 0:
		fmt.Fprintf(out, "nothing else is known to be left to change in the tenant: %s\n", migrate.Plain(strings.Join(unknown, ", and ")))
	case len(steps) == 0:
		fmt.Fprint(out, "nothing is left to change in the tenant\n")
	}
	for _, step := range steps {
		fmt.Fprintf(out, "\nto change: %s\n", migrate.Plain(step.what))
		if step.early != "" {
			fmt.Fprintf(out, "  not yet: %s\n", step.early)
		}
		fmt.Fprintf(out, "  %s\n  and back:\n  %s\n", step.make, step.back)
	}
	_, err := io.WriteString(w, out.String())
	return err
}

// String is a request as people read it.
func (r request) String() string {
	s := r.Method + " " + migrate.Plain(r.URL)
	if r.Body != "" {
		s += "\n    " + migrate.Plain(r.Body)
	}
	return s
}

func (s *cutover) json(w io.Writer) error {
	lines := json.NewEncoder(w)
	lines.SetEscapeHTML(false)
	var err error
	say := func(line map[string]any) {
		if err == nil {
			err = lines.Encode(line)
		}
	}
	for _, d := range s.domains {
		line := map[string]any{"type": "domain", "name": d.Name, "federated": d.Federated, "federation_id": d.Federation, "federatedIdpMfaBehavior": string(d.Behavior)}
		if d.Like != "" {
			line["like"] = d.Like
		}
		if d.Unknown != "" {
			line["unknown"] = d.Unknown
		}
		say(line)
	}
	for _, r := range s.rollouts {
		groups := []map[string]string{}
		for _, g := range r.Groups {
			groups = append(groups, map[string]string{"id": g.ID, "name": g.Name})
		}
		say(map[string]any{"type": "rollout", "id": r.ID, "name": r.Name, "feature": r.Feature, "enabled": r.Enabled, "all": r.All, "groups": groups})
	}
	for _, w := range s.waves {
		users := map[migrate.Standing]int{}
		for _, standing := range migrate.Standings {
			users[standing] = w.Users[standing]
		}
		line := map[string]any{"type": "wave", "name": w.Wave, "members": w.Given, "users": users}
		if lost := s.lost[w.Wave]; lost != nil {
			line["group_unknown"] = lost.Error()
		}
		say(line)
	}
	for _, u := range s.old {
		say(map[string]any{"type": "user", "username": u.username, "wave": u.wave, "standing": u.standing})
	}
	for _, step := range s.steps() {
		say(map[string]any{"type": "step", "what": step.what, "not_yet": step.early, "make": step.make, "back": step.back})
	}
	unknown := ""
	if s.unreadable != nil {
		unknown = s.unreadable.Error()
	}
	say(map[string]any{"type": "summary", "tenant": s.tenant, "steps": len(s.steps()), "old_path": s.waiting(), "rollout_unknown": unknown})
	return err
}
