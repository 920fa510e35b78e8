package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"strings"

	"github.com/urfave/cli/v2"

	"mfabridge/internal/hint"
	"mfabridge/migrate"
	"mfabridge/migrate/planfile"
)

// gates lets apply ask the program of --gate between two waves. It runs
// without a shell and without input; its output goes to stderr, since results
// go to stdout. What it is to judge by is in its environment:
//
//	MFABRIDGE_WAVE                 the wave that has ended
//	MFABRIDGE_NEXT_WAVE            the wave that would begin; empty: the users of none
//	MFABRIDGE_WAVE_USERS           how many users of the wave have changes
//	MFABRIDGE_WAVE_DONE, _FAILED, _STALE   what became of them
//	MFABRIDGE_PLAN, MFABRIDGE_PLAN_DIGEST  the plan file and its digest
func (p *program) gates(c *cli.Context, plan *planfile.Plan, opt *migrate.ApplyOptions) error {
	given := c.String("gate")
	if given == "" {
		return nil
	}
	argv, err := splitWords(given)
	if err != nil {
		return err
	}
	path, notify := c.Args().First(), opt.Notify
	opt.Gate = func(ctx context.Context, w migrate.WaveEnd) error {
		cmd := exec.CommandContext(ctx, argv[0], argv[1:]...)
		cmd.Env = append(os.Environ(), gateEnv(w, path, plan.Digest())...)
		cmd.Stdout, cmd.Stderr = p.err, p.err
		err := cmd.Run()
		e := migrate.GateEvent{Wave: w.Wave, Next: w.Next, Passed: err == nil, Exit: -1}
		if cmd.ProcessState != nil {
			e.Exit = cmd.ProcessState.ExitCode()
		}
		notify(e)
		switch {
		case err == nil:
			return nil
		case ctx.Err() != nil:
			return ctx.Err()
		}
		return &exit{code: exitGate, err: hint.Wrap(fmt.Errorf("the gate behind wave %s is not met: %w", migrate.Plain(w.Wave), err),
			"what was done is recorded; run the same command again when the gate may be met: it is asked again")}
	}
	return nil
}

func gateEnv(w migrate.WaveEnd, path, digest string) []string {
	return []string{
		"MFABRIDGE_WAVE=" + w.Wave,
		"MFABRIDGE_NEXT_WAVE=" + w.Next,
		fmt.Sprintf("MFABRIDGE_WAVE_USERS=%d", w.Users),
		fmt.Sprintf("MFABRIDGE_WAVE_DONE=%d", w.Done),
		fmt.Sprintf("MFABRIDGE_WAVE_FAILED=%d", w.Failed),
		fmt.Sprintf("MFABRIDGE_WAVE_STALE=%d", w.Stale),
		"MFABRIDGE_PLAN=" + path,
		"MFABRIDGE_PLAN_DIGEST=" + digest,
		"MFABRIDGE_GATE=", "MFABRIDGE_REHEARSE_FAULTS=", // what it starts is not to inherit them
	}
}

// splitWords takes a command line apart at spaces. Words with spaces stand in
// single or double quotation marks; nothing else means anything.
func splitWords(line string) ([]string, error) {
	var words []string
	var word strings.Builder
	begun, quote := false, rune(0)
	for _, r := range line {
		switch {
		case quote != 0 && r == quote:
			quote = 0
		case quote == 0 && (r == '\'' || r == '"'):
			quote, begun = r, true
		case quote == 0 && (r == ' ' || r == '\t' || r == '\n'):
			if begun {
				words = append(words, word.String())
			}
			word.Reset()
			begun = false
		default:
			word.WriteRune(r)
			begun = true
		}
	}
	if begun {
		words = append(words, word.String())
	}
	if quote != 0 {
		return nil, usage("--gate: a quotation mark is not closed", "close it; a script file is simpler for anything longer")
	}
	if len(words) == 0 || words[0] == "" {
		return nil, usage("--gate names no program", "e.g. --gate ./ask-helpdesk.sh")
	}
	return words, nil
}
