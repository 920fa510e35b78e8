package legacy

import (
	"cmp"
	"errors"
	"strings"

	"mfabridge/internal/xmlpull"
	"mfabridge/legacy/pfsdk"
)

// answers reads captured responses of the Web Service SDK as rows of the
// tables that they belong to.
type answers struct {
	users   *userRow
	devices *attachedRow
	byName  [2]map[string]int // columns of users and devices
}

func newAnswers(format string) *answers {
	a := &answers{users: newUserRow(format), devices: newAttachedRow(kindDevice, format)}
	for i, s := range []schema{a.users.schema, a.devices.schema} {
		a.byName[i] = map[string]int{}
		for column, c := range s.columns {
			a.byName[i][c.name] = column
		}
	}
	return a
}

func (a *answers) begin(part int, file string) {
	for _, v := range []*values{&a.users.values, &a.devices.values} {
		v.begin(part, file)
		for i, c := range v.schema.columns {
			v.spelled[i] = c.name
		}
	}
}

// fill puts a record into the cells of its table.
func (a *answers) fill(v *values, byName map[string]int, r *pfsdk.Record) *badRow {
	v.start()
	// Username is the first column of both tables.
	v.cells[userName] = cell{[]byte(strings.TrimSpace(r.Username)), r.Place.Line, r.Place.Column}
	size := len(r.Username)
	for _, f := range r.Fields {
		column, ok := byName[f.Name]
		if !ok || column == userName {
			continue
		}
		text := []byte(strings.TrimSpace(f.Value))
		if !f.Secret.IsZero() {
			text = f.Secret.Reveal()
		}
		v.cells[column] = cell{text, f.Place.Line, f.Place.Column}
		size += len(text)
	}
	if size > MaxRow {
		v.bad = &badRow{line: r.Place.Line, position: -1, text: tooLongText()}
	}
	return v.bad
}

// readUser reads a record of a user into a.users.
func (a *answers) readUser(r *pfsdk.Record) *badRow {
	if bad := a.fill(&a.users.values, a.byName[0], r); bad != nil {
		return bad
	}
	return a.users.read(r.Place.Line)
}

// readAnswer reads one captured file. What is wrong with it as a file is what
// to's Problem is told last.
func (f *folder) readAnswer(in *input, p part, encoding string, to pfsdk.Sink) error {
	t, err := decodeText(in, p.name, encoding)
	if err != nil {
		return err
	}
	user, _ := pfsdk.CaptureUser(p.written)
	g := &guard{to: to}
	err = pfsdk.Read(xmlText(t), pfsdk.Options{Username: user}, g)
	if _, wrong := errors.AsType[*misread](err); err == nil || g.err != nil || in.failed != nil || wrong {
		return err
	}
	// The file is to blame, and no other file.
	bad, ok := errors.AsType[*xmlpull.Error](err)
	if !ok {
		return to.Problem(pfsdk.Problem{Detail: err.Error() + "; nothing after this place is read"})
	}
	return to.Problem(pfsdk.Problem{Place: pfsdk.Place{Line: bad.Line, Column: bad.Column}, Detail: bad.Text + "; nothing after this place is read"})
}

// guard knows which errors are those of the Sink.
type guard struct {
	to  pfsdk.Sink
	err error
}

func (g *guard) Record(r pfsdk.Record) error {
	g.err = g.to.Record(r)
	return g.err
}

func (g *guard) Problem(p pfsdk.Problem) error {
	g.err = g.to.Problem(p)
	return g.err
}

// loadAnswers is the Sink of the first pass.
type loadAnswers struct {
	*loader
	*answers
	part int
	file string
}

func (l *loader) readAnswers() error {
	s := &loadAnswers{loader: l, answers: newAnswers(l.options.SecretFormat)}
	for _, i := range l.folder.of(aboutAnswers) {
		p := l.folder.parts[i]
		s.part, s.file = i, p.name
		s.begin(i, p.name)
		in, err := l.folder.open(l.ctx, p)
		if err != nil {
			return err
		}
		err = l.folder.readAnswer(in, p, l.options.Encoding, s)
		d, finish := in.finish()
		if err := cmp.Or(err, finish, in.Close()); err != nil { // one damage shows in all of them
			return err
		}
		l.summary.Files = append(l.summary.Files, d)
		l.Export.users = append(l.Export.users, d)
		if err := l.manifest.check(d); err != nil {
			return err
		}
	}
	return nil
}

// Record enters one record.
func (s *loadAnswers) Record(r pfsdk.Record) error {
	s.loader.rows++
	switch r.Kind {
	case pfsdk.User:
		bad := s.readUser(&r)
		if err := s.addUser(s.answers.users); err != nil || bad == nil {
			return err
		}
		s.summary.SkippedOwn++
		return s.skip(&s.answers.users.values, r.Place.Line, bad)
	case pfsdk.Device:
		v := &s.devices.values
		bad := s.fill(v, s.byName[1], &r)
		var user []byte
		if bad == nil {
			user, _, bad = s.devices.read(r.Place.Line)
		}
		if bad != nil {
			return s.skip(v, r.Place.Line, bad)
		}
		return s.addAttached(kindDevice, &s.devices.row, user, nil)
	case pfsdk.Row:
		return s.addMention(roleListed, &r)
	case pfsdk.Block:
		if f, _ := r.Get("Blocked"); f.Value == "true" {
			return s.addMention(roleBlocked, &r)
		}
		return nil
	case pfsdk.Defaults:
		return s.setting(&r, func(b *binder) fields { return b.defaults(&s.settings.Defaults) })
	case pfsdk.Portal:
		return s.setting(&r, func(b *binder) fields { return b.portal(&s.settings.UserPortal) })
	}
	return nil
}

