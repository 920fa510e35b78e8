package legacy

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"iter"
)

// attachment is a record of the sorter by ordinals.
type attachment struct {
	ordinal uint64
	kind    kind
	packed  []byte
}

func readAttachment(rec []byte) (attachment, error) {
	if len(rec) < 9 {
		return attachment{}, errPacked
	}
	a := attachment{ordinal: binary.BigEndian.Uint64(rec), kind: kind(rec[8])}
	if a.kind == kindSkipped {
		return a, nil
	}
	if len(rec) < 9+8+3 {
		return attachment{}, errPacked
	}
	a.packed = rec[9+8:]
	return a, nil
}

// count goes over the joined tables once, as Users will. A token that was
// joined by UserPrincipalName may belong to a user who is a duplicate.
func (l *loader) count() error {
	var owner attachment
	n, first, active := 0, true, false
	for rec, err := range l.attached.Sorted() {
		if err != nil {
			return err
		}
		a, err := readAttachment(rec)
		if err != nil {
			return err
		}
		if first || a.ordinal != owner.ordinal {
			owner, n, first, active = a, 0, false, false
			if l.ctx.Err() != nil {
				return l.ctx.Err()
			}
		}
		switch {
		case a.kind == kindSkipped:
		case owner.kind == kindSkipped:
			if a.kind < kindActivity {
				l.summary.LeftOut++
			}
		case a.kind == kindBlocked:
		case a.kind == kindActivity:
			if !active {
				active = true
				l.summary.Activity.Users++
			}
		case n == MaxAttached:
			err = l.reject("", a.packed, fmt.Sprintf("the user has more than %d devices and tokens", MaxAttached))
		default:
			n++
			l.countOne(a)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (l *loader) countOne(a attachment) {
	usable := int64(0)
	if SeedState(a.packed[0]) == SeedOK {
		usable = 1
	}
	switch a.kind {
	case kindDevice:
		l.summary.Devices++
		l.summary.DevicesWithSecret += usable
	case kindToken:
		l.summary.Tokens++
		l.summary.TokensWithSecret += usable
	default: // the token itself was counted with its user's row
		l.summary.TokensWithSecret += usable
	}
}

// Users yields the users in the order of the export, with ascending ordinals:
// all rows of its files of users but those that Problems names. It may be
// called again and then yields the same. An error, ctx's included, is yielded
// once and ends the iteration; one of them says that a file is no longer the
// one that Open read, which may be seen only after the last user.
func (e *Export) Users(ctx context.Context) iter.Seq2[User, error] {
	return func(yield func(User, error) bool) {
		p := pass{Export: e, ctx: ctx, rows: newUserRow(e.options.SecretFormat), rest: newTail(e)}
		defer p.rest.stop()
		for n, i := range append(e.folder.of(aboutUsers), e.folder.of(aboutAnswers)...) {
			read := p.file
			if e.folder.parts[i].about == aboutAnswers {
				read = p.answersOf
			}
			left, err := read(i, e.users[n], func(u User) bool { return yield(u, nil) })
			if err != nil {
				yield(User{}, err)
			}
			if left || err != nil {
				return
			}
		}
	}
}

// pass is one iteration over the users.
type pass struct {
	*Export
	ctx     context.Context
	rows    *userRow
	rest    *tail
	scratch []byte
	ordinal int // of the next row
}

// file calls visit for each user of a file until it returns false: left.
func (p *pass) file(i int, digest FileDigest, visit func(User) bool) (left bool, err error) {
	part := p.folder.parts[i]
	in, err := p.folder.open(p.ctx, part)
	if err != nil {
		return false, err
	}
	defer in.Close()
	p.rows.begin(i, part.name)
	t, err := openTable(in, part.form, p.options.Encoding, reading{file: part.name, schema: p.rows.schema, mapping: p.mapping})
	if err != nil {
		return false, err
	}
	for ; ; p.ordinal++ {
		p.rows.start()
		line, err := t.next(p.rows.cells)
		if err == io.EOF {
			break
		}
		bad, isBad := err.(*badRow)
		if err != nil && !isBad {
			return false, err
		}
		if p.ctx.Err() != nil {
			return false, p.ctx.Err()
		}
		if !isBad {
			bad = p.rows.read(line)
		}
		if bad != nil {
			continue
		}
		skip, u, err := p.user()
		if err != nil {
			return false, err
		}
		if !skip && !visit(u) {
			return true, nil
		}
	}
	return false, in.unchanged(digest)
}

// user makes the user of the row that was read, with what belongs to it.
func (p *pass) user() (skip bool, u User, err error) {
	u, p.scratch = p.rows.take(p.scratch)
	u.Ordinal = p.ordinal
	skip, err = p.rest.attach(&u)
	return skip, u, err
}

var errClosed = errors.New("the export is closed")

// tail is what is left of the joined tables.
type tail struct {
	export *Export
	next   func() ([]byte, error, bool)
	stop   func()
	head   attachment
	more   bool
	err    error
}

func newTail(e *Export) *tail {
	t := &tail{export: e}
	t.next, t.stop = iter.Pull2(e.attached.Sorted())
	t.advance()
	return t
}

func (t *tail) advance() {
	rec, err, ok := t.next()
	t.more, t.err = ok, err
	if ok && err == nil {
		t.head, t.err = readAttachment(rec)
	}
}

// attach adds to the user what belongs to it; skip: it is a duplicate.
func (t *tail) attach(u *User) (skip bool, err error) {
	ordinal, n := uint64(u.Ordinal), 0
	for ; t.err == nil && t.more && t.head.ordinal <= ordinal; t.advance() {
		if t.head.ordinal < ordinal { // of a row that is left out
			continue
		}
		if t.head.kind == kindSkipped {
			skip = true
		}
		switch {
		case t.head.kind == kindActivity:
			err = t.takeActivity(u)
		case t.head.kind == kindBlocked:
			u.Blocked = true
		case n < MaxAttached && !skip:
			n++
			err = t.take(u)
		}
		if err != nil {
			return false, err
		}
	}
	settleTokens(u.Tokens)
	return skip, t.err
}

func (t *tail) take(u *User) error {
	texts := packedToken
	if t.head.kind == kindDevice {
		texts = packedDevice
	}
	a, err := unpack(t.head.packed, texts)
	if err != nil {
		return err
	}
	if a.part >= len(t.export.folder.parts) {
		return errPacked
	}
	file, format := t.export.folder.parts[a.part].name, t.export.options.SecretFormat
	switch {
	case t.head.kind == kindDevice:
		u.Devices = append(u.Devices, a.device(file, format))
	case t.head.kind == kindRowToken && len(u.Tokens) > 0:
		row := u.Tokens[0].Generator
		u.Tokens[0] = a.token(file, format)
		u.Tokens[0].Generator, u.Tokens[0].Unclear = u.Tokens[0].with(row)
	default:
		u.Tokens = append(u.Tokens, a.token(file, format))
	}
	return nil
}
