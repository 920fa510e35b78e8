package main

import (
	"context"
	"errors"
	"fmt"

	"mfabridge/cloud"
	"mfabridge/internal/hint"
	"mfabridge/internal/secret"
)

// Exit codes. They are an interface: scripts branch on them, every command's
// help lists them, and they never change their meaning.
const (
	exitDone        = 0
	exitFailed      = 1
	exitPending     = 2
	exitPartly      = 3
	exitStale       = 4
	exitNotNow      = 5
	exitUnavailable = 6
	exitGate        = 8
	exitUsage       = 64
	exitInterrupted = 130
)

const exitHelp = `EXIT CODES
   0   done, nothing (left) to do
   1   failed
   2   plan --detailed-exitcode: changes pending; check, pull --wsdl: differences; inspect: findings of severity error
   3   partly done: some users failed, the rest is done; run again to go on
   4   refused: everything left is stale; make a new plan
   5   not now: a limit, the lock of another run, or quiet hours
   6   target throttled or unavailable; safe to run again
   8   a gate was not met (--strict, --strict-codes, --gate), or preflight found a blocker
   64  wrong use of the command line; serve: also of a configuration, where starting again does not help
   130 interrupted`

// exit is an error that ends the program with a code of its own. A nil err
// ends it silently: everything has been said.
type exit struct {
	code int
	err  error
}

func (e *exit) Error() string {
	if e.err == nil {
		return fmt.Sprintf("exit code %d", e.code)
	}
	return e.err.Error()
}

func (e *exit) Unwrap() error { return e.err }

// usage is a mistake on the command line.
func usage(message, advice string) error {
	return &exit{code: exitUsage, err: hint.New(message, advice)}
}

// kindExit is the table from the domain's errors to exit codes. What is not
// in it is exitFailed.
var kindExit = map[cloud.Kind]int{
	cloud.Throttled:   exitUnavailable,
	cloud.Unavailable: exitUnavailable,
	cloud.Locked:      exitNotNow,
	cloud.Stale:       exitStale,
}

func exitCode(err error) int {
	if err == nil {
		return exitDone
	}
	if e, ok := errors.AsType[*exit](err); ok {
		return e.code
	}
	if errors.Is(err, secret.ErrNoReference) {
		return exitUsage
	}
	if errors.Is(err, context.Canceled) {
		return exitInterrupted
	}
	if code, ok := kindExit[cloud.KindOf(err)]; ok {
		return code
	}
	return exitFailed
}