// addMention enters that a user is listed or blocked.
func (s *loadAnswers) addMention(as role, r *pfsdk.Record) error {
	name := strings.TrimSpace(r.Username)
	if name == "" || len(name) > MaxName || strings.ContainsFunc(name, isControl) {
		return s.Problem(pfsdk.Problem{Place: r.Place, Operation: r.Operation, Detail: "it names no user"})
	}
	v := &s.answers.users.values
	l := s.loader
	l.rec = appendPlace(key(l.rec[:0], []byte(name), as, uint64(l.rows)), v.part, r.Place.Line)
	return l.names.Add(appendBytes(l.rec, name))
}

// setting reads an answer about the company.
func (s *loadAnswers) setting(r *pfsdk.Record, f func(*binder) fields) error {
	b := &binder{problems: s.problems, file: s.file, unknown: map[string]bool{}}
	n := &node{kind: nodeObject}
	for _, field := range r.Fields {
		value := &node{kind: nodeText, text: field.Value, line: field.Place.Line, col: field.Place.Column}
		switch {
		case strings.EqualFold(value.text, "true"), strings.EqualFold(value.text, "false"):
			value.kind, value.text = nodeBool, strings.ToLower(value.text)
		case value.text != "" && strings.Trim(value.text, "0123456789") == "":
			value.kind = nodeNumber
		}
		n.members = append(n.members, entry{field.Name, value.line, value.col, value})
	}
	b.object(&place{}, n, f(b))
	return b.err
}

// Problem enters what yields no record.
func (s *loadAnswers) Problem(p pfsdk.Problem) error {
	at := Place{s.file, p.Place.Line, p.Place.Column}
	if p.Field != "" && p.Operation == "" {
		return s.stranger(s.part, at, p.Field, p.Detail)
	}
	s.summary.SkippedRows++
	return s.problems.add(Problem{Code: RowInvalid, Place: at, Username: p.Username, Field: p.Field, Detail: p.Detail})
}

// errLeft ends the reading of a file whose user nobody wants any more.
var errLeft = errors.New("left")

// passAnswers is the Sink of the later passes, which want the users only.
type passAnswers struct {
	*pass
	*answers
	visit func(User) bool
}

func (s *passAnswers) Record(r pfsdk.Record) error {
	if r.Kind != pfsdk.User {
		return nil
	}
	if err := s.ctx.Err(); err != nil {
		return err
	}
	bad := s.readUser(&r)
	defer func() { s.ordinal++ }()
	if bad != nil {
		return nil
	}
	s.rows = s.answers.users
	skip, u, err := s.pass.user()
	if err == nil && !skip && !s.visit(u) {
		err = errLeft
	}
	return err
}

func (*passAnswers) Problem(pfsdk.Problem) error { return nil }

// answersOf is file for a captured response.
func (p *pass) answersOf(i int, digest FileDigest, visit func(User) bool) (left bool, err error) {
	part := p.folder.parts[i]
	in, err := p.folder.open(p.ctx, part)
	if err != nil {
		return false, err
	}
	defer in.Close()
	s := &passAnswers{pass: p, answers: newAnswers(p.options.SecretFormat), visit: visit}
	s.begin(i, part.name)
	err = p.folder.readAnswer(in, part, p.options.Encoding, s)
	switch {
	case errors.Is(err, errLeft):
		return true, nil
	case err != nil:
		return false, err
	}
	return false, in.unchanged(digest)
}

// endMentions says what was told of a name that is no user.
func (l *loader) endMentions(g *group) error {
	if g.rows > 0 {
		return nil
	}
	for _, m := range []struct {
		member
		why string
	}{{g.listed, "the user is listed here, and the user's settings are not in the export"},
		{g.blocked, "the user is blocked, and is not in the export"}} {
		if m.line == 0 {
			continue
		}
		l.summary.SkippedRows++
		err := l.problems.add(Problem{Code: RowInvalid, Place: l.place(m.member), Username: string(m.upn), Detail: m.why + "; the row is left out"})
		if err != nil {
			return err
		}
	}
	return nil
}

// joinMention notes the first mention of a name, and blocks its user.
func (l *loader) joinMention(g *group, r role, body []byte) error {
	u := unpacker{b: body}
	m := member{part: int(u.uvarint()), line: int(u.uvarint())}
	m.upn = append([]byte(nil), u.bytes()...) // as written
	if u.failed {
		return errPacked
	}
	if r == roleListed {
		if g.listed.line == 0 {
			g.listed = m
		}
		return nil
	}
	if g.blocked.line == 0 {
		g.blocked = m
		if g.rows == 1 {
			return l.attach(g.first.ordinal, kindBlocked, 0, []byte{0, 0, 0})
		}
	}
	return nil
}
