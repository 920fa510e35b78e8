package engine

import (
	"cmp"
	"context"
	"crypto/rand"
	"encoding/base32"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"mfabridge/cloud"
	"mfabridge/cloud/engine/tries"
	"mfabridge/cloud/form"
)

// How long a challenge waits for its answer, and how long it is remembered.
const (
	waitText   = TextLife
	waitOther  = 180 * time.Second
	remembered = 15 * time.Minute
)

// TextLife is how long a code by text is good.
const TextLife = 300 * time.Second

// Limits on what a caller may ask for.
const (
	maxTries   = 10
	maxApp     = 128           // bytes of Client.App
	pruneEach  = 128           // of so many new challenges about one clears old ones away
	pruneLimit = 2 * pruneEach // so many at most: what is old becomes less, however many are new
)

// challengeText is Base32 in the order of its bytes.
const challengeText = "0123456789abcdefghijklmnopqrstuv"

// newChallengeID is 32 characters: 48 bits of time in milliseconds, so that
// ids ascend and old challenges are a range, and 112 random bits.
func newChallengeID(now time.Time) cloud.ChallengeID {
	var b [20]byte
	putTime(&b, now)
	rand.Read(b[6:])
	return encodeID(&b)
}

// oldestID is the least id of a challenge made at t.
func oldestID(t time.Time) cloud.ChallengeID {
	var b [20]byte
	putTime(&b, t)
	return encodeID(&b)
}

func putTime(b *[20]byte, t time.Time) {
	var ms [8]byte
	binary.BigEndian.PutUint64(ms[:], uint64(max(0, t.UnixMilli())))
	copy(b[:6], ms[2:])
}

func encodeID(b *[20]byte) cloud.ChallengeID {
	return cloud.ChallengeID(base32.NewEncoding(challengeText).EncodeToString(b[:]))
}

// Begin implements [cloud.Verifier].
func (e *Engine) Begin(ctx context.Context, r cloud.Request) (cloud.Challenge, error) {
	return e.begin(ctx, "", r)
}

func (e *Engine) begin(ctx context.Context, owner string, r cloud.Request) (cloud.Challenge, error) {
	return e.beginWith(ctx, owner, e.text, r)
}

// beginWith is begin with another template of code messages.
func (e *Engine) beginWith(ctx context.Context, owner, text string, r cloud.Request) (cloud.Challenge, error) {
	return e.beginLate(ctx, nil, owner, text, r)
}

// beginLate is beginWith where a message goes out from a place, after the answer;
// nil: before it, which tells whether it was delivered.
func (e *Engine) beginLate(ctx context.Context, after *late, owner, text string, r cloud.Request) (cloud.Challenge, error) {
	if err := checkRequest(&r); err != nil {
		return cloud.Challenge{}, err
	}
	var b *beginning
	err := e.store.Update(ctx, func(tx Tx) error {
		b = e.beginning(tx, owner, text, &r)
		b.after = after
		return b.run()
	})
	if err = asError(err); cloud.KindOf(err) == cloud.NotFound {
		// That there is nobody is what those hear who only want to know whether
		// we are there.
		err = cmp.Or(e.Takes(ctx), err)
	}
	if err != nil {
		return cloud.Challenge{}, err
	}
	return e.begun(ctx, b)
}

// beginning is what a transaction of Begin works on.
func (e *Engine) beginning(tx Tx, owner, text string, r *cloud.Request) *beginning {
	return &beginning{e: e, tx: tx, r: r, owner: owner, key: ownedKey(owner, r.Key), now: e.now(), text: text}
}

