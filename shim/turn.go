package shim

import (
	"context"
	"time"

	"mfabridge/cloud"
	"mfabridge/internal/sleep"
	"mfabridge/shim/config"
)

const (
	firstLook  = 20 * time.Millisecond  // how soon a node looks again whether its turn has come
	lastLook   = 250 * time.Millisecond // how late, once it has looked a few times
	endingLife = 2 * time.Second        // what the end of a turn may take, whatever is left of the login's time
	wrongLife  = 60 * time.Second       // how long a definite no to a password is remembered
)

// turn is the right to try one password of one person at a primary: of all
// nodes that share an engine one has it at a time, so that a password which
// comes to two of them in the same moment, and is wrong, is wrong once. The
// zero turn is everybody's.
type turn struct {
	board cloud.Noticeboard
	wrong string // the notice that it was refused
	claim string // the notice that somebody tries it, or has just found it wrong
}

// turn waits for the turn. It is not mine if the password was refused
// meanwhile, or, with an error, if there is no time left. The engine's own
// passwords take none: the engine counts what is wrong with them itself. Where
// the engine cannot say, the primary is asked: a notice is a hint.
func (l *logins) turn(ctx context.Context, c *client, wrong string) (t turn, mine bool, err error) {
	switch {
	case l.board == nil:
		return turn{}, true, nil
	case c.Primary == config.Native:
		up, err := l.board.Noted(ctx, wrong)
		return turn{board: l.board, wrong: wrong}, err != nil || !up, nil
	}
	t = turn{board: l.board, wrong: wrong, claim: l.keys().name("turn", wrong)}
	for pause := firstLook; ; pause = min(2*pause, lastLook) {
		mine, err := t.board.Claim(ctx, t.claim, turnLife(ctx))
		switch {
		case err != nil:
			return turn{board: l.board, wrong: wrong}, true, nil
		case mine:
			return t, true, nil
		}
		if up, err := t.board.Noted(ctx, wrong); err == nil && up {
			return t, false, nil
		}
		if err := sleep.For(ctx, pause); err != nil {
			return t, false, &cloud.Error{Kind: cloud.Unavailable, Message: "another node has been trying this password for too long", Err: err}
		}
	}
}

// turnLife is how long a turn lasts that nobody ends, as of a node that died:
// as long as its login may take.
func turnLife(ctx context.Context) time.Duration {
	life := DefaultCallTimeout
	if end, ok := ctx.Deadline(); ok {
		life = time.Until(end)
	}
	return min(max(life, 0)+time.Second, wrongLife)
}

// end gives the turn back. Nobody gets the turn of a password that is wrong
// for as long as that is remembered.
func (t turn) end(ctx context.Context, wrong bool) error {
	if t.board == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), endingLife)
	defer cancel()
	switch {
	case wrong:
		if err := t.board.Note(ctx, t.wrong, wrongLife); err != nil || t.claim == "" {
			return err
		}
		return t.board.Note(ctx, t.claim, wrongLife)
	case t.claim != "":
		return t.board.Withdraw(ctx, t.claim)
	}
	return nil
}

// factor names one first factor of one person, so that the very same is not
// tried again while it is known to be wrong.
type factor struct {
	name  mark   // in the memory of this process
	wrong string // the notice that it was refused, for other nodes
}

// factor names what these fields say, whose it is among them.
func (l *logins) factor(fields ...string) factor {
	return factor{name: mark(mac(l.local, fields...)), wrong: l.keys().name(append(fields, "wrong")...)}
}

// tryOnce has a first factor judged, unless it is known here or on another node
// that it has just been refused, or, with a cause, there is no time left. Each try
// counts at who judges it, until the account is locked out. try tells whether it
// was wrong. The cause beside a try is why other nodes could not be told; for the log.
func (l *logins) tryOnce(ctx context.Context, c *client, f factor, try func() (wrong bool)) (tried bool, cause error) {
	if _, refused := l.wrong.find(f.name, l.now()); refused {
		return false, nil
	}
	t, mine, err := l.turn(ctx, c, f.wrong)
	if !mine {
		return false, err
	}
	wrong := try()
	if wrong {
		l.wrong.put(f.name, struct{}{}, l.now().Add(wrongLife))
	}
	return true, t.end(ctx, wrong)
}
