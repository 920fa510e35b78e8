package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"mfabridge/cloud"
	"mfabridge/cloud/rehearse"
	"mfabridge/internal/hint"
	"mfabridge/migrate"
	"mfabridge/migrate/planfile"
)

// runFlags are what every run takes that writes to a target by a plan.
func runFlags() []cli.Flag {
	return []cli.Flag{
		&cli.StringFlag{Name: "expect", Usage: "go on only if the plan's digest is `DIGEST`"},
		&cli.IntFlag{Name: "max-users", DefaultText: "no limit", Usage: "stop after `N` users"},
		&cli.IntFlag{Name: "max-failures", DefaultText: "no limit", Usage: "stop when `N` users have failed"},
		&cli.StringFlag{Name: "rate", Usage: "make at most `N` changes a second (N/s), or a minute (N/m)"},
		&cli.IntFlag{Name: "concurrency", Value: 1, Usage: "make `N` calls to the target at a time; a store gains nothing by it"},
		&cli.StringFlag{Name: "quiet-hours", Usage: "write nothing in `FROM-TO[,DAYS][,ZONE]`, e.g. 08:00-18:00,mon-fri; several with ; between them"},
		&cli.StringFlag{Name: "rehearse-faults", Usage: "let the store misbehave as `SPEC` says, to rehearse (docs/apply.md)"},
	}
}

// expected refuses a plan whose digest is not the one that was reviewed.
func expected(c *cli.Context, plan *planfile.Plan, path string) error {
	// Programs differ in the case of hexadecimal.
	if want := c.String("expect"); want != "" && !strings.EqualFold(strings.TrimSpace(want), plan.Digest()) {
		return hint.New(fmt.Sprintf("the digest of %s is %s, not the expected one", path, plan.Digest()),
			"this is another plan than the one that was reviewed")
	}
	return nil
}

// maxConcurrency is a bound on calls at a time: more would only be throttled.
const maxConcurrency = 64

// applyOptions reads what the command line says of limits and times.
func (p *program) applyOptions(c *cli.Context) (migrate.ApplyOptions, error) {
	opt := migrate.ApplyOptions{
		MaxUsers:          c.Int("max-users"),
		MaxFailures:       c.Int("max-failures"),
		MaxRemovals:       c.Int("max-removals"),
		AllowIrreversible: c.Bool("allow-irreversible"),
		Concurrency:       c.Int("concurrency"),
		Waves:             c.StringSlice("wave"),
		Now:               p.now,
		Sleep:             p.sleep,
	}
	// To the runs 0 is no limit. Whoever says it means the opposite: that nobody
	// be touched, or no failure be borne.
	for _, limit := range []string{"max-users", "max-failures"} {
		if c.IsSet(limit) && c.Int(limit) < 1 {
			return opt, usage(fmt.Sprintf("--%s cannot be %d", limit, c.Int(limit)), "it is 1 or more; leave it out for no limit")
		}
	}
	if opt.MaxRemovals < 0 {
		return opt, usage("--max-removals cannot be negative", "leave it out to have nothing removed")
	}
	if n := opt.Concurrency; n < 1 || n > maxConcurrency {
		return opt, usage(fmt.Sprintf("--concurrency cannot be %d", n), fmt.Sprintf("it is from 1 to %d", maxConcurrency))
	}
	var err error
	if given := c.String("rate"); given != "" {
		if opt.Rate, err = parseRate(given); err != nil {
			return opt, err
		}
	}
	if given := c.String("quiet-hours"); given != "" {
		zone := ownZone(os.Getenv("TZ"))
		for part := range strings.SplitSeq(given, ";") {
			q, err := migrate.ParseQuietHours(part, zone)
			if err != nil {
				return opt, usage("--quiet-hours: "+err.Error(), hint.Of(err))
			}
			opt.Quiet = append(opt.Quiet, q)
		}
	}
	return opt, nil
}

// ownZone is the time zone of this machine, by its variable TZ. Nil: that names
// none that is known, for which the time package takes UTC without a word.
func ownZone(tz string) *time.Location {
	switch tz = strings.TrimPrefix(tz, ":"); {
	case tz == "":
		return time.Local
	case filepath.IsAbs(tz):
		data, err := os.ReadFile(tz)
		if err == nil {
			_, err = time.LoadLocationFromTZData(tz, data)
		}
		if err != nil {
			return nil
		}
		return time.Local
	}
	zone, err := time.LoadLocation(tz)
	if err != nil {
		return nil
	}
	return zone
}

// parseRate reads "10", "10/s" and "300/m" as changes a second.
func parseRate(given string) (float64, error) {
	number, unit, _ := strings.Cut(given, "/")
	n, err := strconv.ParseFloat(number, 64)
	per := map[string]float64{"s": 1, "m": 60}[unit]
	if unit == "" && !strings.Contains(given, "/") {
		per = 1
	}
	if err != nil || per == 0 || !(n > 0 && n <= 1e6) {
		return 0, usage(fmt.Sprintf("--rate cannot be %q", given), "it is a number of changes, e.g. 10/s or 300/m")
	}
	return n / per, nil
}

// rehearsal reads the faults to rehearse with; nil: none.
func rehearsal(c *cli.Context) (*rehearse.Faults, error) {
	given := c.String("rehearse-faults")
	if given == "" {
		return nil, nil
	}
	faults, err := rehearse.Parse(given)
	if err != nil {
		return nil, usage("--rehearse-faults: "+err.Error(), hint.Of(err))
	}
	return &faults, nil
}

// misbehave puts faults before a store. It takes nothing else: a rehearsal is
// not for other people's servers.
func (p *program) misbehave(target openTarget, faults *rehearse.Faults) (cloud.Directory, error) {
	if faults == nil {
		return target, nil
	}
	store, ok := target.(*embedded)
	if !ok {
		return nil, usage("--rehearse-faults is for stores, and this plan is for an engine elsewhere", "make a plan for a copy of its store")
	}
	fmt.Fprintln(p.err, "mfabridge: warning: this is a rehearsal: the store misbehaves as --rehearse-faults says")
	return rehearse.Wrap(store, *faults, rehearse.Machine{Now: p.now, Sleep: p.sleep, Die: die}), nil
}

// die ends this process as a crash does: nothing is closed or put in order.
func die() {
	if self, err := os.FindProcess(os.Getpid()); err == nil {
		_ = self.Kill() // if it returns at all, the call fails
	}
	select {}
}