// begun does what is left to do of a Begin that is durable.
func (e *Engine) begun(ctx context.Context, b *beginning) (cloud.Challenge, error) {
	if b.nobody {
		return cloud.Challenge{}, noSuchUser()
	}
	if b.c.Method == cloud.Push {
		e.bell.ring(b.c.User)
	}
	switch {
	case b.message == nil:
	case b.after != nil:
		late := *b // what becomes of it is not told here
		b.after.send = e.delivering(&late)
	default:
		if err := e.deliver(ctx, b); err != nil {
			return cloud.Challenge{}, asError(err)
		}
	}
	if b.ended != nil {
		e.publish(*b.ended)
	}
	if b.decided {
		e.publish(Verdict{b.c.Owner, b.c.decision(false)})
	}
	c := e.asSeen(b.c)
	c.Repeated = b.again
	return c, nil
}

func checkRequest(r *cloud.Request) error {
	switch {
	case len(r.Context) > cloud.MaxContext:
		return refuse(cloud.Invalid, fmt.Sprintf("the context of a challenge must be at most %d bytes", cloud.MaxContext))
	case len(r.Key) > cloud.MaxIdempotencyKey:
		return refuse(cloud.Invalid, fmt.Sprintf("an idempotency key must be at most %d bytes", cloud.MaxIdempotencyKey))
	case r.Tries < 1:
		return refuse(cloud.Invalid, "a challenge must allow at least one try")
	case r.Subject.Value == "":
		return noSuchUser()
	}
	r.Client.App = clean(r.Client.App, maxApp)
	r.Client.Station = clean(r.Client.Station, form.MaxName)
	r.Tries = min(r.Tries, maxTries)
	return nil
}

// clean makes text of a caller fit for a log and a message: what is not
// printable becomes a question mark, and too much is cut.
func clean(s string, limit int) string {
	if len(s) <= limit && form.IsPlain(s) {
		return s
	}
	s = strings.Map(func(r rune) rune {
		if !form.IsPlain(string(r)) || r == '\uFFFD' {
			return '?'
		}
		return r
	}, s)
	if len(s) > limit {
		s = strings.ToValidUTF8(s[:limit], "")
	}
	return s
}

// beginning is one Begin inside its transaction.
type beginning struct {
	e       *Engine
	tx      Tx
	r       *cloud.Request
	owner   string // who calls
	text    string // template of a code message
	key     string // of a repeat
	now     time.Time
	user    *User
	aside   aside // of the user
	apart   bool  // nobody is to be asked by a message, push or call
	nobody  bool  // a code came with a name that is nobody's, see countNobody
	c       *Challenge
	again   bool     // an equal request before this one began it
	decided bool     // the verdict was reached now
	message *Message // to be sent once the challenge is durable
	after   *late    // where it is sent from after the answer; nil: it is sent before
	ended   *Verdict // on the challenge that this one replaces
}

func (b *beginning) run() (err error) {
	if b.user, err = lookUp(b.tx, b.r.Subject); err != nil {
		return err
	}
	switch {
	case b.user == nil && b.r.Code.IsZero():
		return noSuchUser()
	case b.user == nil:
		b.nobody = true
		return b.e.countNobody(b.tx, b.now)
	case b.r.SID != "" && b.user.SID != "" && Fold(b.r.SID) != Fold(b.user.SID):
		return refuse(cloud.Conflict, "the user has another security identifier: it is somebody else of that name")
	}
	if repeated, err := b.repeated(); repeated || err != nil {
		return err
	}
	b.c = &Challenge{ID: newChallengeID(b.now), Key: b.key, Owner: b.owner, User: b.user.ID, State: cloud.Pending, App: b.r.Client.App,
		Place: tries.Place(b.r.Client), Tries: b.r.Tries, Context: b.r.Context, Created: b.now, Expires: b.now.Add(waitOther),
		Proven: proven(b.r.Subject)}
	if err := b.ask(); err != nil {
		return err
	}
	if err := b.clear(); err != nil { // not before: what ask leaves to others has written nothing
		return err
	}
	return b.tx.PutChallenge(b.c)
}

