package migrate

import (
	"cmp"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"iter"

	"mfabridge/cloud"
	"mfabridge/internal/hint"
	"mfabridge/internal/spill"
	"mfabridge/legacy"
)

// Source is what a plan is made from: an export that can be read twice.
// *legacy.Export is one.
type Source interface {
	// Users yields the users in the order of the export, with ascending
	// ordinals. It is called twice and must yield the same users both times.
	Users(ctx context.Context) iter.Seq2[legacy.User, error]

	// Problems yields what is wrong with the export and belongs to no user
	// that Users yields.
	Problems() iter.Seq2[legacy.Problem, error]
}

// Sink takes a plan as it is made: every Decision in the order of the export,
// then every Finding that belongs to no user. Both calls come from one
// goroutine; an error ends the planning. What a Sink wants to keep of a
// Decision it may keep: it is not changed afterwards.
type Sink interface {
	Add(Decision) error
	Problem(Finding) error
}

// errChanged ends a plan whose two readings of the export disagree.
var errChanged = errors.New("the export changed while it was read")

// Plan decides what becomes of each user of src in the target that dir reads,
// and hands the decisions to out. It changes nothing in the target.
//
// The export is read twice: first every row is matched and mapped by itself,
// and what it would write is compared with what the others would; then the
// decisions are made with these conflicts known. The target is asked only in
// the first pass, in batches of Capabilities.Batch; what it answered waits,
// sealed, in a temporary file. Memory does not grow with the export.
//
// A user whom the target does not tell of is skipped with a finding. Where it
// tells of nobody the plan ends; a call that it cannot serve just now is made
// again.
//
// Errors of the target are *[cloud.Error] in the chain, those of ctx, src and
// out are returned as they are.
func Plan(ctx context.Context, src Source, dir cloud.DirectoryReader, opt Options, out Sink) (Summary, error) {
	caps, err := dir.Capabilities(ctx)
	if err != nil {
		return Summary{}, fmt.Errorf("the target does not say what it takes: %w", err)
	}
	scope, err := newScope(ctx, opt, dir)
	if err != nil {
		return Summary{}, err
	}
	asks := reader{dir: dir, retry: newRetry(ApplyOptions{Tries: opt.Tries, Sleep: opt.Sleep, Waiting: opt.Waiting})}
	return run(ctx, src, &finder{reader: asks, caps: caps, opt: opt, scope: scope}, out)
}

func run(ctx context.Context, src Source, f *finder, out Sink) (sum Summary, err error) {
	mapper, err := NewMapper(f.opt, f.caps)
	if err != nil {
		return Summary{}, err
	}
	p := &planner{opt: f.opt, mapper: mapper, finder: f, conflicts: newConflicts(f.opt.TempDir),
		matches: spill.New(spill.Options{Dir: f.opt.TempDir}), sum: NewSummary()}
	defer func() { err = errors.Join(err, p.conflicts.Close(), p.matches.Close()) }()
	if err := p.gather(ctx, src); err != nil {
		return Summary{}, err
	}
	if s := f.scope; s != nil && p.sum.LeftOut > 0 && p.sum.LeftOut == p.rows {
		return Summary{}, hint.Wrap(errNobody, "look at what --scope names: "+s.whole.Given)
	}
	if err := p.conflicts.group(); err != nil {
		return Summary{}, err
	}
	if err := p.decide(ctx, src, out); err != nil {
		return Summary{}, err
	}
	if err := p.others(src, out); err != nil {
		return Summary{}, err
	}
	if !f.imaginary {
		p.sum.estimate(&f.caps)
	}
	p.sum.Unread = f.opt.Unread
	return p.sum, nil
}

// others hands on the findings that belong to no user.
func (p *planner) others(src Source, out Sink) error {
	findings, scope := p.mapper.findings, p.finder.scope
	for problem, err := range src.Problems() {
		if err != nil {
			return err
		}
		finding := findings.problem(problem)
		if err := p.problem(out, finding, cmp.Or(problem.Username, finding.Place)); err != nil {
			return err
		}
	}
	for name, place := range p.opt.MatchFile.unused {
		finding := findings.of(MatchFileUnused, "Username", Plain(name)+" is not in the export")
		finding.Place = place.String()
		if err := p.problem(out, finding, name); err != nil {
			return err
		}
	}
	for finding, name := range findings.settings(p.opt.Settings) {
		if err := p.problem(out, finding, name); err != nil {
			return err
		}
	}
	if scope == nil {
		return nil
	}
	tell := func(finding Finding) error { return p.problem(out, finding, cmp.Or(finding.Place, finding.Field)) }
	if err := findings.checks(p.opt.Preflight, tell); err != nil {
		return err
	}
	return scope.findings(findings, tell)
}

// problem counts a finding that belongs to no user, and hands it on. name is
// what an acceptance calls it.
func (p *planner) problem(out Sink, f Finding, name string) error {
	p.opt.Accepted.mark(&f, name)
	p.sum.addFinding(&f)
	return out.Problem(f)
}

// outside tells whether a row is out of scope.
func (p *planner) outside(ordinal int) bool {
	return p.finder.scope != nil && p.finder.scope.outside.has(uint64(ordinal))
}

