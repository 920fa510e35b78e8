package legacy

import (
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"iter"

	"mfabridge/internal/hint"
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
	if len(rec) < 9+8+2 {
		return attachment{}, errPacked
	}
	a.packed = rec[9+8:]
	return a, nil
}

// count goes over the joined tables once, as Users will. A token that was
// joined by UserPrincipalName may belong to a user who is a duplicate.
func (l *loader) count() error {
	var owner attachment
	n, first := 0, true
	for rec, err := range l.attached.Sorted() {
		if err != nil {
			return err
		}
		a, err := readAttachment(rec)
		if err != nil {
			return err
		}
		if first || a.ordinal != owner.ordinal {
			owner, n, first = a, 0, false
			if l.ctx.Err() != nil {
				return l.ctx.Err()
			}
		}
		switch {
		case a.kind == kindSkipped:
		case owner.kind == kindSkipped:
			l.summary.LeftOut++
		case n == MaxAttached:
			err = l.reject(a.role(), "", a.packed, fmt.Sprintf("the user has more than %d devices and tokens", MaxAttached))
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

func (a attachment) role() role {
	if a.kind == kindDevice {
		return roleDevice
	}
	return roleToken
}

func (l *loader) countOne(a attachment) {
	usable := int64(0)
	if SeedState(a.packed[0]) == SeedOK {
		usable = 1
	}
	if a.kind == kindDevice {
		l.summary.Devices++
		l.summary.DevicesWithSecret += usable
	} else {
		l.summary.Tokens++
		l.summary.TokensWithSecret += usable
	}
}

// Users yields the users in the order of the export, with ascending ordinals:
// all rows of users.csv but those that Problems names. It may be called again
// and then yields the same. An error, ctx's included, is yielded once and ends
// the iteration; one of them says that users.csv is no longer the file that
// Open read, which may be seen only after the last user.
func (e *Export) Users(ctx context.Context) iter.Seq2[User, error] {
	return func(yield func(User, error) bool) {
		if err := e.eachUser(ctx, func(u User) bool { return yield(u, nil) }); err != nil {
			yield(User{}, err)
		}
	}
}

// eachUser calls visit until it returns false, which is no error.
func (e *Export) eachUser(ctx context.Context, visit func(User) bool) error {
	in, err := e.folder.open(ctx, usersFile)
	if err != nil {
		return err
	}
	defer in.Close()
	r := newUserRow(e.options.SecretFormat)
	t, _, err := openCSV(in, r.schema, e.mapping)
	if err != nil {
		return err
	}
	rest := newTail(e)
	defer rest.stop()
	var scratch []byte
	for ordinal := uint64(0); ; ordinal++ {
		r.start()
		line, err := t.next(r.cells)
		if err == io.EOF {
			break
		}
		bad, isBad := err.(*badRow)
		if err != nil && !isBad {
			return err
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if !isBad {
			bad = r.read(line)
		}
		if bad != nil {
			continue
		}
		var u User
		u, scratch = r.take(scratch)
		u.Ordinal = int(ordinal)
		skip, err := rest.attach(&u)
		if err != nil {
			return err
		}
		if !skip && !visit(u) {
			return nil
		}
	}
	if in.digest() != e.users {
		return hint.New(usersFile+" changed while it was read", "start again when nothing writes to the export any more")
	}
	return nil
}

// tail is what is left of the joined tables.
type tail struct {
	next   func() ([]byte, error, bool)
	stop   func()
	format string
	head   attachment
	more   bool
	err    error
}

func newTail(e *Export) *tail {
	t := &tail{format: e.options.SecretFormat}
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
		if skip || n == MaxAttached {
			continue
		}
		n++
		if err := t.take(u); err != nil {
			return false, err
		}
	}
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
	if t.head.kind == kindDevice {
		u.Devices = append(u.Devices, a.device(t.format))
	} else {
		u.Tokens = append(u.Tokens, a.token(t.format))
	}
	return nil
}