// repeated looks for an equal request a moment ago.
func (b *beginning) repeated() (bool, error) {
	if b.key == "" {
		return false, nil
	}
	old, err := b.tx.ChallengeByKey(b.key)
	if err != nil || old == nil || !old.answers(b.now) {
		return false, err
	}
	if old.User != b.user.ID {
		return false, refuse(cloud.Invalid, "the idempotency key was used for another user")
	}
	b.c, b.again = old, true
	if old.State != cloud.Pending && old.State != cloud.Approved {
		return true, nil
	}
	// A block holds for the next request, whatever was begun or approved
	// before it.
	reason, err := b.e.mayStill(b.tx, b.user.ID, old.Method, b.now)
	switch {
	case err != nil:
		return true, err
	case reason != "" && old.State == cloud.Pending:
		return true, errors.Join(b.refuse(reason), b.tx.PutChallenge(b.c))
	case reason != "" && old.State == cloud.Approved:
		b.c.State, b.c.Reason = cloud.Refused, reason // of this answer; the record stays
	}
	return true, nil
}

// answers tells whether the challenge is the answer to an equal request at now.
// One that a person approves is so while it is pending, and a moment longer.
func (c *Challenge) answers(now time.Time) bool {
	if !isPressed(c.Method) {
		return isRepeat(c.Created, now)
	}
	if c.State == cloud.Pending {
		return now.Before(c.Expires)
	}
	age := now.Sub(c.Decided)
	return -cloud.JoinWindow <= age && age <= cloud.JoinWindow
}

// Repeatable is until when the challenge may be the answer to an equal request.
func (c *Challenge) Repeatable() time.Time {
	if !isPressed(c.Method) {
		return c.Created.Add(cloud.RepeatWindow)
	}
	return c.Expires.Add(cloud.JoinWindow)
}

// isRepeat tells whether a call at now may be a repeat of one at then. A then
// that lies ahead was written before the clock was set back: what it says of
// now is nothing.
func isRepeat(then, now time.Time) bool {
	age := now.Sub(then)
	return -cloud.RepeatWindow <= age && age <= cloud.RepeatWindow
}

// ask decides how the user is asked, and whether. A way that a limit has shut
// is left out, and what is left is decided anew.
func (b *beginning) ask() error {
	q, may, err := b.question()
	if err != nil {
		return err
	}
	for {
		way, reason := Decide(b.user, q, may, b.now)
		b.c.Method = way
		switch {
		case reason != "":
			return b.refuse(reason)
		case way == wayBypass:
			return b.pass()
		}
		g, err := b.e.tries.Gate(b.tx, ofCode(b.c), b.now)
		if err != nil {
			return err
		}
		asked, err := b.askBy(way, g, may, may.tokens(q.Tokens))
		if asked || err != nil {
			return err
		}
		q.Shut = append(q.Shut, way)
	}
}

// question gathers what Decide needs.
func (b *beginning) question() (q Question, may Allowed, err error) {
	if b.aside, err = readAside(b.user); err != nil {
		return q, may, err
	}
	q = Question{Bypass: b.aside.Bypass, Method: b.r.Method, App: b.r.Client.App, Code: !b.r.Code.IsZero(), Texts: b.e.senders[cloud.SMS] != nil,
		Calls: b.e.calls(b.user), Mail: b.e.senders[cloud.EmailCode] != nil && b.e.confirmed(b.user)}
	if q.Tokens, err = b.e.usableTokens(b.tx, b.user.ID); err != nil {
		return q, may, err
	}
	q.leaveOutNumber(b.user)
	devices, err := devicesOf(b.tx, b.user)
	if err != nil {
		return q, may, err
	}
	q.Push = b.e.setup.Kind == KindEngine && slices.ContainsFunc(devices, func(d Device) bool { return d.State == deviceActive })
	if b.owner == ownerActivation || b.owner == ownerManagement || b.owner == ownerNative { // who is to prove themselves is asked for something that they have
		q.Bypass, q.Push, q.Calls = nil, false, nil
	}
	may, err = b.e.allowed(b.tx, b.user.ID)
	return q, may, err
}