// planner is one plan in the making.
type planner struct {
	opt       Options
	mapper    *Mapper
	finder    *finder
	conflicts *conflicts
	matches   *spill.Sorter // ordinal, match
	sum       Summary
	rows      int
	buf       []byte
	draft     draft // of the user that is looked at
}

// gather is the first pass: it matches every row and notes what it claims.
func (p *planner) gather(ctx context.Context, src Source) error {
	batch := make([]legacy.User, 0, p.finder.batch())
	last := -1
	for u, err := range src.Users(ctx) {
		if err != nil {
			return err
		}
		if u.Ordinal <= last {
			return fmt.Errorf("the export yields its users out of order: %d after %d", u.Ordinal, last)
		}
		last = u.Ordinal
		p.rows++
		if batch = append(batch, u); len(batch) == cap(batch) {
			if err := p.note(ctx, batch); err != nil {
				return err
			}
			clear(batch)
			batch = batch[:0]
		}
	}
	return p.note(ctx, batch)
}

func (p *planner) note(ctx context.Context, users []legacy.User) error {
	if len(users) == 0 {
		return nil
	}
	matches, err := p.finder.matches(ctx, users)
	if err != nil {
		return err
	}
	if p.opt.Asked != nil {
		p.opt.Asked(p.rows)
	}
	for i := range users {
		u, m := &users[i], &matches[i]
		if m.Outside {
			if err := p.leaveOut(u); err != nil {
				return err
			}
			continue
		}
		p.buf = binary.BigEndian.AppendUint64(p.buf[:0], uint64(u.Ordinal))
		p.buf = appendMatch(p.buf, m)
		if err := p.matches.Add(p.buf); err != nil {
			return err
		}
		if m.Problem == UserUnreadable { // as if it moved: nobody knows what the user has
			m = &Match{Create: true, UPN: cmp.Or(u.UPN, u.Username), Claims: m.Claims}
		}
		if err := p.claim(u, m); err != nil {
			return err
		}
	}
	return nil
}

// claim notes what a row claims.
func (p *planner) claim(u *legacy.User, m *Match) error {
	p.draft.begin(p.mapper, u, m)
	p.draft.claiming = true
	p.draft.decide()
	return p.conflicts.add(&p.draft)
}

// leaveOut notes a row that is out of scope. What it claims counts all the
// same: a secret that stands with somebody else, too, is nobody's, whoever the
// plan is about. As the target is not asked, the row claims as if it moved.
func (p *planner) leaveOut(u *legacy.User) error {
	p.finder.scope.outside.set(uint64(u.Ordinal))
	p.sum.LeftOut++
	m := &Match{Create: true, UPN: cmp.Or(u.UPN, u.Username)}
	if given, ok := p.opt.MatchFile.of(u.Username); ok {
		m.add(u, []rowKey{given}, evidence{}, &p.mapper.caps)
	}
	return p.claim(u, m)
}

// decide is the second pass.
func (p *planner) decide(ctx context.Context, src Source, out Sink) error {
	nextMatch, stopMatches := iter.Pull2(p.matches.Sorted())
	defer stopMatches()
	nextConflict, stopConflicts := iter.Pull2(p.conflicts.ofUsers())
	defer stopConflicts()

	var user legacy.User // these two are for the draft, one after the other
	var match Match
	waiting, conflictErr, more := nextConflict()
	for u, err := range src.Users(ctx) {
		if err != nil {
			return err
		}
		if more && conflictErr == nil && waiting.ordinal < u.Ordinal {
			waiting, conflictErr, more = nextConflict() // of a row out of scope
		}
		if p.outside(u.Ordinal) {
			continue
		}
		rec, err, ok := nextMatch()
		if err != nil {
			return err
		}
		if !ok || binary.BigEndian.Uint64(rec) != uint64(u.Ordinal) {
			return errChanged
		}
		if match, err = readMatch(rec[ordinalLen:]); err != nil {
			return err
		}
		if conflictErr != nil {
			return conflictErr
		}
		var shared Conflicts
		if more && waiting.ordinal == u.Ordinal {
			shared = waiting
			waiting, conflictErr, more = nextConflict()
		}
		user = u
		p.draft.begin(p.mapper, &user, &match)
		p.draft.shared = shared
		p.draft.decide()
		if err := p.add(out, &p.draft); err != nil {
			return err
		}
	}
	if conflictErr != nil {
		return conflictErr
	}
	if _, _, ok := nextMatch(); ok {
		return errChanged
	}
	return ctx.Err()
}

// add counts a decision, and hands it on.
func (p *planner) add(out Sink, d *draft) error {
	if p.finder.scope != nil {
		d.Wave = p.finder.scope.waveOf(d)
	}
	if p.opt.Privileged != nil {
		p.opt.Privileged.has(d.Username, d.u.UPN, d.UPN) // which notes that these names were met
	}
	for i := range d.Findings {
		p.opt.Accepted.mark(&d.Findings[i], d.Username)
	}
	p.sum.add(d)
	return out.Add(d.Decision)
}
