package migrate

import (
	"context"
	"errors"
	"fmt"

	"mfabridge/cloud"
	"mfabridge/legacy"
)

// Chosen records a Selection in a plan.
type Chosen struct {
	Name   string // of a wave; empty for the scope
	Given  string // "all", "users:pilot.txt", "group:Pilot", "20%"
	SHA256 string // of the file of users:FILE
}

// Chosen is what a plan records of the selection.
func (s Selection) Chosen(name string) Chosen {
	c := Chosen{Name: name, Given: s.Given}
	if s.Names != nil {
		c.SHA256 = s.Names.SHA256
	}
	return c
}

// scope says whose rows a plan is about, and which wave they are in.
type scope struct {
	whole   members
	waves   []members
	names   []string // of the waves
	also    []int    // users whom a wave names, and an earlier one has taken
	taken   []int    // users whom a wave has taken
	admins  *Names   // who move in spite of a role; nil: nobody
	outside bitmap   // ordinals of rows out of scope
}

func newScope(ctx context.Context, opt Options, dir cloud.DirectoryReader) (*scope, error) {
	if err := CheckWaves(opt.Waves); err != nil {
		return nil, err
	}
	if opt.Scope.Share > 0 {
		return nil, errors.New("a scope is all, users:FILE or group:ID; shares are for waves")
	}
	s := &scope{also: make([]int, len(opt.Waves)), taken: make([]int, len(opt.Waves)), admins: opt.Privileged}
	var err error
	if s.whole, err = opt.Scope.resolve(ctx, dir); err != nil {
		return nil, err
	}
	for _, w := range opt.Waves {
		m, err := w.resolve(ctx, dir)
		if err != nil {
			return nil, err
		}
		s.waves, s.names = append(s.waves, m), append(s.names, w.Name)
	}
	return s, nil
}

// byName tells whether a row can be in scope, before the target is asked.
func (s *scope) byName(u *legacy.User) bool {
	return s.whole.Names == nil || s.whole.take("", u.Username, u.UPN)
}

// byHits tells whether a row is in scope, from the ids that its keys lead to.
func (s *scope) byHits(hits [][]cloud.UserID) bool {
	if s.whole.group == nil {
		return true
	}
	found := false
	for _, ids := range hits {
		for _, id := range ids {
			if s.whole.take(id, "") {
				found = true
			}
		}
	}
	return found
}

// waveOf is the wave of a user: the first in the order of the options that
// names him.
func (s *scope) waveOf(d *draft) string {
	name, found := "", false
	for i := range s.waves {
		w := &s.waves[i]
		if !w.take(d.Target, d.Username, d.u.UPN, d.UPN) {
			continue
		}
		if found {
			s.also[i]++
			continue
		}
		name, found = s.names[i], true
		s.taken[i]++
	}
	return name
}

// maxUnknown is how many names of a file a plan lists that nobody has.
const maxUnknown = 1000

// findings tells of names that nobody has, and of waves that are not what
// their options might make one believe.
func (s *scope) findings(f findings, tell func(Finding) error) error {
	if err := s.unknown(f, "--scope", s.whole.Names, tell); err != nil {
		return err
	}
	if err := s.unknown(f, "--include-privileged", s.admins, tell); err != nil {
		return err
	}
	for i, name := range s.names {
		option := "--wave " + name
		if err := s.unknown(f, option, s.waves[i].Names, tell); err != nil {
			return err
		}
		if s.taken[i] == 0 {
			if err := tell(f.of(WaveEmpty, option, "the wave "+name+" has nobody")); err != nil {
				return err
			}
		}
		if s.also[i] > 0 && s.waves[i].Share == 0 {
			detail := fmt.Sprintf("of those whom the wave %s names, %s in an earlier wave", name, Number(s.also[i], "user is", "users are"))
			if err := tell(f.of(WaveOverlap, option, detail)); err != nil {
				return err
			}
		}
	}
	return nil
}

func (s *scope) unknown(f findings, option string, names *Names, tell func(Finding) error) error {
	if names == nil {
		return nil
	}
	total, err := names.unknown(maxUnknown, func(line int, name string) error {
		finding := f.of(ListedUserUnknown, option, fmt.Sprintf("nobody in this plan is called %q", name))
		finding.Place = fmt.Sprintf("%s:%d", names.File, line)
		return tell(finding)
	})
	if more := total - maxUnknown; err == nil && more > 0 {
		finding := f.of(ListedUserUnknown, option, fmt.Sprintf("and %d more names that nobody has", more))
		finding.Place = names.File
		err = tell(finding)
	}
	return err
}