// leaveOutNumber takes out of a question what a user signs in with: a telephone
// that is a first factor is no second one.
func (q *Question) leaveOutNumber(u *User) {
	if !u.SignsInByNumber() {
		return
	}
	q.Texts = false
	q.Calls = slices.DeleteFunc(q.Calls, func(way cloud.Preference) bool {
		return signInNumber(u.number(way)) == signInNumber(u.Mobile)
	})
}

// askBy asks in one way, or checks the code that came along; false: a limit
// has shut this way.
func (b *beginning) askBy(way cloud.Preference, g tries.Gate, may Allowed, tokens []Token) (asked bool, err error) {
	if g.Shut {
		return false, nil
	}
	switch {
	case !b.r.Code.IsZero():
		b.decided, err = b.e.judge(b.tx, b.c, b.user, tokens, g, b.r.Code, b.now)
		return true, err
	case b.apart && (isPressed(way) || isCoded(way)):
		return false, errApart
	case way == cloud.Push:
		if tired, err := tired(b.tx, &b.aside, b.now); tired || err != nil {
			return false, err
		}
		return true, b.preparePush()
	case isCall(way):
		if b.c.Prompt, err = b.mayCall(way); b.c.Prompt != "" || err != nil {
			return false, err
		}
		return true, b.prepareCall(way)
	case isCoded(way):
		if b.c.Prompt, err = b.e.mayText(b.tx, b.quotasFor(way, b.e.reached(b.user, way)), b.now); b.c.Prompt != "" || err != nil {
			return false, err
		}
		return true, b.prepareCode(way, may)
	}
	b.c.Prompt = "Enter the code from your token or app"
	return true, nil
}

// proven tells whether whoever asks has proven who the user is: then the name
// that a person typed was not enough. Only after that does a wrong second
// factor count against the user as a whole, so that nobody is locked out by
// somebody who knows no more than a name.
func proven(subject cloud.Key) bool { return subject.Kind != cloud.ByName }

// ofCode says where a wrong answer to a challenge counts. A code that was sent
// is good for one challenge and a few tries only: it needs no bar over all
// places, which somebody else could reach.
func ofCode(c *Challenge) tries.Where {
	if strings.HasPrefix(c.Owner, ownerNumber) { // a first factor: as a password, see ofPassword
		return tries.Where{User: string(c.User), Way: wayNumber, Place: c.Place, Proven: true}
	}
	return tries.Where{User: string(c.User), Way: string(c.Method), Place: c.Place, Proven: c.Proven && c.Method == cloud.OATHCode}
}

// refuse records the verdict that the user is not asked.
func (b *beginning) refuse(reason cloud.Reason) error {
	b.decided = true
	b.c.conclude(cloud.Refused, reason, b.now)
	return b.e.auditVerdict(b.tx, b.c, b.now)
}

// usableTokens are the generators that verify: none where the user would have
// to activate them first, which nobody can do in a rehearsal.
func (e *Engine) usableTokens(r Reader, id cloud.UserID) ([]Token, error) {
	if !e.caps.OATH.Activates {
		return nil, nil
	}
	return r.Tokens(id)
}

// clear has one new challenge in pruneEach forget old ones: its id is random at
// the end.
func (b *beginning) clear() error {
	end := b.c.ID[len(b.c.ID)-2:]
	if (strings.IndexByte(challengeText, end[0])<<5|strings.IndexByte(challengeText, end[1]))%pruneEach != 0 {
		return nil
	}
	return b.e.prune(b.tx, b.now, pruneLimit)
}

// prune forgets what nobody can ask for any more, a bounded amount.
func (e *Engine) prune(tx Tx, now time.Time, limit int) error {
	return tx.Prune(oldestID(now.Add(-remembered)), now.Add(-e.tries.Kept()), limit)
}
